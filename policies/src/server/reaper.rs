//! Closes sessions that have been idle too long, found by a periodic scan. Any frame in either direction ends idleness,
//! not only heartbeats.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{ServerAction, ServerPolicy, SessionEvent, SessionId};
use crate::{Time, unit::Span};

/// Closes sessions idle for `idle` or longer at the next scan.
///
/// Source: source document 004, whose server notes the time of every packet it sends or validly receives and scans all
/// sessions periodically; so a session may outlive its limit by up to one scan interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IdleReaper {
    /// How long a session may go without a frame, sent or received. Longer than the clients' heartbeat interval, or
    /// healthy sessions die (source document 000).
    pub idle: Span,
    /// Between scans; they fall on its multiples since time zero. Default 10 s.
    #[serde(default = "default_scan")]
    pub scan: Span,
}

fn default_scan() -> Span {
    Span::secs(10)
}

/// [`IdleReaper`] at work.
pub(super) struct Reaper {
    spec: IdleReaper,
    /// When the last frame of each open session was sent or received.
    last_frame: BTreeMap<SessionId, Time>,
    /// One entry a session: a scan before which it is not due. Frames leave it alone; once its scan has come, it moves on
    /// to the scan that the last frame calls for. So a frame costs one look-up, a scan only what is due, and idle time
    /// nothing. The entry of a closed session goes when its scan comes.
    scans: BTreeSet<(Time, SessionId)>,
}

impl Reaper {
    pub(super) fn new(spec: IdleReaper) -> Self {
        Self { spec, last_frame: BTreeMap::new(), scans: BTreeSet::new() }
    }

    /// The first scan at which a session is due whose last frame was at `last_frame`.
    fn due(&self, last_frame: Time) -> Time {
        let scan = u64::try_from(self.spec.scan.get().as_micros()).expect("a span is at most ten years");
        let idle_at = last_frame + self.spec.idle.get();
        Time::from_micros(idle_at.as_micros().div_ceil(scan).saturating_mul(scan))
    }
}

impl ServerPolicy for Reaper {
    fn on_event(&mut self, now: Time, session: SessionId, event: &SessionEvent) {
        match event {
            SessionEvent::Opened => {
                self.last_frame.insert(session, now);
                self.scans.insert((self.due(now), session));
            }
            SessionEvent::HeartbeatReceived | SessionEvent::FrameReceived | SessionEvent::FrameSent => {
                if let Some(last_frame) = self.last_frame.get_mut(&session) {
                    *last_frame = now;
                }
            }
            SessionEvent::Closed => {
                self.last_frame.remove(&session);
            }
        }
    }

    fn poll(&mut self, now: Time) -> Option<ServerAction> {
        while let Some(&(scan, session)) = self.scans.first()
            && scan <= now
        {
            self.scans.pop_first();
            let Some(&last_frame) = self.last_frame.get(&session) else { continue };
            let due = self.due(last_frame);
            if due <= now {
                self.last_frame.remove(&session);
                return Some(ServerAction::Close { session });
            }
            self.scans.insert((due, session));
        }
        None
    }

    fn deadline(&self) -> Option<Time> {
        self.scans.first().map(|&(scan, _)| scan)
    }
}
