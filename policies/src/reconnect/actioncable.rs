//! Rails' `ActionCable`: a monitor that polls, and reopens what it finds stale.

use std::time::Duration;

use super::{
    Reconnect, ReconnectAction, ReconnectEvent,
    backoff::micros,
    plan::{Pace, Plan},
};
use crate::{Problem, Time, unit::Span};

parameters! {
    /// The monitor looks in every `clamp(5 * ln(attempts + 1), least, most)` seconds, all the time. Where the connection
    /// has been gone for `stale` by then it opens another one; each look at one that is still not back counts as an
    /// attempt, whether or not it opens anything. A welcome sets the count to 0. No jitter.
    ///
    /// Source: rails/rails, `connection_monitor.js` before its backoff rate of 0.15. Two things are simpler here. The
    /// monitor judges staleness by the last ping of the server and "disconnected recently" by the loss; a reconnect policy
    /// knows the loss alone, so a lost connection becomes stale `stale` after it. And looks begin anew with each welcome.
    pub struct ActioncablePoll {
        /// The shortest time between two looks. Default 3 s.
        pub least: Span = Span::secs(3),
        /// The longest, at least `least`. Default 30 s.
        pub most: Span = Span::secs(30),
        /// How long a connection has to be gone before another one is opened. Default 6 s.
        pub stale: Span = Span::secs(6),
    }
}

impl ActioncablePoll {
    pub(super) fn describe(&self) -> String {
        let Self { least, most, stale } = self;
        format!(
            "A monitor looks in every 5 s times the logarithm of the attempts and one, at least {least} and at most {most}, \
             and connects again at the first look at which the connection has been gone for {stale}; each look at one that \
             is still not back counts as an attempt, and a welcome sets their number to zero. {} It remembers nothing else.",
            Plan::DESCRIBED
        )
    }

    /// Returns the time between two looks after this many attempts.
    fn interval(&self, attempts: u32) -> Duration {
        let us = 5e6 * libm::log(f64::from(attempts) + 1.0);
        Duration::from_micros(us.clamp(micros(self.least.get()), micros(self.most.get())) as u64)
    }

    pub(super) fn pace(&self) -> Pace {
        Pace { gap: self.stale.get(), longest: Some(self.stale.get() + self.most.get()) }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let most = (self.most < self.least).then(|| {
            let message = format!("the longest time between looks is {}, the shortest {}", self.most, self.least);
            Problem::new("reconnect.actioncable-poll.most", message, format!("use at least \"{}\"", self.least))
        });
        most.into_iter().collect()
    }
}

/// [`ActioncablePoll`] at work.
pub(super) struct Poll {
    spec: ActioncablePoll,
    plan: Plan,
    attempts: u32,
    /// When the monitor looked in last, as far as this has been followed.
    looked: Time,
    attempt_failed: bool,
}

impl Poll {
    pub(super) fn new(spec: ActioncablePoll) -> Self {
        Self { spec, plan: Plan::default(), attempts: 0, looked: Time::ZERO, attempt_failed: false }
    }

    /// Returns how long until the look at which a connection that went at `now` is stale.
    fn until_stale(&mut self, now: Time) -> Duration {
        // With every look until now nothing was wrong, or the attempt was still under way.
        let idle = self.spec.interval(self.attempts);
        let looks = now.since(self.looked).as_micros() / idle.as_micros();
        self.looked += Duration::from_micros((looks * idle.as_micros()) as u64);
        loop {
            self.looked += self.spec.interval(self.attempts);
            let is_stale = self.looked.since(now) >= self.spec.stale.get();
            // After a loss the last ping is fresh for a while; after a failed attempt it is long ago.
            if is_stale || self.attempt_failed {
                self.attempts = self.attempts.saturating_add(1);
            }
            if is_stale {
                return self.looked.since(now);
            }
        }
    }
}

impl Reconnect for Poll {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        match event {
            ReconnectEvent::AttemptStarted { .. } => self.attempt_failed = false,
            ReconnectEvent::AttemptFailed(_) => self.attempt_failed = true,
            ReconnectEvent::Connected => (self.attempts, self.looked) = (0, now),
            ReconnectEvent::Reset => self.attempts = 0,
            _ => {}
        }
        self.plan.on_event(event);
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        if self.plan.is_made() {
            return self.plan.verdict(now, || None);
        }
        let wait = self.until_stale(now);
        self.plan.verdict(now, || Some(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconnect::testing::Client;

    #[test]
    fn looks_come_every_3_to_30_seconds_by_the_logarithm_of_the_attempts() {
        let spec = ActioncablePoll::default();
        let micros = |attempts| spec.interval(attempts).as_micros();
        assert_eq!([micros(0), micros(1), micros(2)], [3_000_000, 3_465_735, 5_493_061]);
        assert!(micros(402) < 30_000_000);
        assert_eq!([micros(403), micros(u32::MAX)], [30_000_000; 2]);
    }

    #[test]
    fn a_lost_connection_is_reopened_at_the_first_look_six_seconds_later() {
        let mut client = Client::new(Poll::new(ActioncablePoll::default()));
        // Looks at 3, 6, 9, 12, ... after the welcome: 4 s is stale at 10 and seen at 12.
        assert_eq!(client.live(Duration::from_secs(4)), Duration::from_secs(8));
        assert_eq!(client.live(Duration::from_secs(6)), Duration::from_secs(6));
    }

    #[test]
    fn every_look_at_what_is_still_gone_counts_as_an_attempt() {
        let mut client = Client::new(Poll::new(ActioncablePoll::default()));
        assert_eq!(client.live(Duration::from_secs(6)), Duration::from_secs(6));
        // One attempt counted: a look after 3.466 s, too soon, and one after 5 ln 3 = 5.493 s more.
        assert_eq!(client.fail(), Duration::from_micros(3_465_735 + 5_493_061));
        // Three counted: 5 ln 4 = 6.931 s, enough at once.
        assert_eq!(client.fail(), Duration::from_micros(6_931_471));
        // A welcome sets the count back.
        assert_eq!(client.live(Duration::from_secs(3)), Duration::from_secs(6));
    }
}
