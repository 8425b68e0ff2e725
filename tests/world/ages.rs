//! Connections that end by their age, at the boundary of the world: a server's greatest age with and without a grace, a box's.
//! Who learns of it, when, and by which packet. (A client that leaves by age is tested beside the policy.)
//!
//! The path has 20 ms to the NAT and 30 ms to the server, so that a device that starts at 0 is in the server's books at 0.15 s and
//! welcomed at 0.2 s.

use std::time::Duration;

use cardiogram_policies::{
    GiveUp, HeartbeatSpec, LossReason, Time,
    unit::{Delay, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{Distribution, MaxAge, NatClass, NatConfig, Uniform},
    outcome::{Cause, DetectedBy, Detection, EpisodeOutcome},
    packet::Flags,
    trace::{DeviceEvent, GoodbyeReason, NatEvent, ServerEvent},
};
use kit::common::*;

/// When the session of a device that starts at zero begins at the server.
const OPENED: Time = Time::from_millis(150);

const fn ms(ms: u64) -> Time {
    Time::from_millis(ms)
}

fn aging(mut world: WorldConfig, age: Distribution, grace_ms: u64) -> WorldConfig {
    world.server.max_age = Some(MaxAge { age, grace: Delay::millis(grace_ms) });
    world
}

fn minute() -> Distribution {
    constant(secs(60))
}

fn too_old(outcome: &Outcome) -> Vec<Time> {
    let closed = server_events(outcome).filter(|(_, event)| matches!(event, ServerEvent::TooOld { .. }));
    closed.map(|(at, _)| at).collect()
}

#[test]
fn a_session_that_is_too_old_is_closed_without_a_word_and_the_client_hears_a_fin() {
    let outcome = go_traced(&aging(one_session(HeartbeatSpec::None), minute(), 0), 1);
    let (closed, heard) = (OPENED + secs(60), OPENED + secs(60) + CORE + ACCESS);
    assert_eq!(too_old(&outcome), [closed]);
    let fins = received(&outcome, DEVICES).into_iter().filter(|(_, packet)| packet.flags.has(Flags::FIN));
    assert_eq!(fins.map(|(at, _)| at).collect::<Vec<_>>(), [heard]);
    let detection = Detection { at: heard, by: DetectedBy::Transport(LossReason::Closed) };
    assert_eq!(only_episode(&outcome), (closed, Cause::MaxAge, Some(detection)));
}

#[test]
fn in_its_grace_a_client_has_the_next_session_before_the_old_one_ends() {
    let mut world = aging(world(HeartbeatSpec::None), minute(), 10_000);
    world.duration = secs(90);
    let outcome = go_traced(&world, 1);
    let told = OPENED + secs(60) + CORE + ACCESS;
    let goodbyes = device_events(&outcome).filter_map(|(at, _, event)| match event {
        DeviceEvent::GoodbyeReceived { reason, retry_after } => Some((at, reason, retry_after)),
        _ => None,
    });
    assert_eq!(goodbyes.collect::<Vec<_>>(), [(told, GoodbyeReason::TooOld, None)]);
    let left = device_events(&outcome)
        .filter_map(|(at, _, event)| matches!(event, DeviceEvent::GivenUp { reason: GiveUp::Done, .. }).then_some(at));
    assert_eq!(left.collect::<Vec<_>>(), [told + 2 * RTT]);
    // The newcomer's welcome closes the old session, before its grace is over.
    assert_eq!(sessions_closed(&outcome), [told + 2 * RTT - CORE - ACCESS]);
    assert_eq!(too_old(&outcome), []);
    assert_eq!((outcome.episodes.len(), outcome.false_alarms.len()), (0, 0));
    assert_eq!((outcome.usable_time, outcome.totals.sessions), (millis(89_800), 2));
}

/// The session is closed 150 ms after the goodbye; the successor is welcomed 250 ms after it.
#[test]
fn a_grace_shorter_than_a_handshake_leaves_a_gap() {
    let mut world = aging(world(HeartbeatSpec::None), minute(), 150);
    world.duration = secs(90);
    let outcome = go_traced(&world, 1);
    let goodbye = OPENED + secs(60);
    let [episode] = outcome.episodes[..] else { panic!("one gap: {:?}", outcome.episodes) };
    assert_eq!((episode.begin, episode.cause), (goodbye + millis(150), Cause::MaxAge));
    assert_eq!((episode.end, episode.outcome()), (Some(goodbye + millis(250)), EpisodeOutcome::RiddenOut));
}

/// Twenty clients that came together, as after a deployment.
#[test]
fn ages_that_are_drawn_keep_those_who_came_together_from_going_together() {
    let ends = |age: Distribution| {
        let mut world = aging(one_session(HeartbeatSpec::None), age, 0);
        world.devices.count = 20;
        let outcome = go_traced(&world, 1);
        let mut ends = too_old(&outcome);
        assert_eq!(ends.len(), 20);
        ends.dedup();
        ends
    };
    assert_eq!(ends(minute()), [OPENED + secs(60)]);
    let drawn = ends(Distribution::Uniform(Uniform { min: Span::secs(54), max: Span::secs(66) }));
    assert_eq!(drawn.len(), 20);
    assert!(drawn[0] >= OPENED + secs(54) && drawn[19] <= OPENED + secs(66), "{drawn:?}");
    assert!(drawn[19].since(drawn[0]) > secs(8), "{drawn:?}");
}

#[test]
fn a_server_that_has_died_forgets_how_old_its_sessions_were() {
    use cardiogram_sim::config::FaultConfig;
    let mut world = aging(world(HeartbeatSpec::None), minute(), 0);
    (world.duration, world.faults) =
        (secs(100), vec![FaultConfig::ServerRestart(server_fault(Time::from_secs(30), None))]);
    let outcome = go_traced(&world, 1);
    let opened = server_events(&outcome).filter(|(_, event)| matches!(event, ServerEvent::SessionOpened { .. }));
    let opened: Vec<Time> = opened.map(|(at, _)| at).collect();
    assert_eq!(too_old(&outcome), [opened[1] + secs(60)]);
}

fn box_of_age(class: NatClass) -> NatConfig {
    NatConfig { max_age: Some(Span::secs(30)), after_expiry: class.into(), ..NatConfig::default() }
}

/// A balancer that gives a connection 30 s in all: the SYN passes it at 20 ms.
#[test]
fn a_box_ends_a_connection_by_its_age_whatever_passes() {
    let mut world = one_session(fixed(secs(10), secs(5), 1));
    world.nat[0] = box_of_age(NatClass::RstBothOnExpiry);
    let outcome = go_traced(&world, 1);
    let ends = Time::ZERO + ACCESS + secs(30);
    assert_eq!(nat_events(&outcome).last(), Some((ends, NatEvent::TooOld)));
    assert_eq!(only_episode(&outcome), (ends, Cause::MaxAge, Some(reset(ends + ACCESS))));
    assert_eq!(sessions_closed(&outcome), [ends + CORE]);
}

#[test]
fn a_connection_that_is_mapped_again_on_its_port_outlives_its_mappings() {
    let mut world = world(fixed(secs(10), secs(5), 1));
    (world.nat[0], world.duration) = (box_of_age(NatClass::RemapSamePort), secs(95));
    let outcome = go_traced(&world, 1);
    // The beats of 30.2 s, 60.2 s and 90.2 s make the next ones: one that comes exactly at the end comes too late.
    let made = nat_events(&outcome).filter(|(_, event)| matches!(event, NatEvent::Created { .. }));
    let made: Vec<Time> = made.map(|(at, _)| at).collect();
    assert_eq!(made, [ms(20), ms(30_220), ms(60_220), ms(90_220)]);
    let ended = nat_events(&outcome).filter(|(_, event)| *event == NatEvent::TooOld);
    assert_eq!(ended.map(|(at, _)| at).collect::<Vec<_>>(), [ms(30_020), ms(60_220), ms(90_220)]);
    assert_eq!((outcome.episodes.len(), outcome.usable_time), (0, millis(94_800)));
}

/// The same ports are used again: a device's tens of thousands of attempts later, or here a NAT that is asked at once.
#[test]
fn a_young_connection_is_not_as_old_as_the_one_before_it() {
    let mut world = world(HeartbeatSpec::None);
    (world.nat[0], world.duration) = (box_of_age(NatClass::RstBothOnExpiry), secs(70));
    let outcome = go_traced(&world, 1);
    let begins: Vec<Duration> = outcome.episodes.iter().map(|episode| age(episode.begin)).collect();
    // 30.02 s, then the next connection begins 20 ms later and passes the box 20 ms after that.
    assert_eq!(begins, [millis(30_020), millis(60_060)]);
}
