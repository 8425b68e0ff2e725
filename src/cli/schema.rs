//! `cardiogram schema`: the JSON Schema of the files that people write, for editors.

use std::io::Write;

use cardiogram_scenarios::schema;
use clap::ValueEnum;

use super::Failure;

/// Print the JSON Schema of scenario or strategy files
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
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let schema = match args.what {
        What::Scenario => schema::scenario(),
        What::Strategy => schema::strategy(),
    };
    writeln!(out, "{:#}", schema.as_value())?;
    Ok(())
}
