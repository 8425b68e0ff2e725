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
    pub(super) fn describe(&self) -> String {
        let Self { base, factor, cap, .. } = self;
        let spread = match self.jitter {
            Jitter::None => "It waits exactly that long".into(),
            Jitter::Full => "The wait is drawn between zero and that".into(),
            Jitter::Equal => "The wait is drawn between half of that and that".into(),
            Jitter::Decorrelated => {
                format!("The wait is drawn between {base} and three times the wait before, at most {cap}")
            }
            Jitter::Proportional(share) => {
                format!("The wait is drawn within {} % of that, cap or not", (share.get() * 10_000.0).round() / 100.0)
            }
        };
        let nominal = match self.jitter {
            Jitter::Decorrelated => String::new(),
            _ => format!(
                "Waits nominally {base} before the first retry and {factor} times as long before each next, at most {cap}. "
            ),
        };
        let from = match self.delay_from {
            DelayFrom::Failure => "from the failure or the loss",
            DelayFrom::AttemptStart => {
                "from the start of the attempt before, so that an old connection's loss is retried at once"
            }
        };
        let reset = match self.reset {
            Reset::Connected => "An established connection brings".into(),
            Reset::Uptime(least) => format!("A connection that lived for {least} brings"),
        };
        format!(
            "{nominal}{spread}, counted {from}. {reset} the waits back to their beginning. {} It remembers nothing else.",
            Plan::DESCRIBED,
        )
    }

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

    /// What contradicts itself, where the policy is called `name`.
    pub(super) fn problems(&self, name: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(1.0..=10.0).contains(&self.factor) {
            problems.push(Problem::new(
                format!("reconnect.{name}.factor"),
                format!("a factor of {} is outside 1 to 10", self.factor),
                "use 2.0 to double the wait with each retry",
            ));
        }
        if self.cap < self.base {
            problems.push(Problem::new(
                format!("reconnect.{name}.cap"),
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
            Jitter::Proportional(share) => {
                let spread = spread(nominal, share);
                (nominal.saturating_sub(spread), nominal + spread)
            }
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
            _ => {}
        }
        self.plan.on_event(*event);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        AttemptFailure, GiveUp, Network, ServerChoice,
        reconnect::Ended,
        testing::{bounds, rng},
    };

    const START: ReconnectEvent = ReconnectEvent::AttemptStarted { server: 0 };
    const FAILED: ReconnectEvent = ReconnectEvent::AttemptFailed(AttemptFailure::Timeout);
    const LOST: ReconnectEvent = ReconnectEvent::Lost(Ended::GivenUp(GiveUp::NoReply));

    /// A device with this policy, all of whose attempts take the time they are told to.
    struct Client {
        policy: Backoff,
        now: Time,
    }

    impl Client {
        fn new(spec: Exponential, seed: u64) -> Self {
            Self { policy: Backoff::new(spec, rng(seed)), now: Time::ZERO }
        }

        /// An attempt that begins now and fails `lasting` later; the wait after it.
        fn fail(&mut self, lasting: Duration) -> Duration {
            self.policy.on_event(self.now, &START);
            self.now += lasting;
            self.policy.on_event(self.now, &FAILED);
            self.wait(ServerChoice::Next)
        }

        /// An attempt that begins now and makes a connection that lives `uptime` long; the wait after it.
        fn live(&mut self, uptime: Duration) -> Duration {
            self.policy.on_event(self.now, &START);
            self.policy.on_event(self.now, &ReconnectEvent::Connected);
            self.now += uptime;
            self.policy.on_event(self.now, &LOST);
            self.wait(ServerChoice::Same)
        }

        fn wait(&mut self, expected: ServerChoice) -> Duration {
            let Verdict::TryAfter { wait, server } = self.policy.next(self.now) else {
                panic!("a backoff never stops")
            };
            assert_eq!(server, expected);
            self.now += wait;
            wait
        }
    }

    fn spec(jitter: Jitter) -> Exponential {
        Exponential { jitter, ..Exponential::default() }
    }

    fn share(value: f64) -> Fraction {
        Fraction::new(value).unwrap()
    }

    fn secs(span: Duration) -> u64 {
        span.as_secs()
    }

    #[test]
    fn waits_double_from_the_base_to_the_cap() {
        let mut client = Client::new(spec(Jitter::None), 1);
        let waits: Vec<_> = (0..9).map(|_| secs(client.fail(Duration::from_secs(3)))).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 120, 120]);
    }

    #[test]
    fn a_fractional_factor_does_not_round_at_each_step() {
        let mut client = Client::new(Exponential { factor: 1.6, ..spec(Jitter::None) }, 1);
        let waits: Vec<_> = (0..12).map(|_| client.fail(Duration::ZERO).as_micros()).collect();
        // 1.6^n seconds: the nominal sequence of gRPC's connection-backoff.md.
        assert_eq!(waits[..6], [1_000_000, 1_600_000, 2_560_000, 4_096_000, 6_553_600, 10_485_760]);
        assert_eq!(waits[11], 120_000_000);
    }

    #[test]
    fn an_established_connection_resets_the_waits() {
        let mut client = Client::new(spec(Jitter::None), 1);
        let waits = [client.fail(Duration::ZERO), client.fail(Duration::ZERO), client.live(Duration::ZERO)];
        assert_eq!(waits.map(secs), [1, 2, 1]);
        assert_eq!(
            secs(client.live(Duration::ZERO)),
            1,
            "a server that accepts and closes is tried at the base for ever"
        );
    }

    #[test]
    fn with_an_uptime_only_a_connection_that_lived_resets_the_waits() {
        let reset = Reset::Uptime(Span::secs(10));
        let mut client = Client::new(Exponential { reset, ..spec(Jitter::None) }, 1);
        let waits = [
            client.fail(Duration::ZERO),
            client.live(Duration::from_micros(9_999_999)),
            client.live(Duration::ZERO),
            client.live(Duration::from_secs(10)),
            client.fail(Duration::ZERO),
        ];
        assert_eq!(waits.map(secs), [1, 2, 4, 1, 2]);
    }

    #[test]
    fn counted_from_the_start_the_attempt_itself_is_part_of_the_wait() {
        let mut client = Client::new(Exponential { delay_from: DelayFrom::AttemptStart, ..spec(Jitter::None) }, 1);
        let waits = [
            client.fail(Duration::from_millis(300)),
            client.fail(Duration::from_secs(10)),
            client.fail(Duration::from_secs(1)),
            // The loss of an old connection is retried at once.
            client.live(Duration::from_hours(1)),
        ];
        assert_eq!(waits.map(|wait| wait.as_millis()), [700, 0, 3_000, 0]);
    }

    #[test]
    fn asking_again_before_the_attempt_does_not_lengthen_the_waits() {
        let mut client = Client::new(spec(Jitter::Full), 7);
        let first = client.fail(Duration::ZERO);
        let asked_at = client.now - first;
        for micros in [0, 1, 2] {
            let now = asked_at + Duration::from_micros(micros);
            client.policy.on_event(now, &ReconnectEvent::NetworkChanged(Some(Network::cellular(0))));
            let Verdict::TryAfter { wait, .. } = client.policy.next(now) else { panic!("a backoff never stops") };
            assert_eq!(now + wait, client.now);
        }
        let mut undisturbed = Client::new(spec(Jitter::Full), 7);
        undisturbed.fail(Duration::ZERO);
        assert_eq!(client.fail(Duration::ZERO), undisturbed.fail(Duration::ZERO));
    }

    #[test]
    fn jitters_have_the_means_of_their_formulas() {
        // One draw from each of many seeds, at the nominal wait of 4 s; the tolerance is 5 standard errors or more.
        let mean = |jitter| {
            let third_wait = |seed| {
                let mut client = Client::new(spec(jitter), seed);
                (0..3).map(|_| client.fail(Duration::ZERO).as_secs_f64()).last().unwrap()
            };
            (0..2_000).map(third_wait).sum::<f64>() / 2_000.0
        };
        assert!((mean(Jitter::Full) - 2.0).abs() < 0.13);
        assert!((mean(Jitter::Equal) - 3.0).abs() < 0.07);
        assert!((mean(Jitter::Proportional(share(0.2))) - 4.0).abs() < 0.06);
        // Mean of U(1, 3 * previous): 2, then (1 + 3 * 2) / 2 = 3.5, then (1 + 3 * 3.5) / 2 = 5.75.
        assert!((mean(Jitter::Decorrelated) - 5.75).abs() < 0.6);
    }

    #[test]
    fn promises_hold_to_the_shortest_and_the_longest_wait() {
        let promised = |jitter| {
            let promises = spec(jitter).promises(&bounds(), Duration::from_secs(10));
            (promises.attempts.map(|limit| limit.window.as_millis()), promises.reconnects_within.unwrap().as_secs())
        };
        assert_eq!(promised(Jitter::None), (Some(1_000), 10 + 120 + 1));
        assert_eq!(promised(Jitter::Full), (None, 10 + 120 + 1));
        assert_eq!(promised(Jitter::Equal), (Some(500), 10 + 120 + 1));
        assert_eq!(promised(Jitter::Decorrelated), (Some(1_000), 10 + 120 + 1));
        assert_eq!(promised(Jitter::Proportional(share(0.2))), (Some(800), 10 + 144 + 1));
    }

    fn any_jitter() -> impl Strategy<Value = Jitter> {
        prop_oneof![
            Just(Jitter::None),
            Just(Jitter::Full),
            Just(Jitter::Equal),
            Just(Jitter::Decorrelated),
            (0.0..=1.0).prop_map(|value| Jitter::Proportional(share(value))),
        ]
    }

    proptest! {
        #[test]
        fn every_wait_lies_where_its_jitter_says(
            seed: u64,
            jitter in any_jitter(),
            base_ms in 1_u64..5_000,
            times in 1_u64..200,
            factor in 1.0..=10.0,
            attempts in 1_usize..40,
        ) {
            let (base, cap) = (Span::millis(base_ms), Span::millis(base_ms * times));
            let spec = Exponential { base, factor, cap, jitter, ..Exponential::default() };
            prop_assert_eq!(spec.problems("exponential"), Vec::new());
            let mut client = Client::new(spec, seed);
            let (base, cap) = (base.get(), cap.get());
            let mut nominal = base.as_micros() as f64;
            for _ in 0..attempts {
                let wait = client.fail(Duration::ZERO);
                let v = Duration::from_micros(nominal as u64);
                let (low, high) = match jitter {
                    Jitter::None => (v, v),
                    Jitter::Full => (Duration::ZERO, v),
                    Jitter::Equal => (v / 2, v),
                    Jitter::Decorrelated => (base, cap),
                    Jitter::Proportional(share) => (v.mul_f64(1.0 - share.get()), v.mul_f64(1.0 + share.get())),
                };
                let rounding = Duration::from_micros(1);
                prop_assert!(low.saturating_sub(rounding) <= wait && wait <= high + rounding, "{wait:?} {low:?} {high:?}");
                prop_assert!(v <= cap);
                nominal = (nominal * factor).min(cap.as_micros() as f64);
            }
        }
    }
}
