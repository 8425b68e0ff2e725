//! The one writer of result files: `runs.csv`, `episodes.csv`, `series.csv` and `manifest.json`, all of them or none.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::{
    claim::{Claim, PARQUET},
    column::Column,
    disk,
    error::Error,
    manifest::{self, Manifest, ManifestFile},
    rows::{EpisodeColumn, EpisodeRow, RunColumn, RunRow, SeriesColumn, SeriesRow},
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

/// Writes the results of a complete plan to the directory that was claimed. The manifest names the content of the tables and
/// comes last: until it is there, readers are told that the files do not belong together.
///
/// # Errors
///
/// The first file that cannot be written. Until all are complete, earlier results are as they were.
pub fn write(claim: &Claim, manifest: &Manifest, runs: &[Finished]) -> Result<(), Error> {
    let files = vec![
        stage::<RunColumn>(claim, runs.iter().map(|it| &it.run))?,
        stage::<EpisodeColumn>(claim, runs.iter().flat_map(|it| &it.episodes))?,
        stage::<SeriesColumn>(claim, runs.iter().flat_map(|it| &it.series))?,
    ];
    let manifest = Manifest { files, ..manifest.clone() };
    claim.stage(manifest::FILE_NAME, |out| out.write_all(manifest.to_json().as_bytes()))?;
    // What was made of the tables that were here before is not of these.
    for name in PARQUET {
        disk::remove_file(&claim.dir().join(name)).map_err(|source| claim.fail(source))?;
    }
    for name in manifest.files.iter().map(|file| file.name.as_str()).chain([manifest::FILE_NAME]) {
        claim.publish(name)?;
    }
    Ok(())
}

/// Writes a table that is to be moved to its place.
fn stage<'a, C: Column>(claim: &Claim, rows: impl Iterator<Item = &'a C::Row>) -> Result<ManifestFile, Error> {
    let mut hash = Xxh3::new();
    claim.stage(C::FILE, |out| table::<C>(&mut Hashed { out, hash: &mut hash }, rows))?;
    Ok(ManifestFile { name: C::FILE.into(), hash: format!("{:032x}", hash.digest128()) })
}

/// Computes the hash of what is written.
struct Hashed<'a> {
    out: &'a mut dyn Write,
    hash: &'a mut Xxh3,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Returns the rows below a line with the names of the columns, which is there even if no row is.
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
            "scenario,strategy,seed,device,cause,begin_s,end_s,outcome,detected_by,detect_latency_s,recovery_s,fault\n"
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
        assert_eq!(text.lines().nth(1), Some("s,t,0,0,cut,0.000000,,,,,,"));
        let back: Vec<EpisodeRow> =
            csv::Reader::from_reader(text.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap();
        assert_eq!(back, [row]);
    }
}
