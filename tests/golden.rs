//! The trace hashes of every built-in scenario under three strategies and more where they are at home, as committed: any change of behaviour shows here,
//! whatever the machine, the build profile or the process. A change that is meant is explained in the changelog, and the
//! file written anew with `cargo xtask bless golden`.

use std::fmt::Write;

use cardiogram::{
    prelude::*,
    scenarios::{library, load},
};
use kit::committed::assert_committed;

/// One strategy for each way of keeping a connection alive: a grid, idleness, the kernel.
const STRATEGIES: [&str; 3] = ["netease-30-15", "idle-45-either", "whatsapp-tcp-10s"];
/// Where others are at home: those that learn, ask on a second connection, are pinged, told off, or judge by freshness.
const MORE_STRATEGIES: [(&str, &[&str]); 6] = [
    ("learning", &["mars-smart-heartbeat", "microg-mcs-aimd", "courier-adaptive", "rahman-composite"]),
    ("brokers", &["mqtt-keepalive", "nats-ping", "pika", "amqplib"]),
    ("browser-sockets", &["engineio-v4", "actioncable-7", "python-websockets-20-20"]),
    ("remote-calls", &["grpc-too-many-pings", "grpc-core-1.85"]),
    ("queues-and-databases", &["zookeeper-session"]),
    ("detectors", &["chen-nfd-e", "bertier", "phi-accrual-akka", "jacobson-rfc6298"]),
];
const SEED: u64 = 1;

#[test]
fn every_built_in_scenario_runs_as_it_did() {
    let mut hashes = String::from("# scenario strategy trace-hash, seed 1\n");
    for name in library::names() {
        let scenario = load::scenario(name).expect("a built-in scenario").value;
        let more = MORE_STRATEGIES.iter().filter(|(home, _)| *home == name).flat_map(|(_, more)| *more);
        for strategy in STRATEGIES.iter().chain(more) {
            let strategy = load::strategy(strategy, None, &Registry::new()).expect("a built-in strategy").value;
            let outcome = run(&scenario.world(&strategy), SEED, &RunOptions::new(Engine::Event));
            let hash = outcome.expect("the event engine always finishes").trace_hash;
            writeln!(hashes, "{name} {} {hash}", strategy.name).expect("strings take everything");
        }
    }
    assert_committed("tests/golden/hashes.txt", &hashes);
}
