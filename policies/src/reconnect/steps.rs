//! Waits that are written down one by one: the ladders of `SignalR`, Phoenix, microG and Smack, and a fixed delay with
//! jitter.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    attempt_timeout::AttemptTimeout,
    backoff::{Backoff, Counting, DelayFrom, Growth, Jitter, ProcessScale, Spread, micros},
    plan::{Pace, Reset},
};
use crate::{PolicyRng, Problem, unit::Delay};

/// The most waits of a list.
const WAITS_MAX: usize = 1_000;

/// These waits, one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Steps {
    /// The nominal waits, 1 to 1000 of them. Where the last one is repeated it is longer than 0: that would be
    /// `immediate` under another name.
    pub waits: Vec<Delay>,
    /// What comes after the last one. Default `repeat-last`.
    #[serde(default)]
    pub then: Then,
    /// How the waits of different clients are spread. Default `none`.
    #[serde(default = "no_jitter")]
    pub jitter: Jitter,
    /// A factor of all waits that each process draws once. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<ProcessScale>,
    /// From when a wait is counted. Default `failure`.
    #[serde(default)]
    pub delay_from: DelayFrom,
    /// What leads back to the first wait. Default `connected`.
    #[serde(default)]
    pub reset: Reset,
    /// After the loss of an established connection, wait at least a random time up to this (Lightstreamer's
    /// `firstRetryMaxDelay`: 100 ms). Default 0.
    #[serde(default)]
    pub after_loss: Delay,
    /// A random time up to this comes to the first wait, after each loss anew (websockets for Python: 5 s, and a first wait of
    /// 0). Default 0.
    #[serde(default)]
    pub first_added: Delay,
    /// How long attempts may take. Default `same`: the strategy's connect timeout.
    #[serde(default, skip_serializing_if = "AttemptTimeout::is_same")]
    pub attempt_timeout: AttemptTimeout,
}

fn no_jitter() -> Jitter {
    Jitter::None
}

/// What comes after the last step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// The last wait, again and again.
    #[default]
    RepeatLast,
    /// Nothing: the client stays disconnected until something else brings it back (`SignalR`).
    GiveUp,
}

impl Steps {
    pub(super) fn describe(&self) -> String {
        let waits: Vec<_> = self.waits.iter().map(ToString::to_string).collect();
        let then = match self.then {
            Then::RepeatLast => "and then the last of them again and again",
            Then::GiveUp => "and then gives up until something else brings it back",
        };
        let scale = self.scale.map_or(String::new(), |scale| format!(" {}", scale.describe()));
        let (jitter, counting) = (self.jitter.describe(), self.counting().describe());
        format!("Waits nominally {}, one after the other, {then}.{scale} {jitter}, {counting}", waits.join(", "))
    }

    fn counting(&self) -> Counting {
        Counting {
            delay_from: self.delay_from,
            reset: self.reset,
            after_loss: self.after_loss,
            first_added: self.first_added,
            attempt_timeout: self.attempt_timeout.clone(),
            ..Counting::default()
        }
    }

    pub(super) fn build(&self, mut rng: PolicyRng) -> Backoff {
        let growth = Growth::Steps {
            waits: self.waits.iter().map(|wait| micros(wait.get())).collect(),
            repeats_last: self.then == Then::RepeatLast,
        };
        let waits = Spread::new(growth, self.jitter, (None, None), self.scale, &mut rng);
        Backoff::new(Box::new(waits), self.counting(), rng)
    }

    /// Returns every wait may follow on every other one, by way of the first: the shortest counts.
    pub(super) fn pace(&self) -> Pace {
        let (least, most) = self.scale.map_or((1.0, 1.0), |scale| (scale.least, scale.most));
        let scaled =
            |wait: &Delay, scale: f64| self.jitter.range(Duration::from_micros((micros(wait.get()) * scale) as u64));
        let gap = self.waits.iter().map(|wait| scaled(wait, least).0).min().unwrap_or_default();
        let longest = self.waits.iter().map(|wait| scaled(wait, most).1).max().unwrap_or_default();
        let repeats = self.then == Then::RepeatLast;
        let longest = longest.max(self.after_loss.get()) + self.first_added.get();
        Pace { gap, longest: repeats.then_some(longest), timeouts: self.attempt_timeout.range((gap, longest)) }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let path = "reconnect.steps";
        let waits = |message: String, help: &str| Some(Problem::new(format!("{path}.waits"), message, help));
        let of_waits = match self.waits.last() {
            None => waits("no wait at all".into(), "name at least one, as in [\"1s\"]"),
            Some(last) if self.then == Then::RepeatLast && *last == Delay::ZERO => waits(
                "the last wait is repeated for ever and is 0".into(),
                "end with \"1ms\" or more, or use \"immediate\"",
            ),
            Some(_) if self.waits.len() > WAITS_MAX => {
                waits(format!("{} waits are more than {WAITS_MAX}", self.waits.len()), "name at most 1000")
            }
            Some(_) => None,
        };
        let scale = self.scale.and_then(|scale| scale.problem(path));
        let timeout = self.attempt_timeout.problem(path);
        of_waits.into_iter().chain(self.jitter.problem(path)).chain(scale).chain(timeout).collect()
    }
}
