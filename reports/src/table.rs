//! The terminal's table: plain text, at most 80 columns, the numbers one looks at first, the best strategy first.

use std::fmt::Write as _;

use cardiogram_results::survival::Estimated;

use crate::{
    number::{list, percent, short},
    summary::{CellStats, Cost, ScenarioStats, Summary, better},
};

/// The width of the usual terminal, in columns.
const WIDTH_MAX: usize = 80;
/// Longest name of a strategy; what is longer is cut.
const NAME_MAX: usize = 22;
/// The columns, and those among them that go first where there is no room for all, in that order.
const HEADER: [&str; 8] =
    ["strategy", "packets/h", "mean (s)", "p95 (s)", "noticed", "false/day", "avoidable", "available"];
const DISPENSABLE: [usize; 3] = [3, 5, 7];
/// The number of columns.
const COLUMNS: usize = HEADER.len();

/// One block a scenario.
pub(crate) fn render(summary: &Summary) -> String {
    let mut text = String::new();
    let mut left_out = [false; COLUMNS];
    for (index, scenario) in summary.scenarios.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        render_scenario(&mut text, scenario, &mut left_out);
    }
    let cells = || summary.scenarios.iter().flat_map(|scenario| &scenario.cells);
    let mut notes = Vec::new();
    if cells().any(|cell| cell.downtime.is_some()) {
        notes.push("avoidable: seconds a day without a session that the policy could have saved".to_owned());
    }
    if cells().any(|cell| cell.on_front) {
        let has = |cost| summary.scenarios.iter().any(|scenario| scenario.cost == cost);
        let cost = match (has(Cost::Packets), has(Cost::Energy)) {
            (true, true) => "packets (with radios: energy)",
            (false, true) => "energy",
            (_, false) => "packets",
        };
        notes.push(format!("* on the Pareto front of avoidable downtime and {cost}"));
    }
    if cells().any(|cell| !cell.unfit.is_empty()) {
        notes.push("! a healthy connection cannot live under it, or it never comes back: see the report".to_owned());
    }
    let names: Vec<&str> = HEADER.iter().zip(left_out).filter(|(_, is_out)| *is_out).map(|(name, _)| *name).collect();
    if !names.is_empty() {
        notes.push(format!("no room for: {}; the report has all numbers", list(&names)));
    }
    if !notes.is_empty() {
        let _ = write!(text, "\n{}\n", notes.join("\n"));
    }
    text
}

fn render_scenario(text: &mut String, scenario: &ScenarioStats, left_out: &mut [bool; COLUMNS]) {
    let mut cells: Vec<&CellStats> = scenario.cells.iter().collect();
    cells.sort_by(|a, b| better(scenario.cost, a, b));
    let rows: Vec<[String; COLUMNS]> =
        std::iter::once(HEADER.map(str::to_owned)).chain(cells.into_iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let mut shown = [true; COLUMNS];
    let total = |shown: &[bool; COLUMNS]| -> usize {
        widths.iter().zip(shown).filter(|(_, is_shown)| **is_shown).map(|(width, _)| width + 2).sum()
    };
    for column in DISPENSABLE {
        if total(&shown) > WIDTH_MAX {
            (shown[column], left_out[column]) = (false, true);
        }
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", scenario.name);
    for row in &rows {
        let _ = write!(text, "  {:<width$}", row[0], width = widths[0]);
        for column in (1..COLUMNS).filter(|column| shown[*column]) {
            let _ = write!(text, "  {:>width$}", row[column], width = widths[column]);
        }
        text.push('\n');
    }
}

fn row(cell: &CellStats) -> [String; COLUMNS] {
    let name: String = cell.strategy.chars().take(NAME_MAX).collect();
    let noticed = if cell.episodes() == 0 { "-".to_owned() } else { format!("{}/{}", cell.detected, cell.episodes()) };
    [
        [(cell.on_front, " *"), (!cell.unfit.is_empty(), " !")]
            .into_iter()
            .filter(|(is_so, _)| *is_so)
            .fold(name, |name, (_, mark)| name + mark),
        short(cell.packets_per_device_hour),
        estimated(cell.detect_mean_s),
        estimated(cell.detect_p95_s),
        noticed,
        short(cell.false_alarms_per_device_day),
        cell.downtime.map_or_else(|| "-".to_owned(), |it| short(it.avoidable_s_per_day)),
        percent(cell.availability),
    ]
}

fn estimated(number: Option<Estimated>) -> String {
    match number {
        None => "-".to_owned(),
        Some(Estimated::Known(value)) => short(value),
        Some(Estimated::AtLeast(value)) => format!(">={}", short(value)),
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture;

    #[test]
    fn the_table_is_aligned_and_fits_a_terminal() {
        let dir = tempfile::tempdir().unwrap();
        fixture::write(dir.path(), 3);
        let table = crate::write(&fixture::claim(dir.path())).unwrap().table;
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        for block in table.split("\n\n").filter(|block| block.contains("strategy")) {
            let widths: Vec<usize> = block.lines().skip(1).map(|line| line.chars().count()).collect();
            assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{block}");
        }
        assert!(table.contains("qq-fixed-45"), "{table}");
    }
}
