//! Many comparisons with one baseline: p-values so adjusted that the chance of a single false claim among all of them
//! stays what it is for one.
//!
//! Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979): the
//! smallest of m p-values counts m times, the next m - 1 times, and none counts less than one before it. It needs no
//! independence.

/// Returns the adjusted p-values, in the order of `p`.
pub(crate) fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut least: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        least = least.max(p[index] * (p.len() - rank) as f64).min(1.0);
        adjusted[index] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn by_hand() {
        // 0.01 * 4, 0.02 * 3, 0.022 * 2 = 0.044 but no less than 0.06, 0.5 * 1.
        let adjusted = holm(&[0.5, 0.01, 0.022, 0.02]);
        for (value, expected) in adjusted.iter().zip([0.5, 0.04, 0.06, 0.06]) {
            assert!((value - expected).abs() < 1e-15, "{adjusted:?}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert_eq!(holm(&[0.03]), [0.03]);
        assert!(holm(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn never_less_than_before_and_in_the_same_order(p in prop::collection::vec(0.0..=1.0_f64, 0..20)) {
            let adjusted = holm(&p);
            for (before, after) in p.iter().zip(&adjusted) {
                prop_assert!(after >= before && *after <= 1.0);
            }
            for a in 0..p.len() {
                for b in 0..p.len() {
                    prop_assert!(p[a] > p[b] || adjusted[a] <= adjusted[b]);
                }
            }
        }
    }
}
