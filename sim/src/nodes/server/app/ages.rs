//! How old sessions become, where the server limits it: when each is told goodbye, and when it is closed.

use std::collections::BTreeSet;

use cardiogram_policies::{SessionId, Time};

use super::{App, Session};
use crate::{
    config::MaxAge,
    fate::random::{Coins, DrawPurpose},
    nodes::server::Context,
    record::trace::ServerEvent,
    wire::frame::{Frame, GoodbyeReason},
};

pub(super) struct Ages {
    config: MaxAge,
    /// When something is due for a session; for one that has ended by then, nothing is.
    due: BTreeSet<(Time, SessionId, Stage)>,
}

/// What is due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Goodbye,
    End,
}

impl Ages {
    pub(super) const fn new(config: MaxAge) -> Self {
        Self { config, due: BTreeSet::new() }
    }

    /// A session begins.
    pub(super) fn begin(&mut self, session: SessionId, coins: Coins, now: Time) {
        let old = now + self.config.age.at(coins.unit(DrawPurpose::Age, now));
        let stage = if self.config.grace.get().is_zero() { Stage::End } else { Stage::Goodbye };
        self.due.insert((old, session, stage));
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.due.first().map(|(at, ..)| *at)
    }

    pub(super) fn clear(&mut self) {
        self.due.clear();
    }

    fn pop_due(&mut self, now: Time) -> Option<(SessionId, Stage)> {
        self.due.first().filter(|(at, ..)| *at <= now)?;
        let (_, session, stage) = self.due.pop_first()?;
        Some((session, stage))
    }

    /// The client has been told.
    fn grace_begins(&mut self, session: SessionId, now: Time) {
        self.due.insert((now + self.config.grace.get(), session, Stage::End));
    }
}

impl App {
    /// Tells those goodbye that have become too old, and closes those whose grace is over.
    pub(super) fn end_the_old(&mut self, context: &mut Context) {
        while let Some((id, stage)) = self.ages.as_mut().and_then(|ages| ages.pop_due(context.now)) {
            let Some(slot) = self.sessions.get(&id).copied() else { continue };
            let of_slot = self.connections[&slot].session;
            let Session { device, network, outside, .. } = of_slot.expect("a session's connection has it");
            match stage {
                Stage::Goodbye => {
                    context.note(ServerEvent::TurnedOld { device });
                    self.write(slot, Frame::Goodbye { reason: GoodbyeReason::TooOld, retry_after: None }, context);
                    if let Some(ages) = &mut self.ages {
                        ages.grace_begins(id, context.now);
                    }
                }
                Stage::End => {
                    context.note(ServerEvent::TooOld { device, network, outside });
                    self.forget(slot, context);
                    context.close(slot);
                }
            }
        }
    }
}
