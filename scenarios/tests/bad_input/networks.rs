//! Several networks: which of them is meant, and what is wrong inside one.

use insta::assert_snapshot;

use super::{WIFI, scenario};

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
