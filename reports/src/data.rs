//! The results directory as typed rows: `runs.csv`, `episodes.csv` and `manifest.json`, read with limits and checked
//! against each other.
//!
//! Columns are found by name, so that more may join them. This is not the place for statistics: a row here is a row
//! there.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use cardiogram_scenarios::manifest::Manifest;

use crate::error::Error;

/// Most bytes of a manifest; it holds the texts of all scenarios.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// Most bytes of a CSV file: twice what the most rows need.
const CSV_BYTES_MAX: u64 = 4 << 30;
/// Most rows of `runs.csv`.
const RUNS_MAX: usize = 2_000_000;
/// Most rows of `episodes.csv`: some 500 MB in memory.
const EPISODES_MAX: usize = 10_000_000;

/// The columns of `runs.csv` that every version has.
const RUN_COLUMNS: [&str; 23] = [
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

/// Columns of `runs.csv` that not every version has.
const RUN_COLUMNS_LATER: [&str; 1] = ["energy_j"];

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
}

/// One run: a row of `runs.csv` with its rows of `episodes.csv`.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) device_hours: f64,
    pub(crate) false_alarms: u64,
    /// Share of the device time with a usable session.
    pub(crate) availability: f64,
    /// Both directions.
    pub(crate) packets: u64,
    /// Both directions, headers included.
    pub(crate) bytes: u64,
    pub(crate) heartbeats_sent: u64,
    /// Of the radios; `None` in a world without radios, and in files of versions that had none.
    pub(crate) energy_j: Option<f64>,
    /// Breaks of usable sessions; false alarms are not among them.
    pub(crate) episodes: Vec<Episode>,
    /// The rows of `episodes.csv` that are false alarms, as many as counted above.
    pub(crate) false_alarm_rows: Vec<FalseAlarm>,
    /// `detected`, `ridden_out`, `undetected` as `runs.csv` counts them, to be compared with the episodes.
    counts: [u64; 3],
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
    let mut runs = read_runs(&dir.join("runs.csv"), &manifest)?;
    read_episodes(&dir.join("episodes.csv"), &manifest, &mut runs)?;
    check(dir, &manifest, &runs)?;

    let mut scenarios: Vec<ScenarioResults> = Vec::new();
    for ((scenario, strategy, _), run) in runs {
        if scenarios.last().is_none_or(|last| last.scenario != scenario) {
            scenarios.push(ScenarioResults { scenario, cells: Vec::new() });
        }
        let cells = &mut scenarios.last_mut().expect("one was just pushed").cells;
        if cells.last().is_none_or(|last| last.strategy != strategy) {
            cells.push(Cell { strategy, runs: Vec::new() });
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

fn read_runs(path: &Path, manifest: &Manifest) -> Result<Runs, Error> {
    let mut runs = Runs::new();
    let mut table = Table::open(path, &RUN_COLUMNS, &RUN_COLUMNS_LATER)?;
    while let Some(row) = table.next()? {
        if runs.len() == RUNS_MAX {
            return Err(Error::TooLarge { path: path.to_owned(), limit: format!("{RUNS_MAX} rows") });
        }
        let (scenario, strategy, seed) = row.key(manifest)?;
        let availability = row.number("availability")?;
        if availability > 1.0 {
            return Err(row.error("availability", "a share from 0 to 1"));
        }
        let run = Run {
            seed,
            device_hours: row.number("device_hours")?,
            false_alarms: row.count("false_alarms")?,
            availability,
            packets: row.count("packets_up")?.saturating_add(row.count("packets_down")?),
            bytes: row.count("bytes_up")?.saturating_add(row.count("bytes_down")?),
            heartbeats_sent: row.count("heartbeats_sent")?,
            energy_j: row.number_if_there("energy_j")?,
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

fn read_episodes(path: &Path, manifest: &Manifest, runs: &mut Runs) -> Result<(), Error> {
    let mut table = Table::open(path, &EPISODE_COLUMNS, &[])?;
    let mut rows = 0;
    while let Some(row) = table.next()? {
        rows += 1;
        if rows > EPISODES_MAX {
            return Err(Error::TooLarge { path: path.to_owned(), limit: format!("{EPISODES_MAX} rows") });
        }
        let key = row.key(manifest)?;
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

/// A CSV file whose columns are found by name.
struct Table {
    path: PathBuf,
    reader: csv::Reader<File>,
    /// Column names with their places.
    columns: BTreeMap<&'static str, usize>,
    record: csv::StringRecord,
}

/// The row a [`Table`] stands at.
struct Row<'a> {
    table: &'a Table,
}

impl Table {
    /// Of `later` columns the file may have any.
    fn open(path: &Path, names: &[&'static str], later: &[&'static str]) -> Result<Self, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        if file.metadata().map_err(read)?.len() > CSV_BYTES_MAX {
            return Err(Error::TooLarge { path: path.to_owned(), limit: format!("{CSV_BYTES_MAX} bytes") });
        }
        let mut reader = csv::Reader::from_reader(file);
        let header = reader.headers().map_err(|error| csv_error(path, error))?;
        let place = |name| header.iter().position(|column| column == name);
        let mut columns = names
            .iter()
            .map(|&name| Ok((name, place(name).ok_or_else(|| missing_column(path, name, header))?)))
            .collect::<Result<BTreeMap<_, _>, Error>>()?;
        columns.extend(later.iter().filter_map(|&name| Some((name, place(name)?))));
        Ok(Self { path: path.to_owned(), reader, columns, record: csv::StringRecord::new() })
    }

    fn next(&mut self) -> Result<Option<Row<'_>>, Error> {
        let more = self.reader.read_record(&mut self.record).map_err(|error| csv_error(&self.path, error))?;
        Ok(more.then_some(Row { table: self }))
    }
}

impl Row<'_> {
    fn text(&self, column: &'static str) -> &str {
        let place = self.table.columns[column];
        self.table.record.get(place).expect("the reader refuses rows of another length")
    }

    fn number(&self, column: &'static str) -> Result<f64, Error> {
        let number = self.text(column).parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
        number.ok_or_else(|| self.error(column, "a number of zero or more"))
    }

    fn number_or_empty(&self, column: &'static str) -> Result<Option<f64>, Error> {
        if self.text(column).is_empty() { Ok(None) } else { self.number(column).map(Some) }
    }

    /// `None` where the file has no such column, too.
    fn number_if_there(&self, column: &'static str) -> Result<Option<f64>, Error> {
        if self.table.columns.contains_key(column) { self.number_or_empty(column) } else { Ok(None) }
    }

    fn count(&self, column: &'static str) -> Result<u64, Error> {
        self.text(column).parse().map_err(|_| self.error(column, "a whole number of zero or more"))
    }

    fn label(&self, column: &'static str) -> Result<Label, Error> {
        Label::new(self.text(column)).ok_or_else(|| self.error(column, "a word of at most 23 bytes"))
    }

    /// Scenario and strategy as indices into the manifest, and the seed.
    fn key(&self, manifest: &Manifest) -> Result<(usize, usize, u64), Error> {
        let scenario = manifest.scenarios.iter().position(|entry| entry.name == self.text("scenario"));
        let strategy = manifest.strategies.iter().position(|entry| entry.name == self.text("strategy"));
        Ok((
            scenario.ok_or_else(|| self.error("scenario", "a scenario that manifest.json lists"))?,
            strategy.ok_or_else(|| self.error("strategy", "a strategy that manifest.json lists"))?,
            self.count("seed")?,
        ))
    }

    fn episode(&self, outcome: Outcome, duration_s: f64) -> Result<Episode, Error> {
        let begin_s = self.number("begin_s")?;
        let end_s = self.number_or_empty("end_s")?;
        if end_s.unwrap_or(duration_s) < begin_s {
            return Err(self.error("begin_s", "a time before the end of the episode and of the run"));
        }
        let watched_s = end_s.unwrap_or(duration_s) - begin_s;
        let latency_s = match outcome {
            Outcome::Detected => self.number("detect_latency_s")?,
            Outcome::RiddenOut | Outcome::Undetected => watched_s,
        };
        Ok(Episode {
            device: self.device()?,
            begin_s,
            outcome,
            cause: self.label("cause")?,
            detected_by: self.label("detected_by")?,
            latency_s,
            recovery_s: self.number_or_empty("recovery_s")?.unwrap_or(watched_s),
            recovered: end_s.is_some(),
        })
    }

    fn false_alarm(&self) -> Result<FalseAlarm, Error> {
        let (begin_s, end_s) = (self.number("begin_s")?, self.number_or_empty("end_s")?);
        Ok(FalseAlarm { device: self.device()?, begin_s, end_s })
    }

    fn device(&self) -> Result<u32, Error> {
        u32::try_from(self.count("device")?).map_err(|_| self.error("device", "the number of a device"))
    }

    fn error(&self, column: &'static str, expected: &str) -> Error {
        self.problem(format!("`{column}` is `{}`; it should be {expected}", self.text(column)))
    }

    fn problem(&self, problem: String) -> Error {
        let line = self.table.record.position().map_or(0, csv::Position::line);
        Error::Line { path: self.table.path.clone(), line, problem }
    }
}

fn missing_column(path: &Path, column: &'static str, header: &csv::StringRecord) -> Error {
    Error::Column { path: path.to_owned(), column, found: header.iter().collect::<Vec<_>>().join(", ") }
}

fn csv_error(path: &Path, error: csv::Error) -> Error {
    let line = error.position().map_or(1, csv::Position::line);
    let path = path.to_owned();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => Error::Read { path, source },
        csv::ErrorKind::Utf8 { .. } => Error::Line { path, line, problem: "this is not UTF-8 text".to_owned() },
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => Error::Line {
            path,
            line,
            problem: format!("{len} fields instead of {expected_len}; the file may have been cut short"),
        },
        kind => Error::Read { path, source: io::Error::other(format!("{kind:?}")) },
    }
}
