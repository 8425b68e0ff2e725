//! A device's modem, between its kernel and the access link: packets wait here, in order, while the radio is on its way
//! up. What the radio costs and when it is up is the business of [`radio`](crate::nodes::radio).

use std::{collections::VecDeque, sync::Arc, time::Duration};

use cardiogram_policies::Time;

use crate::{
    config::{MAIN, Network},
    fate::random::Coins,
    nodes::radio::{Radio, Way},
    record::counts::RadioUse,
    wire::{packet::Packet, tap::PacketCounts},
};

pub(crate) struct Modem {
    radio: Radio,
    /// From the kernel, each with what it counts as.
    up: VecDeque<(Packet, PacketCounts)>,
    /// From the network.
    down: VecDeque<Packet>,
}

/// The packets that a radio was waited with for, now that it is up.
pub(crate) struct Risen {
    /// How long the first of them waited.
    pub(crate) waited: Duration,
    pub(crate) up: VecDeque<(Packet, PacketCounts)>,
    pub(crate) down: VecDeque<Packet>,
}

impl Modem {
    /// The modems of devices that start at these times, for a network; none where that has no radio.
    pub(crate) fn of_devices(network: &Network<'_>, seed: u64, starts: impl Iterator<Item = Time>) -> Vec<Self> {
        let Some(config) = network.radio.cloned().map(Arc::new) else { return Vec::new() };
        let component = network.component("radio/paging");
        let of_device = |(index, start)| {
            let mut radio = Radio::new(config.clone(), Coins::new(seed, &component, index), start);
            radio.switch(start, network.name == MAIN);
            Self { radio, up: VecDeque::new(), down: VecDeque::new() }
        };
        (0..).zip(starts).map(of_device).collect()
    }

    /// Returns a packet from the kernel; returned if it can go on the air at once.
    pub(crate) fn send(&mut self, now: Time, packet: Packet, counts: PacketCounts) -> Option<(Packet, PacketCounts)> {
        if self.radio.admits(now, Way::Up) {
            self.radio.carry(now, packet.wire_len(), Way::Up);
            return Some((packet, counts));
        }
        self.up.push_back((packet, counts));
        None
    }

    /// Returns a packet from the network; returned if the kernel gets it at once.
    pub(crate) fn receive(&mut self, now: Time, packet: Packet) -> Option<Packet> {
        if self.radio.admits(now, Way::Down) {
            self.radio.carry(now, packet.wire_len(), Way::Down);
            return Some(packet);
        }
        self.down.push_back(packet);
        None
    }

    /// If the radio has come up, carries what waited: what is sent goes first.
    pub(crate) fn rise(&mut self, now: Time) -> Option<Risen> {
        let waited = self.radio.rise(now)?;
        for (packet, _) in &self.up {
            self.radio.carry(now, packet.wire_len(), Way::Up);
        }
        for packet in &self.down {
            self.radio.carry(now, packet.wire_len(), Way::Down);
        }
        Some(Risen { waited, up: std::mem::take(&mut self.up), down: std::mem::take(&mut self.down) })
    }

    /// The device leaves the radio's network, or comes back to it; returns what still waited, which goes nowhere.
    pub(crate) fn switch(&mut self, now: Time, on: bool) -> impl Iterator<Item = Packet> + '_ {
        self.radio.switch(now, on);
        self.up.drain(..).map(|(packet, _)| packet).chain(self.down.drain(..))
    }

    /// Returns when the radio comes up, if it is on its way.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.radio.next_wake()
    }

    /// Returns what the radio used until `end`, the end of the run.
    pub(crate) fn into_use(self, end: Time) -> RadioUse {
        self.radio.into_use(end)
    }
}
