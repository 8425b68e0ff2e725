//! What stops a command halfway: a kill at every change it makes to the file system, and a disk that is full at every write. After
//! that, the directory has the old, the new, or says what is unfinished; the same command ends with the bytes of one that nobody
//! disturbed, and repeats no finished run (`halted.rs`). `killed.rs` does the same at random moments.
//!
//! `results/src/disk.rs` is where the program lets itself be stopped (`CARDIOGRAM_FAULT`, in debug builds).

#![cfg(debug_assertions)]

use std::{fs, path::PathBuf};

use kit::{
    place,
    place::{Done, Place},
};

use crate::halted::{Halted, noted};

/// More changes than any command here makes.
const CHANGES_MAX: usize = 200;

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

fn place_with_files() -> Place {
    let place = place!();
    place.write("tiny.toml", SCENARIO);
    place.write("plan.toml", PLAN);
    place
}

/// Runs a command that is stopped at its `at`-th change, or finds the disk full at its `at`-th write. `None` where it came to
/// its end before.
fn stopped(place: &Place, command: &str, kind: &str, at: usize) -> Option<Done> {
    let output = place.command(command).env("CARDIOGRAM_FAULT", format!("{kind}:{at}")).output().unwrap();
    let done = Done::from(output);
    done.err.contains("fault: ").then_some(done)
}

/// Kills `command`, which writes to the folder `out`, before every change that it makes, each time with what is there `before`.
fn kill_everywhere(command: &str, before: &Place, runs: usize) {
    let halted = Halted::new(command, &before.copy(), runs);
    for at in 1..CHANGES_MAX {
        let place = before.copy();
        let Some(done) = stopped(&place, &format!("{command} -q"), "kill", at) else {
            assert!(at > 10, "{command} changes something");
            return;
        };
        assert_eq!(done.code, Some(137), "{}", done.err);
        halted.check_between(&place, &done.err);
        halted.check_end(&place, &done.err);
    }
    panic!("{command} does not come to its end");
}

#[test]
fn a_run_that_is_killed_anywhere_goes_on_and_repeats_nothing() {
    kill_everywhere("run tiny.toml --seeds 2 --engine event --jobs 1 --out out", &place_with_files(), 2);
}

#[test]
fn a_sweep_that_is_killed_anywhere_goes_on_and_repeats_nothing() {
    kill_everywhere("sweep plan.toml --seeds 1 --engine event --jobs 1 --out out", &place_with_files(), 2);
}

#[test]
fn a_run_over_other_results_that_is_killed_anywhere_leaves_them_or_its_own() {
    let before = place_with_files();
    before.cardiogram("run tiny.toml --seeds 1 --engine event --out out -q").good();
    kill_everywhere("run tiny.toml --seeds 2 --engine event --jobs 1 --out out --force", &before, 0);
}

#[test]
fn a_merge_that_is_killed_anywhere_is_done_again() {
    let before = place_with_files();
    for shard in 1..=2 {
        let shard = format!("--shard {shard}/2 --out {shard}");
        before.cardiogram(&format!("run tiny.toml --seeds 2 --engine event -q {shard}")).good();
    }
    kill_everywhere("merge 1 2 --out out", &before, 0);
}

#[test]
fn a_report_that_is_killed_anywhere_is_written_again() {
    let before = place_with_files();
    before.cardiogram("run tiny.toml --seeds 1 --engine event --out out -q").good();
    // Another report than the one that is to come.
    before.cardiogram("report out --latex -q").good();
    kill_everywhere("report out", &before, 0);
}

#[test]
fn a_baseline_that_is_killed_anywhere_is_the_old_one_or_the_new_one() {
    let place = place_with_files();
    place.cardiogram("run tiny.toml --seeds 1 --engine event --out out -q").good();
    place.cardiogram("baseline out --out good.json -q").good();
    let good = fs::read(place.path("good.json")).unwrap();
    for at in 1..CHANGES_MAX {
        place.write("baseline.json", "old");
        let Some(done) = stopped(&place, "baseline out --out baseline.json -q", "kill", at) else {
            assert!(at > 2);
            assert!(fs::read(place.path("baseline.json")).unwrap() == good);
            return;
        };
        let now = fs::read(place.path("baseline.json")).unwrap();
        assert!(now == b"old" || now == good, "{}", done.err);
        place.cardiogram("baseline out --out baseline.json -q").good();
        assert!(fs::read(place.path("baseline.json")).unwrap() == good);
        assert!(!place.path(".baseline.json.cardiogram-new").exists(), "nothing is left beside it");
    }
    panic!("it does not come to its end");
}

#[test]
fn a_disk_that_is_full_at_any_write_costs_no_finished_run_and_no_earlier_result() {
    let command = "run tiny.toml --seeds 2 --engine event --jobs 1 --out out --force -q";
    let undisturbed = place_with_files();
    undisturbed.cardiogram(command).good();
    let expected = undisturbed.files("out");
    let place = place_with_files();
    place.cardiogram("run tiny.toml --seeds 1 --engine event --out out -q").good();
    let earlier = place.files("out");
    for at in 1..CHANGES_MAX {
        let before = noted(&place);
        let Some(done) = stopped(&place, command, "full", at) else {
            assert!(at > 5);
            assert!(place.files("out") == expected);
            return;
        };
        assert_eq!(done.code, Some(2), "{}", done.err);
        assert!(done.err.contains("error: cannot write to out"), "{}", done.err);
        assert!(noted(&place) >= before, "what is noted stays: {}", done.err);
        // Whatever it was that could not be written: the results are the earlier ones or the new ones.
        let now = place.files("out");
        let [table, report] = ["runs.csv", "report/index.html"].map(PathBuf::from);
        for name in [&table, &report] {
            assert!(now[name] == earlier[name] || now[name] == expected[name], "{}", done.err);
        }
    }
    panic!("it does not come to its end");
}
