//! `report/summary.csv` and `report/summary.json`: one row a scenario and strategy, with every number that the tables show.
//!
//! The list of numbers here is the one place that names them. A number that does not exist is an empty field, or `null`; its
//! interval is of 95 % over seeds, in `NAME_low` and `NAME_high`.

use serde_json::{Map, Value, json};

use crate::{
    statistics::bootstrap::Interval,
    summary::{CellStats, ScenarioStats, Summary},
};

/// A number of a cell by its name.
struct Number {
    name: &'static str,
    /// What an axis calls it, with its unit.
    label: &'static str,
    value: fn(&CellStats) -> Option<f64>,
    /// Its interval; `None` for a number that has no columns for one.
    interval: Option<fn(&CellStats) -> Option<Interval>>,
}

const fn plain(name: &'static str, label: &'static str, value: fn(&CellStats) -> Option<f64>) -> Number {
    Number { name, label, value, interval: None }
}

const fn with(
    name: &'static str,
    label: &'static str,
    value: fn(&CellStats) -> Option<f64>,
    interval: fn(&CellStats) -> Option<Interval>,
) -> Number {
    Number { name, label, value, interval: Some(interval) }
}

/// The numbers in the order of the columns.
const NUMBERS: [Number; 32] = [
    plain("seeds", "seeds (number)", |it| Some(it.seeds as f64)),
    plain("device_hours", "time of all devices (h)", |it| Some(it.device_hours)),
    plain("rank", "place by avoidable downtime (number)", |it| it.downtime.map(|_| it.rank as f64)),
    with(
        "avoidable_s_per_day",
        "avoidable downtime (s per device-day)",
        |it| it.downtime.map(|it| it.avoidable_s_per_day),
        |it| it.downtime?.interval,
    ),
    plain("unnoticed_s_per_day", "unnoticed (s per device-day)", |it| it.downtime.map(|it| it.unnoticed_s_per_day)),
    plain("waiting_s_per_day", "waiting (s per device-day)", |it| it.downtime.map(|it| it.waiting_s_per_day)),
    plain("connecting_s_per_day", "connecting (s per device-day)", |it| it.downtime.map(|it| it.connecting_s_per_day)),
    plain("unavoidable_s_per_day", "unavoidable downtime (s per device-day)", |it| {
        it.downtime.map(|it| it.unavoidable_s_per_day)
    }),
    plain("away_s_per_day", "away on purpose (s per device-day)", |it| it.downtime.map(|it| it.away_s_per_day)),
    plain("front_share", "resamples on the front (share)", |it| it.front_share),
    with(
        "packets_per_h",
        "packets per device-hour (both directions)",
        |it| Some(it.packets_per_device_hour),
        |it| it.packets_interval,
    ),
    with(
        "heartbeats_per_h",
        "heartbeats per device-hour",
        |it| Some(it.heartbeats_per_device_hour),
        |it| it.heartbeats_interval,
    ),
    with(
        "bytes_per_day",
        "bytes per device-day (both directions)",
        |it| Some(it.bytes_per_device_day),
        |it| it.bytes_interval,
    ),
    with(
        "energy_j_per_h",
        "energy of the radio (J per device-hour)",
        |it| it.energy_j_per_device_hour,
        |it| it.energy_interval,
    ),
    plain("detected", "breaks detected (number)", |it| Some(it.detected as f64)),
    plain("ridden_out", "breaks ridden out (number)", |it| Some(it.ridden_out as f64)),
    plain("undetected", "breaks not detected (number)", |it| Some(it.undetected as f64)),
    with("detect_mean_s", "mean detection latency (s)", |it| it.detect_mean_s?.known(), |it| it.detect_interval_s),
    with("detect_p50_s", "median detection latency (s)", |it| it.detect_p50_s?.known(), |it| it.detect_p50_interval_s),
    with(
        "detect_p95_s",
        "95th percentile of detection latency (s)",
        |it| it.detect_p95_s?.known(),
        |it| it.detect_p95_interval_s,
    ),
    plain("recover_mean_s", "mean time to a usable session (s)", |it| it.recover_mean_s?.known()),
    plain("false_alarms", "false alarms (number)", |it| Some(it.false_alarms as f64)),
    with(
        "false_alarms_per_day",
        "false alarms per device-day",
        |it| Some(it.false_alarms_per_device_day),
        |it| it.false_alarms_interval,
    ),
    with(
        "availability",
        "time with a usable session (share)",
        |it| Some(it.availability),
        |it| it.availability_interval,
    ),
    plain("messages_created", "requests made (number)", |it| it.requests.map(|it| it.created)),
    plain("messages_delivered", "requests answered (number)", |it| it.requests.map(|it| it.answered)),
    plain("messages_failed", "requests failed (number)", |it| it.requests.map(|it| it.failed)),
    plain("messages_waiting", "requests waiting at the end (number)", |it| it.requests.map(|it| it.waiting)),
    plain("message_deadlines", "deadlines of requests passed (number)", |it| it.requests.map(|it| it.deadlines_passed)),
    plain("message_delay_mean_s", "mean time to a request's answer (s)", |it| it.requests?.delay_mean_s),
    plain("message_delay_p95_s", "95th percentile of it in the worst run (s)", |it| it.requests?.delay_p95_s),
    plain("message_delay_max_s", "longest time to a request's answer (s)", |it| it.requests?.delay_max_s),
];

/// A number that a strategy has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub(crate) label: &'static str,
    pub(crate) value: f64,
    pub(crate) interval: Option<Interval>,
}

/// Returns the names of all numbers.
pub(crate) fn names() -> impl Iterator<Item = &'static str> + Clone {
    NUMBERS.iter().map(|it| it.name)
}

/// Returns the number of a cell that goes by `name`; `None` if it has none.
pub(crate) fn told(cell: &CellStats, name: &str) -> Option<Told> {
    let Number { label, value, interval, .. } = NUMBERS.iter().find(|it| it.name == name)?;
    let value = value(cell).filter(|it| it.is_finite())?;
    Some(Told { label, value, interval: interval.and_then(|interval| interval(cell)) })
}

/// Returns the numbers with their intervals, in the order of the columns.
fn columns(cell: &CellStats) -> impl Iterator<Item = (String, Option<f64>)> {
    NUMBERS.iter().flat_map(|Number { name, value, interval, .. }| {
        let mut columns = vec![((*name).to_owned(), value(cell))];
        if let Some(interval) = interval {
            let interval = interval(cell);
            columns.push((format!("{name}_low"), interval.map(|it| it.low)));
            columns.push((format!("{name}_high"), interval.map(|it| it.high)));
        }
        columns
    })
}

fn cells(summary: &Summary) -> impl Iterator<Item = (&ScenarioStats, &CellStats)> {
    summary.scenarios.iter().flat_map(|scenario| scenario.cells.iter().map(move |cell| (scenario, cell)))
}

/// Returns the rows as CSV, in the order of the report: scenarios as they were named, strategies by packets.
pub(crate) fn csv(summary: &Summary) -> Vec<u8> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let mut write = |fields: Vec<String>| out.write_record(fields).expect("memory takes every row");
    for (place, (scenario, cell)) in cells(summary).enumerate() {
        if place == 0 {
            let names = columns(cell).map(|(name, _)| name);
            write(["scenario", "strategy", "on_front"].into_iter().map(str::to_owned).chain(names).collect());
        }
        let value =
            |value: Option<f64>| value.filter(|it| it.is_finite()).map_or_else(String::new, |it| it.to_string());
        let first = [scenario.name.clone(), cell.strategy.clone(), cell.on_front.to_string()];
        write(first.into_iter().chain(columns(cell).map(|(_, it)| value(it))).collect());
    }
    out.into_inner().expect("memory takes every row")
}

/// Returns the same rows as JSON: an array of objects.
pub(crate) fn json(summary: &Summary) -> Vec<u8> {
    let row = |(scenario, cell): (&ScenarioStats, &CellStats)| {
        let mut row = Map::new();
        row.insert("scenario".to_owned(), json!(scenario.name));
        row.insert("strategy".to_owned(), json!(cell.strategy));
        row.insert("on_front".to_owned(), json!(cell.on_front));
        row.extend(columns(cell).map(|(name, value)| (name, json!(value.filter(|it| it.is_finite())))));
        Value::Object(row)
    };
    let rows: Vec<Value> = cells(summary).map(row).collect();
    let mut text = serde_json::to_vec_pretty(&rows).expect("numbers and words are JSON");
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data, fixture, summary};

    #[test]
    fn both_files_have_a_row_for_every_cell_and_the_same_numbers() {
        let dir = tempfile::tempdir().unwrap();
        fixture::write(dir.path(), 3);
        let summary = summary::summarize(&data::read(dir.path()).unwrap(), None);
        let text = csv(&summary);
        let mut reader = csv::Reader::from_reader(&text[..]);
        let names = reader.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let objects: Vec<Map<String, Value>> = serde_json::from_slice(&json(&summary)).unwrap();
        assert_eq!(rows.len(), cells(&summary).count());
        assert_eq!(rows.len(), objects.len());
        for (row, object) in rows.iter().zip(&objects) {
            assert_eq!(object.len(), names.len());
            for (name, field) in names.iter().zip(row) {
                match &object[name] {
                    Value::Null => assert_eq!(field, "", "{name}"),
                    Value::String(text) => assert_eq!(field, text, "{name}"),
                    Value::Bool(is_so) => assert_eq!(field, is_so.to_string(), "{name}"),
                    other => {
                        let (there, here): (f64, f64) = (other.as_f64().unwrap(), field.parse().unwrap());
                        assert!((there - here).abs() <= 1e-12 * here.abs(), "{name}: {there} and {here}");
                    }
                }
            }
        }
        for name in ["packets_per_h", "detect_mean_s", "availability"] {
            for end in ["", "_low", "_high"] {
                assert!(names.iter().any(|it| it == format!("{name}{end}")), "{name}{end}");
            }
        }
    }
}
