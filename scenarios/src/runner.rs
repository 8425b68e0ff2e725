//! Carries a plan out: all its cells on all cores, the results whole or not at all.
//!
//! Cells do not depend on each other, and results are put in the plan's order, so neither the number of threads nor an
//! interruption shows in the files.

use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use cardiogram_results::{Error, Finished, journal::Journal, rows::RunName};
use cardiogram_sim::{Engine, Outcome, RunError, RunOptions, WorldConfig, outcome::TraceHash};
use rayon::prelude::*;

use crate::{
    measure,
    plan::{Cell, Plan},
};

/// How to carry a plan out, as far as it does not change the results.
pub struct RunnerOptions<'a> {
    /// How many cells run at a time; 0: one a core.
    pub jobs: usize,
    /// Once true, no further cell is begun.
    pub stop: &'a AtomicBool,
    /// Told at the begin, and whenever a cell is finished.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Cells finished, those of an interrupted run before included.
    pub finished: usize,
    /// How many cells the plan has.
    pub cells: usize,
}

/// How a run ended, where nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The results are written.
    Complete,
    /// It was told to stop; what was finished is kept, and the same plan goes on there.
    Interrupted,
}

/// Why a plan was not carried out to its end. Finished cells are kept all the same, and earlier results are as they
/// were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// The output directory cannot be made or written to: rights, space, or another run at work.
    #[error(transparent)]
    Results(#[from] Error),
    /// No threads to run on.
    #[error("cannot start {jobs} threads: {message}; take fewer with --jobs")]
    Threads {
        /// How many were asked for.
        jobs: usize,
        /// What the system said.
        message: String,
    },
    /// An engine failed.
    #[error("{name}: {source}")]
    Engine {
        /// The run in which it failed.
        name: RunName,
        /// What it said.
        source: RunError,
    },
    /// The engines came to different results for the same run: a bug of the simulator.
    #[error(
        "{name}: the engines disagree (event {event}, turmoil {turmoil}); \
        this is a bug of cardiogram, please report it with the scenario and the strategy"
    )]
    EnginesDisagree {
        /// The run in which it failed.
        name: RunName,
        /// The hash on the event engine.
        event: TraceHash,
        /// The hash on turmoil.
        turmoil: TraceHash,
    },
}

/// Runs every cell of `plan` that is not finished yet and writes the results to `dir`.
pub fn run(plan: &Plan, dir: &Path, options: &RunnerOptions<'_>) -> Result<Ending, RunnerError> {
    let simulate = |world: &WorldConfig, seed, engine| cardiogram_sim::run(world, seed, &RunOptions::new(engine));
    carry_out(plan, dir, options, &simulate)
}

/// A way to run a world.
type Simulate<'a> = &'a (dyn Fn(&WorldConfig, u64, Engine) -> Result<Outcome, RunError> + Sync);

/// Why cells stop being run.
enum Stop {
    Interrupted,
    Failed(RunnerError),
}

fn carry_out(
    plan: &Plan,
    dir: &Path,
    options: &RunnerOptions<'_>,
    simulate: Simulate<'_>,
) -> Result<Ending, RunnerError> {
    let threads = rayon::ThreadPoolBuilder::new()
        .num_threads(options.jobs)
        .build()
        .map_err(|error| RunnerError::Threads { jobs: options.jobs, message: error.to_string() })?;
    let cells = plan.cells();
    let (journal, known) = Journal::open(dir, &plan.fingerprint(), cells.len())?;

    let pending: Vec<usize> = (0..cells.len()).filter(|place| known[*place].is_none()).collect();
    let ledger = Mutex::new(Ledger { journal, done: cells.len() - pending.len(), cells: known });
    (options.progress)(Progress { finished: cells.len() - pending.len(), cells: cells.len() });
    let ran = threads.install(|| {
        pending.par_iter().with_max_len(1).try_for_each(|place| {
            if options.stop.load(Ordering::Relaxed) {
                return Err(Stop::Interrupted);
            }
            let finished = run_cell(plan, cells[*place], simulate).map_err(Stop::Failed)?;
            let mut ledger = ledger.lock().expect("a thread that panics takes the run with it");
            ledger.journal.append(*place, &finished).map_err(|error| Stop::Failed(error.into()))?;
            ledger.cells[*place] = Some(finished);
            ledger.done += 1;
            (options.progress)(Progress { finished: ledger.done, cells: cells.len() });
            Ok(())
        })
    });
    match ran {
        Err(Stop::Interrupted) => return Ok(Ending::Interrupted),
        Err(Stop::Failed(error)) => return Err(error),
        Ok(()) => {}
    }

    let ledger = ledger.into_inner().expect("a thread that panics takes the run with it");
    let finished: Vec<Finished> = ledger.cells.into_iter().map(|cell| cell.expect("every cell is finished")).collect();
    cardiogram_results::write(dir, &plan.manifest(), &finished)?;
    ledger.journal.remove()?;
    Ok(Ending::Complete)
}

/// What the threads share.
struct Ledger {
    journal: Journal,
    done: usize,
    cells: Vec<Option<Finished>>,
}

fn run_cell(plan: &Plan, cell: Cell, simulate: Simulate<'_>) -> Result<Finished, RunnerError> {
    let (name, world) = (plan.name(cell), plan.world(cell));
    let _named = NameInPanic(name.clone());
    let engine = plan.engine().engine();
    let on = |engine| {
        simulate(&world, name.seed, engine).map_err(|source| RunnerError::Engine { name: name.clone(), source })
    };
    let outcome = on(engine)?;
    if cell.cross_check {
        let turmoil = on(Engine::Turmoil)?.trace_hash;
        if turmoil != outcome.trace_hash {
            return Err(RunnerError::EnginesDisagree { name, event: outcome.trace_hash, turmoil });
        }
    }
    Ok(Finished {
        run: measure::run_row(&name, engine, world.duration, &outcome),
        episodes: measure::episode_rows(&name, &outcome),
        series: if cell.has_series { measure::series_rows(&name, &outcome) } else { Vec::new() },
    })
}

/// Says which run it was when a bug of ours panics in one.
struct NameInPanic(RunName);

impl Drop for NameInPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this happened in {}", self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, sync::atomic::AtomicUsize, time::Duration};

    use cardiogram_policies::Registry;
    use cardiogram_sim::outcome::{Accuracy, Downtime, Peaks, Pushes, Totals};

    use super::*;
    use crate::{
        load,
        plan::{Contest, EngineChoice, Shard},
    };

    fn plan(strategies: &[&str], seeds: u64) -> Plan {
        let contests = ["healthy", "elevator"].map(|name| Contest {
            origin: name.into(),
            scenario: load::scenario(name).unwrap(),
            strategies: strategies.iter().map(|name| load::strategy(name, None, &Registry::new()).unwrap()).collect(),
        });
        Plan::new(contests.to_vec(), 1, seeds, EngineChoice::Auto, Shard::WHOLE).unwrap()
    }

    /// An outcome that depends on the world and the seed alone, as a real one does.
    #[expect(clippy::unnecessary_wraps, reason = "the shape of a simulator")]
    fn fake(world: &WorldConfig, seed: u64, _: Engine) -> Result<Outcome, RunError> {
        Ok(Outcome {
            trace_hash: TraceHash(u128::from(seed) << 64 | world.strategy.name.len() as u128),
            device_time: Duration::from_hours(6),
            episodes: Vec::new(),
            false_alarms: Vec::new(),
            accuracy: Accuracy::default(),
            usable_time: Duration::from_hours(5),
            downtime: Downtime::default(),
            zombie_time: Duration::ZERO,
            server_busy: Duration::ZERO,
            peaks: Peaks::default(),
            radio: None,
            totals: Totals { heartbeats_sent: seed, ..Totals::default() },
            learning: Vec::new(),
            series: Vec::new(),
            pushes: Pushes::default(),
            trace: None,
        })
    }

    fn options_with(jobs: usize, stop: &AtomicBool) -> RunnerOptions<'_> {
        RunnerOptions { jobs, stop, progress: &|_| {} }
    }

    /// Every file of a directory.
    fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
        entries.map(|it| (it.file_name().into_string().unwrap(), fs::read(it.path()).unwrap())).collect()
    }

    fn run_fake(plan: &Plan, jobs: usize) -> BTreeMap<String, Vec<u8>> {
        let dir = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        assert_eq!(carry_out(plan, dir.path(), &options_with(jobs, &stop), &fake).unwrap(), Ending::Complete);
        files(dir.path())
    }

    #[test]
    fn the_number_of_threads_does_not_show() {
        let plan = plan(&["none", "wechat-270"], 5);
        let one = run_fake(&plan, 1);
        assert_eq!(one.keys().collect::<Vec<_>>(), ["episodes.csv", "manifest.json", "runs.csv", "series.csv"]);
        assert_eq!(String::from_utf8_lossy(&one["runs.csv"]).lines().count(), 1 + 2 * 2 * 5);
        assert!(one == run_fake(&plan, 4));
    }

    #[test]
    fn a_run_that_was_stopped_goes_on_and_ends_with_the_same_files() {
        let plan = plan(&["none", "wechat-270"], 5);
        let dir = tempfile::tempdir().unwrap();
        let (stop, ran) = (AtomicBool::new(false), AtomicUsize::new(0));
        let stops_itself = |world: &WorldConfig, seed, engine| {
            if engine == Engine::Event && ran.fetch_add(1, Ordering::Relaxed) == 6 {
                stop.store(true, Ordering::Relaxed);
            }
            fake(world, seed, engine)
        };
        let ending = carry_out(&plan, dir.path(), &options_with(1, &stop), &stops_itself).unwrap();
        assert_eq!(ending, Ending::Interrupted);
        assert_eq!(files(dir.path()).keys().collect::<Vec<_>>(), [".cardiogram-journal"]);

        let again = AtomicUsize::new(0);
        let counts = |world: &WorldConfig, seed, engine| {
            again.fetch_add(usize::from(engine == Engine::Event), Ordering::Relaxed);
            fake(world, seed, engine)
        };
        stop.store(false, Ordering::Relaxed);
        let ending = carry_out(&plan, dir.path(), &options_with(1, &stop), &counts).unwrap();
        assert_eq!(ending, Ending::Complete);
        assert_eq!(again.into_inner(), 20 - 7, "no cell runs twice");
        assert!(files(dir.path()) == run_fake(&plan, 1));
    }

    #[test]
    fn engines_that_disagree_are_an_error_that_names_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let disagrees = |world: &WorldConfig, seed, engine| {
            let mut outcome = fake(world, seed, engine)?;
            outcome.trace_hash.0 += u128::from(engine == Engine::Turmoil && world.strategy.name == "none");
            Ok(outcome)
        };
        let error = carry_out(&plan(&["none"], 2), dir.path(), &options_with(1, &stop), &disagrees).unwrap_err();
        assert!(
            error.to_string().starts_with("scenario healthy, strategy none, seed 1: the engines disagree"),
            "{error}"
        );
        assert!(!dir.path().join("runs.csv").exists());
    }

    #[test]
    fn another_plan_replaces_earlier_results_only_when_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        carry_out(&plan(&["none"], 2), dir.path(), &options_with(1, &stop), &fake).unwrap();
        let earlier = files(dir.path());
        let other = plan(&["wechat-270"], 2);
        stop.store(true, Ordering::Relaxed);
        carry_out(&other, dir.path(), &options_with(1, &stop), &fake).unwrap();
        let mut between = files(dir.path());
        between.remove(".cardiogram-journal").expect("the new plan has begun");
        assert!(between == earlier);
        stop.store(false, Ordering::Relaxed);
        carry_out(&other, dir.path(), &options_with(1, &stop), &fake).unwrap();
        assert!(files(dir.path()) == run_fake(&other, 1));
    }

    #[test]
    fn an_output_directory_that_cannot_be_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "in the way").unwrap();
        let stop = AtomicBool::new(false);
        let error = carry_out(&plan(&["none"], 1), &file, &options_with(1, &stop), &fake).unwrap_err();
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "in the way");
    }
}
