//! Joins the results of the shards of a plan: the files are those of a run that was never shared out, byte for byte.
//!
//! Nothing is computed here. The plan says which shard has which run, so the rows only have to be dealt back; that each
//! is the one whose turn it is, is checked, and so is that the shards are of one plan and that none is missing. Every row goes
//! from its shard to its place in the whole at once, and every byte is read once: neither memory nor open files grow with the
//! shards' size or number.

use std::{
    fs,
    path::{Path, PathBuf},
};

use cardiogram_policies::Registry;
use cardiogram_results::{
    Begin, Claim, Column, Error, Stream, Streams, Tables,
    manifest::{self, Manifest, ManifestScenario, hash},
    program_of,
    rows::{EpisodeColumn, RunColumn, SeriesColumn},
};
use cardiogram_sim::{Engine, series};

use crate::{
    diagnostic::Invalid,
    load::{self, Loaded},
    plan::{Cell, Contest, EngineChoice, Plan, Shard},
};

/// How much is read ahead of all shards together, in bytes, and of one.
const AHEAD_BYTES: usize = 32 << 20;
const AHEAD_BYTES_MIN: usize = 8 << 10;
const AHEAD_BYTES_MAX: usize = 256 << 10;

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
    let (plan, mut parts) = open(dirs, registry)?;
    in_order(&mut parts)?;
    let note = different_programs(&parts);

    let whole = plan.whole();
    let manifest = whole.manifest();
    let begin = Begin { manifest: &manifest, command, cells: 0, variant: "", is_merge: true, force };
    out.check_begin(&begin)?;
    let tables = join(&plan, &whole, &parts, out)?;
    out.begin(&begin)?;
    tables.publish(&manifest)?;
    Ok(note)
}

/// Opens all parts, and returns them with the plan of the first, which is that of the others but for the shard.
fn open(dirs: &[PathBuf], registry: &Registry) -> Result<(Plan, Vec<Part>), MergeError> {
    let (first, rest) = dirs.split_first().expect("there is at least one directory");
    let (streams, manifest) = Streams::open(first)?;
    let plan = plan_in(first, &manifest, registry)?;
    let mut parts = vec![Part { dir: first.clone(), shard: plan.shard(), streams }];
    for dir in rest {
        let (streams, mut other) = Streams::open(dir)?;
        let shard = other.shard.parse().map_err(|_| no_plan(dir))?;
        other.shard.clone_from(&manifest.shard);
        if other != manifest {
            plan_in(dir, &other, registry)?;
            let what = difference(&manifest, &other).ok_or_else(|| no_plan(dir))?;
            return Err(MergeError::PlansDiffer { first: first.clone(), other: dir.clone(), what });
        }
        parts.push(Part { dir: dir.clone(), shard, streams });
    }
    Ok((plan, parts))
}

/// Writes the tables of the whole plan beside their places.
fn join<'a>(plan: &Plan, whole: &Plan, parts: &[Part], out: &'a Claim) -> Result<Tables<'a>, Error> {
    Streams::check_whole::<RunColumn>(parts.iter().map(|it| &it.streams), out.dir())?;
    Streams::check_whole::<EpisodeColumn>(parts.iter().map(|it| &it.streams), out.dir())?;
    Streams::check_whole::<SeriesColumn>(parts.iter().map(|it| &it.streams), out.dir())?;
    let cells = whole.cells();
    let owners = plan.owners(&cells);
    let turns = || cells.iter().copied().zip(owners.iter().map(|owner| *owner as usize));
    let mut tables = Tables::new(out);

    let mut episodes = Vec::with_capacity(cells.len());
    stage::<RunColumn>(&mut tables, parts, out, |streams, put| {
        for (cell, owner) in turns() {
            let name = whole.name(cell);
            let row = streams[owner].next_of(&name)?;
            let row = row.ok_or_else(|| streams[owner].damaged(&format!("here should be {name}")))?;
            episodes.push(row.episodes.saturating_add(row.false_alarms));
            put(&row)?;
        }
        Ok(())
    })?;
    stage::<EpisodeColumn>(&mut tables, parts, out, |streams, put| {
        let mut turns = turns().zip(&episodes);
        turns.try_for_each(|((cell, owner), count)| streams[owner].all_of(&whole.name(cell), *count, put))
    })?;
    stage::<SeriesColumn>(&mut tables, parts, out, |streams, put| {
        let bins = |cell: Cell| if cell.has_series { series::bins(whole.duration(cell)) } else { 0 };
        turns().try_for_each(|(cell, owner)| streams[owner].all_of(&whole.name(cell), bins(cell), put))
    })?;
    Ok(tables)
}

/// Where the rows of a table go.
type Put<'a, C> = &'a mut dyn FnMut(&<C as Column>::Row) -> Result<(), Error>;

/// Writes a table of the whole from those of the parts, in their order; `deal` takes each row from the part whose turn it is.
fn stage<C: Column>(
    tables: &mut Tables<'_>,
    parts: &[Part],
    out: &Claim,
    deal: impl FnOnce(&mut [Stream<C>], Put<'_, C>) -> Result<(), Error>,
) -> Result<(), Error> {
    let ahead = (AHEAD_BYTES / parts.len()).clamp(AHEAD_BYTES_MIN, AHEAD_BYTES_MAX);
    let mut streams = parts.iter().map(|part| part.streams.table(ahead)).collect::<Result<Vec<_>, _>>()?;
    let mut rows = 0;
    tables.stage::<C>(|put| {
        let counted = &mut |row: &C::Row| {
            rows += 1;
            if rows > C::ROWS_MAX {
                let limit = format!("{} rows", C::ROWS_MAX);
                return Err(Error::TooLarge { path: out.dir().join(C::FILE), limit });
            }
            put(row)
        };
        deal(&mut streams, counted)
    })?;
    streams.iter_mut().try_for_each(Stream::check_end)
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
    let of = first.shard.of();
    if let Some(other) = rest.iter().find(|other| other.shard.of() != of) {
        let what = format!("the number of shards ({of} and {})", other.shard.of());
        return Err(MergeError::PlansDiffer { first: first.dir.clone(), other: other.dir.clone(), what });
    }

    // Stable, so that the message about a shard given twice names the directories as they were given.
    parts.sort_by_key(|part| part.shard.index());
    if let Some((first, other)) = parts.iter().zip(&parts[1..]).find(|(a, b)| a.shard == b.shard) {
        return Err(MergeError::Twice { first: first.dir.clone(), other: other.dir.clone(), shard: first.shard });
    }
    let missing = of - parts.len() as u64;
    if missing == 0 {
        return Ok(());
    }
    let is_missing = |index: &u64| parts.binary_search_by_key(index, |part| part.shard.index()).is_err();
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

/// Returns the plan of the results in `dir`.
fn plan_in(dir: &Path, manifest: &Manifest, registry: &Registry) -> Result<Plan, MergeError> {
    if let Some(invalid) = unreadable_strategy(manifest, registry) {
        return Err(MergeError::Policies { dir: dir.into(), invalid });
    }
    Ok(plan_of(manifest, registry).ok_or_else(|| no_plan(dir))?)
}

/// Returns the error that a manifest was changed.
fn no_plan(dir: &Path) -> Error {
    Error::Damaged { path: dir.join(manifest::FILE_NAME), problem: "it does not describe a plan".into() }
}

/// Returns the plan that a manifest describes; `None` where there can be no such plan: it was changed.
fn plan_of(manifest: &Manifest, registry: &Registry) -> Option<Plan> {
    let only = [Engine::Event, Engine::Turmoil].map(EngineChoice::Only);
    let engine = [EngineChoice::Auto, EngineChoice::Both]
        .into_iter()
        .chain(only)
        .find(|engine| engine.to_string() == manifest.engine)?;
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
    shard: Shard,
    streams: Streams,
}

#[cfg(test)]
mod tests {
    use cardiogram_results::{
        Finished, Reader,
        rows::{EpisodeRow, RunRow, SeriesRow},
    };

    use super::*;

    /// Writes the results of the two shards of a plan in `dir`, in which each run has so many episodes.
    fn shards(dir: &Path, episodes: u64) -> Vec<PathBuf> {
        let contest = Contest {
            origin: "healthy".into(),
            scenario: load::scenario("healthy").unwrap(),
            strategies: vec![load::strategy("none", None, &Registry::new()).unwrap()],
        };
        let shard = |index| {
            let shard = Shard::new(index, 2).unwrap();
            let plan = Plan::new(vec![contest.clone()], 1, 4, EngineChoice::Auto, shard).unwrap();
            let finished = |cell: Cell| {
                let name = plan.name(cell);
                let bins = if cell.has_series { series::bins(plan.duration(cell)) } else { 0 };
                let (scenario, strategy, seed) = (name.scenario, name.strategy, name.seed);
                let row = EpisodeRow { scenario, strategy, seed, cause: "cut".into(), ..EpisodeRow::default() };
                let (scenario, strategy) = (row.scenario.clone(), row.strategy.clone());
                let bin = SeriesRow { scenario, strategy, seed, ..SeriesRow::default() };
                let (scenario, strategy) = (row.scenario.clone(), row.strategy.clone());
                Finished {
                    run: RunRow { scenario, strategy, seed, episodes, ..RunRow::default() },
                    episodes: vec![row; episodes as usize],
                    series: vec![bin; bins as usize],
                }
            };
            let out = dir.join(index.to_string());
            let claim = Claim::take(&out, "test").unwrap();
            let cells: Vec<Finished> = plan.cells().into_iter().map(finished).collect();
            cardiogram_results::write(&claim, &plan.manifest(), &cells).unwrap();
            out
        };
        [1, 2].map(shard).to_vec()
    }

    fn merged(parts: &[PathBuf], dir: &Path) -> Result<Option<String>, MergeError> {
        let claim = Claim::take(dir, "test").unwrap();
        let note = merge(parts, &claim, &Registry::new(), "test", false)?;
        claim.finish()?;
        Ok(note)
    }

    #[test]
    fn memory_does_not_grow_with_what_is_joined() {
        let peak = |episodes| {
            let dir = tempfile::tempdir().unwrap();
            let parts = shards(dir.path(), episodes);
            let whole = dir.path().join("whole");
            let used = allocation_counter::measure(|| drop(merged(&parts, &whole).unwrap()));
            let table = fs::metadata(whole.join("episodes.csv")).unwrap();
            (used.bytes_max, table.len())
        };
        let (few, many) = (peak(1_000), peak(20_000));
        assert!(many.1 > 19 * few.1, "the tables are larger: {few:?}, {many:?}");
        assert!(many.0 < few.0 + (16 << 10) && many.0 < 2 << 20, "and the memory is not: {few:?}, {many:?}");
    }

    #[test]
    fn a_whole_that_nobody_could_read_is_refused_before_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let parts = shards(dir.path(), 1);
        for part in &parts {
            // Without content on the disk.
            fs::File::options().write(true).open(part.join("episodes.csv")).unwrap().set_len(3 << 30).unwrap();
        }
        let whole = dir.path().join("whole");
        let error = merged(&parts, &whole).unwrap_err().to_string();
        assert!(error.ends_with("whole/episodes.csv is longer than 4 GiB, the most that is read here"), "{error}");
        assert!(!whole.exists());
    }

    #[test]
    fn a_merge_that_fails_leaves_the_earlier_results_readable() {
        let dir = tempfile::tempdir().unwrap();
        let parts = shards(dir.path(), 1);
        let whole = dir.path().join("whole");
        merged(&parts, &whole).unwrap();
        let text = fs::read_to_string(parts[1].join("episodes.csv")).unwrap();
        fs::write(parts[1].join("episodes.csv"), text.replace(",cut,", ",cat,")).unwrap();
        let error = merged(&parts, &whole).unwrap_err().to_string();
        assert!(error.contains("episodes.csv is not the one that manifest.json was written with"), "{error}");
        Reader::open(&whole).unwrap();
        assert!(!whole.join(".cardiogram/new").exists());
    }
}
