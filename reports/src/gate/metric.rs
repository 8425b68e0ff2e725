//! What the gate compares. Every metric is a cost: less is better, always, so that no direction has to be known elsewhere.
//!
//! Not among them: counts that cost nothing in themselves. More heartbeats show as packets and energy, or do not matter.

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
    /// 1 - `availability`.
    UnavailableShare,
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
    /// `zombie_s` an hour: what servers hold for nobody.
    ZombieSPerH,
}

/// The columns that metrics are made of.
pub(crate) const COLUMNS: [&str; 21] = [
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
    "zombie_s",
    "pushes_created",
    "pushes_delivered",
    "push_delay_mean_s",
    "energy_j",
    "attempts_peak_per_s",
    "nat_expiries",
];

impl Metric {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 15] = [
        Self::DetectMeanS,
        Self::DetectP95S,
        Self::UnnoticedShare,
        Self::NatExpiriesPerDay,
        Self::FalseAlarmsPerDay,
        Self::RecoverMeanS,
        Self::UnavailableShare,
        Self::PushDelayMeanS,
        Self::PushLostShare,
        Self::PacketsPerH,
        Self::BytesPerH,
        Self::EnergyJPerH,
        Self::AttemptsPerH,
        Self::AttemptsPeakPerS,
        Self::ZombieSPerH,
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
            Self::UnavailableShare => "unavailable_share",
            Self::PushDelayMeanS => "push_delay_mean_s",
            Self::PushLostShare => "push_lost_share",
            Self::PacketsPerH => "packets_per_h",
            Self::BytesPerH => "bytes_per_h",
            Self::EnergyJPerH => "energy_j_per_h",
            Self::AttemptsPerH => "attempts_per_h",
            Self::AttemptsPeakPerS => "attempts_peak_per_s",
            Self::ZombieSPerH => "zombie_s_per_h",
        }
    }

    /// What does not matter unless a file says otherwise: 2 %, and what nobody would notice of a value near zero. A peak is
    /// the largest of many values and moves more.
    pub(crate) const fn default_band(self) -> Band {
        let absolute = match self {
            Self::DetectMeanS | Self::DetectP95S | Self::RecoverMeanS | Self::PushDelayMeanS => 0.05,
            Self::UnnoticedShare => 0.005,
            Self::NatExpiriesPerDay | Self::FalseAlarmsPerDay => 0.02,
            Self::UnavailableShare => 0.0001,
            Self::PushLostShare => 0.001,
            Self::PacketsPerH => 0.1,
            Self::BytesPerH => 10.0,
            Self::EnergyJPerH => 0.1,
            Self::AttemptsPerH => 0.01,
            Self::AttemptsPeakPerS | Self::ZombieSPerH => 1.0,
        };
        let relative = if matches!(self, Self::AttemptsPeakPerS) { 0.05 } else { 0.02 };
        Band { relative, absolute }
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
            Self::UnavailableShare => missing(column("availability")),
            Self::PushDelayMeanS => column("push_delay_mean_s"),
            Self::PushLostShare => missing(share(column("pushes_delivered"), column("pushes_created"))),
            Self::PacketsPerH => per_h(sum("packets_up", "packets_down")),
            Self::BytesPerH => per_h(sum("bytes_up", "bytes_down")),
            Self::EnergyJPerH => per_h(column("energy_j")),
            Self::AttemptsPerH => per_h(column("connect_attempts")),
            Self::AttemptsPeakPerS => column("attempts_peak_per_s"),
            Self::ZombieSPerH => per_h(column("zombie_s")),
        }
    }
}
