//! On a path on which nothing is ever wrong, no server closes the session of a device that lives: the patience of the one
//! end fits the habits of the other.
//!
//! Tested by sessions on such paths whose host is steady: where timers are put off, it is the host that is silent. A session
//! that a NAT has forgotten is dead, and one that its device has left is too; to close those is what a server is for.

use cardiogram_sim::trace::ServerEvent;

use super::{Evidence, Judgement};

pub(super) fn judge(evidence: &Evidence<'_>) -> Judgement {
    if !(evidence.is_healthy() && evidence.bounds().steady_host) {
        return Judgement::NotTested;
    }
    for (at, server, event) in evidence.server_events() {
        let (ServerEvent::Reaped { device, .. } | ServerEvent::Expelled { device, .. }) = event else { continue };
        // Its own session and no other of the device ended at that moment.
        let Some(session) = evidence.usable_of(device).find(|usable| usable.begin < at && usable.end == at) else {
            continue;
        };
        return Judgement::broken(
            at,
            device,
            "on a healthy path no server closes the session of a device that lives",
            format!(
                "server {server} closed the session of device {device} at {at} s, which was usable from {} s until then",
                session.begin
            ),
        );
    }
    Judgement::kept_if(evidence.outcome().totals.sessions > 0)
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::{CloseReason, Time};
    use cardiogram_sim::trace::Usable;

    use super::*;
    use crate::{Promised, testing::Story};

    const REAPED: ServerEvent = ServerEvent::Reaped { device: 0, network: 0, outside: 7 };

    /// Returns a session that was usable from 1 s to 90 s.
    fn told(story: Story, events: &[(u64, ServerEvent)]) -> Story {
        let mut story = story.told_by_server(events);
        let usable = Usable { device: 0, begin: Time::from_secs(1), end: Time::from_secs(90) };
        story.outcome.trace.as_mut().expect("it was kept").usable = vec![usable];
        story
    }

    #[test]
    fn who_lives_is_spared_and_who_is_dead_may_be_closed() {
        let reason = CloseReason::TooManyPings;
        let expelled = ServerEvent::Expelled { device: 0, network: 0, outside: 7, reason };
        for killed in [REAPED, expelled] {
            told(Story::healthy("none"), &[(90, killed)]).breaks(&Promised::NoFalseKill, 90);
            // It was not usable any more, or another one is.
            told(Story::healthy("none"), &[(91, killed)]).keeps(&Promised::NoFalseKill);
            told(Story::healthy("none"), &[(50, killed)]).keeps(&Promised::NoFalseKill);
        }
        told(Story::cut("none", ", lasts = \"1m\""), &[(90, REAPED)]).does_not_test(&Promised::NoFalseKill);
        let grid = Story::of("none", "life = { alarm_grid = \"5m\" }\ndevices = { count = 1 }");
        told(grid, &[(90, REAPED)]).does_not_test(&Promised::NoFalseKill);
    }

    #[test]
    fn the_lab_agrees_about_who_lived() {
        let listens = "traffic = { down = \"10s\" }\ndevices = { count = 1 }";
        let starved = Story::of("mqtt-starved", listens);
        assert!(matches!(starved.judge(&Promised::NoFalseKill), Judgement::Broken(_)));
        Story::of("mqtt-keepalive", listens).keeps(&Promised::NoFalseKill);
        // The session is dead since the NAT forgot it.
        let forgotten = "nat = { established = \"30s\" }\ndevices = { count = 1 }";
        Story::of("mqtt-keepalive", forgotten).keeps(&Promised::NoFalseKill);
    }
}
