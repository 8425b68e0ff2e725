//! Every limit of a scenario and of a sweep, at its edge: the most is taken, one more is refused with what there may be.
//! `docs/testing.md` lists them; those of result files and of the gate are tested where these are read.

use std::fmt::Write as _;

use cardiogram_policies::Registry;
use cardiogram_scenarios::{
    load,
    plan::{Contest, EngineChoice, Plan, Shard},
    sweep,
};

/// Returns what is wrong with a scenario of `lines` on top of what every scenario needs; the empty text: nothing.
fn wrong(lines: &str) -> String {
    let given = |key: &str| lines.lines().any(|line| line.starts_with(key));
    let mut text = "name = \"test\"\n".to_owned();
    for (key, value) in [("strategies", "[\"none\"]"), ("duration", "\"1h\""), ("access", "\"lte-near\"")] {
        if !given(&format!("{key} = ")) {
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    text += "core = \"backbone\"\n";
    load::parse_scenario("test.toml", &(text + lines)).err().map(|error| error.to_string()).unwrap_or_default()
}

/// So many of a text in an array.
fn times(text: &str, count: usize) -> String {
    format!("[{}]", [text].repeat(count).join(", "))
}

#[test]
fn the_most_of_everything_is_taken_and_one_more_is_refused() {
    let faults = |count| format!("faults = {}", times("{ process-killed = { when.at = [\"1m\"] } }", count));
    let nats = |count| format!("nat = {}", times("\"home-linux\"", count));
    let networks = |count: usize| {
        let lines = (1..count).map(|at| format!("networks.n{at} = {{ access = \"wifi\" }}"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let mixture = |count| format!("server.heartbeat_cost.mixture = {}", times("{ weight = 1, of = \"1ms\" }", count));
    let attach = |count: usize| {
        let moves = (0..count).map(|at| format!("{{ at = \"{}s\", to = \"{}\" }}", at + 1, ["main", "none"][at % 2]));
        format!("life.attach = [{}]", moves.collect::<Vec<_>>().join(", "))
    };
    let crowd = |addresses, devices| format!("devices.count = {devices}\nnat.outside_addresses = {addresses}");
    let every = |mean: &str| format!("faults = [{{ process-killed.when.every = \"{mean}\" }}]");
    let cases = [
        (crowd("16", 1_000_000), crowd("16", 1_000_001), "use 1 to 1000000"),
        (crowd("1", 64_512), crowd("1", 64_513), "use at least outside_addresses = 2"),
        (crowd("3", 64_512 * 3), crowd("3", 64_512 * 3 + 1), "use at least outside_addresses = 4"),
        (
            format!("proxy = {{}}\n{}", crowd("2", 64_512)),
            format!("proxy = {{}}\n{}", crowd("2", 64_513)),
            "or more servers",
        ),
        ("devices.count = 1".into(), "devices.count = 0".into(), "use 1 to 1000000"),
        (crowd("1024", 1), crowd("1025", 1), "use 1 to 1024"),
        ("duration = \"366days\"".into(), "duration = \"366days 1us\"".into(), "use at most \"366d\""),
        ("duration = \"1h\"".into(), "duration = \"10years 1us\"".into(), "longer than ten years"),
        (faults(1_000), faults(1_001), "use at most 1000"),
        (nats(8), nats(9), "name 1 to 8"),
        (networks(8), networks(9), "use at most 8"),
        (every("36ms"), every("35ms"), "let at most 100000 be expected"),
        ("server.count = 16".into(), "server.count = 17".into(), "use 1 to 16"),
        ("server.cores = 256".into(), "server.cores = 257".into(), "use 1 to 256"),
        ("server.logins_per_s = 100000".into(), "server.logins_per_s = 100001".into(), "use 1 to 100000"),
        ("traffic.up = \"100ms\"".into(), "traffic.up = \"99ms\"".into(), "use at least \"100ms\""),
        ("nat.table = 100000000".into(), "nat.table = 100000001".into(), "use 1 to 100000000"),
        ("nat.ports = 64512".into(), "nat.ports = 64513".into(), "use 1 to 64512"),
        ("devices.frames.message = 16384".into(), "devices.frames.message = 16385".into(), "to 16384"),
        (mixture(100), mixture(101), "name 1 to 100"),
        (attach(1_000), attach(1_001), "use at most 1000"),
        (
            format!("strategies = {}", times("\"none\"", 1_000)),
            format!("strategies = {}", times("\"none\"", 1_001)),
            "1 to 1000 strategies, not 1001",
        ),
    ];
    let mut failures = Vec::new();
    for (most, more, expected) in cases {
        let (taken, refused) = (wrong(&most), wrong(&more));
        if !taken.is_empty() || !refused.contains(expected) {
            failures.push(format!("{most:.80}\n{taken:.600}\n{more:.80}\n{refused:.600}\n{expected}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n---\n"));
}

/// toml's own limit, which keeps a file of brackets from ending the process by its stack.
#[test]
fn deep_nesting_is_refused() {
    for text in
        ["[".repeat(100_000), format!("name = {}", "[".repeat(100_000)), format!("a{} = 1", ".a".repeat(50_000))]
    {
        let error = load::parse_scenario("test.toml", &text).expect_err("it is nested too deeply").to_string();
        assert!(error.contains("test.toml"), "{error:.200}");
    }
}

#[test]
fn a_sweep_has_so_many_values_and_points_and_no_more() {
    let sweep = |axes: &[(&str, usize)]| {
        let mut text = "name = \"x\"\nscenario = \"silent-nat\"\nstrategies = [\"wechat-270\"]\n".to_owned();
        for (key, count) in axes {
            let values: Vec<String> = (1..=*count).map(|value| format!("\"{value}m\"")).collect();
            let _ = write!(text, "[[axis]]\n{key}\nvalues = [{}]\n", values.join(", "));
        }
        sweep::parse("x.toml", &text, None, &Registry::new()).map(|sweep| sweep.manifest.points.len())
    };
    let (nat, interval) = ("scenario = \"nat.established\"", "strategy = \"heartbeat.fixed.interval\"");
    assert_eq!(sweep(&[(nat, 200)]).unwrap(), 200);
    assert!(sweep(&[(nat, 201)]).unwrap_err().to_string().contains("1 to 200 values, not 201"));
    let error = sweep(&[(nat, 200), (interval, 51)]).unwrap_err().to_string();
    assert!(error.contains("10200 points are more than the 10000 of one sweep"), "{error}");
}

#[test]
fn a_plan_has_a_million_runs_and_no_more() {
    let plan = |seeds| {
        let contest = Contest {
            origin: "healthy".into(),
            scenario: load::scenario("healthy").unwrap(),
            strategies: vec![load::strategy("none", None, &Registry::new()).unwrap()],
        };
        Plan::new(vec![contest], 1, seeds, EngineChoice::Auto, Shard::WHOLE)
    };
    assert!(plan(1_000_000).is_ok());
    let error = plan(1_000_001).unwrap_err().to_string();
    assert!(error.contains("1000001 runs are more than the 1000000 of one plan"), "{error}");
    assert!(plan(u64::MAX).is_err());
}
