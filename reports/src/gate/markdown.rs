//! The comparison as Markdown, ready for a GitHub step summary.

use std::fmt::Write as _;

use super::{
    compare::Comparison,
    results::Results,
    verdict::{Strictness, Verdict},
    words,
};
use crate::commands;

/// The most rows of each kind: a step summary has room for 1 MiB.
const ROWS_MAX: usize = 500;

impl Comparison {
    /// Returns the comparison as Markdown.
    pub fn markdown(&self, results: &Results, strictness: Strictness) -> String {
        let verdict = if self.passes(strictness) { "passed" } else { "failed" };
        let mut out = format!("## cardiogram gate: {verdict}\n\n{}\n", escape(&words::overview(self)));
        for note in words::notes(self) {
            let _ = writeln!(out, "\n{}", escape(&note));
        }
        let undecided = self.count(Verdict::Undecided);
        if undecided > 0 && strictness == Strictness::AllowUndecided {
            let _ = writeln!(out, "\n**{undecided} undecided, let through by `--allow-undecided`.**");
        }
        for verdict in Verdict::ALL {
            let all: Vec<_> = self.with(verdict).collect();
            if all.is_empty() {
                continue;
            }
            let title = words::title(verdict);
            let remarks = all.iter().any(|(_, it)| words::remark(it).is_some());
            // What asks for nothing is folded away.
            let folded = matches!(verdict, Verdict::WithinNoise | Verdict::Equivalent);
            if folded {
                let _ = writeln!(out, "\n<details><summary>{title}: {}</summary>\n", all.len());
            } else {
                let _ = writeln!(out, "\n### {title}\n");
            }
            let _ = writeln!(out, "| {} |{}", words::COLUMNS.join(" | "), if remarks { " |" } else { "" });
            let _ = writeln!(out, "|---|---|---|--:|--:|---|--:|{}", if remarks { "---|" } else { "" });
            for (cell, it) in all.iter().take(ROWS_MAX) {
                let (scenario, strategy) = (escape(&cell.name.scenario), escape(&cell.name.strategy));
                let (then, now) = (words::value(it.baseline), words::value(it.current));
                let (metric, change, allowed) = (it.metric.name(), words::change(it), words::allowed(it));
                let advice = words::remark(it).map(|remark| format!(" {remark} |")).unwrap_or_default();
                let _ = writeln!(
                    out,
                    "| {scenario} | {strategy} | `{metric}` | {then} | {now} | {change} | {allowed} |{advice}"
                );
            }
            if all.len() > ROWS_MAX {
                let _ = writeln!(out, "\nand {} more", all.len() - ROWS_MAX);
            }
            if folded {
                out.push_str("\n</details>\n");
            }
        }
        let worst = self.worst(results);
        if !worst.is_empty() {
            out.push_str("\n### To see the worst\n\n");
            for (cell, headline, _) in &worst {
                let (scenario, strategy) = (escape(&cell.name.scenario), escape(&cell.name.strategy));
                let _ = writeln!(out, "- {scenario}, {strategy}: {}", escape(headline));
            }
            let commands: Vec<String> = worst.into_iter().map(|(.., command)| command).collect();
            let _ = writeln!(out, "\n```sh\n{}\n```", commands.join("\n"));
            if let Some(note) = commands::note(&commands) {
                let _ = writeln!(out, "\n{note}");
            }
        }
        if self.family > 0 {
            let _ = writeln!(
                out,
                "\nIntervals are of paired differences over {} seeds and hold together, all {}, with a chance of {} %. Every \
                 metric is a cost: less is better.",
                self.seeds,
                self.family,
                100.0 * (1.0 - self.alpha)
            );
        }
        out
    }
}

/// Text in which Markdown and HTML see nothing of theirs.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for it in text.chars() {
        match it {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '|' | '`' | '*' | '[' | ']' | '\\' => out.extend(['\\', it]),
            it if it.is_control() => out.push(' '),
            it => out.push(it),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_cannot_break_the_table() {
        assert_eq!(super::escape("a|b<c>&`d`\ne"), "a\\|b&lt;c>&amp;\\`d\\` e");
    }
}
