//! Another attempt beside the session, to take its place.
//!
//! A *race* is for a policy that doubts the session and would not lose time (gRPC's proposal A8): whichever answers first
//! wins, the session by any frame, the rival by its welcome. A *renewal* is for a session that the server has said it will
//! close (HTTP/2's GOAWAY): the successor takes its place with its welcome, whatever the session says until then. The device
//! does that of its own accord, as a library does below any policy.
//!
//! What the session's transport says of its end is heard when either is over: a server that welcomes the newcomer closes the
//! session, and that word may arrive first.

use cardiogram_policies::{Event, GiveUp, LossReason, ReconnectEvent, reconnect::Ended};

use super::{
    Device, Phase,
    side::{News, Role},
};
use crate::{
    nodes::device::Context,
    record::trace::DeviceEvent,
    wire::{address, frame::Frame},
};

impl Device {
    /// Starts a race, unless one is on or there is no network.
    pub(super) fn race(&mut self, context: &mut Context) {
        self.open_beside(Role::Rival, context);
    }

    /// Opens the connection that follows the session, which is about to be closed.
    pub(super) fn renew(&mut self, context: &mut Context) {
        if self.renews && matches!(self.phase, Phase::Online) {
            self.open_beside(Role::Successor, context);
        }
    }

    fn open_beside(&mut self, role: Role, context: &mut Context) {
        if self.is_racing() {
            return;
        }
        let now = context.now;
        let server = context.shared.server_for(self.index, self.server, now);
        let deadline = now + context.shared.connect_timeout;
        if let Some(port) = self.open_side(role, server, address::server(server), deadline, context) {
            context.counts.totals.connect_attempts += 1;
            context.counts.series.attempt(now);
            context.note(self.index, DeviceEvent::RaceStarted { port, server });
        }
    }

    pub(super) fn is_racing(&self) -> bool {
        self.sides.iter().any(|side| matches!(side.role, Role::Rival | Role::Successor))
    }

    /// Something is new on the rival, or on the successor.
    pub(super) fn on_rival(&mut self, role: Role, news: News, context: &mut Context) {
        match news {
            News::Established => self.write_side(role, self.hello(context), context),
            News::Frame(Frame::Challenge { step, answer, .. }) => {
                self.write_side(role, Frame::Response { step, size: answer }, context);
            }
            News::Frame(welcome @ Frame::Welcome { .. }) => self.rival_wins(role, welcome, context),
            // What else a server has to say to someone it has not welcomed is for those who have no session.
            News::Frame(_) => {}
            News::Over(_) | News::Late => self.rival_loses(role, context),
        }
    }

    /// The newcomer takes the session's place, if there is a race. The reconnect policy hears of the attempt now that something
    /// has come of it; it is not asked. A renewal is to both policies what it is in the end: the server closes the session.
    fn rival_wins(&mut self, role: Role, welcome: Frame, context: &mut Context) {
        let now = context.now;
        let rival = self.take_side(role).expect("the one that was welcomed");
        let (port, server) = (self.leave(context), rival.server);
        let (reason, ended) = if role == Role::Rival {
            (GiveUp::NoReply, Ended::GivenUp(GiveUp::NoReply))
        } else {
            self.heartbeat.on_event(now, &Event::Lost(LossReason::Closed));
            (GiveUp::Done, Ended::Transport(LossReason::Closed))
        };
        context.note(self.index, DeviceEvent::GivenUp { port, reason });
        self.close_sides(context);
        for event in
            [ReconnectEvent::Lost(ended), ReconnectEvent::AttemptStarted { server }, ReconnectEvent::Established]
        {
            self.reconnect.on_event(now, &event);
        }
        self.server = server;
        self.socket = Some(Box::new(rival.socket));
        self.on_frame(welcome, context);
    }

    /// The race, if there is one, is over, and the rival is closed.
    pub(super) fn session_wins(&mut self, context: &mut Context) {
        self.rival_loses(Role::Rival, context);
    }

    fn rival_loses(&mut self, role: Role, context: &mut Context) {
        if let Some(rival) = self.take_side(role) {
            context.note(self.index, DeviceEvent::RaceLost { port: rival.socket.port() });
            self.abandon(rival.socket, context);
        }
    }
}
