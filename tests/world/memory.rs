//! What a run takes is what was stated before it: the peak of memory, counted allocation by allocation, against the estimate by
//! which a plan is refused. Each shape of a file strains another part: every kind of fault in quick succession, devices, NATs, messages,
//! an interval that the NAT does not last.

use std::fmt::Write as _;

use cardiogram::{
    policies::{Registry, preset, preset::Preset},
    scenarios::load,
    sim::{Engine, RunOptions, WorldConfig, run},
};
use rayon::prelude::*;

/// Returns the world of a scenario with these lines under a strategy.
pub(crate) fn world(strategy: &str, lines: &str) -> WorldConfig {
    let mut text = "name = \"shape\"\nstrategies = [\"none\"]\ncore = \"backbone\"\n".to_owned();
    for (key, value) in [("access", "\"lte-near\""), ("duration", "\"10m\""), ("devices.count", "20")] {
        if !lines.lines().any(|line| line.starts_with(key)) {
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    let scenario = load::parse_scenario("shape.toml", &(text + lines)).unwrap_or_else(|error| panic!("{error}"));
    let strategy = load::strategy(strategy, None, &Registry::new()).unwrap();
    scenario.world(&strategy.value)
}

/// Faults of every kind, so close together that what is kept of each is most of what there is.
const FAULTS: [&str; 26] = [
    "cut = { when.every = \"500ms\", lasts = \"100ms\" }",
    "cut = { when.every = \"500ms\", lasts = \"1us\" }",
    "cut = { when.every = \"2m\", lasts = \"1m\" }",
    "cut = { link = \"core\", when.every = \"20ms\", lasts = \"1us\" }",
    "cut = { link = \"core\", when.every = \"2m\", lasts = \"1m\" }",
    "flapping = { when.every = \"1m\", lasts = \"30s\", down = \"100ms\", up = \"100ms\" }",
    "handover = { when.every = \"500ms\", lasts = \"100ms\" }",
    "loss-burst = { when.every = \"500ms\", lasts = \"100ms\", loss = 0.5 }",
    "delay-spike = { when.every = \"500ms\", lasts = \"100ms\", delay = \"1s\" }",
    "duplication = { when.every = \"500ms\", lasts = \"100ms\", probability = 0.5, delay = \"1s\" }",
    "reordering = { when.every = \"500ms\", lasts = \"100ms\", probability = 0.5, delay = \"1s\" }",
    "rate-limit = { when.every = \"500ms\", lasts = \"100ms\", bits_per_second = 10000 }",
    "nat-flush = { when.every = \"25ms\" }",
    "nat-flush = { when.every = \"2m\" }",
    "nat-timeout = { when.every = \"25ms\", lasts = \"5ms\", established = \"1m\" }",
    "network-switch = { when.every = \"500ms\" }",
    "network-switch = { when.every = \"500ms\", lasts = \"100ms\", to = \"none\" }",
    "lease-expiry = { when.every = \"500ms\", lasts = \"100ms\" }",
    "process-killed = { when.every = \"500ms\", lasts = \"100ms\" }",
    "malformed = { when.every = \"500ms\" }",
    "server-stall = { when.every = \"25ms\", lasts = \"5ms\" }",
    "server-crash = { when.every = \"25ms\", lasts = \"5ms\" }",
    "server-restart = { when.every = \"2m\", lasts = \"5s\" }",
    "server-overload = { when.every = \"25ms\", lasts = \"5ms\", capacity = 0.5 }",
    "server-late-reply = { when.every = \"25ms\", lasts = \"5ms\", by = \"1s\" }",
    "server-drain = { when.every = \"50ms\", over = \"5ms\", restart = \"5ms\" }",
];

/// What strains memory without a fault, or several parts at once: a strategy and lines of a scenario.
const OTHERS: [(&str, &str); 11] = [
    ("none", "devices.count = 1"),
    ("netease-30-15", "devices.count = 3000"),
    ("netease-30-15", "devices.count = 2000\nserver.count = 16\nnat.outside_addresses = 200"),
    ("netease-30-15", "devices.count = 1000\nnat = [\"home-linux\", \"cn-mobile-2g3g\", \"home-linux\"]"),
    ("netease-30-15", "devices.count = 1000\nproxy = { idle = \"10m\" }"),
    ("wechat-270", "devices.count = 200\nduration = \"12h\"\nnat.established = \"1m\""),
    ("netease-30-15", "traffic = { up = \"200ms\", down = \"200ms\" }"),
    ("netease-30-15", "radio = \"lte-modern\"\nlife.screen = { when.every = \"1s\", lasts = \"1s\" }\nlife.doze = {}"),
    ("netease-30-15", "server.count = 16\nfaults = [{ server-crash = { when.every = \"100ms\", lasts = \"5ms\" } }]"),
    (
        "netease-30-15",
        "proxy = { idle = \"10m\" }\nfaults = [{ proxy-restart = { when.every = \"1m\", lasts = \"2s\" } }]",
    ),
    // What was once refused for an estimate that nobody had measured, for a shorter time.
    (
        "netease-30-15",
        "devices.count = 100\ndevices.start_within = \"1s\"\nduration = \"30s\"\nfaults = [{ network-switch.when.every = \"36ms\" }]",
    ),
];

#[test]
fn no_shape_of_a_file_takes_more_memory_than_is_stated() {
    let faults = FAULTS.iter().map(|it| ("netease-30-15", format!("faults = [{{ {it} }}]")));
    let shapes: Vec<_> = faults.chain(OTHERS.iter().map(|(strategy, lines)| (*strategy, (*lines).into()))).collect();
    let measure = |(strategy, lines): &(&str, String)| {
        let world = world(strategy, lines);
        let (stated, strikes) = (world.cost().memory_bytes, world.cost().strikes);
        let counted = allocation_counter::measure(|| {
            run(&world, 1, &RunOptions::new(Engine::Event)).unwrap();
        });
        let taken = counted.bytes_max;
        (taken > stated, format!("{taken} of {stated} bytes, {strikes} strikes: {strategy} {lines}"))
    };
    let measured: Vec<(bool, String)> = shapes.par_iter().map(measure).collect();
    let all: Vec<&str> = measured.iter().map(|(_, told)| told.as_str()).collect();
    println!("{}", all.join("\n"));
    let over: Vec<&str> = measured.iter().filter(|(is_over, _)| *is_over).map(|(_, told)| told.as_str()).collect();
    assert!(over.is_empty(), "{}", over.join("\n"));
}

#[test]
fn what_many_strategies_cost_is_what_each_of_them_does() {
    let world = world("none", "faults = [{ cut = { when.every = \"2m\", lasts = \"1m\" } }]\nnat.established = \"1m\"");
    let strategies: Vec<_> = preset::all().iter().map(Preset::spec).collect();
    let each = strategies.iter().map(|it| WorldConfig { strategy: it.clone(), ..world.clone() }.cost());
    assert_eq!(world.costs(&mut strategies.iter()), each.collect::<Vec<_>>());
}
