//! How often chance alone would make a paired difference as large: the sign-flip test.
//!
//! If two strategies do the same, then which of them fared better with a seed is a coin's toss, and the sign of each seed's
//! part in the difference might as well be the other. The p-value is the share of all assignments of signs under which the
//! total is at least as far from 0. It needs no distribution, and few seeds cannot claim much: five leave 2 in 32 at least.
//! (Fisher, "The Design of Experiments", 1935, section 21.)
//!
//! A seed's part in a difference that is no plain mean (a ratio of sums, a Kaplan-Meier mean) is its jackknife pseudo-value,
//! n times the whole less n - 1 times the whole without it. Of a mean of differences these are the differences, and the test
//! is exact where they are symmetric; otherwise it is so approximately.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use rand_core::Rng as _;

use super::bca::Replicated;

/// How many assignments are drawn where there are too many to try them all: a p-value is at least 1 in 5,000.
const FLIPS: usize = 4_999;

/// Up to so many parts all assignments are tried.
const ALL_UP_TO: usize = 12;

/// Key of the generator: any fixed number makes the same report each time.
const KEY: u64 = 0x6361_7264_696f_0002;

/// Returns the two-sided p-value of the difference's being 0. `None` with fewer than 2 replicates, or where the difference does
/// not exist without one of them.
pub(crate) fn p_value(difference: &Replicated) -> Option<f64> {
    let n = difference.jackknife.len();
    let part = |without: &f64| n as f64 * difference.estimate - (n as f64 - 1.0) * without;
    let parts: Vec<f64> = difference.jackknife.iter().map(part).collect();
    if n < 2 || parts.iter().any(|part| !part.is_finite()) {
        return None;
    }
    let total: f64 = parts.iter().sum();
    let size: f64 = parts.iter().map(|part| part.abs()).sum();
    // Sums in another order differ by rounding: what is as far must count as that.
    let is_as_far = |kept: f64| (2.0 * kept - total).abs() >= total.abs() - 1e-9 * size;
    Some(if n <= ALL_UP_TO {
        let kept =
            |signs: u64| parts.iter().enumerate().map(|(it, part)| f64::from(signs as u32 >> it & 1) * part).sum();
        let all = 1_u64 << n;
        (0..all).filter(|&signs| is_as_far(kept(signs))).count() as f64 / all as f64
    } else {
        let mut rng = ChaCha8Rng::seed_from_u64(KEY);
        let mut kept = || {
            let of_word = |parts: &[f64]| {
                let signs = rng.next_u64();
                parts.iter().enumerate().map(|(it, part)| if signs >> it & 1 == 1 { *part } else { 0.0 }).sum::<f64>()
            };
            parts.chunks(64).map(of_word).sum::<f64>()
        };
        // What was seen is one of the assignments.
        (1 + (0..FLIPS).filter(|_| is_as_far(kept())).count()) as f64 / (1 + FLIPS) as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the mean of `values`.
    fn mean(values: &[f64]) -> Replicated {
        let (n, total) = (values.len() as f64, values.iter().sum::<f64>());
        let jackknife = values.iter().map(|value| (total - value) / (n - 1.0)).collect();
        Replicated { replicates: values.len(), estimate: total / n, jackknife, resamples: Vec::new() }
    }

    #[test]
    fn by_hand() {
        // Of the 8 assignments of signs to 1, 2 and 4, all give another total; 7 and 5 are at least 5 away, either way.
        assert_eq!(p_value(&mean(&[-1.0, 2.0, 4.0])), Some(4.0 / 8.0));
        assert_eq!(p_value(&mean(&[1.0, 2.0, 4.0])), Some(2.0 / 8.0));
    }

    #[test]
    fn fisher_on_darwin() {
        // Darwin's 15 pairs of plants, in eighths of an inch: Fisher counts 1,726 of the 32,768 assignments as far.
        let darwin = [49.0, -67.0, 8.0, 16.0, 6.0, 23.0, 28.0, 41.0, 14.0, 29.0, 56.0, 24.0, 75.0, 60.0, -48.0];
        let p = p_value(&mean(&darwin)).unwrap();
        assert!((p - 1_726.0 / 32_768.0).abs() < 0.007, "{p}");
    }

    #[test]
    fn no_difference_at_all_is_certain() {
        assert_eq!(p_value(&mean(&[0.0; 5])), Some(1.0));
        assert_eq!(p_value(&mean(&[0.0; 50])), Some(1.0));
    }

    #[test]
    fn few_seeds_cannot_claim_much() {
        assert_eq!(p_value(&mean(&[3.0; 5])), Some(2.0 / 32.0));
        assert_eq!(p_value(&mean(&[3.0; 100])), Some(1.0 / 5_000.0));
        assert_eq!(p_value(&mean(&[3.0])), None);
    }
}
