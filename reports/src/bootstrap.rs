//! Confidence intervals by drawing replicates again: the percentile bootstrap over seeds.
//!
//! The replicate is the seed, not the episode: breaks within one run share its world and are not independent. Efron
//! and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13. With few seeds these intervals are too
//! narrow, which a warning says beside the number ([`crate::stats::Warning`]).

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use rand_core::Rng as _;

/// How often the seeds are drawn again. Enough for two digits of a 95 % interval; the cost is that many passes over the
/// episodes.
const RESAMPLES: usize = 1_000;

/// Key of the generator: any fixed number makes the same report each time.
const KEY: u64 = 0x6361_7264_696f_0001;

/// An interval that covers the true value in about 95 of 100 repetitions of the whole experiment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// How often each replicate was drawn, for each time of drawing. Strategies that ran on equally many seeds are
/// resampled alike, so that their comparison stays paired.
#[derive(Debug)]
pub(crate) struct Resamples {
    weights: Vec<Vec<u32>>,
}

impl Resamples {
    /// Draws `replicates` of as many with replacement, again and again. None at all where there are fewer than 2: one
    /// replicate says nothing about the spread of replicates.
    pub(crate) fn new(replicates: usize) -> Self {
        if replicates < 2 {
            return Self { weights: Vec::new() };
        }
        let mut rng = ChaCha8Rng::seed_from_u64(KEY);
        let draw = |_| {
            let mut weights = vec![0; replicates];
            for _ in 0..replicates {
                // The high half of the product is uniform over the replicates, but for 1 part in 2^40 at most.
                weights[((u128::from(rng.next_u64()) * replicates as u128) >> 64) as usize] += 1;
            }
            weights
        };
        Self { weights: (0..RESAMPLES).map(draw).collect() }
    }

    /// The 95 % percentile interval of `statistic`, a function of how often each replicate counts. `None` where too few
    /// seeds were run, or where the statistic does not exist in more than one resample of twenty.
    pub(crate) fn interval(&self, statistic: impl Fn(&[u32]) -> Option<f64>) -> Option<Interval> {
        let mut values: Vec<f64> = self.weights.iter().filter_map(|weights| statistic(weights)).collect();
        if self.weights.is_empty() || values.len() * 20 < RESAMPLES * 19 {
            return None;
        }
        values.sort_by(f64::total_cmp);
        // Nearest rank: the value that 2.5 % (97.5 %) of the resamples do not exceed.
        let rank = |numerator: usize| values[(values.len() * numerator).div_ceil(1_000) - 1];
        Some(Interval { low: rank(25), high: rank(975) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean of `values`, each counted so often.
    fn mean(values: &[f64], weights: &[u32]) -> f64 {
        let total: f64 = values.iter().zip(weights).map(|(value, &weight)| value * f64::from(weight)).sum();
        total / f64::from(weights.iter().sum::<u32>())
    }

    #[test]
    fn one_seed_gives_no_interval() {
        assert_eq!(Resamples::new(1).interval(|_| Some(1.0)), None);
    }

    #[test]
    fn a_resample_draws_as_many_as_there_are() {
        let resamples = Resamples::new(7);
        assert_eq!(resamples.weights.len(), RESAMPLES);
        assert!(resamples.weights.iter().all(|weights| weights.iter().sum::<u32>() == 7));
    }

    #[test]
    fn equal_replicates_give_an_interval_without_width() {
        let interval = Resamples::new(5).interval(|weights| Some(mean(&[3.0; 5], weights))).unwrap();
        assert_eq!(interval, Interval { low: 3.0, high: 3.0 });
    }

    #[test]
    fn two_replicates_give_both_ends() {
        // A resample is (0, 0), (0, 1), (1, 0) or (1, 1): a quarter of them lies at either end.
        let interval = Resamples::new(2).interval(|weights| Some(mean(&[0.0, 1.0], weights))).unwrap();
        assert_eq!(interval, Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn the_width_is_that_of_the_normal_theory_for_a_mean_of_many() {
        // Values 0 to 99: standard deviation 28.87, standard error of the mean 2.887, so 49.5 +- 5.66.
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        let interval = Resamples::new(100).interval(|weights| Some(mean(&values, weights))).unwrap();
        assert!((interval.low - 43.84).abs() < 0.6 && (interval.high - 55.16).abs() < 0.6, "{interval:?}");
    }

    #[test]
    fn a_statistic_that_is_often_absent_has_no_interval() {
        assert_eq!(Resamples::new(3).interval(|weights| (weights[0] > 0).then_some(1.0)), None);
    }
}
