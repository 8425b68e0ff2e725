//! No NAT that keeps idle mappings for long enough ever forgets a session.
//!
//! Tested where nothing else is wrong and every NAT's timeout is at least the promised one. NATs that only data refreshes
//! are left out: there even an answered beat refreshes in one direction alone. So are hosts that put timers off: there it is
//! the host that decides when a beat is sent.

use std::time::Duration;

use cardiogram_policies::unit::format_duration;
use cardiogram_sim::outcome::Cause;

use super::{Evidence, Judgement};

pub(super) fn judge(evidence: &Evidence<'_>, timeout: Duration) -> Judgement {
    let world = evidence.world();
    let keeps = world.nat.iter().all(|nat| !nat.refresh.wants_data() && nat.established.min() >= timeout);
    if !(keeps && evidence.is_healthy() && evidence.bounds().steady_host) {
        return Judgement::NotTested;
    }
    match evidence.outcome().episodes.iter().find(|episode| episode.cause == Cause::NatExpiry) {
        // A run that was over before any NAT could have forgotten anything says nothing.
        None => Judgement::kept_if(world.nat.iter().any(|nat| nat.established.min() < world.duration)),
        Some(episode) => Judgement::broken(
            episode.begin,
            episode.device,
            format!("no NAT that keeps idle mappings for {} or more forgets a session", format_duration(timeout)),
            format!("the NAT forgot the session of device {} at {} s", episode.device, episode.begin),
        ),
    }
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::Span;

    use crate::{Promised, testing::Story};

    #[test]
    fn an_interval_below_the_timeout_keeps_a_session_and_one_above_it_does_not() {
        let minutes = |minutes: u64| Promised::NatSafe(Span::secs(60 * minutes));
        Story::healthy("wechat-270").keeps(&minutes(5));
        // Forgotten five minutes after the last packet, with the first beat 20 min away.
        let forgotten = Story::healthy("none");
        assert!(matches!(forgotten.judge(&minutes(5)), crate::Judgement::Broken(_)));
        // This NAT is less than was promised for.
        forgotten.does_not_test(&minutes(6));
        Story::cut("none", "").does_not_test(&minutes(5));
        // No NAT could have forgotten anything.
        let patient = Story::of("none", "nat = { established = \"2h\" }\ndevices = { count = 1 }");
        patient.does_not_test(&minutes(5));
    }
}
