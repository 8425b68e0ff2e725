//! Coming back only when called: `on-call`.

use std::time::Duration;

use super::{
    Ended, ExponentialBackoff, Reconnect, ReconnectAction, ReconnectEvent, ServerChoice, backoff::Backoff, plan::Pace,
};
use crate::{GiveUp, PolicyRng, Time};

/// A connection that was lost, or an attempt that failed, is tried again as by `backoff`. After one that was left on
/// purpose there is no attempt until something calls the client: the application that has something to send, as with pools of
/// connections and with producers, or something outside, such as a push service.
pub(super) struct OnCall {
    backoff: Backoff,
    after_done: Option<AfterDone>,
}

/// Since the last connection was left on purpose no attempt has begun.
#[derive(Clone, Copy)]
enum AfterDone {
    /// Nothing calls.
    Rests,
    /// The application does.
    Called,
}

pub(super) fn describe(backoff: &ExponentialBackoff) -> String {
    format!(
        "After a connection that was left on purpose it makes no attempt until the application has something to send, or \
         something else wakes it, such as a push service: then at once. Otherwise: {}",
        backoff.describe()
    )
}

impl OnCall {
    pub(super) fn new(backoff: &ExponentialBackoff, rng: PolicyRng) -> Self {
        Self { backoff: backoff.build(rng), after_done: None }
    }

    /// That of the backoff, but for two promises: that it comes back by itself, and how many attempts it makes at most, for
    /// whoever calls decides on that.
    pub(super) fn pace(backoff: &ExponentialBackoff) -> Pace {
        Pace { longest: None, gap: Duration::ZERO, ..backoff.pace() }
    }
}

impl Reconnect for OnCall {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        match event {
            ReconnectEvent::AttemptStarted { .. } => self.after_done = None,
            ReconnectEvent::Lost(Ended::GivenUp(GiveUp::Done)) => self.after_done = Some(AfterDone::Rests),
            ReconnectEvent::Wanted if self.after_done.is_some() => self.after_done = Some(AfterDone::Called),
            _ => {}
        }
        self.backoff.on_event(now, event);
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        match self.after_done {
            None => self.backoff.next(now),
            Some(AfterDone::Rests) => ReconnectAction::Stop,
            Some(AfterDone::Called) => {
                ReconnectAction::TryAfter { wait: Duration::ZERO, server: ServerChoice::Same, timeout: None }
            }
        }
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

    #[test]
    fn the_application_calls_it_when_it_has_something_to_send() {
        let backoff = ExponentialBackoff { jitter: Jitter::None, ..ExponentialBackoff::default() };
        let mut policy = OnCall::new(&backoff, rng(1));
        let at = Time::from_secs;
        let attempt = ReconnectEvent::AttemptStarted { server: 0 };
        let after = |secs| ReconnectAction::TryAfter {
            wait: Duration::from_secs(secs),
            server: ServerChoice::Same,
            timeout: None,
        };
        let done = ReconnectEvent::Lost(Ended::GivenUp(GiveUp::Done));
        for event in [attempt, ReconnectEvent::Connected, done] {
            policy.on_event(at(10), &event);
        }
        assert_eq!(policy.next(at(10)), ReconnectAction::Stop);
        policy.on_event(at(70), &ReconnectEvent::Wanted);
        assert_eq!(policy.next(at(70)), after(0));
        assert_eq!(policy.next(at(75)), after(0), "the network was away: the call is not forgotten");
        policy.on_event(at(75), &attempt);
        policy.on_event(at(85), &ReconnectEvent::AttemptFailed(AttemptFailure::Timeout));
        policy.on_event(at(85), &ReconnectEvent::Wanted);
        assert!(
            matches!(policy.next(at(85)), ReconnectAction::TryAfter { wait, .. } if !wait.is_zero()),
            "a call is no storm"
        );
        for event in [attempt, ReconnectEvent::Connected, done] {
            policy.on_event(at(90), &event);
        }
        assert_eq!(policy.next(at(90)), ReconnectAction::Stop);
    }
}
