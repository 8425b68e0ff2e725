//! The plan of a device's life, its doze, and when faults strike.

use insta::assert_snapshot;

use super::{WIFI, scenario};

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
