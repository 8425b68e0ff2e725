//! A connection of a device: its kernel's TCP, what is counted of it, and the bytes read from it.

use cardiogram_policies::Time;

use crate::{
    device::{Context, tap::Tap},
    packet::Packet,
    tcp::Connection,
};

pub(super) struct Socket {
    pub(super) tcp: Connection,
    pub(super) up: Tap,
    pub(super) down: Tap,
    /// Bytes read that are not a whole frame yet.
    pub(super) stream: Vec<u8>,
    /// The server has said that heartbeats come too often, and closes it.
    pub(super) is_blamed: bool,
}

impl Socket {
    /// Whether a packet that arrives is of this connection.
    pub(super) fn is_of(&self, packet: &Packet) -> bool {
        self.tcp.local() == packet.dst && self.tcp.remote() == packet.src
    }

    pub(super) fn on_packet(&mut self, device: u32, packet: &Packet, context: &mut Context) {
        self.with_tcp(device, context, |socket, now, out| socket.tcp.on_packet(now, packet, out));
    }

    pub(super) fn run_timers(&mut self, device: u32, context: &mut Context) {
        if self.tcp.next_timer().is_some_and(|due| due <= context.kernel) {
            self.with_tcp(device, context, |socket, now, out| socket.tcp.on_timer(now, out));
        }
    }

    /// Lets TCP do something by the kernel's clock, and puts what it wants to send on the link.
    pub(super) fn with_tcp(
        &mut self,
        device: u32,
        context: &mut Context,
        work: impl FnOnce(&mut Self, Time, &mut Vec<Packet>),
    ) {
        work(self, context.kernel, context.packets);
        self.transmit(device, context);
    }

    pub(super) fn transmit(&mut self, device: u32, context: &mut Context) {
        let mut packets = std::mem::take(context.packets);
        for packet in packets.drain(..) {
            context.send(device, &mut self.up, packet);
        }
        // Empty again, but with the room it has.
        *context.packets = packets;
    }
}
