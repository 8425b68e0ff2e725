//! What reading results costs: `cargo bench --bench report`. Nothing here is asserted; `docs/benchmarks.md` says what the
//! lines mean.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use cardiogram::{
    policies::Registry,
    reports::gate::{self, Bands, Baseline},
    scenarios::manifest::{self, Manifest, ManifestScenario, ManifestStrategy},
};
use cardiogram_scenarios::{Decimal, rows::RunRow};

/// As many cells as the built-in scenarios have, about.
const SCENARIOS: u64 = 36;
const STRATEGIES: u64 = 12;
const SEEDS: u64 = 10;

fn main() {
    gate();
}

/// The gate on results as large as those of the whole library, in which every cell has changed a little.
fn gate() {
    let dir = std::env::temp_dir().join(format!("cardiogram-bench-{}", std::process::id()));
    let (then, now) = (dir.join("then"), dir.join("now"));
    write(&then, 0);
    write(&now, 1);
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
        let told = comparison.table(&results, &Registry::new()).len()
            + comparison.markdown(&results, false, &Registry::new()).len()
            + comparison.junit(false).len();
        assert!(told > 0);
        comparison.family
    });
    let bytes = fs::metadata(&file).map_or(0, |it| it.len());
    println!("the gate: {} cells with {SEEDS} seeds, all of them changed", SCENARIOS * STRATEGIES);
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
fn write(dir: &Path, build: u64) {
    fs::create_dir_all(dir).expect("a place to write");
    let strategies: Vec<String> = (0..STRATEGIES).map(|it| format!("strategy-number-{it}")).collect();
    let manifest = Manifest {
        version: manifest::VERSION.into(),
        engine: "auto".into(),
        first_seed: 1,
        seeds: SEEDS,
        shard: "1/1".into(),
        scenarios: (0..SCENARIOS)
            .map(|it| ManifestScenario {
                name: format!("scenario-number-{it}"),
                duration_s: 21_600.0,
                strategies: strategies.clone(),
                hash: manifest::hash(""),
                text: String::new(),
            })
            .collect(),
        strategies: strategies
            .iter()
            .map(|name| ManifestStrategy { name: name.clone(), hash: manifest::hash(""), text: String::new() })
            .collect(),
        sweep: None,
    };
    let text = serde_json::to_string(&manifest).expect("a manifest is plain data");
    fs::write(dir.join(manifest::FILE_NAME), text).expect("a place to write");
    let mut runs = csv::Writer::from_path(dir.join("runs.csv")).expect("a place to write");
    for scenario in &manifest.scenarios {
        for strategy in &strategies {
            for seed in 1..=SEEDS {
                runs.serialize(row(&scenario.name, strategy, seed, build)).expect("a row is plain data");
            }
        }
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
        episodes: 40,
        detected: 30,
        ridden_out: seed % 5,
        undetected: 10 - seed % 5,
        false_alarms: vary(1) % 7,
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
