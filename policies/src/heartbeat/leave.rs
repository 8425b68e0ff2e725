//! No heartbeat and no lasting connection: it is left once nothing more happens on it. With a reconnect policy that
//! comes back after a while this is polling; with one that waits to be called, it is life on a platform's push service.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Action, Event, GiveUp, Heartbeat, spec::REMEMBERS_NOTHING};
use crate::{Promises, Time, unit::Span};

/// Leaves the connection, as a thing done and not as a dead one, once nothing was sent or received on it for `after`.
///
/// Sources: polling as source document 003 compares it with a long connection; `WhatsApp` with Google's push service drops
/// its connection after 10 minutes without a message (52im thread 121).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LeaveWhenQuiet {
    /// Quiet time before the connection is closed. A client that polls wants it just long enough for a late packet of
    /// what it fetches.
    pub after: Span,
}

impl LeaveWhenQuiet {
    pub(super) fn describe(&self) -> String {
        format!(
            "Sends no heartbeats. Once nothing has been sent or received for {} it closes the connection, as a thing done and \
             not as a dead one. It judges nothing: a broken connection is quiet, and left like any other. {REMEMBERS_NOTHING}",
            self.after,
        )
    }

    /// A break is not noticed: the connection is left when it is quiet, broken or not.
    pub(super) fn promises() -> Promises {
        Promises { heartbeats_per_hour: Some(0), no_false_alarm: true, ..Promises::default() }
    }
}

/// [`LeaveWhenQuiet`] at work.
pub(super) struct Leaving {
    after: Duration,
    /// When the present connection is left, if it stays quiet.
    due: Option<Time>,
}

impl Leaving {
    pub(super) const fn new(spec: &LeaveWhenQuiet) -> Self {
        Self { after: spec.after.get(), due: None }
    }
}

impl Heartbeat for Leaving {
    fn on_event(&mut self, now: Time, event: &Event) {
        match event {
            Event::Connected { .. } => self.due = Some(now + self.after),
            Event::Lost(_) => self.due = None,
            Event::BytesWritten | Event::BytesReceived | Event::PeerPing => {
                self.due = self.due.map(|_| now + self.after);
            }
            _ => {}
        }
    }

    fn poll(&mut self, now: Time) -> Option<Action> {
        self.due.take_if(|due| *due <= now).map(|_| Action::GiveUp(GiveUp::Done))
    }

    fn deadline(&self) -> Option<Time> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CONNECTED, LOST, play};

    const LEAVE: Action = Action::GiveUp(GiveUp::Done);

    #[test]
    fn a_connection_is_left_once_it_has_been_quiet_for_long_enough() {
        play(
            &mut Leaving::new(&LeaveWhenQuiet { after: Span::secs(2) }),
            &[
                (0, Some(CONNECTED), &[]),
                (1_500, Some(Event::BytesReceived), &[]),
                (3_000, Some(Event::BytesWritten), &[]),
                (5_000, None, &[LEAVE]),
                // What is still on its way concerns nobody.
                (5_100, Some(Event::BytesReceived), &[]),
                (300_000, Some(CONNECTED), &[]),
                (302_000, None, &[LEAVE]),
                (600_000, Some(CONNECTED), &[]),
                (601_000, Some(LOST), &[]),
            ],
        );
    }
}
