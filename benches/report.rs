//! What reading results and telling of them costs: `cargo bench --bench report`. Nothing here is asserted; `docs/benchmarks.md` says what the
//! lines mean.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use cardiogram::{
    reports::gate::{self, Bands, Baseline, Strictness},
    results::manifest::{self, Manifest, ManifestScenario, ManifestStrategy},
};
use cardiogram_results::{
    Claim, Decimal,
    rows::{EpisodeRow, RunRow},
};

/// How much there is: scenarios, strategies in each, seeds of each.
#[derive(Clone, Copy)]
struct Size {
    scenarios: u64,
    strategies: u64,
    seeds: u64,
}

/// As many cells as the built-in scenarios have, about.
const LIBRARY: Size = Size { scenarios: 36, strategies: 12, seeds: 10 };
/// 100,000 runs.
const LARGE: Size = Size { scenarios: 40, strategies: 25, seeds: 100 };
/// Breaks of each of those runs: 1,000,000 in all.
const BREAKS: u64 = 10;

fn main() {
    gate();
    report();
}

/// The report of many runs and breaks.
fn report() {
    let dir = std::env::temp_dir().join(format!("cardiogram-bench-report-{}", std::process::id()));
    let claim = Claim::take(&dir, "a benchmark").expect("a place to write");
    write(&dir, LARGE, 0);
    write_episodes(&dir, LARGE);
    let (report, took) = timed(|| cardiogram::reports::write(&claim).expect("good results"));
    let runs = LARGE.scenarios * LARGE.strategies * LARGE.seeds;
    println!("the report: {runs} runs, {} episodes, {} scenarios", runs * BREAKS, LARGE.scenarios);
    println!("  read, worked out, drawn, written {:.1} s", took.as_secs_f64());
    println!("  peak memory of this process      {}", peak_memory());
    assert!(report.index.exists());
    let _ = fs::remove_dir_all(dir);
}

/// Linux only: it reads what the kernel says of the process.
fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or_else(|| "not known here".to_owned(), |peak| peak.trim().to_owned())
}

/// Breaks as the rows of `runs.csv` count them: of ten, seven or more are noticed, and none outlasts the run.
fn write_episodes(dir: &Path, size: Size) {
    let mut rows = csv::Writer::from_path(dir.join("episodes.csv")).expect("a place to write");
    for (scenario, strategy, seed) in runs(size) {
        for place in 0..BREAKS {
            let begin_s = 2_000 * place + (seed * 37 + place * 11) % 400;
            let lasts_s = 30 + (seed * 13 + place * 101 + strategy.len() as u64) % 500;
            let is_detected = place < detected(seed);
            let seconds = |seconds: u64| Decimal::from_millionths(seconds * 1_000_000);
            let row = EpisodeRow {
                scenario: scenario.clone(),
                strategy: strategy.clone(),
                seed,
                cause: if place % 3 == 0 { "cut" } else { "nat-flush" }.into(),
                begin_s: seconds(begin_s),
                end_s: Some(seconds(begin_s + lasts_s)),
                outcome: if is_detected { "detected" } else { "ridden-out" }.into(),
                detected_by: is_detected.then(|| "heartbeat".into()),
                detect_latency_s: is_detected.then(|| seconds(lasts_s - 1)),
                recovery_s: Some(seconds(lasts_s)),
                ..EpisodeRow::default()
            };
            rows.serialize(row).expect("a row is plain data");
        }
    }
    rows.flush().expect("a place to write");
}

/// Returns how many of a run's breaks are noticed.
fn detected(seed: u64) -> u64 {
    BREAKS - seed % 4
}

/// Returns every run by its names.
fn runs(size: Size) -> impl Iterator<Item = (String, String, u64)> {
    let scenarios = (0..size.scenarios).map(|it| format!("scenario-number-{it}"));
    scenarios.flat_map(move |scenario| {
        let strategies = (0..size.strategies).map(|it| format!("strategy-number-{it}"));
        strategies.flat_map(move |strategy| {
            let scenario = scenario.clone();
            (1..=size.seeds).map(move |seed| (scenario.clone(), strategy.clone(), seed))
        })
    })
}

/// The gate on results as large as those of the whole library, in which every cell has changed a little.
fn gate() {
    let dir = std::env::temp_dir().join(format!("cardiogram-bench-{}", std::process::id()));
    let (then, now) = (dir.join("then"), dir.join("now"));
    write(&then, LIBRARY, 0);
    write(&now, LIBRARY, 1);
    let file = dir.join("baseline.json");
    let ((), wrote) = timed(|| {
        let results = gate::read(&then).expect("good results");
        gate::write_files(&[(&file, results.baseline().to_json())]).expect("a place to write");
    });
    let (family, judged) = timed(|| {
        let baseline = Baseline::read(&file).expect("a good baseline");
        let results = gate::read(&now).expect("good results");
        gate::check(&baseline, results.baseline()).expect("the same worlds");
        let comparison = gate::compare(&baseline, results.baseline(), &Bands::default());
        let told = comparison.table(&results).len()
            + comparison.markdown(&results, Strictness::Normal).len()
            + comparison.junit(Strictness::Normal).len();
        assert!(told > 0);
        comparison.family
    });
    let bytes = fs::metadata(&file).map_or(0, |it| it.len());
    let Size { scenarios, strategies, seeds } = LIBRARY;
    println!("the gate: {} cells with {seeds} seeds, all of them changed", scenarios * strategies);
    println!("  writing a baseline of {} kB      {:.3} s", bytes / 1000, wrote.as_secs_f64());
    println!("  comparing, {family} intervals    {:.3} s", judged.as_secs_f64());
    let _ = fs::remove_dir_all(dir);
}

#[expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let value = work();
    (value, begin.elapsed())
}

/// Results that are made up, of the build `build`.
fn write(dir: &Path, size: Size, build: u64) {
    fs::create_dir_all(dir).expect("a place to write");
    let strategies: Vec<String> = (0..size.strategies).map(|it| format!("strategy-number-{it}")).collect();
    let manifest = Manifest {
        version: manifest::VERSION.into(),
        engine: "auto".into(),
        first_seed: 1,
        seeds: size.seeds,
        shard: "1/1".into(),
        scenarios: (0..size.scenarios)
            .map(|it| ManifestScenario {
                name: format!("scenario-number-{it}"),
                duration_s: 21_600.0,
                strategies: strategies.clone(),
                reference: None,
                built_in: false,
                hash: manifest::hash(""),
                text: String::new(),
            })
            .collect(),
        strategies: strategies
            .iter()
            .map(|name| ManifestStrategy {
                name: name.clone(),
                built_in: false,
                family: None,
                warnings: Vec::new(),
                hash: manifest::hash(""),
                text: String::new(),
            })
            .collect(),
        sweep: None,
        files: Vec::new(),
    };
    let text = serde_json::to_string(&manifest).expect("a manifest is plain data");
    fs::write(dir.join(manifest::FILE_NAME), text).expect("a place to write");
    let mut runs = csv::Writer::from_path(dir.join("runs.csv")).expect("a place to write");
    for (scenario, strategy, seed) in self::runs(size) {
        runs.serialize(row(&scenario, &strategy, seed, build)).expect("a row is plain data");
    }
    runs.flush().expect("a place to write");
}

fn row(scenario: &str, strategy: &str, seed: u64, build: u64) -> RunRow {
    let vary = |value: u64| value * (1_000 + (seed * 7 + build * seed) % 13);
    let decimal = |value: u64| Decimal::from_millionths(vary(value) * 1_000);
    RunRow {
        scenario: scenario.into(),
        strategy: strategy.into(),
        seed,
        engine: "event".into(),
        device_hours: decimal(72),
        episodes: BREAKS,
        detected: detected(seed),
        ridden_out: BREAKS - detected(seed),
        undetected: 0,
        false_alarms: 0,
        detect_mean_s: Some(decimal(70)),
        detect_p95_s: Some(decimal(130)),
        recover_mean_s: Some(decimal(71)),
        availability: Some(Decimal::from_millionths(900_000 + vary(1))),
        packets_up: vary(9),
        packets_down: vary(8),
        bytes_up: vary(500),
        bytes_down: vary(400),
        connect_attempts: vary(1),
        trace_hash: format!("{:032x}", seed + 1_000 * build),
        pushes_created: 1_000,
        pushes_delivered: 1_000 - seed,
        push_delay_mean_s: Some(decimal(3)),
        energy_j: Some(decimal(500)),
        attempts_peak_per_s: vary(1),
        nat_expiries: vary(1) % 11,
        ..RunRow::default()
    }
}
