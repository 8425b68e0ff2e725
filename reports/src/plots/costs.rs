//! Where there is no latency to compare: what each strategy costs, and whether it cried wolf.

use super::{Figure, Looks, PACKETS_LABEL, STRATEGY_LABEL, keep_alive_caption, mark_keep_alive, packets, tip};
use crate::{
    chart::{Axis, Chart, Mark, Scale},
    number::{counted, short},
    summary::{CellStats, ScenarioStats},
};

pub(super) fn figure(scenario: &ScenarioStats, looks: &Looks) -> Figure {
    let cells = &scenario.cells;
    let names = || cells.iter().map(|cell| cell.strategy.clone());
    let texts: Vec<String> = cells.iter().map(cost_text).collect();
    let described: Vec<String> = names().zip(&texts).map(|(name, text)| format!("{name}: {text}")).collect();
    let bar = |(row, (cell, text)): (u32, (&CellStats, &String))| Mark::Bars {
        row: row.into(),
        parts: vec![(cell.packets_per_device_hour, looks.get(&cell.strategy).color)],
        interval: cell.packets_interval,
        text: text.clone(),
        tip: tip(cell, text),
    };
    let nothing =
        if cells.iter().any(|cell| cell.episodes() > 0) { "No break was noticed" } else { "No session broke" };
    let mut marks: Vec<Mark> = (0..).zip(cells.iter().zip(&texts)).map(bar).collect();
    let mut legend = Vec::new();
    mark_keep_alive(scenario, &mut marks, &mut legend);
    let title = format!("{}: what each strategy costs", scenario.name);
    let x = Axis::new(PACKETS_LABEL, Scale::linear_from_zero(packets(scenario)));
    let y = Axis::new(STRATEGY_LABEL, Scale::Names(names().collect()));
    Figure {
        suffix: "",
        caption: format!(
            "{nothing} here, so there is no latency to compare. Shorter is cheaper; a false alarm is a usable session \
             given up.{}",
            keep_alive_caption(scenario)
        ),
        description: format!("{}: packets per device-hour. {}.", scenario.name, described.join("; ")),
        chart: Chart { marks, legend, ..Chart::new(title, x, y) },
    }
}

fn cost_text(cell: &CellStats) -> String {
    let alarms = (cell.false_alarms > 0).then(|| counted(cell.false_alarms, "false alarm"));
    let breaks = (cell.episodes() > 0).then(|| format!("{} unnoticed", counted(cell.episodes(), "break")));
    let cost = short(cell.packets_per_device_hour);
    [Some(cost), alarms, breaks].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}
