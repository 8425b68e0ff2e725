//! The comparison as JUnit XML, which every CI can show: a suite for each scenario, a case for each cell.
//!
//! The form is that of the schema of Jenkins' xUnit plugin, as most readers know it. Times are 0: a result does not depend on
//! a clock. What is undecided has failed; where it is allowed to pass, it is skipped, with the metrics in its message.

use std::fmt::Write as _;

use super::{
    baseline::CellName,
    compare::{CellComparison, Comparison, MetricComparison},
    verdict::{Strictness, Verdict},
    words,
};

/// A cell as a case.
enum Case<'a> {
    Compared(&'a CellComparison),
    New(&'a CellName),
}

impl Case<'_> {
    fn name(&self) -> &CellName {
        match self {
            Self::Compared(cell) => &cell.name,
            Self::New(name) => name,
        }
    }

    fn fails(&self, strictness: Strictness) -> bool {
        let Self::Compared(cell) = self else { return false };
        cell.metrics.iter().any(|it| it.verdict.fails(strictness))
    }

    /// Why it is neither a failure nor a success, if so.
    fn skipped(&self, strictness: Strictness) -> Option<String> {
        let cell = match self {
            Self::New(_) => return Some("not in the baseline".to_owned()),
            Self::Compared(_) if self.fails(strictness) => return None,
            Self::Compared(cell) => cell,
        };
        let undecided: Vec<String> = cell.with(Verdict::Undecided).map(words::headline).collect();
        (!undecided.is_empty()).then(|| format!("undecided, and allowed to pass: {}", undecided.join(", ")))
    }
}

impl Comparison {
    /// Returns the comparison as JUnit XML.
    pub fn junit(&self, strictness: Strictness) -> String {
        let mut cases: Vec<Case<'_>> = self.cells.iter().map(Case::Compared).collect();
        cases.extend(self.new.iter().map(Case::New));
        cases.sort_by(|a, b| a.name().cmp(b.name()));

        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let _ = writeln!(out, "<testsuites name=\"cardiogram gate\"{}>", counts(&cases, strictness));
        for suite in cases.chunk_by(|a, b| a.name().scenario == b.name().scenario) {
            let scenario = escape(&suite[0].name().scenario);
            let _ = writeln!(out, "  <testsuite name=\"{scenario}\"{}>", counts(suite, strictness));
            for it in suite {
                case(&mut out, it, strictness);
            }
            out.push_str("  </testsuite>\n");
        }
        out.push_str("</testsuites>\n");
        out
    }
}

fn counts(cases: &[Case<'_>], strictness: Strictness) -> String {
    let failures = cases.iter().filter(|it| it.fails(strictness)).count();
    let skipped = cases.iter().filter(|it| it.skipped(strictness).is_some()).count();
    format!(" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"0\"", cases.len())
}

fn case(out: &mut String, case: &Case<'_>, strictness: Strictness) {
    let CellName { scenario, strategy } = case.name();
    let _ = write!(out, "    <testcase classname=\"{}\" name=\"{}\" time=\"0\"", escape(scenario), escape(strategy));
    let skipped = case.skipped(strictness).map(|why| format!("      <skipped message=\"{}\"/>\n", escape(&why)));
    let metrics: &[MetricComparison] = match case {
        Case::New(_) => &[],
        Case::Compared(cell) => &cell.metrics,
    };
    if skipped.is_none() && metrics.is_empty() {
        out.push_str("/>\n");
        return;
    }
    out.push_str(">\n");
    out.push_str(&skipped.unwrap_or_default());
    let (failing, rest): (Vec<_>, Vec<_>) = metrics.iter().partition(|it| it.verdict.fails(strictness));
    if let Some(worst) = failing.iter().map(|it| it.verdict).min() {
        let message: Vec<String> = failing.iter().map(|it| words::headline(it)).collect();
        let _ = write!(out, "      <failure type=\"{}\" message=\"{}\">", worst.name(), escape(&message.join(", ")));
        for it in failing {
            line(out, it);
        }
        out.push_str("</failure>\n");
    }
    if !rest.is_empty() {
        out.push_str("      <system-out>");
        for it in rest {
            line(out, it);
        }
        out.push_str("</system-out>\n");
    }
    out.push_str("    </testcase>\n");
}

fn line(out: &mut String, it: &MetricComparison) {
    let (then, now) = (words::value(it.baseline), words::value(it.current));
    let text = format!(
        "{}: {}, {then} before, {now} now, {}, allowed {}{}\n",
        it.metric.name(),
        it.verdict.name(),
        words::change(it),
        words::allowed(it),
        words::remark(it).map(|remark| format!("; {remark}")).unwrap_or_default(),
    );
    out.push_str(&escape(&text));
}

/// Text for XML 1.0, in attributes too: what it does not allow at all becomes U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for it in text.chars() {
        match it {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            it if it.is_control() || matches!(it, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            it => out.push(it),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_cannot_break_the_document() {
        let text = "a<b>&\"c\"\u{1}\u{ffff}";
        let document = format!("<a b=\"{0}\">{0}</a>", super::escape(text));
        let document = roxmltree::Document::parse(&document).unwrap();
        let expected = "a<b>&\"c\"\u{fffd}\u{fffd}";
        assert_eq!(document.root_element().attribute("b"), Some(expected));
        assert_eq!(document.root_element().text(), Some(expected));
    }
}
