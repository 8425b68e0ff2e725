//! The one writer of result files: `runs.csv`, `episodes.csv`, `series.csv` and `manifest.json`, all of them or none.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    column::Column,
    error::Error,
    manifest::{self, Manifest},
    rows::{EpisodeColumn, EpisodeRow, RunColumn, RunRow, SeriesColumn, SeriesRow},
    whole::{self, Whole},
};

/// What a run came to: its lines of the three tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// The line of `runs.csv`.
    pub run: RunRow,
    /// The lines of `episodes.csv`.
    pub episodes: Vec<EpisodeRow>,
    /// The lines of `series.csv`.
    pub series: Vec<SeriesRow>,
}

/// Writes the results of a complete plan to `dir`, which is made where it is not there.
///
/// # Errors
///
/// The first file that cannot be written; earlier results are as they were.
pub fn write(dir: &Path, manifest: &Manifest, runs: &[Finished]) -> Result<(), Error> {
    fs::create_dir_all(dir).map_err(|source| Error::Write { path: dir.into(), source })?;
    whole::publish(&[
        write_table::<RunColumn>(dir, runs.iter().map(|it| &it.run))?,
        write_table::<EpisodeColumn>(dir, runs.iter().flat_map(|it| &it.episodes))?,
        write_table::<SeriesColumn>(dir, runs.iter().flat_map(|it| &it.series))?,
        Whole::write(&dir.join(manifest::FILE_NAME), |out| out.write_all(manifest.to_json().as_bytes()))?,
    ])
}

fn write_table<'a, C: Column>(dir: &Path, rows: impl Iterator<Item = &'a C::Row>) -> Result<Whole, Error> {
    Whole::write(&dir.join(C::FILE), |out| table::<C>(out, rows))
}

/// The rows below a line with the names of the columns, which is there even if no row is.
fn table<'a, C: Column>(out: &mut dyn Write, rows: impl Iterator<Item = &'a C::Row>) -> io::Result<()> {
    let mut out = csv::WriterBuilder::new().has_headers(false).from_writer(out);
    out.write_record(C::ALL.iter().map(|column| column.name()))?;
    for row in rows {
        out.serialize(row)?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{EpisodeColumn, RunColumn, SeriesColumn};

    fn text<'a, C: Column>(rows: impl Iterator<Item = &'a C::Row>) -> String {
        let mut out = Vec::new();
        table::<C>(&mut out, rows).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_columns_that_others_rely_on_stay() {
        let runs = text::<RunColumn>([].iter());
        let stable = "scenario,strategy,seed,engine,device_hours,episodes,detected,ridden_out,undetected,false_alarms,\
            detect_mean_s,detect_p50_s,detect_p95_s,detect_max_s,recover_mean_s,availability,packets_up,packets_down,\
            bytes_up,bytes_down,heartbeats_sent,connect_attempts,trace_hash,";
        assert!(runs.starts_with(stable), "{runs}");
        assert_eq!(
            text::<EpisodeColumn>([].iter()),
            "scenario,strategy,seed,device,cause,begin_s,end_s,outcome,detected_by,detect_latency_s,recovery_s\n"
        );
        assert_eq!(
            text::<SeriesColumn>([].iter()),
            "scenario,strategy,seed,begin_s,width_s,attempts,attempts_peak_per_s,interval_mean_s,nat_timeout_s\n"
        );
    }

    #[test]
    fn what_is_absent_is_an_empty_field_and_rows_read_back() {
        let row =
            EpisodeRow { scenario: "s".into(), strategy: "t".into(), cause: "cut".into(), ..EpisodeRow::default() };
        let text = text::<EpisodeColumn>([row.clone()].iter());
        assert_eq!(text.lines().nth(1), Some("s,t,0,0,cut,0.000000,,,,,"));
        let back: Vec<EpisodeRow> =
            csv::Reader::from_reader(text.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap();
        assert_eq!(back, [row]);
    }
}
