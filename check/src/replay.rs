//! A counterexample run again by anybody: from its file alone, with the strategy that the file names.

use std::path::Path;

use cardiogram_policies::{Problem, Registry, Time};
use cardiogram_scenarios::{
    Contest, Scenario,
    diagnostic::{Diagnostic, Invalid},
    load::{self, LoadError},
    replay::Promised,
};

use super::{
    Evidence, explain,
    promise::{Judgement, judge},
    run_traced,
};

/// What became of a counterexample.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The strategy's name.
    pub strategy: String,
    /// What a command line calls the strategy: a preset's name, or the path of its file from the current directory.
    pub strategy_origin: String,
    /// The seed of the run.
    pub seed: u64,
    /// What was promised.
    pub promise: Promised,
    /// What the run says about it today.
    pub judgement: Judgement,
    /// Digest of the run that was recorded.
    pub recorded_hash: String,
    /// Digest of the run today; another one means that something that the run touches behaves differently.
    pub trace_hash: String,
    /// Whether the two are the same.
    pub is_same_run: bool,
    /// What happened, in several lines; empty where nothing is broken.
    pub explanation: String,
    /// The part of the run that the explanation tells, if there is one: its begin and end.
    pub shown: Option<(Time, Time)>,
}

/// Runs the counterexample at `path`; `registry` knows the policies that are not built in.
///
/// # Errors
///
/// Where the file cannot be read, is no counterexample, contradicts itself, or is about a promise that only the code of its
/// owner can judge.
pub fn replay(path: &Path, registry: &Registry) -> Result<Replayed, LoadError> {
    let origin = path.display().to_string();
    let loaded = load::scenario_file(path)?;
    let Some(replay) = loaded.value.replay.clone() else {
        let diagnostic = Diagnostic {
            message: "this scenario has no table `[replay]`, so it is no counterexample".into(),
            span: None,
            help: Some("`cardiogram run` runs scenarios; a check of promises writes counterexamples".into()),
        };
        return Err(Invalid::new(origin, loaded.text, vec![diagnostic]).into());
    };
    let _: Scenario = load::parse(&origin, &loaded.text, |scenario| problems(scenario, &replay.promise))?;
    let strategies = load::strategies_of(&loaded, &origin, registry)?;
    let contest = Contest { origin, scenario: loaded.clone(), strategies: strategies.clone() };
    contest.check()?;
    let strategy = &strategies[0];
    let world = loaded.value.world(&strategy.value);
    let outcome = run_traced(&world, replay.seed);
    let judgement = judge(&replay.promise, &Evidence::new(&world, &outcome));
    let (explanation, shown) = match &judgement {
        Judgement::Broken(breach) => {
            (explain::explain(breach, &outcome), Some(explain::shown(breach, &outcome, Time::ZERO + world.duration)))
        }
        Judgement::NotTested | Judgement::Kept => (String::new(), None),
    };
    let trace_hash = outcome.trace_hash.to_string();
    let name = &loaded.value.strategies[0];
    let of_file = loaded.folder.as_ref().filter(|_| strategy.folder.is_some());
    Ok(Replayed {
        strategy: strategy.value.name.clone(),
        strategy_origin: of_file.map_or_else(|| name.clone(), |folder| beside(folder, name)),
        seed: replay.seed,
        judgement,
        promise: replay.promise,
        is_same_run: replay.trace_hash == trace_hash,
        recorded_hash: replay.trace_hash,
        trace_hash,
        explanation,
        shown,
    })
}

/// Returns the path of `name` that starts from `folder`, as a command line has to have it: with a dot, or it would be a name.
fn beside(folder: &Path, name: &str) -> String {
    let path = folder.join(name.strip_prefix("./").unwrap_or(name)).display().to_string();
    if load::is_path(&path) { path } else { format!("./{path}") }
}

/// Returns what keeps a scenario that can be run from being a counterexample that can be judged.
fn problems(scenario: &Scenario, promise: &Promised) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Promised::Own(name) = promise {
        let message = format!("the promise `{name}` is code of the test that found this");
        problems.push(Problem::new("replay.promise", message, "run that test again: it tries this file first"));
    }
    if scenario.strategies.len() != 1 {
        let count = scenario.strategies.len();
        let message = format!("a counterexample is about one strategy, and this names {count}");
        problems.push(Problem::new("strategies", message, "leave the one that broke the promise"));
    }
    problems
}
