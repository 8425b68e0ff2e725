//! Joins the results of the shards of a plan: the files are those of a run that was never shared out, byte for byte.
//!
//! Nothing is computed here. Shards take turns in the plan's order, so the rows only have to be dealt back; that each
//! is the one whose turn it is, is checked, and so is that the shards are of one plan and that none is missing.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use cardiogram_policies::Registry;
use cardiogram_sim::series;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    diagnostic::Invalid,
    journal::{self, Finished},
    manifest::{self, Manifest, VERSION},
    measure::RunName,
    plan::{Cell, Plan, Shard},
    results,
    rows::{EpisodeRow, RunRow, SeriesRow},
};

/// The longest manifest that is read, in bytes; it holds the texts of all scenarios.
const MANIFEST_MAX: u64 = 64 << 20;
/// The longest table that is read, in bytes: more than the report of the whole would take.
const TABLE_MAX: u64 = 4 << 30;
/// The most missing shards that a message names.
const NAMED_MAX: usize = 5;

/// Why shards were not joined. Nothing was written, and earlier results are as they were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// The directory holds no results.
    #[error("{} has no finished results: there is no {} in it; name directories that `cardiogram run --shard I/N \
        --out DIR` wrote", .dir.display(), manifest::FILE_NAME)]
    NoResults {
        /// Which directory.
        dir: PathBuf,
    },
    /// A run there was interrupted, or is at work.
    #[error("{} has no finished results: a run there has not come to its end; the same command goes on there",
        .dir.display())]
    Unfinished {
        /// Which directory.
        dir: PathBuf,
    },
    /// Another version may have other columns, and its rows other meanings.
    #[error("the results in {} are of cardiogram {version}, and this is {VERSION}; merge with the version that ran",
        .dir.display())]
    Version {
        /// Which directory.
        dir: PathBuf,
        /// The version that wrote it.
        version: String,
    },
    /// A file of the results cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A strategy there uses a policy that this program does not have, or has with other parameters.
    #[error("the results in {} are of a program with other policies; merge with the program that ran\n{invalid}",
        .dir.display())]
    Policies {
        /// Which directory.
        dir: PathBuf,
        /// What is wrong with the strategy here.
        invalid: Invalid,
    },
    /// A file of the results is not as it was written.
    #[error("{}: {problem}; the file was changed or cut short, run the shard again", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with the line where there is one.
        problem: String,
    },
    /// A file is longer than any results that could be reported.
    #[error("{} is longer than {limit} bytes, the longest that is read here", .path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// The most bytes.
        limit: u64,
    },
    /// Two shards are not of one plan.
    #[error("{} and {} are not of one plan: they differ in {what}", .first.display(), .other.display())]
    PlansDiffer {
        /// A directory.
        first: PathBuf,
        /// One that does not fit it.
        other: PathBuf,
        /// The first difference.
        what: String,
    },
    /// Two directories hold the same shard.
    #[error("{} and {} both hold shard {shard}; name each shard once", .first.display(), .other.display())]
    Twice {
        /// A directory.
        first: PathBuf,
        /// Another one, or the same again.
        other: PathBuf,
        /// What both hold.
        shard: Shard,
    },
    /// The shards together are not the whole plan.
    #[error("{shards} missing; run the rest of the plan, then merge all")]
    Missing {
        /// Which ones, for the message.
        shards: String,
    },
    /// The whole would take the place of a part.
    #[error("{} is one of the shards; give the whole a directory of its own", .dir.display())]
    OverShard {
        /// The directory.
        dir: PathBuf,
    },
    /// The output directory cannot be made or written to.
    #[error("cannot write to {}: {source}", .path.display())]
    Output {
        /// The directory, or the file in it.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Joins the results in `dirs`, in any order, and writes those of the whole plan to `out`. At least one directory. The
/// registry is that of the program that ran the shards.
pub fn merge(dirs: &[PathBuf], out: &Path, registry: &Registry) -> Result<(), MergeError> {
    let mut parts = dirs.iter().map(|dir| Part::open(dir, registry)).collect::<Result<Vec<_>, _>>()?;
    if let Some(part) = parts.iter().find(|part| is_same(&part.dir, out)) {
        return Err(MergeError::OverShard { dir: part.dir.clone() });
    }
    in_order(&mut parts)?;

    let plan = parts[0].plan.whole();
    let mut cells = Vec::new();
    for (place, cell) in plan.cells().into_iter().enumerate() {
        let turn = place % parts.len();
        cells.push(parts[turn].finished(&plan, cell)?);
    }
    parts.iter().try_for_each(Part::check_end)?;

    let output = |(path, source)| MergeError::Output { path, source };
    fs::create_dir_all(out).map_err(|source| output((out.into(), source)))?;
    results::write(out, &plan.manifest(), &cells).map_err(output)
}

/// Puts the parts in order; an error where they are not all the shards of one plan, each once.
fn in_order(parts: &mut [Part]) -> Result<(), MergeError> {
    let (first, rest) = parts.split_first().expect("there is at least one directory");
    let manifest = first.plan.manifest();
    for other in rest {
        if let Some(what) = difference(&manifest, &other.plan.manifest()) {
            return Err(MergeError::PlansDiffer { first: first.dir.clone(), other: other.dir.clone(), what });
        }
        let (a, b) = (first.shard().of(), other.shard().of());
        if a != b {
            let what = format!("the number of shards ({a} and {b})");
            return Err(MergeError::PlansDiffer { first: first.dir.clone(), other: other.dir.clone(), what });
        }
    }
    let of = first.shard().of();

    // Stable, so that the message about a shard given twice names the directories as they were given.
    parts.sort_by_key(|part| part.shard().index());
    if let Some((first, other)) = parts.iter().zip(&parts[1..]).find(|(a, b)| a.shard() == b.shard()) {
        return Err(MergeError::Twice { first: first.dir.clone(), other: other.dir.clone(), shard: first.shard() });
    }
    let missing = of - parts.len() as u64;
    if missing == 0 {
        return Ok(());
    }
    let is_missing = |index: &u64| parts.binary_search_by_key(index, |part| part.shard().index()).is_err();
    let named: Vec<String> = (1..=of).filter(is_missing).take(NAMED_MAX).map(|index| format!("{index}/{of}")).collect();
    let more = match missing - named.len() as u64 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (shards, are) = if missing == 1 { ("shard", "is") } else { ("shards", "are") };
    Err(MergeError::Missing { shards: format!("{shards} {}{more} {are}", named.join(", ")) })
}

/// The first thing in which two plans differ, their shards aside.
fn difference(a: &Manifest, b: &Manifest) -> Option<String> {
    if a.engine != b.engine {
        return Some(format!("the engine (`{}` and `{}`)", a.engine, b.engine));
    }
    if (a.first_seed, a.seeds) != (b.first_seed, b.seeds) {
        let seeds = |it: &Manifest| format!("{} from {}", it.seeds, it.first_seed);
        return Some(format!("the seeds ({} and {})", seeds(a), seeds(b)));
    }
    let names = |it: &Manifest| it.scenarios.iter().map(|scenario| scenario.name.clone()).collect::<Vec<_>>();
    if names(a) != names(b) {
        return Some(format!("the scenarios ({} and {})", names(a).join(", "), names(b).join(", ")));
    }
    for (a, b) in a.scenarios.iter().zip(&b.scenarios) {
        if a.text != b.text {
            return Some(format!("the file of scenario `{}`", a.name));
        }
        if a.strategies != b.strategies {
            let (name, a, b) = (&a.name, a.strategies.join(", "), b.strategies.join(", "));
            return Some(format!("the strategies of scenario `{name}` ({a} and {b})"));
        }
    }
    let differs = a.strategies.iter().zip(&b.strategies).find(|(a, b)| a.text != b.text);
    if let Some((a, _)) = differs {
        return Some(format!("the file of strategy `{}`", a.name));
    }
    (a.sweep != b.sweep).then(|| "the sweep that their runs are points of".into())
}

fn is_same(a: &Path, b: &Path) -> bool {
    // What does not exist yet is the same as nothing.
    fs::canonicalize(a).is_ok_and(|a| fs::canonicalize(b).is_ok_and(|b| a == b))
}

/// The results of one shard.
struct Part {
    dir: PathBuf,
    plan: Plan,
    runs: Table<RunRow>,
    episodes: Table<EpisodeRow>,
    series: Table<SeriesRow>,
}

impl Part {
    fn open(dir: &Path, registry: &Registry) -> Result<Self, MergeError> {
        if journal::is_in(dir) {
            return Err(MergeError::Unfinished { dir: dir.into() });
        }
        let path = dir.join(manifest::FILE_NAME);
        let text = match read_text(&path, MANIFEST_MAX) {
            Err(MergeError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(MergeError::NoResults { dir: dir.into() });
            }
            other => other?,
        };
        let damaged = |problem| MergeError::Damaged { path: path.clone(), problem };
        let manifest: Manifest = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if manifest.version != VERSION {
            return Err(MergeError::Version { dir: dir.into(), version: manifest.version });
        }
        if let Some(invalid) = manifest.unreadable_strategy(registry) {
            return Err(MergeError::Policies { dir: dir.into(), invalid });
        }
        // What the plan says of itself must be what is written there, hashes included, to the byte.
        let plan = manifest.plan(registry).filter(|plan| plan.manifest().to_json() == text);
        let plan = plan.ok_or_else(|| damaged("it does not describe a plan".into()))?;
        Ok(Self {
            dir: dir.into(),
            plan,
            runs: Table::open(dir.join(results::RUNS))?,
            episodes: Table::open(dir.join(results::EPISODES))?,
            series: Table::open(dir.join(results::SERIES))?,
        })
    }

    const fn shard(&self) -> Shard {
        self.plan.shard()
    }

    /// The next run, which must be this one of the whole plan.
    fn finished(&mut self, plan: &Plan, cell: Cell) -> Result<Finished, MergeError> {
        let name = plan.name(cell);
        let Some(run) = self.runs.next_of(&name)? else {
            return Err(self.runs.damaged(&format!("here should be {name}")));
        };
        let bins = if cell.has_series { series::bins(plan.duration(cell)) } else { 0 };
        Ok(Finished {
            episodes: self.episodes.all_of(&name, run.episodes.saturating_add(run.false_alarms))?,
            series: self.series.all_of(&name, bins)?,
            run,
        })
    }

    /// An error where rows are left over.
    fn check_end(&self) -> Result<(), MergeError> {
        let left_over = "this row belongs to no run of the shard, or to one that is there before";
        if self.runs.ahead.is_some() {
            return Err(self.runs.damaged(left_over));
        }
        if self.episodes.ahead.is_some() {
            return Err(self.episodes.damaged(left_over));
        }
        if self.series.ahead.is_some() {
            return Err(self.series.damaged(left_over));
        }
        Ok(())
    }
}

/// A table that is read row by row.
struct Table<R> {
    path: PathBuf,
    rows: csv::DeserializeRecordsIntoIter<File, R>,
    /// The row that comes next.
    ahead: Option<R>,
    /// The line of that row, counted from 1.
    line: u64,
}

impl<R: Row> Table<R> {
    fn open(path: PathBuf) -> Result<Self, MergeError> {
        let file = open(&path, TABLE_MAX)?;
        let mut reader = csv::Reader::from_reader(file);
        let header = reader.headers().map(|names| names.iter().collect::<Vec<_>>().join(",") + "\n");
        let mut table = Self { path, rows: reader.into_deserialize(), ahead: None, line: 1 };
        match header {
            Ok(header) if header == results::columns::<R>() => {}
            Ok(_) => return Err(table.damaged("the columns are not those of this version")),
            Err(error) => return Err(table.unreadable(error)),
        }
        table.advance()?;
        Ok(table)
    }

    /// The row that comes next, if it is one of that run.
    fn next_of(&mut self, name: &RunName) -> Result<Option<R>, MergeError> {
        let row = self.ahead.take_if(|row| row.is_of(name));
        if row.is_some() {
            self.advance()?;
        }
        Ok(row)
    }

    /// All rows of that run, which must be so many.
    fn all_of(&mut self, name: &RunName, count: u64) -> Result<Vec<R>, MergeError> {
        let mut rows = Vec::new();
        while let Some(row) = self.next_of(name)? {
            rows.push(row);
        }
        if rows.len() as u64 != count {
            let found = rows.len();
            return Err(self.damaged(&format!("{found} rows of {name} instead of {count} end before here")));
        }
        Ok(rows)
    }

    fn advance(&mut self) -> Result<(), MergeError> {
        self.line = self.rows.reader().position().line();
        match self.rows.next() {
            Some(Err(error)) => Err(self.unreadable(error)),
            Some(Ok(row)) => {
                self.ahead = Some(row);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn unreadable(&self, error: csv::Error) -> MergeError {
        match error.into_kind() {
            csv::ErrorKind::Io(source) => MergeError::Read { path: self.path.clone(), source },
            csv::ErrorKind::Utf8 { .. } => self.damaged("this is not UTF-8 text"),
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                self.damaged(&format!("{len} fields instead of {expected_len}"))
            }
            csv::ErrorKind::Deserialize { err, .. } => self.damaged(&err.kind().to_string()),
            kind => self.damaged(&format!("{kind:?}")),
        }
    }

    fn damaged(&self, problem: &str) -> MergeError {
        MergeError::Damaged { path: self.path.clone(), problem: format!("line {}: {problem}", self.line) }
    }
}

/// A row that says which run it belongs to.
trait Row: Serialize + DeserializeOwned + Default {
    fn is_of(&self, name: &RunName) -> bool;
}

impl Row for RunRow {
    fn is_of(&self, name: &RunName) -> bool {
        (&self.scenario, &self.strategy, self.seed) == (&name.scenario, &name.strategy, name.seed)
    }
}

impl Row for EpisodeRow {
    fn is_of(&self, name: &RunName) -> bool {
        (&self.scenario, &self.strategy, self.seed) == (&name.scenario, &name.strategy, name.seed)
    }
}

impl Row for SeriesRow {
    fn is_of(&self, name: &RunName) -> bool {
        (&self.scenario, &self.strategy, self.seed) == (&name.scenario, &name.strategy, name.seed)
    }
}

/// Opens a file that is not longer than `limit` bytes.
fn open(path: &Path, limit: u64) -> Result<File, MergeError> {
    let fail = |source| MergeError::Read { path: path.into(), source };
    let file = File::open(path).map_err(fail)?;
    if file.metadata().map_err(fail)?.len() > limit {
        return Err(MergeError::TooLong { path: path.into(), limit });
    }
    Ok(file)
}

fn read_text(path: &Path, limit: u64) -> Result<String, MergeError> {
    let mut text = String::new();
    let read = open(path, limit)?.take(limit).read_to_string(&mut text);
    read.map(|_| text).map_err(|source| MergeError::Read { path: path.into(), source })
}
