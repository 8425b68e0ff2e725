//! The terminal's table: plain text, at most 100 columns, the numbers one looks at first.

use std::fmt::Write as _;

use cardiogram_results::survival::Estimated;

use crate::{
    number::{percent, short},
    summary::{CellStats, ScenarioStats, Summary},
};

/// Longest name of a strategy; what is longer is cut.
const NAME_MAX: usize = 26;

const HEADER: [&str; 7] = ["strategy", "packets/h", "mean (s)", "p95 (s)", "noticed", "false/day", "available"];

/// One block a scenario, strategies by cost.
pub(crate) fn render(summary: &Summary) -> String {
    let mut text = String::new();
    for (index, scenario) in summary.scenarios.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        render_scenario(&mut text, scenario);
    }
    if summary.scenarios.iter().any(|scenario| scenario.cells.iter().any(|cell| cell.on_front)) {
        text.push_str("\n* on the Pareto front of packets per device-hour and mean detection latency\n");
    }
    text
}

fn render_scenario(text: &mut String, scenario: &ScenarioStats) {
    let rows: Vec<[String; 7]> =
        std::iter::once(HEADER.map(str::to_owned)).chain(scenario.cells.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", scenario.name);
    for row in &rows {
        let _ = write!(text, "  {:<width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(widths).skip(1) {
            let _ = write!(text, "  {cell:>width$}");
        }
        text.push('\n');
    }
}

fn row(cell: &CellStats) -> [String; 7] {
    let name: String = cell.strategy.chars().take(NAME_MAX).collect();
    let noticed = if cell.episodes() == 0 { "-".to_owned() } else { format!("{}/{}", cell.detected, cell.episodes()) };
    [
        if cell.on_front { format!("{name} *") } else { name },
        short(cell.packets_per_device_hour),
        estimated(cell.detect_mean_s),
        estimated(cell.detect_p95_s),
        noticed,
        short(cell.false_alarms_per_device_day),
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
        let table = crate::write(dir.path()).unwrap().table;
        assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
        for block in table.split("\n\n").filter(|block| block.contains("strategy")) {
            let widths: Vec<usize> = block.lines().skip(1).map(|line| line.chars().count()).collect();
            assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{block}");
        }
        assert!(table.contains("qq-fixed-45"), "{table}");
    }
}
