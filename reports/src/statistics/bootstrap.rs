//! Drawing replicates again: the bootstrap over seeds, and the jackknife that goes with it.
//!
//! The replicate is the seed, not the episode: breaks within one run share its world and are not independent. All
//! statistics of all strategies that ran on the same seeds are worked out on the same resamples, so that their
//! comparison stays paired. Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13. What becomes of
//! the values is the business of [`crate::statistics::bca`].
//!
//! A statistic is asked for several resamples at once, one a lane: one pass over the data then does for all of them, which
//! is what makes thousands of resamples of a million episodes affordable.

use std::collections::BTreeMap;

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use rand_core::Rng as _;
use rayon::prelude::*;

pub(crate) use crate::statistics::bca::{Interval, Replicated};

/// How often the seeds are drawn again: for a 95 % interval, 50 of them are beyond each end.
pub(crate) const RESAMPLES: usize = 2_000;

/// The most estimates that leave something out. With more seeds than this, each leaves out a group of seeds: the skewness
/// of so many groups says the same.
const GROUPS_MAX: usize = 200;

/// Key of the generator: any fixed number makes the same report each time.
const KEY: u64 = 0x6361_7264_696f_0001;

/// How many resamples are worked out in one pass over the data: a cache line of weights.
pub(crate) const LANES: usize = 8;

/// A number for each resample of a pass.
pub(crate) type Lanes = [f64; LANES];

/// How a number of replicates is drawn again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bootstrap {
    replicates: usize,
}

impl Bootstrap {
    /// Nothing is left out or drawn again where there are fewer than 2 replicates: one says nothing about their spread.
    pub(crate) const fn new(replicates: usize) -> Self {
        Self { replicates }
    }

    const fn groups(self) -> usize {
        if self.replicates < 2 {
            0
        } else if self.replicates < GROUPS_MAX {
            self.replicates
        } else {
            GROUPS_MAX
        }
    }

    const fn resamples(self) -> usize {
        if self.replicates < 2 { 0 } else { RESAMPLES }
    }

    /// Works out some statistics: `statistics` is given how often each replicate counts in each lane, and answers with the
    /// values, always as many and in the same order.
    ///
    /// Of few replicates there are few resamples that differ (of 5, 126 among the thousands), so each is worked out once.
    pub(crate) fn evaluate(self, statistics: impl Fn(&[Lanes]) -> Vec<Lanes> + Sync) -> Vec<Replicated> {
        let mut places = BTreeMap::new();
        let mut distinct = Vec::new();
        let place_of: Vec<usize> = (0..1 + self.groups() + self.resamples())
            .map(|column| {
                *places.entry(self.counts(column)).or_insert_with_key(|counts| {
                    distinct.push(counts.clone());
                    distinct.len() - 1
                })
            })
            .collect();
        let passes: Vec<Vec<Lanes>> =
            distinct.par_chunks(LANES).map(|columns| statistics(&self.weights(columns))).collect();
        let count = passes[0].len();
        let column = |statistic: usize, column: usize| {
            let place = place_of[column];
            passes[place / LANES][statistic][place % LANES]
        };
        let replicated = |statistic| Replicated {
            replicates: self.replicates,
            estimate: column(statistic, 0),
            jackknife: (1..=self.groups()).map(|it| column(statistic, it)).collect(),
            resamples: (1 + self.groups()..place_of.len()).map(|it| column(statistic, it)).collect(),
        };
        (0..count).map(replicated).collect()
    }

    /// Returns the counts of up to [`LANES`] columns, a lane each; the lanes beyond are the data.
    fn weights(self, columns: &[Vec<u32>]) -> Vec<Lanes> {
        let mut weights = vec![[1.0; LANES]; self.replicates];
        for (lane, counts) in columns.iter().enumerate() {
            for (weight, count) in weights.iter_mut().zip(counts) {
                weight[lane] = f64::from(*count);
            }
        }
        weights
    }

    /// Returns how often each replicate counts in a column. The first of all is the data, then come those that leave a group out,
    /// then the resamples.
    fn counts(self, column: usize) -> Vec<u32> {
        let Some(leave_out) = column.checked_sub(1) else { return vec![1; self.replicates] };
        match leave_out.checked_sub(self.groups()) {
            None => (0..self.replicates).map(|replicate| u32::from(replicate % self.groups() != leave_out)).collect(),
            Some(resample) => self.draw(resample),
        }
    }

    /// Draws as many as there are, with replacement; each resample from its own stream.
    fn draw(self, resample: usize) -> Vec<u32> {
        let mut rng = ChaCha8Rng::seed_from_u64(KEY);
        rng.set_stream(resample as u64);
        let mut counts = vec![0; self.replicates];
        for _ in 0..self.replicates {
            // The high half of the product is uniform over the replicates, but for 1 part in 2^40 at most.
            counts[((u128::from(rng.next_u64()) * self.replicates as u128) >> 64) as usize] += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::weighted;

    /// Returns the mean of `values`, each counted so often.
    fn mean(values: &[f64], weights: &[Lanes]) -> Vec<Lanes> {
        let rows: Vec<[f64; 2]> = values.iter().map(|&value| [value, 1.0]).collect();
        let [sum, count] = weighted::sums(&rows, weights);
        vec![weighted::ratio(&sum, &count)]
    }

    fn interval(values: &[f64]) -> Option<Interval> {
        Bootstrap::new(values.len()).evaluate(|weights| mean(values, weights))[0].interval(0.95)
    }

    #[test]
    fn one_seed_gives_its_value_and_no_interval() {
        let it = &Bootstrap::new(1).evaluate(|weights| mean(&[4.0], weights))[0];
        assert_eq!((it.estimate, it.jackknife.len(), it.interval(0.95)), (4.0, 0, None));
    }

    #[test]
    fn a_resample_draws_as_many_as_there_are() {
        let drawn = &Bootstrap::new(7).evaluate(|weights| {
            let total = |lane: usize| weights.iter().map(|weight| weight[lane]).sum::<f64>();
            vec![std::array::from_fn(total)]
        })[0];
        assert_eq!((drawn.estimate, &drawn.jackknife), (7.0, &vec![6.0; 7]));
        assert_eq!(drawn.resamples, [7.0; RESAMPLES]);
    }

    #[test]
    fn every_replicate_is_drawn_equally_often() {
        // 20,000 draws of each of 10, with a standard deviation of 134 and 5 of those to either side.
        for replicate in 0..10 {
            let drawn = &Bootstrap::new(10).evaluate(|weights| vec![weights[replicate]])[0];
            let total: f64 = drawn.resamples.iter().sum();
            assert!((total - 2_000.0).abs() < 5.0 * 42.5, "{replicate}: {total}");
        }
    }

    #[test]
    fn many_replicates_are_left_out_in_groups() {
        let left = &Bootstrap::new(1_000).evaluate(|weights| {
            let total = |lane: usize| weights.iter().map(|weight| weight[lane]).sum::<f64>();
            vec![std::array::from_fn(total)]
        })[0];
        assert_eq!(left.jackknife, [995.0; GROUPS_MAX]);
    }

    #[test]
    fn two_replicates_give_both_ends() {
        // A resample is (0, 0), (0, 1), (1, 0) or (1, 1): a quarter of them lies at either end.
        assert_eq!(interval(&[0.0, 1.0]), Some(Interval { low: 0.0, high: 1.0 }));
    }

    #[test]
    fn the_width_is_that_of_the_normal_theory_for_a_mean_of_many() {
        // Values 0 to 99: standard deviation 28.87, standard error of the mean 2.887, so 49.5 +- 5.66.
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        let interval = interval(&values).unwrap();
        assert!((interval.low - 43.84).abs() < 0.6 && (interval.high - 55.16).abs() < 0.6, "{interval:?}");
    }

    #[test]
    fn what_is_drawn_twice_is_worked_out_once() {
        let passes = std::sync::atomic::AtomicUsize::new(0);
        let drawn = &Bootstrap::new(5).evaluate(|weights| {
            passes.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            mean(&[1.0, 2.0, 3.0, 4.0, 5.0], weights)
        })[0];
        // 9 over 4 ways to draw five of five, the data among them, and five that leave one out.
        assert!(passes.into_inner() <= (126 + 5_usize).div_ceil(LANES));
        assert_eq!(drawn.resamples.len(), RESAMPLES);
    }

    #[test]
    fn the_same_replicates_give_the_same_resamples() {
        let of = || Bootstrap::new(9).evaluate(|weights| vec![weights[3]]);
        assert_eq!(of(), of());
    }
}
