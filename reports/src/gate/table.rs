//! The comparison as a plain table for a terminal or a log.

use std::fmt::Write as _;

use super::{
    compare::{CellComparison, Comparison, MetricComparison},
    results::Results,
    verdict::Verdict,
    words,
};
use crate::commands;

/// The most rows of each kind; files have more.
const ROWS_MAX: usize = 20;
/// How many cells are shown with a command.
pub(crate) const WORST_CELLS: usize = 3;

impl Comparison {
    /// Everything that a reader of a log should see: what became worse, better, or is not decided, and the commands that
    /// show the worst three cells.
    pub fn table(&self, results: &Results) -> String {
        let mut out = words::overview(self);
        out.push('\n');
        for note in words::notes(self) {
            let _ = writeln!(out, "{note}");
        }
        for verdict in Verdict::ALL.into_iter().filter(|verdict| *verdict != Verdict::Equivalent) {
            let all: Vec<_> = self.with(verdict).collect();
            if !all.is_empty() {
                let _ = writeln!(out, "\n{}", words::title(verdict));
                rows(&mut out, &all[..all.len().min(ROWS_MAX)]);
                if all.len() > ROWS_MAX {
                    let _ = writeln!(out, "  and {} more: --summary and --junit name them", all.len() - ROWS_MAX);
                }
            }
        }
        let worst = self.worst(results);
        if !worst.is_empty() {
            let _ = writeln!(out, "\nTo see the worst");
            for (cell, headline, command) in &worst {
                let _ = writeln!(out, "  {}, {}: {headline}\n    {command}", cell.name.scenario, cell.name.strategy);
            }
            let commands: Vec<String> = worst.into_iter().map(|(.., command)| command).collect();
            if let Some(note) = commands::note(&commands) {
                let _ = writeln!(out, "  {note}");
            }
        }
        out
    }

    /// Returns all metrics with this verdict and their cells.
    pub(crate) fn with(&self, verdict: Verdict) -> impl Iterator<Item = (&CellComparison, &MetricComparison)> {
        self.cells.iter().flat_map(move |cell| cell.with(verdict).map(move |metric| (cell, metric)))
    }

    /// Returns the worst cells, with what is worst there and the command that shows it.
    pub(crate) fn worst(&self, results: &Results) -> Vec<(&CellComparison, String, String)> {
        let worst = self.worst_cells().into_iter().take(WORST_CELLS).map(|(cell, metric)| {
            let worst = metric.worst.expect("what is worse has pairs");
            (cell, words::headline(metric), results.command(&cell.name, worst.seed))
        });
        worst.collect()
    }
}

fn rows(out: &mut String, metrics: &[(&CellComparison, &MetricComparison)]) {
    let mut lines: Vec<Vec<String>> = vec![words::COLUMNS.map(str::to_owned).to_vec()];
    for (cell, it) in metrics {
        let name = &cell.name;
        let mut line = vec![name.scenario.clone(), name.strategy.clone(), it.metric.name().to_owned()];
        line.extend([words::value(it.baseline), words::value(it.current), words::change(it), words::allowed(it)]);
        line.extend(words::remark(it));
        lines.push(line);
    }
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..=words::COLUMNS.len()).map(width).collect();
    for line in &lines {
        let mut text = String::new();
        for (column, cell) in line.iter().enumerate() {
            let width = widths[column];
            // Names begin at the left, values end at the right; what the last column says is a sentence.
            let _ = match column {
                3 | 4 | 6 => write!(text, "  {cell:>width$}"),
                _ => write!(text, "  {cell:width$}"),
            };
        }
        let _ = writeln!(out, "{}", text.trim_end());
    }
}
