//! A balancer in front of the servers at the boundary of the world: when it moves new connections, whom it resets, and what
//! clients see of it.
//!
//! Times are worked out by hand on the path of `common`: 20 ms and 30 ms one way. Checks are at 10 s, 20 s, ...; a fault that
//! begins at 95 s is seen at 100, 110 and 120 s.

use cardiogram_policies::{HeartbeatSpec, LossReason, ReconnectSpec, Time, reconnect::FixedDelay, unit::Span};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{BalancerConfig, Direction, FaultConfig, HealthCheck, LinkName, OnUnhealthy, ServerDrain, ServerFault},
    outcome::{Cause, DetectedBy, EpisodeOutcome},
    packet::{Flags, Packet},
    trace::{DeviceEvent, DropReason, Fact, ServerEvent, What},
};
use kit::common::*;

const FAULT: Time = Time::from_secs(95);
const UNHEALTHY: Time = Time::from_secs(120);

/// Two servers, as many devices as it takes that both have some.
fn balanced(heartbeat: HeartbeatSpec, balancer: BalancerConfig) -> WorldConfig {
    let mut world = world(heartbeat);
    world.devices.count = 12;
    world.duration = secs(600);
    world.server.count = 2;
    world.server.balancer = Some(balancer);
    world
}

fn application() -> BalancerConfig {
    BalancerConfig { check: HealthCheck::Application, ..BalancerConfig::default() }
}

/// Of the first server alone, from 95 s on.
fn of_first(lasts: Option<u64>) -> ServerFault {
    ServerFault { server: Some(0), ..server_fault(FAULT, lasts.map(secs)) }
}

/// Returns when each attempt of any device began, and at which server.
fn attempts(outcome: &Outcome) -> Vec<(Time, u32)> {
    let started = device_events(outcome).filter_map(|(at, _, event)| match event {
        DeviceEvent::AttemptStarted { server, .. } => Some((at, server)),
        _ => None,
    });
    started.collect()
}

/// Returns the devices that were given the first server at their start; neither none nor all.
fn on_first(outcome: &Outcome) -> Vec<u32> {
    let first = device_events(outcome).filter_map(|(at, device, event)| match event {
        DeviceEvent::Connected { server: 0, .. } if at < FAULT => Some(device),
        _ => None,
    });
    let devices: Vec<u32> = first.collect();
    assert!((1..12).contains(&devices.len()), "{devices:?}");
    devices
}

/// Returns what happened to a device after the fault began.
fn fate(outcome: &Outcome, device: u32) -> Vec<(Time, DeviceEvent)> {
    let its = device_events(outcome).filter(|(at, of, _)| *of == device && *at >= FAULT);
    its.map(|(at, _, event)| (at, event)).collect()
}

fn beliefs(outcome: &Outcome) -> Vec<(Time, ServerEvent)> {
    let of_balancer = |event| matches!(event, ServerEvent::TurnedUnhealthy | ServerEvent::TurnedHealthy);
    let found = entries(outcome).iter().filter_map(|entry| match entry.what {
        What::Fact(Fact::Server { event, .. }) if of_balancer(event) => Some((entry.at, event)),
        _ => None,
    });
    found.collect()
}

fn sent_by_first(outcome: &Outcome) -> impl Iterator<Item = (Time, &Packet)> {
    entries(outcome).iter().filter_map(|entry| match &entry.what {
        What::Sent { packet, .. } if entry.node == SERVER => Some((entry.at, packet)),
        _ => None,
    })
}

/// Every device of the first server, and no other, is told by an RST when the balancer has made up its mind, and is with the
/// second server two round trips later.
#[track_caller]
fn assert_all_move_at_once(outcome: &Outcome, cause: Cause) {
    let moved = on_first(outcome);
    let told = UNHEALTHY + RTT / 2;
    for device in 0..12 {
        let fate = fate(outcome, device);
        if !moved.contains(&device) {
            assert_eq!(fate, []);
            continue;
        }
        let [(lost, DeviceEvent::Lost { reason, .. }), .., (back, DeviceEvent::Connected { server, .. })] = fate[..]
        else {
            panic!("device {device}: {fate:?}")
        };
        assert_eq!((lost, reason, back, server), (told, LossReason::Reset, told + 2 * RTT, 1));
    }
    assert_eq!(outcome.episodes.len(), moved.len());
    for episode in &outcome.episodes {
        assert_eq!((episode.cause, episode.begin, episode.end), (cause, FAULT, Some(told + 2 * RTT)));
        let detection = episode.detection.expect("a reset is noticed");
        assert_eq!((detection.at, detection.by), (told, DetectedBy::Transport(LossReason::Reset)));
    }
    assert_eq!(beliefs(outcome), [(UNHEALTHY, ServerEvent::TurnedUnhealthy)]);
    assert_eq!(outcome.zombie_time, std::time::Duration::ZERO);
}

/// A check that asks the application sees a deadlock, and tells clients that would never have noticed themselves.
#[test]
fn an_application_check_moves_the_clients_of_a_deaf_server() {
    let mut world = balanced(HeartbeatSpec::None, application());
    world.faults = vec![FaultConfig::ServerStall(of_first(None))];
    assert_all_move_at_once(&go_traced(&world, 1), Cause::ServerStall);
}

/// The kernel of a hung server answers a TCP check for ever: nothing is moved, and a client that gives its connection up may
/// be led to the deaf server again.
#[test]
fn a_tcp_check_never_sees_a_deaf_server() {
    let mut world = balanced(HeartbeatSpec::None, BalancerConfig::default());
    world.faults = vec![FaultConfig::ServerStall(of_first(None))];
    let outcome = go_traced(&world, 1);
    assert_eq!((beliefs(&outcome), outcome.episodes.len()), (vec![], on_first(&outcome).len()));
    assert!(outcome.episodes.iter().all(|episode| episode.outcome() == EpisodeOutcome::Undetected));

    world.strategy.heartbeat = fixed(secs(30), secs(15), 1);
    let outcome = go_traced(&world, 1);
    assert!(attempts(&outcome).iter().any(|(at, server)| *at > UNHEALTHY && *server == 0));
}

/// A host without power says nothing; the balancer speaks for it.
#[test]
fn the_clients_of_a_vanished_host_are_reset_by_the_balancer() {
    let mut world = balanced(HeartbeatSpec::None, BalancerConfig::default());
    world.faults = vec![FaultConfig::ServerVanish(of_first(None).into())];
    let outcome = go_traced(&world, 1);
    assert_all_move_at_once(&outcome, Cause::ServerVanish);
    assert!(
        sent_by_first(&outcome)
            .filter(|(at, _)| *at >= FAULT)
            .all(|(at, packet)| { at == UNHEALTHY && packet.flags.has(Flags::RST) })
    );
}

/// Whom the RST does not reach is told when it sends something: the balancer does not know the connection any more.
#[test]
fn a_client_that_missed_the_reset_is_told_when_it_sends() {
    let mut world = balanced(fixed(secs(50), secs(15), 1), BalancerConfig::default());
    // The beat at 100.2 s is answered; failed checks at 110, 120 and 130 s; the next beat is at 150.2 s.
    let vanish = ServerFault { server: Some(0), ..server_fault(Time::from_millis(100_500), None) };
    let missed = cut_of(LinkName::Core, Direction::Down, Time::from_secs(130), Some(secs(1)));
    world.faults = vec![FaultConfig::ServerVanish(vanish.into()), missed];
    let outcome = go_traced(&world, 1);
    assert_eq!(beliefs(&outcome), [(Time::from_secs(130), ServerEvent::TurnedUnhealthy)]);
    for device in on_first(&outcome) {
        let lost = fate(&outcome, device).into_iter().find(|(_, event)| matches!(event, DeviceEvent::Lost { .. }));
        let Some((told, DeviceEvent::Lost { reason, .. })) = lost else { panic!("{lost:?}") };
        assert_eq!((told, reason), (Time::from_millis(150_200) + RTT, LossReason::Reset));
    }
}

/// Where the balancer leaves connections alone, only new ones go elsewhere, from the third failed check on.
#[test]
fn a_balancer_that_leaves_connections_moves_only_new_ones() {
    let leave = BalancerConfig { on_unhealthy: OnUnhealthy::Leave, ..application() };
    let mut world = balanced(fixed(secs(10), secs(5), 1), leave);
    world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(1) });
    world.strategy.connect_timeout = Span::secs(2);
    world.faults = vec![FaultConfig::ServerStall(of_first(None))];
    let outcome = go_traced(&world, 1);
    let at_the_deaf = |(_, server): &&(Time, u32)| *server == 0;
    let later = attempts(&outcome);
    let (before, after): (Vec<_>, Vec<_>) =
        later.into_iter().filter(|(at, _)| *at > FAULT).partition(|(at, _)| *at < UNHEALTHY);
    assert!(before.iter().filter(at_the_deaf).count() > 0, "until then a client may be led to the deaf server again");
    assert_eq!(after.iter().filter(at_the_deaf).count(), 0);
    assert!(outcome.episodes.iter().all(|episode| {
        episode.detection.is_some_and(|detection| matches!(detection.by, DetectedBy::Heartbeat(_)))
    }));
}

/// Two checks in a row are answered again, at 200 and at 210 s: then the server gets new clients.
#[test]
fn a_server_that_is_back_gets_clients_after_two_checks() {
    let mut world = balanced(HeartbeatSpec::None, BalancerConfig::default());
    world.devices.count = 400;
    world.devices.start_within = cardiogram_policies::unit::Delay::millis(400_000);
    world.faults = vec![FaultConfig::ServerCrash(of_first(Some(105)))];
    let outcome = go_traced(&world, 1);
    let back = Time::from_secs(210);
    assert_eq!(beliefs(&outcome), [(UNHEALTHY, ServerEvent::TurnedUnhealthy), (back, ServerEvent::TurnedHealthy)]);
    let to_first = |from, to| attempts(&outcome).iter().filter(|(at, it)| (from..to).contains(at) && *it == 0).count();
    assert_eq!(to_first(UNHEALTHY, back), 0);
    assert!(to_first(FAULT, UNHEALTHY) > 0 && to_first(back, back + secs(20)) > 3);
}

/// Where no server is healthy, new connections go to any: the only server is still tried, in vain.
#[test]
fn a_balancer_without_a_healthy_server_fails_open() {
    let mut world = balanced(HeartbeatSpec::None, BalancerConfig::default());
    world.server.count = 1;
    world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(5) });
    world.faults = vec![FaultConfig::ServerVanish(of_first(None).into())];
    let outcome = go_traced(&world, 1);
    let syns = entries(&outcome).iter().filter(|entry| match &entry.what {
        What::Dropped { packet, reason: DropReason::HostDown } => packet.flags.has(Flags::SYN) && entry.at > UNHEALTHY,
        _ => false,
    });
    assert!(syns.count() > 12);
}

/// A drain is announced: from its begin on the server gets nobody new, and it closes its sessions at its own pace.
#[test]
fn a_drained_server_gets_no_new_clients_and_keeps_its_own() {
    let mut world = balanced(HeartbeatSpec::None, BalancerConfig::default());
    let (over, restart) = (Span::secs(60), Span::secs(10));
    world.faults =
        vec![FaultConfig::ServerDrain(ServerDrain { devices: None, server: Some(0), when: at(FAULT), over, restart })];
    let outcome = go_traced(&world, 1);
    assert_eq!(beliefs(&outcome), []);
    for device in on_first(&outcome) {
        let fate = fate(&outcome, device);
        let [(_, DeviceEvent::Lost { reason, .. }), .., (_, DeviceEvent::Connected { server, .. })] = fate[..] else {
            panic!("{fate:?}")
        };
        assert_eq!((reason, server), (LossReason::Closed, 1));
        let failed = fate.iter().any(|(_, event)| matches!(event, DeviceEvent::AttemptFailed(_)));
        assert!(!failed, "the first retry succeeds: {fate:?}");
    }
}

/// What a balancer cannot be is named by its key.
#[test]
fn impossible_balancers_are_refused_with_the_key_to_blame() {
    let hasty = BalancerConfig {
        check_every: Span::millis(10),
        unhealthy_after: 0,
        healthy_after: 1_000,
        ..BalancerConfig::default()
    };
    let paths: Vec<String> =
        balanced(HeartbeatSpec::None, hasty).problems().into_iter().map(|problem| problem.path).collect();
    let expected = ["check_every", "unhealthy_after", "healthy_after"].map(|key| format!("server.balancer.{key}"));
    assert_eq!(paths, expected);
}
