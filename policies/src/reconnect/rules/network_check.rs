//! No attempt before the network has shown that it carries anything.

use super::problem;
use crate::{
    Problem, Reconnect, ReconnectAction, ReconnectEvent, Time,
    unit::{Delay, Span},
};

parameters! {
    /// When an attempt is due, the client first finds out whether the network carries anything, by a packet that costs less
    /// than an attempt, and goes on asking until it does. On a network that carries nothing reconnecting "never helps
    /// however often" (`[carson]`, 12.2, whose own mechanism is an image; a name lookup is the natural reading).
    #[derive(Copy, Eq)]
    pub struct NetworkCheck {
        /// How long after the attempt was due the first check is made. Default 0; Mars on iOS 3 s.
        pub first: Delay = Delay::ZERO,
        /// Between one answer and the next check. Default 10 s: Mars on iOS.
        pub every: Span = Span::secs(10),
        /// Checks in a row that have to succeed, 1 to 100. Default 1; Mars on iOS 3.
        pub successes: u32 = 1,
    }
}

impl NetworkCheck {
    pub(super) fn describe(self) -> String {
        let Self { first, every, successes } = self;
        format!(
            "Before an attempt the network has to pass {successes} checks in a row, the first one {first} after the attempt \
             was due, the others {every} apart."
        )
    }

    pub(super) fn problem(self) -> Option<Problem> {
        (!(1..=100).contains(&self.successes)).then(|| {
            let message = format!("{} checks in a row are outside 1 to 100", self.successes);
            problem("network_check.successes", message, format!("use {}", self.successes.clamp(1, 100)))
        })
    }
}

/// [`NetworkCheck`] at work.
pub(super) struct NetworkChecker {
    inner: Box<dyn Reconnect>,
    rule: NetworkCheck,
    /// Checks that succeeded in a row.
    passed: u32,
    /// When the last one was answered.
    answered: Option<Time>,
}

impl NetworkChecker {
    pub(super) fn new(inner: Box<dyn Reconnect>, rule: NetworkCheck) -> Self {
        Self { inner, rule, passed: 0, answered: None }
    }
}

impl Reconnect for NetworkChecker {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        match event {
            ReconnectEvent::NetworkChecked(is_usable) => {
                self.passed = if *is_usable { self.passed + 1 } else { 0 };
                self.answered = Some(now);
            }
            // What was found out holds for one attempt, on one network.
            ReconnectEvent::AttemptStarted { .. } | ReconnectEvent::NetworkChanged(_) => {
                (self.passed, self.answered) = (0, None);
            }
            _ => {}
        }
        self.inner.on_event(now, event);
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        let verdict = self.inner.next(now);
        let ReconnectAction::TryAfter { wait, .. } = verdict else { return verdict };
        if self.passed >= self.rule.successes {
            return verdict;
        }
        let check = match self.answered {
            None => wait + self.rule.first.get(),
            Some(answered) => wait.max((answered + self.rule.every.get()).since(now)),
        };
        ReconnectAction::CheckAfter { wait: check }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Network, ServerChoice, reconnect::fixed_delay::ConstantDelay};

    /// Mars on iOS: after 3 s, then every 10 s, three in a row.
    #[test]
    fn three_checks_in_a_row_come_before_an_attempt() {
        let waits = Box::new(ConstantDelay::new(Duration::from_secs(5)));
        let rule = NetworkCheck { first: Delay::millis(3_000), every: Span::secs(10), successes: 3 };
        let mut policy = NetworkChecker::new(waits, rule);
        let mut now = Time::from_secs(100);
        policy.on_event(now, &ReconnectEvent::AttemptStarted { server: 0 });
        policy.on_event(now, &ReconnectEvent::AttemptFailed(crate::AttemptFailure::Timeout));
        let mut check = |now: &mut Time, expected: u64, answer: bool| {
            assert_eq!(policy.next(*now), ReconnectAction::CheckAfter { wait: Duration::from_secs(expected) });
            assert_eq!(
                policy.next(*now),
                ReconnectAction::CheckAfter { wait: Duration::from_secs(expected) },
                "asked again"
            );
            *now += Duration::from_secs(expected);
            policy.on_event(*now, &ReconnectEvent::NetworkChecked(answer));
        };
        for (wait, answer) in [(8, true), (10, true), (10, false), (10, true), (10, true)] {
            check(&mut now, wait, answer);
        }
        policy.on_event(now, &ReconnectEvent::NetworkChanged(Some(Network::wifi(1))));
        let mut check = |now: &mut Time, expected: u64| {
            assert_eq!(policy.next(*now), ReconnectAction::CheckAfter { wait: Duration::from_secs(expected) });
            *now += Duration::from_secs(expected);
            policy.on_event(*now, &ReconnectEvent::NetworkChecked(true));
        };
        for wait in [3, 10, 10] {
            check(&mut now, wait);
        }
        let at_once = ReconnectAction::TryAfter { wait: Duration::ZERO, server: ServerChoice::Next, timeout: None };
        assert_eq!(policy.next(now), at_once);
        policy.on_event(now, &ReconnectEvent::AttemptStarted { server: 1 });
        policy.on_event(now, &ReconnectEvent::AttemptFailed(crate::AttemptFailure::Timeout));
        assert_eq!(
            policy.next(now),
            ReconnectAction::CheckAfter { wait: Duration::from_secs(8) },
            "the next one is checked anew"
        );
    }
}
