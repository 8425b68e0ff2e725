//! What the gate compares. Every metric is a cost: less is better, always, so that no direction has to be known elsewhere.
//!
//! Not among them: what costs nothing in itself, such as heartbeats, which show as packets and energy or do not matter; and
//! what has no direction, such as `zombie_s`, which is longer the sooner a device leaves a dead session.

use serde::Deserialize;

use super::bands::Band;

/// A cost of one run, from its row of `runs.csv`; `_h` and `_day` are of device time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// `detect_mean_s`.
    DetectMeanS,
    /// `detect_p95_s`.
    DetectP95S,
    /// (`ridden_out` + `undetected`) / `episodes`.
    UnnoticedShare,
    /// `nat_expiries` a day: connections lost to an interval that was too long.
    NatExpiriesPerDay,
    /// `false_alarms` a day.
    FalseAlarmsPerDay,
    /// `recover_mean_s`.
    RecoverMeanS,
    /// Seconds without a usable session a day: 86,400 (1 - `availability`).
    UnavailableSPerDay,
    /// `push_delay_mean_s`.
    PushDelayMeanS,
    /// 1 - `pushes_delivered` / `pushes_created`: without it, who loses what is late would look fast.
    PushLostShare,
    /// (`packets_up` + `packets_down`) an hour.
    PacketsPerH,
    /// (`bytes_up` + `bytes_down`) an hour.
    BytesPerH,
    /// `energy_j` an hour.
    EnergyJPerH,
    /// `connect_attempts` an hour.
    AttemptsPerH,
    /// `attempts_peak_per_s`.
    AttemptsPeakPerS,
}

/// The columns that metrics are made of.
pub(crate) const COLUMNS: [&str; 20] = [
    "device_hours",
    "episodes",
    "ridden_out",
    "undetected",
    "false_alarms",
    "detect_mean_s",
    "detect_p95_s",
    "recover_mean_s",
    "availability",
    "packets_up",
    "packets_down",
    "bytes_up",
    "bytes_down",
    "connect_attempts",
    "pushes_created",
    "pushes_delivered",
    "push_delay_mean_s",
    "energy_j",
    "attempts_peak_per_s",
    "nat_expiries",
];

impl Metric {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 14] = [
        Self::DetectMeanS,
        Self::DetectP95S,
        Self::UnnoticedShare,
        Self::NatExpiriesPerDay,
        Self::FalseAlarmsPerDay,
        Self::RecoverMeanS,
        Self::UnavailableSPerDay,
        Self::PushDelayMeanS,
        Self::PushLostShare,
        Self::PacketsPerH,
        Self::BytesPerH,
        Self::EnergyJPerH,
        Self::AttemptsPerH,
        Self::AttemptsPeakPerS,
    ];

    /// Its name in baselines, bands and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DetectMeanS => "detect_mean_s",
            Self::DetectP95S => "detect_p95_s",
            Self::UnnoticedShare => "unnoticed_share",
            Self::NatExpiriesPerDay => "nat_expiries_per_day",
            Self::FalseAlarmsPerDay => "false_alarms_per_day",
            Self::RecoverMeanS => "recover_mean_s",
            Self::UnavailableSPerDay => "unavailable_s_per_day",
            Self::PushDelayMeanS => "push_delay_mean_s",
            Self::PushLostShare => "push_lost_share",
            Self::PacketsPerH => "packets_per_h",
            Self::BytesPerH => "bytes_per_h",
            Self::EnergyJPerH => "energy_j_per_h",
            Self::AttemptsPerH => "attempts_per_h",
            Self::AttemptsPeakPerS => "attempts_peak_per_s",
        }
    }

    /// What does not matter unless a file says otherwise: 2 %, and what nobody would notice of a value near zero. A peak is
    /// the largest of many values and moves more.
    pub(crate) const fn default_band(self) -> Band {
        let absolute = match self {
            Self::DetectMeanS | Self::DetectP95S | Self::RecoverMeanS | Self::PushDelayMeanS => 0.05,
            Self::UnnoticedShare => 0.005,
            Self::NatExpiriesPerDay | Self::FalseAlarmsPerDay => 0.02,
            Self::UnavailableSPerDay | Self::BytesPerH => 10.0,
            Self::PushLostShare => 0.001,
            Self::PacketsPerH | Self::EnergyJPerH => 0.1,
            Self::AttemptsPerH => 0.01,
            Self::AttemptsPeakPerS => 1.0,
        };
        let relative = if matches!(self, Self::AttemptsPeakPerS) { 0.05 } else { 0.02 };
        Band { relative, absolute }
    }

    /// `value` as baselines hold it: with four digits, and none that is much less than what the default band allows near
    /// zero. That takes at most a fortieth of a band of 2 %, and a file of many cells stays small.
    pub(crate) fn round(self, value: f64) -> f64 {
        let decimals = match self {
            Self::PushLostShare => 5,
            Self::UnnoticedShare | Self::AttemptsPerH => 4,
            Self::DetectMeanS
            | Self::DetectP95S
            | Self::RecoverMeanS
            | Self::PushDelayMeanS
            | Self::NatExpiriesPerDay
            | Self::FalseAlarmsPerDay => 3,
            Self::PacketsPerH | Self::EnergyJPerH => 2,
            Self::UnavailableSPerDay | Self::AttemptsPeakPerS => 1,
            Self::BytesPerH => 0,
        };
        digits(&format!("{:.decimals$}", digits(&format!("{value:.3e}"))))
    }

    /// Its value in a run; `column` gives that of a column of [`COLUMNS`]. `None`: the run says nothing about it.
    pub(crate) fn value(self, column: &impl Fn(&'static str) -> Option<f64>) -> Option<f64> {
        let sum = |a, b| Some(column(a)? + column(b)?);
        let share = |part: Option<f64>, whole: Option<f64>| Some(part? / whole.filter(|whole| *whole > 0.0)?);
        let per_h = |cost| share(cost, column("device_hours"));
        let per_day = |cost| Some(24.0 * per_h(cost)?);
        let missing = |share: Option<f64>| Some(1.0 - share?);
        match self {
            Self::DetectMeanS => column("detect_mean_s"),
            Self::DetectP95S => column("detect_p95_s"),
            Self::UnnoticedShare => share(sum("ridden_out", "undetected"), column("episodes")),
            Self::NatExpiriesPerDay => per_day(column("nat_expiries")),
            Self::FalseAlarmsPerDay => per_day(column("false_alarms")),
            Self::RecoverMeanS => column("recover_mean_s"),
            Self::UnavailableSPerDay => Some(86_400.0 * missing(column("availability"))?),
            Self::PushDelayMeanS => column("push_delay_mean_s"),
            Self::PushLostShare => missing(share(column("pushes_delivered"), column("pushes_created"))),
            Self::PacketsPerH => per_h(sum("packets_up", "packets_down")),
            Self::BytesPerH => per_h(sum("bytes_up", "bytes_down")),
            Self::EnergyJPerH => per_h(column("energy_j")),
            Self::AttemptsPerH => per_h(column("connect_attempts")),
            Self::AttemptsPeakPerS => column("attempts_peak_per_s"),
        }
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
            ("device_hours", 48.0),
            ("episodes", 8.0),
            ("ridden_out", 1.0),
            ("undetected", 3.0),
            ("false_alarms", 4.0),
            ("detect_mean_s", 70.0),
            ("detect_p95_s", 130.0),
            ("recover_mean_s", 71.0),
            ("availability", 0.75),
            ("packets_up", 480.0),
            ("packets_down", 960.0),
            ("bytes_up", 4_800.0),
            ("bytes_down", 9_600.0),
            ("connect_attempts", 24.0),
            ("pushes_created", 10.0),
            ("pushes_delivered", 9.0),
            ("push_delay_mean_s", 0.5),
            ("energy_j", 144.0),
            ("attempts_peak_per_s", 5.0),
            ("nat_expiries", 2.0),
        ];
        assert!(row.iter().map(|(name, _)| *name).eq(COLUMNS));
        let value = |metric: Metric| metric.value(&|name| row.iter().find(|it| it.0 == name).map(|it| it.1));
        let expected = [70.0, 130.0, 0.5, 1.0, 2.0, 71.0, 21_600.0, 0.5, 0.1, 30.0, 300.0, 3.0, 0.5, 5.0];
        for (metric, expected) in Metric::ALL.into_iter().zip(expected) {
            assert!((value(metric).unwrap() - expected).abs() < 1e-9, "{metric:?}");
        }
    }

    #[test]
    fn a_share_of_nothing_is_absent() {
        assert_eq!(Metric::UnnoticedShare.value(&|_| Some(0.0)), None);
        assert_eq!(Metric::EnergyJPerH.value(&|name| (name == "device_hours").then_some(1.0)), None);
    }
}
