//! The columns of the result files: the one list of them, an entry a column.
//!
//! A row type is made from each list, its fields in the order of the file, and an enum of the columns. How the values come
//! about is the business of whoever measures.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    column::{Column, Field, Kind, Row, columns},
    decimal::Decimal,
};

/// Sums of decimals may be so far off: as much as rounding each of them takes.
const ROUNDING: f64 = 1e-4;

/// Returns what no run can have measured: see [`Column::contradiction`].
fn run_contradiction(number: &dyn Fn(RunColumn) -> Option<f64>) -> Option<String> {
    #[allow(clippy::enum_glob_use, reason = "the rules name many columns")]
    use RunColumn::*;
    // A part and its whole.
    const WITHIN: [(RunColumn, RunColumn); 14] = [
        (detected, episodes),
        (nat_expiries, episodes),
        (pushes_delivered, pushes_created),
        (pushes_within_10min, pushes_delivered),
        (pushes_within_1min, pushes_within_10min),
        (pushes_within_10s, pushes_within_1min),
        (pushes_within_1s, pushes_within_10s),
        (messages_failed, message_deadlines),
        (messages_within_10min, messages_delivered),
        (messages_within_1min, messages_within_10min),
        (messages_within_10s, messages_within_1min),
        (messages_within_1s, messages_within_10s),
        (mistakes, suspicions),
        (attempts_peak_per_s, connect_attempts),
    ];
    const SUMS: [(RunColumn, &[RunColumn]); 3] = [
        (episodes, &[detected, ridden_out, undetected]),
        (downtime_s, &[unavoidable_s, unnoticed_s, waiting_s, connecting_s]),
        (messages_created, &[messages_delivered, messages_failed, messages_waiting]),
    ];
    let name = |column: RunColumn| format!("`{}`", column.name());
    let hours = number(device_hours)?;
    if hours <= 0.0 {
        return Some(format!("`device_hours` is {hours}; a run is longer than zero"));
    }
    for share in [availability, query_accuracy] {
        if let Some(value) = number(share).filter(|value| *value > 1.0) {
            return Some(format!("{} is {value}; a share is at most 1", name(share)));
        }
    }
    for (part, whole) in WITHIN {
        if let (Some(a), Some(b)) = (number(part), number(whole))
            && a > b
        {
            return Some(format!("{} is {a}, more than {}, which is {b}", name(part), name(whole)));
        }
    }
    for (whole, parts) in SUMS {
        if let (Some(whole_is), Some(sum)) = (number(whole), parts.iter().map(|it| number(*it)).sum::<Option<f64>>())
            && (whole_is - sum).abs() > ROUNDING
        {
            let parts: Vec<String> = parts.iter().map(|it| name(*it)).collect();
            return Some(format!("{} is {whole_is}; {} are {sum} together", name(whole), parts.join(", ")));
        }
    }
    let most = 3_600.0 * hours + 1.0;
    for column in [downtime_s, away_s] {
        if let Some(value) = number(column).filter(|value| *value > most) {
            return Some(format!("{} is {value}, and the devices ran for {hours} h", name(column)));
        }
    }
    None
}

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

impl fmt::Display for RunName {
    /// Returns the name as messages have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scenario {}, strategy {}, seed {}", self.scenario, self.strategy, self.seed)
    }
}

columns! {
    /// One line of `runs.csv`: a run.
    RunRow with RunColumn in "runs.csv", at most 1_000_000 rows, stable to trace_hash, refused by run_contradiction:

    /// The scenario's name.
    scenario: String,
    /// The strategy's name.
    strategy: String,
    /// The seed.
    seed: u64,
    /// The engine whose outcome this is: `event` or `turmoil` (`event` where `auto` or `both` was asked for).
    engine: String,
    /// Time from each device's start to the end of the run, summed over devices.
    device_hours: Decimal ["h"],
    /// Breaks of usable sessions: `detected` + `ridden_out` + `undetected`.
    episodes: u64,
    /// Episodes in which the device gave the connection up, or its transport did.
    detected: u64,
    /// Episodes that ended, the session being usable again, before anyone noticed.
    ridden_out: u64,
    /// Episodes that nobody had noticed when the run ended.
    undetected: u64,
    /// Usable sessions that were given up.
    false_alarms: u64,
    /// Detection latency, mean: the area under the run's Kaplan-Meier curve up to its longest observation, so restricted to
    /// what was watched.
    detect_mean_s: Option<Decimal> ["s"],
    /// Detection latency, median: the first time at which the curve is at most 0.5; absent where it stays above.
    detect_p50_s: Option<Decimal> ["s"],
    /// Detection latency, 95th percentile: the first time at which the curve is at most 0.05; absent where it stays above.
    detect_p95_s: Option<Decimal> ["s"],
    /// The longest detection latency that ended in detection.
    detect_max_s: Option<Decimal> ["s"],
    /// Time from the begin of an episode to a usable session, mean over the episodes that came to one.
    recover_mean_s: Option<Decimal> ["s"],
    /// Usable time / device time, rounded down.
    availability: Option<Decimal>,
    /// Packets that devices sent on their access links.
    packets_up: u64,
    /// Packets that devices received on their access links.
    packets_down: u64,
    /// Bytes that devices sent, IPv4 and TCP headers included.
    bytes_up: u64 ["bytes"],
    /// Bytes that devices received, IPv4 and TCP headers included.
    bytes_down: u64 ["bytes"],
    /// Heartbeats handed to TCP: those of sessions, those that nobody answers, and those on probe connections (the kernel's
    /// keepalive probes are in `probe_up`).
    heartbeats_sent: u64,
    /// Connection attempts begun: the first, races and probe connections included, checks of the network not.
    connect_attempts: u64,
    /// Digest of everything that happened: 32 hexadecimal digits.
    trace_hash: String,
    /// Time from the begin of an episode to a usable session: the smallest that 95 % of the episodes that came to one do not
    /// exceed.
    recover_p95_s: Option<Decimal> ["s"],
    /// Time in which servers held sessions other than the one their device was using, summed over sessions.
    zombie_s: Decimal ["s"],
    /// Work of the servers' processes at whole capacity: the costs of all they began to work on, summed.
    server_cpu_s: Decimal ["s"],
    /// Replies to heartbeats that arrived, those on probe connections included.
    heartbeats_answered: u64,
    /// Attempts that ended in a session.
    sessions: u64,
    /// Messages created for devices, from each device's start to the end of the run.
    pushes_created: u64,
    /// Messages that were delivered to the device's application before the end of the run.
    pushes_delivered: u64,
    /// Time from a message's creation to its delivery, mean over those delivered.
    push_delay_mean_s: Option<Decimal> ["s"],
    /// Time from a message's creation to its delivery: the smallest that 95 % of those delivered do not exceed.
    push_delay_p95_s: Option<Decimal> ["s"],
    /// Packets sent with data for the first time. The seven kinds of packets sent add up to `packets_up`.
    data_up: u64,
    /// Packets sent that are an acknowledgement and nothing else.
    pure_ack_up: u64,
    /// Packets sent with SYN.
    syn_up: u64,
    /// Packets sent with FIN.
    fin_up: u64,
    /// Packets sent with RST.
    rst_up: u64,
    /// Packets sent with data that was sent before.
    retransmission_up: u64,
    /// Keepalive and zero-window probes sent.
    probe_up: u64,
    /// Packets received with data for the first time. The seven kinds of packets received add up to `packets_down`.
    data_down: u64,
    /// Packets received that are an acknowledgement and nothing else.
    pure_ack_down: u64,
    /// Packets received with SYN-ACK.
    syn_down: u64,
    /// Packets received with FIN.
    fin_down: u64,
    /// Packets received with RST.
    rst_down: u64,
    /// Packets received with data that was sent before.
    retransmission_down: u64,
    /// Keepalive and zero-window probes received.
    probe_down: u64,
    /// Energy of the radios from each device's start on, sleep included, summed over devices; absent, like the next two, in a
    /// scenario without `radio`.
    energy_j: Option<Decimal> ["J"],
    /// Promotions of the radios that were completed.
    radio_wakeups: Option<u64>,
    /// Time in which a radio was in promotion, active, or in the tail, summed over devices.
    radio_on_s: Option<Decimal> ["s"],
    /// Turns of the detectors' outputs from trust to suspect, at any time.
    suspicions: u64,
    /// Turns to suspect while the session was usable.
    mistakes: u64,
    /// `lambda_M`: `mistakes` / observed hours.
    mistake_rate_per_h: Option<Decimal> ["1/h"],
    /// `T_M`: time from a mistake to the next trust; restricted mean of the Kaplan-Meier curve, mistakes that a break or the end
    /// of the run cuts short being censored.
    mistake_duration_mean_s: Option<Decimal> ["s"],
    /// `T_MR`: observed time / `mistakes` (a ratio, so that stretches without a mistake count).
    mistake_recurrence_mean_s: Option<Decimal> ["s"],
    /// `P_A`: time in which the output was trust / observed time.
    query_accuracy: Option<Decimal>,
    /// `T_D`: time from an episode's begin to the last turn to suspect in it (0 if it was suspect then); restricted mean of the
    /// Kaplan-Meier curve. `detect_mean_s` runs to the moment the device leaves.
    suspect_mean_s: Option<Decimal> ["s"],
    /// The most connection attempts that devices began in one whole second of the run, without the one with which each device
    /// begins the run.
    attempts_peak_per_s: u64,
    /// The most sessions that all servers together held at once, zombies included.
    sessions_peak: u64,
    /// Wake-ups of the push service that arrived at devices ([model/wakeup.md](model/wakeup.md)).
    wakeups: u64,
    /// Messages that arrived at a device once more and were not delivered again.
    duplicates: u64,
    /// Time between a device's last two heartbeats on one session, answered or not, mean over the devices that sent two; of a
    /// policy that looks for its interval, what it found.
    interval_last_s: Option<Decimal> ["s"],
    /// The shortest idle timeout of the NATs on the network a device was on at the end of the run, mean over devices: what the
    /// interval has to stay below.
    nat_timeout_s: Option<Decimal> ["s"],
    /// Episodes with the cause `nat-expiry`: connections lost to an interval that was too long, those lost while looking for
    /// it included.
    nat_expiries: u64,
    /// Time without a usable session from each device's first attempt on, summed over devices: `unavoidable_s` +
    /// `unnoticed_s` + `waiting_s` + `connecting_s`.
    downtime_s: Decimal ["s"],
    /// Of the downtime: no connection opened at that moment could have been used, whatever the policy.
    unavoidable_s: Decimal ["s"],
    /// Of the downtime: the device believed in a session that was dead.
    unnoticed_s: Decimal ["s"],
    /// Of the downtime: the device knew, and made no attempt.
    waiting_s: Decimal ["s"],
    /// Of the downtime: an attempt was under way, login and queue included.
    connecting_s: Decimal ["s"],
    /// Messages that were delivered at most 1 s after their creation. Counts add up over runs, as quantiles do not.
    pushes_within_1s: u64,
    /// Messages that were delivered at most 10 s after their creation.
    pushes_within_10s: u64,
    /// Messages that were delivered at most 60 s after their creation.
    pushes_within_1min: u64,
    /// Messages that were delivered at most 600 s after their creation.
    pushes_within_10min: u64,
    /// Messages that devices created, from each device's start to the end of the run: requests to the server.
    messages_created: u64,
    /// Messages of devices that the server's application answered before the end of the run: requests, as their sender sees them.
    messages_delivered: u64,
    /// Messages of devices that were given up when their deadline passed (`traffic.deadline`).
    messages_failed: u64,
    /// Messages of devices that waited at the end of the run: for a session, or for the answer.
    messages_waiting: u64,
    /// How often a deadline of a message passed: messages that failed, and connections that were left to send one again.
    message_deadlines: u64,
    /// Time from the creation of a device's message to its answer, mean over those answered.
    message_delay_mean_s: Option<Decimal> ["s"],
    /// Time from the creation of a device's message to its answer: the smallest that 95 % of those answered do not exceed.
    message_delay_p95_s: Option<Decimal> ["s"],
    /// The longest time from the creation of a device's message to its answer.
    message_delay_max_s: Option<Decimal> ["s"],
    /// Messages of devices that were answered at most 1 s after their creation.
    messages_within_1s: u64,
    /// Messages of devices that were answered at most 10 s after their creation.
    messages_within_10s: u64,
    /// Messages of devices that were answered at most 60 s after their creation.
    messages_within_1min: u64,
    /// Messages of devices that were answered at most 600 s after their creation.
    messages_within_10min: u64,
    /// Time in which devices were away: they had left their sessions on purpose, and nothing waited for them. No part of the downtime.
    away_s: Decimal ["s"],
}

columns! {
    /// One line of `episodes.csv`: a break of a usable session, or a false alarm.
    EpisodeRow with EpisodeColumn in "episodes.csv", at most 10_000_000 rows, stable to recovery_s:

    /// The scenario's name.
    scenario: String,
    /// The strategy's name.
    strategy: String,
    /// The seed.
    seed: u64,
    /// The device, counted from 0.
    device: u32,
    /// What broke first, see below; `none` for a false alarm.
    cause: String,
    /// When the session stopped being usable; for a false alarm, when it was left.
    begin_s: Decimal ["s"],
    /// When the device had a usable session again; absent where it had none in this run.
    end_s: Option<Decimal> ["s"],
    /// `detected`, `ridden-out`, `undetected` or `false-alarm`.
    outcome: String,
    /// What made the device leave, see below; absent where nothing did.
    detected_by: Option<String>,
    /// `begin_s` to that moment; absent where not detected, and for false alarms.
    detect_latency_s: Option<Decimal> ["s"],
    /// `end_s` - `begin_s`.
    recovery_s: Option<Decimal> ["s"],
    /// The strike that began it: its number among all that may break a session of the device in this seed, moves that its life
    /// plans included, in the order of time from 0. With scenario, seed and device it names the same strike for every strategy.
    /// Absent where nothing struck: the NAT forgot the connection by its own rules, the server closed it, a false alarm.
    fault: Option<u32>,
}

columns! {
    /// One line of `series.csv`: a stretch (a bin) of a run.
    SeriesRow with SeriesColumn in "series.csv", at most 5_000_000 rows, stable to nat_timeout_s:

    /// The scenario's name.
    scenario: String,
    /// The strategy's name.
    strategy: String,
    /// The seed.
    seed: u64,
    /// When the bin begins; what happens at that moment belongs to it.
    begin_s: Decimal ["s"],
    /// How long the bin is.
    width_s: Decimal ["s"],
    /// Connection attempts that devices began in it; over a run, they add up to `connect_attempts`.
    attempts: u64,
    /// The most of these in one whole second of the run, without the one with which each device begins the run; the most over a
    /// run is that of `runs.csv`.
    attempts_peak_per_s: u64,
    /// `interval_last_s` as it stands at the end of the bin: time between a device's last two heartbeats on one session, mean
    /// over the devices that have sent two; absent before any has.
    interval_mean_s: Option<Decimal> ["s"],
    /// The shortest idle timeout of the NATs on the network a device is on at the end of the bin, mean over the devices that
    /// are on one; absent where none is.
    nat_timeout_s: Option<Decimal> ["s"],
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a name ends in, and the unit that this stands for.
    const UNITS: [(&str, &str); 4] = [("_per_h", "1/h"), ("_hours", "h"), ("_j", "J"), ("_s", "s")];

    fn check<C: Column>() {
        for &column in C::ALL {
            assert_eq!(C::named(column.name()), Some(column));
            assert_eq!(C::ALL[column.place()], column);
            assert!(column.meaning().ends_with('.') && !column.meaning().contains(['|', '\n']), "{column:?}");
            let unit = UNITS.iter().find(|(end, _)| column.name().ends_with(end)).map_or("", |(_, unit)| unit);
            if column.kind() == Kind::Decimal {
                assert_eq!(column.unit(), unit, "{column:?}");
            }
        }
    }

    #[test]
    fn a_column_says_its_unit_in_its_name_and_means_something() {
        check::<RunColumn>();
        check::<EpisodeColumn>();
        check::<SeriesColumn>();
    }

    #[test]
    fn the_type_of_a_field_is_the_kind_of_its_column() {
        assert_eq!((RunColumn::seed.kind(), RunColumn::seed.is_optional()), (Kind::Integer, false));
        assert_eq!((RunColumn::energy_j.kind(), RunColumn::energy_j.is_optional()), (Kind::Decimal, true));
        assert_eq!((RunColumn::radio_wakeups.kind(), RunColumn::radio_wakeups.is_optional()), (Kind::Integer, true));
        assert_eq!((EpisodeColumn::detected_by.kind(), EpisodeColumn::outcome.kind()), (Kind::Text, Kind::Text));
        assert_eq!(RunColumn::attempts_peak_per_s.kind(), Kind::Integer);
    }
}
