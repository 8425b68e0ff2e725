//! Time until something happens, where it did not always happen: the Kaplan-Meier estimator.
//!
//! A break that was ridden out, or that the run's end cut off, says only that noticing it takes longer than it was
//! watched (right censoring). Averaging the noticed ones alone would make a slow policy look fast.
//!
//! Kaplan and Meier, "Nonparametric estimation from incomplete observations", JASA 53 (1958): S(t) is the product of
//! 1 - d/n over the event times up to t, with d events among the n still watched. At equal times events come first.

use std::cmp::Ordering;

/// One observation: a time, and whether the event happened then or watching stopped then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spell {
    /// Zero or more.
    pub(crate) time_s: f64,
    /// `false`: censored.
    pub(crate) happened: bool,
    /// The replicate it belongs to: what [`Sample::curve`] weighs.
    pub(crate) replicate: u32,
}

/// Observations in the order the estimator needs.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    spells: Vec<Spell>,
}

/// An estimated survival curve: a step function from 1 down to at least 0.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Curve {
    /// Where it steps down and the value from there on; times ascending.
    steps: Vec<(f64, f64)>,
    /// The longest time watched: beyond it the curve is unknown, unless it has reached 0.
    horizon_s: f64,
}

/// A number, or what it at least is where censoring hides the rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Estimated {
    /// The number.
    Known(f64),
    /// Not less than this.
    AtLeast(f64),
}

impl Estimated {
    /// The number, or its lower bound.
    pub(crate) const fn value(self) -> f64 {
        match self {
            Self::Known(value) | Self::AtLeast(value) => value,
        }
    }

    /// The number, where it is known.
    pub(crate) const fn known(self) -> Option<f64> {
        match self {
            Self::Known(value) => Some(value),
            Self::AtLeast(_) => None,
        }
    }
}

/// By time, events before censorings.
fn order(a: &Spell, b: &Spell) -> Ordering {
    a.time_s.total_cmp(&b.time_s).then(b.happened.cmp(&a.happened))
}

impl Sample {
    /// Any order will do.
    pub(crate) fn new(mut spells: Vec<Spell>) -> Self {
        spells.sort_by(order);
        Self { spells }
    }

    /// The curve where each observation counts as often as `weights` says of its replicate; `None` if that leaves no
    /// observation. Linear in the number of observations.
    pub(crate) fn curve(&self, weights: &[u32]) -> Option<Curve> {
        let weight = |spell: &Spell| u64::from(weights[spell.replicate as usize]);
        let mut watched: u64 = self.spells.iter().map(weight).sum();
        if watched == 0 {
            return None;
        }
        let mut curve = Curve { steps: Vec::new(), horizon_s: 0.0 };
        let mut survival = 1.0;
        for group in self.spells.chunk_by(|a, b| order(a, b).is_eq()) {
            let count: u64 = group.iter().map(weight).sum();
            if count == 0 {
                continue;
            }
            curve.horizon_s = group[0].time_s;
            if group[0].happened {
                // The last event of all must bring the curve to 0 exactly; the quotient does so by itself.
                survival *= (watched - count) as f64 / watched as f64;
                curve.steps.push((group[0].time_s, survival));
            }
            watched -= count;
        }
        Some(curve)
    }
}

impl Curve {
    /// The mean: the area under the curve up to the longest time watched. At least that, where the curve does not
    /// reach 0.
    pub(crate) fn mean_s(&self) -> Estimated {
        let (mut area, mut from_s, mut survival) = (0.0, 0.0, 1.0);
        for &(time_s, next) in &self.steps {
            area += (time_s - from_s) * survival;
            (from_s, survival) = (time_s, next);
        }
        area += (self.horizon_s - from_s) * survival;
        if survival > 0.0 { Estimated::AtLeast(area) } else { Estimated::Known(area) }
    }

    /// The time by which a share `q` (0 to 1) has happened: the first at which the curve is no more than 1 - q. At
    /// least the longest time watched, where the curve stays above that.
    pub(crate) fn quantile_s(&self, q: f64) -> Estimated {
        // The curve is a product of rounded quotients: without the allowance, 19 of 20 may miss 95 % by the last bit.
        let step = self.steps.iter().find(|(_, survival)| *survival <= 1.0 - q + 1e-12);
        step.map_or(Estimated::AtLeast(self.horizon_s), |(time_s, _)| Estimated::Known(*time_s))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(observations: &[(f64, bool)]) -> Sample {
        Sample::new(observations.iter().map(|&(time_s, happened)| Spell { time_s, happened, replicate: 0 }).collect())
    }

    #[test]
    fn the_curve_is_the_product_of_the_shares_that_went_on() {
        // By hand: of 6 watched one happens at 1 (5/6); one is censored at 2; of 4 two happen at 3 (5/12); one is
        // censored at 4; the last happens at 6 (0).
        let curve = sample(&[(3.0, true), (1.0, true), (6.0, true), (2.0, false), (3.0, true), (4.0, false)])
            .curve(&[1])
            .unwrap();
        let expected = [(1.0, 5.0 / 6.0), (3.0, 5.0 / 12.0), (6.0, 0.0)];
        assert_eq!(curve.steps.len(), expected.len());
        for (step, expected) in curve.steps.iter().zip(expected) {
            assert!((step.0 - expected.0).abs() < 1e-12 && (step.1 - expected.1).abs() < 1e-12, "{step:?}");
        }
        // 1 * 1 + 2 * 5/6 + 3 * 5/12
        assert!((curve.mean_s().known().unwrap() - (1.0 + 10.0 / 6.0 + 15.0 / 12.0)).abs() < 1e-12);
        assert_eq!(curve.quantile_s(0.5), Estimated::Known(3.0));
        assert_eq!(curve.quantile_s(0.95), Estimated::Known(6.0));
    }

    #[test]
    fn at_equal_times_the_event_comes_before_the_censoring() {
        let curve = sample(&[(5.0, false), (5.0, true)]).curve(&[1]).unwrap();
        assert_eq!(curve.steps, [(5.0, 0.5)]);
        assert_eq!(curve.mean_s(), Estimated::AtLeast(5.0));
    }

    #[test]
    fn what_was_never_seen_to_happen_is_only_bounded_below() {
        let curve = sample(&[(10.0, false), (30.0, false)]).curve(&[1]).unwrap();
        assert_eq!(curve.mean_s(), Estimated::AtLeast(30.0));
        assert_eq!(curve.quantile_s(0.5), Estimated::AtLeast(30.0));
        assert_eq!(sample(&[]).curve(&[1]), None);
    }

    #[test]
    fn the_95th_percentile_of_20_is_the_19th() {
        let observations: Vec<_> = (1..=20).map(|time| (f64::from(time), true)).collect();
        assert_eq!(sample(&observations).curve(&[1]).unwrap().quantile_s(0.95), Estimated::Known(19.0));
    }

    proptest! {
        #[test]
        fn without_censoring_the_mean_is_the_mean(times in prop::collection::vec(0.0..1e5_f64, 1..50)) {
            let observations: Vec<_> = times.iter().map(|&time| (time, true)).collect();
            let mean = times.iter().sum::<f64>() / times.len() as f64;
            let estimated = sample(&observations).curve(&[1]).unwrap().mean_s().known().unwrap();
            prop_assert!((estimated - mean).abs() <= 1e-9 * mean.max(1.0));
        }

        #[test]
        fn a_weight_is_the_same_as_so_many_copies(
            observations in prop::collection::vec((0.0..100.0_f64, any::<bool>(), 0..3_u32), 1..30),
            weights in prop::collection::vec(0..4_u32, 3),
        ) {
            let spell = |&(time_s, happened, replicate): &(f64, bool, u32)| Spell { time_s, happened, replicate };
            let copies = observations.iter().flat_map(|observation| {
                vec![Spell { replicate: 0, ..spell(observation) }; weights[observation.2 as usize] as usize]
            });
            let copied = Sample::new(copies.collect()).curve(&[1]);
            prop_assert_eq!(Sample::new(observations.iter().map(spell).collect()).curve(&weights), copied);
        }
    }
}
