//! Replies to heartbeats that leave late: an event loop that has other things to do first, a proxy that buffers. What else the
//! process says is in time.

use std::collections::BTreeMap;

use cardiogram_policies::Time;

use super::{App, Context, Ticket};
use crate::{fate::server_faults::Lateness, wire::frame::Frame};

/// When replies leave, and those that have not left yet.
pub(super) struct LateReplies {
    lateness: Lateness,
    /// By the time at which each is due, and how many there were before.
    waiting: BTreeMap<(Time, u64), Reply>,
    count: u64,
}

#[derive(Clone, Copy)]
struct Reply {
    client: Ticket,
    device: Option<u32>,
    id: u16,
}

impl LateReplies {
    pub(super) const fn new(lateness: Lateness) -> Self {
        Self { lateness, waiting: BTreeMap::new(), count: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

impl App {
    /// Answers a heartbeat, now or when the reply is due.
    pub(super) fn reply(&mut self, client: Ticket, id: u16, context: &mut Context) {
        let device = context.kernel.device(client.slot);
        let by = self.late_replies.lateness.of(device, context.now);
        if by.is_zero() {
            self.write(client.slot, Frame::Reply { id }, context);
            return;
        }
        let late = &mut self.late_replies;
        late.waiting.insert((context.now + by, late.count), Reply { client, device, id });
        late.count += 1;
    }

    /// Returns when the next reply is due, of those to whom the process has anything to say.
    pub(super) fn next_late_reply(&self) -> Option<Time> {
        let replies = self.late_replies.waiting.iter();
        replies.filter(|(_, reply)| !self.is_away_from(reply.device)).map(|((due, _), _)| *due).next()
    }

    /// Sends the replies that are due to those who are still there.
    pub(super) fn send_late_replies(&mut self, context: &mut Context) {
        let due = self.late_replies.waiting.range(..=(context.now, u64::MAX));
        let due: Vec<(Time, u64)> =
            due.filter(|(_, reply)| !self.is_away_from(reply.device)).map(|(place, _)| *place).collect();
        for place in due {
            let Reply { client, id, .. } = self.late_replies.waiting.remove(&place).expect("it has just been found");
            if self.connections.get(&client.slot).is_some_and(|accepted| accepted.number == client.number) {
                self.write(client.slot, Frame::Reply { id }, context);
            }
        }
    }
}
