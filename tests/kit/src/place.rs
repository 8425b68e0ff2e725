//! A directory to run the built binary in, and what came of it: for the tests of the command line.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Command, Output},
};

/// A scenario that runs in a moment and in which every strategy has something to notice.
pub const SCENARIO: &str = r#"
name = "small"
strategies = ["qq-fixed-45", "netease-30-15"]
duration = "30m"
access = "lte-near"
core = "backbone"
devices.count = 2

[[faults]]
cut = { when.every = "10m", lasts = "90s" }
"#;

/// A place of its own for a test, gone afterwards, with the scenario above in `small.toml`.
pub struct Place {
    dir: tempfile::TempDir,
    program: &'static str,
}

/// A new [`Place`] for the program of the package under test, whose path only that package's tests are told.
#[macro_export]
macro_rules! place {
    () => {
        $crate::place::Place::new(env!("CARGO_BIN_EXE_cardiogram"))
    };
}

impl Place {
    /// A new one, in which `program` is the command `cardiogram`.
    pub fn new(program: &'static str) -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap(), program };
        place.write("small.toml", SCENARIO);
        place
    }

    /// Returns a place of its own with the same files, which costs less than to have the program write them again.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self { dir: tempfile::tempdir().unwrap(), program: self.program };
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(self.dir.path().join(&folder)).unwrap() {
                let entry = entry.unwrap();
                let name = folder.join(entry.file_name());
                if entry.file_type().unwrap().is_dir() {
                    fs::create_dir(copy.dir.path().join(&name)).unwrap();
                    folders.push(name);
                } else {
                    fs::copy(entry.path(), copy.dir.path().join(&name)).unwrap();
                }
            }
        }
        copy
    }

    /// Returns the path of something here.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file here.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Returns the command `cardiogram` with these arguments, to be run here.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(self.program);
        command.args(arguments.split_whitespace()).current_dir(self.dir.path());
        command
    }

    /// Runs it to its end.
    pub fn cardiogram(&self, arguments: &str) -> Done {
        Done::from(self.command(arguments).output().unwrap())
    }

    /// Returns the names of all files and folders here.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(self.dir.path()).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Takes from the manifest of results what it says of the tables, so that these can be changed as a user would not.
    pub fn unseal(&self, folder: &str) {
        let path = self.path(folder).join("manifest.json");
        let text = fs::read_to_string(&path).unwrap();
        if let Some((head, _)) = text.split_once(",\n  \"files\": [") {
            fs::write(path, format!("{head}\n}}\n")).unwrap();
        }
    }

    /// Returns every file below a folder, by its path, but for what the lab keeps for itself.
    pub fn files(&self, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.path(folder)];
        while let Some(at) = folders.pop() {
            for entry in fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                if path.ends_with(".cardiogram") {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.path(folder)).unwrap().to_path_buf();
                    files.insert(name, fs::read(&path).unwrap());
                }
            }
        }
        files
    }

    /// Returns the rows of `runs.csv`, `episodes.csv` and `series.csv` in a folder, each with its file.
    pub fn rows(&self, folder: &str) -> Vec<String> {
        let rows = ["runs.csv", "episodes.csv", "series.csv"].map(|name| {
            let text = fs::read_to_string(self.path(folder).join(name)).unwrap();
            text.lines().skip(1).map(|row| format!("{name}: {row}")).collect::<Vec<_>>()
        });
        rows.concat()
    }
}

/// What a process left behind.
pub struct Done {
    /// Its exit code.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Done {
    /// Asserts success and returns what was printed.
    #[track_caller]
    pub fn good(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""));
        self.out
    }

    /// Asserts failure with this code, nothing on the standard output, and returns the message.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{}", self.err);
        self.err
    }
}
