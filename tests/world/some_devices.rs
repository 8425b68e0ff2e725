//! Faults that strike some devices alone: to them they are what they are to all elsewhere, and the others notice nothing.
//!
//! Devices start at zero and beat every 30 s from 30.2 s on, over a path of 20 ms and 30 ms, and give up after 10 s without a
//! reply.

use std::{collections::BTreeSet, time::Duration};

use cardiogram_policies::{
    AttemptFailure, GiveUp, LossReason, Time,
    unit::{Delay, Fraction, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{
        Answer, BalancerConfig, Carrier, Cut, Direction, FaultConfig, HealthCheck, LinkName, ProcessKilled, RateLimit,
        ServerDrain, ServerFault, ServerOverload, Whom,
    },
    faults::FaultPlace,
    outcome::{Cause, DetectedBy, Episode},
    trace::{DeviceEvent, DropReason, Fate, ServerEvent, What},
};
use kit::common::*;

const FAULT: Time = Time::from_secs(100);

/// Four devices for ten minutes.
fn four(fault: FaultConfig) -> WorldConfig {
    let mut world = world(fixed(secs(30), secs(10), 1));
    (world.devices.count, world.duration) = (4, secs(600));
    world.faults = vec![fault];
    world
}

fn only(devices: &[u32]) -> Whom {
    Whom::Only(devices.to_vec())
}

fn of_server(devices: Whom, lasts: Option<Duration>) -> ServerFault {
    ServerFault { devices: Some(devices), ..server_fault(FAULT, lasts) }
}

/// Returns when devices noticed that their sessions were dead, and by what, in the order of the devices.
fn noticed(outcome: &Outcome) -> Vec<(u32, Cause, Time, DetectedBy)> {
    let of = |episode: &Episode| {
        let detection = episode.detection.expect("somebody notices");
        (episode.device, episode.cause, detection.at, detection.by)
    };
    outcome.episodes.iter().map(of).collect()
}

fn events_of(outcome: &Outcome, device: u32) -> Vec<(Time, DeviceEvent)> {
    device_events(outcome).filter(|(_, of, _)| *of == device).map(|(at, _, event)| (at, event)).collect()
}

#[test]
fn a_cut_of_a_named_device_breaks_its_session_and_no_other() {
    let cut = Cut {
        devices: Some(only(&[2])),
        link: LinkName::Access,
        direction: Direction::Both,
        when: at(FAULT),
        lasts: Some(constant(secs(60))),
        answers: Answer::Nothing,
        carrier: Carrier::Kept,
    };
    let outcome = go_traced(&four(FaultConfig::Cut(cut)), 1);
    // The beat of 120.2 s is not answered.
    let given_up = DetectedBy::Heartbeat(GiveUp::NoReply);
    assert_eq!(noticed(&outcome), [(2, Cause::Cut, Time::from_millis(130_200), given_up)]);
}

/// What a capture at the NAT sees of a struck device is lost behind it, both ways, and the path of the others is as it was.
#[test]
fn a_share_of_the_devices_is_cut_off_on_the_core_link() {
    let cut = Cut {
        devices: Some(Whom::Share(Fraction::new(0.5).unwrap())),
        link: LinkName::Core,
        direction: Direction::Down,
        when: at(FAULT),
        lasts: Some(constant(secs(60))),
        answers: Answer::Nothing,
        carrier: Carrier::Kept,
    };
    let outcome = go_traced(&four(FaultConfig::Cut(cut)), 1);
    let struck: BTreeSet<u32> = outcome.episodes.iter().map(|episode| episode.device).collect();
    assert_eq!(struck.len(), 2);
    assert!(outcome.episodes.iter().all(|it| (it.cause, it.begin, it.fault) == (Cause::CutDown, FAULT, Some(0))));
    let lost = entries(&outcome).iter().filter_map(|entry| match &entry.what {
        What::Sent { packet, fate: Fate::Cut, .. } => Some((entry.node, packet.device.expect("a device's"))),
        _ => None,
    });
    assert!(lost.into_iter().all(|(node, device)| node == SERVER && struck.contains(&device)));
    let spans = &outcome.trace.as_ref().unwrap().faults;
    let listed: BTreeSet<u32> = spans.iter().filter_map(|span| span.device).collect();
    assert_eq!((spans.len(), listed, spans[0].place), (2, struck, FaultPlace::CoreLink));
}

/// A lane for those whose path is narrow: a thousand bits take a second there, and nobody else waits.
#[test]
fn a_narrow_path_of_some_keeps_the_others_waiting_for_nothing() {
    let narrow = RateLimit {
        devices: Some(only(&[0])),
        link: LinkName::Core,
        direction: Direction::Up,
        when: at(Time::ZERO),
        lasts: None,
        bits_per_second: 1_000,
        queue: Delay::millis(60_000),
    };
    let mut world = four(FaultConfig::RateLimit(narrow));
    world.duration = secs(60);
    let outcome = go_traced(&world, 1);
    let rtt = |device| {
        let answered = events_of(&outcome, device).into_iter().find_map(|(_, event)| match event {
            DeviceEvent::HeartbeatAnswered { rtt, .. } => Some(rtt),
            _ => None,
        });
        answered.expect("a reply")
    };
    // A beat of 57 bytes is 456 bits.
    assert_eq!((rtt(0), rtt(1), rtt(2)), (RTT + millis(456), RTT, RTT));
}

#[test]
fn a_process_that_is_killed_is_that_of_those_who_are_struck() {
    let killed = ProcessKilled { devices: Some(only(&[1, 3])), when: at(FAULT), lasts: Some(constant(secs(1))) };
    let outcome = go_traced(&four(FaultConfig::ProcessKilled(killed)), 1);
    let killed = device_events(&outcome).filter(|(.., event)| *event == DeviceEvent::Killed);
    assert_eq!(killed.map(|(at, device, _)| (at, device)).collect::<Vec<_>>(), [(FAULT, 1), (FAULT, 3)]);
}

/// A part of the service hangs: the kernel acknowledges for all, and beats of those who are struck are read when it goes on.
#[test]
fn a_server_that_hangs_for_some_answers_the_others() {
    let stall = FaultConfig::ServerStall(of_server(only(&[1]), Some(secs(60))));
    let outcome = go_traced(&four(stall), 1);
    let given_up = DetectedBy::Heartbeat(GiveUp::NoReply);
    assert_eq!(noticed(&outcome), [(1, Cause::ServerStall, Time::from_millis(130_200), given_up)]);
    // It comes back at once, is acknowledged and not welcomed; the process reads its hello at 160 s.
    let welcomed =
        events_of(&outcome, 1).into_iter().filter(|(_, event)| matches!(event, DeviceEvent::Connected { .. }));
    assert_eq!(welcomed.map(|(at, _)| at).collect::<Vec<_>>()[1], Time::from_secs(160) + millis(50));
}

/// A balancer's checks are answered while the service is dead for a share of its users.
#[test]
fn no_check_notices_what_strikes_some_alone() {
    let stall = FaultConfig::ServerStall(of_server(only(&[1]), None));
    let mut world = four(stall);
    world.server.balancer = Some(BalancerConfig { check: HealthCheck::Application, ..BalancerConfig::default() });
    world.server.watchdog = Some(Span::secs(20));
    let outcome = go_traced(&world, 1);
    assert!(server_events(&outcome).all(|(_, event)| !matches!(event, ServerEvent::TurnedUnhealthy)));
    assert_eq!(outcome.episodes.iter().map(|it| (it.device, it.end)).collect::<Vec<_>>(), [(1, None)]);
}

/// FIN for those who are struck, and RST for whoever of them comes back before there is a process for them again.
#[test]
fn a_process_that_dies_for_some_closes_their_sessions_and_refuses_them() {
    let crash = FaultConfig::ServerCrash(of_server(only(&[0, 3]), Some(secs(10))));
    let outcome = go_traced(&four(crash), 1);
    let closed = DetectedBy::Transport(LossReason::Closed);
    let at = FAULT + RTT / 2;
    assert_eq!(noticed(&outcome), [(0, Cause::ServerCrash, at, closed), (3, Cause::ServerCrash, at, closed)]);
    let failed = |device| {
        let failed = events_of(&outcome, device).into_iter().filter_map(|(at, event)| match event {
            DeviceEvent::AttemptFailed(failure) => Some((at, failure)),
            _ => None,
        });
        failed.collect::<Vec<_>>()
    };
    assert_eq!(failed(0)[0], (at + RTT, AttemptFailure::Refused));
    assert_eq!((failed(1), failed(2)), (vec![], vec![]));
    let back = outcome.episodes[0].end.expect("it comes back");
    assert!(back >= Time::from_secs(110) && back < Time::from_secs(111), "{back}");
}

#[test]
fn a_host_that_is_silent_for_some_drops_their_packets_and_resets_their_old_connections_afterwards() {
    let vanish = FaultConfig::ServerVanish(of_server(only(&[2]), Some(secs(15))).into());
    let mut world = four(vanish);
    // Nobody notices the silence: the first beat afterwards is answered by RST.
    world.strategy.heartbeat = fixed(secs(30), secs(25), 1);
    let outcome = go_traced(&world, 1);
    let rst = Time::from_millis(120_200) + RTT;
    assert_eq!(noticed(&outcome), [(2, Cause::ServerVanish, rst, DetectedBy::Transport(LossReason::Reset))]);
    world.faults = vec![FaultConfig::ServerVanish(of_server(only(&[2]), Some(secs(40))).into())];
    let outcome = go_traced(&world, 1);
    assert!(!dropped(&outcome, SERVER).is_empty());
    assert!(dropped(&outcome, SERVER).iter().all(|(_, reason)| *reason == DropReason::HostDown));
    assert_eq!(outcome.episodes.iter().map(|it| it.device).collect::<Vec<_>>(), [2]);
}

/// Work of 10 ms at a tenth of the capacity.
#[test]
fn a_server_that_is_slow_for_some_is_as_quick_as_ever_for_others() {
    let slow = ServerOverload {
        devices: Some(only(&[3])),
        server: None,
        when: at(FAULT),
        lasts: None,
        capacity: Fraction::new(0.1).unwrap(),
        ramp: None,
    };
    let mut world = four(FaultConfig::ServerOverload(slow));
    world.server.cores = 4;
    world.server.heartbeat_cost = Delay::millis(10).into();
    let outcome = go_traced(&world, 1);
    let last_rtt = |device| {
        let answered = events_of(&outcome, device).into_iter().rev().find_map(|(_, event)| match event {
            DeviceEvent::HeartbeatAnswered { rtt, .. } => Some(rtt),
            _ => None,
        });
        answered.expect("a reply")
    };
    assert_eq!([0, 1, 2, 3].map(last_rtt), [10, 10, 10, 100].map(|work| RTT + millis(work)));
}

/// Two sessions over 20 s: the first at once, the second ten seconds later.
#[test]
fn a_drain_of_some_closes_their_sessions_one_after_the_other() {
    let drain = ServerDrain {
        devices: Some(only(&[0, 2])),
        server: None,
        when: at(FAULT),
        over: Span::secs(20),
        restart: Span::secs(10),
    };
    let outcome = go_traced(&four(FaultConfig::ServerDrain(drain)), 1);
    let closed = DetectedBy::Transport(LossReason::Closed);
    let at = |secs| Time::from_secs(secs) + RTT / 2;
    assert_eq!(noticed(&outcome), [(0, Cause::ServerDrain, at(100), closed), (2, Cause::ServerDrain, at(110), closed)]);
    // Refused until the process of the two is back.
    for episode in &outcome.episodes {
        let end = episode.end.expect("it comes back");
        assert!(end >= Time::from_secs(130) && end < Time::from_secs(131), "{end}");
    }
}

#[test]
fn nobody_twice_and_those_who_are_not_there_are_refused_with_their_keys() {
    let cut = |devices| {
        let when = at(FAULT);
        let cut = Cut {
            devices: Some(devices),
            link: LinkName::Access,
            direction: Direction::Both,
            when,
            lasts: None,
            answers: Answer::Nothing,
            carrier: Carrier::Kept,
        };
        four(FaultConfig::Cut(cut)).problems()
    };
    let told = |devices| {
        cut(devices).iter().map(|it| format!("{}: {} ({})", it.path, it.message, it.help)).collect::<Vec<_>>()
    };
    assert_eq!(
        told(Whom::Share(Fraction::new(0.1).unwrap())),
        [
            "faults[0].cut.devices.share: a share of 0.1 of devices.count = 4 is nobody (use at least 0.125, or name them, as in \
          devices.only = [0], or leave `devices` out for all)"
        ]
    );
    assert_eq!(
        told(Whom::Only(vec![1, 4, 1])),
        [
            "faults[0].cut.devices.only[1]: there is no device 4: devices.count is 4 (use 0 to 3)",
            "faults[0].cut.devices.only[2]: device 1 is named twice (leave one of them out)",
        ]
    );
    assert_eq!(
        told(Whom::Only(vec![])),
        [
            "faults[0].cut.devices.only: no device is named (name at least one, as in [0], or leave `devices` out for all)"
        ]
    );
}
