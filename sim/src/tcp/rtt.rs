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

    /// The smoothed round trip; `None`: nothing measured yet.
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
}
