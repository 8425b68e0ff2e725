//! One connection as an adaptive policy uses it: one beat at a time, each waiting for its own reply. What an adaptive policy
//! decides (when the next beat is due, what an answer or its absence teaches) is none of this file's business.

use std::time::Duration;

use super::{Action, GiveUp};
use crate::Time;

/// The beats of one connection. Dropped once it is lost or given up.
#[derive(Debug)]
pub(super) struct Line {
    next_id: u32,
    last_beat: Time,
    due: Time,
    awaited: Option<Awaited>,
    /// The last beat that was judged went unanswered.
    looks_dead: bool,
    /// What the host was told last.
    suspected: bool,
    end: Option<GiveUp>,
}

#[derive(Debug)]
struct Awaited {
    id: u32,
    /// `None`: it is waited for until the next beat, and never judged.
    deadline: Option<Time>,
}

/// What is to be done on a line now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// A beat went unanswered: learn from it, and say with [`Line::doom`] if that is the end.
    Overdue,
    /// Tell the host this.
    Say(Action),
    /// Give the connection up for this reason: tell the host, and drop the line.
    End(GiveUp),
    /// A beat is due: say how with [`Line::send`].
    Beat,
}

impl Line {
    /// A connection that came up `now`, with its first beat due after `first`.
    pub(super) fn new(now: Time, first: Duration) -> Self {
        Self {
            next_id: 0,
            last_beat: now,
            due: now + first,
            awaited: None,
            looks_dead: false,
            suspected: false,
            end: None,
        }
    }

    /// When the last beat was sent; when the connection was established, before the first.
    pub(super) fn last_beat(&self) -> Time {
        self.last_beat
    }

    /// Whether no beat was sent yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.next_id == 0
    }

    /// Whether a beat waits for its reply.
    pub(super) fn is_waiting(&self) -> bool {
        self.awaited.is_some()
    }

    /// Whether a beat is due.
    pub(super) fn is_due(&self, now: Time) -> bool {
        self.due <= now
    }

    /// Moves the next beat to `due`, but not to before the one that is out has been judged.
    pub(super) fn schedule(&mut self, due: Time) {
        let judged = self.awaited.as_ref().and_then(|awaited| awaited.deadline);
        self.due = judged.map_or(due, |judged| due.max(judged));
    }

    /// A beat, and the next one after `interval`. The reply may take `timeout`, but no longer than until the next beat;
    /// with no timeout it is never judged.
    pub(super) fn send(&mut self, now: Time, timeout: Option<Duration>, interval: Duration) -> Action {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        self.last_beat = now;
        self.awaited = Some(Awaited { id, deadline: timeout.map(|timeout| now + timeout.min(interval)) });
        self.due = now + interval;
        Action::SendHeartbeat { id }
    }

    /// Whether beat `id` is the one that waits for its reply; a late reply is nothing.
    pub(super) fn awaits(&self, id: u32) -> bool {
        self.awaited.as_ref().is_some_and(|awaited| awaited.id == id)
    }

    /// The reply that was awaited is here.
    pub(super) fn answered(&mut self) {
        self.awaited = None;
        self.looks_dead = false;
    }

    /// The connection is dead.
    pub(super) fn doom(&mut self) {
        self.looks_dead = true;
        self.end = Some(GiveUp::NoReply);
    }

    /// The connection is to be left, though nothing is wrong with it.
    pub(super) fn leave(&mut self) {
        self.end = Some(GiveUp::Done);
    }

    /// What is to be done now; `None` when there is nothing more.
    pub(super) fn task(&mut self, now: Time) -> Option<Task> {
        if self.awaited.take_if(|awaited| awaited.deadline.is_some_and(|deadline| deadline <= now)).is_some() {
            self.looks_dead = true;
            return Some(Task::Overdue);
        }
        if self.suspected != self.looks_dead {
            self.suspected = self.looks_dead;
            return Some(Task::Say(if self.suspected { Action::Suspect } else { Action::Trust }));
        }
        if let Some(reason) = self.end {
            return Some(Task::End(reason));
        }
        self.is_due(now).then_some(Task::Beat)
    }

    /// When there is something to do next, events apart.
    pub(super) fn deadline(&self) -> Time {
        let judged = self.awaited.as_ref().and_then(|awaited| awaited.deadline);
        judged.map_or(self.due, |judged| judged.min(self.due))
    }
}
