//! A results directory as the gate sees it: `manifest.json` and `runs.csv`, read with limits and checked against each
//! other. `episodes.csv` is not read: the runs' rows have all that is compared.
//!
//! Columns are found by name. Those that are stable must be there, further ones may, and what is unknown is left alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use cardiogram_policies::Registry;
use cardiogram_scenarios::{
    manifest::{self, Manifest, VERSION},
    plan::Shard,
    runner,
};

use super::{
    baseline::{self, Baseline, Cell, CellName},
    error::Error,
    metric::{COLUMNS, Metric},
};
use crate::{commands, data::RUN_COLUMNS};

/// Most bytes of a manifest; it holds the texts of all scenarios.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// Most bytes of `runs.csv`: some two million rows.
const RUNS_BYTES_MAX: u64 = 1 << 30;
/// What to do about a directory that is none of results.
const WRONG_PLACE: &str = "name a directory that `cardiogram run --out DIR` wrote";
/// What to do about results that are too long.
const FEWER: &str = "compare fewer scenarios or seeds at a time";
/// What to do about results that are damaged.
const AGAIN: &str = "run again: the file was changed or cut short, or the files are of different runs";

/// What is in a results directory.
#[derive(Debug)]
pub struct Results {
    pub(crate) manifest: Manifest,
    baseline: Baseline,
}

impl Results {
    /// What is worth keeping of them.
    pub const fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// The command that shows the run of a cell with a seed. Names in it that end in `.toml` are not built in: they stand
    /// for the paths of the files that were run.
    pub fn command(&self, cell: &CellName, seed: u64, registry: &Registry) -> String {
        commands::trace(&self.manifest, &cell.scenario, &cell.strategy, seed, registry)
    }
}

/// Reads the results in `dir`: those of a complete plan of this version.
///
/// # Errors
///
/// Where they are missing, unreadable, damaged or too long; where they are of a part of a plan, of an unfinished one, or
/// of another version.
pub fn read(dir: &Path) -> Result<Results, Error> {
    if runner::is_unfinished(dir) {
        let problem = format!("{} has no finished results: a run there has not come to its end", dir.display());
        return Err(Error::refused(problem, "the same `cardiogram run` goes on there"));
    }
    let manifest = read_manifest(&dir.join(manifest::FILE_NAME))?;
    let path = dir.join("runs.csv");
    let runs = read_runs(&path, &manifest)?;
    let mut cells = BTreeMap::new();
    for scenario in &manifest.scenarios {
        for strategy in &scenario.strategies {
            let name = CellName { scenario: scenario.name.clone(), strategy: strategy.clone() };
            let cell = cell(&name, &manifest, &runs).map_err(|problem| damaged(&path, problem))?;
            cells.insert(name, cell);
        }
    }
    let baseline = Baseline {
        version: manifest.version.clone(),
        engine: manifest.engine.clone(),
        first_seed: manifest.first_seed,
        seeds: manifest.seeds,
        scenarios: manifest.scenarios.iter().map(|it| (it.name.clone(), it.hash.clone())).collect(),
        strategies: manifest.strategies.iter().map(|it| (it.name.clone(), it.hash.clone())).collect(),
        cells,
    };
    Ok(Results { manifest, baseline })
}

fn read_manifest(path: &Path) -> Result<Manifest, Error> {
    let fail = |source| Error::Read { path: path.into(), source, help: WRONG_PLACE };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MANIFEST_BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(fail)?;
    if bytes.len() as u64 > MANIFEST_BYTES_MAX {
        return Err(Error::TooLarge { path: path.into(), limit: "64 MiB", help: FEWER });
    }
    let manifest: Manifest =
        serde_json::from_slice(&bytes).map_err(|error| damaged(path, baseline::in_words(&error)))?;
    if manifest.version != VERSION {
        let version = &manifest.version;
        let problem =
            format!("the results beside {} are of cardiogram {version}, and this is {VERSION}", path.display());
        return Err(Error::refused(problem, "run again with this version, or use the version that ran"));
    }
    if manifest.shard != Shard::WHOLE.to_string() {
        let problem = format!("{} is of shard {}, which is not the whole plan", path.display(), manifest.shard);
        return Err(Error::refused(
            problem,
            "`cardiogram merge DIR... --out DIR` joins all shards: use what it writes",
        ));
    }
    check_manifest(&manifest).map_err(|problem| damaged(path, problem))?;
    Ok(manifest)
}

/// What is wrong with what a manifest says, as far as it would make a comparison wrong.
fn check_manifest(manifest: &Manifest) -> Result<(), String> {
    if !(1..=baseline::SEEDS_MAX).contains(&manifest.seeds) || manifest.first_seed.checked_add(manifest.seeds).is_none()
    {
        return Err(format!("`seeds` is {} from {}", manifest.seeds, manifest.first_seed));
    }
    let scenarios = manifest.scenarios.iter().map(|it| ("scenario", &it.name, &it.hash, &it.text));
    let strategies = manifest.strategies.iter().map(|it| ("strategy", &it.name, &it.hash, &it.text));
    let mut known = BTreeSet::new();
    for (kind, name, hash, text) in scenarios.chain(strategies) {
        if !known.insert((kind, name)) {
            return Err(format!("{kind} `{name}` is there twice"));
        }
        if manifest::hash(text) != *hash {
            return Err(format!("the hash of {kind} `{name}` is not that of its text"));
        }
    }
    for scenario in &manifest.scenarios {
        let unknown = scenario.strategies.iter().find(|name| !known.contains(&("strategy", *name)));
        if let Some(unknown) = unknown {
            return Err(format!("scenario `{}` names strategy `{unknown}`, which is not there", scenario.name));
        }
    }
    if manifest.scenarios.iter().all(|scenario| scenario.strategies.is_empty()) {
        return Err("there is no strategy in any scenario".to_owned());
    }
    Ok(())
}

/// What the gate needs of a run.
struct Run {
    trace_hash: String,
    /// By [`Metric::ALL`].
    values: [Option<f64>; Metric::ALL.len()],
}

/// The runs by scenario, strategy and seed.
type Runs = BTreeMap<(String, String, u64), Run>;

/// The rows of the manifest's plan; those of no cell of it are refused.
fn read_runs(path: &Path, manifest: &Manifest) -> Result<Runs, Error> {
    let fail = |source| Error::Read { path: path.into(), source, help: WRONG_PLACE };
    let file = File::open(path).map_err(fail)?;
    if file.metadata().map_err(fail)?.len() > RUNS_BYTES_MAX {
        return Err(Error::TooLarge { path: path.into(), limit: "1 GiB", help: FEWER });
    }
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers().map_err(|error| csv_error(path, error))?;
    let columns: BTreeMap<String, usize> =
        header.iter().enumerate().map(|(place, name)| (name.to_owned(), place)).collect();
    let missing: Vec<String> =
        RUN_COLUMNS.iter().filter(|name| !columns.contains_key(**name)).map(|name| format!("`{name}`")).collect();
    if !missing.is_empty() {
        return Err(damaged(path, format!("line 1: columns are missing: {}", missing.join(", "))));
    }
    let places = COLUMNS.map(|name| columns.get(name).copied());
    let (scenario, strategy) = (columns["scenario"], columns["strategy"]);
    let (seed, trace_hash) = (columns["seed"], columns["trace_hash"]);

    let mut runs = Runs::new();
    let mut row = csv::StringRecord::new();
    while reader.read_record(&mut row).map_err(|error| csv_error(path, error))? {
        let line = row.position().map_or(0, csv::Position::line);
        let wrong = |problem: String| damaged(path, format!("line {line}: {problem}"));
        let seed = row[seed]
            .parse()
            .ok()
            .filter(|seed: &u64| seed.checked_sub(manifest.first_seed).is_some_and(|place| place < manifest.seeds));
        let planned = manifest
            .scenarios
            .iter()
            .any(|it| it.name == row[scenario] && it.strategies.iter().any(|name| *name == row[strategy]));
        let Some(seed) = seed.filter(|_| planned) else {
            return Err(wrong("manifest.json plans no such run".to_owned()));
        };
        let mut numbers = [None; COLUMNS.len()];
        for ((number, place), name) in numbers.iter_mut().zip(places).zip(COLUMNS) {
            let field = place.map_or("", |place| &row[place]);
            if !field.is_empty() {
                let read = field.parse().ok().filter(|it: &f64| it.is_finite() && *it >= 0.0);
                *number = Some(read.ok_or_else(|| {
                    wrong(format!("`{name}` is `{field}`; it should be a number of zero or more, or empty"))
                })?);
            }
        }
        let column = |name| COLUMNS.iter().position(|it| *it == name).and_then(|place| numbers[place]);
        let run = Run {
            trace_hash: row[trace_hash].to_owned(),
            values: Metric::ALL.map(|metric| metric.value(&column).map(|value| metric.round(value))),
        };
        if runs.insert((row[scenario].to_owned(), row[strategy].to_owned(), seed), run).is_some() {
            return Err(wrong("this run was there before".to_owned()));
        }
    }
    Ok(runs)
}

/// All runs of a cell as one, or which is missing.
fn cell(name: &CellName, manifest: &Manifest, runs: &Runs) -> Result<Cell, String> {
    let mut hashes = String::new();
    let mut columns: [Vec<Option<f64>>; Metric::ALL.len()] = Default::default();
    for seed in manifest.first_seed..manifest.first_seed + manifest.seeds {
        let run = runs.get(&(name.scenario.clone(), name.strategy.clone(), seed));
        let run = run.ok_or_else(|| format!("{name}, seed {seed}: there is no row of this run"))?;
        hashes.push_str(&run.trace_hash);
        hashes.push('\n');
        for (column, value) in columns.iter_mut().zip(run.values) {
            column.push(value);
        }
    }
    let metrics = Metric::ALL.into_iter().zip(columns).filter(|(_, values)| values.iter().any(Option::is_some));
    Ok(Cell { digest: manifest::hash(&hashes), metrics: metrics.collect() })
}

fn damaged(path: &Path, problem: impl Into<String>) -> Error {
    Error::Damaged { path: PathBuf::from(path), problem: problem.into(), help: AGAIN }
}

fn csv_error(path: &Path, error: csv::Error) -> Error {
    let line = error.position().map_or(1, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(source) => Error::Read { path: path.into(), source, help: WRONG_PLACE },
        csv::ErrorKind::Utf8 { .. } => damaged(path, format!("line {line}: this is not UTF-8 text")),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            damaged(path, format!("line {line}: {len} fields instead of {expected_len}"))
        }
        kind => Error::Read { path: path.into(), source: io::Error::other(format!("{kind:?}")), help: WRONG_PLACE },
    }
}
