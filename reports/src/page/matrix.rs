//! The matrix of the first page: avoidable downtime of every strategy in every scenario, in one scale of colours.

use maud::{Markup, html};

use crate::{
    number::short,
    summary::{Overall, Summary},
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

/// Returns the matrix, best strategies first; `slugs` has the names of the scenarios' pages. Nothing where the results do not
/// tell downtime.
pub(super) fn matrix(strategies: &[Overall<'_>], summary: &Summary, slugs: &[String]) -> Markup {
    let families = families(strategies);
    let class = |value: f64| {
        let place = CLASSES.iter().position(|(end, _)| value < *end).unwrap_or(CLASSES.len() - 1);
        format!("d{place}")
    };
    html! {
        @if !families.is_empty() {
            p.faint id="matrix-words" {
                "Avoidable downtime in seconds a day: time without a session that the policy could have saved. Best strategies \
                 first, by how many others are better, on average over their scenarios; those of one family together, where its best is. \
                 Empty: not tried there. "
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
                        @for strategy in families.iter().flatten() {
                            tr {
                                th scope="row" {
                                    @if let Some(family) = strategy.family { small.faint { (family) "/" } }
                                    (strategy.strategy)
                                    @if !strategy.unfit.is_empty() {
                                        " " span.warn title=(strategy.unfit.join("; ")) { "!" }
                                    }
                                }
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

/// Returns the strategies by family, the families and those without one in the order of their best, those that met most scenarios
/// first.
fn families<'a>(strategies: &'a [Overall<'a>]) -> Vec<Vec<&'a Overall<'a>>> {
    let mut families: Vec<Vec<&Overall<'_>>> = Vec::new();
    let (most, few): (Vec<_>, Vec<_>) = strategies.iter().partition(|it| it.met_most);
    for strategy in most.into_iter().chain(few) {
        let is_kin = |family: &&mut Vec<&Overall<'_>>| strategy.family.is_some() && family[0].family == strategy.family;
        match families.iter_mut().find(is_kin) {
            Some(family) => family.push(strategy),
            None => families.push(vec![strategy]),
        }
    }
    families
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_stands_where_its_best_does() {
        let of = |strategy, family, scenarios| Overall {
            strategy,
            family,
            unfit: &[],
            scenarios,
            met_most: 2 * scenarios >= 4,
            beaten_by: 0.0,
            avoidable_s_per_day: 0.0,
            worst: (0.0, "w"),
            worst_part: "",
            packets_per_device_hour: 1.0,
        };
        let (mqtt, grpc) = (Some("mqtt"), Some("grpc"));
        let all = vec![
            of("g", grpc, 1),
            of("a", mqtt, 4),
            of("b", None, 4),
            of("c", grpc, 4),
            of("d", mqtt, 2),
            of("e", None, 1),
            of("f", grpc, 4),
        ];
        let names: Vec<&str> = families(&all).iter().flatten().map(|it| it.strategy).collect();
        assert_eq!(names, ["a", "d", "b", "c", "f", "g", "e"]);
    }
}
