//! The verdict on a run, for worlds small enough to know it beforehand: what broke, from when to when, who noticed and
//! when, what the server kept too long, what the user of the application had to wait for. One test for each fault.
//!
//! The usual device has its session at 0.2 s, beats every 30 s from 30.2 s on, gives up after 10 s without a reply, and
//! tries again at once, 10 s for each attempt.

use std::time::Duration;

use cardiogram_policies::{
    GiveUp, HeartbeatSpec, LossReason, ReconnectSpec, Time,
    heartbeat::{Anchor, Idle},
    server::IdleReaper,
    unit::{Delay, Fraction, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{
        Answer, Background, BurstLoss, Carrier, Cut, Direction, FaultConfig, LinkName, NatClass, NatConfig, NatFlush,
        ServerFault, TrafficConfig, When,
    },
    outcome::{Cause, DetectedBy, Detection, Episode, EpisodeOutcome, FalseAlarm},
    trace::DeviceEvent,
};
use kit::common::*;

const NO_REPLY: DetectedBy = DetectedBy::Heartbeat(GiveUp::NoReply);
const CLOSED: DetectedBy = DetectedBy::Transport(LossReason::Closed);

fn usual_world() -> WorldConfig {
    WorldConfig { duration: secs(600), ..world(fixed(secs(30), secs(10), 1)) }
}

/// Returns the usual device through one fault: the outcome, with the books balanced.
fn usual(fault: FaultConfig) -> Outcome {
    let outcome = go(&WorldConfig { faults: vec![fault], ..usual_world() }, 1);
    assert_eq!(outcome.device_time, secs(600));
    assert_eq!(outcome.false_alarms, []);
    let broken: Duration = outcome.episodes.iter().map(length).sum();
    assert_eq!(outcome.usable_time + broken + age(CONNECTED), outcome.device_time);
    outcome
}

fn length(episode: &Episode) -> Duration {
    episode.end.unwrap_or(Time::from_secs(600)).since(episode.begin)
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

const BEGIN: Time = Time::from_secs(100);

#[test]
fn a_cut_is_detected_and_over_when_a_new_session_is_up() {
    let outcome = usual(cut(BEGIN, Some(secs(100))));
    // The beat of 120.2 s is lost. Attempts begin every 10 s; that of 190.2 s sends its last SYN at 197.2 s, before the
    // link is back, so it is the one of 200.2 s that comes through.
    assert_eq!(outcome.episodes, [episode(Cause::Cut, 100_000, Some((130_200, NO_REPLY)), Some(200_400))]);
    // The server keeps the old session until the device introduces itself anew.
    assert_eq!(outcome.zombie_time, millis(200_350 - 130_200));
    assert_eq!((outcome.totals.connect_attempts, outcome.totals.sessions), (9, 2));
}

#[test]
fn a_cut_that_is_over_before_anyone_noticed_is_ridden_out() {
    for (direction, cause) in
        [(Direction::Both, Cause::Cut), (Direction::Up, Cause::CutUp), (Direction::Down, Cause::CutDown)]
    {
        for link in [LinkName::Access, LinkName::Core] {
            let outcome = usual(cut_of(link, direction, BEGIN, Some(secs(10))));
            assert_eq!(outcome.episodes, [episode(cause, 100_000, None, Some(110_000))]);
            assert_eq!(outcome.episodes[0].outcome(), EpisodeOutcome::RiddenOut);
            assert_eq!((outcome.zombie_time, outcome.totals.sessions), (Duration::ZERO, 1));
        }
    }
}

#[test]
fn a_cut_one_way_is_detected_like_one_both_ways() {
    for (direction, cause) in [(Direction::Up, Cause::CutUp), (Direction::Down, Cause::CutDown)] {
        let outcome = usual(cut_of(LinkName::Access, direction, BEGIN, Some(secs(100))));
        assert_eq!(outcome.episodes, [episode(cause, 100_000, Some((130_200, NO_REPLY)), Some(200_400))]);
    }
}

#[test]
fn a_cut_without_an_end_and_without_a_heartbeat_stays_undetected() {
    let mut world = usual_world();
    world.strategy.heartbeat = HeartbeatSpec::None;
    world.faults = vec![cut(BEGIN, None)];
    let outcome = go(&world, 1);
    assert_eq!(outcome.episodes, [episode(Cause::Cut, 100_000, None, None)]);
    assert_eq!(outcome.episodes[0].outcome(), EpisodeOutcome::Undetected);
    assert_eq!(outcome.usable_time, BEGIN.since(CONNECTED));
}

#[test]
fn a_detection_without_a_new_session_has_no_end() {
    let outcome = usual(cut(BEGIN, None));
    assert_eq!(outcome.episodes, [episode(Cause::Cut, 100_000, Some((130_200, NO_REPLY)), None)]);
    assert_eq!(outcome.zombie_time, millis(600_000 - 130_200));
}

#[test]
fn the_first_cause_names_an_episode_that_two_faults_prolong() {
    let mut world = usual_world();
    world.faults = vec![
        FaultConfig::ServerStall(server_fault(BEGIN, Some(secs(5)))),
        cut(BEGIN + secs(3), Some(secs(10))),
        cut(BEGIN + secs(15), Some(secs(1))),
    ];
    let outcome = go(&world, 1);
    // The cut of 103 s, which broke nothing that was whole, is strike 1.
    let second = Episode { fault: Some(2), ..episode(Cause::Cut, 115_000, None, Some(116_000)) };
    let expected = [episode(Cause::ServerStall, 100_000, None, Some(113_000)), second];
    assert_eq!(outcome.episodes, expected);
}

#[test]
fn an_eviction_counts_from_the_moment_the_mapping_expires() {
    let mut world = usual_world();
    world.strategy.heartbeat = fixed(secs(100), secs(10), 1);
    world.nat[0].established = Span::secs(60).into();
    world.duration = secs(150);
    let outcome = go(&world, 1);
    // The last packet through the NAT acknowledges the welcome of 0.2 s. The beat of 100.2 s finds no mapping.
    assert_eq!(outcome.episodes, [episode(Cause::NatExpiry, 60_220, Some((110_200, NO_REPLY)), Some(110_400))]);
}

#[test]
fn a_flush_of_the_nat_breaks_every_session_behind_it() {
    let outcome = usual(flush(BEGIN));
    assert_eq!(outcome.episodes, [episode(Cause::NatFlush, 100_000, Some((130_200, NO_REPLY)), Some(130_400))]);
}

#[test]
fn a_stall_ends_with_the_welcome_that_waited_for_it() {
    // The attempt of 140.2 s is in the accept queue when the process goes on at 150 s.
    let outcome = usual(FaultConfig::ServerStall(server_fault(BEGIN, Some(secs(50)))));
    assert_eq!(outcome.episodes, [episode(Cause::ServerStall, 100_000, Some((130_200, NO_REPLY)), Some(150_050))]);
    let outcome = usual(FaultConfig::ServerStall(server_fault(BEGIN, Some(secs(15)))));
    assert_eq!(outcome.episodes, [episode(Cause::ServerStall, 100_000, None, Some(115_000))]);
}

#[test]
fn a_crash_and_a_restart_tell_at_once() {
    let fault = server_fault(BEGIN, Some(secs(60)));
    let crash = (FaultConfig::ServerCrash(fault.clone()), Cause::ServerCrash);
    let restart = (FaultConfig::ServerRestart(fault), Cause::ServerRestart);
    for (fault, cause) in [crash, restart] {
        let outcome = usual(fault);
        // FIN takes 50 ms. Each attempt is refused after a round trip and repeated at once; the SYN of 159.95 s is the
        // first to find a listener.
        assert_eq!(outcome.episodes, [episode(cause, 100_000, Some((100_050, CLOSED)), Some(160_150))]);
        assert_eq!(outcome.totals.connect_attempts, 1 + 600);
        assert_eq!(outcome.zombie_time, Duration::ZERO);
    }
}

#[test]
fn a_vanished_host_is_silent_and_forgets() {
    let outcome = usual(FaultConfig::ServerVanish(server_fault(BEGIN, Some(secs(60))).into()));
    // The attempt of 150.2 s sends its last SYN at 157.2 s.
    assert_eq!(outcome.episodes, [episode(Cause::ServerVanish, 100_000, Some((130_200, NO_REPLY)), Some(160_400))]);
    assert_eq!(outcome.zombie_time, Duration::ZERO, "the host lost its sessions with everything else");
}

#[test]
fn a_session_that_the_reaper_closes_breaks_when_it_does() {
    let mut world = usual_world();
    world.strategy.heartbeat = HeartbeatSpec::None;
    world.strategy.server = IdleReaper::new(Span::secs(60), Delay::millis(10_000)).into();
    world.duration = secs(100);
    // The welcome of 0.15 s is the last frame: idle for a minute at 60.15 s, found by the scan of 70 s.
    let outcome = go(&world, 1);
    assert_eq!(outcome.episodes, [episode(Cause::ServerClosed, 70_000, Some((70_050, CLOSED)), Some(70_250))]);
}

#[test]
fn a_usable_session_given_up_is_a_false_alarm() {
    let mut world = usual_world();
    // Half a round trip is too short a timeout for any beat.
    world.strategy.heartbeat = fixed(secs(30), millis(50), 1);
    world.duration = secs(70);
    let outcome = go(&world, 1);
    let alarm =
        |at, end| FalseAlarm { device: 0, at: Time::from_millis(at), by: NO_REPLY, end: Some(Time::from_millis(end)) };
    // The second session's first beat is an interval after its begin at 30.45 s.
    assert_eq!(outcome.false_alarms, [alarm(30_250, 30_450), alarm(60_500, 60_700)]);
    assert_eq!(outcome.episodes, []);
    assert_eq!(outcome.usable_time + 3 * age(CONNECTED), secs(70), "three times it had to connect");
    // The server holds each session until the FIN has come.
    assert_eq!(outcome.zombie_time, millis(2 * 50));
}

#[test]
fn pushes_of_an_outage_are_delivered_when_the_device_is_back() {
    let mut world = usual_world();
    world.traffic.down = Some(Span::secs(5).into());
    let healthy = go_traced(&world, 8);
    let created = created_pushes(&healthy);
    assert_eq!(healthy.pushes.delays, vec![RTT / 2; created.len()]);
    assert!(created.len() > 80, "enough to tell: {}", created.len());

    let (begin, end) = (BEGIN, Time::from_millis(200_400));
    world.faults = vec![cut(begin, Some(secs(100)))];
    let outcome = go(&world, 8);
    // What would arrive after the cut's begin waits for the new session, whose pushes arrive with its welcome.
    let delay = |created: &Time| {
        let lost = *created + RTT / 2 >= begin && *created + RTT / 2 <= end;
        if lost { end.since(*created) } else { RTT / 2 }
    };
    let mut delays: Vec<Duration> = created.iter().map(delay).collect();
    delays.sort_unstable();
    assert!(delays.iter().filter(|delay| **delay > RTT).count() > 10);
    assert_eq!(outcome.pushes.delays, delays);
    assert_eq!(outcome.pushes.created, healthy.pushes.created);
    assert_eq!(outcome.pushes.undelivered(), healthy.pushes.undelivered());

    world.faults = vec![cut(begin, None)];
    let outcome = go(&world, 8);
    let delivered = created.iter().filter(|created| **created + RTT / 2 < begin).count();
    assert_eq!(outcome.pushes.delays, vec![RTT / 2; delivered]);
    assert_eq!(outcome.pushes.undelivered(), healthy.pushes.created - delivered as u64);
}

/// Time is neither lost nor counted twice, whatever happens: a device connects for the first time, has a usable session,
/// is in an episode, or between a false alarm and its next usable session.
#[test]
fn every_moment_of_a_device_is_accounted_for_once() {
    let idle = Idle { threshold: Span::secs(45), anchor: Anchor::Rx, timeout: Some(Span::secs(1)), misses: 1 };
    let heartbeats = [HeartbeatSpec::None, fixed(secs(30), secs(5), 1), HeartbeatSpec::Idle(idle)];
    let (mut causes, mut alarms) = (std::collections::BTreeSet::new(), 0);
    for seed in 0..16 {
        for heartbeat in &heartbeats {
            let mut world = stormy_world(heartbeat.clone());
            world.nat[0].after_expiry = NatClass::ALL[seed as usize % NatClass::ALL.len()].into();
            if seed as usize >= NatClass::ALL.len() {
                // A second, crowded box.
                let background = Some(Background { flows_per_s: 1.0 });
                world.nat.push(NatConfig { table: Some(250), background, ..NatConfig::default() });
            }
            let outcome = go_traced(&world, seed);
            let end = Time::ZERO + world.duration;
            let broken: Duration = outcome.episodes.iter().map(|e| e.end.unwrap_or(end).since(e.begin)).sum();
            let alarmed: Duration = outcome.false_alarms.iter().map(|a| a.end.unwrap_or(end).since(a.at)).sum();
            let connecting: Duration = (0..world.devices.count).map(|device| first_connection(&outcome, device)).sum();
            assert_eq!(outcome.usable_time + broken + alarmed + connecting, outcome.device_time, "seed {seed}");
            for episode in &outcome.episodes {
                let detected = episode.detection.map(|detection| detection.at);
                assert!(detected.is_none_or(|at| at >= episode.begin), "{episode:?}");
                assert!(episode.end.is_none_or(|end| end >= detected.unwrap_or(episode.begin)), "{episode:?}");
                causes.insert(episode.cause);
            }
            alarms += outcome.false_alarms.len();
        }
    }
    assert_eq!(causes.len(), 11, "every cause has happened: {causes:?}");
    assert!(alarms > 10, "and false alarms, {alarms}");
}

/// From a device's start to its first session.
fn first_connection(outcome: &Outcome, device: u32) -> Duration {
    let mut events = device_events(outcome).filter(|(_, of, _)| *of == device);
    let (start, ..) = events.next().expect("a device starts");
    let (connected, ..) =
        events.find(|(.., event)| matches!(event, DeviceEvent::Connected { .. })).expect("it connects in the end");
    connected.since(start)
}

/// Everything goes wrong, at random.
fn stormy_world(heartbeat: HeartbeatSpec) -> WorldConfig {
    let every = |mean: u64| When::Every(Span::secs(mean));
    let fault = |mean, lasts: u64| ServerFault {
        devices: None,
        server: None,
        when: every(mean),
        lasts: Some(constant(secs(lasts))),
    };
    let cut = |link, direction, mean, lasts: u64| {
        FaultConfig::Cut(Cut {
            devices: None,
            link,
            direction,
            when: every(mean),
            lasts: Some(constant(secs(lasts))),
            answers: Answer::Nothing,
            carrier: Carrier::Kept,
        })
    };
    let mut world = world(heartbeat);
    world.duration = Duration::from_hours(12);
    world.devices.count = 4;
    world.devices.start_within = Delay::millis(60_000);
    world.nat[0].established = Span::secs(300).into();
    world.access.burst_loss = Some(BurstLoss {
        good: Span::secs(300),
        bad: Span::secs(20),
        loss_good: Fraction::default(),
        loss_bad: Fraction::new(0.7).expect("a probability"),
    });
    world.traffic = TrafficConfig {
        up: Some(Span::secs(200).into()),
        down: Some(Span::secs(200).into()),
        ..TrafficConfig::default()
    };
    world.strategy.reconnect = ReconnectSpec::default();
    world.strategy.server = IdleReaper::new(Span::secs(600), Delay::millis(10_000)).into();
    world.faults = vec![
        cut(LinkName::Access, Direction::Both, 1_800, 60),
        cut(LinkName::Access, Direction::Up, 3_600, 30),
        cut(LinkName::Core, Direction::Down, 3_600, 90),
        FaultConfig::NatFlush(NatFlush { network: None, nat: None, when: every(3_600) }),
        FaultConfig::ServerStall(fault(3_600, 40)),
        FaultConfig::ServerCrash(fault(7_200, 20)),
        FaultConfig::ServerVanish(fault(7_200, 100).into()),
        FaultConfig::ServerRestart(fault(7_200, 5)),
    ];
    world
}
