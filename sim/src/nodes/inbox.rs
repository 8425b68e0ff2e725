//! The packets on their way to a host, in the order in which it takes them: by arrival, at equal times by (sender, number of sending).
//!
//! The heap has keys alone, and packets lie still beside it: a heap moves what it orders again and again.

use std::{cmp::Reverse, collections::BinaryHeap};

use cardiogram_policies::Time;

use crate::wire::{layout::NodeId, packet::Packet};

/// A packet on its way to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flight {
    pub(crate) arrival: Time,
    pub(crate) from: NodeId,
    /// The sender's count of packets sent: the order among those that arrive at once.
    pub(crate) number: u64,
    pub(crate) to: NodeId,
    pub(crate) packet: Packet,
}

/// The packets on their way to a host.
#[derive(Default)]
pub(crate) struct Inbox {
    /// The last part is where the packet lies; no two are alike before it.
    order: BinaryHeap<Reverse<(Time, NodeId, u64, u32)>>,
    packets: Vec<Option<Packet>>,
    /// Where none lies.
    free: Vec<u32>,
}

impl Inbox {
    pub(crate) fn push(&mut self, Flight { arrival, from, number, packet, to: _ }: Flight) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.packets.push(None);
            self.packets.len() as u32 - 1
        });
        self.packets[slot as usize] = Some(packet);
        self.order.push(Reverse((arrival, from, number, slot)));
    }

    /// Returns when the first arrives.
    pub(crate) fn next(&self) -> Option<Time> {
        self.order.peek().map(|Reverse((arrival, ..))| *arrival)
    }

    /// Takes the first that has arrived by `now`, with its sender.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<(NodeId, Packet)> {
        self.next().filter(|arrival| *arrival <= now)?;
        let Reverse((_, from, _, slot)) = self.order.pop()?;
        self.free.push(slot);
        let packet = self.packets[slot as usize].take().expect("a packet lies where its key says");
        Some((from, packet))
    }
}
