//! Heartbeats of a connection that wait for their replies.

use std::collections::VecDeque;

use cardiogram_policies::Time;

/// More than any policy keeps in mind, and few enough that no two have the same number on the wire.
const MAX: usize = 1_024;
const _: () = assert!(MAX <= 1 << u16::BITS);

/// Heartbeats sent and not answered, the oldest first, with the time of sending. Policies number them in order, and
/// replies carry the lower 16 bits of them.
#[derive(Default)]
pub(super) struct Outstanding(VecDeque<(u32, Time)>);

impl Outstanding {
    pub(super) fn sent(&mut self, id: u32, now: Time) {
        if self.0.len() == MAX {
            self.0.pop_front();
        }
        self.0.push_back((id, now));
    }

    /// Returns the heartbeat that a reply is for, by the part of its number that is on the wire. It and all before it are
    /// waited for no more.
    pub(super) fn answered(&mut self, id: u16) -> Option<(u32, Time)> {
        let at = self.0.iter().position(|(sent, _)| *sent as u16 == id)?;
        self.0.drain(..=at).next_back()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_finds_its_heartbeat_when_the_number_on_the_wire_has_begun_anew() {
        let mut outstanding = Outstanding::default();
        let first = 3 * (1 << u16::BITS) - 1_000;
        for id in first..first + 2_000 {
            outstanding.sent(id, Time::from_secs(id.into()));
        }
        // The oldest have been dropped.
        let first = first + 2_000 - 1_024;
        assert_eq!(outstanding.answered((first - 1) as u16), None);
        assert_eq!(outstanding.answered(first as u16), Some((first, Time::from_secs(first.into()))));
        let wrapped = 3 * (1 << u16::BITS) + 5;
        assert_eq!(outstanding.answered(5), Some((wrapped, Time::from_secs(wrapped.into()))));
        assert_eq!(outstanding.answered(4), None, "what was sent before an answered one is waited for no more");
    }
}
