//! Where a policy's memory is kept while its process does not run.

use std::{
    fs,
    io::{self, Read},
    path::PathBuf,
};

/// Keeps one policy's memory: a text of some hundred bytes.
pub trait Store: Send + 'static {
    /// Returns what was saved last; `None` where nothing was.
    ///
    /// # Errors
    ///
    /// Where something is there and cannot be read.
    fn load(&mut self) -> io::Result<Option<String>>;

    /// Replaces what was saved. Called when the policy has learnt something, a few times a day; the connection waits for it.
    ///
    /// # Errors
    ///
    /// Where it cannot be saved. What was there before should still be there.
    fn save(&mut self, memory: &str) -> io::Result<()>;
}

/// More than any policy remembers.
const LARGEST: u64 = 1 << 20;

/// A store in a file, which is replaced as a whole: after a crash it holds the old memory or the new one.
#[derive(Clone, Debug)]
pub struct FileStore {
    path: PathBuf,
}

impl FileStore {
    /// Returns the store at `path`, in a folder that exists. One client's policy has one file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl Store for FileStore {
    fn load(&mut self) -> io::Result<Option<String>> {
        let file = match fs::File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = String::new();
        let read = file.take(LARGEST + 1).read_to_string(&mut text)?;
        if read as u64 > LARGEST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "this is no policy's memory"));
        }
        Ok(Some(text))
    }

    fn save(&mut self, memory: &str) -> io::Result<()> {
        let mut beside = self.path.clone().into_os_string();
        beside.push(".tmp");
        fs::write(&beside, memory)?;
        fs::rename(&beside, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_what_was_saved_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.json");
        let mut store = FileStore::new(&path);
        assert_eq!(store.load().unwrap(), None);
        store.save("first").unwrap();
        store.save("second").unwrap();
        assert_eq!(FileStore::new(&path).load().unwrap(), Some("second".to_owned()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_is_no_memory_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.json");
        fs::write(&path, vec![b' '; LARGEST as usize + 1]).unwrap();
        assert_eq!(FileStore::new(&path).load().unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert!(FileStore::new(folder.path()).load().is_err(), "a folder");
        assert!(FileStore::new(folder.path().join("nowhere/policy.json")).save("text").is_err());
    }
}
