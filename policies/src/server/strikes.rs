//! Clients that beat more often than they may are closed, and told why: gRPC's ping strikes.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{CloseReason, ServerAction, ServerPolicy, SessionEvent, SessionId};
use crate::{Time, unit::Span};

/// A heartbeat that comes too soon after the last valid one is a strike; one more than `allowed` closes the session with
/// the word that heartbeats came too often. Data that the server sends forgives everything: its strikes, and the time of
/// the last valid heartbeat.
///
/// Source: grpc/grpc doc/keepalive.md (server-side enforcement). There the shorter time holds while a call is open; here
/// a call is open from the first message of the application, either way, to the end of the session (an assumption: the
/// session of a messenger is one long call). `permit_without_calls` is `without_data` as short as `with_data`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Strikes {
    /// The least time between two heartbeats of a session that has carried data. Default 5 min.
    pub with_data: Span,
    /// The least time between two heartbeats of one that has not. Default 2 h.
    pub without_data: Span,
    /// Strikes that are forgiven. Default 2.
    pub allowed: u32,
}

impl Default for Strikes {
    fn default() -> Self {
        Self { with_data: Span::secs(300), without_data: Span::secs(7_200), allowed: 2 }
    }
}

impl Strikes {
    /// Returns what they do, in words.
    pub(super) fn describe(&self) -> String {
        format!(
            "Counts the heartbeats that come within {} of the last valid one, {} where no data has gone over the session, and \
             closes it at number {} with the word that they come too often; data that it sends makes it forget them.",
            self.with_data,
            self.without_data,
            u64::from(self.allowed) + 1,
        )
    }
}

/// [`Strikes`] at work.
pub(super) struct StrikeCounter {
    spec: Strikes,
    sessions: BTreeMap<SessionId, Record>,
    /// To be closed.
    out: VecDeque<SessionId>,
}

#[derive(Default)]
struct Record {
    strikes: u32,
    /// When the last valid heartbeat came, since data was sent last.
    last_valid: Option<Time>,
    has_data: bool,
}

impl StrikeCounter {
    pub(super) fn new(spec: Strikes) -> Self {
        Self { spec, sessions: BTreeMap::new(), out: VecDeque::new() }
    }
}

impl ServerPolicy for StrikeCounter {
    fn on_event(&mut self, now: Time, session: SessionId, event: &SessionEvent) {
        if let SessionEvent::Opened { .. } = event {
            self.sessions.insert(session, Record::default());
            return;
        }
        let Some(record) = self.sessions.get_mut(&session) else { return };
        match event {
            SessionEvent::Closed => {
                self.sessions.remove(&session);
            }
            SessionEvent::FrameReceived => record.has_data = true,
            SessionEvent::DataSent => *record = Record { has_data: true, ..Record::default() },
            SessionEvent::HeartbeatReceived => {
                let least = if record.has_data { self.spec.with_data } else { self.spec.without_data };
                if record.last_valid.is_none_or(|last| last + least.get() <= now) {
                    record.last_valid = Some(now);
                } else {
                    record.strikes += 1;
                }
                if record.strikes > self.spec.allowed {
                    self.sessions.remove(&session);
                    self.out.push_back(session);
                }
            }
            _ => {}
        }
    }

    fn poll(&mut self, _: Time) -> Option<ServerAction> {
        let session = self.out.pop_front()?;
        Some(ServerAction::Close { session, reason: CloseReason::TooManyPings })
    }

    fn deadline(&self) -> Option<Time> {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::server::testing::{OPENED, Step, play};

    const BEAT: Option<SessionEvent> = Some(SessionEvent::HeartbeatReceived);
    const CLOSE: ServerAction = ServerAction::Close { session: SessionId(0), reason: CloseReason::TooManyPings };
    const MIN: u64 = 60_000;

    fn test(script: &[Step]) {
        play(&mut StrikeCounter::new(Strikes::default()), script);
    }

    #[test]
    fn the_third_strike_is_out() {
        test(&[
            (0, Some(OPENED), &[]),
            // The first heartbeat is valid whenever it comes.
            (MIN, BEAT, &[]),
            (11 * MIN, BEAT, &[]),
            (21 * MIN, BEAT, &[]),
            (31 * MIN, BEAT, &[CLOSE]),
        ]);
    }

    #[test]
    fn without_data_two_hours_are_enough_and_strikes_stay() {
        test(&[
            (0, Some(OPENED), &[]),
            (MIN, BEAT, &[]),
            (2 * MIN, BEAT, &[]),
            // Counted from the last valid one, not from the strike.
            (121 * MIN, BEAT, &[]),
            (122 * MIN, BEAT, &[]),
            (123 * MIN, BEAT, &[CLOSE]),
        ]);
    }

    #[test]
    fn with_data_five_minutes_are_enough() {
        test(&[
            (0, Some(OPENED), &[]),
            (0, Some(SessionEvent::FrameReceived), &[]),
            (5 * MIN, BEAT, &[]),
            (10 * MIN, BEAT, &[]),
            (15 * MIN - 1, BEAT, &[]),
            (15 * MIN, BEAT, &[]),
            (16 * MIN, BEAT, &[]),
            (17 * MIN, BEAT, &[CLOSE]),
        ]);
    }

    #[test]
    fn data_sent_forgives_all_strikes_and_the_last_heartbeat_too() {
        let data = Some(SessionEvent::DataSent);
        test(&[
            (0, Some(OPENED), &[]),
            (MIN, BEAT, &[]),
            (2 * MIN, BEAT, &[]),
            (3 * MIN, BEAT, &[]),
            (3 * MIN, data, &[]),
            (4 * MIN, BEAT, &[]),
            (5 * MIN, BEAT, &[]),
            (6 * MIN, BEAT, &[]),
            // A reply to a heartbeat is no data.
            (6 * MIN, Some(SessionEvent::FrameSent), &[]),
            (7 * MIN, BEAT, &[CLOSE]),
        ]);
    }

    proptest! {
        /// Invariant 13: a client no faster than the server allows never gets a strike, whatever else goes on.
        #[test]
        fn who_keeps_the_least_time_is_never_struck(
            gaps in prop::collection::vec((0_u64..100_000, 0_u8..4), 1..200), has_data: bool,
        ) {
            let mut umpire = StrikeCounter::new(Strikes { allowed: 0, ..Strikes::default() });
            let (mut now, session) = (Time::ZERO, SessionId(0));
            umpire.on_event(now, session, &OPENED);
            if has_data {
                umpire.on_event(now, session, &SessionEvent::FrameReceived);
            }
            let least = if has_data { Strikes::default().with_data } else { Strikes::default().without_data };
            for (more, frames) in gaps {
                now += least.get() + std::time::Duration::from_millis(more);
                for _ in 0..frames {
                    umpire.on_event(now, session, if has_data { &SessionEvent::DataSent } else { &SessionEvent::FrameSent });
                }
                umpire.on_event(now, session, &SessionEvent::HeartbeatReceived);
                prop_assert_eq!(umpire.poll(now), None);
            }
        }
    }
}
