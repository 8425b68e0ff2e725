//! The application's messages: those it creates and sends, and those it is sent.

use cardiogram_policies::Time;

use super::{Device, Phase};
use crate::{fate::traffic::Message, nodes::device::Context, record::trace::DeviceEvent, wire::frame::Frame};

impl Device {
    /// Returns when the application has the next message.
    pub(super) fn next_message(&self) -> Option<Time> {
        let message = self.messages.as_ref().map(|messages| messages.peek().created);
        message.filter(|_| !matches!(self.phase, Phase::Dead))
    }

    pub(super) fn create_messages(&mut self, context: &mut Context) {
        if matches!(self.phase, Phase::Dead) {
            return;
        }
        while let Some(message) = self.messages.as_mut().and_then(|messages| messages.take(context.now)) {
            self.unacknowledged.push_back(message);
            if matches!(self.phase, Phase::Online) {
                self.send_message(message, context);
            }
        }
    }

    pub(super) fn send_message(&mut self, message: Message, context: &mut Context) {
        context.note(self.index, DeviceEvent::MessageSent { id: message.id });
        self.write(Frame::Message { id: message.id, created: message.created }, context);
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
    }
}
