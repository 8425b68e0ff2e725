//! A group of devices: one node, many devices, each with its own address, kernel and policies.
//!
//! A device's application connects, introduces itself, carries messages, and does what its heartbeat and reconnect
//! policies say. What those policies decide is not known here.

mod app;
mod clock;
pub(crate) mod life_progress;
pub(crate) mod modem;
pub(crate) mod next_hops;

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use cardiogram_policies::{Generators, Heartbeat, HeartbeatSpec, NetworkKind, Reconnect, StrategySpec, Time};

use self::{
    app::Device,
    life_progress::Addresses,
    modem::Modem,
    next_hops::{Carriers, NextHops},
};
use crate::{
    config::{FrameSizes, Network, OnWaking, WorldConfig, known_nat},
    fate::{Schedule, balancer::Balancer, random},
    nodes::{
        node::{Io, Node},
        timers::Timers,
    },
    record::{
        counts::{Counts, DeviceCounts, RadioUse},
        series::Tally,
        trace::{DeviceEvent, DropReason, Fact},
    },
    wire::{
        address,
        packet::Packet,
        tap::{PacketCounts, Tap},
        tcp::TcpConfig,
    },
};

pub(crate) struct DeviceGroup {
    shared: Shared,
    devices: Vec<Device>,
    /// The modems by network: one for each device, or none.
    modems: Vec<Vec<Modem>>,
    /// When the run ends.
    end: Time,
    timers: Timers,
    counts: DeviceCounts,
    /// Reused from event to event.
    packets: Vec<Packet>,
}

/// What all devices of a group have in common.
pub(crate) struct Shared {
    seed: u64,
    tcp: Arc<TcpConfig>,
    frames: FrameSizes,
    servers: u32,
    /// The balancer that decides which server an attempt reaches; `None` where the device decides.
    balancer: Option<Arc<Balancer>>,
    connect_timeout: Duration,
    on_waking: OnWaking,
    carriers: Carriers,
    strategy: StrategySpec,
    /// The strategy's heartbeat, as it runs in this world.
    heartbeat: HeartbeatSpec,
    /// The kind of each network, by its number.
    network_kinds: Vec<NetworkKind>,
}

impl Shared {
    /// Returns what policies may know of a network.
    fn network(&self, number: u32) -> cardiogram_policies::Network {
        cardiogram_policies::Network { id: number, kind: self.network_kinds[number as usize] }
    }

    /// Returns which server an attempt reaches that begins now, where the device would go to `chosen`.
    fn server_for(&self, device: u32, chosen: u32, now: Time) -> u32 {
        self.balancer.as_ref().map_or(chosen, |balancer| balancer.server_for(device, now))
    }

    /// Fresh policies for a device whose process is started, for the `starts`-th time after the first.
    fn policies(&self, device: u32, starts: u64) -> (Box<dyn Heartbeat>, Box<dyn Reconnect>) {
        let Generators { heartbeat, waits, rules } = random::of_policies(self.seed, device, starts);
        (self.heartbeat.build(heartbeat), self.strategy.build_reconnect(self.servers, waits, rules))
    }
}

/// What a device needs while it handles an event.
struct Context<'a, 'io> {
    now: Time,
    shared: &'a Shared,
    counts: &'a mut DeviceCounts,
    packets: &'a mut Vec<Packet>,
    modems: &'a mut [Vec<Modem>],
    io: &'a mut Io<'io>,
    /// The next hops that its kernel asks for; none where no link has lost its carrier.
    next_hops: NextHops,
    /// What the device's kernel takes for the time.
    kernel: Time,
    /// The addresses of the device.
    addresses: Addresses,
}

impl Context<'_, '_> {
    /// Notes what happens to a device.
    fn note(&mut self, device: u32, event: DeviceEvent) {
        self.io.note(Fact::Device { device, event });
    }

    /// Sends a packet of `device` on a connection followed by `tap`, as soon as the radio is up.
    fn send(&mut self, device: u32, tap: &mut Tap, mut packet: Packet) {
        packet.device = Some(device);
        if !self.has_address(device, *packet.src.ip(), &packet, DropReason::NoRoute) {
            return;
        }
        let mut counts = PacketCounts::default();
        tap.count(&packet, &mut counts);
        let now = self.now;
        let ready = match self.modem(device, *packet.src.ip()) {
            Some(modem) => modem.send(now, packet, counts),
            None => Some((packet, counts)),
        };
        if let Some((packet, counts)) = ready {
            self.transmit(device, packet, &counts);
        }
    }

    /// Returns whether an address is one of the device's. For one that is not, nothing goes out or comes in: the packet is
    /// dropped.
    fn has_address(&mut self, device: u32, ip: Ipv4Addr, packet: &Packet, otherwise: DropReason) -> bool {
        let has = self.addresses.hold(device, ip);
        if !has {
            self.io.dropped(packet, otherwise);
        }
        has
    }

    /// Puts a packet on the link of the network that it belongs to, as soon as the next hop there is known.
    fn transmit(&mut self, device: u32, packet: Packet, counts: &PacketCounts) {
        let network = address::network_of_device(*packet.src.ip());
        let has_carrier = self.shared.carriers.has(device, network, self.now);
        let ready = self.next_hops.send(self.kernel, (packet, *counts), has_carrier, &self.shared.tcp);
        if let Some((packet, counts)) = ready {
            self.put_on_link(device, packet, &counts);
        }
    }

    fn put_on_link(&mut self, device: u32, packet: Packet, counts: &PacketCounts) {
        let network = address::network_of_device(*packet.src.ip());
        self.counts.totals.up += *counts;
        self.io.send(network as usize, device, packet);
    }

    /// Switches the device's radio for a network on or off. What still waited for it is lost.
    fn switch_radio(&mut self, device: u32, network: u32, on: bool) {
        let Some(modem) = self.modems[network as usize].get_mut(device as usize) else { return };
        for packet in modem.switch(self.now, on) {
            self.io.dropped(&packet, DropReason::NetworkLeft);
        }
    }

    /// Returns the modem for the network that one of the device's addresses belongs to.
    fn modem(&mut self, device: u32, ip: Ipv4Addr) -> Option<&mut Modem> {
        self.modems[address::network_of_device(ip) as usize].get_mut(device as usize)
    }
}

impl DeviceGroup {
    pub(crate) fn new(config: &WorldConfig, schedule: &Schedule, seed: u64) -> Self {
        let shared = Shared {
            seed,
            tcp: Arc::new(TcpConfig::of(&config.devices.tcp)),
            frames: config.frames(),
            servers: config.server.count,
            balancer: schedule.balancer.clone(),
            connect_timeout: config.strategy.connect_timeout.get(),
            on_waking: config.devices.on_waking,
            carriers: Carriers::new(&schedule.networks),
            strategy: config.strategy.clone(),
            heartbeat: known_nat::within(&config.strategy.heartbeat, &config.bounds()).into_owned(),
            network_kinds: config.all_networks().map(|network| network.kind).collect(),
        };
        let starts: Vec<Time> = (0..config.devices.count)
            .map(|index| crate::fate::traffic::start(seed, index, config.devices.start_within.get()))
            .collect();
        let modems = |network: Network<'_>| Modem::of_devices(&network, seed, starts.iter().copied());
        let modems = config.all_networks().map(modems).collect();
        let mut lives = schedule.lives.iter().cloned();
        let (mut devices, mut timers) = (Vec::with_capacity(starts.len()), Timers::default());
        for (index, start) in (0..).zip(&starts) {
            let device = Device::new(index, *start, &config.traffic, lives.next(), &shared);
            timers.set(index, device.next_wake());
            devices.push(device);
        }
        let end = Time::ZERO + config.duration;
        let counts = DeviceCounts { series: Tally::new(config.duration), ..DeviceCounts::default() };
        Self { shared, devices, modems, end, timers, counts, packets: Vec::new() }
    }

    /// Makes the application of a device beat once, at `now`, on the session it has; the beat is answered when the cell
    /// says so. `None`: it has no session.
    pub(crate) fn probe(&mut self, index: u32, now: Time) -> Option<Arc<std::sync::atomic::AtomicBool>> {
        let answered = self.devices[index as usize].probe(now)?;
        self.timers.set(index, Some(now));
        Some(answered)
    }

    /// Lets a frozen device open a new connection at `now` and beat on the session that it becomes; the cell tells of the
    /// reply. `None`: it has not begun.
    pub(crate) fn come_anew(&mut self, index: u32, now: Time) -> Option<Arc<std::sync::atomic::AtomicBool>> {
        // Whoever has a long way, or meets a long queue, is to blame for giving up on it.
        self.shared.connect_timeout = Duration::from_hours(1);
        let answered = self.devices[index as usize].come_anew(now)?;
        self.timers.set(index, Some(now));
        Some(answered)
    }

    fn handle(&mut self, index: u32, now: Time, io: &mut Io, event: impl FnOnce(&mut Device, &mut Context)) {
        let device = &mut self.devices[index as usize];
        let (shared, counts, packets) = (&self.shared, &mut self.counts, &mut self.packets);
        let (kernel, addresses) = (device.kernel(now), device.addresses());
        let (modems, next_hops) = (&mut self.modems, std::mem::take(&mut device.next_hops));
        let mut context = Context { now, shared, counts, packets, modems, io, next_hops, kernel, addresses };
        event(device, &mut context);
        device.next_hops = context.next_hops;
        self.set_timer(index);
    }

    /// Sets when a device wants to be woken next, for itself or for a radio that will be up.
    fn set_timer(&mut self, index: u32) {
        let radios = self.modems.iter().filter_map(|of_network| of_network.get(index as usize));
        let device = self.devices[index as usize].next_wake();
        self.timers.set(index, radios.filter_map(Modem::next_wake).chain(device).min());
    }
}

impl Node for DeviceGroup {
    fn on_packet(&mut self, now: Time, mut packet: Packet, io: &mut Io) {
        let device = address::device_at(*packet.dst.ip()).expect("the NAT sends only to devices");
        self.handle(device, now, io, |device, context| {
            if device.is_frozen() {
                context.io.dropped(&packet, DropReason::HostDown);
                return;
            }
            // The push service finds a device wherever it is.
            if let Some(address) = context.addresses.current.filter(|_| packet.src == address::PUSH_SERVICE) {
                packet.dst.set_ip(address.of(device.index()));
            }
            let ip = *packet.dst.ip();
            if !context.has_address(device.index(), ip, &packet, DropReason::NoRoute) {
                return;
            }
            device.count_arrival(&packet, &mut context.counts.totals.down);
            let ready = match context.modem(device.index(), ip) {
                Some(modem) => modem.receive(now, packet),
                None => Some(packet),
            };
            if let Some(packet) = ready {
                device.on_packet(&packet, context);
            }
        });
    }

    fn on_wake(&mut self, now: Time, io: &mut Io) {
        while let Some(index) = self.timers.pop_due(now) {
            self.handle(index, now, io, |device, context| {
                // What has waited for a radio comes before what is due now.
                for network in 0..context.modems.len() {
                    let modem = context.modems[network].get_mut(index as usize);
                    let Some(risen) = modem.and_then(|modem| modem.rise(now)) else { continue };
                    context.note(index, DeviceEvent::RadioUp { waited: risen.waited });
                    for (packet, counts) in risen.up {
                        if context.has_address(index, *packet.src.ip(), &packet, DropReason::NetworkLeft) {
                            context.transmit(index, packet, &counts);
                        }
                    }
                    for packet in risen.down {
                        if context.has_address(index, *packet.dst.ip(), &packet, DropReason::NetworkLeft) {
                            device.on_packet(&packet, context);
                        }
                    }
                }
                device.on_wake(context);
            });
        }
    }

    fn freeze(&mut self, now: Time) {
        self.shared.carriers.freeze(now);
        if let Some(balancer) = &mut self.shared.balancer {
            *balancer = Arc::new(balancer.frozen(now));
        }
        for index in 0..self.devices.len() {
            self.devices[index].freeze(now);
            self.set_timer(index as u32);
        }
    }

    fn next_wake(&self) -> Option<Time> {
        self.timers.next()
    }

    fn into_counts(self: Box<Self>) -> Counts {
        let end = self.end;
        let radio =
            self.modems.into_iter().flatten().map(|modem| modem.into_use(end)).reduce(|mut sum: RadioUse, of_one| {
                sum += of_one;
                sum
            });
        let intervals = self.devices.iter().map(Device::last_interval).collect();
        Counts::Devices(Box::new(DeviceCounts { radio, intervals, ..self.counts }))
    }
}
