//! `cardiogram gate`: compares results with a baseline; exit code 1 where something became worse.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use cardiogram_reports::gate::{self, Bands, Baseline, Comparison, Strictness, Verdict};

use super::{Failure, check_outputs, program};

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
    /// Pass what is undecided, which fails otherwise: it is told, and skipped in JUnit XML
    #[arg(long, conflicts_with = "strict")]
    allow_undecided: bool,
    /// Fail on what is within noise too: everything must be decided
    #[arg(long)]
    strict: bool,
    /// Write the comparison as JUnit XML to this file
    #[arg(long, value_name = "F")]
    junit: Option<PathBuf>,
    /// Write it as Markdown to this file, in place of what is there: ready for a GitHub step summary
    #[arg(long, value_name = "F")]
    summary: Option<PathBuf>,
    /// Print the comparison as JSON, in place of the table
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let outputs = [("--junit", &args.junit), ("--summary", &args.summary)];
    let outputs: Vec<_> = outputs.into_iter().filter_map(|(option, path)| Some((option, path.as_deref()?))).collect();
    let inputs = [("the baseline", Some(args.baseline.as_path())), ("the file of --bands", args.bands.as_deref())];
    let inputs: Vec<_> = inputs.into_iter().filter_map(|(words, path)| Some((words, path?))).collect();
    check_outputs(&outputs, &inputs, Some(&args.dir))?;
    let bands = args.bands.as_deref().map_or_else(|| Ok(Bands::default()), Bands::read)?;
    let baseline = Baseline::read(&args.baseline)?;
    let results = gate::read(&args.dir)?.with_program(program());
    gate::check(&baseline, results.baseline())?;
    let comparison = gate::compare(&baseline, results.baseline(), &bands);
    let strictness = match (args.allow_undecided, args.strict) {
        (true, _) => Strictness::AllowUndecided,
        (false, false) => Strictness::Normal,
        (false, true) => Strictness::Strict,
    };

    let junit = args.junit.as_deref().map(|path| (path, comparison.junit(strictness)));
    let summary = args.summary.as_deref().map(|path| (path, comparison.markdown(&results, strictness)));
    gate::write_files(&junit.into_iter().chain(summary).collect::<Vec<_>>())?;
    if args.json {
        writeln!(out, "{:#}", comparison.json(&results, strictness))?;
        out.flush()?;
    } else if !quiet {
        write!(out, "{}", comparison.table(&results))?;
        let undecided = comparison.count(Verdict::Undecided);
        if undecided > 0 && strictness == Strictness::AllowUndecided {
            writeln!(out, "\n{undecided} undecided, let through by --allow-undecided.")?;
        }
        out.flush()?;
    }
    verdict(&comparison, strictness, &args.baseline)
}

fn verdict(comparison: &Comparison, strictness: Strictness, baseline: &Path) -> Result<(), Failure> {
    if comparison.passes(strictness) {
        return Ok(());
    }
    let [worse, undecided, noise] =
        [comparison.worse(), comparison.count(Verdict::Undecided), comparison.count(Verdict::WithinNoise)];
    let baseline = baseline.display();
    Err(Failure::Check(if worse > 0 {
        format!(
            "worse than {baseline}: {worse} of the metrics, in {} of the cells\n  = help: if the change is meant, write the \
             baseline anew in the same commit: `cardiogram baseline DIR --out {baseline}`",
            comparison.worst_cells().len()
        )
    } else if undecided > 0 {
        format!(
            "{undecided} of the metrics are undecided: worse than {baseline} or gone, and hardly by chance\n  = help: run more \
             seeds on both sides; if the change is meant, write the baseline anew in the same commit; `--allow-undecided` \
             lets it pass, and tells it"
        )
    } else {
        format!("{noise} of the metrics are within noise and not decided, which --strict does not let pass")
    }))
}
