//! Heartbeat policies as data: what a strategy file says under `heartbeat`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Composed, Fixed, Heartbeat, Idle, LeaveWhenQuiet, Oracle, ScheduleSpec, TcpKeepalive, composed::Beating};
use crate::{
    Bounds, Custom, CustomHeartbeat, PolicyRng, Problem, Promises,
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
    /// A policy that the program around this crate brings along.
    Custom(Custom<dyn CustomHeartbeat>),
}

impl HeartbeatSpec {
    /// A policy ready to run. `bounds` is what only an oracle may look at.
    pub fn build(&self, bounds: &Bounds, rng: PolicyRng) -> Box<dyn Heartbeat> {
        match self {
            Self::Custom(custom) => custom.resolved().build(rng),
            _ => Box::new(Beating::new(self.parts(bounds), rng)),
        }
    }

    /// What it consists of, where it is a composition.
    fn parts(&self, bounds: &Bounds) -> Composed {
        match self {
            Self::None => Composed::new(ScheduleSpec::PeerSends),
            Self::Fixed(spec) => spec.parts(),
            Self::Idle(spec) => spec.parts(),
            Self::TcpKeepalive(spec) => spec.parts(),
            Self::Oracle(spec) => spec.fixed(bounds).parts(),
            Self::LeaveWhenQuiet(spec) => spec.parts(),
            Self::Composed(spec) => (**spec).clone(),
            Self::Custom(_) => unreachable!("{self:?} is no composition"),
        }
    }

    /// What the policy guarantees within `bounds`.
    pub fn promises(&self, bounds: &Bounds) -> Promises {
        match self {
            Self::Custom(custom) => custom.policy().map_or_else(Promises::default, |policy| policy.promises(bounds)),
            _ => self.parts(bounds).promises(bounds),
        }
    }

    /// What lists gather strategies under: what they do instead of, or for, a heartbeat, in a few words.
    pub const fn family(&self) -> &'static str {
        match self {
            Self::None => "without a heartbeat",
            Self::Fixed(_) => "heartbeats on a fixed grid",
            Self::Idle(_) => "heartbeats when idle",
            Self::TcpKeepalive(_) => "the kernel's keepalive",
            Self::Oracle(_) => "yardsticks that no product can have",
            Self::LeaveWhenQuiet(_) => "no lasting connection: polling and push services",
            Self::Composed(spec) => spec.family(),
            Self::Custom(_) => "policies of one's own",
        }
    }

    /// The state machine in words, with the numbers of this spec: when it sends, what it counts as a failure, what it does
    /// about it, what it remembers. One paragraph of plain text; each policy keeps its own beside its code.
    pub fn describe(&self) -> String {
        match self {
            Self::None => {
                "Sends nothing and judges nothing: a dead connection is noticed only when TCP gives up on data that the \
                 application itself has sent."
                    .into()
            }
            Self::Fixed(spec) => spec.parts().describe(),
            Self::Idle(spec) => spec.parts().describe(),
            Self::TcpKeepalive(spec) => spec.parts().describe(),
            Self::Oracle(spec) => spec.describe(),
            Self::LeaveWhenQuiet(spec) => spec.parts().describe(),
            Self::Composed(spec) => spec.describe(),
            Self::Custom(custom) => custom.describe(CustomHeartbeat::describe),
        }
    }

    /// The longest gap between its beats that a server has to expect while nothing else is sent, as clients announce it
    /// where their protocol lets them; `None`: it sends none, or no known ones.
    pub fn announced_interval(&self) -> Option<Duration> {
        match self {
            Self::Fixed(spec) => Some(spec.interval.get()),
            Self::Idle(spec) => Some(spec.threshold.get()),
            Self::Composed(spec) => spec.announced_interval(),
            // What an oracle does is not known before the environment is.
            Self::None | Self::TcpKeepalive(_) | Self::LeaveWhenQuiet(_) | Self::Oracle(_) | Self::Custom(_) => None,
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
            Self::Custom(custom) => custom.problems("heartbeat", CustomHeartbeat::problems),
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

/// What the descriptions of policies say that learn nothing.
pub(super) const REMEMBERS_NOTHING: &str = "It remembers nothing from one connection to the next.";

/// What the descriptions say becomes of a miss, where `cleared_by` sets the count of misses back.
pub(super) fn describe_misses(misses: u32, cleared_by: &str) -> String {
    match misses {
        1 => "The first miss ends the connection.".into(),
        _ => format!(
            "At a miss it suspects the connection, after {misses} in a row it gives the connection up; {cleared_by} sets the \
             count back."
        ),
    }
}

/// The most beats in any hour when two beats are at least `interval` apart.
pub(super) fn per_hour(interval: Duration) -> u32 {
    let beats = Duration::from_hours(1).as_micros() / interval.as_micros() + 1;
    u32::try_from(beats).expect("3.6e9 microseconds of an hour fit in 32 bits")
}
