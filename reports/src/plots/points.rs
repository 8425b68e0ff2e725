//! Two numbers of the strategies against each other, whichever a plan asks for.

use serde::Deserialize;

use super::{Figure, Looks, lines::linear_around, note, tip};
use crate::{
    chart::{Axis, Chart, Height, Mark, Point, Scale, Tip},
    export::{self, Told},
    number::short,
    summary::{CellStats, ScenarioStats},
};

/// Numbers that span less have a linear axis unless another is asked for.
const RATIO_MIN: f64 = 10.0;

/// How numbers lie along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AxisScale {
    /// Equal ratios are equal lengths.
    Log,
    /// Equal differences are equal lengths.
    Linear,
}

/// A number of `summary.csv` by its name, and the scale that is asked for.
type Asked<'a> = (&'a str, Option<AxisScale>);

/// Returns the figure; `None` where no strategy has both numbers.
pub(crate) fn points(scenario: &ScenarioStats, looks: &Looks, x: Asked<'_>, y: Asked<'_>) -> Option<Figure> {
    let both = |cell| Some((cell, export::told(cell, x.0)?, export::told(cell, y.0)?));
    let known: Vec<(&CellStats, Told, Told)> = scenario.cells.iter().filter_map(both).collect();
    let (_, first_x, first_y) = known.first()?;
    let (x_label, y_label) = (first_x.label, first_y.label);
    let words = |x: &Told, y: &Told| format!("{x_label} {}, {y_label} {}", short(x.value), short(y.value));
    let point = |(cell, x, y): &(&CellStats, Told, Told)| {
        Mark::Point(Point {
            x: x.value,
            x_interval: x.interval,
            y: Height::At { value: y.value, interval: y.interval },
            identity: looks.get(&cell.strategy),
            name: cell.strategy.clone(),
            leads: cell.on_front,
            tip: Tip { at: Some((x.value, y.value)), ..tip(cell, &words(x, y)) },
        })
    };
    let described: Vec<String> =
        known.iter().map(|(cell, x, y)| format!("{}: {}", cell.strategy, words(x, y))).collect();
    let shown = |cell: &CellStats| known.iter().any(|(it, ..)| it.strategy == cell.strategy);
    let others = scenario.cells.iter().filter(|cell| !shown(cell)).map(|cell| cell.strategy.as_str());
    let x_scale = scale(known.iter().map(|(_, x, _)| x), x.1);
    let y_scale = scale(known.iter().map(|(.., y)| y), y.1);
    Some(Figure {
        suffix: "points",
        caption: "Whiskers are 95 % intervals over seeds.".to_owned(),
        description: format!("{}: {y_label} against {x_label}. {}.", scenario.name, described.join("; ")),
        chart: Chart {
            marks: known.iter().map(point).collect(),
            notes: note("Not shown, without such a number", others).into_iter().collect(),
            ..Chart::new(
                format!("{}: {y_label} against {x_label}", scenario.name),
                Axis::new(x_label, x_scale),
                Axis::new(y_label, y_scale),
            )
        },
    })
}

fn scale<'a>(numbers: impl Iterator<Item = &'a Told>, asked: Option<AxisScale>) -> Scale {
    let ends =
        |it: &Told| it.interval.into_iter().flat_map(|it| [it.low, it.high]).chain([it.value]).collect::<Vec<_>>();
    let all: Vec<f64> = numbers.flat_map(ends).collect();
    let (least, most) = all.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), it| (least.min(*it), most.max(*it)));
    let above_zero = all.iter().copied().filter(|it| *it > 0.0).fold(f64::INFINITY, f64::min);
    match asked.unwrap_or(if most >= RATIO_MIN * above_zero { AxisScale::Log } else { AxisScale::Linear }) {
        AxisScale::Log if least <= 0.0 => Scale::log_and_zero_around(all),
        AxisScale::Log => Scale::log_around(all),
        AxisScale::Linear => linear_around(least, most),
    }
}
