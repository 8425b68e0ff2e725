//! `cardiogram merge` end to end: shards together are the whole, byte for byte, and nothing else is taken for it.

use std::fs;

use insta::assert_snapshot;
use kit::{
    place,
    place::{Place, SCENARIO},
};

/// Returns a place with a shard of the plan `run small.toml --seeds 3` in each of the folders `1` to `of`.
fn shards(of: u32) -> Place {
    let place = place!();
    for index in 1..=of {
        run(&place, &format!("small.toml --seeds 3 --shard {index}/{of} --out {index}"));
    }
    place
}

fn run(place: &Place, arguments: &str) {
    place.cardiogram(&format!("run {arguments} --force -q")).good();
}

/// Replaces `from` by `to` in a file, which must have it.
fn edit(place: &Place, file: &str, from: &str, to: &str) {
    let text = fs::read_to_string(place.path(file)).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    place.write(file, text.replacen(from, to, 1));
}

/// Returns what a merge into `whole` that must fail says.
fn refusal(place: &Place, dirs: &str) -> String {
    let message = place.cardiogram(&format!("merge {dirs} --out whole")).failed(2);
    assert!(!place.path("whole").exists(), "nothing is written");
    message
}

#[test]
fn shards_in_any_order_become_the_whole_byte_for_byte() {
    for (of, dirs) in [(2, "2 1"), (3, "2 3 1")] {
        let place = shards(of);
        let whole = place.cardiogram("run small.toml --seeds 3 --out whole").good();
        let merged = place.cardiogram(&format!("merge {dirs} --out merged")).good();
        assert!(place.files("merged") == place.files("whole"));
        assert_eq!(merged, whole.replace("whole/report", "merged/report"));
    }
}

#[test]
fn scenarios_with_strategies_of_their_own_are_joined_in_their_order() {
    let place = place!();
    place.write("other.toml", SCENARIO.replace("\"small\"", "\"other\"").replace("\"qq-fixed-45\", ", ""));
    let plan = "small.toml other.toml --seeds 5 --first-seed 7 --engine event";
    run(&place, &format!("{plan} --out whole"));
    for index in 1..=4 {
        run(&place, &format!("{plan} --shard {index}/4 --out {index}"));
    }
    place.cardiogram("merge 1 2 3 4 --out merged -q").good();
    assert!(place.files("merged") == place.files("whole"));
}

#[test]
fn more_shards_than_runs_are_a_whole_too() {
    let place = place!();
    run(&place, "small.toml --seeds 1 --out whole");
    for index in 1..=3 {
        run(&place, &format!("small.toml --seeds 1 --shard {index}/3 --out {index}"));
    }
    place.cardiogram("merge 1 2 3 --out merged -q").good();
    assert!(place.files("merged") == place.files("whole"));
}

#[test]
fn a_shard_that_is_missing_is_named() {
    let place = shards(3);
    assert_snapshot!(refusal(&place, "1 3"), @"error: shard 2/3 is missing; run the rest of the plan, then merge all");
    assert_snapshot!(refusal(&place, "2"), @"error: shards 1/3, 3/3 are missing; run the rest of the plan, then merge all");
    run(&place, "small.toml --seeds 3 --shard 2/1000000000000 --out far");
    assert_snapshot!(refusal(&place, "far"), @"error: shards 1/1000000000000, 3/1000000000000, 4/1000000000000, 5/1000000000000, 6/1000000000000 and 999999999994 more are missing; run the rest of the plan, then merge all");
}

#[test]
fn a_shard_that_is_given_twice_is_named() {
    let place = shards(2);
    assert_snapshot!(refusal(&place, "1 2 1"), @"error: 1 and 1 both hold shard 1/2; name each shard once");
}

#[test]
fn shards_of_different_plans_are_refused_with_what_differs() {
    let place = shards(2);
    run(&place, "small.toml --seeds 3 --shard 2/2 --out other --engine event");
    assert_snapshot!(refusal(&place, "1 other"), @"error: 1 and other are not of one plan: they differ in the engine (`auto` and `event`)");
    run(&place, "small.toml --seeds 4 --shard 2/2 --out other");
    assert_snapshot!(refusal(&place, "1 other"), @"error: 1 and other are not of one plan: they differ in the seeds (3 from 1 and 4 from 1)");
    run(&place, "small.toml healthy --strategy none --seeds 3 --shard 2/2 --out other");
    assert_snapshot!(refusal(&place, "1 other"), @"error: 1 and other are not of one plan: they differ in the scenarios (small and small, healthy)");
    run(&place, "small.toml --strategy weibo-120 --seeds 3 --shard 2/2 --out other");
    assert_snapshot!(refusal(&place, "1 other"), @"error: 1 and other are not of one plan: they differ in the strategies of scenario `small` (qq-fixed-45, netease-30-15 and weibo-120)");
    run(&place, "small.toml --seeds 3 --shard 2/3 --out other");
    assert_snapshot!(refusal(&place, "1 other"), @"error: 1 and other are not of one plan: they differ in the number of shards (2 and 3)");
    place.write("small.toml", SCENARIO.replace("90s", "91s"));
    run(&place, "small.toml --seeds 3 --shard 2/2 --out other");
    assert_snapshot!(refusal(&place, "1 other"), @"error: 1 and other are not of one plan: they differ in the file of scenario `small`");
}

#[test]
fn a_strategy_whose_file_changed_between_the_shards_is_refused() {
    let place = place!();
    let strategy = place.cardiogram("show qq-fixed-45").good().replace("name = \"qq-fixed-45\"", "name = \"mine\"");
    place.write("mine.toml", &strategy);
    run(&place, "small.toml --strategy mine.toml --seeds 2 --shard 1/2 --out 1");
    place.write("mine.toml", strategy + "# changed\n");
    run(&place, "small.toml --strategy mine.toml --seeds 2 --shard 2/2 --out 2");
    assert_snapshot!(refusal(&place, "1 2"), @"error: 1 and 2 are not of one plan: they differ in the file of strategy `mine`");
}

#[test]
fn results_of_another_version_are_refused() {
    let place = shards(2);
    edit(
        &place,
        "2/manifest.json",
        &format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION")),
        "\"version\": \"9.9.9\"",
    );
    assert_snapshot!(refusal(&place, "1 2").replace(env!("CARGO_PKG_VERSION"), "[version]"), @r"
    error: the results in 2 are of cardiogram 9.9.9, and this is [version]
      = help: use the version that ran, or run again with this one
    ");
}

#[test]
fn a_directory_without_finished_results_is_refused() {
    let place = shards(2);
    assert_snapshot!(refusal(&place, "1 nowhere"), @r"
    error: nowhere has no finished results: there is no manifest.json in it
      = help: name a directory that `cardiogram run --out DIR` wrote
    ");
    place.write("2/.cardiogram/journal", "");
    assert_snapshot!(refusal(&place, "1 2"), @r"
    error: 2 has no finished results: its journal is damaged
      = help: the same command goes on there
    ");
    fs::remove_file(place.path("2/.cardiogram/journal")).unwrap();
    fs::remove_file(place.path("2/episodes.csv")).unwrap();
    assert_snapshot!(refusal(&place, "1 2"), @r"
    error: cannot read 2/episodes.csv: No such file or directory (os error 2)
      = help: name a directory that `cardiogram run --out DIR` wrote
    ");
}

#[test]
fn results_that_were_changed_are_refused() {
    let cases = [
        ("manifest.json", "\"duration_s\"", "\"duration\""),
        ("manifest.json", "duration = \\\"30m\\\"", "duration = \\\"31m\\\""),
        ("runs.csv", "small,qq-fixed-45,2,", "small,qq-fixed-45,4,"),
        ("runs.csv", "small,qq-fixed-45,2,event,", "small,qq-fixed-45,2,event,a"),
        ("runs.csv", "availability", "uptime"),
        ("episodes.csv", "small,qq-fixed-45,2,", "small,qq-fixed-45,1,"),
        ("episodes.csv", ",cut,", ",cut,,"),
        ("series.csv", "attempts", "tries"),
        ("series.csv", "nat_timeout_s", "nat_timeout_s,mood"),
    ];
    let place = shards(2);
    let sealed = fs::read(place.path("2/runs.csv")).unwrap();
    edit(&place, "2/runs.csv", ",event,", ",event,1");
    assert_snapshot!(refusal(&place, "1 2"), @r"
    error: the files in 2 disagree: runs.csv is not the one that manifest.json was written with
      = help: run again: the file was changed or cut short, or the files are of different runs
    ");
    place.write("2/runs.csv", sealed);
    place.unseal("2");
    let messages = cases.map(|(file, from, to)| {
        let path = format!("2/{file}");
        let before = fs::read(place.path(&path)).unwrap();
        edit(&place, &path, from, to);
        let message = refusal(&place, "1 2");
        place.write(&path, before);
        message
    });
    assert_snapshot!(messages.concat(), @r"
    error: 2/manifest.json: line 17: missing field `duration_s`
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: 2/manifest.json: scenario `small`: the hash does not fit the text
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: 2/runs.csv: line 2: here should be scenario small, strategy qq-fixed-45, seed 2
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: 2/runs.csv: line 2: `a0.984564` is not a number with six decimals
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: 2/runs.csv: line 1: columns are missing: `availability`; unknown are: `uptime`
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: 2/episodes.csv: line 2: 0 rows of scenario small, strategy qq-fixed-45, seed 2 instead of 5 end before here
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: 2/episodes.csv: line 2: 13 fields instead of 12
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: 2/series.csv: line 1: columns are missing: `attempts`; unknown are: `tries`
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: 2/series.csv: line 1: the columns are not those of this version
      = help: run again: the file was changed or cut short, or the files are of different runs
    ");
}

#[test]
fn rows_that_are_lost_or_left_over_are_refused() {
    let place = shards(2);
    place.unseal("2");
    let messages = ["runs.csv", "episodes.csv", "series.csv"].map(|file| {
        let path = format!("2/{file}");
        let text = fs::read_to_string(place.path(&path)).unwrap();
        let last = text.lines().last().unwrap();
        let messages = [text.replace(&format!("{last}\n"), ""), format!("{text}{last}\n")].map(|changed| {
            place.write(&path, changed);
            refusal(&place, "1 2")
        });
        place.write(&path, &text);
        messages.concat()
    });
    assert_snapshot!(messages.concat(), @r"
    error: 2/runs.csv: line 6: here should be scenario small, strategy netease-30-15, seed 3
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: 2/runs.csv: line 7: this row belongs to no run of the shard, or to one that is there before
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: 2/episodes.csv: line 25: 4 rows of scenario small, strategy netease-30-15, seed 3 instead of 5 end before here
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: 2/episodes.csv: line 27: 6 rows of scenario small, strategy netease-30-15, seed 3 instead of 5 end before here
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: 2/series.csv: line 226: 224 rows of scenario small, strategy netease-30-15, seed 1 instead of 225 end before here
      = help: run again: the file was changed or cut short, or the files are of different runs
    error: 2/series.csv: line 228: 226 rows of scenario small, strategy netease-30-15, seed 1 instead of 225 end before here
      = help: run again: the file was changed or cut short, or the files are of different runs
    ");
}

#[test]
fn the_whole_does_not_take_the_place_of_a_part_and_a_failure_leaves_earlier_results() {
    let place = shards(2);
    let before = place.files("1");
    assert_snapshot!(place.cardiogram("merge 1 2 --out ./1").failed(2), @"error: 1 is one of the shards; give the whole a directory of its own");
    assert!(place.files("1") == before);
    assert_snapshot!(place.cardiogram("merge 1 2 --out small.toml/whole").failed(2), @r"
    error: cannot write to small.toml/whole: Not a directory (os error 20)
      = help: what was there before is untouched
    ");
    place.cardiogram("merge 1 2 --out whole -q").good();
    let whole = place.files("whole");
    place.cardiogram("merge 1 --out whole").failed(2);
    assert!(place.files("whole") == whole);
}
