//! Who notices what: the breaks of a scenario by their cause, where it has more than one kind. A strategy that is fast on
//! average may never notice a stalled server at all.
//!
//! Latencies are estimated as everywhere, with the unnoticed breaks censored; a break that was healed or cut short by the
//! run's end tells of its own cause only.

use std::collections::BTreeMap;

use cardiogram_results::survival::{Estimated, Observation, Sample};

use crate::data::{Cell, Episode, Label, Outcome};

/// What one strategy made of the breaks of one cause.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CauseStats {
    pub(crate) episodes: u64,
    pub(crate) detected: u64,
    /// From a break to its detection.
    pub(crate) detect_mean_s: Estimated,
}

/// The breaks of a cell by cause, in the order of the names.
pub(crate) fn by_cause(cell: &Cell) -> BTreeMap<Label, CauseStats> {
    let mut of_cause: BTreeMap<Label, Vec<&Episode>> = BTreeMap::new();
    for episode in cell.runs.iter().flat_map(|run| &run.episodes) {
        of_cause.entry(episode.cause).or_default().push(episode);
    }
    of_cause.into_iter().map(|(cause, episodes)| (cause, cause_stats(&episodes))).collect()
}

fn cause_stats(episodes: &[&Episode]) -> CauseStats {
    let detected = |episode: &Episode| episode.outcome == Outcome::Detected;
    let observation =
        |episode: &&Episode| Observation { time: episode.latency_s, happened: detected(episode), replicate: 0 };
    let sample = Sample::new(episodes.iter().map(observation).collect());
    CauseStats {
        episodes: episodes.len() as u64,
        detected: episodes.iter().filter(|episode| detected(episode)).count() as u64,
        detect_mean_s: sample.curve().expect("a cause has at least one episode").mean(),
    }
}

#[cfg(test)]
mod tests {
    use crate::{data, fixture, summary};

    #[test]
    fn each_cause_has_its_own_count_and_latency() {
        let dir = tempfile::tempdir().unwrap();
        let runs = [
            "w,s,1,event,1,3,2,1,0,0,,,,,,0.5,40,20,1000,500,7,1,00",
            "w,s,2,event,1,2,1,0,1,0,,,,,,0.9,100,80,2000,1500,13,1,00",
        ];
        let episodes = [
            "w,s,1,0,cut,0,12,detected,heartbeat,10,12",
            "w,s,1,0,cut,20,50,ridden-out,,,30",
            "w,s,1,0,nat-flush,50,78,detected,heartbeat,20,28",
            "w,s,2,0,cut,0,61,detected,silence,60,61",
            "w,s,2,0,server-stall,60,,undetected,,,",
        ];
        fixture::write_rows(dir.path(), &["w"], &["s"], 100.0, &runs, &episodes);
        let summary = summary::summarize(&data::read(dir.path()).unwrap());
        let by_cause = &summary.scenarios[0].cells[0].by_cause;
        let rows: Vec<String> = by_cause
            .iter()
            .map(|(cause, it)| format!("{}: {}/{}, {:?}", cause.as_str(), it.detected, it.episodes, it.detect_mean_s))
            .collect();
        // The cuts by hand: 10 (2/3), 30 censored, 60 (0): 10 + 50 * 2/3.
        let expected = [
            format!("cut: 2/3, Known({:?})", 10.0 + 50.0 * (2.0 / 3.0)),
            "nat-flush: 1/1, Known(20.0)".to_owned(),
            "server-stall: 0/1, AtLeast(40.0)".to_owned(),
        ];
        assert_eq!(rows, expected);
    }
}
