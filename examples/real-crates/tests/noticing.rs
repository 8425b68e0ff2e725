//! When a crate's client leaves a dead connection, beside the preset that is to be it, in the same worlds. The table is in
//! docs/conformance.md.

use std::{fmt::Write as _, path::Path, time::Duration};

use cardiogram::{
    net::{Guests, run_guests},
    policies::{Registry, StrategySpec},
    scenarios::load,
    sim::{
        Engine, Outcome, RunOptions, WorldConfig, run,
        trace::{NodeId, What},
    },
};
use real_crates::{grpc, http2, mqtt, resp};

const PING_EVERY: Duration = Duration::from_secs(310);
const REPLY_WITHIN: Duration = Duration::from_secs(20);

/// A client that beats every 310 s, 35 ms from its server: a NAT forgets it 10 s before the first beat, its link is cut after the
/// first one, or the server's process stands still from then on, and its kernel does not.
const WORLDS: [(&str, &str); 3] = [
    ("a NAT forgets after 300 s", "nat = { established = \"300s\" }"),
    ("the link is cut at 400 s", "nat = { established = \"1h\" }\nfaults = [{ cut = { when.at = [\"400s\"] } }]"),
    (
        "the server hangs from 400 s on",
        "nat = { established = \"1h\" }\nfaults = [{ server-stall = { when.at = [\"400s\"] } }]",
    ),
];

/// Returns the worlds of a strategy.
fn worlds(strategy: &StrategySpec) -> impl Iterator<Item = (&'static str, WorldConfig)> {
    WORLDS.into_iter().map(|(title, rest)| {
        let text = format!(
            "name = \"noticing\"\nstrategies = [\"none\"]\nduration = \"20m\"\naccess.delay = \"30ms\"\ncore.delay = \"5ms\"\n\
             devices = {{ count = 1, start_within = \"0s\" }}\n{rest}\n"
        );
        let scenario = load::parse_scenario("noticing", &text).unwrap_or_else(|error| panic!("{error}"));
        (title, scenario.world(strategy))
    })
}

fn preset(name: &str, with: &str) -> StrategySpec {
    let preset = load::strategy(name, None, &Registry::new()).unwrap_or_else(|error| panic!("{error}")).value;
    let mut text: toml::Table = toml::from_str(&load::strategy_text(&preset)).unwrap();
    let with: toml::Table = toml::from_str(with).unwrap();
    text.extend(with);
    let text = toml::to_string(&text).unwrap();
    load::parse_strategy(name, &text, &Registry::new()).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns when the first break was noticed, in seconds of the run, and how many packets the client had sent and been sent before.
fn noticed(outcome: &Outcome) -> String {
    let Some(at) = outcome.episodes.first().and_then(|episode| episode.detection).map(|it| it.at) else {
        return "never |".into();
    };
    let entries = &outcome.trace.as_ref().expect("it is kept").entries;
    let (mut up, mut down) = (0, 0);
    // The client is the first node. What closes the connection leaves at the moment itself.
    for entry in entries.iter().filter(|entry| entry.node == NodeId(0) && entry.at < at) {
        match entry.what {
            What::Sent { .. } => up += 1,
            What::Received { .. } => down += 1,
            _ => {}
        }
    }
    format!("{:.3} s | {up} + {down}", at.as_secs_f64())
}

#[test]
fn crates_leave_dead_connections_when_their_presets_do() {
    let idle = "[heartbeat.composed]\nschedule.idle = { threshold = \"310s\", anchor = \"rx\" }\n\
                judge.reply = { timeout = \"20s\", evidence = \"any\" }\n";
    // Without the broker's own patience, which would be first where the network holds.
    let fixed = "[heartbeat.fixed]\ninterval = \"310s\"\ntimeout = \"310s\"\n[server]\n";
    let pings = "[heartbeat.fixed]\ninterval = \"310s\"\ntimeout = \"20s\"\n";
    let products: [(&str, Guests, StrategySpec); 4] = [
        ("hyper 1.12, HTTP/2", http2::guests(PING_EVERY, REPLY_WITHIN), preset("grpc-tonic", idle)),
        ("tonic 0.14, Watch of the health service", grpc::guests(PING_EVERY, REPLY_WITHIN), preset("grpc-tonic", idle)),
        ("rumqttc-v4-next 0.34", mqtt::guests(PING_EVERY), preset("rumqttc", fixed)),
        ("redis 1.8, PING", resp::guests(PING_EVERY, REPLY_WITHIN), preset("netease-30-15", pings)),
    ];
    let mut table = String::from(
        "| Crate | World | The crate leaves at | after packets | The preset leaves at | after packets |\n|---|---|---:|---:|---:|---:|\n",
    );
    for (product, guests, strategy) in &products {
        for (title, world) in worlds(strategy) {
            let options = RunOptions { keep_trace: true, ..RunOptions::new(Engine::Event) };
            let of_crate = run_guests(&world, 1, &options, guests).unwrap_or_else(|error| panic!("{product}: {error}"));
            let of_preset = run(&world, 1, &options).unwrap();
            writeln!(table, "| {product} | {title} | {} | {} |", noticed(&of_crate), noticed(&of_preset)).unwrap();
        }
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/conformance.md");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains(&table), "docs/conformance.md shall have this table:\n{table}");
}
