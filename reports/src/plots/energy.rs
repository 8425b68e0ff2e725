//! What users feel: the battery, and how late messages arrive. Where there is a radio and messages are pushed, one
//! against the other; where there is one of them, that alone.

use cardiogram_results::rows::RunColumn;

use super::{Figure, Looks, STRATEGY_LABEL, TIME_MIN_S, cells, note, sum, time, tip};
use crate::{
    chart::{Axis, Chart, Height, Mark, Point, Scale, Tip},
    data::{Cell, ScenarioResults},
    number::{percent, short},
    summary::{CellStats, ScenarioStats},
};

/// Strategies whose delays are closer than this are all the same to a user.
const RATIO_MIN: f64 = 1.2;

const ENERGY_LABEL: &str = "energy of the radio (J per device-day)";
const DELAY_LABEL: &str = "mean push delay (logarithmic)";

/// What one strategy's users feel.
struct Felt<'a> {
    stats: &'a CellStats,
    /// Joules per device-day; `None` without a radio.
    energy_j: Option<f64>,
    /// The mean over delivered messages; `None` if none was delivered.
    delay_s: Option<f64>,
    /// The delivered share of created messages; `None` if none was created.
    delivered_share: Option<f64>,
}

pub(super) fn figure(scenario: &ScenarioStats, results: &ScenarioResults, looks: &Looks) -> Option<Figure> {
    let felt: Vec<Felt<'_>> = cells(scenario, results).into_iter().map(|(stats, cell)| felt(stats, cell)).collect();
    let has_energy = felt.iter().all(|it| it.energy_j.is_some_and(|energy| energy > 0.0));
    let delays = || felt.iter().filter_map(|it| it.delay_s);
    let differ = delays().fold(0.0, f64::max) > RATIO_MIN * delays().fold(f64::INFINITY, f64::min);
    match (has_energy, differ) {
        (true, true) => Some(both(scenario, &felt, looks)),
        (true, false) => Some(energy(scenario, &felt, looks)),
        (false, true) => Some(delay(scenario, &felt, looks)),
        (false, false) => None,
    }
}

fn felt<'a>(stats: &'a CellStats, cell: &Cell) -> Felt<'a> {
    let (created, delivered) = (sum(cell, RunColumn::pushes_created), sum(cell, RunColumn::pushes_delivered));
    let products = cell
        .runs
        .iter()
        .filter_map(|run| Some((run.get(RunColumn::push_delay_mean_s)?, run.get(RunColumn::pushes_delivered)?)));
    let total_s: f64 = products.map(|(mean_s, delivered)| mean_s * delivered).sum();
    Felt {
        stats,
        energy_j: sum(cell, RunColumn::energy_j).map(|energy| 24.0 * energy / stats.device_hours),
        delay_s: delivered.filter(|delivered| *delivered > 0.0).map(|delivered| total_s / delivered),
        delivered_share: created.filter(|created| *created > 0.0).map(|created| delivered.unwrap_or(0.0) / created),
    }
}

impl Felt<'_> {
    fn words(&self) -> String {
        let energy = self.energy_j.map(|energy| format!("{} J per device-day", short(energy)));
        let delay = self.delay_s.map(|delay| format!("mean push delay {}", time(delay)));
        let delivered = self.delivered_share.map(|share| format!("{} of the pushes delivered", percent(share)));
        energy.into_iter().chain(delay).chain(delivered).collect::<Vec<_>>().join(", ")
    }
}

fn both(scenario: &ScenarioStats, felt: &[Felt<'_>], looks: &Looks) -> Figure {
    let delays = felt.iter().filter_map(|it| it.delay_s).map(|delay| delay.max(TIME_MIN_S));
    let energies = felt.iter().filter_map(|it| it.energy_j);
    let point = |it: &Felt<'_>| {
        let height = |delay: f64| Height::At { value: delay.max(TIME_MIN_S), interval: None };
        let x = it.energy_j.expect("all have an energy");
        Mark::Point(Point {
            x,
            x_interval: None,
            y: it.delay_s.map_or(Height::Above, height),
            identity: looks.get(&it.stats.strategy),
            name: it.stats.strategy.clone(),
            leads: it.stats.on_front,
            tip: Tip { at: it.delay_s.map(|delay| (x, delay)), ..tip(it.stats, &it.words()) },
        })
    };
    let undelivered = felt.iter().any(|it| it.delay_s.is_none());
    finished(
        felt,
        "Left and below is better: energy of the radios, sleep included, against the mean time from a message's creation \
         to its delivery.",
        Chart {
            above: undelivered.then(|| "no push delivered".to_owned()),
            marks: felt.iter().map(point).collect(),
            ..Chart::new(
                format!("{}: what the battery pays, and how late pushes arrive", scenario.name),
                Axis::new(ENERGY_LABEL, Scale::log_around(energies)),
                Axis::new(DELAY_LABEL, Scale::log_time_around(delays)),
            )
        },
    )
}

fn names(felt: &[Felt<'_>]) -> Axis {
    Axis::new(STRATEGY_LABEL, Scale::Names(felt.iter().map(|it| it.stats.strategy.clone()).collect()))
}

fn energy(scenario: &ScenarioStats, felt: &[Felt<'_>], looks: &Looks) -> Figure {
    let bar = |(row, it): (u32, &Felt<'_>)| {
        let value = it.energy_j.expect("all have an energy");
        Mark::Bars {
            row: row.into(),
            parts: vec![(value, looks.get(&it.stats.strategy).color)],
            text: short(value),
            tip: tip(it.stats, &it.words()),
        }
    };
    finished(
        felt,
        "Shorter is better: energy of the radios, sleep included. Strategies by packets, fewest first.",
        Chart {
            marks: (0..).zip(felt).map(bar).collect(),
            ..Chart::new(
                format!("{}: what the battery pays", scenario.name),
                Axis::new(ENERGY_LABEL, Scale::linear_from_zero(felt.iter().filter_map(|it| it.energy_j))),
                names(felt),
            )
        },
    )
}

fn delay(scenario: &ScenarioStats, felt: &[Felt<'_>], looks: &Looks) -> Figure {
    let dot = |(row, it): (u32, &Felt<'_>)| {
        Some(Mark::Dot {
            row: row.into(),
            value: it.delay_s?.max(TIME_MIN_S),
            at_least: false,
            identity: looks.get(&it.stats.strategy),
            tip: tip(it.stats, &it.words()),
        })
    };
    let delays = felt.iter().filter_map(|it| it.delay_s).map(|delay| delay.max(TIME_MIN_S));
    finished(
        felt,
        "Left is better: the mean time from a message's creation to its delivery. Strategies by packets, fewest first.",
        Chart {
            marks: (0..).zip(felt).filter_map(dot).collect(),
            ..Chart::new(
                format!("{}: how late pushes arrive", scenario.name),
                Axis::new(DELAY_LABEL, Scale::log_time_around(delays)),
                names(felt),
            )
        },
    )
}

/// Adds what all three plots have in common. A message that never arrived has no delay, which must not pass for a short one.
fn finished(felt: &[Felt<'_>], caption: &str, chart: Chart) -> Figure {
    let poor = felt.iter().filter_map(|it| {
        let share = it.delivered_share.filter(|share| *share < 0.99)?;
        Some(format!("{} ({})", it.stats.strategy, percent(share)))
    });
    let poor: Vec<String> = poor.collect();
    let intro = "Delays are of what was delivered; fewer than 99 % were by";
    let described: Vec<String> = felt.iter().map(|it| format!("{}: {}", it.stats.strategy, it.words())).collect();
    Figure {
        suffix: "energy",
        caption: caption.to_owned(),
        description: format!("{}. {}.", chart.title, described.join("; ")),
        chart: Chart { notes: note(intro, poor.iter().map(String::as_str)).into_iter().collect(), ..chart },
    }
}
