//! Messages for the devices: what has been created for one and not acknowledged, when it is sent, and whether the device is to
//! be woken for it.

use std::collections::VecDeque;

use cardiogram_policies::Time;

use super::App;
use crate::{
    config::Undelivered,
    fate::traffic::{self, Message, Messages},
    nodes::server::Context,
    record::trace::ServerEvent,
    wire::frame::Frame,
};

/// Messages for one device.
pub(super) struct Pushes {
    messages: Messages,
    /// Created and not acknowledged.
    waiting: VecDeque<Message>,
    /// The first message not sent on the session that is up.
    next: u32,
    /// Since when those sent on the session that is up wait without any acknowledgement.
    unanswered: Option<Time>,
}

impl Pushes {
    /// Forgets every message created so far.
    fn forget(&mut self, now: Time) {
        self.waiting.clear();
        while self.messages.take(now).is_some() {}
        self.next = self.messages.peek().id;
    }
}

impl App {
    /// A session begins, and its device says which message it expects next.
    pub(super) fn catch_up(&mut self, device: u32, expects: u32, resumes: bool, context: &mut Context) {
        if !self.clients.traffic.has_down() {
            return;
        }
        let (seed, within) = (self.seed, self.clients.start_within);
        let pushes = self.pushes.entry(device).or_insert_with(|| {
            let start = traffic::start(seed, device, within);
            Pushes {
                messages: Messages::down(seed, device, start, &self.clients.traffic)
                    .expect("there are messages to devices"),
                waiting: VecDeque::new(),
                next: 0,
                unanswered: None,
            }
        });
        pushes.next = expects;
        // The device says that it has the others.
        pushes.waiting.retain(|message| message.id >= expects);
        pushes.unanswered = None;
        if self.config.undelivered == Undelivered::Lost && !resumes {
            pushes.forget(context.now);
        }
        self.push(device, context);
    }

    /// A device has every message up to `id`.
    pub(super) fn acknowledge(&mut self, device: u32, id: u32, now: Time) {
        let Some(pushes) = self.pushes.get_mut(&device) else { return };
        while pushes.waiting.front().is_some_and(|message| message.id <= id) {
            pushes.waiting.pop_front();
        }
        pushes.unanswered = (!pushes.waiting.is_empty()).then_some(now);
        self.plan_wakeup(device);
    }

    /// Sends a device what has been created for it and was not sent on this session. One without a session may be woken.
    pub(super) fn push(&mut self, device: u32, context: &mut Context) {
        if self.is_away_from(Some(device)) {
            return;
        }
        let is_half_dead = self.is_half_dead_for(device);
        let Some(pushes) = self.pushes.get_mut(&device) else { return };
        let slot = self.online.get(&device).copied();
        if slot.is_none() && self.wakeups.is_none() {
            return;
        }
        while let Some(message) = pushes.messages.take(context.now) {
            pushes.waiting.push_back(message);
        }
        self.push_timers.set(device, Some(pushes.messages.peek().created));
        if is_half_dead {
            // What would be forgotten without a session is so on one that is none.
            if self.config.undelivered == Undelivered::Lost {
                pushes.forget(context.now);
            }
            return;
        }
        if let Some(slot) = slot {
            let from = std::mem::replace(&mut pushes.next, pushes.messages.peek().id);
            let unsent: Vec<Message> = pushes.waiting.iter().filter(|message| message.id >= from).copied().collect();
            if !unsent.is_empty() {
                pushes.unanswered.get_or_insert(context.now);
            }
            for message in unsent {
                let frame = Frame::Message { id: message.id, created: message.created };
                self.write_sized(slot, frame, message.bytes, context);
            }
        }
        self.plan_wakeup(device);
    }

    /// Decides anew whether and when a device is woken.
    pub(super) fn plan_wakeup(&mut self, device: u32) {
        let (Some(wakeups), Some(pushes)) = (&mut self.wakeups, self.pushes.get(&device)) else { return };
        let dead = if self.online.contains_key(&device) {
            pushes.unanswered.map(|since| since + wakeups.patience())
        } else {
            Some(Time::ZERO)
        };
        wakeups.plan(device, &pushes.waiting, dead);
    }

    pub(super) fn wake(&mut self, device: u32, context: &mut Context) {
        let (Some(wakeups), Some(pushes)) = (&mut self.wakeups, self.pushes.get(&device)) else { return };
        let call = wakeups.call(device, context.now, &pushes.waiting);
        context.note(ServerEvent::WakeupSent { device });
        context.io.send(self.clients.push_service, device, call);
        self.plan_wakeup(device);
    }
}
