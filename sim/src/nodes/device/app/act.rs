//! What a device does when its heartbeat policy says so.

use cardiogram_policies::{Action, Event, GiveUp, ReconnectEvent, Time, reconnect::Ended};

use super::Device;
use crate::{nodes::device::Context, record::trace::DeviceEvent, wire::frame::Frame};

impl Device {
    pub(super) fn act(&mut self, action: Action, context: &mut Context) {
        let now = context.now;
        match action {
            Action::SendHeartbeat { id } => {
                self.outstanding.sent(id, now);
                self.has_beaten(DeviceEvent::HeartbeatSent { id }, context);
                self.write(Frame::Heartbeat { id: id as u16 }, context);
            }
            Action::SendNotice => {
                self.has_beaten(DeviceEvent::NoticeSent, context);
                self.write(Frame::Notice, context);
            }
            Action::SetKeepalive(keepalive) => {
                if let Some(socket) = &mut self.socket {
                    socket.transport.set_keepalive(context.kernel, keepalive);
                }
            }
            Action::SetUserTimeout(timeout) => {
                if let Some(socket) = &mut self.socket {
                    socket.transport.set_user_timeout(timeout);
                }
            }
            Action::Suspect => context.note(self.index, DeviceEvent::Suspect),
            Action::Trust => context.note(self.index, DeviceEvent::Trust),
            Action::GiveUp(reason) => self.give_up(reason, context),
            Action::AskTransport => {
                // The kernel counts by its own clock, which may stand still while the device sleeps.
                let heard = self.socket.as_ref().map_or(Time::ZERO, |socket| socket.transport.last_heard());
                self.heartbeat.on_event(now, &Event::TransportHeard { ago: context.kernel.since(heard) });
            }
            Action::OpenProbe => self.open_probe(context),
            Action::SendProbe { id } => self.send_probe(id, context),
            Action::CloseProbe => self.close_probe(context),
            Action::Race => self.race(context),
            Action::Remember => self.memory = self.heartbeat.memory().map(String::into_boxed_str),
        }
    }

    /// A beat of the session, answered or not, is on its way.
    fn has_beaten(&mut self, event: DeviceEvent, context: &mut Context) {
        let now = context.now;
        let before = self.last_beat.replace(now);
        if let Some(before) = before {
            let interval = now.since(before);
            context.counts.series.interval(now, self.last_interval.replace(interval), interval);
        }
        context.counts.totals.heartbeats_sent += 1;
        context.note(self.index, event);
    }

    fn give_up(&mut self, reason: GiveUp, context: &mut Context) {
        let port = self.leave(context);
        context.note(self.index, DeviceEvent::GivenUp { port, reason });
        self.is_away = reason == GiveUp::Done;
        self.tell_away(context);
        self.reconnect.on_event(context.now, &ReconnectEvent::Lost(Ended::GivenUp(reason)));
        self.plan(context);
    }
}
