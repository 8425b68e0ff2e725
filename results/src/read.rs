//! The one reader of a results directory: its manifest, and its tables by their columns. It checks that each file can be what
//! a run wrote; what the files say together is the business of whoever reads them.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use crate::{
    column::Column,
    error::{Error, in_words},
    journal,
    manifest::{self, Manifest, VERSION},
    rows::SeriesColumn,
    table::{Record, Table},
};

/// The most bytes of a manifest; it holds the texts of all scenarios.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// A results directory whose manifest has been read.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
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
    /// There is no manifest, or it cannot be one.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let manifest = read_manifest(dir)?;
        let places = |names: &mut dyn DoubleEndedIterator<Item = (usize, &String)>| {
            names.rev().map(|(place, name)| (name.clone(), place)).collect()
        };
        Ok(Self {
            scenarios: places(&mut manifest.scenarios.iter().map(|it| &it.name).enumerate()),
            strategies: places(&mut manifest.strategies.iter().map(|it| &it.name).enumerate()),
            dir: dir.into(),
            manifest,
        })
    }

    /// Opens results that are to be joined with others or compared with them.
    ///
    /// # Errors
    ///
    /// The errors of [`Reader::open`]; also a run that has not come to its end, and results of another version.
    pub fn open_finished(dir: &Path) -> Result<Self, Error> {
        if journal::is_in(dir) {
            return Err(Error::Unfinished { dir: dir.into() });
        }
        let reader = Self::open(dir)?;
        if reader.manifest.version != VERSION {
            return Err(Error::Version { dir: dir.into(), version: reader.manifest.version });
        }
        Ok(reader)
    }

    /// Opens one of the tables.
    ///
    /// # Errors
    ///
    /// The file is missing, too long, or without a stable column.
    pub fn table<C: Column>(&self) -> Result<Table<C>, Error> {
        Table::open(&self.dir)
    }

    /// The runs over time; `None` where there is no such file, as in results of earlier versions.
    ///
    /// # Errors
    ///
    /// The file is too long, or without a stable column.
    pub fn series(&self) -> Result<Option<Table<SeriesColumn>>, Error> {
        match self.table() {
            Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// Which run a row belongs to.
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
    Ok(manifest)
}

/// Opens a file that is not longer than `most` bytes, which are `limit` in words.
pub(crate) fn limited(path: &Path, most: u64, limit: &str) -> Result<File, Error> {
    let fail = |source| Error::Read { path: path.into(), source };
    let file = File::open(path).map_err(fail)?;
    if file.metadata().map_err(fail)?.len() > most {
        return Err(Error::TooLarge { path: path.into(), limit: limit.into() });
    }
    Ok(file)
}
