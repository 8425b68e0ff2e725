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

/// `SplitMix64` (Steele, Lea, Flood 2014): for a part of a policy that draws little and shares no generator with the others.
pub(crate) struct SplitMix(u64);

impl SplitMix {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Uniform from 0 to 1, the latter not included.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
