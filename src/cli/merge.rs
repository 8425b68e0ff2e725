//! `cardiogram merge`: joins the results of shards and writes the report of the whole.

use std::{io::Write, path::PathBuf};

use cardiogram_policies::Registry;
use cardiogram_scenarios::merge;

use super::{Failure, report};

/// Join the results of `run --shard`: the same files as those of one run that was not shared out
#[derive(clap::Args)]
pub(super) struct Args {
    /// Directories that `cardiogram run --shard I/N` wrote to, one for each I, in any order
    #[arg(value_name = "DIR", required = true)]
    dirs: Vec<PathBuf>,
    /// Where the results of the whole go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(args: &Args, registry: &Registry, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
    merge::merge(&args.dirs, &args.out, registry)?;
    report::publish(&args.out, quiet, out)
}
