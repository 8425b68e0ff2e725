//! How the process of a guest's host ends and begins again, how the host loses its power, and how a balancer ends its
//! connections. When that is, its node knows.

use cardiogram_policies::Time;

use super::{
    kernel::{Kernel, Out},
    owner::Owner,
    sessions::Sessions,
    socket::{Cut, Holder, Socket},
};
use crate::{
    record::trace::{DeviceEvent, Fact},
    wire::{packet::Packet, tap::Tap, tcp::Connection},
};

impl Kernel {
    /// The process is gone. Its connections are closed, with RST where something was not read, those that it had not accepted are
    /// reset, and whoever still holds one of its sockets learns it.
    pub(super) fn kill(&mut self, now: Time) {
        self.process += 1;
        self.forget_waits();
        // Nobody has left anything on purpose.
        self.sessions = Sessions::default();
        let ports: Vec<u16> = self.listeners.keys().copied().collect();
        for port in ports {
            self.stop_listening(port, now);
        }
        let held = |(slot, socket): (u32, &Option<Socket>)| {
            let socket = socket.as_ref().filter(|socket| socket.holder == Holder::Program)?;
            Some((socket.number, slot))
        };
        let mut held: Vec<(u64, u32)> = (0..).zip(&self.sockets).filter_map(held).collect();
        // In the order in which they were opened, as a kernel goes through the descriptors of a process.
        held.sort_unstable();
        for (_, slot) in held {
            let socket = self.socket(slot);
            for waker in socket.reader.take().into_iter().chain(socket.writer.take()) {
                self.gate.wake(waker);
            }
            self.close(slot, now);
        }
        if let Owner::Device(device) = self.owner {
            self.push(Out::Fact(Fact::Device { device, event: DeviceEvent::Killed }), now);
        }
    }

    /// A process is started after one that was killed.
    pub(super) fn start_again(&mut self, now: Time) {
        if let Owner::Device(device) = self.owner {
            self.push(Out::Fact(Fact::Device { device, event: DeviceEvent::Started }), now);
        }
        self.rouse(now);
    }

    /// The balancer ends every connection of the host, as from its table: with RST to both ends.
    pub(super) fn reset_all(&mut self, now: Time) {
        for slot in 0..self.sockets.len() as u32 {
            if let Some(socket) = self.sockets[slot as usize].as_mut() {
                socket.cut = Some(Cut::Reset);
                self.with(slot, now, Connection::abort);
            }
        }
    }

    /// The balancer sends these RSTs of a host that cannot.
    pub(super) fn send_resets(&mut self, resets: Vec<Packet>, now: Time) {
        for reset in resets {
            self.push(Tap::default().counted(reset), now);
        }
    }

    /// The host loses its power, and with it every connection without a word. Returns the RSTs with which someone else who knows
    /// the connections could end them.
    pub(super) fn power_off(&mut self, now: Time) -> Vec<Packet> {
        let mut resets = Vec::new();
        self.process += 1;
        self.is_down = true;
        self.listeners.clear();
        for slot in 0..self.sockets.len() as u32 {
            let Some(socket) = self.sockets[slot as usize].as_mut() else { continue };
            let port = socket.tcp.local().port();
            let first = resets.len();
            socket.tcp.abort(now, &mut resets);
            resets[first..].iter_mut().for_each(|reset: &mut Packet| reset.device = socket.device);
            for waker in socket.reader.take().into_iter().chain(socket.writer.take()) {
                self.gate.wake(waker);
            }
            self.end_session(slot, now);
            self.remove(slot, port);
        }
        self.post();
        resets
    }

    /// It has power again.
    pub(super) fn power_on(&mut self) {
        self.is_down = false;
    }

    /// The balancer answers for the host, with RST, or does not.
    pub(super) fn cut_off(&mut self, is_cut_off: bool) {
        self.is_cut_off = is_cut_off;
    }
}
