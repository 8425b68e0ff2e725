//! What `run` and `sweep` have in common: how a plan is carried out, and where its results go.

mod watch;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use cardiogram_policies::unit;
use cardiogram_results::{Claim, manifest::ManifestSweep, point_latest};
use cardiogram_scenarios::{
    cost::{self, Limits, PlanCost},
    plan::{Contest, Plan, Shard},
    runner::{self, Ending, RunnerOptions},
};

use self::watch::Watch;
use super::{EngineArg, Failure, command_line, cores, report, shard::ShardArg};

/// From how much processor time on a person is told of it unasked.
const WORTH_TELLING: Duration = Duration::from_secs(600);

/// Where plans have their directories unless they are told otherwise.
const HOME: &str = "cardiogram-out";

/// Seeds, engine, threads, shard, output.
#[derive(clap::Args)]
pub(super) struct Options {
    /// How many seeds every strategy meets in every scenario
    #[arg(long, value_name = "N", default_value_t = SEEDS)]
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
    /// Only the I-th of N parts that cost about the same, to share the work among machines; `auto`, `auto/N`: the one that Slurm,
    /// Kubernetes, AWS Batch or a CI matrix says (docs/cluster.md)
    #[arg(long, value_name = "I/N")]
    shard: Option<ShardArg>,
    /// Where the results go [default: a directory of the plan's own in cardiogram-out, to which cardiogram-out/latest leads]
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace results of another plan there, and what is unfinished, and run all again; never a file that is not the lab's
    #[arg(long)]
    force: bool,
    /// Run nothing: print what is to be run and what it costs
    #[arg(long)]
    dry_run: bool,
    /// Refuse a plan that needs more time of one processor than this, by estimate
    #[arg(long, value_name = "T", default_value = "1d", value_parser = unit::parse_duration)]
    cpu_limit: Duration,
    /// Refuse a plan that needs more memory than this, by estimate
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = cost::parse_size)]
    memory_limit: u64,
}

/// How many seeds each strategy meets unless something else is said: as few as the gate asks for and as the report
/// shows without a warning.
pub(super) const SEEDS: u64 = 5;

/// Runs all contests, the points of a sweep or not, and writes the results and their report.
pub(super) fn carry_out(
    contests: Vec<Contest>,
    sweep: Option<ManifestSweep>,
    options: &Options,
    quiet: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let shard = options.shard.map_or(Ok(Shard::WHOLE), ShardArg::resolve).map_err(Failure::Input)?;
    let plan = Plan::new(contests, options.first_seed, options.seeds, options.engine.into(), shard)?;
    let plan = plan.with_sweep(sweep);
    let jobs = options.jobs.map_or_else(cores, usize::from);
    let limits = Limits { cpu: options.cpu_limit, memory_bytes: options.memory_limit };
    let command = command_line();
    let dir = options.out.clone().unwrap_or_else(|| Path::new(HOME).join(plan.directory()));
    if options.dry_run {
        tell(&plan, &plan.cost(jobs), &dir, out)?;
        plan.check_cost(jobs, &limits)?;
        return Ok(());
    }
    let cost = plan.check_cost(jobs, &limits)?;
    let claim = Claim::take(&dir, &command)?;

    let watch = Watch::start(quiet);
    if cost.cpu > WORTH_TELLING {
        watch.say(&cost.to_string());
    }
    let ending = runner::run(
        &plan,
        &claim,
        &RunnerOptions {
            command: &command,
            force: options.force,
            jobs,
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

/// Prints what a plan is and what it costs.
fn tell(plan: &Plan, cost: &PlanCost, dir: &Path, out: &mut dyn Write) -> io::Result<()> {
    let manifest = plan.manifest();
    for scenario in &manifest.scenarios {
        let (name, strategies) = (&scenario.name, scenario.strategies.join(", "));
        writeln!(out, "{name}: {strategies}")?;
    }
    let (first, seeds) = (manifest.first_seed, manifest.seeds);
    let last = first + (seeds - 1);
    writeln!(out, "seeds {first} to {last}, engine {}, shard {}", manifest.engine, manifest.shard)?;
    writeln!(out, "{cost}")?;
    writeln!(out, "at most {} strikes of faults and {} mappings in a run", cost.strikes, cost.mappings)?;
    writeln!(out, "into {}", dir.display())
}
