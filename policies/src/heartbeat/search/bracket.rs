//! The search itself: a value known to be good, one known to be bad, and a rule that names the next one to try. It knows of
//! spans of time and of nothing else; what a failure is others decide.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the next candidate follows from what is known. The value known to be good is `good`, the smallest known to be bad
/// `bad`, and no candidate is at or above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SearchRule {
    /// A step more until the first failure, which ends the search.
    Linear,
    /// A step more; a failure halves the step (Courier).
    Halving,
    /// Half way between good and bad (Rahman et al. 2018).
    Binary,
    /// A step more, then two, four, ...; a failure, and the known bad, set the increment back to one step (Rahman et al.
    /// 2018).
    Exponential,
    /// The exponential search until the first failure, then the binary one (recommended by Rahman et al. 2018).
    Composite,
}

/// The limits of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) rule: SearchRule,
    /// The first candidate, and the result where even it fails.
    pub(super) min: Duration,
    pub(super) max: Duration,
    pub(super) step: Duration,
    /// Good and bad no further apart than this end the search.
    pub(super) granularity: Duration,
}

/// What a search knows. Milliseconds, so that it reads well where it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bracket {
    /// The largest value that has survived; `None` if not even the smallest has been tried.
    good_ms: Option<u64>,
    /// The smallest that has failed, or the first beyond the largest there is.
    bad_ms: u64,
    step_ms: u64,
    failed: bool,
    done: bool,
}

impl Bracket {
    pub(super) fn new(limits: &Limits) -> Self {
        let bad_ms = millis(limits.max) + millis(limits.granularity);
        Self { good_ms: None, bad_ms, step_ms: millis(limits.step), failed: false, done: false }
    }

    /// The search is over: [`best`](Self::best) is what is left.
    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// Returns the largest value that has survived; the smallest there is while none has.
    pub(super) fn best(&self, limits: &Limits) -> Duration {
        self.good_ms.map_or(limits.min, Duration::from_millis)
    }

    /// Returns the value to try next; the best once the search is over.
    pub(super) fn candidate(&self, limits: &Limits) -> Duration {
        match self.good_ms {
            None => limits.min,
            Some(good) if self.done => Duration::from_millis(good),
            Some(good) => Duration::from_millis((good + self.increment(good, limits)).min(self.last_ms(limits))),
        }
    }

    /// Returns the largest value that is not known to be bad.
    fn last_ms(&self, limits: &Limits) -> u64 {
        self.bad_ms - millis(limits.granularity)
    }

    fn increment(&self, good: u64, limits: &Limits) -> u64 {
        let grain = millis(limits.granularity);
        let is_binary = limits.rule == SearchRule::Binary || limits.rule == SearchRule::Composite && self.failed;
        if is_binary {
            // Whole grains, so that the result is as round as the limits are.
            return ((self.bad_ms - good) / 2 / grain * grain).max(grain);
        }
        let grows = matches!(limits.rule, SearchRule::Exponential | SearchRule::Composite);
        // An increment that leads to the known bad starts again from one step.
        if grows && good + self.step_ms >= self.bad_ms { millis(limits.step) } else { self.step_ms }
    }

    /// The candidate has survived.
    pub(super) fn survived(&mut self, limits: &Limits) {
        let candidate = millis(self.candidate(limits));
        let grows = matches!(limits.rule, SearchRule::Exponential | SearchRule::Composite);
        if let Some(good) = self.good_ms.filter(|_| grows) {
            self.step_ms = self.increment(good, limits) * 2;
        }
        self.good_ms = Some(candidate);
        self.done |= self.last_ms(limits) <= candidate;
    }

    /// The candidate has failed.
    pub(super) fn failed(&mut self, limits: &Limits) {
        let Some(good) = self.good_ms else {
            // Not even the smallest survives: there is nothing better.
            (self.good_ms, self.done) = (Some(millis(limits.min)), true);
            return;
        };
        let candidate = millis(self.candidate(limits));
        self.bad_ms = candidate;
        let grain = millis(limits.granularity);
        self.step_ms = match limits.rule {
            SearchRule::Halving => (self.step_ms / 2 / grain * grain).max(grain),
            _ => millis(limits.step),
        };
        self.failed = true;
        self.done |= limits.rule == SearchRule::Linear || self.bad_ms - good <= grain;
    }

    /// Returns whether what was stored makes sense within these limits.
    pub(super) fn fits(&self, limits: &Limits) -> bool {
        let (min, max, grain) = (millis(limits.min), millis(limits.max), millis(limits.granularity));
        let good = self.good_ms.unwrap_or(min);
        // While there is a candidate left it is at least as far from the known bad as this.
        let apart = if self.done { 1 } else { grain };
        // Halves end at a grain. A shorter step would be a search without an end to speak of.
        let shortest = grain.min(millis(limits.step));
        (min..=max).contains(&good)
            && (good + apart..=max + grain).contains(&self.bad_ms)
            && (shortest..=2 * (max + grain + millis(limits.step))).contains(&self.step_ms)
    }
}

const fn millis(span: Duration) -> u64 {
    span.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: [SearchRule; 5] =
        [SearchRule::Linear, SearchRule::Halving, SearchRule::Binary, SearchRule::Exponential, SearchRule::Composite];

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    fn limits(rule: SearchRule, min: u64, max: u64, step: u64) -> Limits {
        Limits { rule, min: minutes(min), max: minutes(max), step: minutes(step), granularity: minutes(1) }
    }

    /// Searches against a NAT that forgets after `timeout`: the candidates in order, with their fate, and the result.
    fn search(limits: &Limits, timeout: Duration) -> (Vec<(u64, bool)>, Duration) {
        let mut bracket = Bracket::new(limits);
        let mut tried = Vec::new();
        while !bracket.is_done() {
            let candidate = bracket.candidate(limits);
            let survives = candidate <= timeout;
            tried.push((candidate.as_secs() / 60, survives));
            if survives {
                bracket.survived(limits);
            } else {
                bracket.failed(limits);
            }
            assert!(tried.len() < 10_000, "{limits:?} behind {timeout:?} does not end");
        }
        (tried, bracket.best(limits))
    }

    /// Returns a bracket as it may be stored by an older version, or by a disk that fails.
    fn stored() -> impl Strategy<Value = Bracket> {
        // Most of them within the limits, where the search does go on.
        let ms =
            || prop_oneof![1 => Just(0), 1 => Just(1), 1 => Just(u64::MAX), 1 => any::<u64>(), 12 => 0..1_200_000_u64];
        (prop::option::of(ms()), ms(), ms(), any::<bool>(), any::<bool>())
            .prop_map(|(good_ms, bad_ms, step_ms, failed, done)| Bracket { good_ms, bad_ms, step_ms, failed, done })
    }

    fn failures(limits: &Limits, timeout: Duration) -> usize {
        search(limits, timeout).0.iter().filter(|(_, survives)| !survives).count()
    }

    #[test]
    fn courier_s_trace_behind_a_nat_of_five_and_a_half_minutes() {
        let (tried, best) = search(&limits(SearchRule::Halving, 1, 9, 2), Duration::from_secs(330));
        assert_eq!(tried, [(1, true), (3, true), (5, true), (7, false), (6, false)]);
        assert_eq!(best, minutes(5));
    }

    #[test]
    fn each_rule_tries_what_its_name_says() {
        let tried = |rule, timeout| search(&limits(rule, 1, 16, 1), minutes(timeout)).0;
        assert_eq!(tried(SearchRule::Linear, 3), [(1, true), (2, true), (3, true), (4, false)]);
        assert_eq!(tried(SearchRule::Binary, 6), [(1, true), (9, false), (5, true), (7, false), (6, true)]);
        assert_eq!(
            tried(SearchRule::Exponential, 6),
            // 1 more, 2 more, 4 more fails; 1 more, 2 more fails.
            [(1, true), (2, true), (4, true), (8, false), (5, true), (7, false), (6, true)]
        );
        assert_eq!(
            tried(SearchRule::Composite, 6),
            [(1, true), (2, true), (4, true), (8, false), (6, true), (7, false)]
        );
    }

    #[test]
    fn behind_a_nat_that_never_forgets_the_largest_is_found() {
        for rule in RULES {
            assert_eq!(search(&limits(rule, 1, 30, 4), Duration::MAX).1, minutes(30), "{rule:?}");
        }
    }

    #[test]
    fn where_not_even_the_smallest_survives_it_is_the_result_after_one_failure() {
        for rule in RULES {
            assert_eq!(search(&limits(rule, 3, 30, 4), minutes(2)), (vec![(3, false)], minutes(3)), "{rule:?}");
        }
    }

    /// A known identity: with 2^k values to tell apart each rule spends one failure for every bit of the result that is
    /// zero, k/2 of them on the average, however it gets there.
    #[test]
    fn binary_exponential_and_composite_lose_the_same_number_of_connections_over_all_timeouts() {
        for k in 1..8 {
            let values = 1 << k;
            let total = |rule| -> usize {
                // The smallest is survived by all.
                let limits = limits(rule, 1, values, 1);
                (1..=values).map(|timeout| failures(&limits, minutes(timeout))).sum()
            };
            let expected = (k * (1 << k) / 2) as usize;
            for rule in [SearchRule::Binary, SearchRule::Exponential, SearchRule::Composite] {
                assert_eq!(total(rule), expected, "{rule:?} with {values} values");
            }
        }
    }

    /// It would go on for as many connections as there are milliseconds between the limits.
    #[test]
    fn a_stored_step_that_is_shorter_than_any_of_its_own_is_refused() {
        let limits = limits(SearchRule::Linear, 1, 15, 2);
        let stored = |step_ms| Bracket { step_ms, ..Bracket::new(&limits) };
        assert!(!stored(1).fits(&limits) && !stored(59_999).fits(&limits));
        assert!(stored(60_000).fits(&limits), "a grain, the shortest that halves lead to");
        // Where the step is shorter than a grain, it is that step.
        let limits = Limits { step: Duration::from_secs(10), ..limits };
        assert!(!stored(9_999).fits(&limits));
        assert!(stored(10_000).fits(&limits));
    }

    proptest! {
        #[test]
        fn the_result_is_the_best_there_is_to_a_grain_and_to_a_step_for_linear(
            rule in prop::sample::select(&RULES[..]),
            min in 1_u64..20,
            range in 1_u64..100,
            step in 1_u64..20,
            timeout_s in 1_u64..8_000,
        ) {
            let step = step.min(range);
            let limits = limits(rule, min, min + range, step);
            let timeout = Duration::from_secs(timeout_s);
            let (tried, best) = search(&limits, timeout);
            prop_assert!(best >= limits.min && best <= limits.max);
            prop_assert!(best <= timeout || best == limits.min, "{best:?} does not survive {timeout:?}");
            let missed = timeout.min(limits.max).saturating_sub(best);
            let tolerance = if rule == SearchRule::Linear { limits.step } else { limits.granularity };
            prop_assert!(missed < tolerance || best == limits.max, "{best:?} of {timeout:?}");
            // No value is tried twice.
            let mut values: Vec<_> = tried.iter().map(|(value, _)| value).collect();
            values.sort_unstable();
            values.dedup();
            prop_assert_eq!(values.len(), tried.len());
        }

        /// Whatever was stored, an older version's or a failing disk's: it is refused, or the search goes on from there
        /// to its end.
        #[test]
        fn a_search_that_goes_on_from_what_was_stored_ends_within_its_limits(
            rule in prop::sample::select(&RULES[..]),
            max in 1_u64..20,
            step in 1_u64..20,
            mut bracket in stored(),
            timeout_s in 1_u64..1_500,
        ) {
            let limits = limits(rule, 1, max, step);
            if bracket.fits(&limits) {
                for _ in 0..10_000 {
                    let candidate = bracket.candidate(&limits);
                    prop_assert!((limits.min..=limits.max).contains(&candidate), "{candidate:?}");
                    match bracket.is_done() {
                        true => break,
                        false if candidate <= Duration::from_secs(timeout_s) => bracket.survived(&limits),
                        false => bracket.failed(&limits),
                    }
                }
                prop_assert!(bracket.is_done(), "{bracket:?} does not end");
            }
        }

        /// Courier's bound, and that of the binary search.
        #[test]
        fn a_search_ends_after_few_candidates(
            range in 1_u64..500, step in 1_u64..50, timeout_s in 1_u64..40_000,
        ) {
            let step = step.min(range);
            let tried = |rule| search(&limits(rule, 1, 1 + range, step), Duration::from_secs(timeout_s)).0.len() as u64;
            let log = |value: u64| u64::from(value.next_power_of_two().ilog2());
            // Down from the step by halves, at each of which two may survive.
            prop_assert!(tried(SearchRule::Halving) <= 2 + range / step + 3 * (1 + log(step)));
            prop_assert!(tried(SearchRule::Binary) <= 2 + log(range + 1));
        }
    }
}
