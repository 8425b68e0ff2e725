//! Counts packets on a device's access link by kind, from the packets alone: the counter sits outside TCP, as a capture
//! would.

use crate::{
    outcome::PacketCounts,
    packet::{Flags, Packet},
};

/// Follows one direction of one connection.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tap {
    /// One past the highest sequence number seen.
    next: Option<u32>,
}

impl Tap {
    /// Counts a packet.
    pub(crate) fn count(&mut self, packet: &Packet, counts: &mut PacketCounts) {
        counts.packets += 1;
        counts.bytes += packet.wire_len() as u64;
        let end = packet.seq.wrapping_add(packet.seq_len());
        // Sequence numbers compare by their distance (RFC 9293, 3.4).
        let seen = |seq: u32| self.next.is_some_and(|next| (next.wrapping_sub(seq) as i32) > 0);
        let kind = if packet.flags.has(Flags::RST) {
            &mut counts.rst
        } else if packet.flags.has(Flags::SYN) {
            &mut counts.syn
        } else if packet.flags.has(Flags::FIN) {
            &mut counts.fin
        } else if packet.payload.is_empty() && seen(packet.seq) {
            &mut counts.probe
        } else if packet.payload.is_empty() {
            &mut counts.pure_ack
        } else if seen(end.wrapping_sub(1)) {
            &mut counts.retransmission
        } else {
            &mut counts.data
        };
        *kind += 1;
        if !packet.flags.has(Flags::RST) && !seen(end) {
            self.next = Some(end);
        }
    }
}
