//! Custom policies in strategy files: what a registry adds, and what people see when such a policy is named wrongly or
//! given wrong parameters.

use std::fs;

use cardiogram_policies::{
    CustomHeartbeat, CustomReconnect, CustomServer, Heartbeat, HeartbeatSpec, PolicyRng, Problem, Reconnect,
    ReconnectSpec, Registry, ServerPolicy, ServerSpec,
    server::IdleReaper,
    unit::{Delay, Span},
};
use cardiogram_scenarios::load;
use insta::assert_snapshot;
use serde::{Deserialize, Serialize};

/// A heartbeat that never beats, with a parameter that has to be given and one that does not.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lazy {
    interval: Span,
    #[serde(default)]
    slack: Delay,
}

impl CustomHeartbeat for Lazy {
    fn build(&self, rng: PolicyRng) -> Box<dyn Heartbeat> {
        HeartbeatSpec::None.build(rng)
    }

    fn problems(&self) -> Vec<Problem> {
        let too_slack = self.slack.get() > self.interval.get();
        let problem = || Problem::new("slack", "the slack is longer than the interval", "make it shorter");
        too_slack.then(problem).into_iter().collect()
    }

    fn describe(&self) -> String {
        "Does nothing.".into()
    }
}

/// A reconnect policy without parameters.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Eager {}

impl CustomReconnect for Eager {
    fn build(&self, rng: PolicyRng) -> Box<dyn Reconnect> {
        ReconnectSpec::Immediate.build(rng)
    }

    fn describe(&self) -> String {
        "Tries at once.".into()
    }
}

/// A server policy that is one of those built in under another name.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Reaper(IdleReaper);

impl CustomServer for Reaper {
    fn build(&self) -> Box<dyn ServerPolicy> {
        ServerSpec::from(self.0.clone()).build()
    }

    fn describe(&self) -> String {
        "Reaps.".into()
    }
}

fn registry() -> Registry {
    Registry::new()
        .heartbeat::<Lazy>("lazy")
        .heartbeat::<Lazy>("lazier")
        .reconnect::<Eager>("eager")
        .server::<Reaper>("reaper")
        .strategy("own", "name = \"own\"\nheartbeat.custom.lazy = { interval = \"1m\" }\n")
}

/// Returns the message for a strategy file of these lines.
fn strategy(lines: &str) -> String {
    let text = format!("name = \"test\"\n{lines}\n");
    load::parse_strategy("test.toml", &text, &registry()).expect_err("the strategy is wrong").to_string()
}

#[test]
fn all_three_kinds_are_read_and_resolved() {
    let text = r#"
name = "test"
heartbeat.custom.lazy = { interval = "20s" }
reconnect.custom = "eager"

[server.custom.reaper]
idle = "10m"
"#;
    let spec = load::parse_strategy("test.toml", text, &registry()).unwrap();
    assert_eq!(spec.heartbeat.describe(), "Does nothing.");
    assert_eq!(spec.reconnect.describe(), "Tries at once.");
    assert_eq!(spec.server.describe(), "Reaps.");

    let written = load::strategy_text(&spec);
    assert!(written.contains("interval = \"20s\"\nslack = \"0s\"\n"), "defaults are spelled out: {written}");
    assert_eq!(load::parse_strategy("test.toml", &written, &registry()).unwrap(), spec);
}

#[test]
fn an_unknown_policy_suggests_the_nearest_of_its_kind() {
    assert_snapshot!(strategy("heartbeat.custom.lasy = { interval = \"20s\" }"), @r#"
    error: no heartbeat policy is registered as `lasy`
     --> test.toml:2:18
      |
    2 | heartbeat.custom.lasy = { interval = "20s" }
      |                  ^^^^
      |
      = help: did you mean `lazy`? registered are: `lazier`, `lazy`
    "#);
    assert_snapshot!(strategy("heartbeat = \"none\"\nreconnect.custom = \"lazy\""), @r#"
    error: no reconnect policy is registered as `lazy`
     --> test.toml:3:20
      |
    3 | reconnect.custom = "lazy"
      |                    ^^^^^^
      |
      = help: registered are: `eager`
    "#);
    let text = "name = \"test\"\nheartbeat = \"none\"\n[server.custom.reaper]\n";
    assert_snapshot!(load::parse_strategy("test.toml", text, &Registry::new()).unwrap_err(), @r"
    error: no server policy is registered as `reaper`
     --> test.toml:3:16
      |
    3 | [server.custom.reaper]
      |                ^^^^^^
      |
      = help: this program brings no server policies of its own; docs/own-policy.md tells how one does
    ");
}

#[test]
fn wrong_parameters_are_shown_at_their_places() {
    assert_snapshot!(strategy("[heartbeat.custom.lazy]\nintervall = \"20s\"\nslack = \"1 parsec\""), @r#"
    error: unknown key `intervall`
     --> test.toml:3:1
      |
    3 | intervall = "20s"
      | ^^^^^^^^^
      |
      = help: did you mean `interval`? the keys here are: `interval`, `slack`

    error: `1 parsec` is not a duration (unknown time unit "parsec", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months, years (and few variations))
     --> test.toml:4:9
      |
    4 | slack = "1 parsec"
      |         ^^^^^^^^^^
      |
      = help: write it as "90s", "4m30s", "24h" or "40ms"
    "#);
    assert_snapshot!(strategy("heartbeat.custom.lazy = { slack = \"1s\" }"), @r#"
    error: the key `interval` is missing
     --> test.toml:2:25
      |
    2 | heartbeat.custom.lazy = { slack = "1s" }
      |                         ^^^^^^^^^^^^^^^^
    "#);
    assert_snapshot!(strategy("heartbeat.custom = \"lazy\""), @r#"
    error: the key `interval` is missing
     --> test.toml:2:20
      |
    2 | heartbeat.custom = "lazy"
      |                    ^^^^^^
    "#);
    assert_snapshot!(strategy("heartbeat.custom.lazy = { interval = \"20s\", slack = \"30s\" }"), @r#"
    error: the slack is longer than the interval
     --> test.toml:2:53
      |
    2 | heartbeat.custom.lazy = { interval = "20s", slack = "30s" }
      |                                                     ^^^^^
      |
      = help: make it shorter
    "#);
    assert_snapshot!(strategy("heartbeat = \"none\"\nreconnect.custom.eager = { now = true }"), @r"
    error: unknown key `now`
     --> test.toml:3:28
      |
    3 | reconnect.custom.eager = { now = true }
      |                            ^^^
      |
      = help: remove it: there is nothing to set here
    ");
}

#[test]
fn a_custom_table_that_is_none_is_shown() {
    assert_snapshot!(strategy("heartbeat.custom = {}"), @r"
    error: no policy is named here
     --> test.toml:2:20
      |
    2 | heartbeat.custom = {}
      |                    ^^
      |
      = help: write { name = { ... } }
    ");
    assert_snapshot!(strategy("heartbeat.custom = { lazy = {}, lazier = {} }"), @r"
    error: this table names more than one policy
     --> test.toml:2:20
      |
    2 | heartbeat.custom = { lazy = {}, lazier = {} }
      |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: name one
    ");
    assert_snapshot!(strategy("heartbeat.custom.lazy = \"20s\""), @r#"
    error: string "20s" does not belong here
     --> test.toml:2:25
      |
    2 | heartbeat.custom.lazy = "20s"
      |                         ^^^^^
      |
      = help: write a table: { ... }
    "#);
    assert_snapshot!(strategy("heartbeat.custom = 20"), @r"
    error: integer `20` does not belong here
     --> test.toml:2:20
      |
    2 | heartbeat.custom = 20
      |                    ^^
      |
      = help: write the name of a custom policy with its parameters: { name = { ... } }
    ");
}

#[test]
fn a_strategy_registered_under_another_name_is_refused() {
    let registry = Registry::new().strategy("own", "name = \"mine\"\nheartbeat = \"none\"\n");
    assert_snapshot!(load::strategy("own", None, &registry).unwrap_err(), @r#"
    error: this strategy is registered as `own`
     --> own:1:8
      |
    1 | name = "mine"
      |        ^^^^^^
      |
      = help: give it the same name in both places
    "#);
}

#[test]
fn built_in_scenarios_compare_registered_strategies_and_files_name_theirs() {
    let names = |scenario: &load::Loaded<_>| -> Vec<String> {
        let strategies = load::strategies_of(scenario, "test", &registry()).unwrap();
        strategies.into_iter().map(|it| it.value.name).collect()
    };
    let built_in = load::scenario("healthy").unwrap();
    assert_eq!(names(&built_in).last().unwrap(), "own");
    assert_eq!(names(&built_in).len(), built_in.value.strategies.len() + 1);

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.toml");
    for (wanted, text) in
        [(vec!["none"], "strategies = [\"none\"]"), (vec!["own", "none"], "strategies = [\"own\", \"none\"]")]
    {
        let world = "duration = \"1h\"\naccess = \"lte-near\"\ncore = \"backbone\"";
        fs::write(&path, format!("name = \"test\"\n{text}\n{world}\n")).unwrap();
        assert_eq!(names(&load::scenario_file(&path).unwrap()), wanted);
    }
}

#[test]
fn a_guest_is_looked_up_by_its_name() {
    assert!(strategy("heartbeat.guest = \"my-client\"").contains("this program brings no guests"));
    let of = |lines: &str| {
        let registry = registry().guest("my-client", 1).guest("other-client", 2);
        load::parse_strategy("test.toml", &format!("name = \"test\"\n{lines}\n"), &registry)
    };
    let found = of("heartbeat.guest = \"other-client\"").unwrap();
    let HeartbeatSpec::Guest(guest) = found.heartbeat else { panic!("{:?}", found.heartbeat) };
    assert_eq!((guest.name(), guest.program()), ("other-client", Some(&2)));
    assert_snapshot!(of("heartbeat.guest = \"my-cleint\"").unwrap_err(), @r#"
    error: no guest is registered as `my-cleint`
     --> test.toml:2:19
      |
    2 | heartbeat.guest = "my-cleint"
      |                   ^^^^^^^^^^^
      |
      = help: did you mean `my-client`? registered are: `my-client`, `other-client`
    "#);
    assert_snapshot!(of("heartbeat.guest = \"my-client\"\nreconnect = \"immediate\"").unwrap_err(), @r#"
    error: the guest `my-client` is a program with rules of its own, and does not follow this one
     --> test.toml:3:13
      |
    3 | reconnect = "immediate"
      |             ^^^^^^^^^^^
      |
      = help: leave it out, or name a heartbeat policy in place of the guest
    "#);
}
