//! Messages of devices as their senders feel them, at the boundary of the world: how long an answer takes, what a deadline does,
//! and what is counted.
//!
//! The usual device has its session at 0.2 s, over a path of 20 ms and 30 ms, and no heartbeat. It tries again at once.

use cardiogram_policies::{HeartbeatSpec, LossReason, Time, unit::Span};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{Deadline, FaultConfig, OnDeadline, OnWaking, Standstill, TrafficConfig},
    outcome::DetectedBy,
    trace::DeviceEvent,
};
use kit::common::*;

const LATE: DetectedBy = DetectedBy::Transport(LossReason::DeadlinePassed);

/// Returns the usual device with a message in 100 s.
fn asking(deadline: impl Into<Option<Deadline>>) -> WorldConfig {
    let mut world = world(HeartbeatSpec::None);
    world.traffic =
        TrafficConfig { up: Some(Span::secs(100).into()), deadline: deadline.into(), ..TrafficConfig::default() };
    world
}

const fn within(after: Span, then: OnDeadline) -> Deadline {
    Deadline { after, then }
}

/// Returns when a message is created before and after which there is none for a minute.
fn lonely_message() -> Time {
    let sent = sent_messages(&go_traced(&asking(None), 1));
    let lonely = sent.windows(3).find(|near| near.windows(2).all(|pair| pair[1].since(pair[0]) > secs(60)));
    lonely.expect("of an hour's messages")[1]
}

fn events(outcome: &Outcome) -> Vec<(Time, DeviceEvent)> {
    device_events(outcome).map(|(at, _, event)| (at, event)).collect()
}

#[test]
fn a_request_takes_a_round_trip_and_each_is_counted_once() {
    let outcome = go(&asking(None), 1);
    let requests = &outcome.requests;
    assert!(requests.created > 20 && requests.delays.iter().all(|delay| *delay == RTT), "{requests:?}");
    assert_eq!((requests.failed, requests.deadlines_passed), (0, 0));
    assert_eq!(requests.created, requests.delays.len() as u64 + requests.waiting());
    // Nobody says anything: nothing is counted.
    assert_eq!(go(&world(HeartbeatSpec::None), 1).requests.created, 0);
}

#[test]
fn what_waits_for_a_session_at_the_end_is_neither_answered_nor_lost() {
    let mut world = asking(None);
    world.faults = vec![cut(Time::from_secs(1_800), None)];
    let requests = go(&world, 1).requests;
    assert_eq!(requests.created, go(&asking(None), 1).requests.created, "whatever happens, the same is asked");
    assert!(requests.waiting() > 5 && requests.failed == 0, "{requests:?}");
}

/// Cut off from a second before the message to 29.5 s after it. TCP brings it to the server in the end: nobody waits any more.
#[test]
fn a_deadline_that_fails_a_request_leaves_the_connection_alone() {
    let asked = lonely_message();
    let mut world = asking(within(Span::secs(5), OnDeadline::Fail));
    world.faults = vec![cut(asked - secs(1), Some(millis(30_500)))];
    let outcome = go_traced(&world, 1);
    let failed: Vec<_> =
        events(&outcome).into_iter().filter(|(_, it)| matches!(it, DeviceEvent::MessageFailed { .. })).collect();
    let [(at, _)] = failed[..] else { panic!("{failed:?}") };
    assert_eq!(at, asked + secs(5));
    let requests = &outcome.requests;
    assert_eq!((requests.failed, requests.deadlines_passed, outcome.totals.sessions), (1, 1, 1));
    assert!(requests.delays.iter().all(|delay| *delay == RTT), "a late answer is nobody's: {requests:?}");
    // Without a deadline it is answered late: after the fault TCP sends it again at 0.2, 0.4, ... s.
    world.traffic.deadline = None;
    let patient = go(&world, 1).requests;
    assert!(*patient.delays.last().unwrap() > millis(29_500), "{patient:?}");
}

/// Attempts of 10 s begin 5, 15 and 25 s after the message; the third one's SYN of 30 s gets through. 0.2 s to the session, 0.1 s to
/// the answer.
#[test]
fn a_deadline_that_retries_opens_a_new_connection_and_sends_the_request_again() {
    let asked = lonely_message();
    let mut world = asking(within(Span::secs(5), OnDeadline::Retry));
    world.faults = vec![cut(asked - secs(1), Some(millis(30_500)))];
    let outcome = go_traced(&world, 1);
    let lost = events(&outcome).into_iter().find(|(_, it)| matches!(it, DeviceEvent::Lost { .. }));
    let Some((at, DeviceEvent::Lost { reason, .. })) = lost else { panic!("{lost:?}") };
    assert_eq!((at, reason), (asked + secs(5), LossReason::DeadlinePassed));
    let [episode] = outcome.episodes[..] else { panic!("{:?}", outcome.episodes) };
    assert_eq!(episode.detection.map(|detection| (detection.at, detection.by)), Some((asked + secs(5), LATE)));
    let requests = &outcome.requests;
    assert_eq!((requests.failed, requests.deadlines_passed, outcome.totals.sessions), (0, 1, 2));
    assert_eq!(*requests.delays.last().unwrap(), millis(30_300));
}

#[test]
fn an_answer_of_the_very_moment_is_in_time() {
    for then in [OnDeadline::Fail, OnDeadline::Retry] {
        let outcome = go(&asking(within(span(RTT), then)), 1);
        assert_eq!((outcome.requests.deadlines_passed, outcome.totals.sessions), (0, 1), "{then:?}");
    }
}

/// The server's work of a second is longer than the client waits: it leaves a usable session, and is never answered.
#[test]
fn a_deadline_shorter_than_the_work_leaves_usable_sessions_for_ever() {
    let mut world = asking(within(Span::millis(500), OnDeadline::Retry));
    world.duration = secs(600);
    world.server.message_cost = constant(secs(1)).into();
    let outcome = go(&world, 1);
    assert!(outcome.false_alarms.len() > 100 && outcome.false_alarms.iter().all(|alarm| alarm.by == LATE));
    assert_eq!(outcome.requests.delays, []);
    assert_eq!(outcome.requests.deadlines_passed, outcome.false_alarms.len() as u64);
    world.traffic.deadline = Some(within(Span::millis(1_100), OnDeadline::Retry));
    assert_eq!(go(&world, 1).false_alarms, []);
}

/// The process stops before the answer is there, and goes on when the deadline is long past.
#[test]
fn what_a_runtime_does_first_decides_over_an_answer_that_lies_there() {
    let asked = lonely_message();
    let run = |on_waking| {
        let mut world = asking(within(Span::secs(5), OnDeadline::Retry));
        world.devices.on_waking = on_waking;
        world.faults = vec![FaultConfig::DeviceStall(Standstill {
            devices: None,
            when: at(asked + millis(50)),
            lasts: Some(constant(secs(20))),
        })];
        go(&world, 1)
    };
    let input_first = run(OnWaking::InputFirst);
    assert_eq!((input_first.totals.sessions, input_first.requests.deadlines_passed), (1, 0));
    assert_eq!(*input_first.requests.delays.last().unwrap(), millis(20_050));
    let timers_first = run(OnWaking::TimersFirst);
    assert_eq!((timers_first.totals.sessions, timers_first.requests.deadlines_passed), (2, 1));
}
