//! The trade-off: how soon a strategy notices breaks, against how many packets it sends, with the front of the best and
//! the bound that none can beat.

use cardiogram_results::survival::Estimated;

use super::{
    Figure, Looks, PACKETS_LABEL, TIME_MIN_S,
    front::{self, FRONT_LINE, FRONT_NAME, steps},
    keep_alive_caption, mark_keep_alive, note, packets, tip,
};
use crate::{
    chart::{Axis, BOUND, Chart, Height, Key, Mark, OUT_OF_REACH, Point, Scale, Stroke, Tip, Values},
    number::{percent, short},
    summary::{
        CellStats, ScenarioStats,
        bound::{self, Bound},
    },
};

const BOUND_LINE: Stroke = Stroke { color: BOUND, width: 1.5, dash: Some((7.0, 5.0)) };

/// Returns where a strategy lies along the axis of latencies.
fn height(cell: &CellStats) -> Height {
    match cell.detect_mean_s {
        None => Height::Below,
        Some(_) if cell.detected == 0 => Height::Above,
        Some(Estimated::AtLeast(value)) => Height::AtLeast(value.max(TIME_MIN_S)),
        Some(Estimated::Known(value)) => Height::At { value: value.max(TIME_MIN_S), interval: cell.detect_interval_s },
    }
}

pub(super) fn figure(scenario: &ScenarioStats, looks: &Looks) -> Figure {
    // A logarithmic axis has no place for a strategy without packets.
    let cells: Vec<&CellStats> = scenario.cells.iter().filter(|cell| cell.packets_per_device_hour > 0.0).collect();
    let heights: Vec<Height> = cells.iter().map(|cell| height(cell)).collect();
    let placed: Vec<Values> = cells
        .iter()
        .zip(&heights)
        .filter_map(|(cell, height)| Some((cell.packets_per_device_hour, value(height)?)))
        .collect();
    let x_scale = Scale::log_around(packets(scenario).filter(|packets| *packets > 0.0));
    let y_scale = latency_scale(scenario.bound, &heights, &placed);

    let mut marks = Vec::new();
    let mut legend = Vec::new();
    if let Bound::Holds { availability } = scenario.bound {
        let (line, area) = bound_shape(&x_scale, &y_scale, availability);
        if line.len() > 1 {
            marks.push(Mark::Area(area, OUT_OF_REACH));
            marks.push(Mark::Line(line, BOUND_LINE));
            legend.push(("bound: no policy below this line".to_owned(), Key::Line(BOUND_LINE)));
        }
    }
    mark_keep_alive(scenario, &mut marks, &mut legend);
    let front: Vec<Values> =
        cells.iter().filter(|cell| cell.on_latency_front).filter_map(|cell| cell.point()).collect();
    // Whoever lost no session is below all latencies, and nobody who sends more can do better.
    let lossless = cells.iter().find(|cell| cell.on_latency_front && cell.episodes() == 0);
    let end = lossless.map(|cell| cell.packets_per_device_hour);
    if !front.is_empty() || end.is_some() {
        marks.push(Mark::Line(steps(&front, end, &x_scale, &y_scale), FRONT_LINE));
        legend.push((FRONT_NAME.to_owned(), Key::Line(FRONT_LINE)));
    }
    marks.extend(cells.iter().zip(&heights).map(|(cell, height)| {
        Mark::Point(Point {
            x: cell.packets_per_device_hour,
            x_interval: cell.packets_interval,
            y: *height,
            identity: looks.get(&cell.strategy),
            name: cell.strategy.clone(),
            leads: cell.on_front,
            tip: Tip {
                at: Some((cell.packets_per_device_hour, value(height).unwrap_or(f64::NAN))),
                ..tip(cell, &words(cell))
            },
        })
    }));
    let strip = |name: &str, is_in: fn(&Height) -> bool| heights.iter().any(is_in).then(|| name.to_owned());
    let title = format!("{}: how soon a break is noticed, and what that costs", scenario.name);
    let (x, y) = (Axis::new(PACKETS_LABEL, x_scale), Axis::new("mean detection latency (s)", y_scale));
    Figure {
        suffix: "",
        caption: caption(scenario),
        description: description(scenario),
        chart: Chart {
            above: strip("no break noticed", |height| matches!(height, Height::Above)),
            below: strip("no session broke", |height| matches!(height, Height::Below)),
            marks,
            legend,
            notes: notes(scenario),
            ..Chart::new(title, x, y)
        },
    }
}

/// Returns the latency of a strategy, known or at least; `None` if it has none.
const fn value(height: &Height) -> Option<f64> {
    match height {
        Height::At { value, .. } | Height::AtLeast(value) => Some(*value),
        Height::Above | Height::Below => None,
    }
}

/// Returns an axis for all latencies with their intervals, and for the bound at each strategy's cost: that belongs in the
/// picture, but not where it is more than a decade below the fastest.
fn latency_scale(bound: Bound, heights: &[Height], placed: &[Values]) -> Scale {
    let fastest_s = placed.iter().map(|(_, latency_s)| *latency_s).fold(f64::INFINITY, f64::min);
    let bounds = placed.iter().filter_map(|(packets, _)| match bound {
        Bound::Holds { availability } => Some(bound::latency_min_s(*packets, availability).max(fastest_s / 10.0)),
        Bound::Announced | Bound::CausedBySilence | Bound::NothingNoticed => None,
    });
    let intervals = heights.iter().filter_map(|height| match height {
        Height::At { interval, .. } => *interval,
        Height::AtLeast(_) | Height::Above | Height::Below => None,
    });
    let ends = intervals.flat_map(|interval| [interval.low, interval.high]).map(|end| end.max(TIME_MIN_S));
    Scale::log_around(placed.iter().map(|(_, latency_s)| *latency_s).chain(bounds).chain(ends))
}

/// Returns the bound between the edges of the picture, and the area below it.
fn bound_shape(x: &Scale, y: &Scale, availability: f64) -> (Vec<Values>, Vec<Values>) {
    let (&Scale::Log { min: left, max: right }, &Scale::Log { min: bottom, max: top }) = (x, y) else {
        panic!("both axes of a trade-off are logarithmic");
    };
    // On two logarithmic axes the bound is a straight line, and it is its own inverse.
    let at = |value| bound::latency_min_s(value, availability);
    let (from, to) = (left.max(at(top)), right.min(at(bottom)));
    if from >= to {
        return (Vec::new(), Vec::new());
    }
    let line = vec![(from, at(from)), (to, at(to))];
    let mut area = vec![(left, bottom), (left, at(from)), line[0], line[1]];
    area.push((to, bottom));
    (line, area)
}

/// Returns notes on strategies that are not in the picture and on numbers that are uncertain.
fn notes(scenario: &ScenarioStats) -> Vec<String> {
    let note = |intro: &str, concerns: &dyn Fn(&CellStats) -> bool| {
        note(intro, scenario.cells.iter().filter(|cell| concerns(cell)).map(|cell| cell.strategy.as_str()))
    };
    let at_least =
        note("Open marker with arrow, the mean is at least this, for the longest waits went unnoticed", &|cell| {
            matches!(height(cell), Height::AtLeast(_))
        });
    let own_fault = note("Brought breaks on themselves, for the NAT forgot an idle session", &|cell| {
        cell.by_cause.keys().any(|cause| cause.as_str() == "nat-expiry")
    });
    let without_packets = note("Not shown, sent no packet", &|cell| cell.packets_per_device_hour <= 0.0);
    at_least.into_iter().chain(own_fault).chain(without_packets).collect()
}

fn caption(scenario: &ScenarioStats) -> String {
    let bound = match scenario.bound {
        Bound::Holds { availability } => format!(
            "The dashed line is the bound: a policy that learns of a break from the silence after its own probes \
             notices it after 1/(2\u{a0}ρ)\u{a0}s on average at best, ρ being its probes a second. A probe costs at \
             least 2 packets, and the devices had a usable session for {} of the time or more, so that is 3600 · {} / x \
             seconds at x packets per device-hour. Application traffic counts as probes.",
            percent(availability),
            short(availability),
        ),
        Bound::Announced => {
            "No bound is drawn: a FIN or RST, or their own system, told devices of the break, which needs no probe."
                .to_owned()
        }
        Bound::CausedBySilence => {
            "No bound is drawn: the NAT forgets idle sessions, so the policy's own sending decides when they break; \
             the bound is for breaks at times of their own."
                .to_owned()
        }
        Bound::NothingNoticed => "No bound is drawn: nothing was noticed.".to_owned(),
    };
    format!(
        "Left and below is better. Means are Kaplan-Meier estimates, with breaks that were ridden out or outlasted the \
         run censored; whiskers are 95 % bootstrap intervals over seeds. The Pareto front joins the strategies that no \
         other beats in both, {}; a strategy that lost no session is below all latencies. {bound}{}",
        front::WHO_NOT,
        keep_alive_caption(scenario)
    )
}

/// Returns what a strategy's place says, in words.
fn words(cell: &CellStats) -> String {
    let latency = match height(cell) {
        Height::At { value, .. } => format!("{} s", short(value)),
        Height::AtLeast(value) => format!("at least {} s", short(value)),
        Height::Above => "no break noticed".to_owned(),
        Height::Below => "no session broke".to_owned(),
    };
    format!("{latency} at {} packets per device-hour", short(cell.packets_per_device_hour))
}

fn description(scenario: &ScenarioStats) -> String {
    let sentences: Vec<String> =
        scenario.cells.iter().map(|cell| format!("{}: {}", cell.strategy, words(cell))).collect();
    format!("{}: detection latency against packets. {}.", scenario.name, sentences.join("; "))
}
