//! The server's policies at the boundary of the world: whom a server closes, when and with which packet, what it sends of
//! its own accord, and what its devices make of it. One test a mechanism.
//!
//! Times are worked out by hand on the path of `common`: 20 ms and 30 ms one way, so that a server opens the session of a
//! device that starts at zero at 0.15 s.

use std::time::Duration;

use cardiogram_policies::{
    AttemptFailure, CloseReason, HeartbeatSpec, LossReason, ReconnectSpec, ServerSpec, Time,
    heartbeat::{Composed, FirstBeat, Grid, Pace, ScheduleSpec},
    reconnect::FixedDelay,
    server::{Busy, Directed, IdleReaper, OnMalformed, PingAfter, Pings, Redirected, RefreshedBy, Resume, Strikes},
    unit::{Delay, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{Cost, FaultConfig, Login, Malformed, ServerFault},
    outcome::{Cause, DetectedBy, Detection},
    trace::{DeviceEvent, GoodbyeReason, ServerEvent},
};
use kit::common::*;

/// When the server opens the first session.
const OPENED: Time = Time::from_millis(150);

/// Returns a device that stays away once it has lost its session.
fn world_with(heartbeat: HeartbeatSpec, server: ServerSpec) -> WorldConfig {
    let mut world = one_session(heartbeat);
    world.strategy.server = server;
    world
}

/// Returns when the server's policy closed sessions for silence.
fn reaped(outcome: &Outcome) -> Vec<Time> {
    server_events(outcome).filter(|(_, event)| matches!(event, ServerEvent::Reaped { .. })).map(|(at, _)| at).collect()
}

/// Returns when it closed sessions for other reasons, and why.
fn expelled(outcome: &Outcome) -> Vec<(Time, CloseReason)> {
    let expelled = server_events(outcome).filter_map(|(at, event)| match event {
        ServerEvent::Expelled { reason, .. } => Some((at, reason)),
        _ => None,
    });
    expelled.collect()
}

fn pinged(outcome: &Outcome) -> Vec<Time> {
    server_events(outcome)
        .filter(|(_, event)| matches!(event, ServerEvent::PingSent { .. }))
        .map(|(at, _)| at)
        .collect()
}

fn times(outcome: &Outcome, wanted: fn(&DeviceEvent) -> bool) -> Vec<Time> {
    device_events(outcome).filter(|(.., event)| wanted(event)).map(|(at, ..)| at).collect()
}

fn connected(outcome: &Outcome) -> Vec<Time> {
    times(outcome, |event| matches!(event, DeviceEvent::Connected { .. }))
}

fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

/// MQTT: one and a half times what the client has announced, since what was received last; five minutes for who announces
/// nothing. The server's FIN is the first that it sends on its own.
#[test]
fn mqtt_closes_a_client_one_and_a_half_of_its_intervals_after_its_last_packet() {
    let reaper = IdleReaper {
        times_announced: Some(1.5),
        refreshed_by: RefreshedBy::Received,
        ..IdleReaper::new(Span::secs(300), Delay::ZERO)
    };
    let mut world = world_with(fixed(secs(60), secs(50), 9), reaper.into());
    world.faults = vec![cut(Time::from_secs(100), None)];
    let outcome = go_traced(&world, 1);
    assert_eq!(reaped(&outcome), [ms(60_250) + secs(90)]);
    world.strategy.heartbeat = HeartbeatSpec::None;
    assert_eq!(reaped(&go_traced(&world, 1)), [OPENED + secs(300)]);
}

/// A hello has room for the interval within its padding, and takes what it needs where it has none.
#[test]
fn a_hello_is_longer_only_where_it_says_more_than_fits() {
    let hello = |size: u16, times_announced: Option<f64>| {
        let reaper = IdleReaper { times_announced, ..IdleReaper::new(Span::secs(300), Delay::ZERO) };
        let mut world = world_with(fixed(secs(60), secs(10), 1), reaper.into());
        world.devices.frames.hello = size;
        let outcome = go_traced(&world, 1);
        received(&outcome, SERVER)
            .into_iter()
            .find_map(|(_, packet)| Some(packet.payload.len()).filter(|size| *size > 0))
    };
    assert_eq!([hello(11, None), hello(11, Some(1.5)), hello(64, Some(1.5))], [Some(11), Some(16), Some(64)]);
}

/// `ZooKeeper`: ten seconds since 0.15 s end in the bucket of 9 s to 12 s, which is emptied at its end.
#[test]
fn zookeeper_closes_sessions_at_the_next_tick() {
    let reaper = IdleReaper {
        refreshed_by: RefreshedBy::Received,
        bucketed: true,
        ..IdleReaper::new(Span::secs(10), Delay::millis(3_000))
    };
    let outcome = go_traced(&world_with(HeartbeatSpec::None, reaper.into()), 1);
    assert_eq!(reaped(&outcome), [Time::from_secs(12)]);
    let closed = Detection { at: ms(12_050), by: DetectedBy::Transport(LossReason::Closed) };
    assert_eq!(only_episode(&outcome), (Time::from_secs(12), Cause::ServerClosed, Some(closed)));
}

fn pings(interval: u64, after: PingAfter, timeout: Option<u64>) -> Pings {
    let (interval, timeout) = (Span::secs(interval), timeout.map(Span::secs));
    Pings {
        interval,
        after,
        timeout,
        misses: 1,
        answered: true,
        doubles_first: false,
        first: None,
        close_timeout: None,
    }
}

fn with_pings(pings: Pings) -> ServerSpec {
    ServerSpec { pings: Some(pings), ..ServerSpec::default() }
}

/// Engine.IO v4: 25 s after the pong, so that the period is a round trip longer; closed 20 s after a ping into the cut.
#[test]
fn engine_io_pings_25_s_after_the_pong_and_closes_20_s_after_a_ping() {
    let mut world = world_with(HeartbeatSpec::None, with_pings(pings(25, PingAfter::Pong, Some(20))));
    world.faults = vec![cut(Time::from_secs(60), None)];
    let outcome = go_traced(&world, 1);
    let first = OPENED + secs(25);
    let period = secs(25) + RTT;
    assert_eq!(pinged(&outcome), [first, first + period, first + 2 * period]);
    let answered = times(&outcome, |event| matches!(event, DeviceEvent::PingAnswered));
    assert_eq!(answered, [first + RTT / 2, first + period + RTT / 2]);
    let pongs = server_events(&outcome).filter(|(_, event)| *event == ServerEvent::PongReceived { device: 0 });
    assert_eq!(pongs.map(|(at, _)| at).collect::<Vec<_>>(), [first + RTT, first + period + RTT]);
    assert_eq!(expelled(&outcome), [(first + 2 * period + secs(20), CloseReason::NoPong)]);
}

/// python-websockets: every 20 s by the clock.
#[test]
fn python_websockets_pings_on_its_grid() {
    let mut world = world_with(HeartbeatSpec::None, with_pings(pings(20, PingAfter::Grid, Some(20))));
    world.duration = secs(100);
    let outcome = go_traced(&world, 1);
    assert_eq!(pinged(&outcome), [20, 40, 60, 80].map(|at| OPENED + secs(at)));
    assert_eq!(expelled(&outcome), []);
}

/// OpenSSH: three requests to who says nothing, one interval apart, and one more interval for the last.
#[test]
fn ssh_asks_three_times_before_it_closes() {
    let ssh = Pings { misses: 3, ..pings(15, PingAfter::Received, Some(15)) };
    let mut world = world_with(HeartbeatSpec::None, with_pings(ssh));
    world.faults = vec![cut(Time::from_secs(20), None)];
    let outcome = go_traced(&world, 1);
    let heard = OPENED + secs(15) + RTT;
    assert_eq!(pinged(&outcome), [OPENED + secs(15), heard + secs(15), heard + secs(30), heard + secs(45)]);
    assert_eq!(expelled(&outcome), [(heard + secs(60), CloseReason::NoPong)]);
}

/// Action Cable: the client hears from the server every 3 s and says nothing.
#[test]
fn notices_reach_the_client_and_nothing_comes_back_but_acknowledgements() {
    let notices = Pings { answered: false, ..pings(3, PingAfter::Grid, None) };
    let mut world = world_with(HeartbeatSpec::None, with_pings(notices));
    world.duration = secs(10);
    let outcome = go_traced(&world, 1);
    let heard = times(&outcome, |event| matches!(event, DeviceEvent::NoticeReceived));
    assert_eq!(heard, [3, 6, 9].map(|at| CONNECTED + secs(at)));
    let said = received(&outcome, SERVER).into_iter().filter(|(_, packet)| !packet.payload.is_empty());
    assert_eq!(said.count(), 1, "the hello");
}

/// MQTT 5's Server Keep Alive, and another interval after 100 s of the session.
#[test]
fn a_client_beats_as_it_is_told_with_the_welcome_and_later() {
    let grid = Grid { interval: Span::secs(60), shortest: None, first_beat: FirstBeat::Interval, unless_sent: false };
    let pace = Pace { directed: true, ..Pace::default() };
    let heartbeat = Composed { pace, ..Composed::new(ScheduleSpec::Grid(grid)) };
    let changes = vec![Redirected { after: Span::secs(100), interval: Span::secs(50) }];
    let directed = Directed { interval: Span::secs(30), changes };
    let server = ServerSpec { directed: Some(directed), ..ServerSpec::default() };
    let mut world = world_with(HeartbeatSpec::Composed(Box::new(heartbeat)), server);
    world.duration = secs(400);
    let outcome = go_traced(&world, 1);
    let beats = times(&outcome, |event| matches!(event, DeviceEvent::HeartbeatSent { .. }));
    assert_eq!(beats[..3], [30, 60, 90].map(|at| CONNECTED + secs(at)));
    assert!(beats[4..].windows(2).all(|pair| pair[1].since(pair[0]) == secs(50)), "{beats:?}");
    let told: Vec<_> = device_events(&outcome)
        .filter_map(|(at, _, event)| match event {
            DeviceEvent::Directed { interval } => Some((at, interval)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(CONNECTED, secs(30)), (CONNECTED + secs(100), secs(50))]);
}

/// gRPC: a beat a minute without data. The first is valid, the fourth is the third strike; the client is told, and knows why
/// its session ends.
#[test]
fn grpc_closes_whoever_pings_too_often_and_says_so() {
    let server = ServerSpec { strikes: Some(Strikes::default()), ..ServerSpec::default() };
    let outcome = go_traced(&world_with(fixed(secs(60), secs(10), 1), server), 1);
    let struck = ms(240_250);
    assert_eq!(expelled(&outcome), [(struck, CloseReason::TooManyPings)]);
    let told = struck + RTT / 2;
    let goodbye = DeviceEvent::GoodbyeReceived { reason: GoodbyeReason::TooManyPings, retry_after: None };
    assert!(device_events(&outcome).any(|event| event == (told, 0, goodbye)));
    let by = DetectedBy::Transport(LossReason::TooManyPings);
    assert_eq!(only_episode(&outcome), (struck, Cause::ServerClosed, Some(Detection { at: told, by })));
}

/// `[zhang]`: what makes no sense ends the session, without an answer; or is ignored.
#[test]
fn a_malformed_frame_closes_the_session_without_an_answer() {
    let mut world = world_with(HeartbeatSpec::None, ServerSpec::default());
    let sent_at = Time::from_secs(100);
    world.faults = vec![FaultConfig::Malformed(Malformed { devices: None, when: at(sent_at) })];
    let ignored = go_traced(&world, 1);
    assert_eq!((expelled(&ignored), ignored.episodes.len()), (vec![], 0));

    world.strategy.server.malformed = OnMalformed::Close;
    let outcome = go_traced(&world, 1);
    let arrived = sent_at + RTT / 2;
    assert_eq!(expelled(&outcome), [(arrived, CloseReason::Malformed)]);
    let said = sent(&outcome, SERVER).into_iter().filter(|(at, packet)| *at >= arrived && !packet.payload.is_empty());
    assert_eq!(said.count(), 0);
    let closed = Detection { at: arrived + RTT / 2, by: DetectedBy::Transport(LossReason::Closed) };
    assert_eq!(only_episode(&outcome), (arrived, Cause::ServerClosed, Some(closed)));
}

/// Five come at once, where one a second can log in: one gets in, two may wait, and two are turned away at once.
#[test]
fn a_busy_server_turns_away_who_comes_while_too_many_wait() {
    let busy = Busy { waiting: 1, retry_after: Span::secs(30) };
    let mut world = world_with(HeartbeatSpec::None, ServerSpec { busy: Some(busy), ..ServerSpec::default() });
    world.devices.count = 5;
    world.server.logins_per_s = Some(1);
    world.duration = secs(10);
    let outcome = go_traced(&world, 1);
    assert_eq!(connected(&outcome), [0, 1, 2].map(|place| CONNECTED + secs(place)));
    let goodbye = DeviceEvent::GoodbyeReceived { reason: GoodbyeReason::Busy, retry_after: Some(secs(30)) };
    let dropped = DeviceEvent::AttemptFailed(AttemptFailure::Dropped);
    for event in [goodbye, dropped] {
        let when: Vec<Time> = device_events(&outcome).filter(|it| it.2 == event).map(|(at, ..)| at).collect();
        assert_eq!(when, [CONNECTED; 2], "{event:?}");
    }
}

/// Ten come within a tenth of a second, where a login takes the only core for a second: those turned away hear of it after the
/// first round trip, and two logins are all that the server works on.
#[test]
fn to_turn_a_client_away_costs_no_login() {
    let busy = Busy { waiting: 1, retry_after: Span::secs(600) };
    let mut world = world_with(HeartbeatSpec::None, ServerSpec { busy: Some(busy), ..ServerSpec::default() });
    world.devices.count = 10;
    world.devices.start_within = Delay::millis(100);
    world.server.login = Some(Login { round_trips: 1, cpu: Cost::constant(secs(1)), ..Login::default() });
    world.duration = secs(60);
    let outcome = go_traced(&world, 1);
    assert_eq!(outcome.server_busy, secs(2));
    let welcomed = connected(&outcome);
    assert!(welcomed.len() == 2 && welcomed.iter().all(|at| *at <= Time::from_millis(2_100) + 3 * RTT), "{welcomed:?}");
    let started = |device| {
        device_events(&outcome).find(|it| it.1 == device && matches!(it.2, DeviceEvent::AttemptStarted { .. }))
    };
    let goodbyes: Vec<(Time, u32)> = device_events(&outcome)
        .filter(|it| matches!(it.2, DeviceEvent::GoodbyeReceived { .. }))
        .map(|(at, device, _)| (at, device))
        .collect();
    assert_eq!(goodbyes.len(), 8);
    for (at, device) in goodbyes {
        let (begun, ..) = started(device).expect("it came");
        assert_eq!(at.since(begun), 2 * RTT, "device {device}");
    }
}

/// Closed for a malformed frame, a device comes back: within the window without the login's round trips and work.
#[test]
fn who_comes_back_in_time_is_spared_the_login() {
    let mut world = world(HeartbeatSpec::None);
    world.server.login = Some(Login { round_trips: 2, cpu: Cost::constant(millis(10)), ..Login::default() });
    world.server.accept_cost = Cost::constant(millis(5));
    world.faults = vec![FaultConfig::Malformed(Malformed { devices: None, when: at(Time::from_secs(100)) })];
    world.strategy.server = ServerSpec {
        malformed: OnMalformed::Close,
        resume: Some(Resume { window: Span::secs(60) }),
        ..ServerSpec::default()
    };
    let back_after = |world: &WorldConfig| {
        let outcome = go_traced(world, 1);
        let resumed = server_events(&outcome).filter(|(_, event)| *event == ServerEvent::Resumed { device: 0 }).count();
        let attempts = times(&outcome, |event| matches!(event, DeviceEvent::AttemptStarted { .. }));
        let connected = connected(&outcome);
        (connected[1].since(attempts[1]), outcome.server_busy, resumed)
    };
    let full = 4 * RTT + millis(15);
    assert_eq!(back_after(&world), (2 * RTT + millis(5), millis(15 + 5), 1));
    world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(61) });
    assert_eq!(back_after(&world), (full, millis(15 + 15), 0), "too late");

    // What the server knew is gone with its process.
    world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(5) });
    let crash = ServerFault { lasts: Some(constant(secs(1))), ..server_fault(Time::from_secs(101), None) };
    world.faults.push(FaultConfig::ServerCrash(crash));
    assert_eq!(back_after(&world), (full, millis(15 + 15), 0), "after a crash");
}

/// Who promises that it closes the silent does, whatever the moment of the cut.
#[test]
fn a_silent_client_is_closed_as_promised() {
    let reaper = |refreshed_by| IdleReaper { refreshed_by, ..IdleReaper::new(Span::secs(90), Delay::millis(10_000)) };
    let servers = [
        reaper(RefreshedBy::Any).into(),
        reaper(RefreshedBy::Heartbeats).into(),
        with_pings(pings(25, PingAfter::Pong, Some(20))),
        with_pings(Pings { misses: 3, ..pings(15, PingAfter::Received, Some(15)) }),
        ServerSpec {
            idle_reaper: Some(reaper(RefreshedBy::Received)),
            ..with_pings(pings(20, PingAfter::Grid, Some(20)))
        },
    ];
    for server in servers {
        for stratum in 0..20 {
            let begin = Time::from_secs(500) + Duration::from_millis(2_000 * stratum);
            let mut world = world_with(fixed(secs(40), secs(10), 1), server.clone());
            world.faults = vec![cut(begin, None)];
            let within = server.reaps_within(world.strategy.heartbeat.announced_interval(), &world.bounds());
            let within = within.expect("all of these promise it");
            let outcome = go_traced(&world, 1);
            let closed = sessions_closed(&outcome);
            assert!(
                closed.len() == 1 && closed[0] > begin && closed[0].since(begin) <= within,
                "{server:?}: {closed:?}"
            );
        }
    }
}
