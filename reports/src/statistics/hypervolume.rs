//! How much of the trade-off a set of strategies opens up: the share of the plane between the bound and a fixed worst
//! point that some strategy of the set is better than, on logarithmic axes.
//!
//! Costs span decades, so that a plain area would see nothing but the cheapest. The worst point is fixed and published,
//! so that numbers of different reports can be compared. On logarithmic axes the bound `y = c / x` is a straight line,
//! and what it leaves below and left of the worst point is a triangle: that is 1, which no set of strategies reaches.
//!
//! Zitzler, Thiele, "Multiobjective evolutionary algorithms", IEEE Transactions on Evolutionary Computation 3 (1999).

/// The worst packets per device-hour that still count: one a second.
pub(crate) const WORST_PACKETS_PER_DEVICE_HOUR: f64 = 3_600.0;

/// The worst mean latency in seconds that still counts: an hour.
pub(crate) const WORST_LATENCY_S: f64 = 3_600.0;

/// Returns the area that `points` are better than, up to `worst`: the union of the rectangles between each and it. Points that
/// are not better than `worst` in both add nothing.
pub(crate) fn area(points: &[(f64, f64)], worst: (f64, f64)) -> f64 {
    let mut inside: Vec<_> = points.iter().copied().filter(|it| it.0 < worst.0 && it.1 < worst.1).collect();
    inside.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let (mut area, mut lowest) = (0.0, worst.1);
    for (x, y) in inside {
        if y < lowest {
            area += (worst.0 - x) * (lowest - y);
            lowest = y;
        }
    }
    area
}

/// Returns the share of what lies above the bound `latency = product / packets` that `points` (packets per device-hour, latency
/// in seconds; both above zero) are better than. `None` where the bound leaves nothing.
pub(crate) fn share_of_bound(points: &[(f64, f64)], product: f64) -> Option<f64> {
    let worst = (libm::log10(WORST_PACKETS_PER_DEVICE_HOUR), libm::log10(WORST_LATENCY_S));
    let leg = worst.0 + worst.1 - libm::log10(product);
    let logarithms: Vec<_> = points.iter().map(|&(x, y)| (libm::log10(x), libm::log10(y))).collect();
    (leg > 0.0).then(|| area(&logarithms, worst) / (leg * leg / 2.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_point_spans_a_rectangle() {
        assert!((area(&[(1.0, 2.0)], (4.0, 7.0)) - 3.0 * 5.0).abs() < 1e-12);
        assert!(area(&[(4.0, 2.0), (1.0, 7.0)], (4.0, 7.0)).abs() < 1e-12);
    }

    #[test]
    fn two_points_share_what_both_are_better_than() {
        // 3 * 2 of the first, 1 * 3 more of the second below it.
        assert!((area(&[(3.0, 1.0), (1.0, 4.0)], (4.0, 6.0)) - (3.0 * 2.0 + 1.0 * 3.0)).abs() < 1e-12);
    }

    #[test]
    fn of_a_point_on_the_bound_the_square_in_the_triangle() {
        // The bound 3600 / x leaves a triangle with legs of log10(3600) decades; a point in the middle of the bound spans
        // the square of half a leg: half of the triangle.
        let share = share_of_bound(&[(60.0, 60.0)], 3_600.0).unwrap();
        assert!((share - 0.5).abs() < 1e-12, "{share}");
        assert_eq!(share_of_bound(&[(60.0, 60.0)], 3_600.0 * 3_600.0), None);
    }

    #[test]
    fn the_whole_bound_is_one() {
        let points: Vec<_> = (0..=10_000)
            .map(|step| libm::pow(3_600.0, f64::from(step) / 10_000.0))
            .map(|packets| (packets, 3_600.0 / packets))
            .collect();
        let share = share_of_bound(&points, 3_600.0).unwrap();
        assert!(share < 1.0 && share > 0.999, "{share}");
    }

    fn points() -> impl Strategy<Value = Vec<(f64, f64)>> {
        prop::collection::vec((0.0..10.0_f64, 0.0..10.0_f64), 1..20)
    }

    proptest! {
        #[test]
        fn one_more_point_never_takes_away(points in points(), more in (0.0..10.0_f64, 0.0..10.0_f64)) {
            let before = area(&points, (9.0, 9.0));
            let all: Vec<_> = points.into_iter().chain([more]).collect();
            prop_assert!(area(&all, (9.0, 9.0)) >= before - 1e-12);
        }

        #[test]
        fn a_beaten_point_changes_nothing(points in points(), which in any::<prop::sample::Index>()) {
            let before = area(&points, (9.0, 9.0));
            let (x, y) = points[which.index(points.len())];
            let all: Vec<_> = points.iter().copied().chain([(x + 0.5, y + 0.5)]).collect();
            prop_assert!((area(&all, (9.0, 9.0)) - before).abs() < 1e-12);
        }

        #[test]
        fn it_is_the_share_of_the_square_that_small_cells_count(
            points in prop::collection::vec((0..8_u32, 0..8_u32), 1..12)
        ) {
            // Whole coordinates: count the unit cells of the 8 by 8 square that lie above and right of some point.
            let cells = (0..8).flat_map(|x| (0..8).map(move |y| (x, y)));
            let counted = cells.filter(|cell| points.iter().any(|it| it.0 <= cell.0 && it.1 <= cell.1)).count();
            let points: Vec<_> = points.iter().map(|it| (f64::from(it.0), f64::from(it.1))).collect();
            prop_assert!((area(&points, (8.0, 8.0)) - counted as f64).abs() < 1e-9);
        }
    }
}
