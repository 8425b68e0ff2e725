//! `cardiogram run`: compares strategies in scenarios and writes the results and their report.

use std::io::Write;

use cardiogram_policies::Registry;
use cardiogram_scenarios::{library, load, plan::Contest};

use super::{
    Failure,
    carry_out::{Options, carry_out},
    warn, warn_in, warn_of_contest,
};

/// Compare strategies in scenarios; write runs.csv, episodes.csv, series.csv, manifest.json and report/
#[derive(clap::Args)]
pub(super) struct Args {
    /// Built-in scenarios or paths of scenario files [default: every built-in scenario]
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Compare this strategy, a preset or the path of a file, or a whole family as in 'mqtt/*'; may be repeated [default: those each scenario names]
    #[arg(long = "strategy", value_name = "S")]
    strategies: Vec<String>,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(args: &Args, registry: &Registry, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
    carry_out(contests(args, registry, quiet)?, None, &args.options, quiet, out)
}

/// Returns the scenarios with their strategies, as the arguments name them.
fn contests(args: &Args, registry: &Registry, quiet: bool) -> Result<Vec<Contest>, Failure> {
    let mut asked = Vec::new();
    for name in &args.strategies {
        let named = load::strategies(name, None, registry)?;
        // What is unwise about a preset is the product's, and known.
        named.iter().filter(|it| !quiet && !it.built_in).for_each(|strategy| warn(name, strategy));
        asked.extend(named);
    }
    let names: Vec<&str> = if args.scenarios.is_empty() {
        library::names().collect()
    } else {
        args.scenarios.iter().map(String::as_str).collect()
    };
    let contests = names.into_iter().map(|origin| {
        let scenario = load::scenario(origin)?;
        let own = asked.is_empty();
        let strategies = if own { load::strategies_of(&scenario, origin, registry)? } else { asked.clone() };
        let contest = Contest { origin: origin.into(), scenario, strategies };
        match (quiet, own) {
            (true, _) => {}
            (false, true) => warn_of_contest(&contest),
            (false, false) => contest.strategies.iter().for_each(|strategy| warn_in(&contest, strategy)),
        }
        Ok(contest)
    });
    contests.collect()
}
