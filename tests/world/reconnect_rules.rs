//! What reconnect policies are told by the device, at the boundary of the world: the network's and the application's
//! changes, and how far an attempt came.
//!
//! Every path here has 20 ms from the device to the NAT and 30 ms from there to the server; an attempt takes 0.2 s to come
//! up and is abandoned after 10 s. The device beats every 30 s, and gives up after 10 s without a reply.

use std::time::Duration;

use cardiogram_policies::{
    ReconnectRules, ReconnectSpec, Time,
    reconnect::{
        AttemptTimeout, DelayFrom, FixedDelay, Jitter, MarsLonglinkMonitor, NetworkChange, Reset, Steps, Then,
        WhenHidden,
    },
    unit::{Delay, Span},
};
use cardiogram_sim::{
    Outcome, WorldConfig,
    config::{Attach, FaultConfig, LifeConfig, OldSockets, Periods, ProcessKilled, When},
    trace::DeviceEvent,
};
use kit::common::*;

const BEGIN: Time = Time::from_secs(100);

/// Returns a device whose server has crashed at 100 s for good, under these rules.
fn crashed(reconnect: ReconnectSpec, rules: ReconnectRules, life: LifeConfig) -> WorldConfig {
    let heartbeat = fixed(secs(30), secs(10), 1);
    let mut world = WorldConfig { duration: secs(600), life, ..world(heartbeat) };
    (world.strategy.reconnect, world.strategy.reconnect_rules) = (reconnect, rules);
    world.faults = vec![FaultConfig::ServerCrash(server_fault(BEGIN, None))];
    world
}

fn every(seconds: u64) -> ReconnectSpec {
    ReconnectSpec::FixedDelay(FixedDelay { delay: Span::secs(seconds) })
}

/// Returns when attempts began, after the first one, in whole seconds; all are refused within one.
fn retries(outcome: &Outcome) -> Vec<u64> {
    let starts = device_events(outcome).filter(|(.., event)| matches!(event, DeviceEvent::AttemptStarted { .. }));
    starts.skip(1).map(|(at, ..)| at.as_micros() / 1_000_000).collect()
}

fn without_network(at: u64, back: u64) -> [Attach; 2] {
    let attach = |at: u64, to: &str| {
        let at = Delay::millis(at * 1_000);
        Attach { at, to: to.into(), gap: None, old_sockets: OldSockets::Abort }
    };
    [attach(at, "none"), attach(back, "main")]
}

fn rules(network_change: NetworkChange) -> ReconnectRules {
    ReconnectRules { network_change, ..ReconnectRules::default() }
}

/// Invariants 22 and 23: the network flaps while the device waits.
#[test]
fn a_networks_coming_brings_one_attempt_and_its_going_none() {
    let tried = |rule| {
        let attach = [without_network(130, 140), without_network(150, 160)].concat();
        let life = LifeConfig { attach, ..LifeConfig::default() };
        retries(&go_traced(&crashed(every(200), rules(rule), life), 1))
    };
    assert_eq!(tried(NetworkChange::KeepPlan), [300, 500]);
    assert_eq!(tried(NetworkChange::AtOnce), [140, 160, 360, 560]);
    assert_eq!(tried(NetworkChange::Canary), [140, 160, 300, 500]);
}

#[test]
fn nobody_tries_while_there_is_no_network() {
    let attach = without_network(130, 400).into();
    let life = LifeConfig { attach, ..LifeConfig::default() };
    let outcome = go_traced(&crashed(every(10), rules(NetworkChange::AtOnce), life), 1);
    let tried = retries(&outcome);
    assert!(tried.iter().all(|at| *at <= 130 || *at >= 400) && tried.contains(&400), "{tried:?}");
}

fn on_the_screen(from: u64, lasts: u64) -> LifeConfig {
    let at = vec![Delay::millis(from * 1_000)];
    LifeConfig {
        foreground: Some(Periods { when: When::At(at), lasts: constant(secs(lasts)) }),
        ..LifeConfig::default()
    }
}

#[test]
fn an_application_that_comes_into_sight_makes_up_for_the_attempt_it_missed() {
    let rules = ReconnectRules { when_hidden: WhenHidden::Pause, ..ReconnectRules::default() };
    let outcome = go_traced(&crashed(every(20), rules, on_the_screen(300, 50)), 1);
    assert_eq!(retries(&outcome), [300, 320, 340]);
    let stops = device_events(&outcome).filter(|(.., event)| matches!(event, DeviceEvent::Stopped)).count();
    assert_eq!(stops, 2, "when the connection is lost, and when it goes out of sight while it waits");
}

/// In the background Mars waits 300 s from the attempt's start, in the foreground's first minute 15 s.
#[test]
fn mars_looks_again_when_the_application_comes_into_sight() {
    let spec = ReconnectSpec::MarsLonglinkMonitor(MarsLonglinkMonitor::default());
    let outcome = go_traced(&crashed(spec.clone(), ReconnectRules::default(), on_the_screen(250, 40)), 1);
    assert_eq!(retries(&outcome), [250, 265, 280, 580]);
    // A process that is started anew is told of the state it finds.
    let mut world = crashed(spec, ReconnectRules::default(), on_the_screen(80, 1));
    world.faults.push(FaultConfig::ProcessKilled(ProcessKilled {
        devices: None,
        when: at(Time::from_secs(200)),
        lasts: Some(constant(secs(10))),
    }));
    assert_eq!(retries(&go_traced(&world, 1)), [210, 510]);
}

/// A server whose application hangs: its kernel takes connections, and nobody is welcomed.
#[test]
fn a_transports_handshake_is_told_apart_from_a_welcome() {
    let tried = |reset| {
        let waits = vec![Delay::millis(1_000), Delay::millis(30_000)];
        let then = Then::RepeatLast;
        let (jitter, delay_from) = (Jitter::None, DelayFrom::Failure);
        let none = Delay::ZERO;
        let attempt_timeout = AttemptTimeout::Same;
        let steps = Steps {
            waits,
            then,
            jitter,
            scale: None,
            delay_from,
            reset,
            after_loss: none,
            first_added: none,
            attempt_timeout,
        };
        let mut world = crashed(ReconnectSpec::Steps(steps), ReconnectRules::default(), LifeConfig::default());
        world.duration = Duration::from_secs(200);
        world.faults = vec![FaultConfig::ServerStall(server_fault(BEGIN, None))];
        retries(&go_traced(&world, 1))
    };
    // Given up at 130 s, and 10 s for each attempt.
    assert_eq!(tried(Reset::Connected), [131, 171]);
    assert_eq!(tried(Reset::Established), [131, 142, 153, 164, 175, 186, 197]);
}
