//! 2W-FD: Chen's detector with two windows, of which the more patient one holds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Detector, check_window, chen::ChenDetector};
use crate::{Problem, Time, unit::Delay};

/// As [`Chen`](super::Chen), by the later of two expected arrivals: the short window follows a path that becomes slower
/// in one step, the long one remembers in calm times what may come.
///
/// Source: Tomsic, Sens, Garcia, Arantes, Sopena, "2W-FD: A failure detector algorithm with `QoS`", IPDPS 2015; the
/// windows of 1 and 1000 are UNVERIFIED.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TwoWindow {
    /// How long after its expected arrival a beat may come; on a new connection it has to cover the first round trip.
    pub margin: Delay,
    /// Arrivals in the short window. Default 1.
    #[serde(default = "short")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000)))]
    pub short: u32,
    /// Arrivals in the long window, up to 10,000. Default 1000.
    #[serde(default = "long")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000)))]
    pub long: u32,
}

fn short() -> u32 {
    1
}

fn long() -> u32 {
    1000
}

impl TwoWindow {
    pub(super) fn problems_at(&self, path: &str) -> Vec<Problem> {
        let mut problems: Vec<_> = [("short", self.short), ("long", self.long)]
            .iter()
            .filter_map(|(key, size)| check_window(path, key, *size))
            .collect();
        if self.short >= self.long {
            problems.push(Problem::new(
                format!("{path}.short"),
                format!("the short window of {} is not shorter than the long one of {}", self.short, self.long),
                "use 1 and 1000, or `chen` for a single window",
            ));
        }
        problems
    }

    pub(super) fn build(&self, interval: Duration) -> TwoWindowDetector {
        let with = |window| ChenDetector::new(interval, self.margin.get(), window);
        TwoWindowDetector { short: with(self.short), long: with(self.long) }
    }
}

/// [`TwoWindow`] at work.
pub(super) struct TwoWindowDetector {
    short: ChenDetector,
    long: ChenDetector,
}

impl Detector for TwoWindowDetector {
    fn reset(&mut self, now: Time) {
        self.short.reset(now);
        self.long.reset(now);
    }

    fn heard(&mut self, now: Time, seq: u64) {
        self.short.heard(now, seq);
        self.long.heard(now, seq);
    }

    fn freshness(&self) -> Time {
        self.short.freshness().max(self.long.freshness())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{chen::Chen, testing::points},
        *,
    };

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_slower_path_is_followed_at_once_and_a_faster_one_slowly() {
        let mut detector = TwoWindow { margin: Delay::millis(500), short: 1, long: 4 }.build(SECOND);
        points(
            &mut detector,
            0,
            1_500,
            &[
                (1_200, 1, 2_700), // short 0.2, long (0 + 0.2) / 2 = 0.1
                (2_800, 2, 4_300), // short 0.8, long (0 + 0.2 + 0.8) / 3
                (3_200, 3, 4_800), // short 0.2, long (0 + 0.2 + 0.8 + 0.2) / 4 = 0.3
                (4_000, 4, 5_800), // short 0.0, long (0.2 + 0.8 + 0.2 + 0) / 4 = 0.3
            ],
        );
    }

    proptest! {
        #[test]
        fn it_is_as_patient_as_the_more_patient_of_two_of_chens(
            delays in prop::collection::vec(0_u64..3_000_000, 1..200), short in 1_u32..5, long in 5_u32..100,
        ) {
            let margin = Delay::millis(300);
            let chen = |window| Chen { margin, window }.build(SECOND);
            let (mut one, mut other) = (chen(short), chen(long));
            let mut both = TwoWindow { margin, short, long }.build(SECOND);
            let detectors: [&mut dyn Detector; 3] = [&mut one, &mut other, &mut both];
            for detector in detectors {
                detector.reset(Time::ZERO);
                for (seq, delay) in (1_u32..).zip(&delays) {
                    detector.heard(Time::ZERO + SECOND * seq + Duration::from_micros(*delay), seq.into());
                }
            }
            prop_assert_eq!(both.freshness(), one.freshness().max(other.freshness()));
        }
    }
}
