//! The worst moments of a run, as the servers' operators know them: connection attempts in one second, sessions held at
//! once.

use cardiogram_policies::Time;

use crate::trace::{Fact, ServerEvent};

/// Counts what happens in each whole second of the run and keeps the most. Times must not run backwards.
#[derive(Default)]
pub(crate) struct PerSecond {
    second: u64,
    count: u64,
    most: u64,
}

impl PerSecond {
    /// It happens.
    pub(crate) fn count(&mut self, now: Time) {
        let second = now.as_micros() / 1_000_000;
        if second != self.second {
            (self.second, self.count) = (second, 0);
        }
        self.count += 1;
        self.most = self.most.max(self.count);
    }

    /// The most in any second.
    pub(crate) const fn most(&self) -> u64 {
        self.most
    }
}

/// The most sessions that all servers together hold at once, the ones that their devices have left included. What happens
/// at one moment happens at once.
pub(crate) fn sessions<'a>(facts: impl Iterator<Item = &'a [(Time, Fact)]>) -> u64 {
    let change = |(at, fact): &(Time, Fact)| match fact {
        Fact::Server { event: ServerEvent::SessionOpened { .. }, .. } => Some((*at, 1)),
        Fact::Server { event: ServerEvent::SessionClosed { .. }, .. } => Some((*at, -1)),
        _ => None,
    };
    let mut changes: Vec<(Time, i64)> = facts.flatten().filter_map(change).collect();
    changes.sort_unstable();
    let moments = changes.chunk_by(|a, b| a.0 == b.0).map(|moment| moment.iter().map(|(_, change)| change).sum());
    let held = moments.scan(0_i64, |held, change: i64| {
        *held += change;
        Some(*held)
    });
    held.max().unwrap_or(0).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_a_whole_one_of_the_run() {
        let mut attempts = PerSecond::default();
        for ms in [900, 999, 1_000, 1_500, 1_999, 2_000, 7_000] {
            attempts.count(Time::from_millis(ms));
        }
        assert_eq!(attempts.most(), 3);
        assert_eq!(PerSecond::default().most(), 0);
    }

    #[test]
    fn sessions_are_summed_over_servers_and_changes_of_one_moment_are_one() {
        let fact = |at, server, open: bool| {
            let (device, network, outside) = (0, 0, 1);
            let event = if open {
                ServerEvent::SessionOpened { device, network, outside }
            } else {
                ServerEvent::SessionClosed { device, network, outside }
            };
            (Time::from_secs(at), Fact::Server { server, event })
        };
        let first = [fact(1, 0, true), fact(2, 0, true), fact(3, 0, false), fact(3, 0, true), fact(4, 0, false)];
        let second = [fact(2, 1, true), fact(4, 1, true)];
        assert_eq!(sessions([&first[..], &second[..]].into_iter()), 3);
        assert_eq!(sessions(std::iter::empty()), 0);
    }
}
