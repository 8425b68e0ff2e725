//! Chance. One `ChaCha` stream for each component of the world, keyed by the component's stable name, and coins that are a
//! hash of what they are tossed for; neither depends on the order of calls, so every policy meets the same world.

use std::convert::Infallible;

use cardiogram_policies::{Generators, Time};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng, TryRng};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

/// Returns the stream of number `index` of `component` in the world of `seed`.
pub(crate) fn stream(seed: u64, component: &str, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..16].copy_from_slice(&xxh3_128_with_seed(component.as_bytes(), seed).to_le_bytes());
    key[16..24].copy_from_slice(&seed.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(index);
    rng
}

/// Returns what the policies of a device draw from, in its process number `process`, counted from 0.
pub(crate) fn of_policies(seed: u64, device: u32, process: u64) -> Generators {
    let stream = |component| Box::new(Late::ToCome { seed, component, index: u64::from(device) + (process << 32) });
    Generators {
        heartbeat: stream("policy/heartbeat"),
        waits: stream("policy/reconnect"),
        rules: stream("policy/reconnect-rules"),
    }
}

/// A [`stream`] that is made when something is drawn from it. Every device has three, and most policies never draw: made, each
/// would take 200 bytes.
enum Late {
    ToCome { seed: u64, component: &'static str, index: u64 },
    Made(Box<ChaCha8Rng>),
}

impl Late {
    fn made(&mut self) -> &mut ChaCha8Rng {
        if let Self::ToCome { seed, component, index } = *self {
            *self = Self::Made(Box::new(stream(seed, component, index)));
        }
        let Self::Made(made) = self else { unreachable!("it has just been made") };
        made
    }
}

impl TryRng for Late {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.made().try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.made().try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.made().try_fill_bytes(bytes)
    }
}

/// Returns a number in (0, 1), neither end included, with 52 bits.
pub(crate) fn unit(bits: u64) -> f64 {
    ((bits >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

/// Returns the next number in (0, 1) of a stream.
pub(crate) fn draw(rng: &mut impl Rng) -> f64 {
    unit(rng.next_u64())
}

/// What coins of one lane and direction, or of one client of a server, are tossed for.
#[derive(Clone, Copy)]
pub(crate) enum DrawPurpose {
    /// Is the packet lost in the burst model?
    BurstLoss,
    /// Is it lost by itself?
    PacketLoss,
    /// How long does it take?
    Delay,
    /// How long does every packet of the lane take at least?
    BaseDelay,
    /// Does a fault of the link strike it?
    Fault,
    /// By how much does the fault delay it?
    FaultDelay,
    /// When does a sleeping radio hear of it?
    Paging,
    /// How much work is it?
    Work,
    /// Which server does the balancer choose?
    Server,
    /// What moves a delay that drifts?
    Drift,
    /// How old may it become?
    Age,
}

/// The coins of one component: a number for each (purpose, time), whatever else was asked before.
#[derive(Clone, Copy)]
pub(crate) struct Coins(u64);

impl Coins {
    pub(crate) fn new(seed: u64, component: &str, index: u64) -> Self {
        let key = xxh3_64_with_seed(component.as_bytes(), seed);
        Self(xxh3_64_with_seed(&index.to_le_bytes(), key))
    }

    /// Returns a number in (0, 1).
    pub(crate) fn unit(self, purpose: DrawPurpose, at: Time) -> f64 {
        let mut input = [0; 9];
        input[..8].copy_from_slice(&at.as_micros().to_le_bytes());
        input[8] = purpose as u8;
        unit(xxh3_64_with_seed(&input, self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_and_coins_are_what_they_were() {
        let mut rng = stream(7, "link/access", 3);
        let drawn: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        let coin = Coins::new(7, "link/access/up", 3).unit(DrawPurpose::Delay, Time::from_secs(1));
        assert_eq!((drawn, format!("{coin:.12}")), pinned());
    }

    /// Values drawn when the contract was made: a change here changes every result.
    fn pinned() -> (Vec<u64>, String) {
        (
            vec![18_375_045_311_366_647_076, 17_918_248_502_120_568_645, 14_078_403_182_254_947_547],
            "0.305336631117".into(),
        )
    }

    #[test]
    fn a_stream_made_late_is_the_same() {
        let mut late = of_policies(7, 3, 1);
        let mut stream = stream(7, "policy/reconnect", 3 + (1 << 32));
        for _ in 0..100 {
            assert_eq!((late.waits.next_u64(), late.waits.next_u32()), (stream.next_u64(), stream.next_u32()));
        }
    }

    #[test]
    fn neighbours_do_not_share_numbers() {
        let a = stream(1, "x", 0).next_u64();
        for (seed, component, index) in [(2, "x", 0), (1, "y", 0), (1, "x", 1)] {
            assert_ne!(stream(seed, component, index).next_u64(), a);
        }
    }

    #[test]
    fn unit_stays_inside_the_open_interval() {
        assert!(unit(0) > 0.0);
        assert!(unit(u64::MAX) < 1.0);
    }
}
