//! Judges by the age of what was sent and not answered by anything: every write is a probe, heartbeats included.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Judge, Opinion};
use crate::{
    Time,
    heartbeat::{Event, GiveUp},
    unit::Span,
};

/// Dead once the oldest thing sent since anything last arrived is `limit` old.
///
/// Sources: Courier's inactivity check (60 s), `WireGuard`'s new handshake (15 s; UNVERIFIED).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Unanswered {
    /// How long what was sent may go without anything arriving after it.
    pub limit: Span,
}

/// [`Unanswered`] at work.
pub(super) struct UnansweredJudge {
    limit: Duration,
    /// When the oldest unanswered thing was sent.
    oldest: Option<Time>,
}

impl UnansweredJudge {
    pub(super) fn new(spec: &Unanswered) -> Self {
        Self { limit: spec.limit.get(), oldest: None }
    }
}

impl Judge for UnansweredJudge {
    fn connected(&mut self, _: Time) {
        self.oldest = None;
    }

    fn on_event(&mut self, now: Time, event: &Event) {
        if *event == Event::BytesWritten {
            self.oldest.get_or_insert(now);
        } else if event.is_reception() {
            self.oldest = None;
        }
    }

    // Its bytes are written, which counts already.
    fn sent(&mut self, _: Time, _: u32) {}

    fn deadline(&self) -> Option<Time> {
        self.oldest.map(|oldest| oldest + self.limit)
    }

    fn opinion(&mut self, now: Time) -> Opinion {
        let is_over = self.deadline().is_some_and(|due| due <= now);
        if is_over { Opinion::Dead(GiveUp::NoReply) } else { Opinion::Alive }
    }

    fn pardon(&mut self, now: Time) {
        self.oldest = self.oldest.map(|_| now);
    }
}
