//! Time without a session and who is to blame for it, for worlds small enough to be worked out by hand. One test for each way
//! in which a device loses time.
//!
//! The usual device has its session at 0.2 s, beats every 30 s from 30.2 s on, gives up after 10 s without a reply, and needs
//! 0.2 s for a new session. From its first attempt at 0 to 0.2 s it is connecting.

use std::time::Duration;

use cardiogram_policies::{
    HeartbeatSpec, ReconnectSpec, Time,
    reconnect::{FixedDelay, GiveUpAfter},
    unit::{Delay, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{Attach, Cost, DevicesConfig, DozeConfig, FaultConfig, IdleAlarms, LifeConfig, OldSockets, TcpStack},
    outcome::Downtime,
};
use kit::common::*;

/// When things go wrong.
const BEGIN: Time = Time::from_secs(100);

fn usual_world() -> WorldConfig {
    WorldConfig { duration: secs(600), ..world(fixed(secs(30), secs(10), 1)) }
}

/// Returns the parts in milliseconds: unavoidable, unnoticed, waiting, connecting. The device starts at 0, so that its whole
/// time is usable or down.
fn parts(outcome: &Outcome) -> [u128; 4] {
    let Downtime { unavoidable, unnoticed, waiting, connecting, .. } = outcome.downtime;
    assert_eq!(outcome.usable_time + outcome.downtime.total(), outcome.device_time);
    [unavoidable, unnoticed, waiting, connecting].map(|part| {
        assert_eq!(part.subsec_micros() % 1_000, 0);
        part.as_millis()
    })
}

#[test]
fn a_healthy_world_costs_the_time_of_the_first_connection() {
    assert_eq!(parts(&go(&usual_world(), 1)), [0, 0, 0, 200]);
}

/// A cut of 60 s from 100 s on, noticed at 130.2 s. After each failed attempt of 10 s the device waits 10 s, so that it tries
/// at 140.2 s, and at 160.2 s comes through.
#[test]
fn nobody_is_to_blame_for_a_cut_but_for_what_follows_it() {
    let mut world = usual_world();
    world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(10) });
    world.faults = vec![cut(BEGIN, Some(secs(60)))];
    assert_eq!(parts(&go(&world, 1)), [60_000, 0, 200, 200 + 200]);
}

/// A cut of 20 s, which is over before the beat of 120.2 s: nothing is left to blame anybody for.
#[test]
fn a_cut_that_is_ridden_out_is_unavoidable_to_its_end() {
    let mut world = usual_world();
    world.faults = vec![cut(BEGIN, Some(secs(20)))];
    assert_eq!(parts(&go(&world, 1)), [20_000, 0, 0, 200]);
}

/// Forgotten at 100 s, noticed at 130.2 s: a new connection would have worked all the time.
#[test]
fn a_forgotten_mapping_is_unnoticed_until_the_device_gives_up() {
    let mut world = usual_world();
    world.faults = vec![flush(BEGIN)];
    assert_eq!(parts(&go(&world, 1)), [0, 30_200, 0, 200 + 200]);
}

/// A reply takes 100 ms, and the device is out of patience after 50: it leaves each session 30.05 s after it was welcomed,
/// and needs 0.2 s for the next. The last begins at 574.95 s + 0.2 s.
#[test]
fn a_false_alarm_costs_the_next_connection() {
    let mut world = usual_world();
    world.strategy.heartbeat = fixed(secs(30), millis(50), 1);
    let outcome = go(&world, 1);
    let alarms = outcome.false_alarms.len() as u128;
    assert_eq!(alarms, 19, "600 s / 30.25 s");
    assert_eq!(parts(&outcome), [0, 0, 0, 200 * (1 + alarms)]);
}

/// The process is dead from 100 s to 110 s. The one attempt that the device allows itself is refused, half a round trip there
/// and half back; from 110 s on its silence is its own fault.
#[test]
fn a_client_that_gives_up_for_good_waits_to_the_end() {
    let mut world = usual_world();
    world.strategy.reconnect_rules.give_up =
        Some(GiveUpAfter { attempts: Some(1), attempts_per_server: None, time: None });
    world.faults = vec![FaultConfig::ServerCrash(server_fault(BEGIN, Some(secs(10))))];
    assert_eq!(parts(&go(&world, 1)), [10_000, 0, 490_000, 200]);
}

/// 500 devices lose their server for 10 s, and their logins take 40 ms each of one core: the queue is what they wait for.
#[test]
fn in_a_storm_most_is_lost_to_connecting() {
    let mut world = usual_world();
    world.duration = secs(200);
    world.devices = DevicesConfig { count: 500, start_within: Delay::millis(60_000), ..world.devices };
    world.server.accept_cost = Cost::constant(millis(40));
    world.strategy.connect_timeout = Span::secs(60);
    world.faults = vec![FaultConfig::ServerCrash(server_fault(BEGIN, Some(secs(10))))];
    let Downtime { unavoidable, unnoticed, waiting, connecting, .. } = go(&world, 1).downtime;
    assert!(unavoidable > secs(4_990) && unavoidable < secs(5_001), "{unavoidable:?}");
    assert!(connecting > 10 * (unnoticed + waiting), "{connecting:?} against {unnoticed:?} and {waiting:?}");
    assert!(connecting > secs(500 * 500 / 2 / 25), "the mean device waits for half of the queue: {connecting:?}");
}

/// Beats of 270 s come only every 540 s in a doze, and the NAT forgets after 300 s. The mapping was last used at 810.32 s, by
/// the acknowledgement of a reply, and the beat that tells comes at 1350.2 s; the timer of its reply is
/// put off to the next alarm, too.
#[test]
fn what_a_doze_puts_off_is_unnoticed() {
    let doze = Some(DozeConfig { after: Span::secs(600), alarms: IdleAlarms::default(), ..DozeConfig::default() });
    let mut world = WorldConfig { duration: secs(2_000), ..world(fixed(secs(270), secs(10), 1)) };
    world.life = LifeConfig { doze, ..LifeConfig::default() };
    world.nat[0].established = Span::secs(300).into();
    // Forgotten at 1110.32 s, noticed at the alarm of 1890.2 s.
    assert_eq!(parts(&go(&world, 1)), [0, 1_890_200 - 1_110_320, 0, 200 + 200]);
}

/// From 100 s to 150 s there is no network; the system ends the connections of the old one at once.
#[test]
fn without_a_network_nobody_is_to_blame() {
    let mut world = usual_world();
    let attach = |at: u64, to: &str| Attach {
        at: Delay::millis(at * 1_000),
        to: to.into(),
        gap: None,
        old_sockets: OldSockets::Abort,
    };
    world.life.attach = vec![attach(100, "none"), attach(150, "main")];
    assert_eq!(parts(&go(&world, 1)), [50_000, 0, 0, 200 + 200]);
}

/// The server hangs for good at 100 s. Its host goes on acknowledging, so only a heartbeat could tell; as long as it is the
/// only server, that would help nobody.
#[test]
fn the_only_server_that_hangs_is_nobodys_fault_and_one_of_two_is() {
    let mut world = usual_world();
    world.strategy.heartbeat = HeartbeatSpec::None;
    world.faults = vec![FaultConfig::ServerStall(server_fault(BEGIN, None))];
    assert_eq!(parts(&go(&world, 1)), [500_000, 0, 0, 200]);
    world.server.count = 2;
    let mut stall = server_fault(BEGIN, None);
    stall.server = Some(0);
    world.faults = vec![FaultConfig::ServerStall(stall)];
    assert_eq!(parts(&go(&world, 1)), [0, 500_000, 0, 200]);
}

/// The first attempt is what begins the downtime: a device that is not there yet misses nothing.
#[test]
fn a_device_that_has_not_begun_is_not_down() {
    let mut world = usual_world();
    world.devices =
        DevicesConfig { start_within: Delay::millis(60_000), tcp: TcpStack::LinuxNew.into(), ..world.devices };
    let outcome = go(&world, 3);
    assert!(outcome.device_time < secs(600));
    assert_eq!(outcome.downtime.total(), Duration::from_millis(200));
}
