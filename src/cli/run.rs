//! `cardiogram run`: compares strategies in scenarios and writes the results and their report.

use std::io::Write;

use cardiogram_policies::Registry;
use cardiogram_scenarios::{library, load, plan::Contest};

use super::{
    Failure,
    carry_out::{Options, carry_out},
    warn,
};

/// Compare strategies in scenarios; write runs.csv, episodes.csv, series.csv, manifest.json and report/
#[derive(clap::Args)]
pub(super) struct Args {
    /// Built-in scenarios or paths of scenario files [default: every built-in scenario]
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Compare this strategy, a preset or the path of a file; may be repeated [default: those each scenario names]
    #[arg(long = "strategy", value_name = "S")]
    strategies: Vec<String>,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(args: &Args, registry: &Registry, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
    carry_out(contests(args, registry, quiet)?, None, &args.options, quiet, out)
}

/// The scenarios with their strategies, as the arguments name them.
fn contests(args: &Args, registry: &Registry, quiet: bool) -> Result<Vec<Contest>, Failure> {
    let asked =
        args.strategies.iter().map(|name| load::strategy(name, None, registry)).collect::<Result<Vec<_>, _>>()?;
    // What is unwise about a preset is the product's, and known.
    let own = args.strategies.iter().zip(&asked).filter(|(_, strategy)| !quiet && !strategy.built_in);
    own.for_each(|(name, strategy)| warn(name, strategy));
    let names: Vec<&str> = if args.scenarios.is_empty() {
        library::names().collect()
    } else {
        args.scenarios.iter().map(String::as_str).collect()
    };
    let contests = names.into_iter().map(|origin| {
        let scenario = load::scenario(origin)?;
        let strategies =
            if asked.is_empty() { load::strategies_of(&scenario, origin, registry)? } else { asked.clone() };
        Ok(Contest { origin: origin.into(), scenario, strategies })
    });
    contests.collect()
}
