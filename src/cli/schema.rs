//! `cardiogram schema`: the JSON Schema of the files that people write, for editors.

use std::io::Write;

use cardiogram_scenarios::schema;
use clap::ValueEnum;

use super::Failure;

/// Print the JSON Schema of scenario files, strategy files or the plan files of sweeps
#[derive(clap::Args)]
pub(super) struct Args {
    /// Which files
    #[arg(value_enum, default_value_t = What::Scenario)]
    what: What,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Scenario files
    Scenario,
    /// Strategy files
    Strategy,
    /// Plan files of sweeps
    Sweep,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let schema = match args.what {
        What::Scenario => schema::scenario(),
        What::Strategy => schema::strategy(),
        What::Sweep => schema::sweep(),
    };
    writeln!(out, "{:#}", schema.as_value())?;
    Ok(())
}
