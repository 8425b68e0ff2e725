//! The page of a sweep: a map of each number over the parameters, for each strategy that the sweep starts from, and a table of
//! all points.

use cardiogram_results::{
    manifest::{ManifestAxis, ManifestSweep},
    survival::Estimated,
};
use maud::html;

use super::{
    Figure, figure, index, page,
    tables::{cell, estimate},
};
use crate::{
    number::{percent, short},
    plots::{self, HeatMap, Side},
    summary::{CellStats, Summary},
};

/// A number that is mapped.
struct Number {
    /// What files are called.
    slug: &'static str,
    label: &'static str,
    is_log: bool,
    value: fn(&CellStats) -> Option<f64>,
    words: fn(&CellStats) -> String,
}

/// What is mapped.
const NUMBERS: [Number; 3] = [
    Number {
        slug: "availability",
        label: "share of the time with a usable session (%)",
        is_log: false,
        value: |cell| Some(100.0 * cell.availability),
        words: |cell| short(100.0 * cell.availability),
    },
    Number {
        slug: "packets",
        label: "packets per device-hour (both directions)",
        is_log: true,
        value: |cell| Some(cell.packets_per_device_hour).filter(|packets| *packets > 0.0),
        words: |cell| short(cell.packets_per_device_hour),
    },
    Number {
        slug: "latency",
        label: "mean detection latency (s)",
        is_log: true,
        value: |cell| cell.detect_mean_s.and_then(Estimated::known).filter(|latency| *latency > 0.0),
        words: |cell| cell.detect_mean_s.and_then(Estimated::known).map_or_else(String::new, short),
    },
];

/// The strategies that a sweep starts from, in the order of its points.
fn bases(sweep: &ManifestSweep) -> Vec<&str> {
    let mut bases: Vec<&str> = Vec::new();
    for point in &sweep.points {
        if !bases.contains(&point.base_strategy.as_str()) {
            bases.push(&point.base_strategy);
        }
    }
    bases
}

/// The maps of a sweep.
pub(crate) fn maps(sweep: &ManifestSweep, summary: &Summary) -> Vec<Figure> {
    let maps = bases(sweep).into_iter().flat_map(|base| NUMBERS.iter().map(move |number| (base, number)));
    let figures = maps.filter_map(|(base, number)| {
        let figure = plots::heat_map(&map(sweep, summary, base, number))?;
        Some(Figure::of(figure, &format!("{}.{base}.{}", sweep.name, number.slug)))
    });
    figures.collect()
}

fn map(sweep: &ManifestSweep, summary: &Summary, base: &str, number: &Number) -> HeatMap {
    let (x, y) = (side(&sweep.axes[0]), sweep.axes.get(1).map_or_else(no_side, side));
    let mut values = vec![vec![None; x.values.len()]; y.values.len()];
    let mut texts = vec![vec![String::new(); x.values.len()]; y.values.len()];
    for point in sweep.points.iter().filter(|point| point.base_strategy == base) {
        let (column, row) = (point.index[0], point.index.get(1).copied().unwrap_or(0));
        // A shard has not all points.
        let Some(cell) = stats_of(summary, &point.scenario, &point.strategy) else { continue };
        values[row][column] = (number.value)(cell);
        if values[row][column].is_some() {
            texts[row][column] = (number.words)(cell);
        }
    }
    let units = || sweep.axes.iter().map(|axis| axis.unit.as_deref());
    let same_unit = sweep.axes.len() == 2 && units().all(|unit| unit == Some("s"));
    HeatMap {
        title: format!("{base}: {} over {}", number.label, axes(sweep)),
        values,
        texts,
        label: number.label.to_owned(),
        is_log: number.is_log,
        equal: same_unit.then(|| format!("{} = {}", sweep.axes[0].label, sweep.axes[1].label)),
        caption: format!(
            "{}Each cell is one point of the sweep, over all its seeds. An empty cell has no such number: no break, or none \
             that was noticed in time for a mean.",
            if sweep.about.is_empty() { String::new() } else { format!("{} ", sweep.about.trim()) }
        ),
        x,
        y,
    }
}

fn axes(sweep: &ManifestSweep) -> String {
    sweep.axes.iter().map(|axis| axis.label.as_str()).collect::<Vec<_>>().join(" and ")
}

/// Words that are no numbers stand evenly spaced.
fn side(axis: &ManifestAxis) -> Side {
    let value = |(place, value): (u32, &cardiogram_results::manifest::ManifestValue)| {
        (value.number.unwrap_or_else(|| place.into()), value.text.clone())
    };
    Side { label: axis.label.clone(), values: (0..).zip(&axis.values).map(value).collect() }
}

fn no_side() -> Side {
    Side { label: String::new(), values: vec![(0.0, String::new())] }
}

fn stats_of<'a>(summary: &'a Summary, scenario: &str, strategy: &str) -> Option<&'a CellStats> {
    let scenario = summary.scenarios.iter().find(|it| it.name == scenario)?;
    scenario.cells.iter().find(|it| it.strategy == strategy)
}

/// The page.
pub(crate) fn sweep(sweep: &ManifestSweep, summary: &Summary, figures: &[Figure]) -> String {
    page(
        &format!("{}: cardiogram sweep", sweep.name),
        summary,
        "",
        &html! {
            h1 { (sweep.name) }
            @if !sweep.about.is_empty() { p { (sweep.about) } }
            p { "A sweep over " (axes(sweep)) ". " (index::extent(summary)) }
            @for (place, map) in figures.iter().enumerate() { (figure(map, "", if place == 0 { "zoom" } else { "" })) }
            div.scroll {
                table.sort {
                    caption { "All points." }
                    thead {
                        tr {
                            th scope="col" { "Strategy" }
                            @for axis in &sweep.axes { th scope="col" { (axis.label) } }
                            th scope="col" { "Availability" }
                            th scope="col" { "Packets per device-hour" }
                            th scope="col" { "Detection, mean (s)" }
                            th.words scope="col" { "Point: scenario, strategy" }
                        }
                    }
                    tbody {
                        @for point in &sweep.points {
                            @if let Some(it) = stats_of(summary, &point.scenario, &point.strategy) {
                                tr {
                                    th scope="row" { (point.base_strategy) }
                                    @for (axis, index) in sweep.axes.iter().zip(&point.index) {
                                        @let value = &axis.values[*index];
                                        (cell(value.number, &html! { (value.text) }))
                                    }
                                    (cell(Some(it.availability), &html! { (percent(it.availability)) }))
                                    (cell(Some(it.packets_per_device_hour), &html! { (short(it.packets_per_device_hour)) }))
                                    (estimate(it.detect_mean_s, it.detect_interval_s, &html! {}))
                                    td.words { (point.scenario) ", " (point.strategy) }
                                }
                            }
                        }
                    }
                }
            }
        },
    )
}
