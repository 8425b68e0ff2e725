//! The Pareto front of two costs, both to be made small: the strategies that no other beats, and how sure that is.

use crate::statistics::bootstrap::Replicated;

/// Returns which of `points` (x, y) are on the front: those for which no other point is at most as large in both and smaller in
/// one. Equal points are on it together. A point with a coordinate that is not a number is not on it, and beats none.
pub(crate) fn front(points: &[(f64, f64)]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..points.len()).filter(|&it| !(points[it].0 + points[it].1).is_nan()).collect();
    order.sort_by(|&a, &b| points[a].0.total_cmp(&points[b].0).then(points[a].1.total_cmp(&points[b].1)));
    let mut on_front = vec![false; points.len()];
    // From left to right, each must be lower than all before it, or equal to the lowest.
    let mut lowest: Option<(f64, f64)> = None;
    for index in order {
        let (x, y) = points[index];
        if lowest.is_none_or(|it| y < it.1 || it == (x, y)) {
            lowest = Some((x, y));
            on_front[index] = true;
        }
    }
    on_front
}

/// Whether a strategy belongs on the front, given how the seeds might have fallen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Membership {
    /// In at least 95 of 100 resamples.
    On,
    /// In fewer than that, but at least 5 of 100.
    Undecided,
    /// In fewer than 5 of 100.
    Off,
}

impl Membership {
    pub(crate) const fn of(share: f64) -> Self {
        if share >= 0.95 {
            Self::On
        } else if share >= 0.05 {
            Self::Undecided
        } else {
            Self::Off
        }
    }
}

/// Returns the share of the resamples in which each strategy, given by its two costs, is on the front. Empty where there are no
/// resamples.
pub(crate) fn membership(strategies: &[(&Replicated, &Replicated)]) -> Vec<f64> {
    let resamples = strategies.iter().map(|(x, _)| x.resamples.len()).min().unwrap_or(0);
    if resamples == 0 {
        return Vec::new();
    }
    let mut counts = vec![0_u32; strategies.len()];
    for resample in 0..resamples {
        let points: Vec<_> = strategies.iter().map(|(x, y)| (x.resamples[resample], y.resamples[resample])).collect();
        for (count, on_front) in counts.iter_mut().zip(front(&points)) {
            *count += u32::from(on_front);
        }
    }
    counts.into_iter().map(|count| f64::from(count) / resamples as f64).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn replicated(resamples: &[f64]) -> Replicated {
        Replicated { replicates: 5, estimate: resamples[0], jackknife: Vec::new(), resamples: resamples.to_vec() }
    }

    #[test]
    fn the_share_of_resamples_is_counted() {
        // b is beaten by a in the first two of four resamples; c has no latency in the last.
        let a = (replicated(&[1.0; 4]), replicated(&[5.0; 4]));
        let b = (replicated(&[2.0; 4]), replicated(&[6.0, 5.0, 4.0, 3.0]));
        let c = (replicated(&[0.5; 4]), replicated(&[9.0, 9.0, 9.0, f64::NAN]));
        let shares = membership(&[(&a.0, &a.1), (&b.0, &b.1), (&c.0, &c.1)]);
        assert_eq!(shares, [1.0, 0.5, 0.75]);
        let [first, second] = [shares[0], shares[1]].map(Membership::of);
        assert_eq!((first, second), (Membership::On, Membership::Undecided));
        assert_eq!(Membership::of(0.049), Membership::Off);
        assert!(membership(&[]).is_empty());
    }

    #[test]
    fn the_front_is_what_nothing_beats() {
        let points = [(1.0, 9.0), (2.0, 5.0), (3.0, 5.0), (4.0, 1.0), (4.0, 1.0), (5.0, 2.0)];
        assert_eq!(front(&points), [true, true, false, true, true, false]);
    }

    /// Small whole coordinates, so that ties happen.
    fn points() -> impl Strategy<Value = Vec<(f64, f64)>> {
        prop::collection::vec((0..8_u32, 0..8_u32).prop_map(|(x, y)| (f64::from(x), f64::from(y))), 1..20)
    }

    proptest! {
        #[test]
        fn it_is_the_points_that_no_other_beats(points in points()) {
            let beats = |a: (f64, f64), b: (f64, f64)| a.0 <= b.0 && a.1 <= b.1 && a != b;
            let unbeaten: Vec<bool> =
                points.iter().map(|&point| !points.iter().any(|&other| beats(other, point))).collect();
            prop_assert_eq!(front(&points), unbeaten);
        }

        #[test]
        fn somebody_is_always_on_the_front(values in prop::collection::vec(prop::array::uniform4(0..5_u32), 1..6)) {
            let cells: Vec<_> = values
                .iter()
                .map(|it| it.map(f64::from))
                .map(|[a, b, c, d]| (replicated(&[a, b]), replicated(&[c, d])))
                .collect();
            let shares = membership(&cells.iter().map(|(x, y)| (x, y)).collect::<Vec<_>>());
            prop_assert!(shares.iter().sum::<f64>() >= 1.0);
        }

        #[test]
        fn every_point_off_the_front_is_beaten_by_one_on_it(points in points()) {
            let on_front = front(&points);
            prop_assert!(on_front.contains(&true));
            for (point, _) in points.iter().zip(&on_front).filter(|(_, on)| !**on) {
                let beaten = points.iter().zip(&on_front).any(|(other, on)| {
                    *on && other.0 <= point.0 && other.1 <= point.1 && other != point
                });
                prop_assert!(beaten, "{point:?}");
            }
        }

        #[test]
        fn along_the_front_less_of_one_costs_more_of_the_other(points in points()) {
            let on_front = front(&points);
            let mut kept: Vec<_> = points.iter().zip(on_front).filter(|(_, on)| *on).map(|(point, _)| *point).collect();
            kept.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
            kept.dedup();
            prop_assert!(kept.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 > pair[1].1));
        }

        #[test]
        fn a_beaten_newcomer_changes_nothing(points in points(), which in any::<prop::sample::Index>()) {
            let before = front(&points);
            let (x, y) = points[which.index(points.len())];
            let mut more = points.clone();
            more.push((x + 1.0, y));
            let after = front(&more);
            prop_assert_eq!(&after[..points.len()], &before[..]);
            prop_assert!(!after[points.len()]);
        }
    }
}
