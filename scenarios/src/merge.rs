//! Joins the results of the shards of a plan: the files are those of a run that was never shared out, byte for byte.
//!
//! Nothing is computed here. The plan says which shard has which run, so the rows only have to be dealt back; that each
//! is the one whose turn it is, is checked, and so is that the shards are of one plan and that none is missing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use cardiogram_policies::Registry;
use cardiogram_results::{
    Begin, Claim, Column, Error, Finished, Reader, Record, Row as _, Table,
    manifest::{self, Manifest, ManifestScenario, hash},
    program_of,
    rows::{EpisodeColumn, RunColumn, RunName, SeriesColumn},
};
use cardiogram_sim::{Engine, series};

use crate::{
    diagnostic::Invalid,
    load::{self, Loaded},
    plan::{Cell, Contest, EngineChoice, Plan, Shard},
};

/// The most missing shards that a message names.
const NAMED_MAX: usize = 5;

/// Why shards were not joined. Nothing was written, and earlier results are as they were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// The results of a shard cannot be read, or those of the whole cannot be written.
    #[error(transparent)]
    Results(#[from] Error),
    /// A strategy there uses a policy that this program does not have, or has with other parameters.
    #[error("the results in {} are of a program with other policies; merge with the program that ran\n{invalid}",
        .dir.display())]
    Policies {
        /// The directory of these results.
        dir: PathBuf,
        /// What is wrong with the strategy here.
        invalid: Invalid,
    },
    /// Two shards are not of one plan.
    #[error("{} and {} are not of one plan: they differ in {what}", .first.display(), .other.display())]
    PlansDiffer {
        /// The directory that the others are compared with.
        first: PathBuf,
        /// One that does not fit it.
        other: PathBuf,
        /// The first difference.
        what: String,
    },
    /// Two directories hold the same shard.
    #[error("{} and {} both hold shard {shard}; name each shard once", .first.display(), .other.display())]
    Twice {
        /// The first directory with this shard.
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
        /// The directory that was given for both.
        dir: PathBuf,
    },
}

/// Joins the results in `dirs`, in any order, and writes those of the whole plan to the directory that was claimed. At least
/// one directory. Returns what is worth telling about them. The registry is that of the program that ran the shards; `command` and `force` are as in
/// [`RunnerOptions`](crate::runner::RunnerOptions).
pub fn merge(
    dirs: &[PathBuf],
    out: &Claim,
    registry: &Registry,
    command: &str,
    force: bool,
) -> Result<Option<String>, MergeError> {
    if let Some(dir) = dirs.iter().find(|dir| is_same(dir, out.dir())) {
        return Err(MergeError::OverShard { dir: dir.clone() });
    }
    let mut parts = dirs.iter().map(|dir| Part::open(dir, registry)).collect::<Result<Vec<_>, _>>()?;
    in_order(&mut parts)?;
    let note = different_programs(&parts);

    let plan = parts[0].plan.whole();
    let all = plan.cells();
    let owners = parts[0].plan.owners(&all);
    let mut cells = Vec::new();
    for (cell, owner) in all.into_iter().zip(owners) {
        cells.push(parts[owner as usize].finished(&plan, cell)?);
    }
    parts.iter().try_for_each(Part::check_end)?;
    let manifest = plan.manifest();
    out.begin(&Begin { manifest: &manifest, command, cells: 0, is_merge: true, force })?;
    cardiogram_results::write(out, &manifest, &cells)?;
    Ok(note)
}

/// That parts were run by different builds of the program, where they say by which.
fn different_programs(parts: &[Part]) -> Option<String> {
    let mut known = parts.iter().filter_map(|part| Some((part, program_of(&part.dir)?)));
    let (first, program) = known.next()?;
    let (other, _) = known.find(|(_, other)| *other != program)?;
    let (first, other) = (first.dir.display(), other.dir.display());
    Some(format!(
        "{first} and {other} were run by different builds of the program; their results should not depend on that"
    ))
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

/// Returns the first thing in which two plans differ, their shards aside.
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

/// Returns the plan that a manifest describes; `None` where there can be no such plan: it was changed.
fn plan_of(manifest: &Manifest, registry: &Registry) -> Option<Plan> {
    let engines = [EngineChoice::Auto, EngineChoice::Only(Engine::Event), EngineChoice::Only(Engine::Turmoil)];
    let engine = engines.into_iter().find(|engine| engine.to_string() == manifest.engine)?;
    let contests = manifest.scenarios.iter().map(|scenario| contest_of(scenario, manifest, registry));
    let contests = contests.collect::<Option<Vec<_>>>()?;
    let plan = Plan::new(contests, manifest.first_seed, manifest.seeds, engine, manifest.shard.parse().ok()?).ok()?;
    let plan = plan.with_sweep(manifest.sweep.clone());
    // What the plan says of itself must be what is written there, hashes included.
    (plan.manifest() == manifest.of_plan()).then_some(plan)
}

fn contest_of(scenario: &ManifestScenario, manifest: &Manifest, registry: &Registry) -> Option<Contest> {
    let value = load::parse_scenario(&scenario.name, &scenario.text).ok()?;
    let strategies = scenario.strategies.iter().map(|name| {
        let entry = manifest.strategies.iter().find(|strategy| strategy.name == *name)?;
        let value = load::parse_strategy(name, &entry.text, registry).ok()?;
        Some(Loaded { value, text: entry.text.clone(), built_in: entry.built_in, folder: None })
    });
    Some(Contest {
        origin: scenario.name.clone(),
        strategies: strategies.collect::<Option<_>>()?,
        scenario: Loaded { value, text: scenario.text.clone(), built_in: scenario.built_in, folder: None },
    })
}

/// Returns a strategy that is as it was written and yet cannot be read: its policies are those of another program.
fn unreadable_strategy(manifest: &Manifest, registry: &Registry) -> Option<Invalid> {
    let mut intact = manifest.strategies.iter().filter(|strategy| hash(&strategy.text) == strategy.hash);
    intact.find_map(|it| load::parse_strategy(&it.name, &it.text, registry).err())
}

/// The results of one shard.
struct Part {
    dir: PathBuf,
    plan: Plan,
    runs: Ahead<RunColumn>,
    episodes: Ahead<EpisodeColumn>,
    series: Ahead<SeriesColumn>,
}

impl Part {
    fn open(dir: &Path, registry: &Registry) -> Result<Self, MergeError> {
        let reader = Reader::open_finished(dir)?;
        if let Some(invalid) = unreadable_strategy(&reader.manifest, registry) {
            return Err(MergeError::Policies { dir: dir.into(), invalid });
        }
        let plan = plan_of(&reader.manifest, registry).ok_or_else(|| Error::Damaged {
            path: dir.join(manifest::FILE_NAME),
            problem: "it does not describe a plan".into(),
        })?;
        Ok(Self {
            dir: dir.into(),
            plan,
            runs: Ahead::new(reader.table()?)?,
            episodes: Ahead::new(reader.table()?)?,
            series: Ahead::new(reader.table()?)?,
        })
    }

    const fn shard(&self) -> Shard {
        self.plan.shard()
    }

    /// Returns the next run, which must be this one of the whole plan.
    fn finished(&mut self, plan: &Plan, cell: Cell) -> Result<Finished, Error> {
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

    /// Returns an error where rows are left over.
    fn check_end(&self) -> Result<(), Error> {
        self.runs.check_end()?;
        self.episodes.check_end()?;
        self.series.check_end()
    }
}

/// A table of which the next row is known.
struct Ahead<C: Column> {
    table: Table<C>,
    /// The row that comes next.
    next: Option<C::Row>,
    /// The line of that row.
    line: u64,
}

impl<C: Column> Ahead<C> {
    fn new(table: Table<C>) -> Result<Self, Error> {
        let mut table = Self { table, next: None, line: 1 };
        if !table.table.is_complete() {
            return Err(table.damaged("the columns are not those of this version"));
        }
        table.advance()?;
        Ok(table)
    }

    /// Returns the row that comes next, if it is one of that run.
    fn next_of(&mut self, name: &RunName) -> Result<Option<C::Row>, Error> {
        let row = self.next.take_if(|row| row.is_of(name));
        if row.is_some() {
            self.advance()?;
        }
        Ok(row)
    }

    /// Returns all rows of that run, of which there must be `count`.
    fn all_of(&mut self, name: &RunName, count: u64) -> Result<Vec<C::Row>, Error> {
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

    fn check_end(&self) -> Result<(), Error> {
        match self.next {
            Some(_) => Err(self.damaged("this row belongs to no run of the shard, or to one that is there before")),
            None => Ok(()),
        }
    }

    fn advance(&mut self) -> Result<(), Error> {
        self.line = self.table.line();
        self.next = self.table.next_row()?.map(Record::typed).transpose()?;
        Ok(())
    }

    fn damaged(&self, problem: &str) -> Error {
        self.table.damaged(self.line, problem)
    }
}
