//! How late messages arrive, those for devices and those of devices, each as a distribution over all that were created: those that
//! never arrived are in it, so that a client that delivers nothing does not look fast.

use cardiogram_results::rows::RunColumn;

use super::{Figure, Looks, STRATEGY_LABEL, cells, sum, tip};
use crate::{
    chart::{Axis, BOUND, Chart, Color, Key, Mark, Scale},
    data::{Cell, ScenarioResults},
    number::{percent, short},
    summary::{CellStats, ScenarioStats},
};

/// The classes of delays, the shortest first, with their place in the ramp of colours.
const CLASSES: [(&str, f64); 5] =
    [("within 1 s", 0.85), ("within 10 s", 0.68), ("within 1 min", 0.5), ("within 10 min", 0.32), ("later", 0.15)];
const NEVER: &str = "not at all";

/// Where all strategies deliver this share within a second, there is nothing to see.
const PROMPT: f64 = 0.99;

/// Messages in one direction.
struct Direction {
    suffix: &'static str,
    /// What is shown of them.
    title: &'static str,
    caption: &'static str,
    created: RunColumn,
    /// The columns that count all messages up to the end of each class.
    until: [RunColumn; CLASSES.len()],
}

const PUSHES: Direction = Direction {
    suffix: "push",
    title: "how late pushes arrive",
    caption: "Longer light bars are better; the strategy that delivers soonest first. Of all messages created for devices, over \
              all seeds, how long after its creation each was delivered; behind each bar the share that was delivered at all, \
              and how many were created.",
    created: RunColumn::pushes_created,
    until: [
        RunColumn::pushes_within_1s,
        RunColumn::pushes_within_10s,
        RunColumn::pushes_within_1min,
        RunColumn::pushes_within_10min,
        RunColumn::pushes_delivered,
    ],
};

const REQUESTS: Direction = Direction {
    suffix: "requests",
    title: "how long requests take",
    caption: "Longer light bars are better; the strategy whose requests are answered soonest first. Of all messages that devices \
              created, over all seeds, how long after its creation each was answered; a request that hangs is in a dark part, one \
              that failed or still waits is in the last. Behind each bar the share that was answered at all, and how many were \
              created.",
    created: RunColumn::messages_created,
    until: [
        RunColumn::messages_within_1s,
        RunColumn::messages_within_10s,
        RunColumn::messages_within_1min,
        RunColumn::messages_within_10min,
        RunColumn::messages_delivered,
    ],
};

/// What became of the messages of one strategy's devices.
struct Delivered<'a> {
    stats: &'a CellStats,
    created: f64,
    /// The share of those created that is in each class.
    shares: [f64; CLASSES.len()],
}

/// Returns the figure; `None` where no messages were created, and where all strategies deliver almost all of them at once.
pub(super) fn pushes(scenario: &ScenarioStats, results: &ScenarioResults, _: &Looks) -> Option<Figure> {
    figure(&PUSHES, scenario, results)
}

/// The same of the messages that devices send.
pub(super) fn requests(scenario: &ScenarioStats, results: &ScenarioResults, _: &Looks) -> Option<Figure> {
    figure(&REQUESTS, scenario, results)
}

fn figure(direction: &Direction, scenario: &ScenarioStats, results: &ScenarioResults) -> Option<Figure> {
    let delivered = |(stats, cell): (_, &Cell)| delivered(direction, stats, cell);
    let mut all: Vec<Delivered<'_>> = cells(scenario, results).into_iter().filter_map(delivered).collect();
    if all.iter().all(|it| it.shares[0] >= PROMPT) {
        return None;
    }
    // Stable: of equal ones the cheaper comes first.
    all.sort_by(|a, b| b.promptness().total_cmp(&a.promptness()));
    let colors = CLASSES.map(|(_, place)| Color::viridis(place)).into_iter().chain([BOUND]);
    let names = || CLASSES.iter().map(|(name, _)| *name).chain([NEVER]);
    let described: Vec<String> = all.iter().map(|it| format!("{}: {}", it.stats.strategy, it.words())).collect();
    let bars = |(row, it): (u32, &Delivered<'_>)| Mark::Bars {
        row: row.into(),
        parts: it.parts().map(|share| 100.0 * share).zip(colors.clone()).collect(),
        interval: None,
        text: format!("{} of {}", percent(it.delivered()), short(it.created)),
        tip: tip(it.stats, &it.words()),
    };
    Some(Figure {
        suffix: direction.suffix,
        caption: direction.caption.to_owned(),
        description: format!("{}: {}. {}.", scenario.name, direction.title, described.join("; ")),
        chart: Chart {
            marks: (0..).zip(&all).map(bars).collect(),
            legend: names().zip(colors.clone()).map(|(name, color)| (name.to_owned(), Key::Patch(color))).collect(),
            ..Chart::new(
                format!("{}: {}", scenario.name, direction.title),
                Axis::new("share of the messages created (%)", Scale::Linear { min: 0.0, max: 100.0 }),
                Axis::new(STRATEGY_LABEL, Scale::Names(all.iter().map(|it| it.stats.strategy.clone()).collect())),
            )
        },
    })
}

/// Returns what became of a strategy's messages; `None` where there were none, and where results lack the columns.
fn delivered<'a>(direction: &Direction, stats: &'a CellStats, cell: &Cell) -> Option<Delivered<'a>> {
    let created = sum(cell, direction.created).filter(|created| *created > 0.0)?;
    let (mut shares, mut before) = ([0.0; CLASSES.len()], 0.0);
    for (share, column) in shares.iter_mut().zip(direction.until) {
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
        let names = CLASSES.iter().map(|(name, _)| *name).chain([NEVER]);
        let parts = self.parts().zip(names).filter(|(share, _)| *share > 0.0);
        parts.map(|(share, name)| format!("{} {name}", percent(share))).collect::<Vec<_>>().join(", ")
    }
}
