//! Troubles that people report of services that are half dead and of queues that stay locked, as the built-in scenarios have them:
//! that each appears with the numbers of those who reported it, and goes away with their remedy.

use std::time::Duration;

use cardiogram_policies::Time;
use cardiogram_sim::{
    Outcome,
    config::SecondSession,
    outcome::{Cause, EpisodeOutcome},
    trace::ServerEvent,
};
use kit::common::*;

use crate::reported::world_of;

fn recoveries(outcome: &Outcome, cause: Cause) -> Vec<Duration> {
    let of_cause = outcome.episodes.iter().filter(|episode| episode.cause == cause);
    of_cause.map(|episode| episode.end.expect("back in the end").since(episode.begin)).collect()
}

/// "The WebSocket readyState is still OPEN and pings are working."
#[test]
fn half_dead_feed_goes_unnoticed_by_heartbeats_and_not_by_who_listens_to_quotes() {
    for strategy in ["none", "python-websockets-20-20", "engineio-v4", "netease-30-15"] {
        let outcome = go(&world_of("half-dead-feed", strategy), 1);
        let lost: Vec<_> = outcome.episodes.iter().filter(|it| it.cause == Cause::ServerHalfDead).collect();
        assert_eq!(lost.len(), 5, "{strategy}: half of ten");
        assert!(lost.iter().all(|it| it.outcome() == EpisodeOutcome::Undetected), "{strategy}");
        // Five clients without a quote for an hour and a half or more: 5 x 5,400 of some 72,000.
        let share = outcome.pushes.undelivered() as f64 / outcome.pushes.created as f64;
        assert!((0.36..0.44).contains(&share), "{strategy}: {share}");
    }
    // "I use 30 s in production without false positives."
    let watchdog = "reconnect = \"immediate\"\n[heartbeat.composed]\nschedule.grid.interval = \"20s\"\n\
                    judge.reply.timeout = \"20s\"\njudge.silence = { limit = \"30s\", fed_by = \"messages\" }\n";
    let outcome = go(&world_of("half-dead-feed", watchdog), 1);
    let back = recoveries(&outcome, Cause::ServerHalfDead);
    assert_eq!((back.len(), outcome.false_alarms.len()), (5, 0));
    assert!(back.iter().all(|back| (secs(15)..secs(32)).contains(back)), "{back:?}");
    // "Reconnect every 10 min."
    let renewing = "reconnect = \"immediate\"\n[heartbeat.composed]\nschedule.grid.interval = \"20s\"\n\
                    judge.reply.timeout = \"20s\"\nleave = { age = \"10m\" }\n";
    let back = recoveries(&go(&world_of("half-dead-feed", renewing), 1), Cause::ServerHalfDead);
    assert_eq!(back.len(), 5);
    assert!(back.iter().all(|back| *back <= secs(602)), "{back:?}");
}

/// "Cannot obtain exclusive access to locked queue": the client's own.
#[test]
fn exclusive_consumer_is_refused_until_the_broker_misses_its_heartbeats() {
    let outcome = go_traced(&world_of("exclusive-consumer", "rabbitmq-java"), 1);
    let back = recoveries(&outcome, Cause::NetworkSwitch);
    assert_eq!(back.len(), 20);
    // The broker looks every 60 s, and closes at the second look without a byte: 60 s to 180 s, and the wait of 5 s for an attempt.
    assert!(back.iter().all(|back| (secs(60)..secs(190)).contains(back)), "{back:?}");
    let mean = back.iter().sum::<Duration>() / 20;
    assert!((secs(80)..secs(170)).contains(&mean), "{mean:?}");
    let refused = server_events(&outcome).filter(|(_, event)| matches!(event, ServerEvent::Refused { .. })).count();
    // An attempt in some 5 s.
    assert!(refused > 20 * 12, "{refused}");
    // A heartbeat of 10 s.
    let hasty = "reconnect.fixed-delay.delay = \"5s\"\n[heartbeat.composed]\nschedule.grid.interval = \"5s\"\nanswered = false\n\
                 [server]\npings = { interval = \"5s\", after = \"sent\", answered = false }\n\
                 idle-reaper = { idle = \"10s\", refreshed_by = \"received\", scan = \"0s\", silent_looks = 2 }\n";
    let back = recoveries(&go(&world_of("exclusive-consumer", hasty), 1), Cause::NetworkSwitch);
    assert!(back.len() == 20 && back.iter().all(|back| *back < secs(37)), "{back:?}");
    // The newest wins.
    let mut world = world_of("exclusive-consumer", "rabbitmq-java");
    world.server.second_session = SecondSession::Replaces;
    let back = recoveries(&go(&world, 1), Cause::NetworkSwitch);
    assert!(back.len() == 20 && back.iter().all(|back| *back < secs(7)), "{back:?}");
    // Nobody beats: the broker's kernel has to give up a message, of which there is one in ten minutes.
    let locked = go(&world_of("exclusive-consumer", "none"), 1);
    let took =
        |end: Option<Time>, begin: Time| end.is_none_or(|end| end.since(begin) >= Duration::from_millis(924_600));
    assert!(locked.episodes.iter().all(|episode| took(episode.end, episode.begin)));
}
