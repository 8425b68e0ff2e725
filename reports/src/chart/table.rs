//! The numbers of a picture as CSV: what its marks stand for, so that a plot's data are one click away from it.

use super::{Chart, Color, Height, Key, Mark, Scale};
use crate::statistics::bootstrap::Interval;

/// Returns a row for each mark, and for each point of a line: the kind of mark, its name, and its values with their intervals, in
/// the units of the axes. Where an axis has names, the value is a name.
pub(super) fn csv(chart: &Chart) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    let columns = ["mark", "name", "x", "x_low", "x_high", "y", "y_low", "y_high", "value", "note"];
    out.write_record(columns).expect("a Vec takes everything");
    for row in chart.marks.iter().flat_map(|mark| rows(chart, mark)) {
        out.write_record(row).expect("a Vec takes everything");
    }
    String::from_utf8(out.into_inner().expect("a Vec takes everything")).expect("names are text")
}

type Row = [String; 10];

fn row(mark: &str, name: &str, x: String, y: String) -> Row {
    let none = String::new;
    [mark.to_owned(), name.to_owned(), x, none(), none(), y, none(), none(), none(), none()]
}

fn rows(chart: &Chart, mark: &Mark) -> Vec<Row> {
    let x = |value: f64| along(&chart.x.scale, value);
    let y = |value: f64| along(&chart.y.scale, value);
    let line = |mark: &str, name: &str, points: &[(f64, f64)]| -> Vec<Row> {
        points.iter().map(|point| row(mark, name, x(point.0), y(point.1))).collect()
    };
    // What the legend says of a key.
    let meaning =
        |is_it: &dyn Fn(&Key) -> bool| chart.legend.iter().find(|(_, key)| is_it(key)).map(|(words, _)| words.as_str());
    match mark {
        // A line without a key is the ground below another.
        Mark::Line(points, stroke) => {
            meaning(&|key| *key == Key::Line(*stroke)).map_or_else(Vec::new, |name| line("line", name, points))
        }
        Mark::Curve { points, tip, .. } => line("curve", &tip.name, points),
        Mark::Rule(at, stroke) => {
            vec![row("rule", meaning(&|key| *key == Key::Line(*stroke)).unwrap_or_default(), x(*at), String::new())]
        }
        Mark::Band { ends, name, .. } => {
            let at = |(place, interval): &(f64, Interval)| {
                let mut row = row("band", name, x(*place), String::new());
                (row[6], row[7]) = (y(interval.low), y(interval.high));
                row
            };
            ends.iter().map(at).collect()
        }
        // The ground below the bound, which is a line; and a run, which has files of its own.
        Mark::Area(..) | Mark::Shade { .. } | Mark::Spans { .. } | Mark::Moments { .. } => Vec::new(),
        Mark::Point(point) => {
            let (height, interval, note) = match point.y {
                Height::At { value, interval } => (y(value), interval, ""),
                Height::AtLeast(value) => (y(value), None, "at least"),
                Height::Above => (String::new(), None, chart.above.as_deref().unwrap_or("above")),
                Height::Below => (String::new(), None, chart.below.as_deref().unwrap_or("below")),
            };
            let name = if point.name.is_empty() { &point.tip.name } else { &point.name };
            let mut row = row("point", name, x(point.x), height);
            if let Some(interval) = point.x_interval {
                (row[3], row[4]) = (x(interval.low), x(interval.high));
            }
            if let Some(interval) = interval {
                (row[6], row[7]) = (y(interval.low), y(interval.high));
            }
            note.clone_into(&mut row[9]);
            vec![row]
        }
        Mark::Dot { row: place, value, interval, at_least, identity, tip } => {
            let mut row = row("dot", &tip.name, x(*value), y(*place));
            if let Some(interval) = interval {
                (row[3], row[4]) = (x(interval.low), x(interval.high));
            }
            let kind = meaning(&|key| *key == Key::Marker(*identity));
            row[9] = kind.into_iter().chain(at_least.then_some("at least")).collect::<Vec<_>>().join(", ");
            vec![row]
        }
        Mark::Bars { row: place, parts, interval, text, tip } => {
            let bar = |value: f64, note: &str| {
                let mut row = row("bar", &tip.name, x(value), y(*place));
                note.clone_into(&mut row[9]);
                row
            };
            let named = |(value, color): &(f64, Color)| {
                bar(*value, meaning(&|key| *key == Key::Patch(*color)).unwrap_or_default())
            };
            let mut sum = bar(parts.iter().map(|(value, _)| value).sum(), text);
            if let Some(interval) = interval {
                (sum[3], sum[4]) = (x(interval.low), x(interval.high));
            }
            if parts.len() == 1 {
                return vec![sum];
            }
            "sum".clone_into(&mut sum[0]);
            parts.iter().map(named).chain([sum]).collect()
        }
        Mark::Words { row: place, text } => {
            let mut row = row("words", "", String::new(), y(*place));
            row[9].clone_from(text);
            vec![row]
        }
        Mark::Cell { column, row: place, value, text } => {
            let mut row = row("cell", "", x(*column), y(*place));
            row[8] = value.map_or_else(String::new, |value| value.to_string());
            row[9].clone_from(text);
            vec![row]
        }
    }
}

/// Returns a value as the axis has it: a name where the axis has names.
fn along(scale: &Scale, value: f64) -> String {
    match scale {
        Scale::Names(names) => names.get(value.round() as usize).cloned().unwrap_or_default(),
        _ => value.to_string(),
    }
}
