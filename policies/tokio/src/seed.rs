//! The generators that policies draw from, where nobody hands over others.

#[expect(clippy::disallowed_types, reason = "another seed in every process is what is wanted here")]
use std::hash::RandomState;
use std::hash::{BuildHasher, Hasher};

use cardiogram_policies::{Generators, PolicyRng};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// Seeds them by the system's chance, so that clients that fail together do not come back together. It is the seed that the
/// standard library's hash maps get from the system: what policies draw is no secret.
#[expect(clippy::disallowed_types, reason = "another seed in every process is what is wanted here")]
pub(crate) fn of_the_system() -> Generators {
    seeded(RandomState::new().build_hasher().finish())
}

pub(crate) fn seeded(seed: u64) -> Generators {
    let stream = |number| -> PolicyRng {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(number);
        Box::new(generator)
    };
    Generators { heartbeat: stream(0), waits: stream(1), rules: stream(2) }
}
