//! When the application has something to say, at the boundary of the world: fixed periods, bursts, day and night, and a trace.
//!
//! The usual device starts at zero, has its session at 0.2 s, and no heartbeat; the path takes 20 ms and 30 ms.

use cardiogram_policies::{
    HeartbeatSpec, Time,
    unit::{Delay, Span},
};
use cardiogram_sim::{
    WorldConfig,
    config::{Arrivals, Bursts, Daily, Periodic, TrafficConfig, TrafficTrace},
    trace::DeviceEvent,
};
use kit::common::*;

fn sending(up: Arrivals) -> WorldConfig {
    let mut world = world(HeartbeatSpec::None);
    world.traffic = TrafficConfig { up: Some(up), ..TrafficConfig::default() };
    world
}

#[test]
fn a_period_is_kept_to_the_microsecond_whether_or_not_there_is_a_session() {
    let every = Periodic { every: Span::secs(360), jitter: Delay::ZERO };
    let mut world = sending(Arrivals::Periodic(every));
    let kept: Vec<Time> = (1..10).map(|place| Time::from_secs(360 * place)).collect();
    assert_eq!(sent_messages(&go_traced(&world, 1)), kept);
    // Cut off from 1000 s to 2000 s: what was to be said then is said again, and the next ones are in time.
    world.faults = vec![cut(Time::from_secs(1_000), Some(secs(1_000)))];
    let requests = go(&world, 1).requests;
    assert_eq!((requests.created, requests.delays.len()), (9, 9));
    // 1080, 1440 and 1800 s are within.
    assert_eq!(requests.delays.iter().filter(|delay| **delay == RTT).count(), 6);
}

#[test]
fn a_burst_leaves_in_its_gaps_and_is_answered_in_them() {
    let burst = Bursts { every: Span::secs(300), count: 5, gap: Span::millis(200) };
    let outcome = go_traced(&sending(Arrivals::Bursts(burst)), 1);
    let sent = sent_messages(&outcome);
    assert!(sent.len() >= 10, "{}", sent.len());
    let whole = sent.chunks_exact(5);
    assert!(whole.clone().all(|burst| burst.windows(2).all(|pair| pair[1].since(pair[0]) == millis(200))));
    assert!(outcome.requests.delays.iter().all(|delay| *delay == RTT));
}

#[test]
fn nobody_speaks_by_night() {
    let daily =
        Daily { day: Span::secs(60), night: None, from: Delay::millis(1_200_000), to: Delay::millis(2_400_000) };
    let sent = sent_messages(&go_traced(&sending(Arrivals::Daily(daily)), 1));
    assert!((8..40).contains(&sent.len()), "{}", sent.len());
    assert!(sent.iter().all(|at| (Time::from_secs(1_200)..Time::from_secs(2_400)).contains(at)), "{sent:?}");
}

/// A message of 1,000 bytes up and one of 3,000 down, which takes three segments.
#[test]
fn a_trace_is_played_at_its_times_and_lengths() {
    let mut world = world(HeartbeatSpec::None);
    let trace = TrafficTrace::parse("time_s,direction,bytes\n10,up,1000\n20.25,down,3000\n").expect("a trace");
    world.traffic = TrafficConfig { trace: Some(trace), ..TrafficConfig::default() };
    let outcome = go_traced(&world, 1);
    assert_eq!(sent_messages(&outcome), [Time::from_secs(10)]);
    let up: Vec<usize> = sent(&outcome, DEVICES)
        .into_iter()
        .filter_map(|(at, packet)| (at == Time::from_secs(10)).then_some(packet.payload.len()))
        .collect();
    assert_eq!(up, [1_000]);
    let down: Vec<usize> = sent(&outcome, SERVER)
        .into_iter()
        .filter_map(|(at, packet)| (at == Time::from_millis(20_250)).then_some(packet.payload.len()))
        .collect();
    assert_eq!(down, [1_448, 1_448, 104]);
    let delivered: Vec<Time> = device_events(&outcome)
        .filter_map(|(at, _, event)| matches!(event, DeviceEvent::MessageDelivered { .. }).then_some(at))
        .collect();
    assert_eq!(delivered, [Time::from_millis(20_300)]);
    assert_eq!((outcome.requests.delays.clone(), outcome.pushes.created), (vec![RTT], 1));
}
