//! Heartbeat policies as data: what a strategy file says under `heartbeat`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Androidpn, CarsonAdaptive5, ChromiumGcm, Composed, Fixed, HalfrostSearch, Heartbeat, Idle, KnownNatTimeout,
    LeaveWhenQuiet, MarsSmartHeartbeat, MicrogMcsAimd, ScheduleSpec, Search, TcpKeepalive, WechatSmart2013,
    composed::ComposedHeartbeat,
};
use crate::{
    Bounds, Custom, CustomHeartbeat, Guest, Need, PolicyRng, Problem, Promises,
    unit::{Span, format_duration},
};

/// A product's policy that is a state machine of its own, as data.
pub(super) trait Machine {
    /// Returns the machine, ready to run.
    fn build(&self) -> Box<dyn Heartbeat>;

    /// Returns what it guarantees within `bounds`.
    fn promises(&self, bounds: &Bounds) -> Promises;

    /// Returns the longest gap between its beats while nothing else is sent; `None` if there is no limit, or no known one.
    fn longest_gap(&self) -> Option<Duration>;

    /// Returns how well it finds its interval; `None` if it does not search.
    fn learning(&self) -> Option<Learning>;

    /// Returns the state machine in words.
    fn describe(&self) -> String;

    /// Returns the contradictions between its parameters.
    fn problems(&self) -> Vec<Problem>;
}

/// How well a heartbeat that searches for its interval finds it, behind a network whose timeout stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Learning {
    /// The interval in use ends up at most this much below the longest that the network allows.
    pub step: Duration,
    /// The longest interval that it looks for; `None` if there is no limit.
    pub longest: Option<Duration>,
    /// The time after which it has found its interval, however unlucky the search. The longest searches of the presets are
    /// measured in the repository's page on the costs of searches.
    pub within: Duration,
}

impl Learning {
    pub(super) const fn new(step: Duration, longest: Option<Duration>, within_days: u64) -> Self {
        Self { step, longest, within: Duration::from_secs(86_400 * within_days) }
    }
}

/// What stands behind a [`HeartbeatSpec`].
enum MadeOf<'a> {
    /// A composition of parts.
    Parts(Box<Composed>),
    /// A state machine of its own.
    Machine(&'a dyn Machine),
    /// A policy of the program around this crate.
    Custom(&'a Custom<dyn CustomHeartbeat>),
    /// Only a laboratory knows what it does.
    Known(&'a KnownNatTimeout),
    /// A real program.
    Guest(&'a Guest),
}

/// A heartbeat policy as data. In a file it is a table named for the policy:
/// `heartbeat.fixed = { interval = "30s", timeout = "15s" }`, or the bare name where it has no parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HeartbeatSpec {
    /// No heartbeat: only TCP itself, and the application's traffic, can notice a break.
    None,
    /// A heartbeat on a fixed grid.
    Fixed(Fixed),
    /// A heartbeat after a stretch of idleness.
    Idle(Idle),
    /// The kernel's keepalive; the application sends nothing.
    TcpKeepalive(TcpKeepalive),
    /// A heartbeat that knows the round trip and the NAT's timeout.
    ///
    /// Only a laboratory, which makes the environment, can say what it does there. Here it promises nothing and cannot be
    /// built.
    #[serde(alias = "oracle")]
    KnownNatTimeout(KnownNatTimeout),
    /// No heartbeat, and no lasting connection either: it is left when it is quiet.
    LeaveWhenQuiet(LeaveWhenQuiet),
    /// Tencent Mars's smart heartbeat.
    MarsSmartHeartbeat(MarsSmartHeartbeat),
    /// `WeChat`'s smart heartbeat of 2013.
    #[serde(rename = "wechat-smart-2013")]
    WechatSmart2013(WechatSmart2013),
    /// androidpn's search from the longest interval downwards.
    Androidpn(Androidpn),
    /// Chromium's intervals for Google Cloud Messaging.
    ChromiumGcm(ChromiumGcm),
    /// microG's multiplicative increase and decrease.
    MicrogMcsAimd(MicrogMcsAimd),
    /// Carson's search upwards with five failures.
    #[serde(rename = "carson-adaptive-5")]
    CarsonAdaptive5(CarsonAdaptive5),
    /// halfrost's search: up by a step, down by less.
    #[serde(rename = "thread783")]
    HalfrostSearch(HalfrostSearch),
    /// Put together from a schedule, judges and modifications. The ones above are short for some.
    Composed(Box<Composed>),
    /// A policy that the program around this crate brings along.
    Custom(Custom<dyn CustomHeartbeat>),
    /// A real program, which does everything by itself. Only a laboratory runs it; here it promises nothing and cannot be built.
    Guest(Guest),
}

impl HeartbeatSpec {
    /// Returns a policy ready to run that draws from `rng`.
    ///
    /// # Panics
    ///
    /// For a custom policy that no registry has resolved, and for a known NAT timeout and a guest, which only a laboratory can run.
    pub fn build(&self, rng: PolicyRng) -> Box<dyn Heartbeat> {
        match self.made_of() {
            MadeOf::Parts(parts) => Box::new(ComposedHeartbeat::new(*parts, rng)),
            MadeOf::Machine(machine) => machine.build(),
            MadeOf::Custom(custom) => custom.resolved().build(rng),
            MadeOf::Known(_) => {
                panic!("a known NAT timeout is that of a laboratory, and the heartbeat runs only there")
            }
            MadeOf::Guest(guest) => panic!("the guest `{}` is a program, and not a policy to be built", guest.name()),
        }
    }

    /// Returns what the policy guarantees within `bounds`.
    pub fn promises(&self, bounds: &Bounds) -> Promises {
        match self.made_of() {
            MadeOf::Parts(parts) => parts.promises(bounds),
            MadeOf::Machine(machine) => machine.promises(bounds),
            MadeOf::Custom(custom) => custom.policy().map_or_else(Promises::default, |policy| policy.promises(bounds)),
            MadeOf::Known(_) | MadeOf::Guest(_) => Promises::default(),
        }
    }

    fn made_of(&self) -> MadeOf<'_> {
        let parts = |parts| MadeOf::Parts(Box::new(parts));
        match self {
            Self::None => parts(Composed::new(ScheduleSpec::PeerSends)),
            Self::Fixed(spec) => parts(spec.parts()),
            Self::Idle(spec) => parts(spec.parts()),
            Self::TcpKeepalive(spec) => parts(spec.parts()),
            Self::LeaveWhenQuiet(spec) => parts(spec.parts()),
            Self::Composed(spec) => MadeOf::Parts(spec.clone()),
            Self::MarsSmartHeartbeat(spec) => MadeOf::Machine(spec),
            Self::WechatSmart2013(spec) => MadeOf::Machine(spec),
            Self::Androidpn(spec) => MadeOf::Machine(spec),
            Self::ChromiumGcm(spec) => MadeOf::Machine(spec),
            Self::MicrogMcsAimd(spec) => MadeOf::Machine(spec),
            Self::CarsonAdaptive5(spec) => MadeOf::Machine(spec),
            Self::HalfrostSearch(spec) => MadeOf::Machine(spec),
            Self::Custom(custom) => MadeOf::Custom(custom),
            Self::KnownNatTimeout(spec) => MadeOf::Known(spec),
            Self::Guest(guest) => MadeOf::Guest(guest),
        }
    }

    /// Returns the longest gap between its beats that a server has to expect while nothing else is sent, as clients announce it
    /// where their protocol lets them; `None` if it sends none, or no known ones.
    pub fn announced_interval(&self) -> Option<Duration> {
        match self.made_of() {
            MadeOf::Parts(parts) => parts.announced_interval(),
            MadeOf::Machine(machine) => machine.longest_gap(),
            MadeOf::Custom(custom) => custom.policy()?.longest_gap(),
            MadeOf::Known(_) | MadeOf::Guest(_) => None,
        }
    }

    /// Returns what the policy asks of its host beyond reading, writing and a timer.
    pub fn needs(&self) -> Vec<Need> {
        match (self, self.made_of()) {
            // A short form has keys of its own.
            (Self::TcpKeepalive(_), MadeOf::Parts(parts)) => parts.needs(|key| {
                format!("heartbeat.tcp-keepalive{}", if key == "keepalive" { "" } else { ".user_timeout" })
            }),
            (_, MadeOf::Parts(parts)) => parts.needs(|key| format!("heartbeat.composed.{key}")),
            (_, MadeOf::Custom(custom)) => {
                let mechanisms = custom.policy().map_or_else(Vec::new, CustomHeartbeat::mechanisms);
                let path = format!("heartbeat.custom.{}", custom.name());
                mechanisms.into_iter().map(|mechanism| Need::new(mechanism, &path)).collect()
            }
            (_, MadeOf::Machine(_) | MadeOf::Known(_) | MadeOf::Guest(_)) => Vec::new(),
        }
    }

    /// Returns the parts that it is put together from; `None` for a machine, a custom policy, an oracle and a guest.
    pub(crate) fn parts(&self) -> Option<Box<Composed>> {
        match self.made_of() {
            MadeOf::Parts(parts) => Some(parts),
            MadeOf::Machine(_) | MadeOf::Custom(_) | MadeOf::Known(_) | MadeOf::Guest(_) => None,
        }
    }

    /// Returns how well a heartbeat that searches for its interval finds it; `None` if it does not search.
    pub fn learning(&self) -> Option<Learning> {
        match self.made_of() {
            MadeOf::Parts(parts) => parts.search.as_ref().map(Search::learning),
            MadeOf::Machine(machine) => machine.learning(),
            MadeOf::Custom(_) | MadeOf::Known(_) | MadeOf::Guest(_) => None,
        }
    }

    /// Returns the state machine in words, with the numbers of this spec: when it sends, what it counts as a failure,
    /// what it does about it, what it remembers. One paragraph of plain text; each policy keeps its own beside its
    /// code.
    pub fn describe(&self) -> String {
        match self.made_of() {
            _ if matches!(self, Self::None) => {
                "Sends nothing and judges nothing: a dead connection is noticed only when TCP gives up on data \
                                that the application itself has sent."
                    .into()
            }
            MadeOf::Parts(parts) => parts.describe(),
            MadeOf::Machine(machine) => machine.describe(),
            MadeOf::Custom(custom) => custom.describe(CustomHeartbeat::describe),
            MadeOf::Known(spec) => spec.describe(),
            MadeOf::Guest(guest) => guest.describe(),
        }
    }

    /// Returns the contradictions between parameters, each with the path to the key that should change.
    pub fn problems(&self) -> Vec<Problem> {
        match (self, self.made_of()) {
            // The short forms have keys of their own.
            (Self::Fixed(spec), _) => {
                let timeout = check_timeout("heartbeat.fixed", spec.timeout, spec.interval.get(), "interval");
                check_misses("heartbeat.fixed", spec.misses).into_iter().chain(timeout).collect()
            }
            (Self::Idle(spec), _) => {
                let check = |timeout| check_timeout("heartbeat.idle", timeout, spec.threshold.get(), "threshold");
                let timeout = spec.timeout.and_then(check);
                check_misses("heartbeat.idle", spec.misses).into_iter().chain(timeout).collect()
            }
            (Self::TcpKeepalive(spec), _) => spec.problems_at("heartbeat.tcp-keepalive"),
            (_, MadeOf::Parts(parts)) => parts.problems(),
            (_, MadeOf::Machine(machine)) => machine.problems(),
            (_, MadeOf::Custom(custom)) => custom.problems("heartbeat", CustomHeartbeat::problems),
            (_, MadeOf::Guest(guest)) => guest.problems(),
            (_, MadeOf::Known(spec)) => check_misses("heartbeat.known-nat-timeout", spec.misses).into_iter().collect(),
        }
    }
}

/// Returns what is wrong with a number of misses, if anything. Every policy that counts them has the same limits.
pub(super) fn check_misses(path: &str, misses: u32) -> Option<Problem> {
    (!(1..=1000).contains(&misses)).then(|| {
        Problem::new(
            format!("{path}.misses"),
            format!("{misses} misses are outside 1 to 1000"),
            "use 1 to give up at the first unanswered heartbeat, 2 or 3 to ride out single losses",
        )
    })
}

/// Returns what is wrong with the timeout of a beat, if anything: one beat is out at a time, so that it has to be
/// judged before the next one, a `gap` later.
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

/// Returns what the descriptions say becomes of a miss, where `cleared_by` sets the count of misses back.
pub(super) fn describe_misses(misses: u32, cleared_by: &str) -> String {
    match misses {
        1 => "The first miss ends the connection.".into(),
        _ => format!(
            "At a miss it suspects the connection, after {misses} in a row it gives the connection up; {cleared_by} sets the \
             count back."
        ),
    }
}

/// Returns the most beats in any hour when two beats are at least `interval` apart.
pub(super) fn per_hour(interval: Duration) -> u32 {
    let beats = Duration::from_hours(1).as_micros() / interval.as_micros() + 1;
    u32::try_from(beats).expect("3.6e9 microseconds of an hour fit in 32 bits")
}
