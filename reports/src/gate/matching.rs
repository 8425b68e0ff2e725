//! Whether results can be compared with a baseline at all. A comparison of different worlds or of different seeds would
//! show numbers, and they would mean nothing; it is refused instead, with what to do.

use std::collections::BTreeMap;

use super::{baseline::Baseline, error::Error, verdict::FEW_SEEDS};

/// The most names that a message lists.
const NAMED_MAX: usize = 5;

/// Returns whether results can be compared with the baseline: same version, engine and seeds, enough seeds, the same scenarios
/// to the byte, and every cell of the baseline there. Changed strategies are what a comparison is for, and further strategies
/// are only not compared.
///
/// # Errors
///
/// The first reason not to compare, with the fix. The version is checked where each of the two is read.
pub fn check(baseline: &Baseline, current: &Baseline) -> Result<(), Error> {
    if current.engine != baseline.engine {
        let (then, now) = (&baseline.engine, &current.engine);
        let help = format!("run again with `--engine {then}`, or write a new baseline");
        return Err(Error::refused(format!("the baseline is of the engine `{then}`, and this run of `{now}`"), help));
    }
    if (current.first_seed, current.seeds) != (baseline.first_seed, baseline.seeds) {
        let (from, seeds) = (baseline.first_seed, baseline.seeds);
        let problem = format!(
            "the baseline has {seeds} seeds from {from} on, and this run {} from {} on",
            current.seeds, current.first_seed
        );
        let help = format!(
            "seeds are compared in pairs: run again with `--first-seed {from} --seeds {seeds}`, or write a new baseline"
        );
        return Err(Error::refused(problem, help));
    }
    if baseline.seeds < FEW_SEEDS as u64 {
        let problem =
            format!("{FEW_SEEDS} seeds are needed to tell a change from chance, and there are {}", baseline.seeds);
        let help = format!("run both sides with `--seeds {FEW_SEEDS}` at least, better 10, and write a new baseline");
        return Err(Error::refused(problem, help));
    }
    check_scenarios(&baseline.scenarios, &current.scenarios)?;
    let gone: Vec<String> = baseline
        .cells
        .keys()
        .filter(|name| !current.cells.contains_key(name))
        .map(|name| format!("`{}` in `{}`", name.strategy, name.scenario))
        .collect();
    if !gone.is_empty() {
        let problem = format!("the baseline has strategies that this run has not: {}", listed(&gone));
        let help = "run them too; if they are gone on purpose, write a new baseline";
        return Err(Error::refused(problem, help));
    }
    Ok(())
}

/// Names with hashes.
type Hashes = BTreeMap<String, String>;

fn check_scenarios(baseline: &Hashes, current: &Hashes) -> Result<(), Error> {
    let only_in = |one: &Hashes, other: &Hashes| {
        one.keys().filter(|name| !other.contains_key(*name)).map(|name| format!("`{name}`")).collect::<Vec<_>>()
    };
    let gone = only_in(baseline, current);
    if !gone.is_empty() {
        let problem = format!("the baseline has scenarios that this run has not: {}", listed(&gone));
        return Err(Error::refused(problem, "run them too, or write a new baseline"));
    }
    let new = only_in(current, baseline);
    if !new.is_empty() {
        let problem = format!("this run has scenarios that the baseline has not: {}", listed(&new));
        return Err(Error::refused(problem, "run only those of the baseline, or write a new baseline"));
    }
    let other: Vec<String> = baseline
        .iter()
        .filter(|(name, hash)| current.get(*name) != Some(hash))
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    if !other.is_empty() {
        let problem = format!("the files of these scenarios are not those of the baseline: {}", listed(&other));
        let help = "other worlds have other results: restore the files; if they are meant to change, write a new baseline, \
            in a commit that changes no strategy";
        return Err(Error::refused(problem, help));
    }
    Ok(())
}

fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(NAMED_MAX)].join(", ");
    match names.len().saturating_sub(NAMED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
