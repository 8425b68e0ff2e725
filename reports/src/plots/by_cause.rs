//! Who notices what: the mean detection latency of each strategy by what broke, where more than one thing did.

use std::collections::BTreeSet;

use cardiogram_results::survival::Estimated;

use super::{Figure, Looks, STRATEGY_LABEL, TIME_MIN_S, time, tip};
use crate::{
    chart::{Axis, Chart, Identity, Key, Mark, Scale},
    data::{Label, ScenarioResults},
    summary::{CauseStats, CellStats, ScenarioStats},
};

/// The share of a row's height over which the markers of all causes are spread.
const SPREAD: f64 = 0.36;

pub(super) fn figure(scenario: &ScenarioStats, _: &ScenarioResults, _: &Looks) -> Option<Figure> {
    let causes: BTreeSet<Label> = scenario.cells.iter().flat_map(|cell| cell.by_cause.keys().copied()).collect();
    if causes.len() < 2 || scenario.cells.iter().all(|cell| cell.detected == 0) {
        return None;
    }
    let cells: Vec<&CellStats> = scenario.cells.iter().filter(|cell| !cell.by_cause.is_empty()).collect();
    let mut marks = Vec::new();
    for (row, cell) in (0_u32..).zip(&cells) {
        marks.push(Mark::Words { row: row.into(), text: counts(cell, &causes) });
        for (index, cause) in causes.iter().enumerate() {
            let Some(stats) = cell.by_cause.get(cause) else { continue };
            let offset = SPREAD * (index as f64 / (causes.len() - 1) as f64 - 0.5);
            marks.push(Mark::Dot {
                row: f64::from(row) + offset,
                value: stats.detect_mean_s.value().max(TIME_MIN_S),
                interval: stats.detect_interval_s,
                at_least: matches!(stats.detect_mean_s, Estimated::AtLeast(_)),
                identity: Identity::nth(index),
                tip: tip(cell, &words(*cause, stats)),
            });
        }
    }
    let all = || cells.iter().flat_map(|cell| cell.by_cause.iter());
    let ends = |stats: &CauseStats| {
        let interval = stats.detect_interval_s.into_iter().flat_map(|it| [it.low, it.high]);
        interval.chain([stats.detect_mean_s.value()]).map(|value| value.max(TIME_MIN_S)).collect::<Vec<_>>()
    };
    let x = Scale::log_time_around(all().flat_map(|(_, stats)| ends(stats)));
    let y = Scale::Names(cells.iter().map(|cell| cell.strategy.clone()).collect());
    let described: Vec<String> = cells
        .iter()
        .map(|cell| {
            let parts: Vec<String> = cell.by_cause.iter().map(|(cause, stats)| words(*cause, stats)).collect();
            format!("{}: {}", cell.strategy, parts.join(", "))
        })
        .collect();
    let open = all().any(|(_, stats)| matches!(stats.detect_mean_s, Estimated::AtLeast(_)));
    let open = open.then(|| "Open marker with arrow: at least this, for the longest waits went unnoticed.".to_owned());
    Some(Figure {
        suffix: "causes",
        caption: "Left is better. Mean time from a break to its detection by what broke (Kaplan-Meier, as in the \
                  headline plot), with 95 % bootstrap intervals over seeds; strategies by packets, fewest first. Each mean is over the breaks of its cause alone; n counts these, in the order of the legend."
            .to_owned(),
        description: format!("{}: mean detection latency by cause. {}.", scenario.name, described.join("; ")),
        chart: Chart {
            marks,
            legend: causes
                .iter()
                .enumerate()
                .map(|(index, cause)| (label(*cause), Key::Marker(Identity::nth(index))))
                .collect(),
            notes: open.into_iter().collect(),
            ..Chart::new(
                format!("{}: who notices what", scenario.name),
                Axis::new("mean detection latency (logarithmic)", x),
                Axis::new(STRATEGY_LABEL, y),
            )
        },
    })
}

/// Returns how many breaks of each cause there were, in the order of the legend.
fn counts(cell: &CellStats, causes: &BTreeSet<Label>) -> String {
    let of = |cause| cell.by_cause.get(cause).map_or(0, |stats| stats.episodes).to_string();
    format!("n {}", causes.iter().map(of).collect::<Vec<_>>().join(" + "))
}

fn label(cause: Label) -> String {
    cause.as_str().to_owned()
}

fn words(cause: Label, stats: &CauseStats) -> String {
    let mean = match stats.detect_mean_s {
        Estimated::Known(value) => time(value),
        Estimated::AtLeast(value) => format!("at least {}", time(value)),
    };
    format!("{} {mean} ({} of {} noticed)", cause.as_str(), stats.detected, stats.episodes)
}
