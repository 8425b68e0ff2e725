//! A group of devices: one node, many devices, each with its own address, kernel and policies.
//!
//! A device's application connects, introduces itself, carries messages, and does what its heartbeat and reconnect
//! policies say. What those policies decide is not known here.

mod app;
mod modem;
mod tap;

use std::{rc::Rc, sync::Arc, time::Duration};

use cardiogram_policies::Time;

use self::{app::Device, modem::Modem, tap::Tap};
use crate::{
    address,
    balancer::Balancer,
    config::{FrameSizes, WorldConfig},
    node::{Counts, Io, Node},
    outcome::{PacketCounts, RadioUse},
    packet::Packet,
    radio::Radio,
    tcp::TcpConfig,
    timers::Timers,
    trace::DeviceEvent,
};

/// The group's only link, to the NAT; a lane a device.
const TO_NAT: usize = 0;

pub(crate) struct DeviceGroup {
    shared: Shared,
    devices: Vec<Device>,
    /// One for each device, or none.
    modems: Vec<Modem>,
    /// When the run ends.
    end: Time,
    timers: Timers,
    counts: Counts,
    /// Reused from event to event.
    packets: Vec<Packet>,
}

/// What all devices of a group have in common.
pub(crate) struct Shared {
    seed: u64,
    tcp: Arc<TcpConfig>,
    frames: FrameSizes,
    servers: u32,
    /// Who decides which server an attempt reaches, where it is not the device.
    balancer: Option<Rc<Balancer>>,
    connect_timeout: Duration,
}

/// What a device needs while it handles an event.
struct Context<'a, 'io> {
    now: Time,
    shared: &'a Shared,
    counts: &'a mut Counts,
    packets: &'a mut Vec<Packet>,
    modem: Option<&'a mut Modem>,
    io: &'a mut Io<'io>,
}

impl Context<'_, '_> {
    /// Sends a packet of `device` on a connection followed by `tap`, as soon as the radio is up.
    fn send(&mut self, device: u32, tap: &mut Tap, packet: Packet) {
        let mut counts = PacketCounts::default();
        tap.count(&packet, &mut counts);
        let ready = match &mut self.modem {
            Some(modem) => modem.send(self.now, packet, counts),
            None => Some((packet, counts)),
        };
        if let Some((packet, counts)) = ready {
            self.transmit(device, packet, &counts);
        }
    }

    /// Puts a packet on the link.
    fn transmit(&mut self, device: u32, packet: Packet, counts: &PacketCounts) {
        self.counts.totals.up += *counts;
        self.io.send(TO_NAT, device, packet);
    }
}

impl DeviceGroup {
    pub(crate) fn new(config: &WorldConfig, balancer: Option<Rc<Balancer>>, seed: u64) -> Self {
        let shared = Shared {
            seed,
            tcp: Arc::new(TcpConfig::preset(config.devices.tcp)),
            frames: config.devices.frames,
            servers: config.server.count,
            balancer,
            connect_timeout: config.strategy.connect_timeout.get(),
        };
        let bounds = config.bounds();
        let radio = config.radio.clone().map(Arc::new);
        let (mut devices, mut modems, mut timers) = (Vec::new(), Vec::new(), Timers::default());
        for index in 0..config.devices.count {
            let start = crate::traffic::start(seed, index, config.devices.start_within.get());
            let device = Device::new(index, start, &config.traffic, &config.strategy, &bounds, &shared);
            timers.set(index, device.next_wake());
            devices.push(device);
            modems.extend(radio.clone().map(|radio| Modem::new(Radio::new(radio, seed, index, start))));
        }
        let end = Time::ZERO + config.duration;
        Self { shared, devices, modems, end, timers, counts: Counts::default(), packets: Vec::new() }
    }

    fn handle(&mut self, index: u32, now: Time, io: &mut Io, event: impl FnOnce(&mut Device, &mut Context)) {
        let device = &mut self.devices[index as usize];
        let modem = self.modems.get_mut(index as usize);
        let (shared, counts, packets) = (&self.shared, &mut self.counts, &mut self.packets);
        let mut context = Context { now, shared, counts, packets, modem, io };
        event(device, &mut context);
        let radio_up = context.modem.and_then(|modem| modem.next_wake());
        self.timers.set(index, device.next_wake().into_iter().chain(radio_up).min());
    }
}

impl Node for DeviceGroup {
    fn on_packet(&mut self, now: Time, packet: Packet, io: &mut Io) {
        let device = address::device_at(*packet.dst.ip()).expect("the NAT sends only to devices");
        self.handle(device, now, io, |device, context| {
            device.count_arrival(&packet, &mut context.counts.totals.down);
            let ready = match &mut context.modem {
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
                // What has waited for the radio comes before what is due now.
                if let Some(risen) = context.modem.as_mut().and_then(|modem| modem.rise(now)) {
                    context.io.device(index, DeviceEvent::RadioUp { waited: risen.waited });
                    for (packet, counts) in risen.up {
                        context.transmit(index, packet, &counts);
                    }
                    for packet in risen.down {
                        device.on_packet(&packet, context);
                    }
                }
                device.on_wake(context);
            });
        }
    }

    fn next_wake(&self) -> Option<Time> {
        self.timers.next()
    }

    fn into_counts(self: Box<Self>) -> Counts {
        let end = self.end;
        let radio = self.modems.into_iter().map(|modem| modem.into_use(end)).reduce(|mut sum: RadioUse, of_one| {
            sum += of_one;
            sum
        });
        Counts { radio, ..self.counts }
    }
}
