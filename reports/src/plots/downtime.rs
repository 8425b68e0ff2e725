//! The second headline: how much time without a session a strategy could have saved, against what it costs, with the front of
//! the best and what no policy can avoid. Unlike detection latency, every strategy has this number, also one that loses nothing.

use super::{
    Figure, Looks, PACKETS_LABEL,
    front::{self, FRONT_LINE, FRONT_NAME, steps},
    note, tip,
};
use crate::{
    chart::{Axis, CEILING, Chart, Height, Key, Mark, Point, Scale, Stroke, Tip, Values},
    number::{percent, short},
    statistics::bootstrap::Interval,
    summary::{CellStats, Cost, Downtime, LEVEL, ScenarioStats},
};

const CEILING_LINE: Stroke = Stroke { color: CEILING, width: 1.5, dash: Some((7.0, 5.0)) };
const DAY_S: f64 = 86_400.0;

/// Returns the figure; `None` where the results do not tell downtime.
pub(super) fn figure(scenario: &ScenarioStats, looks: &Looks) -> Option<Figure> {
    let known: Vec<(&CellStats, Downtime)> =
        scenario.cells.iter().filter_map(|cell| Some((cell, cell.downtime?))).collect();
    let ceiling_s = scenario.unavoidable_s_per_day()?;
    let cost = |cell: &CellStats| scenario.cost.of(cell);
    let ends = |interval: Option<Interval>| interval.into_iter().flat_map(|it| [it.low, it.high]);
    let costs = known.iter().flat_map(|(cell, _)| ends(scenario.cost.interval(cell)).chain([cost(cell)]));
    // Only who pays nothing needs a place for it.
    let x = if known.iter().any(|(cell, _)| cost(cell) <= 0.0) {
        Scale::log_and_zero_around(costs)
    } else {
        Scale::log_around(costs.filter(|it| *it > 0.0))
    };
    let downtimes = known.iter().flat_map(|(_, it)| ends(it.interval).chain([it.avoidable_s_per_day]));
    let y = Scale::log_and_zero_around(downtimes.chain([ceiling_s]));

    let mut marks = Vec::new();
    let mut legend = Vec::new();
    if ceiling_s > 0.0 {
        let (left, right) = x.ends();
        marks.push(Mark::Line(vec![(left, ceiling_s), (right, ceiling_s)], CEILING_LINE));
        legend
            .push((format!("what no policy can avoid, on top: {} s a day", short(ceiling_s)), Key::Line(CEILING_LINE)));
    }
    let mut front: Vec<Values> =
        known.iter().filter(|(cell, _)| cell.on_front).map(|(cell, it)| (cost(cell), it.avoidable_s_per_day)).collect();
    front.sort_by(|a, b| a.0.total_cmp(&b.0));
    if !front.is_empty() {
        marks.push(Mark::Line(steps(&front, None, &x, &y), FRONT_LINE));
        legend.push((FRONT_NAME.to_owned(), Key::Line(FRONT_LINE)));
    }
    marks.extend(known.iter().map(|(cell, downtime)| {
        Mark::Point(Point {
            x: cost(cell),
            x_interval: scenario.cost.interval(cell),
            y: Height::At { value: downtime.avoidable_s_per_day, interval: downtime.interval },
            identity: looks.get(&cell.strategy),
            name: cell.strategy.clone(),
            leads: cell.on_front,
            tip: Tip {
                at: Some((cost(cell), downtime.avoidable_s_per_day)),
                ..tip(cell, &words(scenario.cost, cell, downtime))
            },
        })
    }));
    let described: Vec<String> =
        known.iter().map(|(cell, it)| format!("{}: {}", cell.strategy, words(scenario.cost, cell, it))).collect();
    let unknown = scenario.cells.iter().filter(|cell| cell.downtime.is_none()).map(|cell| cell.strategy.as_str());
    Some(Figure {
        suffix: "downtime",
        caption: caption(scenario.cost, ceiling_s),
        description: format!("{}: avoidable downtime against cost. {}.", scenario.name, described.join("; ")),
        chart: Chart {
            marks,
            legend,
            notes: note("Not shown, their downtime is not known", unknown).into_iter().collect(),
            ..Chart::new(
                format!("{}: time without a session that a policy could have saved", scenario.name),
                Axis::new(label(scenario.cost), x),
                Axis::new("avoidable downtime (s per device-day)", y),
            )
        },
    })
}

/// Returns what the axis of a cost is called.
const fn label(cost: Cost) -> &'static str {
    match cost {
        Cost::Packets => PACKETS_LABEL,
        Cost::Energy => super::ENERGY_LABEL,
    }
}

fn caption(cost: Cost, ceiling_s: f64) -> String {
    let paid = match cost {
        Cost::Packets => "packets",
        Cost::Energy => "energy, since every device has a radio",
    };
    let ceiling = if ceiling_s > 0.0 {
        format!(
            "The dashed line is what comes on top whatever the policy, for there was no way to a server: {} s a day, so that no \
             policy here has a session for more than {} of the time. A strategy above the line loses more by its own fault than \
             the world takes.",
            short(ceiling_s),
            percent(1.0 - ceiling_s / DAY_S)
        )
    } else {
        "There was always a way to a server: a policy that does everything right has a session all the time.".to_owned()
    };
    format!(
        "Left and below is better. Avoidable is the time in which a connection opened at that moment could have been used and the \
         device had none: it did not notice, waited, or was connecting. Cost is {paid}. Zero has a place of its own; whiskers \
         are {:.0} % bootstrap intervals over seeds. The Pareto front joins the strategies that no other beats in both, {}. {ceiling}",
        100.0 * LEVEL,
        front::WHO_NOT,
    )
}

/// Returns what a strategy's place says, in words.
fn words(cost: Cost, cell: &CellStats, downtime: &Downtime) -> String {
    format!("{} s a day avoidable at {} {}", short(downtime.avoidable_s_per_day), short(cost.of(cell)), cost.unit())
}
