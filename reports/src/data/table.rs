//! CSV files whose columns are found by name, with errors that name file and line.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use cardiogram_scenarios::manifest::Manifest;

use super::{Episode, FalseAlarm, Label, Outcome};
use crate::error::Error;

/// Most bytes of a CSV file: twice what the most rows need.
const CSV_BYTES_MAX: u64 = 4 << 30;

/// Scenarios and strategies of a manifest by name, as indices into it: rows by the million ask.
pub(super) struct Names<'a> {
    scenarios: BTreeMap<&'a str, usize>,
    strategies: BTreeMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    pub(super) fn of(manifest: &'a Manifest) -> Self {
        // The first of equal names counts.
        let scenarios = manifest.scenarios.iter().enumerate().rev();
        let strategies = manifest.strategies.iter().enumerate().rev();
        Self {
            scenarios: scenarios.map(|(index, entry)| (entry.name.as_str(), index)).collect(),
            strategies: strategies.map(|(index, entry)| (entry.name.as_str(), index)).collect(),
        }
    }
}

/// A CSV file whose columns are found by name.
pub(super) struct Table {
    path: PathBuf,
    reader: csv::Reader<File>,
    /// Column names with their places.
    columns: BTreeMap<&'static str, usize>,
    record: csv::StringRecord,
}

/// The row a [`Table`] stands at.
pub(super) struct Row<'a> {
    table: &'a Table,
}

impl Table {
    /// A file that has the columns `required`; of the columns `optional` it may lack any.
    pub(super) fn open(
        path: &Path,
        required: &[&'static str],
        optional: impl Iterator<Item = &'static str>,
    ) -> Result<Self, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        if file.metadata().map_err(read)?.len() > CSV_BYTES_MAX {
            return Err(Error::TooLarge { path: path.to_owned(), limit: format!("{CSV_BYTES_MAX} bytes") });
        }
        let mut reader = csv::Reader::from_reader(file);
        let header = reader.headers().map_err(|error| csv_error(path, error))?;
        let place = |name: &str| header.iter().position(|column| column == name);
        let mut columns: BTreeMap<_, _> = optional.filter_map(|name| Some((name, place(name)?))).collect();
        for &name in required {
            columns.insert(name, place(name).ok_or_else(|| missing_column(path, name, header))?);
        }
        Ok(Self { path: path.to_owned(), reader, columns, record: csv::StringRecord::new() })
    }

    /// The next row, if there is one.
    pub(super) fn next(&mut self) -> Result<Option<Row<'_>>, Error> {
        let more = self.reader.read_record(&mut self.record).map_err(|error| csv_error(&self.path, error))?;
        Ok(more.then_some(Row { table: self }))
    }
}

impl Row<'_> {
    /// What stands in a required column.
    pub(super) fn text(&self, column: &'static str) -> &str {
        self.optional_text(column).expect("the table was opened with this column")
    }

    /// `None`: the file has no such column.
    fn optional_text(&self, column: &'static str) -> Option<&str> {
        let place = *self.table.columns.get(column)?;
        Some(self.table.record.get(place).expect("the reader refuses rows of another length"))
    }

    pub(super) fn number(&self, column: &'static str) -> Result<f64, Error> {
        let number = self.text(column).parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
        number.ok_or_else(|| self.error(column, "a number of zero or more"))
    }

    /// `None`: the field is empty, or the file has no such column.
    pub(super) fn number_or_empty(&self, column: &'static str) -> Result<Option<f64>, Error> {
        if self.optional_text(column).unwrap_or_default().is_empty() { Ok(None) } else { self.number(column).map(Some) }
    }

    pub(super) fn count(&self, column: &'static str) -> Result<u64, Error> {
        self.text(column).parse().map_err(|_| self.error(column, "a whole number of zero or more"))
    }

    pub(super) fn label(&self, column: &'static str) -> Result<Label, Error> {
        Label::new(self.text(column)).ok_or_else(|| self.error(column, "a word of at most 23 bytes"))
    }

    /// Scenario and strategy as indices into the manifest, and the seed.
    pub(super) fn key(&self, names: &Names<'_>) -> Result<(usize, usize, u64), Error> {
        let scenario = names.scenarios.get(self.text("scenario")).copied();
        let strategy = names.strategies.get(self.text("strategy")).copied();
        Ok((
            scenario.ok_or_else(|| self.error("scenario", "a scenario that manifest.json lists"))?,
            strategy.ok_or_else(|| self.error("strategy", "a strategy that manifest.json lists"))?,
            self.count("seed")?,
        ))
    }

    /// The row of an episode that went so, in a run of `duration_s`.
    pub(super) fn episode(&self, outcome: Outcome, duration_s: f64) -> Result<Episode, Error> {
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

    /// The row of a usable session that was left.
    pub(super) fn false_alarm(&self) -> Result<FalseAlarm, Error> {
        let (begin_s, end_s) = (self.number("begin_s")?, self.number_or_empty("end_s")?);
        Ok(FalseAlarm { device: self.device()?, begin_s, end_s })
    }

    fn device(&self) -> Result<u32, Error> {
        u32::try_from(self.count("device")?).map_err(|_| self.error("device", "a smaller number"))
    }

    /// That a field holds something else than is `expected`.
    pub(super) fn error(&self, column: &'static str, expected: &str) -> Error {
        self.problem(format!("`{column}` is `{}`; it should be {expected}", self.text(column)))
    }

    /// That something is wrong in this line.
    pub(super) fn problem(&self, problem: String) -> Error {
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
