//! Tells packets on a device's access link apart by kind, from the packets alone: the counter sits outside TCP, as a
//! capture would.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::packet::{Flags, Packet, Protocol};

/// What a packet is for TCP: the first that fits, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKind {
    /// RST, whatever else it carries.
    Reset,
    /// SYN and SYN-ACK.
    Syn,
    /// FIN, with data or without.
    Fin,
    /// A keepalive or zero-window probe.
    Probe,
    /// An acknowledgement without data.
    PureAck,
    /// Data that was sent before.
    Retransmission,
    /// Data sent for the first time.
    Data,
}

/// Packets of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketCounts {
    /// All packets, ICMP errors included.
    pub packets: u64,
    /// Their length, IPv4 header and all behind it included.
    pub bytes: u64,
    /// Packets of TCP by kind.
    pub tcp: TcpCounts,
}

/// Packets of TCP by kind. Each packet is counted in exactly one kind: the first that fits, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpCounts {
    /// Packets with RST.
    pub rst: u64,
    /// SYN and SYN-ACK.
    pub syn: u64,
    /// Packets with FIN.
    pub fin: u64,
    /// Keepalive and zero-window probes.
    pub probe: u64,
    /// Data that was sent before.
    pub retransmission: u64,
    /// Data sent for the first time.
    pub data: u64,
    /// Acknowledgements without data.
    pub pure_ack: u64,
}

impl AddAssign for PacketCounts {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.tcp += other.tcp;
    }
}

impl TcpCounts {
    const fn of(&mut self, kind: PacketKind) -> &mut u64 {
        match kind {
            PacketKind::Reset => &mut self.rst,
            PacketKind::Syn => &mut self.syn,
            PacketKind::Fin => &mut self.fin,
            PacketKind::Probe => &mut self.probe,
            PacketKind::PureAck => &mut self.pure_ack,
            PacketKind::Retransmission => &mut self.retransmission,
            PacketKind::Data => &mut self.data,
        }
    }
}

impl AddAssign for TcpCounts {
    fn add_assign(&mut self, other: Self) {
        self.rst += other.rst;
        self.syn += other.syn;
        self.fin += other.fin;
        self.probe += other.probe;
        self.retransmission += other.retransmission;
        self.data += other.data;
        self.pure_ack += other.pure_ack;
    }
}

/// Follows one direction of one connection.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tap {
    /// One past the highest sequence number seen.
    next: Option<u32>,
}

impl Tap {
    /// Returns the kind of the next packet.
    pub(crate) fn kind(&mut self, packet: &Packet) -> PacketKind {
        let end = packet.seq.wrapping_add(packet.seq_len());
        // Sequence numbers compare by their distance (RFC 9293, 3.4).
        let seen = |seq: u32| self.next.is_some_and(|next| (next.wrapping_sub(seq) as i32) > 0);
        let kind = if packet.flags.has(Flags::RST) {
            PacketKind::Reset
        } else if packet.flags.has(Flags::SYN) {
            PacketKind::Syn
        } else if packet.flags.has(Flags::FIN) {
            PacketKind::Fin
        } else if packet.payload.is_empty() && seen(packet.seq) {
            PacketKind::Probe
        } else if packet.payload.is_empty() {
            PacketKind::PureAck
        } else if seen(end.wrapping_sub(1)) {
            PacketKind::Retransmission
        } else {
            PacketKind::Data
        };
        if !packet.flags.has(Flags::RST) && !seen(end) {
            self.next = Some(end);
        }
        kind
    }

    /// Counts the next packet.
    pub(crate) fn count(&mut self, packet: &Packet, counts: &mut PacketCounts) {
        counts.packets += 1;
        counts.bytes += packet.wire_len() as u64;
        match packet.protocol() {
            Protocol::Tcp => *counts.tcp.of(self.kind(packet)) += 1,
            // It is about a segment that the other direction has counted.
            Protocol::Icmp => {}
        }
    }
}
