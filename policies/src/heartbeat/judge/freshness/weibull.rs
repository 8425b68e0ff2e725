//! Accrual detectors whose gaps are taken as Weibull distributed; with shape 1 as exponential (ED-FD).

use std::{f64::consts::LN_10, time::Duration};

use super::{by_mean::ByMean, check_threshold, check_window, micros};
use crate::Problem;

parameters! {
    /// Suspects once -log10 P(the gap is longer still) reaches `threshold`, the gaps being taken as Weibull distributed
    /// with the mean of the last `window` of them and a given shape. Shape 1 is the exponential distribution: ED-FD with
    /// the threshold `E_d` is this one with -log10(1 - `E_d`). Before anything was measured the window holds one interval.
    ///
    /// Source: Liu et al., `PLoS` ONE 2017, by its abstract; the form is the textbook's.
    pub struct Weibull {
        /// Phi at which it suspects, 1 to 100. Default 8.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
        pub threshold: f64 = 8.0,
        /// The distribution's shape, 0.1 to 20: the greater, the steadier gaps are. Default 1, exponential.
        #[cfg_attr(feature = "schema", schemars(range(min = 0.1, max = 20.0)))]
        pub shape: f64 = 1.0,
        /// Gaps that are remembered, 1 to 10,000. Default 1000.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000)))]
        pub window: u32 = 1000,
    }
}

impl Weibull {
    pub(super) fn problems_at(&self, path: &str) -> Vec<Problem> {
        let mut problems: Vec<_> = check_threshold(path, self.threshold)
            .into_iter()
            .chain(check_window(path, "window", self.window))
            .collect();
        if !(0.1..=20.0).contains(&self.shape) {
            problems.push(Problem::new(
                format!("{path}.shape"),
                format!("a shape of {} is outside 0.1 to 20", self.shape),
                "use 1 for exponential gaps, 4 for steady ones",
            ));
        }
        problems
    }

    /// Returns how many mean gaps are trusted: `(Phi ln 10)^(1/k)` scales of the distribution, whose mean is `Gamma(1 +
    /// 1/k)` of them.
    fn means(&self) -> f64 {
        libm::pow(self.threshold * LN_10, 1.0 / self.shape) / libm::tgamma(1.0 + 1.0 / self.shape)
    }

    pub(super) fn build(&self, interval: Duration) -> ByMean {
        ByMean::new(self.means(), self.window, micros(interval), i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::points, *};

    #[test]
    fn patience_depends_on_the_shape_as_published() {
        for (shape, expected) in [(0.5, 169.66), (1.0, 18.42), (2.0, 4.843), (4.0, 2.286)] {
            let means = Weibull { shape, ..Weibull::default() }.means();
            assert!((means - expected).abs() < 0.005, "shape {shape}: {means} is not {expected}");
        }
    }

    #[test]
    fn ten_times_less_likely_is_ln_10_mean_gaps_more_where_gaps_are_exponential() {
        let means = |threshold| Weibull { threshold, ..Weibull::default() }.means();
        assert!((means(3.0) - means(2.0) - LN_10).abs() < 1e-9);
    }

    #[test]
    fn every_gap_is_learnt() {
        points(
            &mut Weibull { threshold: 1.0, window: 2, ..Weibull::default() }.build(Duration::from_secs(10)),
            0,
            23_026, // 2.302585 * 10
            &[
                (12_000, 1, 37_329), // gaps 10, 12: mean 11, 25.3284
                (40_000, 4, 86_052), // gaps 12, 28: mean 20, 46.0517
            ],
        );
    }
}
