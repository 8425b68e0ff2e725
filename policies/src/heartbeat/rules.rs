//! What all machines do alike: they drive the line of their connection, hear of replies and ends, and hand what they have
//! learnt to the host. What differs is a machine's [`Rules`], each in a file of its own.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Action, Event, Heartbeat, LossReason,
    line::{Line, Task},
    notebook::Notebook,
};
use crate::{Network, Time};

/// What a machine has beside its rules.
#[derive(Debug)]
pub(super) struct Desk<N> {
    /// The beats of the connection, while there is one.
    pub(super) line: Option<Line>,
    /// What was learnt.
    pub(super) notes: N,
    /// The host has not been asked to store it yet.
    pub(super) unsaved: bool,
}

impl<N> Desk<N> {
    pub(super) fn new(notes: N) -> Self {
        Self { line: None, notes, unsaved: false }
    }

    /// A connection came up, with its first beat due after `first`.
    pub(super) fn open(&mut self, now: Time, first: Duration) {
        self.line = Some(Line::new(now, first));
    }

    /// [`Line::send`] on the line that there is.
    pub(super) fn send(&mut self, now: Time, timeout: Option<Duration>, interval: Duration) -> Option<Action> {
        Some(self.line.as_mut()?.send(now, timeout, interval))
    }

    /// [`Line::schedule`] on the line, if there is one.
    pub(super) fn schedule(&mut self, due: Time) {
        self.line.iter_mut().for_each(|line| line.schedule(due));
    }

    /// The gap that began with the last beat is this long.
    pub(super) fn set_gap(&mut self, gap: Duration) {
        if let Some(line) = &mut self.line {
            line.schedule(line.last_beat() + gap);
        }
    }

    /// The connection is dead.
    pub(super) fn doom(&mut self) {
        self.line.iter_mut().for_each(Line::doom);
    }
}

/// What a machine learns, as the text that a host stores; `()` for one that learns nothing.
pub(super) trait Notes: Send {
    fn write(&self) -> Option<String>;
    fn read(&mut self, text: &str);
}

impl Notes for () {
    fn write(&self) -> Option<String> {
        None
    }

    fn read(&mut self, _: &str) {}
}

impl<K, R> Notes for Notebook<K, R>
where
    K: Ord + Serialize + DeserializeOwned + Send,
    R: Serialize + DeserializeOwned + Send,
{
    fn write(&self) -> Option<String> {
        Some(self.text())
    }

    fn read(&mut self, text: &str) {
        self.take_over(text);
    }
}

/// The rules of a machine that has one beat out at a time: when the next one is due, and what an answer or its absence
/// teaches. With them it is a [`Heartbeat`].
pub(super) trait Rules: Send {
    type Notes: Notes;

    fn desk(&self) -> &Desk<Self::Notes>;

    fn desk_mut(&mut self) -> &mut Desk<Self::Notes>;

    /// A connection came up: [open](Desk::open) its line.
    fn connected(&mut self, now: Time, network: Network);

    /// A beat is due: [send](Desk::send) it.
    fn due(&mut self, now: Time) -> Option<Action>;

    /// The reply that was waited for is here.
    fn answered(&mut self, now: Time);

    /// A beat went unanswered: [doom](Desk::doom) the connection if that is the end.
    fn overdue(&mut self, now: Time);

    /// The connection is gone, and was not given up; `waiting`: while a beat was out.
    fn lost(&mut self, now: Time, reason: LossReason, waiting: bool);

    /// Everything else that happens, with a connection or without; late replies, too.
    fn heard(&mut self, _now: Time, _event: &Event) {}
}

impl<M: Rules> Heartbeat for M {
    fn on_event(&mut self, now: Time, event: &Event) {
        match (event, &mut self.desk_mut().line) {
            (Event::Connected { network, .. }, _) => self.connected(now, *network),
            (Event::Lost(reason), line) => {
                if let Some(line) = line.take() {
                    self.lost(now, *reason, line.is_waiting());
                }
            }
            (Event::HeartbeatReply { id, .. }, Some(line)) if line.awaits(*id) => {
                line.answered();
                self.answered(now);
            }
            _ => self.heard(now, event),
        }
    }

    fn poll(&mut self, now: Time) -> Option<Action> {
        loop {
            let desk = self.desk_mut();
            // What was learnt has to be stored before the end.
            if std::mem::take(&mut desk.unsaved) {
                return Some(Action::Remember);
            }
            match desk.line.as_mut()?.task(now)? {
                Task::Overdue => self.overdue(now),
                Task::Say(action) => return Some(action),
                Task::End(reason) => {
                    desk.line = None;
                    return Some(Action::GiveUp(reason));
                }
                Task::Beat => return self.due(now),
            }
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.desk().line.as_ref().map(Line::deadline)
    }

    fn memory(&self) -> Option<String> {
        self.desk().notes.write()
    }

    fn recall(&mut self, memory: &str) {
        self.desk_mut().notes.read(memory);
    }
}
