//! An interval for a quantile of times of which some were not watched to their end.
//!
//! Where all were, it runs from one order statistic to another ([`super::order`]), for as many observations as those of
//! shared worlds are worth: their number by the design effect, the factor by which the clustered variance of the curve at
//! the quantile exceeds the other (Korn, Graubard, "Confidence intervals for proportions with small expected number of
//! positive counts estimated from survey data", Survey Methodology 24, 1998). Where some were not, it holds the times at
//! which the curve's band is at the quantile (Brookmeyer, Crowley, "A confidence interval for the median survival time",
//! Biometrics 38, 1982).
//!
//! `None` rather than a guess where the data cannot tell an end.

use super::{
    bca::Interval,
    incidence::{End, Incidence, Subject, replicates},
    order,
};

/// Returns the interval of the time by which a share `q` has happened. `subjects` have no competing events; `curve` is theirs,
/// with the band of `level`.
pub(crate) fn interval(subjects: &[Subject], curve: &Incidence, q: f64, level: f64) -> Option<Interval> {
    if replicates(subjects) < 2 {
        return None;
    }
    if subjects.iter().any(|subject| subject.end == End::Censored) {
        let reaches = |of: fn(Interval) -> f64| {
            Some(curve.steps.iter().find(|step| step.band.is_some_and(|band| of(band) >= q - 1e-12))?.time)
        };
        return Some(Interval { low: reaches(|band| band.high)?, high: reaches(|band| band.low)? });
    }
    let mut times: Vec<f64> = subjects.iter().flat_map(|it| vec![it.time; it.count as usize]).collect();
    times.sort_by(f64::total_cmp);
    let worth = effective(times.len(), replicates(subjects), curve, q);
    let (low, high) = order::ranks(worth as u64, q, level)?;
    // Each of so many stands for several of all; from the first of those to the last.
    let low = (low as usize - 1) * times.len() / worth + 1;
    let high = (high as usize * times.len()).div_ceil(worth);
    Some(Interval { low: times[low - 1], high: times[high - 1] })
}

/// Returns how many independent observations `n` of so many replicates are worth at the quantile `q`.
fn effective(n: usize, replicates: usize, curve: &Incidence, q: f64) -> usize {
    if n == replicates {
        return n;
    }
    // The last step that does not exceed the quantile; the one after it may be the end of the curve.
    let at = curve.steps.iter().rfind(|step| step.value <= q + 1e-12);
    let effect = at.and_then(|step| Some(step.variance_clustered? / step.variance));
    match effect {
        Some(effect) if effect.is_finite() => ((n as f64 / effect.max(1.0) + 1e-9) as usize).clamp(1, n),
        _ => replicates,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval_of(subjects: &[Subject], q: f64) -> Option<Interval> {
        let curve = Incidence::estimate(subjects.to_vec(), 0.95).unwrap();
        interval(subjects, &curve, q, 0.95)
    }

    fn subject(time: f64, end: End, replicate: u32) -> Subject {
        Subject { time, end, replicate, count: 1 }
    }

    #[test]
    fn of_ten_independent_times_the_second_and_the_ninth_enclose_the_median() {
        let subjects: Vec<_> = (1..=10).map(|time| subject(f64::from(time), End::Event, time)).collect();
        assert_eq!(interval_of(&subjects, 0.5), Some(Interval { low: 2.0, high: 9.0 }));
        assert_eq!(interval_of(&subjects, 0.95), None);
    }

    #[test]
    fn the_95th_percentile_takes_59() {
        let subjects: Vec<_> = (1..=59).map(|time| subject(f64::from(time), End::Event, time)).collect();
        assert_eq!(interval_of(&subjects[..58], 0.95), None);
        assert_eq!(interval_of(&subjects, 0.95).map(|it| it.high), Some(59.0));
    }

    #[test]
    fn copies_in_one_world_are_worth_one() {
        // 10 worlds of 100 devices that all see the same.
        let subjects: Vec<_> = (0..1_000).map(|it| subject(f64::from(it % 10), End::Event, it % 10)).collect();
        assert_eq!(interval_of(&subjects, 0.95), None);
        let median = interval_of(&subjects, 0.5).unwrap();
        assert!(median.low <= 1.0 && median.high >= 8.0, "{median:?}");
    }

    #[test]
    fn times_in_one_world_that_know_nothing_of_each_other_are_worth_as_many() {
        // Every world has the same spread of times: no world is slower than another.
        let subjects: Vec<_> = (0..1_000).map(|it| subject(f64::from(it / 10), End::Event, it % 10)).collect();
        let median = interval_of(&subjects, 0.5).unwrap();
        // Normal theory: 500 +- 31 of 1000 observations, ten at each time.
        assert!((median.low - 46.0).abs() <= 1.0 && (median.high - 53.0).abs() <= 1.0, "{median:?}");
    }

    #[test]
    fn with_censoring_the_band_is_inverted() {
        // The drug group of Freireich et al. (1963): the log-log interval of the median is 13 to (not reached).
        let events = [6.0, 6.0, 6.0, 7.0, 10.0, 13.0, 16.0, 22.0, 23.0].map(|time| (time, End::Event));
        let censored = [6.0, 9.0, 10.0, 11.0, 17.0, 19.0, 20.0, 25.0, 32.0, 32.0, 34.0, 35.0];
        let all = events.into_iter().chain(censored.map(|time| (time, End::Censored)));
        let subjects: Vec<_> = (0..).zip(all).map(|(replicate, (time, end))| subject(time, end, replicate)).collect();
        assert_eq!(interval_of(&subjects, 0.5), None);
        // A quarter: at most 10 (0.503 is below 0.75 there first at 6), and at least by 23 (0.680).
        let quarter = interval_of(&subjects, 0.25).unwrap();
        assert_eq!(quarter, Interval { low: 6.0, high: 23.0 });
    }

    #[test]
    fn one_replicate_tells_nothing_of_others() {
        let subjects: Vec<_> = (1..=100).map(|time| subject(f64::from(time), End::Event, 0)).collect();
        assert_eq!(interval_of(&subjects, 0.5), None);
    }
}
