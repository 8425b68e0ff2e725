//! The page of one scenario: all of its plots, all numbers of its strategies, how each compares with the reference, and the
//! runs that are worth a look.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{
    Figure, figure, headlines, index,
    outliers::Outlier,
    page,
    tables::{brackets, cell, count, estimate, estimated, warnings, with_interval},
};
use crate::{
    commands,
    number::{percent, short},
    statistics::{incidence::Incidence, pareto::Membership},
    summary::{CauseStats, CellStats, Number, Paired, ScenarioStats, Summary},
};

/// The way from the page to the report's folder.
const ROOT: &str = "../";

/// Returns the page.
pub(crate) fn scenario(
    program: &str,
    summary: &Summary,
    scenario: &ScenarioStats,
    figures: &[Figure],
    outliers: &[Outlier],
) -> String {
    let title = format!("{}: cardiogram report", scenario.name);
    page(
        &title,
        summary,
        ROOT,
        &html! {
            p { a href="../index.html" { "← all scenarios" } }
            h1 { (scenario.name) }
            @if !scenario.about.is_empty() { p { (scenario.about) } }
            @if !scenario.expect.is_empty() { p { strong { "What to expect: " } (scenario.expect) } }
            p { (index::sentence(scenario)) }
            p.faint { "Each run lasts " (short(scenario.duration_s / 3_600.0)) " h." (reach(scenario)) }
            @if !scenario.warnings.is_empty() {
                ul.warnings { @for warning in &scenario.warnings { li { (warning.words()) } } }
            }
            (unfit(scenario))
            (headlines(figures, ROOT))
            (downtime_table(scenario))
            (costs_table(scenario))
            (detection_table(scenario))
            (causes_table(scenario))
            (requests_table(scenario))
            (comparison_table(program, scenario))
            @for further in figures.iter().filter(|it| !it.is_headline) { (figure(further, ROOT, "")) }
            (outliers_table(outliers))
        },
    )
}

/// Returns what is wrong with strategies whatever they meet.
fn unfit(scenario: &ScenarioStats) -> Markup {
    let unfit = || scenario.cells.iter().flat_map(|cell| cell.unfit.iter().map(move |why| (&cell.strategy, why)));
    html! {
        @if unfit().next().is_some() {
            ul.warnings { @for (strategy, why) in unfit() { li { strong { (strategy) } ": " (why) } } }
        }
    }
}

/// Returns how much of what the bound allows the strategies reach.
fn reach(scenario: &ScenarioStats) -> String {
    scenario.hypervolume.map_or_else(String::new, |it| {
        let interval = it.interval.map_or_else(String::new, |interval| {
            format!(" (95 % interval {} to {})", percent(interval.low), percent(interval.high))
        });
        format!(
            " On logarithmic axes the front covers {}{interval} of the area that the bound leaves to any policy.",
            percent(it.share)
        )
    })
}

fn strategy(cell: &CellStats) -> Markup {
    html! {
        th scope="row" data-name=(cell.strategy) {
            (cell.strategy)
            @if cell.on_front { " " span.front title="on the Pareto front" { "●" } }
        }
    }
}

fn head(columns: &[&str]) -> Markup {
    html! { thead { tr { @for column in columns { th scope="col" { (column) } } } } }
}

const DOWNTIME: [&str; 9] = [
    "Strategy",
    "Place",
    "Avoidable (s/day)",
    "Unnoticed (s/day)",
    "Waiting (s/day)",
    "Connecting (s/day)",
    "No policy can avoid (s/day)",
    "Away (s/day)",
    "Availability",
];

fn downtime_table(scenario: &ScenarioStats) -> Markup {
    let known = || scenario.cells.iter().filter_map(|it| Some((it, it.downtime?)));
    let number = |value: f64| cell(Some(value), &html! { (short(value)) });
    html! {
        @if known().next().is_some() {
            div.scroll {
                table.sort {
                    caption {
                        "Time without a session per device-day, and who could have done something about it: the avoidable part is \
                         the sum of the three behind it. Away is who left on purpose while nothing waits for it: nobody misses that. Strategies that the seeds do not tell apart share a place. In brackets, \
                         95 % intervals over seeds."
                    }
                    (head(&DOWNTIME))
                    tbody {
                        @for (it, downtime) in known() {
                            tr {
                                (strategy(it))
                                (count(it.rank as u64))
                                (with_interval(downtime.avoidable_s_per_day, &short(downtime.avoidable_s_per_day), downtime.interval))
                                (number(downtime.unnoticed_s_per_day))
                                (number(downtime.waiting_s_per_day))
                                (number(downtime.connecting_s_per_day))
                                (number(downtime.unavoidable_s_per_day))
                                (number(downtime.away_s_per_day))
                                (cell(Some(it.availability), &html! { (percent(it.availability)) }))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn costs_table(scenario: &ScenarioStats) -> Markup {
    let has_energy = scenario.cells.iter().any(|cell| cell.energy_j_per_device_hour.is_some());
    let mut columns = vec![
        "Strategy",
        "Packets per device-hour",
        "Heartbeats per device-hour",
        "Bytes per device-day",
        "False alarms per device-day",
        "Sessions left for no reason",
        "Availability",
        "On the front in",
    ];
    columns.extend(has_energy.then_some("Energy per device-hour (J)"));
    html! {
        div.scroll {
            table.sort {
                caption {
                    "What each strategy costs; in brackets, 95 % intervals over seeds. " span.front { "●" }
                    " on the Pareto front of avoidable downtime and cost; in how many of the resampled worlds it is there, tells the last column but the energy. \
                     Sessions left for no reason: the share of usable sessions that end so, breaks being a competing end."
                }
                (head(&columns))
                tbody {
                    @for it in &scenario.cells {
                        tr {
                            (strategy(it))
                            (cell(Some(it.packets_per_device_hour), &html! {
                                (short(it.packets_per_device_hour)) (brackets(it.packets_interval))
                                (warnings(&it.warnings, Number::Packets))
                            }))
                            (with_interval(it.heartbeats_per_device_hour, &short(it.heartbeats_per_device_hour), it.heartbeats_interval))
                            (with_interval(it.bytes_per_device_day, &short(it.bytes_per_device_day), it.bytes_interval))
                            (with_interval(it.false_alarms_per_device_day, &short(it.false_alarms_per_device_day), it.false_alarms_interval))
                            (end_of(it.false_alarm_within.as_ref()))
                            (cell(Some(it.availability), &html! {
                                (percent(it.availability))
                                @if let Some(interval) = it.availability_interval {
                                    small { "[" (percent(interval.low)) ", " (percent(interval.high)) "]" }
                                }
                            }))
                            (membership(it))
                            @if has_energy {
                                (cell(it.energy_j_per_device_hour, &html! {
                                    (it.energy_j_per_device_hour.map_or_else(|| "–".to_owned(), short)) (brackets(it.energy_interval))
                                }))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn membership(it: &CellStats) -> Markup {
    let words = match it.front_membership() {
        None => String::new(),
        Some(Membership::On) => "on it".to_owned(),
        Some(Membership::Undecided) => "undecided".to_owned(),
        Some(Membership::Off) => "off it".to_owned(),
    };
    cell(
        it.front_share,
        &html! {
            (it.front_share.map_or_else(|| "–".to_owned(), percent))
            @if !words.is_empty() { small { (words) } }
        },
    )
}

const DETECTION: [&str; 9] = [
    "Strategy",
    "Detection, mean (s)",
    "median (s)",
    "p95 (s)",
    "Detected",
    "Ridden out",
    "Undetected",
    "Ever noticed",
    "Recovery, mean (s)",
];

fn detection_table(scenario: &ScenarioStats) -> Markup {
    html! {
        div.scroll {
            table.sort {
                caption {
                    "How soon breaks are noticed. Mean and quantiles are Kaplan-Meier estimates of the time that noticing takes, breaks \
                     that were over before being censored; ever noticed is the share of all breaks, riding one out being a \
                     competing end (Aalen-Johansen)."
                }
                (head(&DETECTION))
                tbody {
                    @for it in &scenario.cells {
                        tr {
                            (strategy(it))
                            (estimate(it.detect_mean_s, it.detect_interval_s, &warnings(&it.warnings, Number::DetectMean)))
                            (estimate(it.detect_p50_s, it.detect_p50_interval_s, &html! {}))
                            (estimate(it.detect_p95_s, it.detect_p95_interval_s, &html! {}))
                            (count(it.detected))
                            (count(it.ridden_out))
                            (count(it.undetected))
                            (end_of(it.noticed_within.as_ref()))
                            (estimate(it.recover_mean_s, None, &html! {}))
                        }
                    }
                }
            }
        }
    }
}

/// Returns a cell with the last value of a curve.
fn end_of(curve: Option<&Incidence>) -> Markup {
    let Some(curve) = curve else { return cell(None, &html! { "–" }) };
    let (value, band) = curve.steps.last().map_or((0.0, None), |step| (step.value, step.band));
    cell(
        Some(value),
        &html! {
            (percent(value))
            @if let Some(band) = band { small { "[" (percent(band.low)) ", " (percent(band.high)) "]" } }
        },
    )
}

/// Returns the table of who notices what; nothing where all breaks have one cause, which the table above covers.
fn causes_table(scenario: &ScenarioStats) -> Markup {
    let causes: BTreeSet<_> = scenario.cells.iter().flat_map(|cell| cell.by_cause.keys().copied()).collect();
    html! {
        @if causes.len() > 1 {
            div.scroll {
                table.sort {
                    caption { "By cause: breaks noticed, of those there were, and the mean time to the detection (s)." }
                    thead {
                        tr {
                            th scope="col" { "Strategy" }
                            @for cause in &causes { th scope="col" { (cause.as_str()) } }
                        }
                    }
                    tbody {
                        @for it in &scenario.cells {
                            tr {
                                (strategy(it))
                                @for cause in &causes { (of_cause(it.by_cause.get(cause))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn of_cause(stats: Option<&CauseStats>) -> Markup {
    let Some(CauseStats { episodes, detected, detect_mean_s, detect_interval_s }) = stats else {
        return cell(None, &html! { "–" });
    };
    cell(
        (*detected > 0).then(|| detect_mean_s.value()),
        &html! {
            (detected) "/" (episodes)
            @if *detected > 0 { small { (estimated(Some(*detect_mean_s))) } (brackets(*detect_interval_s)) }
        },
    )
}

const REQUESTS: [&str; 10] = [
    "Strategy",
    "Made",
    "Answered",
    "within 1 s",
    "Mean (s)",
    "p95 of the worst run (s)",
    "Longest (s)",
    "Deadlines passed",
    "Failed",
    "Waiting at the end",
];

/// Returns the table of what the senders of messages felt; nothing where devices send none.
fn requests_table(scenario: &ScenarioStats) -> Markup {
    let known = || scenario.cells.iter().filter_map(|it| Some((it, it.requests?)));
    let number = |value: f64| count(value as u64);
    let seconds = |value: Option<f64>| cell(value, &html! { (value.map_or_else(|| "–".to_owned(), short)) });
    let share = |value: f64| cell(Some(value), &html! { (percent(value)) });
    html! {
        @if known().next().is_some() {
            div.scroll {
                table.sort {
                    caption {
                        "Requests, as their senders feel them: messages of devices, from their creation to the server's answer, the \
                         waiting for a session included. Sums over all seeds; times are of those answered, so look at what failed \
                         or waits, too."
                    }
                    (head(&REQUESTS))
                    tbody {
                        @for (it, requests) in known() {
                            tr {
                                (strategy(it))
                                (number(requests.created))
                                (share(requests.answered / requests.created))
                                (share(requests.prompt / requests.created))
                                (seconds(requests.delay_mean_s))
                                (seconds(requests.delay_p95_s))
                                (seconds(requests.delay_max_s))
                                (number(requests.deadlines_passed))
                                (number(requests.failed))
                                (number(requests.waiting))
                            }
                        }
                    }
                }
            }
        }
    }
}

const COMPARISON: [&str; 6] = [
    "Strategy",
    "Packets, ratio",
    "Packets per device-hour, difference",
    "Mean detection, ratio",
    "Mean detection (s), difference",
    "False alarms per device-day, difference",
];

fn comparison_table(program: &str, scenario: &ScenarioStats) -> Markup {
    let compared = || scenario.cells.iter().filter_map(|it| Some((it, it.versus_reference.as_ref()?)));
    html! {
        @if compared().next().is_some() {
            div.scroll {
                table.sort {
                    caption {
                        "Against " strong { (scenario.reference) } ", " (scenario.reference_is.words()) ", in the same worlds: ratios \
                         and differences over paired seeds with 95 % intervals; p-values of no difference (sign flips), adjusted by \
                         Holm for all strategies here. " code { (program) " report DIR --reference STRATEGY" } " compares with another."
                    }
                    (head(&COMPARISON))
                    tbody {
                        @for (it, versus) in compared() {
                            tr {
                                (strategy(it))
                                (ratio(Some(&versus.packets)))
                                (difference(Some(&versus.packets)))
                                (ratio(versus.detect_mean_s.as_ref()))
                                (difference(versus.detect_mean_s.as_ref()))
                                (difference(Some(&versus.false_alarms)))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn ratio(paired: Option<&Paired>) -> Markup {
    let ratio = paired.and_then(|it| it.ratio);
    cell(
        ratio,
        &html! {
            (ratio.map_or_else(|| "–".to_owned(), |ratio| format!("× {}", short(ratio))))
            (brackets(paired.and_then(|it| it.ratio_interval)))
        },
    )
}

fn difference(paired: Option<&Paired>) -> Markup {
    let Some(it) = paired else { return cell(None, &html! { "–" }) };
    cell(
        Some(it.difference),
        &html! {
            (signed(it.difference)) (brackets(it.difference_interval))
            @if let Some(p) = it.p_holm { small { "p " (probability(p)) } }
        },
    )
}

fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", short(value)) } else { short(value).replacen('-', "−", 1) }
}

fn probability(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

fn outliers_table(outliers: &[Outlier]) -> Markup {
    let commands: Vec<String> = outliers.iter().map(|it| it.command.clone()).collect();
    html! {
        @if !outliers.is_empty() {
            h2 id="outliers" { "Worth a look" }
            div.scroll {
                table {
                    caption { "Runs that stand out, and the command that shows each as a strip chart." }
                    thead { tr { th scope="col" { "What" } th.words scope="col" { "Command" } } }
                    tbody {
                        @for it in outliers {
                            tr { td.words { (it.words) } td.words { code.command { (it.command) } } }
                        }
                    }
                }
            }
            @if let Some(note) = commands::note(&commands) { p.faint { (note) } }
        }
    }
}
