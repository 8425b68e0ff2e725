//! Links, NATs and radios that cannot be.

use insta::assert_snapshot;

use super::scenario;

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
      = help: did you mean `cn-mobile-2g3g`? possible here are: `aws-natgw`, `aws-nlb`, `azure-lb`, `azure-lb-rst`, `cell-default`, `cell-population`, `cell-random-port`, `cloud-lb-mix`, `cn-mobile-2g3g`, `cn-telecom-3g`, `danos-cgn`, `docker-swarm`, `firewall`, `gcp-nat`, `gcp-vpc`, `home-linux`, `home-median`, `home-openwrt`, `home-population`, `home-short`, `ipvs`, `office-mix`, `rfc5382`, `us-cell-short`
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
      = help: did you mean `drop-silent`? possible here are: `drop-silent`, `rst-inside-on-send`, `rst-both-on-expiry`, `rst-either-on-send`, `remap-same-port`, `remap-same-port-rst-outside`, `remap-new-port`, `fin-inside`, `rst-outside-on-send`
    "#);
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
