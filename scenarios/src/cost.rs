//! What a plan costs, before any of it is carried out, and what it may cost.

use std::{fmt, time::Duration};

use cardiogram_policies::unit::format_duration;

/// What a plan, or the shard of one, costs: an estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanCost {
    /// How many runs it has.
    pub runs: u64,
    /// The time of all devices in all runs together.
    pub device_time: Duration,
    /// The most strikes of faults in one run, over all devices and servers.
    pub strikes: u64,
    /// The most mappings of devices that NATs hold at a time in one run.
    pub mappings: u64,
    /// The time of one processor.
    pub cpu: Duration,
    /// The most memory of the process, in bytes.
    pub memory_bytes: u64,
}

/// What a plan may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The time of one processor.
    pub cpu: Duration,
    /// The memory of the process, in bytes.
    pub memory_bytes: u64,
}

impl Default for Limits {
    /// A day, and 4 GiB.
    fn default() -> Self {
        Self { cpu: Duration::from_hours(24), memory_bytes: 4 << 30 }
    }
}

impl PlanCost {
    /// Returns what of it is too much, and what to do about it.
    pub(crate) fn excess(&self, limits: &Limits) -> Option<(String, String)> {
        let scope = format!(
            "{} runs of {} device-days in all, with up to {} strikes and {} mappings in one",
            self.runs,
            device_days(self.device_time),
            self.strikes,
            self.mappings
        );
        if self.memory_bytes > limits.memory_bytes {
            let (is, most) = (size(self.memory_bytes), size(limits.memory_bytes));
            return Some((
                format!("this needs about {is} of memory, and the limit is {most}: {scope}"),
                format!(
                    "take fewer `devices.count`, rarer faults or less at a time (`--jobs`); `--memory-limit {is}` allows it"
                ),
            ));
        }
        if self.cpu > limits.cpu {
            let (is, most) = (rounded(self.cpu), rounded(limits.cpu));
            return Some((
                format!("this needs about {is} of one processor, and the limit is {most}: {scope}"),
                format!(
                    "take fewer `devices.count`, a shorter `duration` or fewer `--seeds`, or share it out with `--shard`; \
                     `--cpu-limit {}` allows it",
                    is.replace(' ', "")
                ),
            ));
        }
        None
    }
}

impl fmt::Display for PlanCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = if self.runs == 1 { "1 run".to_owned() } else { format!("{} runs", self.runs) };
        let (days, cpu) = (device_days(self.device_time), rounded(self.cpu));
        write!(f, "{runs}, {days} device-days, about {cpu} of one processor and {} of memory", size(self.memory_bytes))
    }
}

/// Returns time as device-days, to three digits.
pub fn device_days(time: Duration) -> String {
    let days = time.as_secs_f64() / 86_400.0;
    match days {
        0.0..1.0 => format!("{days:.3}"),
        1.0..100.0 => format!("{days:.1}"),
        _ => format!("{days:.0}"),
    }
}

/// Returns a span as an estimate is worth telling: at least a second, and of hours no seconds.
fn rounded(span: Duration) -> String {
    let step = match span.as_secs() {
        0..600 => 1,
        600..36_000 => 60,
        36_000..864_000 => 3_600,
        _ => 86_400,
    };
    format_duration(Duration::from_secs((span.as_secs().div_ceil(step) * step).max(1)))
}

/// Returns an amount of memory in MiB or GiB.
pub fn size(bytes: u64) -> String {
    match bytes.div_ceil(1 << 20) {
        mib @ 0..10_240 => format!("{mib}MiB"),
        mib => format!("{}GiB", mib.div_ceil(1 << 10)),
    }
}

/// Reads an amount of memory: `4GiB`, `512MiB`.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let amount = |unit: &str, bytes: u64| text.strip_suffix(unit)?.trim().parse::<u64>().ok()?.checked_mul(bytes);
    amount("GiB", 1 << 30)
        .or_else(|| amount("MiB", 1 << 20))
        .ok_or_else(|| format!("`{text}` is not an amount of memory; write it as 512MiB or 4GiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_they_are_written() {
        for bytes in [1 << 20, 512 << 20, 4 << 30, 100 << 30] {
            assert_eq!(parse_size(&size(bytes)), Ok(bytes));
        }
        for text in ["", "4", "4GB", "-1GiB", "1.5GiB", "99999999999999GiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn estimates_are_told_to_what_they_are_worth() {
        let spans = [0, 59, 61, 3_700, 90_000, 10_000_000].map(|secs| rounded(Duration::from_secs(secs)));
        assert_eq!(spans, ["1s", "59s", "1m1s", "1h2m", "1d1h", "116d"]);
    }
}
