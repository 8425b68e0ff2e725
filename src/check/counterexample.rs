//! Counterexamples as files: a scenario with the table `[replay]`, written once, replayed as often as one likes.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use cardiogram_policies::{Registry, StrategySpec, preset};
use cardiogram_scenarios::{
    load,
    replay::{Promised, Replay},
};
use cardiogram_sim::{Outcome, WorldConfig};

use super::{
    Evidence, broken,
    draft::Heading,
    explain::explain,
    file_name, kind, name_of,
    promise::{Breach, Judgement, Rule, judge},
    run_traced,
    shrink::Case,
};

/// A promise that a case breaks, and where the case came from.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) case: Case,
    pub(crate) promise: Promised,
    pub(crate) breach: Breach,
    /// What the check drew from.
    pub(crate) seed: u64,
    /// The number of the world.
    pub(crate) number: u32,
}

/// A world in which a strategy breaks a promise, on disk.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// The scenario file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// The strategy.
    pub strategy: String,
    /// What was promised.
    pub promise: Promised,
    /// How it was broken.
    pub breach: Breach,
    /// How many faults its world has.
    pub faults: usize,
    /// Digest of the run.
    pub trace_hash: String,
    /// What happened, in several lines.
    pub explanation: String,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} breaks its promise `{}`", self.strategy, name_of(&self.promise))?;
        write!(f, "{}", self.explanation)?;
        write!(f, "in {}\n  cardiogram replay {}", self.path.display(), self.path.display())
    }
}

/// The heading of a world that is run and never written.
pub(crate) const fn plain_heading() -> Heading<'static> {
    Heading { name: "drawn", about: "", strategy: "none", comment: "" }
}

/// Writes what was found to `folder/NAME.toml`, with the strategy beside it where it is no preset.
pub(crate) fn write(
    folder: &Path,
    name: &str,
    found: &Found,
    faults_before: usize,
    world: &WorldConfig,
    outcome: &Outcome,
) -> Result<Counterexample, String> {
    let strategy = &world.strategy;
    let is_preset = preset::find(&strategy.name).is_some_and(|preset| preset.spec() == *strategy);
    let beside = format!("{name}.strategy.toml");
    let named = if is_preset { strategy.name.clone() } else { format!("./{beside}") };
    let path = folder.join(format!("{name}.toml"));
    let draft = &found.case.draft;
    let comment = format!(
        "{} breaks its promise `{}`.\n\npromised: {}\nhappened: {}\n\nFound in world {} of seed {}, which had {faults_before} \
         faults, and made simpler from there. To see it again:\n\n    cardiogram replay {}",
        strategy.name,
        name_of(&found.promise),
        found.breach.promised,
        found.breach.happened,
        found.number,
        found.seed,
        file_name(&path),
    );
    let replay =
        Replay { seed: found.case.seed, trace_hash: outcome.trace_hash.to_string(), promise: found.promise.clone() };
    let about = format!("A counterexample: {} breaks `{}`.", strategy.name, name_of(&found.promise));
    let heading = Heading { name: &scenario_name(name), about: &about, strategy: &named, comment: &comment };
    let text = draft.to_toml(&heading, Some(&replay));
    let written = fs::create_dir_all(folder)
        .and_then(|()| if is_preset { Ok(()) } else { fs::write(folder.join(&beside), load::strategy_text(strategy)) })
        .and_then(|()| fs::write(&path, &text));
    let explanation = explain(&found.breach, outcome);
    if let Err(error) = written {
        return Err(format!(
            "{} breaks its promise `{}`\n{explanation}and the counterexample cannot be written to {}: {error}\n{text}",
            strategy.name,
            name_of(&found.promise),
            path.display()
        ));
    }
    Ok(Counterexample {
        path,
        text,
        strategy: strategy.name.clone(),
        promise: found.promise.clone(),
        breach: found.breach.clone(),
        faults: draft.strikes.len(),
        trace_hash: replay.trace_hash,
        explanation,
    })
}

/// A name that scenarios may have.
fn scenario_name(name: &str) -> String {
    name.chars().map(|char| if char == '_' { '-' } else { char }).take(64).collect()
}

/// The counterexamples that a check of this name wrote earlier.
pub(crate) fn earlier(folder: &Path, name: &str) -> Vec<PathBuf> {
    let path = folder.join(format!("{name}.toml"));
    if path.is_file() { vec![path] } else { Vec::new() }
}

/// The counterexample at `path`, if `strategy` as it is today still breaks its promise, or any of `rules` that is code.
pub(crate) fn again(path: &Path, strategy: &StrategySpec, rules: &[Rule]) -> Result<Option<Counterexample>, String> {
    let loaded = load::scenario_file(path).map_err(|error| readable(&error))?;
    let Some(replay) = loaded.value.replay.clone() else { return Ok(None) };
    let world = loaded.value.world(strategy);
    let problems = world.problems();
    if let Some(problem) = problems.first() {
        return Err(format!("{}: {}; {}", path.display(), problem.message, problem.help));
    }
    let outcome = run_traced(&world, replay.seed);
    let evidence = Evidence::new(&world, &outcome);
    let own = rules.iter().flat_map(|rule| rule.judge(&evidence)).filter(|(promise, _)| *promise == replay.promise);
    let judgements = own.chain([(replay.promise.clone(), judge(&replay.promise, &evidence))]).collect();
    Ok(broken(judgements).map(|(promise, breach)| Counterexample {
        path: path.to_path_buf(),
        text: loaded.text,
        strategy: strategy.name.clone(),
        explanation: explain(&breach, &outcome),
        promise,
        breach,
        faults: world.faults.len(),
        trace_hash: outcome.trace_hash.to_string(),
    }))
}

/// What became of a counterexample.
#[derive(Debug)]
pub struct Replayed {
    /// The strategy.
    pub strategy: String,
    /// What was promised.
    pub promise: Promised,
    /// What the run says about it today.
    pub judgement: Judgement,
    /// Whether the run is the one that was recorded.
    pub is_same_run: bool,
    /// Digest of the run today.
    pub trace_hash: String,
    /// What happened, in several lines; empty where nothing is broken.
    pub explanation: String,
}

/// Runs the counterexample at `path`.
///
/// # Errors
///
/// Where the file cannot be read, is no counterexample, or contradicts itself; a text for a person.
pub fn replay(path: &Path, registry: &Registry) -> Result<Replayed, ReplayError> {
    let loaded = load::scenario_file(path)?;
    let strategies = load::strategies_of(&loaded, &path.display().to_string(), registry)?;
    let Some(replay) = loaded.value.replay.clone() else {
        return Err(ReplayError::Other(format!(
            "{}: this scenario has no table `[replay]`, so it is no counterexample; `cardiogram run` runs it",
            path.display()
        )));
    };
    let [strategy] = &strategies[..] else {
        return Err(ReplayError::Other(format!(
            "{}: a counterexample is about one strategy, and `strategies` names {}",
            path.display(),
            strategies.len()
        )));
    };
    if let Promised::Own(name) = &replay.promise {
        return Err(ReplayError::Other(format!(
            "{}: the promise `{name}` is code of the test that found this; run that test, it tries this file first",
            path.display()
        )));
    }
    let world = loaded.value.world(&strategy.value);
    if let Some(problem) = world.problems().first() {
        return Err(ReplayError::Other(format!("{}: {}; {}", path.display(), problem.message, problem.help)));
    }
    let outcome = run_traced(&world, replay.seed);
    let judgement = judge(&replay.promise, &Evidence::new(&world, &outcome));
    let explanation = match &judgement {
        Judgement::Broken(breach) => explain(breach, &outcome),
        Judgement::NotTested | Judgement::Kept => String::new(),
    };
    let trace_hash = outcome.trace_hash.to_string();
    Ok(Replayed {
        strategy: strategy.value.name.clone(),
        judgement,
        is_same_run: replay.trace_hash == trace_hash,
        promise: replay.promise,
        trace_hash,
        explanation,
    })
}

/// Why a counterexample cannot be replayed.
#[derive(Debug)]
pub enum ReplayError {
    /// The file, or the strategy that it names, cannot be used.
    Load(load::LoadError),
    /// It is no counterexample, or contradicts itself.
    Other(String),
}

impl From<load::LoadError> for ReplayError {
    fn from(error: load::LoadError) -> Self {
        Self::Load(error)
    }
}

fn readable(error: &load::LoadError) -> String {
    match error {
        load::LoadError::Invalid(invalid) => invalid.render(false),
        other => other.to_string(),
    }
}

/// Kept in one place, so that the kinds of files and of tables are the same.
impl Counterexample {
    /// The kind of the promise, as files and tables name it.
    pub const fn kind(&self) -> &'static str {
        kind(&self.promise)
    }
}
