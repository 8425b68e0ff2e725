//! Every promise that can be checked: a strategy that breaks it in a known way is caught, with a world of three faults at
//! most, and one that keeps it passes. `CARDIOGRAM_CASES` draws more worlds.

use std::{path::Path, time::Duration};

use cardiogram::{
    check::{
        Aim, Attempts, Check, Counterexample, Evidence, Failure, Health, Judgement, Learns, Promised, kind, replay,
    },
    policies::{
        StrategySpec, Time, preset,
        unit::{Fraction, Span},
    },
    sim::trace::DeviceEvent,
};
use kit::faulty::{self, BeatBug, ReapBug, WaitBug, beats, correct, reaps, registry, waits};
use tempfile::TempDir;

/// How many worlds each promise is checked in.
const CASES: u32 = 600;

fn most() -> Fraction {
    Fraction::new(0.8).unwrap()
}

fn held(strategy: StrategySpec, promise: Promised, folder: &Path) -> Check {
    Check::of(strategy).promise(promise).on_a_steady_host().cases(CASES).keep_in(folder).quietly()
}

/// Returns what a check finds, which has to be simple and the same again from its file.
#[track_caller]
fn caught(check: Check, name: &str) -> Counterexample {
    let found = match check.run() {
        Err(Failure::Broken(found)) => *found,
        Err(other) => panic!("{other}"),
        Ok(checked) => panic!("nothing was found: {checked:?}"),
    };
    assert_eq!(found.kind(), name, "{found}");
    assert!(found.faults <= 3, "{}", found.text);
    if name != "own" {
        let again = replay(&found.path, &registry()).unwrap();
        assert_eq!(again.judgement, Judgement::Broken(found.breach.clone()));
        assert!(again.is_same_run && again.trace_hash == found.trace_hash);
    }
    found
}

/// The promise is broken by one and kept by the other.
#[track_caller]
fn tells_apart(promise: &Promised, breaks: StrategySpec, keeps: StrategySpec) -> Counterexample {
    let folder = TempDir::new().unwrap();
    held(keeps, promise.clone(), folder.path()).run().unwrap();
    caught(held(breaks, promise.clone(), folder.path()), kind(promise))
}

#[test]
fn a_break_that_is_noticed_late_is_found() {
    let found = tells_apart(&Promised::DetectsWithin(Span::secs(40)), beats(BeatBug::MissesOffByOne), correct());
    assert_eq!(found.faults, 1, "{}", found.text);
}

#[test]
fn heartbeats_that_come_too_often_are_found() {
    let found = tells_apart(&Promised::HeartbeatsPerHour(121), beats(BeatBug::TwiceAsOften), correct());
    assert_eq!(found.faults, 0, "{}", found.text);
}

#[test]
fn attempts_that_come_too_often_are_found() {
    let attempts = Attempts { count: 1, window: Span::secs(16) };
    tells_apart(&Promised::AttemptsWithin(attempts), waits(WaitBug::Hammers), correct());
}

#[test]
fn a_device_that_is_back_late_or_never_is_found() {
    let within = Span::secs(4 * (10 + 128) + 40 + 10);
    tells_apart(&Promised::ReconnectsWithin(within), waits(WaitBug::NeverAgain), correct());
    tells_apart(&Promised::Ends(within), waits(WaitBug::NeverAgain), correct());
}

#[test]
fn a_false_alarm_is_found() {
    let found = tells_apart(&Promised::NoFalseAlarm, beats(BeatBug::TimeoutFromReceive), correct());
    assert_eq!(found.faults, 0, "{}", found.text);
}

#[test]
fn a_server_that_closes_the_living_is_found() {
    let found = tells_apart(&Promised::NoFalseKill, reaps(ReapBug::CountsFromBegin), correct());
    assert_eq!(found.faults, 0, "{}", found.text);
}

#[test]
fn a_session_that_a_nat_forgets_is_found() {
    tells_apart(&Promised::NatSafe(Span::secs(45)), beats(BeatBug::FirstBeatLate), correct());
}

#[test]
fn an_interval_far_from_the_best_is_found() {
    let search = |granularity: &str| {
        let text = preset::find("linear-search").unwrap().toml.replace("granularity = \"1m\"", granularity);
        faulty::from_text(&text)
    };
    let learns = Learns { step: Span::secs(70), longest: Span::secs(3_600), after: Span::secs(40 * 3_600) };
    let (coarse, fine) = (search("granularity = \"10m\""), search("granularity = \"1m\""));
    tells_apart(&Promised::LearnsInterval(learns), coarse, fine);
}

#[test]
fn a_server_that_keeps_the_dead_is_found() {
    tells_apart(&Promised::ZombiesWithin(Span::secs(95)), reaps(ReapBug::Forgets), correct());
}

#[test]
fn waits_that_begin_anew_too_soon_are_found() {
    let health = Health { uptime: Span::secs(5), count: 12, window: Span::secs(60) };
    tells_apart(&Promised::ResetsAfterHealth(health), waits(WaitBug::ResetAtOnce), correct());
}

#[test]
fn retries_in_step_are_found() {
    tells_apart(&Promised::NoLockStep(most()), waits(WaitBug::NoJitter), correct());
}

#[test]
fn waits_that_are_all_alike_are_found() {
    tells_apart(&Promised::JitteredWaits(most()), waits(WaitBug::NoJitterAtCap), correct());
}

/// Returns a promise as somebody else may write it: the first beat of a session comes within 40 s.
fn first_beat(evidence: &Evidence<'_>) -> Judgement {
    let mut tested = false;
    for device in 0..evidence.world().devices.count {
        let mut connected: Option<Time> = None;
        for (at, event) in evidence.events_of(device) {
            match event {
                DeviceEvent::Connected { .. } => connected = Some(at),
                DeviceEvent::GivenUp { .. } | DeviceEvent::Lost { .. } => connected = None,
                DeviceEvent::HeartbeatSent { .. } => {
                    let Some(begin) = connected.take() else { continue };
                    tested = true;
                    if at.since(begin) > Duration::from_secs(40) {
                        let happened = format!("device {device} connected at {begin} s and first beat at {at} s");
                        return Judgement::broken(at, device, "the first beat comes within 40 s", happened);
                    }
                }
                _ => {}
            }
        }
    }
    if tested { Judgement::Kept } else { Judgement::NotTested }
}

#[test]
fn a_promise_of_ones_own_is_checked_like_all_others() {
    let folder = TempDir::new().unwrap();
    let check_of = |strategy: StrategySpec| {
        Check::of(strategy)
            .own("first-beat", Aim::Healthy, first_beat)
            .on_a_steady_host()
            .cases(CASES)
            .keep_in(folder.path())
            .quietly()
    };
    check_of(correct()).run().unwrap();
    let found = caught(check_of(beats(BeatBug::FirstBeatLate)), "own");
    assert_eq!((&found.promise, found.faults), (&Promised::Own("first-beat".into()), 0), "{}", found.text);
    // Nobody but the check has its code.
    let refused = replay(&found.path, &registry()).unwrap_err().to_string();
    assert!(refused.contains("the promise `first-beat` is code of the test that found this"), "{refused}");
    assert!(found.to_string().ends_with("run the check again: it tries this file first"), "{found}");
    // It is tried first, and tells when it is one no more.
    let Err(Failure::Broken(again)) = check_of(beats(BeatBug::FirstBeatLate)).run() else { panic!("it is kept") };
    assert_eq!((again.path, again.trace_hash), (found.path, found.trace_hash));
    check_of(correct()).run().unwrap();
}

#[test]
fn a_strategy_that_is_right_keeps_everything_in_thousands_of_worlds() {
    let folder = TempDir::new().unwrap();
    let checked = Check::of(correct())
        .promises()
        .promise(Promised::NoFalseKill)
        .promise(Promised::NatSafe(Span::secs(45)))
        .promise(Promised::NoLockStep(most()))
        .promise(Promised::JitteredWaits(most()))
        .promise(Promised::ResetsAfterHealth(Health { uptime: Span::secs(5), count: 12, window: Span::secs(60) }))
        .promise(Promised::Ends(Span::secs(3_600)))
        .own("first-beat", Aim::Heals, first_beat)
        .on_a_steady_host()
        .cases(2_000)
        .keep_in(folder.path())
        .run()
        .unwrap();
    let promises = [
        "attempts-within",
        "detects-within",
        "ends",
        "first-beat",
        "heartbeats-per-hour",
        "jittered-waits",
        "nat-safe",
        "no-false-alarm",
        "no-false-kill",
        "no-lock-step",
        "one-session",
        "reconnects-within",
        "resets-after-health",
        "silent-when-given-up",
        "zombies-within",
    ];
    // What it promises of itself takes a host that is not steady into account.
    Check::of(correct()).promises().keep_in(folder.path()).quietly().run().unwrap();
    assert_eq!(checked.coverage.tested.keys().map(String::as_str).collect::<Vec<_>>(), promises);
}
