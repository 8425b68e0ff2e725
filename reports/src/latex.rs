//! The numbers of the terminal's table, with intervals, as tables for LaTeX with the package booktabs: one file a scenario, for
//! `\input`.

use cardiogram_results::survival::Estimated;

use crate::{
    number::{percent, short},
    statistics::bootstrap::Interval,
    summary::{CellStats, ScenarioStats, better},
};

const HEADER: [&str; 8] = [
    "Strategy",
    "Packets (1/h)",
    "Detection, mean (s)",
    "p95 (s)",
    "Noticed",
    "False alarms (1/day)",
    r"Avoidable (s/day)",
    "Available",
];

/// Returns the table of a scenario, the best strategy first.
pub(crate) fn table(scenario: &ScenarioStats) -> String {
    let mut cells: Vec<&CellStats> = scenario.cells.iter().collect();
    cells.sort_by(|a, b| better(scenario.cost, a, b));
    let mut lines = vec![
        format!("% {}: per device-hour and device-day; in brackets, 95 % intervals over seeds.", scenario.name),
        r"% \usepackage{booktabs}; a dagger marks the Pareto front of avoidable downtime and cost.".to_owned(),
        format!(r"\begin{{tabular}}{{l{}}}", "r".repeat(HEADER.len() - 1)),
        r"\toprule".to_owned(),
        format!(r"{} \\", HEADER.join(" & ")),
        r"\midrule".to_owned(),
    ];
    lines.extend(cells.into_iter().map(|cell| format!(r"{} \\", row(cell).join(" & "))));
    lines.extend([r"\bottomrule".to_owned(), r"\end{tabular}".to_owned(), String::new()]);
    lines.join("\n")
}

fn row(cell: &CellStats) -> [String; HEADER.len()] {
    let front = if cell.on_front { r"$^\dagger$" } else { "" };
    let noticed = if cell.episodes() == 0 { "--".to_owned() } else { format!("{}/{}", cell.detected, cell.episodes()) };
    [
        format!("{}{front}", escape(&cell.strategy)),
        with(&short(cell.packets_per_device_hour), cell.packets_interval),
        with(&estimated(cell.detect_mean_s), cell.detect_interval_s),
        with(&estimated(cell.detect_p95_s), cell.detect_p95_interval_s),
        noticed,
        with(&short(cell.false_alarms_per_device_day), cell.false_alarms_interval),
        cell.downtime.map_or_else(|| "--".to_owned(), |it| with(&short(it.avoidable_s_per_day), it.interval)),
        escape(&percent(cell.availability)),
    ]
}

fn with(number: &str, interval: Option<Interval>) -> String {
    interval.map_or_else(
        || number.to_owned(),
        |Interval { low, high }| format!("{number} {{\\small [{}, {}]}}", short(low), short(high)),
    )
}

fn estimated(number: Option<Estimated>) -> String {
    match number {
        None => "--".to_owned(),
        Some(Estimated::Known(value)) => short(value),
        Some(Estimated::AtLeast(value)) => format!(r"$\ge$ {}", short(value)),
    }
}

/// Returns a text in which no letter has a meaning of its own.
fn escape(text: &str) -> String {
    let letter = |letter: char| match letter {
        '%' | '_' | '&' | '#' | '$' | '{' | '}' => format!(r"\{letter}"),
        '\\' => r"\textbackslash{}".to_owned(),
        '~' => r"\textasciitilde{}".to_owned(),
        '^' => r"\textasciicircum{}".to_owned(),
        _ => letter.to_string(),
    };
    text.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data, fixture, summary};

    #[test]
    fn every_row_has_as_many_cells_as_the_head_and_nothing_that_latex_would_take_for_its_own() {
        let dir = tempfile::tempdir().unwrap();
        fixture::write(dir.path(), 3);
        let summary = summary::summarize(&data::read(dir.path()).unwrap(), None);
        let cable = summary.scenarios.iter().find(|it| it.name == "cable-cut").unwrap();
        let table = table(cable);
        let rows: Vec<&str> = table.lines().filter(|line| line.ends_with(r"\\")).collect();
        assert_eq!(rows.len(), 1 + cable.cells.len());
        assert!(rows.iter().all(|row| row.matches(" & ").count() == HEADER.len() - 1), "{table}");
        assert!(rows.iter().all(|row| row.matches('%').count() == row.matches(r"\%").count()), "{table}");
        assert!(table.contains(r"$\ge$ ") && table.contains(r"$^\dagger$") && table.contains(r"\small ["), "{table}");
        assert_eq!(escape(r"a_b%\{"), r"a\_b\%\textbackslash{}\{");
    }
}
