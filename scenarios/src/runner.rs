//! Carries a plan out: all its cells on all cores, the results whole or not at all.
//!
//! Cells do not depend on each other, and results are put in the plan's order, so neither the number of threads nor an
//! interruption shows in the files.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use cardiogram_results::{Begin, Begun, Claim, Error, Finished, Journal, rows::RunName};
use cardiogram_sim::{Engine, Outcome, RunError, RunOptions, WorldConfig, outcome::TraceHash};
use rayon::prelude::*;

use crate::{
    measure,
    plan::{Cell, Plan, is_guest},
};

/// How to carry a plan out, as far as it does not change the results.
pub struct RunnerOptions<'a> {
    /// The command line that goes on with it, for whoever finds it unfinished.
    pub command: &'a str,
    /// Whether results of another plan, and an unfinished one, are replaced, and those of this plan computed again.
    pub force: bool,
    /// How many cells run at a time; 0: one a core.
    pub jobs: usize,
    /// Once true, no further cell is begun.
    pub stop: &'a AtomicBool,
    /// Told what happens, from any thread.
    pub progress: &'a (dyn Fn(Progress) + Sync),
    /// Told what is worth knowing about what was found in the directory.
    pub note: &'a (dyn Fn(&str) + Sync),
}

/// What happens while a plan is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It begins.
    Start {
        /// Cells finished before, by an interrupted run.
        finished: usize,
        /// How many cells the plan has.
        cells: usize,
    },
    /// The cell at this place of the plan is begun.
    CellBegun(usize),
    /// It is finished.
    CellFinished(usize),
}

/// How a run ended, where nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The results are written, or were there before.
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
    /// A guest came to different results in the same run.
    #[error(
        "{name}: the guest does something else when it runs again ({difference}); what it does depends on chance of the system's or \
        on the machine's clock: seed its generators, write `biased;` in `select!`, use tokio's time, and follow no `HashMap`'s order"
    )]
    GuestDiffers {
        /// The run that was repeated.
        name: RunName,
        /// Where two runs first differ.
        difference: String,
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

/// Runs every cell of `plan` that is not finished yet and writes the results to the directory that was claimed. Its journal
/// stays there until [`Claim::finish`], so that nothing is run again whatever happens to what is made of the results.
pub fn run(plan: &Plan, claim: &Claim, options: &RunnerOptions<'_>) -> Result<Ending, RunnerError> {
    let simulate = |world: &WorldConfig, seed, engine| cardiogram_sim::run(world, seed, &RunOptions::new(engine));
    carry_out(plan, claim, options, &simulate)
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
    claim: &Claim,
    options: &RunnerOptions<'_>,
    simulate: Simulate<'_>,
) -> Result<Ending, RunnerError> {
    let threads = rayon::ThreadPoolBuilder::new()
        .num_threads(options.jobs)
        .build()
        .map_err(|error| RunnerError::Threads { jobs: options.jobs, message: error.to_string() })?;
    let cells = plan.cells();
    let manifest = plan.manifest();
    let begin = Begin {
        manifest: &manifest,
        command: options.command,
        cells: cells.len(),
        variant: &plan.guest_parameters(),
        is_merge: false,
        force: options.force,
    };
    let Begun::Open { journal, known, notes } = claim.begin(&begin)? else {
        (options.progress)(Progress::Start { finished: cells.len(), cells: cells.len() });
        return Ok(Ending::Complete);
    };
    for note in &notes {
        (options.note)(note);
    }

    let pending: Vec<usize> = (0..cells.len()).filter(|place| known[*place].is_none()).collect();
    (options.progress)(Progress::Start { finished: cells.len() - pending.len(), cells: cells.len() });
    let ledger = Mutex::new(Ledger { journal, cells: known });
    let ran = threads.install(|| {
        pending.par_iter().with_max_len(1).try_for_each(|place| {
            if options.stop.load(Ordering::Relaxed) {
                return Err(Stop::Interrupted);
            }
            (options.progress)(Progress::CellBegun(*place));
            let finished = run_cell(plan, cells[*place], simulate).map_err(Stop::Failed)?;
            let mut ledger = ledger.lock().expect("a thread that panics takes the run with it");
            ledger.journal.append(*place, &finished).map_err(|error| Stop::Failed(error.into()))?;
            ledger.cells[*place] = Some(finished);
            drop(ledger);
            (options.progress)(Progress::CellFinished(*place));
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
    cardiogram_results::write(claim, &manifest, &finished)?;
    Ok(Ending::Complete)
}

/// What the threads share.
struct Ledger<'a> {
    journal: Journal<'a>,
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
    if cell.cross_check && is_guest(&world.strategy) {
        if on(engine)?.trace_hash != outcome.trace_hash {
            let difference = cardiogram_sim::first_difference(&world, name.seed);
            let difference = difference.map_err(|source| RunnerError::Engine { name: name.clone(), source })?;
            let difference = difference.unwrap_or_else(|| "two further runs were the same".into());
            return Err(RunnerError::GuestDiffers { name, difference });
        }
    } else if cell.cross_check {
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
    use std::{collections::BTreeMap, fs, path::Path, sync::atomic::AtomicUsize, time::Duration};

    use cardiogram_policies::Registry;
    use cardiogram_sim::outcome::{Accuracy, Downtime, Peaks, Pushes, Requests, Totals};

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

    /// Returns an outcome that depends on the world and the seed alone, as a real one does.
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
            away_time: Duration::ZERO,
            zombie_time: Duration::ZERO,
            server_busy: Duration::ZERO,
            peaks: Peaks::default(),
            radio: None,
            totals: Totals { heartbeats_sent: seed, ..Totals::default() },
            learning: Vec::new(),
            series: Vec::new(),
            pushes: Pushes::default(),
            requests: Requests::default(),
            trace: None,
        })
    }

    fn options_with(jobs: usize, stop: &AtomicBool) -> RunnerOptions<'_> {
        RunnerOptions { command: "run", force: false, jobs, stop, progress: &|_| {}, note: &|_| {} }
    }

    /// Carries a plan out as the program does.
    fn carry_out_in(
        dir: &Path,
        plan: &Plan,
        options: &RunnerOptions<'_>,
        simulate: Simulate<'_>,
    ) -> Result<Ending, RunnerError> {
        let claim = Claim::take(dir, "run")?;
        let ending = carry_out(plan, &claim, options, simulate)?;
        if ending == Ending::Complete {
            claim.finish()?;
        }
        Ok(ending)
    }

    /// Returns every file of a directory, but for the lab's own folder.
    fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()).filter(|it| it.path().is_file());
        entries.map(|it| (it.file_name().into_string().unwrap(), fs::read(it.path()).unwrap())).collect()
    }

    fn run_fake(plan: &Plan, jobs: usize) -> BTreeMap<String, Vec<u8>> {
        let dir = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        assert_eq!(carry_out_in(dir.path(), plan, &options_with(jobs, &stop), &fake).unwrap(), Ending::Complete);
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
        let ending = carry_out_in(dir.path(), &plan, &options_with(1, &stop), &stops_itself).unwrap();
        assert_eq!(ending, Ending::Interrupted);
        assert!(files(dir.path()).is_empty());

        let again = AtomicUsize::new(0);
        let counts = |world: &WorldConfig, seed, engine| {
            again.fetch_add(usize::from(engine == Engine::Event), Ordering::Relaxed);
            fake(world, seed, engine)
        };
        stop.store(false, Ordering::Relaxed);
        let ending = carry_out_in(dir.path(), &plan, &options_with(1, &stop), &counts).unwrap();
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
        let error = carry_out_in(dir.path(), &plan(&["none"], 2), &options_with(1, &stop), &disagrees).unwrap_err();
        assert!(
            error.to_string().starts_with("scenario healthy, strategy none, seed 1: the engines disagree"),
            "{error}"
        );
        assert!(!dir.path().join("runs.csv").exists());
    }

    #[test]
    fn another_plan_replaces_earlier_results_only_where_it_is_told_to_and_when_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        carry_out_in(dir.path(), &plan(&["none"], 2), &options_with(1, &stop), &fake).unwrap();
        let earlier = files(dir.path());
        let other = plan(&["wechat-270"], 2);
        let refused = carry_out_in(dir.path(), &other, &options_with(1, &stop), &fake).unwrap_err();
        assert!(matches!(refused, RunnerError::Results(Error::OtherResults { .. })), "{refused}");
        stop.store(true, Ordering::Relaxed);
        let force = RunnerOptions { force: true, ..options_with(1, &stop) };
        carry_out_in(dir.path(), &other, &force, &fake).unwrap();
        assert!(files(dir.path()) == earlier);
        let refused = carry_out_in(dir.path(), &plan(&["none"], 2), &options_with(1, &stop), &fake).unwrap_err();
        assert!(matches!(refused, RunnerError::Results(Error::OtherUnfinished { .. })), "{refused}");
        stop.store(false, Ordering::Relaxed);
        carry_out_in(dir.path(), &other, &options_with(1, &stop), &fake).unwrap();
        assert!(files(dir.path()) == run_fake(&other, 1));
    }

    #[test]
    fn what_is_complete_is_not_run_again_until_the_results_are_made_from_it_or_it_is_told_to() {
        let dir = tempfile::tempdir().unwrap();
        let (stop, ran) = (AtomicBool::new(false), AtomicUsize::new(0));
        let counts = |world: &WorldConfig, seed, engine| {
            ran.fetch_add(usize::from(engine == Engine::Event), Ordering::Relaxed);
            fake(world, seed, engine)
        };
        let plan = plan(&["none"], 2);
        let options = options_with(1, &stop);
        // As a kill after the results and before the report leaves it.
        carry_out(&plan, &Claim::take(dir.path(), "run").unwrap(), &options, &counts).unwrap();
        let results = files(dir.path());
        for _ in 0..2 {
            carry_out_in(dir.path(), &plan, &options, &counts).unwrap();
            assert_eq!(ran.load(Ordering::Relaxed), 4);
        }
        fs::write(dir.path().join("runs.csv"), "damaged").unwrap();
        carry_out_in(dir.path(), &plan, &options, &counts).unwrap();
        assert_eq!(ran.load(Ordering::Relaxed), 8);
        carry_out_in(dir.path(), &plan, &RunnerOptions { force: true, ..options }, &counts).unwrap();
        assert_eq!(ran.load(Ordering::Relaxed), 12);
        assert!(files(dir.path()) == results);
    }

    #[test]
    fn an_output_directory_that_cannot_be_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "in the way").unwrap();
        let stop = AtomicBool::new(false);
        let error = carry_out_in(&file, &plan(&["none"], 1), &options_with(1, &stop), &fake).unwrap_err();
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "in the way");
    }
}
