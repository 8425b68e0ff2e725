//! Judges by silence alone: a watchdog that what arrives restarts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Judge, Opinion};
use crate::{
    Time,
    heartbeat::{Event, GiveUp},
    unit::Span,
};

/// Dead once nothing that feeds the watchdog has arrived for `limit`.
///
/// Sources: `SignalR` (30 s, anything), Engine.IO 4 (45 s, pings only), `ZooKeeper` (two thirds of the session), AMQP,
/// Netty's reader idle time; Paho for Java looks at it only while a ping is out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// How long it may be silent.
    pub limit: Span,
    /// Which arrivals end silence. Default `any`.
    #[serde(default)]
    pub fed_by: Feed,
    /// Silence counts only while a beat waits for its reply, and from its sending at the earliest. Default false.
    #[serde(default)]
    pub while_awaiting: bool,
}

/// The arrivals that restart a watchdog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Feed {
    /// Anything that arrives.
    #[default]
    Any,
    /// The peer's pings, and no data (Engine.IO).
    Pings,
    /// Replies to this side's own beats.
    Replies,
}

/// [`Silence`] at work.
pub(super) struct SilenceJudge {
    limit: Duration,
    fed_by: Feed,
    while_awaiting: bool,
    last_fed: Time,
    /// When the first beat was sent that waits for its reply.
    awaits: Option<Time>,
}

impl SilenceJudge {
    pub(super) fn new(spec: &Silence) -> Self {
        Self {
            limit: spec.limit.get(),
            fed_by: spec.fed_by,
            while_awaiting: spec.while_awaiting,
            last_fed: Time::ZERO,
            awaits: None,
        }
    }
}

impl Judge for SilenceJudge {
    fn connected(&mut self, now: Time) {
        (self.last_fed, self.awaits) = (now, None);
    }

    fn on_event(&mut self, now: Time, event: &Event) {
        let feeds = match self.fed_by {
            Feed::Any => event.is_reception(),
            Feed::Pings => matches!(event, Event::PeerPing),
            Feed::Replies => matches!(event, Event::HeartbeatReply { .. }),
        };
        if feeds {
            self.last_fed = now;
        }
        if matches!(event, Event::HeartbeatReply { .. }) {
            self.awaits = None;
        }
    }

    fn sent(&mut self, now: Time, _: u32) {
        self.awaits.get_or_insert(now);
    }

    fn deadline(&self) -> Option<Time> {
        let since = if self.while_awaiting { self.awaits?.max(self.last_fed) } else { self.last_fed };
        Some(since + self.limit)
    }

    fn opinion(&mut self, now: Time) -> Opinion {
        let is_over = self.deadline().is_some_and(|due| due <= now);
        if is_over { Opinion::Dead(GiveUp::Silence) } else { Opinion::Alive }
    }

    fn pardon(&mut self, now: Time) {
        self.last_fed = now;
    }
}
