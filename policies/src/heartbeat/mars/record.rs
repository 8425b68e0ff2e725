//! What Mars keeps of a network (its `Heartbeat.ini`), and which networks it forgets.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::Ladder;
use crate::{Time, unit::Span};

/// The search's state on one network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::heartbeat) struct Record {
    interval: Span,
    /// The search is over.
    #[serde(default)]
    pub(super) stable: bool,
    /// Failures since a gap of `interval` was last answered.
    #[serde(default)]
    pub(super) failures: u32,
    /// The interval was found while the system aligned timers.
    #[serde(default)]
    pub(super) found_in_doze: bool,
    /// When the record was stored last.
    #[serde(default)]
    pub(super) modified: Option<Time>,
}

impl Record {
    pub(super) fn new(interval: Duration, now: Time) -> Self {
        let interval = Span::at_least(interval);
        Self { interval, stable: false, failures: 0, found_in_doze: false, modified: Some(now) }
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval.get()
    }

    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.interval = Span::at_least(interval);
    }

    /// Returns the record as it may be used: within the ladder's reach and not from the future.
    pub(super) fn usable(mut self, ladder: &Ladder, now: Time) -> Self {
        if self.interval() < ladder.min {
            self.set_interval(ladder.min);
        } else if self.interval() > ladder.ceiling + ladder.margin {
            self.set_interval(ladder.ceiling);
        }
        self.modified = Some(self.modified.unwrap_or_default().min(now));
        self
    }
}

/// Makes room for one more where there would be more than `limit`: forgets records without a time or from the future, and
/// the oldest of the others.
pub(super) fn make_room(records: &mut BTreeMap<u32, Record>, limit: usize, now: Time) {
    if records.len() < limit {
        return;
    }
    records.retain(|_, record| record.modified.is_some_and(|modified| modified <= now));
    let oldest = records.iter().min_by_key(|(_, record)| record.modified).map(|(id, _)| *id);
    if let Some(oldest) = oldest {
        records.remove(&oldest);
    }
}
