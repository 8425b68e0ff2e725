//! Heartbeat policies as data: what a strategy file says under `heartbeat`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Action, Event, Fixed, Heartbeat, Idle, LeaveWhenQuiet, Oracle, TcpKeepalive};
use crate::{Bounds, PolicyRng, Problem, Promises, Time};

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
}

impl HeartbeatSpec {
    /// A policy ready to run. `bounds` is what only an oracle may look at.
    pub fn build(&self, bounds: &Bounds, rng: PolicyRng) -> Box<dyn Heartbeat> {
        match self {
            Self::None => Box::new(Silent),
            Self::Fixed(spec) => Box::new(super::fixed::FixedHeartbeat::new(spec.clone(), rng)),
            Self::Idle(spec) => Box::new(super::idle::IdleHeartbeat::new(spec.clone())),
            Self::TcpKeepalive(spec) => Box::new(super::tcp_keepalive::KernelKeepalive::new(spec.clone())),
            Self::Oracle(spec) => Box::new(super::fixed::FixedHeartbeat::new(spec.fixed(bounds), rng)),
            Self::LeaveWhenQuiet(spec) => Box::new(super::leave::Leaving::new(spec)),
        }
    }

    /// The interval that a client announces to its server when it logs in, as an MQTT client does: the longest time that it
    /// is quiet by itself; `None`: it sends nothing by itself, or nothing known before the environment is.
    pub const fn announced_interval(&self) -> Option<Duration> {
        match self {
            Self::Fixed(spec) => Some(spec.interval.get()),
            Self::Idle(spec) => Some(spec.threshold.get()),
            Self::None | Self::TcpKeepalive(_) | Self::Oracle(_) | Self::LeaveWhenQuiet(_) => None,
        }
    }

    /// What the policy guarantees within `bounds`.
    pub fn promises(&self, bounds: &Bounds) -> Promises {
        match self {
            Self::None => Promises { heartbeats_per_hour: Some(0), no_false_alarm: true, ..Promises::default() },
            Self::Fixed(spec) => spec.promises(bounds),
            Self::Idle(spec) => spec.promises(bounds),
            Self::TcpKeepalive(spec) => spec.promises(bounds),
            Self::Oracle(spec) => spec.fixed(bounds).promises(bounds),
            Self::LeaveWhenQuiet(_) => LeaveWhenQuiet::promises(),
        }
    }

    /// Contradictions between parameters, each with the path to the key that should change.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::None | Self::LeaveWhenQuiet(_) => Vec::new(),
            Self::Fixed(spec) => spec.problems(),
            Self::Idle(spec) => spec.problems(),
            Self::TcpKeepalive(spec) => spec.problems(),
            Self::Oracle(spec) => check_misses("oracle", spec.misses).into_iter().collect(),
        }
    }
}

/// What is wrong with a number of misses, if anything. Every policy that counts them has the same limits.
pub(super) fn check_misses(policy: &str, misses: u32) -> Option<Problem> {
    (!(1..=1000).contains(&misses)).then(|| {
        Problem::new(
            format!("heartbeat.{policy}.misses"),
            format!("{misses} misses are outside 1 to 1000"),
            "use 1 to give up at the first unanswered heartbeat, 2 or 3 to ride out single losses",
        )
    })
}

/// The most beats in any hour when two beats are at least `interval` apart.
pub(super) fn per_hour(interval: Duration) -> u32 {
    let beats = Duration::from_hours(1).as_micros() / interval.as_micros() + 1;
    u32::try_from(beats).expect("3.6e9 microseconds of an hour fit in 32 bits")
}

/// No heartbeat at all.
struct Silent;

impl Heartbeat for Silent {
    fn on_event(&mut self, _: Time, _: &Event) {}

    fn poll(&mut self, _: Time) -> Option<Action> {
        None
    }

    fn deadline(&self) -> Option<Time> {
        None
    }
}
