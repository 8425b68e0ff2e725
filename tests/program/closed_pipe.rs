//! A reader that has gone changes no exit code: every subcommand, for good input and bad, with its output closed from the start,
//! and with both of its outputs closed.

use std::{collections::BTreeSet, io, process::Stdio};

use kit::{place, place::Place};

const SCENARIO: &str = r#"
name = "tiny"
strategies = ["netease-30-15"]
duration = "5m"
access = "lte-near"
core = "backbone"

[[faults]]
cut = { when.at = ["1m"], lasts = "90s" }
"#;

const PLAN: &str = r#"
name = "swept"
about = "Two points."
scenario = "./tiny.toml"
strategies = ["netease-30-15"]

[[axis]]
scenario = "faults[0].cut.lasts"
values = ["30s", "90s"]
"#;

/// A run in which `STRATEGY` is asked for its promise to give up no session that is well.
const REPLAY: &str = r#"
name = "replayed"
strategies = ["STRATEGY"]
duration = "10m"
access.delay = "30ms"
core.delay = "20ms"

[replay]
seed = 1
trace_hash = "00000000000000000000000000000000"
promise = "no-false-alarm"
"#;

/// Commands and their exit codes.
const CASES: [(&str, i32); 50] = [
    ("run tiny.toml --seeds 2 --engine event --out out", 0),
    ("run tiny.toml --dry-run", 0),
    ("run nothing.toml", 2),
    ("sweep plan.toml --seeds 1 --engine event --out swept", 0),
    ("sweep plan.toml --dry-run", 0),
    ("sweep tiny.toml", 2),
    ("list scenarios", 0),
    ("list strategies", 0),
    ("list networks --json", 0),
    ("list nothing", 2),
    ("show healthy", 0),
    ("show wechat-270 --scenario healthy", 0),
    ("show nothing", 2),
    ("chart record.jsonl --out -", 0),
    ("chart record.jsonl --out chart.png", 0),
    ("chart tiny.toml --out -", 2),
    ("check tiny.toml", 0),
    ("check tiny.toml plan.toml --json", 0),
    ("check tiny.toml missing.toml", 2),
    ("check missing.toml --json", 2),
    ("schema", 0),
    ("schema sweep", 0),
    ("schema nothing", 2),
    ("trace healthy --strategy netease-30-15", 0),
    ("trace healthy --strategy netease-30-15 --json -", 0),
    ("trace healthy --strategy netease-30-15 --pcap -", 0),
    ("trace healthy --strategy netease-30-15 --json /dev/stdout", 0),
    ("trace healthy --strategy nothing", 2),
    ("replay broken.toml", 1),
    ("replay kept.toml", 0),
    ("replay tiny.toml", 2),
    ("report whole", 0),
    ("report nowhere", 2),
    ("merge 1 2 --out merged", 0),
    ("merge 1 --out part", 2),
    ("baseline whole --out again.json", 0),
    ("baseline whole --out /dev/stdout", 0),
    ("baseline nowhere --out again.json", 2),
    ("gate whole --baseline baseline.json", 0),
    ("gate whole --baseline baseline.json --json --junit /dev/stdout", 0),
    ("gate worse --baseline baseline.json", 1),
    ("gate worse --baseline baseline.json --json", 1),
    ("gate 1 --baseline baseline.json", 2),
    ("completions bash", 0),
    ("completions nothing", 2),
    ("man", 0),
    ("man run", 0),
    ("man nothing", 2),
    ("--help", 0),
    ("--version", 0),
];

/// Returns a place with all that the cases name.
fn prepared() -> Place {
    let place = place!();
    place.write("tiny.toml", SCENARIO);
    place.write("record.jsonl", "{\"t_s\":\"3.000000\",\"what\":\"device\",\"event\":\"suspect\"}\n");
    place.write("plan.toml", PLAN);
    let beat = |interval: &str, timeout: &str| {
        format!("name = \"app\"\n\n[heartbeat.fixed]\ninterval = \"{interval}\"\ntimeout = \"{timeout}\"\n")
    };
    // Shorter than the round trip.
    place.write("hasty.toml", beat("30s", "40ms"));
    place.write("broken.toml", REPLAY.replace("STRATEGY", "./hasty.toml"));
    place.write("kept.toml", REPLAY.replace("STRATEGY", "netease-30-15"));
    let cardiogram = |command: &str| place.cardiogram(command).good();
    for (out, more) in
        [("1", "--shard 1/2"), ("2", "--shard 2/2"), ("whole", "--strategy app.toml"), ("worse", "--strategy app.toml")]
    {
        place.write("app.toml", beat(if out == "worse" { "10m" } else { "10s" }, "5s"));
        cardiogram(&format!("run tiny.toml --seeds 6 --engine event --out {out} {more} -q"));
    }
    cardiogram("baseline whole --out baseline.json -q");
    place
}

/// Returns the end of a pipe that nobody reads.
fn closed() -> Stdio {
    let (_, end) = io::pipe().unwrap();
    end.into()
}

#[test]
fn a_reader_that_has_gone_changes_no_exit_code() {
    let place = prepared();
    for (command, code) in CASES {
        let quiet = place.command(command).stdout(closed()).stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8_lossy(&quiet.stderr).into_owned();
        assert_eq!(quiet.status.code(), Some(code), "{command}: {told}");
        assert!(code != 0 || !told.contains("error: "), "{command}: {told}");
        let deaf = place.command(command).stdout(closed()).stderr(closed()).status().unwrap();
        assert_eq!(deaf.code(), Some(code), "{command}, with both closed");
    }
}

#[test]
fn every_subcommand_is_among_these() {
    let help = place!().cardiogram("--help").good();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let listed: BTreeSet<&str> =
        listed.filter_map(|line| line.split_whitespace().next()).filter(|it| *it != "help").collect();
    let tried: BTreeSet<&str> = CASES.iter().filter_map(|(command, _)| command.split(' ').next()).collect();
    assert!(listed.len() > 10, "{help}");
    assert!(listed.is_subset(&tried), "{:?}", listed.difference(&tried));
}
