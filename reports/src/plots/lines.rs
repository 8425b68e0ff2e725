//! A number over one parameter, a line for each strategy: what a sweep over one axis found. For two axes, see `heat_map`.

use super::{Figure, Kind, Looks, Side};
use crate::{
    chart::{Axis, Chart, Height, Mark, Point, Scale, Tip, Values},
    number::short,
    statistics::bootstrap::Interval,
};

/// From this ratio on between the largest and the least value, an axis is logarithmic.
const RATIO_MIN: f64 = 5.0;

/// Numbers over one parameter.
#[derive(Debug)]
pub(crate) struct LinePlot {
    pub(crate) title: String,
    pub(crate) x: Side,
    /// What the numbers are, with their unit.
    pub(crate) label: String,
    /// Equal ratios of numbers are equal lengths, rather than equal differences. All numbers are above zero then.
    pub(crate) is_log: bool,
    pub(crate) lines: Vec<Line>,
    /// How to read it.
    pub(crate) caption: String,
}

/// A strategy's numbers.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) strategy: String,
    /// For each value of the parameter; `None`: nothing was measured.
    pub(crate) numbers: Vec<Option<(f64, Option<Interval>)>>,
}

/// Returns the figure; `None` where nothing was measured.
pub(crate) fn lines(of: &LinePlot) -> Option<Figure> {
    let looks = Looks::choose(of.lines.iter().map(|line| line.strategy.as_str()));
    let measured = || of.lines.iter().flat_map(|line| &line.numbers).flatten();
    let ends = |(number, interval): &(f64, Option<Interval>)| {
        let (low, high) = interval.map_or((*number, *number), |it| (it.low, it.high));
        [low, *number, high]
    };
    let all: Vec<f64> = measured().flat_map(ends).filter(|value| !of.is_log || *value > 0.0).collect();
    let (least, most) = all.iter().map(|value| (*value, *value)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    let y = if of.is_log { Scale::log_around(all) } else { linear_around(least, most) };

    let mut marks = Vec::new();
    for line in &of.lines {
        let identity = looks.get(&line.strategy);
        let places: Vec<(f64, f64, Option<Interval>)> =
            of.x.values
                .iter()
                .zip(&line.numbers)
                .filter_map(|((x, _), number)| number.map(|(value, interval)| (*x, value, interval)))
                .collect();
        // A line does not say what lies between two values where one in the middle was not measured.
        for run in line.numbers.iter().zip(&of.x.values).collect::<Vec<_>>().split(|(number, _)| number.is_none()) {
            let points: Vec<Values> =
                run.iter().filter_map(|(number, (x, _))| Some((*x, number.as_ref()?.0))).collect();
            if points.len() > 1 {
                let tip = Tip { name: line.strategy.clone(), title: line.strategy.clone(), at: None };
                marks.push(Mark::Curve { points, identity, tip });
            }
        }
        for (place, (x, value, interval)) in places.iter().enumerate() {
            let title = format!("{}: {} at {}", line.strategy, short(*value), of.words(*x));
            marks.push(Mark::Point(Point {
                x: *x,
                x_interval: None,
                y: Height::At { value: *value, interval: *interval },
                identity,
                name: if place + 1 == places.len() { line.strategy.clone() } else { String::new() },
                leads: false,
                tip: Tip { name: line.strategy.clone(), title, at: Some((*x, *value)) },
            }));
        }
    }
    Some(Figure {
        suffix: "lines",
        caption: of.caption.clone(),
        description: format!("{}, from {} to {}.", of.title, short(least), short(most)),
        chart: Chart {
            marks,
            ..Chart::new(of.title.clone(), Axis::new(&of.x_label(), of.x_scale()), Axis::new(&of.label, y))
        },
    })
}

impl LinePlot {
    fn words(&self, x: f64) -> &str {
        let value = self.x.values.iter().find(|(value, _)| value.to_bits() == x.to_bits());
        value.map_or("", |(_, words)| words)
    }

    /// Returns a linear axis of seconds says so; a logarithmic one has units at its ticks.
    fn x_label(&self) -> String {
        match (self.x.kind, self.x_scale()) {
            (Kind::Seconds, Scale::Linear { .. }) => format!("{} (s)", self.x.label),
            _ => self.x.label.clone(),
        }
    }

    /// Words lie evenly spaced, and numbers where they are.
    fn x_scale(&self) -> Scale {
        let values = || self.x.values.iter().map(|(value, _)| *value);
        let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let is_log = least > 0.0 && most >= RATIO_MIN * least;
        match self.x.kind {
            Kind::Seconds if is_log => Scale::log_time_around(values()),
            Kind::Numbers if is_log => Scale::log_around(values()),
            Kind::Numbers | Kind::Seconds if least < most => linear_around(least, most),
            Kind::Words | Kind::Numbers | Kind::Seconds => {
                Scale::Names(self.x.values.iter().map(|(_, words)| words.clone()).collect())
            }
        }
    }
}

/// Returns a linear scale with room at both ends.
pub(super) fn linear_around(least: f64, most: f64) -> Scale {
    let room = if most > least { 0.08 * (most - least) } else { 1.0 };
    Scale::Linear { min: least - room, max: most + room }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: Vec<Option<(f64, Option<Interval>)>>) -> LinePlot {
        let values = [(10.0, "10s".to_owned()), (60.0, "1m".to_owned()), (600.0, "10m".to_owned())];
        LinePlot {
            title: "latency over timeout".to_owned(),
            x: Side { label: "timeout".to_owned(), values: values.to_vec(), kind: Kind::Seconds },
            label: "mean detection latency (s)".to_owned(),
            is_log: true,
            lines: vec![Line { strategy: "mine".to_owned(), numbers }],
            caption: "Lower is better.".to_owned(),
        }
    }

    #[test]
    fn a_line_has_its_intervals_and_its_name_in_the_data() {
        let interval = Some(Interval { low: 4.0, high: 6.0 });
        let figure = lines(&of(vec![Some((5.0, interval)), Some((7.0, None)), Some((9.0, None))])).unwrap();
        let csv = figure.chart.to_csv();
        assert!(csv.contains("curve,mine,10,,,5,") && csv.contains("point,mine,10,,,5,4,6,,\n"), "{csv}");
        assert_eq!(figure.chart.crowded(), None);
    }

    #[test]
    fn a_line_stops_where_nothing_was_measured() {
        let figure = lines(&of(vec![Some((5.0, None)), None, Some((9.0, None))])).unwrap();
        assert!(!figure.chart.to_csv().contains("curve,"));
        assert!(lines(&of(vec![None; 3])).is_none());
    }
}
