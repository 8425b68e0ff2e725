//! What may be said of a metric from its values by seed on both sides: the rule, and nothing of names, units or files.
//!
//! Both sides met the same worlds, so if nothing but chance differs, a difference is as probable as its opposite: the
//! improvements show how far chance goes. Student's interval of the mean proves a change. It is blind where few seeds are hit
//! hard, since these make it long; so seeds that are worse beyond everything seen fail by themselves. What is not proved, but
//! is hardly chance, is undecided. `docs/ci.md` has the numbers, and `calibration.rs` measures how often chance and changes
//! are told apart.

use std::iter;

/// The fewest seeds that can show anything.
pub(crate) const FEW_SEEDS: usize = 5;
/// How much more probable than a mistaken proof a mistaken suspicion may be.
pub(crate) const SUSPICION: f64 = 5.0;
/// A difference that is so many times everything seen fails alone.
const ALONE: f64 = 20.0;
/// As [`ALONE`], of a time that is zero in some seeds: one rare event there looks large beside none.
const ALONE_SPARSE: f64 = 500.0;
/// So many seeds fail together, where each difference is as large as the largest value of the baseline and [`TOGETHER`] times
/// the largest improvement.
const FEW_TOGETHER: usize = 4;
/// See [`FEW_TOGETHER`].
const TOGETHER: f64 = 3.0;
/// So many seeds fail together where each has at least doubled, as many others or more are there, and each is worse by
/// [`APART`] times what any of those differs, to either side.
const APART_SEEDS: usize = 3;
/// See [`APART_SEEDS`].
const APART: f64 = 3.0;
/// So many seeds are suspicious where each difference is [`MOST`] times the largest improvement, and their mean that of the
/// baseline or as wide as its values are spread.
const MOST_SEEDS: usize = 8;
/// See [`MOST_SEEDS`].
const MOST: f64 = 3.0;

/// What may be said of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Worse by more than the band, for sure.
    Regression,
    /// In one or a few seeds worse beyond everything that either side has shown.
    Gross,
    /// Worse by more than the band in the mean, and hardly by chance, but not for sure; or there is no value any more.
    Undecided,
    /// Anything between better and worse, and no more than chance would do.
    WithinNoise,
    /// Within the band, for sure.
    Equivalent,
    /// Better by more than the band, for sure.
    Improvement,
}

/// What a gate lets pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// What is undecided passes, and is told.
    AllowUndecided,
    /// What is undecided fails.
    #[default]
    Normal,
    /// What is within noise fails too: everything must be decided.
    Strict,
}

impl Verdict {
    /// Every verdict, those that ask for most first.
    pub const ALL: [Self; 6] =
        [Self::Regression, Self::Gross, Self::Improvement, Self::Undecided, Self::WithinNoise, Self::Equivalent];

    /// Returns whether a metric with this verdict makes the gate fail.
    pub fn fails(self, strictness: Strictness) -> bool {
        match self {
            Self::Regression | Self::Gross => true,
            Self::Undecided => strictness != Strictness::AllowUndecided,
            Self::WithinNoise => strictness == Strictness::Strict,
            Self::Equivalent | Self::Improvement => false,
        }
    }

    /// Returns the verdict in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Gross => "gross",
            Self::Undecided => "undecided",
            Self::WithinNoise => "within noise",
            Self::Equivalent => "equivalent",
            Self::Improvement => "improvement",
        }
    }
}

/// What is known of a metric.
pub(crate) struct Evidence<'a> {
    /// The baseline's values by seed.
    pub(crate) then: &'a [Option<f64>],
    /// The results' values by seed, as many.
    pub(crate) now: &'a [Option<f64>],
    /// What does not matter.
    pub(crate) margin: f64,
    /// Whether it is a time. Of counts and shares that are zero in some seeds, a single event is far from none.
    pub(crate) is_time: bool,
    /// The interval of the mean difference that holds for sure; `None` with fewer than two pairs.
    pub(crate) proof: Option<(f64, f64)>,
    /// The shorter interval that holds almost for sure.
    pub(crate) suspicion: Option<(f64, f64)>,
}

impl Evidence<'_> {
    /// Returns the verdict.
    pub(crate) fn verdict(&self) -> Verdict {
        let (margin, is_paired) = (self.margin, self.unpaired() == 0);
        match self.proof {
            Some((low, _)) if low > margin => Verdict::Regression,
            _ if self.is_gross() => Verdict::Gross,
            _ if self.is_lost() || self.is_suspicious() => Verdict::Undecided,
            // Who loses the seeds in which he is slow would look fast.
            Some((_, high)) if is_paired && high < -margin => Verdict::Improvement,
            Some((low, high)) if is_paired && low >= -margin && high <= margin => Verdict::Equivalent,
            _ => Verdict::WithinNoise,
        }
    }

    /// Returns how many seeds have a value on one side only.
    pub(crate) fn unpaired(&self) -> usize {
        iter::zip(self.then, self.now).filter(|(then, now)| then.is_some() != now.is_some()).count()
    }

    /// Returns whether the value is gone, or new, in so many seeds that had it, or have it, that this is hardly chance: in
    /// three of four and at least [`FEW_SEEDS`], the opposite being nowhere.
    pub(crate) fn is_lost(&self) -> bool {
        let only =
            |a: &[Option<f64>], b: &[Option<f64>]| iter::zip(a, b).filter(|(a, b)| a.is_some() && b.is_none()).count();
        let (gone, new) = (only(self.then, self.now), only(self.now, self.then));
        let had = |side: &[Option<f64>]| side.iter().flatten().count();
        let lost = |gone: usize, had: usize| gone >= FEW_SEEDS && 4 * gone >= 3 * had;
        (new == 0 && lost(gone, had(self.then))) || (gone == 0 && lost(new, had(self.now)))
    }

    fn differences(&self) -> impl Iterator<Item = f64> {
        iter::zip(self.then, self.now).filter_map(|(then, now)| Some((*now)? - (*then)?))
    }

    /// Returns how far chance and what does not matter go.
    fn reach(&self) -> f64 {
        self.differences().fold(self.margin, |reach, difference| reach.max(-difference))
    }

    fn baseline_range(&self) -> (f64, f64) {
        let there = self.then.iter().flatten();
        there.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)))
    }

    /// Returns whether there are seeds beyond everything seen.
    fn is_gross(&self) -> bool {
        if self.then.iter().flatten().count() < FEW_SEEDS {
            return false;
        }
        let (least, most) = self.baseline_range();
        let (seen, is_sparse) = (self.reach().max(most), least <= 0.0);
        let beyond = |limit: f64| self.differences().filter(|difference| *difference >= limit).count();
        if is_sparse {
            return self.is_time && beyond(ALONE_SPARSE * seen) > 0;
        }
        beyond(ALONE * seen) > 0 || beyond(most.max(TOGETHER * self.reach())) >= FEW_TOGETHER || self.some_stand_apart()
    }

    /// Returns whether some seeds have doubled, or more, while the others show that chance goes nowhere near that far.
    fn some_stand_apart(&self) -> bool {
        let both = iter::zip(self.then, self.now).filter_map(|(then, now)| Some(((*now)? - (*then)?, (*then)?)));
        let mut worse: Vec<(f64, f64)> = both.collect();
        worse.sort_by(|a, b| b.0.total_cmp(&a.0));
        let stands_apart = |count: usize| {
            let (apart, others) = worse.split_at(count);
            let chance = others.iter().fold(self.margin, |chance, (difference, _)| chance.max(difference.abs()));
            apart.iter().all(|(difference, then)| *difference >= then.max(APART * chance))
        };
        (APART_SEEDS..=worse.len().saturating_sub(APART_SEEDS)).any(stands_apart)
    }

    /// Returns whether the mean is worse by more than the band and this is hardly chance.
    fn is_suspicious(&self) -> bool {
        let pairs = self.differences().count();
        let mean = self.differences().sum::<f64>() / pairs as f64;
        if pairs == 0 || mean <= self.margin {
            return false;
        }
        let (least, most) = self.baseline_range();
        let limit = MOST * self.reach();
        let far = self.differences().filter(|difference| *difference >= limit).count();
        let there: Vec<f64> = self.then.iter().flatten().copied().collect();
        let level = there.iter().sum::<f64>() / there.len() as f64;
        let by_most = far >= MOST_SEEDS && mean >= level.min(most - least);
        by_most || self.suspicion.is_some_and(|(low, _)| low > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(then: &[f64], now: &[f64], interval: (f64, f64)) -> Verdict {
        let some = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
        let (then, now) = (some(then), some(now));
        Evidence {
            then: &then,
            now: &now,
            margin: 1.0,
            is_time: true,
            proof: Some(interval),
            suspicion: Some(interval),
        }
        .verdict()
    }

    #[test]
    fn the_verdict_follows_from_interval_and_band() {
        use Verdict::{Equivalent, Improvement, Regression, Undecided, WithinNoise};
        let cases = [
            (2.0, (1.1, 3.0), Regression),
            (2.0, (1.0, 3.0), Undecided),
            (2.0, (0.1, 9.0), Undecided),
            (0.0, (-1.0, 1.0), Equivalent),
            (0.5, (0.5, 0.5), Equivalent),
            (-0.5, (-1.1, 0.0), WithinNoise),
            (-2.0, (-3.0, -1.1), Improvement),
            (2.0, (-9.0, 9.0), WithinNoise),
        ];
        for (difference, interval, expected) in cases {
            assert_eq!(
                verdict(&[50.0, 60.0], &[50.0 + difference, 60.0 + difference], interval),
                expected,
                "{interval:?}"
            );
        }
    }

    #[test]
    fn three_seeds_that_double_fail_where_three_others_show_that_chance_does_not_go_so_far() {
        let then = [50.0, 55.0, 52.0, 48.0, 60.0, 51.0];
        let judge = |differences: [f64; 6]| {
            let now: Vec<f64> = iter::zip(then, differences).map(|(then, difference)| then + difference).collect();
            verdict(&then, &now, (-90.0, 190.0))
        };
        let apart = [100.0, -3.0, 104.0, 8.0, 120.0, -9.0];
        assert_eq!(judge(apart), Verdict::Gross);
        // One of the others moved by a third of that, to the good or to the bad; one of the three has not doubled.
        for (place, by) in [(1, -34.0), (1, 34.0), (2, 51.0)] {
            let mut differences = apart;
            differences[place] = by;
            assert_eq!(judge(differences), Verdict::WithinNoise, "{differences:?}");
        }
        // With fewer others nobody knows how far chance goes.
        assert_eq!(verdict(&then[..5], &[150.0, 52.0, 156.0, 56.0, 180.0], (-90.0, 190.0)), Verdict::WithinNoise);
    }

    #[test]
    fn seeds_without_a_partner_never_make_good_news() {
        let judge = |now: [Option<f64>; 6], interval| {
            let then = [Some(9.0); 6];
            Evidence { then: &then, now: &now, margin: 1.0, is_time: true, proof: interval, suspicion: interval }
                .verdict()
        };
        let mut now = [Some(6.0); 6];
        assert_eq!(judge(now, Some((-3.0, -3.0))), Verdict::Improvement);
        now[3] = None;
        assert_eq!(judge(now, Some((-3.0, -3.0))), Verdict::WithinNoise);
        assert_eq!(judge([Some(12.0), None, None, None, None, Some(12.0)], Some((3.0, 3.0))), Verdict::Regression);
        assert_eq!(judge([Some(6.0), None, None, None, None, None], None), Verdict::Undecided);
        assert_eq!(judge([None; 6], None), Verdict::Undecided);
    }
}
