//! What the plots mean: the headline plot of a scenario, with the words that belong to it.
//!
//! Where sessions broke it is the trade-off (detection latency against packets); where none did, what the strategies
//! cost.

use cardiogram_scenarios::survival::Estimated;

use crate::{
    bound::{self, Bound, KeepAlive},
    chart::{Axis, Chart, Color, Height, Identity, Mark, Point, Scale, Stroke, Values},
    number::{counted, percent, short},
    stats::{CellStats, ScenarioStats},
};

const FRONT: Stroke = Stroke { color: Color(70, 70, 70), width: 2.0, dash: None };
const BOUND: Stroke = Stroke { color: Color(150, 40, 40), width: 1.5, dash: Some((7.0, 5.0)) };
const KEEP_ALIVE: Stroke = Stroke { color: Color(40, 80, 140), width: 1.5, dash: Some((3.0, 4.0)) };
/// Where the bound lets no strategy be.
const OUT_OF_REACH: Color = Color(246, 240, 240);

/// A logarithmic axis has no zero: a latency of less than a millisecond is drawn as one.
const LATENCY_MIN_S: f64 = 0.001;

const PACKETS_LABEL: &str = "packets per device-hour (both directions)";

/// A plot with its words.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) chart: Chart,
    /// How to read it, for the text below it.
    pub(crate) caption: String,
    /// What it shows, for those who do not see it.
    pub(crate) description: String,
}

/// The headline plot of a scenario.
pub(crate) fn headline(scenario: &ScenarioStats) -> Figure {
    if scenario.cells.iter().any(|cell| cell.detected > 0 && cell.packets_per_device_hour > 0.0) {
        trade_off(scenario)
    } else {
        costs(scenario)
    }
}

/// Where a strategy lies along the axis of latencies.
fn height(cell: &CellStats) -> Height {
    match cell.detect_mean_s {
        None => Height::Below,
        Some(_) if cell.detected == 0 => Height::Above,
        Some(Estimated::AtLeast(value)) => Height::AtLeast(value.max(LATENCY_MIN_S)),
        Some(Estimated::Known(value)) => {
            Height::At { value: value.max(LATENCY_MIN_S), interval: cell.detect_interval_s }
        }
    }
}

fn trade_off(scenario: &ScenarioStats) -> Figure {
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
            marks.push(Mark::Line(line, BOUND));
            legend.push(("bound: no policy below this line".to_owned(), BOUND));
        }
    }
    mark_keep_alive(scenario, &mut marks, &mut legend);
    let front: Vec<Values> = cells.iter().filter(|cell| cell.on_front).filter_map(|cell| cell.point()).collect();
    if !front.is_empty() {
        marks.push(Mark::Line(steps(&front, &x_scale, &y_scale), FRONT));
        legend.push(("Pareto front".to_owned(), FRONT));
    }
    marks.extend(cells.iter().zip(&heights).map(|(cell, height)| {
        Mark::Point(Point {
            x: cell.packets_per_device_hour,
            x_interval: cell.packets_interval,
            y: *height,
            identity: Identity(cell.strategy_index),
            name: cell.strategy.clone(),
        })
    }));
    let strip = |name: &str, is_in: fn(&Height) -> bool| heights.iter().any(is_in).then(|| name.to_owned());
    Figure {
        caption: trade_off_caption(scenario),
        description: trade_off_description(scenario),
        chart: Chart {
            title: format!("{}: how soon a break is noticed, and what that costs", scenario.name),
            x: Axis { label: PACKETS_LABEL.to_owned(), scale: x_scale },
            y: Axis { label: "mean detection latency (s)".to_owned(), scale: y_scale },
            above: strip("no break noticed", |height| matches!(height, Height::Above)),
            below: strip("no session broke", |height| matches!(height, Height::Below)),
            marks,
            legend,
            notes: notes(scenario),
        },
    }
}

/// What belongs along the axis of packets.
fn packets(scenario: &ScenarioStats) -> impl Iterator<Item = f64> {
    let needed = scenario.keep_alive.map(KeepAlive::packets_per_device_hour_min);
    scenario.cells.iter().map(|cell| cell.packets_per_device_hour).chain(needed)
}

/// The vertical line left of which no strategy keeps the mapping alive.
fn mark_keep_alive(scenario: &ScenarioStats, marks: &mut Vec<Mark>, legend: &mut Vec<(String, Stroke)>) {
    if let Some(keep_alive) = scenario.keep_alive {
        marks.push(Mark::Rule(keep_alive.packets_per_device_hour_min(), KEEP_ALIVE));
        legend.push(("fewest packets that keep the NAT's mapping alive".to_owned(), KEEP_ALIVE));
    }
}

/// How to read that line; empty where there is none.
fn keep_alive_caption(scenario: &ScenarioStats) -> String {
    scenario.keep_alive.map_or_else(String::new, |it| {
        format!(
            " The vertical line is what it takes to keep the mapping alive: the NAT forgets a session after {timeout}\
             \u{a0}s without a packet, and nothing but the strategy sends, so it takes an exchange of at least 2 \
             packets every {timeout}\u{a0}s: 2 · 3600 / {timeout} = {packets} packets per device-hour. It applies \
             where the application itself is silent.",
            timeout = short(it.timeout_s),
            packets = short(it.packets_per_device_hour_min()),
        )
    })
}

/// The latency of a strategy that has one, known or at least.
const fn value(height: &Height) -> Option<f64> {
    match height {
        Height::At { value, .. } | Height::AtLeast(value) => Some(*value),
        Height::Above | Height::Below => None,
    }
}

/// An axis for all latencies with their intervals, and for the bound at each strategy's cost: that belongs in the
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
    let ends = intervals.flat_map(|interval| [interval.low, interval.high]).map(|end| end.max(LATENCY_MIN_S));
    Scale::log_around(placed.iter().map(|(_, latency_s)| *latency_s).chain(bounds).chain(ends))
}

/// The bound between the edges of the picture, and the area below it.
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

/// The front as stairs: what can be had for at most so many packets. `points` by packets, fewest first.
fn steps(points: &[Values], x: &Scale, y: &Scale) -> Vec<Values> {
    let (&Scale::Log { max: right, .. }, &Scale::Log { max: top, .. }) = (x, y) else {
        panic!("both axes of a trade-off are logarithmic");
    };
    let mut line = vec![(points[0].0, top), points[0]];
    for pair in points.windows(2) {
        line.push((pair[1].0, pair[0].1));
        line.push(pair[1]);
    }
    line.push((right, points[points.len() - 1].1));
    line
}

/// Who is not in the picture, and what is uncertain in it.
fn notes(scenario: &ScenarioStats) -> Vec<String> {
    let note = |intro: &str, concerns: &dyn Fn(&CellStats) -> bool| {
        let cells = scenario.cells.iter().filter(|cell| concerns(cell));
        let names: Vec<&str> = cells.map(|cell| cell.strategy.as_str()).collect();
        (!names.is_empty()).then(|| format!("{intro}: {}.", names.join(", ")))
    };
    let at_least =
        note("Open marker with arrow, the mean is at least this, for the longest waits went unnoticed", &|cell| {
            matches!(height(cell), Height::AtLeast(_))
        });
    let without_packets = note("Not shown, sent no packet", &|cell| cell.packets_per_device_hour <= 0.0);
    at_least.into_iter().chain(without_packets).collect()
}

fn trade_off_caption(scenario: &ScenarioStats) -> String {
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
         other beats in both. {bound}{}",
        keep_alive_caption(scenario)
    )
}

fn trade_off_description(scenario: &ScenarioStats) -> String {
    let sentence = |cell: &CellStats| {
        let latency = match height(cell) {
            Height::At { value, .. } => format!("{} s", short(value)),
            Height::AtLeast(value) => format!("at least {} s", short(value)),
            Height::Above => "no break noticed".to_owned(),
            Height::Below => "no session broke".to_owned(),
        };
        format!("{} at {} packets per device-hour: {latency}", cell.strategy, short(cell.packets_per_device_hour))
    };
    let sentences: Vec<String> = scenario.cells.iter().map(sentence).collect();
    format!("{}: detection latency against packets. {}.", scenario.name, sentences.join("; "))
}

/// Where there is no latency to compare: what each strategy costs, and whether it cried wolf.
fn costs(scenario: &ScenarioStats) -> Figure {
    let cells = &scenario.cells;
    let names = || cells.iter().map(|cell| cell.strategy.clone());
    let texts: Vec<String> = cells.iter().map(cost_text).collect();
    let described: Vec<String> = names().zip(&texts).map(|(name, text)| format!("{name}: {text}")).collect();
    let bar = |(row, (cell, text)): (u32, (&CellStats, &String))| Mark::Bar {
        row: row.into(),
        value: cell.packets_per_device_hour,
        identity: Identity(cell.strategy_index),
        text: text.clone(),
    };
    let nothing =
        if cells.iter().any(|cell| cell.episodes() > 0) { "No break was noticed" } else { "No session broke" };
    let mut marks: Vec<Mark> = (0..).zip(cells.iter().zip(&texts)).map(bar).collect();
    let mut legend = Vec::new();
    mark_keep_alive(scenario, &mut marks, &mut legend);
    Figure {
        caption: format!(
            "{nothing} here, so there is no latency to compare. Shorter is cheaper; a false alarm is a usable session \
             given up.{}",
            keep_alive_caption(scenario)
        ),
        description: format!("{}: packets per device-hour. {}.", scenario.name, described.join("; ")),
        chart: Chart {
            title: format!("{}: what each strategy costs", scenario.name),
            x: Axis { label: PACKETS_LABEL.to_owned(), scale: Scale::linear_from_zero(packets(scenario)) },
            y: Axis { label: String::new(), scale: Scale::Names(names().collect()) },
            above: None,
            below: None,
            marks,
            legend,
            notes: Vec::new(),
        },
    }
}

fn cost_text(cell: &CellStats) -> String {
    let alarms = (cell.false_alarms > 0).then(|| counted(cell.false_alarms, "false alarm"));
    let breaks = (cell.episodes() > 0).then(|| format!("{} unnoticed", counted(cell.episodes(), "break")));
    let cost = short(cell.packets_per_device_hour);
    [Some(cost), alarms, breaks].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}
