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

#[cfg(test)]
mod tests {
    use super::*;

    const SEC: Duration = Duration::from_secs(1);
    const BEAT: Action = Action::SendHeartbeat { id: 0 };

    fn at(secs: u64) -> Time {
        Time::from_secs(secs)
    }

    /// A line with beat 0 out since 10 s, judged at 15 s, and the next one due at 40 s.
    fn waiting() -> Line {
        let mut line = Line::new(Time::ZERO, 10 * SEC);
        assert_eq!(line.task(at(9)), None);
        assert_eq!(line.task(at(10)), Some(Task::Beat));
        assert_eq!(line.send(at(10), Some(5 * SEC), 30 * SEC), BEAT);
        assert_eq!((line.deadline(), line.last_beat()), (at(15), at(10)));
        line
    }

    #[test]
    fn only_the_reply_that_is_waited_for_counts() {
        let mut line = waiting();
        assert!(line.awaits(0) && !line.awaits(1));
        line.answered();
        assert!(!line.awaits(0) && !line.is_waiting());
        assert_eq!((line.task(at(15)), line.deadline()), (None, at(40)));
    }

    #[test]
    fn a_beat_that_is_overdue_is_suspected_until_another_is_answered() {
        let mut line = waiting();
        assert_eq!(line.task(at(15)), Some(Task::Overdue));
        assert_eq!(line.task(at(15)), Some(Task::Say(Action::Suspect)));
        assert_eq!(line.task(at(15)), None);
        line.send(at(40), Some(5 * SEC), 30 * SEC);
        line.answered();
        assert_eq!(line.task(at(41)), Some(Task::Say(Action::Trust)));
        assert_eq!(line.task(at(41)), None);
    }

    #[test]
    fn a_doomed_line_is_suspected_before_it_ends_and_one_that_is_left_is_not() {
        let mut line = waiting();
        line.doom();
        assert_eq!(line.task(at(11)), Some(Task::Say(Action::Suspect)));
        assert_eq!(line.task(at(11)), Some(Task::End(GiveUp::NoReply)));
        let mut line = waiting();
        line.leave();
        assert_eq!(line.task(at(11)), Some(Task::End(GiveUp::Done)));
    }

    #[test]
    fn the_next_beat_is_not_sent_before_the_last_one_is_judged() {
        let mut line = waiting();
        line.schedule(at(12));
        assert_eq!(line.task(at(12)), None);
        assert_eq!(line.task(at(15)), Some(Task::Overdue));
        assert_eq!(line.task(at(15)), Some(Task::Say(Action::Suspect)));
        assert_eq!(line.task(at(15)), Some(Task::Beat));
        // Nor is a reply waited for any longer than that.
        line.send(at(15), Some(50 * SEC), 30 * SEC);
        assert_eq!(line.task(at(45)), Some(Task::Overdue));
    }

    #[test]
    fn a_beat_without_a_timeout_is_never_judged() {
        let mut line = Line::new(Time::ZERO, Duration::ZERO);
        assert!(line.is_fresh() && line.is_due(Time::ZERO));
        line.send(Time::ZERO, None, 30 * SEC);
        assert_eq!((line.deadline(), line.task(at(30))), (at(30), Some(Task::Beat)));
        assert!(line.is_waiting() && !line.is_fresh());
    }
}
