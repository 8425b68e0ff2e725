//! Statistics in which each replicate counts a given number of times: what the bootstrap asks for, for several resamples
//! at once ([`crate::statistics::bootstrap`]).

use cardiogram_results::survival::Sample;

use crate::statistics::bootstrap::{LANES, Lanes};

/// Returns the sums of the columns of `rows`, of which there is one a replicate.
pub(crate) fn sums<const COLUMNS: usize>(rows: &[[f64; COLUMNS]], weights: &[Lanes]) -> [Lanes; COLUMNS] {
    let mut sums = [[0.0; LANES]; COLUMNS];
    for (row, weight) in rows.iter().zip(weights) {
        for (sum, value) in sums.iter_mut().zip(row) {
            for (sum, weight) in sum.iter_mut().zip(weight) {
                *sum += value * weight;
            }
        }
    }
    sums
}

/// One by the other; not a number where both are zero.
pub(crate) fn ratio(above: &Lanes, below: &Lanes) -> Lanes {
    std::array::from_fn(|lane| above[lane] / below[lane])
}

/// The mean of a Kaplan-Meier curve up to its longest observation, as `survival::Curve::mean` has it.
#[derive(Debug)]
pub(crate) struct RestrictedMean {
    /// By time, events before censorings.
    observations: Vec<Weighted>,
}

/// An observation, small, for there are many and they are read often.
#[derive(Debug)]
struct Weighted {
    time: f64,
    replicate: u32,
    happened: bool,
    /// The last of those with the same time and fate.
    closes: bool,
}

impl RestrictedMean {
    /// Of `sample`, whose replicates are indices into the weights.
    pub(crate) fn new(sample: &Sample) -> Self {
        let mut observations = Vec::new();
        for group in sample.groups() {
            observations.extend(group.iter().map(|it| Weighted {
                time: it.time,
                replicate: it.replicate,
                happened: it.happened,
                closes: false,
            }));
            observations.last_mut().expect("a group is not empty").closes = true;
        }
        Self { observations }
    }

    /// Not a number where no observation counts.
    pub(crate) fn of(&self, weights: &[Lanes]) -> Lanes {
        let mut watched = [0.0; LANES];
        for observation in &self.observations {
            for (watched, weight) in watched.iter_mut().zip(&weights[observation.replicate as usize]) {
                *watched += weight;
            }
        }
        let mut area = watched.map(|watched| if watched > 0.0 { 0.0 } else { f64::NAN });
        let (mut survival, mut count, mut from) = ([1.0; LANES], [0.0; LANES], 0.0);
        for observation in &self.observations {
            let weight = &weights[observation.replicate as usize];
            for lane in 0..LANES {
                count[lane] += weight[lane];
            }
            if !observation.closes {
                continue;
            }
            let step = observation.time - from;
            from = observation.time;
            for lane in 0..LANES {
                // Beyond the longest observation the curve is unknown and adds nothing.
                area[lane] += if watched[lane] > 0.0 { step * survival[lane] } else { 0.0 };
                let left = watched[lane] - count[lane];
                if observation.happened {
                    survival[lane] *= if watched[lane] > 0.0 { left / watched[lane] } else { 1.0 };
                }
                watched[lane] = left;
                count[lane] = 0.0;
            }
        }
        area
    }
}

#[cfg(test)]
mod tests {
    use cardiogram_results::survival::Observation;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_ratio_is_sum_over_sum() {
        // 2 * (1, 10) and 3 * (4, 20): 14 by 80, not the mean of 0.1 and 0.2.
        let [above, below] = sums(&[[1.0, 10.0], [4.0, 20.0]], &[[2.0; LANES], [3.0; LANES]]);
        assert!(ratio(&above, &below).iter().all(|it| (it - 14.0 / 80.0).abs() < 1e-15));
    }

    #[test]
    fn nothing_that_counts_has_no_mean() {
        let sample = Sample::new(vec![Observation { time: 3.0, happened: true, replicate: 0 }]);
        assert!(RestrictedMean::new(&sample).of(&[[0.0; LANES]])[0].is_nan());
    }

    proptest! {
        #[test]
        fn a_weight_is_the_same_as_so_many_copies(
            observations in prop::collection::vec((0..20_u32, any::<bool>(), 0..3_u32), 1..30),
            weights in prop::collection::vec(prop::array::uniform8(0..4_u32), 3),
        ) {
            let one = |&(time, happened, replicate): &(u32, bool, u32)| {
                Observation { time: f64::from(time), happened, replicate }
            };
            let as_lanes: Vec<Lanes> = weights.iter().map(|weight| weight.map(f64::from)).collect();
            let sample = Sample::new(observations.iter().map(one).collect());
            let means = RestrictedMean::new(&sample).of(&as_lanes);
            for lane in 0..LANES {
                let copies = observations.iter().flat_map(|it| vec![one(it); weights[it.2 as usize][lane] as usize]);
                match Sample::new(copies.collect()).curve() {
                    None => prop_assert!(means[lane].is_nan()),
                    Some(curve) => {
                        let expected = curve.mean().value();
                        prop_assert!((means[lane] - expected).abs() <= 1e-12 * expected, "{} {expected}", means[lane]);
                    }
                }
            }
        }
    }
}
