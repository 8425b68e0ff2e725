//! `cardiogram sweep` end to end: a point is what somebody could have written by hand, and a sweep is a run like any other.

use std::fs;

use kit::{
    place,
    place::{Place, SCENARIO},
};
use serde_json::Value;

const PLAN: &str = r#"
name = "beats"
about = "Intervals against the length of a cut."
scenario = "small.toml"
strategies = ["qq-fixed-45"]
set.scenario.devices.count = 1

[[axis]]
label = "cut"
scenario = "faults[0].cut.lasts"
values = ["60s", "3m"]

[[axis]]
label = "interval"
strategy = "heartbeat.fixed.interval"
from = "20s"
to = "2m"
log_steps = 3
"#;

fn place() -> Place {
    let place = place!();
    place.write("plan.toml", PLAN);
    place
}

#[test]
fn every_point_is_run_and_the_manifest_says_which_is_which() {
    let place = place();
    let out = place.cardiogram("sweep plan.toml --seeds 2").good();
    assert!(out.starts_with("qq-fixed-45: availability (%) by cut\n  interval"), "{out}");
    assert!(out.lines().last().is_some_and(|line| line.starts_with("Report: cardiogram-out/beats-")), "{out}");
    let rows = place.rows("cardiogram-out/latest");
    assert_eq!(rows.iter().filter(|row| row.starts_with("runs.csv")).count(), 2 * 3 * 2);

    let manifest = fs::read_to_string(place.path("cardiogram-out/latest/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let sweep = &manifest["sweep"];
    assert_eq!((&sweep["name"], &sweep["axes"][0]["key"]), (&"beats".into(), &"faults[0].cut.lasts".into()));
    assert_eq!((&sweep["axes"][1]["target"], &sweep["axes"][1]["unit"]), (&"strategy".into(), &"s".into()));
    assert_eq!(sweep["axes"][1]["values"][1], serde_json::json!({ "text": "49s", "number": 49.0 }));
    let points = sweep["points"].as_array().unwrap();
    for (at, point) in points.iter().enumerate() {
        assert_eq!(point["index"], serde_json::json!([at / 3, at % 3]));
        let prefix = format!("runs.csv: {},{},", point["scenario"], point["strategy"]).replace('"', "");
        assert_eq!(rows.iter().filter(|row| row.starts_with(&prefix)).count(), 2, "{prefix}");
    }
    assert_eq!(points.len(), 6);
}

#[test]
fn a_point_comes_to_what_a_scenario_written_by_hand_comes_to() {
    let place = place();
    place.cardiogram("sweep plan.toml --seeds 2 --out sweep -q").good();
    let by_hand =
        SCENARIO.replace("devices.count = 2", "devices.count = 1").replace("lasts = \"90s\"", "lasts = \"3m\"");
    place.write("hand.toml", by_hand);
    let strategy = place.cardiogram("show qq-fixed-45").good().replace("interval = \"45s\"", "interval = \"49s\"");
    assert!(strategy.contains("49s"), "{strategy}");
    place.write("strategy.toml", strategy);
    place.cardiogram("run hand.toml --strategy strategy.toml --seeds 2 --out hand -q").good();
    let of_point = |row: &String| row.contains(": beats-cut-3m,qq-fixed-45-interval-49s,");
    let point: Vec<String> = place.rows("sweep").into_iter().filter(of_point).collect();
    let renamed = |row: String| row.replace(": small,qq-fixed-45,", ": beats-cut-3m,qq-fixed-45-interval-49s,");
    let hand: Vec<String> = place.rows("hand").into_iter().map(renamed).collect();
    assert!(hand.len() > 4, "{hand:?}");
    assert_eq!(point, hand);
}

#[test]
fn shards_of_a_sweep_become_the_whole_and_threads_do_not_show() {
    let place = place();
    let whole = place.cardiogram("sweep plan.toml --seeds 2 --jobs 1 --out whole").good();
    place.cardiogram("sweep plan.toml --seeds 2 --jobs 4 --out threads -q").good();
    assert!(place.files("threads") == place.files("whole"));
    for index in 1..=3 {
        place.cardiogram(&format!("sweep plan.toml --seeds 2 --shard {index}/3 --out {index} -q")).good();
    }
    let merged = place.cardiogram("merge 3 1 2 --out merged").good();
    assert!(place.files("merged") == place.files("whole"));
    assert_eq!(merged, whole.replace("whole/report", "merged/report"));
}

#[test]
fn shards_of_sweeps_that_differ_in_words_alone_are_not_joined() {
    let place = place();
    place.cardiogram("sweep plan.toml --seeds 1 --shard 1/2 --out 1 -q").good();
    place.write("plan.toml", PLAN.replace("Intervals against", "The interval against"));
    place.cardiogram("sweep plan.toml --seeds 1 --shard 2/2 --out 2 -q").good();
    let message = place.cardiogram("merge 1 2 --out whole").failed(2);
    insta::assert_snapshot!(message, @"error: 1 and 2 are not of one plan: they differ in the sweep that their runs are points of");
}

#[test]
fn a_plan_that_is_wrong_runs_nothing() {
    let place = place();
    place.write("wrong.toml", PLAN.replace("cut.lasts", "cut.last"));
    let message = place.cardiogram("sweep wrong.toml").failed(2);
    assert!(message.contains(" --> wrong.toml:10:12"), "{message}");
    assert_eq!(place.cardiogram("check wrong.toml").failed(2), message);
    assert!(!place.path("cardiogram-out").exists());
}

#[test]
fn strategies_of_one_name_are_refused_where_the_plan_names_the_second() {
    let place = place();
    place.write("mine.toml", place.cardiogram("show qq-fixed-45").good());
    place.write("twice.toml", PLAN.replace("[\"qq-fixed-45\"]", "[\"qq-fixed-45\", \"mine.toml\"]"));
    let message = place.cardiogram("check twice.toml").failed(2);
    assert!(
        message.contains("two strategies are named `qq-fixed-45`") && message.contains(" --> twice.toml:5:30"),
        "{message}"
    );
}

#[test]
fn check_says_how_many_points_a_plan_has() {
    let place = place();
    let said = place.cardiogram("check plan.toml").good();
    assert!(said.starts_with("plan.toml: sweep beats of 6 points, good (30 runs, "), "{said}");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/sweeps/interval-against-nat.toml");
    let said = place.cardiogram(&format!("check {example}")).good();
    assert!(said.contains(": sweep interval-against-nat of 100 points, good ("), "{said}");
}
