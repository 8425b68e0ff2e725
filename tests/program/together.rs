//! Two commands at once on one directory: each comes to whole results or is refused with words that say who is there. And what
//! the lab leaves alone: other people's files.

use std::{
    fs,
    process::{Child, Stdio},
};

use insta::assert_snapshot;
use kit::{
    place,
    place::{Done, Place},
};

/// Returns how often each pair of commands is tried: few here. 200 were tried by hand.
fn rounds() -> usize {
    std::env::var("CARDIOGRAM_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

const SCENARIO: &str = r#"
name = "tiny"
strategies = ["netease-30-15"]
duration = "5m"
access = "lte-near"
core = "backbone"
"#;

/// Returns a place with a scenario, two shards of its plan in `1` and `2`, its results in `out` and `whole`, and their
/// baseline.
fn prepared() -> Place {
    let place = place!();
    place.write("tiny.toml", SCENARIO);
    for command in [
        "run tiny.toml --seeds 6 --engine event --shard 1/2 --out 1",
        "run tiny.toml --seeds 6 --engine event --shard 2/2 --out 2",
        "run tiny.toml --seeds 6 --engine event --out out",
        "run tiny.toml --seeds 6 --engine event --out whole",
        "baseline whole --out baseline.json",
    ] {
        place.cardiogram(&format!("{command} -q")).good();
    }
    place
}

fn start(place: &Place, command: &str) -> Child {
    place.command(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn two_commands_at_once_end_whole_or_refused() {
    let place = prepared();
    let writers = [
        "run tiny.toml --seeds 6 --engine event --out out --force -q",
        "merge 1 2 --out out --force -q",
        "report out -q",
    ];
    let readers = [
        "baseline out --out read.json -q",
        "gate out --baseline baseline.json --junit read.xml -q",
        "merge out --out read --force -q",
    ];
    let expected = place.files("whole");
    for first in writers {
        for second in writers.iter().chain(&readers) {
            for _ in 0..rounds() {
                let children = [start(&place, first), start(&place, second)];
                for (command, child) in [first, second].into_iter().zip(children) {
                    let done = Done::from(child.wait_with_output().unwrap());
                    let words =
                        ["another process is writing to ", "no finished results", "disagree", "just writing it"];
                    let is_refused = done.code == Some(2) && words.iter().any(|words| done.err.contains(words));
                    assert!(done.code == Some(0) || is_refused, "{first} | {command}: {:?} {}", done.code, done.err);
                }
                assert!(place.files("out") == expected, "{first} | {second}");
                for name in ["read.json", "read.xml"] {
                    fs::remove_file(place.path(name)).ok();
                }
            }
        }
    }
}

#[test]
fn two_that_write_one_file_leave_one_of_theirs() {
    let place = prepared();
    let expected = fs::read(place.path("baseline.json")).unwrap();
    for _ in 0..rounds() {
        let children = ["1", "2"].map(|_| start(&place, "baseline whole --out both.json -q"));
        let done = children.map(|child| Done::from(child.wait_with_output().unwrap()));
        assert!(done.iter().any(|done| done.code == Some(0)), "{}{}", done[0].err, done[1].err);
        assert!(fs::read(place.path("both.json")).unwrap() == expected);
    }
    assert!(place.names().iter().all(|name| !name.contains("-new")), "{:?}", place.names());
}

#[test]
fn a_directory_with_files_of_the_users_is_refused_and_left_alone() {
    let place = place!();
    fs::create_dir(place.path("report")).unwrap();
    place.write("report/thesis.tex", "mine");
    let before = place.files(".");
    for command in ["run small.toml --out .", "run small.toml --out . --force", "report ."] {
        let message = place.cardiogram(command).failed(2);
        assert!(place.files(".") == before, "{command}");
        if command.starts_with("run") {
            assert!(
                message.starts_with("error: . has files that are not the lab's: report, small.toml\n"),
                "{message}"
            );
        }
    }
    assert!(!place.path(".cardiogram").exists());
    assert_snapshot!(place.cardiogram("run small.toml --out .").failed(2), @r"
    error: . has files that are not the lab's: report, small.toml
      = help: name a directory that is new or empty, or move these away: nothing was written
    ");

    place.cardiogram("run small.toml --seeds 1 --out out -q").good();
    place.write("out/notes.md", "mine");
    place.write("out/report/thesis.tex", "mine");
    assert_snapshot!(place.cardiogram("report out").failed(2), @r"
    error: out/report has files that are not the lab's: thesis.tex
      = help: name a directory that is new or empty, or move these away: nothing was written
    ");
    fs::remove_file(place.path("out/report/thesis.tex")).unwrap();
    place.cardiogram("run small.toml --seeds 2 --out out --force -q").good();
    assert_eq!(fs::read_to_string(place.path("out/notes.md")).unwrap(), "mine");
}

#[test]
fn another_plan_and_what_is_unfinished_are_not_replaced_in_silence() {
    let place = place!();
    place.cardiogram("run small.toml --seeds 1 --out out -q").good();
    let first = place.files("out");
    assert_snapshot!(place.cardiogram("run small.toml --seeds 2 --out out").failed(2), @r"
    error: out has the results of another plan, those of `cardiogram run small.toml --seeds 1 --out out -q`
      = help: `--force` replaces them; `--out DIR` writes elsewhere
    ");
    let again = place.cardiogram("run small.toml --seeds 1 --out out");
    assert_eq!((again.code, again.err.as_str()), (Some(0), "going on: 2 of 2 runs are finished already\n"));
    assert!(place.files("out") == first);

    // Two plans have two places.
    place.cardiogram("run small.toml --seeds 1 -q").good();
    place.cardiogram("run small.toml --seeds 2 -q").good();
    assert_eq!(fs::read_dir(place.path("cardiogram-out")).unwrap().count(), if cfg!(unix) { 3 } else { 2 });
}

#[cfg(unix)]
#[test]
fn what_a_person_names_is_written_through_links_pipes_and_devices() {
    let place = prepared();
    place.write("target.json", "old");
    std::os::unix::fs::symlink("target.json", place.path("link.json")).unwrap();
    place.cardiogram("baseline whole --out link.json -q").good();
    assert!(place.path("link.json").is_symlink());
    let expected = fs::read(place.path("baseline.json")).unwrap();
    assert!(fs::read(place.path("target.json")).unwrap() == expected);
    for out in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let printed = place.cardiogram(&format!("baseline whole --out {out} -q")).good();
        assert!(printed.as_bytes() == expected, "{out}");
    }
    place.cardiogram("gate whole --baseline baseline.json --junit /dev/null --summary /dev/null -q").good();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    for (command, words) in [
        ("gate whole --baseline baseline.json --junit a --summary ./a", "--junit and --summary would both write ./a"),
        (
            "gate whole --baseline baseline.json --junit baseline.json",
            "--junit would write over baseline.json, which is the baseline",
        ),
        (
            "gate whole --baseline target.json --summary link.json",
            "--summary would write over link.json, which is the baseline",
        ),
        (
            "baseline whole --out whole/runs.csv",
            "--out would write over whole/runs.csv, which is a file of the results",
        ),
    ] {
        let message = place.cardiogram(command).failed(2);
        assert!(message.contains(words), "{command}: {message}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_changes_no_exit_code() {
    let place = prepared();
    place.write("worse.toml", SCENARIO.replace("\"netease-30-15\"", "\"wechat-270\""));
    for (command, code) in [
        ("run tiny.toml --seeds 6 --engine event --out out", 0),
        ("run nothing.toml", 2),
        ("list scenarios", 0),
        ("show healthy", 0),
        ("show nothing", 2),
        ("check tiny.toml", 0),
        ("check missing.toml", 2),
        ("schema", 0),
        ("trace healthy --strategy netease-30-15", 0),
        ("trace healthy --strategy netease-30-15 --json -", 0),
        ("trace healthy --strategy netease-30-15 --json /dev/stdout", 0),
        ("report whole", 0),
        ("report nowhere", 2),
        ("merge 1 2 --out merged", 0),
        ("merge 1 --out part", 2),
        ("baseline whole --out again.json", 0),
        ("gate whole --baseline baseline.json", 0),
        ("gate 1 --baseline baseline.json", 2),
        ("--help", 0),
    ] {
        let mut child = start(&place, command);
        drop(child.stdout.take());
        let done = Done::from(child.wait_with_output().unwrap());
        assert_eq!(done.code, Some(code), "{command}: {}", done.err);
    }
}

#[test]
fn a_gate_that_fails_does_so_for_a_reader_that_has_gone_too() {
    let place = place!();
    let scenario = place::SCENARIO.replace("\"qq-fixed-45\", ", "");
    place.write("small.toml", &scenario);
    let beat =
        |interval: &str| format!("name = \"app\"\n\n[heartbeat.fixed]\ninterval = \"{interval}\"\ntimeout = \"10s\"\n");
    place.write("app.toml", beat("30s"));
    place.cardiogram("run small.toml --strategy app.toml --engine event --out then -q").good();
    place.cardiogram("baseline then --out baseline.json -q").good();
    place.write("app.toml", beat("10m"));
    place.cardiogram("run small.toml --strategy app.toml --engine event --out now -q").good();
    let mut child = start(&place, "gate now --baseline baseline.json");
    drop(child.stdout.take());
    let done = Done::from(child.wait_with_output().unwrap());
    assert_eq!(done.code, Some(1), "{}", done.err);
}
