//! The report of a results directory, a folder that is written whole or not at all: built beside its place, then swapped in.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::error::Error;

/// Writes `files` (path within the report, contents) as `dir/report/` in place of what was there, and returns the path
/// of its `index.html`. Until the last moment the earlier report stays; after a failure it is still there.
///
/// # Errors
///
/// The first file or directory that cannot be written.
pub fn publish_report(dir: &Path, files: &[(String, Vec<u8>)]) -> Result<PathBuf, Error> {
    let (report, new, old) = (dir.join("report"), dir.join("report.tmp"), dir.join("report.old"));
    let written = remove(&new)
        .and_then(|()| fill(&new, files))
        .and_then(|()| swap(&report, &new, &old).map_err(|source| (report.clone(), source)));
    if let Err((path, source)) = written {
        // What cannot be written may not be removable either; the first error is the one to tell.
        let _ = remove(&new);
        return Err(Error::Write { path, source });
    }
    Ok(report.join("index.html"))
}

fn fill(new: &Path, files: &[(String, Vec<u8>)]) -> Result<(), (PathBuf, io::Error)> {
    for (name, contents) in files {
        let path = new.join(name);
        let folder = path.parent().expect("a file within the report has a folder");
        fs::create_dir_all(folder).map_err(|source| (folder.to_owned(), source))?;
        write_through(&path, contents).map_err(|source| (path, source))?;
    }
    Ok(())
}

/// Writes a file and waits until it is on disk: some systems tell only then that the disk is full.
fn write_through(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

/// Puts `new` in the place of `report`. A directory cannot be replaced in one step on every system; the earlier one
/// steps aside first and comes back if the new one cannot take its place.
fn swap(report: &Path, new: &Path, old: &Path) -> io::Result<()> {
    remove(old).map_err(|(_, source)| source)?;
    let had_one = match fs::rename(report, old) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    if let Err(error) = fs::rename(new, report) {
        if had_one {
            fs::rename(old, report)?;
        }
        return Err(error);
    }
    // The new report is in place: a leftover that resists is removed by the next one.
    let _ = remove(old);
    Ok(())
}

fn remove(path: &Path) -> Result<(), (PathBuf, io::Error)> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err((path.to_owned(), error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, contents: &str) -> (String, Vec<u8>) {
        (name.to_owned(), contents.as_bytes().to_vec())
    }

    #[test]
    fn a_report_replaces_the_earlier_one_completely() {
        let dir = tempfile::tempdir().unwrap();
        publish_report(dir.path(), &[file("index.html", "1"), file("plots/a.svg", "a")]).unwrap();
        let index = publish_report(dir.path(), &[file("index.html", "2")]).unwrap();
        assert_eq!(fs::read_to_string(index).unwrap(), "2");
        assert!(!dir.path().join("report/plots").exists());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left over");
    }

    #[test]
    fn a_report_that_fails_halfway_leaves_the_earlier_one() {
        let dir = tempfile::tempdir().unwrap();
        publish_report(dir.path(), &[file("index.html", "1")]).unwrap();
        // No file system takes a name this long: the second file fails as it would on a full disk.
        let long = "x".repeat(5_000);
        let error = publish_report(dir.path(), &[file("index.html", "2"), file(&long, "")]).unwrap_err();
        assert!(error.to_string().contains(&long), "{error}");
        assert_eq!(fs::read_to_string(dir.path().join("report/index.html")).unwrap(), "1");
        assert!(!dir.path().join("report.tmp").exists());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let not_a_directory = dir.path().join("file");
        fs::write(&not_a_directory, "").unwrap();
        let error = publish_report(&not_a_directory, &[file("index.html", "1")]).unwrap_err();
        assert!(error.to_string().starts_with("cannot write"), "{error}");
    }
}
