//! The rows of the result files, as types: field order is column order.
//!
//! The columns of `runs.csv` up to `trace_hash`, and those of `episodes.csv` and `series.csv`, are stable: whatever joins them comes
//! after. How the values come about is the business of `measure`.

use serde::{Deserialize, Serialize};

use crate::decimal::Decimal;

/// One line of `runs.csv`. Columns named `_s` are seconds; a measure that the run says nothing about is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
    /// The scenario's name.
    pub scenario: String,
    /// The strategy's name.
    pub strategy: String,
    /// The seed.
    pub seed: u64,
    /// The engine whose outcome this is: `event` or `turmoil`.
    pub engine: String,
    /// Time from each device's start to the end of the run, summed, in hours.
    pub device_hours: Decimal,
    /// Breaks of usable sessions.
    pub episodes: u64,
    /// Of these: the device gave the connection up.
    pub detected: u64,
    /// Of these: usable again before anyone noticed.
    pub ridden_out: u64,
    /// Of these: the run ended first.
    pub undetected: u64,
    /// Usable sessions that were given up.
    pub false_alarms: u64,
    /// Detection latency: mean, restricted to the longest time that an episode was watched (Kaplan-Meier).
    pub detect_mean_s: Option<Decimal>,
    /// Detection latency: median (Kaplan-Meier); absent where fewer than half would have been detected.
    pub detect_p50_s: Option<Decimal>,
    /// Detection latency: 95th percentile (Kaplan-Meier); absent where the estimate does not get that far.
    pub detect_p95_s: Option<Decimal>,
    /// Detection latency: the longest that ended in detection.
    pub detect_max_s: Option<Decimal>,
    /// From the begin of an episode to a usable session: mean of those that came to one.
    pub recover_mean_s: Option<Decimal>,
    /// Share of device time with a usable session.
    pub availability: Option<Decimal>,
    /// Packets that devices sent on their access links.
    pub packets_up: u64,
    /// Packets that devices received on their access links.
    pub packets_down: u64,
    /// Bytes that devices sent, IPv4 and TCP headers included.
    pub bytes_up: u64,
    /// Bytes that devices received, headers included.
    pub bytes_down: u64,
    /// Heartbeats handed to TCP.
    pub heartbeats_sent: u64,
    /// Connection attempts begun.
    pub connect_attempts: u64,
    /// Digest of everything that happened: 32 hexadecimal digits.
    pub trace_hash: String,
    /// From the begin of an episode to a usable session: 95th percentile of those that came to one.
    pub recover_p95_s: Option<Decimal>,
    /// Time during which the server held a session that its device had left, summed.
    pub zombie_s: Decimal,
    /// Time the servers' processes spent on work, in seconds.
    pub server_cpu_s: Decimal,
    /// Replies to heartbeats that arrived.
    pub heartbeats_answered: u64,
    /// Attempts that ended in a session.
    pub sessions: u64,
    /// Messages created for devices that had started.
    pub pushes_created: u64,
    /// Of these: delivered to the device's application before the end of the run.
    pub pushes_delivered: u64,
    /// From creation to delivery: mean of those delivered.
    pub push_delay_mean_s: Option<Decimal>,
    /// From creation to delivery: 95th percentile of those delivered.
    pub push_delay_p95_s: Option<Decimal>,
    /// Packets sent by devices: data for the first time.
    pub data_up: u64,
    /// Acknowledgements without data.
    pub pure_ack_up: u64,
    /// SYN.
    pub syn_up: u64,
    /// FIN.
    pub fin_up: u64,
    /// RST.
    pub rst_up: u64,
    /// Data that was sent before.
    pub retransmission_up: u64,
    /// Keepalive and zero-window probes.
    pub probe_up: u64,
    /// Packets received by devices: data for the first time.
    pub data_down: u64,
    /// Acknowledgements without data.
    pub pure_ack_down: u64,
    /// SYN-ACK.
    pub syn_down: u64,
    /// FIN.
    pub fin_down: u64,
    /// RST.
    pub rst_down: u64,
    /// Data that was sent before.
    pub retransmission_down: u64,
    /// Keepalive and zero-window probes.
    pub probe_down: u64,
    /// Energy of the devices' radios in joules, from each device's start on, sleep included; absent without radios.
    pub energy_j: Option<Decimal>,
    /// Promotions of their radios.
    pub radio_wakeups: Option<u64>,
    /// Time in which a radio was not asleep, summed.
    pub radio_on_s: Option<Decimal>,
    /// Turns of a detector's output from trust to suspect.
    pub suspicions: u64,
    /// Of these: while the session was usable.
    pub mistakes: u64,
    /// Mistakes by the hour in which nothing was broken (`lambda_M`).
    pub mistake_rate_per_h: Option<Decimal>,
    /// From a mistake to trust again (`T_M`): restricted mean, those that were not corrected counting as longer.
    pub mistake_duration_mean_s: Option<Decimal>,
    /// From a mistake to the next (`T_MR`): time in which nothing was broken, by the number of mistakes.
    pub mistake_recurrence_mean_s: Option<Decimal>,
    /// Share of the time in which nothing was broken that the output was trust (`P_A`).
    pub query_accuracy: Option<Decimal>,
    /// From the begin of an episode to the last turn to suspect (`T_D`): restricted mean, episodes in which the output ended
    /// as trust counting as longer.
    pub suspect_mean_s: Option<Decimal>,
    /// The most connection attempts that devices began in one second.
    pub attempts_peak_per_s: u64,
    /// The most sessions that the servers held at once.
    pub sessions_peak: u64,
    /// Wake-ups of the push service that arrived at devices.
    pub wakeups: u64,
    /// Messages that arrived at a device once more and were not delivered again.
    pub duplicates: u64,
    /// Mean over devices of the time between a device's last two heartbeats on one connection.
    pub interval_last_s: Option<Decimal>,
    /// Mean over devices of the shortest NAT timeout that a device met at the end.
    pub nat_timeout_s: Option<Decimal>,
    /// Sessions that broke because a NAT's idle timeout passed: what an interval that is too long costs.
    pub nat_expiries: u64,
}

/// One line of `episodes.csv`: a break of a usable session, or a false alarm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpisodeRow {
    /// The scenario's name.
    pub scenario: String,
    /// The strategy's name.
    pub strategy: String,
    /// The seed.
    pub seed: u64,
    /// The device, counted from 0.
    pub device: u32,
    /// What broke first; `none` for a false alarm.
    pub cause: String,
    /// When the session stopped being usable, or was given up for no reason.
    pub begin_s: Decimal,
    /// When the device had a usable session again; absent: not in this run.
    pub end_s: Option<Decimal>,
    /// `detected`, `ridden-out`, `undetected` or `false-alarm`.
    pub outcome: String,
    /// Which mechanism made the device leave the connection.
    pub detected_by: Option<String>,
    /// From `begin_s` to the moment the device left it.
    pub detect_latency_s: Option<Decimal>,
    /// From `begin_s` to `end_s`.
    pub recovery_s: Option<Decimal>,
}

/// One line of `series.csv`: a stretch of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesRow {
    /// The scenario's name.
    pub scenario: String,
    /// The strategy's name.
    pub strategy: String,
    /// The seed.
    pub seed: u64,
    /// When it begins.
    pub begin_s: Decimal,
    /// How long it is.
    pub width_s: Decimal,
    /// Connection attempts begun in it.
    pub attempts: u64,
    /// The most of these in one second.
    pub attempts_peak_per_s: u64,
    /// At its end: mean over devices of the time between a device's last two heartbeats on one connection.
    pub interval_mean_s: Option<Decimal>,
    /// At its end: mean over devices of the shortest NAT timeout that a device meets.
    pub nat_timeout_s: Option<Decimal>,
}
