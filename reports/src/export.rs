//! `report/summary.csv` and `report/summary.json`: one row a scenario and strategy, with every number that the tables show.
//!
//! The list of numbers here is the one place that names them. A number that does not exist is an empty field, or `null`; its
//! interval is of 95 % over seeds, in `NAME_low` and `NAME_high`.

use cardiogram_results::survival::Estimated;
use serde_json::{Map, Value, json};

use crate::{
    statistics::bootstrap::Interval,
    summary::{CellStats, ScenarioStats, Summary},
};

/// A number of a cell by its name.
struct Number {
    name: &'static str,
    value: Option<f64>,
    spread: Spread,
}

/// Whether a number has columns for its interval.
enum Spread {
    Untold,
    Told(Option<Interval>),
}
use Spread::{Told, Untold};

fn numbers(cell: &CellStats) -> Vec<Number> {
    let plain = |name, value: f64| Number { name, value: Some(value), spread: Untold };
    let with = |name, value: f64, interval| Number { name, value: Some(value), spread: Told(interval) };
    let estimate = |name, value: Option<Estimated>, interval| Number {
        name,
        value: value.and_then(Estimated::known),
        spread: Told(interval),
    };
    let downtime = cell.downtime;
    let part = |name, of: fn(crate::summary::Downtime) -> f64| Number { name, value: downtime.map(of), spread: Untold };
    vec![
        plain("seeds", cell.seeds as f64),
        plain("device_hours", cell.device_hours),
        Number { name: "rank", value: downtime.map(|_| cell.rank as f64), spread: Untold },
        Number {
            name: "avoidable_s_per_day",
            value: downtime.map(|it| it.avoidable_s_per_day),
            spread: Told(downtime.and_then(|it| it.interval)),
        },
        part("unnoticed_s_per_day", |it| it.unnoticed_s_per_day),
        part("waiting_s_per_day", |it| it.waiting_s_per_day),
        part("connecting_s_per_day", |it| it.connecting_s_per_day),
        part("unavoidable_s_per_day", |it| it.unavoidable_s_per_day),
        Number { name: "front_share", value: cell.front_share, spread: Untold },
        with("packets_per_h", cell.packets_per_device_hour, cell.packets_interval),
        with("heartbeats_per_h", cell.heartbeats_per_device_hour, cell.heartbeats_interval),
        with("bytes_per_day", cell.bytes_per_device_day, cell.bytes_interval),
        Number { name: "energy_j_per_h", value: cell.energy_j_per_device_hour, spread: Told(cell.energy_interval) },
        plain("detected", cell.detected as f64),
        plain("ridden_out", cell.ridden_out as f64),
        plain("undetected", cell.undetected as f64),
        estimate("detect_mean_s", cell.detect_mean_s, cell.detect_interval_s),
        estimate("detect_p50_s", cell.detect_p50_s, cell.detect_p50_interval_s),
        estimate("detect_p95_s", cell.detect_p95_s, cell.detect_p95_interval_s),
        Number { name: "recover_mean_s", value: cell.recover_mean_s.and_then(Estimated::known), spread: Untold },
        plain("false_alarms", cell.false_alarms as f64),
        with("false_alarms_per_day", cell.false_alarms_per_device_day, cell.false_alarms_interval),
        with("availability", cell.availability, cell.availability_interval),
    ]
}

/// The numbers with their intervals, in the order of the columns.
fn columns(cell: &CellStats) -> impl Iterator<Item = (String, Option<f64>)> {
    numbers(cell).into_iter().flat_map(|Number { name, value, spread }| {
        let mut columns = vec![(name.to_owned(), value)];
        if let Told(interval) = spread {
            columns.push((format!("{name}_low"), interval.map(|it| it.low)));
            columns.push((format!("{name}_high"), interval.map(|it| it.high)));
        }
        columns
    })
}

fn cells(summary: &Summary) -> impl Iterator<Item = (&ScenarioStats, &CellStats)> {
    summary.scenarios.iter().flat_map(|scenario| scenario.cells.iter().map(move |cell| (scenario, cell)))
}

/// The rows as CSV, in the order of the report: scenarios as they were named, strategies by packets.
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

/// The same rows as JSON: an array of objects.
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
        let summary = summary::summarize(&data::read(dir.path()).unwrap());
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
