//! `cardiogram replay`: runs the counterexample of a promise, and says whether the promise is still broken, and how.

use std::{io::Write, path::PathBuf};

use cardiogram_check::{self as check, Judgement, Replayed, kind};
use cardiogram_policies::{Registry, Time, unit::format_duration};

use super::{Failure, program, quoted};

/// Run a counterexample that a check of promises wrote, and explain it
///
/// Exit codes: 1 while the promise is broken; 0 once it is kept, or the run no longer tests it.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The file
    file: PathBuf,
}

pub(super) fn run(args: &Args, registry: &Registry, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let replayed = check::replay(&args.file, registry)?;
    if !quiet {
        tell(args, &replayed, out)?;
        out.flush()?;
    }
    match replayed.judgement {
        Judgement::Kept | Judgement::NotTested => Ok(()),
        Judgement::Broken(_) => {
            let promise = kind(&replayed.promise);
            Err(Failure::Check(format!("{} still breaks its promise `{promise}`", replayed.strategy)))
        }
    }
}

fn tell(args: &Args, replayed: &Replayed, out: &mut dyn Write) -> Result<(), Failure> {
    let (strategy, promise) = (&replayed.strategy, kind(&replayed.promise));
    match &replayed.judgement {
        Judgement::Broken(breach) => {
            writeln!(out, "{strategy} breaks its promise `{promise}`\n{}", replayed.explanation)?;
            writeln!(out, "its strip chart:\n  {}", strip_chart(args, replayed, breach.device))?;
        }
        Judgement::Kept => writeln!(out, "kept: in this run {strategy} keeps its promise `{promise}`")?,
        Judgement::NotTested => {
            writeln!(
                out,
                "not tested: what the promise `{promise}` is about does not come about in this run any more"
            )?;
        }
    }
    if replayed.is_same_run {
        writeln!(out, "the run is the one that was recorded: trace hash {}", replayed.trace_hash)?;
    } else {
        writeln!(
            out,
            "the run is not the one that was recorded, something that it touches behaves differently: trace hash {}, \
             recorded {}",
            replayed.trace_hash, replayed.recorded_hash
        )?;
    }
    Ok(())
}

/// Returns the command that draws the run around the break.
fn strip_chart(args: &Args, replayed: &Replayed, device: Option<u32>) -> String {
    let path = args.file.display().to_string();
    // Without a dot or a slash it would be a name.
    let path = if path.contains(['/', '.']) { path } else { format!("./{path}") };
    let device = device.filter(|device| *device > 0).map_or_else(String::new, |device| format!(" --device {device}"));
    let of = |at: Time| format_duration(at.since(Time::ZERO));
    let part = replayed.shown.map_or_else(String::new, |(from, to)| format!(" --from {} --to {}", of(from), of(to)));
    format!(
        "{} trace {} --strategy {} --seed {}{device}{part} --timeline strip.svg",
        program(),
        quoted(&path),
        quoted(&replayed.strategy_origin),
        replayed.seed,
    )
}
