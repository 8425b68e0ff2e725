//! What compares strategies of a scenario: each with one reference, on the same seeds, and all together with the bound.

use super::{
    CellStats, LEVEL,
    bound::Bound,
    cell::{self, Replications},
};
use crate::{
    data::Cell,
    statistics::{
        bootstrap::{Interval, Replicated},
        holm::holm,
        hypervolume::share_of_bound,
        sign_flip,
    },
};

/// A logarithm has no zero: a latency of less than a millisecond counts as one.
const LATENCY_MIN_S: f64 = 0.001;

/// A strategy against another in the same worlds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    /// Packets per device-hour.
    pub(crate) packets: Paired,
    /// Mean detection latency in seconds; `None` unless both are known.
    pub(crate) detect_mean_s: Option<Paired>,
    /// False alarms per device-day.
    pub(crate) false_alarms: Paired,
}

/// One number of a strategy against the same number of another. Both are worked out on the same resamples of the seeds, so
/// that what the worlds have in common cancels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Paired {
    /// This one minus the other: negative is less than the other has.
    pub(crate) difference: f64,
    pub(crate) difference_interval: Option<Interval>,
    /// This one by the other; `None` where one is zero.
    pub(crate) ratio: Option<f64>,
    /// That of the logarithm, turned back.
    pub(crate) ratio_interval: Option<Interval>,
    /// Of the difference's being 0, two-sided, by flipping signs; `None` with one seed.
    pub(crate) p: Option<f64>,
    /// The same after Holm's adjustment for all strategies of the scenario that were compared with the reference.
    pub(crate) p_holm: Option<f64>,
}

impl Paired {
    fn new(this: &Replicated, other: &Replicated) -> Self {
        let difference = this.with(other, |this, other| this - other);
        let logarithm = this.with(other, |this, other| libm::log(this / other));
        let back = |Interval { low, high }| Interval { low: libm::exp(low), high: libm::exp(high) };
        Self {
            difference: difference.estimate,
            difference_interval: difference.interval(LEVEL),
            ratio: logarithm.estimate.is_finite().then(|| this.estimate / other.estimate),
            ratio_interval: logarithm.interval(LEVEL).map(back),
            p: sign_flip::p_value(&difference),
            p_holm: None,
        }
    }
}

/// Compares each of `cells` with the one at `reference`. All three are in the same order.
pub(super) fn with_reference(cells: &mut [CellStats], runs: &[Cell], replications: &[Replications], reference: usize) {
    let is_known = |cell: &CellStats| cell.point().is_some();
    let reference_is_known = is_known(&cells[reference]);
    let (other, seeds) = (&replications[reference], cell::seeds(&runs[reference]));
    for (index, (cell, this)) in cells.iter_mut().zip(replications).enumerate() {
        let is_paired = index != reference && cell::seeds(&runs[index]) == seeds;
        cell.versus_reference = is_paired.then(|| Comparison {
            packets: Paired::new(&this.packets, &other.packets),
            detect_mean_s: (is_known(cell) && reference_is_known)
                .then(|| Paired::new(&this.detect_mean, &other.detect_mean)),
            false_alarms: Paired::new(&this.false_alarms, &other.false_alarms),
        });
    }
    adjust(cells, |it| Some(&mut it.packets));
    adjust(cells, |it| it.detect_mean_s.as_mut());
    adjust(cells, |it| Some(&mut it.false_alarms));
}

/// Adjusts the p-values of one number for all strategies that have it.
fn adjust(cells: &mut [CellStats], of: impl Fn(&mut Comparison) -> Option<&mut Paired>) {
    let compared = cells.iter_mut().filter_map(|cell| cell.versus_reference.as_mut());
    let mut compared: Vec<&mut Paired> = compared.filter_map(of).filter(|it| it.p.is_some()).collect();
    let p: Vec<f64> = compared.iter().filter_map(|it| it.p).collect();
    for (it, adjusted) in compared.iter_mut().zip(holm(&p)) {
        it.p_holm = Some(adjusted);
    }
}

/// How much of what the bound allows the strategies of a scenario together reach, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hypervolume {
    pub(crate) share: f64,
    pub(crate) interval: Option<Interval>,
}

/// Of the strategies with a known mean latency; `None` where there is none, or no bound.
pub(super) fn hypervolume(cells: &[CellStats], replications: &[Replications], bound: Bound) -> Option<Hypervolume> {
    let Bound::Holds { availability } = bound else { return None };
    let known: Vec<&Replications> =
        cells.iter().zip(replications).filter(|(cell, _)| cell.point().is_some()).map(|(_, it)| it).collect();
    let first = known.first()?;
    let share = |pick: &dyn Fn(&Replicated) -> f64| {
        let points = known.iter().map(|it| (pick(&it.packets), pick(&it.detect_mean).max(LATENCY_MIN_S)));
        // `max` makes a number of what is none: a strategy without packets or latency has no place.
        let points: Vec<_> = points.filter(|point| point.0 > 0.0 && point.1.is_finite()).collect();
        share_of_bound(&points, 3_600.0 * availability).unwrap_or(f64::NAN)
    };
    let estimate = share(&|it| it.estimate);
    // Strategies that ran on different seeds have no resamples in common.
    let is_paired = known.iter().all(|it| it.packets.replicates == first.packets.replicates);
    let each = |count: usize, pick: fn(&Replicated, usize) -> f64| {
        (0..if is_paired { count } else { 0 }).map(|index| share(&|it| pick(it, index))).collect()
    };
    let replicated = Replicated {
        replicates: first.packets.replicates,
        estimate,
        jackknife: each(first.packets.jackknife.len(), |it, index| it.jackknife[index]),
        resamples: each(first.packets.resamples.len(), |it, index| it.resamples[index]),
    };
    estimate.is_finite().then(|| Hypervolume { share: estimate, interval: replicated.interval(LEVEL) })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        data, fixture,
        statistics::bootstrap::{Bootstrap, Lanes},
        statistics::weighted,
        summary::{Reference, Summary, summarize},
    };

    /// Strategies `b`, `a` and `twin` in a scenario of 100 s and 8 seeds, which lists `a` first. `twin` does what `a`
    /// does; `b` sends 20 packets an hour fewer and takes 1.5 times as long, the same in every world.
    fn three() -> Summary {
        three_in(None)
    }

    /// Returns the same three in a scenario that names a reference or not.
    fn three_in(reference: Option<&str>) -> Summary {
        let (mut runs, mut episodes) = (Vec::new(), Vec::new());
        for seed in 1..=8_u32 {
            let (packets, latency) = (100 + seed * seed, f64::from(seed % 4 + 1));
            for (strategy, packets, latency) in
                [("a", packets, latency), ("b", packets - 20, 1.5 * latency), ("twin", packets, latency)]
            {
                runs.push(format!("w,{strategy},{seed},event,1,1,1,0,0,0,,,,,,0.5,{packets},0,9,9,5,1,00"));
                episodes.push(format!("w,{strategy},{seed},0,cut,10,60,detected,heartbeat,{latency},50"));
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
        let episodes: Vec<&str> = episodes.iter().map(String::as_str).collect();
        fixture::write_rows(dir.path(), &["w"], &["a", "b", "twin"], 100.0, &runs, &episodes);
        if let Some(reference) = reference {
            let path = dir.path().join("manifest.json");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.replacen("\"hash\"", &format!("\"reference\": \"{reference}\", \"hash\""), 1))
                .unwrap();
        }
        summarize(&data::read(dir.path()).unwrap(), None)
    }

    fn cell<'a>(summary: &'a Summary, strategy: &str) -> &'a CellStats {
        summary.scenarios[0].cells.iter().find(|cell| cell.strategy == strategy).unwrap()
    }

    #[test]
    fn the_reference_is_the_one_that_the_scenario_names_if_it_ran() {
        let chosen = |reference| {
            let scenario = three_in(reference).scenarios.remove(0);
            (scenario.reference, scenario.reference_is)
        };
        assert_eq!(chosen(Some("b")), ("b".to_owned(), Reference::Named));
        // One that did not run.
        assert_eq!(chosen(Some("c")), ("a".to_owned(), Reference::First));
        assert_eq!(cell(&three_in(Some("b")), "b").versus_reference, None);
    }

    #[test]
    fn what_the_worlds_have_in_common_cancels() {
        let summary = three();
        assert_eq!(summary.scenarios[0].reference, "a");
        assert_eq!(cell(&summary, "a").versus_reference, None);
        let b = cell(&summary, "b");
        // Its own packets vary from 81 to 144; the difference does not at all.
        assert!(b.packets_interval.unwrap().high - b.packets_interval.unwrap().low > 20.0);
        let packets = &b.versus_reference.as_ref().unwrap().packets;
        let interval = packets.difference_interval.unwrap();
        assert!([packets.difference, interval.low, interval.high].iter().all(|it| (it + 20.0).abs() < 1e-9));
        // The mean latency is 2.5, of b 1.5 times as much.
        let latency = b.versus_reference.as_ref().unwrap().detect_mean_s.as_ref().unwrap();
        assert!((latency.difference - 1.25).abs() < 1e-9);
        let interval = latency.ratio_interval.unwrap();
        assert!([latency.ratio.unwrap(), interval.low, interval.high].iter().all(|it| (it - 1.5).abs() < 1e-9));
        // Eight seeds agree: 2 in 2^8, twice that for two strategies.
        assert_eq!((latency.p, latency.p_holm), (Some(2.0 / 256.0), Some(4.0 / 256.0)));
    }

    #[test]
    fn a_twin_differs_by_exactly_nothing() {
        let summary = three();
        let twin = cell(&summary, "twin").versus_reference.as_ref().unwrap();
        let zero = Some(Interval { low: 0.0, high: 0.0 });
        for it in [&twin.packets, twin.detect_mean_s.as_ref().unwrap(), &twin.false_alarms] {
            assert_eq!((it.difference, it.difference_interval, it.p, it.p_holm), (0.0, zero, Some(1.0), Some(1.0)));
        }
        assert_eq!((twin.packets.ratio, twin.false_alarms.ratio), (Some(1.0), None));
    }

    #[test]
    fn the_hypervolume_is_the_share_of_what_the_bound_leaves() {
        let summary = three();
        let hypervolume = summary.scenarios[0].hypervolume.unwrap();
        // Packets 100 + 204 / 8 = 125.5 at 2.5 s, 105.5 at 3.75 s; availability 1/2; worst 3600 and 3600.
        let log = libm::log10;
        let area = log(3600.0 / 125.5) * log(3600.0 / 2.5) + log(125.5 / 105.5) * log(3600.0 / 3.75);
        let leg = log(3600.0 * 3600.0 / (3600.0 * 0.5));
        assert!((hypervolume.share - area / (leg * leg / 2.0)).abs() < 1e-9, "{hypervolume:?}");
        let interval = hypervolume.interval.unwrap();
        assert!(interval.low < hypervolume.share && hypervolume.share < interval.high, "{hypervolume:?}");
    }

    #[test]
    fn other_seeds_are_another_world_and_not_compared() {
        let dir = tempfile::tempdir().unwrap();
        let runs = [
            "w,s,1,event,1,0,0,0,0,0,,,,,,1,1,1,1,1,1,1,00",
            "w,s,2,event,1,0,0,0,0,0,,,,,,1,1,1,1,1,1,1,00",
            "w,t,1,event,1,0,0,0,0,0,,,,,,1,1,1,1,1,1,1,00",
            "w,t,3,event,1,0,0,0,0,0,,,,,,1,1,1,1,1,1,1,00",
        ];
        fixture::write_rows(dir.path(), &["w"], &["s", "t"], 100.0, &runs, &[]);
        let summary = summarize(&data::read(dir.path()).unwrap(), None);
        assert!(summary.scenarios[0].cells.iter().all(|cell| cell.versus_reference.is_none()));
    }

    proptest! {
        #[test]
        fn a_strategy_compared_with_itself_differs_by_exactly_zero(values in prop::collection::vec(0.1..1e6_f64, 1..30)) {
            let of = |weights: &[Lanes]| {
                let rows: Vec<[f64; 2]> = values.iter().map(|&value| [value, 1.0]).collect();
                let [sum, count] = weighted::sums(&rows, weights);
                vec![weighted::ratio(&sum, &count)]
            };
            let it = &Bootstrap::new(values.len()).evaluate(of)[0];
            let paired = Paired::new(it, it);
            prop_assert_eq!((paired.difference, paired.ratio), (0.0, Some(1.0)));
            let several = values.len() > 1;
            prop_assert_eq!(paired.difference_interval, several.then_some(Interval { low: 0.0, high: 0.0 }));
            prop_assert_eq!(paired.ratio_interval, several.then_some(Interval { low: 1.0, high: 1.0 }));
            prop_assert_eq!(paired.p, several.then_some(1.0));
        }
    }
}
