//! The reconnect contract: told of attempts and their outcome, asked when and where to try next.
//!
//! A policy is put together of two kinds of parts, one file each below this module. *Waits* ([`ReconnectSpec`]) say
//! what comes after what. *Rules* ([`ReconnectRules`]) wrap any waits, an own policy's too, and say what else an
//! attempt depends on: the network, the server, a budget, a server's word.

mod actioncable;
mod attempt_timeout;
mod backoff;
mod courier;
mod exponential;
mod fixed_delay;
mod linear;
mod mars;
mod on_call;
mod plan;
mod rules;
mod spec;
mod steps;
#[cfg(test)]
mod testing;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::{
    actioncable::{ActioncablePoll, PollBackoff},
    attempt_timeout::AttemptTimeout,
    backoff::{DelayFrom, Jitter, ProcessScale},
    courier::CourierRetry,
    exponential::{CapAt, ExponentialBackoff},
    fixed_delay::FixedDelay,
    linear::Linear,
    mars::MarsLonglinkMonitor,
    plan::Reset,
    rules::{
        CircuitBreaker, Denied, FullPass, GiveUpAfter, LimitBy, NetworkChange, NetworkCheck, ReconnectRules,
        RetryBudget, RetryLimit, RetryQuota, RetryThrottle, Rotation, ServerBan, Trip, WhenHidden, WindowTrip,
    },
    spec::ReconnectSpec,
    steps::{Steps, Then},
};
use crate::{AppState, GiveUp, LossReason, Network, Time};

/// A policy that decides when and where to connect again.
///
/// The host's side of the contract: report everything with [`on_event`](Self::on_event), in order; when an attempt has
/// failed, a connection is lost, or the network or the application's state has changed while none is up, ask
/// [`next`](Self::next) once and do as it says; the new answer replaces the one before. The very first attempt of a
/// device's life is the host's own, with the strategy's connect timeout, and without a network it makes none: it asks again
/// when there is one.
pub trait Reconnect: Send {
    /// Takes note of what happened.
    fn on_event(&mut self, now: Time, event: &ReconnectEvent);

    /// Returns what to do now that there is no connection.
    fn next(&mut self, now: Time) -> ReconnectAction;
}

impl<R: Reconnect + ?Sized> Reconnect for Box<R> {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        (**self).on_event(now, event);
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        (**self).next(now)
    }
}

/// What a host tells a reconnect policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReconnectEvent {
    /// A connection attempt begins.
    AttemptStarted {
        /// The server it is made to.
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
    /// The server tells the client not to come back before this time has passed; told before the attempt or the
    /// connection ends.
    RetryAfter(Duration),
    /// The answer to [`ReconnectAction::CheckAfter`]: whether the network carries anything at all.
    NetworkChecked(bool),
    /// The application has something to send, and there is neither a session nor an attempt nor a plan of one. Whoever has
    /// given up for good does not heed it.
    Wanted,
    /// What the failures so far have taught is void: begin anew, as after a good connection, and drop the attempt that
    /// was planned. Told by a rule to the policy it wraps, as after a network change; hosts do not tell it.
    Reset,
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptFailure {
    /// The server's host answered RST: nobody listens there.
    Refused,
    /// No answer within the connect timeout, or TCP gave up.
    Timeout,
    /// The connection came up and was reset or closed before the server's welcome.
    Dropped,
    /// The network went away under the attempt.
    NoNetwork,
    /// A router said that the server, or its network, cannot be reached, or nobody answered to its address on the client's own
    /// network (`EHOSTUNREACH`, `ENETUNREACH`).
    Unreachable,
}

impl AttemptFailure {
    /// Returns the number that stands for it in records of runs. It does not change in later versions.
    pub const fn code(self) -> u8 {
        match self {
            Self::Refused => 0,
            Self::Timeout => 1,
            Self::Dropped => 2,
            Self::NoNetwork => 3,
            Self::Unreachable => 4,
        }
    }

    /// Returns it in words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Dropped => "dropped",
            Self::NoNetwork => "no network",
            Self::Unreachable => "unreachable",
        }
    }
}

/// How an established connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The transport reported it.
    Transport(LossReason),
    /// The heartbeat policy gave it up.
    GivenUp(GiveUp),
}

/// What a reconnect policy tells its host to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconnectAction {
    /// Wait, then make an attempt.
    TryAfter {
        /// How long to wait from now; zero for an attempt at once.
        wait: Duration,
        /// Which server to try.
        server: ServerChoice,
        /// How long the attempt may take before it is abandoned; `None`: the strategy's connect timeout.
        timeout: Option<Duration>,
    },
    /// Wait, then find out whether the network carries anything, by a packet that costs less than an attempt; answered
    /// by [`ReconnectEvent::NetworkChecked`], after which [`next`](Reconnect::next) is asked again.
    CheckAfter {
        /// How long to wait from now; zero to check at once.
        wait: Duration,
    },
    /// Give up until something else happens (a network change, the user).
    Stop,
}

/// Which server to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerChoice {
    /// The server of the last attempt.
    Same,
    /// The next server in the list, and after the last one the first.
    Next,
    /// The server of this number.
    Number(u32),
}
