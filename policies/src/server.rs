//! The server's side: which sessions to close, whom to ask whether they live, what to tell clients about their heartbeats.
//! The policies themselves are one file each below this module.

mod directed;
mod pings;
mod reaper;
mod spec;
mod strikes;
#[cfg(test)]
mod testing;
mod watch;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::{
    directed::{Directed, Redirected},
    pings::{PingAfter, Pings},
    reaper::{IdleReaper, RefreshedBy},
    spec::{Busy, OnMalformed, Resume, ServerSpec},
    strikes::Strikes,
};
use crate::Time;

/// Names one session of one server, for as long as the server's process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionId(pub u32);

/// A policy that watches over all sessions of one server process.
///
/// The host's side of the contract is that of [`Heartbeat`](crate::Heartbeat).
pub trait ServerPolicy: Send {
    /// Takes note of what happened to a session.
    fn on_event(&mut self, now: Time, session: SessionId, event: &SessionEvent);

    /// Returns what to do now, one action a call, `None` when there is nothing more to do.
    fn poll(&mut self, now: Time) -> Option<ServerAction>;

    /// Returns when the policy wants to be polled next, events apart.
    fn deadline(&self) -> Option<Time>;
}

/// What a host tells a server policy about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// The client was welcomed.
    Opened {
        /// The heartbeat interval that it announced; `None` if it announced none.
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
    /// The server wrote a message of the application to the session, or acknowledged one.
    DataSent,
    /// It wrote anything else: a welcome, a reply, a ping.
    FrameSent,
    /// It told the client to use this heartbeat interval, with the welcome or later.
    Directed {
        /// The interval that it is to use.
        interval: Duration,
    },
    /// The session is gone.
    Closed,
}

/// What a server policy tells its host to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerAction {
    /// Close the session.
    Close {
        /// The session to close.
        session: SessionId,
        /// Why it is closed.
        reason: CloseReason,
    },
    /// Ask the client whether it is alive; it answers at once.
    Ping {
        /// The session to ask.
        session: SessionId,
    },
    /// Show the client that the server is alive; it does not answer.
    Notice {
        /// The session to show it to.
        session: SessionId,
    },
    /// Tell the client to use this heartbeat interval from now on.
    Direct {
        /// The session to tell.
        session: SessionId,
        /// The interval that the client is to use.
        interval: Duration,
    },
}

/// Why a server closes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

impl CloseReason {
    /// Returns the number that stands for it in records of runs. It does not change in later versions.
    pub const fn code(self) -> u8 {
        match self {
            Self::Silence => 0,
            Self::NoPong => 1,
            Self::TooManyPings => 2,
            Self::Malformed => 3,
        }
    }

    /// Returns it in words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::NoPong => "no pong",
            Self::TooManyPings => "too many pings",
            Self::Malformed => "a frame that makes no sense",
        }
    }
}
