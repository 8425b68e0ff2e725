//! The application's messages: those it creates and sends, and those it is sent.

use cardiogram_policies::{LossReason, ReconnectEvent, Time};

use super::{Device, Phase};
use crate::{
    config::{Deadline, OnDeadline, TrafficConfig},
    fate::traffic::{Message, Messages},
    nodes::device::Context,
    record::trace::{AwayFact, DeviceEvent},
    wire::frame::Frame,
};

/// What the application has to say, and how long it waits for an answer.
pub(super) struct Outbox {
    messages: Messages,
    deadline: Option<Deadline>,
}

/// A message that waits for its answer.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    message: Message,
    /// From when on its deadline counts.
    since: Time,
}

impl Outbox {
    /// Returns what a device has to say from its start on, if it has anything.
    pub(super) fn new(seed: u64, device: u32, start: Time, traffic: &TrafficConfig) -> Option<Self> {
        let messages = Messages::up(seed, device, start, traffic)?;
        Some(Self { messages, deadline: traffic.deadline })
    }
}

impl Device {
    /// Returns when the application has the next message.
    pub(super) fn next_message(&self) -> Option<Time> {
        let message = self.outbox.as_ref().map(|outbox| outbox.messages.peek().created);
        message.filter(|_| !matches!(self.phase, Phase::Dead))
    }

    /// Returns when the application does something because a message was not answered in time.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.deadline().map(|(due, _)| self.fires(due))
    }

    /// Returns when the deadline passes of the message that has waited longest, and what is to be done then.
    fn deadline(&self) -> Option<(Time, OnDeadline)> {
        let Deadline { after, then } = self.outbox.as_ref()?.deadline?;
        let due = self.unacknowledged.front()?.since + after.get();
        let is_watched = match then {
            OnDeadline::Fail => !matches!(self.phase, Phase::Dead),
            OnDeadline::Retry => matches!(self.phase, Phase::Online),
        };
        is_watched.then_some((due, then))
    }

    /// Does what is to be done about messages whose deadline has passed.
    pub(super) fn heed_deadlines(&mut self, context: &mut Context) {
        while let Some((_, then)) = self.deadline().filter(|(due, _)| *due <= context.now) {
            context.counts.totals.deadlines_passed += 1;
            match then {
                OnDeadline::Fail => {
                    let late = self.unacknowledged.pop_front().expect("its deadline has passed");
                    context.counts.totals.messages_failed += 1;
                    context.note(self.index, DeviceEvent::MessageFailed { id: late.message.id });
                    self.tell_away(context);
                }
                OnDeadline::Retry => {
                    let port = self.leave(context);
                    self.lost(port, LossReason::DeadlinePassed, context);
                }
            }
        }
    }

    pub(super) fn create_messages(&mut self, context: &mut Context) {
        if matches!(self.phase, Phase::Dead) {
            return;
        }
        while let Some(message) = self.outbox.as_mut().and_then(|outbox| outbox.messages.take(context.now)) {
            self.unacknowledged.push_back(Asked { message, since: context.now });
            match self.phase {
                Phase::Online => self.send_message(message, context),
                Phase::Stopped => self.call_for_session(context),
                _ => {}
            }
        }
    }

    /// The application has something to send, and its reconnect policy plans nothing.
    pub(super) fn call_for_session(&mut self, context: &mut Context) {
        self.reconnect.on_event(context.now, &ReconnectEvent::Wanted);
        if self.is_attached() {
            self.plan_again(context);
        }
    }

    /// Sends everything that waits for its answer on the session that has begun.
    pub(super) fn send_all(&mut self, context: &mut Context) {
        let deadline = self.outbox.as_ref().and_then(|outbox| outbox.deadline);
        let counts_anew = deadline.is_some_and(|deadline| deadline.then == OnDeadline::Retry);
        for at in 0..self.unacknowledged.len() {
            if counts_anew {
                self.unacknowledged[at].since = context.now;
            }
            self.send_message(self.unacknowledged[at].message, context);
        }
    }

    /// The server has answered a message; one before it may be lost in a service that is half dead.
    pub(super) fn answered(&mut self, id: u32, context: &mut Context) {
        let place = self.unacknowledged.binary_search_by_key(&id, |asked| asked.message.id);
        if let Some(asked) = place.ok().and_then(|place| self.unacknowledged.remove(place)) {
            context.counts.answer_delays.push(context.now.since(asked.message.created));
        }
    }

    fn send_message(&mut self, message: Message, context: &mut Context) {
        context.note(self.index, DeviceEvent::MessageSent { id: message.id });
        self.write_sized(Frame::Message { id: message.id, created: message.created }, message.bytes, context);
    }

    /// Hands a message to the application, if it has not got it before by one way or the other. `in_order`: what comes
    /// before it has been delivered, or the server has forgotten it.
    pub(super) fn deliver(&mut self, id: u32, created: Time, in_order: bool, context: &mut Context) {
        if id < self.expects || self.ahead.contains(&id) {
            context.counts.totals.duplicates += 1;
            return;
        }
        if in_order {
            self.expects = id + 1;
        } else {
            self.ahead.insert(id);
        }
        while self.ahead.remove(&self.expects) {
            self.expects += 1;
        }
        let delay = context.now.since(created);
        context.counts.push_delays.push(delay);
        context.note(self.index, DeviceEvent::MessageDelivered { id, delay });
        self.tell_away(context);
    }

    /// Tells the truth if the device is without a session on purpose, and has nothing that waits for one.
    pub(super) fn tell_away(&self, context: &mut Context) {
        if self.is_away && self.unacknowledged.is_empty() {
            context.io.away(AwayFact { device: self.index, next_push: self.expects });
        }
    }
}
