//! The wake-up channel at the boundary of the world: when a server calls a device, when the call arrives, and what the device
//! does with it.
//!
//! Times are worked out by hand on the path of `common`: 20 ms and 30 ms one way. A wake-up takes 2 s.

use std::time::Duration;

use cardiogram_policies::{
    HeartbeatSpec, NetworkKind, ReconnectSpec, Time,
    reconnect::FixedDelay,
    unit::{Delay, Fraction, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{
        Carries, Direction, FaultConfig, LinkName, NetworkConfig, NetworkSwitch, OldSockets, ProcessKilled,
        RadioConfig, TailStage, Undelivered, WakeupConfig,
    },
    trace::{DeviceEvent, Fact, ServerEvent, What},
};
use kit::common::*;

const WAY: Duration = Duration::from_secs(2);
const RESTART: Time = Time::from_secs(100);

fn channel() -> WakeupConfig {
    WakeupConfig::of_delay(constant(WAY))
}

/// Returns a message every 10 min on average for a device whose server restarts at 100 s, and which then waits for an hour.
fn waiting() -> WorldConfig {
    let mut world = world(HeartbeatSpec::None);
    world.nat[0].established = constant(Duration::from_hours(24));
    world.traffic.down = Some(Span::secs(600).into());
    world.wakeup = Some(channel());
    world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(3_600) });
    world.faults = vec![FaultConfig::ServerRestart(server_fault(RESTART, Some(secs(5))))];
    world
}

/// Returns the same device with a session that nothing flows on from `begin` on, though neither end has been told.
fn cut_off(begin: Time, lasts: Option<Duration>) -> WorldConfig {
    let cut = cut_of(LinkName::Core, Direction::Down, begin, lasts);
    WorldConfig { faults: vec![cut], ..waiting() }
}

/// Returns when the messages for the device are created, those from the restart on; the same with and without faults.
fn messages(world: &WorldConfig) -> Vec<Time> {
    let healthy = WorldConfig { faults: Vec::new(), wakeup: None, ..world.clone() };
    let later: Vec<Time> = created_pushes(&go_traced(&healthy, 1)).into_iter().filter(|at| *at > RESTART).collect();
    assert!(later.len() > 3 && later[0] > RESTART + secs(10), "{later:?}");
    later
}

/// One of them that has two minutes for itself.
fn lone_message() -> Time {
    let messages = messages(&waiting());
    messages.windows(2).find(|pair| pair[1].since(pair[0]) > secs(120)).expect("a quiet stretch")[0]
}

fn times(outcome: &Outcome, wanted: fn(&DeviceEvent) -> bool) -> Vec<Time> {
    device_events(outcome).filter(|(.., event)| wanted(event)).map(|(at, ..)| at).collect()
}

fn woken(outcome: &Outcome) -> Vec<Time> {
    times(outcome, |event| matches!(event, DeviceEvent::Woken))
}

fn sessions(outcome: &Outcome) -> Vec<Time> {
    times(outcome, |event| matches!(event, DeviceEvent::Connected { .. }))
}

fn delivered(outcome: &Outcome) -> Vec<Time> {
    times(outcome, |event| matches!(event, DeviceEvent::MessageDelivered { .. }))
}

fn calls(outcome: &Outcome) -> Vec<Time> {
    let sent = entries(outcome).iter().filter_map(|entry| match entry.what {
        What::Fact(Fact::Server { event: ServerEvent::WakeupSent { .. }, .. }) => Some(entry.at),
        _ => None,
    });
    sent.collect()
}

/// The server has no session for the device when a message is created: it calls at once, the device connects when it hears,
/// an hour before it would have, and gets the message with its session.
#[test]
fn a_device_that_waits_is_woken_for_a_message_and_fetches_it() {
    let world = waiting();
    let message = messages(&world)[0];
    let outcome = go_traced(&world, 1);
    assert_eq!((calls(&outcome), woken(&outcome)), (vec![message], vec![message + WAY]));
    assert_eq!(sessions(&outcome)[1], message + WAY + 2 * RTT);
    assert!(delivered(&outcome).contains(&(message + WAY + 2 * RTT)));
    assert_eq!((outcome.totals.wakeups, outcome.totals.duplicates), (1, 0));

    let deaf = go(&WorldConfig { wakeup: None, ..world }, 1);
    assert_eq!((deaf.totals.sessions, deaf.totals.wakeups), (1, 0));
}

/// The platform starts an application that was killed for a wake-up, and so brings it back.
#[test]
fn a_killed_process_is_started_for_a_wake_up() {
    let kill = FaultConfig::ProcessKilled(ProcessKilled { devices: None, when: at(RESTART), lasts: None });
    let world = WorldConfig { faults: vec![kill], ..waiting() };
    let message = messages(&world)[0];
    let outcome = go_traced(&world, 1);
    let started = times(&outcome, |event| matches!(event, DeviceEvent::Started));
    assert_eq!((woken(&outcome), started), (vec![message + WAY], vec![message + WAY]));
    assert_eq!(sessions(&outcome)[1], message + WAY + 2 * RTT);
    assert!(delivered(&outcome).contains(&(message + WAY + 2 * RTT)));
}

/// The service keeps what a device without a network cannot get, and finds it on another network, at another address.
#[test]
fn a_wake_up_finds_the_device_on_its_next_network() {
    let mut world = waiting();
    let message = messages(&world)[0];
    let wifi = NetworkConfig { kind: NetworkKind::Wifi, access: link(ACCESS), radio: None, nat: world.nat.clone() };
    world.networks.insert("wifi".into(), wifi);
    let (when, gap, old_sockets) = (at(message + secs(1)), Some(constant(secs(60))), OldSockets::Abort);
    world.faults.push(FaultConfig::NetworkSwitch(NetworkSwitch {
        devices: None,
        when,
        to: Some("wifi".into()),
        lasts: None,
        gap,
        old_sockets,
    }));
    let outcome = go_traced(&world, 1);
    let back = message + secs(61);
    assert!((back..=back + Duration::from_micros(1)).contains(&woken(&outcome)[0]));
    assert_eq!(sessions(&outcome)[1], woken(&outcome)[0] + 2 * RTT);
}

/// Nothing passes a cut of the device's access link: the service keeps the call until its end.
#[test]
fn a_wake_up_waits_for_the_end_of_a_cut() {
    let mut world = waiting();
    let message = messages(&world)[0];
    // The call is under way when the cut begins.
    world.faults.push(cut_of(LinkName::Access, Direction::Both, message + secs(1), Some(secs(300))));
    let outcome = go_traced(&world, 1);
    let end = message + secs(301);
    assert_eq!((woken(&outcome)[0], sessions(&outcome)[1]), (end, end + 2 * RTT));
}

/// A process that is away calls for what was created meanwhile when it is back.
#[test]
fn a_server_calls_for_the_messages_of_its_absence_when_it_is_back() {
    let mut world = waiting();
    let message = messages(&world)[0];
    let back = message + secs(30);
    world.faults = vec![FaultConfig::ServerCrash(server_fault(RESTART, Some(back.since(RESTART))))];
    assert_eq!(calls(&go_traced(&world, 1))[0], back);
}

/// A message on a session from which no acknowledgement comes: the server calls 30 s after it sent it. The device believes
/// itself online and carries on; a signal changes nothing for it.
#[test]
fn a_device_that_believes_itself_online_carries_on() {
    let message = messages(&waiting())[0];
    let world = cut_off(message - secs(1), None);
    let outcome = go_traced(&world, 1);
    assert_eq!(calls(&outcome)[0], message + secs(30));
    assert_eq!(woken(&outcome)[0], message + secs(30) + WAY);
    assert_eq!(outcome.totals.connect_attempts, 1);
    assert!(delivered(&outcome).iter().all(|at| *at < message));
}

/// A wake-up that carries the message delivers it; what the long connection brings after that is told apart by its number.
#[test]
fn a_message_that_comes_both_ways_is_delivered_once() {
    let message = lone_message();
    let mut world = cut_off(message - secs(1), Some(secs(40)));
    world.wakeup = Some(WakeupConfig { carries: Carries::Message, ..channel() });
    let outcome = go_traced(&world, 1);
    let at = message + secs(30) + WAY;
    let around: Vec<Time> =
        delivered(&outcome).into_iter().filter(|it| *it >= message && *it < message + secs(120)).collect();
    assert_eq!(around, [at]);
    assert_eq!((outcome.totals.wakeups, outcome.totals.duplicates), (1, 1));
    assert_eq!(outcome.pushes.undelivered(), 0);
    // Its retransmission at 76.8 s is acknowledged, so that the server has nothing more to call for.
    assert_eq!(calls(&outcome), [message + secs(30)]);
}

/// Messages that wake-ups bring are delivered whatever is lost of them, each once, and all in the end.
#[test]
fn messages_whose_wake_up_is_lost_come_with_the_next_session() {
    let mut world = waiting();
    world.duration = Duration::from_hours(24);
    world.traffic.down = Some(Span::secs(60).into());
    world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(600) });
    world.faults = vec![FaultConfig::Cut(cardiogram_sim::config::Cut {
        devices: None,
        link: LinkName::Core,
        direction: Direction::Both,
        when: cardiogram_sim::config::When::Every(Span::secs(3_600)),
        lasts: Some(constant(secs(1_500))),
        answers: cardiogram_sim::config::Answer::Nothing,
        carrier: cardiogram_sim::config::Carrier::Kept,
    })];
    let half = Fraction::new(0.5).expect("within 0 to 1");
    world.wakeup = Some(WakeupConfig { carries: Carries::Message, loss: half, ..channel() });
    world.strategy.heartbeat = fixed(secs(60), secs(15), 1);
    let outcome = go_traced(&world, 1);
    let (sent, arrived) = (calls(&outcome).len() as f64, outcome.totals.wakeups as f64);
    assert!(sent > 200.0 && (arrived / sent - 0.5).abs() < 0.15, "{arrived} of {sent}");
    let ids = device_events(&outcome).filter_map(|(.., event)| match event {
        DeviceEvent::MessageDelivered { id, .. } => Some(id),
        _ => None,
    });
    let mut ids: Vec<u32> = ids.collect();
    let by_time = ids.clone();
    ids.sort_unstable();
    assert_ne!(ids, by_time, "one that was brought overtakes one whose wake-up was lost");
    let last = outcome.pushes.created as u32 - outcome.pushes.undelivered() as u32;
    assert_eq!(ids, (0..last).collect::<Vec<_>>());
    assert!(outcome.pushes.undelivered() < 30, "the run may end in a cut");
}

/// The service takes one call in a while; what is new by then is called for then.
#[test]
fn calls_keep_the_distance_that_the_service_wants() {
    let mut world = cut_off(RESTART, None);
    world.traffic.down = Some(Span::secs(10).into());
    let unlimited = calls(&go_traced(&world, 1));
    assert!(unlimited.len() > 250, "each message: {}", unlimited.len());
    world.wakeup = Some(WakeupConfig { every: Delay::millis(300_000), ..channel() });
    let limited = calls(&go_traced(&world, 1));
    assert!(limited.windows(2).all(|pair| pair[1].since(pair[0]) == secs(300)), "{limited:?}");
    assert_eq!(limited[0], unlimited[0]);
    assert!((11..=12).contains(&limited.len()));
}

/// An arriving wake-up has to wake the radio, and pays for it: the promotion, the packet and the whole tail, less the sleep
/// of that time.
#[test]
fn a_wake_up_costs_a_promotion_and_a_tail() {
    let message = lone_message();
    let mut world = cut_off(message - secs(1), None);
    world.duration = age(message) + secs(100);
    world.radio = Some(RadioConfig {
        promotion: Delay::millis(500),
        promotion_mw: 1_000,
        paging_cycle: Delay::ZERO,
        active_mw: 2_000,
        up_mw_per_mbps: 0,
        down_mw_per_mbps: 0,
        up_kbps: 10_000,
        down_kbps: 10_000,
        tail: vec![TailStage { lasts: Span::secs(10), mw: 400, carries_below: 0 }],
        idle_mw: 10,
    });
    let outcome = go_traced(&world, 1);
    assert_eq!(woken(&outcome), [message + secs(30) + WAY + millis(500)]);
    let without = go(&WorldConfig { wakeup: None, ..world }, 1);
    let (with, without) = (outcome.radio.expect("radios"), without.radio.expect("radios"));
    assert_eq!(with.wakeups - without.wakeups, 1);
    // 0.5 s at 1 W, 1 ms at 2 W, 10 s at 0.4 W; asleep that would have been 10.501 s at 10 mW.
    let nj_of = |mw: u128, micros: u128| mw * micros;
    let expected = nj_of(1_000, 500_000) + nj_of(2_000, 1_000) + nj_of(400, 10_000_000) - nj_of(10, 10_501_000);
    assert_eq!(with.energy_nj - without.energy_nj, expected);
}

/// What a wake-up channel cannot be, or not there, is named by its key.
#[test]
fn impossible_channels_are_refused_with_the_key_to_blame() {
    let paths = |world: &WorldConfig| -> Vec<String> { world.problems().into_iter().map(|it| it.path).collect() };
    let mut world = waiting();
    let delay = cardiogram_sim::config::Distribution::Exponential(cardiogram_sim::config::Exponential {
        mean: Span::secs(1),
        min: None,
    });
    world.wakeup = Some(WakeupConfig { bytes: 1, loss: Fraction::ONE, ..WakeupConfig::of_delay(delay) });
    assert_eq!(paths(&world), ["wakeup.delay", "wakeup.loss", "wakeup.bytes"]);

    let mut world = waiting();
    world.traffic.down = None;
    world.server.undelivered = Undelivered::Lost;
    world.server.count = 2;
    assert_eq!(paths(&world), ["wakeup", "server.undelivered", "server.count"]);
}
