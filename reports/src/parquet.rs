//! The tables of a results directory as Parquet, for tools that read columns: the feature `parquet`. CSV stays the stable
//! interface; here are the same rows and columns with types, made from the CSV files and nothing else.

use std::{fs, io, path::Path, sync::Arc};

use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as Physical},
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::Type,
};

use crate::{error::Error, publish};

/// The tables that there may be; only the last may be missing, in results of earlier versions.
const TABLES: [&str; 3] = ["runs", "episodes", "series"];
/// Rows of a row group: what a reader has to hold at once.
const GROUP: usize = 100_000;
/// Columns of text. All others are numbers.
const TEXT: [&str; 7] = ["scenario", "strategy", "engine", "cause", "outcome", "detected_by", "trace_hash"];

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    /// Numbers with a unit or a share: those that CSV writes with decimals.
    Double,
    /// Counts, seeds, numbers of devices.
    Integer,
}

/// By the name alone, so that the type of a column does not depend on what it happens to hold.
fn kind(column: &str) -> Kind {
    let is_double = ["_s", "_h", "_j", "_hours"].iter().any(|end| column.ends_with(end))
        || ["availability", "query_accuracy"].contains(&column);
    match column {
        _ if TEXT.contains(&column) => Kind::Text,
        // Counts in a second are whole.
        "attempts_peak_per_s" => Kind::Integer,
        _ if is_double => Kind::Double,
        _ => Kind::Integer,
    }
}

/// Writes `runs.parquet`, `episodes.parquet` and, where there is a `series.csv`, `series.parquet` beside the CSV files in
/// `dir`, each whole or not at all.
///
/// # Errors
///
/// Where a CSV file is missing or damaged, and where a file cannot be written; the message names it.
pub fn write(dir: &Path) -> Result<(), Error> {
    for table in TABLES {
        let source = dir.join(format!("{table}.csv"));
        if table == "series" && !source.exists() {
            continue;
        }
        let target = dir.join(format!("{table}.parquet"));
        let bytes = convert(&source)?;
        publish::file(&target, &bytes).map_err(|source| Error::Write { path: target, source })?;
    }
    Ok(())
}

fn convert(path: &Path) -> Result<Vec<u8>, Error> {
    let text = fs::File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let mut rows = csv::Reader::from_reader(text);
    let damaged = |error: csv::Error| Error::Line {
        path: path.to_owned(),
        line: error.position().map_or(1, csv::Position::line),
        problem: error.to_string(),
    };
    let columns: Vec<String> = rows.headers().map_err(damaged)?.iter().map(str::to_owned).collect();
    let failed = |error: ParquetError| Error::Read { path: path.to_owned(), source: io::Error::other(error) };
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_created_by(format!("cardiogram {}", env!("CARGO_PKG_VERSION")))
        .build();
    let schema = Arc::new(schema(&columns).map_err(failed)?);
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).map_err(failed)?;
    let mut group: Vec<csv::StringRecord> = Vec::new();
    let mut line = 1;
    loop {
        let mut record = csv::StringRecord::new();
        let more = rows.read_record(&mut record).map_err(damaged)?;
        if more {
            group.push(record);
        }
        if group.len() == GROUP || (!more && !group.is_empty()) {
            write_group(&mut writer, &columns, &group).map_err(|problem| match problem {
                Problem::Parquet(error) => failed(error),
                Problem::Value { row, problem } => {
                    Error::Line { path: path.to_owned(), line: line + 1 + row as u64, problem }
                }
            })?;
            line += group.len() as u64;
            group.clear();
        }
        if !more {
            break;
        }
    }
    writer.into_inner().map_err(failed)
}

fn schema(columns: &[String]) -> Result<Type, ParquetError> {
    let fields = columns.iter().map(|column| {
        let (physical, logical) = match kind(column) {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Double => (Physical::DOUBLE, None),
            Kind::Integer => (Physical::INT64, None),
        };
        let field = Type::primitive_type_builder(column, physical).with_logical_type(logical);
        // An empty field is an absent value.
        Ok(Arc::new(field.with_repetition(Repetition::OPTIONAL).build()?))
    });
    Type::group_type_builder("rows").with_fields(fields.collect::<Result<_, ParquetError>>()?).build()
}

enum Problem {
    Parquet(ParquetError),
    Value { row: usize, problem: String },
}

impl From<ParquetError> for Problem {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error)
    }
}

fn write_group(
    writer: &mut SerializedFileWriter<Vec<u8>>,
    columns: &[String],
    rows: &[csv::StringRecord],
) -> Result<(), Problem> {
    let mut group = writer.next_row_group()?;
    let mut place = 0;
    while let Some(mut column) = group.next_column()? {
        let fields = || rows.iter().map(|row| &row[place]);
        let there: Vec<i16> = fields().map(|field| i16::from(!field.is_empty())).collect();
        match column.untyped() {
            ColumnWriter::ByteArrayColumnWriter(out) => {
                let values: Vec<ByteArray> = fields().filter(|it| !it.is_empty()).map(ByteArray::from).collect();
                out.write_batch(&values, Some(&there), None)?;
            }
            ColumnWriter::DoubleColumnWriter(out) => {
                out.write_batch(&numbers::<f64>(fields(), &columns[place])?, Some(&there), None)?;
            }
            ColumnWriter::Int64ColumnWriter(out) => {
                // A seed may be any number of 64 bits: the same bits are kept.
                let values = numbers::<u64>(fields(), &columns[place])?;
                let values: Vec<i64> = values.into_iter().map(u64::cast_signed).collect();
                out.write_batch(&values, Some(&there), None)?;
            }
            _ => unreachable!("there are three kinds of columns"),
        }
        column.close()?;
        place += 1;
    }
    group.close()?;
    Ok(())
}

/// The values that are there.
fn numbers<'a, T: std::str::FromStr>(fields: impl Iterator<Item = &'a str>, column: &str) -> Result<Vec<T>, Problem> {
    let parse = |(row, field): (usize, &str)| {
        field
            .parse()
            .map_err(|_| Problem::Value { row, problem: format!("`{column}` is `{field}`, which is no number") })
    };
    fields.enumerate().filter(|(_, field)| !field.is_empty()).map(parse).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ::parquet::{
        file::reader::{FileReader as _, SerializedFileReader},
        record::Field,
    };

    use super::*;
    use crate::fixture;

    #[test]
    fn every_row_and_column_comes_back_with_its_type() {
        let dir = tempfile::tempdir().unwrap();
        fixture::write(dir.path(), 2);
        write(dir.path()).unwrap();
        for table in TABLES {
            let text = fs::read_to_string(dir.path().join(format!("{table}.csv"))).unwrap();
            let mut rows = csv::Reader::from_reader(text.as_bytes());
            let columns = rows.headers().unwrap().clone();
            let file = fs::File::open(dir.path().join(format!("{table}.parquet"))).unwrap();
            let reader = SerializedFileReader::new(file).unwrap();
            let mut back = reader.get_row_iter(None).unwrap();
            for row in rows.records().map(Result::unwrap) {
                let values: BTreeMap<String, Field> =
                    back.next().unwrap().unwrap().get_column_iter().map(|(n, v)| (n.clone(), v.clone())).collect();
                for (column, field) in columns.iter().zip(&row) {
                    match &values[column] {
                        Field::Null => assert_eq!(field, "", "{table}: {column}"),
                        Field::Str(text) => assert_eq!(field, text, "{table}: {column}"),
                        Field::Long(number) => {
                            assert_eq!(field, number.cast_unsigned().to_string(), "{table}: {column}");
                        }
                        Field::Double(number) => assert_eq!(field.parse::<f64>().unwrap().to_bits(), number.to_bits()),
                        other => panic!("{table}: {column}: {other:?}"),
                    }
                }
            }
            assert!(back.next().is_none(), "{table}");
        }
    }

    #[test]
    fn a_value_that_is_no_number_is_an_error_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        fixture::write(dir.path(), 1);
        let path = dir.path().join("runs.csv");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("healthy,none,1,", "healthy,none,one,", 1)).unwrap();
        let error = write(dir.path()).unwrap_err().to_string();
        assert!(error.contains("runs.csv: line 2: `seed` is `one`"), "{error}");
        assert!(!dir.path().join("runs.parquet").exists());
    }
}
