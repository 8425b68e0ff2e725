//! Second connections of a device: beside its session, or where it has none. Each has one of three roles; what it is for
//! is said where the role is played: `probing`, `race`, `network_check`. None of them is the session, which is the device's
//! `socket`, and none outlives what it stands beside: the session, the wait for the next attempt, the process, the
//! address.

use std::net::{Ipv4Addr, SocketAddrV4};

use cardiogram_policies::Time;

use super::{Device, Phase, outstanding::Outstanding, socket::Socket};
use crate::{
    nodes::device::Context,
    record::trace::DeviceEvent,
    wire::{frame::Frame, tcp::Failure},
};

/// What a second connection is for; a device has at most one for each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Heartbeats beside the session.
    Probe,
    /// To take the session's place, if it is the first to answer.
    Rival,
    /// To take the place of a session that is about to be closed.
    Successor,
    /// To see whether the network carries anything.
    Check,
}

pub(super) struct Side {
    pub(super) role: Role,
    pub(super) socket: Socket,
    pub(super) server: u32,
    /// When it has to be up; `None`: it is.
    pub(super) deadline: Option<Time>,
    /// TCP's handshake is done, and the application knows.
    is_established: bool,
    /// The heartbeats sent on it.
    pub(super) outstanding: Outstanding,
}

/// What is new on a second connection.
#[derive(Clone, Copy)]
pub(super) enum News {
    /// TCP's handshake is done.
    Established,
    Frame(Frame),
    /// It has failed, or the peer has closed it.
    Over(Option<Failure>),
    /// It was not up in time.
    Late,
}

impl Device {
    /// Opens a second connection over the present network, which has to be up by `deadline`. Returns its port; `None`: there
    /// is no network.
    pub(super) fn open_side(
        &mut self,
        role: Role,
        server: u32,
        remote: SocketAddrV4,
        deadline: Time,
        context: &mut Context,
    ) -> Option<u16> {
        let address = self.addresses.current?;
        let port = self.take_port();
        let local = SocketAddrV4::new(address.of(self.index), port);
        let socket = Socket::connect(self.index, local, remote, context);
        let outstanding = Outstanding::default();
        self.sides.push(Side { role, socket, server, deadline: Some(deadline), is_established: false, outstanding });
        Some(port)
    }

    pub(super) fn side(&mut self, role: Role) -> Option<&mut Side> {
        self.sides.iter_mut().find(|side| side.role == role)
    }

    pub(super) fn take_side(&mut self, role: Role) -> Option<Side> {
        let at = self.sides.iter().position(|side| side.role == role)?;
        Some(self.sides.swap_remove(at))
    }

    /// Returns when a second connection has to be up.
    pub(super) fn next_side_deadline(&self) -> Option<Time> {
        self.sides.iter().filter_map(|side| side.deadline).min()
    }

    /// Lets the device react to what its second connections have for it; returns whether they had anything.
    pub(super) fn notice_sides(&mut self, context: &mut Context) -> bool {
        if self.sides.is_empty() {
            return false;
        }
        let mut any = false;
        for role in [Role::Probe, Role::Rival, Role::Successor, Role::Check] {
            while let Some(news) = self.news_of(role, context) {
                any = true;
                match role {
                    Role::Probe => self.on_probe(news, context),
                    Role::Rival | Role::Successor => self.on_rival(role, news, context),
                    Role::Check => self.on_check(news, context),
                }
            }
        }
        any
    }

    fn news_of(&mut self, role: Role, context: &mut Context) -> Option<News> {
        let index = self.index;
        let side = self.side(role)?;
        if !side.is_established && side.socket.transport.is_established() {
            side.is_established = true;
            return Some(News::Established);
        }
        if let Some(frame) = side.socket.next_frame(index, context) {
            return Some(News::Frame(frame));
        }
        if side.socket.is_over() {
            return Some(News::Over(side.socket.transport.failure()));
        }
        side.deadline.is_some_and(|deadline| deadline <= context.now).then_some(News::Late)
    }

    /// Writes a frame to a second connection, if there is one in that role.
    pub(super) fn write_side(&mut self, role: Role, frame: Frame, context: &mut Context) {
        let index = self.index;
        if let Some(side) = self.side(role) {
            side.socket.write(index, frame, 0, context);
        }
    }

    /// Closes every second connection: what they stand beside is over.
    pub(super) fn close_sides(&mut self, context: &mut Context) {
        while let Some(side) = self.sides.pop() {
            match side.role {
                Role::Probe => context.note(self.index, DeviceEvent::ProbeClosed),
                Role::Rival | Role::Successor => {
                    context.note(self.index, DeviceEvent::RaceLost { port: side.socket.port() });
                }
                Role::Check => {}
            }
            self.abandon(side.socket, context);
        }
    }

    /// An address is gone, and every second connection from it. Returns whether the probe connection was one of them: the
    /// heartbeat policy has to know, unless the session is gone as well.
    pub(super) fn detach_sides(&mut self, ip: Ipv4Addr, context: &mut Context) -> bool {
        let mut probe_is_lost = false;
        for side in self.sides.extract_if(.., |side| *side.socket.transport.local().ip() == ip) {
            match side.role {
                Role::Probe => {
                    context.note(self.index, DeviceEvent::ProbeLost);
                    probe_is_lost = true;
                }
                Role::Rival | Role::Successor => {
                    context.note(self.index, DeviceEvent::RaceLost { port: side.socket.port() });
                }
                // On the next network there is another plan.
                Role::Check => self.phase = Phase::Pausing { due: context.now, until: context.now },
            }
        }
        probe_is_lost
    }
}
