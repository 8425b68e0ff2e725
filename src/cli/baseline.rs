//! `cardiogram baseline`: writes down what later results are compared with.

use std::{io::Write, path::PathBuf};

use cardiogram_reports::gate;

use super::{Failure, check_outputs};

/// Write a baseline from results: what `cardiogram gate` compares later results with
#[derive(clap::Args)]
pub(super) struct Args {
    /// A directory that `cardiogram run` wrote to
    dir: PathBuf,
    /// The file to write; it belongs into version control
    #[arg(long, short, value_name = "F")]
    out: PathBuf,
}

pub(super) fn run(args: &Args, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
    check_outputs(&[("--out", &args.out)], &[], Some(&args.dir))?;
    let results = gate::read(&args.dir)?;
    let baseline = results.baseline();
    gate::write_files(&[(&args.out, baseline.to_json())])?;
    if !quiet {
        let (cells, scenarios, seeds) = (baseline.cells(), baseline.scenarios(), baseline.seeds());
        writeln!(out, "{}: cells: {cells}, scenarios: {scenarios}, seeds: {seeds}", args.out.display())?;
    }
    Ok(())
}
