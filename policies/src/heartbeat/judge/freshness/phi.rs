//! The phi accrual detector: how unlikely is a silence this long, by the gaps between the last arrivals?

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Detector, after, check_threshold, check_window, micros, window::Window};
use crate::{Problem, Time, unit::Delay};

parameters! {
    /// Suspects once phi = -log10 P(the gap is longer still) reaches `threshold`, the gaps being taken as normal with
    /// the mean and deviation of the last `window` of them. That silence is computed once, as a number of deviations
    /// beyond the mean, so that nothing has to be evaluated while it lasts.
    ///
    /// Before anything was measured the window holds two gaps, an interval less and more a quarter of it (Akka's; the paper
    /// leaves it open). The first arrival ends no gap that it could learn from.
    ///
    /// Sources: Hayashibara, Defago, Yared, Katayama, "The phi accrual failure detector", SRDS 2004 (window 1000); Akka's
    /// `PhiAccrualFailureDetector.scala` (akka/akka-core) for everything else. Akka counts in whole milliseconds and asks
    /// once a second; here both are exact.
    pub struct Phi {
        /// Phi at which it suspects, 1 to 100. Default 8.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
        pub threshold: f64 = 8.0,
        /// Gaps that are remembered, 1 to 10,000. Default 1000.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000)))]
        pub window: u32 = 1000,
        /// The least deviation that is believed. Default 100 ms.
        pub min_deviation: Delay = Delay::millis(100),
        /// Added to the mean (Akka's acceptable heartbeat pause). Default 0 s.
        pub pause: Delay = Delay::ZERO,
        /// The normal distribution, or what is taken for it. Default `normal`.
        pub tail: Tail = Tail::Normal,
        /// Whether the gap that ended a suspicion is learnt too. Akka does not. Default true.
        pub learns_mistakes: bool = true,
    }
}

/// The upper tail of the normal distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Tail {
    /// The exact tail.
    #[default]
    Normal,
    /// Akka's logistic approximation, which thinks less and less of long silences: 15.37 instead of 11.89 at 7
    /// deviations.
    Logistic,
}

impl Tail {
    /// Phi of a silence `y` deviations longer than the mean. It grows with `y`.
    fn phi(self, y: f64) -> f64 {
        match self {
            Self::Normal => -libm::log10(0.5 * libm::erfc(y * std::f64::consts::FRAC_1_SQRT_2)),
            // -log10(e / (1 + e)) with e = exp(-y (1.5976 + 0.070566 y^2)).
            Self::Logistic => libm::log10(1.0 + libm::exp(y * (1.5976 + 0.070_566 * y * y))),
        }
    }

    /// Returns the deviations at which phi reaches `threshold`, by bisection.
    fn deviations(self, threshold: f64) -> f64 {
        // Phi is 0.3 at the lower end and far over 100, the greatest threshold, at the upper.
        let (mut below, mut above) = (0.0, 32.0);
        // Each step halves 32; 60 are enough for the 53 bits of a double.
        for _ in 0..60 {
            let middle = f64::midpoint(below, above);
            *(if self.phi(middle) < threshold { &mut below } else { &mut above }) = middle;
        }
        above
    }
}

impl Phi {
    pub(super) fn problems_at(&self, path: &str) -> Vec<Problem> {
        check_threshold(path, self.threshold).into_iter().chain(check_window(path, "window", self.window)).collect()
    }

    pub(super) fn build(&self, interval: Duration) -> ByDeviations {
        ByDeviations {
            interval: micros(interval),
            deviations: self.tail.deviations(self.threshold),
            min_deviation: self.min_deviation.get().as_micros() as f64,
            pause: self.pause.get().as_micros() as f64,
            learns_mistakes: self.learns_mistakes,
            gaps: Window::new(self.window),
            is_heard: false,
            last: Time::ZERO,
            freshness: Time::ZERO,
        }
    }
}

/// [`Phi`] at work; times in microseconds.
pub(super) struct ByDeviations {
    interval: i64,
    /// Beyond the mean, where phi reaches the threshold.
    deviations: f64,
    min_deviation: f64,
    pause: f64,
    learns_mistakes: bool,
    gaps: Window,
    /// Something has arrived: the gap before that began with no arrival.
    is_heard: bool,
    last: Time,
    freshness: Time,
}

impl ByDeviations {
    fn trust_from(&mut self, now: Time) {
        let deviation = self.gaps.deviation().max(self.min_deviation);
        self.last = now;
        self.freshness = after(now, self.gaps.mean() + self.pause + self.deviations * deviation);
    }
}

impl Detector for ByDeviations {
    fn reset(&mut self, now: Time) {
        self.gaps.clear();
        self.gaps.push(self.interval - self.interval / 4);
        self.gaps.push(self.interval + self.interval / 4);
        self.is_heard = false;
        self.trust_from(now);
    }

    fn heard(&mut self, now: Time, _: u64) {
        if std::mem::replace(&mut self.is_heard, true) && (self.learns_mistakes || now < self.freshness) {
            self.gaps.push(micros(now.since(self.last)));
        }
        self.trust_from(now);
    }

    fn freshness(&self) -> Time {
        self.freshness
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::testing::points, *};

    const SECOND: Duration = Duration::from_secs(1);

    fn akka() -> Phi {
        Phi { pause: Delay::millis(3000), tail: Tail::Logistic, learns_mistakes: false, ..Phi::default() }
    }

    fn assert_near(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() <= tolerance, "{value} is not {expected}");
    }

    #[test]
    fn threshold_8_lies_at_the_published_deviations() {
        assert_near(Tail::Logistic.deviations(8.0), 5.226, 0.0005);
        assert_near(Tail::Normal.deviations(8.0), 5.612, 0.0005);
    }

    #[test]
    fn the_approximation_errs_as_published() {
        for (y, logistic, normal) in [(5.0, 7.30, 6.54), (6.0, 10.78, 9.01), (7.0, 15.37, 11.89)] {
            assert_near(Tail::Logistic.phi(y), logistic, 0.005);
            assert_near(Tail::Normal.phi(y), normal, 0.005);
        }
    }

    /// Returns how long a silence is trusted after beats every second that have filled the window.
    fn steady(spec: &Phi) -> f64 {
        let mut detector = spec.build(SECOND);
        detector.reset(Time::ZERO);
        (1..=1002).for_each(|seq| detector.heard(Time::from_secs(seq), seq));
        detector.freshness().since(Time::from_secs(1002)).as_secs_f64()
    }

    #[test]
    fn a_steady_peer_is_convicted_at_the_published_silence() {
        assert_near(steady(&akka()), 4.5226, 0.00005);
        assert_near(steady(&Phi { tail: Tail::Normal, ..akka() }), 4.5612, 0.00005);
    }

    #[test]
    fn what_is_not_measured_yet_is_an_interval_give_or_take_a_quarter() {
        // Threshold 1 of the normal tail: 1.281552 deviations.
        let mut detector = Phi { threshold: 1.0, window: 2, ..Phi::default() }.build(SECOND);
        detector.reset(Time::ZERO);
        // 0.75 and 1.25: mean 1, deviation 0.25.
        assert_near(detector.freshness().as_secs_f64(), 1.0 + 1.281_552 * 0.25, 2e-6);
        // The first arrival ends no gap between arrivals.
        detector.heard(Time::from_millis(900), 1);
        assert_near(detector.freshness().as_secs_f64(), 0.9 + 1.0 + 1.281_552 * 0.25, 2e-6);
        // 1.25 and 1.1: mean 1.175, deviation 0.075, which is less than is believed.
        detector.heard(Time::from_millis(2_000), 2);
        assert_near(detector.freshness().as_secs_f64(), 2.0 + 1.175 + 1.281_552 * 0.1, 2e-6);
        // 1.1 and 1.7: mean 1.4, deviation 0.3.
        detector.heard(Time::from_millis(3_700), 3);
        assert_near(detector.freshness().as_secs_f64(), 3.7 + 1.4 + 1.281_552 * 0.3, 2e-6);
    }

    #[test]
    fn akka_does_not_learn_from_a_gap_that_it_suspected() {
        // After the bootstrap alone: mean 1, pause 3, 5.2260 deviations of 0.25 s.
        let silence = |spec: Phi| {
            let mut detector = spec.build(SECOND);
            detector.reset(Time::ZERO);
            assert_near(detector.freshness().as_secs_f64(), 4.0 + 5.2260 * 0.25, 0.0001);
            detector.heard(Time::from_secs(1), 1);
            detector.heard(Time::from_secs(21), 21);
            detector.freshness().since(Time::from_secs(21)).as_secs_f64()
        };
        assert_near(silence(akka()), 4.0 + 5.2260 * 0.25, 0.0001);
        // Otherwise gaps of 0.75, 1.25, 20: mean 7.3333, deviation 8.9590.
        assert_near(silence(Phi { learns_mistakes: true, ..akka() }), 10.3333 + 5.2260 * 8.9590, 0.001);
    }

    #[test]
    fn a_path_without_any_variation_is_trusted_up_to_the_mean_gap() {
        let mut detector = Phi { min_deviation: Delay::ZERO, window: 1, ..Phi::default() }.build(SECOND);
        points(&mut detector, 0, 1_250, &[(1_100, 1, 2_350), (2_200, 2, 3_300), (3_200, 3, 4_200)]);
    }

    proptest! {
        #[test]
        fn phi_grows_with_silence(y in -5.0..15.0, longer in 0.001..5.0) {
            for tail in [Tail::Normal, Tail::Logistic] {
                prop_assert!(tail.phi(y) < tail.phi(y + longer));
            }
        }

        #[test]
        fn the_silence_computed_once_is_where_phi_reaches_the_threshold(threshold in 1.0..=100.0) {
            for tail in [Tail::Normal, Tail::Logistic] {
                let y = tail.deviations(threshold);
                prop_assert!(tail.phi(y) >= threshold && tail.phi(y - 1e-9) < threshold);
            }
        }
    }
}
