//! Waits that grow by a factor up to a cap, with the usual jitters: the backoff of most products and libraries.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    attempt_timeout::AttemptTimeout,
    backoff::{Backoff, Counting, DelayFrom, Growth, Jitter, ProcessScale, Shape, Spread, micros},
    plan::{Pace, Reset},
};
use crate::{
    PolicyRng, Problem,
    unit::{Delay, Span},
};

parameters! {
    /// Waits of nominally `base`, `base * factor`, `base * factor²`, ... up to `cap`, spread by `jitter`.
    ///
    /// The formulas of the jitters `none`, `full`, `equal` and `decorrelated` are those of the AWS Architecture Blog
    /// (Brooker, "Exponential Backoff And Jitter", 2015), `proportional` and counting from the attempt's start are gRPC's
    /// (connection-backoff.md), the cap of 120 s is gRPC's too.
    pub struct ExponentialBackoff {
        /// The nominal wait before the first retry. Default 1 s.
        pub base: Span = Span::secs(1),
        /// By which the nominal wait grows with each retry, 1 to 10. Default 2. The jitter `decorrelated` grows by its own
        /// rule instead.
        #[cfg_attr(feature = "schema", schemars(range(min = 1.0, max = 10.0)))]
        pub factor: f64 = 2.0,
        /// The longest wait, at least `base`. Default 120 s.
        pub cap: Span = Span::secs(120),
        /// What the cap holds for. Default `before-jitter`: the nominal wait. The jitter `decorrelated` is defined with a
        /// cap on both.
        pub cap_at: CapAt = CapAt::default(),
        /// How the waits of different clients are spread. Default `full`.
        pub jitter: Jitter = Jitter::default(),
        /// The first wait is `base` itself, without jitter (gRPC's core before its 1.6x releases, grpc-js). Default false.
        pub first_exact: bool = false,
        /// So many waits are nominally `base` before the growth begins, 1 to 1000 (Lightstreamer: 11). Default 1.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
        pub flat_for: u32 = 1,
        /// The next nominal wait is `factor` times the one that was drawn, not the one before its jitter (grpc-js).
        /// Default false.
        pub compounds: bool = false,
        /// Comes to every wait that is drawn, and is the least there is under a full jitter (Centrifugo: 500 ms). A cap after
        /// the jitter holds for the sum. Default 0.
        pub minimum: Delay = Delay::ZERO,
        /// After so many waits without a good connection it begins anew with `base`, 1 to 1000 (`KafkaJS`, whose consumer is
        /// restarted when its retries have failed: 6). Default: never.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
        pub starts_over_after: Option<u32> = None,
        /// A factor of the nominal waits that each process draws once. Default none.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub scale: Option<ProcessScale> = None,
        /// From when the wait is counted. Default `failure`.
        pub delay_from: DelayFrom = DelayFrom::default(),
        /// What brings the waits back to `base`. Default `connected`.
        pub reset: Reset = Reset::default(),
        /// After the loss of an established connection, wait at least a random time up to this: it spreads the clients of a
        /// server that went away where the wait itself is over by then, counted from the attempt's start. Default 0.
        pub after_loss: Delay = Delay::ZERO,
        /// A random time up to this comes to the first wait, after each loss anew: the clients of a server that was
        /// restarted come back spread over it (elastic-agent: 120 s). Default 0.
        pub first_added: Delay = Delay::ZERO,
        /// The first attempt after the loss of a connection that had proven good comes at once, and the waits begin after it
        /// (Chromium's GCM client). Default false.
        pub first_at_once: bool = false,
        /// How long attempts may take. Default `same`: the strategy's connect timeout.
        #[serde(skip_serializing_if = "AttemptTimeout::is_same")]
        pub attempt_timeout: AttemptTimeout = AttemptTimeout::Same,
    }
}

/// Which wait a cap limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CapAt {
    /// The nominal wait: jitter may exceed the cap, and never collapses there.
    #[default]
    BeforeJitter,
    /// The wait that was drawn: the nominal wait grows without end, and all jitter is gone once it is far above the cap
    /// (Socket.IO).
    AfterJitter,
    /// Both: where the jitter goes both ways, half of the waits at the cap are exactly the cap (Kafka).
    Both,
}

impl ExponentialBackoff {
    pub(super) fn describe(&self) -> String {
        let Self { base, factor, cap, .. } = self;
        let cap_at = match self.cap_at {
            CapAt::BeforeJitter => format!("at most {cap}"),
            CapAt::AfterJitter => format!("where only what is drawn is cut off at {cap}"),
            CapAt::Both => format!("at most {cap}, at which what is drawn is cut off too"),
        };
        let scale = self.scale.map_or(String::new(), |scale| format!(" {}", scale.describe()));
        let spread = match self.jitter {
            Jitter::Decorrelated => {
                format!("The wait is drawn between {base} and three times the wait before, at most {cap}")
            }
            jitter => {
                let first = if self.first_exact { ", but for the first one, which is exact" } else { "" };
                let before = if self.flat_for == 1 {
                    "before the first retry".to_owned()
                } else {
                    format!("before each of the first {} retries", self.flat_for)
                };
                let times = if self.compounds { "times as long as was drawn before" } else { "times as long before" };
                let minimum = match self.minimum {
                    Delay::ZERO => String::new(),
                    minimum => format!(", and {minimum} longer"),
                };
                format!(
                    "Waits nominally {base} {before} and {factor} {times} each next, {cap_at}.{scale} {}{minimum}{first}",
                    jitter.describe()
                )
            }
        };
        let over =
            self.starts_over_after.map_or(String::new(), |after| format!(" It begins anew after {after} waits."));
        format!("{spread}, {}{over}", self.counting().describe())
    }

    fn counting(&self) -> Counting {
        Counting {
            delay_from: self.delay_from,
            reset: self.reset,
            after_loss: self.after_loss,
            first_added: self.first_added,
            first_at_once: self.first_at_once,
            attempt_timeout: self.attempt_timeout.clone(),
        }
    }

    pub(super) fn build(&self, mut rng: PolicyRng) -> Backoff {
        let growth = Growth::Exponential { base: micros(self.base.get()), factor: self.factor };
        let cap = self.cap.get();
        let caps = match (self.jitter, self.cap_at) {
            // It is defined with its cap after the draw.
            (Jitter::Decorrelated, _) | (_, CapAt::Both) => (Some(cap), Some(cap)),
            (_, CapAt::BeforeJitter) => (Some(cap), None),
            (_, CapAt::AfterJitter) => (None, Some(cap)),
        };
        let shape = Shape {
            first_exact: self.first_exact,
            flat_for: self.flat_for,
            compounds: self.compounds,
            minimum: self.minimum.get(),
            starts_over_after: self.starts_over_after,
        };
        let waits = Spread::new(growth, self.jitter, caps, self.scale, &mut rng).with_shape(shape);
        Backoff::new(Box::new(waits), self.counting(), rng)
    }

    /// Waits grow with the nominal wait, which runs from base to cap. Whether it is counted from a failure or from the
    /// start of the attempt that failed, the next attempt begins at least a wait after the one before.
    pub(super) fn pace(&self) -> Pace {
        let cap = self.cap.get();
        let base = self.base_scaled(self.scale.map_or(1.0, |scale| scale.least)).min(cap);
        let minimum = self.minimum.get();
        let longest = match self.cap_at {
            CapAt::BeforeJitter => self.jitter.range(cap).1 + minimum,
            CapAt::AfterJitter | CapAt::Both => cap,
        };
        // Where each draw is the base of the next, waits may shrink as long as they are drawn.
        let gap = if self.first_at_once || (self.compounds && self.factor * self.jitter.least_share() < 1.0) {
            Duration::ZERO
        } else {
            let drawn = (self.jitter.range(base).0 + minimum).min(cap);
            if self.first_exact { drawn.min(base) } else { drawn }
        };
        let longest = longest.max(self.after_loss.get()) + self.first_added.get();
        Pace { gap, longest: Some(longest), timeouts: self.attempt_timeout.range((gap, longest)) }
    }

    fn base_scaled(&self, scale: f64) -> Duration {
        Duration::from_micros((micros(self.base.get()) * scale) as u64)
    }

    /// Returns what contradicts itself, where the policy is called `name`.
    pub(super) fn problems(&self, name: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        let path = format!("reconnect.{name}");
        if !(1.0..=10.0).contains(&self.factor) {
            problems.push(Problem::new(
                format!("{path}.factor"),
                format!("a factor of {} is outside 1 to 10", self.factor),
                "use 2.0 to double the wait with each retry",
            ));
        }
        if self.cap < self.base {
            problems.push(Problem::new(
                format!("{path}.cap"),
                format!("a cap of {} is shorter than the base of {}", self.cap, self.base),
                format!("use at least \"{}\", or a shorter base", self.base),
            ));
        }
        if !(1..=1000).contains(&self.flat_for) {
            let message = format!("{} waits before the growth are outside 1 to 1000", self.flat_for);
            problems.push(Problem::new(format!("{path}.flat_for"), message, "use 1 to let the second wait grow"));
        }
        if self.starts_over_after.is_some_and(|after| !(1..=1000).contains(&after)) {
            problems.push(Problem::new(
                format!("{path}.starts_over_after"),
                "a number of waits outside 1 to 1000",
                "use 6 to begin anew after five that have grown, or leave it out",
            ));
        }
        if self.compounds && matches!(self.jitter, Jitter::None | Jitter::Decorrelated) {
            problems.push(Problem::new(
                format!("{path}.compounds"),
                "nothing is drawn that the next wait could grow from",
                "remove it, or use jitter = { proportional = 0.2 }",
            ));
        }
        problems.extend(self.attempt_timeout.problem(&path));
        problems.extend(self.scale.and_then(|scale| scale.problem(&path)));
        if problems.is_empty()
            && let Some(scale) = self.scale
            && self.base_scaled(scale.most) > self.cap.get()
        {
            let longest = Span::at_least(self.base_scaled(scale.most));
            problems.push(Problem::new(
                format!("{path}.cap"),
                format!("a cap of {} is shorter than a base that is scaled to {longest}", self.cap),
                format!("use at least \"{longest}\", or a smaller scale"),
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        AttemptFailure, GiveUp, Network, Reconnect, ReconnectAction, ReconnectEvent, ServerChoice, Time,
        reconnect::Ended,
        testing::{bounds, rng},
        unit::Fraction,
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
        fn new(spec: &ExponentialBackoff, seed: u64) -> Self {
            Self { policy: spec.build(rng(seed)), now: Time::ZERO }
        }

        /// Returns an attempt that begins now and fails `lasting` later; the wait after it.
        fn fail(&mut self, lasting: Duration) -> Duration {
            self.policy.on_event(self.now, &START);
            self.now += lasting;
            self.policy.on_event(self.now, &FAILED);
            self.wait(ServerChoice::Next)
        }

        /// Returns an attempt that begins now and makes a connection that lives `uptime` long; the wait after it.
        fn live(&mut self, uptime: Duration) -> Duration {
            self.policy.on_event(self.now, &START);
            self.policy.on_event(self.now, &ReconnectEvent::Connected);
            self.now += uptime;
            self.policy.on_event(self.now, &LOST);
            self.wait(ServerChoice::Same)
        }

        fn wait(&mut self, expected: ServerChoice) -> Duration {
            let ReconnectAction::TryAfter { wait, server, .. } = self.policy.next(self.now) else {
                panic!("a backoff never stops")
            };
            assert_eq!(server, expected);
            self.now += wait;
            wait
        }
    }

    fn spec(jitter: Jitter) -> ExponentialBackoff {
        ExponentialBackoff { jitter, ..ExponentialBackoff::default() }
    }

    fn share(value: f64) -> Fraction {
        Fraction::new(value).unwrap()
    }

    fn secs(span: Duration) -> u64 {
        span.as_secs()
    }

    #[test]
    fn waits_double_from_the_base_to_the_cap() {
        let mut client = Client::new(&spec(Jitter::None), 1);
        let waits: Vec<_> = (0..9).map(|_| secs(client.fail(Duration::from_secs(3)))).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 120, 120]);
    }

    #[test]
    fn a_fractional_factor_does_not_round_at_each_step() {
        let mut client = Client::new(&ExponentialBackoff { factor: 1.6, ..spec(Jitter::None) }, 1);
        let waits: Vec<_> = (0..12).map(|_| client.fail(Duration::ZERO).as_micros()).collect();
        // 1.6^n seconds: the nominal sequence of gRPC's connection-backoff.md.
        assert_eq!(waits[..6], [1_000_000, 1_600_000, 2_560_000, 4_096_000, 6_553_600, 10_485_760]);
        assert_eq!(waits[11], 120_000_000);
    }

    #[test]
    fn an_established_connection_resets_the_waits() {
        let mut client = Client::new(&spec(Jitter::None), 1);
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
        let mut client = Client::new(&ExponentialBackoff { reset, ..spec(Jitter::None) }, 1);
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
    fn only_the_loss_of_a_good_connection_is_followed_at_once() {
        let reset = Reset::Uptime(Span::secs(10));
        let spec = ExponentialBackoff { reset, first_at_once: true, ..spec(Jitter::None) };
        let mut client = Client::new(&spec, 1);
        let waits = [
            client.live(Duration::from_secs(20)),
            client.live(Duration::from_secs(1)),
            client.live(Duration::from_secs(1)),
            client.live(Duration::from_secs(20)),
            client.fail(Duration::ZERO),
        ];
        assert_eq!(waits.map(secs), [0, 1, 2, 0, 1]);
    }

    #[test]
    fn counted_from_the_start_the_attempt_itself_is_part_of_the_wait() {
        let mut client =
            Client::new(&ExponentialBackoff { delay_from: DelayFrom::AttemptStart, ..spec(Jitter::None) }, 1);
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
        let mut client = Client::new(&spec(Jitter::Full), 7);
        let first = client.fail(Duration::ZERO);
        let asked_at = client.now - first;
        for micros in [0, 1, 2] {
            let now = asked_at + Duration::from_micros(micros);
            client.policy.on_event(now, &ReconnectEvent::NetworkChanged(Some(Network::cellular(0))));
            let ReconnectAction::TryAfter { wait, .. } = client.policy.next(now) else {
                panic!("a backoff never stops")
            };
            assert_eq!(now + wait, client.now);
        }
        let mut undisturbed = Client::new(&spec(Jitter::Full), 7);
        undisturbed.fail(Duration::ZERO);
        assert_eq!(client.fail(Duration::ZERO), undisturbed.fail(Duration::ZERO));
    }

    #[test]
    fn jitters_have_the_means_of_their_formulas() {
        // One draw from each of many seeds, at the nominal wait of 4 s; the tolerance is 5 standard errors or more.
        let mean = |jitter| {
            let third_wait = |seed| {
                let mut client = Client::new(&spec(jitter), seed);
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
            let promises = spec(jitter).pace().promises(&bounds(), Duration::from_secs(10));
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
            (0.0..=1.0).prop_map(|value| Jitter::Below(share(value))),
            (0.0..=1.0).prop_map(|value| Jitter::Backo2(share(value))),
            (0_u64..5_000).prop_map(|ms| Jitter::Added(Delay::millis(ms))),
            (0_u64..5_000).prop_map(|ms| Jitter::Above(Delay::millis(ms))),
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
            let spec = ExponentialBackoff { base, factor, cap, jitter, ..ExponentialBackoff::default() };
            prop_assert_eq!(spec.problems("exponential"), Vec::new());
            let mut client = Client::new(&spec, seed);
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
                    Jitter::Proportional(share) | Jitter::Backo2(share) => {
                        (v.mul_f64(1.0 - share.get()), v.mul_f64(1.0 + share.get()))
                    }
                    Jitter::Below(share) => (v.mul_f64(1.0 - share.get()), v),
                    Jitter::Above(least) => (least.get(), v.max(least.get())),
                    Jitter::Added(most) => (v, v + most.get()),
                };
                let rounding = Duration::from_micros(1);
                prop_assert!(low.saturating_sub(rounding) <= wait && wait <= high + rounding, "{wait:?} {low:?} {high:?}");
                prop_assert!(v <= cap);
                nominal = (nominal * factor).min(cap.as_micros() as f64);
            }
        }
    }
}
