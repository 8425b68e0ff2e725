//! The terminal's tables of a sweep: for each strategy that it starts from, a number at every point. Columns are the first
//! axis, rows the second; colours and pictures are the business of the plots.

use std::fmt::Write as _;

use cardiogram_results::manifest::{ManifestAxis, ManifestSweep};

use crate::{
    number::{percent, short},
    summary::{CellStats, Summary},
};

/// Most characters of a line.
const WIDTH_MAX: usize = 100;

/// What the tables show.
type Number = (&'static str, fn(&CellStats) -> String);
const NUMBERS: [Number; 2] = [
    ("availability (%)", |cell| percent(cell.availability).trim_end_matches(" %").to_owned()),
    ("packets/h", |cell| short(cell.packets_per_device_hour)),
];

/// Returns the tables of all strategies that the sweep starts from.
pub(crate) fn render(sweep: &ManifestSweep, summary: &Summary) -> String {
    let mut bases: Vec<&str> = Vec::new();
    for point in &sweep.points {
        if !bases.contains(&point.base_strategy.as_str()) {
            bases.push(&point.base_strategy);
        }
    }
    let tables = bases.iter().flat_map(|base| NUMBERS.iter().map(|number| table(sweep, summary, base, number)));
    tables.collect::<Vec<_>>().join("\n")
}

fn table(sweep: &ManifestSweep, summary: &Summary, base: &str, (title, show): &Number) -> String {
    let texts = |axis: &ManifestAxis| axis.values.iter().map(|value| value.text.clone()).collect::<Vec<_>>();
    let (columns, rows) = (texts(&sweep.axes[0]), sweep.axes.get(1).map_or_else(|| vec![String::new()], texts));
    let mut cells = vec![vec!["-".to_owned(); columns.len()]; rows.len()];
    for point in sweep.points.iter().filter(|point| point.base_strategy == base) {
        let scenario = summary.scenarios.iter().find(|scenario| scenario.name == point.scenario);
        let cell = scenario.and_then(|scenario| scenario.cells.iter().find(|cell| cell.strategy == point.strategy));
        // A shard has not all points.
        if let Some(cell) = cell {
            cells[point.index.get(1).copied().unwrap_or(0)][point.index[0]] = show(cell);
        }
    }
    let (across, down) = (&sweep.axes[0].label, sweep.axes.get(1).map_or("", |axis| axis.label.as_str()));
    let length = |text: &String| text.chars().count();
    let head = rows.iter().map(length).max().unwrap_or(0).max(down.chars().count());
    let width = columns.iter().chain(cells.iter().flatten()).map(length).max().unwrap_or(0) + 2;
    let fit = (WIDTH_MAX.saturating_sub(head + 2) / width).max(1);
    let every = columns.len().div_ceil(fit);
    // Writing to a String cannot fail.
    let mut text = String::new();
    let _ = write!(text, "{base}: {title} by {across}");
    if every > 1 {
        let _ = write!(text, ", one column in {every}");
    }
    let _ = write!(text, "\n  {down:<head$}");
    for column in columns.iter().step_by(every) {
        let _ = write!(text, "{column:>width$}");
    }
    for (row, cells) in rows.iter().zip(&cells) {
        let _ = write!(text, "\n  {row:>head$}");
        for cell in cells.iter().step_by(every) {
            let _ = write!(text, "{cell:>width$}");
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use cardiogram_results::manifest::{ManifestPoint, ManifestValue};

    use super::*;
    use crate::{data, fixture, summary};

    fn axis(label: &str, values: usize) -> ManifestAxis {
        let value = |n| ManifestValue { text: format!("{n}m"), number: Some(f64::from(n) * 60.0) };
        let values = (1..=values as u32).map(value).collect();
        ManifestAxis { label: label.into(), target: "scenario".into(), key: "x".into(), unit: Some("s".into()), values }
    }

    /// Points at the first two scenarios and strategies of the fixture.
    fn sweep(axes: Vec<ManifestAxis>) -> ManifestSweep {
        let point = |(a, scenario): (usize, &str), (b, strategy): (usize, &str)| ManifestPoint {
            scenario: scenario.into(),
            strategy: strategy.into(),
            base_strategy: "base".into(),
            index: vec![a, b],
        };
        let scenarios = [(0, "healthy"), (1, "silent-nat")];
        let strategies = [(0, "none"), (1, "qq-fixed-45")];
        let points = scenarios.iter().flat_map(|a| strategies.iter().map(move |b| point(*a, *b))).collect();
        ManifestSweep { name: "s".into(), about: String::new(), axes, points }
    }

    fn rendered(sweep: &ManifestSweep) -> String {
        let dir = tempfile::tempdir().unwrap();
        fixture::write(dir.path(), 2);
        render(sweep, &summary::summarize(&data::read(dir.path()).unwrap(), None))
    }

    #[test]
    fn every_point_is_in_its_row_and_column_and_what_is_missing_is_a_dash() {
        let text = rendered(&sweep(vec![axis("NAT", 3), axis("beat", 2)]));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "base: availability (%) by NAT");
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["beat", "1m", "2m", "3m"]);
        let row = |line: usize| lines[line].split_whitespace().collect::<Vec<_>>();
        assert_eq!((row(2), row(3)), (vec!["1m", "100", "64.2", "-"], vec!["2m", "100", "100", "-"]));
        assert_eq!(lines[5], "base: packets/h by NAT");
    }

    #[test]
    fn a_table_that_is_too_wide_shows_some_columns_and_says_so() {
        let text = rendered(&sweep(vec![axis("NAT", 200), axis("beat", 2)]));
        assert!(text.contains(", one column in "), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH_MAX), "{text}");
    }
}
