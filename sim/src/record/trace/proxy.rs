//! What happens to the connections of a proxy. A new event is a variant with its bytes, its words and its meaning.

use serde::Serialize;

use crate::{config::Cause, record::bytes::Bytes};

/// What happens to a connection through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProxyEvent {
    /// The proxy's own connection to the server is up: from now on bytes pass both ways.
    Joined {
        /// The proxy's port towards the server.
        upstream: u16,
    },
    /// It ends both halves.
    Parted {
        /// Why it does so.
        why: Parting,
    },
    /// It could not connect to the server, and tells the client so.
    BadGateway,
}

/// Why a proxy ends a connection that it has joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parting {
    /// The client has closed its half, or TCP has given it up.
    ClientGone,
    /// The server has closed its half, or TCP has given it up.
    ServerGone,
    /// The client was silent for too long.
    ClientIdle,
    /// The server was silent for too long.
    ServerIdle,
    /// Both were silent for too long.
    Idle,
    /// It has reached its greatest age.
    TooOld,
    /// The proxy's process is restarted.
    Restarted,
    /// The old process of a proxy that got a new configuration ends it.
    Drained,
}

impl Parting {
    /// Returns the byte that stands for it in the trace hash.
    const fn tag(self) -> u8 {
        match self {
            Self::ClientGone => 0,
            Self::ServerGone => 1,
            Self::ClientIdle => 2,
            Self::ServerIdle => 3,
            Self::Idle => 4,
            Self::TooOld => 5,
            Self::Restarted => 6,
            Self::Drained => 7,
        }
    }

    /// Returns the reason in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ClientGone => "the client is gone",
            Self::ServerGone => "the server is gone",
            Self::ClientIdle => "the client was silent for too long",
            Self::ServerIdle => "the server was silent for too long",
            Self::Idle => "both were silent for too long",
            Self::TooOld => "too old",
            Self::Restarted => "restart",
            Self::Drained => "drain",
        }
    }

    /// Returns what breaks the session by it; `None`: whoever has closed a half says it.
    pub(crate) const fn cause(self) -> Option<Cause> {
        match self {
            Self::ClientGone | Self::ServerGone => None,
            Self::ClientIdle | Self::ServerIdle | Self::Idle => Some(Cause::ProxyTimeout),
            Self::TooOld => Some(Cause::MaxAge),
            Self::Restarted => Some(Cause::ProxyRestart),
            Self::Drained => Some(Cause::ProxyDrain),
        }
    }
}

impl ProxyEvent {
    /// Writes what goes into the trace hash: a tag, and every field.
    pub(crate) fn digest(self, out: &mut Vec<u8>) {
        match self {
            Self::Joined { upstream } => out.u8(0).u16(upstream),
            Self::Parted { why } => out.u8(1).u8(why.tag()),
            Self::BadGateway => out.u8(2),
        };
    }

    /// Returns the event in words, without the connection.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Joined { upstream } => format!("is joined to one of its own, port {upstream}"),
            Self::Parted { why } => format!("is ended at both ends ({})", why.words()),
            Self::BadGateway => "is refused: no connection to the server".into(),
        }
    }
}
