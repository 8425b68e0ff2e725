//! Random spans, the same on every platform: 53 random bits and IEEE multiplication, nothing else.

use std::time::Duration;

use rand_core::Rng;

/// Uniform from 0 to 1, the latter not included.
pub(crate) fn unit(rng: &mut dyn Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Uniform from `low` to `high`, in whole microseconds; `low` where the range is empty.
pub fn between(rng: &mut dyn Rng, low: Duration, high: Duration) -> Duration {
    let width = high.saturating_sub(low).as_micros() as f64;
    low + Duration::from_micros((unit(rng) * width) as u64)
}
