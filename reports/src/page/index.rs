//! The first page: who wins where, in words, in a table, and in the headline plot of every scenario.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::{Figure, figure, page, tables::cell};
use crate::{
    number::{counted, list, percent, short},
    statistics::pareto::Membership,
    summary::{CellStats, ScenarioStats, Summary},
};

/// The most strategies that the first sentences name.
const NAMED_MAX: usize = 5;

/// Returns the page. `figures` has one for each scenario, and `slugs` the names of the scenarios' pages.
pub(crate) fn index(summary: &Summary, slugs: &[String], figures: &[&Figure]) -> String {
    let scenarios = || summary.scenarios.iter().zip(slugs);
    page(
        "cardiogram report",
        summary,
        "",
        &html! {
            h1 { "cardiogram report" }
            p { (extent(summary)) }
            (who_wins(summary))
            (overview(scenarios()))
            @for ((scenario, slug), headline) in scenarios().zip(figures) {
                section {
                    h2 { a href={ "scenarios/" (slug) ".html" } { (scenario.name) } }
                    @if !scenario.about.is_empty() { p { (scenario.about) } }
                    p { (sentence(scenario)) }
                    (figure(headline, "", "zoom"))
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

/// Returns the first sentences, over all scenarios.
fn who_wins(summary: &Summary) -> Markup {
    let contested: Vec<&ScenarioStats> =
        summary.scenarios.iter().filter(|scenario| scenario.cells.iter().any(|cell| cell.on_front)).collect();
    let mut fronts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut alarms: BTreeMap<&str, u64> = BTreeMap::new();
    for cell in summary.scenarios.iter().flat_map(|scenario| &scenario.cells) {
        *alarms.entry(&cell.strategy).or_default() += cell.false_alarms;
    }
    for cell in contested.iter().flat_map(|scenario| &scenario.cells) {
        let (on, of) = fronts.entry(&cell.strategy).or_default();
        *on += usize::from(cell.on_front);
        *of += 1;
    }
    let mut often: Vec<(&str, (usize, usize))> = fronts.into_iter().filter(|(_, (on, _))| *on > 0).collect();
    often.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(b.0)));
    let mut crying: Vec<(&str, u64)> = alarms.into_iter().filter(|(_, alarms)| *alarms > 0).collect();
    crying.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let often: Vec<String> =
        often.iter().take(NAMED_MAX).map(|(name, (on, of))| format!("{name} ({on} of its {of})")).collect();
    let named: Vec<String> = crying.iter().take(NAMED_MAX).map(|(name, alarms)| format!("{name} ({alarms})")).collect();
    let words = |names: &[String]| list(&names.iter().map(String::as_str).collect::<Vec<_>>());
    html! {
        @if !often.is_empty() {
            p {
                "A strategy is on the Pareto front of a scenario where no other is at least as cheap in packets and as fast \
                 to notice a break, and better in one of the two. Most often there, of the "
                (counted(contested.len() as u64, "scenario")) " in which anything was noticed: " strong { (words(&often)) } "."
            }
        }
        p {
            @if crying.is_empty() { "No usable session was ever given up." }
            @else {
                "Usable sessions were given up most often by " (words(&named)) "; "
                (crying.len()) " strategies did so at all."
            }
        }
    }
}

/// Returns who is best in one scenario, in a sentence.
pub(super) fn sentence(scenario: &ScenarioStats) -> String {
    let known = || scenario.cells.iter().filter_map(|cell| Some((cell, cell.point()?.1)));
    let place = |(cell, latency_s): (&CellStats, f64)| {
        format!("{} ({} s at {} packets/h)", cell.strategy, short(latency_s), short(cell.packets_per_device_hour))
    };
    let fastest = known().min_by(|a, b| a.1.total_cmp(&b.1));
    // The strategies are sorted by cost.
    let cheapest = known().next();
    match (fastest, cheapest) {
        (Some(fastest), Some(cheapest)) if fastest.0.strategy == cheapest.0.strategy => {
            format!("Fastest to notice and cheapest with a known latency is {}.", place(fastest))
        }
        (Some(fastest), Some(cheapest)) => {
            format!("Fastest to notice is {}; cheapest with a known latency {}.", place(fastest), place(cheapest))
        }
        _ => "No mean latency is known here.".to_owned(),
    }
}

const COLUMNS: [&str; 7] = [
    "Scenario",
    "No session broke",
    "Fastest to notice",
    "Cheapest with a known latency",
    "Pareto front",
    "Front's share of the bound",
    "False alarms",
];

fn overview<'a>(scenarios: impl Iterator<Item = (&'a ScenarioStats, &'a String)> + Clone) -> Markup {
    let warns = scenarios.clone().any(|(scenario, _)| !scenario.warnings.is_empty());
    html! {
        div.scroll {
            table.sort {
                caption {
                    "Who wins where: mean time from a break to its detection, packets per device-hour, cheapest first. The front \
                     in brackets: in how many of the resampled worlds it is there, where that is less than 95 %."
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
                            (verdict(scenario))
                            @if warns { td.words { @for it in &scenario.warnings { small.warn { (it.words()) } } } }
                        }
                    }
                }
            }
        }
    }
}

fn verdict(scenario: &ScenarioStats) -> Markup {
    let known = || scenario.cells.iter().filter_map(|cell| Some((cell, cell.point()?.1)));
    let with_latency = |it: Option<(&CellStats, f64)>, sort_by: fn(&CellStats, f64) -> f64| {
        let words = it.map_or_else(
            || "–".to_owned(),
            |(cell, latency_s)| {
                let cost = short(cell.packets_per_device_hour);
                format!("{}: {} s, {cost} packets/h", cell.strategy, short(latency_s))
            },
        );
        html! { td.words data-v=(it.map_or_else(String::new, |(cell, latency)| sort_by(cell, latency).to_string())) { (words) } }
    };
    let words = |words: Option<String>| html! { td.words { (words.unwrap_or_else(|| "–".to_owned())) } };
    let alarms: u64 = scenario.cells.iter().map(|cell| cell.false_alarms).sum();
    let crying = names(
        scenario,
        |cell| cell.false_alarms > 0,
        |cell| format!("{} ({} a device-day)", cell.strategy, short(cell.false_alarms_per_device_day)),
    );
    let reach = scenario.hypervolume.map(|it| it.share);
    html! {
        (words(names(
            scenario,
            |cell| cell.episodes() == 0,
            |cell| format!("{} ({}/h)", cell.strategy, short(cell.packets_per_device_hour)),
        )))
        (with_latency(known().min_by(|a, b| a.1.total_cmp(&b.1)), |_, latency| latency))
        (with_latency(known().next(), |cell, _| cell.packets_per_device_hour))
        (words(names(scenario, |cell| cell.on_front, front)))
        (cell(reach, &html! { (reach.map_or_else(|| "–".to_owned(), percent)) }))
        td.words data-v=(alarms) { (crying.unwrap_or_else(|| "none".to_owned())) }
    }
}

/// Returns the name of a strategy of the front, with how sure its place there is.
fn front(cell: &CellStats) -> String {
    match (cell.front_membership(), cell.front_share) {
        (Some(Membership::On) | None, _) | (_, None) => cell.strategy.clone(),
        (_, Some(share)) => format!("{} ({})", cell.strategy, percent(share)),
    }
}

/// Returns what `word` says of those that `concerns` picks, cheapest first; `None` where it picks none, `all` where it picks
/// all.
fn names(
    scenario: &ScenarioStats,
    concerns: impl Fn(&CellStats) -> bool,
    word: impl Fn(&CellStats) -> String,
) -> Option<String> {
    if scenario.cells.len() > 1 && scenario.cells.iter().all(&concerns) {
        return Some("all".to_owned());
    }
    let words: Vec<String> = scenario.cells.iter().filter(|cell| concerns(cell)).map(word).collect();
    (!words.is_empty()).then(|| list(&words.iter().map(String::as_str).collect::<Vec<_>>()))
}
