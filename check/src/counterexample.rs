//! Counterexamples as files: a scenario with the table `[replay]`, written once, and tried by every later check of the same
//! name. How anybody else runs one is the business of `replay`.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use cardiogram_policies::{StrategySpec, preset};
use cardiogram_scenarios::{
    load,
    replay::{Promised, Replay},
};
use cardiogram_sim::{Outcome, WorldConfig};

use super::{
    Evidence, broken,
    draft::Heading,
    explain::explain,
    kind, name_of,
    promise::{Breach, Judgement, Rule},
    run_traced,
    shrink::Case,
    store::Reservation,
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
    /// The text of the scenario file.
    pub text: String,
    /// The name of the strategy.
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

impl Counterexample {
    /// Returns the kind of the promise, as files and tables name it.
    pub const fn kind(&self) -> &'static str {
        kind(&self.promise)
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} breaks its promise `{}`", self.strategy, name_of(&self.promise))?;
        let path = self.path.display().to_string();
        write!(f, "{}in {path}\n  {}", self.explanation, see_again(&self.promise, &path))
    }
}

/// Returns the heading of a world that is run and never written.
pub(crate) const fn plain_heading() -> Heading<'static> {
    Heading { name: "drawn", about: "", strategy: "none", comment: "" }
}

/// Writes what was found to a free place of `name` in `folder`.
pub(crate) fn write(
    folder: &Path,
    name: &str,
    found: &Found,
    faults_before: usize,
    world: &WorldConfig,
    outcome: &Outcome,
) -> Result<Counterexample, String> {
    let strategy = &world.strategy;
    let explanation = explain(&found.breach, outcome);
    let failed = |error: io::Error| {
        format!(
            "{} breaks its promise `{}`\n{explanation}and the counterexample cannot be written to {}: {error}",
            strategy.name,
            name_of(&found.promise),
            folder.display()
        )
    };
    let place = Reservation::take(folder, name).map_err(failed)?;
    let path = place.path().to_path_buf();
    let is_preset = preset::find(&strategy.name).is_some_and(|preset| preset.spec() == *strategy);
    let named = if is_preset { strategy.name.clone() } else { format!("./{}", place.strategy_file()) };
    let replay =
        Replay { seed: found.case.seed, trace_hash: outcome.trace_hash.to_string(), promise: found.promise.clone() };
    let about = format!("A counterexample: {} breaks `{}`.", strategy.name, name_of(&found.promise));
    let comment = comment(found, faults_before, strategy, &path);
    let heading = Heading { name, about: &about, strategy: &named, comment: &comment };
    let text = found.case.draft.to_toml(&heading, Some(&replay));
    let beside = (!is_preset).then(|| load::strategy_text(strategy));
    place.write(&text, beside.as_deref()).map_err(failed)?;
    Ok(Counterexample {
        path,
        text,
        strategy: strategy.name.clone(),
        promise: found.promise.clone(),
        breach: found.breach.clone(),
        faults: found.case.draft.strikes.len(),
        trace_hash: replay.trace_hash,
        explanation,
    })
}

/// Returns what stands above everything in the file.
fn comment(found: &Found, faults_before: usize, strategy: &StrategySpec, path: &Path) -> String {
    let Found { promise, breach, seed, number, .. } = found;
    let faults = if faults_before == 1 { "1 fault".to_owned() } else { format!("{faults_before} faults") };
    format!(
        "{} breaks its promise `{}`.\n\npromised: {}\nhappened: {}\n\nFound in world {number} of seed {seed}, which had \
         {faults}, and made simpler from there. To see it again:\n\n    {}",
        strategy.name,
        name_of(promise),
        breach.promised,
        breach.happened,
        see_again(promise, &file_name(path)),
    )
}

/// Returns what a person does to see a counterexample again.
fn see_again(promise: &Promised, path: &str) -> String {
    match promise {
        // Nobody else has the code.
        Promised::Own(_) => "run the check again: it tries this file first".to_owned(),
        _ => format!("cardiogram replay {path}"),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// What the rules of a check say today about a counterexample that was kept.
pub(crate) enum Again {
    /// It still is one.
    Broken(Box<Counterexample>),
    /// The promise is kept now.
    Kept,
    /// Nothing in the run tests the promise any more, or it is not promised there any more.
    NotTested,
    /// The check is not about that promise: another one of the same name wrote it.
    NotOurs,
}

/// Runs the world at `path` with `strategy` as it is today, and asks those of `rules` that are about its promise.
pub(crate) fn again(path: &Path, strategy: &StrategySpec, rules: &[Rule]) -> Result<Again, String> {
    let loaded = load::scenario_file(path).map_err(|error| readable(&error))?;
    let Some(replay) = loaded.value.replay.clone() else { return Ok(Again::NotOurs) };
    let name = name_of(&replay.promise);
    let is_ours = rules.iter().any(|rule| match rule {
        Rule::Declared => !matches!(replay.promise, Promised::Own(_)),
        Rule::Known(promise) => name_of(promise) == name,
        Rule::Own(own, _) => own == name,
    });
    if !is_ours {
        return Ok(Again::NotOurs);
    }
    let world = loaded.value.world(strategy);
    if let Some(problem) = world.problems().first() {
        return Err(format!("{}: {}; {}", path.display(), problem.message, problem.help));
    }
    let outcome = run_traced(&world, replay.seed);
    let evidence = Evidence::new(&world, &outcome);
    let judgements: Vec<(Promised, Judgement)> =
        rules.iter().flat_map(|rule| rule.judge(&evidence)).filter(|(promise, _)| name_of(promise) == name).collect();
    let is_kept = judgements.iter().any(|(_, judgement)| *judgement == Judgement::Kept);
    Ok(match broken(judgements) {
        Some((promise, breach)) => Again::Broken(Box::new(Counterexample {
            path: path.to_path_buf(),
            text: loaded.text,
            strategy: strategy.name.clone(),
            explanation: explain(&breach, &outcome),
            promise,
            breach,
            faults: world.faults.len(),
            trace_hash: outcome.trace_hash.to_string(),
        })),
        None if is_kept => Again::Kept,
        None => Again::NotTested,
    })
}

fn readable(error: &load::LoadError) -> String {
    match error {
        load::LoadError::Invalid(invalid) => invalid.render(false),
        other => other.to_string(),
    }
}
