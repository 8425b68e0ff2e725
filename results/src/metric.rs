//! Which numbers of a run are costs, and how much of a change in them does not matter: the one list of what a gate compares.
//!
//! Less is better, always, so that no direction has to be known elsewhere. Most costs are made of several columns, which is
//! why they are not entries of the list of columns. Not among them: what costs nothing in itself, such as heartbeats, which
//! show as packets and energy or do not matter; and what has no direction, such as `zombie_s`, which is longer the sooner a
//! device leaves a dead session.

use serde::Deserialize;

#[allow(clippy::enum_glob_use, reason = "a formula names many columns")]
use crate::rows::RunColumn::{self, *};

/// How much one metric may change.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// As a share of the baseline's mean: 0.02 is 2 %. At least 0.001, since baselines hold four digits.
    pub relative: f64,
    /// The least slack in the metric's unit: it counts for values near zero, where the share is less.
    pub absolute: f64,
}

/// The value of a column in a run; `None`: the run says nothing about it.
type Run<'a> = &'a dyn Fn(RunColumn) -> Option<f64>;

/// Makes the enum of metrics from the list. An entry is the formula in words, the name in code and in files, the unit, the
/// default band (relative, absolute), the decimals that baselines hold, and the formula.
macro_rules! metrics {
    ($(
        #[doc = $formula:literal]
        $metric:ident $name:literal $unit:literal, band $relative:literal $absolute:literal, decimals $decimals:literal, $value:expr;
    )+) => {
        /// A cost of one run, from its row of `runs.csv`; `_h` and `_day` are of device time.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        pub enum Metric {
            $(#[doc = $formula] #[serde(rename = $name)] $metric,)+
        }

        impl Metric {
            /// Every metric, in the order in which they are told.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$metric,)+];

            /// Returns the name in files.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$metric => $name,)+ }
            }

            /// Returns the formula in words, as Markdown.
            pub fn formula(self) -> &'static str {
                match self { $(Self::$metric => $formula.trim(),)+ }
            }

            /// Returns the unit; empty for counts and shares.
            pub const fn unit(self) -> &'static str {
                match self { $(Self::$metric => $unit,)+ }
            }

            /// Returns what does not matter unless a file says otherwise: a share of the baseline, and what nobody would notice
            /// of a value near zero.
            pub const fn default_band(self) -> Band {
                match self { $(Self::$metric => Band { relative: $relative, absolute: $absolute },)+ }
            }

            /// Returns the decimals that baselines hold: none that is much less than what the default band allows near zero.
            const fn decimals(self) -> usize {
                match self { $(Self::$metric => $decimals,)+ }
            }

            /// Returns the value in a run. `None`: the run says nothing about it.
            pub fn value(self, run: Run<'_>) -> Option<f64> {
                match self { $(Self::$metric => { let formula: fn(Run<'_>) -> Option<f64> = $value; formula(run) })+ }
            }
        }
    };
}

metrics! {
    /// `detect_mean_s`
    DetectMeanS "detect_mean_s" "s", band 0.02 0.05, decimals 3, |run| run(detect_mean_s);
    /// `detect_p95_s`
    DetectP95S "detect_p95_s" "s", band 0.02 0.05, decimals 3, |run| run(detect_p95_s);
    /// (`ridden_out` + `undetected`) / `episodes`
    UnnoticedShare "unnoticed_share" "", band 0.02 0.005, decimals 4,
        |run| share(sum(run(ridden_out), run(undetected)), run(episodes));
    /// `nat_expiries` a device-day: connections lost to an interval that was too long
    NatExpiriesPerDay "nat_expiries_per_day" "", band 0.02 0.02, decimals 3, |run| per_day(run, nat_expiries);
    /// `false_alarms` a device-day
    FalseAlarmsPerDay "false_alarms_per_day" "", band 0.02 0.02, decimals 3, |run| per_day(run, false_alarms);
    /// `recover_mean_s`
    RecoverMeanS "recover_mean_s" "s", band 0.02 0.05, decimals 3, |run| run(recover_mean_s);
    /// 86,400 (1 - `availability`) - `away_s` a device-day
    UnavailableSPerDay "unavailable_s_per_day" "s", band 0.02 10.0, decimals 1,
        |run| Some(86_400.0 * rest(run(availability))? - per_day(run, away_s).unwrap_or(0.0));
    /// (`downtime_s` - `unavoidable_s`) a device-day: the sum of the next three
    AvoidableSPerDay "avoidable_s_per_day" "s", band 0.02 10.0, decimals 1,
        |run| Some(per_day(run, downtime_s)? - per_day(run, unavoidable_s)?);
    /// `unnoticed_s` a device-day
    UnnoticedSPerDay "unnoticed_s_per_day" "s", band 0.02 10.0, decimals 1, |run| per_day(run, unnoticed_s);
    /// `waiting_s` a device-day
    WaitingSPerDay "waiting_s_per_day" "s", band 0.02 10.0, decimals 1, |run| per_day(run, waiting_s);
    /// `connecting_s` a device-day
    ConnectingSPerDay "connecting_s_per_day" "s", band 0.02 10.0, decimals 1, |run| per_day(run, connecting_s);
    /// `push_delay_mean_s`
    PushDelayMeanS "push_delay_mean_s" "s", band 0.02 0.05, decimals 3, |run| run(push_delay_mean_s);
    /// 1 - `pushes_delivered` / `pushes_created`: without it, a strategy that loses what is late would look fast
    PushLostShare "push_lost_share" "", band 0.02 0.001, decimals 5,
        |run| rest(share(run(pushes_delivered), run(pushes_created)));
    /// `message_delay_mean_s`: how long a request of a device takes, of those that were answered
    MessageDelayMeanS "message_delay_mean_s" "s", band 0.02 0.05, decimals 3, |run| run(message_delay_mean_s);
    /// `message_delay_p95_s`
    MessageDelayP95S "message_delay_p95_s" "s", band 0.02 0.05, decimals 3, |run| run(message_delay_p95_s);
    /// 1 - `messages_delivered` / `messages_created`: requests that failed, or hang to the end
    MessageLostShare "message_lost_share" "", band 0.02 0.001, decimals 5,
        |run| rest(share(run(messages_delivered), run(messages_created)));
    /// (`packets_up` + `packets_down`) / `device_hours`
    PacketsPerH "packets_per_h" "", band 0.02 0.1, decimals 2, |run| per_h(run, sum(run(packets_up), run(packets_down)));
    /// (`bytes_up` + `bytes_down`) / `device_hours`
    BytesPerH "bytes_per_h" "", band 0.02 10.0, decimals 0, |run| per_h(run, sum(run(bytes_up), run(bytes_down)));
    /// `energy_j` / `device_hours`
    EnergyJPerH "energy_j_per_h" "J", band 0.02 0.1, decimals 2, |run| per_h(run, run(energy_j));
    /// `connect_attempts` / `device_hours`
    AttemptsPerH "attempts_per_h" "", band 0.02 0.01, decimals 4, |run| per_h(run, run(connect_attempts));
    /// `attempts_peak_per_s`, the largest of many values, which moves more
    AttemptsPeakPerS "attempts_peak_per_s" "", band 0.05 1.0, decimals 1, |run| run(attempts_peak_per_s);
}

fn sum(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? + b?)
}

/// Returns `None` where the whole is zero.
fn share(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    Some(part? / whole.filter(|whole| *whole > 0.0)?)
}

fn rest(share: Option<f64>) -> Option<f64> {
    Some(1.0 - share?)
}

fn per_h(run: Run<'_>, cost: Option<f64>) -> Option<f64> {
    share(cost, run(device_hours))
}

fn per_day(run: Run<'_>, cost: RunColumn) -> Option<f64> {
    Some(24.0 * per_h(run, run(cost))?)
}

impl Metric {
    /// Returns the most that it can be: 1 of a share, a day of the seconds in one.
    pub fn most(self) -> f64 {
        match self.name() {
            name if name.ends_with("_share") => 1.0,
            name if name.ends_with("_s_per_day") => 86_400.0,
            _ => f64::MAX,
        }
    }

    /// `value` as baselines hold it: with four digits, and no more decimals than matter. That takes at most a fortieth of a
    /// band of 2 %, and a file of many cells stays small.
    pub fn round(self, value: f64) -> f64 {
        let decimals = self.decimals();
        digits(&format!("{:.decimals$}", digits(&format!("{value:.3e}"))))
    }
}

fn digits(text: &str) -> f64 {
    text.parse().expect("a number that was written can be read")
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_files_use() {
        for metric in Metric::ALL {
            let read: Metric = serde_json::from_value(metric.name().into()).unwrap();
            assert_eq!(read, metric);
        }
    }

    #[test]
    fn rounding_twice_is_rounding_once_and_takes_little_of_what_the_band_allows() {
        for metric in Metric::ALL {
            let band = metric.default_band();
            for value in [0.0, 1e-9, 0.000_123_456, 0.1, 0.555_555, 1.000_05, 99.999_9, 12_345.678, 1.0e9 + 0.4] {
                let rounded = metric.round(value);
                assert_eq!(metric.round(rounded).to_bits(), rounded.to_bits(), "{metric:?} {value}");
                let allowed = band.absolute.max(band.relative * value);
                assert!((rounded - value).abs() <= 0.05 * allowed, "{metric:?} {value} {rounded}");
            }
        }
    }

    #[test]
    fn every_metric_is_the_formula_that_the_documentation_gives() {
        let row = [
            (device_hours, 48.0),
            (episodes, 8.0),
            (ridden_out, 1.0),
            (undetected, 3.0),
            (false_alarms, 4.0),
            (detect_mean_s, 70.0),
            (detect_p95_s, 130.0),
            (recover_mean_s, 71.0),
            (availability, 0.75),
            (packets_up, 480.0),
            (packets_down, 960.0),
            (bytes_up, 4_800.0),
            (bytes_down, 9_600.0),
            (connect_attempts, 24.0),
            (pushes_created, 10.0),
            (pushes_delivered, 9.0),
            (push_delay_mean_s, 0.5),
            (messages_created, 8.0),
            (messages_delivered, 6.0),
            (message_delay_mean_s, 1.5),
            (message_delay_p95_s, 2.5),
            (energy_j, 144.0),
            (attempts_peak_per_s, 5.0),
            (nat_expiries, 2.0),
            (downtime_s, 43_200.0),
            (unavoidable_s, 200.0),
            (unnoticed_s, 40_000.0),
            (waiting_s, 2_000.0),
            (connecting_s, 1_000.0),
            (away_s, 3_000.0),
        ];
        let value = |metric: Metric| metric.value(&|column| row.iter().find(|it| it.0 == column).map(|it| it.1));
        let expected = [
            70.0, 130.0, 0.5, 1.0, 2.0, 71.0, 20_100.0, 21_500.0, 20_000.0, 1_000.0, 500.0, 0.5, 0.1, 1.5, 2.5, 0.25,
            30.0, 300.0, 3.0, 0.5, 5.0,
        ];
        for (metric, expected) in Metric::ALL.into_iter().zip(expected) {
            assert!((value(metric).unwrap() - expected).abs() < 1e-9, "{metric:?}");
        }
    }

    #[test]
    fn a_share_of_nothing_is_absent() {
        assert_eq!(Metric::UnnoticedShare.value(&|_| Some(0.0)), None);
        assert_eq!(Metric::EnergyJPerH.value(&|column| (column == device_hours).then_some(1.0)), None);
    }
}
