//! What a strategy can be held to, and what a run has to say about it. One promise a file; a file says in which runs the
//! promise is tested at all, for a sweep in which it never was proves nothing.

mod attempts_within;
mod detects_within;
mod heartbeats_per_hour;
mod jittered_waits;
mod learns_interval;
mod nat_safe;
mod no_false_alarm;
mod no_false_kill;
mod no_lock_step;
mod one_session;
mod reconnects_within;
mod resets_after_health;
mod silent_when_given_up;
mod zombies_within;

use std::sync::Arc;

use cardiogram_policies::{StrategySpec, Time, unit::Span};
use cardiogram_scenarios::replay::{Attempts, Promised};
use cardiogram_sim::{WorldConfig, known_nat};

use super::evidence::Evidence;

/// What a run says about a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The run does not test it: what the promise is about did not come about.
    NotTested,
    /// The promise was kept.
    Kept,
    /// The promise was broken.
    Broken(Breach),
}

/// How a promise was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// When it was clear.
    pub at: Time,
    /// The device that broke it; `None` if it is none in particular.
    pub device: Option<u32>,
    /// What was promised, as a sentence.
    pub promised: String,
    /// What happened instead, as a sentence with its times.
    pub happened: String,
}

impl Judgement {
    /// The promise was broken at `at`; both texts are sentences for a person.
    pub fn broken(
        at: Time,
        device: impl Into<Option<u32>>,
        promised: impl Into<String>,
        happened: impl Into<String>,
    ) -> Self {
        let (promised, happened) = (promised.into(), happened.into());
        Self::Broken(Breach { at, device: device.into(), promised, happened })
    }

    /// Kept where there was anything to keep.
    const fn kept_if(tested: bool) -> Self {
        if tested { Self::Kept } else { Self::NotTested }
    }
}

/// Returns what `evidence` says about `promise`.
pub fn judge(promise: &Promised, evidence: &Evidence<'_>) -> Judgement {
    match promise {
        Promised::DetectsWithin(within) => detects_within::judge(evidence, within.get()),
        Promised::HeartbeatsPerHour(most) => heartbeats_per_hour::judge(evidence, *most),
        Promised::AttemptsWithin(limit) => attempts_within::judge(evidence, *limit),
        Promised::ReconnectsWithin(within) => reconnects_within::judge(evidence, within.get()),
        Promised::NoFalseAlarm => no_false_alarm::judge(evidence),
        Promised::NoFalseKill => no_false_kill::judge(evidence),
        Promised::NatSafe(timeout) => nat_safe::judge(evidence, timeout.get()),
        Promised::LearnsInterval(how_well) => learns_interval::judge(evidence, *how_well),
        Promised::ZombiesWithin(within) => zombies_within::judge(evidence, within.get()),
        Promised::OneSession => one_session::judge(evidence),
        Promised::SilentWhenGivenUp => silent_when_given_up::judge(evidence),
        Promised::ResetsAfterHealth(health) => resets_after_health::judge(evidence, *health),
        Promised::NoLockStep(share) => no_lock_step::judge(evidence, share.get()),
        Promised::JitteredWaits(share) => jittered_waits::judge(evidence, share.get()),
        Promised::Ends(within) => reconnects_within::judge_end(evidence, within.get()),
        // Whoever made it judges it.
        Promised::Own(_) => Judgement::NotTested,
    }
}

/// Returns the kind of a promise, as files and tables name it: `detects-within`.
pub const fn kind(promise: &Promised) -> &'static str {
    match promise {
        Promised::DetectsWithin(_) => "detects-within",
        Promised::HeartbeatsPerHour(_) => "heartbeats-per-hour",
        Promised::AttemptsWithin(_) => "attempts-within",
        Promised::ReconnectsWithin(_) => "reconnects-within",
        Promised::NoFalseAlarm => "no-false-alarm",
        Promised::NoFalseKill => "no-false-kill",
        Promised::NatSafe(_) => "nat-safe",
        Promised::LearnsInterval(_) => "learns-interval",
        Promised::ZombiesWithin(_) => "zombies-within",
        Promised::OneSession => "one-session",
        Promised::SilentWhenGivenUp => "silent-when-given-up",
        Promised::ResetsAfterHealth(_) => "resets-after-health",
        Promised::NoLockStep(_) => "no-lock-step",
        Promised::JitteredWaits(_) => "jittered-waits",
        Promised::Ends(_) => "ends",
        Promised::Own(_) => "own",
    }
}

/// Returns everything that `strategy` promises of itself in a world like `world`.
///
/// What it promises depends on what the world guarantees: a strategy that detects a break within 45 s on a path without loss
/// may promise nothing on one that loses packets.
pub fn promised_in(strategy: &StrategySpec, world: &WorldConfig) -> Vec<Promised> {
    let bounds = world.bounds();
    let promises = known_nat::promises(strategy, &bounds);
    let announced = strategy.heartbeat.announced_interval();
    let steady = |promise: Option<Promised>| promise.filter(|_| bounds.steady_host);
    let reaps = strategy.server.reaps_within(announced, &bounds);
    // A beat and its answer are under way when the mapping's time begins anew.
    let refreshes = announced.map(|interval| interval + 2 * bounds.rtt_max);
    [
        promises.detects_within.map(|within| Promised::DetectsWithin(Span::at_least(within))),
        promises.heartbeats_per_hour.map(Promised::HeartbeatsPerHour),
        promises.attempts.map(|limit| {
            Promised::AttemptsWithin(Attempts { count: limit.count, window: Span::at_least(limit.window) })
        }),
        promises.reconnects_within.map(|within| Promised::ReconnectsWithin(Span::at_least(within))),
        promises.no_false_alarm.then_some(Promised::NoFalseAlarm),
        steady(refreshes.map(|gap| Promised::NatSafe(Span::at_least(gap)))),
        reaps.map(|within| Promised::ZombiesWithin(Span::at_least(within))),
        Some(Promised::OneSession),
        Some(Promised::SilentWhenGivenUp),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A promise with its judge.
#[derive(Clone)]
pub(crate) enum Rule {
    /// Whatever the strategy promises of itself in each world.
    Declared,
    /// A promise that files can name.
    Known(Promised),
    /// The user's own.
    Own(String, OwnJudge),
}

/// A promise that is code.
pub(crate) type OwnJudge = Arc<dyn Fn(&Evidence<'_>) -> Judgement + Send + Sync>;

impl Rule {
    /// Returns what the run says about the rule: about each of the promises that it stands for in this world.
    pub(crate) fn judge(&self, evidence: &Evidence<'_>) -> Vec<(Promised, Judgement)> {
        let world = evidence.world();
        match self {
            Self::Declared => {
                let promises = promised_in(&world.strategy, world);
                promises.into_iter().map(|promise| (promise.clone(), judge(&promise, evidence))).collect()
            }
            Self::Known(promise) => vec![(promise.clone(), judge(promise, evidence))],
            Self::Own(name, judge) => vec![(Promised::Own(name.clone()), judge(evidence))],
        }
    }
}
