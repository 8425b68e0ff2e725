//! What the plots mean, one file a plot: from numbers to a chart, with the words that belong to it.
//!
//! A plot that would say nothing of a scenario is not made. How charts are laid out and drawn is not the business here: see
//! [`crate::chart`].

mod by_cause;
mod costs;
mod downtime;
mod energy;
mod front;
mod heat_map;
mod learning;
mod lines;
mod looks;
mod packets;
mod parts;
mod pick;
mod points;
mod push;
mod storm;
mod survival;
#[cfg(test)]
mod tests;
mod trade_off;

use cardiogram_results::rows::RunColumn;

use crate::{
    chart::{Chart, KEEP_ALIVE, Key, Mark, Stroke, Tip, in_unit},
    data::{Cell, ScenarioResults},
    number::short,
    summary::{CellStats, ScenarioStats, bound::KeepAlive},
};

pub(crate) use self::{
    heat_map::{HeatMap, Kind, Side, heat_map},
    lines::{Line, LinePlot, lines},
    looks::Looks,
    points::{AxisScale, points},
};

const KEEP_ALIVE_LINE: Stroke = Stroke { color: KEEP_ALIVE, width: 1.5, dash: Some((3.0, 4.0)) };

/// A logarithmic axis has no zero: a time of less than a millisecond is drawn as one.
const TIME_MIN_S: f64 = 0.001;

const PACKETS_LABEL: &str = "packets per device-hour (both directions)";
const ENERGY_LABEL: &str = "energy of the radio (J per device-hour)";
const STRATEGY_LABEL: &str = "strategy";

/// The ends of the names of the two plots that a scenario is summed up by.
pub(crate) const HEADLINES: [&str; 2] = ["", "downtime"];

/// A plot with its words.
#[derive(Debug)]
pub(crate) struct Figure {
    /// What its file's name has after the scenario's; empty for the first headline plot.
    pub(crate) suffix: &'static str,
    pub(crate) chart: Chart,
    /// How to read it, for the text below it.
    pub(crate) caption: String,
    /// What it shows, for those who do not see it.
    pub(crate) description: String,
}

/// Returns all plots of a scenario that say something, in reading order: the two headlines, what downtime is made of, how long
/// breaks went unnoticed, what broke, what it cost, and what happened over time.
pub(crate) fn all(scenario: &ScenarioStats, results: &ScenarioResults, looks: &Looks) -> Vec<Figure> {
    let others = [
        survival::detection,
        survival::recovery,
        by_cause::figure,
        push::pushes,
        push::requests,
        packets::figure,
        energy::figure,
        learning::figure,
        storm::figure,
    ];
    let others = others.into_iter().filter_map(|figure| figure(scenario, results, looks));
    let downtime = [downtime::figure, parts::figure].into_iter().filter_map(|figure| figure(scenario, looks));
    std::iter::once(headline(scenario, looks)).chain(downtime).chain(others).collect()
}

/// Returns the first headline plot of a scenario: where sessions broke the trade-off, detection latency against packets; where none
/// did, what the strategies cost.
fn headline(scenario: &ScenarioStats, looks: &Looks) -> Figure {
    if scenario.cells.iter().any(|cell| cell.detected > 0 && cell.packets_per_device_hour > 0.0) {
        trade_off::figure(scenario, looks)
    } else {
        costs::figure(scenario, looks)
    }
}

/// Returns the strategies of a scenario with their runs, in the order of their costs.
fn cells<'a>(scenario: &'a ScenarioStats, results: &'a ScenarioResults) -> Vec<(&'a CellStats, &'a Cell)> {
    let of = |stats: &'a CellStats| {
        let cell = results.cells.iter().find(|cell| cell.strategy == stats.strategy_index);
        (stats, cell.expect("statistics are of results"))
    };
    scenario.cells.iter().map(of).collect()
}

/// Returns the sum over the runs of a column; `None` if any of them lacks it.
fn sum(cell: &Cell, column: RunColumn) -> Option<f64> {
    cell.runs.iter().map(|run| run.get(column)).sum()
}

/// Returns what a mark of a strategy says when it is pointed at.
fn tip(cell: &CellStats, words: &str) -> Tip {
    Tip { name: cell.strategy.clone(), title: format!("{}: {words}", cell.strategy), at: None }
}

/// The most names in a sentence below a plot: more of them nobody reads.
const NAMED_MAX: usize = 8;

/// Returns a sentence that names strategies; `None` if there are none to name.
fn note<'a>(intro: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    let named = names[..names.len().min(NAMED_MAX)].join(", ");
    match names.len() {
        0 => None,
        1..=NAMED_MAX => Some(format!("{intro}: {named}.")),
        all => Some(format!("{intro}: {named} and {} more.", all - NAMED_MAX)),
    }
}

/// Returns a time in the unit that people would use for it: `12.0 ms`, `4.50 s`, `3.20 min`, `2.10 h`.
fn time(value_s: f64) -> String {
    if value_s <= 0.0 {
        return "0 s".to_owned();
    }
    let (value, unit) = in_unit(value_s);
    format!("{} {unit}", short(value))
}

/// Returns the values that the axis of packets has to show.
fn packets(scenario: &ScenarioStats) -> impl Iterator<Item = f64> {
    let needed = scenario.keep_alive.map(KeepAlive::packets_per_device_hour_min);
    scenario.cells.iter().map(|cell| cell.packets_per_device_hour).chain(needed)
}

/// Adds the vertical line left of which no strategy keeps the mapping alive.
fn mark_keep_alive(scenario: &ScenarioStats, marks: &mut Vec<Mark>, legend: &mut Vec<(String, Key)>) {
    if let Some(keep_alive) = scenario.keep_alive {
        marks.push(Mark::Rule(keep_alive.packets_per_device_hour_min(), KEEP_ALIVE_LINE));
        legend.push(("fewest packets that keep the NAT's mapping alive".to_owned(), Key::Line(KEEP_ALIVE_LINE)));
    }
}

/// Returns how to read that line; empty where there is none.
fn keep_alive_caption(scenario: &ScenarioStats) -> String {
    scenario.keep_alive.map_or_else(String::new, |it| {
        format!(
            " The vertical line is what it takes to keep the mapping alive: the NAT forgets a session after {timeout}\
             \u{a0}s without a packet, and nothing but the strategy sends, so it takes an exchange of at least 2 \
             packets every {timeout}\u{a0}s: 2 · 3600 / {timeout} = {packets} packets per device-hour. It applies \
             where the application itself is silent.",
            timeout = short(it.timeout_s),
            packets = short(it.packets_per_device_hour_min()),
        )
    })
}
