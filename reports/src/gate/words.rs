//! A comparison in words and numbers, for every form in which it is told.

use super::{
    compare::{Comparison, MetricComparison, SEEDS_ADVISED_MAX, SeedPair},
    verdict::Verdict,
};
use crate::number::{counted, short};

/// The columns of every table of metrics.
pub(crate) const COLUMNS: [&str; 7] = ["scenario", "strategy", "metric", "baseline", "now", "change", "allowed"];

/// Returns a value, or that there is none.
pub(crate) fn value(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), short)
}

/// Returns the difference with its interval: in percent of the baseline, or in the metric's unit near zero.
pub(crate) fn change(it: &MetricComparison) -> String {
    let (Some(difference), Some(baseline)) = (it.difference, it.baseline) else {
        return if it.baseline.is_none() { "new" } else { "gone" }.to_owned();
    };
    let (scale, unit) = if in_percent(it) { (100.0 / baseline.abs(), " %") } else { (1.0, "") };
    let signed = |value: f64| match value * scale {
        0.0 => "0".to_owned(),
        negative if negative < 0.0 => format!("-{}", short(-negative)),
        positive => format!("+{}", short(positive)),
    };
    match it.interval {
        Some((low, high)) if low < high => {
            format!("{}{unit} ({} to {})", signed(difference), signed(low), signed(high))
        }
        _ => format!("{}{unit}", signed(difference)),
    }
}

/// Returns the band in the unit of [`change`].
pub(crate) fn allowed(it: &MetricComparison) -> String {
    match it.baseline {
        Some(baseline) if in_percent(it) => format!("{} %", short(100.0 * it.margin / baseline.abs())),
        _ => short(it.margin),
    }
}

/// Returns the part of a change that a headline has: `detect_mean_s +9.8 %`.
pub(crate) fn headline(it: &MetricComparison) -> String {
    let change = change(it);
    let short = change.split(" (").next().unwrap_or(&change);
    format!("{} {short}", it.metric.name())
}

fn in_percent(it: &MetricComparison) -> bool {
    !it.absolute && it.baseline.is_some_and(|baseline| baseline != 0.0)
}

/// Returns what the verdict rests on or what would decide it; `None` where the interval says all.
pub(crate) fn remark(it: &MetricComparison) -> Option<String> {
    match it.verdict {
        Verdict::Regression | Verdict::Improvement | Verdict::Equivalent => None,
        Verdict::Gross => it.worst.map(|SeedPair { seed, baseline, current }| {
            format!("beyond everything seen: {} before and {} now in seed {seed}", short(baseline), short(current))
        }),
        Verdict::Undecided | Verdict::WithinNoise => Some(advice(it)),
    }
}

fn advice(it: &MetricComparison) -> String {
    match it.seeds_to_decide {
        _ if it.baseline.is_none() => "the baseline has no value".to_owned(),
        _ if it.current.is_none() => "there is no value any more".to_owned(),
        _ if it.unpaired > 0 => format!("{} with a value on one side only", counted(it.unpaired as u64, "seed")),
        Some(seeds) => format!("about {seeds} seeds would tell"),
        None if it.interval.is_none() => "one seed tells nothing about chance".to_owned(),
        None => format!("more seeds than are practical would tell (above {SEEDS_ADVISED_MAX})"),
    }
}

/// Returns what was compared, in two sentences at most.
pub(crate) fn overview(comparison: &Comparison) -> String {
    let cells = comparison.cells.len();
    let identical = comparison.cells.iter().filter(|cell| cell.is_identical()).count();
    if identical == cells {
        return format!("{}, identical to the baseline in every run.", counted(cells as u64, "cell"));
    }
    let all = comparison.cells.iter().map(|cell| cell.metrics.len()).sum::<usize>();
    let verdicts = Verdict::ALL.map(|verdict| {
        let count = comparison.count(verdict);
        match verdict {
            Verdict::Regression | Verdict::Improvement => counted(count as u64, verdict.name()),
            Verdict::Gross | Verdict::Undecided | Verdict::WithinNoise | Verdict::Equivalent => {
                format!("{count} {}", verdict.name())
            }
        }
    });
    format!(
        "{}: {identical} identical to the baseline in every run, {} not. Of their {}: {}.",
        counted(cells as u64, "cell"),
        cells - identical,
        counted(all as u64, "metric"),
        verdicts.join(", "),
    )
}

/// Returns the title over all metrics with a verdict.
pub(crate) const fn title(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Regression => "Regressions",
        Verdict::Gross => "Gross: worse than everything seen",
        Verdict::Improvement => "Improvements",
        Verdict::Undecided => "Undecided: worse, and hardly by chance",
        Verdict::WithinNoise => "Within noise",
        Verdict::Equivalent => "Equivalent",
    }
}

/// Returns what a reader has to know besides: each a sentence.
pub(crate) fn notes(comparison: &Comparison) -> Vec<String> {
    let mut notes = Vec::new();
    let measured: Vec<String> = comparison
        .cells
        .iter()
        .filter(|cell| cell.same_trace && !cell.metrics.is_empty())
        .map(|cell| format!("{} in {}", cell.name.strategy, cell.name.scenario))
        .collect();
    if !measured.is_empty() {
        notes.push(format!(
            "Every run went as before and other numbers came of it, so what is measured has changed: {}.",
            some(&measured)
        ));
    }
    let new: Vec<String> =
        comparison.new.iter().map(|name| format!("{} in {}", name.strategy, name.scenario)).collect();
    if !new.is_empty() {
        notes.push(format!("Not in the baseline and not compared: {}. A new baseline takes them in.", some(&new)));
    }
    notes
}

/// Returns a few of many names.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
