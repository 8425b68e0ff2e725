//! Fault schedules: when a fault strikes and how long it lasts, drawn from the seed before the run.

use std::{collections::BTreeMap, time::Duration};

use cardiogram_policies::{Time, unit::Span};
use rand_core::Rng;

use super::random;
use crate::config::{Distribution, Fault, FaultConfig, Flapping, Lasts, When, WorldConfig};

/// A stretch of time, its end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) begin: Time,
    pub(crate) end: Time,
}

impl Interval {
    /// Returns whether a moment lies in it.
    pub(crate) fn contains(&self, at: Time) -> bool {
        self.begin <= at && at < self.end
    }

    /// Returns whether a moment lies in one of `intervals`, which are sorted and free of overlaps.
    pub(crate) fn any_contains(intervals: &[Self], at: Time) -> bool {
        let over = intervals.partition_point(|interval| interval.end <= at);
        intervals.get(over).is_some_and(|interval| interval.begin <= at)
    }

    /// Returns what is left of `intervals` in a world that is frozen at `now`: the one that contains it lasts for ever.
    pub(crate) fn frozen(intervals: &[Self], now: Time) -> Vec<Self> {
        let lasts = Self::any_contains(intervals, now);
        lasts.then_some(Self { begin: now, end: Time::MAX }).into_iter().collect()
    }
}

/// Returns the faults, each with the name of its stream: its place in the file.
pub(crate) fn numbered(config: &WorldConfig) -> impl Iterator<Item = (String, &FaultConfig)> {
    config.faults.iter().enumerate().map(|(place, fault)| (format!("fault/{place}"), fault))
}

/// Returns when a fault strikes, up to `horizon`, and until when each time: sorted and free of overlaps. `component` and
/// `index` name the stream of its draws.
pub(crate) fn strikes(fault: &Fault<'_>, horizon: Time, seed: u64, component: &str, index: u64) -> Vec<Interval> {
    let lasting = |lasts| intervals(fault.when, lasts, horizon, seed, component, index);
    match &fault.lasts {
        Lasts::Instant => {
            // The shortest length keeps two of them apart.
            let drawn = lasting(Some(&Distribution::Constant(Span::millis(1))));
            drawn.into_iter().map(|strike| Interval { end: strike.begin, ..strike }).collect()
        }
        Lasts::ForEver => lasting(None),
        Lasts::Drawn(lasts) => lasting(Some(lasts)),
        Lasts::Flaps(spec) => flapping(spec, horizon, seed, component, index),
    }
}

/// Returns the moments and lengths of one fault up to `horizon`, sorted and free of overlaps. `component` and `index` name the
/// stream; a fault without a length (`lasts` is `None`) lasts for ever.
pub(crate) fn intervals(
    when: &When,
    lasts: Option<&Distribution>,
    horizon: Time,
    seed: u64,
    component: &str,
    index: u64,
) -> Vec<Interval> {
    let mut found = Vec::new();
    strike(when, horizon, &mut random::stream(seed, component, index), |begin, rng| {
        let end = end(begin, lasts, rng);
        found.push(Interval { begin, end });
        end
    });
    merge(found)
}

/// Returns when a flapping link is down.
fn flapping(spec: &Flapping, horizon: Time, seed: u64, component: &str, index: u64) -> Vec<Interval> {
    let mut found = Vec::new();
    strike(&spec.when, horizon, &mut random::stream(seed, component, index), |begin, rng| {
        let end = if spec.lasts.is_some() { end(begin, spec.lasts.as_ref(), rng) } else { Time::MAX };
        let again = spec.cycles.map_or(1.0, |mean| 1.0 - 1.0 / f64::from(mean));
        let mut down = begin;
        loop {
            let up = (down + exponential(spec.down.get(), rng)).min(end);
            found.push(Interval { begin: down, end: up });
            down = up + exponential(spec.up.get(), rng);
            let is_last = spec.cycles.is_some() && random::draw(rng) >= again;
            if is_last || down >= end || down >= horizon {
                return up;
            }
        }
    });
    merge(found)
}

/// Lets a fault strike at each of its moments before `horizon`. `lasts` draws what happens from then on, and returns when
/// that is over.
fn strike<R: Rng>(when: &When, horizon: Time, rng: &mut R, mut lasts: impl FnMut(Time, &mut R) -> Time) {
    match when {
        When::At(times) => {
            for time in times {
                let begin = Time::ZERO + time.get();
                if begin < horizon {
                    lasts(begin, rng);
                }
            }
        }
        When::Within { from, to } => {
            let width = to.get().saturating_sub(from.get());
            let offset = Duration::from_micros((width.as_micros() as f64 * random::draw(rng)) as u64);
            let begin = Time::ZERO + from.get() + offset;
            if begin < horizon {
                lasts(begin, rng);
            }
        }
        When::Every(mean) => again(mean.get(), Interval { begin: Time::ZERO, end: horizon }, rng, lasts),
        When::During { every, from, to } => {
            let (begin, end) = (Time::ZERO + from.get(), (Time::ZERO + to.get()).min(horizon));
            again(every.get(), Interval { begin, end }, rng, lasts);
        }
    }
}

/// Returns a Poisson process that stands still while a fault lasts.
fn again<R: Rng>(mean: Duration, within: Interval, rng: &mut R, mut lasts: impl FnMut(Time, &mut R) -> Time) {
    let mut begin = within.begin + exponential(mean, rng);
    while begin < within.end {
        let end = lasts(begin, rng);
        begin = end + exponential(mean, rng);
    }
}

fn end(begin: Time, lasts: Option<&Distribution>, rng: &mut impl Rng) -> Time {
    lasts.map_or(Time::MAX, |lasts| begin + lasts.at(random::unit(rng.next_u64())))
}

/// Returns the lowest value among those whose interval is under way, as the moments at which it changes; sorted.
pub(crate) fn lowest<T: Ord + Copy>(valued: &[(Interval, T)]) -> Vec<(Time, Option<T>)> {
    let mut edges: Vec<(Time, bool, T)> = Vec::new();
    for (interval, value) in valued {
        edges.extend([(interval.begin, true, *value), (interval.end, false, *value)]);
    }
    edges.sort_unstable();
    let mut under_way: BTreeMap<T, u32> = BTreeMap::new();
    let mut changes: Vec<(Time, Option<T>)> = Vec::new();
    for moment in edges.chunk_by(|a, b| a.0 == b.0) {
        for (_, begins, value) in moment {
            let count = under_way.entry(*value).or_default();
            *count = if *begins { *count + 1 } else { *count - 1 };
            if *count == 0 {
                under_way.remove(value);
            }
        }
        let lowest = under_way.first_key_value().map(|(value, _)| *value);
        let before = changes.last().and_then(|(_, value)| *value);
        if before != lowest {
            changes.push((moment[0].0, lowest));
        }
    }
    changes
}

/// Returns an exponential span of mean `mean`, at least a microsecond so that time moves on.
pub(crate) fn exponential(mean: Duration, rng: &mut impl Rng) -> Duration {
    let span = -(mean.as_micros() as f64) * libm::log1p(-random::draw(rng));
    Duration::from_micros((span as u64).max(1))
}

/// Sorts intervals and joins those that touch.
pub(crate) fn merge(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort_unstable_by_key(|interval| (interval.begin, interval.end));
    let mut merged: Vec<Interval> = Vec::with_capacity(intervals.len());
    for interval in intervals {
        match merged.last_mut() {
            Some(last) if interval.begin <= last.end => last.end = last.end.max(interval.end),
            _ => merged.push(interval),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::unit::{Delay, Span};

    use super::*;
    use crate::config::{Answer, Carrier, Direction, LinkName};

    const DAY: Time = Time::from_secs(86_400);

    fn secs(begin: u64, end: u64) -> Interval {
        Interval { begin: Time::from_secs(begin), end: Time::from_secs(end) }
    }

    #[test]
    fn fixed_times_are_kept_and_overlaps_joined() {
        let when = When::At([50_u64, 10, 12].map(|s| Delay::millis(s * 1_000)).to_vec());
        let lasts = Distribution::Constant(Span::secs(5));
        assert_eq!(intervals(&when, Some(&lasts), DAY, 1, "cut", 0), [secs(10, 17), secs(50, 55)]);
    }

    #[test]
    fn a_fault_without_a_length_lasts_for_ever() {
        let when = When::At(vec![Delay::millis(1_000)]);
        let expected = Interval { begin: Time::from_secs(1), end: Time::MAX };
        assert_eq!(intervals(&when, None, DAY, 1, "cut", 0), [expected]);
    }

    #[test]
    fn a_random_process_has_its_mean_and_no_overlaps() {
        let lasts = Distribution::Constant(Span::secs(60));
        let horizon = Time::from_secs(86_400 * 1_000);
        let found = intervals(&When::Every(Span::secs(3_600)), Some(&lasts), horizon, 1, "cut", 0);
        // A cycle is a gap of mean 3600 s and 60 s of fault; 24,000 cycles, relative error 1/sqrt(n).
        let expected = 86_400_000.0 / 3_660.0;
        assert!((found.len() as f64 / expected - 1.0).abs() < 0.03, "{}", found.len());
        assert!(found.windows(2).all(|pair| pair[0].end < pair[1].begin));
    }

    #[test]
    fn flapping_goes_down_as_often_and_as_long_as_it_says() {
        let mut spec = Flapping {
            devices: None,
            link: LinkName::Access,
            direction: Direction::Both,
            when: When::At(vec![Delay::millis(1_000)]),
            lasts: None,
            cycles: Some(6),
            down: Span::secs(8),
            up: Span::secs(20),
            answers: Answer::Nothing,
            carrier: Carrier::Kept,
        };
        let runs: Vec<Vec<Interval>> = (0..4_000).map(|index| flapping(&spec, DAY, 1, "flap", index)).collect();
        assert!(runs.iter().all(|run| run[0].begin == Time::from_secs(1)));
        // Geometric with mean 6 has a standard deviation of 5.5; the exponentials are those of 24,000 cycles.
        let cycles = runs.iter().map(Vec::len).sum::<usize>() as f64;
        assert!((cycles / 4_000.0 - 6.0).abs() < 0.3, "{cycles}");
        let secs = |spans: &mut dyn Iterator<Item = Duration>| spans.map(|span| span.as_secs_f64()).sum::<f64>();
        let down = secs(&mut runs.iter().flatten().map(|down| down.end.since(down.begin)));
        let up = secs(&mut runs.iter().flat_map(|run| run.windows(2).map(|pair| pair[1].begin.since(pair[0].end))));
        assert!((down / cycles - 8.0).abs() < 0.2, "{down}");
        assert!((up / (cycles - 4_000.0) - 20.0).abs() < 0.5, "{up}");

        spec.lasts = Some(Distribution::Constant(Span::secs(300)));
        spec.cycles = None;
        for index in 0..100 {
            let run = flapping(&spec, DAY, 1, "flap", index);
            assert!(run.iter().all(|down| down.end <= Time::from_secs(301)));
            assert!(run.len() > 2, "about eleven");
        }
    }

    #[test]
    fn where_intervals_overlap_the_lowest_value_counts() {
        let at = Time::from_secs;
        let valued = [(secs(10, 20), 5), (secs(15, 30), 3), (secs(20, 25), 5), (secs(40, 50), 7), (secs(50, 60), 7)];
        let expected = [(at(10), Some(5)), (at(15), Some(3)), (at(30), None), (at(40), Some(7)), (at(60), None)];
        assert_eq!(lowest(&valued), expected);
        assert_eq!(lowest::<u32>(&[]), []);
    }

    #[test]
    fn one_strike_within_a_window_lies_in_it() {
        for index in 0..100 {
            let when = When::Within { from: Delay::millis(5_000), to: Span::secs(9) };
            let [strike] = intervals(&when, None, DAY, 1, "cut", index)[..] else { panic!("one strike") };
            assert!((5.0..9.0).contains(&strike.begin.as_secs_f64()));
        }
    }
}
