//! What `run` and `sweep` have in common: how a plan is carried out, and where its results go.

mod watch;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use cardiogram_results::{Claim, manifest::ManifestSweep, point_latest};
use cardiogram_scenarios::{
    plan::{Contest, Plan, Shard},
    runner::{self, Ending, RunnerOptions},
};

use self::watch::Watch;
use super::{EngineArg, Failure, command_line, report};

/// Where plans have their directories unless they are told otherwise.
const HOME: &str = "cardiogram-out";

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
    /// Where the results go [default: a directory of the plan's own in cardiogram-out, to which cardiogram-out/latest leads]
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace results of another plan there, and what is unfinished, and run all again; never a file that is not the lab's
    #[arg(long)]
    force: bool,
}

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
    let command = command_line();
    let dir = options.out.clone().unwrap_or_else(|| Path::new(HOME).join(plan.directory()));
    let claim = Claim::take(&dir, &command)?;

    let watch = Watch::start(quiet);
    let ending = runner::run(
        &plan,
        &claim,
        &RunnerOptions {
            command: &command,
            force: options.force,
            jobs: options.jobs.map_or(0, usize::from),
            stop: watch.stop(),
            progress: &|step| watch.see(step),
            note: &|note| watch.say(note),
        },
    );
    let finished = watch.end();
    if ending? == Ending::Interrupted {
        return Err(Failure::Interrupted(format!(
            "interrupted: {finished} finished runs are kept in {}; the same command goes on there",
            dir.display()
        )));
    }

    let report = report::publish(&claim)?;
    claim.finish()?;
    if options.out.is_none() {
        point_latest(&dir).map_err(|error| Failure::Input(format!("cannot write {HOME}/latest: {error}")))?;
    }
    report.tell(quiet, out)
}
