//! Beats after a stretch of idleness: traffic of the application's own makes them unnecessary. Which traffic counts is the
//! question on which products differ most.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Schedule;
use crate::{Time, heartbeat::Event, unit::Span};

/// A beat once the connection has been idle for `threshold`.
///
/// Sources: `[zhang]` (15 s to 45 s, any traffic counts) and its comments (`tx`, `rx`); the others at their
/// anchors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Idleness before a beat, and the least time between two beats.
    pub threshold: Span,
    /// Which traffic ends idleness.
    pub anchor: Anchor,
}

/// The traffic from which idleness is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Anchor {
    /// What this side sends: the server and the NAT hear from it at least every threshold (MQTT, `ZooKeeper`, Netty's writer
    /// idle time).
    Tx,
    /// What this side receives: a broken path is tested even while the application keeps sending into it (ssh, gRPC, Smack).
    Rx,
    /// Whichever came last (`[zhang]`, QUIC).
    Either,
    /// Whichever came first: a beat is due once one direction alone has been idle (Paho for Java).
    Each,
    /// The replies to its own beats: the next beat follows a threshold after the reply (Phoenix).
    Reply,
    /// Replies, and acknowledgements by the peer's application; what the peer sends of its own accord does not count
    /// (MQTT.js).
    Acknowledged,
    /// What this side sends, but no beat is sent before something was received since: a client never beats more often than
    /// the server talks (`SignalR`).
    TxOnceHeard,
}

/// [`Threshold`] at work.
pub(super) struct IdleBeats {
    threshold: Duration,
    anchor: Anchor,
    last_tx: Time,
    last_rx: Time,
    /// The last reply to a beat, or acknowledgement where those count.
    last_reply: Time,
    /// When the last beat was sent; when the connection was established, before the first.
    last_beat: Time,
    /// Something was received since the last thing sent.
    heard: bool,
}

impl IdleBeats {
    pub(super) fn new(spec: &Threshold) -> Self {
        Self {
            threshold: spec.threshold.get(),
            anchor: spec.anchor,
            last_tx: Time::ZERO,
            last_rx: Time::ZERO,
            last_reply: Time::ZERO,
            last_beat: Time::ZERO,
            heard: false,
        }
    }
}

impl Schedule for IdleBeats {
    fn connected(&mut self, now: Time) {
        (self.last_tx, self.last_rx, self.last_reply, self.last_beat) = (now, now, now, now);
        // The welcome is no message of the server's: a beat waits for one.
        self.heard = false;
    }

    fn on_event(&mut self, now: Time, event: &Event) {
        match event {
            Event::BytesWritten => (self.last_tx, self.heard) = (now, false),
            Event::HeartbeatReply { .. } => (self.last_rx, self.last_reply, self.heard) = (now, now, true),
            Event::Acknowledged => {
                (self.last_rx, self.heard) = (now, true);
                if self.anchor == Anchor::Acknowledged {
                    self.last_reply = now;
                }
            }
            event if event.is_reception() => (self.last_rx, self.heard) = (now, true),
            _ => {}
        }
    }

    fn sent(&mut self, now: Time, _: Time) {
        self.last_beat = now;
    }

    fn next_beat(&self, free: Time) -> Option<Time> {
        let anchor = match self.anchor {
            Anchor::Tx => self.last_tx,
            Anchor::Rx => self.last_rx,
            Anchor::Either => self.last_tx.max(self.last_rx),
            Anchor::Each => self.last_tx.min(self.last_rx),
            Anchor::Reply | Anchor::Acknowledged => self.last_reply,
            Anchor::TxOnceHeard if self.heard => self.last_tx,
            Anchor::TxOnceHeard => return None,
        };
        Some((anchor.max(self.last_beat) + self.threshold).max(free))
    }

    fn set_interval(&mut self, interval: Duration) {
        self.threshold = interval;
    }
}
