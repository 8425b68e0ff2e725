//! `cardiogram merge`: joins the results of shards and writes the report of the whole.

use std::{io::Write, path::PathBuf};

use cardiogram_policies::Registry;
use cardiogram_results::Claim;
use cardiogram_scenarios::merge;

use super::{Failure, command_line, print_line, report};

/// Join the results of `run --shard`: the same files as those of one run that was not shared out
#[derive(clap::Args)]
pub(super) struct Args {
    /// Directories that `cardiogram run --shard I/N` wrote to, one for each I, in any order
    #[arg(value_name = "DIR", required = true)]
    dirs: Vec<PathBuf>,
    /// Where the results of the whole go
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// Replace results of another plan there, and what is unfinished; never a file that is not the lab's
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args, registry: &Registry, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let command = command_line();
    let claim = Claim::take(&args.out, &command)?;
    let note = merge::merge(&args.dirs, &claim, registry, &command, args.force)?;
    if let Some(note) = note.filter(|_| !quiet) {
        print_line(&note);
    }
    let report = report::publish(&claim)?;
    claim.finish()?;
    report.tell(quiet, out)
}
