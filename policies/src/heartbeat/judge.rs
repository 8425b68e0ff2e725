//! When to call a connection dead: the second of the two questions that every heartbeat answers. A judge knows nothing of
//! when beats are due; that is the [schedule's](super::schedule) business. A heartbeat may have several judges, and the
//! first to condemn decides.

mod freshness;
mod looks;
mod reply;
mod silence;
mod unanswered;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(super) use self::reply::one_miss;
pub use self::{
    freshness::{Bertier, Cassandra, Chen, DetectorSpec, Freshness, Phi, Stream, Tail, TwoWindow, Weibull},
    looks::Looks,
    reply::{AnsweredBy, LateReply, Patience, Reply, Rto},
    silence::{Feed, Look, Silence},
    unanswered::Unanswered,
};
use super::{Event, GiveUp};
use crate::Time;

/// Who judges, as data: each is optional, and those named judge together. With none the connection is never given up, and
/// death is left to the transport's own errors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Judges {
    /// Judges by beats that go unanswered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// Judges by silence, whatever was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence: Option<Silence>,
    /// Looks from time to time whether anything has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looks: Option<Looks>,
    /// The age of what was sent and not answered by anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<Unanswered>,
    /// Freshness points of a failure detector from the literature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Freshness>,
}

impl Judges {
    /// Returns whether there is no judge.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether a judge draws anything.
    pub(super) fn draws(&self) -> bool {
        self.silence.as_ref().and_then(|judge| judge.look.as_ref()).is_some_and(|look| look.longest.is_some())
    }

    /// `gap` is what lies between two beats of the schedule, if there are any. What is drawn is drawn from `seed`.
    pub(super) fn build(&self, gap: Option<Duration>, seed: u64) -> Vec<Box<dyn Judge>> {
        let mut judges: Vec<Box<dyn Judge>> = Vec::new();
        if let Some(spec) = &self.reply {
            judges.push(Box::new(reply::ReplyJudge::new(spec)));
        }
        if let Some(spec) = &self.silence {
            judges.push(Box::new(silence::SilenceJudge::new(spec, seed)));
        }
        if let Some(spec) = &self.looks {
            judges.push(Box::new(looks::LooksJudge::new(spec)));
        }
        if let Some(spec) = &self.unanswered {
            judges.push(Box::new(unanswered::UnansweredJudge::new(spec)));
        }
        if let Some(judge) = self.freshness.as_ref().and_then(|spec| freshness::FreshnessJudge::new(spec, gap)) {
            judges.push(Box::new(judge));
        }
        judges
    }
}

/// What a judge says of a connection; of several, the worst holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Opinion {
    /// Nothing says that the connection is dead.
    Alive,
    /// Something says so, but not enough.
    Suspect,
    /// The connection is dead.
    Dead(GiveUp),
}

/// A judge at work, over one connection after the other.
pub(super) trait Judge: Send {
    /// A connection is established.
    fn connected(&mut self, now: Time);

    /// Something happened on the connection.
    fn on_event(&mut self, now: Time, event: &Event);

    /// A beat that wants an answer was sent.
    fn sent(&mut self, now: Time, id: u32);

    /// Returns by when the beat sent last will be judged, where beats are judged one by one.
    fn settles(&self) -> Option<Time> {
        None
    }

    /// Returns when the opinion may change next without anything happening.
    fn deadline(&self) -> Option<Time>;

    /// Returns the opinion at this moment, not before the deadlines that have come were looked at.
    fn opinion(&mut self, now: Time) -> Opinion;

    /// Another chance for a connection found dead: everything begins anew, as on a fresh connection, but for beats that
    /// wait.
    fn pardon(&mut self, now: Time);
}
