//! What policies share: the attempt that comes next, and when a connection counts as proven.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Ended, ReconnectAction, ReconnectEvent, ServerChoice};
use crate::{AttemptLimit, Bounds, GiveUp, Promises, Time, unit::Span};

/// What brings the waits back to their beginning, and with them everything that counts failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Reset {
    /// The transport's handshake alone: a server that accepts and then drops is tried at the base for ever, which is
    /// why gRPC waits for the server's SETTINGS frame instead.
    Established,
    /// An established connection: the server's welcome.
    #[default]
    Connected,
    /// A connection that lived at least this long; after a shorter one the waits go on growing, so that a server that
    /// accepts and closes is not hammered. Chromium's GCM client: a login is provisional for 10 s, and a reset within
    /// them brings the backoff from before it back and increments it, which is the same; reconnecting-websocket: 5 s.
    Uptime(Span),
}

/// Watches for what a [`Reset`] asks for.
pub(super) struct Health {
    reset: Reset,
    connected: Time,
    /// The connection that there is, or was last, has proven good.
    is_good: bool,
}

impl Health {
    pub(super) fn new(reset: Reset) -> Self {
        Self { reset, connected: Time::ZERO, is_good: false }
    }

    /// Returns whether with this event the client has proven healthy, or is told to count as such.
    pub(super) fn is_proven_by(&mut self, now: Time, event: &ReconnectEvent) -> bool {
        let is_proof = match (event, self.reset) {
            (ReconnectEvent::Reset, _) | (ReconnectEvent::Established, Reset::Established) => true,
            (ReconnectEvent::Connected, reset) => {
                self.connected = now;
                // A host that does not see the handshake apart from the welcome tells of the welcome alone.
                !matches!(reset, Reset::Uptime(_))
            }
            (ReconnectEvent::Lost(_), Reset::Uptime(least)) => now.since(self.connected) >= least.get(),
            _ => false,
        };
        self.is_good = is_proof || (self.is_good && !matches!(event, ReconnectEvent::AttemptStarted { .. }));
        is_proof
    }

    /// Returns whether the connection that there is, or was last, has proven good.
    pub(super) const fn is_good(&self) -> bool {
        self.is_good
    }
}

/// The attempt that comes next: where, and when once that has been decided.
///
/// Asked again before the attempt has begun (the network has changed meanwhile), a policy keeps to its plan: a network
/// that flaps neither hastens the attempt nor puts it off.
#[derive(Default)]
pub(super) struct Plan {
    /// The server of the last attempt is no good.
    moves_on: bool,
    due: Option<Time>,
    /// How long it may take, where that is not the strategy's to say.
    timeout: Option<Duration>,
}

impl Plan {
    /// What it does, for the descriptions of the policies that have one.
    pub(super) const DESCRIBED: &str = "After a failed attempt it goes on to the next server, after a loss it stays with \
                                        the same one; a change of network neither hastens a planned attempt nor puts it \
                                        off.";

    pub(super) fn on_event(&mut self, event: &ReconnectEvent) {
        match event {
            ReconnectEvent::AttemptStarted { .. } => *self = Self::default(),
            // Where the network is alive and the service dead, only another server can help (`[netease]`,
            // `[wechat]`).
            ReconnectEvent::AttemptFailed(_) | ReconnectEvent::Lost(Ended::GivenUp(GiveUp::ServiceDead)) => {
                self.moves_on = true;
            }
            ReconnectEvent::Reset => self.forget(),
            _ => {}
        }
    }

    /// When the attempt begins is to be decided anew.
    pub(super) fn forget(&mut self) {
        self.due = None;
    }

    /// The attempt has been decided upon and has not begun.
    pub(super) fn is_made(&self) -> bool {
        self.due.is_some()
    }

    /// `next` says how long to wait, and how long the attempt may take, where that has not been decided yet; `None` if there
    /// is nothing to come.
    pub(super) fn verdict(
        &mut self,
        now: Time,
        next: impl FnOnce() -> Option<(Duration, Option<Duration>)>,
    ) -> ReconnectAction {
        if self.due.is_none()
            && let Some((wait, timeout)) = next()
        {
            (self.due, self.timeout) = (Some(now + wait), timeout);
        }
        let Some(due) = self.due else { return ReconnectAction::Stop };
        let server = if self.moves_on { ServerChoice::Next } else { ServerChoice::Same };
        ReconnectAction::TryAfter { wait: due.since(now), server, timeout: self.timeout }
    }
}

/// What promises about attempts are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Attempts begin at least this far apart; zero: no promise.
    pub(super) gap: Duration,
    /// It never waits longer than this, however it is counted; `None` if nothing is promised, or if it may stop altogether.
    pub(super) longest: Option<Duration>,
    /// The shortest and the longest time that an attempt may take; `None` where it is the strategy's connect timeout.
    pub(super) timeouts: Option<(Duration, Duration)>,
}

impl Pace {
    /// At worst an attempt has just begun that will fail, and every server but the last in the rotation is down: each
    /// costs a full connect timeout and a wait. With losses no attempt is certain to succeed.
    pub(crate) fn promises(self, bounds: &Bounds, connect_timeout: Duration) -> Promises {
        let (shortest, connect_timeout) =
            self.timeouts.map_or((connect_timeout, connect_timeout), |(shortest, longest)| {
                (shortest.min(connect_timeout), longest.max(connect_timeout))
            });
        let certain = bounds.loss_free && bounds.handshake_max <= shortest;
        let longest = self.longest.filter(|_| certain);
        Promises {
            attempts: (!self.gap.is_zero()).then_some(AttemptLimit { count: 1, window: self.gap }),
            reconnects_within: longest
                .map(|longest| (connect_timeout + longest) * bounds.servers.max(1) + bounds.handshake_max),
            ..Promises::default()
        }
    }
}
