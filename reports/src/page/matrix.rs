//! The matrix of the first page: avoidable downtime of every strategy in every scenario, in one scale of colours.

use maud::{Markup, html};

use crate::{
    number::short,
    summary::{Summary, overall},
};

/// Upper ends of the classes of colour, in seconds of avoidable downtime per device-day, with what a reader calls them.
const CLASSES: [(f64, &str); 6] = [
    (1.0, "under 1 s"),
    (10.0, "under 10 s"),
    (60.0, "under 1 min"),
    (600.0, "under 10 min"),
    (3_600.0, "under 1 h"),
    (f64::INFINITY, "1 h a day or more"),
];

/// The matrix, best strategies first; `slugs` has the names of the scenarios' pages. Nothing where the results do not tell
/// downtime.
pub(super) fn matrix(summary: &Summary, slugs: &[String]) -> Markup {
    let strategies = overall(summary);
    let class = |value: f64| {
        let place = CLASSES.iter().position(|(end, _)| value < *end).unwrap_or(CLASSES.len() - 1);
        format!("d{place}")
    };
    html! {
        @if !strategies.is_empty() {
            p.faint id="matrix-words" {
                "Avoidable downtime in seconds a day: time without a session that the policy could have saved. Best strategies \
                 first, by how many others are better, on average over their scenarios. Empty: not tried there. "
                @for (place, (_, words)) in CLASSES.iter().enumerate() {
                    span class={ "key d" (place) } { (words) }
                }
            }
            div.scroll {
                table.matrix aria-describedby="matrix-words" {
                    thead {
                        tr {
                            th scope="col" { "strategy" }
                            @for (scenario, slug) in summary.scenarios.iter().zip(slugs) {
                                th.steep scope="col" { a href={ "scenarios/" (slug) ".html" } { span { (scenario.name) } } }
                            }
                        }
                    }
                    tbody {
                        @for strategy in &strategies {
                            tr {
                                th scope="row" { (strategy.strategy) }
                                @for (scenario, slug) in summary.scenarios.iter().zip(slugs) {
                                    @let cell = scenario.cells.iter().find(|cell| cell.strategy == strategy.strategy);
                                    @match cell.and_then(|cell| cell.downtime) {
                                        Some(downtime) => {
                                            @let value = downtime.avoidable_s_per_day;
                                            td class=(class(value)) {
                                                a href={ "scenarios/" (slug) ".html" }
                                                    title={ (strategy.strategy) " in " (scenario.name) } { (number(value)) }
                                            }
                                        }
                                        None => td {}
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Short enough for a small field: whole seconds from ten on.
fn number(value: f64) -> String {
    match value {
        v if v < 0.05 => "0".to_owned(),
        v if v < 9.95 => format!("{v:.1}"),
        v if v < 99_950.0 => format!("{v:.0}"),
        v => short(v),
    }
}
