//! What policies learn: the time between heartbeats over one run, against the NAT's true timeout, which they have to
//! stay below. Drawn where some strategy's interval changes.

use super::{
    Figure, Looks, cells, note,
    pick::{LINES_MAX, colors, pick},
    time, tip,
};
use crate::{
    chart::{Axis, Chart, FRONT, Height, Key, Mark, Point, Scale, Stroke, Values},
    data::{Bin, Cell, ScenarioResults},
    number::short,
    summary::{CellStats, ScenarioStats},
};

const TIMEOUT_LINE: Stroke = Stroke { color: FRONT, width: 2.0, dash: Some((12.0, 5.0)) };

/// An interval that changes by less than this does so by chance: by loss, or by when its session began.
const RATIO_MIN: f64 = 1.3;

/// A timeout this many times longer than all intervals is not drawn: it would only press them together.
const TIMEOUT_RATIO_MAX: f64 = 30.0;

/// Intervals whose logarithms are never further apart than this, 5 %, look the same.
const ALIKE: f64 = 0.02;

pub(super) fn figure(scenario: &ScenarioStats, results: &ScenarioResults, looks: &Looks) -> Option<Figure> {
    let cells = cells(scenario, results);
    let learners: Vec<(&CellStats, &Cell)> = cells.iter().filter(|(_, cell)| changes(cell)).copied().collect();
    let shapes: Vec<Vec<f64>> = learners.iter().map(|(_, cell)| shape(&cell.series)).collect();
    let chosen =
        pick(&shapes, &colors(learners.iter().map(|(stats, _)| *stats), looks), std::iter::empty(), LINES_MAX, ALIKE);
    let drawn: Vec<(&CellStats, &Cell)> = chosen.iter().map(|&place| learners[place]).collect();
    let intervals = || drawn.iter().flat_map(|(_, cell)| points(&cell.series, |bin| bin.interval_mean_s));
    let longest_s = intervals().map(|(_, value)| value).reduce(f64::max)?;

    // The timeout is the world's; who was connected longest met most of it.
    let timeouts = cells.iter().map(|(_, cell)| points(&cell.series, |bin| bin.nat_timeout_s));
    let timeout = timeouts.max_by_key(Vec::len).unwrap_or_default();
    let timeout_range = timeout.iter().map(|(_, value)| (*value, *value)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let is_near = timeout_range.is_some_and(|(least, _)| least <= TIMEOUT_RATIO_MAX * longest_s);
    let timeout = if is_near { timeout } else { Vec::new() };

    let y = Scale::log_around(intervals().chain(timeout.iter().copied()).map(|(_, value)| value));
    let mut marks = Vec::new();
    let mut legend = Vec::new();
    if !timeout.is_empty() {
        marks.push(Mark::Line(timeout, TIMEOUT_LINE));
        legend.push(("true timeout of the NAT".to_owned(), Key::Line(TIMEOUT_LINE)));
    }
    marks.extend(drawn.iter().map(|(stats, cell)| Mark::Curve {
        points: points(&cell.series, |bin| bin.interval_mean_s),
        identity: looks.get(&stats.strategy),
        tip: tip(stats, &words(cell)),
    }));
    marks.extend(drawn.iter().map(|(stats, cell)| Mark::Point(point(stats, cell, looks))));
    let left_out = (0..learners.len()).filter(|place| !chosen.contains(place));
    let far = timeout_range.filter(|_| !is_near).map(|(least, _)| {
        format!("Not drawn, the NAT's timeout of {} or more: no interval comes near it.", time(least))
    });
    let left_out = note(
        "Left out, as those most like one that is drawn or of its colour",
        left_out.map(|place| learners[place].0.strategy.as_str()),
    );
    let described: Vec<String> =
        drawn.iter().map(|(stats, cell)| format!("{}: {}", stats.strategy, words(cell))).collect();
    let true_timeout = timeout_range.map_or_else(String::new, |(least, most)| {
        if least < most {
            format!(" The NAT's timeout is between {} and {}.", time(least), time(most))
        } else {
            format!(" The NAT's timeout is {}.", time(least))
        }
    });
    Some(Figure {
        suffix: "interval",
        caption:
            "The strategies whose time between heartbeats changed by 30 % or more, in the run of the first seed: the \
                  mean over all devices and each stretch of time. An interval above the NAT's timeout loses its \
                  connection; one far below it sends more than it has to."
                .to_owned(),
        description: format!(
            "{}: time between heartbeats over a run. {}.{true_timeout}",
            scenario.name,
            described.join("; ")
        ),
        chart: Chart {
            marks,
            legend,
            notes: far.into_iter().chain(left_out).collect(),
            ..Chart::new(
                format!("{}: the interval that policies find", scenario.name),
                Axis::new("time since the start of the run", Scale::Time { from: 0.0, to: scenario.duration_s }),
                Axis::new("time between heartbeats (s, logarithmic)", y),
            )
        },
    })
}

/// Returns whether the interval was at some time longer than at another by [`RATIO_MIN`].
fn changes(cell: &Cell) -> bool {
    let intervals = cell.series.iter().filter_map(|bin| bin.interval_mean_s).filter(|interval| *interval > 0.0);
    let range = intervals.map(|interval| (interval, interval)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    range.is_some_and(|(least, most)| most >= RATIO_MIN * least)
}

/// Returns a value over time as stairs: each holds until the next one is known.
fn points(series: &[Bin], of: impl Fn(&Bin) -> Option<f64>) -> Vec<Values> {
    let mut points: Vec<Values> = Vec::new();
    for bin in series {
        let Some(value) = of(bin).filter(|value| *value > 0.0) else { continue };
        if let Some(&(_, last)) = points.last() {
            points.push((bin.begin_s, last));
        }
        points.extend([(bin.begin_s, value), (bin.begin_s + bin.width_s, value)]);
    }
    points
}

/// Returns what tells two strategies' curves apart: the logarithms of the intervals.
fn shape(series: &[Bin]) -> Vec<f64> {
    let mut last = series.iter().find_map(|bin| bin.interval_mean_s).unwrap_or(1.0);
    let mut value = |bin: &Bin| {
        last = bin.interval_mean_s.filter(|value| *value > 0.0).unwrap_or(last);
        libm::log10(last.max(f64::MIN_POSITIVE))
    };
    series.iter().map(&mut value).collect()
}

/// Returns the marker with the name, at the end of the curve.
fn point(stats: &CellStats, cell: &Cell, looks: &Looks) -> Point {
    let points = points(&cell.series, |bin| bin.interval_mean_s);
    let &(x, value) = points.last().expect("a strategy that changes has intervals");
    Point {
        x,
        x_interval: None,
        y: Height::At { value, interval: None },
        identity: looks.get(&stats.strategy),
        name: stats.strategy.clone(),
        leads: stats.on_front,
        tip: tip(stats, &words(cell)),
    }
}

fn words(cell: &Cell) -> String {
    let points = points(&cell.series, |bin| bin.interval_mean_s);
    let (first, last) = (points.first().map_or(0.0, |it| it.1), points.last().map_or(0.0, |it| it.1));
    let longest = points.iter().map(|it| it.1).fold(0.0, f64::max);
    format!("from {} s to {} s, {} s at most", short(first), short(last), short(longest))
}
