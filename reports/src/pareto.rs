//! The Pareto front of two costs, both to be made small: the strategies that no other beats.

/// Which of `points` (x, y) are on the front: those for which no other point is at most as large in both and smaller in
/// one. Equal points are on it together.
pub(crate) fn front(points: &[(f64, f64)]) -> Vec<bool> {
    let beats = |a: (f64, f64), b: (f64, f64)| a.0 <= b.0 && a.1 <= b.1 && (a.0 < b.0 || a.1 < b.1);
    points.iter().map(|&point| !points.iter().any(|&other| beats(other, point))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
