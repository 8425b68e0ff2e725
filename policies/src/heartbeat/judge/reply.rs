//! Judges each beat by its reply, and the connection by beats in a row without one.

mod patience;

use serde::{Deserialize, Serialize};

use self::patience::Timeout;
pub use self::patience::{Patience, Rto};
use super::{Judge, Opinion};
use crate::{
    Time,
    heartbeat::{Event, GiveUp},
};

/// Dead after `misses` beats in a row without an answer within `timeout`.
///
/// Sources: `[yuan]` (consecutive misses) and `[netease]` (reply timeout). What counts as an answer, and what a late
/// one is worth, both leave open, and real products differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// How long the answer to a beat may take; one of exactly this age is in time. At most the interval, so that one beat
    /// is out at a time. A duration, or a table for an estimate that follows the round trips (RFC 6298).
    pub timeout: Patience,
    /// Beats in a row without a timely answer that mean death, 1 to 1000. Default 1.
    #[serde(default = "one_miss")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub misses: u32,
    /// What counts as an answer. Default `reply`.
    #[serde(default)]
    pub evidence: AnsweredBy,
    /// What a reply after its timeout is worth, where only replies count. Default `counts`.
    #[serde(default)]
    pub late_reply: LateReply,
}

/// What counts as an answer to a beat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AnsweredBy {
    /// Only the reply to the beat itself.
    #[default]
    Reply,
    /// A reply, or an acknowledgement by the peer's application (MQTT.js).
    Acknowledged,
    /// Anything that arrives (gRPC's proposal A8, ssh, Smack).
    Any,
}

/// What a reply after its timeout is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LateReply {
    /// It proves life: the misses so far are forgotten.
    #[default]
    Counts,
    /// Nothing: only a timely reply clears the misses.
    Ignored,
}

pub(in crate::heartbeat) fn one_miss() -> u32 {
    1
}

/// [`Reply`] at work.
pub(super) struct ReplyJudge {
    timeout: Timeout,
    most_misses: u32,
    evidence: AnsweredBy,
    late_reply: LateReply,
    /// The beat that waits for its answer: its id and deadline. One is enough: a timeout is no longer than the interval.
    awaited: Option<(u32, Time)>,
    /// Consecutive beats without a timely answer.
    misses: u32,
}

impl ReplyJudge {
    pub(super) fn new(spec: &Reply) -> Self {
        Self {
            timeout: Timeout::new(spec.timeout),
            most_misses: spec.misses,
            evidence: spec.evidence,
            late_reply: spec.late_reply,
            awaited: None,
            misses: 0,
        }
    }

    fn answered(&mut self) {
        (self.awaited, self.misses) = (None, 0);
    }
}

impl Judge for ReplyJudge {
    fn connected(&mut self, _: Time) {
        self.answered();
        self.timeout.reset();
    }

    fn on_event(&mut self, _: Time, event: &Event) {
        if let Event::HeartbeatReply { rtt, .. } = event {
            self.timeout.sampled(*rtt);
        }
        match (self.evidence, event) {
            // Packets come before timers, so a beat that still waits has its reply in time.
            (AnsweredBy::Reply, Event::HeartbeatReply { id, .. }) => {
                if self.awaited.is_some_and(|(awaited, _)| awaited == *id) {
                    self.answered();
                } else if self.late_reply == LateReply::Counts {
                    self.misses = 0;
                }
            }
            (AnsweredBy::Acknowledged, Event::HeartbeatReply { .. } | Event::Acknowledged) => self.answered(),
            (AnsweredBy::Any, event) if event.is_reception() => self.answered(),
            _ => {}
        }
    }

    fn sent(&mut self, now: Time, id: u32) {
        self.awaited = Some((id, now + self.timeout.get()));
    }

    fn settles(&self) -> Option<Time> {
        self.awaited.map(|(_, deadline)| deadline)
    }

    fn deadline(&self) -> Option<Time> {
        self.settles()
    }

    fn opinion(&mut self, now: Time) -> Opinion {
        if self.awaited.take_if(|(_, deadline)| *deadline <= now).is_some() {
            self.misses += 1;
            self.timeout.expired();
        }
        match self.misses {
            0 => Opinion::Alive,
            misses if misses < self.most_misses => Opinion::Suspect,
            _ if self.evidence == AnsweredBy::Any => Opinion::Dead(GiveUp::Silence),
            _ => Opinion::Dead(GiveUp::NoReply),
        }
    }

    fn pardon(&mut self, now: Time) {
        self.misses = self.most_misses - 1;
        self.awaited = Some((u32::MAX, now + self.timeout.get()));
    }
}
