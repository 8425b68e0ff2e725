//! Devices and servers that stand still for a while, at the boundary of the world: what their kernels do meanwhile, who learns
//! of it, and what happens first when they go on.
//!
//! The usual device has its session at 0.2 s and beats every 30 s from 30.2 s on, over a path of 20 ms and 30 ms; 10 s without a
//! reply are too long. It tries again at once.

use std::time::Duration;

use cardiogram_policies::{
    GiveUp, HeartbeatSpec, LossReason, ServerSpec, Time,
    heartbeat::{FirstBeat, Fixed, LateReply},
    server::IdleReaper,
    unit::{Delay, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{FaultConfig, NetworkSwitch, OldSockets, OnWaking, Standstill},
    outcome::{Cause, DetectedBy, Detection},
    trace::{DeviceEvent, DropReason, ServerEvent},
};
use kit::common::*;

const NO_REPLY: DetectedBy = DetectedBy::Heartbeat(GiveUp::NoReply);

fn standstill(begin: Time, lasts: Option<Duration>) -> Standstill {
    Standstill { devices: None, when: at(begin), lasts: lasts.map(constant) }
}

fn stall(begin: Time, lasts: Duration) -> FaultConfig {
    FaultConfig::DeviceStall(standstill(begin, Some(lasts)))
}

fn freeze(begin: Time, lasts: Duration) -> FaultConfig {
    FaultConfig::DeviceFreeze(standstill(begin, Some(lasts)))
}

/// Returns the usual device, to whom a late reply is one, for ten minutes.
fn patient(on_waking: OnWaking, fault: FaultConfig) -> WorldConfig {
    let mut world = world(HeartbeatSpec::Fixed(Fixed {
        interval: Span::secs(30),
        timeout: Span::secs(10),
        misses: 1,
        first_beat: FirstBeat::Interval,
        late_reply: LateReply::Counts,
    }));
    (world.duration, world.devices.on_waking) = (secs(600), on_waking);
    world.faults = vec![fault];
    world
}

/// Returns what happened to the device from `begin` on, up to `end`.
fn events(outcome: &Outcome, begin: Time, end: Time) -> Vec<(Time, DeviceEvent)> {
    let within = device_events(outcome).filter(|(at, ..)| (begin..end).contains(at));
    within.map(|(at, _, event)| (at, event)).collect()
}

/// When a device sent packets from `begin` on, up to `end`.
fn sent_between(outcome: &Outcome, begin: Time, end: Time) -> Vec<Time> {
    let at = sent(outcome, DEVICES).into_iter().map(|(at, _)| at);
    at.filter(|at| (begin..end).contains(at)).collect()
}

/// The beat of 120.2 s goes out when the process goes on, and the session, which nobody has ended, is usable again.
#[test]
fn a_stalled_process_beats_late_and_keeps_its_session() {
    let (begin, end) = (Time::from_secs(100), Time::from_secs(160));
    let outcome = go_traced(&patient(OnWaking::InputFirst, stall(begin, secs(60))), 1);
    let [episode] = outcome.episodes[..] else { panic!("{:?}", outcome.episodes) };
    assert_eq!((episode.cause, episode.begin, episode.end), (Cause::DeviceStall, begin, Some(end)));
    assert_eq!((episode.detection, episode.fault), (None, Some(0)));
    assert_eq!((outcome.downtime.unavoidable, outcome.downtime.connecting), (secs(60), age(CONNECTED)));
    let events = events(&outcome, begin, end + secs(1));
    assert_eq!(events[0], (begin, DeviceEvent::StandsStill));
    assert_eq!(events[1], (end, DeviceEvent::GoesOn));
    assert!(matches!(events[2], (at, DeviceEvent::HeartbeatSent { .. }) if at == end), "{events:?}");
    assert_eq!(sent_between(&outcome, begin, end), []);
    assert_eq!(outcome.totals.sessions, 1);
}

/// The process stops before the reply is there. The kernel takes it, and acknowledges.
#[test]
fn what_a_runtime_does_first_decides_over_a_reply_that_lies_there() {
    let (begin, lasts) = (Time::from_millis(90_250), secs(20));
    let end = begin + lasts;
    let run = |on_waking| go_traced(&patient(on_waking, stall(begin, lasts)), 1);
    let input_first = run(OnWaking::InputFirst);
    let answered = |event: &DeviceEvent| matches!(event, DeviceEvent::HeartbeatAnswered { .. });
    let late: Vec<_> = events(&input_first, begin, end + secs(1)).into_iter().filter(|(_, it)| answered(it)).collect();
    let rtt = end.since(Time::from_millis(90_200));
    assert_eq!(late, [(end, DeviceEvent::HeartbeatAnswered { id: 2, rtt })]);
    assert_eq!((input_first.episodes[0].detection, input_first.totals.sessions), (None, 1));
    // The acknowledgement of the reply goes out in the standstill, with nothing behind it: by 40 ms at the latest.
    let acknowledged = sent_between(&input_first, begin, end);
    assert!(matches!(acknowledged[..], [at] if at >= Time::from_millis(90_300) && at <= Time::from_millis(90_340)));

    let timers_first = run(OnWaking::TimersFirst);
    let detection = timers_first.episodes[0].detection;
    assert_eq!(detection, Some(Detection { at: end, by: NO_REPLY }));
    assert_eq!(timers_first.episodes[0].end, Some(end + 2 * RTT));
}

/// The reply is lost at the sleeping device, over and over; nothing is sent from there; and on waking the time is up.
#[test]
fn a_frozen_device_loses_what_is_sent_to_it_and_gives_up_on_waking() {
    let (begin, lasts) = (Time::from_millis(90_250), secs(20));
    let end = begin + lasts;
    let outcome = go_traced(&patient(OnWaking::InputFirst, freeze(begin, lasts)), 1);
    let lost = dropped(&outcome, DEVICES);
    assert_eq!(lost[0], (Time::from_millis(90_300), DropReason::HostDown));
    // Retransmissions: 0.2 s and more, doubled each time, so that six come within 20 s.
    assert!(lost.len() > 4 && lost.iter().all(|(at, why)| *at < end && *why == DropReason::HostDown), "{lost:?}");
    assert_eq!(sent_between(&outcome, begin, end), []);
    let [episode] = outcome.episodes[..] else { panic!("{:?}", outcome.episodes) };
    assert_eq!((episode.cause, episode.begin), (Cause::DeviceFreeze, begin));
    assert_eq!(episode.detection, Some(Detection { at: end, by: NO_REPLY }));
}

/// The kernel's clock stands still with the device: what is left of its timer is left when it wakes.
#[test]
fn a_frozen_kernel_counts_no_time() {
    let (begin, lasts) = (Time::from_millis(90_250), secs(20));
    let mut world = patient(OnWaking::InputFirst, freeze(begin, lasts));
    world.strategy.heartbeat = fixed(secs(30), secs(10), 9);
    let outcome = go_traced(&world, 1);
    let awake = {
        world.faults = vec![cut_of(
            cardiogram_sim::config::LinkName::Access,
            cardiogram_sim::config::Direction::Down,
            begin,
            Some(secs(1)),
        )];
        go_traced(&world, 1)
    };
    // Awake, with its reply lost on the link, it sends its beat again after so long; asleep, so much later.
    let again = |outcome: &Outcome, from: Time| sent_between(outcome, from, from + secs(30))[0];
    let of_awake = again(&awake, begin);
    let beats_at_once = |at: Time| at == begin + lasts;
    let of_frozen: Vec<Time> =
        sent_between(&outcome, begin, begin + secs(30)).into_iter().filter(|at| !beats_at_once(*at)).collect();
    assert_eq!(of_frozen[0], of_awake + lasts);
}

#[test]
fn what_would_happen_to_a_device_that_stands_still_happens_when_it_goes_on() {
    let (begin, end) = (Time::from_secs(100), Time::from_secs(160));
    let mut world = patient(OnWaking::InputFirst, freeze(begin, secs(60)));
    world.faults.push(FaultConfig::NetworkSwitch(NetworkSwitch {
        devices: None,
        when: at(Time::from_secs(120)),
        to: None,
        lasts: None,
        gap: None,
        old_sockets: OldSockets::Abort,
    }));
    let outcome = go_traced(&world, 1);
    let events = events(&outcome, begin, end + millis(1));
    assert_eq!(events[1], (end, DeviceEvent::GoesOn));
    assert!(
        events[2..].iter().any(|(at, event)| *at == end && matches!(event, DeviceEvent::Attached { lease: 1, .. }))
    );
    assert!(events[2..].iter().all(|(at, _)| *at == end));
}

/// A device that sleeps through its server's reaper finds its session closed; FIN was lost, and an RST answers its beat.
#[test]
fn a_device_that_sleeps_for_long_is_told_by_its_first_beat() {
    let (begin, end) = (Time::from_secs(100), Time::from_secs(1_900));
    let mut world = patient(OnWaking::InputFirst, freeze(begin, end.since(begin)));
    world.duration = secs(2_400);
    world.strategy.server = ServerSpec::from(IdleReaper::new(Span::secs(90), Delay::ZERO));
    let outcome = go_traced(&world, 1);
    // 90 s after the beat that arrived at 90.25 s.
    assert_eq!(sessions_closed(&outcome)[0], Time::from_millis(180_250));
    let detection = outcome.episodes[0].detection.expect("it is told");
    assert_eq!(detection, reset(end + RTT));
    assert_eq!(outcome.episodes[0].cause, Cause::DeviceFreeze);
}

/// The beats of 120.2 s and 150.2 s wait in the kernel of a server that pauses from 100 s to 160 s; its reaper's time is up at
/// 135.25 s.
#[test]
fn a_server_that_goes_on_reaps_before_it_reads_or_after() {
    let run = |on_waking| {
        let mut world =
            patient(OnWaking::InputFirst, FaultConfig::ServerPause(server_fault(Time::from_secs(100), Some(secs(60)))));
        world.strategy.heartbeat = fixed(secs(30), secs(10), 9);
        world.strategy.server = ServerSpec::from(IdleReaper::new(Span::secs(45), Delay::ZERO));
        world.server.on_waking = on_waking;
        go_traced(&world, 1)
    };
    let reaped = |outcome: &Outcome| {
        let reaped = server_events(outcome).filter(|(_, event)| matches!(event, ServerEvent::Reaped { .. }));
        reaped.map(|(at, _)| at).collect::<Vec<_>>()
    };
    assert_eq!(reaped(&run(OnWaking::InputFirst)), []);
    let timers_first = run(OnWaking::TimersFirst);
    assert_eq!(reaped(&timers_first), [Time::from_secs(160)]);
    let lost = device_events(&timers_first).find_map(|(at, _, event)| match event {
        DeviceEvent::Lost { reason, .. } => Some((at, reason)),
        _ => None,
    });
    // Two beats lie unread in the closed connection: RST.
    assert_eq!(lost, Some((Time::from_secs(160) + RTT / 2, LossReason::Reset)));
}
