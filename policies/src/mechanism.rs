//! What a strategy asks of its host beyond reading, writing and a timer. A host that cannot do one of these can say so by
//! name, before anything runs.

use crate::Problem;

/// Something that not every host, transport or protocol can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// The kernel's keepalive ([`Action::SetKeepalive`](crate::Action::SetKeepalive)).
    Keepalive,
    /// `TCP_USER_TIMEOUT` ([`Action::SetUserTimeout`](crate::Action::SetUserTimeout)).
    UserTimeout,
    /// How long ago the transport heard from the peer ([`Action::AskTransport`](crate::Action::AskTransport)).
    LastHeard,
    /// A second connection for probes ([`Action::OpenProbe`](crate::Action::OpenProbe)).
    Probe,
    /// A second connection that may take the session's place ([`Action::Race`](crate::Action::Race)).
    Race,
    /// A check whether the network carries anything
    /// ([`ReconnectAction::CheckAfter`](crate::ReconnectAction::CheckAfter)).
    NetworkCheck,
}

impl Mechanism {
    /// Returns it in words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Keepalive => "the kernel's keepalive",
            Self::UserTimeout => "TCP_USER_TIMEOUT",
            Self::LastHeard => "the time since the transport last heard from the peer (TCP_INFO)",
            Self::Probe => "a probe connection",
            Self::Race => "a second connection that races with the session",
            Self::NetworkCheck => "a check whether the network carries anything",
        }
    }
}

/// A mechanism that a strategy uses, and the key of its file that asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// What it uses.
    pub mechanism: Mechanism,
    /// The key, as a dotted path from the top of the file: `heartbeat.composed.when_dead`.
    pub path: String,
}

impl Need {
    /// Makes the need of `mechanism` for the key at `path`.
    pub fn new(mechanism: Mechanism, path: impl Into<String>) -> Self {
        Self { mechanism, path: path.into() }
    }

    /// Returns what is wrong with the strategy for a host that lacks the mechanism, with what would help.
    pub fn unmet(&self, help: impl Into<String>) -> Problem {
        Problem::new(&self.path, format!("this needs {}, which is not there", self.mechanism.words()), help)
    }
}
