//! The comparison: cell by cell equal to the hash, or metric by metric judged over paired seeds by the rule of `verdict`.
//!
//! With d the differences of a metric by seed, the interval is mean(d) +- t sd(d) / sqrt(n), with Student's t for n - 1
//! degrees of freedom at a tail of alpha / (2 m) for m intervals in all (Bonferroni), so that all of them hold together
//! with a chance of 1 - alpha. Differences that are all the same have an interval without length.

use cardiogram_results::metric::Metric;

use super::{
    bands::Bands,
    baseline::{Baseline, Cell, CellName, mean_and_sd, quantiles},
    verdict::{Evidence, SUSPICION, Strictness, Verdict},
};

/// More seeds than this are not practical.
pub(crate) const SEEDS_ADVISED_MAX: u64 = 1_000;
/// A difference that is this share of the values is one of rounding.
const ROUNDING: f64 = 1e-9;

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
    /// Results minus baseline, mean over the seeds with both.
    pub difference: Option<f64>,
    /// The interval of the difference, results minus baseline; `None` with fewer than two pairs.
    pub interval: Option<(f64, f64)>,
    /// What does not matter, in the metric's unit.
    pub margin: f64,
    /// Whether the margin is the band's absolute one.
    pub(crate) absolute: bool,
    /// Seeds with a value on one side only. With any of them there is no good news: who loses the seeds in which he is
    /// slow would look fast.
    pub unpaired: usize,
    /// The value is gone or new in most seeds.
    pub lost: bool,
    /// The seed that became worse most.
    pub worst: Option<SeedPair>,
    /// Of a metric that is undecided or within noise: about how many seeds would tell. `None`: more than are practical.
    pub seeds_to_decide: Option<u64>,
}

/// A metric in one seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeedPair {
    /// Which.
    pub seed: u64,
    /// The baseline's value.
    pub baseline: f64,
    /// The value of the results.
    pub current: f64,
}

impl MetricComparison {
    /// By how many bands it is worse: at least, where that is sure.
    fn severity(&self) -> f64 {
        let worse = match self.verdict {
            Verdict::Gross => self.difference,
            Verdict::Regression
            | Verdict::Undecided
            | Verdict::WithinNoise
            | Verdict::Equivalent
            | Verdict::Improvement => self.interval.map(|(low, _)| low),
        };
        worse.unwrap_or(0.0) / self.margin
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
    /// Returns whether the cell is the same in all that is compared.
    pub fn is_identical(&self) -> bool {
        self.same_trace && self.metrics.is_empty()
    }

    /// Returns its metrics with this verdict.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &MetricComparison> {
        self.metrics.iter().filter(move |it| it.verdict == verdict)
    }

    /// Returns what is worse for sure and exceeds its band most, if there is anything.
    pub(crate) fn worst(&self) -> Option<&MetricComparison> {
        let worse = self.with(Verdict::Regression).chain(self.with(Verdict::Gross));
        worse.max_by(|a, b| a.severity().total_cmp(&b.severity()))
    }
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
    /// Returns how many metrics have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.cells.iter().map(|cell| cell.with(verdict).count()).sum()
    }

    /// Returns how many metrics are worse for sure.
    pub fn worse(&self) -> usize {
        self.count(Verdict::Regression) + self.count(Verdict::Gross)
    }

    /// Returns whether a change is allowed to pass.
    pub fn passes(&self, strictness: Strictness) -> bool {
        !self.cells.iter().flat_map(|cell| &cell.metrics).any(|it| it.verdict.fails(strictness))
    }

    /// Returns the cells in which something is worse for sure, the one that exceeds a band most first; with what exceeds it.
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
    let alpha = bands.alpha() / family.max(1) as f64;
    let (mut proof, mut suspicion) = (quantiles(alpha), quantiles(SUSPICION * alpha));
    let cells = pairs.into_iter().map(|(cell, metrics)| {
        let judge = |pairs| judge(pairs, bands, baseline.first_seed, &mut proof, &mut suspicion);
        let metrics = metrics.iter().map(judge).collect();
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
    /// By seed.
    then: Vec<Option<f64>>,
    /// By seed, as many.
    now: Vec<Option<f64>>,
    /// Place of the seed, baseline, results: of the seeds with both.
    there: Vec<(usize, f64, f64)>,
}

/// Returns the metrics that either side has.
fn paired(then: &Cell, now: &Cell, bands: &Bands) -> Vec<Pairs> {
    let metrics = bands.metrics().filter_map(|metric| {
        let values = |cell: &Cell| cell.metrics.get(&metric).cloned();
        let (then, now) = (values(then), values(now));
        let length = then.as_ref().or(now.as_ref())?.len();
        let (then, now) = (then.unwrap_or_else(|| vec![None; length]), now.unwrap_or_else(|| vec![None; length]));
        let both = then.iter().zip(&now).enumerate();
        let there = both.filter_map(|(place, (then, now))| Some((place, (*then)?, (*now)?))).collect();
        Some(Pairs { metric, then, now, there })
    });
    metrics.collect()
}

fn judge(
    pairs: &Pairs,
    bands: &Bands,
    first_seed: u64,
    proof: &mut impl FnMut(usize) -> f64,
    suspicion: &mut impl FnMut(usize) -> f64,
) -> MetricComparison {
    let Pairs { metric, then, now, there } = pairs;
    let mean = |values: Vec<f64>| (!values.is_empty()).then(|| mean_and_sd(&values).0);
    let side = |pick: fn(&(usize, f64, f64)) -> f64, own: &[Option<f64>]| {
        mean(there.iter().map(pick).collect()).or_else(|| mean(own.iter().flatten().copied().collect()))
    };
    let (baseline, current) = (side(|pair| pair.1, then), side(|pair| pair.2, now));
    let band = bands.of(*metric);
    let relative = band.relative * baseline.unwrap_or(0.0).abs();
    let (margin, absolute) = (relative.max(band.absolute), band.absolute > relative);

    // Sums of decimals miss zero by the last bit.
    let size = there.iter().fold(0.0_f64, |size, (_, then, now)| size.max(then.abs()).max(now.abs()));
    let exact = |value: f64| if value.abs() <= ROUNDING * size { 0.0 } else { value };
    let differences: Vec<f64> = there.iter().map(|(_, then, now)| exact(now - then)).collect();
    let interval = |t: &mut dyn FnMut(usize) -> f64| {
        let (mean, sd) = mean_and_sd(&differences);
        let sd = sd?;
        let half = t(differences.len()) * exact(sd) / (differences.len() as f64).sqrt();
        Some((exact(mean - half), exact(mean + half)))
    };
    let (proof, suspicion) = (interval(proof), interval(suspicion));
    let evidence = Evidence { then, now, margin, is_time: metric.unit() == "s", proof, suspicion };
    let (verdict, unpaired, lost) = (evidence.verdict(), evidence.unpaired(), evidence.is_lost());
    let worst = there.iter().max_by(|a, b| (a.2 - a.1).total_cmp(&(b.2 - b.1)).then(b.0.cmp(&a.0)));
    let is_open = matches!(verdict, Verdict::Undecided | Verdict::WithinNoise) && unpaired == 0;
    MetricComparison {
        metric: *metric,
        verdict,
        baseline,
        current,
        difference: mean(differences.clone()).map(exact),
        interval: proof,
        margin,
        absolute,
        unpaired,
        lost,
        worst: worst.map(|(place, then, now)| SeedPair {
            seed: first_seed + *place as u64,
            baseline: *then,
            current: *now,
        }),
        seeds_to_decide: proof
            .filter(|_| is_open)
            .and_then(|interval| seeds_to_decide(interval, margin, differences.len())),
    }
}

/// About how many seeds would shrink the interval until it no longer contains the end of the band that is nearest to its
/// middle, rounded up to one that is easily said. Its length goes with one over the root of the seeds, and Student's t
/// shrinks too, so that fewer will do.
fn seeds_to_decide((low, high): (f64, f64), margin: f64, seeds: usize) -> Option<u64> {
    let (half, middle) = (0.5 * (high - low), 0.5 * (high + low));
    let shrink = half / (margin - middle.abs()).abs();
    let needed = seeds as f64 * shrink * shrink;
    let step = if needed > 100.0 { 50 } else { 5 };
    let advised = (needed / f64::from(step)).ceil() * f64::from(step);
    (advised <= SEEDS_ADVISED_MAX as f64).then_some(advised as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advised_seeds_shrink_the_interval_to_the_bands_end() {
        // Half as long would do: four times the seeds.
        assert_eq!(seeds_to_decide((-2.0, 2.0), 1.0, 10), Some(40));
        // 22.5.
        assert_eq!(seeds_to_decide((0.0, 6.0), 1.0, 10), Some(25));
        assert_eq!(seeds_to_decide((0.0, 2.0), 1.0, 10), None);
        // 810, and 2,890.
        assert_eq!(seeds_to_decide((-9.0, 9.0), 1.0, 10), Some(850));
        assert_eq!(seeds_to_decide((-17.0, 17.0), 1.0, 10), None);
    }
}
