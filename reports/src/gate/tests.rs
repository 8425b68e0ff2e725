//! The gate on small results that are made up: what is read, written, refused and judged. That it finds real changes is
//! tested with the whole program.

use std::{fs, path::Path};

use cardiogram_results::{
    Decimal,
    manifest::{self, Manifest, ManifestScenario, ManifestStrategy},
    rows::RunRow,
};
use proptest::prelude::*;

use super::{
    Bands, Baseline, Comparison, Error, Metric, Results, Strictness, Verdict, check, compare, read, write_files,
};

const SCENARIOS: [&str; 3] = ["calm", "rough", "stormy"];
const STRATEGIES: [&str; 2] = ["beat-60", "none"];

/// Results that are made up: nothing breaks in the first scenario, and in the others everything costs something that the
/// seed changes a little.
fn write(dir: &Path, seeds: u64) {
    let strategies = STRATEGIES.map(|name| ManifestStrategy {
        name: name.to_owned(),
        built_in: false,
        family: None,
        warnings: Vec::new(),
        hash: manifest::hash(name),
        text: name.to_owned(),
    });
    let scenarios = SCENARIOS.map(|name| ManifestScenario {
        name: name.to_owned(),
        duration_s: 86_400.0,
        strategies: STRATEGIES.map(str::to_owned).to_vec(),
        reference: None,
        built_in: false,
        hash: manifest::hash(name),
        text: name.to_owned(),
    });
    let manifest = Manifest {
        version: manifest::VERSION.to_owned(),
        engine: "auto".to_owned(),
        first_seed: 1,
        seeds,
        shard: "1/1".to_owned(),
        scenarios: scenarios.to_vec(),
        strategies: strategies.to_vec(),
        sweep: None,
        files: Vec::new(),
    };
    fs::write(dir.join(manifest::FILE_NAME), serde_json::to_string_pretty(&manifest).unwrap()).unwrap();
    let mut runs = csv::Writer::from_path(dir.join("runs.csv")).unwrap();
    for (place, scenario) in SCENARIOS.into_iter().enumerate() {
        for strategy in STRATEGIES {
            for seed in 1..=seeds {
                runs.serialize(row(place as u64, scenario, strategy, seed)).unwrap();
            }
        }
    }
    runs.flush().unwrap();
}

fn row(breaks: u64, scenario: &str, strategy: &str, seed: u64) -> RunRow {
    // One part in a thousand more with each seed, in turns.
    let vary = |value: u64| value * (1_000 + seed * 7 % 5);
    let decimal = |value: u64| Decimal::from_millionths(vary(value) * 1_000);
    let broken = |value: u64| (breaks > 0).then(|| decimal(value));
    RunRow {
        scenario: scenario.to_owned(),
        strategy: strategy.to_owned(),
        seed,
        engine: "event".to_owned(),
        device_hours: Decimal::from_millionths(24_000_000),
        episodes: 40 * breaks,
        detected: 30 * breaks,
        ridden_out: 6 * breaks,
        undetected: 4 * breaks,
        false_alarms: 12 * breaks,
        detect_mean_s: broken(40),
        detect_p95_s: broken(75),
        recover_mean_s: broken(41),
        availability: Some(Decimal::from_millionths(1_000_000 - 50_000 * breaks)),
        packets_up: vary(9),
        packets_down: vary(8),
        bytes_up: vary(500),
        bytes_down: vary(400),
        connect_attempts: 50,
        trace_hash: format!("{seed:032x}"),
        pushes_created: 100,
        pushes_delivered: 100 - 5 * breaks,
        push_delay_mean_s: broken(3),
        messages_created: 100,
        messages_delivered: 100 - 5 * breaks,
        messages_waiting: 5 * breaks,
        message_delay_mean_s: broken(4),
        message_delay_p95_s: broken(20),
        energy_j: broken(500),
        attempts_peak_per_s: 40,
        nat_expiries: 24 * breaks,
        downtime_s: decimal(1_900 * breaks),
        unavoidable_s: decimal(100 * breaks),
        unnoticed_s: decimal(1_000 * breaks),
        waiting_s: decimal(500 * breaks),
        connecting_s: decimal(300 * breaks),
        ..RunRow::default()
    }
}

fn results(seeds: u64) -> (tempfile::TempDir, Results) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), seeds);
    let results = read(dir.path()).unwrap();
    (dir, results)
}

/// Replaces text in a file, which must have it.
fn edit(dir: &Path, file: &str, from: &str, to: &str) {
    let path = dir.join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

fn message(error: &Error) -> String {
    format!("{error}; {}", error.help())
}

fn parse(text: &str) -> Result<Baseline, Error> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("baseline.json");
    write_files(&[(&path, text.to_owned())]).unwrap();
    Baseline::read(&path)
}

/// Returns every metric of every cell multiplied by a number of its own for each seed.
fn scaled(baseline: &Baseline, factor: impl Fn(usize) -> f64) -> Baseline {
    let mut other = baseline.clone();
    for cell in other.cells.values_mut() {
        cell.digest = "another".to_owned();
        for (metric, values) in &mut cell.metrics {
            for (seed, value) in values.iter_mut().enumerate() {
                *value = value.map(|value| metric.round(value * factor(seed)));
            }
        }
    }
    other
}

#[test]
fn a_baseline_reads_back_as_it_was_written_and_equals_the_results_it_is_of() {
    for seeds in [5, 6, 11] {
        let (_dir, results) = results(seeds);
        let text = results.baseline().to_json();
        assert!(text.ends_with("}\n"));
        let back = parse(&text).unwrap();
        assert_eq!(&back, results.baseline());
        assert_eq!(back.to_json(), text);
        check(&back, results.baseline()).unwrap();
        let comparison = compare(&back, results.baseline(), &Bands::default());
        assert!(comparison.cells.iter().all(super::CellComparison::is_identical));
        assert_eq!(comparison.family, 0);
        assert!(comparison.passes(Strictness::Strict));
    }
}

#[test]
fn further_columns_are_left_alone_and_stable_ones_are_missed_by_name() {
    let (dir, results) = results(2);
    let path = dir.path().join("runs.csv");
    let text = fs::read_to_string(&path).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let more = format!("{header},mood\n{}", rows.replace('\n', ",fine\n"));
    fs::write(&path, more).unwrap();
    assert_eq!(read(dir.path()).unwrap().baseline(), results.baseline());
    fs::write(&path, text.replace("availability", "uptime").replace("trace_hash", "hash")).unwrap();
    let error = message(&read(dir.path()).unwrap_err());
    assert!(
        error.contains(
            "runs.csv: line 1: columns are missing: `availability`, `trace_hash`; unknown are: `uptime`, `hash`; "
        ),
        "{error}"
    );
}

#[test]
fn results_that_are_not_whole_are_refused_with_file_and_line() {
    let row = "calm,none,2,event,";
    let cases: [(&str, &str, &str, &str); 9] = [
        ("runs.csv", row, "calm,none,3,event,", "runs.csv: line 5: manifest.json plans no such run"),
        ("runs.csv", row, "calm,nobody,2,event,", "runs.csv: line 5: `strategy` is `nobody`"),
        ("runs.csv", row, "calm,none,1,event,", "runs.csv: line 5: this run was there before"),
        ("runs.csv", row, "calm,none,2,event,-", "runs.csv: line 5: `device_hours` is `-24.000000`"),
        ("runs.csv", row, "calm,none,2,event,,", "runs.csv: line 5: 86 fields instead of 85"),
        ("manifest.json", "\"1/1\"", "\"1/2\"", "is of shard 1/2, which is not the whole plan; `cardiogram merge"),
        ("manifest.json", "\"engine\"", "engine", "manifest.json: line "),
        ("manifest.json", env!("CARGO_PKG_VERSION"), "0.0.1", "are of cardiogram 0.0.1, and this is"),
        (
            "manifest.json",
            "\"seeds\": 2",
            "\"seeds\": 3",
            "runs.csv: scenario `calm`, strategy `beat-60`, seed 3: there is no row",
        ),
    ];
    for (file, from, to, expected) in cases {
        let (dir, _) = results(2);
        edit(dir.path(), file, from, to);
        let error = message(&read(dir.path()).unwrap_err());
        assert!(error.contains(expected), "{error}\ndoes not say\n{expected}");
    }
}

#[test]
fn a_damaged_baseline_is_refused_with_the_line_or_the_cell_and_what_to_do() {
    let (_dir, results) = results(2);
    let text = results.baseline().to_json();
    let line = text.lines().position(|line| line.contains("\"mean\"")).unwrap();
    let metric = text.lines().nth(line).unwrap();
    let mean =
        format!("{}\"mean\":1234.5,{}", metric.split_once("\"mean\"").unwrap().0, metric.split_once(',').unwrap().1);
    let cut: String = text.split_inclusive('\n').take(line).collect();
    let cases = [
        (cut.clone(), format!("line {}: EOF while parsing", line + 1)),
        (String::new(), "line 1: EOF while parsing".to_owned()),
        (format!("{cut}<<<<<<< HEAD\n"), format!("line {}: a merge conflict is not resolved", line + 1)),
        (text.replacen(metric, &mean, 1), "has values with the mean".to_owned()),
        (text.replacen("\"packets_per_h\"", "\"speed\"", 1), "unknown variant `speed`".to_owned()),
        (text.replacen("\"seeds\": 2", "\"seeds\": 3", 1), "values for 3 seeds".to_owned()),
        (text.replacen("\"format\": 1", "\"format\": 2", 1), "its format is 2, and this cardiogram reads 1".to_owned()),
        (text.replacen(env!("CARGO_PKG_VERSION"), "0.0.1", 1), "it is of cardiogram 0.0.1, and this is".to_owned()),
        (text.replacen("\"seeds\": 2", "\"seeds\": 1000000", 1), "more than the 1000000 runs of one plan".to_owned()),
        (text.replacen("\"strategy\":\"none\"", "\"strategy\":\"nobody\"", 1), "do not list it".to_owned()),
    ];
    for (text, expected) in cases {
        let error = message(&parse(&text).unwrap_err());
        assert!(error.contains(&expected), "{error}\ndoes not say\n{expected}");
        assert!(error.contains("cardiogram baseline DIR --out FILE") && error.contains("baseline.json"), "{error}");
    }
}

#[test]
fn a_baseline_is_not_read_beyond_its_limit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("baseline.json");
    fs::File::create(&path).unwrap().set_len((64 << 20) + 1).unwrap();
    let error = message(&Baseline::read(&path).unwrap_err());
    assert!(error.contains("is longer than 64 MiB, the most that is read here; restore it"), "{error}");
}

#[test]
fn results_are_not_read_beyond_their_limits() {
    let (dir, _) = results(1);
    for (name, bytes, limit) in [("runs.csv", 4_u64 << 30, "4 GiB"), ("manifest.json", 64 << 20, "64 MiB")] {
        fs::OpenOptions::new().write(true).open(dir.path().join(name)).unwrap().set_len(bytes + 1).unwrap();
        let error = message(&read(dir.path()).unwrap_err());
        assert!(error.contains(name) && error.contains(limit), "{error}");
    }
}

#[test]
fn every_metric_knows_better_from_worse() {
    let (_dir, results) = results(5);
    let then = results.baseline();
    for (factor, verdict) in [(1.5, Verdict::Regression), (0.5, Verdict::Improvement), (1.001, Verdict::Equivalent)] {
        let comparison = compare(then, &scaled(then, |_| factor), &Bands::default());
        // Values near zero are within the absolute band, and half of a peak of 40 is as far as the others.
        let large = comparison.cells.iter().flat_map(|cell| &cell.metrics);
        let large: Vec<_> = large.filter(|it| it.baseline.is_some_and(|then| then * 0.4 > it.margin)).collect();
        assert!(Metric::ALL.iter().all(|metric| large.iter().any(|it| it.metric == *metric)));
        for it in large {
            assert_eq!(it.verdict, verdict, "{it:?}");
        }
    }
}

#[test]
fn a_constant_difference_needs_no_statistics() {
    let (_dir, results) = results(2);
    let then = results.baseline();
    let mut now = then.clone();
    let cell = now.cells.values_mut().next().unwrap();
    cell.digest = "another".to_owned();
    let values = cell.metrics.get_mut(&Metric::FalseAlarmsPerDay).unwrap();
    assert_eq!(values[..], [Some(0.0), Some(0.0)]);
    *values = vec![Some(0.021), Some(0.021)];
    let comparison = compare(then, &now, &Bands::default());
    let regressions: Vec<_> = comparison.with(Verdict::Regression).collect();
    let [(_, it)] = regressions[..] else { panic!("{regressions:?}") };
    assert_eq!(
        (it.metric, it.interval, it.worst.map(|it| it.seed)),
        (Metric::FalseAlarmsPerDay, Some((0.021, 0.021)), Some(1))
    );
    assert!(!comparison.passes(Strictness::AllowUndecided));
}

#[test]
fn what_is_gone_is_reported_and_passes_only_where_that_is_allowed() {
    let (_dir, results) = results(5);
    let then = results.baseline();
    let mut now = then.clone();
    let cell = now.cells.values_mut().next().unwrap();
    cell.digest = "another".to_owned();
    cell.metrics.remove(&Metric::PacketsPerH);
    let comparison = compare(then, &now, &Bands::default());
    let undecided: Vec<_> = comparison.with(Verdict::Undecided).map(|(_, it)| it).collect();
    let [it] = undecided[..] else { panic!("{undecided:?}") };
    assert_eq!((it.metric, it.unpaired, it.current), (Metric::PacketsPerH, 5, None));
    assert!(comparison.passes(Strictness::AllowUndecided) && !comparison.passes(Strictness::Normal));
    let table = comparison.table(&results);
    assert!(table.contains("gone") && table.contains("there is no value any more"), "{table}");
}

#[test]
fn numbers_that_change_without_their_runs_are_told() {
    let (_dir, results) = results(5);
    let then = results.baseline();
    let mut now = scaled(then, |_| 1.5);
    for (name, cell) in &mut now.cells {
        cell.digest.clone_from(&then.cells[name].digest);
    }
    let comparison = compare(then, &now, &Bands::default());
    assert!(!comparison.passes(Strictness::AllowUndecided));
    let table = comparison.table(&results);
    assert!(table.contains("so what is measured has changed: "), "{table}");
}

#[test]
fn ignored_metrics_are_not_compared_and_bands_are_those_of_the_file() {
    let (_dir, results) = results(5);
    let then = results.baseline();
    let now = scaled(then, |_| 1.5);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bands.toml");
    let bands = |text: String| {
        fs::write(&path, text).unwrap();
        Bands::read(&path)
    };
    let wide = Metric::ALL.map(|it| format!("{} = {{ relative = 0.6, absolute = 10 }}", it.name())).join("\n");
    let comparison = compare(then, &now, &bands(format!("[band]\n{wide}")).unwrap());
    assert_eq!(comparison.worse(), 0);
    let all: Vec<_> = Metric::ALL.iter().map(|it| format!("\"{}\"", it.name())).collect();
    let comparison = compare(then, &now, &bands(format!("ignore = [{}]", all.join(", "))).unwrap());
    assert_eq!(comparison.family, 0);
}

/// The form of a comparison is the same whatever it says.
fn check_form(comparison: &Comparison, results: &Results) {
    for strictness in [Strictness::AllowUndecided, Strictness::Normal, Strictness::Strict] {
        let xml = comparison.junit(strictness);
        let document = roxmltree::Document::parse(&xml).unwrap();
        let root = document.root_element();
        let count = |name: &str| root.descendants().filter(|node| node.has_tag_name(name)).count();
        let says = |attribute: &str| root.attribute(attribute).unwrap().parse::<usize>().unwrap();
        assert_eq!(count("testcase"), says("tests"));
        assert_eq!(count("failure"), says("failures"));
        assert_eq!(count("skipped"), says("skipped"));
        assert_eq!(says("failures") == 0, comparison.passes(strictness));
        for suite in root.children().filter(roxmltree::Node::is_element) {
            let cases = suite.children().filter(|node| node.has_tag_name("testcase")).count();
            assert_eq!(suite.attribute("tests"), Some(cases.to_string().as_str()));
        }
        let markdown = comparison.markdown(results, strictness);
        let title = if comparison.passes(strictness) { "passed" } else { "failed" };
        assert!(markdown.starts_with(&format!("## cardiogram gate: {title}\n")), "{markdown}");
    }
}

#[test]
fn a_cell_that_the_baseline_has_not_is_skipped_and_told() {
    let (_dir, results) = results(5);
    let mut then = results.baseline().clone();
    let (name, _) = then.cells.pop_first().unwrap();
    check(&then, results.baseline()).unwrap();
    let comparison = compare(&then, results.baseline(), &Bands::default());
    assert_eq!(comparison.new, [name]);
    assert!(comparison.passes(Strictness::Strict));
    assert!(comparison.table(&results).contains("Not in the baseline and not compared: "));
    check_form(&comparison, &results);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_outcome_has_its_form_twice_the_same(factors in prop::collection::vec(0.5_f64..2.0, 5)) {
        let (_dir, results) = results(5);
        let then = results.baseline();
        let now = scaled(then, |seed| factors[seed]);
        let comparison = compare(then, &now, &Bands::default());
        check_form(&comparison, &results);
        prop_assert_eq!(&comparison, &compare(then, &now, &Bands::default()));
        prop_assert_eq!(comparison.junit(Strictness::Strict), comparison.junit(Strictness::Strict));
    }

    #[test]
    fn swapping_the_sides_swaps_the_signs(factors in prop::collection::vec(0.5_f64..2.0, 5)) {
        let (_dir, results) = results(5);
        let then = results.baseline();
        let now = scaled(then, |seed| factors[seed]);
        let there = compare(then, &now, &Bands::default());
        let back = compare(&now, then, &Bands::default());
        for (a, b) in there.cells.iter().zip(&back.cells).flat_map(|(a, b)| a.metrics.iter().zip(&b.metrics)) {
            let (Some(a), Some(b)) = (a.interval, b.interval) else { continue };
            let scale = a.0.abs().max(a.1.abs()).max(1e-9);
            prop_assert!((a.0 + b.1).abs() < 1e-9 * scale && (a.1 + b.0).abs() < 1e-9 * scale);
        }
    }
}
