//! A results directory as the gate sees it: the runs of a complete plan. `episodes.csv` is not read: the runs' rows have all
//! that is compared.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use cardiogram_results::{
    Column as _, Error as ResultsError, Key, Reader,
    manifest::{self, Manifest, ManifestScenario},
    metric::Metric,
    rows::RunColumn,
};
use cardiogram_scenarios::{load, plan::Shard};

use super::{
    baseline::{self, Baseline, Cell, CellName},
    error::Error,
};
use crate::commands;

/// What is in a results directory.
#[derive(Debug)]
pub struct Results {
    pub(crate) manifest: Manifest,
    baseline: Baseline,
    program: String,
}

impl Results {
    /// Returns them for a program of another name than `cardiogram`: that of the commands which are told of them.
    #[must_use]
    pub fn with_program(self, program: &str) -> Self {
        Self { program: program.into(), ..self }
    }

    /// Returns what is worth keeping of them.
    pub const fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Returns the command that shows the run of a cell with a seed. Names in it that end in `.toml` are not built in: they
    /// stand for the paths of the files that were run.
    pub fn command(&self, cell: &CellName, seed: u64) -> String {
        commands::trace(&self.program, &self.manifest, &cell.scenario, &cell.strategy, seed)
    }
}

/// Reads the results in `dir`: those of a complete plan of this version.
///
/// # Errors
///
/// Where they are missing, unreadable, damaged or too long; where they are of a part of a plan, of an unfinished one, or
/// of another version.
pub fn read(dir: &Path) -> Result<Results, Error> {
    let reader = Reader::open_finished(dir)?;
    let manifest = &reader.manifest;
    let path = dir.join(manifest::FILE_NAME);
    if manifest.shard != Shard::WHOLE.to_string() {
        let problem = format!("{} is of shard {}, which is not the whole plan", path.display(), manifest.shard);
        return Err(Error::refused(
            problem,
            "`cardiogram merge DIR... --out DIR` joins all shards: use what it writes",
        ));
    }
    let damaged = |file, problem| ResultsError::Damaged { path: dir.join(file), problem };
    check_manifest(manifest).map_err(|problem| damaged(manifest::FILE_NAME, problem))?;
    let runs = read_runs(&reader)?;
    let mut cells = BTreeMap::new();
    for (scenario, entry) in manifest.scenarios.iter().enumerate() {
        for (strategy, _) in
            manifest.strategies.iter().enumerate().filter(|(_, it)| entry.strategies.contains(&it.name))
        {
            let name = CellName { scenario: entry.name.clone(), strategy: manifest.strategies[strategy].name.clone() };
            let cell = cell(manifest, &runs, scenario, strategy).map_err(|seed| {
                damaged(RunColumn::FILE, format!("{name}, seed {seed}: there is no row of this run"))
            })?;
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
    Ok(Results { manifest: reader.manifest, baseline, program: commands::PROGRAM.into() })
}

/// Returns what is wrong with what a manifest says, as far as it would make a comparison wrong.
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

/// Returns the most hours that all devices of a scenario have in a run; `None` where its text is no scenario.
fn device_hours_max(scenario: &ManifestScenario) -> Option<f64> {
    let file = load::parse_scenario(&scenario.name, &scenario.text).ok()?;
    Some(f64::from(file.devices.count) * scenario.duration_s / 3_600.0)
}

/// Returns the rows of the manifest's plan; those of no cell of it are refused.
fn read_runs(reader: &Reader) -> Result<BTreeMap<Key, Run>, ResultsError> {
    let manifest = &reader.manifest;
    let limits: Vec<Option<f64>> = manifest.scenarios.iter().map(device_hours_max).collect();
    let mut runs = BTreeMap::new();
    let mut table = reader.table()?;
    while let Some(row) = table.next_row()? {
        let key = reader.key(row)?;
        let contestants = &manifest.scenarios[key.scenario].strategies;
        let is_planned = contestants.contains(&manifest.strategies[key.strategy].name)
            && key.seed.checked_sub(manifest.first_seed).is_some_and(|place| place < manifest.seeds);
        if !is_planned {
            return Err(row.problem("manifest.json plans no such run"));
        }
        let numbers = row.numbers()?;
        let (hours, limit) = (numbers.get(RunColumn::device_hours), limits[key.scenario]);
        if let (Some(hours), Some(limit)) = (hours, limit)
            && hours > limit
        {
            return Err(
                row.problem(format!("`device_hours` is {hours}; all devices of the scenario have {limit} together"))
            );
        }
        let value = |metric: Metric| metric.value(&|column| numbers.get(column));
        if !manifest::is_hash(row.text(RunColumn::trace_hash)) {
            return Err(row.error(RunColumn::trace_hash, "a hash: 32 hexadecimal digits"));
        }
        let run = Run {
            trace_hash: row.text(RunColumn::trace_hash).to_owned(),
            values: Metric::ALL.map(|metric| value(metric).map(|value| metric.round(value))),
        };
        if runs.insert(key, run).is_some() {
            return Err(row.problem("this run was there before; each has one row"));
        }
    }
    Ok(runs)
}

/// Returns all runs of a cell as one, or the seed of which there is none.
fn cell(manifest: &Manifest, runs: &BTreeMap<Key, Run>, scenario: usize, strategy: usize) -> Result<Cell, u64> {
    let mut hashes = String::new();
    let mut columns: [Vec<Option<f64>>; Metric::ALL.len()] = Default::default();
    for seed in manifest.first_seed..manifest.first_seed + manifest.seeds {
        let run = runs.get(&Key { scenario, strategy, seed }).ok_or(seed)?;
        hashes.push_str(&run.trace_hash);
        hashes.push('\n');
        for (column, value) in columns.iter_mut().zip(run.values) {
            column.push(value);
        }
    }
    let metrics = Metric::ALL.into_iter().zip(columns).filter(|(_, values)| values.iter().any(Option::is_some));
    Ok(Cell { digest: manifest::hash(&hashes), metrics: metrics.collect() })
}
