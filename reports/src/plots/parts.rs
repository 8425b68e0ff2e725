//! The companion of the second headline: what avoidable downtime is made of. A strategy that notices late, one that waits long
//! and one whose attempts fail want different mending.

use super::{Figure, Looks, STRATEGY_LABEL, tip};
use crate::{
    chart::{Axis, Chart, Color, Key, Mark, PALETTE, Scale},
    number::short,
    summary::{CellStats, Downtime, ScenarioStats, better},
};

/// A part: what it is called, how long it is, and its colour.
type Part = (&'static str, fn(&Downtime) -> f64, Color);

/// The parts in the order of the bars.
const PARTS: [Part; 3] = [
    ("unnoticed", |it| it.unnoticed_s_per_day, PALETTE[1]),
    ("waiting", |it| it.waiting_s_per_day, PALETTE[5]),
    ("connecting", |it| it.connecting_s_per_day, PALETTE[0]),
];

/// The axis ends at so many times the median bar, where there are much longer ones: the bars of the good half are to be seen.
const MEDIANS_MAX: f64 = 6.0;
/// What is longer than the axis by less is no reason to cut it off.
const MUCH_LONGER: f64 = 2.0;

/// Returns the figure; `None` where the results do not tell downtime, and where none is avoidable.
pub(super) fn figure(scenario: &ScenarioStats, _: &Looks) -> Option<Figure> {
    let mut known: Vec<&CellStats> = scenario.cells.iter().filter(|cell| cell.downtime.is_some()).collect();
    known.sort_by(|a, b| better(scenario.cost, a, b));
    let known: Vec<(&CellStats, Downtime)> =
        known.into_iter().filter_map(|cell| Some((cell, cell.downtime?))).collect();
    // Ascending, for the best come first.
    let above_zero: Vec<f64> =
        known.iter().map(|(_, it)| it.avoidable_s_per_day).filter(|avoidable| *avoidable > 0.0).collect();
    let (longest, median) = (*above_zero.last()?, above_zero[above_zero.len() / 2]);
    let end = if longest > MUCH_LONGER * MEDIANS_MAX * median { MEDIANS_MAX * median } else { longest };
    let bars = |(row, (cell, downtime)): (u32, &(&CellStats, Downtime))| Mark::Bars {
        row: row.into(),
        parts: PARTS.iter().map(|(_, of, color)| (of(downtime), *color)).collect(),
        // Those of the sum are in the headline; one that reaches beyond the axis would hide the bar.
        interval: None,
        text: text(downtime),
        tip: tip(cell, &words(downtime)),
    };
    let cut = if longest > end { " A bar with a break goes beyond the axis and is drawn in proportion." } else { "" };
    let described: Vec<String> = known.iter().map(|(cell, it)| format!("{}: {}", cell.strategy, words(it))).collect();
    Some(Figure {
        suffix: "parts",
        caption: format!(
            "Shorter is better; the best strategy first, of equal ones the cheaper. Unnoticed: the device believed in a dead \
             session. Waiting: it knew, and made no attempt. Connecting: an attempt was under way, login and queue included. \
             Behind each bar its length in seconds per device-day, and the share of each part in it.{cut}"
        ),
        description: format!("{}: the parts of avoidable downtime. {}.", scenario.name, described.join("; ")),
        chart: Chart {
            marks: (0..).zip(&known).map(bars).collect(),
            legend: PARTS.iter().map(|(name, _, color)| ((*name).to_owned(), Key::Patch(*color))).collect(),
            ..Chart::new(
                format!("{}: what avoidable downtime is made of", scenario.name),
                Axis::new("avoidable downtime (s per device-day)", Scale::Linear { min: 0.0, max: end }),
                Axis::new(STRATEGY_LABEL, Scale::Names(known.iter().map(|(cell, _)| cell.strategy.clone()).collect())),
            )
        },
    })
}

/// Returns the length of a bar and the shares of its parts, such as `12.3: 60 + 30 + 10 %`.
fn text(downtime: &Downtime) -> String {
    let sum = downtime.avoidable_s_per_day;
    if sum <= 0.0 {
        return "0".to_owned();
    }
    let shares: Vec<String> = PARTS.iter().map(|(_, of, _)| format!("{:.0}", 100.0 * of(downtime) / sum)).collect();
    format!("{}: {} %", short(sum), shares.join(" + "))
}

fn words(downtime: &Downtime) -> String {
    let parts: Vec<String> = PARTS.iter().map(|(name, of, _)| format!("{} {name}", short(of(downtime)))).collect();
    format!("{} s a day avoidable: {}", short(downtime.avoidable_s_per_day), parts.join(", "))
}
