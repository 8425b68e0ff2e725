//! What a policy promises. Property tests exist to break promises; a promise that cannot be made is `None`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the environment guarantees, as far as a promise depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// The longest round trip on a healthy path, TCP retransmissions included.
    pub rtt_max: Duration,
    /// No packet is lost on a healthy path.
    pub loss_free: bool,
    /// The idle time after which the shortest NAT on the path forgets a mapping; `None`: it never does.
    pub nat_timeout: Option<Duration>,
    /// How long a server may take to accept and welcome a client on a healthy path.
    pub handshake_max: Duration,
    /// How many servers a client rotates through, at least 1.
    pub servers: u32,
    /// The application itself sends nothing, in either direction: heartbeats and their replies are all there is.
    pub silent_app: bool,
    /// The host is steady: it runs every timer when it is due, and is never killed.
    pub steady_host: bool,
    /// The server asks clients whether they live, this often; `None`: it only answers.
    pub server_pings: Option<ServerPings>,
}

/// A server that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerPings {
    /// The longest time between two pings of a session, answers included.
    pub interval: Duration,
    /// How long it waits for an answer before it closes the session; `None`: for ever.
    pub timeout: Option<Duration>,
}

/// What a policy guarantees within [`Bounds`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promises {
    /// A permanent break of an established connection, whatever its cause, is noticed within this time of its begin.
    pub detects_within: Option<Duration>,
    /// At most this many heartbeats are sent in any hour of an established connection.
    pub heartbeats_per_hour: Option<u32>,
    /// Never more connection attempts than this in a window of time.
    pub attempts: Option<AttemptLimit>,
    /// Once the network and a server are usable for good, a session is established within this time. A server that sends
    /// clients away is not usable before the time it names.
    pub reconnects_within: Option<Duration>,
    /// A connection on a healthy path is never given up as dead.
    pub no_false_alarm: bool,
}

/// At most `count` connection attempts begin in any window of length `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptLimit {
    /// The most attempts that may begin.
    pub count: u32,
    /// In any half-open window of this length.
    pub window: Duration,
}
