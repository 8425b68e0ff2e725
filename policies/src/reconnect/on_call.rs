//! Coming back only when called: `on-call`.

use super::{Ended, ExponentialBackoff, Reconnect, ReconnectAction, ReconnectEvent, backoff::Backoff, plan::Pace};
use crate::{GiveUp, PolicyRng, Time};

/// A connection that was lost, or an attempt that failed, is tried again as by `backoff`. After one that was left on
/// purpose there is no attempt: something else has to wake the client, such as a push service.
pub(super) struct OnCall {
    backoff: Backoff,
    /// The last connection was left on purpose, and no attempt has begun since.
    is_done: bool,
}

pub(super) fn describe(backoff: &ExponentialBackoff) -> String {
    format!(
        "After a connection that was left on purpose it makes no attempt until something else wakes it, such as a push \
         service. Otherwise: {}",
        backoff.describe()
    )
}

impl OnCall {
    pub(super) fn new(backoff: &ExponentialBackoff, rng: PolicyRng) -> Self {
        Self { backoff: backoff.build(rng), is_done: false }
    }

    /// That of the backoff, but for the promise that it comes back by itself.
    pub(super) fn pace(backoff: &ExponentialBackoff) -> Pace {
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

    fn next(&mut self, now: Time) -> ReconnectAction {
        if self.is_done { ReconnectAction::Stop } else { self.backoff.next(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AttemptFailure, LossReason, Network, ServerChoice, reconnect::Jitter, testing::rng};

    #[test]
    fn it_comes_back_from_a_loss_and_stays_away_from_what_is_done() {
        let mut policy =
            OnCall::new(&ExponentialBackoff { jitter: Jitter::None, ..ExponentialBackoff::default() }, rng(1));
        let at = Time::from_secs;
        let attempt = ReconnectEvent::AttemptStarted { server: 0 };
        let tries = |verdict| matches!(verdict, ReconnectAction::TryAfter { server: ServerChoice::Same, .. });
        for event in [attempt, ReconnectEvent::Connected, ReconnectEvent::Lost(Ended::GivenUp(GiveUp::Done))] {
            policy.on_event(at(10), &event);
        }
        assert_eq!(policy.next(at(10)), ReconnectAction::Stop);
        policy.on_event(at(20), &ReconnectEvent::NetworkChanged(Some(Network::cellular(1))));
        assert_eq!(policy.next(at(20)), ReconnectAction::Stop, "another network is no call");
        policy.on_event(at(30), &attempt);
        policy.on_event(at(40), &ReconnectEvent::AttemptFailed(AttemptFailure::Timeout));
        assert!(matches!(policy.next(at(40)), ReconnectAction::TryAfter { .. }), "called, it means to get through");
        for event in [attempt, ReconnectEvent::Connected, ReconnectEvent::Lost(Ended::Transport(LossReason::Reset))] {
            policy.on_event(at(50), &event);
        }
        assert!(tries(policy.next(at(50))));
    }
}
