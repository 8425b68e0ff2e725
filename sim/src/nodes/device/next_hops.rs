//! Links that lose their carrier, and the next hops that a device's kernel asks for then, with what waits for them. The lab's own device
//! has them, and so has a guest's.

use std::net::SocketAddrV4;

use cardiogram_policies::Time;

use crate::{
    fate::{NetworkSchedule, schedule::Interval},
    nodes::neighbour::{Neighbour, Question},
    wire::{address, packet::Packet, tap::PacketCounts, tcp::TcpConfig},
};

/// When the link of a device has no carrier, by network and device; empty where all have it always.
pub(crate) struct Carriers(Vec<Vec<Vec<Interval>>>);

impl Carriers {
    pub(crate) fn new(networks: &[NetworkSchedule]) -> Self {
        Self(networks.iter().map(|network| network.no_carrier.clone()).collect())
    }

    /// Returns whether a device's link to a network has a carrier.
    pub(crate) fn has(&self, device: u32, network: u32, now: Time) -> bool {
        let without = self.0[network as usize].get(device as usize).map_or(&[][..], Vec::as_slice);
        !Interval::any_contains(without, now)
    }

    /// Nothing is lost or comes back any more: see `frozen`.
    pub(crate) fn freeze(&mut self, now: Time) {
        for without in self.0.iter_mut().flatten() {
            *without = Interval::frozen(without, now);
        }
    }
}

/// Empty where no link has lost its carrier.
#[derive(Default)]
pub(crate) struct NextHops(Vec<(u32, Neighbour<Counted>)>);

/// A packet with what it counts as.
pub(crate) type Counted = (Packet, PacketCounts);

/// What becomes of packets that have waited.
pub(crate) enum Waited {
    /// They leave, in their order.
    Leave(Vec<Counted>),
    /// They are given up: the host is told that their destination is unreachable.
    GivenUp(Vec<Counted>),
}

impl NextHops {
    /// Returns a packet of the device that may leave at once; it waits where the next hop is asked for, or has to be, since the link of its
    /// network has no carrier. `now`: by the kernel's clock.
    pub(crate) fn send(&mut self, now: Time, counted: Counted, has_carrier: bool, tcp: &TcpConfig) -> Option<Counted> {
        let ip = *counted.0.src.ip();
        let network = address::network_of_device(ip);
        if let Some((_, neighbour)) = self.0.iter_mut().find(|(of, _)| *of == network) {
            neighbour.wait(counted);
        } else if has_carrier {
            return Some(counted);
        } else {
            let mut neighbour = Neighbour::ask(now, ip, tcp);
            neighbour.wait(counted);
            self.0.push((network, neighbour));
        }
        None
    }

    /// Returns whether something of a connection waits that TCP would send again.
    pub(crate) fn holds(&self, local: SocketAddrV4, remote: SocketAddrV4) -> bool {
        let is_of = |packet: &Packet| packet.src == local && packet.dst == remote;
        let mut waiting = self.0.iter().flat_map(|(_, neighbour)| neighbour.waiting());
        waiting.any(|(packet, _)| packet.is_sent_again() && is_of(packet))
    }

    /// Returns when a question counts as unanswered next, by the kernel's clock.
    pub(crate) fn due(&self) -> Option<Time> {
        self.0.iter().map(|(_, neighbour)| neighbour.due()).min()
    }

    /// Asks again what is due at `now`, by the kernel's clock; returns what has waited for long enough. To be called until there is none.
    pub(crate) fn run(&mut self, now: Time, has_carrier: impl Fn(u32) -> bool, tcp: &TcpConfig) -> Option<Waited> {
        while let Some(place) = self.0.iter().position(|(_, neighbour)| neighbour.due() <= now) {
            let (network, neighbour) = &mut self.0[place];
            let waited = match neighbour.ask_again(now, has_carrier(*network), tcp) {
                Question::Again => continue,
                Question::Answered => Waited::Leave,
                Question::InVain => Waited::GivenUp,
            };
            return Some(waited(self.0.swap_remove(place).1.into_waiting()));
        }
        None
    }
}
