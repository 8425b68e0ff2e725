//! How a [frozen world](crate::frozen) asks a device whether its session is usable, and whether a new one could be: the device
//! stops acting of its own accord, and beats once; or it opens a connection, and beats on that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cardiogram_policies::{Action, Event, Heartbeat, Reconnect, ReconnectAction, ReconnectEvent, ServerChoice, Time};

use super::{Device, Phase};

/// The number of the beat: no policy comes that far in a test.
const BEAT: u32 = u16::MAX as u32;

/// The most attempts of a newcomer: some for each server, and for every place that a balancer may lead to.
const ATTEMPTS_MAX: u32 = 64;

/// Beats once: at a given time, or when there is a session.
struct Probe {
    at: Option<Time>,
    waits_for_session: bool,
    answered: Arc<AtomicBool>,
}

impl Heartbeat for Probe {
    fn on_event(&mut self, now: Time, event: &Event) {
        if self.waits_for_session && matches!(event, Event::Connected { .. }) {
            self.at = Some(now);
        }
        if matches!(event, Event::HeartbeatReply { id: BEAT, .. }) {
            self.answered.store(true, Ordering::Relaxed);
        }
    }

    fn poll(&mut self, now: Time) -> Option<Action> {
        let due = self.at.take_if(|at| *at <= now);
        due.map(|_| Action::SendHeartbeat { id: BEAT })
    }

    fn deadline(&self) -> Option<Time> {
        self.at
    }
}

/// Stays where it is.
struct Resigned;

impl Reconnect for Resigned {
    fn on_event(&mut self, _: Time, _: &ReconnectEvent) {}

    fn next(&mut self, _: Time) -> ReconnectAction {
        ReconnectAction::Stop
    }
}

/// Tries one server after the other.
struct Newcomer {
    attempts: u32,
}

impl Reconnect for Newcomer {
    fn on_event(&mut self, _: Time, event: &ReconnectEvent) {
        if matches!(event, ReconnectEvent::AttemptStarted { .. }) {
            self.attempts += 1;
        }
    }

    fn next(&mut self, _: Time) -> ReconnectAction {
        if self.attempts >= ATTEMPTS_MAX {
            return ReconnectAction::Stop;
        }
        ReconnectAction::TryAfter { wait: Duration::from_secs(1), server: ServerChoice::Next, timeout: None }
    }
}

impl Device {
    /// No policy decides anything any more, there is nothing new to say, and no connection is given up.
    pub(in crate::nodes::device) fn freeze(&mut self, now: Time) {
        (self.heartbeat, self.reconnect) =
            (Box::new(Probe { at: None, waits_for_session: false, answered: Arc::default() }), Box::new(Resigned));
        self.outbox = None;
        self.renews = false;
        if self.is_racing() {
            // Which connection is the session is about to be decided: nobody asks.
            (self.phase, self.socket) = (Phase::Stopped, None);
        }
        self.sides.clear();
        // Nothing happens to the device any more, it sleeps no more, and an address that lingers does so for ever.
        if let Some(progress) = &mut self.progress {
            progress.freeze(now);
        }
        if let Some((_, until)) = &mut self.addresses.lingering {
            *until = Time::MAX;
        }
        match &mut self.phase {
            Phase::Starting { .. } | Phase::Waiting { .. } | Phase::Pausing { .. } | Phase::Checking => {
                self.phase = Phase::Stopped;
            }
            // Whoever is connecting may go on.
            Phase::Connecting { deadline, .. } => *deadline += Duration::from_hours(1),
            Phase::Online | Phase::Stopped | Phase::Dead => {}
        }
        if let Some(socket) = &mut self.socket {
            socket.transport.endure(now);
        }
    }

    /// Beats at `now` if there is a session; the cell tells of the reply.
    pub(in crate::nodes::device) fn probe(&mut self, now: Time) -> Option<Arc<AtomicBool>> {
        if !matches!(self.phase, Phase::Online) {
            return None;
        }
        self.outstanding.clear();
        let answered = Arc::<AtomicBool>::default();
        self.heartbeat = Box::new(Probe { at: Some(now), waits_for_session: false, answered: answered.clone() });
        Some(answered)
    }

    /// Opens a new connection at `now` in place of whatever it has, and beats once on the session that it becomes; the cell
    /// tells of the reply. `None`: the device has not begun. Without a process nothing happens.
    pub(in crate::nodes::device) fn come_anew(&mut self, now: Time) -> Option<Arc<AtomicBool>> {
        let answered = Arc::<AtomicBool>::default();
        match self.phase {
            Phase::Starting { .. } => return None,
            Phase::Dead => {}
            _ => {
                self.outstanding.clear();
                self.socket = None;
                self.phase = Phase::Waiting { due: now, until: now, server: self.server, timeout: None };
                self.heartbeat = Box::new(Probe { at: None, waits_for_session: true, answered: answered.clone() });
                self.reconnect = Box::new(Newcomer { attempts: 0 });
            }
        }
        Some(answered)
    }
}
