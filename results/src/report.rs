//! The report of a results directory, a folder that is written whole or not at all: built in the lab's own folder, then
//! swapped in.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    claim::{Claim, REPORT, REPORT_FILES},
    disk,
    error::Error,
    output,
};

/// Writes `files` (path within the report, contents) as `report/` in the directory that was claimed, in place of what was
/// there, and returns the path of its `index.html`. Until the last moment the earlier report stays; after a failure it is
/// still there.
///
/// # Errors
///
/// The first file or directory that cannot be written.
pub fn write_report(claim: &Claim, files: &[(String, Vec<u8>)]) -> Result<PathBuf, Error> {
    let mut list: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    list.sort_unstable();
    let list = list.join("\n") + "\n";
    for (name, contents) in files {
        claim.stage(&format!("{REPORT}/{name}"), |out| out.write_all(contents))?;
    }
    claim.stage(&format!("{REPORT}/{REPORT_FILES}"), |out| out.write_all(list.as_bytes()))?;

    // A directory cannot be replaced in one step on every system; the earlier one steps aside first, and comes back with the
    // next claim if the new one does not take its place.
    let (report, old) = (claim.dir().join(REPORT), claim.home("old"));
    if fs::symlink_metadata(&report).is_ok() {
        disk::rename(&report, &old).map_err(|source| claim.fail(source))?;
    }
    if let Err(error) = claim.publish(REPORT) {
        // The first error is the one to tell.
        let _ = disk::rename(&old, &report);
        return Err(error);
    }
    // The new report is in place: a leftover that resists is removed by the next claim.
    let _ = disk::remove_all(&old);
    Ok(report.join("index.html"))
}

/// Writes files (name, content) into the directory that was claimed: the tables in another form.
///
/// # Errors
///
/// The first that cannot be written.
pub fn write_beside(claim: &Claim, files: &[(String, Vec<u8>)]) -> Result<(), Error> {
    let files: Vec<(PathBuf, &Vec<u8>)> =
        files.iter().map(|(name, content)| (claim.dir().join(name), content)).collect();
    output::write_files(&files.iter().map(|(path, content)| (Path::new(path), content)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, contents: &str) -> (String, Vec<u8>) {
        (name.to_owned(), contents.as_bytes().to_vec())
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_report_replaces_the_earlier_one_completely() {
        let dir = tempfile::tempdir().unwrap();
        let claim = Claim::take(dir.path(), "test").unwrap();
        write_report(&claim, &[file("index.html", "1"), file("plots/a.svg", "a")]).unwrap();
        let index = write_report(&claim, &[file("index.html", "2")]).unwrap();
        assert_eq!(fs::read_to_string(index).unwrap(), "2");
        assert_eq!(names(&dir.path().join("report")), [".files", "index.html"]);
        assert_eq!(names(dir.path()), [".cardiogram", "report"], "nothing is left over");
    }

    #[test]
    fn a_report_that_fails_halfway_leaves_the_earlier_one() {
        let dir = tempfile::tempdir().unwrap();
        let claim = Claim::take(dir.path(), "test").unwrap();
        write_report(&claim, &[file("index.html", "1")]).unwrap();
        // No file system takes a name this long: the second file fails as it would on a full disk.
        let long = "x".repeat(5_000);
        let error = write_report(&claim, &[file("index.html", "2"), file(&long, "")]).unwrap_err();
        assert!(error.to_string().contains(&long), "{error}");
        assert_eq!(fs::read_to_string(dir.path().join("report/index.html")).unwrap(), "1");
    }

    #[test]
    fn a_report_that_stepped_aside_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let claim = Claim::take(dir.path(), "test").unwrap();
        write_report(&claim, &[file("index.html", "1")]).unwrap();
        drop(claim);
        fs::rename(dir.path().join("report"), dir.path().join(".cardiogram/old")).unwrap();
        drop(Claim::take(dir.path(), "test").unwrap());
        assert_eq!(fs::read_to_string(dir.path().join("report/index.html")).unwrap(), "1");
    }
}
