//! The result files: `runs.csv`, `episodes.csv`, `series.csv` and `manifest.json`. They are written beside their places first and
//! moved there when all of them are complete and on disk, so that a failure leaves earlier results as they were.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    journal::Finished,
    manifest::{self, Manifest},
    rows::{EpisodeRow, RunRow, SeriesRow},
};

/// One row a run.
pub(crate) const RUNS: &str = "runs.csv";
/// One row an episode.
pub(crate) const EPISODES: &str = "episodes.csv";
/// One row a stretch of the first run of each strategy in each scenario.
pub(crate) const SERIES: &str = "series.csv";

/// Writes the results of a complete plan to `dir`. The error names the file.
pub(crate) fn write(dir: &Path, manifest: &Manifest, cells: &[Finished]) -> Result<(), (PathBuf, io::Error)> {
    let runs = cells.iter().map(|cell| &cell.run);
    let episodes = cells.iter().flat_map(|cell| &cell.episodes);
    let series = cells.iter().flat_map(|cell| &cell.series);
    let written = [
        Whole::write(dir, RUNS, |out| table::<RunRow>(out, runs))?,
        Whole::write(dir, EPISODES, |out| table::<EpisodeRow>(out, episodes))?,
        Whole::write(dir, SERIES, |out| table::<SeriesRow>(out, series))?,
        Whole::write(dir, manifest::FILE_NAME, |out| out.write_all(manifest.to_json().as_bytes()))?,
    ];
    written.into_iter().try_for_each(Whole::publish)
}

/// The rows below a line with the names of the columns, which is there even if no row is.
fn table<'a, R: Serialize + Default + 'a>(out: &mut dyn Write, rows: impl Iterator<Item = &'a R>) -> io::Result<()> {
    out.write_all(columns::<R>().as_bytes())?;
    let mut out = csv::WriterBuilder::new().has_headers(false).from_writer(out);
    for row in rows {
        out.serialize(row)?;
    }
    out.flush()
}

/// The line with the names of the columns.
pub(crate) fn columns<R: Serialize + Default>() -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.serialize(R::default()).expect("a row is plain data");
    let text = String::from_utf8(out.into_inner().expect("a Vec takes everything")).expect("names are text");
    text.split_inclusive('\n').next().expect("a row has columns").into()
}

/// A file that is complete, on disk, and not yet at its place. Dropped before that, it is removed.
struct Whole {
    temporary: PathBuf,
    place: PathBuf,
}

impl Whole {
    fn write(
        dir: &Path,
        name: &str,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let whole = Self { temporary: dir.join(format!(".{name}.new")), place: dir.join(name) };
        let written = (|| {
            let mut out = BufWriter::new(File::create(&whole.temporary)?);
            content(&mut out)?;
            out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
        })();
        written.map_err(|error| (whole.place.clone(), error))?;
        Ok(whole)
    }

    fn publish(self) -> Result<(), (PathBuf, io::Error)> {
        fs::rename(&self.temporary, &self.place).map_err(|error| (self.place.clone(), error))
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        // After publishing there is nothing left to remove, and where removing fails nothing more can be done.
        let _ = fs::remove_file(&self.temporary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<'a, R: Serialize + Default + 'a>(rows: impl Iterator<Item = &'a R>) -> String {
        let mut out = Vec::new();
        table(&mut out, rows).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_columns_that_others_rely_on_stay() {
        let runs = text::<RunRow>([].iter());
        let stable = "scenario,strategy,seed,engine,device_hours,episodes,detected,ridden_out,undetected,false_alarms,\
            detect_mean_s,detect_p50_s,detect_p95_s,detect_max_s,recover_mean_s,availability,packets_up,packets_down,\
            bytes_up,bytes_down,heartbeats_sent,connect_attempts,trace_hash,";
        assert!(runs.starts_with(stable), "{runs}");
        assert_eq!(
            text::<EpisodeRow>([].iter()),
            "scenario,strategy,seed,device,cause,begin_s,end_s,outcome,detected_by,detect_latency_s,recovery_s\n"
        );
        assert_eq!(
            text::<SeriesRow>([].iter()),
            "scenario,strategy,seed,begin_s,width_s,attempts,attempts_peak_per_s,interval_mean_s,nat_timeout_s\n"
        );
    }

    #[test]
    fn what_is_absent_is_an_empty_field_and_rows_read_back() {
        let row =
            EpisodeRow { scenario: "s".into(), strategy: "t".into(), cause: "cut".into(), ..EpisodeRow::default() };
        let text = text([row.clone()].iter());
        assert_eq!(text.lines().nth(1), Some("s,t,0,0,cut,0.000000,,,,,"));
        let back: Vec<EpisodeRow> =
            csv::Reader::from_reader(text.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap();
        assert_eq!(back, [row]);
    }

    #[test]
    fn a_failure_leaves_no_file_behind_and_earlier_results_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("runs.csv"), "earlier").unwrap();
        let result = Whole::write(dir.path(), "runs.csv", |out| {
            out.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert_eq!(result.err().map(|(path, error)| (path, error.kind())).unwrap().1, io::ErrorKind::StorageFull);
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["runs.csv"]);
        assert_eq!(fs::read_to_string(dir.path().join("runs.csv")).unwrap(), "earlier");
    }
}
