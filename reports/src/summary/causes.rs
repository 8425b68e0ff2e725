//! Who notices what: the breaks of a scenario by their cause, where it has more than one kind. A strategy that is fast on
//! average may never notice a stalled server at all.
//!
//! Latencies are estimated as everywhere, with the unnoticed breaks censored; a break that was healed or cut short by the
//! run's end tells of its own cause only.

use std::collections::BTreeMap;

use cardiogram_results::survival::{Estimated, Observation, Sample};

use super::LEVEL;
use crate::{
    data::{Cell, Label, Outcome},
    statistics::{
        bootstrap::{Bootstrap, Interval, Lanes, Replicated},
        weighted::RestrictedMean,
    },
};

/// What one strategy made of the breaks of one cause.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CauseStats {
    pub(crate) episodes: u64,
    pub(crate) detected: u64,
    /// From a break to its detection.
    pub(crate) detect_mean_s: Estimated,
    /// Of the mean, 95 %, where that is known; `None` with one seed.
    pub(crate) detect_interval_s: Option<Interval>,
}

/// Returns the breaks of a cell by cause, in the order of the names. `all` is the mean over the breaks of any cause.
pub(super) fn by_cause(cell: &Cell, all: &Replicated) -> BTreeMap<Label, CauseStats> {
    let mut of_cause: BTreeMap<Label, Vec<Observation>> = BTreeMap::new();
    for (replicate, run) in (0..).zip(&cell.runs) {
        for episode in &run.episodes {
            let happened = episode.outcome == Outcome::Detected;
            let observation = Observation { time: episode.latency_s, happened, replicate };
            of_cause.entry(episode.cause).or_default().push(observation);
        }
    }
    let samples: Vec<Sample> = of_cause.values().map(|observations| Sample::new(observations.clone())).collect();
    let intervals: Vec<Option<Interval>> = if samples.len() == 1 {
        vec![all.interval(LEVEL)]
    } else {
        let means: Vec<RestrictedMean> = samples.iter().map(RestrictedMean::new).collect();
        let on = |weights: &[Lanes]| means.iter().map(|mean| mean.of(weights)).collect();
        Bootstrap::new(cell.runs.len()).evaluate(on).iter().map(|it| it.interval(LEVEL)).collect()
    };
    let mut stats = BTreeMap::new();
    for (((cause, observations), sample), interval) in of_cause.into_iter().zip(&samples).zip(intervals) {
        let detect_mean_s = sample.curve().expect("a cause has at least one episode").mean();
        let of_cause = CauseStats {
            episodes: observations.len() as u64,
            detected: observations.iter().filter(|it| it.happened).count() as u64,
            detect_mean_s,
            // A mean that is only bounded below has no upper end that an interval could state.
            detect_interval_s: detect_mean_s.known().and(interval),
        };
        stats.insert(cause, of_cause);
    }
    stats
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
        let summary = summary::summarize(&data::read(dir.path()).unwrap(), None);
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
        // Both seeds saw cuts; the flush, which one of them saw, is missing in too many resamples.
        let interval = |cause: &str| by_cause[&data::Label::new(cause).unwrap()].detect_interval_s;
        let cuts = interval("cut").unwrap();
        assert!(cuts.low < 43.0 && 43.0 < cuts.high, "{cuts:?}");
        assert_eq!((interval("nat-flush"), interval("server-stall")), (None, None));
    }
}
