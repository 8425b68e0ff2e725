//! The probe connection: a second connection to the session's server that carries nothing but heartbeats, for a policy that
//! would rather lose that one than the session. It is introduced by a frame of its own and makes no session: the server
//! welcomes it without a login, and none of its session's rules apply.

use cardiogram_policies::Event;

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
    /// Opens the probe connection, unless there is one.
    pub(super) fn open_probe(&mut self, context: &mut Context) {
        if self.side(Role::Probe).is_some() {
            return;
        }
        let (now, server) = (context.now, self.server);
        let deadline = now + context.shared.connect_timeout;
        let Some(port) = self.open_side(Role::Probe, server, address::server(server), deadline, context) else {
            self.heartbeat.on_event(now, &Event::ProbeLost);
            return;
        };
        context.counts.totals.connect_attempts += 1;
        context.counts.series.attempt(now);
        context.note(self.index, DeviceEvent::ProbeStarted { port, server });
    }

    /// Sends a heartbeat on the probe connection, if it is up.
    pub(super) fn send_probe(&mut self, id: u32, context: &mut Context) {
        let Some(side) = self.side(Role::Probe).filter(|side| side.deadline.is_none()) else { return };
        side.outstanding.sent(id, context.now);
        context.counts.totals.heartbeats_sent += 1;
        context.note(self.index, DeviceEvent::ProbeSent { id });
        self.write_side(Role::Probe, Frame::Heartbeat { id: id as u16 }, context);
    }

    pub(super) fn close_probe(&mut self, context: &mut Context) {
        if let Some(side) = self.take_side(Role::Probe) {
            context.note(self.index, DeviceEvent::ProbeClosed);
            self.abandon(side.socket, context);
        }
    }

    pub(super) fn on_probe(&mut self, news: News, context: &mut Context) {
        let (index, now) = (self.index, context.now);
        match news {
            News::Established => self.write_side(Role::Probe, Frame::ProbeHello { device: index }, context),
            News::Frame(Frame::Welcome { .. }) => {
                self.side(Role::Probe).expect("it has news").deadline = None;
                context.note(index, DeviceEvent::ProbeConnected);
                self.heartbeat.on_event(now, &Event::ProbeConnected);
            }
            News::Frame(Frame::Reply { id }) => {
                let answered = self.side(Role::Probe).expect("it has news").outstanding.answered(id);
                if let Some((id, sent)) = answered {
                    let rtt = now.since(sent);
                    context.counts.totals.heartbeats_answered += 1;
                    context.note(index, DeviceEvent::ProbeAnswered { id, rtt });
                    self.heartbeat.on_event(now, &Event::ProbeReply { id, rtt });
                }
            }
            // A proxy that has no way to the server; it closes the connection.
            News::Frame(Frame::Goodbye { .. }) => {}
            News::Frame(frame) => unreachable!("a server does not send {frame:?} on a probe connection"),
            News::Over(_) | News::Late => {
                let side = self.take_side(Role::Probe).expect("it has news");
                self.abandon(side.socket, context);
                context.note(index, DeviceEvent::ProbeLost);
                self.heartbeat.on_event(now, &Event::ProbeLost);
            }
        }
    }
}
