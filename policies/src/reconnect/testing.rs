//! What the tests of several reconnect policies share: a device that lives by one.

use std::time::Duration;

use super::{Ended, Reconnect, ReconnectAction, ReconnectEvent, ServerChoice};
use crate::{AppState, AttemptFailure, LossReason, Network, Time};

/// A device with this policy and three servers. It has made no attempt yet.
pub(super) struct Client<R> {
    pub(super) policy: R,
    pub(super) now: Time,
    pub(super) server: u32,
    /// How long a failing attempt takes.
    pub(super) attempt: Duration,
}

pub(super) const SERVERS: u32 = 3;

impl<R: Reconnect> Client<R> {
    pub(super) fn new(policy: R) -> Self {
        Self { policy, now: Time::from_secs(1_000), server: 0, attempt: Duration::ZERO }
    }

    pub(super) fn tell(&mut self, event: ReconnectEvent) {
        self.policy.on_event(self.now, &event);
    }

    pub(super) fn start(&mut self) {
        self.tell(ReconnectEvent::AttemptStarted { server: self.server });
    }

    /// An attempt begins now and fails after `self.attempt`.
    pub(super) fn try_and_fail(&mut self) {
        self.start();
        self.now += self.attempt;
        self.tell(ReconnectEvent::AttemptFailed(AttemptFailure::Timeout));
    }

    /// An attempt that begins now and makes a connection that lives `uptime` long and is then ended so.
    pub(super) fn live_and_end(&mut self, uptime: Duration, end: Ended) {
        self.start();
        self.tell(ReconnectEvent::Established);
        self.tell(ReconnectEvent::Connected);
        self.now += uptime;
        self.tell(ReconnectEvent::Lost(end));
    }

    pub(super) fn live_and_lose(&mut self, uptime: Duration) {
        self.live_and_end(uptime, Ended::Transport(LossReason::Reset));
    }

    pub(super) fn move_to(&mut self, network: Option<Network>) {
        self.tell(ReconnectEvent::NetworkChanged(network));
    }

    pub(super) fn turn(&mut self, state: AppState) {
        self.tell(ReconnectEvent::AppState(state));
    }

    /// Returns what it is told to wait now; `None` if it is told to stop. It does not wait.
    pub(super) fn ask(&mut self) -> Option<(Duration, u32)> {
        match self.policy.next(self.now) {
            ReconnectAction::TryAfter { wait, server, .. } => Some((wait, self.resolve(server))),
            ReconnectAction::Stop => None,
            other @ ReconnectAction::CheckAfter { .. } => panic!("no check was asked for: {other:?}"),
        }
    }

    fn resolve(&self, server: ServerChoice) -> u32 {
        match server {
            ServerChoice::Same => self.server,
            ServerChoice::Next => (self.server + 1) % SERVERS,
            ServerChoice::Number(server) => server,
        }
    }

    /// Asks, and waits.
    pub(super) fn wait(&mut self) -> Duration {
        let (wait, server) = self.ask().expect("it does not stop");
        self.now += wait;
        self.server = server;
        wait
    }

    /// [`Self::try_and_fail`] and the wait after it, waited.
    pub(super) fn fail(&mut self) -> Duration {
        self.try_and_fail();
        self.wait()
    }

    /// [`Self::live_and_lose`] and the wait after it, waited.
    pub(super) fn live(&mut self, uptime: Duration) -> Duration {
        self.live_and_lose(uptime);
        self.wait()
    }
}
