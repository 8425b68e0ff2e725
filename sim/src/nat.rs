//! A NAT that forgets: mappings, their timers, and what becomes of packets whose mapping is gone. Sans-IO.
//!
//! A mapping is forgotten when it has been idle for its whole timeout: a packet that comes exactly then comes too late.
//! What refreshes it is the packet's arrival at the NAT.

use std::{collections::BTreeMap, net::SocketAddrV4, time::Duration};

use cardiogram_policies::Time;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

#[cfg(test)]
mod captures;

use crate::{
    address,
    config::{NatClass, NatConfig, NatRefresh},
    node::{Io, Node},
    packet::{Flags, Packet},
    random, tcp,
    timers::Timers,
    trace::{DropReason, NatEvent},
};

/// The NAT's link to the devices; a lane a device.
pub(crate) const TO_DEVICES: usize = 0;
/// The NAT's links to the servers, in order, begin here; one lane each.
pub(crate) const TO_SERVERS: usize = 1;

/// A connection as seen from the inside: device, its port, the server.
type Inside = (u32, u16, u32);
/// A connection as seen from the outside: the NAT's port, the server.
type Outside = (u16, u32);

pub(crate) struct Nat {
    config: NatConfig,
    devices: u32,
    servers: u32,
    /// Mappings by slot; slots are used again.
    mappings: Vec<Mapping>,
    free: Vec<u32>,
    by_inside: BTreeMap<Inside, u32>,
    by_outside: BTreeMap<Outside, u32>,
    /// The outside port of forgotten connections, where the NAT gives it out again to the same connection.
    remembered: BTreeMap<Inside, u16>,
    expiry: Timers,
    /// Moments at which the table is lost, the next one last.
    flushes: Vec<Time>,
    ports: ChaCha8Rng,
}

struct Mapping {
    inside: Inside,
    outside: u16,
    expires: Time,
    phase: Phase,
    fin_inside: bool,
    fin_outside: bool,
}

/// Which of the two timeouts counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Opening: no acknowledgement from the inside yet.
    Opening,
    Established,
    /// Both sides have closed, or someone has reset.
    Closing,
}

impl Nat {
    /// A NAT with an empty table that loses it at each of `flushes` (sorted).
    pub(crate) fn new(config: NatConfig, devices: u32, servers: u32, mut flushes: Vec<Time>, seed: u64) -> Self {
        flushes.reverse();
        Self {
            config,
            devices,
            servers,
            mappings: Vec::new(),
            free: Vec::new(),
            by_inside: BTreeMap::new(),
            by_outside: BTreeMap::new(),
            remembered: BTreeMap::new(),
            expiry: Timers::default(),
            flushes,
            ports: random::stream(seed, "nat/ports", 0),
        }
    }

    fn on_inside(&mut self, now: Time, mut packet: Packet, io: &mut Io) {
        let device = address::device_at(*packet.src.ip()).filter(|device| *device < self.devices);
        let server = address::server_at(*packet.dst.ip()).filter(|server| *server < self.servers);
        let (Some(device), Some(server)) = (device, server) else {
            io.dropped(&packet, DropReason::NoRoute);
            return;
        };
        let inside = (device, packet.src.port(), server);
        let opens = packet.flags.has(Flags::SYN) && !packet.flags.has(Flags::ACK);
        let slot = match self.by_inside.get(&inside).copied() {
            Some(slot) => slot,
            None if opens => self.create(now, inside, Phase::Opening, io),
            None => match self.config.after_expiry {
                NatClass::DropSilent => {
                    io.dropped(&packet, DropReason::NoMapping);
                    return;
                }
                NatClass::RstInsideOnSend => {
                    io.dropped(&packet, DropReason::NoMapping);
                    if let Some(reset) = tcp::reset_for(&packet) {
                        io.send(TO_DEVICES, device, reset);
                    }
                    return;
                }
                NatClass::RemapSamePort | NatClass::RemapNewPort => self.create(now, inside, Phase::Established, io),
            },
        };
        self.refresh(now, slot, &packet, true);
        packet.src = SocketAddrV4::new(address::NAT, self.mappings[slot as usize].outside);
        io.send(TO_SERVERS + server as usize, 0, packet);
    }

    fn on_outside(&mut self, now: Time, mut packet: Packet, io: &mut Io) {
        let server = address::server_at(*packet.src.ip()).expect("only servers send from outside");
        match self.by_outside.get(&(packet.dst.port(), server)).copied() {
            Some(slot) => {
                self.refresh(now, slot, &packet, false);
                let (device, port, _) = self.mappings[slot as usize].inside;
                packet.dst = SocketAddrV4::new(address::device(device), port);
                io.send(TO_DEVICES, device, packet);
            }
            None => io.dropped(&packet, DropReason::NoMapping),
        }
    }

    fn create(&mut self, now: Time, inside: Inside, phase: Phase, io: &mut Io) -> u32 {
        let outside = self.choose_port(inside);
        let mapping = Mapping { inside, outside, expires: now, phase, fin_inside: false, fin_outside: false };
        let slot = if let Some(slot) = self.free.pop() {
            self.mappings[slot as usize] = mapping;
            slot
        } else {
            self.mappings.push(mapping);
            self.mappings.len() as u32 - 1
        };
        self.by_inside.insert(inside, slot);
        self.by_outside.insert((outside, inside.2), slot);
        io.nat(inside.0, inside.1, NatEvent::Created { outside });
        slot
    }

    /// A free outside port: the one the connection had, or the inside port, or the next above it; a random one where the
    /// class says so.
    fn choose_port(&mut self, inside: Inside) -> u16 {
        const LOWEST: u16 = 1_024;
        let wanted = match self.config.after_expiry {
            NatClass::RemapNewPort => LOWEST + (self.ports.next_u32() % u32::from(u16::MAX - LOWEST)) as u16,
            NatClass::RemapSamePort | NatClass::DropSilent | NatClass::RstInsideOnSend => {
                self.remembered.remove(&inside).unwrap_or(inside.1)
            }
        };
        let above = (wanted..=u16::MAX).chain(LOWEST..wanted);
        let free = above.into_iter().find(|port| !self.by_outside.contains_key(&(*port, inside.2)));
        free.expect("checked before the run: fewer connections to a server than ports")
    }

    /// Restarts the idle time where the packet's direction does, and follows the connection's life.
    fn refresh(&mut self, now: Time, slot: u32, packet: &Packet, outbound: bool) {
        let refreshes = outbound || self.config.refresh == NatRefresh::Both;
        let mapping = &mut self.mappings[slot as usize];
        mapping.follow(packet, outbound);
        if refreshes {
            mapping.expires = now + mapping.timeout(&self.config);
            self.expiry.set(slot, Some(mapping.expires));
        }
    }

    fn forget(&mut self, slot: u32) -> (u32, u16) {
        let mapping = &self.mappings[slot as usize];
        let inside = mapping.inside;
        self.by_inside.remove(&inside);
        self.by_outside.remove(&(mapping.outside, inside.2));
        if self.config.after_expiry == NatClass::RemapSamePort && mapping.phase == Phase::Established {
            self.remembered.insert(inside, mapping.outside);
        }
        self.expiry.set(slot, None);
        self.free.push(slot);
        (inside.0, inside.1)
    }
}

impl Mapping {
    fn follow(&mut self, packet: &Packet, outbound: bool) {
        if packet.flags.has(Flags::SYN) {
            // A connection that uses the ports again starts anew.
            if outbound && !packet.flags.has(Flags::ACK) && self.phase == Phase::Closing {
                (self.phase, self.fin_inside, self.fin_outside) = (Phase::Opening, false, false);
            }
            return;
        }
        if packet.flags.has(Flags::FIN) {
            *(if outbound { &mut self.fin_inside } else { &mut self.fin_outside }) = true;
        }
        if packet.flags.has(Flags::RST) || (self.fin_inside && self.fin_outside) {
            self.phase = Phase::Closing;
        } else if outbound && self.phase == Phase::Opening && packet.flags.has(Flags::ACK) {
            self.phase = Phase::Established;
        }
    }

    fn timeout(&self, config: &NatConfig) -> Duration {
        match self.phase {
            Phase::Established => config.established.get(),
            Phase::Opening | Phase::Closing => config.transitory.get(),
        }
    }
}

impl Node for Nat {
    fn on_packet(&mut self, now: Time, packet: Packet, io: &mut Io) {
        // Timers that are due go first: a packet that comes exactly at the timeout comes too late.
        self.on_wake(now, io);
        if *packet.dst.ip() == address::NAT {
            self.on_outside(now, packet, io);
        } else {
            self.on_inside(now, packet, io);
        }
    }

    fn on_wake(&mut self, now: Time, io: &mut Io) {
        while let Some(slot) = self.expiry.pop_due(now) {
            let (device, port) = self.forget(slot);
            io.nat(device, port, NatEvent::Expired);
        }
        while self.flushes.last().is_some_and(|flush| *flush <= now) {
            self.flushes.pop();
            let slots: Vec<u32> = self.by_inside.values().copied().collect();
            for slot in slots {
                let (device, port) = self.forget(slot);
                io.nat(device, port, NatEvent::Flushed);
            }
        }
    }

    fn next_wake(&self) -> Option<Time> {
        let expiry = self.expiry.next();
        match (expiry, self.flushes.last().copied()) {
            (Some(expiry), Some(flush)) => Some(expiry.min(flush)),
            (expiry, flush) => expiry.or(flush),
        }
    }
}
