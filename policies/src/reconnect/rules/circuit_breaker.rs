//! A circuit breaker: after too many failures no attempt for a while, then a few on trial.

use serde::{Deserialize, Serialize};

use super::problem;
use crate::{
    Problem, Reconnect, ReconnectAction, ReconnectEvent, Time,
    unit::{Fraction, Span},
};

/// Closed, it lets every attempt through and counts. Open, it lets none through for `open`. Then, half open, the next
/// `trials` attempts decide: where too many of them fail it opens again, else it closes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CircuitBreaker {
    /// Which failures open it.
    pub trip: Trip,
    /// How long it stays open. Default 60 s (resilience4j, by Apache Camel's documentation).
    #[serde(default = "open")]
    pub open: Span,
    /// Attempts on trial, at least 1. Default 1; resilience4j makes 10.
    #[serde(default = "one")]
    pub trials: u32,
}

fn open() -> Span {
    Span::secs(60)
}

fn one() -> u32 {
    1
}

/// The failures that open a circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Trip {
    /// So many failed attempts in a row, at least 1. A single failed trial opens it again.
    Consecutive(u32),
    /// A share of the last attempts.
    Window(WindowTrip),
}

parameters! {
    /// A share of the last attempts opens it; an equal share of the trials opens it again.
    #[derive(Copy)]
    pub struct WindowTrip {
        /// How many attempts it looks back upon, 1 to 10,000. Default 100 (resilience4j).
        pub attempts: u32 = 100,
        /// How many there have to be before it judges, 1 to `attempts`. Default 100 (resilience4j).
        pub at_least: u32 = 100,
        /// The share of failures that opens it, more than 0. Default 0.5 (resilience4j).
        pub failures: Fraction = Fraction::new(0.5).expect("a share"),
    }
}

const WINDOW_MAX: u32 = 10_000;

impl CircuitBreaker {
    pub(super) fn describe(self) -> String {
        let Self { open, trials, .. } = self;
        let trip = match self.trip {
            Trip::Consecutive(most) => format!("{most} failures in a row"),
            Trip::Window(WindowTrip { attempts, at_least, failures }) => {
                format!("a share of {} of failures among the last {at_least} to {attempts} attempts", failures.get())
            }
        };
        format!("A circuit breaker opens after {trip}, for {open}; then {trials} on trial decide whether it closes.")
    }

    pub(super) fn problem(self) -> Option<Problem> {
        let (key, message, help) = match self.trip {
            _ if self.trials == 0 => {
                ("trials", "no attempt on trial would keep it open for ever".into(), "use 1".into())
            }
            Trip::Consecutive(0) => ("trip.consecutive", "it opens before anything has failed".into(), "use 5".into()),
            Trip::Window(window) if !(1..=WINDOW_MAX).contains(&window.attempts) => {
                let message = format!("a window of {} attempts is outside 1 to {WINDOW_MAX}", window.attempts);
                ("trip.window.attempts", message, format!("use {}", window.attempts.clamp(1, WINDOW_MAX)))
            }
            Trip::Window(window) if !(1..=window.attempts).contains(&window.at_least) => {
                let message = format!("{} attempts never are in a window of {}", window.at_least, window.attempts);
                ("trip.window.at_least", message, format!("use 1 to {}", window.attempts))
            }
            Trip::Window(window) if window.failures == Fraction::ZERO => {
                ("trip.window.failures", "it opens without a failure".into(), "use more than 0, as in 0.5".to_owned())
            }
            _ => return None,
        };
        Some(problem(&format!("circuit_breaker.{key}"), message, help))
    }
}

/// [`CircuitBreaker`] at work.
pub(super) struct Breaker {
    inner: Box<dyn Reconnect>,
    rule: CircuitBreaker,
    state: State,
    recent: Recent,
}

#[derive(Clone, Copy)]
enum State {
    Closed,
    Open { until: Time },
    HalfOpen { done: u32, failed: u32 },
}

impl Breaker {
    pub(super) fn new(inner: Box<dyn Reconnect>, rule: CircuitBreaker) -> Self {
        let window = match rule.trip {
            Trip::Consecutive(_) => 0,
            Trip::Window(window) => window.attempts,
        };
        Self { inner, rule, state: State::Closed, recent: Recent::new(window as usize) }
    }

    fn note(&mut self, now: Time, has_failed: bool) {
        let is_tripped = match &mut self.state {
            State::Closed => {
                self.recent.note(has_failed);
                match self.rule.trip {
                    Trip::Consecutive(most) => self.recent.in_a_row >= most,
                    Trip::Window(window) => {
                        self.recent.noted >= window.at_least && exceeds(self.recent.failed, self.recent.noted, window)
                    }
                }
            }
            // Nobody asked for the attempt that has ended.
            State::Open { .. } => return,
            State::HalfOpen { done, failed } => {
                *done += 1;
                *failed += u32::from(has_failed);
                let (done, failed) = (*done, *failed);
                let is_decided = done >= self.rule.trials;
                let is_tripped = match self.rule.trip {
                    Trip::Consecutive(_) => has_failed,
                    Trip::Window(window) => is_decided && exceeds(failed, done, window),
                };
                if is_decided && !is_tripped {
                    self.state = State::Closed;
                }
                is_tripped
            }
        };
        if is_tripped {
            self.state = State::Open { until: now + self.rule.open.get() };
            self.recent.clear();
        }
    }
}

fn exceeds(failed: u32, of: u32, window: WindowTrip) -> bool {
    f64::from(failed) >= window.failures.get() * f64::from(of)
}

impl Reconnect for Breaker {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        match event {
            // Whoever starts it, be it before the time: it is on trial.
            ReconnectEvent::AttemptStarted { .. } if matches!(self.state, State::Open { .. }) => {
                self.state = State::HalfOpen { done: 0, failed: 0 };
            }
            ReconnectEvent::Connected => self.note(now, false),
            ReconnectEvent::AttemptFailed(_) => self.note(now, true),
            _ => {}
        }
        self.inner.on_event(now, event);
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        match (self.inner.next(now), self.state) {
            (ReconnectAction::TryAfter { wait, server, timeout }, State::Open { until }) => {
                ReconnectAction::TryAfter { wait: wait.max(until.since(now)), server, timeout }
            }
            (verdict, _) => verdict,
        }
    }
}

/// The outcomes of the last attempts.
struct Recent {
    /// A ring; empty where only failures in a row count.
    window: Box<[bool]>,
    next: usize,
    noted: u32,
    failed: u32,
    in_a_row: u32,
}

impl Recent {
    fn new(window: usize) -> Self {
        Self { window: vec![false; window].into(), next: 0, noted: 0, failed: 0, in_a_row: 0 }
    }

    fn note(&mut self, has_failed: bool) {
        self.in_a_row = if has_failed { self.in_a_row.saturating_add(1) } else { 0 };
        if self.window.is_empty() {
            return;
        }
        let oldest = std::mem::replace(&mut self.window[self.next], has_failed);
        self.next = (self.next + 1) % self.window.len();
        if self.noted as usize == self.window.len() {
            self.failed -= u32::from(oldest);
        } else {
            self.noted += 1;
        }
        self.failed += u32::from(has_failed);
    }

    fn clear(&mut self) {
        (self.next, self.noted, self.failed, self.in_a_row) = (0, 0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::reconnect::{fixed_delay::ConstantDelay, testing::Client};

    fn client(trip: Trip, trials: u32) -> Client<Breaker> {
        let every_second = Box::new(ConstantDelay::new(Duration::from_secs(1)));
        Client::new(Breaker::new(every_second, CircuitBreaker { trip, open: Span::secs(60), trials }))
    }

    /// Returns the waits after attempts that fail (`x`) and after connections that are lost at once (`.`).
    fn waits(client: &mut Client<Breaker>, outcomes: &str) -> Vec<u64> {
        let wait = |outcome| match outcome {
            'x' => client.fail(),
            _ => client.live(Duration::ZERO),
        };
        outcomes.chars().map(wait).map(|wait| wait.as_secs()).collect()
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_trial_decides() {
        let mut client = client(Trip::Consecutive(3), 1);
        assert_eq!(waits(&mut client, "xx.xxx"), [1, 1, 1, 1, 1, 60]);
        assert_eq!(waits(&mut client, "x"), [60], "the trial has failed");
        assert_eq!(waits(&mut client, ".xxx"), [1, 1, 1, 60], "closed again, it counts anew");
    }

    #[test]
    fn a_share_of_the_window_opens_it_and_the_same_share_of_the_trials_again() {
        let window = WindowTrip { attempts: 4, at_least: 4, failures: Fraction::new(0.5).unwrap() };
        let mut client = client(Trip::Window(window), 2);
        assert_eq!(waits(&mut client, "x.."), [1, 1, 1], "three are too few to judge");
        assert_eq!(waits(&mut client, "."), [1], "one of four");
        assert_eq!(waits(&mut client, "x"), [1], "the first one has left the window");
        assert_eq!(waits(&mut client, "x"), [60], "two of four");
        assert_eq!(waits(&mut client, ".x"), [1, 60], "one of two trials");
        assert_eq!(waits(&mut client, ".."), [1, 1]);
        assert_eq!(waits(&mut client, "xxx"), [1, 1, 1], "closed again, it counts anew");
    }

    #[test]
    fn it_opens_as_resilience4j_does() {
        let mut client = client(Trip::Window(WindowTrip::default()), 10);
        assert!(waits(&mut client, &".x".repeat(49)).iter().all(|wait| *wait == 1));
        assert_eq!(waits(&mut client, ".x"), [1, 60]);
        assert_eq!(waits(&mut client, ".....xxxxx"), [1, 1, 1, 1, 1, 1, 1, 1, 1, 60]);
    }
}
