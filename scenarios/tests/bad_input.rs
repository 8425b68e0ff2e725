//! What people see when a file is wrong: every kind of mistake once, as a snapshot of the message.

use std::fs;

use cardiogram_policies::Registry;
use cardiogram_scenarios::load;
use insta::assert_snapshot;

/// The message for a scenario of `lines` on top of what every scenario needs.
fn scenario(lines: &str) -> String {
    let head = r#"name = "test"
strategies = ["none"]
duration = "1h"
access = "lte-near"
"#;
    let core = if lines.starts_with("core") { "" } else { "core = \"backbone\"\n" };
    whole_scenario(&format!("{head}{core}{lines}\n"))
}

/// The message for a scenario file of this text.
fn whole_scenario(text: &str) -> String {
    load::parse_scenario("test.toml", text).expect_err("the scenario is wrong").to_string()
}

/// The message for a strategy file of this text.
fn strategy(text: &str) -> String {
    load::parse_strategy("test.toml", text, &Registry::new()).expect_err("the strategy is wrong").to_string()
}

/// The message for a scenario file of these bytes, with the name of its folder left out.
fn file(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.toml");
    fs::write(&path, bytes).unwrap();
    let error = load::scenario_file(&path).expect_err("the file is wrong").to_string();
    error.replace(&dir.path().display().to_string(), "DIR")
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    assert_snapshot!(scenario(r#"nat.establishd = "5m""#), @r#"
    error: unknown key `establishd`
     --> test.toml:6:5
      |
    6 | nat.establishd = "5m"
      |     ^^^^^^^^^^
      |
      = help: did you mean `established`? the keys here are: `established`, `transitory`, `closing`, `unacknowledged`, `refresh`, `after_expiry`, `table`, `background`, `hold_down`, `ports`
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
      = help: did you mean `cn-mobile-2g3g`? possible here are: `aws-natgw`, `aws-nlb`, `azure-lb`, `azure-lb-rst`, `cell-default`, `cell-population`, `cell-random-port`, `cloud-lb-mix`, `cn-mobile-2g3g`, `cn-telecom-3g`, `danos-cgn`, `firewall`, `gcp-nat`, `home-linux`, `home-median`, `home-openwrt`, `home-population`, `home-short`, `office-mix`, `rfc5382`, `us-cell-short`
    "#);
}

#[test]
fn what_contradicts_itself_in_a_nat_is_named() {
    assert_snapshot!(scenario(r#"nat = ["home-median", { table = 0, background = { flows_per_s = -1.0 }, ports = 0 }]
[[faults]]
nat-timeout = { nat = 2, when.at = ["10m"], established = "60s" }"#), @r#"
    error: a table of 0 mappings
     --> test.toml:6:33
      |
    6 | nat = ["home-median", { table = 0, background = { flows_per_s = -1.0 }, ports = 0 }]
      |                                 ^
      |
      = help: use 1 to 100000000

    error: -1 connections a second
     --> test.toml:6:65
      |
    6 | nat = ["home-median", { table = 0, background = { flows_per_s = -1.0 }, ports = 0 }]
      |                                                                 ^^^^
      |
      = help: use a number above 0 and at most 1000000

    error: 0 ports a subscriber
     --> test.toml:6:81
      |
    6 | nat = ["home-median", { table = 0, background = { flows_per_s = -1.0 }, ports = 0 }]
      |                                                                                 ^
      |
      = help: use 1 to 64512

    error: there is no NAT 2: `nat` names 2
     --> test.toml:8:23
      |
    8 | nat-timeout = { nat = 2, when.at = ["10m"], established = "60s" }
      |                       ^
      |
      = help: use 0 to 1, or leave `nat` out for all
    "#);
    assert_snapshot!(scenario(r#"nat.background.flows_per_s = 20.0
nat.after_expiry.mix = [{ weight = 1.0, class = "drop-silent" }, { weight = 0, class = "fin-inside" }]
nat.established.mixture = []"#), @r#"
    error: other people's connections change nothing where the table has no limit
     --> test.toml:6:5
      |
    6 | nat.background.flows_per_s = 20.0
      |     ^^^^^^^^^^
      |
      = help: say how many mappings fit, as in table = 8192, or remove `background`

    error: a weight of 0, not above 0 and at most 1000000
     --> test.toml:7:77
      |
    7 | nat.after_expiry.mix = [{ weight = 1.0, class = "drop-silent" }, { weight = 0, class = "fin-inside" }]
      |                                                                             ^
      |
      = help: weights count relative to each other, as in 0.25 and 0.75

    error: a mixture of 0 parts
     --> test.toml:8:27
      |
    8 | nat.established.mixture = []
      |                           ^^
      |
      = help: name 1 to 100, each with its `weight`
    "#);
    assert_snapshot!(scenario("nat = []"), @r#"
    error: 0 NATs between the devices and the servers
     --> test.toml:6:7
      |
    6 | nat = []
      |       ^^
      |
      = help: name 1 to 8, from the device to the server
    "#);
    assert_snapshot!(scenario(r#"nat = ["home-median", "cn-mobile"]"#), @r#"
    error: unknown name `cn-mobile`
     --> test.toml:6:23
      |
    6 | nat = ["home-median", "cn-mobile"]
      |                       ^^^^^^^^^^^
      |
      = help: did you mean `cn-mobile-2g3g`? possible here are: `aws-natgw`, `aws-nlb`, `azure-lb`, `azure-lb-rst`, `cell-default`, `cell-population`, `cell-random-port`, `cloud-lb-mix`, `cn-mobile-2g3g`, `cn-telecom-3g`, `danos-cgn`, `firewall`, `gcp-nat`, `home-linux`, `home-median`, `home-openwrt`, `home-population`, `home-short`, `office-mix`, `rfc5382`, `us-cell-short`
    "#);
    assert_snapshot!(scenario(r#"nat = [{ established = 5 }, { after_expiry = { mix = [{ class = "drop" }] } }]"#), @r#"
    error: integer `5` does not belong here
     --> test.toml:6:24
      |
    6 | nat = [{ established = 5 }, { after_expiry = { mix = [{ class = "drop" }] } }]
      |                        ^
      |
      = help: write a duration such as "25ms", or a table such as { uniform = { min = "20ms", max = "40ms" } }

    error: unknown name `drop`
     --> test.toml:6:65
      |
    6 | nat = [{ established = 5 }, { after_expiry = { mix = [{ class = "drop" }] } }]
      |                                                                 ^^^^^^
      |
      = help: did you mean `drop-silent`? possible here are: `drop-silent`, `rst-inside-on-send`, `rst-both-on-expiry`, `rst-either-on-send`, `remap-same-port`, `remap-same-port-rst-outside`, `remap-new-port`, `fin-inside`
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
      = help: write a duration longer than zero such as "90s", "4m30s" or "24h"
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
      = help: did you mean `cut`? possible here are: `cut`, `nat-flush`, `nat-timeout`, `switch`, `lease-expiry`, `kill`, `malformed`, `stall`, `crash`, `vanish`, `restart`, `loss-burst`, `delay-spike`, `flapping`, `handover`, `duplication`, `reordering`, `rate-limit`, `overload`, `pause`, `drain`
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
  = help: write a table, as in { name = { ... } }, or { name = {} } where every parameter has a default
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
    assert_snapshot!(scenario(r#"nat = { established = "5m", refresh = "inbound", transitory = "-1s", after_expiry = 4 }
[[faults]]
nat-flush.when.evry = "2h"
[[faults]]
cut.when.at = 3"#), @r#"
    error: unknown name `inbound`
     --> test.toml:6:39
      |
    6 | nat = { established = "5m", refresh = "inbound", transitory = "-1s", after_expiry = 4 }
      |                                       ^^^^^^^^^
      |
      = help: possible here are: `both`, `outbound`, `data-only`

    error: `-1s` is negative
     --> test.toml:6:63
      |
    6 | nat = { established = "5m", refresh = "inbound", transitory = "-1s", after_expiry = 4 }
      |                                                               ^^^^^
      |
      = help: a duration runs forward, as in "90s"

    error: integer `4` does not belong here
     --> test.toml:6:85
      |
    6 | nat = { established = "5m", refresh = "inbound", transitory = "-1s", after_expiry = 4 }
      |                                                                                     ^
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
      = help: use 1 to 64 lower-case letters, digits and `-`, as in "silent-nat"

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
    let scenario = load::Loaded { value: load::parse_scenario("test.toml", &text).unwrap(), text, folder: None };
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

#[test]
fn a_timeout_longer_than_the_interval_is_refused() {
    assert_snapshot!(strategy(r#"name = "a"
heartbeat.fixed = { interval = "30s", timeout = "90s" }
"#), @r#"
error: a timeout of 1m30s is longer than the interval of 30s
 --> test.toml:2:49
  |
2 | heartbeat.fixed = { interval = "30s", timeout = "90s" }
  |                                                 ^^^^^
  |
  = help: use at most "30s", or a longer interval
"#);
}

#[test]
fn a_balancer_that_never_makes_up_its_mind_is_refused() {
    assert_snapshot!(scenario("server.balancer = { unhealthy_after = 0 }"), @r"
error: 0 checks in a row
 --> test.toml:6:39
  |
6 | server.balancer = { unhealthy_after = 0 }
  |                                       ^
  |
  = help: use 1 to 100
");
}

#[test]
fn a_wake_up_channel_for_several_servers_is_refused() {
    let lines = "server.count = 2\ntraffic.down = \"5m\"\nwakeup.delay.constant = \"1s\"";
    assert_snapshot!(scenario(lines), @r"
error: 2 servers and a wake-up channel: servers do not tell each other who has a session, so each would wake the devices of the others
 --> test.toml:6:16
  |
6 | server.count = 2
  |                ^
  |
  = help: use one server, or leave `wakeup` out
");
}

#[test]
fn an_unknown_policy_suggests_the_nearest() {
    assert_snapshot!(strategy(r#"name = "a"
heartbeat = "fixd"
"#), @r#"
error: unknown name `fixd`
 --> test.toml:2:13
  |
2 | heartbeat = "fixd"
  |             ^^^^^^
  |
  = help: did you mean `fixed`? possible here are: `none`, `fixed`, `idle`, `tcp-keepalive`, `oracle`, `leave-when-quiet`, `mars-smart-heartbeat`, `wechat-smart-2013`, `androidpn`, `chromium-gcm`, `microg-mcs-aimd`, `carson-adaptive-5`, `thread783`, `composed`, `custom`
"#);
}

#[test]
fn a_policy_without_its_parameters_is_refused() {
    assert_snapshot!(strategy(r#"name = "a"
heartbeat.fixed = { interval = "30s" }
"#), @r#"
    error: the key `timeout` is missing
     --> test.toml:2:19
      |
    2 | heartbeat.fixed = { interval = "30s" }
      |                   ^^^^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn a_policy_that_has_no_parameters_is_not_given_any() {
    assert_snapshot!(strategy(r#"name = "a"
[heartbeat.none]
interval = "3s"
"#), @r"
    error: this has no parameters
     --> test.toml:2:1
      |
    2 | [heartbeat.none]
      | ^^^^^^^^^^^^^^^^
      |
      = help: write its name alone, in quotes
    ");
}

#[test]
fn a_loss_of_everything_is_a_cut() {
    assert_snapshot!(scenario("[[faults]]\nloss-burst = { when.every = \"1h\", lasts = \"5s\", loss = 1.0 }"), @r#"
    error: a link that loses every packet is not lossy, it is cut
     --> test.toml:7:56
      |
    7 | loss-burst = { when.every = "1h", lasts = "5s", loss = 1.0 }
      |                                                        ^^^
      |
      = help: use the fault `cut`, which counts as a break, or a loss below 1
    "#);
}

#[test]
fn a_rate_below_a_modem_is_refused_on_links_and_in_faults() {
    assert_snapshot!(scenario(r#"[[faults]]
rate-limit = { when.every = "1h", bits_per_second = 5 }"#), @r#"
    error: a rate of 5 bits a second
     --> test.toml:7:53
      |
    7 | rate-limit = { when.every = "1h", bits_per_second = 5 }
      |                                                     ^
      |
      = help: use 1000 to 10000000000
    "#);
    assert_snapshot!(scenario(r#"core = { delay = "5ms", rate = { bits_per_second = 0 } }"#), @r#"
    error: a rate of 0 bits a second
     --> test.toml:5:52
      |
    5 | core = { delay = "5ms", rate = { bits_per_second = 0 } }
      |                                                    ^
      |
      = help: use 1000 to 10000000000
    "#);
}

#[test]
fn a_drift_of_the_pace_of_packets_is_jitter() {
    assert_snapshot!(scenario(r#"core = { delay = "5ms", drift = { delay = "30ms", tau = "9ms" } }"#), @r#"
    error: what drifts within 9ms differs from packet to packet
     --> test.toml:5:57
      |
    5 | core = { delay = "5ms", drift = { delay = "30ms", tau = "9ms" } }
      |                                                         ^^^^^
      |
      = help: use at least "10ms", or put it into `delay`
    "#);
}

#[test]
fn flapping_ends_in_one_way() {
    assert_snapshot!(scenario(r#"[[faults]]
flapping = { when.every = "1h", lasts = "5m", cycles = 6 }"#), @r#"
    error: both `lasts` and `cycles` say when the flapping ends
     --> test.toml:7:56
      |
    7 | flapping = { when.every = "1h", lasts = "5m", cycles = 6 }
      |                                                        ^
      |
      = help: leave one of them out
    "#);
    assert_snapshot!(scenario(r#"[[faults]]
flapping = { when.every = "1h", cycles = 0 }"#), @r#"
    error: 0 cycles
     --> test.toml:7:42
      |
    7 | flapping = { when.every = "1h", cycles = 0 }
      |                                          ^
      |
      = help: use 1 to 10000
    "#);
}

#[test]
fn the_distributions_of_link_faults_are_checked() {
    assert_snapshot!(scenario(r#"[[faults]]
delay-spike = { when.every = "1h", delay.uniform = { min = "2s", max = "1s" } }
[[faults]]
handover = { when.every = "1h", lasts.uniform = { min = "2s", max = "1s" } }"#), @r#"
    error: max (1s) is shorter than min (2s)
     --> test.toml:7:72
      |
    7 | delay-spike = { when.every = "1h", delay.uniform = { min = "2s", max = "1s" } }
      |                                                                        ^^^^
      |
      = help: swap them

    error: max (1s) is shorter than min (2s)
     --> test.toml:9:69
      |
    9 | handover = { when.every = "1h", lasts.uniform = { min = "2s", max = "1s" } }
      |                                                                     ^^^^
      |
      = help: swap them
    "#);
    assert_snapshot!(scenario(r#"core = { delay = "5ms", base_delay.uniform = { min = "2s", max = "1s" } }"#), @r#"
    error: max (1s) is shorter than min (2s)
     --> test.toml:5:66
      |
    5 | core = { delay = "5ms", base_delay.uniform = { min = "2s", max = "1s" } }
      |                                                                  ^^^^
      |
      = help: swap them
    "#);
}

#[test]
fn a_radio_that_does_not_exist_is_named_with_those_that_do() {
    assert_snapshot!(scenario(r#"radio = "lte-2102""#), @r#"
    error: unknown name `lte-2102`
     --> test.toml:6:9
      |
    6 | radio = "lte-2102"
      |         ^^^^^^^^^^
      |
      = help: did you mean `lte-2012`? possible here are: `gprs`, `lte-2012`, `lte-modern`, `lte-op10`, `lte-short-tail`, `nr-nsa`, `nr-sa-inactive`, `umts-att`, `umts-huang`, `umts-no-fd`, `wifi-psm`
    "#);
}

#[test]
fn a_radio_that_contradicts_itself_is_told_where() {
    let table = r#"[radio]
promotion = "2m"
promotion_mw = 1211
active_mw = 1288
up_kbps = 0
down_kbps = 10000
tail = [{ lasts = "10s", mw = 10, carries_below = 512 }]
idle_mw = 20"#;
    assert_snapshot!(scenario(table), @r#"
    error: 2m is longer than any radio takes
     --> test.toml:7:13
      |
    7 | promotion = "2m"
      |             ^^^^
      |
      = help: use at most "1m"

    error: a radio without a rate carries nothing
      --> test.toml:10:11
       |
    10 | up_kbps = 0
       |           ^
       |
       = help: use at least 1

    error: this stage takes 10 mW, less than sleeping: idle_mw is 20
      --> test.toml:12:31
       |
    12 | tail = [{ lasts = "10s", mw = 10, carries_below = 512 }]
       |                               ^^
       |
       = help: let the tail take at least as much as sleeping

    error: the first stage carries all packets
      --> test.toml:12:51
       |
    12 | tail = [{ lasts = "10s", mw = 10, carries_below = 512 }]
       |                                                   ^^^
       |
       = help: leave it out here; it belongs to later stages
    "#);
}

/// A second network that has everything it needs.
const WIFI: &str = "[networks.wifi]\naccess = \"wifi\"\n";

#[test]
fn a_network_that_does_not_exist_is_named_wherever_it_is_meant() {
    let lines = format!(
        r#"{WIFI}[[life.attach]]
at = "10m"
to = "wi-fi"
[[faults]]
switch = {{ when.every = "1h", to = "home" }}
[[faults]]
lease-expiry = {{ when.every = "1h", network = "none" }}
[[faults]]
cut = {{ link = "wlan", when.every = "1h", lasts = "1m" }}
[[faults]]
nat-flush = {{ network = "office", when.every = "1h" }}
[[faults]]
nat-timeout = {{ network = "office", when.every = "1h", established = "1m" }}"#
    );
    assert_snapshot!(scenario(&lines), @r#"
    error: there is no network `wi-fi`
      --> test.toml:10:6
       |
    10 | to = "wi-fi"
       |      ^^^^^^^
       |
       = help: the networks of this scenario are `main`, `wifi`; [networks.wi-fi] would describe another

    error: there is no network `home`
      --> test.toml:12:36
       |
    12 | switch = { when.every = "1h", to = "home" }
       |                                    ^^^^^^
       |
       = help: the networks of this scenario are `main`, `wifi`; [networks.home] would describe another

    error: there is no network `none`
      --> test.toml:14:47
       |
    14 | lease-expiry = { when.every = "1h", network = "none" }
       |                                               ^^^^^^
       |
       = help: the networks of this scenario are `main`, `wifi`

    error: there is no link `wlan`
      --> test.toml:16:16
       |
    16 | cut = { link = "wlan", when.every = "1h", lasts = "1m" }
       |                ^^^^^^
       |
       = help: use `access`, `core`, or the name of a network: `main`, `wifi`

    error: there is no network `office`
      --> test.toml:18:25
       |
    18 | nat-flush = { network = "office", when.every = "1h" }
       |                         ^^^^^^^^
       |
       = help: the networks of this scenario are `main`, `wifi`; [networks.office] would describe another

    error: there is no network `office`
      --> test.toml:20:27
       |
    20 | nat-timeout = { network = "office", when.every = "1h", established = "1m" }
       |                           ^^^^^^^^
       |
       = help: the networks of this scenario are `main`, `wifi`; [networks.office] would describe another
    "#);
}

#[test]
fn a_network_is_not_called_by_a_word_with_a_meaning() {
    let lines = r#"[networks.none]
access = "wifi"
[networks.access]
access = "wifi"
[networks."Home Wi-Fi"]
access = "wifi""#;
    assert_snapshot!(scenario(lines), @r#"
    error: `none` cannot be the name of a network
     --> test.toml:6:1
      |
    6 | [networks.none]
      | ^^^^^^^^^^^^^^^
      |
      = help: use 1 to 64 lower-case letters, digits and `-`, but not main, none, access or core

    error: `access` cannot be the name of a network
     --> test.toml:8:1
      |
    8 | [networks.access]
      | ^^^^^^^^^^^^^^^^^
      |
      = help: use 1 to 64 lower-case letters, digits and `-`, but not main, none, access or core

    error: `Home Wi-Fi` cannot be the name of a network
      --> test.toml:10:1
       |
    10 | [networks."Home Wi-Fi"]
       | ^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: use 1 to 64 lower-case letters, digits and `-`, but not main, none, access or core
    "#);
    assert_snapshot!(scenario("[networks.main]\naccess = \"wifi\""), @r"
    error: `main` cannot be the name of a network
     --> test.toml:6:1
      |
    6 | [networks.main]
      | ^^^^^^^^^^^^^^^
      |
      = help: use 1 to 64 lower-case letters, digits and `-`, but not main, none, access or core
    ");
}

#[test]
fn too_many_networks_are_refused() {
    let lines: Vec<String> = (0..8).map(|number| format!("[networks.wifi-{number}]\naccess = \"wifi\"")).collect();
    assert_snapshot!(scenario(&lines.join("\n")), @r"
    error: 9 networks, with `main`
     --> test.toml:6:2
      |
    6 | [networks.wifi-0]
      |  ^^^^^^^^
      |
      = help: use at most 8
    ");
}

#[test]
fn a_network_has_an_access_link_of_its_own_and_no_core() {
    assert_snapshot!(scenario("[networks.wifi]\nnat = \"home-median\""), @r"
    error: the key `access` is missing
     --> test.toml:6:1
      |
    6 | [networks.wifi]
      | ^^^^^^^^^^^^^^^
    ");
    assert_snapshot!(scenario("[networks.wifi]\naccess = \"wifi\"\ncore = \"backbone\""), @r#"
    error: unknown key `core`
     --> test.toml:8:1
      |
    8 | core = "backbone"
      | ^^^^
      |
      = help: the keys here are: `kind`, `access`, `radio`, `nat`
    "#);
}

#[test]
fn what_is_wrong_inside_a_network_is_found_there() {
    let lines = r#"[networks.wifi]
access = { delay = "20ms", rate.bits_per_second = 0 }
nat = ["home-median", { table = 0 }]
[networks.wifi.radio]
promotion = "2m"
promotion_mw = 1211
active_mw = 1288
up_kbps = 100
down_kbps = 10000
tail = []
idle_mw = 20
[networks.cell]
access = "lte-near"
nat = []"#;
    assert_snapshot!(scenario(lines), @r#"
    error: a rate of 0 bits a second
     --> test.toml:7:51
      |
    7 | access = { delay = "20ms", rate.bits_per_second = 0 }
      |                                                   ^
      |
      = help: use 1000 to 10000000000

    error: a table of 0 mappings
     --> test.toml:8:33
      |
    8 | nat = ["home-median", { table = 0 }]
      |                                 ^
      |
      = help: use 1 to 100000000

    error: 2m is longer than any radio takes
      --> test.toml:10:13
       |
    10 | promotion = "2m"
       |             ^^^^
       |
       = help: use at most "1m"

    error: a tail of 0 stages
      --> test.toml:15:8
       |
    15 | tail = []
       |        ^^
       |
       = help: give it 1 to 4

    error: 0 NATs between the devices and the servers
      --> test.toml:19:7
       |
    19 | nat = []
       |       ^^
       |
       = help: name 1 to 8, from the device to the server
    "#);
    let lines = r#"networks.wifi.access = { delay.uniform = { min = "30ms", max = "20ms" }, rate.bits_per_second = 0 }
networks.wifi.nat.ports = 0"#;
    assert_snapshot!(scenario(lines), @r#"
    error: max (20ms) is shorter than min (30ms)
     --> test.toml:6:64
      |
    6 | networks.wifi.access = { delay.uniform = { min = "30ms", max = "20ms" }, rate.bits_per_second = 0 }
      |                                                                ^^^^^^
      |
      = help: swap them

    error: a rate of 0 bits a second
     --> test.toml:6:97
      |
    6 | networks.wifi.access = { delay.uniform = { min = "30ms", max = "20ms" }, rate.bits_per_second = 0 }
      |                                                                                                 ^
      |
      = help: use 1000 to 10000000000

    error: 0 ports a subscriber
     --> test.toml:7:27
      |
    7 | networks.wifi.nat.ports = 0
      |                           ^
      |
      = help: use 1 to 64512
    "#);
}

#[test]
fn a_nat_fault_of_a_network_counts_the_nats_there() {
    let lines = r#"networks.wifi = { access = "wifi", nat = ["home-median", "home-median"] }
faults = [{ nat-flush = { network = "wifi", nat = 2, when.every = "1h" } }, { nat-flush = { network = "main", nat = 1, when.every = "1h" } }]"#;
    assert_snapshot!(scenario(lines), @r#"
    error: there is no NAT 2: `nat` names 2
     --> test.toml:7:51
      |
    7 | faults = [{ nat-flush = { network = "wifi", nat = 2, when.every = "1h" } }, { nat-flush = { network = "main", nat = 1, when.every = "...
      |                                                   ^
      |
      = help: use 0 to 1, or leave `nat` out for all

    error: there is no NAT 1: `nat` names 1
     --> test.toml:7:117
      |
    7 | faults = [{ nat-flush = { network = "wifi", nat = 2, when.every = "1h" } }, { nat-flush = { network = "main", nat = 1, when.every = "...
      |                                                                                                                     ^
      |
      = help: use 0, or leave `nat` out for all
    "#);
}

#[test]
fn a_plan_out_of_order_names_both_places() {
    let lines = format!(
        r#"{WIFI}[life]
attach = [
    {{ at = "10m", to = "wifi" }},
    {{ at = "5m", to = "main" }},
    {{ at = "2h", to = "none" }},
]"#
    );
    assert_snapshot!(scenario(&lines), @r#"
    error: it comes at 5m, but life.attach[0] before it at 10m
      --> test.toml:11:12
       |
    11 |     { at = "5m", to = "main" },
       |            ^^^^
       |
       = help: write the changes in the order of time

    error: this change would come at 2h, after the end of the run at 1h
      --> test.toml:12:12
       |
    12 |     { at = "2h", to = "none" },
       |            ^^^^
       |
       = help: let it come before 1h, or make `duration` longer
    "#);
}

#[test]
fn connections_linger_only_beside_another_network() {
    let lines = format!(
        r#"{WIFI}[[life.attach]]
at = "10m"
to = "wifi"
gap = "1s"
old_sockets = "linger"
[[life.attach]]
at = "20m"
to = "none"
old_sockets = "linger"
[[faults]]
switch = {{ when.every = "1h", old_sockets = "linger" }}
[[faults]]
switch = {{ when.every = "1h", to = "wifi", gap = "2s", old_sockets = "linger" }}
[[faults]]
switch = {{ when.every = "1h", to = "wifi", old_sockets = "stay" }}"#
    );
    // What cannot be read comes first.
    assert_snapshot!(scenario(&lines), @r#"
    error: unknown name `stay`
      --> test.toml:22:58
       |
    22 | switch = { when.every = "1h", to = "wifi", old_sockets = "stay" }
       |                                                          ^^^^^^
       |
       = help: possible here are: `abort`, `linger`, `rot`
    "#);
    assert_snapshot!(scenario(&lines.replace("stay", "rot")), @r#"
    error: the old connections cannot linger: there is a `gap` without any network
      --> test.toml:12:15
       |
    12 | old_sockets = "linger"
       |               ^^^^^^^^
       |
       = help: use "abort" or "rot"

    error: the old connections cannot linger: it goes to no network
      --> test.toml:16:15
       |
    16 | old_sockets = "linger"
       |               ^^^^^^^^
       |
       = help: use "abort" or "rot"

    error: an address on the same network does not linger beside the new one
      --> test.toml:18:45
       |
    18 | switch = { when.every = "1h", old_sockets = "linger" }
       |                                             ^^^^^^^^
       |
       = help: use "abort" or "rot"

    error: the old connections cannot linger: there is a `gap` without any network
      --> test.toml:20:70
       |
    20 | switch = { when.every = "1h", to = "wifi", gap = "2s", old_sockets = "linger" }
       |                                                                      ^^^^^^^^
       |
       = help: use "abort" or "rot"
    "#);
}

#[test]
fn a_new_address_on_the_same_network_has_no_length() {
    assert_snapshot!(scenario("[[faults]]\nswitch = { when.every = \"1h\", lasts = \"5m\" }"), @r#"
    error: without `to` the device gets a new address on its network, which has no length
     --> test.toml:7:39
      |
    7 | switch = { when.every = "1h", lasts = "5m" }
      |                                       ^^^^
      |
      = help: remove `lasts`, or say where the device goes: to = "none"
    "#);
}

#[test]
fn a_doze_that_contradicts_itself_is_told_where() {
    let lines = r#"[life]
alarm_grid = "500ms"
foreground = { when.every = "1ms", lasts = "1m" }
screen = { when.at = ["2h"], lasts = { uniform = { min = "2m", max = "1m" } } }
[life.doze]
after = "1us"
alarms.every = "10ms"
first_window = "2h"
longest_wait = "1h"
window = "999ms""#;
    assert_snapshot!(scenario(lines), @r#"
    error: 500ms is too short
     --> test.toml:7:14
      |
    7 | alarm_grid = "500ms"
      |              ^^^^^^^
      |
      = help: use at least "1s"

    error: every 1ms is too often for 1h
     --> test.toml:8:29
      |
    8 | foreground = { when.every = "1ms", lasts = "1m" }
      |                             ^^^^^
      |
      = help: let at most 100000 be expected in a run

    error: this would begin at 2h, after the end of the run at 1h
     --> test.toml:9:23
      |
    9 | screen = { when.at = ["2h"], lasts = { uniform = { min = "2m", max = "1m" } } }
      |                       ^^^^
      |
      = help: let it begin before 1h, or make `duration` longer

    error: max (1m) is shorter than min (2m)
     --> test.toml:9:70
      |
    9 | screen = { when.at = ["2h"], lasts = { uniform = { min = "2m", max = "1m" } } }
      |                                                                      ^^^^
      |
      = help: swap them

    error: 1us is too short
      --> test.toml:11:9
       |
    11 | after = "1us"
       |         ^^^^^
       |
       = help: use at least "1s"

    error: 10ms is too short
      --> test.toml:12:16
       |
    12 | alarms.every = "10ms"
       |                ^^^^^^
       |
       = help: use at least "1s"

    error: the longest wait of 1h is shorter than the first of 2h
      --> test.toml:14:16
       |
    14 | longest_wait = "1h"
       |                ^^^^
       |
       = help: let `longest_wait` be at least `first_window`

    error: 999ms is too short
      --> test.toml:15:10
       |
    15 | window = "999ms"
       |          ^^^^^^^
       |
       = help: use at least "1s"
    "#);
    assert_snapshot!(scenario("[life.doze]\nalarms = \"always\""), @r#"
    error: unknown name `always`
     --> test.toml:7:10
      |
    7 | alarms = "always"
      |          ^^^^^^^^
      |
      = help: possible here are: `every`, `never`
    "#);
}

#[test]
fn a_window_of_faults_lies_in_the_run() {
    let lines = r#"[[faults]]
kill = { when.during = { every = "5m", from = "30m", to = "20m" }, lasts = "1m" }
[[faults]]
kill = { when.during = { every = "5m", from = "30m", to = "2h" }, lasts = "1m" }
[[faults]]
kill = { when.during = { every = "1ms", from = "10m", to = "20m" }, lasts = "1m" }"#;
    assert_snapshot!(scenario(lines), @r#"
    error: the window ends at 20m, not after its begin at 30m
     --> test.toml:7:59
      |
    7 | kill = { when.during = { every = "5m", from = "30m", to = "20m" }, lasts = "1m" }
      |                                                           ^^^^^
      |
      = help: let `to` be later than `from`

    error: this may begin as late as 2h, after the end of the run at 1h
     --> test.toml:9:59
      |
    9 | kill = { when.during = { every = "5m", from = "30m", to = "2h" }, lasts = "1m" }
      |                                                           ^^^^
      |
      = help: use at most 1h, or make `duration` longer

    error: every 1ms is too often for 10m
      --> test.toml:11:34
       |
    11 | kill = { when.during = { every = "1ms", from = "10m", to = "20m" }, lasts = "1m" }
       |                                  ^^^^^
       |
       = help: let at most 100000 be expected in a run
    "#);
}
