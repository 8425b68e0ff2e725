//! The worst moment of a run, as the servers' operators know it: how many sessions were held at once. (The most connection
//! attempts in one second are counted by `series`.)

use cardiogram_policies::Time;

use crate::record::trace::{Clue, Fact, ServerEvent};

/// Returns the most sessions that all servers together hold at once, the ones that their devices have left included. What
/// happens at one moment happens at once.
pub(crate) fn sessions<'a>(clues: impl Iterator<Item = &'a [(Time, Clue)]>) -> u64 {
    let change = |(at, clue): &(Time, Clue)| match clue {
        Clue::Fact(Fact::Server { event: ServerEvent::SessionOpened { .. }, .. }) => Some((*at, 1)),
        Clue::Fact(Fact::Server { event: ServerEvent::SessionClosed { .. }, .. }) => Some((*at, -1)),
        _ => None,
    };
    let mut changes: Vec<(Time, i64)> = clues.flatten().filter_map(change).collect();
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
    fn sessions_are_summed_over_servers_and_changes_of_one_moment_are_one() {
        let fact = |at, server, open: bool| {
            let (device, network, outside) = (0, 0, 1);
            let event = if open {
                ServerEvent::SessionOpened { device, network, outside }
            } else {
                ServerEvent::SessionClosed { device, network, outside }
            };
            (Time::from_secs(at), Clue::Fact(Fact::Server { server, event }))
        };
        let first = [fact(1, 0, true), fact(2, 0, true), fact(3, 0, false), fact(3, 0, true), fact(4, 0, false)];
        let second = [fact(2, 1, true), fact(4, 1, true)];
        assert_eq!(sessions([&first[..], &second[..]].into_iter()), 3);
        assert_eq!(sessions(std::iter::empty()), 0);
    }
}
