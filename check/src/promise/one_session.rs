//! A device holds one session at a time: who connects anew has left the old one first.

use cardiogram_policies::Time;
use cardiogram_sim::trace::DeviceEvent;

use super::{Evidence, Judgement};

pub(super) fn judge(evidence: &Evidence<'_>) -> Judgement {
    for device in 0..evidence.world().devices.count {
        let mut held: Option<(u16, Time)> = None;
        for (at, event) in evidence.events_of(device) {
            match event {
                // A race replaces the session that it wins against.
                DeviceEvent::RaceStarted { .. } | DeviceEvent::Killed => held = None,
                DeviceEvent::GivenUp { port, .. } | DeviceEvent::Lost { port, .. }
                    if held.is_some_and(|(own, _)| own == port) =>
                {
                    held = None;
                }
                DeviceEvent::Connected { port, .. } => {
                    if let Some((other, since)) = held.filter(|(other, _)| *other != port) {
                        return Judgement::broken(
                            at,
                            device,
                            "a device holds one session at a time",
                            format!(
                                "device {device} was welcomed on port {port} at {at} s while it held the session of port \
                                 {other} of {since} s"
                            ),
                        );
                    }
                    held = Some((port, at));
                }
                _ => {}
            }
        }
    }
    Judgement::kept_if(evidence.outcome().totals.sessions > u64::from(evidence.world().devices.count))
}

#[cfg(test)]
mod tests {
    use crate::{
        Promised,
        testing::{Story, connected, given_up, lost},
    };

    /// Returns the story of one device, to which these events happened.
    fn told(events: &[(u64, DeviceEvent)]) -> Story {
        let mut story = Story::healthy("none").told(events);
        let is_session = |(_, event): &&(u64, DeviceEvent)| matches!(event, DeviceEvent::Connected { .. });
        story.outcome.totals.sessions = events.iter().filter(is_session).count() as u64;
        story
    }

    use super::*;

    #[test]
    fn a_second_session_beside_the_first_is_one_too_many() {
        told(&[(0, connected(1)), (50, connected(2))]).breaks(&Promised::OneSession, 50);
        // The end of another one does not count.
        told(&[(0, connected(1)), (40, lost(7)), (50, connected(2))]).breaks(&Promised::OneSession, 50);
        told(&[(0, connected(1)), (40, lost(1)), (50, connected(2))]).keeps(&Promised::OneSession);
        told(&[(0, connected(1)), (40, given_up(1)), (50, connected(2))]).keeps(&Promised::OneSession);
        told(&[(0, connected(1)), (40, DeviceEvent::Killed), (50, connected(2))]).keeps(&Promised::OneSession);
        let race = DeviceEvent::RaceStarted { port: 2, server: 0 };
        told(&[(0, connected(1)), (40, race), (50, connected(2))]).keeps(&Promised::OneSession);
        told(&[(0, connected(1))]).does_not_test(&Promised::OneSession);
    }
}
