//! What a device's kernel knows of the next hop of a network: nothing, once the link has lost its carrier. It then asks for the
//! next hop's hardware every second, and what is to be sent waits for the answer (`net/core/neighbour.c`, ARP).

use std::time::Duration;

use cardiogram_policies::Time;

use crate::wire::{
    packet::{Flags, Packet},
    tap::PacketCounts,
    tcp::TcpConfig,
};

/// How many questions go unanswered before what waits is given up (`mcast_solicit`).
const ASKS: u32 = 3;
/// The time from one question to the next (`retrans_time_ms`).
const ASK_EVERY: Duration = Duration::from_secs(1);

/// A next hop that is being asked for.
pub(crate) struct Neighbour {
    pub(crate) network: u32,
    /// Each with what it counts as.
    waiting: Vec<(Packet, PacketCounts)>,
    asked: u32,
    /// When the last question counts as unanswered, by the kernel's clock.
    due: Time,
}

impl Neighbour {
    /// Asks for the first time.
    pub(crate) fn ask(network: u32, now: Time, packet: Packet, counts: PacketCounts, tcp: &TcpConfig) -> Self {
        let due = tcp.timer(now, *packet.src.ip(), ASK_EVERY);
        Self { network, waiting: vec![(packet, counts)], asked: 1, due }
    }

    /// A packet waits, too.
    pub(crate) fn wait(&mut self, packet: Packet, counts: PacketCounts) {
        self.waiting.push((packet, counts));
    }

    /// Asks again; `false`: it has asked often enough.
    pub(crate) fn ask_again(&mut self, now: Time, tcp: &TcpConfig) -> bool {
        if self.asked == ASKS {
            return false;
        }
        self.asked += 1;
        let (first, _) = &self.waiting[0];
        self.due = tcp.timer(now, *first.src.ip(), ASK_EVERY);
        true
    }

    pub(crate) const fn due(&self) -> Time {
        self.due
    }

    /// Returns whether a segment waits that TCP would send again, of those that `is_of` tells.
    pub(crate) fn holds(&self, is_of: impl Fn(&Packet) -> bool) -> bool {
        let is_sent_again = |packet: &Packet| packet.seq_len() > 0 && !packet.flags.has(Flags::RST);
        self.waiting.iter().any(|(packet, _)| is_sent_again(packet) && is_of(packet))
    }

    pub(crate) fn into_waiting(self) -> Vec<(Packet, PacketCounts)> {
        self.waiting
    }
}
