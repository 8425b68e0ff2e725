//! One strategy in one scenario: its numbers, and the values of those numbers on the resamples of its seeds.

use std::collections::BTreeMap;

use cardiogram_results::{
    rows::RunColumn,
    survival::{Curve, Estimated, Observation, Sample},
};

use super::{
    CellStats, Downtime, LEVEL, Requests,
    causes::by_cause,
    sessions::{self, Extent},
    warning,
};
use crate::{
    data::{Cell, Episode, Outcome, Run},
    statistics::{
        bootstrap::{Bootstrap, Interval, Lanes, Replicated},
        incidence::{End, Incidence, Subject},
        quantile,
        weighted::{self, RestrictedMean},
    },
};

/// Most steps of a curve that is to be drawn: more than a plot is high.
const STEPS_MAX: usize = 250;

/// The parts of the avoidable downtime.
const AVOIDABLE: [RunColumn; 3] = [RunColumn::unnoticed_s, RunColumn::waiting_s, RunColumn::connecting_s];

/// Where a Poisson process shows nothing, its mean is below this at 95 %: -ln 0.05, the rule of three.
const NONE_SEEN_MAX: f64 = 2.996;

/// The numbers of a cell on the data, without each seed, and on each resample. Not a number is what does not exist.
#[derive(Debug)]
pub(super) struct Replications {
    /// Per device-hour.
    pub(super) packets: Replicated,
    heartbeats: Replicated,
    /// Per device-day.
    bytes: Replicated,
    /// Per device-day.
    pub(super) false_alarms: Replicated,
    availability: Replicated,
    /// Joules per device-hour.
    pub(super) energy: Replicated,
    /// Restricted mean in seconds.
    pub(super) detect_mean: Replicated,
    /// Seconds per device-day.
    pub(super) avoidable: Replicated,
}

/// How many numbers [`Replications`] has.
const NUMBERS: usize = 8;

/// What the numbers of a cell are made of: the sums of each run, and the detection times.
struct Ingredients {
    /// Device-hours, packets, heartbeats, bytes, false alarms, usable hours, joules, seconds of avoidable downtime.
    sums: Vec<[f64; NUMBERS]>,
    detection: RestrictedMean,
}

/// Returns the replications of `cells`, in their order. Cells with the same seeds are resampled together.
pub(super) fn replicate(cells: &[Cell]) -> Vec<Replications> {
    let mut by_seeds: BTreeMap<Vec<u64>, Vec<usize>> = BTreeMap::new();
    for (index, cell) in cells.iter().enumerate() {
        by_seeds.entry(seeds(cell)).or_default().push(index);
    }
    let mut all: Vec<(usize, Replications)> = Vec::new();
    for (seeds, indices) in by_seeds {
        let ingredients: Vec<Ingredients> = indices.iter().map(|&index| ingredients(&cells[index])).collect();
        let numbers = Bootstrap::new(seeds.len())
            .evaluate(|weights| ingredients.iter().flat_map(|cell| cell.numbers(weights)).collect());
        let mut numbers = numbers.into_iter();
        for index in indices {
            let mut next = || numbers.next().expect("each cell has all its numbers");
            let replications = Replications {
                packets: next(),
                heartbeats: next(),
                bytes: next(),
                false_alarms: next(),
                availability: next(),
                energy: next(),
                detect_mean: next(),
                avoidable: next(),
            };
            all.push((index, replications));
        }
    }
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, replications)| replications).collect()
}

/// Ascending.
pub(super) fn seeds(cell: &Cell) -> Vec<u64> {
    cell.runs.iter().map(|run| run.seed).collect()
}

fn ingredients(cell: &Cell) -> Ingredients {
    let sums = |run: &Run| {
        let value = |column| run.get(column).unwrap_or(f64::NAN);
        [
            run.device_hours,
            value(RunColumn::packets_up) + value(RunColumn::packets_down),
            value(RunColumn::heartbeats_sent),
            value(RunColumn::bytes_up) + value(RunColumn::bytes_down),
            run.false_alarms as f64,
            run.availability * run.device_hours,
            value(RunColumn::energy_j),
            AVOIDABLE.map(value).iter().sum(),
        ]
    };
    Ingredients { sums: cell.runs.iter().map(sums).collect(), detection: RestrictedMean::new(&detection(cell)) }
}

impl Ingredients {
    /// In the order of [`Replications`].
    fn numbers(&self, weights: &[Lanes]) -> [Lanes; NUMBERS] {
        let [hours, packets, heartbeats, bytes, false_alarms, usable, joules, avoidable] =
            weighted::sums(&self.sums, weights);
        let per_hour = |sum: &Lanes| weighted::ratio(sum, &hours);
        let per_day = |sum: &Lanes| per_hour(sum).map(|rate| 24.0 * rate);
        let detection = self.detection.of(weights);
        [
            per_hour(&packets),
            per_hour(&heartbeats),
            per_day(&bytes),
            per_day(&false_alarms),
            per_hour(&usable),
            per_hour(&joules),
            detection,
            per_day(&avoidable),
        ]
    }
}

/// Returns the breaks of a cell.
pub(super) fn episodes(cell: &Cell) -> impl Iterator<Item = &Episode> {
    cell.runs.iter().flat_map(|run| &run.episodes)
}

/// Returns the episodes of a cell as observations of `what`: a time in seconds, and whether what was waited for happened.
fn sample(cell: &Cell, what: impl Fn(&Episode) -> (f64, bool)) -> Sample {
    let mut observations = Vec::new();
    for (replicate, run) in (0..).zip(&cell.runs) {
        observations.extend(run.episodes.iter().map(|episode| {
            let (time, happened) = what(episode);
            Observation { time, happened, replicate }
        }));
    }
    Sample::new(observations)
}

fn detection(cell: &Cell) -> Sample {
    sample(cell, |episode| (episode.latency_s, episode.outcome == Outcome::Detected))
}

/// Returns the episodes of a cell as watched for their detection, with what riding one out is.
fn subjects(cell: &Cell, ridden_out: End) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for (replicate, run) in (0..).zip(&cell.runs) {
        subjects.extend(run.episodes.iter().map(|episode| {
            let end = match episode.outcome {
                Outcome::Detected => End::Event,
                Outcome::RiddenOut => ridden_out,
                Outcome::Undetected => End::Censored,
            };
            Subject { time: episode.latency_s, end, replicate, count: 1 }
        }));
    }
    subjects
}

/// Returns the episodes of a cell as watched for their end.
fn recoveries(cell: &Cell) -> Vec<Subject> {
    let of_run = |(replicate, run): (u32, &Run)| {
        let subject = move |episode: &Episode| Subject {
            time: episode.recovery_s,
            end: if episode.recovered { End::Event } else { End::Censored },
            replicate,
            count: 1,
        };
        run.episodes.iter().map(subject).collect::<Vec<_>>()
    };
    (0..).zip(&cell.runs).flat_map(of_run).collect()
}

/// Returns the numbers of `cell`, but for what compares it with others.
pub(super) fn stats(cell: &Cell, strategy: &str, replications: &Replications, extent: Extent) -> CellStats {
    let count = |outcome| episodes(cell).filter(|episode| episode.outcome == outcome).count() as u64;
    let device_hours = cell.runs.iter().map(|run| run.device_hours).sum::<f64>();
    let false_alarms = cell.runs.iter().map(|run| run.false_alarms).sum();
    let interval = |of: &Replicated| of.interval(LEVEL);

    let curve = detection(cell).curve();
    let detect_mean_s = curve.as_ref().map(Curve::mean);
    let quantile = |q| curve.as_ref().map(|curve| curve.quantile(q));
    let watched = subjects(cell, End::Censored);
    let detected_within = Incidence::estimate(watched.clone(), LEVEL);
    let quantile_interval =
        |q| detected_within.as_ref().and_then(|curve| quantile::interval(&watched, curve, q, LEVEL));
    let (detect_p50_interval_s, detect_p95_interval_s) = (quantile_interval(0.5), quantile_interval(0.95));
    let drawn = |curve: Option<Incidence>| curve.map(|curve| curve.thinned(STEPS_MAX));

    let mut stats = CellStats {
        strategy: strategy.to_owned(),
        strategy_index: cell.strategy,
        family: None,
        unfit: Vec::new(),
        seeds: cell.runs.len(),
        device_hours,
        detected: count(Outcome::Detected),
        ridden_out: count(Outcome::RiddenOut),
        undetected: count(Outcome::Undetected),
        false_alarms,
        packets_per_device_hour: replications.packets.estimate,
        packets_interval: interval(&replications.packets),
        heartbeats_per_device_hour: replications.heartbeats.estimate,
        heartbeats_interval: interval(&replications.heartbeats),
        bytes_per_device_day: replications.bytes.estimate,
        bytes_interval: interval(&replications.bytes),
        false_alarms_per_device_day: replications.false_alarms.estimate,
        false_alarms_interval: match false_alarms {
            0 if cell.runs.len() > 1 => Some(Interval { low: 0.0, high: 24.0 * NONE_SEEN_MAX / device_hours }),
            _ => interval(&replications.false_alarms),
        },
        availability: replications.availability.estimate,
        availability_interval: interval(&replications.availability),
        energy_j_per_device_hour: Some(replications.energy.estimate).filter(|energy| energy.is_finite()),
        energy_interval: interval(&replications.energy),
        detect_mean_s,
        // A mean that is only bounded below has no upper end that an interval could state.
        detect_interval_s: detect_mean_s.and_then(Estimated::known).and_then(|_| interval(&replications.detect_mean)),
        detect_p50_s: quantile(0.5),
        detect_p50_interval_s,
        detect_p95_s: quantile(0.95),
        detect_p95_interval_s,
        detected_within: drawn(detected_within),
        noticed_within: drawn(Incidence::estimate(subjects(cell, End::Competing), LEVEL)),
        false_alarm_within: drawn(sessions::false_alarms(cell, extent)),
        recovered_within: drawn(Incidence::estimate(recoveries(cell), LEVEL)),
        recover_mean_s: sample(cell, |it| (it.recovery_s, it.recovered)).curve().map(|curve| curve.mean()),
        by_cause: by_cause(cell, &replications.detect_mean),
        downtime: downtime(cell, device_hours, &replications.avoidable),
        requests: requests(cell),
        rank: 0,
        on_front: false,
        front_share: None,
        on_latency_front: false,
        versus_reference: None,
        warnings: Vec::new(),
    };
    stats.warnings = warning::of_cell(&stats);
    stats
}

/// Returns what became of the messages of a cell's devices.
fn requests(cell: &Cell) -> Option<Requests> {
    let sum = |column| cell.runs.iter().map(|run| run.get(column)).sum::<Option<f64>>();
    let longest = |column| cell.runs.iter().filter_map(|run| run.get(column)).reduce(f64::max);
    let created = sum(RunColumn::messages_created).filter(|created| *created > 0.0)?;
    let answered = sum(RunColumn::messages_delivered)?;
    let of_run = |run: &Run| Some(run.get(RunColumn::message_delay_mean_s)? * run.get(RunColumn::messages_delivered)?);
    let waited = cell.runs.iter().filter_map(of_run).sum::<f64>();
    Some(Requests {
        created,
        answered,
        prompt: sum(RunColumn::messages_within_1s)?,
        failed: sum(RunColumn::messages_failed)?,
        waiting: sum(RunColumn::messages_waiting)?,
        deadlines_passed: sum(RunColumn::message_deadlines)?,
        delay_mean_s: (answered > 0.0).then(|| waited / answered),
        delay_p95_s: longest(RunColumn::message_delay_p95_s),
        delay_max_s: longest(RunColumn::message_delay_max_s),
    })
}

/// Returns the downtime of a cell and its parts; `None` where some run does not tell.
fn downtime(cell: &Cell, device_hours: f64, avoidable: &Replicated) -> Option<Downtime> {
    let per_day = |column| {
        let seconds: Option<f64> = cell.runs.iter().map(|run| run.get(column)).sum();
        Some(24.0 * seconds? / device_hours)
    };
    Some(Downtime {
        avoidable_s_per_day: Some(avoidable.estimate).filter(|value| value.is_finite())?,
        interval: avoidable.interval(LEVEL),
        unnoticed_s_per_day: per_day(RunColumn::unnoticed_s)?,
        waiting_s_per_day: per_day(RunColumn::waiting_s)?,
        connecting_s_per_day: per_day(RunColumn::connecting_s)?,
        unavoidable_s_per_day: per_day(RunColumn::unavoidable_s)?,
        away_s_per_day: per_day(RunColumn::away_s).unwrap_or(0.0),
    })
}
