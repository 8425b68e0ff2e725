//! A table of a results directory, read row by row: its columns are found by name, and errors name file and line.
//!
//! The stable columns must be there, the others may be, and columns that the list does not have are left alone. What rows
//! mean together is the business of whoever reads them.

use std::{
    io,
    marker::PhantomData,
    path::{Path, PathBuf},
};

use crate::{
    column::{Column, Kind},
    error::Error,
    stream::Input,
};

/// A table that is being read.
#[derive(Debug)]
pub struct Table<C> {
    path: PathBuf,
    reader: csv::Reader<Input>,
    header: csv::StringRecord,
    /// The place of each column in the file, by [`Column::place`].
    places: Vec<Option<usize>>,
    record: csv::StringRecord,
    rows: u64,
    columns: PhantomData<C>,
}

/// The row that a [`Table`] stands at.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a, C> {
    table: &'a Table<C>,
}

/// The numbers of a row, one for each column that holds one. Compact, since rows by the million are kept.
#[derive(Clone, Debug)]
pub struct Numbers<C> {
    /// The values by [`Column::place`]; what is absent is not a number.
    values: Box<[f64]>,
    columns: PhantomData<C>,
}

impl<C: Column> Numbers<C> {
    /// Returns the number in a column; `None` where the field is empty, the file lacks the column, or the column holds words.
    pub fn get(&self, column: C) -> Option<f64> {
        Some(self.values[column.place()]).filter(|value| !value.is_nan())
    }
}

impl<C: Column> Table<C> {
    /// Returns the table in a file, which stands at its start, and of which so many bytes are read at a time.
    ///
    /// # Errors
    ///
    /// It is without a stable column.
    pub(crate) fn new(path: PathBuf, input: Input, piece_bytes: usize) -> Result<Self, Error> {
        let mut reader = csv::ReaderBuilder::new().buffer_capacity(piece_bytes).from_reader(input);
        let header = reader.headers().map_err(|error| unreadable(&path, error))?.clone();
        let place = |column: &C| header.iter().position(|name| name == column.name());
        let places: Vec<_> = C::ALL.iter().map(place).collect();
        let missing = C::ALL[..C::STABLE].iter().filter(|column| places[column.place()].is_none());
        let missing = listed(missing.map(|column| column.name()));
        if !missing.is_empty() {
            let unknown = listed(header.iter().filter(|name| C::named(name).is_none()));
            let instead = if unknown.is_empty() { String::new() } else { format!("; unknown are: {unknown}") };
            return Err(Error::Damaged { path, problem: format!("line 1: columns are missing: {missing}{instead}") });
        }
        let (record, columns) = (csv::StringRecord::new(), PhantomData);
        Ok(Self { path, reader, header, places, record, rows: 0, columns })
    }

    /// Returns the names of the file's columns, those that the list does not have included.
    pub const fn header(&self) -> &csv::StringRecord {
        &self.header
    }

    /// Returns whether the file's columns are exactly those of this version.
    pub fn is_complete(&self) -> bool {
        self.header.iter().eq(C::ALL.iter().map(|column| column.name()))
    }

    /// Returns the line at which the next row begins, counted from 1.
    pub fn line(&self) -> u64 {
        self.reader.position().line()
    }

    /// Returns the next row, if there is one.
    ///
    /// # Errors
    ///
    /// The row cannot be read, has more or fewer fields than the header, or is one row too many.
    pub fn next_row(&mut self) -> Result<Option<Record<'_, C>>, Error> {
        let more = self.reader.read_record(&mut self.record).map_err(|error| unreadable(&self.path, error))?;
        self.rows += u64::from(more);
        if self.rows > C::ROWS_MAX {
            return Err(Error::TooLarge { path: self.path.clone(), limit: format!("{} rows", C::ROWS_MAX) });
        }
        Ok(more.then_some(Record { table: self }))
    }

    /// Returns what is left of the file. No row can be read after that.
    pub(crate) fn rest(&mut self) -> &mut Input {
        self.reader.get_mut()
    }

    /// Returns the error that something is wrong in the file; `line` is counted from 1.
    pub fn damaged(&self, line: u64, problem: impl std::fmt::Display) -> Error {
        Error::Damaged { path: self.path.clone(), problem: format!("line {line}: {problem}") }
    }
}

impl<'a, C: Column> Record<'a, C> {
    /// Returns the fields as they stand in the file, by the header's places.
    pub const fn fields(self) -> &'a csv::StringRecord {
        &self.table.record
    }

    /// Returns the row with the types of its fields, of a table that [is complete](Table::is_complete).
    ///
    /// # Errors
    ///
    /// A field does not hold what its column does.
    pub fn typed(self) -> Result<C::Row, Error> {
        let row = self.table.record.deserialize(Some(&self.table.header));
        row.map_err(|error| match error.into_kind() {
            csv::ErrorKind::Deserialize { err, .. } => self.problem(err.kind()),
            kind => self.problem(format!("{kind:?}")),
        })
    }

    /// Returns what stands in a column; empty where the field is, and where the file has no such column.
    pub fn text(self, column: C) -> &'a str {
        let field = |place: usize| self.table.record.get(place).expect("the reader refuses rows of another length");
        self.table.places[column.place()].map_or("", field)
    }

    /// Returns the number in a column, of whichever kind.
    ///
    /// # Errors
    ///
    /// If it is no finite number of zero or more, or no whole one where the column holds whole numbers.
    pub fn number(self, column: C) -> Result<f64, Error> {
        if column.kind() == Kind::Integer {
            return Ok(self.count(column)? as f64);
        }
        let number = self.text(column).parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
        number.ok_or_else(|| self.error(column, "a number of zero or more"))
    }

    /// Returns the number in a column; `None` where the field may be empty and is, and where the file has no such column.
    ///
    /// # Errors
    ///
    /// The errors of [`Record::number`].
    pub fn number_or_empty(self, column: C) -> Result<Option<f64>, Error> {
        let may_be_empty = column.is_optional() || self.table.places[column.place()].is_none();
        if may_be_empty && self.text(column).is_empty() { Ok(None) } else { self.number(column).map(Some) }
    }

    /// Returns the numbers in all columns.
    ///
    /// # Errors
    ///
    /// The errors of [`Record::number`], and what no run can have measured.
    pub fn numbers(self) -> Result<Numbers<C>, Error> {
        let value = |&column: &C| match column.kind() {
            Kind::Text => Ok(f64::NAN),
            Kind::Integer | Kind::Decimal => Ok(self.number_or_empty(column)?.unwrap_or(f64::NAN)),
        };
        let values = C::ALL.iter().map(value).collect::<Result<_, Error>>()?;
        let numbers = Numbers { values, columns: PhantomData };
        let contradiction = C::contradiction(&|column| numbers.get(column));
        contradiction.map_or(Ok(numbers), |problem| Err(self.problem(problem)))
    }

    /// Returns the count in a column.
    ///
    /// # Errors
    ///
    /// If it is no whole number of 64 bits.
    pub fn count(self, column: C) -> Result<u64, Error> {
        self.text(column).parse().map_err(|_| self.error(column, "a whole number of zero or more"))
    }

    /// Returns the error that a field holds something else than is `expected`.
    pub fn error(self, column: C, expected: &str) -> Error {
        self.problem(format!("`{}` is `{}`; it should be {expected}", column.name(), self.text(column)))
    }

    /// Returns the error that something is wrong in this line.
    pub fn problem(self, problem: impl std::fmt::Display) -> Error {
        self.table.damaged(self.table.record.position().map_or(0, csv::Position::line), problem)
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn unreadable(path: &Path, error: csv::Error) -> Error {
    let line = error.position().map_or(1, csv::Position::line);
    let path = path.to_owned();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => Error::Read { path, source },
        csv::ErrorKind::Utf8 { .. } => Error::Damaged { path, problem: format!("line {line}: this is not UTF-8 text") },
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            Error::Damaged { path, problem: format!("line {line}: {len} fields instead of {expected_len}") }
        }
        kind => Error::Read { path, source: io::Error::other(format!("{kind:?}")) },
    }
}
