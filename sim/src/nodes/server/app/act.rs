//! What the process does because its policy says so: whom it closes, pings, directs, turns away and lets back in.

use std::time::Duration;

use cardiogram_policies::{CloseReason, ServerAction, SessionEvent, Time, unit::Span};

use super::{App, Session};
use crate::{
    nodes::{node::Io, server::kernel::Kernel},
    record::trace::ServerEvent,
    wire::frame::{Frame, GoodbyeReason},
};

impl App {
    /// Does what the policy says about a session, if it is still there.
    pub(super) fn act(&mut self, action: ServerAction, now: Time, kernel: &mut Kernel, io: &mut Io) {
        let (ServerAction::Close { session, .. }
        | ServerAction::Ping { session }
        | ServerAction::Notice { session }
        | ServerAction::Direct { session, .. }) = action;
        let Some(slot) = self.sessions.get(&session).copied() else { return };
        let of_slot = self.connections[&slot].session;
        let Session { device, network, outside, .. } = of_slot.expect("a session's connection has it");
        match action {
            ServerAction::Close { reason, .. } => {
                let event = match reason {
                    CloseReason::Silence => ServerEvent::Reaped { device, network, outside },
                    CloseReason::NoPong | CloseReason::TooManyPings | CloseReason::Malformed => {
                        ServerEvent::Expelled { device, network, outside, reason }
                    }
                };
                io.server(self.server, event);
                if reason == CloseReason::TooManyPings {
                    self.say_goodbye(slot, GoodbyeReason::TooManyPings, None, now, kernel, io);
                } else {
                    self.forget(slot, now, io);
                    kernel.close(slot, now, io);
                }
            }
            ServerAction::Direct { interval, .. } => {
                io.server(self.server, ServerEvent::Directed { device, interval });
                self.write(slot, Frame::Direct { interval }, now, kernel, io);
                self.policy.on_event(now, session, &SessionEvent::Directed { interval });
            }
            ServerAction::Ping { .. } | ServerAction::Notice { .. } => {
                let wants_answer = matches!(action, ServerAction::Ping { .. });
                io.server(self.server, ServerEvent::PingSent { device, wants_answer });
                self.write(slot, if wants_answer { Frame::Ping } else { Frame::Alive }, now, kernel, io);
            }
        }
    }

    /// Tells a client why its connection is closed, and closes it.
    pub(super) fn say_goodbye(
        &mut self,
        slot: u32,
        reason: GoodbyeReason,
        retry_after: Option<Duration>,
        now: Time,
        kernel: &mut Kernel,
        io: &mut Io,
    ) {
        self.write(slot, Frame::Goodbye { reason, retry_after }, now, kernel, io);
        self.forget(slot, now, io);
        kernel.close(slot, now, io);
    }

    /// Whether a device that wants to may go on with its last session.
    pub(super) fn can_resume(&self, device: u32, now: Time) -> bool {
        let in_time = |window: Span| self.ended.get(&device).is_some_and(|ended| now.since(*ended) <= window.get());
        let window = self.spec.resume.as_ref().map(|resume| resume.window);
        window.is_some_and(|window| self.online.contains_key(&device) || in_time(window))
    }
}
