//! A number over two parameters, as colours: what a sweep found.

use super::Figure;
use crate::{
    chart::{Axis, Chart, ColorScale, FRONT, Key, Mark, Scale, Stroke, Values, WHITE},
    number::short,
};

/// Dashed on a wider line of the ground's colour, so that it shows on every colour.
const EQUAL_LINE: Stroke = Stroke { color: FRONT, width: 2.0, dash: Some((6.0, 4.0)) };
const EQUAL_GROUND: Stroke = Stroke { color: WHITE, width: 4.0, dash: None };

/// A grid of values.
#[derive(Debug, Clone)]
pub(crate) struct HeatMap {
    pub(crate) title: String,
    pub(crate) x: Side,
    pub(crate) y: Side,
    /// For each value of `y`, for each value of `x`; `None`: nothing was measured.
    pub(crate) values: Vec<Vec<Option<f64>>>,
    /// What each cell says, in the same order; those for which there is no room say nothing.
    pub(crate) texts: Vec<Vec<String>>,
    /// What the values are, with their unit.
    pub(crate) label: String,
    /// Equal ratios of values are equal steps of colour, rather than equal differences. All values are above zero then.
    pub(crate) is_log: bool,
    /// What the line means on which both parameters are equal; `None`: no line.
    pub(crate) equal: Option<String>,
    /// How to read it.
    pub(crate) caption: String,
}

/// One of the two parameters.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    /// With its unit.
    pub(crate) label: String,
    /// Ascending, as numbers and as words.
    pub(crate) values: Vec<(f64, String)>,
    pub(crate) kind: Kind,
}

/// What the values of a parameter are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Words; the numbers only count them.
    Words,
    Numbers,
    Seconds,
}

/// Returns the figure; `None` where nothing was measured.
pub(crate) fn heat_map(map: &HeatMap) -> Option<Figure> {
    let rows = map.y.values.len();
    let all = || map.values.iter().flatten().filter_map(|value| *value);
    let (least, most) = all().map(|value| (value, value)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    let scale = match (map.is_log, least < most) {
        (true, true) => Scale::Log { min: least, max: most },
        (false, true) => Scale::Linear { min: least, max: most },
        // All alike.
        _ => Scale::linear_from_zero([most]),
    };
    let mut marks = Vec::new();
    for (y, (values, texts)) in map.values.iter().zip(&map.texts).enumerate() {
        for (x, (value, text)) in values.iter().zip(texts).enumerate() {
            // Names go down, and values go up.
            marks.push(Mark::Cell { column: x as f64, row: (rows - 1 - y) as f64, value: *value, text: text.clone() });
        }
    }
    let mut legend = Vec::new();
    if let Some(label) = &map.equal {
        let line = equal_line(&map.x, &map.y);
        if line.len() > 1 {
            marks.push(Mark::Line(line.clone(), EQUAL_GROUND));
            marks.push(Mark::Line(line, EQUAL_LINE));
            legend.push((label.clone(), Key::Line(EQUAL_LINE)));
        }
    }
    let empty = map.values.iter().flatten().any(Option::is_none);
    let names = |side: &Side| side.values.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>();
    let up: Vec<String> = names(&map.y).into_iter().rev().collect();
    Some(Figure {
        suffix: "map",
        caption: map.caption.clone(),
        description: format!(
            "{}: {} over {} and {}, from {} to {}.",
            map.title,
            map.label,
            map.x.label,
            map.y.label,
            short(least),
            short(most)
        ),
        chart: Chart {
            marks,
            legend,
            color_scale: Some(ColorScale { label: map.label.clone(), scale }),
            notes: empty.then(|| "Cells without a colour: nothing was measured.".to_owned()).into_iter().collect(),
            ..Chart::new(
                map.title.clone(),
                Axis::new(&map.x.label, Scale::Names(names(&map.x))),
                Axis::new(&map.y.label, Scale::Names(up)),
            )
        },
    })
}

/// Returns where both parameters are equal, as places among the names: at every value of either that lies within the other's.
fn equal_line(x: &Side, y: &Side) -> Vec<Values> {
    let rows = y.values.len() as f64;
    let mut line: Vec<Values> = x
        .values
        .iter()
        .chain(&y.values)
        .filter_map(|(value, _)| Some((place(x, *value)?, rows - 1.0 - place(y, *value)?)))
        .collect();
    line.sort_by(|a, b| a.0.total_cmp(&b.0));
    line.dedup();
    line
}

/// Returns where `value` lies among the values of `side`, by its logarithm where all are above zero; `None` outside them.
fn place(side: &Side, value: f64) -> Option<f64> {
    let is_positive = side.values.iter().all(|(value, _)| *value > 0.0);
    let scaled = |value: f64| if is_positive { libm::log10(value) } else { value };
    let between = |index: usize| {
        let (from, to) = (side.values[index].0, side.values[index + 1].0);
        (from <= value && value <= to && from < to)
            .then(|| index as f64 + (scaled(value) - scaled(from)) / (scaled(to) - scaled(from)))
    };
    (0..side.values.len().saturating_sub(1)).find_map(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(values: &[f64]) -> Side {
        Side {
            label: "time (s)".to_owned(),
            values: values.iter().map(|value| (*value, short(*value))).collect(),
            kind: Kind::Seconds,
        }
    }

    #[test]
    fn equal_values_lie_where_both_sides_have_them() {
        // 10 is the first of both, 1000 the last of x and between those of y.
        let line = equal_line(&side(&[10.0, 100.0, 1_000.0]), &side(&[10.0, 100.0, 10_000.0]));
        assert_eq!(line, [(0.0, 2.0), (1.0, 1.0), (2.0, 0.5)]);
        assert!(equal_line(&side(&[1.0, 2.0]), &side(&[3.0, 4.0])).is_empty());
    }

    #[test]
    fn a_map_without_values_is_none() {
        let map = HeatMap {
            title: String::new(),
            x: side(&[1.0]),
            y: side(&[1.0]),
            values: vec![vec![None]],
            texts: vec![vec![String::new()]],
            label: String::new(),
            is_log: true,
            equal: None,
            caption: String::new(),
        };
        assert!(heat_map(&map).is_none());
    }
}
