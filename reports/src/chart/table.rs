//! The numbers of a picture as CSV: what its marks stand for, so that a plot's data are one click away from it.

use super::{Chart, Color, Height, Key, Mark, Scale};

/// One line a mark, or a place of a line: its kind, whose it is, and its values with their intervals in those of the axes. Where
/// an axis has names, its value is the name.
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
    match mark {
        Mark::Line(points, _) => line("line", "", points),
        Mark::Curve { points, tip, .. } => line("curve", &tip.name, points),
        Mark::Rule(at, _) => vec![row("rule", "", x(*at), String::new())],
        // Grounds and bands are drawn from what is said elsewhere, and a run has files of its own.
        Mark::Area(..) | Mark::Band(..) | Mark::Shade { .. } | Mark::Spans { .. } | Mark::Moments { .. } => Vec::new(),
        Mark::Point(point) => {
            let (height, interval, note) = match point.y {
                Height::At { value, interval } => (y(value), interval, ""),
                Height::AtLeast(value) => (y(value), None, "at least"),
                Height::Above => (String::new(), None, chart.above.as_deref().unwrap_or("above")),
                Height::Below => (String::new(), None, chart.below.as_deref().unwrap_or("below")),
            };
            let mut row = row("point", &point.name, x(point.x), height);
            if let Some(interval) = point.x_interval {
                (row[3], row[4]) = (x(interval.low), x(interval.high));
            }
            if let Some(interval) = interval {
                (row[6], row[7]) = (y(interval.low), y(interval.high));
            }
            note.clone_into(&mut row[9]);
            vec![row]
        }
        Mark::Dot { row: place, value, at_least, tip, .. } => {
            let mut row = row("dot", &tip.name, x(*value), y(*place));
            if *at_least {
                "at least".clone_into(&mut row[9]);
            }
            vec![row]
        }
        Mark::Bars { row: place, parts, tip, .. } => {
            let meaning = |color| {
                let is_of = |key: &Key| matches!(key, Key::Patch(of) if *of == color);
                chart.legend.iter().find(|(_, key)| is_of(key)).map_or("", |(words, _)| words.as_str())
            };
            let bar = |(value, color): &(f64, Color)| {
                let mut row = row("bar", &tip.name, x(*value), y(*place));
                meaning(*color).clone_into(&mut row[9]);
                row
            };
            parts.iter().map(bar).collect()
        }
        Mark::Cell { column, row: place, value, text } => {
            let mut row = row("cell", "", x(*column), y(*place));
            row[8] = value.map_or_else(String::new, |value| value.to_string());
            row[9].clone_from(text);
            vec![row]
        }
    }
}

/// A value as the axis has it: a name where it has names.
fn along(scale: &Scale, value: f64) -> String {
    match scale {
        Scale::Names(names) => names.get(value.round() as usize).cloned().unwrap_or_default(),
        _ => value.to_string(),
    }
}
