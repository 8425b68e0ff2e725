//! A constant wait before every attempt, zero included: `immediate` and `fixed-delay`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Reconnect, ReconnectAction, ReconnectEvent,
    plan::{Pace, Plan},
};
use crate::{
    Time,
    unit::{self, Span},
};

/// A constant wait before every attempt, counted from the failure or the loss. MQTT.js uses 1 s, Smack 15 s. With jitter,
/// or counted from the attempt's start, it is a [`Steps`](super::Steps) with one wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FixedDelay {
    /// How long it waits.
    pub delay: Span,
}

pub(super) fn describe(delay: Duration) -> String {
    let wait =
        if delay.is_zero() { "Tries again at once".into() } else { format!("Waits {}", unit::format_duration(delay)) };
    format!("{wait}, after a loss as after a failed attempt, without end. {} It remembers nothing.", Plan::DESCRIBED)
}

/// [`FixedDelay`], or no delay, at work.
pub(super) struct ConstantDelay {
    delay: Duration,
    plan: Plan,
}

impl ConstantDelay {
    pub(super) fn new(delay: Duration) -> Self {
        Self { delay, plan: Plan::default() }
    }

    pub(super) fn pace(delay: Duration) -> Pace {
        Pace { gap: delay, longest: Some(delay), timeouts: None }
    }
}

impl Reconnect for ConstantDelay {
    fn on_event(&mut self, _: Time, event: &ReconnectEvent) {
        self.plan.on_event(event);
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        self.plan.verdict(now, || Some((self.delay, None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        AttemptFailure, AttemptLimit, Bounds, LossReason, Network, ServerChoice, reconnect::Ended, testing::bounds,
    };

    fn verdict(policy: &mut ConstantDelay, secs: u64) -> (u64, ServerChoice) {
        match policy.next(Time::from_secs(secs)) {
            ReconnectAction::TryAfter { wait, server, .. } => (wait.as_secs(), server),
            other => panic!("a constant delay does not say {other:?}"),
        }
    }

    #[test]
    fn a_failure_moves_on_to_the_next_server_and_a_loss_does_not() {
        let mut policy = ConstantDelay::new(Duration::from_secs(5));
        let now = Time::from_secs(100);
        policy.on_event(now, &ReconnectEvent::AttemptStarted { server: 0 });
        policy.on_event(now, &ReconnectEvent::AttemptFailed(AttemptFailure::Refused));
        assert_eq!(verdict(&mut policy, 100), (5, ServerChoice::Next));
        policy.on_event(now, &ReconnectEvent::AttemptStarted { server: 1 });
        policy.on_event(now, &ReconnectEvent::Connected);
        policy.on_event(now, &ReconnectEvent::Lost(Ended::Transport(LossReason::Reset)));
        assert_eq!(verdict(&mut policy, 100), (5, ServerChoice::Same));
    }

    #[test]
    fn a_network_change_neither_hastens_an_attempt_nor_puts_it_off() {
        let mut policy = ConstantDelay::new(Duration::from_secs(5));
        policy.on_event(Time::ZERO, &ReconnectEvent::AttemptStarted { server: 0 });
        policy.on_event(Time::ZERO, &ReconnectEvent::AttemptFailed(AttemptFailure::Timeout));
        assert_eq!(verdict(&mut policy, 0), (5, ServerChoice::Next));
        policy.on_event(Time::from_secs(3), &ReconnectEvent::NetworkChanged(Some(Network::cellular(1))));
        assert_eq!(verdict(&mut policy, 3), (2, ServerChoice::Next));
        policy.on_event(Time::from_secs(9), &ReconnectEvent::NetworkChanged(Some(Network::cellular(0))));
        assert_eq!(verdict(&mut policy, 9), (0, ServerChoice::Next));
    }

    #[test]
    fn promises_follow_from_the_delay() {
        let (delay, connect_timeout) = (Duration::from_secs(5), Duration::from_secs(10));
        let promised = ConstantDelay::pace(delay).promises(&bounds(), connect_timeout);
        assert_eq!(promised.attempts, Some(AttemptLimit { count: 1, window: delay }));
        assert_eq!(promised.reconnects_within, Some(Duration::from_secs(10 + 5 + 1)));

        let three_servers = Bounds { servers: 3, ..bounds() };
        let promised = ConstantDelay::pace(Duration::ZERO).promises(&three_servers, connect_timeout);
        assert_eq!(promised.attempts, None);
        assert_eq!(promised.reconnects_within, Some(Duration::from_secs(3 * 10 + 1)));

        let slow = Bounds { handshake_max: Duration::from_secs(11), ..bounds() };
        assert_eq!(ConstantDelay::pace(delay).promises(&slow, connect_timeout).reconnects_within, None);
        let lossy = Bounds { loss_free: false, ..bounds() };
        assert_eq!(ConstantDelay::pace(delay).promises(&lossy, connect_timeout).reconnects_within, None);
    }
}
