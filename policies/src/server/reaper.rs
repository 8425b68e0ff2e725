//! Closes sessions that have been idle too long, found by a periodic scan. Any frame in either direction ends idleness,
//! not only heartbeats.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{CloseReason, ServerAction, ServerPolicy, SessionEvent, SessionId};
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

impl IdleReaper {
    pub(super) fn describe(&self) -> String {
        format!(
            "Notes when each session last carried a frame, of any kind and either way; a frame that makes no sense does not \
             count. Every {} it looks through all sessions and closes those idle for {} or longer. It tells clients nothing.",
            self.scan, self.idle,
        )
    }
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
            SessionEvent::Opened { .. } => {
                self.last_frame.insert(session, now);
                self.scans.insert((self.due(now), session));
            }
            SessionEvent::HeartbeatReceived
            | SessionEvent::FrameReceived
            | SessionEvent::PongReceived
            | SessionEvent::FrameSent => {
                if let Some(last_frame) = self.last_frame.get_mut(&session) {
                    *last_frame = now;
                }
            }
            SessionEvent::Closed => {
                self.last_frame.remove(&session);
            }
            // Only a valid packet counts.
            SessionEvent::MalformedReceived => {}
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
                return Some(ServerAction::Close { session, reason: CloseReason::Silence });
            }
            self.scans.insert((due, session));
        }
        None
    }

    fn deadline(&self) -> Option<Time> {
        self.scans.first().map(|&(scan, _)| scan)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Idle for 60 s, scans every 10 s.
    fn reaper() -> Reaper {
        Reaper::new(IdleReaper { idle: Span::secs(60), scan: Span::secs(10) })
    }

    fn at(secs: u64) -> Time {
        Time::from_secs(secs)
    }

    fn closed(reaper: &mut Reaper, now: Time) -> Vec<u32> {
        let sessions = std::iter::from_fn(|| reaper.poll(now))
            .map(|action| match action {
                ServerAction::Close { session, reason: CloseReason::Silence } => session.0,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(reaper.deadline().is_none_or(|due| due > now), "a deadline of the past is left over");
        sessions
    }

    #[test]
    fn an_idle_session_is_closed_at_the_first_scan_after_its_limit() {
        let mut reaper = reaper();
        reaper.on_event(at(3), SessionId(1), &SessionEvent::Opened { interval: None });
        assert_eq!(reaper.deadline(), Some(at(70)));
        assert!(closed(&mut reaper, at(69)).is_empty());
        assert_eq!(closed(&mut reaper, at(70)), [1]);
        assert_eq!(reaper.deadline(), None);
    }

    #[test]
    fn a_limit_that_ends_on_a_scan_counts_there() {
        let mut reaper = reaper();
        reaper.on_event(at(10), SessionId(1), &SessionEvent::Opened { interval: None });
        assert_eq!(reaper.deadline(), Some(at(70)));
        assert_eq!(closed(&mut reaper, at(70)), [1]);
    }

    #[test]
    fn frames_in_either_direction_keep_a_session_open() {
        for frame in [SessionEvent::HeartbeatReceived, SessionEvent::FrameReceived, SessionEvent::FrameSent] {
            let mut reaper = reaper();
            reaper.on_event(at(0), SessionId(1), &SessionEvent::Opened { interval: None });
            reaper.on_event(at(45), SessionId(1), &frame);
            assert!(closed(&mut reaper, at(60)).is_empty());
            assert_eq!(reaper.deadline(), Some(at(110)));
            assert_eq!(closed(&mut reaper, at(110)), [1]);
        }
    }

    #[test]
    fn a_closed_session_is_forgotten() {
        let mut reaper = reaper();
        reaper.on_event(at(0), SessionId(1), &SessionEvent::Opened { interval: None });
        reaper.on_event(at(5), SessionId(1), &SessionEvent::Closed);
        reaper.on_event(at(6), SessionId(1), &SessionEvent::FrameSent);
        assert!(closed(&mut reaper, at(60)).is_empty());
        assert_eq!(reaper.deadline(), None);
    }

    #[test]
    fn one_scan_closes_all_that_are_due_and_no_others() {
        let mut reaper = reaper();
        for session in [2, 1, 3] {
            reaper.on_event(at(0), SessionId(session), &SessionEvent::Opened { interval: None });
        }
        reaper.on_event(at(1), SessionId(3), &SessionEvent::FrameReceived);
        assert_eq!(closed(&mut reaper, at(60)), [1, 2]);
        assert_eq!(closed(&mut reaper, at(70)), [3]);
    }

    proptest! {
        /// The reaper against the source's own way: look at every session at every scan.
        #[test]
        fn it_closes_what_a_scan_of_all_sessions_would(
            frames in prop::collection::vec((0_u32..4, 0_u64..300), 0..60),
            idle in 1_u64..90,
            scan in 1_u64..30,
        ) {
            let mut frames = frames;
            frames.sort_by_key(|&(_, secs)| secs);
            let mut reaper = Reaper::new(IdleReaper { idle: Span::secs(idle), scan: Span::secs(scan) });
            let mut last: BTreeMap<u32, u64> = (0..4).map(|session| (session, 0)).collect();
            for session in 0..4 {
                reaper.on_event(at(0), SessionId(session), &SessionEvent::Opened { interval: None });
            }
            let mut frames = frames.into_iter().peekable();
            for now in 0..600 {
                // Packets come before timers.
                while let Some((session, _)) = frames.next_if(|&(_, secs)| secs == now) {
                    reaper.on_event(at(now), SessionId(session), &SessionEvent::FrameReceived);
                    last.entry(session).and_modify(|last| *last = now);
                }
                let due = |&(_, &mut last): &(&u32, &mut u64)| now % scan == 0 && now - last >= idle;
                let expected: Vec<u32> = last.iter_mut().filter(due).map(|(&session, _)| session).collect();
                last.retain(|session, _| !expected.contains(session));
                let mut actual = if reaper.deadline() == Some(at(now)) { closed(&mut reaper, at(now)) } else { vec![] };
                actual.sort_unstable();
                prop_assert_eq!(actual, expected, "at {} s", now);
            }
            prop_assert_eq!(reaper.deadline(), None);
        }
    }
}
