//! `series.csv` against `runs.csv`: both tell of the same run, one over time.

use std::{collections::BTreeMap, fs};

use kit::{
    place,
    place::{Place, SCENARIO},
};

type Row = BTreeMap<String, String>;

fn table(place: &Place, file: &str) -> Vec<Row> {
    let text = fs::read_to_string(place.path(file)).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let columns = lines.next().unwrap();
    lines.map(|fields| columns.iter().cloned().zip(fields).collect()).collect()
}

/// A world in which the timeout of the NAT, the devices' network and the learnt interval change.
const SHIFTING: &str = r#"
name = "shifting"
strategies = ["linear-search", "none"]
duration = "5h50s"
access = "lte-near"
core = "backbone"
nat = { established = "10m" }
devices.count = 3

[networks.wifi]
kind = "wifi"
access = "wifi"
nat = "home-short"

[[faults]]
nat-timeout = { when.at = ["2h"], lasts = "1h", established = "4m" }

[[faults]]
network-switch = { when.at = ["4h"], to = "wifi" }
"#;

#[test]
fn the_series_of_a_run_adds_up_to_its_row() {
    let place = place!();
    place.write("shifting.toml", SHIFTING);
    place.cardiogram("run small.toml shifting.toml --seeds 2 --first-seed 3 -q").good();
    let series = table(&place, "cardiogram-out/latest/series.csv");
    let runs = table(&place, "cardiogram-out/latest/runs.csv");
    assert!(series.iter().all(|row| row["seed"] == "3"), "of the first seed alone");
    for run in runs.iter().filter(|run| run["seed"] == "3") {
        let is_of = |row: &&Row| row["scenario"] == run["scenario"] && row["strategy"] == run["strategy"];
        let bins: Vec<&Row> = series.iter().filter(is_of).collect();
        assert_eq!(bins.len(), if run["scenario"] == "small" { 225 } else { 238 });
        let count = |row: &Row, column: &str| row[column].parse::<u64>().unwrap();
        let attempts = |column: &'static str| bins.iter().map(move |bin| count(bin, column));
        assert_eq!(attempts("attempts").sum::<u64>(), count(run, "connect_attempts"));
        assert_eq!(attempts("attempts_peak_per_s").max(), Some(count(run, "attempts_peak_per_s")));
        let last = bins[bins.len() - 1];
        assert_eq!(last["interval_mean_s"], run["interval_last_s"]);
        assert_eq!(last["nat_timeout_s"], run["nat_timeout_s"]);
        // 30 min in bins of 8 s; 5 h 50 s in bins of 76 s, the last of which is narrower.
        let [begin, width] =
            if run["scenario"] == "small" { ["1792.000000", "8.000000"] } else { ["18012.000000", "38.000000"] };
        assert_eq!((last["begin_s"].as_str(), last["width_s"].as_str()), (begin, width));
    }
}

#[test]
fn timeouts_that_change_show_in_their_bins() {
    let place = place!();
    place.write("shifting.toml", SHIFTING);
    place.cardiogram("run shifting.toml --strategy none --seeds 1 -q").good();
    let series = table(&place, "cardiogram-out/latest/series.csv");
    let at = |hours: f64| {
        let bin = series.iter().rfind(|bin| bin["begin_s"].parse::<f64>().unwrap() < hours * 3_600.0).unwrap();
        bin["nat_timeout_s"].as_str()
    };
    assert_eq!(
        [1.9, 2.1, 2.9, 3.1, 3.9, 4.1].map(at),
        ["600.000000", "240.000000", "240.000000", "600.000000", "600.000000", "239.000000"]
    );
}

#[test]
fn plans_share_the_series_out_with_their_first_seeds() {
    let place = place!();
    place.write("other.toml", SCENARIO.replace("\"small\"", "\"other\""));
    let plan = "run small.toml other.toml --seeds 2 --engine event -q";
    place.cardiogram(&format!("{plan} --out whole")).good();
    let parts = ["1/2", "2/2"].map(|shard| {
        place.cardiogram(&format!("{plan} --shard {shard} --out part --force")).good();
        table(&place, "part/series.csv")
    });
    assert_eq!(parts[0], table(&place, "whole/series.csv"), "every other run is a first seed");
    assert_eq!(parts[1], Vec::<Row>::new());
}
