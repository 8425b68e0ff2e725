//! The tables of a results directory as Parquet, for tools that read columns: the feature `parquet`. CSV stays the stable
//! interface; here are the same rows and columns with types, made from the CSV files and nothing else.

use std::{io, path::PathBuf, sync::Arc};

use cardiogram_results::{
    Claim, Column, Kind, Reader, Table,
    manifest::VERSION,
    rows::{EpisodeColumn, RunColumn},
    write_beside,
};
use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as Physical},
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::Type,
};

use crate::Error;

/// Rows of a row group: what a reader has to hold at once.
const GROUP: usize = 100_000;

/// Writes `runs.parquet`, `episodes.parquet` and, where there is a `series.csv`, `series.parquet` beside the CSV files in the
/// directory that was claimed, each whole or not at all.
///
/// # Errors
///
/// Where a CSV file is missing or damaged, and where a file cannot be written; the message names it.
pub fn write(claim: &Claim) -> Result<(), Error> {
    let reader = Reader::open_in(claim)?;
    let tables = [
        Some(convert(reader.table::<RunColumn>()?)?),
        Some(convert(reader.table::<EpisodeColumn>()?)?),
        reader.series()?.map(convert).transpose()?,
    ];
    write_beside(claim, &tables.into_iter().flatten().collect::<Vec<_>>())
}

/// Returns a table as Parquet, with the name of its file.
fn convert<C: Column>(mut table: Table<C>) -> Result<(String, Vec<u8>), Error> {
    let path = PathBuf::from(C::FILE).with_extension("parquet");
    let failed = |error: ParquetError| Error::Write { path: path.clone(), source: io::Error::other(error) };
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_created_by(format!("cardiogram {VERSION}"))
        .build();
    let columns: Vec<(String, Kind)> = table
        .header()
        .iter()
        // A column that the list does not have may hold anything.
        .map(|name| (name.to_owned(), C::named(name).map_or(Kind::Text, Column::kind)))
        .collect();
    let schema = Arc::new(schema(&columns).map_err(failed)?);
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).map_err(failed)?;
    let mut group: Vec<csv::StringRecord> = Vec::new();
    let mut line = 2;
    loop {
        let next = table.next_row()?.map(|row| row.fields().clone());
        let is_end = next.is_none();
        group.extend(next);
        if group.len() == GROUP || (is_end && !group.is_empty()) {
            write_group(&mut writer, &columns, &group).map_err(|problem| match problem {
                Problem::Parquet(error) => failed(error),
                Problem::Value { row, problem } => table.damaged(line + row as u64, problem),
            })?;
            line += group.len() as u64;
            group.clear();
        }
        if is_end {
            break;
        }
    }
    let content = writer.into_inner().map_err(failed)?;
    Ok((path.display().to_string(), content))
}

fn schema(columns: &[(String, Kind)]) -> Result<Type, ParquetError> {
    let fields = columns.iter().map(|(column, kind)| {
        let (physical, logical) = match kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Decimal => (Physical::DOUBLE, None),
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
    columns: &[(String, Kind)],
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
                out.write_batch(&numbers::<f64>(fields(), &columns[place].0)?, Some(&there), None)?;
            }
            ColumnWriter::Int64ColumnWriter(out) => {
                // A seed may be any number of 64 bits: the same bits are kept.
                let values = numbers::<u64>(fields(), &columns[place].0)?;
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

/// Returns the values that are there.
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
    use std::{collections::BTreeMap, fs};

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
        write(&fixture::claim(dir.path())).unwrap();
        for table in ["runs", "episodes", "series"] {
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
        let error = write(&fixture::claim(dir.path())).unwrap_err().to_string();
        assert!(error.contains("runs.csv: line 2: `seed` is `one`"), "{error}");
        assert!(!dir.path().join("runs.parquet").exists());
    }
}
