//! Judges by looks: did anything come since the last one? Silence is not timed, and counts only in whole times between two
//! looks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Judge, Opinion};
use crate::{
    Time,
    heartbeat::{Event, GiveUp},
    unit::Span,
};

/// Looks every so often, from the connection's establishment on, whether anything has arrived since the look before; dead at
/// `silent` looks in a row at which nothing had. What has just come is forgiven up to one such time more.
///
/// Sources: pika's `HeartbeatChecker` (every 65 s at a heartbeat of 60 s, one look), amqplib's `heartbeat.js` (every 60 s,
/// two).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Looks {
    /// From one look to the next.
    pub every: Span,
    /// Looks in a row without anything new that mean death, 1 to 1000. Default 1.
    #[serde(default = "super::one_miss")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub silent: u32,
}

impl Looks {
    /// Returns the longest silence that may go by before it is found.
    pub(in crate::heartbeat) fn longest(&self) -> Duration {
        self.every.get() * self.silent.saturating_add(1)
    }

    /// Returns the shortest silence that it condemns.
    pub(crate) fn shortest(&self) -> Duration {
        self.every.get() * self.silent
    }
}

/// [`Looks`] at work.
pub(super) struct LooksJudge {
    every: Duration,
    most: u32,
    next: Time,
    /// Something came since the last look.
    heard: bool,
    /// Looks in a row at which nothing had come.
    silent: u32,
}

impl LooksJudge {
    pub(super) fn new(spec: &Looks) -> Self {
        Self { every: spec.every.get(), most: spec.silent, next: Time::ZERO, heard: false, silent: 0 }
    }
}

impl Judge for LooksJudge {
    fn connected(&mut self, now: Time) {
        // The server's welcome has just been received.
        (self.next, self.heard, self.silent) = (now + self.every, true, 0);
    }

    fn on_event(&mut self, _: Time, event: &Event) {
        self.heard |= event.is_reception();
    }

    fn sent(&mut self, _: Time, _: u32) {}

    fn deadline(&self) -> Option<Time> {
        Some(self.next)
    }

    fn opinion(&mut self, now: Time) -> Opinion {
        if self.next <= now {
            self.silent = if std::mem::take(&mut self.heard) { 0 } else { self.silent.saturating_add(1) };
            // A host that overslept looks once.
            while self.next <= now {
                self.next += self.every;
            }
        }
        if self.silent >= self.most { Opinion::Dead(GiveUp::Silence) } else { Opinion::Alive }
    }

    fn pardon(&mut self, _: Time) {
        (self.heard, self.silent) = (true, 0);
    }
}
