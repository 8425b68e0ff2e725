//! What happens to a device between its networks, at the boundary of the world: an address that it leaves, loses or only
//! thinks it has, a process that is killed; who learns of it, when, and by which packet. What a sleeping device does is in
//! `sleep.rs`.
//!
//! The first network has 20 ms from the device to its NAT, the second one, `wifi`, 10 ms; it is 30 ms from there to the
//! server. The usual device has its session at 0.2 s, beats every 30 s from 30.2 s on, gives up after 10 s without a reply,
//! and tries again at once, 10 s for each attempt.

use std::{net::Ipv4Addr, time::Duration};

use cardiogram_policies::{
    AttemptFailure, GiveUp, HeartbeatSpec, LossReason, NetworkKind, ReconnectSpec, Time,
    reconnect::{ExponentialBackoff, FixedDelay, Jitter},
    unit::{Delay, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{
        Answer, Attach, Carrier, Cut, Direction, FaultConfig, LeaseExpiry, LinkName, NatConfig, NatFlush,
        NetworkConfig, NetworkSwitch, OldSockets, ProcessKilled, RadioConfig, ServerFault, TailStage, When,
    },
    outcome::{Cause, DetectedBy, Detection, Episode, EpisodeOutcome},
    packet::{Flags, Packet},
    trace::{DeviceEvent, DropReason, Fact, Fate, NatEvent, What},
};
use kit::common::*;

/// One-way delay between the device and the NAT of the second network.
const WIFI_ACCESS: Duration = Duration::from_millis(10);
/// From the first SYN to the welcome there: two round trips.
const WIFI_CONNECTS: Duration = Duration::from_millis(160);
/// The same on the first network.
const CONNECTS: Duration = Duration::from_millis(200);

const NO_REPLY: DetectedBy = DetectedBy::Heartbeat(GiveUp::NoReply);
const ABORTED: DetectedBy = DetectedBy::Transport(LossReason::Aborted);

const BEGIN: Time = Time::from_secs(100);

/// The first address of the device on the first network, the second one there, the first on `wifi`.
const OLD: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const RENEWED: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const ON_WIFI: Ipv4Addr = Ipv4Addr::new(10, 32, 0, 1);

fn two_networks() -> WorldConfig {
    let mut world = WorldConfig { duration: secs(600), ..world(fixed(secs(30), secs(10), 1)) };
    let wifi = NetworkConfig {
        kind: NetworkKind::Wifi,
        access: link(WIFI_ACCESS),
        radio: None,
        nat: vec![NatConfig::default()],
    };
    world.networks.insert("wifi".into(), wifi);
    world
}

/// Returns the usual device with this plan.
fn planned(attach: Vec<Attach>) -> Outcome {
    let mut world = two_networks();
    world.life.attach = attach;
    go_traced(&world, 1)
}

/// Returns the usual device through one fault.
fn struck(fault: FaultConfig) -> Outcome {
    go_traced(&WorldConfig { faults: vec![fault], ..two_networks() }, 1)
}

fn attach(at: Time, to: &str, old_sockets: OldSockets) -> Attach {
    Attach { at: delay(at), to: to.into(), gap: None, old_sockets }
}

fn delay(at: Time) -> Delay {
    Delay::new(age(at)).expect("a test is shorter than ten years")
}

fn switch(at: Time, to: Option<&str>, lasts: Option<Duration>, old_sockets: OldSockets) -> FaultConfig {
    let (when, to, lasts) = (kit::common::at(at), to.map(Into::into), lasts.map(constant));
    FaultConfig::NetworkSwitch(NetworkSwitch { devices: None, when, to, lasts, gap: None, old_sockets })
}

fn lease_expiry(network: Option<&str>, lasts: Option<Duration>) -> FaultConfig {
    let (when, lasts, network) = (at(BEGIN), lasts.map(constant), network.map(Into::into));
    FaultConfig::LeaseExpiry(LeaseExpiry { devices: None, when, lasts, network })
}

fn kill(lasts: Option<Duration>) -> FaultConfig {
    FaultConfig::ProcessKilled(ProcessKilled { devices: None, when: at(BEGIN), lasts: lasts.map(constant) })
}

/// Times in milliseconds. The usual detector suspects at the moment at which it gives up. What strikes is the first to
/// strike.
fn episode(cause: Cause, begin: u64, detection: Option<(u64, DetectedBy)>, end: Option<u64>) -> Episode {
    let detection = detection.map(|(at, by)| Detection { at: Time::from_millis(at), by });
    let suspected = detection.map(|detection| detection.at);
    let (begin, end) = (Time::from_millis(begin), end.map(Time::from_millis));
    let fault = (!matches!(cause, Cause::NatExpiry | Cause::ServerClosed)).then_some(0);
    Episode { device: 0, cause, fault, begin, end, detection, suspected }
}

/// Returns what happened to the device from `begin` on, up to its next session, heartbeats apart.
fn events_from(outcome: &Outcome, begin: Time) -> Vec<(Time, DeviceEvent)> {
    let mut events = Vec::new();
    for (at, _, event) in device_events(outcome).filter(|(at, ..)| *at >= begin) {
        match event {
            DeviceEvent::HeartbeatSent { .. } | DeviceEvent::HeartbeatAnswered { .. } | DeviceEvent::RetryAfter(_) => {}
            _ => events.push((at, event)),
        }
        if matches!(event, DeviceEvent::Connected { .. }) {
            break;
        }
    }
    events
}

fn attempts(outcome: &Outcome) -> Vec<Time> {
    let attempts = device_events(outcome).filter(|(.., event)| matches!(event, DeviceEvent::AttemptStarted { .. }));
    attempts.map(|(at, ..)| at).collect()
}

/// Returns the packets that the device put on a link.
fn sent(outcome: &Outcome) -> Vec<(Time, &Packet, Fate)> {
    let packets = entries(outcome).iter().filter_map(|entry| match &entry.what {
        What::Sent { packet, fate, .. } if entry.node == DEVICES => Some((entry.at, packet, *fate)),
        _ => None,
    });
    packets.collect()
}

/// Returns the packets that the device's system threw away: of an address that it does not have.
fn dropped(outcome: &Outcome) -> Vec<(Time, &Packet)> {
    let packets = entries(outcome).iter().filter_map(|entry| match &entry.what {
        What::Dropped { packet, reason: DropReason::NoRoute | DropReason::NetworkLeft } if entry.node == DEVICES => {
            Some((entry.at, packet))
        }
        _ => None,
    });
    packets.collect()
}

/// Returns the addresses that the device sends from, with the time of the first packet of each stretch.
fn sources(outcome: &Outcome) -> Vec<(Time, Ipv4Addr)> {
    let mut sources: Vec<(Time, Ipv4Addr)> = sent(outcome).iter().map(|(at, p, _)| (*at, *p.src.ip())).collect();
    sources.dedup_by_key(|(_, source)| *source);
    sources
}

fn ports(outcome: &Outcome) -> Vec<u16> {
    let ports = device_events(outcome).filter_map(|(.., event)| match event {
        DeviceEvent::AttemptStarted { port, .. } => Some(port),
        _ => None,
    });
    ports.collect()
}

fn detached(network: u32, lease: u32, cause: Cause) -> DeviceEvent {
    DeviceEvent::Detached { network, lease, cause }
}

fn attached(network: u32, lease: u32) -> DeviceEvent {
    DeviceEvent::Attached { network, lease }
}

/// Android destroys the sockets of a network that is gone (`ECONNABORTED`): the application knows at once, and the server
/// when the device introduces itself from its new address.
#[test]
fn a_switch_that_aborts_is_known_to_the_application_at_once_and_to_the_server_by_the_new_hello() {
    let outcome = planned(vec![attach(BEGIN, "wifi", OldSockets::Abort)]);
    let [port, next] = ports(&outcome)[..] else { panic!("two attempts") };
    assert_eq!(
        events_from(&outcome, BEGIN),
        [
            (BEGIN, detached(0, 0, Cause::NetworkSwitch)),
            (BEGIN, DeviceEvent::Lost { port, reason: LossReason::Aborted }),
            (BEGIN, attached(1, 0)),
            (BEGIN, DeviceEvent::AttemptStarted { port: next, server: 0 }),
            (BEGIN + WIFI_CONNECTS, DeviceEvent::Connected { port: next, server: 0 }),
        ]
    );
    let expected = [episode(Cause::NetworkSwitch, 100_000, Some((100_000, ABORTED)), Some(100_160))];
    assert_eq!(outcome.episodes, expected);
    assert_eq!(outcome.false_alarms, []);
    assert_eq!(sources(&outcome), [(Time::ZERO, OLD), (BEGIN, ON_WIFI)]);
    // Nothing tells the server but the hello, which follows the handshake. Its FIN to the old address finds nobody.
    let hello_arrives = BEGIN + 3 * (WIFI_ACCESS + CORE);
    assert_eq!(sessions_closed(&outcome), [hello_arrives]);
    assert_eq!(outcome.zombie_time, hello_arrives.since(BEGIN));
    let (at, fin) = dropped(&outcome)[0];
    assert_eq!((at, *fin.dst.ip(), fin.flags.has(Flags::FIN)), (hello_arrives + CORE + ACCESS, OLD, true));
}

/// Android when Wi-Fi has come while cellular still works: 30 s of both, then the old connection is ended.
#[test]
fn a_lingering_connection_works_on_for_30_s_and_is_then_aborted() {
    let outcome = planned(vec![attach(BEGIN, "wifi", OldSockets::Linger)]);
    let end = BEGIN + secs(30);
    let [port, next] = ports(&outcome)[..] else { panic!("two attempts") };
    assert_eq!(
        events_from(&outcome, BEGIN),
        [
            (BEGIN, attached(1, 0)),
            (end, detached(0, 0, Cause::NetworkSwitch)),
            (end, DeviceEvent::Lost { port, reason: LossReason::Aborted }),
            (end, DeviceEvent::AttemptStarted { port: next, server: 0 }),
            (end + WIFI_CONNECTS, DeviceEvent::Connected { port: next, server: 0 }),
        ]
    );
    let expected = [episode(Cause::NetworkSwitch, 130_000, Some((130_000, ABORTED)), Some(130_160))];
    assert_eq!(outcome.episodes, expected);
    // The beat of 120.2 s goes out from the old address, and is answered.
    assert_eq!(sources(&outcome), [(Time::ZERO, OLD), (end, ON_WIFI)]);
    assert_eq!(outcome.totals.heartbeats_sent, outcome.totals.heartbeats_answered);
}

/// A second move while the first address lingers: only one does.
#[test]
fn a_further_move_ends_a_lingering_connection() {
    let plan = vec![attach(BEGIN, "wifi", OldSockets::Linger), attach(BEGIN + secs(10), "main", OldSockets::Abort)];
    let outcome = planned(plan);
    let second = Some(1);
    let expected =
        [Episode { fault: second, ..episode(Cause::NetworkSwitch, 110_000, Some((110_000, ABORTED)), Some(110_200)) }];
    assert_eq!(outcome.episodes, expected);
    assert_eq!(sources(&outcome), [(Time::ZERO, OLD), (BEGIN + secs(10), RENEWED)]);
}

/// An application that slept through the switch: its socket is dead, and only a beat without a reply says so.
#[test]
fn a_rotting_connection_is_told_nothing_and_its_packets_go_nowhere() {
    let outcome = planned(vec![attach(BEGIN, "wifi", OldSockets::Rot)]);
    let expected = [episode(Cause::NetworkSwitch, 100_000, Some((130_200, NO_REPLY)), Some(130_360))];
    assert_eq!(outcome.episodes, expected);
    let beat = Time::from_millis(120_200);
    let (at, packet) = dropped(&outcome)[0];
    assert_eq!((at, *packet.src.ip(), packet.payload.len()), (beat, OLD, 5));
    assert!(sent(&outcome).iter().all(|(at, packet, _)| *at < BEGIN || *packet.src.ip() == ON_WIFI));
    // It goes on to be repeated without a way out, and so does the FIN of the connection given up.
    assert!(dropped(&outcome).iter().any(|(at, packet)| *at > beat && *packet.src.ip() == OLD));
}

/// A radio that is on its way up when the device leaves its network: what waits for it has no address any more, either way.
#[test]
fn what_waits_for_the_radio_of_a_network_that_was_left_goes_nowhere() {
    let promotion = Duration::from_millis(260);
    let mut world = two_networks();
    world.radio = Some(RadioConfig {
        promotion: Delay::new(promotion).expect("a delay"),
        promotion_mw: 1_211,
        paging_cycle: Delay::ZERO,
        active_mw: 1_288,
        up_mw_per_mbps: 438,
        down_mw_per_mbps: 52,
        up_kbps: 5_000,
        down_kbps: 10_000,
        tail: vec![TailStage { lasts: Span::secs(10), mw: 1_060, carries_below: 0 }],
        idle_mw: 0,
    });
    // The session is up a promotion later than elsewhere.
    let beat = Time::from_millis(120_200) + promotion;
    world.life.attach = vec![attach(beat + millis(100), "wifi", OldSockets::Rot)];
    let outcome = go_traced(&world, 1);
    assert!(!sent(&outcome).iter().any(|(at, packet, _)| *at > beat && *packet.src.ip() == OLD));
    let (at, packet) = dropped(&outcome)[0];
    assert_eq!((at, *packet.src.ip(), packet.payload.len()), (beat + millis(100), OLD, 5));

    // A push that is being paged for: it arrives at the radio, and not at the application.
    world.strategy.heartbeat = HeartbeatSpec::None;
    world.life.attach = Vec::new();
    world.traffic.down = Some(Span::secs(100).into());
    let push = created_pushes(&go_traced(&world, 1)).into_iter().find(|push| *push > BEGIN).expect("a push");
    let arrives = push + CORE + ACCESS;
    world.life.attach = vec![attach(arrives + millis(100), "wifi", OldSockets::Rot)];
    let outcome = go_traced(&world, 1);
    assert!(!created_pushes(&outcome).contains(&push));
    let (at, packet) = dropped(&outcome)[0];
    assert_eq!((at, *packet.dst.ip()), (arrives + millis(100), OLD));
}

#[test]
fn without_a_network_in_between_nobody_tries() {
    let gap = Some(constant(secs(5)));
    let outcome = planned(vec![Attach { gap, ..attach(BEGIN, "wifi", OldSockets::Abort) }]);
    let back = BEGIN + secs(5);
    let expected = [episode(Cause::NetworkSwitch, 100_000, Some((100_000, ABORTED)), Some(105_160))];
    assert_eq!(outcome.episodes, expected);
    assert_eq!(attempts(&outcome), [Time::ZERO, back]);
    let moves: Vec<_> = device_events(&outcome)
        .filter(|(.., event)| matches!(event, DeviceEvent::Attached { .. } | DeviceEvent::Detached { .. }))
        .map(|(at, _, event)| (at, event))
        .collect();
    assert_eq!(moves, [(BEGIN, detached(0, 0, Cause::NetworkSwitch)), (back, attached(1, 0))]);
}

#[test]
fn in_airplane_mode_nobody_tries_and_then_the_address_is_a_new_one() {
    let back = BEGIN + secs(60);
    let plan = vec![attach(BEGIN, "none", OldSockets::Abort), attach(back, "main", OldSockets::Abort)];
    let by_plan = planned(plan);
    let by_fault = struck(switch(BEGIN, Some("none"), Some(secs(60)), OldSockets::Abort));
    for outcome in [by_plan, by_fault] {
        let expected = [episode(Cause::NoNetwork, 100_000, Some((100_000, ABORTED)), Some(160_200))];
        assert_eq!(outcome.episodes, expected);
        assert_eq!(attempts(&outcome), [Time::ZERO, back]);
        assert_eq!(sources(&outcome), [(Time::ZERO, OLD), (back, RENEWED)]);
    }
}

/// Told nothing of the airplane mode, the application gives up by itself, and still waits for a network.
#[test]
fn a_connection_given_up_without_a_network_is_replaced_when_there_is_one() {
    let outcome = struck(switch(BEGIN, Some("none"), Some(secs(60)), OldSockets::Rot));
    let expected = [episode(Cause::NoNetwork, 100_000, Some((130_200, NO_REPLY)), Some(160_200))];
    assert_eq!(outcome.episodes, expected);
    assert_eq!(attempts(&outcome), [Time::ZERO, BEGIN + secs(60)]);
}

#[test]
fn an_attempt_whose_network_goes_fails_at_once() {
    let gone = Time::from_millis(50);
    let plan = vec![attach(gone, "none", OldSockets::Abort), attach(Time::from_secs(1), "wifi", OldSockets::Abort)];
    let outcome = planned(plan);
    let [first, second] = ports(&outcome)[..] else { panic!("two attempts") };
    let expected = [
        (Time::ZERO, DeviceEvent::AttemptStarted { port: first, server: 0 }),
        (gone, detached(0, 0, Cause::NoNetwork)),
        (gone, DeviceEvent::AttemptFailed(AttemptFailure::NoNetwork)),
        (Time::from_secs(1), attached(1, 0)),
        (Time::from_secs(1), DeviceEvent::AttemptStarted { port: second, server: 0 }),
        (Time::from_secs(1) + WIFI_CONNECTS, DeviceEvent::Connected { port: second, server: 0 }),
    ];
    assert_eq!(events_from(&outcome, Time::ZERO), expected);
    assert_eq!(outcome.episodes, []);
}

/// Its policy asked for a wait before the network went: the wait is not shortened, and not doubled.
#[test]
fn a_networks_coming_does_not_shorten_a_wait() {
    let mut world = two_networks();
    world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(20) });
    for (gap, attempt) in [(secs(5), BEGIN + secs(20)), (secs(50), BEGIN + secs(50))] {
        world.life.attach = vec![Attach { gap: Some(constant(gap)), ..attach(BEGIN, "wifi", OldSockets::Abort) }];
        assert_eq!(attempts(&go_traced(&world, 1)), [Time::ZERO, attempt]);
    }
}

/// After a failed attempt the next server's turn comes, and once only, however often the network changes meanwhile.
#[test]
fn a_change_of_network_while_waiting_skips_no_server() {
    let mut world = two_networks();
    world.server.count = 3;
    world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(20) });
    world.faults =
        vec![FaultConfig::ServerCrash(ServerFault { devices: None, server: Some(0), when: at(BEGIN), lasts: None })];
    // The connection is lost at 100.05 s, the attempt of 120.05 s refused.
    world.life.attach = vec![attach(Time::from_secs(130), "wifi", OldSockets::Abort)];
    let outcome = go_traced(&world, 1);
    let tried = device_events(&outcome).filter_map(|(.., event)| match event {
        DeviceEvent::AttemptStarted { server, .. } => Some(server),
        _ => None,
    });
    assert_eq!(tried.collect::<Vec<_>>(), [0, 0, 1]);
}

/// The server's push to the address that was: it passes the NAT, and the device, which has another address on the same
/// network, takes no notice.
#[test]
fn a_push_to_an_address_that_was_goes_nowhere() {
    let mut world = two_networks();
    world.traffic.down = Some(Span::secs(20).into());
    world.faults = vec![switch(BEGIN, None, None, OldSockets::Rot)];
    // A seed whose next push comes before the beat of 120.2 s.
    let of_seed = |seed| created_pushes(&go_traced(&world, seed)).into_iter().find(|push| *push > BEGIN);
    let fits = |push: Time| push < Time::from_secs(119);
    let (seed, push) =
        (0..100).find_map(|seed| of_seed(seed).filter(|push| fits(*push)).map(|push| (seed, push))).expect("a seed");
    let outcome = go_traced(&world, seed);

    let (at, packet) = dropped(&outcome)[0];
    assert_eq!((at, *packet.dst.ip()), (push + CORE + ACCESS, OLD));
    assert!(!packet.payload.is_empty());
    assert!(!sent(&outcome).iter().any(|(at, ..)| *at > BEGIN && *at < Time::from_millis(130_200)), "no answer");
    let expected = [episode(Cause::NetworkSwitch, 100_000, Some((130_200, NO_REPLY)), Some(130_400))];
    assert_eq!(outcome.episodes, expected);
    assert_eq!(sources(&outcome).last(), Some(&(Time::from_millis(130_200), RENEWED)));
    // It waits on the server for the new session.
    let delivered = device_events(&outcome)
        .find(|(at, _, event)| *at > BEGIN && matches!(event, DeviceEvent::MessageDelivered { .. }))
        .expect("it is delivered in the end");
    assert_eq!(delivered.0, Time::from_millis(130_400));
}

#[test]
fn a_new_address_on_the_same_network_is_a_switch_of_its_own() {
    let outcome = struck(switch(BEGIN, None, None, OldSockets::Abort));
    let expected = [episode(Cause::NetworkSwitch, 100_000, Some((100_000, ABORTED)), Some(100_200))];
    assert_eq!(outcome.episodes, expected);
    assert_eq!(sources(&outcome), [(Time::ZERO, OLD), (BEGIN, RENEWED)]);
}

#[test]
fn after_a_switch_for_a_while_the_device_goes_where_it_would_be_without() {
    let mut world = two_networks();
    let at = |secs| Time::from_secs(secs);
    // Wi-Fi from 100 s to 300 s, in it a minute without any network; the plan changes behind it.
    world.faults = vec![
        switch(at(100), Some("wifi"), Some(secs(200)), OldSockets::Abort),
        switch(at(150), Some("none"), Some(secs(60)), OldSockets::Abort),
    ];
    world.life.attach = vec![attach(at(250), "none", OldSockets::Abort), attach(at(400), "main", OldSockets::Abort)];
    let outcome = go_traced(&world, 1);
    let attached_at: Vec<_> = device_events(&outcome)
        .filter_map(|(at, _, event)| match event {
            DeviceEvent::Attached { network, lease } => Some((at, network, lease)),
            _ => None,
        })
        .collect();
    assert_eq!(attached_at, [(at(100), 1, 0), (at(210), 1, 1), (at(400), 0, 1)]);
    let causes: Vec<_> = outcome.episodes.iter().map(|episode| (episode.begin, episode.cause)).collect();
    let expected = [(at(100), Cause::NetworkSwitch), (at(150), Cause::NoNetwork), (at(300), Cause::NoNetwork)];
    assert_eq!(causes, expected);
}

/// The lease is over and the system does not notice (old Android): silence both ways, new connections included, until it
/// asks for another address.
#[test]
fn a_lease_expires_in_silence_and_attempts_fail_until_there_is_a_new_address() {
    let mut world = two_networks();
    world.traffic.down = Some(Span::secs(10).into());
    world.faults = vec![lease_expiry(None, Some(secs(60)))];
    let outcome = go_traced(&world, 1);
    let back = BEGIN + secs(60);
    let expected = [episode(Cause::LeaseExpiry, 100_000, Some((130_200, NO_REPLY)), Some(160_200))];
    assert_eq!(outcome.episodes, expected);
    let begun = [0, 130_200, 140_200, 150_200, 160_000].map(Time::from_millis);
    assert_eq!(attempts(&outcome), begun);
    assert_eq!(sources(&outcome), [(Time::ZERO, OLD), (back, RENEWED)]);
    let dead = |at: Time| at > BEGIN && at < back;
    assert!(sent(&outcome).iter().filter(|(at, ..)| dead(*at)).all(|(.., fate)| *fate == Fate::Cut));
    let arrives = entries(&outcome)
        .iter()
        .any(|entry| entry.node == DEVICES && dead(entry.at) && matches!(entry.what, What::Received { .. }));
    assert!(!arrives, "nothing reaches a dead address");
}

#[test]
fn at_the_end_of_a_dead_lease_the_system_ends_the_connections_over_it() {
    let mut world = two_networks();
    world.strategy.heartbeat = HeartbeatSpec::None;
    world.faults = vec![lease_expiry(None, Some(secs(60)))];
    let outcome = go_traced(&world, 1);
    let back = BEGIN + secs(60);
    let expected = [episode(Cause::LeaseExpiry, 100_000, Some((160_000, ABORTED)), Some(160_200))];
    assert_eq!(outcome.episodes, expected);
    let [port, next] = ports(&outcome)[..] else { panic!("two attempts") };
    assert_eq!(
        events_from(&outcome, BEGIN),
        [
            (back, detached(0, 0, Cause::LeaseExpiry)),
            (back, DeviceEvent::Lost { port, reason: LossReason::Aborted }),
            (back, attached(0, 1)),
            (back, DeviceEvent::AttemptStarted { port: next, server: 0 }),
            (back + CONNECTS, DeviceEvent::Connected { port: next, server: 0 }),
        ]
    );
}

#[test]
fn a_lease_matters_only_on_the_network_that_the_device_is_on() {
    assert_eq!(struck(lease_expiry(Some("wifi"), None)).episodes, []);
    // Leaving the network is leaving the dead address.
    let mut world = two_networks();
    world.faults = vec![lease_expiry(Some("main"), None)];
    world.life.attach = vec![attach(BEGIN + secs(10), "wifi", OldSockets::Abort)];
    let expected = [episode(Cause::LeaseExpiry, 100_000, Some((110_000, ABORTED)), Some(110_160))];
    assert_eq!(go(&world, 1).episodes, expected);
}

/// A killed process closes nothing, but its kernel does: FIN.
#[test]
fn a_kill_is_told_to_the_server_by_fin_and_the_process_begins_anew() {
    let outcome = struck(kill(Some(secs(60))));
    let back = BEGIN + secs(60);
    let [_, next] = ports(&outcome)[..] else { panic!("two attempts") };
    assert_eq!(
        events_from(&outcome, BEGIN),
        [
            (BEGIN, DeviceEvent::Killed),
            (back, DeviceEvent::Started),
            (back, DeviceEvent::AttemptStarted { port: next, server: 0 }),
            (back + CONNECTS, DeviceEvent::Connected { port: next, server: 0 }),
        ]
    );
    let fins = sent(&outcome).into_iter().filter(|(_, packet, _)| packet.flags.has(Flags::FIN));
    assert_eq!(fins.map(|(at, ..)| at).collect::<Vec<_>>(), [BEGIN]);
    assert_eq!(sessions_closed(&outcome), [BEGIN + ACCESS + CORE]);
    // There is nobody who could detect it.
    assert_eq!(outcome.episodes, [episode(Cause::ProcessKilled, 100_000, None, Some(160_200))]);
    assert_eq!(outcome.episodes[0].outcome(), EpisodeOutcome::RiddenOut);
    assert_eq!(outcome.zombie_time, ACCESS + CORE);
}

#[test]
fn a_process_that_nobody_starts_again_stays_dead() {
    let mut world = two_networks();
    world.traffic.up = Some(Span::secs(10).into());
    world.faults = vec![kill(None)];
    let outcome = go_traced(&world, 1);
    assert_eq!(outcome.episodes, [episode(Cause::ProcessKilled, 100_000, None, None)]);
    assert_eq!(attempts(&outcome), [Time::ZERO]);
    assert!(sent_messages(&outcome).iter().all(|at| *at < BEGIN), "the dead say nothing");
}

/// The FIN of a killed process needs the mapping that its NAT has forgotten: the server keeps the session.
#[test]
fn a_kill_behind_a_nat_that_has_forgotten_leaves_a_zombie() {
    let mut world = two_networks();
    world.strategy.heartbeat = HeartbeatSpec::None;
    world.nat[0].established = Span::secs(60).into();
    world.duration = secs(200);
    world.faults = vec![kill(Some(secs(60)))];
    let outcome = go_traced(&world, 1);
    let hello = BEGIN + secs(60) + CONNECTS - ACCESS - CORE;
    assert_eq!(sessions_closed(&outcome), [hello]);
    // What broke first names the episode.
    assert_eq!(outcome.episodes, [episode(Cause::NatExpiry, 60_220, None, Some(160_200))]);
    assert_eq!(outcome.zombie_time, hello.since(BEGIN));
}

#[test]
fn a_started_process_has_policies_without_a_past() {
    let mut world = two_networks();
    let waits = ExponentialBackoff { jitter: Jitter::None, cap: Span::secs(64), ..ExponentialBackoff::default() };
    world.strategy.reconnect = ReconnectSpec::Exponential(waits);
    world.faults = vec![
        FaultConfig::ServerCrash(ServerFault { devices: None, server: None, when: at(BEGIN), lasts: None }),
        FaultConfig::ProcessKilled(ProcessKilled {
            devices: None,
            when: at(BEGIN + secs(20)),
            lasts: Some(constant(secs(30))),
        }),
    ];
    let outcome = go_traced(&world, 1);
    let told = BEGIN + CORE + ACCESS;
    // Waits of 1, 2, 4, 8 s, each after a round trip to be refused; killed in the fifth, of 16 s.
    let mut expected = vec![Time::ZERO];
    let mut next = told;
    for wait in [1, 2, 4] {
        next += secs(wait);
        expected.push(next);
        next += RTT;
    }
    expected.push(next + secs(8));
    let mut next = BEGIN + secs(50);
    for wait in [1, 2, 4, 8] {
        expected.push(next);
        next += RTT + secs(wait);
    }
    assert_eq!(attempts(&outcome)[..9], expected);
}

/// A process that waits for its first network is a process.
#[test]
fn a_process_killed_before_it_had_a_network_does_not_try_when_one_comes() {
    let mut world = two_networks();
    world.life.attach =
        vec![attach(Time::ZERO, "none", OldSockets::Abort), attach(Time::from_secs(130), "main", OldSockets::Abort)];
    world.faults = vec![kill(Some(secs(60)))];
    assert_eq!(attempts(&go_traced(&world, 1)), [BEGIN + secs(60)]);
}

#[test]
fn a_cut_of_one_network_is_nothing_to_a_device_on_another() {
    let fault = |network: &str| cut_of(LinkName::Network(network.into()), Direction::Both, BEGIN, Some(secs(100)));
    assert_eq!(struck(fault("wifi")).episodes, []);
    let expected = [episode(Cause::Cut, 100_000, Some((130_200, NO_REPLY)), Some(200_400))];
    assert_eq!(struck(fault("main")).episodes, expected);
    // It leaves the cut behind.
    let mut world = two_networks();
    world.faults = vec![fault("main"), switch(BEGIN + secs(10), Some("wifi"), None, OldSockets::Abort)];
    let expected = [episode(Cause::Cut, 100_000, Some((110_000, ABORTED)), Some(110_160))];
    assert_eq!(go(&world, 1).episodes, expected);
}

#[test]
fn a_flush_of_one_networks_nat_leaves_the_other_alone() {
    let fault = |name: &str| FaultConfig::NatFlush(NatFlush { network: Some(name.into()), nat: None, when: at(BEGIN) });
    let flushed = |outcome: &Outcome| -> Vec<(Time, u32)> {
        let events = entries(outcome).iter().filter_map(|entry| match entry.what {
            What::Fact(Fact::Nat { network, event: NatEvent::Flushed, .. }) => Some((entry.at, network)),
            _ => None,
        });
        events.collect()
    };
    let mut world = two_networks();
    world.life.attach = vec![attach(Time::from_secs(50), "wifi", OldSockets::Abort)];
    world.faults = vec![fault("wifi")];
    let outcome = go_traced(&world, 1);
    assert_eq!(flushed(&outcome), [(BEGIN, 1)]);
    assert_eq!((outcome.episodes[1].cause, outcome.episodes[1].begin), (Cause::NatFlush, BEGIN));
    world.faults = vec![fault("main")];
    let outcome = go_traced(&world, 1);
    // The mapping of the connection that was aborted has not closed.
    assert_eq!(flushed(&outcome), [(BEGIN, 0)]);
    assert_eq!(outcome.episodes.len(), 1, "the switch alone");
}

#[test]
fn faults_during_a_part_of_the_run_begin_in_it() {
    let mut world = two_networks();
    world.devices.count = 20;
    let when = When::During { every: Span::secs(30), from: Delay::millis(200_000), to: Span::secs(300) };
    let (link, direction, lasts) = (LinkName::Access, Direction::Both, Some(constant(secs(1))));
    world.faults = vec![FaultConfig::Cut(Cut {
        devices: None,
        link,
        direction,
        when,
        lasts,
        answers: Answer::Nothing,
        carrier: Carrier::Kept,
    })];
    let outcome = go(&world, 1);
    let begins = outcome.episodes.iter().map(|episode| episode.begin);
    let (first, last) = (begins.clone().min().expect("some"), begins.max().expect("some"));
    assert!(first >= Time::from_secs(200) && last < Time::from_secs(300), "{first} to {last}");
    // 20 devices, 100 s, one in 30 s and the second it lasts: 64.5, give or take four standard deviations.
    assert!((33..=97).contains(&outcome.episodes.len()), "{}", outcome.episodes.len());
}

/// A process that begins anew has forgotten what it promised; what it takes for dead is no less alive for it.
#[test]
fn where_processes_are_killed_only_the_promise_of_no_false_alarm_stands() {
    let mut world = two_networks();
    let healthy = world.promises();
    assert!(healthy.no_false_alarm && healthy.detects_within.is_some() && healthy.reconnects_within.is_some());
    world.faults = vec![switch(BEGIN, Some("wifi"), None, OldSockets::Abort)];
    assert_eq!(world.promises(), healthy, "a switch takes no promise away");
    world.faults = vec![kill(Some(secs(60)))];
    let promises = world.promises();
    assert!(promises.no_false_alarm);
    assert_eq!((promises.detects_within, promises.reconnects_within), (None, None));
    assert_eq!((promises.heartbeats_per_hour, promises.attempts), (None, None));
}
