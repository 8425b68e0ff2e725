//! The validation cases of the environment's description, each at the boundary of the world: who learns what, when, and by
//! which packet. Where a case is about a box that has a preset, it is the preset that is put to the test, as a scenario
//! would name it; the rows that need none are tested where their part of the world is.
//!
//! | case | expected | test |
//! |---|---|---|
//! | idle 301 s on `cn-mobile-2g3g`, then a push | lost in silence, the server's retransmissions | [`idle_past_a_carriers_timeout_a_push_is_lost_in_silence`]; to the end of the series: `drop_silent_loses_a_push_and_tells_nobody` in `environment.rs` |
//! | idle 400 s on `aws-natgw`, then a beat | RST from the NAT, the server is stale | [`idle_past_a_cloud_nats_timeout_a_beat_draws_its_reset`] |
//! | Linux router loses its table, then a beat | survives | [`a_beat_mends_what_a_linux_router_has_lost`] |
//! | the same, then a push, and the router answers | RST to the server now, to the client one round trip after its next beat | [`a_router_that_answers_resets_the_server_and_then_the_client`] |
//! | the same, then a push, and a beat 60 s later | the push is delivered | [`a_push_into_a_lost_table_arrives_after_the_next_beat`] |
//! | random ports, table lost, then a beat | RST in a round trip; a zombie until the server's timer | [`a_new_port_leaves_a_zombie_until_the_servers_timer`] |
//! | keepalive 5/5/3, user timeout 40 s, cut | end at 40 s after 7 probes | `keepalive_gives_up_by_count_or_by_user_timeout` in `environment.rs` |
//! | data and keepalive 5/5/3, cut | no probes, end at 924.6 to 1044 s | `keepalive_is_inert_while_data_is_unacknowledged` in `environment.rs` |
//! | SYN into a black hole, new kernel | 11 SYNs, the end at 131 s | `syns_into_a_black_hole_follow_the_kernels_schedule` in `environment.rs` |
//! | backlog 2, nobody accepts | 3 established, the others in SYN-SENT | `a_full_accept_queue_drops_syns` in `environment.rs` |
//! | LTE, a beat every 270 s for 24 h | 4.06 kJ, 320 tails | [`a_day_of_beats_on_lte_costs_what_the_table_says`] |
//! | LTE, a beat every 10 s | never asleep, 1.06 W | the same |
//! | a deaf server | keepalive is content for ever, the application's beat fails | `tcp_keepalive_never_notices_a_deaf_server` and `an_app_heartbeat_notices_a_deaf_server_within_interval_and_timeout` in `liveness.rs` |

use std::time::Duration;

use cardiogram_policies::{
    HeartbeatSpec, ReconnectSpec, Time,
    reconnect::FixedDelay,
    server::IdleReaper,
    unit::{Delay, Span},
};
use cardiogram_scenarios::network;
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{NatConfig, RadioConfig},
    outcome::Cause,
    packet::Flags,
    trace::{DeviceEvent, DropReason, NatEvent, NodeId, What},
};
use kit::common::*;

fn nat(preset: &str) -> NatConfig {
    network::networks().nat[preset].config.clone()
}

/// One session behind a NAT of that name: whoever loses it waits until the run is over.
fn behind(preset: &str, heartbeat: HeartbeatSpec) -> WorldConfig {
    let mut world = world(heartbeat);
    world.duration = secs(2_000);
    world.nat[0] = nat(preset);
    world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: span(Duration::from_hours(24)) });
    world
}

/// Returns a beat after so many seconds of a session, and every so many seconds.
fn beats(every: u64) -> HeartbeatSpec {
    fixed(secs(every), secs(every), 1)
}

fn resets(outcome: &Outcome, by: NodeId) -> Vec<Time> {
    received(outcome, by).into_iter().filter(|(_, packet)| packet.flags.has(Flags::RST)).map(|(at, _)| at).collect()
}

/// Returns what the NAT threw away because it had no mapping for it.
fn unmapped(outcome: &Outcome) -> Vec<Time> {
    let dropped = entries(outcome).iter().filter(|entry| entry.node == NAT);
    dropped
        .filter(|entry| matches!(entry.what, What::Dropped { reason: DropReason::NoMapping, .. }))
        .map(|entry| entry.at)
        .collect()
}

/// Returns the world's run with the first seed whose only push before `until` is created at a moment that `fits`; and the
/// moment.
fn with_push(world: &WorldConfig, until: Time, fits: impl Fn(Time) -> bool) -> (Outcome, Time) {
    let world = {
        let mut world = world.clone();
        world.traffic.down = Some(Span::secs(400).into());
        world
    };
    // A NAT that forgets nothing tells when pushes are created, which does not depend on what becomes of them.
    let well = WorldConfig { nat: vec![NatConfig::default()], faults: Vec::new(), ..world.clone() };
    let alone = |seed: u64| {
        let pushes = created_pushes(&go_traced(&well, seed));
        let push = *pushes.first()?;
        (fits(push) && pushes.get(1).is_none_or(|second| *second > until)).then_some((seed, push))
    };
    let (seed, push) = (0..5_000).find_map(alone).expect("some seed has such a push");
    (go_traced(&world, seed), push)
}

/// When the table is lost, in the cases where it is.
const LOST: Time = Time::from_secs(50);

#[test]
fn idle_past_a_carriers_timeout_a_push_is_lost_in_silence() {
    let world = behind("cn-mobile-2g3g", HeartbeatSpec::None);
    // 300 s after the last packet of the login, which passes the NAT at 0.22 s.
    let expired = Time::from_millis(300_220);
    let (outcome, push) = with_push(&world, Time::from_secs(600), |push| push > expired && push < Time::from_secs(500));
    assert_eq!(only_episode(&outcome), (expired, Cause::NatExpiry, None));
    let series = [0, 300, 600, 1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 76_800];
    let series: Vec<Time> = series.iter().map(|ms| push + CORE + millis(*ms)).collect();
    assert_eq!(unmapped(&outcome)[..series.len()], series);
    assert_eq!((resets(&outcome, DEVICES), resets(&outcome, SERVER)), (vec![], vec![]));
    assert!(received(&outcome, DEVICES).into_iter().all(|(at, _)| at < expired));
}

#[test]
fn idle_past_a_cloud_nats_timeout_a_beat_draws_its_reset() {
    let outcome = go_traced(&behind("aws-natgw", beats(400)), 1);
    let told = Time::from_millis(400_200) + 2 * ACCESS;
    assert_eq!(only_episode(&outcome), (Time::from_millis(350_220), Cause::NatExpiry, Some(reset(told))));
    assert_eq!((resets(&outcome, DEVICES), resets(&outcome, SERVER)), (vec![told], vec![]));
    assert_eq!(sessions_closed(&outcome), []);
}

#[test]
fn a_beat_mends_what_a_linux_router_has_lost() {
    let mut world = behind("home-linux", beats(100));
    world.faults = vec![flush(LOST)];
    let outcome = go_traced(&world, 1);
    assert_eq!((&outcome.episodes[..], &outcome.false_alarms[..]), (&[][..], &[][..]));
    assert_eq!(outcome.totals.heartbeats_answered, outcome.totals.heartbeats_sent);
    let mut made = nat_events(&outcome).filter_map(|(at, event)| match event {
        NatEvent::Created { outside } => Some((at, outside)),
        _ => None,
    });
    let (first, again) = (made.next().expect("made"), made.next().expect("and made again"));
    assert_eq!((again.0, again.1), (Time::from_millis(100_200) + ACCESS, first.1));
}

#[test]
fn a_router_that_answers_resets_the_server_and_then_the_client() {
    let mut world = behind("home-openwrt", beats(200));
    world.faults = vec![flush(LOST)];
    let beat = Time::from_millis(200_200);
    let (outcome, push) = with_push(&world, beat, |push| push > LOST && push < beat - secs(1));
    assert_eq!(sessions_closed(&outcome), [push + 2 * CORE]);
    assert_eq!(only_episode(&outcome), (push + 2 * CORE, Cause::NatFlush, Some(reset(beat + RTT))));
    assert_eq!((resets(&outcome, SERVER), resets(&outcome, DEVICES)), (vec![push + 2 * CORE], vec![beat + RTT]));
}

/// On real Linux the reply to the beat may bring the push sooner, by fast retransmission, which this TCP does not have: here
/// it comes with its own next repetition.
#[test]
fn a_push_into_a_lost_table_arrives_after_the_next_beat() {
    let mut world = behind("home-linux", beats(200));
    world.faults = vec![flush(LOST)];
    let beat = Time::from_millis(200_200);
    let (outcome, push) = with_push(&world, beat + secs(60), |push| push < beat - secs(59) && push > beat - secs(61));
    let delivered = device_events(&outcome).find_map(|(at, _, event)| match event {
        DeviceEvent::MessageDelivered { id: 0, .. } => Some(at),
        _ => None,
    });
    // Its repetitions come after 0.3 s, 0.6 s and so on: the last in vain 38.4 s after the push.
    assert_eq!(delivered, Some(push + millis(76_800) + RTT / 2));
    assert_eq!(unmapped(&outcome).len(), 9);
    assert_eq!((outcome.episodes.len(), outcome.false_alarms.len()), (0, 0));
}

#[test]
fn a_new_port_leaves_a_zombie_until_the_servers_timer() {
    let mut world = behind("cell-random-port", beats(100));
    world.faults = vec![flush(LOST)];
    world.strategy.server = IdleReaper::new(Span::secs(600), Delay::millis(10_000)).into();
    let outcome = go_traced(&world, 1);
    let told = Time::from_millis(100_200) + RTT;
    assert_eq!(only_episode(&outcome), (LOST, Cause::NatFlush, Some(reset(told))));
    assert_eq!((resets(&outcome, DEVICES), resets(&outcome, SERVER)), (vec![told], vec![]));
    // The session's last frame was its welcome, at 0.15 s.
    let reaped = Time::from_secs(610);
    assert_eq!(sessions_closed(&outcome), [reaped]);
    assert_eq!(outcome.zombie_time, reaped.since(told));
}

/// 12.66 J an isolated beat and its tail: 4.06 kJ a day. Every 10 s: nothing but tail, 1.06 W, 91.6 kJ. The preset's power
/// asleep comes on top; it is what no policy can change. To the nanojoule, from the packets: `radio.rs`.
#[test]
fn a_day_of_beats_on_lte_costs_what_the_table_says() {
    let day = Duration::from_hours(24);
    for (every, kilojoules, tails) in [(270, 4.06, 320), (10, 91.6, 1)] {
        let lte: RadioConfig = network::networks().radio["lte-2012"].config.clone();
        let asleep_mw = u128::from(lte.idle_mw);
        let heartbeat = fixed(secs(every), secs(5), 1);
        let world = WorldConfig { duration: day, radio: Some(lte), ..world(heartbeat) };
        let radio = go(&world, 1).radio.expect("the world has radios");
        let awake_nj = radio.energy_nj - asleep_mw * day.abs_diff(radio.on).as_micros();
        assert!((awake_nj as f64 / 1e12 / kilojoules - 1.0).abs() < 0.01, "every {every} s: {awake_nj} nJ");
        assert_eq!(radio.wakeups, tails, "every {every} s");
        if every == 10 {
            assert_eq!(radio.on, day);
        }
    }
}
