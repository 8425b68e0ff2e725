//! How late messages arrive, as a distribution over all that were created: those that never arrived are in it, so that a client
//! that delivers nothing does not look fast.

use cardiogram_results::rows::RunColumn;

use super::{Figure, Looks, STRATEGY_LABEL, cells, sum, tip};
use crate::{
    chart::{Axis, BOUND, Chart, Color, Key, Mark, Scale},
    data::{Cell, ScenarioResults},
    number::{percent, short},
    summary::{CellStats, ScenarioStats},
};

/// The classes of delays, the shortest first, with the column that counts all messages up to their end, and their place in the
/// ramp of colours.
const CLASSES: [(&str, RunColumn, f64); 5] = [
    ("within 1 s", RunColumn::pushes_within_1s, 0.85),
    ("within 10 s", RunColumn::pushes_within_10s, 0.68),
    ("within 1 min", RunColumn::pushes_within_1min, 0.5),
    ("within 10 min", RunColumn::pushes_within_10min, 0.32),
    ("later", RunColumn::pushes_delivered, 0.15),
];
const NEVER: &str = "not at all";

/// Where all strategies deliver this share within a second, there is nothing to see.
const PROMPT: f64 = 0.99;

/// What became of the messages for the devices of one strategy.
struct Delivered<'a> {
    stats: &'a CellStats,
    created: f64,
    /// The share of those created that is in each class.
    shares: [f64; CLASSES.len()],
}

/// Returns the figure; `None` where no messages were created, and where all strategies deliver almost all of them at once.
pub(super) fn figure(scenario: &ScenarioStats, results: &ScenarioResults, _: &Looks) -> Option<Figure> {
    let delivered = |(stats, cell): (_, &Cell)| delivered(stats, cell);
    let mut all: Vec<Delivered<'_>> = cells(scenario, results).into_iter().filter_map(delivered).collect();
    if all.iter().all(|it| it.shares[0] >= PROMPT) {
        return None;
    }
    // Stable: of equal ones the cheaper comes first.
    all.sort_by(|a, b| b.promptness().total_cmp(&a.promptness()));
    let colors = CLASSES.map(|(.., place)| Color::viridis(place)).into_iter().chain([BOUND]);
    let names = || CLASSES.iter().map(|(name, ..)| *name).chain([NEVER]);
    let described: Vec<String> = all.iter().map(|it| format!("{}: {}", it.stats.strategy, it.words())).collect();
    let bars = |(row, it): (u32, &Delivered<'_>)| Mark::Bars {
        row: row.into(),
        parts: it.parts().map(|share| 100.0 * share).zip(colors.clone()).collect(),
        interval: None,
        text: format!("{} of {}", percent(it.delivered()), short(it.created)),
        tip: tip(it.stats, &it.words()),
    };
    Some(Figure {
        suffix: "push",
        caption: "Longer light bars are better; the strategy that delivers soonest first. Of all messages created for devices, over \
                  all seeds, how long after its creation each was delivered; behind each bar the share that was delivered at all, \
                  and how many were created."
            .to_owned(),
        description: format!("{}: how late pushes arrive. {}.", scenario.name, described.join("; ")),
        chart: Chart {
            marks: (0..).zip(&all).map(bars).collect(),
            legend: names().zip(colors.clone()).map(|(name, color)| (name.to_owned(), Key::Patch(color))).collect(),
            ..Chart::new(
                format!("{}: how late pushes arrive", scenario.name),
                Axis::new("share of the messages created (%)", Scale::Linear { min: 0.0, max: 100.0 }),
                Axis::new(STRATEGY_LABEL, Scale::Names(all.iter().map(|it| it.stats.strategy.clone()).collect())),
            )
        },
    })
}

/// Returns what became of a strategy's messages; `None` where there were none, and where results lack the columns.
fn delivered<'a>(stats: &'a CellStats, cell: &Cell) -> Option<Delivered<'a>> {
    let created = sum(cell, RunColumn::pushes_created).filter(|created| *created > 0.0)?;
    let (mut shares, mut before) = ([0.0; CLASSES.len()], 0.0);
    for (share, (_, column, _)) in shares.iter_mut().zip(CLASSES) {
        let until = sum(cell, column)?;
        *share = (until - before) / created;
        before = until;
    }
    Some(Delivered { stats, created, shares })
}

impl Delivered<'_> {
    fn delivered(&self) -> f64 {
        self.shares.iter().sum()
    }

    /// Returns the shares of the classes, then of what never arrived.
    fn parts(&self) -> impl Iterator<Item = f64> {
        let never = (1.0 - self.delivered()).max(0.0);
        self.shares.into_iter().chain([never])
    }

    /// Returns the mean over the classes of how much has arrived by their end.
    fn promptness(&self) -> f64 {
        let until = |end: usize| self.shares[..=end].iter().sum::<f64>();
        (0..CLASSES.len()).map(until).sum()
    }

    fn words(&self) -> String {
        let names = CLASSES.iter().map(|(name, ..)| *name).chain([NEVER]);
        let parts = self.parts().zip(names).filter(|(share, _)| *share > 0.0);
        parts.map(|(share, name)| format!("{} {name}", percent(share))).collect::<Vec<_>>().join(", ")
    }
}
