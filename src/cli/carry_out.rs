//! What `run` and `sweep` have in common: how a plan is carried out, and where its results go.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use cardiogram_results::manifest::ManifestSweep;
use cardiogram_scenarios::{
    plan::{Contest, Plan, Shard},
    runner::{self, Ending, Progress, RunnerOptions},
};
use indicatif::{ProgressBar, ProgressStyle};

use super::{EngineArg, Failure, print_line, report};

/// Seeds, engine, threads, shard, output.
#[derive(clap::Args)]
pub(super) struct Options {
    /// How many seeds every strategy meets in every scenario
    #[arg(long, value_name = "N", default_value_t = 10)]
    seeds: u64,
    /// The first of them
    #[arg(long, value_name = "N", default_value_t = 1)]
    first_seed: u64,
    /// What runs the simulation
    #[arg(long, value_enum, default_value_t = EngineArg::Auto)]
    engine: EngineArg,
    /// How many runs at a time [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Only every N-th run, beginning with the I-th: to share the work among machines
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Where the results go
    #[arg(long, value_name = "DIR", default_value = "cardiogram-out")]
    out: PathBuf,
}

/// Set by Ctrl-C: the runs under way are finished, no further one begins.
static STOP: AtomicBool = AtomicBool::new(false);

/// Runs all contests, the points of a sweep or not, and writes the results and their report.
pub(super) fn carry_out(
    contests: Vec<Contest>,
    sweep: Option<ManifestSweep>,
    options: &Options,
    quiet: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let shard = options.shard.unwrap_or(Shard::WHOLE);
    let plan = Plan::new(contests, options.first_seed, options.seeds, options.engine.into(), shard)?;
    let plan = plan.with_sweep(sweep);
    stop_on_interrupt();

    let bar = if quiet || !io::stderr().is_terminal() { ProgressBar::hidden() } else { bar() };
    let last = Mutex::new(None);
    let progress = |now: Progress| {
        let before = last.lock().expect("no progress panics").replace(now);
        if before.is_none() && now.finished > 0 && !quiet {
            bar.suspend(|| {
                print_line(&format!("going on: {} of {} runs are finished already", now.finished, now.cells));
            });
        }
        bar.set_length(now.cells as u64);
        bar.set_position(now.finished as u64);
    };
    let conduct = RunnerOptions { jobs: options.jobs.map_or(0, usize::from), stop: &STOP, progress: &progress };
    let ending = runner::run(&plan, &options.out, &conduct);
    bar.finish_and_clear();
    if ending? == Ending::Interrupted {
        let kept = last.into_inner().expect("no progress panics").map_or(0, |now| now.finished);
        return Err(Failure::Interrupted(format!(
            "interrupted: {kept} finished runs are kept in {}; the same command goes on there",
            options.out.display()
        )));
    }

    report::publish(&options.out, quiet, out)
}

/// The first Ctrl-C ends the run in good order, the second at once.
fn stop_on_interrupt() {
    let handler = || {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    // Without a handler Ctrl-C ends the process, and the journal keeps what was finished all the same.
    let _ = ctrlc::set_handler(handler);
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {eta} to go").expect("the template is valid");
    ProgressBar::new(0).with_style(style)
}
