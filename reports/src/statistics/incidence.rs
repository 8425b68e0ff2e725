//! How much has happened by when, where not everything was watched to its end and several things may come first: the
//! Aalen-Johansen estimator of cumulative incidence. With a single kind of event it is 1 - Kaplan-Meier.
//!
//! F(t) is the sum of S(t-) d1/n over the event times up to t, with d1 events of the kind in question among n still
//! watched, and S the Kaplan-Meier curve of events of any kind. What ends the watching for good (the alarm was false, the
//! break healed) must not be treated as censoring: 1 - Kaplan-Meier would then be the share in a world where that does not
//! happen. (Aalen, Johansen, Scandinavian Journal of Statistics 5, 1978.)
//!
//! The variance is that of the infinitesimal jackknife: the sum of squares of each subject's influence on F(t). For a single
//! kind of event this is Greenwood's formula, S^2 times the sum of d / (n (n - d)). Subjects of one replicate share its
//! world, though, and where they move together Greenwood's is far too small: so influences are also summed within
//! replicates before they are squared (Williams, "Product-limit survival functions with correlated survival times",
//! Lifetime Data Analysis 1, 1995), times m / (m - 1) for m replicates, and the larger of the two is what counts.
//!
//! The band is pointwise, on the scale log(-log(1 - F)), so that it stays between 0 and 1.
//!
//! All of it takes one pass: the influence of subject i on F(t) is B - F(t) A - (G(t) - F(t) H(t)) Y, with A and B fixed
//! when it leaves, Y whether it is still watched, and G and H the same for all; so the sums over replicates of products of
//! A, B and Y are all that has to be kept.

use std::collections::BTreeSet;

use super::{bca::Interval, normal};

/// Something watched until an event, or until the watching stopped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Subject {
    /// Zero or more.
    pub(crate) time: f64,
    pub(crate) end: End,
    /// Counted from 0.
    pub(crate) replicate: u32,
    /// How many of this kind there are: many that saw nothing are one.
    pub(crate) count: u32,
}

/// How the watching of a subject ended. At equal times in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// With the event in question.
    Event,
    /// With another, after which that one can no longer happen.
    Competing,
    /// Without either.
    Censored,
}

/// A cumulative incidence: a step function from 0 up to at most 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Incidence {
    /// By time. Before the first it is 0.
    pub(crate) steps: Vec<Step>,
    /// The longest time watched: beyond it the curve is unknown.
    pub(crate) horizon: f64,
}

/// A step of a cumulative incidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    /// From here on.
    pub(crate) time: f64,
    /// The share to which it has happened.
    pub(crate) value: f64,
    /// The pointwise band. `None` with one replicate.
    pub(crate) band: Option<Interval>,
    /// Of the value, as if all subjects were independent.
    pub(crate) variance: f64,
    /// Of the value, subjects of one replicate moving together. `None` with one replicate.
    pub(crate) variance_clustered: Option<f64>,
}

/// The sums over replicates of products of what their subjects contribute.
#[derive(Debug, Default, Clone, Copy)]
struct Products {
    aa: f64,
    bb: f64,
    yy: f64,
    ab: f64,
    ay: f64,
    by: f64,
}

/// What the subjects of a replicate contribute.
#[derive(Debug, Default, Clone, Copy)]
struct Contribution {
    a: f64,
    b: f64,
    y: f64,
}

impl Products {
    fn add(&mut self, it: Contribution, times: f64) {
        self.aa += times * it.a * it.a;
        self.bb += times * it.b * it.b;
        self.yy += times * it.y * it.y;
        self.ab += times * it.a * it.b;
        self.ay += times * it.a * it.y;
        self.by += times * it.b * it.y;
    }

    /// Returns the sum of (b - f a - k y)^2.
    fn squares(&self, f: f64, k: f64) -> f64 {
        let outer = self.bb - 2.0 * f * self.ab + f * f * self.aa;
        (outer - 2.0 * k * (self.by - f * self.ay) + k * k * self.yy).max(0.0)
    }
}

impl Incidence {
    /// Estimates it with a band of probability `level`. `None` without subjects.
    pub(crate) fn estimate(mut subjects: Vec<Subject>, level: f64) -> Option<Self> {
        subjects.retain(|subject| subject.count > 0);
        subjects.sort_by(|a, b| a.time.total_cmp(&b.time).then(a.end.cmp(&b.end)));
        let horizon = subjects.last()?.time;
        let mut replicates: Vec<Contribution> = Vec::new();
        for subject in &subjects {
            let index = subject.replicate as usize;
            replicates.resize(replicates.len().max(index + 1), Contribution::default());
            replicates[index].y += f64::from(subject.count);
        }
        let (mut together, mut alone) = (Products::default(), Products::default());
        for &replicate in &replicates {
            together.add(replicate, 1.0);
        }
        let mut watched: f64 = replicates.iter().map(|it| it.y).sum();
        alone.yy = watched;
        let present = replicates.iter().filter(|it| it.y > 0.0).count() as f64;

        let point = normal::quantile(0.5 + level / 2.0);
        let (mut survival, mut value, mut g, mut h) = (1.0, 0.0, 0.0, 0.0);
        let mut steps: Vec<Step> = Vec::new();
        for group in subjects.chunk_by(|a, b| a.time.total_cmp(&b.time).is_eq()) {
            let count = |end| group.iter().filter(|it| it.end == end).map(|it| f64::from(it.count)).sum::<f64>();
            let of_kind = count(End::Event);
            let of_any = of_kind + count(End::Competing);
            let before = survival;
            // Of the last event of all nothing remains, and what this would divide has no influence any more.
            let per_left = if of_any < watched { 1.0 / (watched - of_any) } else { 0.0 };
            value += before * of_kind / watched;
            survival *= (watched - of_any) / watched;
            h += of_any / watched * per_left;
            g += before * of_kind / (watched * watched) + value * of_any / watched * per_left;
            for subject in group {
                let happened = f64::from(subject.end != End::Censored);
                let in_question = f64::from(subject.end == End::Event);
                let a = happened * per_left - h;
                let b = in_question * before / watched + happened * value * per_left - g;
                let times = f64::from(subject.count);
                alone.add(Contribution { a: 0.0, b: 0.0, y: 1.0 }, -times);
                alone.add(Contribution { a, b, y: 0.0 }, times);
                let replicate = &mut replicates[subject.replicate as usize];
                together.add(*replicate, -1.0);
                replicate.a += times * a;
                replicate.b += times * b;
                replicate.y -= times;
                together.add(*replicate, 1.0);
            }
            watched -= group.iter().map(|it| f64::from(it.count)).sum::<f64>();
            if of_kind > 0.0 {
                let common = g - value * h;
                let variance = alone.squares(value, common);
                let variance_clustered =
                    (present > 1.0).then(|| together.squares(value, common) * present / (present - 1.0));
                let band = variance_clustered
                    .map(|clustered| band(value, variance.max(clustered), point, steps.last().and_then(|it| it.band)));
                steps.push(Step { time: group[0].time, value, band, variance, variance_clustered });
            }
        }
        Some(Self { steps, horizon })
    }

    /// Returns the last step up to `time`.
    pub(crate) fn at(&self, time: f64) -> Option<&Step> {
        self.steps.iter().rfind(|step| step.time <= time)
    }

    /// The same curve with steps of at least `1 / most`, smaller ones joined to the next that is taken: for drawing. The
    /// first and the last stay.
    pub(crate) fn thinned(mut self, most: usize) -> Self {
        let last = self.steps.last().map(|step| step.time);
        let mut taken: Option<f64> = None;
        self.steps.retain(|step| {
            let takes = taken.is_none_or(|value| step.value - value >= 1.0 / most as f64) || Some(step.time) == last;
            if takes {
                taken = Some(step.value);
            }
            takes
        });
        self
    }
}

/// Returns the band of a value, after the one of the step before.
fn band(value: f64, variance: f64, point: f64, before: Option<Interval>) -> Interval {
    let left = 1.0 - value;
    // Where nothing is left, rounding included, the scale has no such point: no less than before is what is known.
    if left <= 1e-12 {
        return Interval { low: before.map_or(0.0, |it| it.low), high: 1.0 };
    }
    let logarithm = libm::log(left);
    let spread = point * libm::sqrt(variance) / (left * logarithm);
    let end = |sign: f64| 1.0 - libm::pow(left, libm::exp(sign * spread));
    Interval { low: end(1.0), high: end(-1.0) }
}

/// Returns how many replicates have a subject.
pub(crate) fn replicates(subjects: &[Subject]) -> usize {
    subjects.iter().map(|subject| subject.replicate).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns each subject a replicate of its own.
    fn alone(times: &[(f64, End)]) -> Vec<Subject> {
        (0..).zip(times).map(|(replicate, &(time, end))| Subject { time, end, replicate, count: 1 }).collect()
    }

    fn estimate(subjects: &[Subject]) -> Incidence {
        Incidence::estimate(subjects.to_vec(), 0.95).unwrap()
    }

    #[test]
    fn kaplan_meier_and_greenwood_as_every_textbook_has_them() {
        // The drug group of Freireich et al. (1963); standard errors and the log-log intervals as in Collett, "Modelling
        // Survival Data in Medical Research", and as R's survfit prints them.
        let events = [6.0, 6.0, 6.0, 7.0, 10.0, 13.0, 16.0, 22.0, 23.0].map(|time| (time, End::Event));
        let censored = [6.0, 9.0, 10.0, 11.0, 17.0, 19.0, 20.0, 25.0, 32.0, 32.0, 34.0, 35.0];
        let all: Vec<_> = events.into_iter().chain(censored.map(|time| (time, End::Censored))).collect();
        let rows: Vec<String> = estimate(&alone(&all))
            .steps
            .iter()
            .map(|step| {
                let band = band(step.value, step.variance, 1.959_964, None);
                let error = step.variance.sqrt();
                format!(
                    "{}: {:.3} {error:.4} [{:.3}, {:.3}]",
                    step.time,
                    1.0 - step.value,
                    1.0 - band.high,
                    1.0 - band.low
                )
            })
            .collect();
        let published = [
            "6: 0.857 0.0764 [0.620, 0.952]",
            "7: 0.807 0.0869 [0.563, 0.923]",
            "10: 0.753 0.0963 [0.503, 0.889]",
            "13: 0.690 0.1068 [0.432, 0.849]",
            "16: 0.627 0.1141 [0.368, 0.805]",
            "22: 0.538 0.1282 [0.268, 0.747]",
            "23: 0.448 0.1346 [0.188, 0.680]",
        ];
        assert_eq!(rows, published);
    }

    #[test]
    fn competing_events_by_hand() {
        // 1: event (1/5). 2: competing; of 4, S 4/5 -> 3/5. 3: censored. 4: event, 3/5 * 1/2. 5: competing.
        let curve = estimate(&alone(&[
            (1.0, End::Event),
            (2.0, End::Competing),
            (3.0, End::Censored),
            (4.0, End::Event),
            (5.0, End::Competing),
        ]));
        let values: Vec<(f64, f64)> = curve.steps.iter().map(|step| (step.time, step.value)).collect();
        assert_eq!(values.len(), 2);
        assert!((values[0].1 - 0.2).abs() < 1e-15 && (values[1].1 - 0.5).abs() < 1e-15, "{values:?}");
        assert_eq!((values[1].0, curve.horizon), (4.0, 5.0));
    }

    #[test]
    fn without_censoring_incidence_and_variance_are_those_of_a_share() {
        let ends = [End::Event, End::Event, End::Competing, End::Event, End::Competing, End::Competing, End::Event];
        let times: Vec<_> = (1..).zip(ends).map(|(time, end)| (f64::from(time), end)).collect();
        for step in estimate(&alone(&times)).steps {
            let happened = times.iter().filter(|it| it.1 == End::Event && it.0 <= step.time).count() as f64;
            let share = happened / 7.0;
            assert!((step.value - share).abs() < 1e-12);
            assert!((step.variance - share * (1.0 - share) / 7.0).abs() < 1e-12, "{step:?}");
        }
    }

    /// Returns the influence of each subject on F, by moving its weight a little: what the variance is made of.
    fn influences(subjects: &[Subject], time: f64) -> Vec<f64> {
        let value = |heavy: Option<usize>, by: u32| {
            let weighted = subjects.iter().enumerate().map(|(index, it)| {
                let count = 1_000_000 + if heavy == Some(index) { by } else { 0 };
                Subject { count, ..*it }
            });
            estimate(&weighted.collect::<Vec<_>>()).at(time).map_or(0.0, |step| step.value)
        };
        (0..subjects.len()).map(|index| (value(Some(index), 100) - value(None, 0)) / 1e-4).collect()
    }

    fn subjects() -> impl Strategy<Value = Vec<Subject>> {
        let end = prop_oneof![Just(End::Event), Just(End::Competing), Just(End::Censored)];
        let one = (1..12_u32, end, 0..4_u32);
        let subject = |(time, end, replicate)| Subject { time: f64::from(time), end, replicate, count: 1 };
        prop::collection::vec(one.prop_map(subject), 2..25)
    }

    proptest! {
        #[test]
        fn the_variances_are_sums_of_squared_influences(subjects in subjects(), time in 1..12_u32) {
            let time = f64::from(time);
            let curve = estimate(&subjects);
            let Some(step) = curve.at(time) else { return Ok(()) };
            let influences = influences(&subjects, step.time);
            let variance: f64 = influences.iter().map(|it| it * it).sum();
            prop_assert!((step.variance - variance).abs() < 1e-4, "{} {variance}", step.variance);
            let m = replicates(&subjects) as f64;
            let of_replicate = |replicate: u32| {
                subjects.iter().zip(&influences).filter(|it| it.0.replicate == replicate).map(|it| it.1).sum::<f64>()
            };
            let clustered = (0..4).map(of_replicate).map(|it| it * it).sum::<f64>() * m / (m - 1.0);
            match step.variance_clustered {
                None => prop_assert!(m < 2.0),
                Some(ours) => prop_assert!((ours - clustered).abs() < 1e-3, "{ours} {clustered}"),
            }
        }

        #[test]
        fn with_one_kind_of_event_it_is_greenwood(subjects in subjects()) {
            let end = |it: &Subject| if it.end == End::Competing { End::Censored } else { it.end };
            let subjects: Vec<_> = subjects.iter().map(|it| Subject { end: end(it), ..*it }).collect();
            let (mut survival, mut greenwood) = (1.0, 0.0);
            for step in estimate(&subjects).steps {
                let n = subjects.iter().filter(|it| it.time >= step.time).count() as f64;
                let d = subjects.iter().filter(|it| it.time.total_cmp(&step.time).is_eq() && it.end == End::Event).count() as f64;
                survival *= 1.0 - d / n;
                greenwood += d / (n * (n - d));
                prop_assert!((1.0 - step.value - survival).abs() < 1e-12);
                let variance = if survival > 0.0 { survival * survival * greenwood } else { 0.0 };
                prop_assert!((step.variance - variance).abs() < 1e-12, "{} {variance}", step.variance);
            }
        }

        #[test]
        fn the_kinds_together_and_what_is_left_make_one(subjects in subjects()) {
            let other = |it: &Subject| match it.end {
                End::Event => End::Competing,
                End::Competing => End::Event,
                End::Censored => End::Censored,
            };
            let swapped: Vec<_> = subjects.iter().map(|it| Subject { end: other(it), ..*it }).collect();
            let any: Vec<_> = subjects
                .iter()
                .map(|it| Subject { end: if it.end == End::Competing { End::Event } else { it.end }, ..*it })
                .collect();
            for time in 1..12 {
                let value = |of: &[Subject]| estimate(of).at(f64::from(time)).map_or(0.0, |step| step.value);
                prop_assert!((value(&subjects) + value(&swapped) - value(&any)).abs() < 1e-12);
            }
        }

        #[test]
        fn a_count_is_the_same_as_so_many_subjects(subjects in subjects(), counts in prop::collection::vec(0..3_u32, 25)) {
            let counted: Vec<_> = subjects.iter().zip(&counts).map(|(it, &count)| Subject { count, ..*it }).collect();
            let copied: Vec<_> =
                subjects.iter().zip(&counts).flat_map(|(it, &count)| vec![*it; count as usize]).collect();
            let (one, other) = (Incidence::estimate(counted, 0.95), Incidence::estimate(copied, 0.95));
            prop_assert_eq!(one.is_some(), other.is_some());
            for (a, b) in one.iter().flat_map(|it| &it.steps).zip(other.iter().flat_map(|it| &it.steps)) {
                prop_assert!((a.time - b.time).abs() < 1e-12 && (a.value - b.value).abs() < 1e-12);
                prop_assert!((a.variance - b.variance).abs() < 1e-12);
            }
        }

        #[test]
        fn the_band_holds_the_curve_between_zero_and_one(subjects in subjects()) {
            for step in estimate(&subjects).steps {
                if let Some(Interval { low, high }) = step.band {
                    prop_assert!(0.0 <= low && low <= step.value + 1e-12 && step.value <= high + 1e-12 && high <= 1.0);
                }
            }
        }
    }

    #[test]
    fn subjects_that_move_together_are_as_few_as_their_replicates() {
        // 10 replicates of 50 equal subjects each: the share by 5 is that of 10 observations, not of 500.
        let of = |replicate: u32| Subject { time: f64::from(replicate + 1), end: End::Event, replicate, count: 50 };
        let curve = estimate(&(0..10).map(of).collect::<Vec<_>>());
        let step = curve.at(5.0).unwrap();
        assert!((step.variance - 0.25 / 500.0).abs() < 1e-12);
        assert!((step.variance_clustered.unwrap() - 0.25 / 9.0).abs() < 1e-12);
    }

    #[test]
    fn a_thinned_curve_keeps_its_ends_and_shape() {
        let times: Vec<_> = (0..10_000).map(|time| (f64::from(time), End::Event)).collect();
        let curve = estimate(&alone(&times));
        let thinned = curve.clone().thinned(500);
        assert!(thinned.steps.len() <= 502, "{}", thinned.steps.len());
        assert_eq!((thinned.steps.first(), thinned.steps.last()), (curve.steps.first(), curve.steps.last()));
        assert!(thinned.steps.windows(2).all(|pair| pair[1].value - pair[0].value < 2.1 / 500.0));
    }
}
