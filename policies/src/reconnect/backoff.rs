//! The machine behind every policy that waits between attempts: it draws a wait after each failure, counts it from
//! where it is told to, and begins anew when the client has proven healthy. Which waits come after which is the
//! business of [`Waits`]; where to connect is that of [`Plan`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    AttemptFailure, AttemptTimeout, Reconnect, ReconnectAction, ReconnectEvent,
    plan::{Health, Plan, Reset},
};
use crate::{PolicyRng, Problem, Time, random, unit::Delay, unit::Fraction};

/// Longer than any wait: where a nominal wait without a cap stops growing.
const ENDLESS_US: f64 = 10.0 * 365.0 * 86_400.0 * 1e6;

/// How a wait is drawn, given the nominal wait `v`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Jitter {
    /// Exactly `v`.
    None,
    /// Uniform between 0 and `v`.
    #[default]
    Full,
    /// Uniform between `v / 2` and `v`.
    Equal,
    /// Uniform between `base` and three times the previous wait, then capped; `v` plays no part. The first "previous
    /// wait" is `base`. For `exponential` alone.
    Decorrelated,
    /// Uniform within this share of `v` on either side. Where the cap comes before the jitter a wait may exceed it by
    /// that share, as in gRPC.
    Proportional(Fraction),
    /// Uniform between `v` less this share of it and `v`: Chromium's `BackoffEntry` calls the share fuzz, Realm takes
    /// away up to a quarter.
    Below(Fraction),
    /// Uniform between this and `v`, or this where `v` is less (Hocuspocus: 1 s).
    Above(Delay),
    /// Uniform between `v` and `v` plus this: NATS adds up to 100 ms, `ZooKeeper` up to 1 s.
    Added(Delay),
    /// As Socket.IO's backo2 (socket.io@d2d753fe, backo2.ts): of one number `r` from 0 to 1 the deviation is `r` times
    /// this share of `v`, in whole milliseconds, and its sign is minus where the first decimal of `r` is even, else
    /// plus.
    Backo2(Fraction),
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

/// A number that each process draws once, when it starts, and multiplies its nominal waits by: uniform from `least` to
/// `most`. Clients that were disconnected together then come back apart, but in the same order each time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProcessScale {
    /// The smallest factor, more than 0.
    pub least: f64,
    /// The largest, at least `least`, at most 1000.
    pub most: f64,
    /// Only whole numbers, both ends included (Smack: 2 to 14). Default false (reconnecting-websocket: 1 to 5).
    #[serde(default)]
    pub whole: bool,
}

impl ProcessScale {
    pub(super) fn describe(&self) -> String {
        let number = if self.whole { "a whole number" } else { "a number" };
        format!(
            "Each process draws {number} from {} to {} once and multiplies all of that by it.",
            self.least, self.most
        )
    }

    fn draw(&self, rng: &mut PolicyRng) -> f64 {
        let share = random::unit(&mut **rng);
        if self.whole {
            (self.least + (share * (self.most - self.least + 1.0)).floor()).min(self.most)
        } else {
            self.least + share * (self.most - self.least)
        }
    }

    pub(super) fn problem(&self, path: &str) -> Option<Problem> {
        let whole = |number: f64| number.fract() == 0.0;
        let (message, help) = if !(self.least > 0.0 && self.least <= 1_000.0) {
            (format!("the smallest scale is {}, which is not between 0 and 1000", self.least), "use 1.0".to_owned())
        } else if !(self.most >= self.least && self.most <= 1_000.0) {
            let help = format!("use {} to 1000 for `most`", self.least);
            (format!("the largest scale is {}, the smallest {}", self.most, self.least), help)
        } else if self.whole && !(whole(self.least) && whole(self.most)) {
            let help = format!("use {} and {}", self.least.ceil(), self.most.ceil());
            ("a whole scale between numbers that are not whole".to_owned(), help)
        } else {
            return None;
        };
        Some(Problem::new(format!("{path}.scale"), message, help))
    }
}

/// A sequence of waits.
pub(super) trait Waits: Send {
    /// Returns the wait before the next retry; `None` if there is none to come.
    fn draw(&mut self, rng: &mut PolicyRng) -> Option<Duration>;

    /// Returns whether the next wait is the first one.
    fn is_first(&self) -> bool;

    /// A retry has begun: on to the next wait.
    fn advance(&mut self);

    /// Goes back to the first wait.
    fn reset(&mut self);
}

/// What comes after what, jitter apart, in microseconds. Floats, so that factors such as 1.6 do not round at each step;
/// products and sums of floats are the same on every machine.
pub(super) enum Growth {
    /// `base`, `base * factor`, `base * factor²`, ...
    Exponential { base: f64, factor: f64 },
    /// `base`, `2 * base`, `3 * base`, ...
    Linear { base: f64 },
    /// These, one after the other; then the last one for ever, or none.
    Steps { waits: Box<[f64]>, repeats_last: bool },
}

/// What sets one exponential sequence apart from another.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// The first wait is the nominal one.
    pub(super) first_exact: bool,
    /// So many waits are the base before it grows.
    pub(super) flat_for: u32,
    /// A wait grows from what was drawn before it.
    pub(super) compounds: bool,
    /// Comes to everything that is drawn.
    pub(super) minimum: Duration,
    /// After so many waits the first comes again.
    pub(super) starts_over_after: Option<u32>,
}

impl Default for Shape {
    fn default() -> Self {
        Self { first_exact: false, flat_for: 1, compounds: false, minimum: Duration::ZERO, starts_over_after: None }
    }
}

/// [`Growth`] under caps and with jitter.
pub(super) struct Spread {
    growth: Growth,
    jitter: Jitter,
    /// For the nominal wait, and for the wait that was drawn.
    caps: (f64, Duration),
    scale: f64,
    shape: Shape,
    /// How many retries there were since the beginning.
    retries: u32,
    /// What an exponential sequence has grown to.
    grown: f64,
    /// The wait drawn last, from which `decorrelated` goes on.
    previous: Duration,
}

impl Spread {
    /// `nominal_cap` is for the nominal wait, `wait_cap` for the wait that was drawn; `None` if there is no cap.
    pub(super) fn new(
        growth: Growth,
        jitter: Jitter,
        (nominal_cap, wait_cap): (Option<Duration>, Option<Duration>),
        scale: Option<ProcessScale>,
        rng: &mut PolicyRng,
    ) -> Self {
        let caps = (nominal_cap.map_or(ENDLESS_US, micros), wait_cap.unwrap_or(Duration::MAX));
        let scale = scale.map_or(1.0, |scale| scale.draw(rng));
        let (shape, previous) = (Shape::default(), Duration::ZERO);
        let mut spread = Self { growth, jitter, caps, scale, shape, retries: 0, grown: 0.0, previous };
        spread.reset();
        spread
    }

    pub(super) fn with_shape(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// Returns the wait without its jitter.
    fn nominal(&self) -> Option<Duration> {
        let us = match &self.growth {
            Growth::Exponential { .. } => self.grown,
            Growth::Linear { base } => base * self.scale * f64::from(self.retries.saturating_add(1)),
            Growth::Steps { waits, repeats_last } => {
                let step = waits.get(self.retries as usize).or_else(|| waits.last().filter(|_| *repeats_last))?;
                step * self.scale
            }
        };
        Some(Duration::from_micros(us.min(self.caps.0) as u64))
    }
}

impl Waits for Spread {
    fn draw(&mut self, rng: &mut PolicyRng) -> Option<Duration> {
        let nominal = self.nominal()?;
        if self.shape.first_exact && self.retries == 0 {
            self.previous = nominal.min(self.caps.1);
            return Some(self.previous);
        }
        let wait = match (self.jitter, &self.growth) {
            (Jitter::Backo2(share), _) => {
                let r = random::unit(&mut **rng);
                let deviation = Duration::from_millis((r * share.get() * micros(nominal) / 1e3) as u64);
                let is_minus = ((r * 10.0) as u64).is_multiple_of(2);
                if is_minus { nominal.saturating_sub(deviation) } else { nominal + deviation }
            }
            (Jitter::Decorrelated, Growth::Exponential { base, .. }) => {
                random::between(&mut **rng, Duration::from_micros((base * self.scale) as u64), self.previous * 3)
            }
            (jitter, _) => {
                let (low, high) = jitter.range(nominal);
                random::between(&mut **rng, low, high)
            }
        };
        self.previous = (wait + self.shape.minimum).min(self.caps.1);
        Some(self.previous)
    }

    fn is_first(&self) -> bool {
        self.retries == 0
    }

    fn advance(&mut self) {
        self.retries = self.retries.saturating_add(1);
        if self.shape.starts_over_after == Some(self.retries) {
            return self.reset();
        }
        if let Growth::Exponential { factor, .. } = self.growth
            && self.retries >= self.shape.flat_for
        {
            let from = if self.shape.compounds { micros(self.previous) } else { self.grown };
            self.grown = (from * factor).min(self.caps.0);
        }
    }

    fn reset(&mut self) {
        self.retries = 0;
        if let Growth::Exponential { base, .. } = self.growth {
            self.grown = (base * self.scale).min(self.caps.0);
            self.previous = Duration::from_micros(self.grown as u64);
        }
    }
}

impl Jitter {
    pub(super) fn describe(self) -> String {
        let percent = |share: Fraction| (share.get() * 10_000.0).round() / 100.0;
        match self {
            Self::None => "It waits exactly that long".into(),
            Self::Full => "The wait is drawn between zero and that".into(),
            Self::Equal => "The wait is drawn between half of that and that".into(),
            Self::Decorrelated => "The wait is drawn between the base and three times the wait before".into(),
            Self::Proportional(share) => format!("The wait is drawn within {} % of that, cap or not", percent(share)),
            Self::Below(share) => format!("The wait is drawn between that and {} % less", percent(share)),
            Self::Above(least) => format!("The wait is drawn between {least} and that"),
            Self::Added(most) => format!("The wait is drawn between that and {most} more"),
            Self::Backo2(share) => {
                format!(
                    "The wait strays from that by up to {} %, the way of a single random number's first decimal",
                    percent(share)
                )
            }
        }
    }

    /// Returns between which times it draws around a nominal wait. `decorrelated` draws around its previous wait, from
    /// which it is never far; what it stays within is the caller's to know.
    pub(super) fn range(self, nominal: Duration) -> (Duration, Duration) {
        match self {
            Self::None | Self::Decorrelated => (nominal, nominal),
            Self::Full => (Duration::ZERO, nominal),
            Self::Equal => (nominal / 2, nominal),
            Self::Proportional(share) | Self::Backo2(share) => {
                let spread = of(nominal, share);
                (nominal.saturating_sub(spread), nominal + spread)
            }
            Self::Below(share) => (nominal.saturating_sub(of(nominal, share)), nominal),
            Self::Above(least) => (least.get(), nominal.max(least.get())),
            Self::Added(most) => (nominal, nominal + most.get()),
        }
    }

    /// Returns the least wait that it may draw, as a share of the nominal one.
    pub(super) fn least_share(self) -> f64 {
        let nominal = Duration::from_secs(1_000);
        micros(self.range(nominal).0) / micros(nominal)
    }

    /// `decorrelated` means nothing to waits that do not grow from a base.
    pub(super) fn problem(self, path: &str) -> Option<Problem> {
        (self == Self::Decorrelated).then(|| {
            let message = "`decorrelated` grows by its own rule, which only `exponential` has room for";
            Problem::new(format!("{path}.jitter"), message, "use \"full\", or reconnect.exponential")
        })
    }
}

/// This share of a span, in whole microseconds.
fn of(span: Duration, share: Fraction) -> Duration {
    Duration::from_micros((micros(span) * share.get()) as u64)
}

pub(super) fn micros(span: Duration) -> f64 {
    span.as_micros() as f64
}

/// What a backoff is built of beside its waits.
#[derive(Clone, Default)]
pub(super) struct Counting {
    pub(super) delay_from: DelayFrom,
    pub(super) reset: Reset,
    /// After a loss, wait at least a random time up to this.
    pub(super) after_loss: Delay,
    /// A random time up to this is added to the first wait.
    pub(super) first_added: Delay,
    /// The first attempt after the loss of a good connection comes at once, and the waits begin after it.
    pub(super) first_at_once: bool,
    pub(super) attempt_timeout: AttemptTimeout,
}

impl Counting {
    pub(super) fn describe(&self) -> String {
        let from = match self.delay_from {
            DelayFrom::Failure => "from the failure or the loss",
            DelayFrom::AttemptStart => {
                "from the start of the attempt before, so that an old connection's loss is retried at once"
            }
        };
        let after_loss = if self.after_loss == Delay::ZERO {
            String::new()
        } else {
            format!(" After a loss it waits a random time up to {} at least.", self.after_loss)
        };
        let first_added = if self.first_added == Delay::ZERO {
            String::new()
        } else {
            format!(" To the first wait it adds a random time up to {}.", self.first_added)
        };
        let at_once = if self.first_at_once {
            " The first attempt after the loss of such a connection comes at once, and the waits follow it."
        } else {
            ""
        };
        let reset = match self.reset {
            Reset::Established => "The transport's handshake brings".into(),
            Reset::Connected => "An established connection brings".into(),
            Reset::Uptime(least) => format!("A connection that lived for {least} brings"),
        };
        format!(
            "counted {from}.{after_loss}{first_added} {reset} the waits back to their beginning.{at_once}{} {} It remembers \
             nothing else.",
            self.attempt_timeout.describe(),
            Plan::DESCRIBED
        )
    }
}

/// [`Waits`] at work.
pub(super) struct Backoff {
    waits: Box<dyn Waits>,
    counting: Counting,
    rng: PolicyRng,
    plan: Plan,
    health: Health,
    attempt_started: Time,
    was_lost: bool,
    /// The attempt that was planned comes at once and is none of the waits' own.
    is_extra: bool,
    /// Attempts that have failed since the waits began.
    failures: u32,
    /// How long the attempt that was planned last may take, where that is not the strategy's to say.
    timeout: Option<Duration>,
    /// The last attempt took as long as it might.
    ran_out: bool,
}

impl Backoff {
    pub(super) fn new(waits: Box<dyn Waits>, counting: Counting, rng: PolicyRng) -> Self {
        Self {
            waits,
            health: Health::new(counting.reset),
            counting,
            rng,
            plan: Plan::default(),
            attempt_started: Time::ZERO,
            was_lost: false,
            is_extra: false,
            failures: 0,
            timeout: None,
            ran_out: false,
        }
    }
}

impl Reconnect for Backoff {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        match event {
            ReconnectEvent::AttemptStarted { .. } => {
                self.attempt_started = now;
                (self.was_lost, self.ran_out) = (false, false);
                // Only a retry makes the next wait longer: a device's very first attempt was nobody's retry.
                let is_extra = std::mem::take(&mut self.is_extra);
                if self.plan.is_made() && !is_extra {
                    self.waits.advance();
                }
            }
            ReconnectEvent::AttemptFailed(failure) => {
                self.failures = self.failures.saturating_add(1);
                let is_timeout = *failure == AttemptFailure::Timeout;
                self.ran_out = is_timeout && self.timeout.is_some_and(|it| now.since(self.attempt_started) >= it);
            }
            ReconnectEvent::Lost(_) => self.was_lost = true,
            _ => {}
        }
        if self.health.is_proven_by(now, event) {
            self.waits.reset();
            self.failures = 0;
        }
        self.plan.on_event(event);
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        let Self { waits, counting, rng, is_extra, timeout, .. } = self;
        let (attempt_started, was_lost, failures) = (self.attempt_started, self.was_lost, self.failures);
        let was_good = was_lost && self.health.is_good();
        let is_late = self.ran_out && counting.attempt_timeout == AttemptTimeout::AsWait;
        self.plan.verdict(now, || {
            let is_first = waits.is_first();
            *is_extra = counting.first_at_once && was_good && is_first;
            let drawn = if *is_extra { Duration::ZERO } else { waits.draw(rng)? };
            *timeout = counting.attempt_timeout.of(failures, drawn);
            let mut wait = match counting.delay_from {
                _ if is_late => Duration::ZERO,
                DelayFrom::Failure => drawn,
                DelayFrom::AttemptStart => drawn.saturating_sub(now.since(attempt_started)),
            };
            let added = counting.first_added.get();
            if is_first && !added.is_zero() {
                wait += random::between(&mut **rng, Duration::ZERO, added);
            }
            let after_loss = counting.after_loss.get();
            if was_lost && !after_loss.is_zero() {
                wait = wait.max(random::between(&mut **rng, Duration::ZERO, after_loss));
            }
            Some((wait, *timeout))
        })
    }
}
