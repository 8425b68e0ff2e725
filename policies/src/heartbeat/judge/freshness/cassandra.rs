//! Cassandra's accrual detector: gaps taken as exponential, so that patience is a multiple of their mean.

use std::{f64::consts::LN_10, time::Duration};

use super::{by_mean::ByMean, check_threshold, check_window, micros};
use crate::Problem;

parameters! {
    /// Suspects after a silence of more than `threshold * ln 10` mean gaps: 18.42 of them by default. The first gap counts
    /// as two intervals, and one longer than that is not learnt. Its rule for a host that was not run for a while is the
    /// judge's `local_pause`, 5 s.
    ///
    /// Source: Cassandra's `FailureDetector.java` and its `ArrivalWindow` (3.x), where the interval is the gossip's, 1 s.
    pub struct Cassandra {
        /// `phi_convict_threshold`, 1 to 100. Default 8; 10 to 12 on unsteady networks.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
        pub threshold: f64 = 8.0,
        /// Gaps that are remembered, 1 to 10,000. Default 1000.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000)))]
        pub window: u32 = 1000,
    }
}

impl Cassandra {
    pub(super) fn problems_at(&self, path: &str) -> Vec<Problem> {
        check_threshold(path, self.threshold).into_iter().chain(check_window(path, "window", self.window)).collect()
    }

    pub(super) fn build(&self, interval: Duration) -> ByMean {
        let longest = 2 * micros(interval);
        ByMean::new(self.threshold * LN_10, self.window, longest, longest)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Detector, testing::points},
        *,
    };
    use crate::Time;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn patience_is_a_multiple_of_the_mean_gap() {
        points(
            &mut Cassandra { window: 2, ..Cassandra::default() }.build(SECOND),
            0,
            36_842, // 18.42068 * 2 s, the gap that a connection begins with
            &[
                (1_000, 1, 28_632),   // gaps 2, 1: mean 1.5 s, 27.6310 s
                (2_000, 2, 20_421),   // gaps 1, 1: 18.4207 s
                (12_000, 9, 30_421),  // a gap of 10 s is not learnt
                (14_000, 11, 41_632), // one of 2 s is: gaps 1, 2: 27.6310 s
            ],
        );
    }

    #[test]
    fn a_steady_peer_is_convicted_at_the_published_multiple() {
        let mut detector = Cassandra { window: 1, ..Cassandra::default() }.build(SECOND);
        detector.reset(Time::ZERO);
        detector.heard(Time::from_secs(1), 1);
        let silence = detector.freshness().since(Time::from_secs(1)).as_secs_f64();
        assert!((silence - 18.4207).abs() < 0.00005, "{silence}");
    }
}
