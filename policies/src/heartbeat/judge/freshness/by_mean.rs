//! Trusts silence for a multiple of the mean gap between arrivals: what every accrual detector comes to whose distribution
//! has its mean as its only measured parameter.

use super::{Detector, after, micros, window::Window};
use crate::Time;

pub(super) struct ByMean {
    /// So many mean gaps it trusts.
    means: f64,
    /// The gap that a connection begins with, in microseconds.
    first: i64,
    /// A longer gap is not learnt.
    longest: i64,
    gaps: Window,
    last: Time,
    freshness: Time,
}

impl ByMean {
    /// Trusts for `means` times the mean of the last `window` gaps.
    pub(super) fn new(means: f64, window: u32, first: i64, longest: i64) -> Self {
        Self { means, first, longest, gaps: Window::new(window), last: Time::ZERO, freshness: Time::ZERO }
    }

    fn trust_from(&mut self, now: Time) {
        self.last = now;
        self.freshness = after(now, self.means * self.gaps.mean());
    }
}

impl Detector for ByMean {
    fn reset(&mut self, now: Time) {
        self.gaps.clear();
        self.gaps.push(self.first);
        self.trust_from(now);
    }

    fn heard(&mut self, now: Time, _: u64) {
        let gap = micros(now.since(self.last));
        if gap <= self.longest {
            self.gaps.push(gap);
        }
        self.trust_from(now);
    }

    fn freshness(&self) -> Time {
        self.freshness
    }
}
