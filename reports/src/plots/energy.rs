//! What the battery pays: the energy of the radios, where every device has one.

use super::{ENERGY_LABEL, Figure, Looks, STRATEGY_LABEL, tip};
use crate::{
    chart::{Axis, Chart, Mark, Scale},
    data::ScenarioResults,
    number::{counted, short},
    summary::{CellStats, ScenarioStats},
};

/// Returns the figure; `None` where some device has no radio.
pub(super) fn figure(scenario: &ScenarioStats, _: &ScenarioResults, looks: &Looks) -> Option<Figure> {
    let with_energy = scenario.cells.iter().map(|cell| Some((cell, cell.energy_j_per_device_hour?)));
    let mut cells: Vec<(&CellStats, f64)> = with_energy.collect::<Option<_>>()?;
    // Stable: of equal ones the one with fewer packets comes first.
    cells.sort_by(|a, b| a.1.total_cmp(&b.1));
    let words = |cell: &CellStats, energy: f64| {
        format!("{} J per device-hour, over {}", short(energy), counted(cell.seeds as u64, "seed"))
    };
    let bar = |(row, &(cell, energy)): (u32, &(&CellStats, f64))| Mark::Bars {
        row: row.into(),
        parts: vec![(energy, looks.get(&cell.strategy).color)],
        interval: cell.energy_interval,
        text: format!("{} (n {})", short(energy), cell.seeds),
        tip: tip(cell, &words(cell, energy)),
    };
    let ends =
        cells.iter().flat_map(|(cell, energy)| cell.energy_interval.map(|it| it.high).into_iter().chain([*energy]));
    let described: Vec<String> =
        cells.iter().map(|(cell, energy)| format!("{}: {}", cell.strategy, words(cell, *energy))).collect();
    Some(Figure {
        suffix: "energy",
        caption: "Shorter is better: energy of the radios, sleep included, with 95 % bootstrap intervals over seeds; n counts the \
                  seeds."
            .to_owned(),
        description: format!("{}: what the battery pays. {}.", scenario.name, described.join("; ")),
        chart: Chart {
            marks: (0..).zip(&cells).map(bar).collect(),
            ..Chart::new(
                format!("{}: what the battery pays", scenario.name),
                Axis::new(ENERGY_LABEL, Scale::linear_from_zero(ends)),
                Axis::new(STRATEGY_LABEL, Scale::Names(cells.iter().map(|(cell, _)| cell.strategy.clone()).collect())),
            )
        },
    })
}
