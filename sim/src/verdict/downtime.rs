//! Time without a usable session, and who is to blame for it. The truth says which part a moment belongs to; here is what
//! the parts are, and that they add up.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Time in which devices had no usable session, from each device's first attempt on, summed over devices.
///
/// Every moment belongs to exactly one part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downtime {
    /// A connection opened at that moment could not have been used either: the device had no process or no network, a link
    /// on the way was cut, or no server that it could get to was up and answering.
    pub unavoidable: Duration,
    /// The device believed in a session that was dead.
    pub unnoticed: Duration,
    /// The device knew that it had no session, and made no attempt: its reconnect policy waited, or had given up for good,
    /// or its heartbeat policy had left the session on purpose and something waited for it.
    pub waiting: Duration,
    /// An attempt was under way, one beside a dead session included: handshake, login and the server's queue.
    pub connecting: Duration,
}

/// Who could end a time without a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    Nobody,
    Unnoticed,
    Waiting,
    Connecting,
}

impl Downtime {
    /// Returns what a policy can do something about.
    pub fn avoidable(&self) -> Duration {
        self.unnoticed + self.waiting + self.connecting
    }

    /// Returns the sum of all parts.
    pub fn total(&self) -> Duration {
        self.unavoidable + self.avoidable()
    }

    pub(super) fn add(&mut self, blame: Blame, span: Duration) {
        let part = match blame {
            Blame::Nobody => &mut self.unavoidable,
            Blame::Unnoticed => &mut self.unnoticed,
            Blame::Waiting => &mut self.waiting,
            Blame::Connecting => &mut self.connecting,
        };
        *part += span;
    }
}
