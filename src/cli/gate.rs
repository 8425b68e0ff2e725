//! `cardiogram gate`: compares results with a baseline; exit code 1 where something became worse.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use cardiogram_reports::gate::{self, Bands, Baseline, Comparison};

use super::Failure;

/// Compare results with a baseline; exit code 1 if a strategy became slower, chattier or less reliable
#[derive(clap::Args)]
pub(super) struct Args {
    /// A directory that `cardiogram run` wrote to
    dir: PathBuf,
    /// A file that `cardiogram baseline` wrote
    #[arg(long, value_name = "F")]
    baseline: PathBuf,
    /// What may change, as a TOML file [default: 2 %, and a little near zero; docs/ci.md has the table]
    #[arg(long, value_name = "F")]
    bands: Option<PathBuf>,
    /// Fail on what is undecided too
    #[arg(long)]
    strict: bool,
    /// Write the comparison as JUnit XML to this file
    #[arg(long, value_name = "F")]
    junit: Option<PathBuf>,
    /// Write it as Markdown to this file, in place of what is there: ready for a GitHub step summary
    #[arg(long, value_name = "F")]
    summary: Option<PathBuf>,
}

pub(super) fn run(args: &Args, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let bands = args.bands.as_deref().map_or_else(|| Ok(Bands::default()), Bands::read)?;
    let baseline = Baseline::read(&args.baseline)?;
    let results = gate::read(&args.dir)?;
    gate::check(&baseline, results.baseline())?;
    let comparison = gate::compare(&baseline, results.baseline(), &bands);

    let junit = args.junit.as_deref().map(|path| (path, comparison.junit(args.strict)));
    let summary = args.summary.as_deref().map(|path| (path, comparison.markdown(&results, args.strict)));
    gate::write_files(&junit.into_iter().chain(summary).collect::<Vec<_>>())?;
    if !quiet {
        write!(out, "{}", comparison.table(&results))?;
        out.flush()?;
    }
    verdict(&comparison, args.strict, &args.baseline)
}

fn verdict(comparison: &Comparison, strict: bool, baseline: &Path) -> Result<(), Failure> {
    if comparison.passes(strict) {
        return Ok(());
    }
    let (counts, baseline) = (comparison.counts(), baseline.display());
    Err(Failure::Check(match counts.regressions {
        0 => format!("{} of the metrics are undecided, which --strict does not let pass", counts.undecided),
        regressions => format!(
            "worse than {baseline}: {regressions} of the metrics, in {} of the cells\n  = help: if the change is meant, \
             write the baseline anew in the same commit: `cardiogram baseline DIR --out {baseline}`",
            comparison.worst_cells().len()
        ),
    }))
}
