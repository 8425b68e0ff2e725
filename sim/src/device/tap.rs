//! Tells packets on a device's access link apart by kind, from the packets alone: the counter sits outside TCP, as a
//! capture would.

use crate::{
    outcome::PacketCounts,
    packet::{Flags, Packet},
    reading::PacketKind,
};

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
