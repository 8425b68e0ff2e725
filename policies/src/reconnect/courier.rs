//! Gojek's Courier: a random wait for the first tries, then twice the wait before.

use std::time::Duration;

use super::{
    backoff::{Backoff, Counting, Waits},
    plan::{Pace, Reset},
};
use crate::{PolicyRng, Problem, random, unit::Span};

parameters! {
    /// `fixed` plus 1 to `random` whole seconds for the first `threshold` waits, from then on twice the wait before, up to
    /// `cap`. Source: Courier at 56708f6, `ConnectRetryTimePolicy`.
    pub struct CourierRetry {
        /// The part of the first waits that is the same for all. Default 5 s.
        pub fixed: Span = Span::secs(5),
        /// The most that is added to it, at random, in whole seconds from 1 s up; whole seconds itself. Default 15 s.
        pub random: Span = Span::secs(15),
        /// How many waits are drawn so. Default 10.
        pub threshold: u32 = 10,
        /// The longest wait, at least `fixed`. Default 180 s.
        pub cap: Span = Span::secs(180),
        /// What brings it back to the first wait. Default an uptime of 300 s: the source's `DEFAULT_POLICY_RESET_TIME`,
        /// taken here for the time that a connection has to live; what its timer means could not be verified.
        pub reset: Reset = Reset::Uptime(Span::secs(300)),
    }
}

impl CourierRetry {
    pub(super) fn describe(&self) -> String {
        let Self { fixed, random, threshold, cap, .. } = self;
        let counting = Counting { reset: self.reset, ..Counting::default() }.describe();
        format!(
            "Waits {fixed} and a random number of whole seconds up to {random} more for the first {threshold} retries, then \
             twice the wait before, at most {cap}, {counting}"
        )
    }

    pub(super) fn build(&self, rng: PolicyRng) -> Backoff {
        let waits = CourierWaits { spec: self.clone(), tries: 0, previous: self.fixed.get() };
        Backoff::new(Box::new(waits), Counting { reset: self.reset, ..Counting::default() }, rng)
    }

    pub(super) fn pace(&self) -> Pace {
        Pace { gap: self.fixed.get().min(self.cap.get()), longest: Some(self.cap.get()), timeouts: None }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let cap = (self.cap < self.fixed).then(|| {
            let message = format!("a cap of {} is shorter than the fixed part of {}", self.cap, self.fixed);
            Problem::new("reconnect.courier-retry.cap", message, format!("use at least \"{}\"", self.fixed))
        });
        let whole = (self.random.get().subsec_nanos() != 0).then(|| {
            let message = format!("a random part of {} is not a number of whole seconds", self.random);
            let help = format!("use \"{}\"", Span::secs(self.random.get().as_secs() + 1));
            Problem::new("reconnect.courier-retry.random", message, help)
        });
        cap.into_iter().chain(whole).collect()
    }
}

struct CourierWaits {
    spec: CourierRetry,
    tries: u32,
    previous: Duration,
}

impl Waits for CourierWaits {
    fn draw(&mut self, rng: &mut PolicyRng) -> Option<Duration> {
        let wait = if self.tries < self.spec.threshold {
            let seconds = self.spec.random.get().as_secs();
            let drawn = 1 + (random::unit(&mut **rng) * seconds as f64) as u64;
            self.spec.fixed.get() + Duration::from_secs(drawn)
        } else {
            self.previous * 2
        };
        self.previous = wait.min(self.spec.cap.get());
        Some(self.previous)
    }

    fn is_first(&self) -> bool {
        self.tries == 0
    }

    fn advance(&mut self) {
        self.tries = self.tries.saturating_add(1);
    }

    fn reset(&mut self) {
        self.tries = 0;
        self.previous = self.spec.fixed.get();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconnect::testing::Client;

    #[test]
    fn ten_random_waits_then_twice_the_one_before_up_to_the_cap() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..100 {
            let mut client = Client::new(CourierRetry::default().build(crate::testing::rng(seed)));
            let waits: Vec<_> = (0..18).map(|_| client.fail().as_millis()).collect();
            for wait in &waits[..10] {
                assert!((6_000..=20_000).contains(wait) && wait % 1_000 == 0, "{waits:?}");
                seen.insert(wait / 1_000);
            }
            for pair in waits[9..].windows(2) {
                assert_eq!(pair[1], (2 * pair[0]).min(180_000), "{waits:?}");
            }
            assert_eq!(waits[17], 180_000);
        }
        assert_eq!(seen, (6..=20).collect(), "every whole second there is");
    }

    #[test]
    fn only_a_connection_of_five_minutes_leads_back_to_the_first_waits() {
        let mut client = Client::new(CourierRetry::default().build(crate::testing::rng(1)));
        for _ in 0..16 {
            client.fail();
        }
        assert_eq!(client.live(Duration::from_secs(299)).as_secs(), 180);
        assert!(client.live(Duration::from_secs(300)).as_secs() <= 20);
    }
}
