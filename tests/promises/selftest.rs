//! The checks against bugs that are known to be there: a strategy with one of them must not pass, on its own word alone.

use cardiogram::{
    check::{Check, Counterexample, Failure},
    policies::StrategySpec,
};
use kit::faulty::{BeatBug, ReapBug, WaitBug, beats, correct, reaps, waits};
use tempfile::TempDir;

/// Returns what a check of everything that the strategy promises of itself finds.
fn found(strategy: StrategySpec) -> Option<Counterexample> {
    let folder = TempDir::new().unwrap();
    match Check::of(strategy).promises().cases(2_000).keep_in(folder.path()).quietly().run() {
        Ok(_) => None,
        Err(Failure::Broken(found)) => Some(*found),
        Err(other) => panic!("{other}"),
    }
}

#[track_caller]
fn is_caught(strategy: StrategySpec, kinds: &[&str]) {
    let found = found(strategy).expect("a known bug is found");
    assert!(kinds.contains(&found.kind()), "{found}");
    assert!(found.faults <= 3, "{}", found.text);
}

#[test]
fn misses_off_by_one() {
    is_caught(beats(BeatBug::MissesOffByOne), &["detects-within"]);
}

#[test]
fn a_timeout_that_is_counted_from_what_was_received() {
    is_caught(beats(BeatBug::TimeoutFromReceive), &["no-false-alarm"]);
}

#[test]
fn a_biased_phase() {
    is_caught(beats(BeatBug::BiasedPhase), &["detects-within"]);
    is_caught(beats(BeatBug::FirstBeatLate), &["detects-within"]);
}

#[test]
fn a_refresh_on_inbound_only() {
    is_caught(beats(BeatBug::RefreshOnInboundOnly), &["detects-within"]);
}

#[test]
fn beats_that_come_twice_as_often() {
    is_caught(beats(BeatBug::TwiceAsOften), &["heartbeats-per-hour"]);
}

#[test]
fn waits_that_hammer_or_never_end() {
    is_caught(waits(WaitBug::Hammers), &["attempts-within"]);
    is_caught(waits(WaitBug::NeverAgain), &["reconnects-within"]);
}

#[test]
fn a_reaper_that_forgets() {
    is_caught(reaps(ReapBug::Forgets), &["zombies-within"]);
}

#[test]
fn what_has_none_of_them_passes() {
    assert!(found(correct()).is_none());
}
