//! Judges by silence alone: a watchdog that what arrives restarts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Judge, Opinion};
use crate::{
    Time,
    heartbeat::{Event, GiveUp},
    random::SplitMix,
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
    /// Nobody looks but from time to time: dead at the first look that finds more than `limit` (Azure's Web `PubSub` client:
    /// every 40 s for 120 s). Default: at the very moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
}

/// The times at which a client looks at something, counted from the connection's establishment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// From one look to the next; the shortest time where `longest` is given.
    pub every: Span,
    /// Each of these times is drawn anew, uniformly between `every` and this (Rails 7: 6 s to 12 s). Left out, all are
    /// `every`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<Span>,
}

impl Look {
    /// Returns the longest time from one look to the next.
    pub(in crate::heartbeat) fn apart(&self) -> Duration {
        self.longest.unwrap_or(self.every).get()
    }
}

/// [`Look`] at work.
struct Looker {
    every: Duration,
    longest: Duration,
    random: SplitMix,
    next: Time,
    /// The last look found it dead.
    over: bool,
}

impl Looker {
    fn new(spec: &Look, seed: u64) -> Self {
        Self {
            every: spec.every.get(),
            longest: spec.apart(),
            random: SplitMix::new(seed),
            next: Time::ZERO,
            over: false,
        }
    }

    fn connected(&mut self, now: Time) {
        self.over = false;
        self.step(now);
    }

    /// A judge draws little and shares no generator with the schedule.
    fn step(&mut self, from: Time) {
        self.next = from + self.every;
        if self.longest > self.every {
            let width = self.longest.saturating_sub(self.every).as_micros() as f64;
            self.next += Duration::from_micros((self.random.unit() * width) as u64);
        }
    }

    /// Looks, if it is time to; a host that overslept looks once.
    fn look(&mut self, now: Time, is_over: bool) -> bool {
        if self.next <= now {
            self.over = is_over;
            while self.next <= now {
                self.step(self.next);
            }
        }
        self.over
    }
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
    /// The application's messages, and the acknowledgement of ours: neither replies to beats nor pings, which a service that
    /// is half dead goes on sending.
    Messages,
}

/// [`Silence`] at work.
pub(super) struct SilenceJudge {
    limit: Duration,
    fed_by: Feed,
    while_awaiting: bool,
    last_fed: Time,
    /// When the first beat was sent that waits for its reply.
    awaits: Option<Time>,
    looker: Option<Box<Looker>>,
}

impl SilenceJudge {
    /// What looks are drawn from begins with `seed`.
    pub(super) fn new(spec: &Silence, seed: u64) -> Self {
        Self {
            limit: spec.limit.get(),
            fed_by: spec.fed_by,
            while_awaiting: spec.while_awaiting,
            last_fed: Time::ZERO,
            awaits: None,
            looker: spec.look.as_ref().map(|look| Box::new(Looker::new(look, seed))),
        }
    }

    /// Returns since when it has been silent, where that counts.
    fn since(&self) -> Option<Time> {
        if self.while_awaiting { Some(self.awaits?.max(self.last_fed)) } else { Some(self.last_fed) }
    }
}

impl Judge for SilenceJudge {
    fn connected(&mut self, now: Time) {
        (self.last_fed, self.awaits) = (now, None);
        if let Some(looker) = &mut self.looker {
            looker.connected(now);
        }
    }

    fn on_event(&mut self, now: Time, event: &Event) {
        let feeds = match self.fed_by {
            Feed::Any => event.is_reception(),
            Feed::Pings => matches!(event, Event::PeerPing),
            Feed::Replies => matches!(event, Event::HeartbeatReply { .. }),
            Feed::Messages => matches!(event, Event::BytesReceived | Event::Acknowledged),
        };
        if feeds {
            self.last_fed = now;
            if let Some(looker) = &mut self.looker {
                looker.over = false;
            }
        }
        if matches!(event, Event::HeartbeatReply { .. }) {
            self.awaits = None;
        }
    }

    fn sent(&mut self, now: Time, _: u32) {
        self.awaits.get_or_insert(now);
    }

    fn deadline(&self) -> Option<Time> {
        match &self.looker {
            Some(looker) => Some(looker.next),
            None => self.since().map(|since| since + self.limit),
        }
    }

    fn opinion(&mut self, now: Time) -> Opinion {
        let since = self.since();
        let is_over = match &mut self.looker {
            Some(looker) => looker.look(now, since.is_some_and(|since| now.since(since) > self.limit)),
            None => since.is_some_and(|since| since + self.limit <= now),
        };
        if is_over { Opinion::Dead(GiveUp::Silence) } else { Opinion::Alive }
    }

    fn pardon(&mut self, now: Time) {
        self.last_fed = now;
        if let Some(looker) = &mut self.looker {
            looker.over = false;
        }
    }
}
