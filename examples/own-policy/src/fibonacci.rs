//! Reconnect after waits that grow as the Fibonacci numbers do: 1, 1, 2, 3, 5, 8, ... steps. They double more gently than a
//! doubling backoff, so a short outage is over sooner, and still end at a cap.

use std::time::Duration;

use cardiogram_policies::{
    AttemptLimit, Bounds, CustomReconnect, PolicyRng, Problem, Promises, Reconnect, ReconnectAction, ReconnectEvent,
    ServerChoice, Time, random,
    unit::{Fraction, Span},
};
use serde::{Deserialize, Serialize};

/// The parameters, as a strategy file gives them under `reconnect.custom.fibonacci`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fibonacci {
    /// The first two waits, and what the others are multiples of. Default 1 s.
    pub step: Span,
    /// The longest wait, jitter apart; at least `step`. Default 1 min.
    pub cap: Span,
    /// How far a wait strays to either side, so that clients who lost their connection together do not come back together.
    /// After the cap, or the longest waits would all be the same. Default 0.2.
    pub jitter: Fraction,
}

impl Default for Fibonacci {
    fn default() -> Self {
        let jitter = Fraction::new(0.2).expect("a fifth is a fraction");
        Self { step: Span::secs(1), cap: Span::secs(60), jitter }
    }
}

impl Fibonacci {
    /// The shortest and the longest that a nominal wait can become.
    fn range(&self, nominal: Duration) -> (Duration, Duration) {
        let spread = nominal.mul_f64(self.jitter.get());
        (nominal.saturating_sub(spread), nominal + spread)
    }
}

impl CustomReconnect for Fibonacci {
    fn build(&self, rng: PolicyRng) -> Box<dyn Reconnect> {
        let step = self.step.get();
        Box::new(Growing { spec: self.clone(), rng, waits: (step, step), failed: false, due: None })
    }

    fn promises(&self, bounds: &Bounds, connect_timeout: Duration) -> Promises {
        let (shortest, _) = self.range(self.step.get());
        let (_, longest) = self.range(self.cap.get());
        // At worst all servers but one are down, and each costs an attempt and the longest wait.
        let certain = bounds.loss_free && bounds.handshake_max <= connect_timeout;
        Promises::default()
            .with_attempts((!shortest.is_zero()).then_some(AttemptLimit { count: 1, window: shortest }))
            .with_reconnects_within(
                certain.then(|| (connect_timeout + longest) * bounds.servers + bounds.handshake_max),
            )
    }

    fn problems(&self) -> Vec<Problem> {
        if self.cap >= self.step {
            return Vec::new();
        }
        let message = format!("a cap of {} is shorter than the step of {}", self.cap, self.step);
        vec![Problem::new("cap", message, format!("use at least \"{}\"", self.step))]
    }

    fn describe(&self) -> String {
        format!(
            "Waits {step} before the first and the second retry, then as long as the last two waits together, at most {}; each \
             wait strays by up to {} % of itself. An established connection starts the waits again. After a failed attempt it \
             goes on to the next server, after a loss it stays with the same one. It remembers nothing else.",
            self.cap,
            (self.jitter.get() * 100.0).round(),
            step = self.step,
        )
    }
}

struct Growing {
    spec: Fibonacci,
    rng: PolicyRng,
    /// The nominal wait before the next retry, and the one before the retry after it.
    waits: (Duration, Duration),
    /// The last attempt failed: it is the next server's turn.
    failed: bool,
    /// When the next attempt is due, once that has been decided.
    due: Option<Time>,
}

impl Reconnect for Growing {
    fn on_event(&mut self, _: Time, event: &ReconnectEvent) {
        match event {
            ReconnectEvent::AttemptStarted { .. } => (self.failed, self.due) = (false, None),
            ReconnectEvent::Connected => self.waits = (self.spec.step.get(), self.spec.step.get()),
            ReconnectEvent::AttemptFailed(_) => self.failed = true,
            _ => {}
        }
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        // Asked again before the attempt (the network has changed), it keeps to what it said.
        let due = *self.due.get_or_insert_with(|| {
            let (this, next) = self.waits;
            self.waits = (next, (this + next).min(self.spec.cap.get()));
            let (low, high) = self.spec.range(this);
            // The only chance there is comes from the generator that was handed in, so a run can be repeated.
            now + random::between(&mut *self.rng, low, high)
        });
        let server = if self.failed { ServerChoice::Next } else { ServerChoice::Same };
        ReconnectAction::TryAfter { wait: due.since(now), server, timeout: None }
    }
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::AttemptFailure;
    use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

    use super::*;

    const START: ReconnectEvent = ReconnectEvent::AttemptStarted { server: 0 };
    const FAILED: ReconnectEvent = ReconnectEvent::AttemptFailed(AttemptFailure::Refused);

    /// The waits after `count` failures in a row, one attempt after the other.
    fn waits(policy: &mut dyn Reconnect, count: usize) -> Vec<Duration> {
        let mut now = Time::ZERO;
        let mut fail = || {
            policy.on_event(now, &START);
            policy.on_event(now, &FAILED);
            let ReconnectAction::TryAfter { wait, server: ServerChoice::Next, .. } = policy.next(now) else {
                panic!("no next server")
            };
            now += wait;
            wait
        };
        (0..count).map(|_| fail()).collect()
    }

    fn build(spec: &Fibonacci, seed: u64) -> Box<dyn Reconnect> {
        spec.build(Box::new(ChaCha8Rng::seed_from_u64(seed)))
    }

    #[test]
    fn waits_are_fibonacci_numbers_up_to_the_cap_and_start_again_with_a_connection() {
        let mut policy = build(&Fibonacci { jitter: Fraction::ZERO, ..Fibonacci::default() }, 1);
        let nominal = [1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 60, 60].map(Duration::from_secs);
        assert_eq!(waits(&mut *policy, nominal.len()), nominal);
        policy.on_event(Time::from_secs(999), &ReconnectEvent::Connected);
        assert_eq!(waits(&mut *policy, 3), nominal[..3]);
    }

    #[test]
    fn jitter_spreads_the_longest_waits_too() {
        let spec = Fibonacci::default();
        let (low, high) = spec.range(spec.cap.get());
        let longest: Vec<Duration> = (0..50).map(|seed| waits(&mut *build(&spec, seed), 12)[11]).collect();
        assert!(longest.iter().all(|wait| (low..=high).contains(wait)));
        assert!(longest.iter().any(|wait| *wait < spec.cap.get()) && longest.iter().any(|wait| *wait > spec.cap.get()));
    }

    #[test]
    fn asked_twice_it_keeps_to_its_time() {
        let mut policy = build(&Fibonacci::default(), 7);
        policy.on_event(Time::ZERO, &START);
        policy.on_event(Time::ZERO, &FAILED);
        let ReconnectAction::TryAfter { wait, .. } = policy.next(Time::ZERO) else { panic!("it tries") };
        let later = Time::from_millis(500);
        let server = ServerChoice::Next;
        assert_eq!(
            policy.next(later),
            ReconnectAction::TryAfter { wait: wait - Duration::from_millis(500), server, timeout: None }
        );
    }
}
