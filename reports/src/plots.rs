//! What the plots mean: the headline plot of a scenario, with the words that belong to it.
//!
//! Where sessions broke it is the trade-off (detection latency against packets); where none did, what the strategies
//! cost.

use crate::{
    bound::{self, Bound},
    chart::{Axis, Chart, Color, Identity, Mark, Point, Scale, Stroke, Values},
    number::{counted, percent, short},
    stats::{CellStats, ScenarioStats},
    survival::Estimated,
};

const FRONT: Stroke = Stroke { color: Color(70, 70, 70), width: 2.0, dash: None };
const BOUND: Stroke = Stroke { color: Color(150, 40, 40), width: 1.5, dash: Some((7.0, 5.0)) };
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
    if scenario.cells.iter().any(|cell| place(cell).is_some()) { trade_off(scenario) } else { costs(scenario) }
}

/// Where a strategy lies in the trade-off: packets per device-hour, mean latency in seconds. Those that never noticed a
/// break, or never met one, lie nowhere; nor does one that sent no packet, on a logarithmic axis.
fn place(cell: &CellStats) -> Option<Values> {
    let latency_s = cell.detect_mean_s.filter(|_| cell.detected > 0)?.value();
    (cell.packets_per_device_hour > 0.0).then_some((cell.packets_per_device_hour, latency_s.max(LATENCY_MIN_S)))
}

fn trade_off(scenario: &ScenarioStats) -> Figure {
    let placed: Vec<(&CellStats, Values)> =
        scenario.cells.iter().filter_map(|cell| Some((cell, place(cell)?))).collect();
    let x_scale = Scale::log_around(placed.iter().map(|(_, (x, _))| *x));
    // The bound below the strategies belongs in the picture, but not where it is more than a decade away.
    let least_s = placed.iter().map(|(_, (_, y))| *y).fold(f64::INFINITY, f64::min);
    let bound_s = |x: f64| match scenario.bound {
        Bound::Holds { availability } => Some(bound::latency_min_s(x, availability).max(least_s / 10.0)),
        _ => None,
    };
    let latencies = placed.iter().flat_map(|(cell, (x, y))| {
        let interval = cell.detect_interval_s.map(|interval| [interval.low, interval.high]).into_iter().flatten();
        interval.map(|end| end.max(LATENCY_MIN_S)).chain([*y]).chain(bound_s(*x))
    });
    let y_scale = Scale::log_around(latencies);

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
    let front: Vec<Values> = placed.iter().filter(|(cell, _)| cell.on_front).map(|(_, point)| *point).collect();
    if !front.is_empty() {
        marks.push(Mark::Line(steps(&front, &x_scale, &y_scale), FRONT));
        legend.push(("Pareto front".to_owned(), FRONT));
    }
    marks.extend(placed.iter().map(|(cell, (x, y))| {
        Mark::Point(Point {
            x: *x,
            y: *y,
            x_interval: cell.packets_interval,
            y_interval: cell.detect_interval_s,
            y_at_least: matches!(cell.detect_mean_s, Some(Estimated::AtLeast(_))),
            identity: Identity(cell.strategy_index),
            name: cell.strategy.clone(),
        })
    }));
    Figure {
        chart: Chart {
            title: format!("{}: how soon a break is noticed, and what that costs", scenario.name),
            x: Axis { label: PACKETS_LABEL.to_owned(), scale: x_scale },
            y: Axis { label: "mean detection latency (s)".to_owned(), scale: y_scale },
            marks,
            legend,
            notes: notes(scenario),
        },
        caption: trade_off_caption(scenario),
        description: trade_off_description(scenario, &placed),
    }
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
    let named = |filter: &dyn Fn(&CellStats) -> bool, text: &dyn Fn(&CellStats) -> String| {
        scenario.cells.iter().filter(|cell| filter(cell)).map(text).collect::<Vec<_>>()
    };
    let cost = |cell: &CellStats| format!("{} ({}/h)", cell.strategy, short(cell.packets_per_device_hour));
    let mut notes = Vec::new();
    let mut note = |intro: &str, names: Vec<String>| {
        if !names.is_empty() {
            notes.push(format!("{intro}: {}.", names.join(", ")));
        }
    };
    note("Not shown, no session ever broke", named(&|cell| cell.episodes() == 0, &cost));
    note(
        "Not shown, no break was noticed",
        named(&|cell| cell.episodes() > 0 && cell.detected == 0, &|cell| {
            format!("{} (none of {})", cell.strategy, cell.episodes())
        }),
    );
    note(
        "Open marker with arrow: the mean is at least this, the longest waits went unnoticed",
        named(&|cell| place(cell).is_some() && cell.point().is_none(), &|cell| cell.strategy.clone()),
    );
    notes
}

fn trade_off_caption(scenario: &ScenarioStats) -> String {
    let bound = match scenario.bound {
        Bound::Holds { availability } => format!(
            "The dashed line is the bound: a policy that learns of a break from the silence after its own probes notices it \
             after 1/(2\u{a0}ρ)\u{a0}s on average at best, ρ being its probes a second. A probe costs at least 2 packets, and \
             the devices had a usable session for {} of the time or more, so that is 3600 · {} / x seconds at x packets \
             per device-hour. Application traffic counts as probes.",
            percent(availability),
            short(availability),
        ),
        Bound::Announced => {
            "No bound is drawn: a FIN or RST told devices of the break, which needs no probe.".to_owned()
        }
        Bound::CausedBySilence => {
            "No bound is drawn: the NAT forgets idle sessions, so the policy's own sending decides when \
             they break, and the bound is for breaks at times of their own."
                .to_owned()
        }
        Bound::NothingNoticed => "No bound is drawn: nothing was noticed.".to_owned(),
    };
    format!(
        "Left and below is better. Means are Kaplan-Meier estimates, with breaks that were ridden out or outlasted the run \
         censored; whiskers are 95 % bootstrap intervals over seeds. The line through the strategies that no other beats \
         in both is the Pareto front. {bound}"
    )
}

fn trade_off_description(scenario: &ScenarioStats, placed: &[(&CellStats, Values)]) -> String {
    let points: Vec<String> = placed
        .iter()
        .map(|(cell, (x, y))| format!("{} at {} packets per device-hour and {} s", cell.strategy, short(*x), short(*y)))
        .collect();
    format!("{}: detection latency against packets. {}.", scenario.name, points.join("; "))
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
    Figure {
        caption: format!(
            "{nothing} here, so there is no latency to compare. Shorter is cheaper; a false alarm is a usable session \
             given up."
        ),
        description: format!("{}: packets per device-hour. {}.", scenario.name, described.join("; ")),
        chart: Chart {
            title: format!("{}: what each strategy costs", scenario.name),
            x: Axis {
                label: PACKETS_LABEL.to_owned(),
                scale: Scale::linear_from_zero(cells.iter().map(|cell| cell.packets_per_device_hour)),
            },
            y: Axis { label: String::new(), scale: Scale::Names(names().collect()) },
            marks: (0..).zip(cells.iter().zip(&texts)).map(bar).collect(),
            legend: Vec::new(),
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
