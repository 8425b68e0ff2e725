//! Connections that are left on purpose: clients that poll, and clients that wait to be called.
//!
//! Times are worked out by hand on the path of `common`: 20 ms and 30 ms one way, 200 ms to a session.

use std::time::Duration;

use cardiogram_policies::{
    GiveUp, HeartbeatSpec, ReconnectSpec, Time,
    heartbeat::LeaveWhenQuiet,
    reconnect::{ExponentialBackoff, FixedDelay},
    unit::{Delay, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{Arrivals, Periodic, WakeupConfig},
    outcome::{Cause, EpisodeOutcome},
    trace::DeviceEvent,
};
use kit::common::*;

const QUIET: Duration = Duration::from_secs(2);
const AWAY: Duration = Duration::from_secs(300);

/// Connects, leaves when two seconds have been quiet, comes back five minutes later.
fn polling() -> WorldConfig {
    let mut world = world(HeartbeatSpec::LeaveWhenQuiet(LeaveWhenQuiet { after: span(QUIET) }));
    world.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: span(AWAY) });
    world
}

fn times(outcome: &Outcome, wanted: fn(&DeviceEvent) -> bool) -> Vec<Time> {
    device_events(outcome).filter(|(.., event)| wanted(event)).map(|(at, ..)| at).collect()
}

fn sessions(outcome: &Outcome) -> Vec<Time> {
    times(outcome, |event| matches!(event, DeviceEvent::Connected { .. }))
}

/// A poll is a handshake, a login and a teardown; leaving is neither a false alarm nor a mistake.
#[test]
fn a_poll_costs_a_connection_and_alarms_nobody() {
    let outcome = go_traced(&polling(), 1);
    let period = QUIET + AWAY + 2 * RTT;
    let expected: Vec<Time> = (0..12).map(|poll| CONNECTED + period * poll).collect();
    assert_eq!(sessions(&outcome), expected);
    let left = times(&outcome, |event| matches!(event, DeviceEvent::GivenUp { reason: GiveUp::Done, .. }));
    assert_eq!(left, expected.iter().map(|session| *session + QUIET).collect::<Vec<_>>());
    assert_eq!((&outcome.episodes[..], &outcome.false_alarms[..]), (&[][..], &[][..]));
    assert_eq!((outcome.accuracy.suspicions, outcome.accuracy.mistakes.len()), (0, 0));
    // The server has a session from the hello on, half a round trip before the device, and until the FIN has come.
    assert_eq!(outcome.usable_time, QUIET * 12);
    // SYN, ACK with nothing, hello, FIN and the acknowledgement of the server's: no other packet, and no heartbeat.
    let up = outcome.totals.up;
    assert_eq!((up.tcp.syn, up.tcp.fin, up.tcp.data, outcome.totals.heartbeats_sent), (12, 12, 12, 0));
}

/// What is created while a client is away waits for its next poll.
#[test]
fn messages_are_as_old_as_the_poll_that_fetches_them() {
    let mut world = polling();
    world.traffic.down = Some(Span::secs(90).into());
    let outcome = go_traced(&world, 1);
    let polls = sessions(&outcome);
    assert!(outcome.pushes.delays.len() > 20);
    assert!(outcome.pushes.delays.iter().all(|delay| *delay <= AWAY + QUIET + 4 * RTT));
    for (at, _, event) in device_events(&outcome) {
        let DeviceEvent::MessageDelivered { delay, .. } = event else { continue };
        let poll = *polls.iter().rfind(|poll| **poll <= at).expect("a message comes with a session");
        assert!(at == poll || delay == RTT / 2, "fetched with the session, or created during it: {at}");
    }
}

/// A client that is not there cannot be cut off; one that is cut off while it is there does not notice, and the next poll
/// makes it good.
#[test]
fn a_break_is_nothing_to_a_client_that_leaves_anyway() {
    let mut world = polling();
    let away = cut(Time::from_secs(50), Some(secs(100)));
    let there = cut(Time::from_secs(1), Some(secs(40)));
    world.faults = vec![there, away];
    let outcome = go_traced(&world, 1);
    let [episode] = outcome.episodes[..] else { panic!("one of the two is a break: {:?}", outcome.episodes) };
    let next = CONNECTED + QUIET + AWAY + 2 * RTT;
    assert_eq!((episode.cause, episode.begin, episode.end), (Cause::Cut, Time::from_secs(1), Some(next)));
    assert_eq!((episode.outcome(), episode.suspected), (EpisodeOutcome::RiddenOut, None));
    assert_eq!(outcome.false_alarms, []);
}

/// A client on call makes no attempt of its own after it has left, and comes when it is called.
#[test]
fn a_client_on_call_comes_back_when_it_is_called() {
    let mut world = polling();
    world.duration = Duration::from_hours(4);
    world.strategy.reconnect = ReconnectSpec::OnCall(ExponentialBackoff::default());
    let alone = go_traced(&world, 1);
    assert_eq!((alone.totals.connect_attempts, times(&alone, |event| *event == DeviceEvent::Stopped).len()), (1, 1));

    world.traffic.down = Some(Span::secs(1_200).into());
    world.wakeup = Some(WakeupConfig::of_delay(constant(secs(3))));
    let outcome = go_traced(&world, 1);
    assert!(outcome.pushes.delays.len() > 5);
    assert_eq!(outcome.pushes.undelivered(), 0);
    // Called and fetched, or created while it was there.
    let fetched = secs(3) + 2 * RTT;
    assert!(outcome.pushes.delays.iter().all(|delay| *delay <= fetched));
    assert!(outcome.pushes.delays.contains(&fetched));
    let woken = times(&outcome, |event| matches!(event, DeviceEvent::Woken));
    assert_eq!(sessions(&outcome)[1..], woken.iter().map(|at| *at + 2 * RTT).collect::<Vec<_>>());
}

/// Returns a client that comes back when it is called, with a message every 400 s.
fn on_demand() -> WorldConfig {
    let mut world = polling();
    world.strategy.reconnect = ReconnectSpec::OnCall(ExponentialBackoff::default());
    world.traffic.up = Some(Arrivals::Periodic(Periodic { every: Span::secs(400), jitter: Delay::ZERO }));
    world.duration = secs(700);
    world
}

/// A connection on demand, as pools have: opened for the request, which waits for it, and closed again.
#[test]
fn a_client_on_call_connects_when_it_has_something_to_send() {
    let outcome = go_traced(&on_demand(), 1);
    let asked = Time::from_secs(400);
    assert_eq!(sessions(&outcome), [CONNECTED, asked + 2 * RTT]);
    assert_eq!(outcome.requests.delays, [3 * RTT], "a handshake, a login, and the question itself");
    let left = times(&outcome, |event| matches!(event, DeviceEvent::GivenUp { reason: GiveUp::Done, .. }));
    assert_eq!(left, [CONNECTED + QUIET, asked + 3 * RTT + QUIET]);
    assert_eq!((&outcome.episodes[..], &outcome.false_alarms[..]), (&[][..], &[][..]));
    // Where nobody is on call, the message waits.
    let mut gone = on_demand();
    gone.strategy.reconnect = ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(3_600) });
    assert_eq!((go(&gone, 1).requests.waiting(), go(&gone, 1).totals.sessions), (1, 1));
}

/// The link is cut under a question, so that the connection falls quiet and is left: the question calls for the next one at
/// once, and that gets through when the link does.
#[test]
fn a_question_without_an_answer_calls_for_another_connection() {
    let mut world = on_demand();
    let sent = Time::from_secs(400) + 2 * RTT;
    world.faults = vec![cut(sent + millis(1), Some(millis(4_500)))];
    let outcome = go_traced(&world, 1);
    let again = sent + QUIET;
    let attempts = times(&outcome, |event| matches!(event, DeviceEvent::AttemptStarted { .. }));
    assert_eq!(attempts, [Time::ZERO, Time::from_secs(400), again]);
    // SYNs at once, after 1 and after 2 s are lost; that after 3 s finds the link whole.
    let connected = again + secs(3) + 2 * RTT;
    assert_eq!(sessions(&outcome), [CONNECTED, sent, connected]);
    assert_eq!(outcome.requests.delays, [(connected + RTT).since(Time::from_secs(400))]);
    // What waits for an answer is missed: the device is away up to the question, and after the answer.
    let answered = connected + RTT + QUIET;
    let away = Time::from_secs(400).since(CONNECTED + QUIET) + (Time::ZERO + world.duration).since(answered);
    assert_eq!(outcome.away_time, away);
}

/// From leaving on nobody misses the session but for the time from the question to the connection that it calls for.
#[test]
fn time_away_is_no_downtime_until_there_is_something_to_say() {
    let outcome = go(&on_demand(), 1);
    assert_eq!(outcome.downtime.connecting, 2 * (2 * RTT));
    assert_eq!(outcome.downtime.total(), outcome.downtime.connecting);
    assert_eq!(outcome.usable_time, QUIET + (RTT + QUIET));
    assert_eq!(outcome.usable_time + outcome.downtime.total() + outcome.away_time, outcome.device_time);
}

/// It polls at 302.2 s for nothing, and at 604.4 s for the message of 400 s, which waits from then on.
#[test]
fn time_away_is_downtime_from_the_moment_something_waits_for_the_next_poll() {
    let mut world = polling();
    world.traffic.down = Some(Arrivals::Periodic(Periodic { every: Span::secs(400), jitter: Delay::ZERO }));
    world.duration = secs(700);
    let outcome = go(&world, 1);
    assert_eq!(outcome.pushes.delays, [millis(204_600)]);
    assert_eq!((outcome.downtime.waiting, outcome.downtime.connecting), (millis(204_400), 2 * (2 * RTT)));
    assert_eq!(outcome.usable_time, 3 * QUIET);
    assert_eq!(outcome.usable_time + outcome.downtime.total() + outcome.away_time, outcome.device_time);
}

/// Where nothing is ever sent, a session is all that is asked for, and who leaves it is missed.
#[test]
fn nobody_is_away_in_a_world_without_messages() {
    let outcome = go(&polling(), 1);
    assert_eq!(outcome.away_time, Duration::ZERO);
    assert_eq!(outcome.usable_time + outcome.downtime.total(), outcome.device_time);
}
