//! `cardiogram check`: says whether files can be used, without running anything.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use cardiogram_policies::Registry;
use cardiogram_scenarios::{
    load,
    plan::{Contest, EngineChoice, Plan, Shard},
    sweep,
};

use super::{Failure, warn, warn_of_contest};

/// Check scenario files, strategy files and plan files of sweeps; exit code 2 if one cannot be used
#[derive(clap::Args)]
pub(super) struct Args {
    /// Paths of such files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Args, registry: &Registry, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let mut all_good = true;
    for file in &args.files {
        match check(file, registry, quiet) {
            Ok(what) if quiet => drop(what),
            Ok(what) => writeln!(out, "{}: {what}", file.display())?,
            Err(failure) => {
                failure.print();
                all_good = false;
            }
        }
    }
    if all_good { Ok(()) } else { Err(Failure::Printed) }
}

/// What the file is, if it can be used.
fn check(file: &Path, registry: &Registry, quiet: bool) -> Result<String, Failure> {
    let text = load::read(file)?;
    if sweep::is_sweep(&text) {
        let sweep = sweep::file(file, registry)?;
        return Ok(format!("sweep {} of {} points, good", sweep.manifest.name, sweep.manifest.points.len()));
    }
    if load::is_strategy(&text) {
        let strategy = load::strategy_file(file, registry)?;
        if !quiet {
            warn(&file.display().to_string(), &strategy);
        }
        return Ok(format!("strategy {}, good", strategy.value.name));
    }
    let scenario = load::scenario_file(file)?;
    let what = format!("scenario {}, good", scenario.value.name);
    let origin = file.display().to_string();
    let strategies = load::strategies_of(&scenario, &origin, registry)?;
    let contest = Contest { origin, scenario, strategies };
    if !quiet {
        warn_of_contest(&contest);
    }
    Plan::new(vec![contest], 1, 1, EngineChoice::Auto, Shard::WHOLE)?;
    Ok(what)
}
