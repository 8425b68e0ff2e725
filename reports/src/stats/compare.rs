//! What compares strategies of a scenario: each with one reference, on the same seeds, and all together with the bound.

use super::{
    CellStats, LEVEL,
    cell::{self, Replications},
};
use crate::{
    bootstrap::{Interval, Replicated},
    bound::Bound,
    data::Cell,
    statistics::{holm::holm, hypervolume::share_of_bound, sign_flip},
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
