//! Mars: when to connect again by what the application is at, counted from the start of the last attempt.

use std::time::Duration;

use super::{
    Reconnect, ReconnectAction, ReconnectEvent,
    plan::{Pace, Plan},
};
use crate::{AppState, PolicyRng, Time, random, unit::Span};

/// The time after a failure or a loss at which the monitor looks what to do.
const WAKE: Duration = Duration::from_millis(500);
/// Up to this much is added at random, in whole seconds, where the screen was not looked at for long.
const SPREAD_S: f64 = 20.0;
/// What an inactive application waits, by its index into them.
const LADDER_S: [u64; 7] = [0, 60, 120, 240, 360, 480, 600];
/// In the foreground for less than this: it has just come there. For less than `LONG`: it is in use.
const JUST: Duration = Duration::from_secs(60);
/// In the foreground for longer than this nobody looks at it; for as long since its last attempt an inactive
/// application goes down its ladder instead of up.
const LONG: Duration = Duration::from_secs(600);

parameters! {
    /// The monitor of Mars' long link (Mars at 6aa5b56, `longlink_connect_monitor.cc`, `active_logic.cc`).
    ///
    /// Half a second after a failure or a loss, and whenever the application goes to another state, it looks what to do. An
    /// *active* application (in the foreground, or in the background for less than `inactive_after`) connects when this
    /// much has passed since its last attempt began: 15 s in the foreground's first minute, 30 s in its first ten, 120 s
    /// plus up to 19 after that, 300 s in the background. An *inactive* one climbs the ladder 0, 60, 120, 240, 360, 480,
    /// 600 s with each attempt that follows on the one before within ten minutes, and descends it otherwise. After a
    /// network change it connects at once.
    ///
    /// Not here, because a simulated client has them not: the rows for a client without an account and for tasks that need
    /// the link. Not here, because no host attempts anything without a network: the row for that. Until it is told of the
    /// application's state it takes it to be in the foreground since the first event; the random part is drawn once an
    /// attempt.
    pub struct MarsLonglinkMonitor {
        /// How long an application in the background still counts as active. Default 10 min.
        pub inactive_after: Span = Span::secs(600),
    }
}

impl MarsLonglinkMonitor {
    pub(super) fn describe(&self) -> String {
        format!(
            "Half a second after a failure or a loss, and whenever the application comes to the foreground or leaves it, it \
             looks how long ago the last attempt began: in the foreground's first minute it tries again 15 s after that, in \
             its first ten minutes after 30 s, later after 120 to 139 s, in the background after 300 s. After {} in the \
             background it climbs a ladder of 0, 60, 120, 240, 360, 480 and 600 s. Another network makes it try at once. \
             After a failed attempt it goes on to the next server, after a loss it stays with the same one. It remembers \
             nothing else.",
            self.inactive_after
        )
    }

    /// Returns a network change may bring an attempt at any time. Every wait ends 600 s after the attempt before it at
    /// the latest, or when it is looked at.
    pub(super) fn pace() -> Pace {
        Pace { gap: Duration::ZERO, longest: Some(WAKE + Duration::from_secs(LADDER_S[6])), timeouts: None }
    }
}

/// [`MarsLonglinkMonitor`] at work.
pub(super) struct Monitor {
    spec: MarsLonglinkMonitor,
    rng: PolicyRng,
    plan: Plan,
    attempt_started: Time,
    /// When the last attempt or connection ended.
    ended: Time,
    state: AppState,
    /// Since when it has been visible, or not visible.
    since: Option<Time>,
    /// The place on the ladder, 0 to 6.
    index: usize,
    network_changed: bool,
}

impl Monitor {
    pub(super) fn new(spec: MarsLonglinkMonitor, rng: PolicyRng) -> Self {
        Self {
            spec,
            rng,
            plan: Plan::default(),
            attempt_started: Time::ZERO,
            ended: Time::ZERO,
            state: AppState::Foreground,
            since: None,
            index: 0,
            network_changed: false,
        }
    }

    /// Returns when it becomes inactive, if nothing happens; `None` if it stays active, as in the foreground.
    fn inactive_from(&self) -> Option<Time> {
        (self.state != AppState::Foreground).then(|| self.since.unwrap_or_default() + self.spec.inactive_after.get())
    }

    /// Returns when to connect, looked at from `now`.
    fn due(&mut self, now: Time) -> Time {
        if std::mem::take(&mut self.network_changed) {
            self.index = 0;
            return now;
        }
        let look = now.max(self.ended + WAKE);
        match self.inactive_from() {
            Some(from) if from <= look => self.due_when_inactive(look),
            inactive_from => {
                self.index = 0;
                let due = look.max(self.attempt_started + self.interval(look));
                // It becomes inactive before that, which makes it look again.
                inactive_from.filter(|from| *from < due).map_or(due, |from| self.due_when_inactive(from))
            }
        }
    }

    /// Returns how long after an attempt's start an active application makes the next one.
    fn interval(&mut self, look: Time) -> Duration {
        let visible = look.since(self.since.unwrap_or_default());
        match self.state {
            AppState::Foreground if visible < JUST => Duration::from_secs(15),
            AppState::Foreground if visible < LONG => Duration::from_secs(30),
            AppState::Foreground => {
                let spread = (random::unit(&mut *self.rng) * SPREAD_S) as u64;
                Duration::from_secs(120 + spread)
            }
            AppState::Background | AppState::Doze => Duration::from_secs(300),
        }
    }

    fn due_when_inactive(&mut self, look: Time) -> Time {
        let elapsed = look.since(self.attempt_started);
        self.index = if elapsed < LONG { (self.index + 1).min(6) } else { self.index.saturating_sub(1) };
        look.max(self.attempt_started + Duration::from_secs(LADDER_S[self.index]))
    }
}

impl Reconnect for Monitor {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        let since = *self.since.get_or_insert(now);
        match event {
            ReconnectEvent::AttemptStarted { .. } => {
                self.attempt_started = now;
                self.network_changed = false;
            }
            ReconnectEvent::AttemptFailed(_) | ReconnectEvent::Lost(_) => self.ended = now,
            ReconnectEvent::NetworkChanged(Some(_)) => {
                self.network_changed = true;
                self.plan.forget();
            }
            ReconnectEvent::AppState(state) => {
                let turns = (self.state == AppState::Foreground) != (*state == AppState::Foreground);
                self.since = Some(if turns { now } else { since });
                self.state = *state;
                if turns {
                    self.plan.forget();
                }
            }
            ReconnectEvent::Reset => self.index = 0,
            _ => {}
        }
        self.plan.on_event(event);
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        if self.plan.is_made() {
            return self.plan.verdict(now, || None);
        }
        let wait = self.due(now).since(now);
        self.plan.verdict(now, || Some((wait, None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Network, reconnect::testing::Client, testing::rng};

    fn client() -> Client<Monitor> {
        let mut client = Client::new(Monitor::new(MarsLonglinkMonitor::default(), rng(1)));
        client.turn(AppState::Foreground);
        client
    }

    fn later(client: &mut Client<Monitor>, secs: u64) {
        client.now += Duration::from_secs(secs);
    }

    /// In whole seconds.
    fn fail_secs(client: &mut Client<Monitor>) -> u64 {
        let wait = client.fail();
        assert_eq!(wait.subsec_nanos(), 0);
        wait.as_secs()
    }

    #[test]
    fn an_active_application_waits_by_its_row_from_the_start_of_the_attempt() {
        let mut client = client();
        client.attempt = Duration::from_secs(4);
        assert_eq!(fail_secs(&mut client), 11, "15 s in the first minute");
        later(&mut client, 60);
        assert_eq!(fail_secs(&mut client), 26, "30 s in the first ten minutes");
        later(&mut client, 600);
        let waits: Vec<_> = (0..200).map(|_| fail_secs(&mut client) - 116).collect();
        assert!(waits.iter().all(|wait| *wait <= 19), "120 s and up to 19");
        assert!(waits.contains(&0) && waits.contains(&19));
        client.turn(AppState::Background);
        assert_eq!(fail_secs(&mut client), 296, "300 s in the background");
    }

    #[test]
    fn an_attempt_of_long_ago_is_followed_half_a_second_after_the_loss() {
        let mut client = client();
        assert_eq!(client.live(Duration::from_millis(14_600)), WAKE, "the look comes after the 15 s");
        assert_eq!(client.live(Duration::from_hours(1)), WAKE);
    }

    /// Invariant 27.
    #[test]
    fn an_inactive_application_climbs_its_ladder_and_becoming_active_leaves_it() {
        let mut client = client();
        client.turn(AppState::Background);
        later(&mut client, 601);
        let waits: Vec<_> = (0..8).map(|_| fail_secs(&mut client)).collect();
        assert_eq!(waits, [60, 120, 240, 360, 480, 600, 600, 600]);
        assert_eq!(client.policy.index, 6);
        client.live(Duration::from_secs(700));
        assert_eq!(client.policy.index, 5, "a link of more than ten minutes is a step down");
        client.try_and_fail();
        assert_eq!(client.ask().unwrap().0.as_secs(), 600);
        later(&mut client, 100);
        client.turn(AppState::Foreground);
        assert_eq!((client.ask().unwrap().0, client.policy.index), (Duration::ZERO, 0), "100 s are more than 15");
    }

    #[test]
    fn becoming_inactive_while_it_waits_it_looks_again() {
        let mut client = client();
        client.turn(AppState::Background);
        later(&mut client, 590);
        // 300 s from here it would be inactive for 290 s already: at 600 s it looks, and waits 60 s from the attempt
        // on.
        assert_eq!(fail_secs(&mut client), 60);
    }

    #[test]
    fn a_network_change_connects_at_once_and_once() {
        let mut client = client();
        client.turn(AppState::Background);
        later(&mut client, 3_600);
        for _ in 0..3 {
            client.fail();
        }
        client.try_and_fail();
        client.move_to(Some(Network::wifi(1)));
        client.move_to(Some(Network::wifi(2)));
        assert_eq!(client.wait(), Duration::ZERO);
        assert_eq!(client.policy.index, 0);
        assert_eq!(fail_secs(&mut client), 60);
    }
}
