//! From values to places along an axis, and which values get a tick.

use super::{clock, lanes::Lane};

/// How values lie along an axis.
#[derive(Debug, Clone)]
pub(crate) enum Scale {
    /// Equal ratios are equal lengths.
    Log { min: f64, max: f64 },
    /// Equal ratios are equal lengths from `min` on; what is less than that is zero, which has a place of its own below.
    LogAndZero { min: f64, max: f64 },
    /// Equal differences are equal lengths.
    Linear { min: f64, max: f64 },
    /// Seconds since the start of a run, equal differences being equal lengths.
    Time { from: f64, to: f64 },
    /// Seconds, equal ratios being equal lengths.
    LogTime { min: f64, max: f64 },
    /// Names, evenly spaced; the value is the index.
    Names(Vec<String>),
    /// Lanes below each other, each with its height; the value is the index.
    Lanes(Vec<Lane>),
}

/// The share of an axis that belongs to zero where zero has a place of its own.
pub(super) const ZERO_SHARE: f64 = 0.08;

/// A mark on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub(crate) value: f64,
    /// What it says; `None` for a minor tick.
    pub(crate) label: Option<String>,
}

impl Scale {
    /// Returns a logarithmic scale with room around `values`, which are above zero; at least a decade.
    pub(crate) fn log_around(values: impl IntoIterator<Item = f64>) -> Self {
        let (min, max) = decade_around(values);
        Self::Log { min, max }
    }

    /// Returns a logarithmic scale with room around those of `values` that are above zero, and a place for zero.
    pub(crate) fn log_and_zero_around(values: impl IntoIterator<Item = f64>) -> Self {
        let (min, max) = decade_around(values.into_iter().filter(|value| *value > 0.0));
        Self::LogAndZero { min, max }
    }

    /// Returns a logarithmic scale of seconds with room around `values`, which are above zero; at least a decade.
    pub(crate) fn log_time_around(values: impl IntoIterator<Item = f64>) -> Self {
        let (min, max) = decade_around(values);
        Self::LogTime { min, max }
    }

    /// Returns a linear scale from 0 with room above the largest of `values`, which are not below zero.
    pub(crate) fn linear_from_zero(values: impl IntoIterator<Item = f64>) -> Self {
        let max = range(values).map_or(0.0, |(_, max)| max);
        Self::Linear { min: 0.0, max: if max > 0.0 { max * 1.05 } else { 1.0 } }
    }

    /// Returns where `value` lies: 0 at one end of the axis, 1 at the other.
    pub(crate) fn place(&self, value: f64) -> f64 {
        match self {
            Self::Log { min, max } | Self::LogTime { min, max } => libm::log10(value / min) / libm::log10(max / min),
            Self::LogAndZero { .. } if value <= 0.0 => ZERO_SHARE / 2.0,
            Self::LogAndZero { min, max } => {
                let share = libm::log10(value / min) / libm::log10(max / min);
                ZERO_SHARE + (1.0 - ZERO_SHARE) * share.max(0.0)
            }
            Self::Time { from: min, to: max } | Self::Linear { min, max } => (value - min) / (max - min),
            Self::Names(names) => (value + 0.5) / names.len() as f64,
            Self::Lanes(lanes) => {
                let (above, lane) = (&lanes[..value as usize], &lanes[value as usize]);
                let total: f64 = lanes.iter().map(Lane::height).sum();
                (above.iter().map(Lane::height).sum::<f64>() + lane.height() / 2.0) / total
            }
        }
    }

    /// Returns the marks along the axis, ascending.
    pub(crate) fn ticks(&self) -> Vec<Tick> {
        match self {
            Self::Log { min, max } => log_ticks(*min, *max),
            Self::LogAndZero { min, max } => {
                let zero = Tick { value: 0.0, label: Some("0".to_owned()) };
                std::iter::once(zero).chain(log_ticks(*min, *max)).collect()
            }
            Self::LogTime { min, max } => log_time_ticks(*min, *max),
            Self::Time { from, to } => clock::ticks(*from, *to).0,
            Self::Linear { min, max } => linear_ticks(*min, *max),
            Self::Names(names) => {
                let tick = |(value, name): (u32, &String)| Tick { value: value.into(), label: Some(name.clone()) };
                (0..).zip(names).map(tick).collect()
            }
            Self::Lanes(_) => Vec::new(),
        }
    }

    /// Returns the unit that the ticks have in common; `None` where each tick has its own or the axis is named with it.
    pub(crate) fn unit(&self) -> Option<&'static str> {
        match self {
            Self::Time { from, to } => Some(clock::ticks(*from, *to).1),
            Self::Log { .. }
            | Self::LogAndZero { .. }
            | Self::Linear { .. }
            | Self::LogTime { .. }
            | Self::Names(_)
            | Self::Lanes(_) => None,
        }
    }

    /// Returns the least and the greatest value of an axis of numbers; of one of names, its ends.
    pub(crate) fn ends(&self) -> (f64, f64) {
        match self {
            Self::Log { min, max } | Self::LogTime { min, max } | Self::Linear { min, max } => (*min, *max),
            Self::LogAndZero { max, .. } => (0.0, *max),
            Self::Time { from, to } => (*from, *to),
            Self::Names(names) => (-0.5, names.len() as f64 - 0.5),
            Self::Lanes(lanes) => (0.0, lanes.len().saturating_sub(1) as f64),
        }
    }

    /// Returns whether the axis has names rather than numbers: they go down, and numbers go up.
    pub(crate) const fn is_named(&self) -> bool {
        matches!(self, Self::Names(_) | Self::Lanes(_))
    }
}

/// Returns the range of `values` with room around it; at least a decade.
fn decade_around(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    const ROOM: f64 = 1.6;
    let (mut min, mut max) = range(values).unwrap_or((1.0, 1.0));
    (min, max) = (min / ROOM, max * ROOM);
    let missing = 10.0 * min / max;
    if missing > 1.0 {
        (min, max) = (min / missing.sqrt(), max * missing.sqrt());
    }
    (min, max)
}

fn range(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().map(|value| (value, value)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// Returns whole multiples of powers of ten; those with 1, 2 and 5 named over few decades, else the powers alone.
fn log_ticks(min: f64, max: f64) -> Vec<Tick> {
    let named: &[u32] = if libm::log10(max / min) <= 3.0 { &[1, 2, 5] } else { &[1] };
    let (first, last) = (libm::floor(libm::log10(min)) as i32, libm::ceil(libm::log10(max)) as i32);
    let mut ticks = Vec::new();
    for exponent in first..=last {
        for multiple in 1..10_u32 {
            let value = f64::from(multiple) * libm::pow(10.0, exponent.into());
            if (min..=max).contains(&value) {
                let decimals = usize::try_from(-exponent).unwrap_or(0);
                let label = named.contains(&multiple).then(|| format!("{value:.decimals$}"));
                ticks.push(Tick { value, label });
            }
        }
    }
    ticks
}

/// Returns multiples of 1, 2 or 5 times a power of ten: four to nine of them.
fn linear_ticks(min: f64, max: f64) -> Vec<Tick> {
    let magnitude = libm::floor(libm::log10((max - min) / 4.0));
    let power = libm::pow(10.0, magnitude);
    let step = [5.0, 2.0, 1.0].map(|multiple| multiple * power).into_iter().find(|step| (max - min) / step >= 4.0);
    let step = step.expect("a power of ten fits at least four times");
    let decimals = (-magnitude).max(0.0) as usize;
    (0..20)
        .map(|index| libm::ceil(min / step) * step + f64::from(index) * step)
        .take_while(|value| *value <= max)
        .map(|value| Tick { value, label: Some(format!("{value:.decimals$}")) })
        .collect()
}

/// The units of time, with their seconds.
const TIME_UNITS: [(&str, f64); 5] = [("ms", 0.001), ("s", 1.0), ("min", 60.0), ("h", 3_600.0), ("d", 86_400.0)];

/// Returns the units and their tens and hundreds, and over few decades what lies between them.
fn log_time_ticks(min: f64, max: f64) -> Vec<Tick> {
    let few = libm::log10(max / min) <= 2.5;
    let mut ticks = Vec::new();
    for (index, (unit, unit_s)) in TIME_UNITS.into_iter().enumerate() {
        let next_s = TIME_UNITS.get(index + 1).map_or(f64::INFINITY, |(_, next_s)| *next_s);
        for (multiple, is_major) in [
            (1.0, true),
            (2.0, few),
            (5.0, few),
            (10.0, true),
            (20.0, few),
            (30.0, few),
            (100.0, true),
            (200.0, few),
            (500.0, few),
        ] {
            let value = multiple * unit_s;
            if (min..=max).contains(&value) && value < next_s {
                ticks.push(Tick { value, label: is_major.then(|| format!("{multiple} {unit}")) });
            }
        }
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<String> {
        scale.ticks().into_iter().filter_map(|tick| tick.label).collect()
    }

    #[test]
    fn few_decades_name_1_2_and_5_and_many_name_the_powers() {
        assert_eq!(labels(&Scale::Log { min: 0.04, max: 3.0 }), ["0.05", "0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(labels(&Scale::Log { min: 0.5, max: 20_000.0 }), ["1", "10", "100", "1000", "10000"]);
    }

    #[test]
    fn zero_has_a_place_of_its_own_below_all_others() {
        let scale = Scale::log_and_zero_around([0.0, 2.0, 300.0]);
        assert!(0.0 < scale.place(0.0) && scale.place(0.0) < ZERO_SHARE);
        assert!(ZERO_SHARE < scale.place(2.0) && scale.place(2.0) < scale.place(300.0) && scale.place(300.0) < 1.0);
        // The end of an interval that is next to nothing is not zero.
        assert!((scale.place(1e-9) - ZERO_SHARE).abs() < 1e-12);
        assert_eq!(labels(&scale)[0], "0");
        let nothing = Scale::log_and_zero_around([0.0]);
        assert!(nothing.place(0.0) > 0.0 && labels(&nothing).len() > 1);
    }

    #[test]
    fn linear_ticks_are_round() {
        assert_eq!(labels(&Scale::Linear { min: 0.0, max: 105.0 }), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(labels(&Scale::Linear { min: 0.0, max: 0.5 }), ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]);
    }

    #[test]
    fn times_are_counted_as_people_count_them() {
        let axis = |to| (labels(&Scale::Time { from: 0.0, to })[..3].join(" "), Scale::Time { from: 0.0, to }.unit());
        assert_eq!(axis(86_400.0), ("0 3 6".to_owned(), Some("h")));
        assert_eq!(axis(600.0), ("0:00 0:02 0:04".to_owned(), Some("h:mm")));
        assert_eq!(axis(2.0), ("0.0 0.5 1.0".to_owned(), Some("s")));
        assert_eq!(
            labels(&Scale::LogTime { min: 0.5, max: 90_000.0 }),
            ["1 s", "10 s", "1 min", "10 min", "1 h", "10 h", "1 d"]
        );
        assert_eq!(labels(&Scale::LogTime { min: 9.0, max: 130.0 }), ["10 s", "20 s", "30 s", "1 min", "2 min"]);
    }

    #[test]
    fn values_lie_inside_and_a_single_one_in_the_middle() {
        assert!((Scale::log_around([7.0]).place(7.0) - 0.5).abs() < 1e-12);
        let scale = Scale::log_around([0.02, 5_000.0]);
        assert!(scale.place(0.02) > 0.02 && scale.place(5_000.0) < 0.98);
        assert!((Scale::Names(vec!["a".into(), "b".into()]).place(1.0) - 0.75).abs() < 1e-12);
    }
}
