//! `cardiogram report`: writes the report of results that are there already.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use super::Failure;

/// Write the report of a results directory anew
#[derive(clap::Args)]
pub(super) struct Args {
    /// A directory that `cardiogram run` wrote to
    dir: PathBuf,
}

pub(super) fn run(args: &Args, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
    publish(&args.dir, quiet, out)
}

/// Writes the report of the results in `dir` and prints its summary and its place.
pub(super) fn publish(dir: &Path, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let index = cardiogram_reports::write(dir)?;
    if !quiet {
        writeln!(out, "{}", cardiogram_reports::summary_table(dir)?.trim_end())?;
        writeln!(out, "\nReport: {}", index.display())?;
    }
    Ok(())
}
