//! `cardiogram sweep`: runs a scenario and strategies while one or two of their parameters take many values.

use std::{io::Write, path::PathBuf};

use cardiogram_policies::Registry;
use cardiogram_scenarios::sweep;

use super::{
    Failure,
    carry_out::{Options, carry_out},
    warn,
};

/// Run a scenario and strategies at every point of a grid of parameters; the files are those of `run`
#[derive(clap::Args)]
pub(super) struct Args {
    /// The path of a plan file: what varies, and over which values
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(args: &Args, registry: &Registry, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let sweep = sweep::file(&args.plan, registry)?;
    for base in sweep.bases.iter().filter(|base| !quiet && !base.built_in) {
        warn(&base.value.name, base);
    }
    carry_out(sweep.contests, Some(sweep.manifest), &args.options, quiet, out)
}
