//! Tells packets on a device's access link apart by kind, from the packets alone: the counter sits outside TCP, as a
//! capture would.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::packet::{Flags, Packet};

/// What a packet is for TCP: the first that fits, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKind {
    /// RST.
    Reset,
    /// SYN and SYN-ACK.
    Syn,
    /// FIN.
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

/// Packets of one direction by kind. Each packet is counted in exactly one kind: the first that fits, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketCounts {
    /// All packets.
    pub packets: u64,
    /// Their length, IPv4 and TCP headers included.
    pub bytes: u64,
    /// RST.
    pub rst: u64,
    /// SYN and SYN-ACK.
    pub syn: u64,
    /// FIN.
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
    /// The kind of the next packet.
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
        *match self.kind(packet) {
            PacketKind::Reset => &mut counts.rst,
            PacketKind::Syn => &mut counts.syn,
            PacketKind::Fin => &mut counts.fin,
            PacketKind::Probe => &mut counts.probe,
            PacketKind::PureAck => &mut counts.pure_ack,
            PacketKind::Retransmission => &mut counts.retransmission,
            PacketKind::Data => &mut counts.data,
        } += 1;
    }
}
