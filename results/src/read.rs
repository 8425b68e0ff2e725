//! The one reader of a results directory: its manifest, and its tables by their columns. It checks that each file can be what
//! a run wrote; what the files say together is the business of whoever reads them.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _, Seek as _},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::Xxh3;

use crate::{
    claim::Claim,
    column::Column,
    error::{Error, in_words},
    journal,
    manifest::{self, Manifest, VERSION},
    rows::{EpisodeColumn, RunColumn, SeriesColumn},
    stream::Input,
    table::{Record, Table},
};

/// The most bytes of a manifest; it holds the texts of all scenarios.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// The most bytes of a table: twice what the most rows need.
pub(crate) const TABLE_BYTES_MAX: u64 = 4 << 30;
/// In words.
pub(crate) const TABLE_BYTES_MAX_WORDS: &str = "4 GiB";

/// How much of a table is read at a time.
const PIECE_BYTES: usize = 1 << 16;

/// A results directory whose manifest has been read.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    /// The tables that are there. Files are replaced and never changed, so what is opened stays as it is.
    tables: BTreeMap<&'static str, File>,
    /// What the results are of.
    pub manifest: Manifest,
    /// The place of each scenario in the manifest; the first of equal names counts.
    scenarios: BTreeMap<String, usize>,
    /// The place of each strategy in the manifest.
    strategies: BTreeMap<String, usize>,
}

/// Which run a row belongs to, as places in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Index into [`Manifest::scenarios`].
    pub scenario: usize,
    /// Index into [`Manifest::strategies`].
    pub strategy: usize,
    /// The seed.
    pub seed: u64,
}

impl Reader {
    /// Opens the results in `dir`, whichever version wrote them.
    ///
    /// # Errors
    ///
    /// There is no manifest, or it cannot be one; something there has not come to its end; or the tables are not those that
    /// the manifest was written with.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        refuse_unfinished(dir)?;
        Self::new(dir)
    }

    /// Opens the results in a directory that this process has claimed, where the rest of what was asked for is still to come.
    ///
    /// # Errors
    ///
    /// The errors of [`Reader::open`], but for what has not come to its end.
    pub fn open_in(claim: &Claim) -> Result<Self, Error> {
        Self::new(claim.dir())
    }

    fn new(dir: &Path) -> Result<Self, Error> {
        let manifest = read_manifest(dir)?;
        let places = |names: &mut dyn DoubleEndedIterator<Item = (usize, &String)>| {
            names.rev().map(|(place, name)| (name.clone(), place)).collect()
        };
        Ok(Self {
            tables: tables(dir, &manifest)?,
            scenarios: places(&mut manifest.scenarios.iter().map(|it| &it.name).enumerate()),
            strategies: places(&mut manifest.strategies.iter().map(|it| &it.name).enumerate()),
            dir: dir.into(),
            manifest,
        })
    }

    /// Returns the manifest in `dir` alone.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be one.
    pub(crate) fn manifest_in(dir: &Path) -> Result<Manifest, Error> {
        read_manifest(dir)
    }

    /// Opens results that are to be joined with others or compared with them.
    ///
    /// # Errors
    ///
    /// The errors of [`Reader::open`]; also results of another version.
    pub fn open_finished(dir: &Path) -> Result<Self, Error> {
        let reader = Self::open(dir)?;
        refuse_other_version(dir, &reader.manifest)?;
        Ok(reader)
    }

    /// Returns the directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads one of the tables from its start.
    ///
    /// # Errors
    ///
    /// The file is missing, or without a stable column.
    pub fn table<C: Column>(&self) -> Result<Table<C>, Error> {
        let path = self.dir.join(C::FILE);
        let fail = |source| Error::Read { path: path.clone(), source };
        let table = self.tables.get(C::FILE).ok_or_else(|| fail(not_found()))?;
        let mut file = table.try_clone().map_err(fail)?;
        file.rewind().map_err(fail)?;
        Table::new(path, Input::File(file), PIECE_BYTES)
    }

    /// Returns the runs over time; `None` where there is no such file, as in results of earlier versions.
    ///
    /// # Errors
    ///
    /// The file is without a stable column.
    pub fn series(&self) -> Result<Option<Table<SeriesColumn>>, Error> {
        self.tables.contains_key(SeriesColumn::FILE).then(|| self.table()).transpose()
    }

    /// Returns which run a row belongs to.
    ///
    /// # Errors
    ///
    /// The manifest does not list its scenario or strategy, or the seed is no number.
    pub fn key<C: Column>(&self, row: Record<'_, C>) -> Result<Key, Error> {
        let [scenario, strategy, seed] =
            ["scenario", "strategy", "seed"].map(|name| C::named(name).expect("a row says which run it belongs to"));
        let place = |of: &BTreeMap<String, usize>, column, expected| {
            of.get(row.text(column)).copied().ok_or_else(|| row.error(column, expected))
        };
        Ok(Key {
            scenario: place(&self.scenarios, scenario, "a scenario that manifest.json lists")?,
            strategy: place(&self.strategies, strategy, "a strategy that manifest.json lists")?,
            seed: row.count(seed)?,
        })
    }
}

/// Returns the manifest of finished results of this version.
pub(crate) fn finished_manifest(dir: &Path) -> Result<Manifest, Error> {
    refuse_unfinished(dir)?;
    let manifest = read_manifest(dir)?;
    refuse_other_version(dir, &manifest)?;
    Ok(manifest)
}

fn refuse_unfinished(dir: &Path) -> Result<(), Error> {
    let unfinished = journal::unfinished_in(dir)?;
    unfinished.map_or(Ok(()), |it| Err(Error::Unfinished { dir: dir.into(), command: it.command }))
}

fn refuse_other_version(dir: &Path, manifest: &Manifest) -> Result<(), Error> {
    if manifest.version == VERSION {
        return Ok(());
    }
    Err(Error::Version { dir: dir.into(), version: manifest.version.clone() })
}

fn read_manifest(dir: &Path) -> Result<Manifest, Error> {
    let path = dir.join(manifest::FILE_NAME);
    let file = match limited(&path, MANIFEST_BYTES_MAX, "64 MiB") {
        Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Err(Error::NoResults { dir: dir.into() });
        }
        other => other?,
    };
    let mut text = Vec::new();
    let read = file.take(MANIFEST_BYTES_MAX).read_to_end(&mut text);
    read.map_err(|source| Error::Read { path: path.clone(), source })?;
    let damaged = |problem| Error::Damaged { path: path.clone(), problem };
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| damaged(in_words(&error)))?;
    let endless = |duration_s: f64| !(duration_s.is_finite() && duration_s > 0.0);
    if let Some(scenario) = manifest.scenarios.iter().find(|scenario| endless(scenario.duration_s)) {
        let (name, duration_s) = (&scenario.name, scenario.duration_s);
        return Err(damaged(format!("scenario `{name}`: `duration_s` is {duration_s}; a run is longer than zero")));
    }
    let texts = (manifest.scenarios.iter().map(|it| ("scenario", &it.name, &it.text, &it.hash)))
        .chain(manifest.strategies.iter().map(|it| ("strategy", &it.name, &it.text, &it.hash)));
    for (kind, name, text, hash) in texts {
        if manifest::hash(text) != *hash {
            return Err(damaged(format!("{kind} `{name}`: the hash does not fit the text")));
        }
    }
    Ok(manifest)
}

/// Opens the tables, and holds each to the manifest.
fn tables(dir: &Path, manifest: &Manifest) -> Result<BTreeMap<&'static str, File>, Error> {
    let mut tables = BTreeMap::new();
    for name in [RunColumn::FILE, EpisodeColumn::FILE, SeriesColumn::FILE] {
        let path = dir.join(name);
        let file = match open_table(&path) {
            Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        tables.insert(name, file);
    }
    for expected in &manifest.files {
        let path = dir.join(&expected.name);
        let fail = |source| Error::Read { path: path.clone(), source };
        let mut file = tables.get(expected.name.as_str()).ok_or_else(|| fail(not_found()))?;
        let mut hash = Xxh3::new();
        let mut chunk = vec![0; 1 << 16];
        loop {
            match file.read(&mut chunk).map_err(fail)? {
                0 => break,
                length => hash.update(&chunk[..length]),
            }
        }
        if format!("{:032x}", hash.digest128()) != expected.hash {
            return Err(not_of_manifest(dir, &expected.name));
        }
    }
    Ok(tables)
}

/// Opens a table that is not too long to be read.
pub(crate) fn open_table(path: &Path) -> Result<File, Error> {
    limited(path, TABLE_BYTES_MAX, TABLE_BYTES_MAX_WORDS)
}

/// Returns the error that a table is not the one that the manifest names.
pub(crate) fn not_of_manifest(dir: &Path, name: &str) -> Error {
    let problem = format!("{name} is not the one that {} was written with", manifest::FILE_NAME);
    Error::Disagree { dir: dir.into(), problem }
}

fn not_found() -> io::Error {
    // The system's own words.
    File::open("").expect_err("a path names something")
}

/// Opens a file that is not longer than `most` bytes, which are `limit` in words.
fn limited(path: &Path, most: u64, limit: &str) -> Result<File, Error> {
    let fail = |source| Error::Read { path: path.into(), source };
    let file = File::open(path).map_err(fail)?;
    if file.metadata().map_err(fail)?.len() > most {
        return Err(Error::TooLarge { path: path.into(), limit: limit.into() });
    }
    Ok(file)
}
