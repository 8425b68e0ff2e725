//! What is wrong with any file: its bytes, its keys, its values, what it names.

use std::fs;

use cardiogram_policies::Registry;
use cardiogram_scenarios::load;
use insta::assert_snapshot;

use super::{file, scenario, strategy, whole_scenario};

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    assert_snapshot!(scenario(r#"nat.establishd = "5m""#), @r#"
    error: unknown key `establishd`
     --> test.toml:6:5
      |
    6 | nat.establishd = "5m"
      |     ^^^^^^^^^^
      |
      = help: did you mean `established`? the keys here are: `established`, `transitory`, `closing`, `unacknowledged`, `conntrack`, `max_age`, `refresh`, `after_expiry`, `table`, `background`, `hold_down`, `outside_addresses`, `ports`
    "#);
}

#[test]
fn an_unknown_preset_suggests_the_nearest() {
    assert_snapshot!(scenario(r#"nat = "cn-mobile""#), @r#"
    error: unknown name `cn-mobile`
     --> test.toml:6:7
      |
    6 | nat = "cn-mobile"
      |       ^^^^^^^^^^^
      |
      = help: did you mean `cn-mobile-2g3g`? possible here are: `aws-natgw`, `aws-nlb`, `azure-lb`, `azure-lb-rst`, `cell-default`, `cell-population`, `cell-random-port`, `cloud-lb-mix`, `cn-mobile-2g3g`, `cn-telecom-3g`, `danos-cgn`, `docker-swarm`, `firewall`, `gcp-nat`, `gcp-vpc`, `home-linux`, `home-median`, `home-openwrt`, `home-population`, `home-short`, `ipvs`, `office-mix`, `rfc5382`, `us-cell-short`
    "#);
}

#[test]
fn a_wrong_unit_is_named_with_those_there_are() {
    assert_snapshot!(scenario(r#"traffic.up = "5 parsecs""#), @r#"
    error: `5 parsecs` is not a duration (unknown time unit "parsecs", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months, years (and few variations))
     --> test.toml:6:14
      |
    6 | traffic.up = "5 parsecs"
      |              ^^^^^^^^^^^
      |
      = help: write it as "90s", "4m30s", "24h" or "40ms"
    "#);
}

#[test]
fn a_number_without_unit_is_no_duration() {
    assert_snapshot!(scenario("traffic.up = 30"), @r#"
    error: integer `30` does not belong here
     --> test.toml:6:14
      |
    6 | traffic.up = 30
      |              ^^
      |
      = help: write a duration longer than zero such as "10m", or a table such as { periodic = { every = "6m" } }
    "#);
}

#[test]
fn a_negative_duration_is_refused() {
    assert_snapshot!(scenario(r#"traffic.up = "-3s""#), @r#"
    error: `-3s` is negative
     --> test.toml:6:14
      |
    6 | traffic.up = "-3s"
      |              ^^^^^
      |
      = help: a duration runs forward, as in "90s"
    "#);
}

#[test]
fn a_span_of_zero_is_refused() {
    assert_snapshot!(scenario(r#"traffic.up = "0s""#), @r#"
    error: this span must be longer than zero, as in "90s"
     --> test.toml:6:14
      |
    6 | traffic.up = "0s"
      |              ^^^^
    "#);
}

#[test]
fn a_probability_above_one_is_refused() {
    assert_snapshot!(scenario("core.packet_loss = 1.5"), @r"
    error: 1.5 is outside 0 to 1
     --> test.toml:5:20
      |
    5 | core.packet_loss = 1.5
      |                    ^^^
      |
      = help: 5 % is written 0.05
    ");
}

#[test]
fn a_negative_count_is_refused() {
    assert_snapshot!(scenario("server.count = -1"), @r"
    error: integer `-1` is not possible here
     --> test.toml:6:16
      |
    6 | server.count = -1
      |                ^^
      |
      = help: write a whole number, 0 or more
    ");
}

#[test]
fn an_unknown_fault_is_named_with_those_there_are() {
    assert_snapshot!(scenario(r#"[[faults]]
ctu.when.every = "1h""#), @r#"
    error: unknown name `ctu`
     --> test.toml:7:1
      |
    7 | ctu.when.every = "1h"
      | ^^^
      |
      = help: did you mean `cut`? possible here are: `cut`, `flapping`, `handover`, `loss-burst`, `delay-spike`, `duplication`, `reordering`, `rate-limit`, `nat-flush`, `nat-timeout`, `network-switch`, `lease-expiry`, `process-killed`, `device-stall`, `device-freeze`, `malformed`, `server-stall`, `server-pause`, `server-half-dead`, `server-crash`, `server-vanish`, `server-restart`, `server-overload`, `server-late-reply`, `server-drain`, `proxy-restart`, `proxy-drain`
    "#);
}

#[test]
fn an_unknown_key_deep_down_is_found_and_nothing_that_follows_from_it() {
    assert_snapshot!(scenario(r#"[[faults]]
cut = { when.every = "1h", lasts.log-normal = { median = "35s", sigm = 0.5, min = "1s" } }"#), @r#"
error: unknown key `sigm`
 --> test.toml:7:65
  |
7 | cut = { when.every = "1h", lasts.log-normal = { median = "35s", sigm = 0.5, min = "1s" } }
  |                                                                 ^^^^
  |
  = help: did you mean `sigma`? the keys here are: `median`, `sigma`, `min`, `max`
"#);
}

#[test]
fn two_faults_in_one_table_are_refused() {
    assert_snapshot!(scenario(r#"[[faults]]
cut.when.every = "1h"
nat-flush.when.every = "2h""#), @r"
error: this table names more than one kind
 --> test.toml:6:1
  |
6 | [[faults]]
  | ^^^^^^^^^^
  |
  = help: give each a table of its own
");
}

#[test]
fn a_fault_without_kind_is_refused() {
    assert_snapshot!(scenario("[[faults]]"), @r"
error: this table is empty
 --> test.toml:6:1
  |
6 | [[faults]]
  | ^^^^^^^^^^
  |
  = help: name one kind in it, as in { kind = ... }
");
}

#[test]
fn a_kind_that_needs_parameters_says_so() {
    assert_snapshot!(scenario(r#"[[faults]]
cut.when = "every""#), @r#"
error: this needs parameters
 --> test.toml:7:12
  |
7 | cut.when = "every"
  |            ^^^^^^^
  |
  = help: write a table, as in { every = { ... } }, or { every = {} } where every parameter has a default
"#);
}

#[test]
fn a_key_that_is_there_twice_is_refused() {
    assert_snapshot!(scenario(r#"name = "again""#), @r#"
    error: this key is there twice
     --> test.toml:6:1
      |
    6 | name = "again"
      | ^^^^
      |
      = help: remove one of the two
    "#);
}

#[test]
fn what_is_not_toml_is_shown_where_it_stops() {
    assert_snapshot!(scenario("traffic.up = [1"), @r"
    error: unclosed array, expected `]`
     --> test.toml:6:16
      |
    6 | traffic.up = [1
      |                ^
    ");
}

#[test]
fn every_problem_of_a_file_is_reported() {
    assert_snapshot!(scenario(r#"nat = { established = "5m", refresh = "sideways", transitory = "-1s", after_expiry = 4 }
[[faults]]
nat-flush.when.evry = "2h"
[[faults]]
cut.when.at = 3"#), @r#"
    error: unknown name `sideways`
     --> test.toml:6:39
      |
    6 | nat = { established = "5m", refresh = "sideways", transitory = "-1s", after_expiry = 4 }
      |                                       ^^^^^^^^^^
      |
      = help: possible here are: `both`, `outbound`, `inbound`, `data-only`, `outbound-data`, `inbound-data`

    error: `-1s` is negative
     --> test.toml:6:64
      |
    6 | nat = { established = "5m", refresh = "sideways", transitory = "-1s", after_expiry = 4 }
      |                                                                ^^^^^
      |
      = help: a duration runs forward, as in "90s"

    error: integer `4` does not belong here
     --> test.toml:6:86
      |
    6 | nat = { established = "5m", refresh = "sideways", transitory = "-1s", after_expiry = 4 }
      |                                                                                      ^
      |
      = help: write a class such as "drop-silent", or { mix = [{ weight = 0.5, class = "drop-silent" }, ...] }

    error: unknown name `evry`
     --> test.toml:8:16
      |
    8 | nat-flush.when.evry = "2h"
      |                ^^^^
      |
      = help: did you mean `every`? possible here are: `at`, `within`, `every`, `during`

    error: integer `3` does not belong here
      --> test.toml:10:15
       |
    10 | cut.when.at = 3
       |               ^
       |
       = help: write an array: [ ... ]
    "#);
}

#[test]
fn an_empty_file_is_shown_what_to_start_from() {
    assert_snapshot!(whole_scenario(""), @r"
    error: the file is empty
    --> test.toml
     = help: `cardiogram show healthy` prints a scenario to start from
    ");
    assert_snapshot!(strategy("# nothing\n"), @r"
    error: the file is empty
    --> test.toml
     = help: `cardiogram show wechat-270` prints a strategy to start from
    ");
}

#[test]
fn a_missing_key_is_named() {
    assert_snapshot!(whole_scenario("name = \"a\"\n"), @r"
    error: the key `strategies` is missing
    --> test.toml
     = help: `cardiogram show healthy` prints a scenario to start from
    ");
}

#[test]
fn contradictions_point_at_their_values() {
    let text = "name = \"X Y\"\nstrategies = []\nduration = \"1h\"\naccess = \"lte-near\"\ncore = \"backbone\"\n";
    assert_snapshot!(whole_scenario(text), @r#"
    error: `X Y` is not a scenario's name
     --> test.toml:1:8
      |
    1 | name = "X Y"
      |        ^^^^^
      |
      = help: use 1 to 64 lower-case letters, digits and `-`, a letter or digit first, and no name that Windows has for a device, as in "silent-nat"

    error: a scenario compares 1 to 1000 strategies, not 0
     --> test.toml:2:14
      |
    2 | strategies = []
      |              ^^
      |
      = help: name some, as in ["none", "wechat-270"]
    "#);
}

#[test]
fn an_unknown_strategy_is_shown_in_the_scenario_that_names_it() {
    let scenario = load::scenario("healthy").unwrap();
    let text = scenario.text.replace("\"wechat-270\"", "\"wechat-27\"");
    let scenario =
        load::Loaded { value: load::parse_scenario("test.toml", &text).unwrap(), text, built_in: false, folder: None };
    assert_snapshot!(load::strategies_of(&scenario, "test.toml", &Registry::new()).unwrap_err(), @r#"
    error: there is no strategy named `wechat-27`
      --> test.toml:19:5
       |
    19 |     "wechat-27",
       |     ^^^^^^^^^^^
       |
       = help: did you mean `wechat-270`? `cardiogram list strategies` shows those built in, a file's path ends in `.toml`
    "#);
}

#[test]
fn a_reference_is_one_of_the_strategies_and_notices_something() {
    let healthy = load::scenario("healthy").unwrap();
    let naming = |name: &str| healthy.text.replacen("duration = ", &format!("reference = \"{name}\"\nduration = "), 1);
    let loaded = |text: String| load::Loaded {
        value: load::parse_scenario("test.toml", &text).unwrap(),
        text,
        built_in: false,
        folder: None,
    };
    assert_snapshot!(load::strategies_of(&loaded(naming("wechat-27")), "test.toml", &Registry::new()).unwrap_err(), @r#"
    error: `wechat-27` is none of this scenario's strategies
      --> test.toml:25:13
       |
    25 | reference = "wechat-27"
       |             ^^^^^^^^^^^
       |
       = help: did you mean `wechat-270`? the strategies here are: `linux-keepalive`, `whatsapp-tcp-10s`, `netease-30-15`, `qq-fixed-45`, `weibo-120`, `wechat-270`, `idle-45-tx`, `idle-45-rx`, `idle-45-either`, `known-nat-timeout`
    "#);
    assert_snapshot!(load::parse_scenario("test.toml", &naming("none")).unwrap_err(), @r#"
    error: `none`, which notices nothing, is no reference
      --> test.toml:25:13
       |
    25 | reference = "none"
       |             ^^^^^^
       |
       = help: name another strategy of the scenario
    "#);
    for name in ["wechat-270", "known-nat-timeout", "oracle"] {
        let strategies = load::strategies_of(&loaded(naming(name)), "test.toml", &Registry::new()).unwrap();
        assert!(strategies.len() > 5, "{name}");
    }
}

#[test]
fn names_that_are_not_built_in_suggest_the_nearest() {
    let help = |error: load::LoadError| error.help().unwrap();
    assert_snapshot!(load::scenario("silent-nta").map_err(help).unwrap_err(), @"did you mean `silent-nat`? `cardiogram list scenarios` shows those built in, a file's path ends in `.toml`");
    assert_snapshot!(load::strategy("netease", None, &Registry::new()).map_err(help).unwrap_err(), @"did you mean `netease-30-15`? `cardiogram list strategies` shows those built in, a file's path ends in `.toml`");
    assert_snapshot!(load::strategy("qqqqqqqq", None, &Registry::new()).map_err(help).unwrap_err(), @"`cardiogram list strategies` shows those built in, a file's path ends in `.toml`");
}

#[test]
fn a_file_that_does_not_exist_is_named() {
    assert_snapshot!(load::scenario("no/such.toml").unwrap_err(), @"cannot read no/such.toml: No such file or directory (os error 2)");
}

#[test]
fn invalid_utf8_is_shown_with_its_place() {
    assert_snapshot!(file(b"name = \"a\"\nabout = \"\xff\"\n"), @"DIR/test.toml:2: byte 20 of the file is not valid UTF-8; save the file as UTF-8");
}

#[test]
fn a_huge_file_is_refused_without_being_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.toml");
    // Sparse: a hundred megabytes that take no room.
    fs::File::create(&path).unwrap().set_len(100 << 20).unwrap();
    let error = load::scenario_file(&path).unwrap_err();
    assert!(matches!(error, load::LoadError::TooLong { .. }));
    assert!(error.to_string().ends_with("is longer than 1 MiB, the longest file that is read here"), "{error}");
}
