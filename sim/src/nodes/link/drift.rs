//! The part of a link's delay that drifts: a crowded cell is slow for seconds at a time. A function of seed, lane and time,
//! shared by both directions, whoever sends and whenever.
//!
//! Underneath is a stationary Gaussian process of mean 0 and variance 1 that forgets exponentially, an AR(1) of time
//! constant tau, looked at every quarter of tau and held until the next look. It is written as what it is a sum of: the
//! shocks of the last seven tau, each a coin of its own moment, the older the weaker. So a value needs neither the values
//! before it nor anything of the time in which nobody sent. Its quantile is turned into a delay by the configured
//! distribution, whose shape it therefore has.

use std::time::Duration;

use cardiogram_policies::Time;

use crate::{
    config::{
        DelayDrift,
        distribution::{normal_cdf, normal_quantile},
    },
    fate::random::{Coins, DrawPurpose},
};

/// Looks in a time constant.
const LOOKS_PER_TAU: u32 = 4;
/// Shocks that are remembered: e^-7 of the first one is left when it is dropped.
const SHOCKS: u32 = 7 * LOOKS_PER_TAU;

pub(super) struct Drift {
    spec: DelayDrift,
    coins: Coins,
    /// Of the shocks, the latest first; their squares add up to 1.
    weights: Box<[f64]>,
    /// The look that was asked for last, and the delay then.
    latest: Option<(u64, Duration)>,
}

impl Drift {
    /// The drift whose shocks are these coins.
    pub(super) fn new(spec: &DelayDrift, coins: Coins) -> Self {
        let left = libm::exp(-1.0 / f64::from(LOOKS_PER_TAU));
        let raw: Vec<f64> = (0..SHOCKS).map(|age| libm::pow(left, f64::from(age))).collect();
        let length = libm::sqrt(raw.iter().map(|weight| weight * weight).sum());
        let weights = raw.into_iter().map(|weight| weight / length).collect();
        Self { spec: spec.clone(), coins, weights, latest: None }
    }

    /// Returns the delay at `now`.
    pub(super) fn at(&mut self, now: Time) -> Duration {
        let step = (self.spec.tau.get() / LOOKS_PER_TAU).as_micros() as u64;
        let look = now.as_micros() / step;
        if let Some((of, delay)) = self.latest
            && of == look
        {
            return delay;
        }
        // Shocks are numbered so that the first look has had all of its own.
        let newest = look + u64::from(SHOCKS);
        let shock = |age: u64| {
            let moment = Time::from_micros((newest - age).saturating_mul(step));
            normal_quantile(self.coins.unit(DrawPurpose::Drift, moment))
        };
        let value: f64 = (0..).zip(&self.weights).map(|(age, weight)| weight * shock(age)).sum();
        let delay = self.spec.delay.at(normal_cdf(value));
        self.latest = Some((look, delay));
        delay
    }
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::Span;

    use super::*;
    use crate::config::{Distribution, Normal};

    const TAU: Duration = Duration::from_secs(5);

    fn drift(delay: Distribution, index: u64) -> Drift {
        let spec = DelayDrift { delay, tau: Span::secs(5) };
        Drift::new(&spec, Coins::new(1, "link/access/drift", index))
    }

    fn normal() -> Distribution {
        let (mean, sd) = (Span::secs(100), Span::secs(10));
        Distribution::Normal(Normal { mean, sd, min: Span::millis(1) })
    }

    /// 60,000 tau of one lane: about as many independent values, so relative errors of half a percent or so.
    #[test]
    fn it_has_the_configured_shape_and_forgets_with_the_time_constant() {
        let mut drift = drift(normal(), 0);
        let looks = 60_000 * LOOKS_PER_TAU;
        let values: Vec<f64> =
            (0..looks).map(|look| drift.at(Time::ZERO + TAU * look / LOOKS_PER_TAU).as_secs_f64()).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let lagged = |lag: u32| {
            let pairs = values.iter().zip(&values[lag as usize..]);
            pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / values.len() as f64
        };
        let variance = lagged(0);
        assert!((mean - 100.0).abs() < 0.3, "{mean}");
        assert!((variance / 100.0 - 1.0).abs() < 0.03, "{variance}");
        for (taus, expected) in [(1, 0.3679), (2, 0.1353), (4, 0.0183)] {
            let correlation = lagged(taus * LOOKS_PER_TAU) / variance;
            assert!((correlation - expected).abs() < 0.02, "{taus} tau: {correlation}");
        }
    }

    #[test]
    fn it_is_a_function_of_lane_and_time_and_not_of_who_asked_before() {
        let moments: Vec<Time> = (0..500).map(|k| Time::from_millis(k * 777)).collect();
        let (mut often, mut rarely) = (drift(normal(), 0), drift(normal(), 0));
        let all: Vec<Duration> = moments.iter().map(|at| often.at(*at)).collect();
        for k in (0..500).rev().step_by(37) {
            assert_eq!(rarely.at(moments[k]), all[k]);
        }
        let mut other = drift(normal(), 1);
        assert!(moments.iter().zip(&all).all(|(at, delay)| other.at(*at) != *delay), "a lane has its own");
    }

    #[test]
    fn it_holds_for_a_quarter_of_its_time_constant() {
        let mut drift = drift(normal(), 0);
        let first = drift.at(Time::ZERO);
        assert_eq!(drift.at(Time::from_micros(1_249_999)), first);
        assert_ne!(drift.at(Time::from_millis(1_250)), first);
        let bounded = Distribution::Constant(Span::millis(30));
        assert_eq!(self::drift(bounded, 0).at(Time::from_secs(9)), Duration::from_millis(30));
    }
}
