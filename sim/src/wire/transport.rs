//! One end of a connection, whatever carries it: what a device's socket and a server's kernel hold. Both say here what they
//! need of a transport; how one does it is its own business (`tcp`).
//!
//! Where a second transport comes in, every function here ceases to compile until it says what becomes of it.

use std::{net::SocketAddrV4, sync::Arc, time::Duration};

use cardiogram_policies::{Time, heartbeat::Keepalive};

use super::{
    packet::Packet,
    tcp::{Connection, Failure, State, TcpConfig},
};

/// One end of a connection.
pub(crate) enum Transport {
    Tcp(Connection),
}

impl Transport {
    /// Opens a connection over TCP: the first packet is on its way.
    pub(crate) fn connect(
        config: Arc<TcpConfig>,
        now: Time,
        local: SocketAddrV4,
        remote: SocketAddrV4,
        number: u32,
        out: &mut Vec<Packet>,
    ) -> Self {
        Self::Tcp(Connection::connect(config, now, local, remote, number, out))
    }

    /// Takes the first packet of a connection, and answers it.
    pub(crate) fn accept(
        config: Arc<TcpConfig>,
        now: Time,
        local: SocketAddrV4,
        number: u32,
        first: &Packet,
        out: &mut Vec<Packet>,
    ) -> Self {
        Self::Tcp(Connection::accept(config, now, local, first.src, number, first, out))
    }

    pub(crate) fn on_packet(&mut self, now: Time, packet: &Packet, out: &mut Vec<Packet>) {
        let Self::Tcp(tcp) = self;
        tcp.on_packet(now, packet, out);
    }

    pub(crate) fn next_timer(&self) -> Option<Time> {
        let Self::Tcp(tcp) = self;
        tcp.next_timer()
    }

    pub(crate) fn on_timer(&mut self, now: Time, out: &mut Vec<Packet>) {
        let Self::Tcp(tcp) = self;
        tcp.on_timer(now, out);
    }

    /// Returns how many bytes have arrived in order and were not read.
    pub(crate) fn readable(&self) -> usize {
        let Self::Tcp(tcp) = self;
        tcp.readable()
    }

    /// Reads all of them.
    pub(crate) fn read(&mut self, now: Time, into: &mut Vec<u8>, out: &mut Vec<Packet>) {
        let Self::Tcp(tcp) = self;
        tcp.read(now, into, out);
    }

    /// Sends bytes, as far as the connection takes any; returns how many it took.
    pub(crate) fn write(&mut self, now: Time, bytes: &[u8], out: &mut Vec<Packet>) -> usize {
        let Self::Tcp(tcp) = self;
        tcp.write(now, bytes, out)
    }

    /// Ends the connection in order.
    pub(crate) fn close(&mut self, now: Time, out: &mut Vec<Packet>) {
        let Self::Tcp(tcp) = self;
        tcp.close(now, out);
    }

    /// Ends the connection at once, and tells the peer so.
    pub(crate) fn abort(&mut self, now: Time, out: &mut Vec<Packet>) {
        let Self::Tcp(tcp) = self;
        tcp.abort(now, out);
    }

    /// Says whether what was sent still waits within the host.
    pub(crate) fn set_held(&mut self, held: bool) {
        let Self::Tcp(tcp) = self;
        tcp.set_held(held);
    }

    /// Sets the keepalive of the kernel, where the transport has one.
    pub(crate) fn set_keepalive(&mut self, now: Time, keepalive: Option<Keepalive>) {
        let Self::Tcp(tcp) = self;
        tcp.set_keepalive(now, keepalive);
    }

    /// Sets how long the kernel lets data go unanswered, where the transport has such a bound.
    pub(crate) fn set_user_timeout(&mut self, timeout: Option<Duration>) {
        let Self::Tcp(tcp) = self;
        tcp.set_user_timeout(timeout);
    }

    /// Returns whether both ends have agreed on the connection, and neither has closed it.
    pub(crate) fn is_established(&self) -> bool {
        let Self::Tcp(tcp) = self;
        tcp.state() == State::Established
    }

    /// Returns whether nothing is left of it.
    pub(crate) fn is_closed(&self) -> bool {
        let Self::Tcp(tcp) = self;
        tcp.state() == State::Closed
    }

    /// Returns whether it waits, on the side that was called, for the packet that establishes it.
    pub(crate) fn is_half_open(&self) -> bool {
        let Self::Tcp(tcp) = self;
        tcp.state() == State::SynReceived
    }

    /// Returns whether the peer has closed it.
    pub(crate) fn peer_closed(&self) -> bool {
        let Self::Tcp(tcp) = self;
        tcp.peer_closed()
    }

    /// Why it is closed; `None`: it is not, or it ended in order.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let Self::Tcp(tcp) = self;
        tcp.failure()
    }

    /// This end's address.
    pub(crate) fn local(&self) -> SocketAddrV4 {
        let Self::Tcp(tcp) = self;
        tcp.local()
    }

    /// Returns the other end's address.
    pub(crate) fn remote(&self) -> SocketAddrV4 {
        let Self::Tcp(tcp) = self;
        tcp.remote()
    }

    /// Returns when a packet of the peer's arrived last; zero: none has yet.
    pub(crate) fn last_heard(&self) -> Time {
        let Self::Tcp(tcp) = self;
        tcp.last_heard()
    }

    /// From now on nothing is given up.
    pub(crate) fn endure(&mut self, now: Time) {
        let Self::Tcp(tcp) = self;
        tcp.endure(now);
    }
}
