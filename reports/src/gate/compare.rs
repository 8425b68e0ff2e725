//! The comparison: cell by cell equal to the hash, or metric by metric judged over paired seeds.
//!
//! With d the differences of a metric by seed, the interval is mean(d) +- t sd(d) / sqrt(n), with Student's t for n - 1
//! degrees of freedom at a tail of alpha / (2 m) for m intervals in all (Bonferroni), so that all of them hold together
//! with a chance of 1 - alpha. Differences that are all the same have an interval without length.

use cardiogram_results::metric::Metric;

use super::{
    bands::Bands,
    baseline::{Baseline, Cell, CellName, mean_and_sd, quantiles},
};

/// Fewer seeds than this, and the spread that the intervals rest on is hardly known.
pub(crate) const FEW_SEEDS: u64 = 5;
/// More seeds than this are no advice.
const SEEDS_ADVISED_MAX: f64 = 10_000.0;

/// What may be said of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Worse by more than the band, for sure.
    Regression,
    /// Better by more than the band, for sure.
    Improvement,
    /// Within the band, for sure.
    Equivalent,
    /// These seeds do not tell.
    Undecided,
}

/// A metric of a cell on both sides. Values are costs: more is worse.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricComparison {
    /// Which.
    pub metric: Metric,
    /// What may be said.
    pub verdict: Verdict,
    /// The baseline's mean: over the seeds with a value on both sides, or over its own where there are none. `None`: it has
    /// no value.
    pub baseline: Option<f64>,
    /// The same of the results.
    pub current: Option<f64>,
    /// The interval of the difference, results minus baseline; `None` with fewer than two pairs.
    pub interval: Option<(f64, f64)>,
    /// What does not matter, in the metric's unit.
    pub margin: f64,
    /// Whether the margin is the band's absolute one.
    pub(crate) absolute: bool,
    /// Seeds with a value on one side only. With any of them there is no good news: who loses the seeds in which he is
    /// slow would look fast.
    pub unpaired: usize,
    /// The seed that became worse most.
    pub worst_seed: Option<u64>,
    /// Of an undecided metric: about how many seeds would tell.
    pub seeds_to_decide: Option<u64>,
}

impl MetricComparison {
    /// Results minus baseline.
    pub fn difference(&self) -> Option<f64> {
        Some(self.current? - self.baseline?)
    }

    /// By how many bands it is worse at least.
    fn severity(&self) -> f64 {
        self.interval.map_or(0.0, |(low, _)| low / self.margin)
    }
}

/// A cell on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct CellComparison {
    /// Which.
    pub name: CellName,
    /// Every run has the same trace hash as before.
    pub same_trace: bool,
    /// The strategy's file is another one than that of the baseline.
    pub strategy_changed: bool,
    /// What differs, metric by metric; empty where the cell is the same in all that is compared.
    pub metrics: Vec<MetricComparison>,
}

impl CellComparison {
    /// Whether the cell is the same in all that is compared.
    pub fn is_identical(&self) -> bool {
        self.same_trace && self.metrics.is_empty()
    }

    /// Its metrics with this verdict.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &MetricComparison> {
        self.metrics.iter().filter(move |it| it.verdict == verdict)
    }

    /// The regression that exceeds its band most, if there is one.
    pub(crate) fn worst(&self) -> Option<&MetricComparison> {
        self.with(Verdict::Regression).max_by(|a, b| a.severity().total_cmp(&b.severity()))
    }
}

/// How many metrics have each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// [`Verdict::Regression`].
    pub regressions: usize,
    /// [`Verdict::Improvement`].
    pub improvements: usize,
    /// [`Verdict::Equivalent`].
    pub equivalent: usize,
    /// [`Verdict::Undecided`].
    pub undecided: usize,
}

/// Results compared with a baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The cells of the baseline, by name.
    pub cells: Vec<CellComparison>,
    /// Cells that the baseline does not have, by name: not compared.
    pub new: Vec<CellName>,
    /// How many intervals hold together.
    pub family: usize,
    /// The chance that they do not.
    pub alpha: f64,
    /// How many seeds each cell has.
    pub seeds: u64,
}

impl Comparison {
    /// How many metrics have each verdict.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for metric in self.cells.iter().flat_map(|cell| &cell.metrics) {
            match metric.verdict {
                Verdict::Regression => counts.regressions += 1,
                Verdict::Improvement => counts.improvements += 1,
                Verdict::Equivalent => counts.equivalent += 1,
                Verdict::Undecided => counts.undecided += 1,
            }
        }
        counts
    }

    /// Whether a change is allowed to pass: nothing became worse and, where that is asked for, everything is decided.
    pub fn passes(&self, strict: bool) -> bool {
        let counts = self.counts();
        counts.regressions == 0 && !(strict && counts.undecided > 0)
    }

    /// The cells with regressions, the one that exceeds a band most first; with what exceeds it.
    pub fn worst_cells(&self) -> Vec<(&CellComparison, &MetricComparison)> {
        let mut cells: Vec<_> = self.cells.iter().filter_map(|cell| Some((cell, cell.worst()?))).collect();
        cells.sort_by(|(_, a), (_, b)| b.severity().total_cmp(&a.severity()));
        cells
    }
}

/// Compares `current` with `baseline`, which [`super::check`] must have found comparable.
pub fn compare(baseline: &Baseline, current: &Baseline, bands: &Bands) -> Comparison {
    let mut pairs: Vec<(CellComparison, Vec<Pairs>)> = Vec::new();
    for (name, then) in &baseline.cells {
        let now = &current.cells[name];
        let cell = CellComparison {
            name: name.clone(),
            same_trace: then.digest == now.digest,
            strategy_changed: baseline.strategies.get(&name.strategy) != current.strategies.get(&name.strategy),
            metrics: Vec::new(),
        };
        // The same run measured in the same way is the same; a trace alone does not say how it was measured.
        let of = |it: &Cell| bands.metrics().map(|metric| it.metrics.get(&metric).cloned()).collect::<Vec<_>>();
        let metrics = if cell.same_trace && of(then) == of(now) { Vec::new() } else { paired(then, now, bands) };
        pairs.push((cell, metrics));
    }
    let family = pairs.iter().flat_map(|(_, metrics)| metrics).filter(|it| it.there.len() >= 2).count();
    let mut t = quantiles(bands.alpha() / family.max(1) as f64);
    let cells = pairs.into_iter().map(|(cell, metrics)| {
        let metrics = metrics.iter().map(|pairs| judge(pairs, bands, baseline.first_seed, &mut t)).collect();
        CellComparison { metrics, ..cell }
    });
    Comparison {
        cells: cells.collect(),
        new: current.cells.keys().filter(|name| !baseline.cells.contains_key(name)).cloned().collect(),
        family,
        alpha: bands.alpha(),
        seeds: baseline.seeds,
    }
}

/// A metric's values on both sides.
struct Pairs {
    metric: Metric,
    /// Place of the seed, baseline, results: of the seeds with both.
    there: Vec<(usize, f64, f64)>,
    /// Means of each side's own values, for where there is no pair.
    own: (Option<f64>, Option<f64>),
    unpaired: usize,
}

/// The metrics that either side has.
fn paired(then: &Cell, now: &Cell, bands: &Bands) -> Vec<Pairs> {
    let metrics = bands.metrics().filter_map(|metric| {
        let values = |cell: &Cell| cell.metrics.get(&metric).cloned();
        let (then, now) = (values(then), values(now));
        if then.is_none() && now.is_none() {
            return None;
        }
        let length = then.as_ref().or(now.as_ref()).map_or(0, Vec::len);
        let (then, now) = (then.unwrap_or_else(|| vec![None; length]), now.unwrap_or_else(|| vec![None; length]));
        let both = then.iter().zip(&now).enumerate();
        let there: Vec<_> = both.filter_map(|(place, (then, now))| Some((place, (*then)?, (*now)?))).collect();
        let mean = |values: &[Option<f64>]| {
            let own: Vec<f64> = values.iter().flatten().copied().collect();
            (!own.is_empty()).then(|| mean_and_sd(&own).0)
        };
        let unpaired = then.iter().zip(&now).filter(|(then, now)| then.is_some() != now.is_some()).count();
        Some(Pairs { metric, there, own: (mean(&then), mean(&now)), unpaired })
    });
    metrics.collect()
}

fn judge(pairs: &Pairs, bands: &Bands, first_seed: u64, t: &mut impl FnMut(usize) -> f64) -> MetricComparison {
    let Pairs { metric, there, own, unpaired } = pairs;
    let side = |pick: fn(&(usize, f64, f64)) -> f64| {
        (!there.is_empty()).then(|| mean_and_sd(&there.iter().map(pick).collect::<Vec<_>>()).0)
    };
    let baseline = side(|pair| pair.1).or(own.0);
    let current = side(|pair| pair.2).or(own.1);
    let band = bands.of(*metric);
    let relative = band.relative * baseline.unwrap_or(0.0).abs();
    let (margin, absolute) = (relative.max(band.absolute), band.absolute > relative);

    let differences: Vec<f64> = there.iter().map(|(_, then, now)| now - then).collect();
    let interval = (differences.len() >= 2).then(|| {
        let (mean, sd) = mean_and_sd(&differences);
        let sd = sd.expect("there are two");
        let half = t(differences.len()) * sd / (differences.len() as f64).sqrt();
        (mean - half, mean + half)
    });
    let verdict = verdict(interval, margin, *unpaired);
    let worst = there.iter().max_by(|a, b| (a.2 - a.1).total_cmp(&(b.2 - b.1)).then(b.0.cmp(&a.0)));
    MetricComparison {
        metric: *metric,
        verdict,
        baseline,
        current,
        interval,
        margin,
        absolute,
        unpaired: *unpaired,
        worst_seed: worst.map(|(place, ..)| first_seed + *place as u64),
        seeds_to_decide: interval
            .filter(|_| verdict == Verdict::Undecided && *unpaired == 0)
            .and_then(|interval| seeds_to_decide(interval, margin, differences.len())),
    }
}

fn verdict(interval: Option<(f64, f64)>, margin: f64, unpaired: usize) -> Verdict {
    match interval {
        Some((low, _)) if low > margin => Verdict::Regression,
        _ if unpaired > 0 => Verdict::Undecided,
        Some((_, high)) if high < -margin => Verdict::Improvement,
        Some((low, high)) if low >= -margin && high <= margin => Verdict::Equivalent,
        _ => Verdict::Undecided,
    }
}

/// About how many seeds would shrink the interval until it no longer contains the end of the band that is nearest to its
/// middle. Its length goes with one over the root of the seeds, and Student's t shrinks too, so that fewer will do.
fn seeds_to_decide((low, high): (f64, f64), margin: f64, seeds: usize) -> Option<u64> {
    let (half, middle) = (0.5 * (high - low), 0.5 * (high + low));
    let shrink = half / (margin - middle.abs()).abs();
    let needed = (seeds as f64 * shrink * shrink).ceil();
    (needed <= SEEDS_ADVISED_MAX).then_some(needed as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_follows_from_interval_and_band() {
        use Verdict::{Equivalent, Improvement, Regression, Undecided};
        let cases = [
            ((1.1, 3.0), Regression),
            ((1.0, 3.0), Undecided),
            ((-1.0, 1.0), Equivalent),
            ((0.5, 0.5), Equivalent),
            ((-1.1, 0.0), Undecided),
            ((-3.0, -1.1), Improvement),
            ((-9.0, 9.0), Undecided),
        ];
        for (interval, expected) in cases {
            assert_eq!(verdict(Some(interval), 1.0, 0), expected, "{interval:?}");
        }
        assert_eq!(verdict(None, 1.0, 0), Undecided);
    }

    #[test]
    fn seeds_without_a_partner_never_make_good_news() {
        assert_eq!(verdict(Some((-3.0, -2.0)), 1.0, 1), Verdict::Undecided);
        assert_eq!(verdict(Some((0.0, 0.0)), 1.0, 1), Verdict::Undecided);
        assert_eq!(verdict(Some((2.0, 3.0)), 1.0, 1), Verdict::Regression);
    }

    #[test]
    fn the_advised_seeds_shrink_the_interval_to_the_bands_end() {
        // Half as long would do: four times the seeds.
        assert_eq!(seeds_to_decide((-2.0, 2.0), 1.0, 10), Some(40));
        assert_eq!(seeds_to_decide((0.0, 6.0), 1.0, 10), Some(23));
        assert_eq!(seeds_to_decide((0.0, 2.0), 1.0, 10), None);
    }
}
