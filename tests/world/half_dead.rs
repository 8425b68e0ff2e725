//! A service that is half dead, at the boundary of the world: who gets what, who notices, and what a new session is worth. And a
//! server that refuses a second session while the first one stands.
//!
//! The usual device has its session at 0.2 s, over a path of 20 ms and 30 ms, and beats every 30 s from 30.2 s on; 10 s without a
//! reply are too long. It tries again at once.

use std::time::Duration;

use cardiogram_policies::{AttemptFailure, GiveUp, Registry, StrategySpec, Time, unit::Span};
use cardiogram_scenarios::load;
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{
        FaultConfig, HalfDead, NetworkSwitch, OldSockets, SecondSession, ServerHalfDead, TrafficConfig, Undelivered,
        Whom,
    },
    outcome::{Cause, DetectedBy},
    trace::{DeviceEvent, GoodbyeReason, ServerEvent},
};
use kit::common::*;

const BEGIN: Time = Time::from_secs(1_000);
const LASTS: Duration = Duration::from_secs(1_000);
const END: Time = Time::from_secs(2_000);

fn half_dead(of: HalfDead, lasts: Option<Duration>) -> ServerHalfDead {
    ServerHalfDead { server: None, devices: None, when: at(BEGIN), lasts: lasts.map(constant), of }
}

/// Returns the usual device, with a message in 20 s each way.
fn talking(fault: ServerHalfDead) -> WorldConfig {
    let mut world = world(fixed(secs(30), secs(10), 1));
    world.traffic = TrafficConfig {
        up: Some(Span::secs(20).into()),
        down: Some(Span::secs(20).into()),
        ..TrafficConfig::default()
    };
    world.faults = vec![FaultConfig::ServerHalfDead(fault)];
    world
}

/// Returns a world whose strategy listens to messages: a minute without any is too long.
fn listening(fault: ServerHalfDead) -> WorldConfig {
    let mut world = talking(fault);
    // Sixty a minute: none for a minute means that none comes.
    (world.traffic.up, world.traffic.down) = (None, Some(Span::secs(1).into()));
    world.strategy = of_text(
        "reconnect = \"immediate\"\n[heartbeat.composed]\nschedule.grid.interval = \"30s\"\njudge.reply.timeout = \"10s\"\n\
         judge.silence = { limit = \"1m\", fed_by = \"messages\" }\n",
    );
    world
}

fn of_text(text: &str) -> StrategySpec {
    let text = format!("name = \"tested\"\n{text}");
    load::parse_strategy("tested", &text, &Registry::new()).unwrap_or_else(|error| panic!("{error}"))
}

fn delivered(outcome: &Outcome) -> Vec<Time> {
    let events = device_events(outcome).filter(|(.., event)| matches!(event, DeviceEvent::MessageDelivered { .. }));
    events.map(|(at, ..)| at).collect()
}

#[test]
fn heartbeats_are_answered_and_nothing_else_until_the_service_is_well_again() {
    let outcome = go_traced(&talking(half_dead(HalfDead::Service, Some(LASTS))), 1);
    let [episode] = outcome.episodes[..] else { panic!("{:?}", outcome.episodes) };
    assert_eq!((episode.cause, episode.fault), (Cause::ServerHalfDead, Some(0)));
    assert_eq!((episode.begin, episode.end, episode.detection), (BEGIN, Some(END), None));
    assert_eq!((outcome.totals.sessions, outcome.totals.heartbeats_sent), (1, outcome.totals.heartbeats_answered));
    // Nobody could have helped himself: a new session gets no more.
    assert_eq!((outcome.downtime.unavoidable, outcome.downtime.unnoticed), (LASTS, Duration::ZERO));
    // One that was under way at the begin arrives.
    let meanwhile = delivered(&outcome).into_iter().filter(|at| (BEGIN + RTT..END).contains(at)).count();
    assert_eq!(meanwhile, 0);
    // The pushes of a thousand seconds come together, one way after the end; requests are gone, and asked again by nobody.
    let kept = delivered(&outcome).into_iter().filter(|at| *at == END + ACCESS + CORE).count();
    assert!((30..70).contains(&kept), "{kept}");
    assert!((30..70).contains(&outcome.requests.waiting()), "{:?}", outcome.requests.waiting());
}

#[test]
fn pushes_that_are_not_kept_are_gone_for_good() {
    let mut world = talking(half_dead(HalfDead::Service, Some(LASTS)));
    world.server.undelivered = Undelivered::Lost;
    let outcome = go_traced(&world, 1);
    assert!((30..70).contains(&outcome.pushes.undelivered()), "{}", outcome.pushes.undelivered());
    assert!(outcome.pushes.delays.iter().all(|delay| *delay <= RTT));
}

/// The usual heartbeat sees nothing wrong for an hour; whoever listens to messages leaves a minute after the last one, and finds a new
/// session well.
#[test]
fn a_subscription_that_the_server_has_lost_is_noticed_by_whoever_listens_to_messages() {
    let fault = half_dead(HalfDead::Sessions, None);
    let blind = go(&talking(fault.clone()), 1);
    let [episode] = blind.episodes[..] else { panic!("{:?}", blind.episodes) };
    assert_eq!((episode.cause, episode.detection, episode.end), (Cause::ServerHalfDead, None, None));
    // A new session would have been well all the time.
    assert_eq!((blind.downtime.unnoticed, blind.downtime.unavoidable), (secs(2_600), Duration::ZERO));

    let outcome = go_traced(&listening(fault), 1);
    let [episode] = outcome.episodes[..] else { panic!("{:?}", outcome.episodes) };
    let last = delivered(&outcome).into_iter().filter(|at| *at < BEGIN + secs(30)).max().expect("a push a second");
    let detection = episode.detection.expect("a minute without a message");
    assert_eq!((detection.at, detection.by), (last + secs(60), DetectedBy::Heartbeat(GiveUp::Silence)));
    assert_eq!(episode.end, Some(detection.at + 2 * RTT));
    assert_eq!((outcome.totals.sessions, outcome.false_alarms.len()), (2, 0));
}

#[test]
fn a_new_session_gets_no_more_of_a_service_that_is_half_dead() {
    let outcome = go(&listening(half_dead(HalfDead::Service, Some(LASTS))), 1);
    let [episode] = outcome.episodes[..] else { panic!("{:?}", outcome.episodes) };
    assert_eq!((episode.begin, episode.end), (BEGIN, Some(END)));
    // A minute each, and 0.2 s to the next session.
    assert_eq!(outcome.totals.sessions, 1 + 1_000 / 60);
}

#[test]
fn it_can_be_half_dead_for_one_device_alone() {
    for of in [HalfDead::Service, HalfDead::Sessions] {
        let mut world = talking(ServerHalfDead { devices: Some(Whom::Only(vec![1])), ..half_dead(of, Some(LASTS)) });
        world.devices.count = 3;
        let outcome = go(&world, 1);
        let [episode] = outcome.episodes[..] else { panic!("{:?}", outcome.episodes) };
        assert_eq!((episode.device, episode.begin, episode.end), (1, BEGIN, Some(END)), "{of:?}");
    }
}

/// A device with another address at 1000 s, whose old session nobody tells the server of: it was heard last at 990.25 s, and is
/// reaped at 1050.25 s. Attempts come 10 s after each other, and take 0.2 s to be refused.
fn moved(second_session: SecondSession) -> Outcome {
    let mut world = world(fixed(secs(30), secs(10), 1));
    world.server.second_session = second_session;
    world.strategy = of_text(
        "reconnect.fixed-delay.delay = \"10s\"\nheartbeat.fixed = { interval = \"30s\", timeout = \"10s\", first_beat = \"interval\" }\n\
         server.idle-reaper = { idle = \"60s\", scan = \"0s\" }\n",
    );
    world.faults = vec![FaultConfig::NetworkSwitch(NetworkSwitch {
        devices: None,
        when: at(BEGIN),
        to: None,
        lasts: None,
        gap: None,
        old_sockets: OldSockets::Abort,
    })];
    go_traced(&world, 1)
}

#[test]
fn a_second_session_is_refused_until_the_first_one_has_ended() {
    let outcome = moved(SecondSession::Refused);
    let refused: Vec<Time> = server_events(&outcome)
        .filter_map(|(at, event)| (event == ServerEvent::Refused { device: 0 }).then_some(at))
        .collect();
    // Attempts of 1010, 1020.2, 1030.4 and 1040.6 s; their hellos arrive 150 ms later.
    assert_eq!(refused, [1_010_150, 1_020_350, 1_030_550, 1_040_750].map(Time::from_millis));
    let told = DeviceEvent::GoodbyeReceived { reason: GoodbyeReason::InUse, retry_after: None };
    let failed = DeviceEvent::AttemptFailed(AttemptFailure::Dropped);
    let count = |what: DeviceEvent| device_events(&outcome).filter(|(.., event)| *event == what).count();
    assert_eq!((count(told), count(failed)), (4, 4));
    let [episode] = outcome.episodes[..] else { panic!("{:?}", outcome.episodes) };
    assert_eq!(episode.end, Some(Time::from_millis(1_051_000)));
}

#[test]
fn the_newest_session_wins_where_none_is_exclusive() {
    let [episode] = moved(SecondSession::Replaces).episodes[..] else { panic!("one move") };
    assert_eq!(episode.end, Some(Time::from_millis(1_010_200)));
}
