//! The axis of time of a strip chart: which part of the run it shows, and which moments get a tick.

use std::time::Duration;

use cardiogram_policies::Time;

/// The part of a run that is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) from: Time,
    pub(super) to: Time,
}

/// The distances between ticks to choose from, in microseconds: those of clocks.
const STEPS: [u64; 34] = [
    10,
    20,
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    15_000_000,
    30_000_000,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    24 * HOUR,
    168 * HOUR,
];
const MINUTE: u64 = 60_000_000;
const HOUR: u64 = 60 * MINUTE;

impl Window {
    /// Its length.
    pub(super) const fn span(self) -> Duration {
        self.to.since(self.from)
    }

    /// Where a moment lies: 0 at the left edge, 1 at the right one.
    pub(super) fn place(self, at: Time) -> f64 {
        let micros = at.as_micros() as f64 - self.from.as_micros() as f64;
        micros / self.span().as_micros() as f64
    }

    /// Whether a moment lies in it.
    pub(super) fn has(self, at: Time) -> bool {
        (self.from..=self.to).contains(&at)
    }

    /// What of a span lies in it.
    pub(super) fn clip(self, (begin, end): (Time, Time)) -> Option<(Time, Time)> {
        (begin <= self.to && end >= self.from).then(|| (begin.max(self.from), end.min(self.to)))
    }

    /// The distance between ticks, at most `most` of them if there is such a step.
    fn step(self, most: u64) -> u64 {
        let span = self.span().as_micros() as u64;
        let longest = STEPS[STEPS.len() - 1];
        STEPS
            .into_iter()
            .find(|step| span / step <= most)
            .unwrap_or_else(|| span.div_ceil(most).next_multiple_of(longest))
    }

    /// The ticks with their labels, and in which unit the labels are.
    pub(super) fn ticks(self, most: u64) -> (Vec<(Time, String)>, &'static str) {
        let step = self.step(most);
        let first = self.from.as_micros().div_ceil(step);
        let (label, unit): (fn(Time, u64) -> String, _) = match step {
            // Within the first minute nobody wants to read zeros of hours.
            _ if self.to <= Time::from_secs(60) => (|at, step| seconds(at.as_micros(), step), "s"),
            HOUR.. => (|at, _| (at.as_micros() / HOUR).to_string(), "h"),
            MINUTE.. => (|at, _| clock(at, None), "h:mm"),
            _ => (|at, step| clock(at, Some(step)), "h:mm:ss"),
        };
        let ticks = (first..).map(|count| Time::from_micros(count * step)).take_while(|at| *at <= self.to);
        (ticks.map(|at| (at, label(at, step))).collect(), unit)
    }
}

/// A moment as a clock shows it, with seconds where there is a step, as fine as that is.
fn clock(at: Time, step: Option<u64>) -> String {
    let micros = at.as_micros();
    let (hours, minutes) = (micros / HOUR, micros % HOUR / MINUTE);
    match step {
        None => format!("{hours}:{minutes:02}"),
        Some(step) => {
            let seconds = seconds(micros % MINUTE, step);
            let zero = if micros % MINUTE < 10_000_000 { "0" } else { "" };
            format!("{hours}:{minutes:02}:{zero}{seconds}")
        }
    }
}

/// Seconds with as many decimals as a step has.
fn seconds(micros: u64, step: u64) -> String {
    let decimals =
        (0..6_u32).find(|decimals| (step * 10_u64.pow(*decimals)).is_multiple_of(1_000_000)).unwrap_or(6) as usize;
    format!("{:.decimals$}", micros as f64 / 1e6)
}

/// A moment to the tenth of a second as a clock shows it, for sentences: `1:55:12.6`, `2:00:00`.
pub(super) fn moment(at: Time) -> String {
    let text = clock(Time::from_micros(at.as_micros() / 100_000 * 100_000), Some(100_000));
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// A span in a unit in which it has few digits: `38 ms`, `18.9 s`, `12 min`, `3.5 h`.
pub(super) fn length(span: Duration) -> String {
    let secs = span.as_secs_f64();
    let short = |value: f64, unit: &str| {
        let decimals = usize::from(value < 99.95);
        let digits = format!("{value:.decimals$}");
        format!("{} {unit}", digits.strip_suffix(".0").unwrap_or(&digits))
    };
    match secs {
        ..1.0 => format!("{} ms", short(secs * 1e3, "").trim_end()),
        ..120.0 => short(secs, "s"),
        ..7_200.0 => short(secs / 60.0, "min"),
        _ => short(secs / 3_600.0, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from_ms: u64, to_ms: u64) -> (Vec<String>, &'static str) {
        let window = Window { from: Time::from_millis(from_ms), to: Time::from_millis(to_ms) };
        let (ticks, unit) = window.ticks(8);
        (ticks.into_iter().map(|(_, label)| label).collect(), unit)
    }

    #[test]
    fn ticks_have_the_distances_of_clocks_from_milliseconds_to_days() {
        let (day, unit) = labels(0, 86_400_000);
        assert_eq!((day.join(" "), unit), ("0 3 6 9 12 15 18 21 24".into(), "h"));
        let (hour, unit) = labels(3_000_000, 6_600_000);
        assert_eq!((hour.join(" "), unit), ("0:50 1:00 1:10 1:20 1:30 1:40 1:50".into(), "h:mm"));
        let (ten_seconds, unit) = labels(6_908_000, 6_918_000);
        assert_eq!(
            (ten_seconds.join(" "), unit),
            ("1:55:08 1:55:10 1:55:12 1:55:14 1:55:16 1:55:18".into(), "h:mm:ss")
        );
        let (one_second, unit) = labels(6_908_000, 6_909_000);
        assert_eq!(one_second[1], "1:55:08.2");
        assert_eq!(unit, "h:mm:ss");
        assert_eq!(labels(0, 10_000), (["0", "2", "4", "6", "8", "10"].map(str::to_owned).to_vec(), "s"));
    }

    #[test]
    fn the_longest_run_has_few_ticks() {
        assert!(labels(0, 366 * 86_400_000).0.len() <= 9);
    }

    #[test]
    fn lengths_have_few_digits() {
        let said = [37_812, 999_000, 1_000_000, 18_944_149, 100_000_000, 713_000_000, 20_386_000_000]
            .map(|micros| length(Duration::from_micros(micros)));
        assert_eq!(said, ["37.8 ms", "999 ms", "1 s", "18.9 s", "100 s", "11.9 min", "5.7 h"]);
    }
}
