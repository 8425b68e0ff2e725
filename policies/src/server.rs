//! The server's side: which sessions to close for silence. The policies themselves are one file each below this module.

mod reaper;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::reaper::IdleReaper;
use crate::{Bounds, Custom, CustomServer, Problem, Time};

/// Names one session of one server, for as long as the server's process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionId(pub u32);

/// A policy that watches over all sessions of one server process.
///
/// The host's side of the contract is that of [`Heartbeat`](crate::Heartbeat).
pub trait ServerPolicy: Send {
    /// Takes note of what happened to a session.
    fn on_event(&mut self, now: Time, session: SessionId, event: &SessionEvent);

    /// What to do now, one action a call, `None` when there is nothing more to do.
    fn poll(&mut self, now: Time) -> Option<ServerAction>;

    /// When the policy wants to be polled next, events apart.
    fn deadline(&self) -> Option<Time>;
}

/// What happened to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// The client was welcomed.
    Opened {
        /// The heartbeat interval that it announced; `None`: it announced none.
        interval: Option<Duration>,
    },
    /// A heartbeat arrived.
    HeartbeatReceived,
    /// Any other valid frame arrived.
    FrameReceived,
    /// The client answered the server's ping.
    PongReceived,
    /// A frame arrived that makes no sense.
    MalformedReceived,
    /// The server wrote to the session.
    FrameSent,
    /// The session is gone.
    Closed,
}

/// What a server policy tells its host to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerAction {
    /// Close the session.
    Close {
        /// Which one.
        session: SessionId,
        /// Why.
        reason: CloseReason,
    },
    /// Ask the client whether it is alive; it answers at once.
    Ping {
        /// Which one.
        session: SessionId,
    },
    /// Tell the client to use this heartbeat interval from now on.
    Direct {
        /// Which one.
        session: SessionId,
        /// The interval.
        interval: Duration,
    },
}

/// Why a server closes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CloseReason {
    /// Nothing was heard of the client for too long.
    Silence,
    /// The client did not answer a ping.
    NoPong,
    /// The client sends heartbeats more often than it may; it is told so.
    TooManyPings,
    /// The client sent a frame that makes no sense; it gets no answer.
    Malformed,
}

/// A server policy as data, in the same form as [`HeartbeatSpec`](crate::HeartbeatSpec).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ServerSpec {
    /// Sessions are kept until TCP ends them.
    #[default]
    None,
    /// Sessions that have been idle too long are closed.
    IdleReaper(IdleReaper),
    /// A policy that the program around this crate brings along.
    Custom(Custom<dyn CustomServer>),
}

impl ServerSpec {
    /// A policy ready to run.
    pub fn build(&self) -> Box<dyn ServerPolicy> {
        match self {
            Self::None => Box::new(KeepAll),
            Self::IdleReaper(spec) => Box::new(reaper::Reaper::new(spec.clone())),
            Self::Custom(custom) => custom.resolved().build(),
        }
    }

    /// Within what time of its last frame, sent or received, a session is closed; `None`: no promise.
    pub fn reaps_within(&self, bounds: &Bounds) -> Option<Duration> {
        match self {
            Self::None => None,
            Self::IdleReaper(spec) => Some(spec.idle.get() + spec.scan.get()),
            Self::Custom(custom) => custom.policy()?.reaps_within(bounds),
        }
    }

    /// The state machine in words, with the numbers of this spec: what it watches, which sessions it closes and when, what it
    /// tells clients. One paragraph of plain text; each policy keeps its own beside its code.
    pub fn describe(&self) -> String {
        match self {
            Self::None => "Closes no session: each is kept until TCP ends it.".into(),
            Self::IdleReaper(spec) => spec.describe(),
            Self::Custom(custom) => custom.describe(CustomServer::describe),
        }
    }

    /// Contradictions between parameters, each with the path to the key that should change.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::None | Self::IdleReaper(_) => Vec::new(),
            Self::Custom(custom) => custom.problems("server", CustomServer::problems),
        }
    }
}

/// Keeps every session.
struct KeepAll;

impl ServerPolicy for KeepAll {
    fn on_event(&mut self, _: Time, _: SessionId, _: &SessionEvent) {}

    fn poll(&mut self, _: Time) -> Option<ServerAction> {
        None
    }

    fn deadline(&self) -> Option<Time> {
        None
    }
}
