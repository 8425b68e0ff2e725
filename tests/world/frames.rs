//! A strategy's own frame sizes: what it says of its heartbeats and their answers is what goes over the wire, and nothing
//! else changes.

use std::time::Duration;

use cardiogram_policies::{
    Frames, HeartbeatSpec, ServerSpec,
    heartbeat::{Composed, ScheduleSpec},
    server::{PingAfter, Pings},
    unit::Span,
};
use cardiogram_sim::{Outcome, WorldConfig};
use kit::common::*;

/// Packets and bytes, up and down.
fn totals(outcome: &Outcome) -> [u64; 4] {
    let (up, down) = (outcome.totals.up, outcome.totals.down);
    [up.packets, up.bytes, down.packets, down.bytes]
}

/// Returns what `world` sends more if the strategy's frames are so large.
fn grown(world: &WorldConfig, heartbeat: u16, reply: u16) -> [u64; 4] {
    let mut large = world.clone();
    large.strategy.frames = Frames { heartbeat: Some(heartbeat), reply: Some(reply) };
    let (small, large) = (totals(&go(world, 1)), totals(&go(&large, 1)));
    std::array::from_fn(|place| large[place] - small[place])
}

/// A beat every 30 s for an hour, from shortly after the start: 119 of them, of 5 bytes each way by default.
#[test]
fn heartbeats_and_replies_have_the_strategy_s_sizes() {
    let world = world(fixed(secs(30), secs(15), 1));
    assert_eq!(grown(&world, 64, 128), [0, 119 * (64 - 5), 0, 119 * (128 - 5)]);
}

#[test]
fn the_server_s_pings_are_as_large_as_heartbeats_and_pongs_as_replies() {
    let mut world = world(HeartbeatSpec::Composed(Box::new(Composed::new(ScheduleSpec::PeerSends))));
    let pings = Pings {
        interval: Span::secs(30),
        after: PingAfter::Grid,
        timeout: None,
        misses: 1,
        answered: true,
        doubles_first: false,
        first: None,
        close_timeout: None,
    };
    world.strategy.server = ServerSpec { pings: Some(pings), ..ServerSpec::default() };
    assert_eq!(grown(&world, 64, 128), [0, 119 * (128 - 5), 0, 119 * (64 - 5)]);
}

#[test]
fn a_strategy_s_sizes_come_before_the_scenario_s_and_none_is_too_small_to_be_said() {
    let mut world = world(fixed(secs(30), secs(15), 1));
    world.duration = Duration::from_mins(10);
    let least = go(&world, 1);
    // The scenario's smallest heartbeat, and the default.
    assert_eq!((world.devices.frames.heartbeat, world.devices.frames.reply), (5, 5));
    (world.devices.frames.heartbeat, world.devices.frames.reply) = (200, 300);
    assert_ne!(go(&world, 1).trace_hash, least.trace_hash);
    world.strategy.frames = Frames { heartbeat: Some(1), reply: Some(1) };
    assert_eq!(go(&world, 1).trace_hash, least.trace_hash);
}
