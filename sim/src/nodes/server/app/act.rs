//! What the process does because its policy says so: whom it closes, pings, directs, turns away and lets back in.

use std::time::Duration;

use cardiogram_policies::{CloseReason, ServerAction, SessionEvent, Time, unit::Span};

use super::{App, Session};
use crate::{
    nodes::server::Context,
    record::trace::ServerEvent,
    wire::frame::{Frame, GoodbyeReason},
};

impl App {
    /// Carries out what the policy says about a session, if it is still there.
    pub(super) fn act(&mut self, action: ServerAction, context: &mut Context) {
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
                context.note(event);
                if reason == CloseReason::TooManyPings {
                    self.say_goodbye(slot, GoodbyeReason::TooManyPings, None, context);
                } else {
                    self.forget(slot, context);
                    context.close(slot);
                }
            }
            ServerAction::Direct { interval, .. } => {
                context.note(ServerEvent::Directed { device, interval });
                self.write(slot, Frame::Direct { interval }, context);
                self.policy.on_event(context.now, session, &SessionEvent::Directed { interval });
            }
            ServerAction::Ping { .. } | ServerAction::Notice { .. } => {
                let wants_answer = matches!(action, ServerAction::Ping { .. });
                context.note(ServerEvent::PingSent { device, wants_answer });
                self.write(slot, if wants_answer { Frame::Ping } else { Frame::Alive }, context);
            }
        }
    }

    /// Tells a client why its connection is closed, and closes it.
    pub(super) fn say_goodbye(
        &mut self,
        slot: u32,
        reason: GoodbyeReason,
        retry_after: Option<Duration>,
        context: &mut Context,
    ) {
        self.write(slot, Frame::Goodbye { reason, retry_after }, context);
        self.forget(slot, context);
        context.close(slot);
    }

    /// Returns whether a device that wants to may go on with its last session.
    pub(super) fn can_resume(&self, device: u32, now: Time) -> bool {
        let in_time = |window: Span| self.ended.get(&device).is_some_and(|ended| now.since(*ended) <= window.get());
        let window = self.spec.resume.as_ref().map(|resume| resume.window);
        window.is_some_and(|window| self.online.contains_key(&device) || in_time(window))
    }
}
