//! Beats at checks that come when they come: idleness is found at the next one, not at its end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Schedule;
use crate::{Time, heartbeat::Event, unit::Span};

/// At each check a beat is sent if nothing was sent for `every`, or if nothing was received for so long and no beat waits
/// for its reply. The first check comes `every` after the connection's establishment, the next one `every` after a beat, or
/// after what was sent last: a client that sends looks at what it receives up to twice as late.
///
/// Source: paho.mqtt.java@9c742c1d, `ClientState.checkForActivity` and `TimerPingSender`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Checks {
    /// Idleness before a beat, and the time between checks.
    pub every: Span,
}

/// [`Checks`] at work.
pub(super) struct CheckBeats {
    every: Duration,
    next: Time,
    last_tx: Time,
    last_rx: Time,
    /// A beat waits for its reply.
    awaits: bool,
}

impl CheckBeats {
    pub(super) fn new(spec: &Checks) -> Self {
        let zero = Time::ZERO;
        Self { every: spec.every.get(), next: zero, last_tx: zero, last_rx: zero, awaits: false }
    }

    /// Returns whether a check at this time finds reason for a beat.
    fn finds(&self, at: Time) -> bool {
        at.since(self.last_tx) >= self.every || (!self.awaits && at.since(self.last_rx) >= self.every)
    }

    /// Leaves behind the checks before `now`, none of which found anything: a beat would have been sent.
    fn follow(&mut self, now: Time) {
        while self.next < now && !self.finds(self.next) {
            self.next = self.last_tx + self.every;
        }
    }
}

impl Schedule for CheckBeats {
    fn connected(&mut self, now: Time) {
        (self.next, self.last_tx, self.last_rx, self.awaits) = (now + self.every, now, now, false);
    }

    fn on_event(&mut self, now: Time, event: &Event) {
        self.follow(now);
        match event {
            Event::BytesWritten => self.last_tx = now,
            event if event.is_reception() => self.last_rx = now,
            _ => {}
        }
        if let Event::HeartbeatReply { .. } = event {
            self.awaits = false;
        }
    }

    fn sent(&mut self, now: Time, _: Time) {
        (self.next, self.awaits) = (now + self.every, true);
    }

    fn next_beat(&self, free: Time) -> Option<Time> {
        let at = if self.finds(self.next) { self.next } else { self.last_tx + self.every };
        Some(at.max(free))
    }

    fn set_interval(&mut self, interval: Duration) {
        if interval != self.every {
            self.next = self.next - self.every + interval;
            self.every = interval;
        }
    }
}
