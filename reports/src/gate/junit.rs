//! The comparison as JUnit XML, which every CI can show: a suite for each scenario, a case for each cell.
//!
//! The form is that of the schema of Jenkins' xUnit plugin, as most readers know it. Times are 0: a result does not depend on
//! a clock. What is undecided has passed, with words in its output, unless it is told to fail.

use std::fmt::Write as _;

use super::{
    baseline::CellName,
    compare::{CellComparison, Comparison, MetricComparison, Verdict},
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

    fn fails(&self, strict: bool) -> bool {
        let Self::Compared(cell) = self else { return false };
        cell.metrics.iter().any(|it| fails(it, strict))
    }
}

fn fails(it: &MetricComparison, strict: bool) -> bool {
    it.verdict == Verdict::Regression || (strict && it.verdict == Verdict::Undecided)
}

impl Comparison {
    /// The comparison as JUnit XML; `strict` makes a failure of what is undecided.
    pub fn junit(&self, strict: bool) -> String {
        let mut cases: Vec<Case<'_>> = self.cells.iter().map(Case::Compared).collect();
        cases.extend(self.new.iter().map(Case::New));
        cases.sort_by(|a, b| a.name().cmp(b.name()));

        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let _ = writeln!(out, "<testsuites name=\"cardiogram gate\"{}>", counts(&cases, strict));
        for suite in cases.chunk_by(|a, b| a.name().scenario == b.name().scenario) {
            let scenario = escape(&suite[0].name().scenario);
            let _ = writeln!(out, "  <testsuite name=\"{scenario}\"{}>", counts(suite, strict));
            for it in suite {
                case(&mut out, it, strict);
            }
            out.push_str("  </testsuite>\n");
        }
        out.push_str("</testsuites>\n");
        out
    }
}

fn counts(cases: &[Case<'_>], strict: bool) -> String {
    let failures = cases.iter().filter(|it| it.fails(strict)).count();
    let skipped = cases.iter().filter(|it| matches!(it, Case::New(_))).count();
    format!(" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"0\"", cases.len())
}

fn case(out: &mut String, case: &Case<'_>, strict: bool) {
    let CellName { scenario, strategy } = case.name();
    let _ = write!(out, "    <testcase classname=\"{}\" name=\"{}\" time=\"0\"", escape(scenario), escape(strategy));
    let cell = match case {
        Case::New(_) => {
            out.push_str(">\n      <skipped message=\"not in the baseline\"/>\n    </testcase>\n");
            return;
        }
        Case::Compared(cell) if cell.metrics.is_empty() => {
            out.push_str("/>\n");
            return;
        }
        Case::Compared(cell) => cell,
    };
    out.push_str(">\n");
    let failing: Vec<&MetricComparison> = cell.metrics.iter().filter(|it| fails(it, strict)).collect();
    if !failing.is_empty() {
        let message: Vec<String> = failing.iter().map(|it| words::headline(it)).collect();
        let kind = if cell.with(Verdict::Regression).next().is_some() { "regression" } else { "undecided" };
        let _ = write!(out, "      <failure type=\"{kind}\" message=\"{}\">", escape(&message.join(", ")));
        for it in failing {
            line(out, it);
        }
        out.push_str("</failure>\n");
    }
    let rest: Vec<&MetricComparison> = cell.metrics.iter().filter(|it| !fails(it, strict)).collect();
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
    let verdict = match it.verdict {
        Verdict::Regression => "regression",
        Verdict::Improvement => "improvement",
        Verdict::Equivalent => "equivalent",
        Verdict::Undecided => "undecided",
    };
    let (then, now) = (words::value(it.baseline), words::value(it.current));
    let text = format!(
        "{}: {verdict}, {then} before, {now} now, {}, allowed {}\n",
        it.metric.name(),
        words::change(it),
        words::allowed(it)
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
