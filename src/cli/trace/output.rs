//! Files that are written whole or not at all: beside their place first, then moved there. What is no file, such as a device
//! or a pipe, is written to as it is.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::cli::Failure;

/// Writes a file; `-` is the standard output.
pub(super) fn write(file: &str, content: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
    if file == "-" {
        return Ok(out.write_all(content)?);
    }
    write_file(Path::new(file), content).map_err(|error| Failure::Input(format!("cannot write {file}: {error}")))
}

fn write_file(path: &Path, content: &[u8]) -> io::Result<()> {
    // Behind links, so that a link stays one.
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&place).is_ok_and(|found| !found.is_file()) {
        return OpenOptions::new().write(true).open(&place)?.write_all(content);
    }
    let beside = beside(&place);
    let written = write_through(&beside, content).and_then(|()| fs::rename(&beside, &place));
    if written.is_err() {
        // What cannot be written may not be removable either; the first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// The name of an unfinished file.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    path.with_file_name(name)
}

/// Writes a file and waits until it is on disk: some systems tell only then that the disk is full.
fn write_through(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}
