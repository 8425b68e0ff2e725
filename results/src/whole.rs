//! Files written whole or not at all: beside their places first, and moved there once all are complete and on disk.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::error::Error;

/// Writes files (path, content), each in place of what was there; where one cannot be written, none is.
///
/// # Errors
///
/// The first that cannot be written.
pub fn write_files(files: &[(&Path, impl AsRef<[u8]>)]) -> Result<(), Error> {
    let write = |(path, content): &(&Path, _)| Whole::write(path, |out| out.write_all(AsRef::as_ref(content)));
    publish(&files.iter().map(write).collect::<Result<Vec<_>, _>>()?)
}

/// Moves complete files to their places.
pub(crate) fn publish(files: &[Whole]) -> Result<(), Error> {
    files.iter().try_for_each(Whole::publish)
}

/// A file that is complete, on disk, and not yet at its place. Dropped before that, it is removed.
pub(crate) struct Whole {
    temporary: PathBuf,
    place: PathBuf,
}

impl Whole {
    pub(crate) fn write(place: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Self, Error> {
        let fail = |source| Error::Write { path: place.into(), source };
        // A directory in the way would be noticed only when the file is moved there.
        if place.is_dir() {
            return Err(fail(io::ErrorKind::IsADirectory.into()));
        }
        let name = place.file_name().ok_or_else(|| fail(io::ErrorKind::InvalidFilename.into()))?;
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(".new");
        let whole = Self { temporary: place.with_file_name(temporary), place: place.into() };
        let written = File::create(&whole.temporary).and_then(|file| {
            let mut out = BufWriter::new(file);
            content(&mut out)?;
            out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
        });
        written.map_err(fail)?;
        Ok(whole)
    }

    fn publish(&self) -> Result<(), Error> {
        fs::rename(&self.temporary, &self.place).map_err(|source| Error::Write { path: self.place.clone(), source })
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

    /// The names of what is in a directory.
    fn names(dir: &Path) -> Vec<OsString> {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn where_one_of_several_fails_all_are_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let (good, bad) = (dir.path().join("good"), dir.path().join("missing/bad"));
        fs::write(&good, "earlier").unwrap();
        let error = write_files(&[(&good, "later"), (&bad, "later")]).unwrap_err();
        assert!(matches!(error, Error::Write { path, .. } if path == bad));
        assert_eq!(fs::read_to_string(&good).unwrap(), "earlier");
        assert_eq!(names(dir.path()), ["good"]);
        write_files(&[(&good, "later")]).unwrap();
        assert_eq!(fs::read_to_string(&good).unwrap(), "later");
    }

    #[test]
    fn a_failure_halfway_leaves_no_file_behind_and_earlier_ones_alone() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("runs.csv");
        fs::write(&place, "earlier").unwrap();
        let result = Whole::write(&place, |out| {
            out.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        let Some(Error::Write { path, source }) = result.err() else { panic!("the disk is full") };
        assert_eq!((path, source.kind()), (place.clone(), io::ErrorKind::StorageFull));
        assert_eq!(names(dir.path()), ["runs.csv"]);
        assert_eq!(fs::read_to_string(&place).unwrap(), "earlier");
    }
}
