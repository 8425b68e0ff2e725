//! The reference cases of the environment, at the boundary of the world: after a NAT has forgotten, a server has died or a
//! queue is full, who learns of it, when, and by which packet.
//!
//! Where a case was measured on Linux (three network namespaces: client, NAT, server), its comment says so; times are
//! those of ideal timers on this path of 20 ms and 30 ms.

use std::time::Duration;

use cardiogram_policies::{
    AttemptFailure, HeartbeatSpec, LossReason, Time,
    heartbeat::TcpKeepalive,
    unit::{Delay, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{FaultConfig, NatClass, NatConfig, TcpStack, TrafficConfig},
    outcome::{Cause, DetectedBy, Detection, EpisodeOutcome},
    packet::{Flags, Packet},
    trace::{DeviceEvent, DropReason, NatEvent},
};
use kit::common::*;

/// Returns a session whose mapping is gone when the first beat comes, at 100.2 s; its last packet passed the NAT at 0.22 s.
fn forgotten(class: NatClass) -> WorldConfig {
    let mut world = one_session(fixed(secs(100), secs(10), 1));
    world.nat[0].established = Span::secs(60).into();
    world.nat[0].after_expiry = class.into();
    world
}

const EXPIRED: Time = Time::from_millis(60_220);
const BEAT: Time = Time::from_millis(100_200);

fn resets(packets: &[(Time, &Packet)]) -> Vec<Time> {
    packets.iter().filter(|(_, packet)| packet.flags.has(Flags::RST)).map(|(at, _)| *at).collect()
}

fn by_transport(at: Time, reason: LossReason) -> Detection {
    Detection { at, by: DetectedBy::Transport(reason) }
}

/// Operator NAT, 300 s, drops in silence: a push after it has forgotten is lost, repeated at TCP's pace and lost again;
/// the device hears nothing, and the server's kernel is the one who gives up, 993.6 s after the push.
#[test]
fn drop_silent_loses_a_push_and_tells_nobody() {
    let mut world = one_session(HeartbeatSpec::None);
    world.nat[0].established = Span::secs(300).into();
    world.traffic.down = Some(Span::secs(3_000).into());
    // A seed whose first push comes after the expiry (and no second one in its way).
    let first_push_alone = |seed: &u64| {
        let patient = vec![NatConfig { established: span(world.duration).into(), ..NatConfig::default() }];
        let pushes = created_pushes(&go_traced(&WorldConfig { nat: patient, ..world.clone() }, *seed));
        matches!(pushes[..], [first, second, ..] if first > Time::from_secs(301) && second.since(first) > secs(1_000))
    };
    let outcome = go_traced(&world, (0..100).find(first_push_alone).expect("one in a few"));
    let expired = nat_events(&outcome).find(|(_, event)| *event == NatEvent::Expired).expect("it expires").0;
    assert_eq!(only_episode(&outcome), (expired, Cause::NatExpiry, None));

    let lost = dropped(&outcome, NAT);
    let push = lost[0].0 - CORE;
    assert!(push > expired);
    // 0.3 s, then twice as long each time up to 120 s; the last one at 873.6 s.
    let seconds =
        [0.0, 0.3, 0.6, 1.2, 2.4, 4.8, 9.6, 19.2, 38.4, 76.8, 153.6, 273.6, 393.6, 513.6, 633.6, 753.6, 873.6];
    let series: Vec<Time> = seconds.iter().map(|s| push + CORE + Duration::from_millis((s * 1e3) as u64)).collect();
    assert_eq!(lost.iter().map(|(at, _)| *at).collect::<Vec<_>>(), series);
    assert!(lost.iter().all(|(_, reason)| *reason == DropReason::NoMapping));
    assert_eq!(sessions_closed(&outcome), [push + millis(993_600)]);
    assert!(received(&outcome, DEVICES).iter().all(|(at, _)| *at < expired));
}

/// AWS NAT gateway, 350 s: RST to the inside when it sends late. The client knows in one round trip to the NAT; the
/// server keeps a stale session.
#[test]
fn rst_inside_tells_the_client_at_its_next_packet() {
    let mut world = forgotten(NatClass::RstInsideOnSend);
    world.strategy.heartbeat = fixed(secs(400), secs(10), 1);
    world.nat[0].established = Span::secs(350).into();
    let outcome = go_traced(&world, 1);
    let beat = Time::from_millis(400_200);
    let told = beat + 2 * ACCESS;
    assert_eq!(
        only_episode(&outcome),
        (Time::from_millis(350_220), Cause::NatExpiry, Some(by_transport(told, LossReason::Reset)))
    );
    assert_eq!(resets(&received(&outcome, DEVICES)), [told]);
    assert_eq!(dropped(&outcome, NAT), [(beat + ACCESS, DropReason::NoMapping)]);
    assert!(sessions_closed(&outcome).is_empty());
    assert_eq!(outcome.zombie_time, (Time::ZERO + world.duration).since(told));
}

/// A home router of Linux (variants A and D of the measurements): the client's next packet makes the same mapping again,
/// nothing is broken, and the session goes on.
#[test]
fn remap_same_port_survives_the_expiry() {
    let mut world = forgotten(NatClass::RemapSamePort);
    world.duration = secs(150);
    let outcome = go_traced(&world, 1);
    assert_eq!((&outcome.episodes[..], &outcome.false_alarms[..]), (&[][..], &[][..]));
    let events: Vec<(Time, NatEvent)> = nat_events(&outcome).collect();
    let [(opened, NatEvent::Created { outside: first }), expired, (again, NatEvent::Created { outside: second })] =
        events[..]
    else {
        panic!("made, forgotten, made again: {events:?}")
    };
    assert_eq!((opened, expired, again), (Time::ZERO + ACCESS, (EXPIRED, NatEvent::Expired), BEAT + ACCESS));
    assert_eq!(first, second);
    assert_eq!(outcome.totals.heartbeats_answered, 1);
    assert_eq!(outcome.usable_time, world.duration.saturating_sub(age(CONNECTED)));
}

/// The same router: a push that comes while the mapping is forgotten is dropped, and delivered by its own first repetition
/// after the client has sent something. (Measured, variant D. There a reply behind the lost push may bring it sooner:
/// fast retransmission, which this TCP does not have.)
#[test]
fn remap_same_port_delivers_a_pending_push_after_the_next_beat() {
    let mut world = forgotten(NatClass::RemapSamePort);
    world.traffic.down = Some(Span::secs(150).into());
    world.duration = secs(300);
    // A seed whose first push is created between the expiry and the beat.
    let outcome = (0..1_000)
        .map(|seed| go_traced(&world, seed))
        .find(|outcome| dropped(outcome, NAT).first().is_some_and(|(at, _)| *at < BEAT + ACCESS))
        .expect("some seed pushes in time");
    let push = dropped(&outcome, NAT)[0].0 - CORE;
    let again = (0..20)
        .map(|k| push + 3 * RTT * 2_u32.pow(k))
        .find(|at| *at + CORE >= BEAT + ACCESS)
        .expect("repetitions go on for longer than that");
    let delivered = device_events(&outcome).find_map(|(at, _, event)| match event {
        DeviceEvent::MessageDelivered { id: 0, .. } => Some(at),
        _ => None,
    });
    assert_eq!(delivered, Some(again + RTT / 2));
    assert_eq!(outcome.episodes, []);
}

/// The same router: the reply to that beat waits behind the lost push. A policy that has no patience for TCP's repair gives
/// up a session that is well, so none may promise not to.
#[test]
fn remap_same_port_holds_replies_back_behind_a_lost_push() {
    let mut world = forgotten(NatClass::RemapSamePort);
    world.strategy.heartbeat = fixed(secs(100), millis(150), 1);
    let no_false_alarm = |world: &WorldConfig| world.promises().no_false_alarm;
    assert!(no_false_alarm(&world) && go(&world, 1).false_alarms.is_empty());

    world.traffic.down = Some(Span::secs(150).into());
    assert!(!no_false_alarm(&world));
    assert!((0..20).any(|seed| !go(&world, seed).false_alarms.is_empty()));
}

/// A NAT with random ports (measured, variant B): the server does not know the new port and answers RST, the client knows
/// after one round trip, and the server's old socket stays.
#[test]
fn remap_new_port_tells_the_client_in_a_round_trip_and_the_server_never() {
    let outcome = go_traced(&forgotten(NatClass::RemapNewPort), 1);
    let told = BEAT + RTT;
    assert_eq!(only_episode(&outcome), (EXPIRED, Cause::NatExpiry, Some(by_transport(told, LossReason::Reset))));
    assert_eq!(resets(&sent(&outcome, SERVER)), [BEAT + RTT / 2]);
    assert_eq!(resets(&received(&outcome, DEVICES)), [told]);
    assert!(sessions_closed(&outcome).is_empty());
    assert_eq!(outcome.zombie_time, (Time::ZERO + Duration::from_hours(2)).since(told));
}

/// The server's process dies: its kernel says so at once, and refuses what comes.
#[test]
fn a_crash_sends_fin_at_once_and_refuses_new_connections() {
    let mut world = world(fixed(secs(30), secs(10), 1));
    let crash = Time::from_secs(50);
    world.duration = secs(50) + 2 * RTT;
    world.faults = vec![FaultConfig::ServerCrash(server_fault(crash, None))];
    let outcome = go_traced(&world, 1);
    let told = crash + RTT / 2;
    assert_eq!(only_episode(&outcome), (crash, Cause::ServerCrash, Some(by_transport(told, LossReason::Closed))));
    let fins: Vec<Time> =
        sent(&outcome, SERVER).iter().filter(|(_, p)| p.flags.has(Flags::FIN)).map(|(at, _)| *at).collect();
    assert_eq!(fins, [crash]);
    assert!(
        device_events(&outcome)
            .any(|event| event == (told + RTT, 0, DeviceEvent::AttemptFailed(AttemptFailure::Refused)))
    );
}

/// The server's host vanishes and comes back: silence until a packet of the old connection reaches the new kernel, which
/// answers RST.
#[test]
fn a_vanished_host_is_noticed_by_the_first_packet_after_its_return() {
    let mut world = one_session(fixed(secs(100), secs(100), 1));
    let vanish = Time::from_secs(150);
    world.faults = vec![FaultConfig::ServerVanish(server_fault(vanish, Some(secs(30))).into())];
    let outcome = go_traced(&world, 1);
    let told = Time::from_millis(200_200) + RTT;
    assert_eq!(only_episode(&outcome), (vanish, Cause::ServerVanish, Some(by_transport(told, LossReason::Reset))));
    assert!(sent(&outcome, SERVER).iter().all(|(at, _)| *at < vanish || *at == told - RTT / 2));
}

/// Without a heartbeat and without anything to say, nobody ever notices a host that vanished.
#[test]
fn a_vanished_host_is_not_noticed_by_the_silent() {
    let mut world = one_session(HeartbeatSpec::None);
    world.faults = vec![FaultConfig::ServerVanish(server_fault(Time::from_secs(150), Some(secs(30))).into())];
    assert_eq!(go(&world, 1).episodes[0].outcome(), EpisodeOutcome::Undetected);
}

/// A black hole for SYNs: Linux since 6.5 sends eleven and gives up at 131 s, the older one seven and gives up at 127 s
/// (measured, with the timers of those kernels 3 % late).
#[test]
fn syns_into_a_black_hole_follow_the_kernels_schedule() {
    let schedules: [(TcpStack, &[u64], u64); 2] = [
        (TcpStack::LinuxNew, &[0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67], 131),
        (TcpStack::LinuxOld, &[0, 1, 3, 7, 15, 31, 63], 127),
    ];
    for (preset, syns, gives_up) in schedules {
        let mut world = one_session(HeartbeatSpec::None);
        world.devices.tcp = preset.into();
        world.strategy.connect_timeout = Span::secs(1_000);
        world.faults = vec![cut(Time::ZERO, None)];
        let outcome = go_traced(&world, 1);
        let sent: Vec<Time> = sent(&outcome, DEVICES).iter().map(|(at, _)| *at).collect();
        assert_eq!(sent, syns.iter().map(|s| Time::from_secs(*s)).collect::<Vec<_>>(), "{preset:?}");
        assert_eq!((outcome.totals.up.packets, outcome.totals.up.tcp.syn), (sent.len() as u64, sent.len() as u64));
        let failed = (Time::from_secs(gives_up), 0, DeviceEvent::AttemptFailed(AttemptFailure::Timeout));
        assert!(device_events(&outcome).any(|event| event == failed), "{preset:?}");
        assert_eq!(outcome.episodes, [], "nothing usable broke");
    }
}

/// A listener with backlog 2 and a process that accepts nobody (measured): three connections complete, one more than the
/// backlog; the SYNs of the others are dropped, not refused, and they go on trying.
#[test]
fn a_full_accept_queue_drops_syns() {
    let mut world = one_session(HeartbeatSpec::None);
    world.devices.count = 6;
    // One after the other, as in the measurement.
    world.devices.start_within = Delay::millis(10_000);
    world.server.backlog = 2;
    world.strategy.connect_timeout = Span::secs(60);
    world.duration = secs(40);
    world.faults = vec![FaultConfig::ServerStall(server_fault(Time::ZERO, None))];
    let outcome = go_traced(&world, 1);
    let (mut established, mut trying) = (0, 0);
    for device in 0..6 {
        let of_device: Vec<_> = sent(&outcome, DEVICES)
            .into_iter()
            .filter(|(_, packet)| *packet.src.ip() == device_ip(&outcome, device))
            .collect();
        if of_device.iter().any(|(_, packet)| !packet.payload.is_empty()) {
            established += 1;
        } else {
            trying += 1;
            assert!(of_device.len() >= 8 && of_device.iter().all(|(_, p)| p.flags.has(Flags::SYN)), "device {device}");
        }
    }
    assert_eq!((established, trying), (3, 3));
    assert!(dropped(&outcome, SERVER).iter().all(|(_, reason)| *reason == DropReason::Backlog));
    assert_eq!(resets(&sent(&outcome, SERVER)), []);
    assert_eq!(outcome.totals.sessions, 0);
}

/// Three clients that come at the same moment to a listener that takes two, one more than its backlog: the third one's
/// handshake ends at a full queue. It is left half-open, and with `tcp_abort_on_overflow` reset.
#[test]
fn a_handshake_that_ends_at_a_full_backlog_is_reset_where_the_kernel_aborts_on_overflow() {
    for aborts in [false, true] {
        let mut world = one_session(HeartbeatSpec::None);
        world.devices.count = 3;
        world.devices.start_within = Delay::millis(0);
        world.server.backlog = 1;
        world.server.abort_on_overflow = aborts;
        world.strategy.connect_timeout = Span::secs(60);
        world.duration = secs(2);
        world.faults = vec![FaultConfig::ServerStall(server_fault(Time::ZERO, None))];
        let outcome = go_traced(&world, 1);
        // Its acknowledgement and its hello arrive in one round trip, and find the queue full.
        let reset = resets(&sent(&outcome, SERVER));
        assert_eq!(reset.first().copied(), aborts.then(|| Time::ZERO + RTT + RTT / 2));
        let lost = device_events(&outcome).filter(|(.., event)| matches!(event, DeviceEvent::AttemptFailed(_))).count();
        assert_eq!(lost, usize::from(aborts));
    }
}

/// Six clients at once, a kernel that remembers two handshakes. With cookies all six are through in a round trip and a half;
/// without them four SYNs are dropped, and repeated a second later, when two more get through, and so on.
#[test]
fn handshakes_beyond_the_syn_backlog_take_a_cookie_or_wait() {
    for (cookies, rounds) in [(true, [6, 6, 6]), (false, [2, 4, 6])] {
        let mut world = one_session(HeartbeatSpec::None);
        world.devices.count = 6;
        world.devices.start_within = Delay::millis(0);
        world.server.syn_backlog = 2;
        world.server.syncookies = cookies;
        world.duration = secs(3);
        let outcome = go_traced(&world, 1);
        let connected: Vec<Time> = device_events(&outcome)
            .filter(|(.., event)| matches!(event, DeviceEvent::Connected { .. }))
            .map(|(at, ..)| at)
            .collect();
        let by = |seconds: u64| connected.iter().filter(|at| **at < Time::from_secs(seconds)).count();
        assert_eq!([by(1), by(2), by(3)], rounds, "{connected:?}");
    }
}

/// The server's own keepalive, 60 s, 10 s and 3: a device that is cut off at 150 s was heard last at 130.2 s, when it answered
/// a probe; three probes from 190.2 s on, and at 220.2 s the session is closed.
#[test]
fn the_servers_keepalive_closes_the_session_of_a_device_that_has_gone() {
    let mut world = one_session(HeartbeatSpec::None);
    world.server.keepalive =
        Some(TcpKeepalive { idle: Span::secs(60), interval: Span::secs(10), count: 3, user_timeout: None });
    world.duration = secs(400);
    world.faults = vec![cut(Time::from_secs(150), None)];
    let outcome = go_traced(&world, 1);
    let heard = received(&outcome, SERVER).last().expect("an answer to a probe").0;
    assert!(heard < Time::from_secs(150));
    assert_eq!(sessions_closed(&outcome), [heard + secs(60 + 3 * 10)]);
}

/// Returns the address of a device: that of the SYN it sends when it starts.
fn device_ip(outcome: &Outcome, device: u32) -> std::net::Ipv4Addr {
    let start = device_events(outcome)
        .find_map(|(at, of, event)| (of == device && matches!(event, DeviceEvent::AttemptStarted { .. })).then_some(at))
        .expect("it starts");
    let (_, syn) = sent(outcome, DEVICES).into_iter().find(|(at, _)| *at == start).expect("its SYN");
    *syn.src.ip()
}

/// TCP keepalive on a cut path (measured, 5 s / 5 s / 3): three probes and the end at 20 s; with a user timeout of 40 s
/// the count does not matter any more, seven probes and the end at 40 s. Counted from the last packet received.
#[test]
fn keepalive_gives_up_by_count_or_by_user_timeout() {
    for (user_timeout, probes, after, reason) in [
        (None, 3, secs(20), LossReason::KeepaliveTimeout),
        (Some(Span::secs(40)), 7, secs(40), LossReason::UserTimeout),
    ] {
        let mut world = one_session(keepalive(user_timeout));
        let begin = Time::from_secs(1);
        world.faults = vec![cut(begin, None)];
        let outcome = go(&world, 1);
        assert_eq!(only_episode(&outcome), (begin, Cause::Cut, Some(by_transport(CONNECTED + after, reason))));
        assert_eq!(outcome.totals.up.tcp.probe, probes);
        assert_eq!(outcome.totals.up.tcp.rst, 1, "it ends with RST");
    }
}

/// Keepalive is inert while data is unacknowledged (measured): the end is that of the retransmissions, 993.6 s after the
/// data, and no probe is sent.
#[test]
fn keepalive_is_inert_while_data_is_unacknowledged() {
    let mut world = one_session(keepalive(None));
    world.traffic = TrafficConfig { up: Some(Span::secs(900).into()), down: None, ..TrafficConfig::default() };
    let message = sent_messages(&go_traced(&world, 1))[0];
    let begin = message - millis(1);
    world.faults = vec![cut(begin, None)];
    let outcome = go_traced(&world, 1);
    let given_up = Some(by_transport(message + millis(993_600), LossReason::RetransmissionTimeout));
    assert_eq!(only_episode(&outcome), (begin, Cause::Cut, given_up));
    // A probe carries nothing and lies before what was sent already.
    let empty_after_the_cut =
        sent(&outcome, DEVICES).iter().filter(|(at, p)| *at >= begin && p.payload.is_empty()).count();
    assert_eq!(empty_after_the_cut, 0);
}

fn keepalive(user_timeout: Option<Span>) -> HeartbeatSpec {
    let (idle, interval) = (Span::secs(5), Span::secs(5));
    HeartbeatSpec::TcpKeepalive(TcpKeepalive { idle, interval, count: 3, user_timeout })
}
