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
    /// Also write runs.parquet, episodes.parquet and series.parquet
    #[cfg(feature = "parquet")]
    #[arg(long)]
    parquet: bool,
}

pub(super) fn run(args: &Args, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
    #[cfg(feature = "parquet")]
    if args.parquet {
        cardiogram_reports::parquet::write(&args.dir)?;
    }
    publish(&args.dir, quiet, out)
}

/// Writes the report of the results in `dir` and prints its summary and its place.
pub(super) fn publish(dir: &Path, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let report = cardiogram_reports::write(dir)?;
    if !quiet {
        writeln!(out, "{}", report.table.trim_end())?;
        writeln!(out, "\nReport: {}", report.index.display())?;
    }
    Ok(())
}
