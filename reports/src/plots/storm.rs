//! What a server has to bear: connection attempts a second over one run, all devices together. Drawn where several devices
//! make many at once.

use super::{
    Figure, Looks, cells, note,
    pick::{LINES_MAX, colors, pick},
    tip,
};
use crate::{
    chart::{Axis, Chart, Height, Mark, Point, Scale, Values},
    data::{Bin, Cell, ScenarioResults},
    number::{list, short},
    summary::{CellStats, ScenarioStats},
};

/// Fewer attempts in the worst second are no storm.
const PEAK_MIN: f64 = 5.0;

/// The lower end of the logarithmic axis, at which a stretch without any attempt is drawn.
const FLOOR: f64 = 0.7;

/// Attempts whose logarithms are never further apart than this, 12 %, look the same.
const ALIKE: f64 = 0.05;

pub(super) fn figure(scenario: &ScenarioStats, results: &ScenarioResults, looks: &Looks) -> Option<Figure> {
    let cells: Vec<(&CellStats, &Cell)> =
        cells(scenario, results).into_iter().filter(|(_, cell)| !cell.series.is_empty()).collect();
    let peaks: Vec<f64> = cells.iter().map(|(_, cell)| peak(&cell.series).1).collect();
    let highest = peaks.iter().copied().reduce(f64::max)?;
    if highest < PEAK_MIN || !cells.iter().any(|(_, cell)| has_many_devices(cell, scenario.duration_s)) {
        return None;
    }
    let shapes: Vec<Vec<f64>> = cells.iter().map(|(_, cell)| shape(&cell.series)).collect();
    let by_peak = |a: &usize, b: &usize| peaks[*a].total_cmp(&peaks[*b]);
    let extremes = [(0..peaks.len()).min_by(by_peak), (0..peaks.len()).max_by(by_peak)];
    let mut extremes: Vec<usize> = extremes.into_iter().flatten().collect();
    extremes.dedup();
    let chosen =
        pick(&shapes, &colors(cells.iter().map(|(stats, _)| *stats), looks), extremes.into_iter(), LINES_MAX, ALIKE);
    let drawn: Vec<(&CellStats, &Cell)> = chosen.iter().map(|&place| cells[place]).collect();

    let words = |cell: &Cell| {
        let (at_s, peak) = peak(&cell.series);
        format!("{} attempts in the worst second, about {} min into the run", short(peak), short(at_s / 60.0))
    };
    let mut marks: Vec<Mark> = drawn
        .iter()
        .map(|(stats, cell)| Mark::Curve {
            points: points(&cell.series),
            identity: looks.get(&stats.strategy),
            tip: tip(stats, &words(cell)),
        })
        .collect();
    marks.extend(drawn.iter().map(|(stats, cell)| {
        let (x, value) = peak(&cell.series);
        Mark::Point(Point {
            x,
            x_interval: None,
            y: Height::At { value: value.max(FLOOR), interval: None },
            identity: looks.get(&stats.strategy),
            name: stats.strategy.clone(),
            leads: stats.on_front,
            tip: tip(stats, &words(cell)),
        })
    }));
    let left_out = (0..cells.len()).filter(|place| !chosen.contains(place));
    let left_out = note(
        "Left out, as those most like one that is drawn or of its colour",
        left_out.map(|place| cells[place].0.strategy.as_str()),
    );
    let described: Vec<String> =
        cells.iter().map(|(stats, cell)| format!("{}: {}", stats.strategy, words(cell))).collect();
    let worst = (0..peaks.len()).filter(|place| peaks[*place] >= highest);
    let worst: Vec<&str> = worst.map(|place| cells[place].0.strategy.as_str()).collect();
    Some(Figure {
        suffix: "storm",
        caption: format!(
            "Connection attempts of all devices together in the run of the first seed: the busiest second of each stretch \
             of time; a stretch without any lies on the axis. The marker is the busiest second of all: {} in the one of \
             {}.",
            short(highest),
            list(&worst),
        ),
        description: format!("{}: connection attempts a second. {}.", scenario.name, described.join("; ")),
        chart: Chart {
            marks,
            notes: left_out.into_iter().collect(),
            ..Chart::new(
                format!("{}: connection attempts a second", scenario.name),
                Axis::new("time since the start of the run", Scale::Time { from: 0.0, to: scenario.duration_s }),
                Axis::new(
                    "attempts in the busiest second (1/s, logarithmic)",
                    Scale::Log { min: FLOOR, max: 1.6 * highest },
                ),
            )
        },
    })
}

/// Returns whether a run has more device-hours than one device can have.
fn has_many_devices(cell: &Cell, duration_s: f64) -> bool {
    cell.runs.iter().any(|run| run.device_hours * 3_600.0 > 1.01 * duration_s)
}

fn attempts(bin: &Bin) -> f64 {
    bin.attempts_peak_per_s.unwrap_or(0.0)
}

/// Returns when the busiest second was (the middle of its stretch; the first of several) and how busy it was.
fn peak(series: &[Bin]) -> (f64, f64) {
    let highest = series.iter().map(attempts).fold(0.0, f64::max);
    let bin = series.iter().find(|bin| attempts(bin) >= highest);
    (bin.map_or(0.0, |bin| bin.begin_s + bin.width_s / 2.0), highest)
}

fn points(series: &[Bin]) -> Vec<Values> {
    let value = |bin: &Bin| attempts(bin).max(FLOOR);
    series.iter().flat_map(|bin| [(bin.begin_s, value(bin)), (bin.begin_s + bin.width_s, value(bin))]).collect()
}

fn shape(series: &[Bin]) -> Vec<f64> {
    series.iter().map(|bin| libm::log10(attempts(bin).max(FLOOR))).collect()
}
