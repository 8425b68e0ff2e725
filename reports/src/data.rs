//! The results directory as a report needs it: runs with their episodes and series, checked against each other.
//!
//! This is not the place for statistics: a row here is a row there. How files are read is the business of
//! [`cardiogram_results::Reader`].

use std::{collections::BTreeMap, path::Path};

use cardiogram_results::{
    Error, Key, Numbers, Reader, Record,
    manifest::Manifest,
    rows::{
        EpisodeColumn,
        RunColumn::{self, availability, detected, device_hours, false_alarms, ridden_out, undetected},
        SeriesColumn,
    },
};

/// That a row tells of a run that has no row.
const NO_SUCH_RUN: &str = "runs.csv has no such run";

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
    pub(crate) device_hours: f64,
    pub(crate) false_alarms: u64,
    /// Share of the device time with a usable session.
    pub(crate) availability: f64,
    /// The numbers in all columns.
    numbers: Numbers<RunColumn>,
    /// Breaks of usable sessions; false alarms are not among them.
    pub(crate) episodes: Vec<Episode>,
    /// The rows of `episodes.csv` that are false alarms, as many as counted above.
    pub(crate) false_alarm_rows: Vec<FalseAlarm>,
}

impl Run {
    /// Returns the number in a column; `None` where the file lacks the column, and where the field is empty.
    pub(crate) fn get(&self, column: RunColumn) -> Option<f64> {
        self.numbers.get(column)
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

type Runs = BTreeMap<Key, Run>;

/// Reads the results in `dir`.
#[cfg(test)]
pub(crate) fn read(dir: &Path) -> Result<Results, Error> {
    read_all(Reader::open(dir)?)
}

/// Reads all of the results.
pub(crate) fn read_all(reader: Reader) -> Result<Results, Error> {
    let mut runs = read_runs(&reader)?;
    read_episodes(&reader, &mut runs)?;
    check(reader.dir(), &reader.manifest, &runs)?;
    let mut series = read_series(&reader, &runs)?;
    let manifest = reader.manifest;

    let mut scenarios: Vec<ScenarioResults> = Vec::new();
    for (Key { scenario, strategy, .. }, run) in runs {
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

fn read_runs(reader: &Reader) -> Result<Runs, Error> {
    let mut runs = Runs::new();
    let mut table = reader.table()?;
    while let Some(row) = table.next_row()? {
        let key = reader.key(row)?;
        let run = run(key.seed, row)?;
        if run.availability > 1.0 {
            return Err(row.error(availability, "a share from 0 to 1"));
        }
        if run.device_hours <= 0.0 {
            return Err(row.error(device_hours, "a number of hours above zero"));
        }
        if runs.insert(key, run).is_some() {
            return Err(row.problem("this run was there before; each has one row"));
        }
    }
    Ok(runs)
}

fn run(seed: u64, row: Record<'_, RunColumn>) -> Result<Run, Error> {
    Ok(Run {
        seed,
        device_hours: row.number(device_hours)?,
        false_alarms: row.count(false_alarms)?,
        availability: row.number(availability)?,
        numbers: row.numbers()?,
        episodes: Vec::new(),
        false_alarm_rows: Vec::new(),
    })
}

fn read_episodes(reader: &Reader, runs: &mut Runs) -> Result<(), Error> {
    let mut table = reader.table()?;
    while let Some(row) = table.next_row()? {
        let key = reader.key(row)?;
        let duration_s = reader.manifest.scenarios[key.scenario].duration_s;
        let run = runs.get_mut(&key).ok_or_else(|| row.problem(NO_SUCH_RUN))?;
        match row.text(EpisodeColumn::outcome) {
            "false-alarm" => run.false_alarm_rows.push(false_alarm(row)?),
            "detected" => run.episodes.push(episode(row, Outcome::Detected, duration_s)?),
            "ridden-out" => run.episodes.push(episode(row, Outcome::RiddenOut, duration_s)?),
            "undetected" => run.episodes.push(episode(row, Outcome::Undetected, duration_s)?),
            _ => {
                let expected = "`detected`, `ridden-out`, `undetected` or `false-alarm`";
                return Err(row.error(EpisodeColumn::outcome, expected));
            }
        }
    }
    Ok(())
}

/// Returns the row of an episode that went so, in a run of `duration_s`.
fn episode(row: Record<'_, EpisodeColumn>, outcome: Outcome, duration_s: f64) -> Result<Episode, Error> {
    let begin_s = row.number(EpisodeColumn::begin_s)?;
    let end_s = row.number_or_empty(EpisodeColumn::end_s)?;
    if end_s.unwrap_or(duration_s) < begin_s {
        return Err(row.error(EpisodeColumn::begin_s, "a time before the end of the episode and of the run"));
    }
    let watched_s = end_s.unwrap_or(duration_s) - begin_s;
    let latency_s = match outcome {
        Outcome::Detected => row.number(EpisodeColumn::detect_latency_s)?,
        Outcome::RiddenOut | Outcome::Undetected => watched_s,
    };
    Ok(Episode {
        device: device(row)?,
        begin_s,
        outcome,
        cause: label(row, EpisodeColumn::cause)?,
        detected_by: label(row, EpisodeColumn::detected_by)?,
        latency_s,
        recovery_s: row.number_or_empty(EpisodeColumn::recovery_s)?.unwrap_or(watched_s),
        recovered: end_s.is_some(),
    })
}

/// Returns the row of a usable session that was left.
fn false_alarm(row: Record<'_, EpisodeColumn>) -> Result<FalseAlarm, Error> {
    let (begin_s, end_s) = (row.number(EpisodeColumn::begin_s)?, row.number_or_empty(EpisodeColumn::end_s)?);
    Ok(FalseAlarm { device: device(row)?, begin_s, end_s })
}

fn device(row: Record<'_, EpisodeColumn>) -> Result<u32, Error> {
    u32::try_from(row.count(EpisodeColumn::device)?).map_err(|_| row.error(EpisodeColumn::device, "a smaller number"))
}

fn label(row: Record<'_, EpisodeColumn>, column: EpisodeColumn) -> Result<Label, Error> {
    Label::new(row.text(column)).ok_or_else(|| row.error(column, "a word of at most 23 bytes"))
}

/// Time series by (scenario, strategy), indices into the manifest.
type AllSeries = BTreeMap<(usize, usize), Vec<Bin>>;

/// Reads `series.csv`; nothing where there is no such file.
fn read_series(reader: &Reader, runs: &Runs) -> Result<AllSeries, Error> {
    let mut all = AllSeries::new();
    let mut seeds = BTreeMap::new();
    let Some(mut table) = reader.series()? else { return Ok(all) };
    while let Some(row) = table.next_row()? {
        let key = reader.key(row)?;
        if !runs.contains_key(&key) {
            return Err(row.problem(NO_SUCH_RUN));
        }
        let Key { scenario, strategy, seed } = key;
        if *seeds.entry((scenario, strategy)).or_insert(seed) != seed {
            let expected = "the one of the rows before: there is one run of each strategy";
            return Err(row.error(SeriesColumn::seed, expected));
        }
        let bin = Bin {
            begin_s: row.number(SeriesColumn::begin_s)?,
            width_s: row.number(SeriesColumn::width_s)?,
            attempts_peak_per_s: row.number_or_empty(SeriesColumn::attempts_peak_per_s)?,
            interval_mean_s: row.number_or_empty(SeriesColumn::interval_mean_s)?,
            nat_timeout_s: row.number_or_empty(SeriesColumn::nat_timeout_s)?,
        };
        row.number_or_empty(SeriesColumn::attempts)?;
        if bin.width_s <= 0.0 {
            return Err(row.error(SeriesColumn::width_s, "a time above zero"));
        }
        let bins: &mut Vec<Bin> = all.entry((scenario, strategy)).or_default();
        let from_s = bins.last().map_or(0.0, |last| last.begin_s);
        let duration_s = reader.manifest.scenarios[scenario].duration_s;
        if bin.begin_s >= duration_s || (!bins.is_empty() && bin.begin_s <= from_s) {
            let expected = "a time after that of the row before, and before the end of the run";
            return Err(row.error(SeriesColumn::begin_s, expected));
        }
        bins.push(bin);
    }
    Ok(all)
}

/// Both files must tell of the same events: one that was cut short would otherwise give a wrong report.
fn check(dir: &Path, manifest: &Manifest, runs: &Runs) -> Result<(), Error> {
    for (key, run) in runs {
        let count = |outcome| run.episodes.iter().filter(|episode| episode.outcome == outcome).count() as f64;
        let rows = [
            (detected, "detected", count(Outcome::Detected)),
            (ridden_out, "ridden-out", count(Outcome::RiddenOut)),
            (undetected, "undetected", count(Outcome::Undetected)),
            (false_alarms, "false-alarm", run.false_alarm_rows.len() as f64),
        ];
        if let Some((column, outcome, rows)) =
            rows.into_iter().find(|(column, _, rows)| run.get(*column) != Some(*rows))
        {
            return Err(Error::Disagree {
                dir: dir.to_owned(),
                problem: format!(
                    "scenario `{}`, strategy `{}`, seed {}: runs.csv counts {} {outcome}, episodes.csv has {rows}",
                    manifest.scenarios[key.scenario].name,
                    manifest.strategies[key.strategy].name,
                    key.seed,
                    run.get(column).unwrap_or(0.0),
                ),
            });
        }
    }
    Ok(())
}
