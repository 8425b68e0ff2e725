//! No NAT that keeps idle mappings for long enough ever forgets a session.
//!
//! Tested where nothing else is wrong and every NAT's timeout is at least the promised one. NATs that only data refreshes
//! are left out: there even an answered beat refreshes in one direction alone. So are hosts that put timers off: there it is
//! the host that decides when a beat is sent.

use std::time::Duration;

use cardiogram_policies::unit::format_duration;
use cardiogram_sim::{config::NatRefresh, outcome::Cause};

use super::{Evidence, Judgement};

pub(super) fn judge(evidence: &Evidence<'_>, timeout: Duration) -> Judgement {
    let world = evidence.world();
    let keeps = world.nat.iter().all(|nat| nat.refresh != NatRefresh::DataOnly && nat.established.min() >= timeout);
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
