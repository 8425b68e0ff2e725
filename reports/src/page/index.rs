//! The first page: who wins where, at a glance, in words, in a table, and in the headline plots of every scenario.

use std::collections::BTreeSet;

use cardiogram_policies::preset::YARDSTICKS;
use maud::{Markup, html};

use super::{Figure, headlines, matrix::matrix, page, tables::cell};
use crate::{
    number::{counted, list, percent, short},
    summary::{CellStats, Overall, ScenarioStats, Summary, UNUSABLE_S_PER_DAY, better, overall},
};

/// The most strategies that a sentence or a field names.
const NAMED_MAX: usize = 3;
/// What a user hardly notices: a minute a day.
const GOOD_ENOUGH_S_PER_DAY: f64 = 60.0;

/// Returns the page. `figures` has those of each scenario, and `slugs` the names of the scenarios' pages.
pub(crate) fn index(summary: &Summary, slugs: &[String], figures: &[&[Figure]]) -> String {
    let scenarios = || summary.scenarios.iter().zip(slugs);
    let strategies = overall(summary);
    page(
        "cardiogram report",
        summary,
        "",
        &html! {
            h1 { "cardiogram report" }
            p { (extent(summary)) }
            (verdict(&strategies))
            (matrix(&strategies, summary, slugs))
            (overview(scenarios()))
            @for ((scenario, slug), figures) in scenarios().zip(figures) {
                section {
                    h2 { a href={ "scenarios/" (slug) ".html" } { (scenario.name) } }
                    @if !scenario.about.is_empty() { p { (scenario.about) } }
                    p { (sentence(scenario)) }
                    (headlines(figures, ""))
                    p { a href={ "scenarios/" (slug) ".html" } {
                        "All numbers of " (scenario.name) ": tables, further plots, outliers with the commands that show them"
                    } }
                }
            }
        },
    )
}

/// Returns how much was run, in a sentence.
pub(super) fn extent(summary: &Summary) -> String {
    let cells = || summary.scenarios.iter().flat_map(|scenario| &scenario.cells);
    let runs: usize = cells().map(|cell| cell.seeds).sum();
    let strategies: BTreeSet<&str> = cells().map(|cell| cell.strategy.as_str()).collect();
    let days = cells().map(|cell| cell.device_hours).sum::<f64>() / 24.0;
    format!(
        "{} of {} in {}: {} device-days.",
        counted(runs as u64, "run"),
        if strategies.len() == 1 { "1 strategy".to_owned() } else { format!("{} strategies", strategies.len()) },
        counted(summary.scenarios.len() as u64, "scenario"),
        short(days),
    )
}

/// Three sentences over all scenarios: who is best, who is cheap and good enough, and who must not be used.
fn verdict(overall: &[Overall<'_>]) -> Markup {
    let mut tried: Vec<&Overall<'_>> = overall.iter().filter(|it| it.met_most).collect();
    // The yardsticks are no choice of anybody's, where there is another.
    if tried.iter().any(|it| it.family != Some(YARDSTICKS)) {
        tried.retain(|it| it.family != Some(YARDSTICKS));
    }
    let Some(best) = tried.first() else {
        return html! { p { "These results do not tell downtime: they were written by an earlier version." } };
    };
    let place = |it: &Overall<'_>| {
        html! {
            strong { (it.strategy) } " (" (short(it.avoidable_s_per_day)) " s a day at "
            (short(it.packets_per_device_hour)) " packets/h)"
        }
    };
    let cheap = tried
        .iter()
        .filter(|it| it.avoidable_s_per_day <= GOOD_ENOUGH_S_PER_DAY)
        .min_by(|a, b| a.packets_per_device_hour.total_cmp(&b.packets_per_device_hour));
    let mut bad: Vec<&Overall<'_>> = overall.iter().filter(|it| it.worst.0 >= UNUSABLE_S_PER_DAY).collect();
    bad.sort_by(|a, b| b.worst.0.total_cmp(&a.worst.0).then(a.strategy.cmp(b.strategy)));
    html! {
        p {
            "Best overall is " (place(best)) ": averaged over its " (counted(best.scenarios as u64, "scenario")) ", "
            (percent(best.beaten_by)) " of the other strategies lose less time that a policy could have saved."
        }
        p {
            @match cheap {
                Some(cheap) => {
                    "Cheapest of those that lose at most " (short(GOOD_ENOUGH_S_PER_DAY)) " s a day on average is "
                    (place(cheap)) "."
                }
                None => { "No strategy loses less than " (short(GOOD_ENOUGH_S_PER_DAY)) " s a day on average." }
            }
        }
        p {
            @if bad.is_empty() { "No strategy is without a session for a tenth of the time or more by its own fault." }
            @else {
                "Not to be used where these things happen: "
                @for (place, it) in bad.iter().take(NAMED_MAX).enumerate() {
                    @if place > 0 { "; " }
                    strong { (it.strategy) } " (" (percent(it.worst.0 / 86_400.0)) " of the time lost in " (it.worst.1) ": "
                    (it.worst_part) ")"
                }
                @if bad.len() > NAMED_MAX {
                    "; and " (bad.len() - NAMED_MAX) " more that lose a tenth of the time or more in some scenario"
                }
                "."
            }
        }
    }
}

/// Returns who is best in one scenario, in a sentence.
pub(super) fn sentence(scenario: &ScenarioStats) -> String {
    let place = |cell: &CellStats| {
        let avoidable = cell.downtime.map_or(f64::NAN, |it| it.avoidable_s_per_day);
        let cost = short(scenario.cost.of(cell));
        format!("{} ({} s a day at {cost} {})", cell.strategy, short(avoidable), scenario.cost.unit())
    };
    let Some(best) = best(scenario) else { return "The results do not tell downtime here.".to_owned() };
    let ties = scenario.cells.iter().filter(|cell| cell.rank == 1).count() - 1;
    let shared = match ties {
        0 => String::new(),
        1 => ", and the seeds do not tell 1 other from it".to_owned(),
        n => format!(", and the seeds do not tell {n} others from it"),
    };
    let cheapest = scenario
        .cells
        .iter()
        .filter(|cell| cell.on_front)
        .min_by(|a, b| scenario.cost.of(a).total_cmp(&scenario.cost.of(b)))
        .filter(|cell| cell.strategy != best.strategy);
    let front = cheapest.map_or_else(String::new, |cell| format!(" The front begins with {}.", place(cell)));
    format!("Least avoidable downtime has {}{shared}.{front}", place(best))
}

/// Returns the strategy with the least avoidable downtime, and of equal ones the cheapest.
fn best(scenario: &ScenarioStats) -> Option<&CellStats> {
    let known = scenario.cells.iter().filter(|cell| cell.downtime.is_some());
    known.min_by(|a, b| better(scenario.cost, a, b))
}

const COLUMNS: [&str; 6] = [
    "Scenario",
    "Least avoidable downtime",
    "No policy can avoid (s/day)",
    "On the front",
    "Front's share of the bound",
    "Strategies with false alarms",
];

fn overview<'a>(scenarios: impl Iterator<Item = (&'a ScenarioStats, &'a String)> + Clone) -> Markup {
    let warns = scenarios.clone().any(|(scenario, _)| !scenario.warnings.is_empty());
    html! {
        div.scroll {
            table.sort {
                caption {
                    "Scenario by scenario. The front is over avoidable downtime and cost: packets, or energy where every device \
                     has a radio. The bound is that of detection latency against packets."
                }
                thead {
                    tr {
                        @for column in COLUMNS { th.words scope="col" { (column) } }
                        @if warns { th.words scope="col" { "To know" } }
                    }
                }
                tbody {
                    @for (scenario, slug) in scenarios {
                        tr {
                            th scope="row" { a href={ "scenarios/" (slug) ".html" } { (scenario.name) } }
                            (line(scenario))
                            @if warns { td.words { @for it in &scenario.warnings { small.warn { (it.words()) } } } }
                        }
                    }
                }
            }
        }
    }
}

fn line(scenario: &ScenarioStats) -> Markup {
    let dash = || "–".to_owned();
    let best = best(scenario);
    let avoidable = best.and_then(|cell| cell.downtime).map(|it| it.avoidable_s_per_day);
    let words = best.zip(avoidable).map(|(cell, avoidable)| format!("{}: {} s/day", cell.strategy, short(avoidable)));
    let ceiling = scenario.unavoidable_s_per_day();
    let front: Vec<&str> =
        scenario.cells.iter().filter(|cell| cell.on_front).map(|cell| cell.strategy.as_str()).collect();
    let alarming = scenario.cells.iter().filter(|cell| cell.false_alarms > 0).count();
    let reach = scenario.hypervolume.map(|it| it.share);
    html! {
        td.words data-v=(avoidable.unwrap_or(f64::INFINITY)) { (words.unwrap_or_else(dash)) }
        (cell(ceiling, &html! { (ceiling.map_or_else(dash, short)) }))
        td.words data-v=(front.len()) { (few(&front)) }
        (cell(reach, &html! { (reach.map_or_else(dash, percent)) }))
        td data-v=(alarming) { (alarming) " of " (scenario.cells.len()) }
    }
}

/// Returns the first names, and how many more there are.
fn few(names: &[&str]) -> String {
    match names.len() {
        0 => "–".to_owned(),
        n if n <= NAMED_MAX => list(names),
        n => format!("{} and {} more", names[..NAMED_MAX].join(", "), n - NAMED_MAX),
    }
}
