//! The round-trip estimator of Linux (`tcp_rtt_estimator`): Jacobson's, with the deviation floored by the smallest timeout
//! and held at its maximum for a round trip. In whole microseconds, scaled as in the kernel.

use std::time::Duration;

/// Smoothed round trip and its deviation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RttEstimator {
    /// Eight times the smoothed round trip; 0: nothing measured yet.
    srtt_8: u32,
    /// Four times the mean deviation.
    mdev_4: u32,
    /// Largest deviation in this round trip.
    mdev_max_4: u32,
    /// The deviation that counts.
    rttvar_4: u32,
    /// The round trip ends when this sequence number is acknowledged.
    round_ends: u32,
}

impl RttEstimator {
    /// Takes a sample; `una` and `next` are the connection's sequence numbers after the acknowledgement.
    pub(super) fn sample(&mut self, rtt: Duration, una: u32, next: u32, rto_min: Duration) {
        let rto_min = rto_min.as_micros() as u32;
        let rtt = (rtt.as_micros() as u32).max(1);
        if self.srtt_8 == 0 {
            self.srtt_8 = rtt << 3;
            self.mdev_4 = rtt << 1;
            self.rttvar_4 = self.mdev_4.max(rto_min);
            self.mdev_max_4 = self.rttvar_4;
            self.round_ends = next;
            return;
        }
        let mut error = i64::from(rtt) - i64::from(self.srtt_8 >> 3);
        self.srtt_8 = ((i64::from(self.srtt_8) + error) as u32).max(1);
        if error < 0 {
            error = -error - i64::from(self.mdev_4 >> 2);
            // A round trip that suddenly becomes shorter should not make the timeout longer.
            if error > 0 {
                error >>= 3;
            }
        } else {
            error -= i64::from(self.mdev_4 >> 2);
        }
        self.mdev_4 = (i64::from(self.mdev_4) + error).max(0) as u32;
        if self.mdev_4 > self.mdev_max_4 {
            self.mdev_max_4 = self.mdev_4;
            self.rttvar_4 = self.rttvar_4.max(self.mdev_max_4);
        }
        if (una.wrapping_sub(self.round_ends) as i32) > 0 {
            if self.mdev_max_4 < self.rttvar_4 {
                self.rttvar_4 -= (self.rttvar_4 - self.mdev_max_4) >> 2;
            }
            self.round_ends = next;
            self.mdev_max_4 = rto_min;
        }
    }

    /// Returns the smoothed round trip; `None`: nothing measured yet.
    pub(super) fn srtt(&self) -> Option<Duration> {
        (self.srtt_8 > 0).then(|| Duration::from_micros(u64::from(self.srtt_8 >> 3)))
    }

    /// SRTT plus four deviations; `None`: nothing measured yet.
    pub(super) fn rto(&self) -> Option<Duration> {
        Some(self.srtt()? + Duration::from_micros(u64::from(self.rttvar_4)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_millis(200);

    #[test]
    fn a_steady_round_trip_gives_it_plus_the_floor() {
        for rtt in [1, 70, 100, 180].map(Duration::from_millis) {
            let mut estimator = RttEstimator::default();
            for round in 0..200_u32 {
                estimator.sample(rtt, round * 5, round * 5, MIN);
            }
            let rto = estimator.rto().unwrap();
            assert!(rto.abs_diff(rtt + MIN) < Duration::from_millis(2), "{rtt:?}: {rto:?}");
        }
    }

    #[test]
    fn the_first_sample_gives_three_round_trips() {
        let mut estimator = RttEstimator::default();
        assert_eq!(estimator.rto(), None);
        estimator.sample(Duration::from_millis(300), 1, 1, MIN);
        assert_eq!(estimator.rto(), Some(Duration::from_millis(900)));
    }

    /// What the kernel's lines, worked through by hand, make of these samples: (sample in ms, acknowledged up to, next), then
    /// the four numbers.
    type Step = ((u64, u32, u32), [u32; 4]);

    fn follow(steps: &[Step]) {
        let mut estimator = RttEstimator::default();
        for ((rtt_ms, una, next), expected) in steps {
            estimator.sample(Duration::from_millis(*rtt_ms), *una, *next, MIN);
            let RttEstimator { srtt_8, mdev_4, mdev_max_4, rttvar_4, .. } = estimator;
            assert_eq!([srtt_8, mdev_4, mdev_max_4, rttvar_4], *expected, "after {rtt_ms} ms up to {una}");
        }
    }

    /// What deviates most in a round trip counts until its end, and is forgotten by a quarter with each after it.
    #[test]
    fn the_deviation_rises_at_once_and_falls_by_round_trips() {
        follow(&[
            ((40, 0, 10), [320_000, 80_000, 200_000, 200_000]),
            ((340, 5, 20), [620_000, 360_000, 360_000, 360_000]),
            // All that was sent before the first sample is acknowledged, and nothing after it: the round trip goes on.
            ((340, 10, 20), [882_500, 532_500, 532_500, 532_500]),
            ((340, 11, 30), [1_112_188, 629_063, 200_000, 629_063]),
            ((90, 20, 30), [1_063_165, 520_821, 520_821, 629_063]),
            ((41, 31, 40), [971_270, 482_511, 200_000, 602_003]),
            ((41, 41, 50), [890_862, 442_292, 200_000, 562_076]),
            ((41, 51, 60), [820_505, 402_076, 200_000, 522_076]),
            ((900, 60, 70), [1_617_942, 1_098_994, 1_098_994, 1_098_994]),
            ((41, 61, 70), [1_456_700, 985_488, 200_000, 1_098_994]),
        ]);
    }

    /// A round trip that becomes shorter moves the deviation an eighth as far as one that becomes longer, whatever it has
    /// shrunk to.
    #[test]
    fn a_shorter_round_trip_hardly_raises_the_deviation() {
        follow(&[
            ((1000, 0, 0), [8_000_000, 2_000_000, 2_000_000, 2_000_000]),
            ((1000, 1, 1), [8_000_000, 1_500_000, 200_000, 2_000_000]),
            ((1000, 2, 2), [8_000_000, 1_125_000, 200_000, 1_781_250]),
            ((1000, 3, 3), [8_000_000, 843_750, 200_000, 1_546_875]),
            ((1000, 4, 4), [8_000_000, 632_813, 200_000, 1_318_360]),
            ((1000, 5, 5), [8_000_000, 474_610, 200_000, 1_107_423]),
            ((1000, 6, 6), [8_000_000, 355_958, 200_000, 919_557]),
            ((1000, 7, 7), [8_000_000, 266_969, 200_000, 756_410]),
            ((1000, 8, 8), [8_000_000, 200_227, 200_000, 617_365]),
            ((1000, 9, 9), [8_000_000, 150_171, 200_000, 513_024]),
            ((1000, 10, 10), [8_000_000, 112_629, 200_000, 434_768]),
            ((1000, 11, 11), [8_000_000, 84_472, 200_000, 376_076]),
            ((1000, 12, 12), [8_000_000, 63_354, 200_000, 332_057]),
            ((100, 13, 13), [7_100_000, 173_874, 200_000, 299_043]),
            ((100, 14, 14), [6_312_500, 266_878, 200_000, 291_002]),
            ((3000, 15, 15), [8_523_438, 2_411_097, 200_000, 2_411_097]),
        ]);
    }
}
