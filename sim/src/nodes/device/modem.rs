//! A device's modem, between its kernel and the access link: packets wait here, in order, while the radio is on its way
//! up. What the radio costs and when it is up is the business of [`radio`](crate::nodes::radio).

use std::{collections::VecDeque, time::Duration};

use cardiogram_policies::Time;

use crate::{
    nodes::radio::{Radio, Way},
    record::counts::RadioUse,
    wire::{packet::Packet, tap::PacketCounts},
};

pub(super) struct Modem {
    radio: Radio,
    /// From the kernel, each with what it counts as.
    up: VecDeque<(Packet, PacketCounts)>,
    /// From the network.
    down: VecDeque<Packet>,
}

/// The packets that a radio was waited with for, now that it is up.
pub(super) struct Risen {
    /// How long the first of them waited.
    pub(super) waited: Duration,
    pub(super) up: VecDeque<(Packet, PacketCounts)>,
    pub(super) down: VecDeque<Packet>,
}

impl Modem {
    pub(super) const fn new(radio: Radio) -> Self {
        Self { radio, up: VecDeque::new(), down: VecDeque::new() }
    }

    /// Returns a packet from the kernel; returned if it can go on the air at once.
    pub(super) fn send(&mut self, now: Time, packet: Packet, counts: PacketCounts) -> Option<(Packet, PacketCounts)> {
        if self.radio.admits(now, Way::Up) {
            self.radio.carry(now, packet.wire_len(), Way::Up);
            return Some((packet, counts));
        }
        self.up.push_back((packet, counts));
        None
    }

    /// Returns a packet from the network; returned if the kernel gets it at once.
    pub(super) fn receive(&mut self, now: Time, packet: Packet) -> Option<Packet> {
        if self.radio.admits(now, Way::Down) {
            self.radio.carry(now, packet.wire_len(), Way::Down);
            return Some(packet);
        }
        self.down.push_back(packet);
        None
    }

    /// If the radio has come up, carries what waited: what is sent goes first.
    pub(super) fn rise(&mut self, now: Time) -> Option<Risen> {
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
    pub(super) fn switch(&mut self, now: Time, on: bool) -> impl Iterator<Item = Packet> + '_ {
        self.radio.switch(now, on);
        self.up.drain(..).map(|(packet, _)| packet).chain(self.down.drain(..))
    }

    /// Returns when the radio comes up, if it is on its way.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.radio.next_wake()
    }

    /// Returns what the radio used until `end`, the end of the run.
    pub(super) fn into_use(self, end: Time) -> RadioUse {
        self.radio.into_use(end)
    }
}
