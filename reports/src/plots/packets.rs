//! What the packets were: each strategy's packets per device-hour by kind, both directions together, and which of those with data
//! were heartbeats.
//!
//! Results count heartbeats as messages, not as packets. Each that leaves does so in a packet with new data, and so does each
//! reply that arrives; several may share one, and one may never leave its queue. So their number is the most packets that it
//! can have been.

use cardiogram_results::rows::RunColumn;

use super::{Figure, Looks, PACKETS_LABEL, STRATEGY_LABEL, cells, sum, tip};
use crate::{
    chart::{Axis, Chart, Color, Key, Mark, PALETTE, Scale},
    data::{Cell, ScenarioResults},
    number::short,
    summary::{CellStats, ScenarioStats},
};

/// The first kind is a part of the second.
const HEARTBEATS: (&str, [RunColumn; 2], Color) =
    ("heartbeats and replies (at most)", [RunColumn::heartbeats_sent, RunColumn::heartbeats_answered], PALETTE[0]);

/// The kinds with their columns and colours, in the order of the bars.
const KINDS: [(&str, [RunColumn; 2], Color); 8] = [
    HEARTBEATS,
    ("other data", [RunColumn::data_up, RunColumn::data_down], PALETTE[7]),
    ("pure ACK", [RunColumn::pure_ack_up, RunColumn::pure_ack_down], PALETTE[5]),
    ("SYN", [RunColumn::syn_up, RunColumn::syn_down], PALETTE[2]),
    ("FIN", [RunColumn::fin_up, RunColumn::fin_down], PALETTE[3]),
    ("RST", [RunColumn::rst_up, RunColumn::rst_down], PALETTE[4]),
    ("retransmission", [RunColumn::retransmission_up, RunColumn::retransmission_down], PALETTE[1]),
    ("keepalive probe", [RunColumn::probe_up, RunColumn::probe_down], PALETTE[6]),
];

/// What one strategy sent and received, per device-hour.
struct Packets<'a> {
    stats: &'a CellStats,
    by_kind: [f64; KINDS.len()],
}

pub(super) fn figure(scenario: &ScenarioStats, results: &ScenarioResults, _: &Looks) -> Option<Figure> {
    let packets = |(stats, cell): (_, &Cell)| Some(Packets { stats, by_kind: by_kind(cell)? });
    let all: Vec<Packets<'_>> = cells(scenario, results).into_iter().map(packets).collect::<Option<_>>()?;
    if all.iter().all(|it| it.total() <= 0.0) {
        return None;
    }
    let occurs = |kind: &usize| all.iter().any(|it| it.by_kind[*kind] > 0.0);
    let key = |kind: usize| (KINDS[kind].0.to_owned(), Key::Patch(KINDS[kind].2));
    let described: Vec<String> = all.iter().map(|it| format!("{}: {}", it.stats.strategy, it.words())).collect();
    Some(Figure {
        suffix: "packets",
        caption: "Packets on the access link by kind, both directions together; the number is their sum. Heartbeats \
                  and replies are counted as messages, each at most a packet with new data; other data is the application's \
                  messages, and logins; a pure ACK carries nothing else; a keepalive probe is the \
                  kernel's."
            .to_owned(),
        description: format!("{}: packets by kind. {}.", scenario.name, described.join("; ")),
        chart: Chart {
            marks: (0..).zip(&all).map(|(row, it)| it.bars(row)).collect(),
            legend: (0..KINDS.len()).filter(occurs).map(key).collect(),
            ..Chart::new(
                format!("{}: what the packets were", scenario.name),
                Axis::new(PACKETS_LABEL, Scale::linear_from_zero(all.iter().map(Packets::total))),
                Axis::new(STRATEGY_LABEL, Scale::Names(all.iter().map(|it| it.stats.strategy.clone()).collect())),
            )
        },
    })
}

impl Packets<'_> {
    fn total(&self) -> f64 {
        self.by_kind.iter().sum()
    }

    fn kinds(&self) -> impl Iterator<Item = (f64, &'static str, Color)> {
        let kinds = self.by_kind.iter().zip(KINDS).map(|(value, (name, _, color))| (*value, name, color));
        kinds.filter(|(value, ..)| *value > 0.0)
    }

    fn bars(&self, row: u32) -> Mark {
        Mark::Bars {
            row: row.into(),
            parts: self.kinds().map(|(value, _, color)| (value, color)).collect(),
            interval: None,
            text: short(self.total()),
            tip: tip(self.stats, &self.words()),
        }
    }

    fn words(&self) -> String {
        let parts: Vec<String> = self.kinds().map(|(value, name, _)| format!("{} {name}", short(value))).collect();
        if parts.is_empty() { "no packets".to_owned() } else { format!("{} per device-hour", parts.join(", ")) }
    }
}

/// Returns the packets per device-hour of each kind; `None` where the results lack these columns.
fn by_kind(cell: &Cell) -> Option<[f64; KINDS.len()]> {
    let hours = cell.runs.iter().map(|run| run.device_hours).sum::<f64>();
    let mut kinds = [0.0; KINDS.len()];
    for (kind, (_, columns, _)) in kinds.iter_mut().zip(KINDS).skip(1) {
        *kind = columns.iter().map(|column| sum(cell, *column)).sum::<Option<f64>>()?;
    }
    let (_, beats, _) = HEARTBEATS;
    let (_, data, _) = KINDS[1];
    for (beats, data) in beats.into_iter().zip(data) {
        // Results that do not tell how many were answered tell the others all the same.
        let most = sum(cell, beats).unwrap_or(0.0).min(sum(cell, data)?);
        kinds[0] += most;
        kinds[1] -= most;
    }
    Some(kinds.map(|packets| packets / hours))
}
