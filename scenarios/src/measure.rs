//! What a run came to: from its outcome to rows of the result files.

use std::time::Duration;

use cardiogram_policies::Time;
use cardiogram_results::{
    Decimal,
    rows::{EpisodeRow, RunName, RunRow, SeriesRow},
    survival::{Curve, Observation, Sample},
};
use cardiogram_sim::{
    Engine, Outcome,
    outcome::{Cause, Episode, EpisodeOutcome, Mistake, PacketCounts},
};

const MICROS: u128 = 1_000_000;
const MICROS_PER_HOUR: u128 = 3_600 * MICROS;

/// Returns what the run `name` of `duration` on `engine` came to.
pub fn run_row(name: &RunName, engine: Engine, duration: Duration, outcome: &Outcome) -> RunRow {
    let count = |kind| outcome.episodes.iter().filter(|episode| episode.outcome() == kind).count() as u64;
    let detection = |episode: &Episode| episode.detection.map(|detection| detection.at);
    let curve = episode_curve(outcome, duration, detection);
    let detect = |q| curve.as_ref()?.quantile(q).known().map(micros);
    let longest = outcome.episodes.iter().filter_map(|it| Some(it.detection?.at.since(it.begin))).max();
    let mut recoveries: Vec<Duration> = outcome.episodes.iter().filter_map(recovery).collect();
    recoveries.sort_unstable();
    let suspected = episode_curve(outcome, duration, |episode| episode.suspected);
    let (accuracy, mistakes) = (&outcome.accuracy, outcome.accuracy.mistakes.len() as u64);
    let (delays, totals) = (&outcome.pushes.delays, &outcome.totals);
    let answers = &outcome.requests.delays;
    let within =
        |delays: &[Duration], seconds| delays.partition_point(|delay| *delay <= Duration::from_secs(seconds)) as u64;
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
        detect_mean_s: curve.as_ref().map(mean_of_curve),
        detect_p50_s: detect(0.5),
        detect_p95_s: detect(0.95),
        detect_max_s: longest.map(Decimal::seconds),
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
        server_cpu_s: Decimal::seconds(outcome.server_busy),
        heartbeats_answered: totals.heartbeats_answered,
        sessions: totals.sessions,
        pushes_created: outcome.pushes.created,
        pushes_delivered: delays.len() as u64,
        push_delay_mean_s: mean(delays),
        push_delay_p95_s: quantile(delays, 95),
        data_up: up.tcp.data,
        pure_ack_up: up.tcp.pure_ack,
        syn_up: up.tcp.syn,
        fin_up: up.tcp.fin,
        rst_up: up.tcp.rst,
        retransmission_up: up.tcp.retransmission,
        probe_up: up.tcp.probe,
        data_down: down.tcp.data,
        pure_ack_down: down.tcp.pure_ack,
        syn_down: down.tcp.syn,
        fin_down: down.tcp.fin,
        rst_down: down.tcp.rst,
        retransmission_down: down.tcp.retransmission,
        probe_down: down.tcp.probe,
        energy_j: outcome.radio.map(|radio| joules(radio.energy_nj)),
        radio_wakeups: outcome.radio.map(|radio| radio.wakeups),
        radio_on_s: outcome.radio.map(|radio| Decimal::seconds(radio.on)),
        suspicions: accuracy.suspicions,
        mistakes,
        mistake_rate_per_h: Decimal::ratio(u128::from(mistakes) * MICROS_PER_HOUR, accuracy.observed.as_micros()),
        mistake_duration_mean_s: mistake_curve(&accuracy.mistakes).as_ref().map(mean_of_curve),
        mistake_recurrence_mean_s: Decimal::ratio(accuracy.observed.as_micros(), u128::from(mistakes) * MICROS),
        query_accuracy: Decimal::ratio(accuracy.trusted.as_micros(), accuracy.observed.as_micros()),
        suspect_mean_s: suspected.as_ref().map(mean_of_curve),
        attempts_peak_per_s: outcome.peaks.attempts_per_s,
        sessions_peak: outcome.peaks.sessions,
        wakeups: totals.wakeups,
        duplicates: totals.duplicates,
        interval_last_s: mean(&outcome.learning.iter().filter_map(|device| device.interval).collect::<Vec<_>>()),
        nat_timeout_s: mean(&outcome.learning.iter().filter_map(|device| device.nat_timeout).collect::<Vec<_>>()),
        nat_expiries: outcome.episodes.iter().filter(|episode| episode.cause == Cause::NatExpiry).count() as u64,
        downtime_s: Decimal::seconds(outcome.downtime.total()),
        unavoidable_s: Decimal::seconds(outcome.downtime.unavoidable),
        unnoticed_s: Decimal::seconds(outcome.downtime.unnoticed),
        waiting_s: Decimal::seconds(outcome.downtime.waiting),
        connecting_s: Decimal::seconds(outcome.downtime.connecting),
        pushes_within_1s: within(delays, 1),
        pushes_within_10s: within(delays, 10),
        pushes_within_1min: within(delays, 60),
        pushes_within_10min: within(delays, 600),
        messages_created: outcome.requests.created,
        messages_delivered: answers.len() as u64,
        messages_failed: outcome.requests.failed,
        messages_waiting: outcome.requests.waiting(),
        message_deadlines: outcome.requests.deadlines_passed,
        message_delay_mean_s: mean(answers),
        message_delay_p95_s: quantile(answers, 95),
        message_delay_max_s: answers.last().copied().map(Decimal::seconds),
        messages_within_1s: within(answers, 1),
        messages_within_10s: within(answers, 10),
        messages_within_1min: within(answers, 60),
        messages_within_10min: within(answers, 600),
        away_s: Decimal::seconds(outcome.away_time),
    }
}

/// Returns the episodes of the run `name`, then its false alarms, each by device, then by time.
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
        fault: None,
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
        fault: it.fault,
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

/// Returns the run `name` over time.
pub fn series_rows(name: &RunName, outcome: &Outcome) -> Vec<SeriesRow> {
    let rows = outcome.series.iter().map(|bin| SeriesRow {
        scenario: name.scenario.clone(),
        strategy: name.strategy.clone(),
        seed: name.seed,
        begin_s: Decimal::seconds(bin.begin.since(Time::ZERO)),
        width_s: Decimal::seconds(bin.end.since(bin.begin)),
        attempts: bin.attempts,
        attempts_peak_per_s: bin.attempts_peak_per_s,
        interval_mean_s: bin.interval_mean.map(Decimal::seconds),
        nat_timeout_s: bin.nat_timeout_mean.map(Decimal::seconds),
    });
    rows.collect()
}

/// Returns the engine's name in files and on the command line.
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

/// Returns what episodes took until `noticed`, as far as it was seen: else to the end of the episode, else to the end of the
/// run.
fn episode_curve(outcome: &Outcome, run: Duration, noticed: impl Fn(&Episode) -> Option<Time>) -> Option<Curve> {
    let observe = |episode: &Episode| {
        let noticed = noticed(episode);
        let until = noticed.or(episode.end).unwrap_or(Time::ZERO + run);
        observation(until.since(episode.begin), noticed.is_some())
    };
    Sample::new(outcome.episodes.iter().map(observe).collect()).curve()
}

/// Returns how long mistakes lasted, as far as it was seen.
fn mistake_curve(mistakes: &[Mistake]) -> Option<Curve> {
    let observe = |mistake: &Mistake| observation(mistake.end.since(mistake.begin), mistake.corrected);
    Sample::new(mistakes.iter().map(observe).collect()).curve()
}

/// Returns an observation whose time is in microseconds.
fn observation(watched: Duration, happened: bool) -> Observation {
    // Exact: a run is shorter than 2^53 us, 285 years.
    Observation { time: watched.as_micros() as f64, happened, replicate: 0 }
}

/// Returns the restricted mean of a curve in microseconds.
fn mean_of_curve(curve: &Curve) -> Decimal {
    micros(curve.mean().value())
}

/// Returns an estimate in microseconds.
fn micros(estimate: f64) -> Decimal {
    Decimal::from_millionths(estimate.round() as u64)
}

/// Rounded down to a microjoule.
fn joules(nano: u128) -> Decimal {
    Decimal::from_millionths(u64::try_from(nano / 1_000).expect("a run takes less than the energy of a small town"))
}

fn recovery(episode: &Episode) -> Option<Duration> {
    episode.end.map(|end| end.since(episode.begin))
}

/// Returns the mean, rounded down to a microsecond; `None` of nothing.
fn mean(spans: &[Duration]) -> Option<Decimal> {
    let sum: u128 = spans.iter().map(Duration::as_micros).sum();
    let micros = sum.checked_div(spans.len() as u128)?;
    Some(Decimal::from_millionths(u64::try_from(micros).expect("a mean is no longer than the longest")))
}

/// Returns the smallest value that at least `percent` of `sorted` do not exceed; `None` of nothing.
fn quantile(sorted: &[Duration], percent: usize) -> Option<Decimal> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied().map(Decimal::seconds)
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::{GiveUp, LossReason};
    use cardiogram_sim::outcome::{
        Accuracy, Cause, DetectedBy, Detection, Downtime, FalseAlarm, Learning, Peaks, Pushes, RadioUse, Requests,
        SeriesBin, Totals, TraceHash,
    };

    use super::*;

    fn secs(secs: u64) -> Time {
        Time::from_secs(secs)
    }

    fn name() -> RunName {
        RunName { scenario: "s".into(), strategy: "t".into(), seed: 3 }
    }

    /// Two devices, 1000 s: detected after 10 s and 30 s, ridden out after 20 s, not noticed for the last 50 s.
    fn outcome() -> Outcome {
        let episode = |begin, end: Option<u64>, detected: Option<u64>| Episode {
            device: 0,
            cause: Cause::Cut,
            fault: Some(begin as u32 / 100),
            begin: secs(begin),
            end: end.map(secs),
            detection: detected.map(|at| Detection { at: secs(at), by: DetectedBy::Heartbeat(GiveUp::NoReply) }),
            suspected: detected.map(|at| secs(at - 2)),
        };
        Outcome {
            trace_hash: TraceHash(0xabc),
            device_time: Duration::from_mins(30),
            episodes: vec![
                episode(100, Some(115), Some(110)),
                episode(200, Some(220), None),
                episode(300, Some(335), Some(330)),
                episode(950, None, None),
            ],
            false_alarms: vec![FalseAlarm {
                device: 1,
                at: secs(500),
                by: DetectedBy::Transport(LossReason::Reset),
                end: Some(secs(501)),
            }],
            accuracy: Accuracy {
                suspicions: 5,
                observed: Duration::from_secs(900),
                trusted: Duration::from_secs(885),
                mistakes: vec![
                    Mistake { device: 0, begin: secs(400), end: secs(405), corrected: true },
                    Mistake { device: 1, begin: secs(990), end: secs(1_000), corrected: false },
                ],
            },
            usable_time: Duration::from_mins(15),
            downtime: Downtime::default(),
            away_time: Duration::ZERO,
            zombie_time: Duration::from_millis(2_500),
            server_busy: Duration::from_millis(1_250),
            peaks: Peaks { attempts_per_s: 11, sessions: 2 },
            radio: Some(RadioUse { energy_nj: 12_661_999_999, wakeups: 3, on: Duration::from_millis(1_500) }),
            totals: Totals { heartbeats_sent: 7, ..Totals::default() },
            pushes: Pushes { created: 3, delays: vec![Duration::from_millis(100), Duration::from_millis(300)] },
            requests: Requests {
                created: 9,
                delays: [50, 1_000, 10_001, 924_650].map(Duration::from_millis).to_vec(),
                failed: 3,
                deadlines_passed: 4,
            },
            learning: vec![
                Learning { interval: Some(Duration::from_secs(270)), nat_timeout: Some(Duration::from_secs(300)) },
                Learning { interval: None, nat_timeout: Some(Duration::from_secs(400)) },
            ],
            series: vec![SeriesBin {
                begin: secs(0),
                end: secs(5),
                attempts: 2,
                attempts_peak_per_s: 1,
                interval_mean: None,
                nat_timeout_mean: Some(Duration::from_secs(300)),
            }],
            trace: None,
        }
    }

    fn number(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn detection_counts_what_was_not_detected_as_longer() {
        let row = run_row(&name(), Engine::Event, Duration::from_secs(1_000), &outcome());
        assert_eq!((row.episodes, row.detected, row.ridden_out, row.undetected, row.false_alarms), (4, 2, 1, 1, 1));
        // Watched 10 (event), 20, 30 (event), 50: S = 3/4 from 10 s, 3/4 * 1/2 = 3/8 from 30 s.
        assert_eq!(row.detect_p50_s, Some(number("30.000000")));
        assert_eq!(row.detect_p95_s, None);
        assert_eq!(row.detect_max_s, Some(number("30.000000")));
        // 10 * 1 + 20 * 3/4 + 20 * 3/8.
        assert_eq!(row.detect_mean_s, Some(number("32.500000")));
    }

    #[test]
    fn a_message_is_within_a_time_that_it_took_exactly() {
        let delays = [1_000_000, 1_000_001, 10_000_000, 60_000_000, 60_000_001, 600_000_000, 600_000_001];
        let pushes = Pushes { created: 9, delays: delays.map(Duration::from_micros).to_vec() };
        let row = run_row(&name(), Engine::Event, Duration::from_secs(1_000), &Outcome { pushes, ..outcome() });
        let counts = [row.pushes_within_1s, row.pushes_within_10s, row.pushes_within_1min, row.pushes_within_10min];
        assert_eq!((counts, row.pushes_delivered), ([1, 3, 4, 6], 7));
    }

    #[test]
    fn a_request_is_answered_or_failed_or_waits() {
        let row = run_row(&name(), Engine::Event, Duration::from_secs(1_000), &outcome());
        assert_eq!((row.messages_created, row.messages_delivered, row.messages_failed), (9, 4, 3));
        assert_eq!((row.messages_waiting, row.message_deadlines), (2, 4));
        // (0.05 + 1 + 10.001 + 924.65) / 4.
        assert_eq!(row.message_delay_mean_s, Some(number("233.925250")));
        assert_eq!(
            (row.message_delay_p95_s, row.message_delay_max_s),
            (Some(number("924.650000")), Some(number("924.650000")))
        );
        let within =
            [row.messages_within_1s, row.messages_within_10s, row.messages_within_1min, row.messages_within_10min];
        assert_eq!(within, [2, 2, 3, 3]);
    }

    #[test]
    fn shares_and_means_are_of_what_there_was() {
        let row = run_row(&name(), Engine::Event, Duration::from_secs(1_000), &outcome());
        assert_eq!(row.device_hours.to_string(), "0.500000");
        assert_eq!(row.availability, Some(number("0.500000")));
        // 15, 20 and 35 s.
        assert_eq!((row.recover_mean_s, row.recover_p95_s), (Some(number("23.333333")), Some(number("35.000000"))));
        assert_eq!((row.push_delay_mean_s, row.push_delay_p95_s), (Some(number("0.200000")), Some(number("0.300000"))));
        assert_eq!((row.pushes_created, row.pushes_delivered), (3, 2));
        assert_eq!(row.server_cpu_s.to_string(), "1.250000");
        assert_eq!((row.zombie_s.to_string(), row.trace_hash.len()), ("2.500000".into(), 32));
    }

    #[test]
    fn accuracy_is_by_the_time_in_which_nothing_was_broken() {
        let row = run_row(&name(), Engine::Event, Duration::from_secs(1_000), &outcome());
        assert_eq!((row.suspicions, row.mistakes), (5, 2));
        assert_eq!(row.mistake_rate_per_h, Some(number("8.000000")));
        assert_eq!(row.mistake_recurrence_mean_s, Some(number("450.000000")));
        assert_eq!(row.query_accuracy, Some(number("0.983333")));
        // 5 s, and one that was not over after 10 s: 5 * 1 + 5 * 1/2.
        assert_eq!(row.mistake_duration_mean_s, Some(number("7.500000")));
        // 8 (event), 20, 28 (event), 50: 8 * 1 + 20 * 3/4 + 22 * 3/8.
        assert_eq!(row.suspect_mean_s, Some(number("31.250000")));
    }

    #[test]
    fn the_last_intervals_stand_beside_the_timeouts_they_had_to_stay_below() {
        let mut outcome = outcome();
        outcome.episodes[1].cause = Cause::NatExpiry;
        outcome.episodes[2].cause = Cause::NatFlush;
        let row = run_row(&name(), Engine::Event, Duration::from_secs(1_000), &outcome);
        assert_eq!(row.interval_last_s, Some(number("270.000000")));
        assert_eq!(row.nat_timeout_s, Some(number("350.000000")));
        assert_eq!(row.nat_expiries, 1);
    }

    #[test]
    fn radio_and_peaks_are_what_the_run_says() {
        let row = run_row(&name(), Engine::Event, Duration::from_secs(1_000), &outcome());
        assert_eq!((row.attempts_peak_per_s, row.sessions_peak), (11, 2));
        assert_eq!((row.energy_j, row.radio_wakeups), (Some(number("12.661999")), Some(3)));
        assert_eq!(row.radio_on_s, Some(number("1.500000")));
        let without = run_row(
            &name(),
            Engine::Event,
            Duration::from_secs(1_000),
            &Outcome { radio: None, accuracy: Accuracy::default(), ..outcome() },
        );
        assert_eq!((without.energy_j, without.radio_wakeups, without.radio_on_s), (None, None, None));
        assert_eq!([without.mistake_rate_per_h, without.mistake_recurrence_mean_s, without.query_accuracy], [None; 3]);
        assert_eq!(without.mistake_duration_mean_s, None);
    }

    #[test]
    fn measures_of_nothing_are_absent() {
        let quiet = Outcome { episodes: Vec::new(), pushes: Pushes::default(), ..outcome() };
        let row = run_row(&name(), Engine::Turmoil, Duration::from_secs(1_000), &quiet);
        let absent = [row.detect_mean_s, row.detect_p50_s, row.detect_p95_s, row.detect_max_s, row.recover_mean_s];
        assert_eq!(absent, [None; 5]);
        assert_eq!([row.recover_p95_s, row.push_delay_mean_s, row.push_delay_p95_s], [None; 3]);
    }

    #[test]
    fn a_bin_is_a_row_and_what_it_says_nothing_about_is_absent() {
        let rows = series_rows(&name(), &outcome());
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].begin_s, rows[0].width_s), (Decimal::default(), number("5.000000")));
        assert_eq!((rows[0].attempts, rows[0].attempts_peak_per_s), (2, 1));
        assert_eq!((rows[0].interval_mean_s, rows[0].nat_timeout_s), (None, Some(number("300.000000"))));
    }

    #[test]
    fn false_alarms_are_rows_without_cause_and_latency() {
        let rows = episode_rows(&name(), &outcome());
        let outcomes: Vec<&str> = rows.iter().map(|row| row.outcome.as_str()).collect();
        assert_eq!(outcomes, ["detected", "ridden-out", "detected", "undetected", "false-alarm"]);
        assert_eq!(rows[0].detect_latency_s, Some(number("10.000000")));
        assert_eq!(rows[0].detected_by.as_deref(), Some("heartbeat"));
        assert_eq!((rows[3].end_s, rows[3].recovery_s), (None, None));
        assert_eq!((rows[0].fault, rows[1].fault, rows[4].fault), (Some(1), Some(2), None));
        assert_eq!((rows[4].device, rows[4].cause.as_str(), rows[4].detect_latency_s), (1, "none", None));
        assert_eq!((rows[4].detected_by.as_deref(), rows[4].recovery_s), (Some("reset"), Some(number("1.000000"))));
    }
}
