//! What the program shows without carrying a plan out: lists, files, what is wrong with one, schemas, and traces.

use std::fs;

use cardiogram::{policies::Registry, scenarios::load};
use insta::assert_snapshot;
use kit::{committed::assert_committed, place, place::SCENARIO};

#[test]
fn what_is_built_in_is_listed() {
    let place = place!();
    let scenarios = place.cardiogram("list scenarios").good();
    let names: Vec<&str> = scenarios.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(names, cardiogram::scenarios::library::names().collect::<Vec<_>>());
    for label in ["    Source: ", "    Expect: "] {
        assert_eq!(scenarios.lines().filter(|line| line.starts_with(label)).count(), names.len(), "{label}");
    }
    let networks = place.cardiogram("list networks").good();
    assert!(networks.starts_with("link:\n"), "{networks}");
    for kind in ["radio", "nat", "server"] {
        assert!(networks.contains(&format!("\n{kind}:\n")), "{kind}: {networks}");
    }
    for what in ["scenarios", "strategies", "networks"] {
        let items: serde_json::Value =
            serde_json::from_str(&place.cardiogram(&format!("list {what} --json")).good()).unwrap();
        for item in items.as_array().unwrap() {
            for key in ["kind", "name", "about", "source"] {
                assert!(item[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {item}");
            }
        }
    }
}

#[test]
fn strategies_are_listed_by_what_they_are_for() {
    let place = place!();
    let list = place.cardiogram("list strategies").good();
    let (families, strategies): (Vec<&str>, Vec<&str>) =
        list.lines().partition(|line| line.ends_with(':') && !line.contains("  "));
    let mut names: Vec<&str> = strategies.iter().filter_map(|line| line.split(' ').next()).collect();
    let mut presets: Vec<&str> = cardiogram::policies::preset::all().iter().map(|preset| preset.name).collect();
    names.sort_unstable();
    presets.sort_unstable();
    assert_eq!(names, presets, "each stands there once");
    assert!(families.iter().all(|family| list.matches(&format!("{family}\n")).count() == 1), "{families:?}");
    let of = |name: &str| {
        list.lines().take_while(|line| !line.starts_with(name)).filter(|line| families.contains(line)).last()
    };
    assert_eq!(of("none "), Some("baseline/* (without a heartbeat, and one that knows what no product can):"));
    assert_eq!(of("wechat-270 "), Some("im/* (messengers):"));
    assert_eq!(of("reconnect-fixed-5s "), Some("reconnect/* (reconnect policies under one heartbeat):"));

    let json: serde_json::Value = serde_json::from_str(&place.cardiogram("list strategies --json").good()).unwrap();
    let item = json.as_array().unwrap().iter().find(|item| item["name"] == "idle-45-rx").unwrap();
    assert_snapshot!(format!("{item:#}"), @r#"
    {
      "about": "A heartbeat after 45 s in which nothing was received: what was sent may never have arrived.",
      "evidence": "read",
      "family": "idle",
      "kind": "strategy",
      "name": "idle-45-rx",
      "source": "[zhang], comments of 2021-09-14 and 2021-10-27: only received data counts, for a local send proves nothing."
    }
    "#);
}

#[test]
fn a_network_of_no_known_kind_is_refused() {
    let place = place!();
    let kinds = "network_kind = \"wlan\"\nnetworks.other = { kind = \"cell\", access = \"wifi\" }\ncore = \"backbone\"";
    place.write("kinds.toml", SCENARIO.replace("core = \"backbone\"", kinds));
    assert_snapshot!(place.cardiogram("check kinds.toml").failed(2), @r#"
    error: unknown name `wlan`
     --> kinds.toml:6:16
      |
    6 | network_kind = "wlan"
      |                ^^^^^^
      |
      = help: possible here are: `cellular`, `wifi`, `wired`

    error: unknown name `cell`
     --> kinds.toml:7:27
      |
    7 | networks.other = { kind = "cell", access = "wifi" }
      |                           ^^^^^^
      |
      = help: did you mean `cellular`? possible here are: `cellular`, `wifi`, `wired`
    "#);
}

#[test]
fn a_fault_after_the_end_is_refused() {
    let place = place!();
    place.write("late.toml", SCENARIO.replace("when.every = \"10m\"", "when.at = [\"10m\", \"31m\"]"));
    assert_snapshot!(place.cardiogram("check late.toml").failed(2), @r#"
    error: this would begin at 31m, after the end of the run at 30m
      --> late.toml:10:27
       |
    10 | cut = { when.at = ["10m", "31m"], lasts = "90s" }
       |                           ^^^^^
       |
       = help: let it begin before 30m, or make `duration` longer
    "#);
}

#[test]
fn a_delay_below_the_minimum_is_refused() {
    let place = place!();
    place.write("fast.toml", SCENARIO.replace("core = \"backbone\"", "core.delay = \"5us\""));
    assert_snapshot!(place.cardiogram("check fast.toml").failed(2), @r#"
    error: a delay of this link can be as short as 5us; the shortest there is here is 100us
     --> fast.toml:6:14
      |
    6 | core.delay = "5us"
      |              ^^^^^
      |
      = help: write at least "100us"
    "#);
}

#[test]
fn an_unwise_strategy_can_be_used_and_is_warned_of_where_it_is_unwise() {
    let place = place!();
    place.write("herd.toml", "name = \"herd\"\nheartbeat = \"none\"\nreconnect.exponential = { jitter = \"none\" }\n");
    let checked = place.cardiogram("check herd.toml");
    assert_snapshot!(checked.err, @r#"
    warning: clients that lose their connections together come back together: no jitter
     --> herd.toml:3:36
      |
    3 | reconnect.exponential = { jitter = "none" }
      |                                    ^^^^^^
      |
      = help: use jitter = "full"
    "#);
    assert_eq!((checked.code, checked.out.as_str()), (Some(0), "herd.toml: strategy herd, good\n"));
    assert_eq!(place.cardiogram("--quiet check herd.toml").err, "");
    assert!(place.cardiogram("show herd.toml").good().contains("# What is unwise about it"));
}

#[test]
fn a_strategy_is_shown_in_full() {
    let place = place!();
    place.write(
        "lossless.toml",
        SCENARIO
            .replace("access = \"lte-near\"", "access.delay = \"40ms\"")
            .replace("\"backbone\"", "{ delay = \"10ms\" }"),
    );
    place.write("keeper.toml", "name = \"keeper\"\nheartbeat = \"none\"\nserver.idle-reaper = { idle = \"10m\" }\n");
    assert_snapshot!(place.cardiogram("show wechat-270").good(), @r#"
    name = "wechat-270"
    about = "WeChat: a heartbeat every four and a half minutes, just below the five minutes of a common operator NAT."
    source = "[yuan]: WeChat beats every four and a half minutes most of the time."
    assumptions = [
        "Reply timeout 15 s and death at the first miss: the source gives none, so they are those of netease-30-15, and the presets differ in their interval alone.",
        "Reconnect and connect timeout: the source gives none, so they are the defaults that all presets share.",
    ]
    family = "im"
    evidence = "read"
    connect_timeout = "10s"
    server = "none"

    [heartbeat.fixed]
    interval = "4m30s"
    timeout = "15s"
    misses = 1
    first_beat = "interval"
    late_reply = "counts"

    [reconnect.exponential]
    base = "1s"
    factor = 2.0
    cap = "2m"
    cap_at = "before-jitter"
    jitter = "full"
    first_exact = false
    flat_for = 1
    compounds = false
    minimum = "0s"
    delay_from = "failure"
    reset = "connected"
    after_loss = "0s"
    first_added = "0s"
    first_at_once = false

    # How it is known
    #
    # Read, in what `source` names, and not run.

    # How it works
    #
    # Heartbeat: Sends a heartbeat every 4m30s, the first one interval after the connection is
    # established, whatever else is sent meanwhile. A heartbeat whose reply has not arrived within 15s
    # is a miss. The first miss ends the connection. It remembers nothing from one connection to the
    # next.
    #
    # Reconnect: Waits nominally 1s before the first retry and 2 times as long before each next, at most
    # 2m. The wait is drawn between zero and that, counted from the failure or the loss. An established
    # connection brings the waits back to their beginning. After a failed attempt it goes on to the next
    # server, after a loss it stays with the same one; a change of network neither hastens a planned
    # attempt nor puts it off. It remembers nothing else.
    #
    # Server: Closes no session: each is kept until TCP ends it.

    # What it promises in the scenario `healthy`
    #
    # A permanent break is noticed within             5m38s223ms
    # Connected again, once that is possible, within  no promise
    # A connection on a healthy path is given up      no promise
    # Heartbeats in an hour, at most                  14
    # Connection attempts, at most                    no promise
    # The server closes a silent session within       no promise
    #
    # It counts on this: a healthy round trip takes at most 1m8s223ms; packets are lost on a healthy
    # path too; a NAT forgets after 5d at the earliest; a handshake takes at most 2m16s445ms; there is
    # one server; the application talks; timers run when they are due.
    "#);
    assert_snapshot!(place.cardiogram("show whatsapp-gcm-wake --scenario lossless.toml").good(), @r#"
    name = "whatsapp-gcm-wake"
    about = "WhatsApp with Google's push service: no heartbeat; the connection is dropped after 10 minutes without a message, and a push wakes the app to connect again. Without a wake-up channel in the scenario it comes back only to send something."
    source = "[52im-121]: with GCM WhatsApp sends no heartbeat; the connection is dropped after 10 min without a message and made anew when a push wakes it."
    assumptions = ["Reconnect: after a loss or a failed attempt, the default that all presets share; after leaving on purpose, none until it is called or has something to send."]
    family = "polling"
    evidence = "read"
    connect_timeout = "10s"
    server = "none"

    [heartbeat.leave-when-quiet]
    after = "10m"

    [reconnect.on-call]
    base = "1s"
    factor = 2.0
    cap = "2m"
    cap_at = "before-jitter"
    jitter = "full"
    first_exact = false
    flat_for = 1
    compounds = false
    minimum = "0s"
    delay_from = "failure"
    reset = "connected"
    after_loss = "0s"
    first_added = "0s"
    first_at_once = false

    # How it is known
    #
    # Read, in what `source` names, and not run.

    # How it works
    #
    # Heartbeat: Sends no heartbeats. Once nothing has been sent or received for 10m it closes the
    # connection, as a thing done and not as a dead one. It judges nothing: a broken connection is
    # quiet, and left like any other. It remembers nothing from one connection to the next.
    #
    # Reconnect: After a connection that was left on purpose it makes no attempt until the application
    # has something to send, or something else wakes it, such as a push service: then at once.
    # Otherwise: Waits nominally 1s before the first retry and 2 times as long before each next, at most
    # 2m. The wait is drawn between zero and that, counted from the failure or the loss. An established
    # connection brings the waits back to their beginning. After a failed attempt it goes on to the next
    # server, after a loss it stays with the same one; a change of network neither hastens a planned
    # attempt nor puts it off. It remembers nothing else.
    #
    # Server: Closes no session: each is kept until TCP ends it.

    # What is unwise about it
    #
    # reconnect.on-call: it leaves its connection on purpose and comes back when it is called, and
    # nobody calls: the scenario has no `wakeup` and the device nothing to send, so it stays away for
    # good; give the scenario a `wakeup` or `traffic.up`, or use reconnect.fixed-delay.

    # What it promises in the scenario `small`
    #
    # A permanent break is noticed within             no promise
    # Connected again, once that is possible, within  no promise
    # A connection on a healthy path is given up      never
    # Heartbeats in an hour, at most                  0
    # Connection attempts, at most                    no promise
    # The server closes a silent session within       no promise
    #
    # It counts on this: a healthy round trip takes at most 100ms; no packet is lost on a healthy path;
    # a NAT forgets after 2h4m at the earliest; a handshake takes at most 200ms; there is one server;
    # the application is silent; timers run when they are due.
    "#);
    assert_snapshot!(place.cardiogram("show ./keeper.toml --scenario lossless.toml").good(), @r#"
    name = "keeper"
    about = ""
    source = ""
    connect_timeout = "10s"
    heartbeat = "none"

    [reconnect.exponential]
    base = "1s"
    factor = 2.0
    cap = "2m"
    cap_at = "before-jitter"
    jitter = "full"
    first_exact = false
    flat_for = 1
    compounds = false
    minimum = "0s"
    delay_from = "failure"
    reset = "connected"
    after_loss = "0s"
    first_added = "0s"
    first_at_once = false

    [server.idle-reaper]
    idle = "10m"
    refreshed_by = "any"
    doubles_first = false
    scan = "10s"
    bucketed = false

    # How it works
    #
    # Heartbeat: Sends nothing and judges nothing: a dead connection is noticed only when TCP gives up
    # on data that the application itself has sent.
    #
    # Reconnect: Waits nominally 1s before the first retry and 2 times as long before each next, at most
    # 2m. The wait is drawn between zero and that, counted from the failure or the loss. An established
    # connection brings the waits back to their beginning. After a failed attempt it goes on to the next
    # server, after a loss it stays with the same one; a change of network neither hastens a planned
    # attempt nor puts it off. It remembers nothing else.
    #
    # Server: Notes when each session last carried a frame, of any kind and either way; a frame that
    # makes no sense does not count. Every 10s it looks through all sessions and closes those idle for
    # 10m or longer. It tells clients nothing.

    # What is unwise about it
    #
    # server.idle-reaper.idle: a healthy connection cannot live: the server closes it after 10m without
    # hearing the client, and `heartbeat` never lets any come; let the other side send something, or
    # wait for something that it sends.

    # What it promises in the scenario `small`
    #
    # A permanent break is noticed within             no promise
    # Connected again, once that is possible, within  no promise
    # A connection on a healthy path is given up      never
    # Heartbeats in an hour, at most                  0
    # Connection attempts, at most                    no promise
    # The server closes a silent session within       10m10s100ms
    #
    # It counts on this: a healthy round trip takes at most 100ms; no packet is lost on a healthy path;
    # a NAT forgets after 2h4m at the earliest; a handshake takes at most 200ms; there is one server;
    # the application is silent; timers run when they are due.
    "#);
    assert_snapshot!(place.cardiogram("show wechat-270 --scenario elevatr").failed(2), @r"
    error: there is no scenario named `elevatr`
      = help: did you mean `elevator`? `cardiogram list scenarios` shows those built in, a file's path ends in `.toml`
    ");
    assert_snapshot!(place.cardiogram("show elevator --scenario healthy").failed(2), @"error: --scenario is where a strategy's promises are told, and `elevator` is no strategy");
}

#[test]
fn every_strategy_is_shown_as_a_file_that_says_the_same() {
    let place = place!();
    let none = Registry::new();
    for preset in cardiogram::policies::preset::all() {
        let shown = place.cardiogram(&format!("show {} --scenario small.toml", preset.name)).good();
        assert_eq!(load::parse_strategy("shown", &shown, &none).unwrap(), preset.spec());
        for part in ["\n# Heartbeat: ", "\n# Reconnect: ", "\n# Server: ", "\n# A permanent break is noticed within "] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}

#[test]
fn an_old_name_shows_what_has_taken_its_place_and_why() {
    let shown = place!().cardiogram("show grpc-keepalive --scenario small.toml").good();
    assert!(shown.starts_with("# Formerly `grpc-keepalive`, a name that is still read. Implementations"), "{shown}");
    assert!(shown.contains("\nname = \"grpc-core-1.85\"\n") && shown.contains("\n# Measured: "), "{shown}");
}

#[test]
fn what_is_shown_is_a_file_to_start_from() {
    let place = place!();
    place.write("scenario.toml", place.cardiogram("show elevator").good());
    place.write("strategy.toml", place.cardiogram("show weibo-120").good());
    let checked = place.cardiogram("check scenario.toml strategy.toml small.toml").good();
    // What each costs is told in brackets.
    let good: Vec<&str> = checked.lines().map(|line| line.split(" (").next().unwrap()).collect();
    assert_eq!(
        good,
        [
            "scenario.toml: scenario elevator, good",
            "strategy.toml: strategy weibo-120, good",
            "small.toml: scenario small, good"
        ]
    );
    assert_snapshot!(place.cardiogram("show cn-mobile-2g3g").good(), @r#"
    # China Mobile and China Unicom 2G and 3G: 5 min, silent.
    # Source: WeChat's carrier measurements of 2013 (V2); what follows expiry A.
    [nat]
    established = "5m"
    transitory = "4m"
    conntrack = false
    refresh = "both"
    after_expiry = "drop-silent"
    outside_addresses = 1
    "#);
    assert_snapshot!(place.cardiogram("show elevatr").failed(2), @"error: nothing built in is named `elevatr`; did you mean `elevator`? (`cardiogram list scenarios|strategies|networks` shows what is)");
}

#[test]
fn every_file_that_is_wrong_is_told_of() {
    let place = place!();
    place.write("empty.toml", "");
    place.write("latin.toml", b"name = \"caf\xe9\"\n");
    let done = place.cardiogram("check empty.toml small.toml latin.toml missing.toml");
    assert_eq!(
        (done.code, done.out.as_str()),
        (
            Some(2),
            "small.toml: scenario small, good (10 runs, 0.417 device-days, about 1s of one processor and 66MiB of memory)\n"
        )
    );
    assert_snapshot!(done.err, @r"
    error: the file is empty
    --> empty.toml
     = help: `cardiogram show healthy` prints a scenario to start from
    error: latin.toml:1: byte 11 of the file is not valid UTF-8; save the file as UTF-8
    error: cannot read missing.toml: No such file or directory (os error 2)
    ");
}

#[test]
fn the_committed_schemas_are_those_that_are_printed() {
    let place = place!();
    for what in ["scenario", "strategy", "sweep"] {
        let printed = place.cardiogram(&format!("schema {what}")).good();
        assert_committed(&format!("scenarios/schema/{what}.json"), &printed);
    }
}

#[test]
fn a_trace_is_a_log_to_read() {
    let place = place!();
    let log = place.cardiogram("trace small.toml --strategy qq-fixed-45 --seed 3 --heartbeats show").good();
    for words in ["is welcomed by server 0", "sends heartbeat 0", "lost: the link is cut", "gives up the connection"] {
        assert!(log.contains(words), "{words}");
    }
    assert_eq!(log, place.cardiogram("trace small.toml --strategy qq-fixed-45 --seed 3 --heartbeats show").good());
}

#[test]
fn a_trace_tells_the_life_of_a_device() {
    let place = place!();
    let scenario = r#"name = "moves"
strategies = ["wechat-270"]
duration = "1h"
access = "lte-near"
core = "backbone"
radio = "lte-modern"
devices.start_within = "0s"
networks.wifi.access = "wifi"
life.attach = [{ at = "10m", to = "wifi" }, { at = "20m", to = "none" }, { at = "25m", to = "main" }]
life.foreground = { when.at = ["1m"], lasts = "5m" }
life.doze = {}
[[faults]]
process-killed = { when.at = ["15m"], lasts = "1m" }
"#;
    fs::write(place.path("moves.toml"), scenario).unwrap();
    let log = place.cardiogram("trace moves.toml --strategy wechat-270 --heartbeats show").good();
    let of_device = |words: &str| {
        let lines = log.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        lines.filter(|line| words.split('|').any(|words| line.contains(words))).collect::<Vec<_>>().join("\n")
    };
    let life = of_device("is on the network|loses its address|process|the application|dozes");
    assert_snapshot!(life, @r"
    0.000000 devices device 0 has the application in the background
    60.000000 devices device 0 has the application on its screen
    360.000000 devices device 0 has the application in the background
    600.000000 devices device 0 loses its address on main (lease 0): network-switch
    600.000000 devices device 0 is on the network wifi (lease 0)
    900.000000 devices device 0 has its process killed
    960.000000 devices device 0 has its process started again
    1200.000000 devices device 0 loses its address on wifi (lease 0): no-network
    1500.000000 devices device 0 is on the network main (lease 1)
    2160.000000 devices device 0 dozes
    ");
    assert!(log.contains("has its radio up, "), "{log}");
    let sessions = of_device("opens the session|ends the session");
    assert_snapshot!(sessions, @r"
    0.326499 server-0 server 0 opens the session of device 0 (port 39120)
    600.588816 server-0 server 0 ends the session of device 0 (port 39120)
    600.588816 server-0 server 0 opens the session of device 0 (port 39121 of wifi)
    900.006877 server-0 server 0 ends the session of device 0 (port 39121 of wifi)
    960.036649 server-0 server 0 opens the session of device 0 (port 39122 of wifi)
    1500.343780 server-0 server 0 ends the session of device 0 (port 39122 of wifi)
    1500.343780 server-0 server 0 opens the session of device 0 (port 39123)
    ");
}

#[test]
fn a_trace_is_files_for_other_programs() {
    let place = place!();
    let out = place.cardiogram("trace small.toml --strategy qq-fixed-45 --json t.json --pcap t.pcapng").good();
    assert_eq!(out, "");
    for line in fs::read_to_string(place.path("t.json")).unwrap().lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let is_known_to_no_node = entry["what"] == "fault" || entry["what"] == "usable";
        assert!(entry["t_s"].is_string() && entry["node"].is_string() != is_known_to_no_node, "{line}");
    }
    // The block type of a pcapng section header.
    assert!(fs::read(place.path("t.pcapng")).unwrap().starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]));
    assert_snapshot!(place.cardiogram("trace small.toml --strategy none --json - --pcap -").failed(2), @"error: --pcap and --json would be mixed up on the standard output; write one of them to a file\n  = help: nothing was written");
    assert_snapshot!(place.cardiogram("trace small.toml --strategy none --json no/t.json").failed(2), @r"
    error: cannot write to no/t.json: No such file or directory (os error 2)
      = help: what was there before is untouched
    ");
}
