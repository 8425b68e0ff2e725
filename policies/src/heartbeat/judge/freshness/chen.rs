//! Chen's NFD-E: a beat is expected when the arrivals so far say, and trusted for a constant margin longer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Detector, check_window, micros, window::Window};
use crate::{Problem, Time, unit::Delay};

/// Suspects from the expected arrival of the next beat plus `margin` on. The expected arrival is the mean delay of the
/// last `window` arrivals after the grid.
///
/// Source: Chen, Toueg, Aguilera, "On the quality of service of failure detectors", IEEE Trans. Computers 51(5), 2002,
/// NFD-E; the window of 32 is the paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Chen {
    /// How long after its expected arrival a beat may come (the paper's alpha). On a new connection nothing is expected
    /// of the path yet, so that it has to cover the first round trip whole.
    pub margin: Delay,
    /// Arrivals that are remembered, 1 to 10,000. Default 32.
    #[serde(default = "window")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000)))]
    pub window: u32,
}

fn window() -> u32 {
    32
}

impl Chen {
    pub(super) fn problems_at(&self, path: &str) -> Vec<Problem> {
        check_window(path, "window", self.window).into_iter().collect()
    }

    pub(super) fn build(&self, interval: Duration) -> ChenDetector {
        ChenDetector::new(interval, self.margin.get(), self.window)
    }
}

/// When beats are expected, from how late the last ones were.
pub(super) struct Expected {
    /// Between two beats, in microseconds.
    interval: i64,
    /// Arrival 0; everything below counts from here.
    established: Time,
    /// How long after its place on the grid each arrival came.
    offsets: Window,
}

impl Expected {
    pub(super) fn new(interval: Duration, window: u32) -> Self {
        Self { interval: micros(interval), established: Time::ZERO, offsets: Window::new(window) }
    }

    pub(super) fn reset(&mut self, now: Time) {
        self.established = now;
        self.offsets.clear();
        self.offsets.push(0);
    }

    pub(super) fn heard(&mut self, now: Time, seq: u64) {
        self.offsets.push(micros(now.since(self.established)) - self.interval * seq as i64);
    }

    /// Returns when arrival `seq`, which is still to come, is expected: EA of the paper, rounded up to a microsecond.
    pub(super) fn arrival(&self, seq: u64) -> Time {
        let from_start = self.offsets.mean_up() + self.interval * seq as i64;
        self.established + Duration::from_micros(from_start.max(0) as u64)
    }
}

/// [`Chen`] at work.
pub(super) struct ChenDetector {
    expected: Expected,
    margin: Duration,
    freshness: Time,
}

impl ChenDetector {
    pub(super) fn new(interval: Duration, margin: Duration, window: u32) -> Self {
        Self { expected: Expected::new(interval, window), margin, freshness: Time::ZERO }
    }
}

impl Detector for ChenDetector {
    fn reset(&mut self, now: Time) {
        self.expected.reset(now);
        self.freshness = self.expected.arrival(1) + self.margin;
    }

    fn heard(&mut self, now: Time, seq: u64) {
        self.expected.heard(now, seq);
        self.freshness = self.expected.arrival(seq + 1) + self.margin;
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

    #[test]
    fn freshness_points_follow_the_mean_offset() {
        let mut chen = Chen { margin: Delay::millis(500), window: 3 }.build(SECOND);
        // Offsets: 0 of the establishment at 10 s; 0.3; 0.6; 0.3 (which pushes the first out); beats 4 and 5 are lost,
        // 6 is 0.9 late. Freshness of the next: mean offset + its place on the grid + 0.5.
        points(
            &mut chen,
            10_000,
            11_500, // 0 + 11 + 0.5
            &[
                (11_300, 1, 12_650), // (0 + 0.3) / 2 = 0.15
                (12_600, 2, 13_800), // (0 + 0.3 + 0.6) / 3 = 0.3
                (13_300, 3, 14_900), // (0.3 + 0.6 + 0.3) / 3 = 0.4
                (16_900, 6, 18_100), // (0.6 + 0.3 + 0.9) / 3 = 0.6; losses leave no hole
            ],
        );
    }

    #[test]
    fn a_second_connection_knows_nothing_of_the_first() {
        let mut chen = Chen { margin: Delay::millis(500), window: 3 }.build(SECOND);
        points(&mut chen, 0, 1_500, &[(1_900, 1, 2_950)]);
        points(&mut chen, 100_000, 101_500, &[]);
    }

    proptest! {
        #[test]
        fn a_constant_delay_is_expected_exactly(
            window in 1_u32..50, delay in 0_u64..5_000_000, interval in 1_u64..1_000_000_000,
        ) {
            let interval = Duration::from_micros(interval);
            let delay = Duration::from_micros(delay);
            let mut expected = Expected::new(interval, window);
            let start = Time::from_secs(7);
            expected.reset(start);
            let at = |seq: u32| start + interval * seq + delay;
            for seq in 1..=window {
                expected.heard(at(seq), seq.into());
            }
            prop_assert_eq!(expected.arrival(u64::from(window) + 1), at(window + 1));
        }

        /// Detection takes at most an interval, the margin and the longest delay, counted from the last beat that was
        /// answered: the next freshness point is the final one.
        #[test]
        fn detection_takes_at_most_interval_margin_and_delay(
            delays in prop::collection::vec(0_u64..2_000_000, 1..100), window in 1_u32..50, margin in 0_u64..5_000,
        ) {
            let mut chen = Chen { margin: Delay::millis(margin), window }.build(SECOND);
            chen.reset(Time::ZERO);
            let longest = Duration::from_micros(*delays.iter().max().unwrap());
            for (seq, delay) in (1_u32..).zip(&delays) {
                let sent = Time::ZERO + SECOND * seq;
                chen.heard(sent + Duration::from_micros(*delay), seq.into());
                prop_assert!(chen.freshness() <= sent + SECOND + Duration::from_millis(margin) + longest);
            }
        }
    }
}
