//! Intervals for quantiles that need no assumption about the distribution: from one of the sorted observations to
//! another.
//!
//! Of n independent observations the number that lie below the q-quantile is binomial(n, q); so the l-th and the u-th
//! smallest enclose it with probability P(l <= B < u). Too few observations have no such pair: for the 95th percentile at
//! 95 % it takes 59. (David, Nagaraja, "Order Statistics", 3rd edition 2003, section 7.1.)

/// Returns the ranks, counted from 1, of two of `n` sorted observations that enclose the q-quantile with at least probability
/// `level`: the closest such pair, of several the one that encloses it most likely. `None` where `n` is too small.
pub(crate) fn ranks(n: u64, q: f64, level: f64) -> Option<(u64, u64)> {
    let (first, probabilities) = binomial(n, q);
    // Ranks from 1 to n: B = 0 would need an observation before the first, B = n one after the last.
    let skip = usize::from(first == 0);
    let drop = usize::from(first + probabilities.len() as u64 == n + 1);
    let usable = probabilities.get(skip..probabilities.len() - drop)?;
    let first = first + skip as u64;
    let mut best: Option<(usize, usize, f64)> = None;
    let (mut sum, mut from) = (0.0, 0);
    for (to, probability) in usable.iter().enumerate() {
        sum += probability;
        while from < to && sum - usable[from] >= level {
            sum -= usable[from];
            from += 1;
        }
        let closer = |best: &(usize, usize, f64)| {
            let (length, shortest) = (to - from, best.1 - best.0);
            length < shortest || (length == shortest && sum > best.2)
        };
        if sum >= level && best.as_ref().is_none_or(closer) {
            best = Some((from, to, sum));
        }
    }
    best.map(|(from, to, _)| (first + from as u64, first + to as u64 + 1))
}

/// Returns the binomial probabilities of `n` and `q`, from the returned number on; what is left out on both sides is less than
/// 1e-17 each.
fn binomial(n: u64, q: f64) -> (u64, Vec<f64>) {
    let mode = ((n as f64 + 1.0) * q).floor().min(n as f64) as u64;
    let choose = libm::lgamma(n as f64 + 1.0) - libm::lgamma(mode as f64 + 1.0) - libm::lgamma((n - mode) as f64 + 1.0);
    let top = libm::exp(choose + mode as f64 * libm::log(q) + (n - mode) as f64 * libm::log1p(-q));
    let odds = q / (1.0 - q);
    // What follows each is smaller by a factor that only gets smaller itself: the rest soon does not matter.
    let is_left = |probability: &f64| *probability > 1e-20;
    let below = (1..=mode).rev().scan(top, |probability, k| {
        *probability *= k as f64 / ((n - k + 1) as f64 * odds);
        Some(*probability)
    });
    let mut probabilities: Vec<f64> = below.take_while(is_left).collect();
    let first = mode - probabilities.len() as u64;
    probabilities.reverse();
    probabilities.push(top);
    let above = (mode..n).scan(top, |probability, k| {
        *probability *= (n - k) as f64 * odds / (k + 1) as f64;
        Some(*probability)
    });
    probabilities.extend(above.take_while(is_left));
    // The logarithms of large factorials have lost some digits: their error is the same for all.
    let sum: f64 = probabilities.iter().sum();
    for probability in &mut probabilities {
        *probability /= sum;
    }
    (first, probabilities)
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{Binomial, DiscreteCDF as _};

    use super::*;

    #[test]
    fn the_numbers_of_observations_that_tables_give() {
        // The fewest with which a two-sided interval of 95 % exists: 1 - q^n - (1-q)^n >= 0.95.
        for (q, fewest) in [(0.5, 6), (0.9, 29), (0.95, 59), (0.99, 299)] {
            assert_eq!(ranks(fewest - 1, q, 0.95), None, "{q}");
            let (low, high) = ranks(fewest, q, 0.95).unwrap();
            assert!(low >= 1 && high == fewest, "{q}: {low}, {high}");
        }
        assert_eq!(ranks(0, 0.5, 0.95), None);
        assert_eq!(ranks(1, 0.5, 0.95), None);
    }

    #[test]
    fn the_median_of_ten_lies_between_the_second_and_the_ninth() {
        // P(2 <= B < 9) = 1 - 2 (1 + 10) / 1024 = 0.9785, and no closer pair has 0.95.
        assert_eq!(ranks(10, 0.5, 0.95), Some((2, 9)));
    }

    #[test]
    fn an_independent_library_agrees_on_what_the_ranks_enclose() {
        for n in [6, 20, 59, 100, 537, 4_000] {
            for q in [0.5, 0.9, 0.95] {
                let Some((low, high)) = ranks(n, q, 0.95) else { continue };
                let binomial = Binomial::new(q, n).unwrap();
                let enclosed = |low: u64, high: u64| binomial.cdf(high - 1) - binomial.cdf(low - 1);
                assert!(enclosed(low, high) >= 0.95, "{n}, {q}");
                // No pair that is closer does.
                let width = high - low - 1;
                let closer = (1..=n - width).map(|from| enclosed(from, from + width)).fold(0.0, f64::max);
                assert!(closer < 0.95, "{n}, {q}: {closer}");
            }
        }
    }

    #[test]
    fn a_million_observations_are_no_trouble() {
        let (low, high) = ranks(1_000_000, 0.95, 0.95).unwrap();
        // Normal theory: 950,000 +- 1.96 * 217.9.
        assert!((low as f64 - 949_573.0).abs() < 3.0 && (high as f64 - 950_427.0).abs() < 3.0, "{low}, {high}");
    }
}
