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

/// Writes the results of a complete plan to the directory that was claimed.
///
/// # Errors
///
/// The first file that cannot be written. Until all are complete, earlier results are as they were.
pub fn write(claim: &Claim, manifest: &Manifest, runs: &[Finished]) -> Result<(), Error> {
    let mut tables = Tables::new(claim);
    tables.stage::<RunColumn>(|put| runs.iter().try_for_each(|it| put(&it.run)))?;
    tables.stage::<EpisodeColumn>(|put| runs.iter().flat_map(|it| &it.episodes).try_for_each(put))?;
    tables.stage::<SeriesColumn>(|put| runs.iter().flat_map(|it| &it.series).try_for_each(put))?;
    tables.publish(manifest)
}

/// The tables of results that are being written, one after the other, each row by row. Dropped before they are published,
/// they are removed.
#[derive(Debug)]
pub struct Tables<'a> {
    claim: &'a Claim,
    files: Vec<ManifestFile>,
    is_published: bool,
}

impl<'a> Tables<'a> {
    /// Begins to write to the directory that was claimed.
    pub const fn new(claim: &'a Claim) -> Self {
        Self { claim, files: Vec::new(), is_published: false }
    }

    /// Writes a table beside its place. `rows` hands its rows over, in their order.
    ///
    /// # Errors
    ///
    /// What `rows` says, and that the file cannot be written.
    pub fn stage<C: Column>(
        &mut self,
        rows: impl FnOnce(&mut dyn FnMut(&C::Row) -> Result<(), Error>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut hash = Xxh3::new();
        let mut failed = None;
        let staged = self.claim.stage(C::FILE, |out| {
            table::<C>(&mut Hashed { out, hash: &mut hash }, |put| {
                let fail = |source| Error::Write { path: self.claim.dir().join(C::FILE), source };
                let rows = rows(&mut |row| put(row).map_err(fail));
                rows.map_err(|error| {
                    failed = Some(error);
                    io::Error::other("its rows end here")
                })
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
        staged?;
        self.files.push(ManifestFile { name: C::FILE.into(), hash: format!("{:032x}", hash.digest128()) });
        Ok(())
    }

    /// Moves the tables to their places. The manifest names their content and comes last: until it is there, readers are told
    /// that the files do not belong together.
    ///
    /// # Errors
    ///
    /// The manifest cannot be written, or something cannot be moved.
    pub fn publish(mut self, manifest: &Manifest) -> Result<(), Error> {
        let claim = self.claim;
        let manifest = Manifest { files: std::mem::take(&mut self.files), ..manifest.clone() };
        claim.stage(manifest::FILE_NAME, |out| out.write_all(manifest.to_json().as_bytes()))?;
        // What was made of the tables that were here before is not of these.
        for name in PARQUET {
            disk::remove_file(&claim.dir().join(name)).map_err(|source| claim.fail(source))?;
        }
        for name in manifest.files.iter().map(|file| file.name.as_str()).chain([manifest::FILE_NAME]) {
            claim.publish(name)?;
        }
        self.is_published = true;
        Ok(())
    }
}

impl Drop for Tables<'_> {
    fn drop(&mut self) {
        if !self.is_published {
            // They may be large; what cannot be removed now is removed by the next claim.
            let _ = disk::remove_all(&self.claim.home("new"));
        }
    }
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

/// Writes the rows below a line with the names of the columns, which is there even if no row is.
fn table<C: Column>(
    out: &mut dyn Write,
    rows: impl FnOnce(&mut dyn FnMut(&C::Row) -> io::Result<()>) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = csv::WriterBuilder::new().has_headers(false).from_writer(out);
    out.write_record(C::ALL.iter().map(|column| column.name()))?;
    rows(&mut |row| Ok(out.serialize(row)?))?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{EpisodeColumn, RunColumn, SeriesColumn};

    fn text<C: Column>(rows: &[C::Row]) -> String {
        let mut out = Vec::new();
        table::<C>(&mut out, |put| rows.iter().try_for_each(put)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_columns_that_others_rely_on_stay() {
        let runs = text::<RunColumn>(&[]);
        let stable = "scenario,strategy,seed,engine,device_hours,episodes,detected,ridden_out,undetected,false_alarms,\
            detect_mean_s,detect_p50_s,detect_p95_s,detect_max_s,recover_mean_s,availability,packets_up,packets_down,\
            bytes_up,bytes_down,heartbeats_sent,connect_attempts,trace_hash,";
        assert!(runs.starts_with(stable), "{runs}");
        assert_eq!(
            text::<EpisodeColumn>(&[]),
            "scenario,strategy,seed,device,cause,begin_s,end_s,outcome,detected_by,detect_latency_s,recovery_s,fault\n"
        );
        assert_eq!(
            text::<SeriesColumn>(&[]),
            "scenario,strategy,seed,begin_s,width_s,attempts,attempts_peak_per_s,interval_mean_s,nat_timeout_s\n"
        );
    }

    #[test]
    fn what_is_absent_is_an_empty_field_and_rows_read_back() {
        let row =
            EpisodeRow { scenario: "s".into(), strategy: "t".into(), cause: "cut".into(), ..EpisodeRow::default() };
        let text = text::<EpisodeColumn>(std::slice::from_ref(&row));
        assert_eq!(text.lines().nth(1), Some("s,t,0,0,cut,0.000000,,,,,,"));
        let back: Vec<EpisodeRow> =
            csv::Reader::from_reader(text.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap();
        assert_eq!(back, [row]);
    }
}
