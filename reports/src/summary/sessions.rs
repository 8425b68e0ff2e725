//! How sessions end: by a break, or left for no reason.
//!
//! A session is watched from the moment its device has a usable one (the end of the break or false alarm before; for a
//! device's first, from the device's start, so that its first connection counts in) to a break, to being left while usable,
//! or to the end of the run. A break ends the chance of a false alarm: the two compete.

use std::collections::BTreeMap;

use super::LEVEL;
use crate::{
    data::{Cell, Run},
    statistics::incidence::{End, Incidence, Subject},
};

/// What is known of a run beside its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// How many devices a run has; `None` where the scenario's file cannot be read.
    pub(super) devices: Option<u32>,
    pub(super) duration_s: f64,
}

/// Returns the share of sessions that were left for no reason, by their age. `None` where the number of devices is unknown or
/// contradicts the rows.
pub(super) fn false_alarms(cell: &Cell, extent: Extent) -> Option<Incidence> {
    let devices = extent.devices?;
    let mut subjects = Vec::new();
    for (replicate, run) in (0..).zip(&cell.runs) {
        subjects.extend(sessions(run, devices, extent.duration_s, replicate)?);
    }
    Incidence::estimate(subjects, LEVEL)
}

/// Returns the sessions of a run.
fn sessions(run: &Run, devices: u32, duration_s: f64, replicate: u32) -> Option<Vec<Subject>> {
    // What ended sessions, by device: when, how, and when there was one again.
    let mut ends: BTreeMap<u32, Vec<(f64, End, Option<f64>)>> = BTreeMap::new();
    for it in &run.episodes {
        let again_s = it.recovered.then_some(it.begin_s + it.recovery_s);
        ends.entry(it.device).or_default().push((it.begin_s, End::Competing, again_s));
    }
    for it in &run.false_alarm_rows {
        ends.entry(it.device).or_default().push((it.begin_s, End::Event, it.end_s));
    }
    if ends.keys().next_back().is_some_and(|&device| device >= devices) {
        return None;
    }
    // Devices start within the first minute or so; their mean is what the file tells.
    let start_s = (duration_s - 3_600.0 * run.device_hours / f64::from(devices)).max(0.0);
    let quiet = devices - ends.len() as u32;
    let mut subjects = vec![Subject { time: duration_s - start_s, end: End::Censored, replicate, count: quiet }];
    for mut of_device in ends.into_values() {
        of_device.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut since_s = Some(start_s);
        for (at_s, end, again_s) in of_device {
            if let Some(since_s) = since_s {
                subjects.push(Subject { time: (at_s - since_s).max(0.0), end, replicate, count: 1 });
            }
            since_s = again_s;
        }
        if let Some(since_s) = since_s.filter(|since_s| *since_s < duration_s) {
            subjects.push(Subject { time: duration_s - since_s, end: End::Censored, replicate, count: 1 });
        }
    }
    Some(subjects)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data, fixture};

    #[test]
    fn a_false_alarm_competes_with_breaks() {
        // Two devices for 100 s from the start. Device 0: a break after 20 s, again usable at 30; left for no reason at 70,
        // after 40 s; again at 75, to the end for 25 s. Device 1 all the time, and in seed 2 both.
        let dir = tempfile::tempdir().unwrap();
        let hours = 200.0 / 3_600.0;
        let runs = [
            format!("w,s,1,event,{hours:.9},1,1,0,0,1,,,,,,0.9,1,1,1,1,1,1,00"),
            format!("w,s,2,event,{hours:.9},0,0,0,0,0,,,,,,1,1,1,1,1,1,1,00"),
        ];
        let rows = ["w,s,1,0,cut,20,30,detected,heartbeat,5,10", "w,s,1,0,none,70,75,false-alarm,heartbeat,,5"];
        fixture::write_rows(dir.path(), &["w"], &["s"], 100.0, &runs.each_ref().map(String::as_str), &rows);
        let results = data::read(dir.path()).unwrap();
        let cell = &results.scenarios[0].cells[0];
        let extent = |devices| Extent { devices, duration_s: 100.0 };

        // Of 6 sessions one breaks at age 20, one ends unseen at 25, one of the 4 left is left at 40: 5/6 * 1/4.
        let curve = false_alarms(cell, extent(Some(2))).unwrap();
        assert_eq!(curve.steps.len(), 1);
        assert!((curve.steps[0].value - 5.0 / 24.0).abs() < 1e-9, "{curve:?}");
        assert!((curve.steps[0].time - 40.0).abs() < 1e-9);
        assert_eq!(false_alarms(cell, extent(None)), None);
    }

    #[test]
    fn a_device_that_should_not_be_there_leaves_the_number_out() {
        let dir = tempfile::tempdir().unwrap();
        let runs = ["w,s,1,event,1,0,0,0,0,1,,,,,,0.9,1,1,1,1,1,1,00"];
        let rows = ["w,s,1,5,none,20,30,false-alarm,heartbeat,,10"];
        fixture::write_rows(dir.path(), &["w"], &["s"], 100.0, &runs, &rows);
        let results = data::read(dir.path()).unwrap();
        let cell = &results.scenarios[0].cells[0];
        assert_eq!(false_alarms(cell, Extent { devices: Some(2), duration_s: 100.0 }), None);
    }
}
