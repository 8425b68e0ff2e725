//! What all machines do alike: they keep the beats of their connection, hear of replies and ends, and hand what they
//! have learnt to the host. What differs is a machine's [`Rules`], each in a file of its own.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Action, Event, Heartbeat, LossReason,
    beats::{BeatSchedule, Task},
    notebook::Notebook,
};
use crate::{Network, Time};

/// What a machine has beside its rules.
#[derive(Debug)]
pub(super) struct MachineState<N> {
    /// The beats of the connection, while there is one.
    pub(super) beats: Option<BeatSchedule>,
    /// What was learnt.
    pub(super) notes: N,
    /// The host has not been asked to store it yet.
    pub(super) unsaved: bool,
}

impl<N> MachineState<N> {
    pub(super) fn new(notes: N) -> Self {
        Self { beats: None, notes, unsaved: false }
    }

    /// Begins the beats of a connection that came up, the first one due after `first`.
    pub(super) fn open(&mut self, now: Time, first: Duration) {
        self.beats = Some(BeatSchedule::new(now, first));
    }

    /// Sends a beat on the connection that there is, as [`BeatSchedule::send`] does.
    pub(super) fn send(&mut self, now: Time, timeout: Option<Duration>, interval: Duration) -> Option<Action> {
        Some(self.beats.as_mut()?.send(now, timeout, interval))
    }

    /// Moves the next beat, if there is a connection, as [`BeatSchedule::schedule`] does.
    pub(super) fn schedule(&mut self, due: Time) {
        self.beats.iter_mut().for_each(|beats| beats.schedule(due));
    }

    /// Sets the length of the gap that began with the last beat.
    pub(super) fn set_gap(&mut self, gap: Duration) {
        if let Some(beats) = &mut self.beats {
            beats.schedule(beats.last_beat() + gap);
        }
    }

    /// Declares the connection dead, if there is one.
    pub(super) fn declare_dead(&mut self) {
        self.beats.iter_mut().for_each(BeatSchedule::declare_dead);
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

/// Where a machine has its state; [`has_state`] says that it is the field `state`.
pub(super) trait HasState: Send {
    type Notes: Notes;

    fn state(&self) -> &MachineState<Self::Notes>;

    fn state_mut(&mut self) -> &mut MachineState<Self::Notes>;
}

macro_rules! has_state {
    ($machine:ty, $notes:ty) => {
        impl $crate::heartbeat::machine::HasState for $machine {
            type Notes = $notes;

            fn state(&self) -> &MachineState<$notes> {
                &self.state
            }

            fn state_mut(&mut self) -> &mut MachineState<$notes> {
                &mut self.state
            }
        }
    };
}

pub(super) use has_state;

/// The rules of a machine that has one beat out at a time: when the next one is due, and what an answer or its absence
/// teaches. With them it is a [`Heartbeat`].
pub(super) trait Rules: HasState {
    /// A connection came up: [open](MachineState::open) its beats.
    fn connected(&mut self, now: Time, network: Network);

    /// A beat is due: [send](MachineState::send) it.
    fn due(&mut self, now: Time) -> Option<Action>;

    /// The reply that was waited for is here.
    fn answered(&mut self, now: Time);

    /// A beat went unanswered: [declare](MachineState::declare_dead) the connection dead if that is the end.
    fn overdue(&mut self, now: Time);

    /// The connection is gone, and was not given up; `waiting` says whether a beat was out.
    fn lost(&mut self, now: Time, reason: LossReason, waiting: bool);

    /// Everything else that happens, with a connection or without, late replies included.
    fn heard(&mut self, _now: Time, _event: &Event) {}
}

impl<M: Rules> Heartbeat for M {
    fn on_event(&mut self, now: Time, event: &Event) {
        match (event, &mut self.state_mut().beats) {
            (Event::Connected { network, .. }, _) => self.connected(now, *network),
            (Event::Lost(reason), beats) => {
                if let Some(beats) = beats.take() {
                    self.lost(now, *reason, beats.is_waiting());
                }
            }
            (Event::HeartbeatReply { id, .. }, Some(beats)) if beats.awaits(*id) => {
                beats.answered();
                self.answered(now);
            }
            _ => self.heard(now, event),
        }
    }

    fn poll(&mut self, now: Time) -> Option<Action> {
        loop {
            let state = self.state_mut();
            // What was learnt has to be stored before the end.
            if std::mem::take(&mut state.unsaved) {
                return Some(Action::Remember);
            }
            match state.beats.as_mut()?.task(now)? {
                Task::Overdue => self.overdue(now),
                Task::Say(action) => return Some(action),
                Task::End(reason) => {
                    state.beats = None;
                    return Some(Action::GiveUp(reason));
                }
                Task::Beat => return self.due(now),
            }
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.state().beats.as_ref().map(BeatSchedule::deadline)
    }

    fn memory(&self) -> Option<String> {
        self.state().notes.write()
    }

    fn recall(&mut self, memory: &str) {
        self.state_mut().notes.read(memory);
    }
}
