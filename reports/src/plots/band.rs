//! How sure a survival curve is: pointwise intervals by leaving seeds out.
//!
//! The replicate is the seed, since breaks of one run share its world; Greenwood's formula, which takes each break for
//! independent, would make bands too narrow. The jackknife leaves out one seed at a time, or one of [`GROUPS_MAX`] groups
//! of seeds where there are more, and takes the spread of what remains (Efron and Tibshirani, "An Introduction to the
//! Bootstrap", 1993, chapter 11). It does so on the scale of log(-log S), where intervals cannot leave 0 to 1
//! (Kalbfleisch and Prentice, "The Statistical Analysis of Failure Time Data", 2002, section 1.4).

use cardiogram_scenarios::survival::{Curve, Observation, Sample};

use crate::bootstrap::Interval;

/// Fewer seeds say too little of their spread for a band.
const SEEDS_MIN: u32 = 5;

/// The most groups that are left out: the cost is that many curves.
const GROUPS_MAX: u32 = 20;

/// The 97.5 % quantiles of Student's t with 4 to 19 degrees of freedom.
const STUDENT: [f64; 16] =
    [2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093];

/// The 95 % interval of the survival curve of `observations` of `seeds` replicates at each of `times`, ascending.
/// `None` at times where the curve, or one that lacks some seeds, is 0 or 1 or unknown, and everywhere with fewer than
/// [`SEEDS_MIN`] seeds.
pub(super) fn band(observations: &[Observation], seeds: u32, times: &[f64]) -> Vec<Option<Interval>> {
    let nothing = vec![None; times.len()];
    if seeds < SEEDS_MIN {
        return nothing;
    }
    let groups = seeds.min(GROUPS_MAX);
    let Some(whole) = values(observations.to_vec(), times) else { return nothing };
    let without =
        |group: u32| values(observations.iter().filter(|it| it.replicate % groups != group).copied().collect(), times);
    let Some(parts) = (0..groups).map(without).collect::<Option<Vec<_>>>() else { return nothing };
    let count = f64::from(groups);
    let interval = |index: usize| {
        let at = whole[index]?;
        let parts: Vec<f64> = parts.iter().map(|part| part[index].map(transformed)).collect::<Option<_>>()?;
        let mean = parts.iter().sum::<f64>() / count;
        let squares = parts.iter().map(|part| (part - mean) * (part - mean)).sum::<f64>();
        let half = STUDENT[groups as usize - SEEDS_MIN as usize] * ((count - 1.0) / count * squares).sqrt();
        let end = |by: f64| libm::pow(at, libm::exp(by));
        Some(Interval { low: end(half), high: end(-half) })
    };
    (0..times.len()).map(interval).collect()
}

fn transformed(survival: f64) -> f64 {
    libm::log(-libm::log(survival))
}

/// The curve at `times`, where it is above 0 and below 1; `None` without observations.
fn values(observations: Vec<Observation>, times: &[f64]) -> Option<Vec<Option<f64>>> {
    let curve = Sample::new(observations).curve()?;
    let inside = |value: f64| (value > 0.0 && value < 1.0).then_some(value);
    Some(at(&curve, times).into_iter().map(inside).collect())
}

/// The curve at `times`, which ascend.
pub(super) fn at(curve: &Curve, times: &[f64]) -> Vec<f64> {
    let (mut steps, mut value) = (curve.steps().iter().peekable(), 1.0);
    let mut value_at = |time: f64| {
        while let Some((_, next)) = steps.next_if(|(step, _)| *step <= time) {
            value = *next;
        }
        value
    };
    times.iter().map(|&time| value_at(time)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observations(times: &[(f64, u32)]) -> Vec<Observation> {
        times.iter().map(|&(time, replicate)| Observation { time, happened: true, replicate }).collect()
    }

    #[test]
    fn the_interval_is_that_of_the_jackknife() {
        // Two breaks a seed; at 5, seed 4 has noticed both, every other one of its two.
        let times: Vec<(f64, u32)> =
            (0..5).flat_map(|seed| [(1.0, seed), (if seed == 4 { 2.0 } else { 9.0 }, seed)]).collect();
        let interval = band(&observations(&times), 5, &[5.0])[0].unwrap();
        // S = 4/10; without seed 4 it is 4/8, without another 3/8.
        let square = |value: f64| value * value;
        let theta = |survival: f64| libm::log(-libm::log(survival));
        let mean = (theta(0.5) + 4.0 * theta(0.375)) / 5.0;
        let squares = square(theta(0.5) - mean) + 4.0 * square(theta(0.375) - mean);
        let half = 2.776 * (0.8 * squares).sqrt();
        assert!((interval.low - libm::pow(0.4, libm::exp(half))).abs() < 1e-9, "{interval:?}");
        assert!((interval.high - libm::pow(0.4, libm::exp(-half))).abs() < 1e-9, "{interval:?}");
    }

    #[test]
    fn seeds_that_agree_leave_no_doubt() {
        let times: Vec<(f64, u32)> = (0..30).flat_map(|seed| [(1.0, seed), (9.0, seed)]).collect();
        let interval = band(&observations(&times), 30, &[5.0])[0].unwrap();
        assert!((interval.low - 0.5).abs() < 1e-9 && (interval.high - 0.5).abs() < 1e-9, "{interval:?}");
    }

    #[test]
    fn there_is_no_band_where_nothing_or_everything_was_noticed_nor_with_few_seeds() {
        let times: Vec<(f64, u32)> = (0..5).map(|seed| (f64::from(seed) + 1.0, seed)).collect();
        assert_eq!(band(&observations(&times), 5, &[0.5, 6.0]), [None, None]);
        assert_eq!(band(&observations(&times[..4]), 4, &[2.5]), [None]);
    }

    #[test]
    fn a_curve_holds_its_value_until_the_next_step() {
        let curve = Sample::new(observations(&[(1.0, 0), (3.0, 0)])).curve().unwrap();
        assert_eq!(at(&curve, &[0.5, 1.0, 2.0, 3.0, 4.0]), [1.0, 0.5, 0.5, 0.0, 0.0]);
    }
}
