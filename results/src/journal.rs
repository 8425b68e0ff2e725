//! What a run has finished so far, on disk, so that a killed run goes on where it stopped.
//!
//! JSON lines in the output directory: a header that names the plan, then one line a finished cell, each handed to the
//! system in one piece as soon as the cell is done. A last line that was cut short by the kill is dropped. The journal
//! of another plan, or of a program that was built anew, is not read: its cells would be others. The journal is gone
//! once the results are complete.

use std::{
    fs::{File, OpenOptions, TryLockError, create_dir_all, remove_file},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::{error::Error, write::Finished};

/// The journal's name in the output directory.
const FILE_NAME: &str = ".cardiogram-journal";

/// An open journal. While it is open, no other process can open it.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    file: File,
}

/// The first line. Every other line is a pair: the cell's place in the plan, and what it came to.
#[derive(PartialEq, Serialize, Deserialize)]
struct Header {
    /// The plan's fingerprint.
    plan: String,
    /// The running program's fingerprint.
    program: String,
}

/// Whether a run in `dir` has begun and not come to its end.
pub(crate) fn is_in(dir: &Path) -> bool {
    dir.join(FILE_NAME).exists()
}

impl Journal {
    /// Opens the journal in `dir`, which is made where it is not there, for the plan of that fingerprint, which has `cells`
    /// cells. Also returns what the journal already knows of them.
    ///
    /// # Errors
    ///
    /// The directory cannot be made or written to, or another run is writing there.
    pub fn open(dir: &Path, plan: &str, cells: usize) -> Result<(Self, Vec<Option<Finished>>), Error> {
        Self::try_open(dir, plan, cells).map_err(|source| Error::Write { path: dir.into(), source })
    }

    fn try_open(dir: &Path, plan: &str, cells: usize) -> io::Result<(Self, Vec<Option<Finished>>)> {
        create_dir_all(dir)?;
        let path = dir.join(FILE_NAME);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("another `cardiogram run` is writing there"));
            }
            // Where the file system has no locks, two runs at a time are the user's own risk.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        let mut journal = Self { dir: dir.into(), file };
        let mut finished = vec![None; cells];
        let header = Header { plan: plan.into(), program: program()? };
        let good = journal.read_back(&header, &mut finished)?;
        journal.file.set_len(good)?;
        journal.file.seek(SeekFrom::End(0))?;
        if good == 0 {
            journal.write_line(&header)?;
        }
        Ok((journal, finished))
    }

    /// Notes that a cell is finished.
    ///
    /// # Errors
    ///
    /// The journal cannot be written.
    pub fn append(&mut self, cell: usize, finished: &Finished) -> Result<(), Error> {
        self.write_line(&(cell, finished)).map_err(|source| Error::Write { path: self.dir.clone(), source })
    }

    /// Removes the journal: its results are complete elsewhere.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub fn remove(self) -> Result<(), Error> {
        remove_file(self.dir.join(FILE_NAME)).map_err(|source| Error::Write { path: self.dir, source })
    }

    /// Reads complete lines as long as they make sense; returns the length of that part in bytes.
    fn read_back(&mut self, header: &Header, finished: &mut [Option<Finished>]) -> io::Result<u64> {
        let mut lines = BufReader::new(&mut self.file);
        let mut line = Vec::new();
        let mut good = 0;
        while lines.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            if good == 0 {
                if serde_json::from_slice::<Header>(&line).ok().as_ref() != Some(header) {
                    break;
                }
            } else {
                let Ok((cell, entry)) = serde_json::from_slice::<(usize, Finished)>(&line) else { break };
                let Some(slot) = finished.get_mut(cell) else { break };
                *slot = Some(entry);
            }
            good += line.len() as u64;
            line.clear();
        }
        Ok(good)
    }

    fn write_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

/// Names the running program by its bytes: one that was changed and built anew may come to other results.
fn program() -> io::Result<String> {
    let mut file = File::open(std::env::current_exe()?)?;
    let mut hasher = Xxh3::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(format!("{:032x}", hasher.digest128())),
            length => hasher.update(&chunk[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::rows::{EpisodeRow, RunRow, SeriesRow};

    fn finished(seed: u64) -> Finished {
        let run = RunRow { seed, ..RunRow::default() };
        let episodes = vec![EpisodeRow { seed, ..EpisodeRow::default() }];
        Finished { run, episodes, series: vec![SeriesRow { seed, ..SeriesRow::default() }] }
    }

    /// A journal of the plan `a` with cells 0 and 2 of 3 finished.
    fn written() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, known) = Journal::open(dir.path(), "a", 3).unwrap();
        assert_eq!(known, [None, None, None]);
        journal.append(2, &finished(7)).unwrap();
        journal.append(0, &finished(5)).unwrap();
        dir
    }

    #[test]
    fn finished_cells_come_back() {
        let dir = written();
        let (_, known) = Journal::open(dir.path(), "a", 3).unwrap();
        assert_eq!(known, [Some(finished(5)), None, Some(finished(7))]);
    }

    #[test]
    fn a_line_cut_short_by_a_kill_is_dropped_and_overwritten() {
        let dir = written();
        let path = dir.path().join(FILE_NAME);
        let text = fs::read(&path).unwrap();
        for cut in 1..40 {
            fs::write(&path, &text[..text.len() - cut]).unwrap();
            let (mut journal, known) = Journal::open(dir.path(), "a", 3).unwrap();
            assert_eq!(known, [None, None, Some(finished(7))], "{cut} bytes short");
            journal.append(0, &finished(5)).unwrap();
            drop(journal);
            assert_eq!(fs::read(&path).unwrap(), text);
        }
    }

    #[test]
    fn the_journal_of_another_plan_is_started_afresh() {
        let dir = written();
        let (journal, known) = Journal::open(dir.path(), "b", 3).unwrap();
        assert_eq!(known, [None, None, None]);
        drop(journal);
        let (_, known) = Journal::open(dir.path(), "a", 3).unwrap();
        assert_eq!(known, [None, None, None], "nothing of the old plan is left");
    }

    #[test]
    fn two_runs_do_not_share_a_journal() {
        let dir = written();
        let (_journal, _) = Journal::open(dir.path(), "a", 3).unwrap();
        let error = Journal::open(dir.path(), "a", 3).unwrap_err();
        assert!(error.to_string().contains("another"), "{error}");
    }
}
