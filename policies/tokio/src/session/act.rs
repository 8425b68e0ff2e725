//! What a session does when its policy says so.

use cardiogram_policies::{Action, Event, Mechanism, Time};

use super::Session;
use crate::{event::LinkEvent, protocol::Protocol, transport::Transport};

impl<Io: Transport, P: Protocol> Session<'_, Io, P> {
    pub(super) fn act(&mut self, action: Action, now: Time) {
        match action {
            Action::SendHeartbeat { id } => {
                self.connection.beat(id, now);
                self.note(LinkEvent::HeartbeatSent { id });
                self.heart.tell(&Event::BytesWritten);
            }
            Action::SendNotice => {
                self.connection.protocol.notice(&mut self.connection.out);
                self.note(LinkEvent::NoticeSent);
                self.heart.tell(&Event::BytesWritten);
            }
            Action::SetKeepalive(keepalive) => {
                let result = self.connection.set_keepalive(keepalive);
                self.note_refused(Mechanism::Keepalive, &result);
            }
            Action::SetUserTimeout(timeout) => {
                let result = self.connection.set_user_timeout(timeout);
                self.note_refused(Mechanism::UserTimeout, &result);
            }
            Action::Suspect => self.note(LinkEvent::Suspect),
            Action::Trust => self.note(LinkEvent::Trust),
            Action::GiveUp(reason) => self.give_up(reason),
            Action::AskTransport => self.ask_transport(),
            Action::OpenProbe => self.open_probe(),
            Action::SendProbe { id } => self.send_probe(id, now),
            Action::CloseProbe => self.close_probe(),
            Action::Race => self.race(),
            Action::Remember => {
                if !self.heart.remember() {
                    self.note(LinkEvent::Forgotten);
                }
            }
        }
    }

    /// The policy waits for the answer: where the transport has none, it is what this end has seen itself.
    fn ask_transport(&mut self) {
        let ago = if let Ok(ago) = self.connection.io.last_heard() {
            ago
        } else {
            self.note(LinkEvent::Refused(Mechanism::LastHeard));
            self.connection.heard.elapsed()
        };
        self.heart.tell(&Event::TransportHeard { ago });
    }
}
