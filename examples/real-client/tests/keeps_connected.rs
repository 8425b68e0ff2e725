//! The client as a test of one's own has it: in the worlds that it has to live in.

use std::time::Duration;

use cardiogram::{net, sim::outcome::Cause};
use real_client::lab::guests;

#[test]
fn a_client_that_pings_every_four_minutes_outlives_a_nat_that_forgets_after_five() {
    for outcome in net::test("silent-nat", 3, &guests(Duration::from_secs(240))) {
        assert!(outcome.episodes.is_empty() && outcome.false_alarms.is_empty());
    }
}

/// It notices 60 s after the NAT has forgotten it, plus the 20 s that a pong may take.
#[test]
fn a_client_that_pings_every_six_minutes_is_dead_for_80_s_at_a_time() {
    for outcome in net::test("silent-nat", 3, &guests(Duration::from_secs(360))) {
        for episode in &outcome.episodes {
            assert_eq!(episode.cause, Cause::NatExpiry);
            let Some(detection) = episode.detection else { continue };
            let dead = detection.at.since(episode.begin);
            assert!((79..=81).contains(&dead.as_secs()), "{dead:?}");
        }
    }
}
