//! A race: another attempt beside the session, for a policy that doubts the session and would not lose time (gRPC's
//! proposal A8). Whichever answers first wins: the session by any frame, the rival by its welcome. What the session's
//! transport says of its end is heard when the race is over: a server that welcomes the rival closes the session, and that
//! word may arrive first.

use cardiogram_policies::{GiveUp, ReconnectEvent, reconnect::Ended};

use super::{
    Device,
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
        if self.is_racing() {
            return;
        }
        let now = context.now;
        let server = context.shared.server_for(self.index, self.server, now);
        let deadline = now + context.shared.connect_timeout;
        if let Some(port) = self.open_side(Role::Rival, server, address::server(server), deadline, context) {
            context.counts.totals.connect_attempts += 1;
            context.counts.series.attempt(now);
            context.note(self.index, DeviceEvent::RaceStarted { port, server });
        }
    }

    pub(super) fn is_racing(&self) -> bool {
        self.sides.iter().any(|side| side.role == Role::Rival)
    }

    pub(super) fn on_rival(&mut self, news: News, context: &mut Context) {
        match news {
            News::Established => self.write_side(Role::Rival, self.hello(context), context),
            News::Frame(Frame::Challenge { step, answer, .. }) => {
                self.write_side(Role::Rival, Frame::Response { step, size: answer }, context);
            }
            News::Frame(welcome @ Frame::Welcome { .. }) => self.rival_wins(welcome, context),
            // What else a server has to say to someone it has not welcomed is for those who have no session.
            News::Frame(_) => {}
            News::Over(_) | News::Late => self.session_wins(context),
        }
    }

    /// The rival takes the session's place, if there is a race. The reconnect policy hears of the attempt now that something
    /// has come of it; it is not asked.
    fn rival_wins(&mut self, welcome: Frame, context: &mut Context) {
        let now = context.now;
        let rival = self.take_side(Role::Rival).expect("the one that was welcomed");
        let (port, reason, server) = (self.leave(context), GiveUp::NoReply, rival.server);
        context.note(self.index, DeviceEvent::GivenUp { port, reason });
        self.close_sides(context);
        for event in [
            ReconnectEvent::Lost(Ended::GivenUp(reason)),
            ReconnectEvent::AttemptStarted { server },
            ReconnectEvent::Established,
        ] {
            self.reconnect.on_event(now, &event);
        }
        self.server = server;
        self.socket = Some(Box::new(rival.socket));
        self.on_frame(welcome, context);
    }

    /// The race, if there is one, is over, and the rival is closed.
    pub(super) fn session_wins(&mut self, context: &mut Context) {
        if let Some(rival) = self.take_side(Role::Rival) {
            context.note(self.index, DeviceEvent::RaceLost { port: rival.socket.port() });
            self.abandon(rival.socket, context);
        }
    }
}
