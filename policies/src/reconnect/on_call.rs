//! Coming back only when called: `on-call`.

use super::{Ended, Exponential, Reconnect, ReconnectEvent, Verdict, backoff::Backoff, plan::Pace};
use crate::{GiveUp, PolicyRng, Time};

/// A connection that was lost, or an attempt that failed, is tried again as by `backoff`. After one that was left on
/// purpose there is no attempt: something else has to wake the client, such as a push service.
pub(super) struct OnCall {
    backoff: Backoff,
    /// The last connection was left on purpose, and no attempt has begun since.
    is_done: bool,
}

pub(super) fn describe(backoff: &Exponential) -> String {
    format!(
        "After a connection that was left on purpose it makes no attempt until something else wakes it, such as a push \
         service. Otherwise: {}",
        backoff.describe()
    )
}

impl OnCall {
    pub(super) fn new(backoff: &Exponential, rng: PolicyRng) -> Self {
        Self { backoff: backoff.build(rng), is_done: false }
    }

    /// That of the backoff, but for the promise that it comes back by itself.
    pub(super) fn pace(backoff: &Exponential) -> Pace {
        Pace { longest: None, ..backoff.pace() }
    }
}

impl Reconnect for OnCall {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        match event {
            ReconnectEvent::AttemptStarted { .. } => self.is_done = false,
            ReconnectEvent::Lost(Ended::GivenUp(GiveUp::Done)) => self.is_done = true,
            _ => {}
        }
        self.backoff.on_event(now, event);
    }

    fn next(&mut self, now: Time) -> Verdict {
        if self.is_done { Verdict::Stop } else { self.backoff.next(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AttemptFailure, LossReason, Network, ServerChoice, reconnect::Jitter, testing::rng};

    #[test]
    fn it_comes_back_from_a_loss_and_stays_away_from_what_is_done() {
        let mut policy = OnCall::new(&Exponential { jitter: Jitter::None, ..Exponential::default() }, rng(1));
        let at = Time::from_secs;
        let attempt = ReconnectEvent::AttemptStarted { server: 0 };
        let tries = |verdict| matches!(verdict, Verdict::TryAfter { server: ServerChoice::Same, .. });
        for event in [attempt, ReconnectEvent::Connected, ReconnectEvent::Lost(Ended::GivenUp(GiveUp::Done))] {
            policy.on_event(at(10), &event);
        }
        assert_eq!(policy.next(at(10)), Verdict::Stop);
        policy.on_event(at(20), &ReconnectEvent::NetworkChanged(Some(Network::cellular(1))));
        assert_eq!(policy.next(at(20)), Verdict::Stop, "another network is no call");
        policy.on_event(at(30), &attempt);
        policy.on_event(at(40), &ReconnectEvent::AttemptFailed(AttemptFailure::Timeout));
        assert!(matches!(policy.next(at(40)), Verdict::TryAfter { .. }), "called, it means to get through");
        for event in [attempt, ReconnectEvent::Connected, ReconnectEvent::Lost(Ended::Transport(LossReason::Reset))] {
            policy.on_event(at(50), &event);
        }
        assert!(tries(policy.next(at(50))));
    }
}
