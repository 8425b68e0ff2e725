//! Mars: when to connect again by what the application is at, counted from the start of the last attempt.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Reconnect, ReconnectEvent, Verdict,
    plan::{Pace, Plan},
};
use crate::{AppState, PolicyRng, Time, random, unit::Span};

/// The time after a failure or a loss at which the monitor looks what to do.
const WAKE: Duration = Duration::from_millis(500);
/// Up to this much is added at random, in whole seconds, where nobody has looked at the screen for long.
const SPREAD_S: f64 = 20.0;
/// What an inactive application waits, by its index into them.
const LADDER_S: [u64; 7] = [0, 60, 120, 240, 360, 480, 600];
/// In the foreground for less than this: it has just come there. For less than `LONG`: it is in use.
const JUST: Duration = Duration::from_secs(60);
/// In the foreground for longer than this nobody looks at it; for as long since its last attempt an inactive application
/// goes down its ladder instead of up.
const LONG: Duration = Duration::from_secs(600);

/// The monitor of Mars' long link (Mars at 6aa5b56, `longlink_connect_monitor.cc`, `active_logic.cc`).
///
/// Half a second after a failure or a loss, and whenever the application goes to another state, it looks what to do. An
/// *active* application (in the foreground, or in the background for less than `inactive_after`) connects when this much has
/// passed since its last attempt began: 15 s in the foreground's first minute, 30 s in its first ten, 120 s plus up to 19
/// after that, 300 s in the background. An *inactive* one climbs the ladder 0, 60, 120, 240, 360, 480, 600 s with each
/// attempt that follows on the one before within ten minutes, and descends it otherwise. After a network change it connects
/// at once.
///
/// Not here, because a simulated client has them not: the rows for a client without an account and for tasks that need the
/// link. Not here, because no host attempts anything without a network: the row for that. Until it is told of the
/// application's state it takes it to be in the foreground since the first event; the random part is drawn once an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct MarsLonglinkMonitor {
    /// How long an application in the background still counts as active. Default 10 min.
    pub inactive_after: Span,
}

impl Default for MarsLonglinkMonitor {
    fn default() -> Self {
        Self { inactive_after: Span::secs(600) }
    }
}

impl MarsLonglinkMonitor {
    /// A network change may bring an attempt at any time. Every wait ends 600 s after the attempt before it at the latest,
    /// or when it is looked at.
    #[expect(clippy::unused_self, reason = "as all other specs do")]
    pub(super) fn pace(&self) -> Pace {
        Pace { gap: Duration::ZERO, longest: Some(WAKE + Duration::from_secs(LADDER_S[6])) }
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

    /// When it becomes inactive, if nothing happens; `None`: in the foreground it does not.
    fn inactive_from(&self) -> Option<Time> {
        (self.state != AppState::Foreground).then(|| self.since.unwrap_or_default() + self.spec.inactive_after.get())
    }

    /// When to connect, looked at from `now`.
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

    /// How long after an attempt's start an active application makes the next one.
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

    fn next(&mut self, now: Time) -> Verdict {
        if self.plan.is_made() {
            return self.plan.verdict(now, || None);
        }
        let wait = self.due(now).since(now);
        self.plan.verdict(now, || Some(wait))
    }
}
