//! Time until something happens, where it did not always happen: the Kaplan-Meier estimator.
//!
//! A break that was ridden out, or that the run's end cut off, says only that noticing it takes longer than it was
//! watched (right censoring). Averaging the noticed ones alone would make a strategy look the faster the more it
//! misses.
//!
//! Kaplan and Meier, "Nonparametric estimation from incomplete observations", JASA 53 (1958): S(t) is the product of
//! 1 - d/n over the event times up to t, with d events among the n still watched. At equal times events come first.
//!
//! Times are in a unit of the caller's choice, the same for all; results are in that unit.

use std::cmp::Ordering;

/// An observation: a time, and whether the event happened then or watching stopped then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// Zero or more.
    pub time: f64,
    /// `false`: censored.
    pub happened: bool,
    /// The replicate it belongs to, counted from 0: what is drawn again where an interval is wanted.
    pub replicate: u32,
}

/// Observations in the order the estimator needs.
#[derive(Clone, Debug)]
pub struct Sample {
    observations: Vec<Observation>,
}

/// An estimated survival curve: a step function from 1 down to at least 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The times at which it steps down and the value from there on; times ascending.
    steps: Vec<(f64, f64)>,
    /// The longest time watched: beyond it the curve is unknown, unless it has reached 0.
    horizon: f64,
}

/// A number, or what it at least is where censoring hides the rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Estimated {
    /// The number itself.
    Known(f64),
    /// Not less than this.
    AtLeast(f64),
}

impl Estimated {
    /// Returns the number, or its lower bound.
    pub const fn value(self) -> f64 {
        match self {
            Self::Known(value) | Self::AtLeast(value) => value,
        }
    }

    /// Returns the number, where it is known.
    pub const fn known(self) -> Option<f64> {
        match self {
            Self::Known(value) => Some(value),
            Self::AtLeast(_) => None,
        }
    }
}

/// Compares by time, events before censorings.
fn order(a: &Observation, b: &Observation) -> Ordering {
    a.time.total_cmp(&b.time).then(b.happened.cmp(&a.happened))
}

impl Sample {
    /// Any order will do.
    pub fn new(mut observations: Vec<Observation>) -> Self {
        observations.sort_by(order);
        Self { observations }
    }

    /// Returns the observations by time, those of the same time and fate together; at equal times events before censorings.
    pub fn groups(&self) -> impl Iterator<Item = &[Observation]> {
        self.observations.chunk_by(|a, b| order(a, b).is_eq())
    }

    /// Returns the curve; `None` if there is no observation.
    pub fn curve(&self) -> Option<Curve> {
        let mut watched = self.observations.len();
        let mut curve = Curve { steps: Vec::new(), horizon: self.observations.last()?.time };
        let mut survival = 1.0;
        for group in self.groups() {
            if group[0].happened {
                // The last event of all must bring the curve to 0 exactly; the quotient does so by itself.
                survival *= (watched - group.len()) as f64 / watched as f64;
                curve.steps.push((group[0].time, survival));
            }
            watched -= group.len();
        }
        Some(curve)
    }
}

impl Curve {
    /// Returns the times at which the curve steps down and the value from there on; times ascending.
    pub fn steps(&self) -> &[(f64, f64)] {
        &self.steps
    }

    /// Returns the mean: the area under the curve up to the longest time watched. At least that, where the curve does not
    /// reach 0.
    pub fn mean(&self) -> Estimated {
        let (mut area, mut from, mut survival) = (0.0, 0.0, 1.0);
        for &(time, next) in &self.steps {
            area += (time - from) * survival;
            (from, survival) = (time, next);
        }
        area += (self.horizon - from) * survival;
        if survival > 0.0 { Estimated::AtLeast(area) } else { Estimated::Known(area) }
    }

    /// Returns the time by which a share `q` (0 to 1) has happened: the first at which the curve is no more than 1 - q. At
    /// least the longest time watched, where the curve stays above that.
    pub fn quantile(&self, q: f64) -> Estimated {
        // The curve is a product of rounded quotients: without the allowance, 19 of 20 may miss 95 % by the last bit.
        let step = self.steps.iter().find(|(_, survival)| *survival <= 1.0 - q + 1e-12);
        step.map_or(Estimated::AtLeast(self.horizon), |(time, _)| Estimated::Known(*time))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(observations: &[(f64, bool)]) -> Sample {
        let observation = |&(time, happened): &(f64, bool)| Observation { time, happened, replicate: 0 };
        Sample::new(observations.iter().map(observation).collect())
    }

    #[test]
    fn the_curve_is_the_product_of_the_shares_that_went_on() {
        // By hand: of 6 watched one happens at 1 (5/6); one is censored at 2; of 4 two happen at 3 (5/12); one is
        // censored at 4; the last happens at 6 (0).
        let curve =
            sample(&[(3.0, true), (1.0, true), (6.0, true), (2.0, false), (3.0, true), (4.0, false)]).curve().unwrap();
        let expected = [(1.0, 5.0 / 6.0), (3.0, 5.0 / 12.0), (6.0, 0.0)];
        assert_eq!(curve.steps.len(), expected.len());
        for (step, expected) in curve.steps.iter().zip(expected) {
            assert!((step.0 - expected.0).abs() < 1e-12 && (step.1 - expected.1).abs() < 1e-12, "{step:?}");
        }
        // 1 * 1 + 2 * 5/6 + 3 * 5/12
        assert!((curve.mean().known().unwrap() - (1.0 + 10.0 / 6.0 + 15.0 / 12.0)).abs() < 1e-12);
        assert_eq!(curve.quantile(0.5), Estimated::Known(3.0));
        assert_eq!(curve.quantile(0.95), Estimated::Known(6.0));
    }

    #[test]
    fn a_published_example_with_censoring() {
        // The drug group of Freireich et al. (1963) with the estimates that every textbook has.
        let events = [6.0, 6.0, 6.0, 7.0, 10.0, 13.0, 16.0, 22.0, 23.0];
        let censored = [6.0, 9.0, 10.0, 11.0, 17.0, 19.0, 20.0, 25.0, 32.0, 32.0, 34.0, 35.0];
        let observations = events.map(|time| (time, true)).into_iter().chain(censored.map(|time| (time, false)));
        let curve = sample(&observations.collect::<Vec<_>>()).curve().unwrap();
        let steps: Vec<String> = curve.steps().iter().map(|(time, value)| format!("{time}: {value:.3}")).collect();
        assert_eq!(steps, ["6: 0.857", "7: 0.807", "10: 0.753", "13: 0.690", "16: 0.627", "22: 0.538", "23: 0.448"]);
        assert_eq!(curve.quantile(0.5), Estimated::Known(23.0));
        assert_eq!(curve.quantile(0.95), Estimated::AtLeast(35.0));
    }

    #[test]
    fn at_equal_times_the_event_comes_before_the_censoring() {
        let curve = sample(&[(5.0, false), (5.0, true)]).curve().unwrap();
        assert_eq!(curve.steps(), [(5.0, 0.5)]);
        assert_eq!(curve.mean(), Estimated::AtLeast(5.0));
    }

    #[test]
    fn what_was_never_seen_to_happen_is_only_bounded_below() {
        let curve = sample(&[(10.0, false), (30.0, false)]).curve().unwrap();
        assert_eq!(curve.mean(), Estimated::AtLeast(30.0));
        assert_eq!(curve.quantile(0.5), Estimated::AtLeast(30.0));
        assert_eq!(sample(&[]).curve(), None);
    }

    #[test]
    fn the_95th_percentile_of_20_is_the_19th() {
        let observations: Vec<_> = (1..=20).map(|time| (f64::from(time), true)).collect();
        assert_eq!(sample(&observations).curve().unwrap().quantile(0.95), Estimated::Known(19.0));
    }

    proptest! {
        #[test]
        fn without_censoring_the_mean_is_the_mean(times in prop::collection::vec(0.0..1e5_f64, 1..50)) {
            let observations: Vec<_> = times.iter().map(|&time| (time, true)).collect();
            let mean = times.iter().sum::<f64>() / times.len() as f64;
            let estimated = sample(&observations).curve().unwrap().mean().known().unwrap();
            prop_assert!((estimated - mean).abs() <= 1e-9 * mean.max(1.0));
        }

        #[test]
        fn without_censoring_the_curve_is_the_share_that_takes_longer(
            times in prop::collection::vec(0..20_u32, 1..50),
            at in 0..20_u32,
        ) {
            let observations: Vec<_> = times.iter().map(|&time| (f64::from(time), true)).collect();
            let curve = sample(&observations).curve().unwrap();
            let longer = times.iter().filter(|time| **time > at).count() as f64 / times.len() as f64;
            let step = curve.steps().iter().rfind(|(time, _)| *time <= f64::from(at));
            prop_assert!((step.map_or(1.0, |(_, survival)| *survival) - longer).abs() < 1e-12);
        }
    }
}
