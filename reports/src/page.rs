//! The report as one HTML page: self-contained, readable from a file, without network and without scripts.
//!
//! Who wins where comes first, in words and numbers; then each scenario with its table and its plot.

use std::collections::BTreeSet;

use cardiogram_scenarios::survival::Estimated;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    bootstrap::Interval,
    causes::CauseStats,
    chart::dark_rules,
    number::{counted, list, percent, short},
    stats::{CellStats, Number, ScenarioStats, Summary, Warning},
};

/// A plot as the page shows it.
#[derive(Debug)]
pub(crate) struct Figure {
    /// Name of its files and of its place on the page.
    pub(crate) slug: String,
    pub(crate) svg: String,
    pub(crate) caption: String,
    pub(crate) description: String,
}

/// A name for each scenario's files that is safe in every file system and URL, and no two alike.
pub(crate) fn slugs(summary: &Summary) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let slug = |scenario: &ScenarioStats| {
        let safe = |char: char| if char.is_ascii_lowercase() || char.is_ascii_digit() { char } else { '-' };
        let name: String = scenario.name.chars().take(64).map(safe).collect();
        let mut slug = name.clone();
        let mut again = 2;
        while !taken.insert(slug.clone()) {
            slug = format!("{name}-{again}");
            again += 1;
        }
        slug
    };
    summary.scenarios.iter().map(slug).collect()
}

/// The page. `figures` has those of each scenario, the headline plot first.
pub(crate) fn index(summary: &Summary, figures: &[Vec<Figure>]) -> String {
    let scenarios = || summary.scenarios.iter().zip(figures);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "cardiogram report" }
                style {
                    (PreEscaped(include_str!("page.css")))
                    (PreEscaped(format!("@media (prefers-color-scheme:dark){{{}}}", dark_rules(".plot "))))
                }
            }
            body {
                h1 { "cardiogram report" }
                p { (extent(summary)) }
                (overview(scenarios()))
                @for (scenario, figures) in scenarios() { (section(scenario, figures)) }
                p.faint {
                    "Written by cardiogram " (summary.version) ", engine " (summary.engine) ". All data: "
                    a href="../runs.csv" { "runs.csv" } ", " a href="../episodes.csv" { "episodes.csv" } ", "
                    a href="../manifest.json" { "manifest.json" } "."
                }
            }
        }
    }
    .into_string()
}

/// How much was run.
fn extent(summary: &Summary) -> String {
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

const OVERVIEW_COLUMNS: [&str; 6] = [
    "Scenario",
    "No session broke",
    "Fastest to notice",
    "Cheapest with a known latency",
    "Pareto front",
    "False alarms",
];

fn overview<'a>(scenarios: impl Iterator<Item = (&'a ScenarioStats, &'a Vec<Figure>)>) -> Markup {
    html! {
        div.scroll {
            table {
                caption {
                    "Who wins where: mean time from a break to its detection, packets per device-hour; cheapest first."
                }
                thead {
                    tr {
                        @for column in OVERVIEW_COLUMNS { th.words scope="col" { (column) } }
                    }
                }
                tbody {
                    @for (scenario, figures) in scenarios {
                        tr {
                            th scope="row" { a href={ "#" (figures[0].slug) } { (scenario.name) } }
                            @for words in verdict(scenario) { td.words { (words) } }
                        }
                    }
                }
            }
        }
    }
}

/// Those without a break, the fastest, the cheapest, the front, those with false alarms.
fn verdict(scenario: &ScenarioStats) -> [String; 5] {
    let known = || scenario.cells.iter().filter_map(|cell| Some((cell, cell.point()?.1)));
    let with_latency = |(cell, latency_s): (&CellStats, f64)| {
        format!("{}: {} s, {} packets/h", cell.strategy, short(latency_s), short(cell.packets_per_device_hour))
    };
    let alarms = names(
        scenario,
        |cell| cell.false_alarms > 0,
        |cell| format!("{} ({} a device-day)", cell.strategy, short(cell.false_alarms_per_device_day)),
    );
    let words = [
        names(
            scenario,
            |cell| cell.episodes() == 0,
            |cell| format!("{} ({}/h)", cell.strategy, short(cell.packets_per_device_hour)),
        ),
        known().min_by(|a, b| a.1.total_cmp(&b.1)).map(with_latency),
        // The strategies are sorted by cost.
        known().next().map(with_latency),
        names(scenario, |cell| cell.on_front, |cell| cell.strategy.clone()),
        alarms.or_else(|| Some("none".to_owned())),
    ];
    words.map(|words| words.unwrap_or_else(|| "–".to_owned()))
}

/// What `word` says of those that `concerns` picks, cheapest first; `None` where it picks none, `all` where it picks
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

fn section(scenario: &ScenarioStats, figures: &[Figure]) -> Markup {
    html! {
        section id=(figures[0].slug) {
            h2 { (scenario.name) }
            @if !scenario.about.is_empty() { p { (scenario.about) } }
            @if !scenario.expect.is_empty() { p { strong { "What to expect: " } (scenario.expect) } }
            p.faint { "Each run lasts " (short(scenario.duration_s / 3_600.0)) " h." }
            (plot(&figures[0]))
            (table(scenario))
            (causes_table(scenario))
            @for figure in &figures[1..] { (plot(figure)) }
        }
    }
}

fn plot(figure: &Figure) -> Markup {
    let (svg, png) = (format!("plots/{}.svg", figure.slug), format!("plots/{}.png", figure.slug));
    html! {
        figure {
            div.plot role="img" aria-label=(figure.description) { (PreEscaped(&figure.svg)) }
            figcaption {
                (figure.caption) " "
                a href=(svg) { "SVG" } ", " a href=(png) { "PNG" } ", data: "
                a href="../runs.csv" { "runs.csv" } ", " a href="../episodes.csv" { "episodes.csv" } "."
            }
        }
    }
}

const COLUMNS: [&str; 12] = [
    "Strategy",
    "Packets per device-hour",
    "Detection, mean (s)",
    "Detection, p95 (s)",
    "Detected",
    "Ridden out",
    "Undetected",
    "False alarms per device-day",
    "Availability",
    "Recovery, mean (s)",
    "Heartbeats per device-hour",
    "Bytes per device-day",
];

fn table(scenario: &ScenarioStats) -> Markup {
    html! {
        div.scroll {
            table {
                caption {
                    "By cost; in brackets, 95 % intervals over seeds. " span.front { "●" } " on the Pareto front."
                }
                thead { tr { @for column in COLUMNS { th scope="col" { (column) } } } }
                tbody { @for cell in &scenario.cells { (row(cell)) } }
            }
        }
    }
}

fn row(cell: &CellStats) -> Markup {
    let about = |number| cell.warnings.iter().copied().filter(move |warning| warning.concerns(number));
    html! {
        tr {
            th scope="row" {
                (cell.strategy)
                @if cell.on_front { " " span.front title="on the Pareto front" { "●" } }
            }
            td { (short(cell.packets_per_device_hour)) (interval(cell.packets_interval)) (warnings(about(Number::Packets))) }
            td { (estimated(cell.detect_mean_s)) (interval(cell.detect_interval_s)) (warnings(about(Number::DetectMean))) }
            td { (estimated(cell.detect_p95_s)) }
            td { (cell.detected) }
            td { (cell.ridden_out) }
            td { (cell.undetected) }
            td { (short(cell.false_alarms_per_device_day)) }
            td { (percent(cell.availability)) }
            td { (estimated(cell.recover_mean_s)) }
            td { (short(cell.heartbeats_per_device_hour)) }
            td { (short(cell.bytes_per_device_day)) }
        }
    }
}

/// Who notices what; nothing where all breaks have one cause, of which the table above tells.
fn causes_table(scenario: &ScenarioStats) -> Markup {
    let causes: BTreeSet<_> = scenario.cells.iter().flat_map(|cell| cell.by_cause.keys().copied()).collect();
    html! {
        @if causes.len() > 1 {
            div.scroll {
                table {
                    caption { "By cause: breaks noticed, of those there were, and the mean time to the detection (s)." }
                    thead {
                        tr {
                            th scope="col" { "Strategy" }
                            @for cause in &causes { th scope="col" { (cause.as_str()) } }
                        }
                    }
                    tbody {
                        @for cell in &scenario.cells {
                            tr {
                                th scope="row" { (cell.strategy) }
                                @for cause in &causes { td { (of_cause(cell.by_cause.get(cause))) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn of_cause(stats: Option<&CauseStats>) -> Markup {
    html! {
        @if let Some(CauseStats { episodes, detected, detect_mean_s }) = stats {
            (detected) "/" (episodes)
            @if *detected > 0 { small { (estimated(Some(*detect_mean_s))) } }
        } @else { "–" }
    }
}

fn interval(interval: Option<Interval>) -> Markup {
    html! { @if let Some(Interval { low, high }) = interval { small { "[" (short(low)) ", " (short(high)) "]" } } }
}

fn estimated(number: Option<Estimated>) -> String {
    match number {
        None => "–".to_owned(),
        Some(Estimated::Known(value)) => short(value),
        Some(Estimated::AtLeast(value)) => format!("≥ {}", short(value)),
    }
}

fn warnings(warnings: impl Iterator<Item = Warning>) -> Markup {
    html! { @for warning in warnings { small.warn { (warning.words()) } } }
}
