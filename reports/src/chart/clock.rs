//! An axis of time as clocks show it: which moments of a run get a tick, and what it says. Spans on a logarithmic axis are
//! not told here: see `scale`.

use super::scale::Tick;

/// The most ticks of an axis.
const TICKS_MAX: u64 = 8;

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

/// Returns the ticks between two moments, in seconds, and the unit that their labels are in.
pub(super) fn ticks(from_s: f64, to_s: f64) -> (Vec<Tick>, &'static str) {
    let [from, to] = [from_s, to_s].map(micros);
    let step = step(to - from);
    let (label, unit): (fn(u64, u64) -> String, _) = match step {
        // Within the first minute nobody wants to read zeros of hours.
        _ if to <= MINUTE => (seconds, "s"),
        HOUR.. => (|at, _| (at / HOUR).to_string(), "h"),
        MINUTE.. => (|at, _| clock(at, None), "h:mm"),
        _ => (|at, step| clock(at, Some(step)), "h:mm:ss"),
    };
    let moments = (from.div_ceil(step)..).map(|count| count * step).take_while(|at| *at <= to);
    (moments.map(|at| Tick { value: at as f64 / 1e6, label: Some(label(at, step)) }).collect(), unit)
}

/// Returns the distance between ticks of a span: the shortest that makes no more than [`TICKS_MAX`].
fn step(span: u64) -> u64 {
    let longest = STEPS[STEPS.len() - 1];
    let fits = |step: &u64| span / step <= TICKS_MAX;
    STEPS.into_iter().find(fits).unwrap_or_else(|| span.div_ceil(TICKS_MAX).next_multiple_of(longest))
}

fn micros(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}

/// Returns a moment as a clock shows it. With a step it has seconds, with as many decimals as the step needs.
fn clock(micros: u64, step: Option<u64>) -> String {
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

/// Returns seconds with as many decimals as the step needs.
fn seconds(micros: u64, step: u64) -> String {
    let decimals =
        (0..6_u32).find(|decimals| (step * 10_u64.pow(*decimals)).is_multiple_of(1_000_000)).unwrap_or(6) as usize;
    format!("{:.decimals$}", micros as f64 / 1e6)
}

/// Returns a span, given in seconds, in the unit that people would use for it, and that unit.
pub(crate) fn in_unit(seconds: f64) -> (f64, &'static str) {
    match seconds {
        ..1.0 => (seconds * 1e3, "ms"),
        ..120.0 => (seconds, "s"),
        ..7_200.0 => (seconds / 60.0, "min"),
        _ => (seconds / 3_600.0, "h"),
    }
}

/// Returns a span, given in seconds, with few digits: `38 ms`, `18.9 s`, `12 min`, `3.5 h`.
pub(crate) fn length(seconds: f64) -> String {
    let (value, unit) = in_unit(seconds);
    let decimals = usize::from(value < 99.95);
    let digits = format!("{value:.decimals$}");
    format!("{} {unit}", digits.strip_suffix(".0").unwrap_or(&digits))
}

/// Returns a moment to the tenth of a second as a clock shows it, for sentences: `1:55:12.6`, `2:00:00`.
pub(crate) fn moment(micros: u64) -> String {
    let text = clock(micros / 100_000 * 100_000, Some(100_000));
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from_s: f64, to_s: f64) -> (Vec<String>, &'static str) {
        let (ticks, unit) = ticks(from_s, to_s);
        (ticks.into_iter().filter_map(|tick| tick.label).collect(), unit)
    }

    #[test]
    fn ticks_have_the_distances_of_clocks_from_milliseconds_to_days() {
        let (day, unit) = labels(0.0, 86_400.0);
        assert_eq!((day.join(" "), unit), ("0 3 6 9 12 15 18 21 24".into(), "h"));
        let (hour, unit) = labels(3_000.0, 6_600.0);
        assert_eq!((hour.join(" "), unit), ("0:50 1:00 1:10 1:20 1:30 1:40 1:50".into(), "h:mm"));
        let (ten_seconds, unit) = labels(6_908.0, 6_918.0);
        assert_eq!(
            (ten_seconds.join(" "), unit),
            ("1:55:08 1:55:10 1:55:12 1:55:14 1:55:16 1:55:18".into(), "h:mm:ss")
        );
        let (one_second, unit) = labels(6_908.0, 6_909.0);
        assert_eq!(one_second[1], "1:55:08.2");
        assert_eq!(unit, "h:mm:ss");
        assert_eq!(labels(0.0, 10.0), (["0", "2", "4", "6", "8", "10"].map(str::to_owned).to_vec(), "s"));
    }

    #[test]
    fn the_longest_run_has_few_ticks() {
        assert!(labels(0.0, 366.0 * 86_400.0).0.len() <= 9);
    }

    #[test]
    fn lengths_have_few_digits() {
        let said = [0.037_812, 0.999, 1.0, 18.944_149, 100.0, 713.0, 20_386.0].map(length);
        assert_eq!(said, ["37.8 ms", "999 ms", "1 s", "18.9 s", "100 s", "11.9 min", "5.7 h"]);
    }

    #[test]
    fn moments_in_sentences_are_to_the_tenth_of_a_second() {
        assert_eq!([6_912_600_001, 7_200_000_000].map(moment), ["1:55:12.6", "2:00:00"]);
    }
}
