//! Waits that grow by a factor up to a cap, with the usual jitters: the backoff of most products and libraries.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Plan, Reconnect, ReconnectEvent, Verdict, reconnects_within};
use crate::{
    AttemptLimit, Bounds, PolicyRng, Problem, Promises, Time, random,
    unit::{Fraction, Span},
};

/// Waits of nominally `base`, `base * factor`, `base * factor²`, ... up to `cap`, spread by `jitter`.
///
/// The formulas of the jitters `none`, `full`, `equal` and `decorrelated` are those of the AWS Architecture Blog
/// (Brooker, "Exponential Backoff And Jitter", 2015), `proportional` and counting from the attempt's start are gRPC's
/// (connection-backoff.md), the cap of 120 s is gRPC's too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Exponential {
    /// The nominal wait before the first retry. Default 1 s.
    pub base: Span,
    /// By which the nominal wait grows with each retry, 1 to 10. Default 2. The jitter `decorrelated` grows by its own
    /// rule instead.
    #[cfg_attr(feature = "schema", schemars(range(min = 1.0, max = 10.0)))]
    pub factor: f64,
    /// The longest nominal wait, at least `base`. Default 120 s.
    pub cap: Span,
    /// How the waits of different clients are spread. Default `full`.
    pub jitter: Jitter,
    /// From when the wait is counted. Default `failure`.
    pub delay_from: DelayFrom,
    /// What brings the waits back to `base`. Default `connected`.
    pub reset: Reset,
}

impl Default for Exponential {
    fn default() -> Self {
        Self {
            base: Span::secs(1),
            factor: 2.0,
            cap: Span::secs(120),
            jitter: Jitter::default(),
            delay_from: DelayFrom::default(),
            reset: Reset::default(),
        }
    }
}

/// How a wait is drawn, given the nominal wait `v`, already capped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Jitter {
    /// `v` itself.
    None,
    /// Uniform between 0 and `v`.
    #[default]
    Full,
    /// Uniform between `v / 2` and `v`.
    Equal,
    /// Uniform between `base` and three times the previous wait, then capped; `v` plays no part. The first "previous
    /// wait" is `base`.
    Decorrelated,
    /// Uniform within this share of `v` on either side, after the cap: a wait may exceed the cap by that share, as in
    /// gRPC.
    Proportional(Fraction),
}

/// From when a wait is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DelayFrom {
    /// From the failure, or from the loss of an established connection.
    #[default]
    Failure,
    /// From the start of the attempt that failed or that made the lost connection: the loss of an old connection is
    /// retried at once, and so is an attempt that took longer to fail than the wait (gRPC, Lightstreamer).
    AttemptStart,
}

/// What brings the waits back to their beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Reset {
    /// An established connection.
    #[default]
    Connected,
    /// A connection that lived at least this long; after a shorter one the waits go on growing, so that a server that
    /// accepts and closes is not hammered (Chromium's GCM client: 10 s; reconnecting-websocket: 5 s).
    Uptime(Span),
}

impl Exponential {
    pub(super) fn promises(&self, bounds: &Bounds, connect_timeout: Duration) -> Promises {
        // Waits grow with the nominal wait, which runs from base to cap. Whether it is counted from a failure or from the
        // start of the attempt that failed, the next attempt begins at least a wait after the one before.
        let (shortest, _) = self.range(self.base.get(), self.base.get());
        let longest = match self.jitter {
            Jitter::None | Jitter::Full | Jitter::Equal | Jitter::Decorrelated => self.cap.get(),
            Jitter::Proportional(share) => self.cap.get() + spread(self.cap.get(), share),
        };
        Promises {
            attempts: (!shortest.is_zero()).then_some(AttemptLimit { count: 1, window: shortest }),
            reconnects_within: reconnects_within(longest, bounds, connect_timeout),
            ..Promises::default()
        }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(1.0..=10.0).contains(&self.factor) {
            problems.push(Problem::new(
                "reconnect.exponential.factor",
                format!("a factor of {} is outside 1 to 10", self.factor),
                "use 2.0 to double the wait with each retry",
            ));
        }
        if self.cap < self.base {
            problems.push(Problem::new(
                "reconnect.exponential.cap",
                format!("a cap of {} is shorter than the base of {}", self.cap, self.base),
                format!("use at least \"{}\", or a shorter base", self.base),
            ));
        }
        problems
    }

    /// The range to draw a wait from, given the nominal wait and the wait before.
    fn range(&self, nominal: Duration, previous: Duration) -> (Duration, Duration) {
        match self.jitter {
            Jitter::None => (nominal, nominal),
            Jitter::Full => (Duration::ZERO, nominal),
            Jitter::Equal => (nominal / 2, nominal),
            Jitter::Decorrelated => (self.base.get(), previous * 3),
            Jitter::Proportional(share) => (nominal - spread(nominal, share), nominal + spread(nominal, share)),
        }
    }
}

/// How far proportional jitter strays from the nominal wait.
fn spread(nominal: Duration, share: Fraction) -> Duration {
    Duration::from_micros((nominal.as_micros() as f64 * share.get()) as u64)
}

/// [`Exponential`] at work.
pub(super) struct Backoff {
    plan: Plan,
    waits: Waits,
}

impl Backoff {
    pub(super) fn new(spec: Exponential, rng: PolicyRng) -> Self {
        Self { plan: Plan::default(), waits: Waits::new(spec, rng) }
    }
}

impl Reconnect for Backoff {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        match event {
            ReconnectEvent::AttemptStarted { .. } => self.waits.attempt_started(now, self.plan.is_made()),
            ReconnectEvent::Connected => self.waits.connected(now),
            ReconnectEvent::Lost(_) => self.waits.lost(now),
            ReconnectEvent::AttemptFailed(_) | ReconnectEvent::NetworkChanged(_) => {}
        }
        self.plan.on_event(event);
    }

    fn next(&mut self, now: Time) -> Verdict {
        self.plan.verdict(now, || self.waits.draw(now))
    }
}

/// The sequence of waits, and what moves it on or back.
struct Waits {
    spec: Exponential,
    rng: PolicyRng,
    /// The nominal wait before the next retry, in microseconds. A float, so that factors such as 1.6 do not round at each
    /// step; products of floats are the same on every machine.
    nominal_us: f64,
    /// The wait drawn last, from which `decorrelated` goes on.
    previous: Duration,
    attempt_started: Time,
    connected: Time,
}

impl Waits {
    fn new(spec: Exponential, rng: PolicyRng) -> Self {
        let mut waits = Self {
            nominal_us: 0.0,
            previous: Duration::ZERO,
            attempt_started: Time::ZERO,
            connected: Time::ZERO,
            spec,
            rng,
        };
        waits.reset();
        waits
    }

    fn reset(&mut self) {
        self.nominal_us = micros(self.spec.base);
        self.previous = self.spec.base.get();
    }

    /// Only a retry makes the next wait longer: a device's very first attempt was nobody's retry.
    fn attempt_started(&mut self, now: Time, is_retry: bool) {
        self.attempt_started = now;
        if is_retry {
            self.nominal_us = (self.nominal_us * self.spec.factor).min(micros(self.spec.cap));
        }
    }

    fn connected(&mut self, now: Time) {
        self.connected = now;
        if self.spec.reset == Reset::Connected {
            self.reset();
        }
    }

    fn lost(&mut self, now: Time) {
        if let Reset::Uptime(least) = self.spec.reset
            && now.since(self.connected) >= least.get()
        {
            self.reset();
        }
    }

    fn draw(&mut self, now: Time) -> Duration {
        let (low, high) = self.spec.range(Duration::from_micros(self.nominal_us as u64), self.previous);
        let wait = random::between(&mut *self.rng, low, high);
        // Only here does the cap come after the draw: that is how `decorrelated` is defined.
        let wait = if self.spec.jitter == Jitter::Decorrelated { wait.min(self.spec.cap.get()) } else { wait };
        self.previous = wait;
        match self.spec.delay_from {
            DelayFrom::Failure => wait,
            DelayFrom::AttemptStart => wait.saturating_sub(now.since(self.attempt_started)),
        }
    }
}

fn micros(span: Span) -> f64 {
    span.get().as_micros() as f64
}
