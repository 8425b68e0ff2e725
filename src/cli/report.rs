//! `cardiogram report`: writes the report of results that are there already.

use std::{io::Write, path::PathBuf};

use cardiogram_reports::{Options, Report};
use cardiogram_results::Claim;

use super::{Failure, command_line, program};

/// Write the report of a results directory anew
#[derive(clap::Args)]
pub(super) struct Args {
    /// A directory that `cardiogram run` wrote to
    dir: PathBuf,
    /// Also write runs.parquet, episodes.parquet and series.parquet
    #[cfg(feature = "parquet")]
    #[arg(long)]
    parquet: bool,
    /// Compare the other strategies with this one, wherever it ran, in place of the best of each scenario
    #[arg(long, value_name = "STRATEGY")]
    reference: Option<String>,
    /// Also write report/tables/SCENARIO.tex, for LaTeX
    #[arg(long)]
    latex: bool,
    /// Also draw the plots that a plan file asks for, as report/figures/NAME.svg of a width on paper, with their numbers
    #[arg(long, value_name = "PLAN")]
    plots: Option<PathBuf>,
}

pub(super) fn run(args: &Args, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let claim = Claim::of_results(&args.dir, &command_line())?;
    #[cfg(feature = "parquet")]
    if args.parquet {
        cardiogram_reports::parquet::write(&claim)?;
    }
    let mut options = own_options();
    options.reference.clone_from(&args.reference);
    options.latex = args.latex;
    options.plots.clone_from(&args.plots);
    Published(cardiogram_reports::write_with(&claim, &options)?).tell(quiet, out)
}

/// A report that is on disk, and of which nothing was said yet.
pub(super) struct Published(Report);

/// Writes the report of the results that were claimed.
pub(super) fn publish(claim: &Claim) -> Result<Published, Failure> {
    Ok(Published(cardiogram_reports::write_with(claim, &own_options())?))
}

/// Returns the options of a report whose commands are those of the running program.
fn own_options() -> Options {
    let mut options = Options::default();
    options.program = program().into();
    options
}

impl Published {
    /// Prints the report's summary and its place.
    pub(super) fn tell(&self, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
        if !quiet {
            writeln!(out, "{}", self.0.table.trim_end())?;
            writeln!(out, "\nReport: {}", self.0.index.display())?;
        }
        Ok(())
    }
}
