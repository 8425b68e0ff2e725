//! A layer-7 proxy at the boundary of the world: who learns of what, when, by which packet, and that no kernel learns anything of
//! the other side.
//!
//! The path has 20 ms from the device to the NAT, 30 ms to the proxy and 1 ms from there to the server. A device that starts at 0
//! has TCP at 0.1 s and its hello at the proxy at 0.15 s; the proxy's own handshake takes 2 ms, so that the hello is at the server
//! at 0.153 s, the welcome at the proxy at 0.154 s and at the device at 0.204 s.

use std::time::Duration;

use cardiogram_policies::{
    GiveUp, HeartbeatSpec, LossReason, ReconnectSpec, Time,
    heartbeat::TcpKeepalive,
    reconnect::FixedDelay,
    server::{PingAfter, Pings},
    unit::{Delay, Fraction, Span},
};
use cardiogram_sim::{
    Engine, Outcome, RunOptions, WorldConfig,
    config::{EndsWith, FaultConfig, NatClass, NatConfig, ProxyConfig, ProxyDrain, ProxyRestart, TrafficConfig},
    outcome::{Cause, DetectedBy, Detection},
    packet::{Flags, Packet},
    run,
    trace::{DeviceEvent, Fact, GoodbyeReason, NodeId, Parting, ProxyEvent, What},
};
use kit::common::*;

const PROXY: NodeId = NodeId(2);
const SERVER: NodeId = NodeId(3);
/// From a server to the proxy.
const BEHIND: Duration = Duration::from_millis(1);
/// From the device to the proxy.
const FRONT: Duration = Duration::from_millis(50);
/// When the hello is at the proxy, when the connection is joined, and when the device is welcomed.
const HELLO: Time = Time::from_millis(150);
const JOINED: Time = Time::from_millis(152);
const ANSWERED: Time = Time::from_millis(154);
const WELCOMED: Time = Time::from_millis(204);

const fn ms(ms: u64) -> Time {
    Time::from_millis(ms)
}

fn behind(mut world: WorldConfig, proxy: ProxyConfig) -> WorldConfig {
    world.proxy = Some(proxy);
    world
}

/// One session through a proxy.
fn through(heartbeat: HeartbeatSpec, proxy: ProxyConfig) -> WorldConfig {
    behind(one_session(heartbeat), proxy)
}

fn idle(client: Option<u64>, server: Option<u64>, both: Option<u64>) -> ProxyConfig {
    let [client_idle, server_idle, idle] = [client, server, both].map(|secs| secs.map(Span::secs));
    ProxyConfig { client_idle, server_idle, idle, ..ProxyConfig::default() }
}

fn proxy_events(outcome: &Outcome) -> Vec<(Time, ProxyEvent)> {
    let events = entries(outcome).iter().filter_map(|entry| match entry.what {
        What::Fact(Fact::Proxy { event, .. }) => Some((entry.at, event)),
        _ => None,
    });
    events.collect()
}

fn parted(outcome: &Outcome) -> Vec<(Time, Parting)> {
    let parted = proxy_events(outcome).into_iter().filter_map(|(at, event)| match event {
        ProxyEvent::Parted { why } => Some((at, why)),
        _ => None,
    });
    parted.collect()
}

fn with(flag: Flags, packets: &[(Time, &Packet)]) -> Vec<Time> {
    packets.iter().filter(|(_, packet)| packet.flags.has(flag)).map(|(at, _)| *at).collect()
}

fn by_transport(at: Time, reason: LossReason) -> Detection {
    Detection { at, by: DetectedBy::Transport(reason) }
}

fn probes() -> HeartbeatSpec {
    HeartbeatSpec::TcpKeepalive(TcpKeepalive {
        idle: Span::secs(20),
        interval: Span::secs(5),
        count: 3,
        user_timeout: None,
    })
}

#[test]
fn a_connection_is_two_and_each_half_has_its_own_handshake() {
    let outcome = go_traced(&through(HeartbeatSpec::None, ProxyConfig::default()), 1);
    assert_eq!(proxy_events(&outcome), [(JOINED, ProxyEvent::Joined { upstream: 1_024 })]);
    // The proxy answers the client's SYN in the server's name, and calls the server once it has the hello.
    assert_eq!(with(Flags::SYN, &received(&outcome, DEVICES)), [ms(100)]);
    assert_eq!(with(Flags::SYN, &received(&outcome, SERVER)), [HELLO + BEHIND]);
    let connected = device_events(&outcome).find(|(.., event)| matches!(event, DeviceEvent::Connected { .. }));
    assert_eq!(connected.map(|(at, ..)| at), Some(WELCOMED));
    assert_eq!(
        (&outcome.episodes[..], outcome.usable_time),
        (&[][..], outcome.device_time.saturating_sub(age(WELCOMED)))
    );
    assert_eq!(outcome.zombie_time, Duration::ZERO);
}

/// nginx: a client that beats and is answered keeps it; what the client says alone does not.
#[test]
fn the_servers_silence_ends_a_connection_whatever_the_client_sends() {
    // Replies are what the server sends: 50 s apart.
    let alive = go(&through(fixed(secs(50), secs(10), 1), idle(None, Some(60), None)), 1);
    assert_eq!(alive.episodes, []);
    // Probes are answered by the proxy's kernel, and count for nothing.
    let outcome = go_traced(&through(probes(), idle(None, Some(60), None)), 1);
    let ends = ANSWERED + secs(60);
    assert_eq!(parted(&outcome), [(ends, Parting::ServerIdle)]);
    let heard = ends + FRONT;
    assert_eq!(only_episode(&outcome), (ends, Cause::ProxyTimeout, Some(by_transport(heard, LossReason::Closed))));
    assert_eq!(with(Flags::FIN, &received(&outcome, DEVICES))[0], heard);
    assert_eq!(with(Flags::FIN, &received(&outcome, SERVER))[0], ends + BEHIND);
    assert_eq!(sessions_closed(&outcome), [ends + BEHIND]);
}

/// A server whose pings want no answer keeps nginx content and a proxy that times the client not.
#[test]
fn the_clients_silence_ends_a_connection_whatever_the_server_sends() {
    let with_pings = |proxy| {
        let mut world = through(HeartbeatSpec::None, proxy);
        world.strategy.server.pings = Some(Pings {
            interval: Span::secs(20),
            after: PingAfter::Grid,
            timeout: None,
            misses: 1,
            answered: false,
            doubles_first: false,
            first: None,
            close_timeout: None,
        });
        go_traced(&world, 1)
    };
    assert_eq!(with_pings(idle(None, Some(50), None)).episodes, []);
    assert_eq!(with_pings(idle(None, None, Some(50))).episodes, []);
    // The last thing the client said is its hello.
    let outcome = with_pings(idle(Some(50), None, None));
    assert_eq!(parted(&outcome), [(HELLO + secs(50), Parting::ClientIdle)]);
    assert_eq!(only_episode(&outcome).0, HELLO + secs(50));
}

/// A load balancer of 60 s and a ping every 60 s: the ping that comes exactly then counts, a bit later it does not.
#[test]
fn what_comes_exactly_at_the_timeout_is_in_time() {
    let first_end = |interval: Duration, both| {
        let outcome = go_traced(&through(fixed(interval, secs(5), 1), idle(None, None, Some(both))), 1);
        parted(&outcome).first().copied()
    };
    // The welcome passes the proxy at 0.154 s, the first beat 60.1 s later.
    assert_eq!(first_end(millis(60_000), 60), Some((ANSWERED + secs(60), Parting::Idle)));
    assert_eq!(first_end(millis(59_900), 60), None);
}

#[test]
fn a_proxy_that_ends_with_rst_resets_both_ends() {
    let proxy = ProxyConfig { ends_with: EndsWith::Rst, ..idle(None, None, Some(30)) };
    let outcome = go_traced(&through(HeartbeatSpec::None, proxy), 1);
    let ends = ANSWERED + secs(30);
    assert_eq!(
        only_episode(&outcome),
        (ends, Cause::ProxyTimeout, Some(by_transport(ends + FRONT, LossReason::Reset)))
    );
    assert_eq!(with(Flags::RST, &received(&outcome, SERVER)), [ends + BEHIND]);
}

#[test]
fn a_connection_ends_by_its_age_whatever_passes() {
    let proxy = ProxyConfig { max_age: Some(constant(secs(30))), ..ProxyConfig::default() };
    let outcome = go_traced(&through(fixed(secs(5), secs(2), 1), proxy), 1);
    // From the SYN on, which is there at 0.05 s.
    let ends = ms(50) + secs(30);
    assert_eq!(parted(&outcome), [(ends, Parting::TooOld)]);
    assert_eq!(only_episode(&outcome), (ends, Cause::MaxAge, Some(by_transport(ends + FRONT, LossReason::Closed))));
}

/// The heart of the matter: with a dead server behind it the proxy goes on to answer. Keepalive and the user timeout see the proxy.
#[test]
fn no_kernel_learns_that_the_server_behind_the_proxy_is_dead() {
    let vanishes = |heartbeat: HeartbeatSpec, up: Option<u64>, proxied: bool| {
        let mut world = one_session(heartbeat);
        world.proxy = proxied.then(ProxyConfig::default);
        world.traffic =
            TrafficConfig { up: up.map(|gap| Span::secs(gap).into()), down: None, ..TrafficConfig::default() };
        world.faults = vec![FaultConfig::ServerVanish(server_fault(Time::from_secs(100), None).into())];
        go(&world, 1).episodes[0].detection
    };
    // 20 s after the last answer, and three probes 5 s apart: within 45 s of the fault.
    let Some(Detection { at, by: DetectedBy::Transport(LossReason::KeepaliveTimeout) }) =
        vanishes(probes(), None, false)
    else {
        panic!("keepalive notices a host that is gone")
    };
    assert!(at < Time::from_secs(145), "{at:?}");
    assert_eq!(vanishes(probes(), None, true), None);
    // Messages into the void: the device's kernel gives up after 15 minutes. Behind a proxy it is the proxy's kernel that does.
    let by = |proxied| {
        let detection = vanishes(HeartbeatSpec::None, Some(60), proxied).expect("in two hours somebody gives up");
        assert!(age(detection.at) > secs(100) + millis(924_600), "{detection:?}");
        detection.by
    };
    assert_eq!(by(false), DetectedBy::Transport(LossReason::RetransmissionTimeout));
    assert_eq!(by(true), DetectedBy::Transport(LossReason::Closed));
    // A beat of the application asks the application.
    let beats = fixed(secs(30), secs(10), 1);
    assert_eq!(vanishes(beats, None, true).map(|detection| detection.by), Some(DetectedBy::Heartbeat(GiveUp::NoReply)));
}

/// Nor does the server's kernel that the device is gone: pushes are acknowledged by the proxy until its own kernel gives up.
#[test]
fn no_kernel_of_a_server_learns_that_the_device_behind_the_proxy_is_gone() {
    let mut world = through(HeartbeatSpec::None, ProxyConfig::default());
    world.duration = Duration::from_mins(14);
    world.traffic.down = Some(Span::secs(30).into());
    world.faults = vec![cut(Time::from_secs(60), None)];
    let outcome = go_traced(&world, 1);
    let repeated = |node| {
        let mut seen = std::collections::BTreeSet::new();
        let data = sent(&outcome, node)
            .into_iter()
            .filter(|(at, packet)| *at > Time::from_secs(60) && !packet.payload.is_empty());
        data.filter(|(_, packet)| !seen.insert((packet.dst, packet.seq))).count()
    };
    assert_eq!(repeated(SERVER), 0, "the proxy acknowledges every push");
    assert!(repeated(PROXY) > 5, "the proxy sends to the device again and again");
}

#[test]
fn who_closes_one_half_closes_the_other() {
    // The device leaves when its beat at 30.204 s has no reply; its FIN is on the way meanwhile.
    let mut world = through(fixed(secs(30), secs(10), 1), ProxyConfig::default());
    world.faults = vec![FaultConfig::ServerStall(server_fault(Time::from_secs(20), None))];
    let outcome = go_traced(&world, 1);
    let left = WELCOMED + secs(40);
    assert_eq!(parted(&outcome), [(left + FRONT, Parting::ClientGone)]);
    assert_eq!(with(Flags::FIN, &received(&outcome, SERVER)), [left + FRONT + BEHIND]);
    // The server's process dies: its kernel's FIN reaches the proxy 1 ms later, the device 51 ms later.
    let mut world = through(HeartbeatSpec::None, ProxyConfig::default());
    world.faults = vec![FaultConfig::ServerCrash(server_fault(Time::from_secs(20), Some(secs(60))))];
    let outcome = go_traced(&world, 1);
    let died = Time::from_secs(20);
    assert_eq!(parted(&outcome), [(died + BEHIND, Parting::ServerGone)]);
    let heard = died + BEHIND + FRONT;
    assert_eq!(only_episode(&outcome), (died, Cause::ServerCrash, Some(by_transport(heard, LossReason::Closed))));
}

/// 502: the client gets TCP at once, and is told then. A device goes on from there as its reconnect policy says.
#[test]
fn a_server_that_refuses_is_told_as_a_bad_gateway() {
    let mut world = through(HeartbeatSpec::None, ProxyConfig::default());
    world.duration = secs(10);
    world.faults = vec![FaultConfig::ServerCrash(server_fault(Time::ZERO, None))];
    let outcome = go_traced(&world, 1);
    assert_eq!(proxy_events(&outcome), [(HELLO + 2 * BEHIND, ProxyEvent::BadGateway)]);
    let told = device_events(&outcome).find(|(.., event)| matches!(event, DeviceEvent::GoodbyeReceived { .. }));
    let reason = GoodbyeReason::BadGateway;
    let expected = DeviceEvent::GoodbyeReceived { reason, retry_after: None };
    assert_eq!(told, Some((HELLO + 2 * BEHIND + FRONT, 0, expected)));
    let failed = device_events(&outcome).find(|(.., event)| matches!(event, DeviceEvent::AttemptFailed(_)));
    assert_eq!(failed.map(|(at, ..)| at), Some(HELLO + 2 * BEHIND + FRONT));
}

/// 504: a host that is gone answers no SYN, and the proxy waits for `connect_timeout`; the client's own may be shorter.
#[test]
fn a_server_that_is_silent_is_a_bad_gateway_after_the_connect_timeout() {
    let proxy = ProxyConfig { connect_timeout: Span::secs(5), ..ProxyConfig::default() };
    let mut world = through(HeartbeatSpec::None, proxy);
    world.duration = secs(20);
    world.strategy.connect_timeout = Span::secs(10);
    world.faults = vec![FaultConfig::ServerVanish(server_fault(Time::ZERO, None).into())];
    let outcome = go_traced(&world, 1);
    assert_eq!(proxy_events(&outcome), [(HELLO + secs(5), ProxyEvent::BadGateway)]);
}

#[test]
fn a_restart_ends_every_connection_and_refuses_newcomers_meanwhile() {
    let mut world = behind(world(HeartbeatSpec::None), ProxyConfig::default());
    world.duration = secs(60);
    world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(1) });
    let (begin, when) = (Time::from_secs(30), at(Time::from_secs(30)));
    world.faults = vec![FaultConfig::ProxyRestart(ProxyRestart { when, lasts: Some(constant(secs(2))) })];
    let outcome = go_traced(&world, 1);
    assert_eq!(parted(&outcome), [(begin, Parting::Restarted)]);
    let [episode] = outcome.episodes[..] else { panic!("one break: {:?}", outcome.episodes) };
    assert_eq!((episode.begin, episode.cause), (begin, Cause::ProxyRestart));
    assert_eq!(episode.detection, Some(by_transport(begin + FRONT, LossReason::Closed)));
    assert_eq!(episode.fault, Some(0));
    // Attempts at 31.05 s (refused, 0.1 s) and 32.15 s, which is welcomed 0.204 s later.
    assert_eq!(episode.end, Some(ms(32_150) + age(WELCOMED)));
    let downtime = outcome.downtime;
    // Nobody can do anything from the restart to its end.
    assert_eq!((downtime.unavoidable, downtime.waiting), (secs(2), millis(150)));
}

/// A new configuration: the old process ends its connections one after the other, the new one takes newcomers from the start.
#[test]
fn a_drain_ends_the_connections_of_its_begin_evenly_and_refuses_nobody() {
    let mut world = behind(world(HeartbeatSpec::None), ProxyConfig::default());
    (world.duration, world.devices.count) = (secs(100), 4);
    let begin = Time::from_secs(40);
    world.faults = vec![FaultConfig::ProxyDrain(ProxyDrain { when: at(begin), over: Span::secs(20) })];
    let outcome = go_traced(&world, 1);
    let expected = [0, 5, 10, 15].map(|after| (begin + secs(after), Parting::Drained));
    assert_eq!(parted(&outcome), expected);
    assert!(outcome.episodes.iter().all(|episode| episode.cause == Cause::ProxyDrain && episode.fault == Some(0)));
    let recovered = outcome.episodes.iter().map(|episode| episode.end.unwrap().since(episode.begin));
    assert_eq!(recovered.collect::<Vec<_>>(), [FRONT + age(WELCOMED); 4]);
    assert_eq!(outcome.totals.connect_attempts, 8);
}

/// A box in front of the proxy forgets: the RST that the proxy's next packet draws ends the client's half, and with it the server's.
#[test]
fn what_a_box_does_to_the_clients_half_reaches_the_server_through_the_proxy() {
    let mut world = through(HeartbeatSpec::None, ProxyConfig::default());
    world.nat[0] = NatConfig {
        established: constant(secs(60)),
        after_expiry: NatClass::RstEitherOnSend.into(),
        ..NatConfig::default()
    };
    world.strategy.server.pings = Some(Pings {
        interval: Span::secs(100),
        after: PingAfter::Grid,
        timeout: None,
        misses: 1,
        answered: false,
        doubles_first: false,
        first: None,
        close_timeout: None,
    });
    let outcome = go_traced(&world, 1);
    // The ping leaves the server at 100.153 s, is at the proxy 1 ms and at the box 31 ms later; the RST is back after 30 ms.
    let pinged = ms(100_153);
    assert_eq!(parted(&outcome), [(pinged + BEHIND + 2 * CORE, Parting::ClientGone)]);
    assert_eq!(sessions_closed(&outcome), [pinged + 2 * BEHIND + 2 * CORE]);
    let (begin, cause, detection) = only_episode(&outcome);
    assert_eq!((begin, cause, detection), (ms(60_224), Cause::NatExpiry, None));
}

/// What a proxy cannot get rid of it does not read: the sender's window shuts, and opens again when the other side reads.
#[test]
fn bytes_come_through_whole_and_in_order_whatever_happens_on_the_way() {
    let mut world = behind(world(fixed(secs(30), secs(25), 3)), ProxyConfig::default());
    world.traffic =
        TrafficConfig { up: Some(Span::secs(2).into()), down: Some(Span::secs(2).into()), ..TrafficConfig::default() };
    world.access.packet_loss = Fraction::new(0.1).unwrap();
    world.core.packet_loss = Fraction::new(0.1).unwrap();
    world.duration = Duration::from_mins(20);
    let outcome = go(&world, 3);
    // But for those that are on their way when the run ends.
    assert!(outcome.pushes.undelivered() <= 5, "{} of {}", outcome.pushes.delays.len(), outcome.pushes.created);
    assert!(outcome.pushes.created > 400);
}

#[test]
fn both_engines_run_a_world_with_a_proxy_alike() {
    let mut world = behind(world(fixed(secs(20), secs(5), 1)), idle(Some(45), Some(90), Some(40)));
    world.devices.count = 5;
    world.devices.start_within = Delay::millis(20_000);
    world.server.count = 3;
    world.traffic = TrafficConfig {
        up: Some(Span::secs(50).into()),
        down: Some(Span::secs(50).into()),
        ..TrafficConfig::default()
    };
    let restart = ProxyRestart { when: at(Time::from_secs(600)), lasts: None };
    let drain = ProxyDrain { when: at(Time::from_secs(1_200)), over: Span::secs(60) };
    world.faults = vec![
        FaultConfig::ProxyRestart(restart),
        FaultConfig::ProxyDrain(drain),
        FaultConfig::ServerRestart(server_fault(Time::from_secs(1_800), None)),
        cut(Time::from_secs(2_400), Some(secs(100))),
    ];
    let hash = |engine| run(&world, 5, &RunOptions::new(engine)).expect("it runs").trace_hash;
    assert_eq!(hash(Engine::Event), hash(Engine::Turmoil));
}

#[test]
fn the_bounds_of_a_world_know_the_way_behind_the_proxy_and_its_timers() {
    let direct = one_session(HeartbeatSpec::None);
    let proxied = through(HeartbeatSpec::None, idle(Some(70), Some(80), Some(60)));
    assert_eq!(proxied.bounds().rtt_max, direct.bounds().rtt_max + 2 * BEHIND);
    assert_eq!(proxied.bounds().nat_timeout, Some(secs(60)));
}
