//! What a device tells the server about itself when it comes, and what it does about what the server says of its own accord:
//! pings, directed intervals, goodbyes.

use cardiogram_policies::{Event, ReconnectEvent};

use super::Device;
use crate::{
    nodes::device::Context,
    record::trace::DeviceEvent,
    wire::frame::{Frame, GoodbyeReason},
};

impl Device {
    /// Returns its first frame, with as much as the server wants to know.
    pub(super) fn hello(&self, context: &Context) -> Frame {
        let strategy = &context.shared.strategy;
        Frame::Hello {
            device: self.index,
            expects: self.expects,
            announces: strategy.server.reads_announced().then(|| strategy.heartbeat.announced_interval()).flatten(),
            resumes: strategy.server.resume.is_some() && self.last_session == Some(self.server),
        }
    }

    /// Reacts to a frame that the server sends of its own accord.
    pub(super) fn on_server_frame(&mut self, frame: Frame, context: &mut Context) {
        let now = context.now;
        match frame {
            Frame::Ping => {
                context.note(self.index, DeviceEvent::PingAnswered);
                self.write(Frame::Pong, context);
                self.heartbeat.on_event(now, &Event::PeerPing);
            }
            Frame::Alive => {
                context.note(self.index, DeviceEvent::NoticeReceived);
                self.heartbeat.on_event(now, &Event::PeerPing);
            }
            Frame::Direct { interval } => {
                context.note(self.index, DeviceEvent::Directed { interval });
                self.heartbeat.on_event(now, &Event::DirectedInterval(interval));
            }
            Frame::Goodbye { reason, retry_after } => {
                context.note(self.index, DeviceEvent::GoodbyeReceived { reason, retry_after });
                if let Some(socket) = &mut self.socket {
                    socket.is_blamed = reason == GoodbyeReason::TooManyPings;
                }
                if reason == GoodbyeReason::TooOld {
                    self.renew(context);
                }
                if let Some(wait) = retry_after {
                    self.reconnect.on_event(now, &ReconnectEvent::RetryAfter(wait));
                }
            }
            _ => unreachable!("the server does not say {frame:?} of its own accord"),
        }
    }
}
