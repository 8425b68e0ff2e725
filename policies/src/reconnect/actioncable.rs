//! Rails' `ActionCable`: a monitor that polls, and reopens what it finds stale.

use std::time::Duration;

use super::{
    AttemptFailure, Ended, Reconnect, ReconnectAction, ReconnectEvent,
    backoff::micros,
    plan::{Pace, Plan},
};
use crate::{
    PolicyRng, Problem, Time, random,
    unit::{Delay, Fraction, Span},
};

parameters! {
    /// A monitor that looks in from time to time, all the time. A connection that has been gone for more than `stale` by then
    /// is opened anew at each look, whether or not the attempt before has ended; each such look counts as an attempt. One
    /// that the client closed itself, because it was stale at a look, is opened anew `reopen` later. A welcome sets the count
    /// to 0; the looks go on as they were.
    ///
    /// The time between two looks is `clamp(5 * ln(attempts + 1), least, most)` seconds, without jitter, as in Rails up to
    /// 6.1, or grows by `backoff`, as in Rails since 7.0.
    ///
    /// Source: rails/rails, `connection_monitor.js` of 6.1 and 7.0. One thing is simpler here: a reconnect policy does not hear
    /// of pings, so that it draws how long ago the last one was.
    pub struct ActioncablePoll {
        /// The shortest time between two looks. Default 3 s.
        pub least: Span = Span::secs(3),
        /// The longest, at least `least`. Default 30 s.
        pub most: Span = Span::secs(30),
        /// How long a connection has to be gone before another one is opened. Default 6 s.
        pub stale: Span = Span::secs(6),
        /// When a connection is lost, the server's last ping was up to this long ago, drawn each time. A look that finds the
        /// ping stale and the loss not counts as an attempt that opens nothing. Default 0 s: a loss comes right after a ping.
        pub last_ping: Delay = Delay::ZERO,
        /// From closing a stale connection to opening another one. Default 500 ms.
        pub reopen: Delay = Delay::millis(500),
        /// A look closes an attempt that is still under way, and the next begins `reopen` later (Rails up to 6.1). Default false:
        /// attempts have the strategy's connect timeout.
        pub cuts: bool = false,
        /// How the time between looks grows. Default: by the logarithm of the attempts.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub backoff: Option<PollBackoff> = None,
    }
}

parameters! {
    /// Looks come `stale * (1 + rate)^min(attempts, attempts_most)` apart, times 1 and a random share: up to `first_jitter`
    /// before there was an attempt, up to `rate` afterwards. `least` and `most` hold for what is drawn.
    ///
    /// Source: rails/rails, `connection_monitor.js`, `getPollInterval` of 7.0.
    pub struct PollBackoff {
        /// By which share the time grows with each attempt. Default 0.15.
        pub rate: Fraction = Fraction::new(0.15).expect("a share"),
        /// After so many attempts it grows no more, at most 1000. Default 10.
        #[cfg_attr(feature = "schema", schemars(range(max = 1000)))]
        pub attempts_most: u32 = 10,
        /// The largest share that is added before the first attempt. Default 1.
        pub first_jitter: Fraction = Fraction::ONE,
    }
}

impl ActioncablePoll {
    pub(super) fn describe(&self) -> String {
        let Self { least, most, stale, last_ping: _, reopen, cuts, backoff } = self;
        let when = match backoff {
            None => format!("5 s times the logarithm of the attempts and one, at least {least} and at most {most}"),
            Some(PollBackoff { rate, attempts_most, first_jitter }) => {
                let percent = |share: &Fraction| (share.get() * 10_000.0).round() / 100.0;
                format!(
                    "{stale}, grown by {} % with each of up to {attempts_most} attempts and with a random {} % more at most ({} % \
                     before the first attempt), at least {least} and at most {most}",
                    percent(rate),
                    percent(rate),
                    percent(first_jitter)
                )
            }
        };
        let cut =
            if *cuts { " So it does with an attempt that is still under way at a look, which ends it." } else { "" };
        format!(
            "A monitor looks in every {when}, and connects again at each look at which the connection has been gone for more \
             than {stale}, which counts as an attempt; a connection that it gave up itself it opens anew {reopen} later.{cut} A \
             welcome sets the number of attempts to zero. {} It remembers nothing else.",
            Plan::DESCRIBED
        )
    }

    /// Returns between which times it draws the next look after this many attempts.
    fn interval(&self, attempts: u32) -> (Duration, Duration) {
        let clamp = |us: f64| us.clamp(micros(self.least.get()), micros(self.most.get()));
        let (low, high) = match &self.backoff {
            None => {
                let us = 5e6 * libm::log(f64::from(attempts) + 1.0);
                (us, us)
            }
            Some(backoff) => {
                let rate = backoff.rate.get();
                let mut us = micros(self.stale.get());
                for _ in 0..attempts.min(backoff.attempts_most) {
                    us *= 1.0 + rate;
                }
                (us, us * (1.0 + if attempts == 0 { backoff.first_jitter.get() } else { rate }))
            }
        };
        (Duration::from_micros(clamp(low) as u64), Duration::from_micros(clamp(high) as u64))
    }

    /// Returns the shortest gap between attempts: one that is made `reopen` after a look, and the next look; a connection that
    /// is lost as soon as it is there; and one that is given up at once.
    fn gap(&self) -> Duration {
        let (reopen, least, stale) = (self.reopen.get(), self.least.get(), self.stale.get());
        reopen.min(least.saturating_sub(reopen)).min(stale)
    }

    pub(super) fn pace(&self) -> Pace {
        let (reopen, stale) = (self.reopen.get(), self.stale.get());
        let cut = self.least.get().saturating_sub(reopen);
        let timeouts = self.cuts.then(|| (cut, self.most.get()));
        Pace { gap: self.gap(), longest: Some((stale + self.most.get()).max(reopen)), timeouts }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let path = "reconnect.actioncable-poll";
        let most = (self.most < self.least).then(|| {
            let message = format!("the longest time between looks is {}, the shortest {}", self.most, self.least);
            Problem::new(format!("{path}.most"), message, format!("use at least \"{}\"", self.least))
        });
        let attempts = self.backoff.as_ref().filter(|backoff| backoff.attempts_most > 1_000).map(|backoff| {
            let message = format!("{} attempts are more than 1000", backoff.attempts_most);
            Problem::new(format!("{path}.backoff.attempts_most"), message, "use 10")
        });
        most.into_iter().chain(attempts).collect()
    }
}

/// [`ActioncablePoll`] at work.
pub(super) struct Poll {
    spec: ActioncablePoll,
    rng: PolicyRng,
    plan: Plan,
    attempts: u32,
    /// When the monitor looks in next, as far as this has been followed; `None` before the first attempt of all.
    next_look: Option<Time>,
    /// When a connection was last there; before the first, when that was attempted first.
    gone: Time,
    /// When the server's last ping came.
    pinged: Time,
    /// When the last attempt began.
    tried: Time,
    /// The look that cuts the attempt that was planned last.
    cut: Option<Time>,
    /// The connection was given up at a look, which is now.
    was_given_up: bool,
}

/// As many looks are followed one by one; where more have gone by, the monitor may be anywhere between two of them.
const FOLLOWED: u32 = 1_000;

impl Poll {
    pub(super) fn new(spec: ActioncablePoll, rng: PolicyRng) -> Self {
        let (plan, never) = (Plan::default(), Time::ZERO);
        Self {
            spec,
            rng,
            plan,
            attempts: 0,
            next_look: None,
            gone: never,
            pinged: never,
            tried: never,
            cut: None,
            was_given_up: false,
        }
    }

    fn draw(&mut self) -> Duration {
        let (low, high) = self.spec.interval(self.attempts);
        if low == high { low } else { random::between(&mut *self.rng, low, high) }
    }

    /// Leaves behind the looks before `now`, at which nothing was to be done.
    fn follow(&mut self, now: Time, is_attempt: bool) {
        let mut next = self.next_look.unwrap_or(now);
        for _ in 0..FOLLOWED {
            if next >= now {
                break;
            }
            if is_attempt && next.since(self.pinged) > self.spec.stale.get() {
                self.attempts = self.attempts.saturating_add(1);
            }
            next += self.draw();
        }
        if next < now {
            let apart = self.draw();
            let gone_by = now.since(next).as_micros() / apart.as_micros() + 1;
            next += Duration::from_micros((gone_by * apart.as_micros()) as u64);
        }
        self.next_look = Some(next);
    }

    /// Returns how long until another connection is opened.
    fn until_open(&mut self, now: Time) -> Duration {
        if self.was_given_up {
            self.attempts = self.attempts.saturating_add(1);
            self.next_look = Some(now + self.draw());
            return self.spec.reopen.get();
        }
        loop {
            let look = self.next_look.expect("there was an attempt");
            let stale = self.spec.stale.get();
            let is_stale = look.since(self.pinged) > stale;
            if is_stale {
                self.attempts = self.attempts.saturating_add(1);
            }
            self.next_look = Some(look + self.draw());
            // What a rule has put off, such as a server's word, may begin just before a look, which opens nothing then.
            let is_soon = look.since(self.tried) < self.spec.gap();
            if is_stale && !is_soon && look.since(self.gone) >= stale {
                return look.since(now);
            }
        }
    }
}

impl Reconnect for Poll {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        match event {
            ReconnectEvent::AttemptStarted { .. } => {
                if self.next_look.is_none() {
                    (self.gone, self.pinged) = (now, now);
                    self.next_look = Some(now + self.draw());
                }
                self.tried = now;
                self.was_given_up = false;
            }
            // The looks while it lasted each counted.
            ReconnectEvent::AttemptFailed(failure) => {
                // The look that has ended it is now, however late it has come.
                let is_cut = self.cut.take().is_some_and(|look| look <= now);
                self.was_given_up = is_cut && *failure == AttemptFailure::Timeout;
                if !self.was_given_up {
                    self.follow(now, true);
                }
            }
            ReconnectEvent::Connected => {
                self.follow(now, true);
                self.attempts = 0;
            }
            ReconnectEvent::Lost(end) => {
                self.follow(now, false);
                let age = self.spec.last_ping.get();
                let age = if age.is_zero() { age } else { random::between(&mut *self.rng, Duration::ZERO, age) };
                (self.gone, self.pinged) = (now, now - age);
                self.was_given_up = matches!(end, Ended::GivenUp(_));
            }
            ReconnectEvent::Reset => self.attempts = 0,
            _ => {}
        }
        self.plan.on_event(event);
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        if self.plan.is_made() {
            return self.plan.verdict(now, || None);
        }
        // Asked without an attempt before, it looks at once.
        self.next_look.get_or_insert(now);
        let wait = self.until_open(now);
        let look = self.next_look.filter(|_| self.spec.cuts);
        let timeout = look.map(|look| look.since(now + wait)).filter(|timeout| !timeout.is_zero());
        self.cut = timeout.and(look);
        self.plan.verdict(now, || Some((wait, timeout)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{reconnect::testing::Client, testing::rng};

    fn client(spec: ActioncablePoll) -> Client<Poll> {
        Client::new(Poll::new(spec, rng(1)))
    }

    #[test]
    fn looks_come_every_3_to_30_seconds_by_the_logarithm_of_the_attempts() {
        let spec = ActioncablePoll::default();
        let micros = |attempts| spec.interval(attempts).0.as_micros();
        assert_eq!([micros(0), micros(1), micros(2)], [3_000_000, 3_465_735, 5_493_061]);
        assert!(micros(402) < 30_000_000);
        assert_eq!([micros(403), micros(u32::MAX)], [30_000_000; 2]);
    }

    #[test]
    fn looks_of_rails_7_grow_by_a_rate_up_to_ten_attempts() {
        let spec = ActioncablePoll { backoff: Some(PollBackoff::default()), ..ActioncablePoll::default() };
        let secs = |attempts| {
            let (low, high) = spec.interval(attempts);
            [low, high].map(|span| (span.as_secs_f64() * 10.0).round() / 10.0)
        };
        assert_eq!([secs(0), secs(1), secs(4)], [[6.0, 12.0], [6.9, 7.9], [10.5, 12.1]]);
        assert_eq!([secs(10), secs(11)], [[24.3, 27.9]; 2]);
    }

    #[test]
    fn a_lost_connection_is_reopened_at_the_first_look_that_is_more_than_six_seconds_later() {
        let mut client = client(ActioncablePoll::default());
        // Looks at 3, 6, 9, 12, ... after the first attempt: 4 s is stale after 10 and seen at 12.
        assert_eq!(client.live(Duration::from_secs(4)), Duration::from_secs(8));
        // That look counted, so that the next was due 3.466 s later, and from the welcome on they come every 3 s again.
        assert_eq!(client.live(Duration::from_secs(6)), Duration::from_micros(6_465_735));
    }

    /// A server's word has put an attempt off to 10 ms before a look: the look opens nothing, the next one does.
    #[test]
    fn a_look_right_after_an_attempt_that_was_put_off_opens_nothing() {
        let mut policy = Poll::new(ActioncablePoll::default(), rng(1));
        let attempt = ReconnectEvent::AttemptStarted { server: 0 };
        let failed = ReconnectEvent::AttemptFailed(AttemptFailure::Refused);
        let after = |policy: &mut Poll, millis| match policy.next(Time::from_millis(millis)) {
            ReconnectAction::TryAfter { wait, .. } => wait.as_millis() as u64,
            verdict => panic!("{verdict:?}"),
        };
        policy.on_event(Time::ZERO, &attempt);
        policy.on_event(Time::ZERO, &failed);
        // Looks at 3, 6 and 9 s: that of 9 s is the first that is more than 6 s later; the next comes 3.466 s after it.
        assert_eq!(after(&mut policy, 0), 9_000);
        policy.on_event(Time::from_millis(12_455), &attempt);
        policy.on_event(Time::from_millis(12_456), &failed);
        assert_eq!(after(&mut policy, 12_456), 9 + 5_493);
    }

    #[test]
    fn every_look_at_what_is_still_gone_is_another_attempt() {
        let mut client = client(ActioncablePoll::default());
        assert_eq!(client.live(Duration::from_secs(6)), Duration::from_secs(9));
        for wait in [3_465_735, 5_493_061, 6_931_471] {
            assert_eq!(client.fail(), Duration::from_micros(wait));
        }
        client.attempt = Duration::from_secs(10);
        // 5 ln 5 = 8.047 s and 5 ln 6 = 8.959 s after the look at which it began: one look went by while it hung.
        assert_eq!(client.fail(), Duration::from_micros(8_047_189 + 8_958_797 - 10_000_000));
    }

    #[test]
    fn a_look_cuts_an_attempt_that_hangs_and_opens_another_one() {
        let spec = ActioncablePoll { cuts: true, ..ActioncablePoll::default() };
        let mut client = client(spec);
        // Opened at a look, and ended by the next ones: 5 ln 2, and from 0.5 s after a look to the next.
        let mut wait = client.live(Duration::from_secs(6));
        for (expected, hangs) in [(9_000_000, 3_465_735), (500_000, 4_993_061), (500_000, 6_431_471)] {
            assert_eq!(wait, Duration::from_micros(expected));
            let ReconnectAction::TryAfter { timeout, .. } = client.policy.next(client.now) else { panic!("it tries") };
            assert_eq!(timeout, Some(Duration::from_micros(hangs)));
            client.attempt = Duration::from_micros(hangs);
            wait = client.fail();
        }
        // One that is refused is followed by the next look.
        client.attempt = Duration::ZERO;
        client.live(Duration::from_secs(6));
        assert_eq!(client.fail(), Duration::from_micros(3_465_735));
    }

    /// Timers of real hosts are late: a look that comes 5 ms after its time is that look, and the next is counted from it.
    #[test]
    fn a_look_that_comes_late_cuts_as_well() {
        let mut client = client(ActioncablePoll { cuts: true, ..ActioncablePoll::default() });
        client.live(Duration::from_secs(6));
        for hangs in [3_465_735, 4_993_061] {
            client.attempt = Duration::from_micros(hangs + 5_000);
            assert_eq!(client.fail(), Duration::from_millis(500));
        }
        let ReconnectAction::TryAfter { timeout, .. } = client.policy.next(client.now) else { panic!("it tries") };
        assert_eq!(timeout, Some(Duration::from_micros(6_431_471)));
    }

    #[test]
    fn what_the_client_gave_up_itself_is_opened_again_at_once() {
        let mut client = client(ActioncablePoll::default());
        client.live_and_end(Duration::from_secs(9), Ended::GivenUp(crate::GiveUp::Silence));
        assert_eq!(client.wait(), Duration::from_millis(500));
    }
}
