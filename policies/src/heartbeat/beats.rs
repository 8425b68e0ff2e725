//! The beats of one connection, as an adaptive policy sends them: one at a time, each waiting for its own reply. What
//! an adaptive policy decides (when the next beat is due, what an answer or its absence teaches) is none of this file's
//! business.

use std::time::Duration;

use super::{Action, GiveUp};
use crate::Time;

/// The beats of one connection. Dropped once it is lost or given up.
#[derive(Debug)]
pub(super) struct BeatSchedule {
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
    /// `None` if it is waited for until the next beat and never judged.
    deadline: Option<Time>,
}

/// What is to be done on the connection now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// A beat went unanswered: learn from it, and say with [`BeatSchedule::declare_dead`] if that is the end.
    Overdue,
    /// Tell the host this.
    Say(Action),
    /// Give the connection up for this reason: tell the host, and drop the schedule.
    End(GiveUp),
    /// A beat is due: say how with [`BeatSchedule::send`].
    Beat,
}

impl BeatSchedule {
    /// Begins with a connection that came up `now`, whose first beat is due after `first`.
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

    /// Returns when the last beat was sent; before the first, when the connection was established.
    pub(super) fn last_beat(&self) -> Time {
        self.last_beat
    }

    /// Returns whether no beat was sent yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.next_id == 0
    }

    /// Returns whether a beat waits for its reply.
    pub(super) fn is_waiting(&self) -> bool {
        self.awaited.is_some()
    }

    /// Returns whether a beat is due.
    pub(super) fn is_due(&self, now: Time) -> bool {
        self.due <= now
    }

    /// Moves the next beat to `due`, but not to before the one that is out has been judged.
    pub(super) fn schedule(&mut self, due: Time) {
        let judged = self.awaited.as_ref().and_then(|awaited| awaited.deadline);
        self.due = judged.map_or(due, |judged| due.max(judged));
    }

    /// Sends a beat, with the next one after `interval`. The reply may take `timeout`, but no longer than until the
    /// next beat; with no timeout it is never judged.
    pub(super) fn send(&mut self, now: Time, timeout: Option<Duration>, interval: Duration) -> Action {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        self.last_beat = now;
        self.awaited = Some(Awaited { id, deadline: timeout.map(|timeout| now + timeout.min(interval)) });
        self.due = now + interval;
        Action::SendHeartbeat { id }
    }

    /// Returns whether beat `id` is the one that waits for its reply; a late reply changes nothing.
    pub(super) fn awaits(&self, id: u32) -> bool {
        self.awaited.as_ref().is_some_and(|awaited| awaited.id == id)
    }

    /// Takes note of the reply that was awaited.
    pub(super) fn answered(&mut self) {
        self.awaited = None;
        self.looks_dead = false;
    }

    /// Declares the connection dead.
    pub(super) fn declare_dead(&mut self) {
        self.looks_dead = true;
        self.end = Some(GiveUp::NoReply);
    }

    /// Leaves the connection, though nothing is wrong with it.
    pub(super) fn leave(&mut self) {
        self.end = Some(GiveUp::Done);
    }

    /// Returns what is to be done now; `None` when there is nothing more.
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

    /// Returns when there is something to do next, events apart.
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

    /// Returns a schedule with beat 0 out since 10 s, judged at 15 s, and the next one due at 40 s.
    fn waiting() -> BeatSchedule {
        let mut beats = BeatSchedule::new(Time::ZERO, 10 * SEC);
        assert_eq!(beats.task(at(9)), None);
        assert_eq!(beats.task(at(10)), Some(Task::Beat));
        assert_eq!(beats.send(at(10), Some(5 * SEC), 30 * SEC), BEAT);
        assert_eq!((beats.deadline(), beats.last_beat()), (at(15), at(10)));
        beats
    }

    #[test]
    fn only_the_reply_that_is_waited_for_counts() {
        let mut beats = waiting();
        assert!(beats.awaits(0) && !beats.awaits(1));
        beats.answered();
        assert!(!beats.awaits(0) && !beats.is_waiting());
        assert_eq!((beats.task(at(15)), beats.deadline()), (None, at(40)));
    }

    #[test]
    fn a_beat_that_is_overdue_is_suspected_until_another_is_answered() {
        let mut beats = waiting();
        assert_eq!(beats.task(at(15)), Some(Task::Overdue));
        assert_eq!(beats.task(at(15)), Some(Task::Say(Action::Suspect)));
        assert_eq!(beats.task(at(15)), None);
        beats.send(at(40), Some(5 * SEC), 30 * SEC);
        beats.answered();
        assert_eq!(beats.task(at(41)), Some(Task::Say(Action::Trust)));
        assert_eq!(beats.task(at(41)), None);
    }

    #[test]
    fn a_dead_connection_is_suspected_before_it_ends_and_one_that_is_left_is_not() {
        let mut beats = waiting();
        beats.declare_dead();
        assert_eq!(beats.task(at(11)), Some(Task::Say(Action::Suspect)));
        assert_eq!(beats.task(at(11)), Some(Task::End(GiveUp::NoReply)));
        let mut beats = waiting();
        beats.leave();
        assert_eq!(beats.task(at(11)), Some(Task::End(GiveUp::Done)));
    }

    #[test]
    fn the_next_beat_is_not_sent_before_the_last_one_is_judged() {
        let mut beats = waiting();
        beats.schedule(at(12));
        assert_eq!(beats.task(at(12)), None);
        assert_eq!(beats.task(at(15)), Some(Task::Overdue));
        assert_eq!(beats.task(at(15)), Some(Task::Say(Action::Suspect)));
        assert_eq!(beats.task(at(15)), Some(Task::Beat));
        // Nor is a reply waited for any longer than that.
        beats.send(at(15), Some(50 * SEC), 30 * SEC);
        assert_eq!(beats.task(at(45)), Some(Task::Overdue));
    }

    #[test]
    fn a_beat_without_a_timeout_is_never_judged() {
        let mut beats = BeatSchedule::new(Time::ZERO, Duration::ZERO);
        assert!(beats.is_fresh() && beats.is_due(Time::ZERO));
        beats.send(Time::ZERO, None, 30 * SEC);
        assert_eq!((beats.deadline(), beats.task(at(30))), (at(30), Some(Task::Beat)));
        assert!(beats.is_waiting() && !beats.is_fresh());
    }
}
