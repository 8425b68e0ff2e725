//! Heartbeats of a connection that wait for their replies.

use std::collections::VecDeque;

use cardiogram_policies::Time;

/// More than any policy keeps in mind.
const MAX: usize = 1_024;

/// Those sent and not answered, the oldest first, with the time of sending.
#[derive(Default)]
pub(super) struct Outstanding(VecDeque<(u32, Time)>);

impl Outstanding {
    pub(super) fn sent(&mut self, id: u32, now: Time) {
        if self.0.len() == MAX {
            self.0.pop_front();
        }
        self.0.push_back((id, now));
    }

    /// Finds the heartbeat that a reply is for, by the part of its number that is on the wire. It and all before it are
    /// waited for no more.
    pub(super) fn answered(&mut self, id: u16) -> Option<(u32, Time)> {
        let at = self.0.iter().position(|(sent, _)| *sent as u16 == id)?;
        self.0.drain(..=at).next_back()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
