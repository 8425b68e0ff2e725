//! The page of a sweep: of each number, over two parameters a map for each strategy that the sweep starts from, over one a line
//! for each; and a table of all points.

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
    plots::{self, HeatMap, Kind, Line, LinePlot, Side},
    statistics::bootstrap::Interval,
    summary::{CellStats, Summary},
};

/// A number that is drawn.
struct Number {
    /// The last part of file names.
    slug: &'static str,
    label: &'static str,
    is_log: bool,
    value: fn(&CellStats) -> Option<f64>,
    /// Its 95 % interval.
    interval: fn(&CellStats) -> Option<Interval>,
    words: fn(&CellStats) -> String,
}

/// The numbers that are drawn.
const NUMBERS: [Number; 3] = [
    Number {
        slug: "availability",
        label: "share of the time with a usable session (%)",
        is_log: false,
        value: |cell| Some(100.0 * cell.availability),
        interval: |cell| cell.availability_interval.map(|it| Interval { low: 100.0 * it.low, high: 100.0 * it.high }),
        words: |cell| short(100.0 * cell.availability),
    },
    Number {
        slug: "packets",
        label: "packets per device-hour (both directions)",
        is_log: true,
        value: |cell| Some(cell.packets_per_device_hour).filter(|packets| *packets > 0.0),
        interval: |cell| cell.packets_interval,
        words: |cell| short(cell.packets_per_device_hour),
    },
    Number {
        slug: "latency",
        label: "mean detection latency (s)",
        is_log: true,
        value: |cell| cell.detect_mean_s.and_then(Estimated::known).filter(|latency| *latency > 0.0),
        interval: |cell| cell.detect_interval_s,
        words: |cell| cell.detect_mean_s.and_then(Estimated::known).map_or_else(String::new, short),
    },
];

/// Returns the strategies that a sweep starts from, in the order of its points.
fn bases(sweep: &ManifestSweep) -> Vec<&str> {
    let mut bases: Vec<&str> = Vec::new();
    for point in &sweep.points {
        if !bases.contains(&point.base_strategy.as_str()) {
            bases.push(&point.base_strategy);
        }
    }
    bases
}

/// Returns the plots of a sweep: lines over one axis, maps over two.
pub(crate) fn plots(sweep: &ManifestSweep, summary: &Summary) -> Vec<Figure> {
    if sweep.axes.len() == 1 {
        let figures = NUMBERS.iter().filter_map(|number| {
            let figure = plots::lines(&lines(sweep, summary, number))?;
            Some(Figure::of(figure, &format!("{}.{}", sweep.name, number.slug)))
        });
        return figures.collect();
    }
    let maps = bases(sweep).into_iter().flat_map(|base| NUMBERS.iter().map(move |number| (base, number)));
    let figures = maps.filter_map(|(base, number)| {
        let figure = plots::heat_map(&map(sweep, summary, base, number))?;
        Some(Figure::of(figure, &format!("{}.{base}.{}", sweep.name, number.slug)))
    });
    figures.collect()
}

fn lines(sweep: &ManifestSweep, summary: &Summary, number: &Number) -> LinePlot {
    let x = side(&sweep.axes[0]);
    let line = |base: &str| {
        let mut numbers = vec![None; x.values.len()];
        for point in sweep.points.iter().filter(|point| point.base_strategy == base) {
            // A shard has not all points.
            let Some(cell) = stats_of(summary, &point.scenario, &point.strategy) else { continue };
            numbers[point.index[0]] = (number.value)(cell).map(|value| (value, (number.interval)(cell)));
        }
        Line { strategy: base.to_owned(), numbers }
    };
    LinePlot {
        title: format!("{} over {}", number.label, axes(sweep)),
        label: number.label.to_owned(),
        is_log: number.is_log,
        lines: bases(sweep).into_iter().map(line).collect(),
        caption: format!(
            "{}Each marker is one point of the sweep, over all its seeds; whiskers are 95 % intervals. Where a marker is missing              there is no such number: no break, or none that was noticed in time for a mean.",
            about(sweep)
        ),
        x,
    }
}

/// Returns what the sweep is about, to stand before a further sentence.
fn about(sweep: &ManifestSweep) -> String {
    if sweep.about.is_empty() { String::new() } else { format!("{} ", sweep.about.trim()) }
}

fn map(sweep: &ManifestSweep, summary: &Summary, base: &str, number: &Number) -> HeatMap {
    let (x, y) = (side(&sweep.axes[0]), side(&sweep.axes[1]));
    let mut values = vec![vec![None; x.values.len()]; y.values.len()];
    let mut texts = vec![vec![String::new(); x.values.len()]; y.values.len()];
    for point in sweep.points.iter().filter(|point| point.base_strategy == base) {
        let (column, row) = (point.index[0], point.index[1]);
        // A shard has not all points.
        let Some(cell) = stats_of(summary, &point.scenario, &point.strategy) else { continue };
        values[row][column] = (number.value)(cell);
        if values[row][column].is_some() {
            texts[row][column] = (number.words)(cell);
        }
    }
    let units = || sweep.axes.iter().map(|axis| axis.unit.as_deref());
    let same_unit = units().all(|unit| unit == Some("s"));
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
            about(sweep)
        ),
        x,
        y,
    }
}

fn axes(sweep: &ManifestSweep) -> String {
    sweep.axes.iter().map(|axis| axis.label.as_str()).collect::<Vec<_>>().join(" and ")
}

/// Returns the values of an axis. Words stand evenly spaced.
fn side(axis: &ManifestAxis) -> Side {
    let value = |(place, value): (u32, &cardiogram_results::manifest::ManifestValue)| {
        (value.number.unwrap_or_else(|| place.into()), value.text.clone())
    };
    let kind = match axis.unit.as_deref() {
        _ if axis.values.iter().any(|value| value.number.is_none()) => Kind::Words,
        Some("s") => Kind::Seconds,
        _ => Kind::Numbers,
    };
    Side { label: axis.label.clone(), values: (0..).zip(&axis.values).map(value).collect(), kind }
}

fn stats_of<'a>(summary: &'a Summary, scenario: &str, strategy: &str) -> Option<&'a CellStats> {
    let scenario = summary.scenarios.iter().find(|it| it.name == scenario)?;
    scenario.cells.iter().find(|it| it.strategy == strategy)
}

/// Returns the page.
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
