//! Waits that grow by the same span with each retry, up to a cap.

use super::{
    backoff::{Backoff, Counting, DelayFrom, Growth, Jitter, Spread, micros},
    plan::{Pace, Reset},
};
use crate::{
    PolicyRng, Problem,
    unit::{Delay, Span},
};

parameters! {
    /// Waits of nominally `base`, `2 * base`, `3 * base`, ... up to `cap`.
    pub struct Linear {
        /// The nominal wait before the first retry, and by which it grows with each one. Default 1 s.
        pub base: Span = Span::secs(1),
        /// The longest nominal wait, at least `base`. Default 60 s.
        pub cap: Span = Span::secs(60),
        /// How the waits of different clients are spread. Default `none`.
        pub jitter: Jitter = Jitter::None,
        /// From when the wait is counted. Default `failure`.
        pub delay_from: DelayFrom = DelayFrom::default(),
        /// What brings the waits back to `base`. Default `connected`.
        pub reset: Reset = Reset::default(),
        /// After the loss of an established connection, wait at least a random time up to this. Default 0.
        pub after_loss: Delay = Delay::ZERO,
        /// A random time up to this comes to the first wait, after each loss anew. Default 0.
        pub first_added: Delay = Delay::ZERO,
    }
}

impl Linear {
    pub(super) fn describe(&self) -> String {
        let Self { base, cap, .. } = self;
        let (jitter, counting) = (self.jitter.describe(), self.counting().describe());
        format!(
            "Waits nominally {base} before the first retry and {base} longer before each next, at most {cap}. {jitter}, {counting}"
        )
    }

    fn counting(&self) -> Counting {
        Counting {
            delay_from: self.delay_from,
            reset: self.reset,
            after_loss: self.after_loss,
            first_added: self.first_added,
            ..Counting::default()
        }
    }

    pub(super) fn build(&self, mut rng: PolicyRng) -> Backoff {
        let growth = Growth::Linear { base: micros(self.base.get()) };
        let waits = Spread::new(growth, self.jitter, (Some(self.cap.get()), None), None, &mut rng);
        Backoff::new(Box::new(waits), self.counting(), rng)
    }

    pub(super) fn pace(&self) -> Pace {
        let longest = self.jitter.range(self.cap.get()).1.max(self.after_loss.get()) + self.first_added.get();
        Pace { gap: self.jitter.range(self.base.get()).0, longest: Some(longest), timeouts: None }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let path = "reconnect.linear";
        let cap = (self.cap < self.base).then(|| {
            let message = format!("a cap of {} is shorter than the base of {}", self.cap, self.base);
            Problem::new(format!("{path}.cap"), message, format!("use at least \"{}\", or a shorter base", self.base))
        });
        cap.into_iter().chain(self.jitter.problem(path)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{reconnect::testing::Client, testing::rng};

    #[test]
    fn waits_grow_by_the_base_up_to_the_cap() {
        let spec = Linear { cap: Span::millis(3_500), ..Linear::default() };
        let mut client = Client::new(spec.build(rng(1)));
        let waits: Vec<_> = (0..5).map(|_| client.fail().as_millis()).collect();
        assert_eq!(waits, [1_000, 2_000, 3_000, 3_500, 3_500]);
        assert_eq!(client.live(std::time::Duration::ZERO).as_millis(), 1_000);
    }
}
