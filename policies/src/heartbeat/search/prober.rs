//! Tests intervals on a connection of its own, so that the session is never put at risk. Which interval comes next is the
//! [searcher's](super::Searcher) business.

use std::time::Duration;

use super::Searcher;
use crate::{
    LossReason, Time,
    heartbeat::{Action, Event},
};

/// How often a candidate's probe connection may be lost, without an unanswered beat to blame, before the candidate counts
/// as failed (Courier: `MAX_CURRENT_KEEPALIVE_FAILURE`). One that ends with its session is lost, too: a NAT that forgets
/// sooner than the session beats would have the first candidate tried for ever.
const MOST_RESTARTS: u32 = 3;
/// How long it waits before it opens another probe connection after one was lost or failed. An assumption: Courier leaves it
/// to its client's own reconnect policy.
const RESTART_AFTER: Duration = Duration::from_secs(5);

/// A probe connection and the beat on it.
pub(in crate::heartbeat) struct Prober {
    /// How long the answer to a beat may take.
    timeout: Duration,
    /// A failure has to be confirmed by the session.
    confirm: bool,
    stage: Stage,
    /// Probe connections lost under the present candidate on this network, without an unanswered beat.
    restarts: u32,
    network: u32,
    /// When the beat was sent whose failure the session has yet to confirm.
    unconfirmed: Option<Time>,
}

#[derive(Clone, Copy)]
enum Stage {
    /// There is no session, or nothing to find out.
    Off,
    /// The next probe connection is due then.
    Opens {
        at: Time,
    },
    Opening,
    /// The next beat is due then.
    Waits {
        beat: Time,
        id: u32,
    },
    /// A beat, sent then, waits for its answer.
    Awaits {
        sent: Time,
        id: u32,
    },
    /// The probe connection has to be closed.
    Closes,
}

impl Prober {
    pub(in crate::heartbeat) const fn new(timeout: Duration, confirm: bool) -> Self {
        Self { timeout, confirm, stage: Stage::Off, restarts: 0, network: 0, unconfirmed: None }
    }

    pub(in crate::heartbeat) fn on_event(&mut self, now: Time, event: &Event, searcher: &mut Searcher) {
        match *event {
            Event::Connected { network, .. } => {
                if network.id != self.network {
                    (self.network, self.restarts) = (network.id, 0);
                }
                self.unconfirmed = None;
                self.stage = if searcher.is_done() { Stage::Off } else { Stage::Opens { at: now } };
            }
            // The session's end is the probe's.
            // The network is gone, which says nothing of the candidate.
            Event::Lost(LossReason::Aborted) => self.stop(),
            Event::Lost(_) => self.session_ended(now, searcher),
            Event::ProbeConnected => self.stage = Stage::Waits { beat: now + searcher.candidate(), id: 0 },
            Event::ProbeReply { id, .. } => {
                if let Stage::Awaits { id: awaited, .. } = self.stage
                    && id == awaited
                {
                    searcher.survived(now);
                    self.restarts = 0;
                    self.stage = if searcher.is_done() {
                        Stage::Closes
                    } else {
                        Stage::Waits { beat: now + searcher.candidate(), id: id.wrapping_add(1) }
                    };
                }
            }
            Event::ProbeLost => {
                let sent = if let Stage::Awaits { sent, .. } = self.stage { Some(sent) } else { None };
                self.stage = Stage::Opens { at: now + RESTART_AFTER };
                match sent {
                    Some(sent) => self.beat_failed(now, sent, searcher),
                    None => self.restarted(now, searcher),
                }
            }
            ref event if event.is_reception() && self.unconfirmed.is_some_and(|sent| sent < now) => {
                self.unconfirmed = None;
                self.failed(now, searcher);
            }
            _ => {}
        }
    }

    /// The session is over: given up, or lost. A failure that nothing has confirmed was the network's.
    pub(in crate::heartbeat) fn session_ended(&mut self, now: Time, searcher: &mut Searcher) {
        let was_tried = matches!(self.stage, Stage::Waits { .. } | Stage::Awaits { .. });
        self.stop();
        if was_tried && !self.confirm {
            self.restarted(now, searcher);
        }
    }

    fn stop(&mut self) {
        (self.stage, self.unconfirmed) = (Stage::Off, None);
    }

    fn restarted(&mut self, now: Time, searcher: &mut Searcher) {
        self.restarts += 1;
        if self.restarts >= MOST_RESTARTS {
            self.failed(now, searcher);
        }
    }

    fn beat_failed(&mut self, now: Time, sent: Time, searcher: &mut Searcher) {
        if self.confirm {
            self.unconfirmed = Some(sent);
        } else {
            self.failed(now, searcher);
        }
    }

    fn failed(&mut self, now: Time, searcher: &mut Searcher) {
        self.restarts = 0;
        searcher.failed(now);
        if searcher.is_done() && matches!(self.stage, Stage::Opens { .. }) {
            self.stage = Stage::Off;
        }
    }

    pub(in crate::heartbeat) fn poll(&mut self, now: Time, searcher: &mut Searcher) -> Option<Action> {
        match self.stage {
            Stage::Opens { at } if at <= now && self.unconfirmed.is_none() => {
                self.stage = Stage::Opening;
                Some(Action::OpenProbe)
            }
            Stage::Waits { beat, id } if beat <= now => {
                self.stage = Stage::Awaits { sent: now, id };
                Some(Action::SendProbe { id })
            }
            Stage::Awaits { sent, .. } if sent + self.timeout <= now => {
                self.stage = Stage::Opens { at: now + RESTART_AFTER };
                self.beat_failed(now, sent, searcher);
                Some(Action::CloseProbe)
            }
            Stage::Closes => {
                self.stage = Stage::Off;
                Some(Action::CloseProbe)
            }
            _ => None,
        }
    }

    pub(in crate::heartbeat) fn deadline(&self) -> Option<Time> {
        match self.stage {
            // What waits for the session's word waits for no timer.
            Stage::Opens { at } => self.unconfirmed.is_none().then_some(at),
            Stage::Waits { beat, .. } => Some(beat),
            Stage::Awaits { sent, .. } => Some(sent + self.timeout),
            Stage::Off | Stage::Opening | Stage::Closes => None,
        }
    }
}
