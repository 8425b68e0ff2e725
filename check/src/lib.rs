//! Breaking promises: random worlds against a strategy, and for each promise that one of them breaks the simplest world
//! that still does, as a scenario file.
//!
//! ```no_run
//! use cardiogram_check::{Check, policies::preset};
//!
//! let strategy = preset::find("netease-30-15").expect("a preset").spec();
//! Check::of(strategy).promises().cases(10_000).run().unwrap();
//! ```
//!
//! A run of a check draws worlds ([`Aim`]), runs the strategy in each, and asks of each promise whether it was tested there,
//! kept or broken. A broken one is made simpler, written to `proptest-regressions/NAME.toml`, and tried first the next time;
//! `cardiogram replay FILE` runs it and explains. A check in which a promise was never tested fails, too: it proves nothing.
//!
//! A test that does no more than that is one line, `keeps_promises!(my_policy_keeps_its_promises, strategy());`. What a test
//! around it needs is in the [`prelude`]. All of it, with its output, is in `docs/properties.md`.
//!
//! The same seed draws the same worlds on every machine. `CARDIOGRAM_CASES` and `CARDIOGRAM_SEED` say how many and which,
//! whatever the code says.

mod claims;
mod corners;
mod counterexample;
mod coverage;
mod draft;
mod evidence;
mod explain;
mod fault_periods;
mod promise;
mod replay;
mod shrink;
mod store;
#[cfg(test)]
mod testing;
mod worlds;

use std::{fmt, path::PathBuf, sync::Arc};

pub use cardiogram_policies as policies;
use cardiogram_policies::{HeartbeatSpec, StrategySpec};
pub use cardiogram_scenarios as scenarios;
use cardiogram_scenarios::load;
pub use cardiogram_scenarios::replay::{Attempts, Health, Learns, Promised};
pub use cardiogram_sim as sim;
use cardiogram_sim::{Engine, Outcome, RunOptions, WorldConfig};
use proptest::{
    strategy::{BoxedStrategy, Strategy as _, ValueTree as _},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use rayon::prelude::*;

pub use self::{
    claims::claims,
    counterexample::Counterexample,
    evidence::Evidence,
    promise::{Breach, Judgement, judge, kind, promised_in},
    replay::{Replayed, replay},
    worlds::Aim,
};
use self::{
    corners::Corners,
    counterexample::{Again, Found},
    coverage::Coverage,
    draft::Draft,
    promise::Rule,
    shrink::Case,
};

/// What most tests of a strategy need.
pub mod prelude {
    pub use cardiogram_policies::{
        Action, Bounds, CustomHeartbeat, CustomReconnect, CustomServer, Event, Heartbeat, HeartbeatSpec, PolicyRng,
        Problem, Promises, Reconnect, ReconnectSpec, Registry, ServerPolicy, ServerSpec, StrategySpec, Time, preset,
    };
    pub use cardiogram_scenarios::{Scenario, load};
    pub use cardiogram_sim::{Engine, Outcome, RunOptions, WorldConfig, run};

    pub use crate::{Aim, Check, Evidence, Failure, Judgement, Promised, keeps_promises};
}

/// How many worlds a check draws unless it is told otherwise.
const CASES: u32 = 1_000;
/// The most worlds of one check.
const CASES_MAX: u32 = 10_000_000;
/// How many worlds are run between two looks at whether one was broken.
const BATCH: u32 = 256;
/// Fewer worlds than this may miss something without being to blame.
const CASES_FOR_COVERAGE: u32 = 500;

/// What is to be checked, and how thoroughly. Nothing happens before [`Check::run`].
#[must_use = "a check does nothing until it is run"]
pub struct Check {
    strategy: StrategySpec,
    rules: Vec<Rule>,
    aims: Vec<Aim>,
    steady: bool,
    cases: u32,
    seed: u64,
    name: String,
    folder: Option<PathBuf>,
    quiet: bool,
}

/// A check that found nothing.
#[derive(Clone, Debug)]
pub struct Checked {
    /// How many worlds were run.
    pub cases: u32,
    /// What they were drawn from.
    pub seed: u64,
    /// What happened in them.
    pub coverage: Coverage,
}

/// A check that did not end well.
pub enum Failure {
    /// A promise was broken.
    Broken(Box<Counterexample>),
    /// Something that was to be tested never came about, so that the check proves nothing about it.
    Unmet(Vec<String>),
    /// The counterexample cannot be written, or an earlier one cannot be read.
    File(String),
    /// There is nothing to check, or something stands in its way: a strategy that contradicts itself, an environment
    /// variable that is no number.
    Unusable(String),
}

impl Check {
    /// A check of `strategy`, which is held to nothing yet.
    pub fn of(strategy: StrategySpec) -> Self {
        let name = strategy.name.clone();
        Self {
            strategy,
            rules: Vec::new(),
            aims: Vec::new(),
            steady: false,
            cases: CASES,
            seed: 1,
            name,
            folder: None,
            quiet: false,
        }
    }

    /// Holds the strategy to everything that it promises of itself: in each world, to what it promises given what that world
    /// guarantees.
    pub fn promises(mut self) -> Self {
        self.rules.push(Rule::Declared);
        self.aims.extend([Aim::Healthy, Aim::BreaksForGood, Aim::Heals, Aim::Hostile]);
        let server = &self.strategy.server;
        let reaps = server.idle_reaper.is_some() || server.pings.is_some() || server.custom.is_some();
        self.aims.extend(reaps.then_some(Aim::Silence));
        self
    }

    /// Holds it to this promise, in any world that tests it.
    pub fn promise(mut self, promise: Promised) -> Self {
        self.aims.extend(aim(&promise));
        self.rules.push(Rule::Known(promise));
        self
    }

    /// Holds it to a promise of your own, in worlds drawn for `aim`.
    pub fn own(
        mut self,
        name: impl Into<String>,
        aim: Aim,
        judge: impl Fn(&Evidence<'_>) -> Judgement + Send + Sync + 'static,
    ) -> Self {
        self.aims.push(aim);
        self.rules.push(Rule::Own(name.into(), Arc::new(judge)));
        self
    }

    /// Holds it to what a reader of its documentation would expect, whatever it promises given the circumstances: see
    /// [`claims`].
    pub fn claims(mut self) -> Self {
        for promise in claims(&self.strategy) {
            self = self.promise(promise);
        }
        self
    }

    /// Leaves out worlds in which the host is not steady: timers that are put off, a process that is killed. What a strategy
    /// promises of itself takes them into account by itself; a promise that you name is held in any world otherwise.
    pub const fn on_a_steady_host(mut self) -> Self {
        self.steady = true;
        self
    }

    /// How many worlds; 1,000 unless said otherwise, at most 10,000,000. `CARDIOGRAM_CASES` overrides it.
    pub const fn cases(mut self, cases: u32) -> Self {
        self.cases = cases;
        self
    }

    /// What the worlds are drawn from; 1 unless said otherwise. `CARDIOGRAM_SEED` overrides it.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// What its files are called; the strategy's name unless said otherwise. Letters and digits stay, in lower case, everything
    /// else becomes `-`, and 64 characters are the most. Two checks of one name share their files; each tries those that are
    /// about its own promises.
    pub fn named(mut self, name: &str) -> Self {
        let safe = |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '-' };
        self.name = name.replace("::", "-").chars().map(safe).take(64).collect();
        self
    }

    /// Sets the folder of counterexamples. Default: `proptest-regressions` in the package under test, as cargo names it,
    /// or else in the current directory.
    pub fn keep_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Says nothing on the standard error.
    pub const fn quietly(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Draws worlds and holds the strategy to its promises in each, on all cores.
    ///
    /// # Errors
    ///
    /// The first promise that was broken, by the number of its world, as simple as it could be made and written to a file;
    /// or what was never tested. [`Failure`] prints as what a person wants to read, so that `unwrap()` shows it in a test.
    pub fn run(self) -> Result<Checked, Failure> {
        self.usable()?;
        let cases = variable("CARDIOGRAM_CASES")?.unwrap_or_else(|| self.cases.into());
        let cases = cases.clamp(1, CASES_MAX.into()) as u32;
        let seed = variable("CARDIOGRAM_SEED")?.unwrap_or(self.seed);
        self.earlier_counterexamples_hold()?;
        #[expect(clippy::disallowed_methods, reason = "how fast it went is told and decides nothing")]
        let begin = std::time::Instant::now();
        let mut coverage = Coverage::default();
        let mut done = 0;
        while done < cases {
            let batch: Vec<u32> = (done..cases.min(done + BATCH)).collect();
            let trials: Vec<Trial> =
                batch.par_iter().map_init(|| self.generators(), |all, number| self.trial(all, seed, *number)).collect();
            done += batch.len() as u32;
            for (number, trial) in batch.into_iter().zip(trials) {
                coverage.add(&trial);
                if let Some((promise, breach)) = trial.broken {
                    let found = Found { case: trial.case, promise, breach, seed, number };
                    return Err(self.counterexample(&found)?);
                }
            }
        }
        let unmet = if cases < CASES_FOR_COVERAGE { Vec::new() } else { coverage.unmet(&self.rules) };
        if !unmet.is_empty() {
            return Err(Failure::Unmet(unmet));
        }
        self.say(|| {
            let rate = f64::from(cases) / begin.elapsed().as_secs_f64().max(1e-9);
            format!("keeps its promises in {cases} worlds of seed {seed} ({rate:.0} worlds a second)")
        });
        Ok(Checked { cases, seed, coverage })
    }

    /// Returns whether there is something to check.
    fn usable(&self) -> Result<(), Failure> {
        let refuse = |message: String| Err(Failure::Unusable(message));
        if self.rules.is_empty() {
            return refuse("a check holds a strategy to something: add `.promises()`, or a promise".into());
        }
        if self.rules.iter().any(|rule| matches!(rule, Rule::Known(Promised::Own(_)))) {
            return refuse("a promise that is code needs its code: give it to `.own()`".into());
        }
        if self.name.is_empty() {
            return refuse("a check needs a name of at least one character".into());
        }
        if let HeartbeatSpec::Guest(_) = self.strategy.heartbeat {
            return refuse(format!(
                "the strategy `{}` is a guest: its program promises nothing, and the worlds of a check have much that guests do not \
                 know; hold it to a scenario instead, by a gate or by `cardiogram::net`",
                self.strategy.name
            ));
        }
        match self.strategy.problems().first() {
            None => Ok(()),
            Some(problem) => refuse(format!(
                "the strategy `{}` cannot run: {}: {}; {}",
                self.strategy.name, problem.path, problem.message, problem.help
            )),
        }
    }

    /// Tells whoever looks at the standard error, unless it was asked not to.
    fn say(&self, what: impl FnOnce() -> String) {
        if !self.quiet {
            eprintln!("cardiogram: {} {}", self.strategy.name, what());
        }
    }

    /// Returns a generator for each aim, of worlds that last long enough for every promise.
    fn generators(&self) -> Vec<BoxedStrategy<Draft>> {
        let mut corners = Corners::of(&self.strategy);
        for rule in &self.rules {
            match rule {
                Rule::Known(Promised::DetectsWithin(within)) => corners.patience = corners.patience.max(within.get()),
                Rule::Known(Promised::ZombiesWithin(within)) => corners.reaped = corners.reaped.max(within.get()),
                // NATs that forget just then, or just after.
                Rule::Known(Promised::NatSafe(timeout)) if !corners.marks.contains(&timeout.get()) => {
                    corners.marks.push(timeout.get());
                }
                _ => {}
            }
        }
        let mut aims = self.aims.clone();
        aims.sort_unstable();
        aims.dedup();
        aims.into_iter().map(|aim| worlds::worlds(&corners, aim)).collect()
    }

    fn trial(&self, generators: &[BoxedStrategy<Draft>], seed: u64, number: u32) -> Trial {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..12].copy_from_slice(&number.to_le_bytes());
        let config = Config { failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &key));
        let generator = &generators[number as usize % generators.len()];
        let mut draft = generator.new_tree(&mut runner).expect("the generators reject nothing").current();
        if self.steady {
            draft.steady_the_host();
        }
        let case = Case { draft, seed: u64::from(number) + 1 };
        let (world, outcome) =
            self.go(&case).unwrap_or_else(|problem| panic!("the generator draws worlds that can run:\n{problem}"));
        let evidence = Evidence::new(&world, &outcome);
        let judgements: Vec<(Promised, Judgement)> = self.rules.iter().flat_map(|rule| rule.judge(&evidence)).collect();
        Trial::new(case, &outcome, judgements)
    }

    /// Runs a case: the world that its scenario file says. The error tells why there can be no such world, as may happen
    /// where one is made simpler.
    fn go(&self, case: &Case) -> Result<(WorldConfig, Outcome), String> {
        let text = case.draft.to_toml(&counterexample::plain_heading(), None);
        let scenario = load::parse_scenario("a drawn world", &text).map_err(|invalid| invalid.render(false))?;
        let world = scenario.world(&self.strategy);
        let problems = world.problems();
        if !problems.is_empty() {
            return Err(format!("{problems:?}\n{text}"));
        }
        let _witness = Witness { text: &text, strategy: &self.strategy.name, seed: case.seed };
        let outcome = run_traced(&world, case.seed);
        Ok((world, outcome))
    }

    /// Returns what the simplest case says that breaks the promise of `found`.
    fn counterexample(&self, found: &Found) -> Result<Failure, Failure> {
        let name = name_of(&found.promise).to_owned();
        let breach_of = |case: &Case| {
            let (world, outcome) = self.go(case).ok()?;
            let evidence = Evidence::new(&world, &outcome);
            let judgements = self.rules.iter().flat_map(|rule| rule.judge(&evidence));
            broken(judgements.filter(|(promise, _)| name_of(promise) == name).collect())
        };
        let faults_before = found.case.draft.strikes.len();
        let case = shrink::shrink(found.case.clone(), |case| breach_of(case).is_some());
        let (promise, breach) = breach_of(&case).expect("shrinking keeps it broken");
        let (world, outcome) = self.go(&case).expect("it ran before");
        let found = Found { case, promise, breach, seed: found.seed, number: found.number };
        let written = counterexample::write(&self.folder(), &self.name, &found, faults_before, &world, &outcome);
        written.map(|it| Failure::Broken(Box::new(it))).map_err(Failure::File)
    }

    /// Runs again what earlier runs of this check found.
    fn earlier_counterexamples_hold(&self) -> Result<(), Failure> {
        for path in store::earlier(&self.folder(), &self.name) {
            let became = match counterexample::again(&path, &self.strategy, &self.rules).map_err(Failure::File)? {
                Again::Broken(counterexample) => return Err(Failure::Broken(counterexample)),
                Again::Kept => "now keeps the promise that it broke in",
                Again::NotTested => "is no longer tested by",
                Again::NotOurs => continue,
            };
            self.say(|| format!("{became} {}", path.display()));
        }
        Ok(())
    }

    fn folder(&self) -> PathBuf {
        let package = || std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(PathBuf::new, PathBuf::from);
        self.folder.clone().unwrap_or_else(|| package().join("proptest-regressions"))
    }
}

/// Tells in which world a strategy panics.
struct Witness<'a> {
    text: &'a str,
    strategy: &'a str,
    seed: u64,
}

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("cardiogram: {} panicked with seed {} in this world:\n{}", self.strategy, self.seed, self.text);
        }
    }
}

/// What one world came to.
pub(crate) struct Trial {
    case: Case,
    /// The causes of its episodes.
    causes: Vec<&'static str>,
    /// The kinds of promises that it tested.
    tested: Vec<String>,
    /// The kinds of promises that the strategy was held to in it.
    held: Vec<String>,
    broken: Option<(Promised, Breach)>,
}

impl Trial {
    fn new(case: Case, outcome: &Outcome, judgements: Vec<(Promised, Judgement)>) -> Self {
        let tested = judgements.iter().filter(|(_, judgement)| *judgement != Judgement::NotTested);
        Self {
            case,
            causes: outcome.episodes.iter().map(|episode| episode.cause.name()).collect(),
            tested: tested.map(|(promise, _)| name_of(promise).to_owned()).collect(),
            held: judgements.iter().map(|(promise, _)| name_of(promise).to_owned()).collect(),
            broken: broken(judgements),
        }
    }
}

/// Returns a promise's kind, or the name of one that is code.
fn name_of(promise: &Promised) -> &str {
    if let Promised::Own(name) = promise { name } else { kind(promise) }
}

/// Returns the first promise that was broken.
fn broken(judgements: Vec<(Promised, Judgement)>) -> Option<(Promised, Breach)> {
    judgements.into_iter().find_map(|(promise, judgement)| match judgement {
        Judgement::Broken(breach) => Some((promise, breach)),
        Judgement::NotTested | Judgement::Kept => None,
    })
}

/// Runs a world with its record kept.
fn run_traced(world: &WorldConfig, seed: u64) -> Outcome {
    let options = RunOptions { keep_trace: true, ..RunOptions::new(Engine::Event) };
    cardiogram_sim::run(world, seed, &options).expect("the event engine does not fail")
}

/// Returns what a promise's worlds have to be drawn for; `None`: it is code, and says so itself.
fn aim(promise: &Promised) -> Option<Aim> {
    Some(match promise {
        Promised::DetectsWithin(within) => Aim::BreaksFor { lasts: within.get() },
        Promised::AttemptsWithin(_) => Aim::Heals,
        Promised::ReconnectsWithin(within) | Promised::Ends(within) => Aim::HealsFor { quiet: within.get() },
        Promised::HeartbeatsPerHour(_) | Promised::NoFalseAlarm | Promised::NoFalseKill | Promised::NatSafe(_) => {
            Aim::Healthy
        }
        Promised::LearnsInterval(how_well) => Aim::Learning { lasts: how_well.after.get() },
        Promised::ZombiesWithin(_) => Aim::Silence,
        Promised::OneSession | Promised::SilentWhenGivenUp => Aim::Hostile,
        Promised::ResetsAfterHealth(_) => Aim::ShortSessions,
        Promised::NoLockStep(_) | Promised::JitteredWaits(_) => Aim::MassDisconnect,
        Promised::Own(_) => return None,
    })
}

/// Returns what an environment variable says, if it is set.
fn variable(name: &str) -> Result<Option<u64>, Failure> {
    let Some(value) = std::env::var_os(name) else { return Ok(None) };
    let number = value.to_str().and_then(|text| text.parse().ok());
    let refuse = || Failure::Unusable(format!("{name} is {}; it has to be a whole number", value.display()));
    number.map(Some).ok_or_else(refuse)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(counterexample) => write!(f, "{counterexample}"),
            Self::Unmet(what) => {
                writeln!(f, "nothing was broken, but the check proves less than it says:")?;
                what.iter().try_for_each(|what| writeln!(f, "  {what}"))?;
                write!(f, "draw more worlds, or hold the strategy to what it can be tested for")
            }
            Self::File(message) | Self::Unusable(message) => f.write_str(message),
        }
    }
}

/// As [`Display`](fmt::Display), for `unwrap()`.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl std::error::Error for Failure {}

/// A test that holds a strategy to its promises: `keeps_promises!(my_policy_keeps_them, strategy());`, with the number of
/// worlds behind it where 1,000 are not the right one.
#[macro_export]
macro_rules! keeps_promises {
    ($name:ident, $strategy:expr) => {
        $crate::keeps_promises!($name, $strategy, 1_000);
    };
    ($name:ident, $strategy:expr, $cases:expr) => {
        #[test]
        fn $name() {
            let check = $crate::Check::of($strategy).promises().cases($cases).named(stringify!($name));
            check.keep_in(concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions")).run().unwrap();
        }
    };
}
