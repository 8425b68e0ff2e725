//! The generators that policies draw from: each policy has its own, so that none disturbs another's draws.

#[expect(clippy::disallowed_types, reason = "another seed in every process is what is wanted here")]
use std::hash::RandomState;
use std::hash::{BuildHasher, Hasher};

use cardiogram_policies::PolicyRng;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// Makes the generators of one client's policies.
pub(crate) struct Generators {
    seed: u64,
}

impl Generators {
    /// Seeds them by the system's chance, so that clients that fail together do not come back together. It is the seed that
    /// the standard library's hash maps get from the system: what policies draw is no secret.
    #[expect(clippy::disallowed_types, reason = "another seed in every process is what is wanted here")]
    pub(crate) fn of_the_system() -> Self {
        Self { seed: RandomState::new().build_hasher().finish() }
    }

    pub(crate) const fn seeded(seed: u64) -> Self {
        Self { seed }
    }

    pub(crate) fn heartbeat(&self) -> PolicyRng {
        self.stream(0)
    }

    pub(crate) fn waits(&self) -> PolicyRng {
        self.stream(1)
    }

    pub(crate) fn rules(&self) -> PolicyRng {
        self.stream(2)
    }

    fn stream(&self, number: u64) -> PolicyRng {
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
        generator.set_stream(number);
        Box::new(generator)
    }
}
