//! The right to write into a results directory: whose it is, and that there is one writer at a time.
//!
//! A results directory has a folder `.cardiogram`, which says that the directory is the lab's and holds what is not for
//! others: the lock, the journal of what is unfinished, and what is written before it is moved to its place. Without it,
//! a directory is somebody's own and is left alone, unless it is empty. What the lab replaces or removes are the files
//! that it writes, by their names; whatever else lies in a results directory stays.
//!
//! The lock is one of the operating system, which ends with the process, however that ends. Where a file system has no
//! locks, two writers at a time are the user's own risk.

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{column::Column as _, disk, error::Error, journal, manifest, rows};

/// The lab's own folder in a results directory.
pub(crate) const HOME: &str = ".cardiogram";
/// The form of a results directory: of what is in [`HOME`], and how.
pub(crate) const FORMAT: u32 = 1;
/// The report's folder in a results directory.
pub(crate) const REPORT: &str = "report";
/// The list of a report's files, in the report.
pub(crate) const REPORT_FILES: &str = ".files";
/// The most foreign entries that a message names.
const NAMED_MAX: usize = 5;
/// The most that is read of a marker or of a note about who holds a lock.
const NOTE_BYTES_MAX: u64 = 1 << 16;

/// A results directory that this process alone may write to, until this value is dropped.
#[derive(Debug)]
pub struct Claim {
    dir: PathBuf,
    lock: File,
    /// The directory was made for this claim, and goes with it where nothing was put there.
    is_new: bool,
}

/// Returns the fingerprint of the program whose results are in `dir`; `None` where that is not said.
pub fn program_of(dir: &Path) -> Option<String> {
    let marker = marker_in(dir).ok()??;
    (!marker.program.is_empty()).then_some(marker.program)
}

fn marker_in(dir: &Path) -> Result<Option<Marker>, Error> {
    let path = dir.join(HOME).join("marker.json");
    let damaged = |problem| Error::Damaged { path: path.clone(), problem };
    let mut text = Vec::new();
    match File::open(&path).and_then(|file| file.take(NOTE_BYTES_MAX).read_to_end(&mut text)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Read { path, source }),
        Ok(_) => {}
    }
    serde_json::from_slice(&text).map(Some).map_err(|error| damaged(crate::in_words(&error)))
}

/// What [`HOME`] says of the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    /// [`FORMAT`] of the program that wrote it.
    pub(crate) format: u32,
    /// The fingerprint of the program that the results are of; empty where there are none.
    #[serde(default)]
    pub(crate) program: String,
    /// The command that they are of.
    #[serde(default)]
    pub(crate) command: String,
}

impl Claim {
    /// Takes `dir` for writing: makes it where it is not there, marks it as the lab's, and locks it. `command` is what
    /// others are told who come meanwhile.
    ///
    /// # Errors
    ///
    /// The directory holds files that are not the lab's, another process is writing there, a later version wrote there, or
    /// nothing can be written there at all. In all these cases it is as it was.
    pub fn take(dir: &Path, command: &str) -> Result<Self, Error> {
        let fail = |source| Error::Write { path: dir.into(), source };
        let is_new = fs::symlink_metadata(dir).is_err();
        let home = dir.join(HOME);
        if !is_new && fs::symlink_metadata(&home).is_err() {
            refuse_foreign(dir)?;
        }
        disk::create_folders(&home).map_err(fail)?;
        if !fs::symlink_metadata(&home).map_err(fail)?.is_dir() {
            return Err(Error::InTheWay { path: home });
        }
        let lock = lock(&home.join("lock"), dir, command)?;
        let claim = Self { dir: dir.into(), lock, is_new };
        match claim.marker()? {
            Some(marker) if marker.format > FORMAT => {
                return Err(Error::Format { dir: dir.into(), format: marker.format });
            }
            Some(_) => {}
            None => {
                refuse_foreign(dir)?;
                claim.set_marker(&Marker { format: FORMAT, ..Marker::default() })?;
            }
        }
        claim.clear_way()?;
        Ok(claim)
    }

    /// Takes a directory that has finished results, to write what is made of them.
    ///
    /// # Errors
    ///
    /// Those of [`Claim::take`]; there are no results, or something there has not come to its end.
    pub fn of_results(dir: &Path, command: &str) -> Result<Self, Error> {
        if !dir.join(manifest::FILE_NAME).exists() {
            return Err(match journal::unfinished_in(dir)? {
                Some(unfinished) => Error::Unfinished { dir: dir.into(), command: unfinished.command },
                None => Error::NoResults { dir: dir.into() },
            });
        }
        let claim = Self::take(dir, command)?;
        match journal::unfinished_in(dir)? {
            Some(unfinished) => Err(Error::Unfinished { dir: dir.into(), command: unfinished.command }),
            None => Ok(claim),
        }
    }

    /// Returns the directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns a path in the lab's own folder.
    pub(crate) fn home(&self, name: &str) -> PathBuf {
        self.dir.join(HOME).join(name)
    }

    /// Turns what the system said about something in the directory into an error that names it.
    pub(crate) fn fail(&self, source: io::Error) -> Error {
        Error::Write { path: self.dir.clone(), source }
    }

    /// Notes that all that was asked for is on disk: the journal goes.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub fn finish(&self) -> Result<(), Error> {
        disk::remove_file(&self.home(journal::FILE_NAME)).map_err(|source| self.fail(source))
    }

    pub(crate) fn marker(&self) -> Result<Option<Marker>, Error> {
        marker_in(&self.dir)
    }

    pub(crate) fn set_marker(&self, marker: &Marker) -> Result<(), Error> {
        let text = serde_json::to_string(marker).expect("a marker is plain data") + "\n";
        self.write("marker.json", |out| out.write_all(text.as_bytes()))
    }

    /// Writes a file in the lab's own folder, whole or not at all.
    fn write(&self, name: &str, content: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Result<(), Error> {
        let staged = self.stage(name, content)?;
        disk::rename(&staged, &self.home(name)).map_err(|source| self.fail(source))
    }

    /// Writes a file that is to be moved to its place once all others are complete, and returns its path until then.
    pub(crate) fn stage(
        &self,
        name: &str,
        content: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<PathBuf, Error> {
        let path = self.home("new").join(name);
        let folder = path.parent().expect("it is in the lab's own folder");
        let written = disk::create_folders(folder)
            .and_then(|()| disk::open(&path))
            .and_then(|file| disk::truncate(&file, &path, 0).and_then(|()| disk::fill(&file, content)));
        written.map_err(|source| Error::Write { path: self.dir.join(name), source })?;
        Ok(path)
    }

    /// Moves what was staged under that name to its place.
    pub(crate) fn publish(&self, name: &str) -> Result<(), Error> {
        let place = self.dir.join(name);
        disk::rename(&self.home("new").join(name), &place).map_err(|source| Error::Write { path: place, source })
    }

    /// Puts right what a writer left behind that did not come to its end, and refuses what is in the way of the files that are
    /// to come.
    fn clear_way(&self) -> Result<(), Error> {
        let fail = |source| self.fail(source);
        disk::remove_all(&self.home("new")).map_err(fail)?;
        let (report, old) = (self.dir.join(REPORT), self.home("old"));
        if fs::symlink_metadata(&report).is_err() && old.is_dir() {
            disk::rename(&old, &report).map_err(fail)?;
        }
        disk::remove_all(&old).map_err(fail)?;
        let files = FILES.into_iter().chain(PARQUET).map(|name| self.dir.join(name));
        for path in files.chain([self.home(journal::FILE_NAME)]) {
            match fs::symlink_metadata(&path) {
                Ok(found) if !found.is_file() => return Err(Error::InTheWay { path }),
                _ => {}
            }
        }
        refuse_foreign_in_report(&report)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Nobody holds it any more; where that cannot be said, whoever comes is told of a process that has ended.
        let _ = self.lock.set_len(0);
        if !self.is_new {
            return;
        }
        let is_unused = fs::read_dir(&self.dir).is_ok_and(|entries| entries.count() == 1)
            && fs::read_dir(self.dir.join(HOME)).is_ok_and(|entries| {
                entries
                    .flatten()
                    .all(|it| it.file_name() == "lock" || it.file_name() == "marker.json" || it.file_name() == "new")
            });
        if is_unused {
            // Nothing came of it, so that nothing is to be seen of it; what cannot be removed does no harm.
            let _ = disk::remove_all(&self.dir.join(HOME)).and_then(|()| disk::remove_folder(&self.dir));
        }
    }
}

/// The names of the lab's files in a results directory, but for [`PARQUET`].
const FILES: [&str; 4] =
    [rows::RunColumn::FILE, rows::EpisodeColumn::FILE, rows::SeriesColumn::FILE, manifest::FILE_NAME];
/// What the tables become as Parquet.
pub(crate) const PARQUET: [&str; 3] = ["runs.parquet", "episodes.parquet", "series.parquet"];

/// Takes the lock, and notes who holds it.
fn lock(path: &Path, dir: &Path, command: &str) -> Result<File, Error> {
    let fail = |source| Error::Write { path: dir.into(), source };
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(Error::InTheWay { path: path.into() });
    }
    let mut file = disk::open(path).map_err(fail)?;
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        let mut holder = String::new();
        // Where a lock keeps others from reading too, the holder stays unnamed.
        let _ = file.take(NOTE_BYTES_MAX).read_to_string(&mut holder);
        return Err(Error::Busy { dir: dir.into(), holder });
    }
    if !disk::is_at(&file, path).map_err(fail)? {
        // Whoever held it found nothing to keep and removed the directory.
        return Err(Error::Busy { dir: dir.into(), holder: String::new() });
    }
    let note = format!("process {}: {command}", std::process::id());
    let noted =
        file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).and_then(|_| file.write_all(note.as_bytes()));
    noted.map_err(fail)?;
    Ok(file)
}

/// Refuses a directory without a marker that has anything in it.
fn refuse_foreign(dir: &Path) -> Result<(), Error> {
    let read = |source: io::Error| match source.kind() {
        io::ErrorKind::NotADirectory => Error::Write { path: dir.into(), source },
        _ => Error::Read { path: dir.into(), source },
    };
    let mut foreign = BTreeSet::new();
    let mut has_manifest = false;
    for entry in fs::read_dir(dir).map_err(read)? {
        let name = entry.map_err(read)?.file_name();
        has_manifest |= name == manifest::FILE_NAME;
        if name != HOME {
            foreign.insert(name.to_string_lossy().into_owned());
        }
    }
    refuse_any(dir, &foreign, has_manifest)
}

/// Refuses a report in which there is something that no report put there.
fn refuse_foreign_in_report(report: &Path) -> Result<(), Error> {
    let read = |source| Error::Read { path: report.into(), source };
    match fs::symlink_metadata(report) {
        Err(_) => return Ok(()),
        Ok(found) if !found.is_dir() => return Err(Error::InTheWay { path: report.into() }),
        Ok(_) => {}
    }
    let list = fs::read_to_string(report.join(REPORT_FILES)).unwrap_or_default();
    let own: BTreeSet<&str> = list.lines().collect();
    let mut foreign = BTreeSet::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(report.join(&folder)).map_err(read)? {
            let entry = entry.map_err(read)?;
            let name = folder.join(entry.file_name());
            let as_listed = name.to_string_lossy().replace('\\', "/");
            if entry.file_type().map_err(read)?.is_dir() {
                folders.push(name);
            } else if as_listed != REPORT_FILES && !own.contains(as_listed.as_str()) {
                foreign.insert(as_listed);
            }
        }
    }
    refuse_any(report, &foreign, false)
}

/// Refuses `dir` where there are `foreign` entries.
fn refuse_any(dir: &Path, foreign: &BTreeSet<String>, has_manifest: bool) -> Result<(), Error> {
    if foreign.is_empty() {
        return Ok(());
    }
    Err(Error::Foreign { dir: dir.into(), entries: named(foreign), has_manifest })
}

/// Names as a list in a sentence, the first few of them.
fn named(names: &BTreeSet<String>) -> String {
    let first: Vec<&str> = names.iter().take(NAMED_MAX).map(String::as_str).collect();
    match names.len() - first.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_or_empty_directory_is_taken_and_a_used_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        drop(Claim::take(dir.path(), "one").unwrap());
        assert!(dir.path().join(HOME).is_dir(), "an empty one is marked");
        drop(Claim::take(dir.path(), "two").unwrap());

        let used = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c", "d", "e", "f", "g"] {
            fs::write(used.path().join(name), "").unwrap();
        }
        let error = Claim::take(used.path(), "three").unwrap_err().to_string();
        assert!(error.ends_with(": a, b, c, d, e and 2 more"), "{error}");
        assert!(!used.path().join(HOME).exists());
    }

    #[test]
    fn a_directory_that_was_made_for_nothing_goes_again() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("new");
        drop(Claim::take(&new, "one").unwrap());
        assert!(!new.exists());
    }

    #[test]
    fn a_second_writer_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = Claim::take(dir.path(), "cardiogram run small.toml").unwrap();
        let error = Claim::take(dir.path(), "cardiogram report").unwrap_err().to_string();
        assert!(error.contains(&format!("process {}: cardiogram run small.toml", std::process::id())), "{error}");
        drop(first);
        Claim::take(dir.path(), "cardiogram report").unwrap();
    }

    #[test]
    fn what_lies_beside_results_stays_and_what_is_in_their_way_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        drop(Claim::take(dir.path(), "one").unwrap());
        fs::write(dir.path().join("notes.md"), "mine").unwrap();
        drop(Claim::take(dir.path(), "two").unwrap());
        assert_eq!(fs::read_to_string(dir.path().join("notes.md")).unwrap(), "mine");

        fs::create_dir_all(dir.path().join("report")).unwrap();
        fs::write(dir.path().join("report/thesis.tex"), "mine").unwrap();
        let error = Claim::take(dir.path(), "three").unwrap_err();
        assert!(matches!(&error, Error::Foreign { entries, .. } if entries == "thesis.tex"), "{error}");
        fs::remove_dir_all(dir.path().join("report")).unwrap();

        fs::create_dir(dir.path().join("runs.csv")).unwrap();
        let error = Claim::take(dir.path(), "four").unwrap_err();
        assert!(matches!(&error, Error::InTheWay { path } if path.ends_with("runs.csv")), "{error}");
    }

    #[test]
    fn a_later_form_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let claim = Claim::take(dir.path(), "one").unwrap();
        claim.set_marker(&Marker { format: FORMAT + 1, ..Marker::default() }).unwrap();
        drop(claim);
        assert!(matches!(Claim::take(dir.path(), "two").unwrap_err(), Error::Format { .. }));
    }
}
