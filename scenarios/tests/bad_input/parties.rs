//! The two parties: policies and their parameters, servers and what stands before them.

use insta::assert_snapshot;

use super::{scenario, strategy};

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
  = help: did you mean `fixed`? possible here are: `none`, `fixed`, `idle`, `tcp-keepalive`, `known-nat-timeout`, `leave-when-quiet`, `mars-smart-heartbeat`, `wechat-smart-2013`, `androidpn`, `chromium-gcm`, `microg-mcs-aimd`, `carson-adaptive-5`, `thread783`, `composed`, `custom`, `guest`
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
fn an_unknown_system_of_a_server_is_told_which_there_are() {
    assert_snapshot!(scenario(r#"server.tcp = "solaris""#), @r#"
    error: unknown name `solaris`
     --> test.toml:6:14
      |
    6 | server.tcp = "solaris"
      |              ^^^^^^^^^
      |
      = help: possible here are: `linux-new`, `linux-old`, `darwin`, `windows`
    "#);
}

#[test]
fn a_sysctl_of_linux_is_none_of_darwin() {
    assert_snapshot!(scenario(r#"devices.tcp = { stack = "darwin", retries2 = 8 }"#), @r#"
    error: `retries2` is a sysctl of Linux, which this host does not run
     --> test.toml:6:46
      |
    6 | devices.tcp = { stack = "darwin", retries2 = 8 }
      |                                              ^
      |
      = help: leave it out, or use `stack = "linux-new"`
    "#);
}

#[test]
fn ideal_timers_have_no_ticks_and_a_wheel_has_those_of_a_kernel() {
    assert_snapshot!(scenario("devices.tcp.hz = 250\nserver.tcp = { timers = \"linux-wheel\", hz = 100 }"), @r#"
    error: ideal timers have no ticks
     --> test.toml:6:18
      |
    6 | devices.tcp.hz = 250
      |                  ^^^
      |
      = help: leave it out, or add `timers = "linux-wheel"`

    error: a kernel of 100 Hz
     --> test.toml:7:45
      |
    7 | server.tcp = { timers = "linux-wheel", hz = 100 }
      |                                             ^^^
      |
      = help: use 250, 300 or 1000
    "#);
}

#[test]
fn ages_at_which_nothing_lives_long_are_refused() {
    let lines = "server.max_age = { age = { uniform = { min = \"100ms\", max = \"5m\" } } }\nnat.max_age = \"100ms\"";
    assert_snapshot!(scenario(lines), @r#"
error: a connection may end after 100ms
 --> test.toml:6:26
  |
6 | server.max_age = { age = { uniform = { min = "100ms", max = "5m" } } }
  |                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: let it live for at least "1s"

error: a connection may end after 100ms
 --> test.toml:7:15
  |
7 | nat.max_age = "100ms"
  |               ^^^^^^^
  |
  = help: let it live for at least "1s"
"#);
}

#[test]
fn a_spread_of_ages_needs_an_age_and_leaves_some_of_it() {
    let leave = |leave: &str| {
        strategy(&format!("name = \"a\"\nheartbeat.composed = {{ schedule = \"peer-sends\", leave = {leave} }}\n"))
    };
    assert_snapshot!(leave("{ quiet = \"10m\", spread = 0.1 }"), @r#"
error: it strays from an age that is not named
 --> test.toml:2:83
  |
2 | heartbeat.composed = { schedule = "peer-sends", leave = { quiet = "10m", spread = 0.1 } }
  |                                                                                   ^^^
  |
  = help: name `age`, as in leave = { age = "30m", spread = 0.1 }, or leave `spread` out
"#);
    assert_snapshot!(leave("{ age = \"10m\", spread = 1 }"), @r#"
error: a connection may be left as soon as it is established
 --> test.toml:2:81
  |
2 | heartbeat.composed = { schedule = "peer-sends", leave = { age = "10m", spread = 1 } }
  |                                                                                 ^
  |
  = help: use less than 1
"#);
}
