//! Where counterexamples are kept: `NAME.toml` in a folder, `NAME.2.toml` the second one of a check, and so on, each with its
//! strategy beside it where that is no preset. Names of checks have no dot, so that none takes another's file.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The most counterexamples of one check. A user with this many needs no more.
const MOST: u32 = 100;

/// Returns the counterexamples that a check of this name wrote earlier, the oldest first.
pub(crate) fn earlier(folder: &Path, name: &str) -> Vec<PathBuf> {
    (1..=MOST).map(|number| folder.join(file(name, number))).filter(|path| path.is_file()).collect()
}

fn file(name: &str, number: u32) -> String {
    if number == 1 { format!("{name}.toml") } else { format!("{name}.{number}.toml") }
}

/// A place for a counterexample that is nobody else's. While it is held there is an unfinished file beside it.
pub(crate) struct Reservation {
    path: PathBuf,
    unfinished: PathBuf,
}

impl Reservation {
    /// Returns the first free place of a check of this name. Checks that run at the same time never get the same one.
    pub(crate) fn take(folder: &Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        for path in (1..=MOST).map(|number| folder.join(file(name, number))) {
            let unfinished = path.with_extension("toml.tmp");
            match File::create_new(&unfinished) {
                // Looked for only now: who finished in the meantime has taken it.
                Ok(_) if path.exists() => drop(fs::remove_file(&unfinished)),
                Ok(_) => return Ok(Self { path, unfinished }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other(format!("there are {MOST} of this name already; remove those that are kept by now")))
    }

    /// Returns the path of the scenario file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the name of the strategy's file beside it.
    pub(crate) fn strategy_file(&self) -> String {
        let stem = self.path.file_stem().expect("it has a name").to_string_lossy();
        format!("{stem}.strategy.toml")
    }

    /// Writes the scenario, and before it the strategy if there is one: both or neither.
    pub(crate) fn write(self, scenario: &str, strategy: Option<&str>) -> io::Result<()> {
        let beside = self.path.with_file_name(self.strategy_file());
        let written = strategy
            .map_or(Ok(()), |text| write_whole(text, &self.path.with_extension("strategy.tmp"), &beside))
            .and_then(|()| write_whole(scenario, &self.unfinished, &self.path));
        if written.is_err() && strategy.is_some() {
            // The first error is the one to tell.
            let _ = fs::remove_file(&beside);
        }
        written
    }
}

fn write_whole(text: &str, unfinished: &Path, path: &Path) -> io::Result<()> {
    let mut file = File::create(unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(unfinished, path)
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // Where it cannot be removed, one number less is free.
        let _ = fs::remove_file(&self.unfinished);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counterexample_has_a_place_of_its_own_and_nothing_unfinished_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (first, second) = (Reservation::take(folder, "name").unwrap(), Reservation::take(folder, "name").unwrap());
        assert_eq!(second.strategy_file(), "name.2.strategy.toml");
        first.write("scenario", Some("strategy")).unwrap();
        second.write("another", None).unwrap();
        drop(Reservation::take(folder, "name").unwrap());
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["name.2.toml", "name.strategy.toml", "name.toml"]);
        assert_eq!(earlier(folder, "name"), [folder.join("name.toml"), folder.join("name.2.toml")]);
        assert_eq!(earlier(folder, "nam"), [] as [PathBuf; 0]);
        assert_eq!(fs::read_to_string(folder.join("name.toml")).unwrap(), "scenario");
    }
}
