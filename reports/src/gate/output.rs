//! Files written whole or not at all: beside their places first, and moved there once all are complete and on disk.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::error::Error;

/// Writes files (path, content), each in place of what was there; where one cannot be written, none is.
///
/// # Errors
///
/// The first that cannot be written.
pub fn write_files(files: &[(&Path, String)]) -> Result<(), Error> {
    let whole = files.iter().map(|(path, content)| Whole::write(path, content)).collect::<Result<Vec<_>, _>>()?;
    whole.iter().try_for_each(Whole::publish)
}

/// A file that is complete, on disk, and not yet at its place. Dropped before that, it is removed.
struct Whole {
    temporary: PathBuf,
    place: PathBuf,
}

impl Whole {
    fn write(place: &Path, content: &str) -> Result<Self, Error> {
        let fail = |source| Error::Write { path: place.into(), source };
        // A directory in the way would be noticed only when the file is moved there.
        if place.is_dir() {
            return Err(fail(io::ErrorKind::IsADirectory.into()));
        }
        let name = place.file_name().ok_or_else(|| fail(io::ErrorKind::InvalidFilename.into()))?;
        let mut temporary = std::ffi::OsString::from(".");
        temporary.push(name);
        temporary.push(".new");
        let whole = Self { temporary: place.with_file_name(temporary), place: place.into() };
        File::create(&whole.temporary)
            .and_then(|mut file| file.write_all(content.as_bytes()).and_then(|()| file.sync_all()))
            .map_err(fail)?;
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

    #[test]
    fn a_failure_leaves_everything_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let (good, bad) = (dir.path().join("good"), dir.path().join("missing/bad"));
        fs::write(&good, "earlier").unwrap();
        let error = write_files(&[(&good, "later".into()), (&bad, "later".into())]).unwrap_err();
        assert!(matches!(error, Error::Write { path, .. } if path == bad));
        assert_eq!(fs::read_to_string(&good).unwrap(), "earlier");
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["good"]);
        write_files(&[(&good, "later".into())]).unwrap();
        assert_eq!(fs::read_to_string(&good).unwrap(), "later");
    }
}
