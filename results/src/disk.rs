//! Every change that this crate makes to a file system, one function a kind of change. Nothing else here creates, writes,
//! renames, links, shortens or removes anything.
//!
//! So there is one place where tests let a change fail. A debug build (`debug_assertions`) reads the environment variable
//! `CARDIOGRAM_FAULT`: with `kill:N` the process ends just before its N-th change, as if it had been killed there, and with
//! `full:N` the N-th piece of content that is written, and everything after it, fails as on a full disk. Which change that
//! was is said on the standard error. A release build knows nothing of the variable.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::Path,
};

/// Makes a folder and those above it, where they are not there.
pub(crate) fn create_folders(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fault::change("create", path)?;
    fs::create_dir_all(path)
}

/// Opens a file for reading and writing, which is made where it is not there. What is in it stays.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    fault::change("open", path)?;
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// Shortens a file.
pub(crate) fn truncate(file: &File, path: &Path, length: u64) -> io::Result<()> {
    if file.metadata()?.len() == length {
        return Ok(());
    }
    fault::change("truncate", path)?;
    file.set_len(length)
}

/// Moves a file or a folder, in place of the file that was there.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fault::change("rename", to)?;
    fs::rename(from, to)
}

/// Removes a file; that it is not there is no error.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    fault::change("remove", path)?;
    or_absent(fs::remove_file(path))
}

/// Removes a folder that is empty.
pub(crate) fn remove_folder(path: &Path) -> io::Result<()> {
    fault::change("remove", path)?;
    fs::remove_dir(path)
}

/// Removes a folder with all that is in it; that it is not there is no error.
pub(crate) fn remove_all(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    fault::change("remove", path)?;
    or_absent(fs::remove_dir_all(path))
}

/// Makes a symbolic link at `place` that points to `to`.
#[cfg(unix)]
pub(crate) fn link(to: &Path, place: &Path) -> io::Result<()> {
    fault::change("link", place)?;
    std::os::unix::fs::symlink(to, place)
}

/// Writes at a file's place, a piece at a time.
pub(crate) struct Pen<'a>(pub(crate) &'a File);

impl Write for Pen<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        fault::write(bytes.len())?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes all of a file's content and waits until it is on disk: some systems tell only then that the disk is full.
pub(crate) fn fill(file: &File, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, Pen(file));
    content(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()
}

fn or_absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Returns whether `file` is what the path leads to. Where the system does not say, it is.
#[cfg_attr(not(unix), expect(clippy::unnecessary_wraps, reason = "other systems can fail"))]
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let here = file.metadata()?;
        match fs::symlink_metadata(path) {
            Ok(there) => Ok((here.dev(), here.ino()) == (there.dev(), there.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        Ok(true)
    }
}

#[cfg(not(debug_assertions))]
mod fault {
    use std::{io, path::Path};

    #[expect(clippy::unnecessary_wraps, reason = "the shape of the other one")]
    pub(super) fn change(_: &str, _: &Path) -> io::Result<()> {
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "the shape of the other one")]
    pub(super) fn write(_: usize) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(debug_assertions)]
mod fault {
    use std::{
        io,
        path::Path,
        sync::{
            OnceLock,
            atomic::{AtomicU64, Ordering},
        },
    };

    /// The exit code of a process that was ended here: that of one that was killed.
    const KILLED: i32 = 137;

    enum Fault {
        Kill(u64),
        Full(u64),
    }

    fn fault() -> Option<&'static Fault> {
        static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
        let read = || {
            let text = std::env::var("CARDIOGRAM_FAULT").ok()?;
            let (kind, at) = text.split_once(':').expect("CARDIOGRAM_FAULT is kill:N or full:N");
            let at = at.parse().expect("CARDIOGRAM_FAULT is kill:N or full:N");
            Some(if kind == "kill" { Fault::Kill(at) } else { Fault::Full(at) })
        };
        FAULT.get_or_init(read).as_ref()
    }

    #[expect(clippy::unnecessary_wraps, reason = "the shape of a change that may fail")]
    pub(super) fn change(what: &str, path: &Path) -> io::Result<()> {
        static CHANGES: AtomicU64 = AtomicU64::new(0);
        let Some(Fault::Kill(at)) = fault() else { return Ok(()) };
        let count = CHANGES.fetch_add(1, Ordering::Relaxed) + 1;
        if count == *at {
            eprintln!("fault: killed before change {count}, {what} {}", path.display());
            std::process::exit(KILLED);
        }
        Ok(())
    }

    pub(super) fn write(length: usize) -> io::Result<()> {
        static WRITES: AtomicU64 = AtomicU64::new(0);
        let Some(Fault::Full(at)) = fault() else { return Ok(()) };
        let count = WRITES.fetch_add(1, Ordering::Relaxed) + 1;
        if count == *at {
            eprintln!("fault: the disk is full at write {count}, of {length} bytes");
        }
        if count >= *at { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}
