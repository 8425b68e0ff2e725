//! Heartbeat policies as data: what a strategy file says under `heartbeat`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Composed, Fixed, Heartbeat, Idle, LeaveWhenQuiet, Oracle, ScheduleSpec, TcpKeepalive, composed::Beating};
use crate::{
    Bounds, PolicyRng, Problem, Promises,
    unit::{Span, format_duration},
};

/// A heartbeat policy as data. In a file it is a table named for the policy:
/// `heartbeat.fixed = { interval = "30s", timeout = "15s" }`, or the bare name where it has no parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HeartbeatSpec {
    /// No heartbeat: only TCP itself, and the application's traffic, can notice a break.
    None,
    /// A heartbeat on a fixed grid.
    Fixed(Fixed),
    /// A heartbeat after a stretch of idleness.
    Idle(Idle),
    /// The kernel's keepalive; the application sends nothing.
    TcpKeepalive(TcpKeepalive),
    /// The yardstick that knows the round trip and the NAT's timeout.
    Oracle(Oracle),
    /// No heartbeat, and no lasting connection either: it is left when it is quiet.
    LeaveWhenQuiet(LeaveWhenQuiet),
    /// Put together from a schedule, judges and modifications. The ones above, the oracle included, are short for some.
    Composed(Box<Composed>),
}

impl HeartbeatSpec {
    /// A policy ready to run. `bounds` is what only an oracle may look at.
    pub fn build(&self, bounds: &Bounds, rng: PolicyRng) -> Box<dyn Heartbeat> {
        Box::new(Beating::new(self.parts(bounds), rng))
    }

    /// What it consists of.
    fn parts(&self, bounds: &Bounds) -> Composed {
        match self {
            Self::None => Composed::new(ScheduleSpec::PeerSends),
            Self::Fixed(spec) => spec.parts(),
            Self::Idle(spec) => spec.parts(),
            Self::TcpKeepalive(spec) => spec.parts(),
            Self::Oracle(spec) => spec.fixed(bounds).parts(),
            Self::LeaveWhenQuiet(spec) => spec.parts(),
            Self::Composed(spec) => (**spec).clone(),
        }
    }

    /// What the policy guarantees within `bounds`.
    pub fn promises(&self, bounds: &Bounds) -> Promises {
        self.parts(bounds).promises(bounds)
    }

    /// The longest gap between its beats that a server has to expect while nothing else is sent, as clients announce it
    /// where their protocol lets them; `None`: it sends none, or no known ones.
    pub fn announced_interval(&self) -> Option<Duration> {
        match self {
            Self::Fixed(spec) => Some(spec.interval.get()),
            Self::Idle(spec) => Some(spec.threshold.get()),
            Self::Composed(spec) => spec.announced_interval(),
            // What an oracle does is not known before the environment is.
            Self::None | Self::TcpKeepalive(_) | Self::LeaveWhenQuiet(_) | Self::Oracle(_) => None,
        }
    }

    /// Contradictions between parameters, each with the path to the key that should change.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::None | Self::LeaveWhenQuiet(_) => Vec::new(),
            Self::Fixed(spec) => {
                let timeout = check_timeout("heartbeat.fixed", spec.timeout, spec.interval.get(), "interval");
                check_misses("heartbeat.fixed", spec.misses).into_iter().chain(timeout).collect()
            }
            Self::Idle(spec) => {
                let check = |timeout| check_timeout("heartbeat.idle", timeout, spec.threshold.get(), "threshold");
                let timeout = spec.timeout.and_then(check);
                check_misses("heartbeat.idle", spec.misses).into_iter().chain(timeout).collect()
            }
            Self::TcpKeepalive(spec) => spec.problems_at("heartbeat.tcp-keepalive"),
            Self::Oracle(spec) => check_misses("heartbeat.oracle", spec.misses).into_iter().collect(),
            Self::Composed(spec) => spec.problems(),
        }
    }
}

/// What is wrong with a number of misses, if anything. Every policy that counts them has the same limits.
pub(super) fn check_misses(path: &str, misses: u32) -> Option<Problem> {
    (!(1..=1000).contains(&misses)).then(|| {
        Problem::new(
            format!("{path}.misses"),
            format!("{misses} misses are outside 1 to 1000"),
            "use 1 to give up at the first unanswered heartbeat, 2 or 3 to ride out single losses",
        )
    })
}

/// What is wrong with the timeout of a beat, if anything: one beat is out at a time, so that it has to be judged before the
/// next one, a `gap` later.
pub(super) fn check_timeout(path: &str, timeout: Span, gap: Duration, gap_name: &str) -> Option<Problem> {
    (timeout.get() > gap).then(|| {
        let gap = format_duration(gap);
        Problem::new(
            format!("{path}.timeout"),
            format!("a timeout of {timeout} is longer than the {gap_name} of {gap}"),
            format!("use at most \"{gap}\", or a longer {gap_name}"),
        )
    })
}

/// The most beats in any hour when two beats are at least `interval` apart.
pub(super) fn per_hour(interval: Duration) -> u32 {
    let beats = Duration::from_hours(1).as_micros() / interval.as_micros() + 1;
    u32::try_from(beats).expect("3.6e9 microseconds of an hour fit in 32 bits")
}
