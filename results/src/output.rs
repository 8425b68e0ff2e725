//! Files that a person names for a command to write: whole or not at all, and never in place of something that is no file.
//!
//! A regular file is written beside its place first and moved there once all files of the command are complete and on disk.
//! What is no regular file (a pipe, a device, the standard output by its path) is written to as it is, and a symbolic link
//! stays one: what it leads to is written.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{disk, error::Error};

/// Writes files (path, content), each in place of what was there; where one cannot be written, none is.
///
/// # Errors
///
/// The first that cannot be written; also where another process is just writing it.
pub fn write_files(files: &[(&Path, impl AsRef<[u8]>)]) -> Result<(), Error> {
    let write = |(path, content): &(&Path, _)| {
        let content: &[u8] = AsRef::as_ref(content);
        let fail = |source| Error::Write { path: path.to_path_buf(), source };
        match Target::of(path).map_err(fail)? {
            Target::File(place) => Whole::write(path, place, |out| out.write_all(content)).map(Some),
            stream => stream.write(content).map_err(fail).map(|()| None),
        }
    };
    let whole = files.iter().map(write).collect::<Result<Vec<_>, _>>()?;
    whole.into_iter().flatten().try_for_each(Whole::publish)
}

/// Refuses a command that would write one file twice, or write over what it reads. Each path comes with the words that
/// name it on the command line. `/dev/null` takes everything.
///
/// # Errors
///
/// The first two that are the same.
pub fn check_distinct(outputs: &[(&str, &Path)], inputs: &[(&str, &Path)]) -> Result<(), Error> {
    let same = |a: &Path, b: &Path| identity(a).is_some_and(|a| identity(b).is_some_and(|b| a == b));
    for (place, (option, path)) in outputs.iter().enumerate() {
        if let Some((other, _)) = outputs[..place].iter().find(|(_, earlier)| same(earlier, path)) {
            let problem = if matches!(Target::of(path), Ok(Target::Out)) {
                format!("{other} and {option} would be mixed up on the standard output; write one of them to a file")
            } else {
                format!("{other} and {option} would both write {}; give each a file of its own", path.display())
            };
            return Err(Error::SamePlace { problem });
        }
        if let Some((other, _)) = inputs.iter().find(|(_, input)| same(input, path)) {
            let problem = format!("{option} would write over {}, which is {other}", path.display());
            return Err(Error::SamePlace { problem });
        }
    }
    Ok(())
}

/// Returns what tells two paths of one file; `None` where there is nothing to be mixed up.
fn identity(path: &Path) -> Option<PathBuf> {
    match Target::of(path).ok()? {
        Target::Out => Some("/dev/stdout".into()),
        Target::Err => Some("/dev/stderr".into()),
        Target::Stream(path) => (path != Path::new("/dev/null")).then_some(path),
        Target::File(place) => {
            let folder = place.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
            Some(fs::canonicalize(folder).ok()?.join(place.file_name()?))
        }
    }
}

/// Where the content for a path goes.
enum Target {
    /// The standard output, by one of its paths.
    Out,
    /// The standard error.
    Err,
    /// Something that is no regular file.
    Stream(PathBuf),
    /// A regular file, or none yet; behind all links.
    File(PathBuf),
}

/// The most links that are followed, as on Linux.
const LINKS_MAX: usize = 40;

impl Target {
    fn of(path: &Path) -> io::Result<Self> {
        // Opened by its path, a file that the standard output was led to would be written from its start.
        match path.to_str() {
            Some("/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1") => return Ok(Self::Out),
            Some("/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2") => return Ok(Self::Err),
            _ => {}
        }
        let is_descriptor = path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd");
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if is_descriptor || !found.is_file() => return Ok(Self::Stream(path.into())),
            _ => {}
        }
        let mut place = path.to_owned();
        for _ in 0..LINKS_MAX {
            let Ok(to) = fs::read_link(&place) else {
                let named = place.file_name().is_some();
                return if named { Ok(Self::File(place)) } else { Err(io::ErrorKind::InvalidFilename.into()) };
            };
            place = place.parent().unwrap_or_else(|| Path::new("")).join(to);
        }
        Err(io::Error::other("it is a link that leads to itself"))
    }

    /// Writes to what is no regular file. That nobody reads a pipe any more is the reader's right.
    fn write(&self, content: &[u8]) -> io::Result<()> {
        let written = match self {
            Self::Out => io::stdout().write_all(content).and_then(|()| io::stdout().flush()),
            Self::Err => io::stderr().write_all(content),
            Self::Stream(path) | Self::File(path) => {
                OpenOptions::new().append(true).open(path).and_then(|file| disk::Pen(&file).write_all(content))
            }
        };
        written.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
    }
}

/// A file that is complete, on disk, and not yet at its place. Dropped before that, it is removed.
struct Whole {
    /// Holds the lock that keeps another process from writing the same file at the same time.
    file: File,
    temporary: PathBuf,
    place: PathBuf,
    is_published: bool,
}

impl Whole {
    /// `path` is what the person called `place`.
    fn write(
        path: &Path,
        place: PathBuf,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Self, Error> {
        let fail = |source| Error::Write { path: path.into(), source };
        let mut temporary = OsString::from(".");
        temporary.push(place.file_name().ok_or_else(|| fail(io::ErrorKind::InvalidFilename.into()))?);
        temporary.push(".cardiogram-new");
        let temporary = place.with_file_name(temporary);
        let file = locked(&temporary).map_err(fail)?;
        let permissions = fs::metadata(&place).ok().map(|found| found.permissions());
        let whole = Self { file, temporary, place, is_published: false };
        let file = &whole.file;
        let written = disk::truncate(file, &whole.temporary, 0).and_then(|()| disk::fill(file, content));
        written.and_then(|()| permissions.map_or(Ok(()), |it| file.set_permissions(it))).map_err(fail)?;
        Ok(whole)
    }

    fn publish(mut self) -> Result<(), Error> {
        disk::rename(&self.temporary, &self.place)
            .map_err(|source| Error::Write { path: self.place.clone(), source })?;
        self.is_published = true;
        Ok(())
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if !self.is_published {
            // Where removing fails nothing more can be done.
            let _ = disk::remove_file(&self.temporary);
        }
    }
}

/// Opens the file at `path` for this process alone.
fn locked(path: &Path) -> io::Result<File> {
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other(format!("{} is in the way", path.display())));
    }
    loop {
        let file = disk::open(path)?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another process is just writing it"));
        }
        // Whoever held the lock may have moved the file to its place meanwhile.
        if disk::is_at(&file, path)? {
            return Ok(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the names of what is in a directory.
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
        assert_eq!(names(dir.path()), ["good"]);
    }

    #[test]
    fn a_failure_halfway_leaves_no_file_behind_and_earlier_ones_alone() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("runs.csv");
        fs::write(&place, "earlier").unwrap();
        let result = Whole::write(&place, place.clone(), |out| {
            out.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        let Some(Error::Write { path, source }) = result.err() else { panic!("the disk is full") };
        assert_eq!((path, source.kind()), (place.clone(), io::ErrorKind::StorageFull));
        assert_eq!(names(dir.path()), ["runs.csv"]);
        assert_eq!(fs::read_to_string(&place).unwrap(), "earlier");
    }

    #[test]
    fn a_file_that_another_process_is_writing_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("baseline.json");
        let whole = Whole::write(&place, place.clone(), |out| out.write_all(b"one")).unwrap();
        let error = write_files(&[(&place, "other")]).unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
        whole.publish().unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "one");
        write_files(&[(&place, "other")]).unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "other");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_and_a_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (link, target) = (dir.path().join("link"), dir.path().join("target"));
        std::os::unix::fs::symlink("target", &link).unwrap();
        for text in ["made", "made anew"] {
            write_files(&[(&link, text)]).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), Path::new("target"));
            assert_eq!(fs::read_to_string(&target).unwrap(), text);
        }
        assert!(write_files(&[(dir.path(), "")]).is_err());
        let circle = dir.path().join("circle");
        std::os::unix::fs::symlink("circle", &circle).unwrap();
        assert!(write_files(&[(&circle, "")]).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        write_files(&[(Path::new("/dev/null"), "gone")]).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[cfg(unix)]
    #[test]
    fn one_file_under_two_names_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let dotted = dir.path().join(".").join("file");
        for other in [&file, &link, &dotted] {
            assert!(check_distinct(&[("--junit", &file), ("--summary", other)], &[]).is_err());
            assert!(check_distinct(&[("--junit", other)], &[("--baseline", &file)]).is_err());
        }
        let null = Path::new("/dev/null");
        check_distinct(&[("--junit", null), ("--summary", null)], &[("--baseline", &file)]).unwrap();
        let out = Path::new("/dev/stdout");
        assert!(check_distinct(&[("--junit", out), ("--summary", out)], &[]).is_err());
    }
}
