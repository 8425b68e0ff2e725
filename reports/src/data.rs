//! The results directory as typed rows: `runs.csv`, `episodes.csv`, `series.csv` where there is one, and
//! `manifest.json`, read with limits and checked against each other.
//!
//! Columns are found by name, so that more may join them. This is not the place for statistics: a row here is a row
//! there.

mod columns;
mod table;

use std::{collections::BTreeMap, fs::File, io::Read as _, path::Path};

use cardiogram_scenarios::manifest::Manifest;

use crate::error::Error;

pub(crate) use self::columns::Column;
use self::{
    columns::Values,
    table::{Names, Table},
};

/// Most bytes of a manifest; it holds the texts of all scenarios.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// Most rows of `runs.csv`.
const RUNS_MAX: usize = 2_000_000;
/// Most rows of `episodes.csv`: some 900 MB in memory.
const EPISODES_MAX: usize = 10_000_000;
/// Most rows of `series.csv`: some 250 MB in memory.
const BINS_MAX: usize = 5_000_000;

/// The columns of `runs.csv` that every version has.
pub(crate) const RUN_COLUMNS: [&str; 23] = [
    "scenario",
    "strategy",
    "seed",
    "engine",
    "device_hours",
    "episodes",
    "detected",
    "ridden_out",
    "undetected",
    "false_alarms",
    "detect_mean_s",
    "detect_p50_s",
    "detect_p95_s",
    "detect_max_s",
    "recover_mean_s",
    "availability",
    "packets_up",
    "packets_down",
    "bytes_up",
    "bytes_down",
    "heartbeats_sent",
    "connect_attempts",
    "trace_hash",
];

/// The columns of `episodes.csv` that every version has.
const EPISODE_COLUMNS: [&str; 11] = [
    "scenario",
    "strategy",
    "seed",
    "device",
    "cause",
    "begin_s",
    "end_s",
    "outcome",
    "detected_by",
    "detect_latency_s",
    "recovery_s",
];

/// The columns of `series.csv`.
const SERIES_COLUMNS: [&str; 9] = [
    "scenario",
    "strategy",
    "seed",
    "begin_s",
    "width_s",
    "attempts",
    "attempts_peak_per_s",
    "interval_mean_s",
    "nat_timeout_s",
];

/// All of a results directory.
#[derive(Debug)]
pub(crate) struct Results {
    /// What was run.
    pub(crate) manifest: Manifest,
    /// Scenarios that have runs, in the manifest's order.
    pub(crate) scenarios: Vec<ScenarioResults>,
}

/// What was measured in one scenario.
#[derive(Debug)]
pub(crate) struct ScenarioResults {
    /// Index into [`Manifest::scenarios`].
    pub(crate) scenario: usize,
    /// Strategies that have runs, in the manifest's order.
    pub(crate) cells: Vec<Cell>,
}

/// All runs of one strategy in one scenario.
#[derive(Debug)]
pub(crate) struct Cell {
    /// Index into [`Manifest::strategies`].
    pub(crate) strategy: usize,
    /// By seed.
    pub(crate) runs: Vec<Run>,
    /// One of the runs over time, ascending; empty where `series.csv` has none.
    pub(crate) series: Vec<Bin>,
}

/// A stretch of one run: a row of `series.csv`. Absent is what did not happen in it.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_field_names, reason = "units come last")]
pub(crate) struct Bin {
    pub(crate) begin_s: f64,
    pub(crate) width_s: f64,
    /// The most connection attempts that all devices began in one second of it.
    pub(crate) attempts_peak_per_s: Option<f64>,
    /// Mean time between heartbeats on one session.
    pub(crate) interval_mean_s: Option<f64>,
    /// The shortest idle timeout of the NATs that devices were behind.
    pub(crate) nat_timeout_s: Option<f64>,
}

/// One run: a row of `runs.csv` with its rows of `episodes.csv`.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    /// Digest of everything that happened.
    #[expect(dead_code, reason = "no page shows it")]
    pub(crate) trace_hash: u128,
    pub(crate) device_hours: f64,
    pub(crate) false_alarms: u64,
    /// Share of the device time with a usable session.
    pub(crate) availability: f64,
    /// Both directions.
    pub(crate) packets: u64,
    /// Both directions, headers included.
    pub(crate) bytes: u64,
    pub(crate) heartbeats_sent: u64,
    /// What not every file has.
    values: Values,
    /// Breaks of usable sessions; false alarms are not among them.
    pub(crate) episodes: Vec<Episode>,
    /// The rows of `episodes.csv` that are false alarms, as many as counted above.
    pub(crate) false_alarm_rows: Vec<FalseAlarm>,
    /// `detected`, `ridden_out`, `undetected` as `runs.csv` counts them, to be compared with the episodes.
    counts: [u64; 3],
}

impl Run {
    /// The value of a column that the file may lack; `None` also where the field is empty.
    pub(crate) fn get(&self, column: Column) -> Option<f64> {
        self.values.get(column)
    }
}

/// A time without a usable session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Episode {
    /// Counted from 0.
    pub(crate) device: u32,
    /// Since the start of the run.
    pub(crate) begin_s: f64,
    pub(crate) outcome: Outcome,
    /// What broke, as in the column `cause`.
    pub(crate) cause: Label,
    /// Which mechanism noticed, as in the column `detected_by`; empty where none did.
    pub(crate) detected_by: Label,
    /// Until it was noticed; for an episode that was not, how long it was watched.
    pub(crate) latency_s: f64,
    /// Until there was a usable session again, or how long that was waited for.
    pub(crate) recovery_s: f64,
    /// Whether there was a usable session again.
    pub(crate) recovered: bool,
}

/// A usable session that was left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct FalseAlarm {
    /// Counted from 0.
    pub(crate) device: u32,
    /// When it was left, since the start of the run.
    pub(crate) begin_s: f64,
    /// When there was a usable session again.
    pub(crate) end_s: Option<f64>,
}

/// How an episode went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The device gave the dead connection up.
    Detected,
    /// Usable again before anyone noticed.
    RiddenOut,
    /// The run ended first.
    Undetected,
}

/// A short word that millions of rows repeat, without an allocation each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Label {
    bytes: [u8; Self::LENGTH_MAX],
    length: u8,
}

impl Label {
    /// Longest word.
    const LENGTH_MAX: usize = 23;

    pub(crate) fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; Self::LENGTH_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { bytes, length: text.len() as u8 })
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).expect("a label is made from a str")
    }
}

impl std::fmt::Debug for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Runs by (scenario, strategy, seed); the first two are indices into the manifest.
type Runs = BTreeMap<(usize, usize, u64), Run>;

/// Reads the results in `dir`.
pub(crate) fn read(dir: &Path) -> Result<Results, Error> {
    let manifest = read_manifest(&dir.join("manifest.json"))?;
    let names = Names::of(&manifest);
    let mut runs = read_runs(&dir.join("runs.csv"), &names)?;
    read_episodes(&dir.join("episodes.csv"), &manifest, &names, &mut runs)?;
    check(dir, &manifest, &runs)?;
    let mut series = read_series(&dir.join("series.csv"), &manifest, &names, &runs)?;

    let mut scenarios: Vec<ScenarioResults> = Vec::new();
    for ((scenario, strategy, _), run) in runs {
        if scenarios.last().is_none_or(|last| last.scenario != scenario) {
            scenarios.push(ScenarioResults { scenario, cells: Vec::new() });
        }
        let cells = &mut scenarios.last_mut().expect("one was just pushed").cells;
        if cells.last().is_none_or(|last| last.strategy != strategy) {
            let series = series.remove(&(scenario, strategy)).unwrap_or_default();
            cells.push(Cell { strategy, runs: Vec::new(), series });
        }
        cells.last_mut().expect("one was just pushed").runs.push(run);
    }
    Ok(Results { manifest, scenarios })
}

fn read_manifest(path: &Path) -> Result<Manifest, Error> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let mut text = Vec::new();
    File::open(path).map_err(read)?.take(MANIFEST_BYTES_MAX + 1).read_to_end(&mut text).map_err(read)?;
    if text.len() as u64 > MANIFEST_BYTES_MAX {
        return Err(Error::TooLarge { path: path.to_owned(), limit: format!("{MANIFEST_BYTES_MAX} bytes") });
    }
    let problem = |problem: String| Error::Manifest { path: path.to_owned(), problem };
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| problem(error.to_string()))?;
    for scenario in &manifest.scenarios {
        if !(scenario.duration_s.is_finite() && scenario.duration_s > 0.0) {
            return Err(problem(format!(
                "scenario `{}`: `duration_s` is {}; a run is longer than zero",
                scenario.name, scenario.duration_s
            )));
        }
    }
    Ok(manifest)
}

fn read_runs(path: &Path, names: &Names<'_>) -> Result<Runs, Error> {
    let mut runs = Runs::new();
    let mut table = Table::open(path, &RUN_COLUMNS, Column::ALL.iter().map(|column| column.name()))?;
    while let Some(row) = table.next()? {
        if runs.len() == RUNS_MAX {
            return Err(Error::TooLarge { path: path.to_owned(), limit: format!("{RUNS_MAX} rows") });
        }
        let (scenario, strategy, seed) = row.key(names)?;
        let availability = row.number("availability")?;
        if availability > 1.0 {
            return Err(row.error("availability", "a share from 0 to 1"));
        }
        let trace_hash = u128::from_str_radix(row.text("trace_hash"), 16);
        let run = Run {
            seed,
            trace_hash: trace_hash.map_err(|_| row.error("trace_hash", "up to 32 hexadecimal digits"))?,
            device_hours: row.number("device_hours")?,
            false_alarms: row.count("false_alarms")?,
            availability,
            packets: row.count("packets_up")?.saturating_add(row.count("packets_down")?),
            bytes: row.count("bytes_up")?.saturating_add(row.count("bytes_down")?),
            heartbeats_sent: row.count("heartbeats_sent")?,
            values: Values::read(|column| row.number_or_empty(column.name()))?,
            episodes: Vec::new(),
            false_alarm_rows: Vec::new(),
            counts: [row.count("detected")?, row.count("ridden_out")?, row.count("undetected")?],
        };
        if run.device_hours <= 0.0 {
            return Err(row.error("device_hours", "a number of hours above zero"));
        }
        if runs.insert((scenario, strategy, seed), run).is_some() {
            return Err(row.problem(format!(
                "scenario `{}`, strategy `{}`, seed {seed} was there before; each run has one row",
                row.text("scenario"),
                row.text("strategy"),
            )));
        }
    }
    Ok(runs)
}

fn read_episodes(path: &Path, manifest: &Manifest, names: &Names<'_>, runs: &mut Runs) -> Result<(), Error> {
    let mut table = Table::open(path, &EPISODE_COLUMNS, std::iter::empty())?;
    let mut rows = 0;
    while let Some(row) = table.next()? {
        rows += 1;
        if rows > EPISODES_MAX {
            return Err(Error::TooLarge { path: path.to_owned(), limit: format!("{EPISODES_MAX} rows") });
        }
        let key = row.key(names)?;
        let duration_s = manifest.scenarios[key.0].duration_s;
        let run = runs.get_mut(&key).ok_or_else(|| row.problem("runs.csv has no such run".to_owned()))?;
        match row.text("outcome") {
            "false-alarm" => run.false_alarm_rows.push(row.false_alarm()?),
            "detected" => run.episodes.push(row.episode(Outcome::Detected, duration_s)?),
            "ridden-out" => run.episodes.push(row.episode(Outcome::RiddenOut, duration_s)?),
            "undetected" => run.episodes.push(row.episode(Outcome::Undetected, duration_s)?),
            _ => return Err(row.error("outcome", "`detected`, `ridden-out`, `undetected` or `false-alarm`")),
        }
    }
    Ok(())
}

/// Time series by (scenario, strategy), indices into the manifest.
type AllSeries = BTreeMap<(usize, usize), Vec<Bin>>;

/// Reads `series.csv`; nothing where there is no such file.
fn read_series(path: &Path, manifest: &Manifest, names: &Names<'_>, runs: &Runs) -> Result<AllSeries, Error> {
    let mut all = AllSeries::new();
    let mut seeds = BTreeMap::new();
    if !path.try_exists().map_err(|source| Error::Read { path: path.to_owned(), source })? {
        return Ok(all);
    }
    let mut table = Table::open(path, &SERIES_COLUMNS, std::iter::empty())?;
    let mut rows = 0;
    while let Some(row) = table.next()? {
        rows += 1;
        if rows > BINS_MAX {
            return Err(Error::TooLarge { path: path.to_owned(), limit: format!("{BINS_MAX} rows") });
        }
        let key = row.key(names)?;
        if !runs.contains_key(&key) {
            return Err(row.problem("runs.csv has no such run".to_owned()));
        }
        let (scenario, strategy, seed) = key;
        if *seeds.entry((scenario, strategy)).or_insert(seed) != seed {
            return Err(row.error("seed", "the one of the rows before: there is one run of each strategy"));
        }
        let bin = Bin {
            begin_s: row.number("begin_s")?,
            width_s: row.number("width_s")?,
            attempts_peak_per_s: row.number_or_empty("attempts_peak_per_s")?,
            interval_mean_s: row.number_or_empty("interval_mean_s")?,
            nat_timeout_s: row.number_or_empty("nat_timeout_s")?,
        };
        row.number_or_empty("attempts")?;
        if bin.width_s <= 0.0 {
            return Err(row.error("width_s", "a time above zero"));
        }
        let bins: &mut Vec<Bin> = all.entry((scenario, strategy)).or_default();
        let from_s = bins.last().map_or(0.0, |last| last.begin_s);
        if bin.begin_s >= manifest.scenarios[scenario].duration_s || (!bins.is_empty() && bin.begin_s <= from_s) {
            return Err(row.error("begin_s", "a time after that of the row before, and before the end of the run"));
        }
        bins.push(bin);
    }
    Ok(all)
}

/// Both files must tell of the same events: one that was cut short would otherwise give a wrong report.
fn check(dir: &Path, manifest: &Manifest, runs: &Runs) -> Result<(), Error> {
    for ((scenario, strategy, seed), run) in runs {
        let count = |outcome| run.episodes.iter().filter(|episode| episode.outcome == outcome).count() as u64;
        let rows = [
            count(Outcome::Detected),
            count(Outcome::RiddenOut),
            count(Outcome::Undetected),
            run.false_alarm_rows.len() as u64,
        ];
        let [detected, ridden_out, undetected] = run.counts;
        let counted = [detected, ridden_out, undetected, run.false_alarms];
        if let Some(which) = (0..rows.len()).find(|&which| rows[which] != counted[which]) {
            let outcome = ["detected", "ridden-out", "undetected", "false-alarm"][which];
            return Err(Error::Disagree {
                dir: dir.to_owned(),
                problem: format!(
                    "scenario `{}`, strategy `{}`, seed {seed}: runs.csv counts {} {outcome}, episodes.csv has {}",
                    manifest.scenarios[*scenario].name,
                    manifest.strategies[*strategy].name,
                    counted[which],
                    rows[which],
                ),
            });
        }
    }
    Ok(())
}
