//! From the values of a statistic on resamples to an interval: bias-corrected and accelerated (`BCa`).
//!
//! The plain percentile interval of the resamples is off where the statistic is biased or its spread depends on its
//! value, as rates and latencies do. `BCa` moves its ends by two numbers: the bias z0, from the share of resamples below the
//! estimate, and the acceleration a, from the skewness of the estimates that leave one replicate out. Efron, "Better
//! bootstrap confidence intervals", JASA 82 (1987); Efron, Tibshirani, "An Introduction to the Bootstrap" (1993), chapter
//! 14.
//!
//! Where `BCa` does not exist, the plain percentiles stand in: all resamples are on one side of the estimate (z0 is
//! infinite), or an end's correction has a pole (large a). Where leaving out changes nothing, or leaves nothing, a is 0.

use super::normal;

/// An interval that covers the true value in about 95 of 100 repetitions of the whole experiment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// A statistic: its value on the data, on the data without each replicate (or group of them), and on each resample. A
/// value that does not exist is not finite.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Replicated {
    /// How many replicates the data have.
    pub(crate) replicates: usize,
    pub(crate) estimate: f64,
    pub(crate) jackknife: Vec<f64>,
    /// Empty where there are fewer than 2 replicates.
    pub(crate) resamples: Vec<f64>,
}

impl Replicated {
    /// Another statistic of the same replicates, value by value: what both gave on the same resample belongs together.
    pub(crate) fn with(&self, other: &Self, of: impl Fn(f64, f64) -> f64) -> Self {
        assert_eq!(self.resamples.len(), other.resamples.len(), "statistics are paired on the same resamples");
        let both = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(&a, &b)| of(a, b)).collect();
        Self {
            replicates: self.replicates,
            estimate: of(self.estimate, other.estimate),
            jackknife: both(&self.jackknife, &other.jackknife),
            resamples: both(&self.resamples, &other.resamples),
        }
    }

    /// Returns the interval of probability `level` (0.95). `None` with fewer than 2 replicates, or where the statistic does not
    /// exist in more than one resample of twenty.
    pub(crate) fn interval(&self, level: f64) -> Option<Interval> {
        let mut values = self.finite()?;
        values.sort_by(f64::total_cmp);
        let alpha = (1.0 - level) / 2.0;
        let [low, high] = self.corrected(&values, alpha).unwrap_or([alpha, 1.0 - alpha]);
        // Nearest rank: the smallest value that such a share of the resamples do not exceed.
        let at = |share: f64| {
            let rank = (share * values.len() as f64 - 1e-9).ceil().max(1.0) as usize;
            values[rank.min(values.len()) - 1]
        };
        Some(Interval { low: at(low), high: at(high) })
    }

    /// Returns the resamples in which the statistic exists, if these are enough.
    fn finite(&self) -> Option<Vec<f64>> {
        let values: Vec<f64> = self.resamples.iter().copied().filter(|value| value.is_finite()).collect();
        let is_enough = !values.is_empty() && values.len() * 20 >= self.resamples.len() * 19;
        (is_enough && self.estimate.is_finite()).then_some(values)
    }

    /// Returns the shares of the resamples below the interval's two ends; `None` where these do not exist.
    fn corrected(&self, values: &[f64], alpha: f64) -> Option<[f64; 2]> {
        let z0 = normal::quantile(share_below(values, self.estimate));
        if z0.is_infinite() {
            return None;
        }
        let a = acceleration(&self.jackknife);
        let end = |z: f64| {
            let shifted = z0 + z;
            let scale = 1.0 - a * shifted;
            (scale > 0.0).then(|| normal::cdf(z0 + shifted / scale))
        };
        let z = normal::quantile(alpha);
        Some([end(z)?, end(-z)?])
    }
}

/// Returns the share of `values` below `point`; those equal to it count half.
fn share_below(values: &[f64], point: f64) -> f64 {
    let halves: usize = values.iter().map(|&value| usize::from(value < point) + usize::from(value <= point)).sum();
    halves as f64 / (2 * values.len()) as f64
}

/// Returns the acceleration from the estimates that leave something out; 0 where these say nothing.
fn acceleration(jackknife: &[f64]) -> f64 {
    let mean = jackknife.iter().sum::<f64>() / jackknife.len() as f64;
    let moment = |power: i32| {
        let deviation = |value: &f64| mean - value;
        jackknife.iter().map(|value| (0..power).map(|_| deviation(value)).product::<f64>()).sum::<f64>()
    };
    let (squares, cubes) = (moment(2), moment(3));
    let a = cubes / (6.0 * squares * libm::sqrt(squares));
    if a.is_finite() { a } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicated(estimate: f64, jackknife: &[f64], resamples: Vec<f64>) -> Replicated {
        Replicated { replicates: 20, estimate, jackknife: jackknife.to_vec(), resamples }
    }

    /// 1 to 1000.
    fn ranks() -> Vec<f64> {
        (1..=1_000).map(f64::from).collect()
    }

    #[test]
    fn without_bias_and_acceleration_it_is_the_percentile_interval() {
        let it = replicated(500.5, &[1.0, 2.0, 3.0], ranks());
        assert_eq!(it.interval(0.95), Some(Interval { low: 25.0, high: 975.0 }));
        assert_eq!(it.interval(0.9), Some(Interval { low: 50.0, high: 950.0 }));
    }

    #[test]
    fn bias_moves_both_ends_by_twice_its_size() {
        // 600 of 1000 are below: z0 = 0.2533, so the ends are at the shares of -1.96 + 0.5067 and 1.96 + 0.5067,
        // 0.0731 and 0.9932.
        let it = replicated(600.5, &[1.0, 2.0, 3.0], ranks());
        assert_eq!(it.interval(0.95), Some(Interval { low: 74.0, high: 994.0 }));
    }

    #[test]
    fn acceleration_by_hand() {
        // Deviations from the mean 2: 1, 1, -2. Squares 6, cubes 1 + 1 - 8 = -6, so -6 / (6 * 6^1.5).
        let a = acceleration(&[1.0, 1.0, 4.0]);
        assert!((a + 1.0 / (6.0 * 6.0_f64.sqrt())).abs() < 1e-15, "{a}");
        assert_eq!((acceleration(&[3.0, 3.0]), acceleration(&[])), (0.0, 0.0));
        // No bias: the ends are at the shares of z / (1 - a z): -1.96 / (1 - 0.0680 * 1.96) and 1.96 / (1 + 0.0680 *
        // 1.96), -2.2615 and 1.7295, so 0.0119 and 0.9581.
        let it = replicated(500.5, &[1.0, 1.0, 4.0], ranks());
        assert_eq!(it.interval(0.95), Some(Interval { low: 12.0, high: 959.0 }));
    }

    #[test]
    fn where_the_bias_is_infinite_the_percentiles_stand_in() {
        let it = replicated(2_000.0, &[1.0, 1.0, 4.0], ranks());
        assert_eq!(it.interval(0.95), Some(Interval { low: 25.0, high: 975.0 }));
    }

    #[test]
    fn equal_resamples_give_an_interval_without_width() {
        let it = replicated(7.0, &[7.0; 5], vec![7.0; 1_000]);
        assert_eq!(it.interval(0.95), Some(Interval { low: 7.0, high: 7.0 }));
    }

    #[test]
    fn a_statistic_that_is_often_absent_has_no_interval() {
        let mut resamples = ranks();
        resamples[..51].fill(f64::NAN);
        assert_eq!(replicated(500.5, &[], resamples).interval(0.95), None);
        assert_eq!(replicated(500.5, &[], Vec::new()).interval(0.95), None);
        assert_eq!(replicated(f64::NAN, &[], ranks()).interval(0.95), None);
    }
}
