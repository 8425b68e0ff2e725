//! The last samples, as many as the window holds, with their mean and standard deviation. Sums are kept in integers, so
//! that they never drift however long the window slides, and are the same on every machine.

/// Whole microseconds; room for all samples is made when it is built.
pub(super) struct Window {
    samples: Box<[i64]>,
    len: usize,
    /// Where the next sample goes: over the oldest, once all places are taken.
    next: usize,
    sum: i128,
    squares: i128,
}

impl Window {
    /// Returns an empty window for the last `size` samples.
    pub(super) fn new(size: u32) -> Self {
        let samples = vec![0; size as usize].into_boxed_slice();
        Self { samples, len: 0, next: 0, sum: 0, squares: 0 }
    }

    pub(super) fn clear(&mut self) {
        (self.len, self.next, self.sum, self.squares) = (0, 0, 0, 0);
    }

    pub(super) fn push(&mut self, sample: i64) {
        if self.len == self.samples.len() {
            let oldest = i128::from(self.samples[self.next]);
            self.sum -= oldest;
            self.squares -= oldest * oldest;
        } else {
            self.len += 1;
        }
        self.samples[self.next] = sample;
        self.next = (self.next + 1) % self.samples.len();
        let sample = i128::from(sample);
        self.sum += sample;
        self.squares += sample * sample;
    }

    /// Returns the mean, rounded up to a whole microsecond. The window is not empty, here and below.
    pub(super) fn mean_up(&self) -> i64 {
        -(-self.sum).div_euclid(self.len as i128) as i64
    }

    /// Returns the mean.
    pub(super) fn mean(&self) -> f64 {
        self.sum as f64 / self.len as f64
    }

    /// Returns the standard deviation of the samples themselves (by their number, not by one less).
    pub(super) fn deviation(&self) -> f64 {
        let len = self.len as i128;
        ((len * self.squares - self.sum * self.sum) as f64).sqrt() / len as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_mean_is_rounded_up_on_either_side_of_zero() {
        let mean_up = |samples: &[i64]| {
            let mut window = Window::new(8);
            for sample in samples {
                window.push(*sample);
            }
            window.mean_up()
        };
        assert_eq!(mean_up(&[3, 4]), 4);
        assert_eq!(mean_up(&[-3, -4]), -3);
        assert_eq!(mean_up(&[3, 5]), 4);
        assert_eq!(mean_up(&[-3, -5]), -4);
    }

    proptest! {
        #[test]
        fn only_the_last_samples_count(
            samples in prop::collection::vec(-1_000_000_000_i64..1_000_000_000, 1..50), size in 1_u32..20,
        ) {
            let mut window = Window::new(size);
            for sample in &samples {
                window.push(*sample);
            }
            let last = &samples[samples.len().saturating_sub(size as usize)..];
            let count = last.len() as f64;
            let mean = last.iter().sum::<i64>() as f64 / count;
            let squared = |&sample: &i64| (sample as f64 - mean) * (sample as f64 - mean);
            let variance = last.iter().map(squared).sum::<f64>() / count;
            prop_assert!((window.mean() - mean).abs() < 1e-3);
            prop_assert!((window.deviation() - variance.sqrt()).abs() < 1e-3 * (1.0 + variance.sqrt()));
            prop_assert!((0.0..1.0).contains(&(window.mean_up() as f64 - mean)));
        }
    }
}
