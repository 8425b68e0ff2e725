//! The reconnect contract: told of attempts and their outcome, asked when and where to try next. The policies
//! themselves are one file each below this module.

mod delay;
mod exponential;
mod on_call;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::{
    delay::FixedDelay,
    exponential::{DelayFrom, Exponential, Jitter, Reset},
};
use crate::{
    AppState, Bounds, Custom, CustomReconnect, GiveUp, LossReason, Network, PolicyRng, Problem, Promises, Time,
};

/// A policy that decides when and where to connect again.
///
/// The host's side of the contract: report everything with [`on_event`](Self::on_event), in order; when an attempt has
/// failed, a connection is lost, or the network has changed while none is up, ask [`next`](Self::next) once and do as it
/// says. The very first attempt of a device's life is the host's own.
pub trait Reconnect: Send {
    /// Takes note of what happened.
    fn on_event(&mut self, now: Time, event: &ReconnectEvent);

    /// What to do now that there is no connection.
    fn next(&mut self, now: Time) -> Verdict;
}

/// What a host tells a reconnect policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReconnectEvent {
    /// A connection attempt begins.
    AttemptStarted {
        /// To this server.
        server: u32,
    },
    /// The transport's handshake of the attempt is done; the server has not welcomed the client yet.
    Established,
    /// The attempt ended in an established connection: the server has welcomed the client.
    Connected,
    /// The attempt failed.
    AttemptFailed(AttemptFailure),
    /// An established connection is gone.
    Lost(Ended),
    /// The device moved to another network, or lost it (`None`).
    NetworkChanged(Option<Network>),
    /// The application went to another state.
    AppState(AppState),
    /// The server tells the client not to come back before this time has passed; told before the attempt or the connection
    /// ends.
    RetryAfter(Duration),
    /// The answer to [`Verdict::CheckAfter`]: whether the network carries anything at all.
    NetworkChecked(bool),
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AttemptFailure {
    /// The server's host answered RST: nobody listens there.
    Refused,
    /// No answer within the connect timeout, or TCP gave up.
    Timeout,
    /// The connection came up and was reset or closed before the server's welcome.
    Dropped,
    /// The network went away under the attempt.
    NoNetwork,
}

/// How an established connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The transport reported it.
    Transport(LossReason),
    /// The heartbeat policy gave it up.
    GivenUp(GiveUp),
}

/// A reconnect policy's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Wait, then try.
    TryAfter {
        /// From now. Zero: at once.
        wait: Duration,
        /// Where.
        server: ServerChoice,
    },
    /// Wait, then find out whether the network carries anything, by a packet that costs less than an attempt; answered by
    /// [`ReconnectEvent::NetworkChecked`], after which [`next`](Reconnect::next) is asked again.
    CheckAfter {
        /// From now. Zero: at once.
        wait: Duration,
    },
    /// Give up until something else happens (a network change, the user).
    Stop,
}

/// Which server to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerChoice {
    /// The one of the last attempt.
    Same,
    /// The next one in the list, cyclically.
    Next,
    /// This one.
    Number(u32),
}

/// A reconnect policy as data, in the same form as [`HeartbeatSpec`](crate::HeartbeatSpec).
///
/// All but those of one's own go to the next server after a failed attempt and stay with the same one after the loss of a connection.
/// Asked again before the attempt has begun, they keep to the time they named first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ReconnectSpec {
    /// Try again at once, always: the thundering herd's worst case, and the right answer after a network change.
    Immediate,
    /// The same wait before every attempt.
    FixedDelay(FixedDelay),
    /// Waits that grow by a factor up to a cap, with or without jitter.
    Exponential(Exponential),
    /// As `exponential`, but after a connection that was left on purpose no attempt is made until something else wakes the
    /// client, such as a push service.
    OnCall(Exponential),
    /// A policy that the program around this crate brings along.
    Custom(Custom<dyn CustomReconnect>),
}

impl Default for ReconnectSpec {
    /// [`Exponential`] with its defaults.
    fn default() -> Self {
        Self::Exponential(Exponential::default())
    }
}

impl ReconnectSpec {
    /// A policy ready to run.
    pub fn build(&self, rng: PolicyRng) -> Box<dyn Reconnect> {
        match self {
            Self::Immediate => Box::new(delay::ConstantDelay::new(Duration::ZERO)),
            Self::FixedDelay(spec) => Box::new(delay::ConstantDelay::new(spec.delay.get())),
            Self::Exponential(spec) => Box::new(exponential::Backoff::new(spec.clone(), rng)),
            Self::OnCall(spec) => Box::new(on_call::OnCall::new(spec.clone(), rng)),
            Self::Custom(custom) => custom.resolved().build(rng),
        }
    }

    /// What the policy guarantees within `bounds`, given that an attempt is abandoned after `connect_timeout`.
    pub fn promises(&self, bounds: &Bounds, connect_timeout: Duration) -> Promises {
        match self {
            Self::Immediate => delay::promises(Duration::ZERO, bounds, connect_timeout),
            Self::FixedDelay(spec) => delay::promises(spec.delay.get(), bounds, connect_timeout),
            Self::Exponential(spec) => spec.promises(bounds, connect_timeout),
            Self::OnCall(spec) => on_call::promises(spec, bounds, connect_timeout),
            Self::Custom(custom) => {
                custom.policy().map_or_else(Promises::default, |policy| policy.promises(bounds, connect_timeout))
            }
        }
    }

    /// The state machine in words, with the numbers of this spec: how long it waits after what, where it tries then, what
    /// brings the waits back, what it remembers. One paragraph of plain text; each policy keeps its own beside its code.
    pub fn describe(&self) -> String {
        match self {
            Self::Immediate => delay::describe(Duration::ZERO),
            Self::FixedDelay(spec) => delay::describe(spec.delay.get()),
            Self::Exponential(spec) => spec.describe(),
            Self::OnCall(spec) => on_call::describe(spec),
            Self::Custom(custom) => custom.describe(CustomReconnect::describe),
        }
    }

    /// Contradictions between parameters, each with the path to the key that should change.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Immediate | Self::FixedDelay(_) => Vec::new(),
            Self::Exponential(spec) => spec.problems("exponential"),
            Self::OnCall(spec) => spec.problems("on-call"),
            Self::Custom(custom) => custom.problems("reconnect", CustomReconnect::problems),
        }
    }
}

/// The attempt that comes next: where, and when once that has been decided.
///
/// Asked again before the attempt has begun (the network has changed meanwhile), a policy keeps to its plan: a network that
/// flaps neither hastens the attempt nor puts it off.
#[derive(Default)]
struct Plan {
    attempt_failed: bool,
    due: Option<Time>,
}

impl Plan {
    /// What it does, for the descriptions of the policies that have one.
    const DESCRIBED: &str = "After a failed attempt it goes on to the next server, after a loss it stays with the same one; a \
                             change of network neither hastens a planned attempt nor puts it off.";

    fn on_event(&mut self, event: ReconnectEvent) {
        match event {
            ReconnectEvent::AttemptStarted { .. } => *self = Self::default(),
            ReconnectEvent::AttemptFailed(_) => self.attempt_failed = true,
            _ => {}
        }
    }

    /// The attempt has been decided upon and has not begun.
    fn is_made(&self) -> bool {
        self.due.is_some()
    }

    fn verdict(&mut self, now: Time, wait: impl FnOnce() -> Duration) -> Verdict {
        let due = *self.due.get_or_insert_with(|| now + wait());
        let server = if self.attempt_failed { ServerChoice::Next } else { ServerChoice::Same };
        Verdict::TryAfter { wait: due.since(now), server }
    }
}

/// The promise of a policy that never waits longer than `longest_wait`.
///
/// At worst an attempt has just begun that will fail, and every server but the last in the rotation is down: each costs a
/// full connect timeout and a wait. With losses no attempt is certain to succeed.
fn reconnects_within(longest_wait: Duration, bounds: &Bounds, connect_timeout: Duration) -> Option<Duration> {
    let certain = bounds.loss_free && bounds.handshake_max <= connect_timeout;
    certain.then(|| (connect_timeout + longest_wait) * bounds.servers.max(1) + bounds.handshake_max)
}
