//! Bertier's detector: Chen's expected arrival with a margin that follows the errors of the expectation, as Jacobson's
//! estimator follows round trips.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Detector, check_window, chen::Expected};
use crate::{
    Problem, Time,
    unit::{Delay, Fraction},
};

/// Suspects from the expected arrival of the next beat plus a margin on that is estimated: `beta * delay + phi * var`,
/// where `delay` follows the error of the expectation and `var` the error's size. On a path without any jitter the
/// margin wears down to nothing, and the first delay that is out of the ordinary is suspected: the paper puts a second
/// layer above it, for which `give_up_after` stands here.
///
/// Source: Bertier, Marin, Sens, "Implementation and performance evaluation of an adaptable failure detector", DSN
/// 2002. The defaults are those of common comparisons (UNVERIFIED).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Bertier {
    /// Arrivals that are remembered, 1 to 10,000. Default 1000.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000)))]
    pub window: u32,
    /// How much a new error weighs. Default 0.1.
    pub gamma: Fraction,
    /// How often the mean error goes into the margin. Default 1.
    pub beta: f64,
    /// How often the mean size of the errors goes into the margin. Default 4.
    pub phi: f64,
    /// The margin of a connection's first beat, which has to cover a round trip; it fades by `gamma` an arrival. The
    /// paper leaves open how to begin; default 1 s, RFC 6298's timeout before anything is measured.
    pub first_margin: Delay,
}

impl Default for Bertier {
    fn default() -> Self {
        let gamma = Fraction::new(0.1).expect("it lies within 0 to 1");
        Self { window: 1000, gamma, beta: 1.0, phi: 4.0, first_margin: Delay::millis(1000) }
    }
}

impl Bertier {
    pub(super) fn problems_at(&self, path: &str) -> Vec<Problem> {
        let mut problems: Vec<_> = check_window(path, "window", self.window).into_iter().collect();
        if self.gamma == Fraction::ZERO {
            let message = "with a weight of 0 no error is ever learnt from";
            problems.push(Problem::new(format!("{path}.gamma"), message, "use 0.1, as comparisons commonly do"));
        }
        if !(0.0..=100.0).contains(&self.beta) {
            let message = format!("a beta of {} is outside 0 to 100", self.beta);
            problems.push(Problem::new(format!("{path}.beta"), message, "use 1, as comparisons commonly do"));
        }
        if !(0.1..=100.0).contains(&self.phi) {
            let message = format!("a phi of {} is outside 0.1 to 100", self.phi);
            problems.push(Problem::new(format!("{path}.phi"), message, "use 4, or 2 to be faster"));
        }
        problems
    }

    pub(super) fn build(&self, interval: Duration) -> WithErrors {
        WithErrors {
            gamma: self.gamma.get(),
            beta: self.beta,
            phi: self.phi,
            first_margin: self.first_margin.get().as_micros() as f64,
            expected: Expected::new(interval, self.window),
            delay: 0.0,
            var: 0.0,
            freshness: Time::ZERO,
        }
    }
}

/// [`Bertier`] at work; times in microseconds.
pub(super) struct WithErrors {
    gamma: f64,
    beta: f64,
    phi: f64,
    first_margin: f64,
    expected: Expected,
    /// The mean error of the expectation.
    delay: f64,
    /// The mean size of the error.
    var: f64,
    freshness: Time,
}

impl WithErrors {
    fn freshness_of(&self, seq: u64) -> Time {
        let margin = self.beta * self.delay + self.phi * self.var;
        let size = Duration::from_micros(margin.abs().ceil() as u64);
        // Arrivals that keep coming before their time make a margin below zero.
        if margin < 0.0 { self.expected.arrival(seq) - size } else { self.expected.arrival(seq) + size }
    }
}

impl Detector for WithErrors {
    fn reset(&mut self, now: Time) {
        self.expected.reset(now);
        (self.delay, self.var) = (0.0, self.first_margin / self.phi);
        self.freshness = self.freshness_of(1);
    }

    fn heard(&mut self, now: Time, seq: u64) {
        let expected = self.expected.arrival(seq);
        // By the old delay; the variation by the same error.
        let error = (now.as_micros() as f64 - expected.as_micros() as f64) - self.delay;
        self.delay += self.gamma * error;
        self.var += self.gamma * (error.abs() - self.var);
        self.expected.heard(now, seq);
        self.freshness = self.freshness_of(seq + 1);
    }

    fn freshness(&self) -> Time {
        self.freshness
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::points, *};

    fn quarter() -> Bertier {
        Bertier {
            gamma: Fraction::new(0.25).unwrap(),
            window: 2,
            first_margin: Delay::millis(1600),
            ..Bertier::default()
        }
    }

    #[test]
    fn the_margin_follows_the_errors() {
        points(
            &mut quarter().build(Duration::from_secs(10)),
            0,
            11_600, // delay 0, var 1600 / 4 = 400; 10,000 + 4 * 400
            &[
                // Expected 10,000; error 400; delay 100; var 400. Offsets 0, 400: expected 20,200; margin 100 + 1600.
                (10_400, 1, 21_900),
                // Expected 20,200; error 600 - 100 = 500; delay 225; var 425. Offsets 400, 800: 30,600 + 225 + 1700.
                (20_800, 2, 32_525),
                // Beat 3 is lost. Expected 40,600; 40,025 is 575 early; error -800; delay 25; var 518.75. Offsets 800,
                // 25: 50,412.5 + 25 + 2075.
                (40_025, 4, 52_513),
            ],
        );
    }

    #[test]
    fn without_jitter_the_margin_wears_down_to_nothing() {
        let mut detector = quarter().build(Duration::from_secs(10));
        detector.reset(Time::ZERO);
        for seq in 1..=200 {
            detector.heard(Time::from_secs(10 * seq) + Duration::from_millis(300), seq);
        }
        // The next arrival is expected at 2010.3 s, give or take what is left of a microsecond.
        let margin = detector.freshness().since(Time::from_millis(2_010_300));
        assert!(margin <= Duration::from_micros(2), "{margin:?}");
    }
}
