//! A NAT that forgets: its timers, and what becomes of packets whose mapping is gone. Sans-IO.
//!
//! A mapping is forgotten when it has been idle for its whole timeout: a packet that comes exactly then comes too late.
//! What refreshes it is the packet's arrival at the NAT.
//!
//! NATs can stand in a row. The first one's subscribers are the devices; those of a later one are the outside addresses of the
//! NAT in front of it.

#[cfg(test)]
mod captures;
mod lru;
mod mapping;
mod port_set;
mod ports;
mod table;

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    rc::Rc,
    time::Duration,
};

use cardiogram_policies::{Time, unit::Span};

use self::{
    mapping::{Inside, Mapping, Outside, Phase, refreshes},
    ports::Ports,
    table::Table,
};
use crate::{
    config::{AtExpiry, FromInside, FromOutside, NatClass, NatConfig},
    fate::{
        nat::{MappingRules, NatFaults, Pool},
        random,
    },
    nodes::node::{Io, Node},
    record::trace::{DropReason, Fact, NatEvent, PortFact},
    wire::{
        address,
        packet::{Flags, Options, Packet},
        tcp,
    },
};

/// The NAT's link to the inside; the first one has a lane a device.
pub(crate) const TO_INSIDE: usize = 0;
/// The NAT's links to the outside begin here: the next NAT, or the servers in order; one lane each.
pub(crate) const TO_OUTSIDE: usize = 1;

/// The place of a NAT in the world.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// The number of its network.
    pub(crate) network: u32,
    /// How many NATs are between it and the devices.
    pub(crate) index: u32,
    /// There is no other NAT between it and the servers.
    pub(crate) is_last: bool,
    pub(crate) servers: u32,
}

pub(crate) struct Nat {
    config: NatConfig,
    place: Place,
    mapping_rules: Rc<[MappingRules]>,
    table: Table,
    ports: Ports,
    /// Flushes to come, the next one last.
    flushes: Vec<Time>,
    /// Changes of the timeout to come, the next one last.
    timeouts: Vec<(Time, Option<Duration>)>,
    /// The timeout of established connections that holds instead of the subscriber's own.
    shifted_timeout: Option<Duration>,
}

impl Nat {
    /// A NAT with an empty table; `stream` is what the names of its random streams begin with.
    pub(crate) fn new(
        config: NatConfig,
        place: Place,
        mapping_rules: Rc<[MappingRules]>,
        stream: &str,
        faults: &NatFaults,
        seed: u64,
    ) -> Self {
        let random = random::stream(seed, &format!("{stream}/ports"), 0);
        let pool = Pool::new(mapping_rules.len() as u32, config.outside_addresses);
        Self {
            place,
            mapping_rules,
            table: Table::new(config.table, config.background),
            ports: Ports::new(pool, config.hold_down.map(Span::get), config.ports, random),
            flushes: faults.flushes.iter().rev().copied().collect(),
            timeouts: faults.timeouts.iter().rev().copied().collect(),
            shifted_timeout: None,
            config,
        }
    }

    fn on_inside(&mut self, now: Time, mut packet: Packet, io: &mut Io) {
        let subscriber = self.subscriber_at(*packet.src.ip());
        let server = address::server_at(*packet.dst.ip()).filter(|server| *server < self.place.servers);
        let (Some(subscriber), Some(server)) = (subscriber, server) else {
            io.dropped(&packet, DropReason::NoRoute);
            return;
        };
        let inside = (subscriber, packet.src.port(), server);
        let slot = self.table.at_inside(inside).or_else(|| self.on_unknown_inside(now, inside, &packet, io));
        if let Some(slot) = slot {
            self.pass(now, slot, &packet, true);
            packet.src = self.end_of(self.table.get(slot).outside);
            self.send_outside(server, packet, io);
        }
    }

    /// Makes a mapping for a packet that has none, or says what becomes of the packet.
    fn on_unknown_inside(&mut self, now: Time, inside: Inside, packet: &Packet, io: &mut Io) -> Option<u32> {
        if packet.opens() {
            return self.create(now, inside, Phase::Opening, packet, io);
        }
        // An error about a connection that is forgotten is about nothing.
        if packet.unreachable.is_some() {
            io.dropped(packet, DropReason::NoMapping);
            return None;
        }
        match self.class(inside.0).from_inside() {
            FromInside::SamePort | FromInside::NewPort => self.create(now, inside, Phase::Established, packet, io),
            FromInside::Drop => {
                io.dropped(packet, DropReason::NoMapping);
                None
            }
            FromInside::Reset => {
                io.dropped(packet, DropReason::NoMapping);
                if let Some(reset) = tcp::reset_for(packet) {
                    self.send_inside(inside.0, reset, io);
                }
                None
            }
        }
    }

    /// A packet comes to one of the NAT's addresses.
    fn on_outside(&mut self, now: Time, address: u16, mut packet: Packet, io: &mut Io) {
        let server = address::server_at(*packet.src.ip()).expect("only servers send from outside");
        let outside = Outside { address, port: packet.dst.port(), server };
        if let Some(slot) = self.table.at_outside(outside) {
            self.pass(now, slot, &packet, false);
            let Mapping { inside: (subscriber, port, _), address, .. } = *self.table.get(slot);
            packet.dst = SocketAddrV4::new(address, port);
            self.send_inside(subscriber, packet, io);
            return;
        }
        io.dropped(&packet, DropReason::NoMapping);
        let class = self.table.last_subscriber(outside).map(|subscriber| self.class(subscriber));
        match class.map(NatClass::from_outside) {
            Some(FromOutside::Reset) => {
                if let Some(reset) = tcp::reset_for(&packet) {
                    self.send_outside(server, reset, io);
                }
            }
            Some(FromOutside::Drop) | None => {}
        }
    }

    fn create(&mut self, now: Time, inside: Inside, phase: Phase, packet: &Packet, io: &mut Io) -> Option<u32> {
        let at_random = self.class(inside.0).from_inside() == FromInside::NewPort;
        let outside = self.ports.take(now, inside, at_random);
        self.note_ports(io);
        let Some(outside) = outside else {
            io.dropped(packet, DropReason::NoPort);
            return None;
        };
        self.note(inside, NatEvent::Created { outside: outside.port }, io);
        let mut mapping = Mapping::new(inside, *packet.src.ip(), outside, phase);
        mapping.device = packet.device;
        mapping.ends = self.end(now);
        let expires = self.expires(now, &mapping);
        let slot = self.table.insert(now, mapping, expires);
        // Never the new one itself: nothing has been used since.
        self.evict(now, io);
        Some(slot)
    }

    /// Follows a packet of a mapping, and restarts the idle time where the packet does. An error is no packet of the mapping's
    /// (`nf_conntrack_icmp_error`).
    fn pass(&mut self, now: Time, slot: u32, packet: &Packet, outbound: bool) {
        if packet.unreachable.is_some() {
            return;
        }
        let end = self.end(now);
        let mapping = self.table.get_mut(slot);
        if outbound {
            mapping.address = *packet.src.ip();
        }
        if self.config.conntrack && mapping.ignores(packet, outbound) {
            return;
        }
        mapping.follow(packet, outbound);
        // A connection that begins anew on the same ports is as young as any.
        mapping.ends = mapping.ends.or(end);
        if refreshes(self.config.refresh, packet, outbound) {
            let expires = self.expires(now, self.table.get(slot));
            self.table.used(slot, now, expires);
        }
    }

    /// Returns when a mapping ends that begins now, whatever passes.
    fn end(&self, now: Time) -> Option<Time> {
        self.config.max_age.map(|age| now + age.get())
    }

    /// Returns when a mapping ends if nothing passes from now on.
    fn expires(&self, now: Time, mapping: &Mapping) -> Time {
        let idle = now + self.timeout(mapping);
        mapping.ends.map_or(idle, |end| end.min(idle))
    }

    /// Returns the idle time that a mapping has from now on.
    fn timeout(&self, mapping: &Mapping) -> Duration {
        let own = self.mapping_rules[mapping.inside.0 as usize].established;
        mapping.timeout(&self.config, self.shifted_timeout.unwrap_or(own))
    }

    /// Ends a mapping whose idle time is over, or that is too old, as the class has it.
    fn expire(&mut self, now: Time, slot: u32, io: &mut Io) {
        let is_old = self.table.get(slot).ends.is_some_and(|end| end <= now);
        let mapping = self.forget(now, slot, if is_old { NatEvent::TooOld } else { NatEvent::Expired }, io);
        let (subscriber, port, server) = mapping.inside;
        let inside_end = SocketAddrV4::new(mapping.address, port);
        let outside_end = self.end_of(mapping.outside);
        let server_end = address::server(server);
        let (inside_expects, outside_expects) = mapping.expected();
        match self.class(subscriber).at_expiry() {
            AtExpiry::ResetBoth => {
                if let Some(seq) = inside_expects {
                    self.send_inside(
                        subscriber,
                        bare((server_end, inside_end), mapping.device, Flags::RST, seq, 0),
                        io,
                    );
                }
                if let Some(seq) = outside_expects {
                    self.send_outside(server, bare((outside_end, server_end), mapping.device, Flags::RST, seq, 0), io);
                }
            }
            AtExpiry::FinInside => {
                if let (Some(seq), Some(ack)) = (inside_expects, outside_expects) {
                    let fin = bare((server_end, inside_end), mapping.device, Flags::FIN | Flags::ACK, seq, ack);
                    self.send_inside(subscriber, fin, io);
                }
            }
            AtExpiry::Nothing => {}
        }
    }

    /// Pushes out what does not fit the table any more.
    fn evict(&mut self, now: Time, io: &mut Io) {
        while let Some(slot) = self.table.overflow(now) {
            self.forget(now, slot, NatEvent::Evicted, io);
        }
    }

    fn forget(&mut self, now: Time, slot: u32, why: NatEvent, io: &mut Io) -> Mapping {
        let subscriber = self.table.get(slot).inside.0;
        let class = self.class(subscriber);
        let mapping = self.table.remove(slot, class.from_outside() == FromOutside::Reset);
        let remember = class.from_inside() == FromInside::SamePort && mapping.is_established();
        self.note(mapping.inside, why, io);
        self.ports.put_back(now, mapping.inside, mapping.outside, remember);
        self.note_ports(io);
        mapping
    }

    fn class(&self, subscriber: u32) -> NatClass {
        self.mapping_rules[subscriber as usize].class
    }

    fn end_of(&self, outside: Outside) -> SocketAddrV4 {
        let Place { network, index, .. } = self.place;
        SocketAddrV4::new(address::nat(network, index, outside.address.into()), outside.port)
    }

    /// Returns the number of an outside address of the NAT at `index` of this network.
    fn number_at(&self, index: u32, outside: Ipv4Addr) -> Option<u32> {
        let (network, place, number) = address::nat_at(outside)?;
        ((network, place) == (self.place.network, index)).then_some(number)
    }

    fn subscriber_at(&self, inside: Ipv4Addr) -> Option<u32> {
        let subscriber = match self.place.index.checked_sub(1) {
            None => address::device_at(inside),
            Some(in_front) => self.number_at(in_front, inside),
        };
        subscriber.filter(|subscriber| (*subscriber as usize) < self.mapping_rules.len())
    }

    fn send_inside(&self, subscriber: u32, packet: Packet, io: &mut Io) {
        // Behind another NAT there is a single lane.
        let lane = if self.place.index == 0 { subscriber } else { 0 };
        io.send(TO_INSIDE, lane, packet);
    }

    fn send_outside(&self, server: u32, packet: Packet, io: &mut Io) {
        let link = if self.place.is_last { server as usize } else { 0 };
        io.send(TO_OUTSIDE + link, 0, packet);
    }

    fn note(&self, inside: Inside, event: NatEvent, io: &mut Io) {
        let (subscriber, port, server) = inside;
        let network = self.place.network;
        io.note(match self.place.index {
            0 => Fact::Nat { network, device: subscriber, port, server, event },
            nat => Fact::OuterNat { network, nat, address: subscriber, port, server, event },
        });
    }

    /// Notes which forgotten connections would get their port back now, and which would not.
    fn note_ports(&mut self, io: &mut Io) {
        let Place { network, index: nat, .. } = self.place;
        for ((subscriber, port, server), returns) in self.ports.turns() {
            io.port(PortFact { network, nat, subscriber, port, server, returns });
        }
    }
}

/// Returns a segment of the NAT's own, in the name of one of the ends.
fn bare((src, dst): (SocketAddrV4, SocketAddrV4), device: Option<u32>, flags: Flags, seq: u32, ack: u32) -> Packet {
    // Not a window of zero: whoever gets a FIN still has one to send.
    let (options, payload) = (Options::default(), Vec::new());
    Packet { src, dst, seq, ack, flags, window: u16::MAX, options, payload, unreachable: None, device }
}

impl Node for Nat {
    fn on_packet(&mut self, now: Time, packet: Packet, io: &mut Io) {
        // Timers that are due go first: a packet that comes exactly at the timeout comes too late.
        self.on_wake(now, io);
        match self.number_at(self.place.index, *packet.dst.ip()) {
            Some(address) => self.on_outside(now, address as u16, packet, io),
            None => self.on_inside(now, packet, io),
        }
    }

    fn on_wake(&mut self, now: Time, io: &mut Io) {
        while let Some((_, timeout)) = self.timeouts.pop_if(|(from, _)| *from <= now) {
            self.shifted_timeout = timeout;
        }
        self.ports.release(now);
        self.note_ports(io);
        while let Some(slot) = self.table.pop_expired(now) {
            self.expire(now, slot, io);
        }
        self.evict(now, io);
        while self.flushes.pop_if(|flush| *flush <= now).is_some() {
            for slot in self.table.slots() {
                self.forget(now, slot, NatEvent::Flushed, io);
            }
        }
    }

    fn freeze(&mut self, now: Time) {
        let ever = Span::secs(1_000_000);
        for slot in self.table.slots() {
            self.table.get_mut(slot).ends = None;
        }
        self.config.max_age = None;
        self.table.freeze();
        self.ports.freeze(now);
        self.flushes.clear();
        (self.timeouts, self.shifted_timeout) = (Vec::new(), Some(ever.get()));
        (self.config.transitory, self.config.closing, self.config.unacknowledged) = (ever, None, None);
    }

    fn next_wake(&self) -> Option<Time> {
        [self.table.next_end(), self.ports.next_release(), self.flushes.last().copied()].into_iter().flatten().min()
    }
}
