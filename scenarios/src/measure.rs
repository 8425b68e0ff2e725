//! What a run came to: from its outcome to rows of the result files.

use std::time::Duration;

use cardiogram_policies::Time;
use cardiogram_sim::{
    Engine, Outcome,
    outcome::{Episode, EpisodeOutcome, PacketCounts},
};

use crate::{
    decimal::Decimal,
    rows::{EpisodeRow, RunRow},
    survival::{Observation, Survival},
};

/// Which run a row belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunName {
    /// The scenario's name.
    pub scenario: String,
    /// The strategy's name.
    pub strategy: String,
    /// The seed.
    pub seed: u64,
}

/// What the run `name` of `duration` on `engine` came to.
pub fn run_row(name: &RunName, engine: Engine, duration: Duration, outcome: &Outcome) -> RunRow {
    let count = |kind| outcome.episodes.iter().filter(|episode| episode.outcome() == kind).count() as u64;
    let observed = outcome.episodes.iter().map(|episode| latency(episode, duration)).collect::<Vec<_>>();
    let longest = observed.iter().filter(|it| !it.censored).map(|it| it.micros).max();
    let survival = Survival::estimate(observed);
    let detect = |p| survival.as_ref()?.quantile_micros(p).map(Decimal::from_millionths);
    let mut recoveries: Vec<Duration> = outcome.episodes.iter().filter_map(recovery).collect();
    recoveries.sort_unstable();
    let (delays, totals) = (&outcome.pushes.delays, &outcome.totals);
    let (up, down): (&PacketCounts, &PacketCounts) = (&totals.up, &totals.down);
    RunRow {
        scenario: name.scenario.clone(),
        strategy: name.strategy.clone(),
        seed: name.seed,
        engine: engine_name(engine).into(),
        device_hours: Decimal::from_millionths(Decimal::seconds(outcome.device_time).millionths() / 3_600),
        episodes: outcome.episodes.len() as u64,
        detected: count(EpisodeOutcome::Detected),
        ridden_out: count(EpisodeOutcome::RiddenOut),
        undetected: count(EpisodeOutcome::Undetected),
        false_alarms: outcome.false_alarms.len() as u64,
        detect_mean_s: survival.as_ref().map(|it| Decimal::from_millionths(it.restricted_mean_micros().round() as u64)),
        detect_p50_s: detect(0.5),
        detect_p95_s: detect(0.95),
        detect_max_s: longest.map(Decimal::from_millionths),
        recover_mean_s: mean(&recoveries),
        availability: Decimal::ratio(outcome.usable_time.as_micros(), outcome.device_time.as_micros()),
        packets_up: up.packets,
        packets_down: down.packets,
        bytes_up: up.bytes,
        bytes_down: down.bytes,
        heartbeats_sent: totals.heartbeats_sent,
        connect_attempts: totals.connect_attempts,
        trace_hash: outcome.trace_hash.to_string(),
        recover_p95_s: quantile(&recoveries, 95),
        zombie_s: Decimal::seconds(outcome.zombie_time),
        heartbeats_answered: totals.heartbeats_answered,
        sessions: totals.sessions,
        pushes_created: outcome.pushes.created,
        pushes_delivered: delays.len() as u64,
        push_delay_mean_s: mean(delays),
        push_delay_p95_s: quantile(delays, 95),
        data_up: up.data,
        pure_ack_up: up.pure_ack,
        syn_up: up.syn,
        fin_up: up.fin,
        rst_up: up.rst,
        retransmission_up: up.retransmission,
        probe_up: up.probe,
        data_down: down.data,
        pure_ack_down: down.pure_ack,
        syn_down: down.syn,
        fin_down: down.fin,
        rst_down: down.rst,
        retransmission_down: down.retransmission,
        probe_down: down.probe,
    }
}

/// The episodes of the run `name`, then its false alarms, each by device, then by time.
pub fn episode_rows(name: &RunName, outcome: &Outcome) -> Vec<EpisodeRow> {
    let blank = EpisodeRow {
        scenario: name.scenario.clone(),
        strategy: name.strategy.clone(),
        seed: name.seed,
        device: 0,
        cause: "none".into(),
        begin_s: Decimal::default(),
        end_s: None,
        outcome: "false-alarm".into(),
        detected_by: None,
        detect_latency_s: None,
        recovery_s: None,
    };
    let seconds = |time: Time| Decimal::from_millionths(time.as_micros());
    let episodes = outcome.episodes.iter().map(|it| EpisodeRow {
        device: it.device,
        cause: it.cause.name().into(),
        begin_s: seconds(it.begin),
        end_s: it.end.map(seconds),
        outcome: outcome_name(it.outcome()).into(),
        detected_by: it.detection.map(|detection| detection.by.to_string()),
        detect_latency_s: it.detection.map(|detection| Decimal::seconds(detection.at.since(it.begin))),
        recovery_s: recovery(it).map(Decimal::seconds),
        ..blank.clone()
    });
    let false_alarms = outcome.false_alarms.iter().map(|it| EpisodeRow {
        device: it.device,
        begin_s: seconds(it.at),
        end_s: it.end.map(seconds),
        detected_by: Some(it.by.to_string()),
        recovery_s: it.end.map(|end| Decimal::seconds(end.since(it.at))),
        ..blank.clone()
    });
    episodes.chain(false_alarms).collect()
}

/// The engine's name in files and on the command line.
pub const fn engine_name(engine: Engine) -> &'static str {
    match engine {
        Engine::Turmoil => "turmoil",
        Engine::Event => "event",
    }
}

const fn outcome_name(outcome: EpisodeOutcome) -> &'static str {
    match outcome {
        EpisodeOutcome::Detected => "detected",
        EpisodeOutcome::RiddenOut => "ridden-out",
        EpisodeOutcome::Undetected => "undetected",
    }
}

/// Detection latency as far as it was seen: to the detection, else to the end of the episode, else to the end of the run.
fn latency(episode: &Episode, duration: Duration) -> Observation {
    let until = match (episode.detection, episode.end) {
        (Some(detection), _) => detection.at,
        (None, Some(end)) => end,
        (None, None) => Time::ZERO + duration,
    };
    Observation { micros: until.since(episode.begin).as_micros() as u64, censored: episode.detection.is_none() }
}

fn recovery(episode: &Episode) -> Option<Duration> {
    episode.end.map(|end| end.since(episode.begin))
}

/// The mean, rounded down to a microsecond; `None` of nothing.
fn mean(spans: &[Duration]) -> Option<Decimal> {
    let sum: u128 = spans.iter().map(Duration::as_micros).sum();
    let micros = sum.checked_div(spans.len() as u128)?;
    Some(Decimal::from_millionths(u64::try_from(micros).expect("a mean is no longer than the longest")))
}

/// The smallest value that at least `percent` of `sorted` do not exceed; `None` of nothing.
fn quantile(sorted: &[Duration], percent: usize) -> Option<Decimal> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied().map(Decimal::seconds)
}
