//! What people see when the plan file of a sweep is wrong: the place is one in that file, whatever text it comes out in.

use cardiogram_policies::Registry;
use cardiogram_scenarios::sweep;
use insta::assert_snapshot;

/// Returns the message for a plan file of this text.
fn whole(text: &str) -> String {
    sweep::parse("plan.toml", text, None, &Registry::new()).expect_err("the plan is wrong").to_string()
}

/// Returns the message for a plan whose only axis is `axis`.
fn plan(axis: &str) -> String {
    whole(&format!(
        "name = \"s\"\nscenario = \"long-nat\"\nstrategies = [\"wechat-270\", \"qq-fixed-45\"]\n[[axis]]\n{axis}\n"
    ))
}

#[test]
fn a_key_that_there_is_not_is_named_with_the_nearest() {
    assert_snapshot!(plan("scenario = \"nat.establishd\"\nvalues = [\"5m\", \"6m\"]"), @r#"
    error: `nat.establishd`: unknown key `establishd`
     --> plan.toml:5:12
      |
    5 | scenario = "nat.establishd"
      |            ^^^^^^^^^^^^^^^^
      |
      = help: did you mean `established`? the keys here are: `established`, `transitory`, `closing`, `unacknowledged`, `conntrack`, `max_age`, `refresh`, `after_expiry`, `table`, `background`, `hold_down`, `outside_addresses`, `ports`
    "#);
    assert_snapshot!(plan("strategy = \"heartbeat.fixed.intervall\"\nvalues = [\"5m\", \"6m\"]"), @r#"
    error: wechat-270: `heartbeat.fixed.intervall`: unknown key `intervall`
     --> plan.toml:5:12
      |
    5 | strategy = "heartbeat.fixed.intervall"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `interval`? the keys here are: `interval`, `timeout`, `misses`, `first_beat`, `late_reply`

    error: qq-fixed-45: `heartbeat.fixed.intervall`: unknown key `intervall`
     --> plan.toml:5:12
      |
    5 | strategy = "heartbeat.fixed.intervall"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `interval`? the keys here are: `interval`, `timeout`, `misses`, `first_beat`, `late_reply`
    "#);
}

#[test]
fn a_value_that_a_point_refuses_is_shown_where_it_stands() {
    assert_snapshot!(plan("scenario = \"nat.established\"\nvalues = [\"5m\", \"0s\", \"6m\"]"), @r#"
    error: `nat.established` = 0s: this span must be longer than zero, as in "25ms"
     --> plan.toml:6:17
      |
    6 | values = ["5m", "0s", "6m"]
      |                 ^^^^
    "#);
    assert_snapshot!(plan("scenario = \"devices.count\"\nfrom = 0\nto = 2\nstep = 1"), @r#"
    error: `devices.count` = 0: 0 devices
     --> plan.toml:6:8
      |
    6 | from = 0
      |        ^
      |
      = help: use 1 to 1000000
    "#);
    assert_snapshot!(plan("scenario = \"nat\"\nvalues = [\"home-median\", \"home-medium\"]"), @r#"
    error: `nat` = home-medium: unknown name `home-medium`
     --> plan.toml:6:26
      |
    6 | values = ["home-median", "home-medium"]
      |                          ^^^^^^^^^^^^^
      |
      = help: did you mean `home-median`? possible here are: `aws-natgw`, `aws-nlb`, `azure-lb`, `azure-lb-rst`, `cell-default`, `cell-population`, `cell-random-port`, `cloud-lb-mix`, `cn-mobile-2g3g`, `cn-telecom-3g`, `danos-cgn`, `docker-swarm`, `firewall`, `gcp-nat`, `gcp-vpc`, `home-linux`, `home-median`, `home-openwrt`, `home-population`, `home-short`, `ipvs`, `office-mix`, `rfc5382`, `us-cell-short`
    "#);
}

#[test]
fn a_contradiction_with_what_is_not_swept_names_both() {
    assert_snapshot!(plan("scenario = \"duration\"\nvalues = [\"1h\", \"30s\"]"), @r#"
    error: with `duration` = 30s: `devices`: devices may start as late as 1m, when the run is over
     --> plan.toml:6:17
      |
    6 | values = ["1h", "30s"]
      |                 ^^^^^
      |
      = help: use less than the duration, 30s
    "#);
}

#[test]
fn a_strategy_of_another_kind_is_told_from_one_that_fits() {
    let text = "name = \"s\"\nscenario = \"long-nat\"\nstrategies = [\"wechat-270\", \"wechat-smart-2013\"]\n[[axis]]\n\
                strategy = \"heartbeat.fixed.interval\"\nvalues = [\"5m\", \"6m\"]\n";
    assert_snapshot!(whole(text), @r#"
    error: wechat-smart-2013: `heartbeat.fixed.interval`: this table names more than one kind
     --> plan.toml:5:12
      |
    5 | strategy = "heartbeat.fixed.interval"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: `heartbeat` of `wechat-smart-2013` is of another kind; set a key of that, or start from another strategy
    "#);
}

#[test]
fn values_that_are_none_or_too_many_are_refused() {
    assert_snapshot!(plan("scenario = \"nat.established\"\nvalues = []"), @r#"
    error: an axis has 1 to 200 values, not 0
     --> plan.toml:6:10
      |
    6 | values = []
      |          ^^
      |
      = help: name some, as in ["30s", "1m", "2m"]
    "#);
    assert_snapshot!(plan("scenario = \"nat.established\"\nfrom = \"1s\"\nto = \"1h\"\nstep = \"1s\""), @r#"
    error: these are 3600 values; an axis has at most 200
     --> plan.toml:8:8
      |
    8 | step = "1s"
      |        ^^^^
      |
      = help: take a longer step
    "#);
    assert_snapshot!(plan("scenario = \"nat.established\"\nfrom = \"1h\"\nto = \"1m\"\nlog_steps = 5"), @r#"
    error: "1m" is not above `from`, "1h"
     --> plan.toml:7:6
      |
    7 | to = "1m"
      |      ^^^^
      |
      = help: let `from` be less than `to`
    "#);
    assert_snapshot!(plan("scenario = \"nat.established\"\nfrom = \"1h\""), @r#"
    error: this axis does not say in one way which values it has
     --> plan.toml:4:1
      |
    4 | [[axis]]
      | ^^^^^^^^
      |
      = help: write values = [...], or `from`, `to` and `step`, or `from`, `to` and `log_steps`
    "#);
    let many = "[[axis]]\nstrategy = \"heartbeat.fixed.interval\"\nfrom = 1\nto = 150\nstep = 1";
    assert_snapshot!(plan(&format!("scenario = \"devices.count\"\nfrom = 1\nto = 150\nstep = 1\n{many}")), @r#"
    error: 45000 points are more than the 10000 of one sweep
     --> plan.toml:4:1
      |
    4 | [[axis]]
      | ^^^^^^^^
      |
      = help: take fewer values, or fewer strategies
    "#);
}

#[test]
fn paths_that_cannot_be_are_refused() {
    assert_snapshot!(plan("scenario = \"nat..established\"\nvalues = [\"5m\"]"), @r#"
    error: `nat..established` is not the path of a key
     --> plan.toml:5:12
      |
    5 | scenario = "nat..established"
      |            ^^^^^^^^^^^^^^^^^^
      |
      = help: write it as in "nat.established" or "faults[0].cut.lasts"
    "#);
    assert_snapshot!(plan("scenario = \"name\"\nvalues = [\"a\"]"), @r#"
    error: every point has a name and a description of its own
     --> plan.toml:5:12
      |
    5 | scenario = "name"
      |            ^^^^^^
      |
      = help: take another key
    "#);
    assert_snapshot!(plan("scenario = \"faults[0].cut.lasts\"\nvalues = [\"5m\"]"), @r#"
    error: `faults[0].cut.lasts`: there is no `faults` here
     --> plan.toml:5:12
      |
    5 | scenario = "faults[0].cut.lasts"
      |            ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: let the scenario's file have it, or give it whole in [set]
    "#);
    assert_snapshot!(plan("values = [\"5m\"]"), @r#"
    error: this axis does not say what it changes
     --> plan.toml:4:1
      |
    4 | [[axis]]
      | ^^^^^^^^
      |
      = help: name a key, as in scenario = "nat.established" or strategy = "heartbeat.fixed.interval"
    "#);
    assert_snapshot!(plan("scenario = \"duration\"\nstrategy = \"connect_timeout\"\nvalues = [\"5m\"]"), @r#"
    error: an axis changes one key
     --> plan.toml:6:12
      |
    6 | strategy = "connect_timeout"
      |            ^^^^^^^^^^^^^^^^^
      |
      = help: give the scenario's and the strategy's each an axis
    "#);
}

#[test]
fn what_the_file_itself_lacks_or_has_too_much_is_named() {
    assert_snapshot!(whole("name = \"S\"\nscenario = \"long-nat\"\nstrategies = []\naxis = []"), @r#"
    error: `S` is not a sweep's name
     --> plan.toml:1:8
      |
    1 | name = "S"
      |        ^^^
      |
      = help: use 1 to 64 lower-case letters, digits and `-`, a letter or digit first, and no name that Windows has for a device, as in "interval-against-nat"

    error: no strategy is named
     --> plan.toml:3:14
      |
    3 | strategies = []
      |              ^^
      |
      = help: name at least one, as in ["wechat-270"]

    error: a sweep has 1 or 2 axes, not 0
     --> plan.toml:4:8
      |
    4 | axis = []
      |        ^^
      |
      = help: describe each in a table [[axis]]
    "#);
    assert_snapshot!(plan("scenario = \"duration\"\nvalue = [\"5m\"]"), @r#"
    error: unknown key `value`
     --> plan.toml:6:1
      |
    6 | value = ["5m"]
      | ^^^^^
      |
      = help: did you mean `values`? the keys here are: `label`, `scenario`, `strategy`, `values`, `from`, `to`, `step`, `log_steps`
    "#);
    assert_snapshot!(whole("name = \"s\"\nscenario = \"long-nut\"\nstrategies = [\"wechat-270\"]\n[[axis]]\n\
        scenario = \"duration\"\nvalues = [\"5m\"]"), @r#"
    error: there is no scenario named `long-nut`
     --> plan.toml:2:12
      |
    2 | scenario = "long-nut"
      |            ^^^^^^^^^^
      |
      = help: did you mean `long-nat`? `cardiogram list scenarios` shows those built in, a file's path ends in `.toml`
    "#);
    assert_snapshot!(whole("name = \"s\"\nscenario = \"long-nat\"\nstrategies = [\"wechat-271\", \"none.toml\"]\n[[axis]]\n\
        scenario = \"duration\"\nvalues = [\"5m\"]"), @r#"
    error: there is no strategy named `wechat-271`
     --> plan.toml:3:15
      |
    3 | strategies = ["wechat-271", "none.toml"]
      |               ^^^^^^^^^^^^
      |
      = help: did you mean `wechat-270`? `cardiogram list strategies` shows those built in, a file's path ends in `.toml`
    "#);
    assert_snapshot!(whole("name = \"s\"\nscenario = \"long-nat\"\nstrategies = [\"wechat-270\"]\nset.scenario.devices.cuont = 3\n[[axis]]\n\
        scenario = \"duration\"\nvalues = [\"5m\"]"), @r#"
    error: `devices.cuont`: unknown key `cuont`
     --> plan.toml:4:30
      |
    4 | set.scenario.devices.cuont = 3
      |                              ^
      |
      = help: did you mean `count`? the keys here are: `count`, `start_within`, `tcp`, `on_waking`, `frames`
    "#);
    let same = "scenario = \"duration\"\nvalues = [\"5m\"]\n";
    assert_snapshot!(plan(&format!("{same}[[axis]]\n{same}")), @r#"
    error: both axes change `duration`
     --> plan.toml:8:12
      |
    8 | scenario = "duration"
      |            ^^^^^^^^^^
      |
      = help: let each change a key of its own
    "#);
    assert_snapshot!(plan(&format!("{same}[[axis]]\n{same}[[axis]]\n{same}")), @r#"
    error: a sweep has 1 or 2 axes, not 3
     --> plan.toml:4:1
      |
    4 | [[axis]]
      | ^^^^^^^^
      |
      = help: describe each in a table [[axis]]
    "#);
}
