//! The worst moment of a run, as the servers' operators know it: how many sessions were held at once. (The most connection
//! attempts in one second are counted by `series`.)

use cardiogram_policies::Time;

/// The sessions that all servers together hold, the ones that their devices have left included.
#[derive(Default)]
pub(crate) struct Sessions {
    /// The moment up to which it is told, and what changes in it.
    now: Time,
    change: i64,
    /// How many were held before.
    held: i64,
    peak: i64,
}

impl Sessions {
    /// One more is held from `at` on, or one less. Calls are in the order of time; what happens at one moment happens at once.
    pub(crate) fn hear(&mut self, at: Time, change: i64) {
        if at != self.now {
            self.pass();
            self.now = at;
        }
        self.change += change;
    }

    /// Returns the most that were held at once.
    pub(crate) fn peak(mut self) -> u64 {
        self.pass();
        self.peak.cast_unsigned()
    }

    fn pass(&mut self) {
        self.held += std::mem::take(&mut self.change);
        self.peak = self.peak.max(self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_one_moment_are_one() {
        let peak = |changes: &[(u64, i64)]| {
            let mut sessions = Sessions::default();
            for (at, change) in changes {
                sessions.hear(Time::from_secs(*at), *change);
            }
            sessions.peak()
        };
        assert_eq!(peak(&[(1, 1), (2, 1), (2, 1), (3, -1), (3, 1), (4, -1), (4, 1)]), 3);
        assert_eq!(peak(&[(1, 1), (2, 1), (2, -1)]), 1);
        assert_eq!(peak(&[]), 0);
    }
}
