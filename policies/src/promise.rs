//! What a policy promises, and the bounds on its environment that promises depend on. Property tests exist to break
//! promises; a promise that cannot be made is `None`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the environment guarantees, as far as a promise depends on it.
///
/// Made by [`healthy`](Self::healthy), and then changed where the environment is worse:
/// `Bounds::healthy(rtt).with_servers(3)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a bound of its own, which holds or does not")]
#[non_exhaustive]
pub struct Bounds {
    /// The longest round trip on a healthy path, TCP retransmissions included.
    pub rtt_max: Duration,
    /// No packet is lost on a healthy path.
    pub loss_free: bool,
    /// The idle time after which the shortest NAT on the path forgets a mapping; `None` if it never does.
    pub nat_timeout: Option<Duration>,
    /// How long a server may take to accept and welcome a client on a healthy path.
    pub handshake_max: Duration,
    /// How many servers a client rotates through, at least 1.
    pub servers: u32,
    /// The application itself sends nothing, in either direction: heartbeats and their replies are all there is.
    pub silent_app: bool,
    /// The host is steady: it runs every timer when it is due, and is never killed.
    pub steady_host: bool,
    /// Kernels wait for the acknowledgement of data for longer than a healthy round trip takes, before they give a connection up.
    pub patient_kernels: bool,
    /// How the server asks clients whether they live; `None` if it only answers.
    pub server_pings: Option<ServerPings>,
}

impl Bounds {
    /// Returns the bounds of a healthy path: round trips of at most `rtt_max`, no loss, no NAT that forgets, one server that
    /// welcomes a client after two round trips (TCP's and its own) and sends no pings, a silent application, a steady host, and
    /// kernels that are patient.
    pub const fn healthy(rtt_max: Duration) -> Self {
        Self {
            rtt_max,
            loss_free: true,
            nat_timeout: None,
            handshake_max: rtt_max.saturating_mul(2),
            servers: 1,
            silent_app: true,
            steady_host: true,
            patient_kernels: true,
            server_pings: None,
        }
    }

    /// Says whether packets are lost on a healthy path.
    #[must_use]
    pub const fn with_loss_free(self, loss_free: bool) -> Self {
        Self { loss_free, ..self }
    }

    /// Sets the idle time after which the shortest NAT forgets a mapping; `None` if it never does.
    #[must_use]
    pub const fn with_nat_timeout(self, nat_timeout: Option<Duration>) -> Self {
        Self { nat_timeout, ..self }
    }

    /// Sets how long a server may take to accept and welcome a client.
    #[must_use]
    pub const fn with_handshake_max(self, handshake_max: Duration) -> Self {
        Self { handshake_max, ..self }
    }

    /// Sets how many servers a client rotates through.
    #[must_use]
    pub const fn with_servers(self, servers: u32) -> Self {
        Self { servers, ..self }
    }

    /// Says whether the application sends nothing.
    #[must_use]
    pub const fn with_silent_app(self, silent_app: bool) -> Self {
        Self { silent_app, ..self }
    }

    /// Says whether the host runs every timer when it is due and is never killed.
    #[must_use]
    pub const fn with_steady_host(self, steady_host: bool) -> Self {
        Self { steady_host, ..self }
    }

    /// Says whether kernels wait for acknowledgements for longer than a healthy round trip takes.
    #[must_use]
    pub const fn with_patient_kernels(self, patient_kernels: bool) -> Self {
        Self { patient_kernels, ..self }
    }

    /// Sets how the server asks clients whether they live; `None` if it only answers.
    #[must_use]
    pub const fn with_server_pings(self, server_pings: Option<ServerPings>) -> Self {
        Self { server_pings, ..self }
    }
}

/// A server that asks its clients whether they live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerPings {
    /// The longest time between two pings of a session, answers included.
    pub interval: Duration,
    /// How long it waits for an answer before it closes the session; `None` if it waits for ever.
    pub timeout: Option<Duration>,
}

/// What a policy guarantees within [`Bounds`].
///
/// The default promises nothing; a policy adds what it guarantees: `Promises::default().with_detects_within(limit)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
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

impl Promises {
    /// Promises to notice a break within `limit`; `None` promises nothing.
    #[must_use]
    pub fn with_detects_within(self, limit: impl Into<Option<Duration>>) -> Self {
        Self { detects_within: limit.into(), ..self }
    }

    /// Promises to send at most `count` heartbeats an hour; `None` promises nothing.
    #[must_use]
    pub fn with_heartbeats_per_hour(self, count: impl Into<Option<u32>>) -> Self {
        Self { heartbeats_per_hour: count.into(), ..self }
    }

    /// Promises to begin at most as many attempts as `limit` says; `None` promises nothing.
    #[must_use]
    pub fn with_attempts(self, limit: impl Into<Option<AttemptLimit>>) -> Self {
        Self { attempts: limit.into(), ..self }
    }

    /// Promises to have a session again within `limit`; `None` promises nothing.
    #[must_use]
    pub fn with_reconnects_within(self, limit: impl Into<Option<Duration>>) -> Self {
        Self { reconnects_within: limit.into(), ..self }
    }

    /// Says whether a connection on a healthy path is never given up as dead.
    #[must_use]
    pub fn with_no_false_alarm(self, no_false_alarm: bool) -> Self {
        Self { no_false_alarm, ..self }
    }
}

/// At most `count` connection attempts begin in any window of length `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptLimit {
    /// The most attempts that may begin.
    pub count: u32,
    /// The length of the window, half-open, wherever it begins.
    pub window: Duration,
}
