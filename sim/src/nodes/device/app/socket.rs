//! A connection of a device: its kernel's end of it, what is counted of it, and the bytes read from it.

use std::net::SocketAddrV4;

use cardiogram_policies::Time;

use crate::{
    nodes::{device::Context, numbers},
    wire::{frame::Frame, packet::Packet, tap::Tap, transport::Transport},
};

pub(super) struct Socket {
    pub(super) transport: Transport,
    pub(super) up: Tap,
    pub(super) down: Tap,
    /// Bytes read that are not a whole frame yet.
    pub(super) stream: Vec<u8>,
    /// The server has said that heartbeats come too often, and closes it.
    pub(super) is_blamed: bool,
}

impl Socket {
    /// Opens a connection of `device`: its SYN is on its way.
    pub(super) fn connect(device: u32, local: SocketAddrV4, remote: SocketAddrV4, context: &mut Context) -> Self {
        let iss = numbers::client_iss(device, local.port(), context.now);
        let config = context.shared.tcp.clone();
        let transport = Transport::connect(config, context.kernel, local, remote, iss, context.packets);
        let mut socket =
            Self { transport, up: Tap::default(), down: Tap::default(), stream: Vec::new(), is_blamed: false };
        socket.transmit(device, context);
        socket
    }

    /// Returns the device's port.
    pub(super) fn port(&self) -> u16 {
        self.transport.local().port()
    }

    /// Returns whether the peer has closed it, or nothing is left of it.
    pub(super) fn is_over(&self) -> bool {
        self.transport.peer_closed() || self.transport.is_closed()
    }

    /// Returns whether a packet that arrives is of this connection.
    pub(super) fn is_of(&self, packet: &Packet) -> bool {
        self.transport.local() == packet.dst && self.transport.remote() == packet.src
    }

    pub(super) fn on_packet(&mut self, device: u32, packet: &Packet, context: &mut Context) {
        self.with_transport(device, context, |socket, now, out| socket.transport.on_packet(now, packet, out));
    }

    pub(super) fn run_timers(&mut self, device: u32, context: &mut Context) {
        if self.transport.next_timer().is_some_and(|due| due <= context.kernel) {
            self.with_transport(device, context, |socket, now, out| socket.transport.on_timer(now, out));
        }
    }

    /// Takes the next frame that has arrived.
    pub(super) fn next_frame(&mut self, device: u32, context: &mut Context) -> Option<Frame> {
        if self.transport.readable() > 0 {
            self.with_transport(device, context, |socket, now, out| {
                socket.transport.read(now, &mut socket.stream, out);
            });
        }
        Frame::take(&mut self.stream)
    }

    /// Writes a frame; a message has so many bytes, or as many as usual where that is 0.
    pub(super) fn write(&mut self, device: u32, frame: Frame, message: u16, context: &mut Context) {
        let mut bytes = Vec::new();
        frame.encode(&context.shared.frames.with_message(message), &mut bytes);
        self.with_transport(device, context, |socket, now, out| _ = socket.transport.write(now, &bytes, out));
    }

    /// Lets the transport do something by the kernel's clock, and puts what it wants to send on the link.
    pub(super) fn with_transport(
        &mut self,
        device: u32,
        context: &mut Context,
        work: impl FnOnce(&mut Self, Time, &mut Vec<Packet>),
    ) {
        let held = context.next_hops.holds(self.transport.local(), self.transport.remote());
        self.transport.set_held(held);
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
