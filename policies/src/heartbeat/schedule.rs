//! When to beat: the first of the two questions that every heartbeat answers. A schedule knows nothing of death; that is a
//! [judge's](super::judge) business.

mod checks;
mod grid;
mod idle;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::{
    checks::Checks,
    grid::{FirstBeat, Grid},
    idle::{Anchor, Threshold},
};
use super::Event;
use crate::{PolicyRng, Time};

/// A schedule, which says when to beat, as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleSpec {
    /// The peer sends, and this side only listens (and answers what it is asked).
    PeerSends,
    /// Beats every interval, whatever the traffic.
    Grid(Grid),
    /// Beats after a stretch of idleness.
    Idle(Threshold),
    /// Beats at checks that find one direction idle.
    Checks(Checks),
}

impl ScheduleSpec {
    pub(super) fn build(&self, rng: PolicyRng) -> Box<dyn Schedule> {
        match self {
            Self::PeerSends => Box::new(Never),
            Self::Grid(spec) => Box::new(grid::GridBeats::new(spec, rng)),
            Self::Idle(spec) => Box::new(idle::IdleBeats::new(spec)),
            Self::Checks(spec) => Box::new(checks::CheckBeats::new(spec)),
        }
    }

    /// Returns the gap between beats while nothing changes it; `None` if there are no beats.
    pub(crate) fn interval(&self) -> Option<Duration> {
        match self {
            Self::PeerSends => None,
            Self::Grid(spec) => Some(spec.interval.get()),
            Self::Idle(spec) => Some(spec.threshold.get()),
            Self::Checks(spec) => Some(spec.every.get()),
        }
    }
}

/// A schedule at work, over one connection after the other.
pub(super) trait Schedule: Send {
    /// A connection is established.
    fn connected(&mut self, now: Time);

    /// Something happened on the connection.
    fn on_event(&mut self, now: Time, event: &Event);

    /// A beat was sent, and is judged by `settled` at the latest: the next one is not due before.
    fn sent(&mut self, now: Time, settled: Time);

    /// Returns when the next beat is due, not before `free`; `None` if none is due until something happens.
    fn next_beat(&self, free: Time) -> Option<Time>;

    /// From now on this is the gap, counted from where the present one began.
    fn set_interval(&mut self, interval: Duration);
}

struct Never;

impl Schedule for Never {
    fn connected(&mut self, _: Time) {}

    fn on_event(&mut self, _: Time, _: &Event) {}

    fn sent(&mut self, _: Time, _: Time) {}

    fn next_beat(&self, _: Time) -> Option<Time> {
        None
    }

    fn set_interval(&mut self, _: Duration) {}
}
