//! A group of devices: one node, many devices, each with its own address, kernel and policies.
//!
//! A device's application connects, introduces itself, carries messages, and does what its heartbeat and reconnect
//! policies say. What those policies decide is not known here.

mod app;
mod tap;

use std::{sync::Arc, time::Duration};

use cardiogram_policies::{Bounds, StrategySpec, Time};

use self::app::Device;
use crate::{
    address,
    config::{DevicesConfig, FrameSizes, TrafficConfig},
    node::{Counts, Io, Node},
    packet::Packet,
    tcp::TcpConfig,
    timers::Timers,
};

/// The group's only link, to the NAT; a lane a device.
const TO_NAT: usize = 0;

pub(crate) struct DeviceGroup {
    shared: Shared,
    devices: Vec<Device>,
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
    connect_timeout: Duration,
}

/// What a device needs while it handles an event.
struct Context<'a, 'io> {
    now: Time,
    shared: &'a Shared,
    counts: &'a mut Counts,
    packets: &'a mut Vec<Packet>,
    io: &'a mut Io<'io>,
}

impl DeviceGroup {
    pub(crate) fn new(
        config: &DevicesConfig,
        traffic: &TrafficConfig,
        strategy: &StrategySpec,
        bounds: &Bounds,
        servers: u32,
        seed: u64,
    ) -> Self {
        let shared = Shared {
            seed,
            tcp: Arc::new(TcpConfig::preset(config.tcp)),
            frames: config.frames,
            servers,
            connect_timeout: strategy.connect_timeout.get(),
        };
        let mut timers = Timers::default();
        let devices = (0..config.count).map(|index| {
            let start = crate::traffic::start(seed, index, config.start_within.get());
            let device = Device::new(index, start, traffic, strategy, bounds, &shared);
            timers.set(index, device.next_wake());
            device
        });
        let devices = devices.collect();
        Self { shared, devices, timers, counts: Counts::default(), packets: Vec::new() }
    }

    fn handle(&mut self, index: u32, now: Time, io: &mut Io, event: impl FnOnce(&mut Device, &mut Context)) {
        let device = &mut self.devices[index as usize];
        let mut context =
            Context { now, shared: &self.shared, counts: &mut self.counts, packets: &mut self.packets, io };
        event(device, &mut context);
        self.timers.set(index, device.next_wake());
    }
}

impl Node for DeviceGroup {
    fn on_packet(&mut self, now: Time, packet: Packet, io: &mut Io) {
        let device = address::device_at(*packet.dst.ip()).expect("the NAT sends only to devices");
        self.handle(device, now, io, |device, context| device.on_packet(&packet, context));
    }

    fn on_wake(&mut self, now: Time, io: &mut Io) {
        while let Some(device) = self.timers.pop_due(now) {
            self.handle(device, now, io, Device::on_wake);
        }
    }

    fn next_wake(&self) -> Option<Time> {
        self.timers.next()
    }

    fn into_counts(self: Box<Self>) -> Counts {
        self.counts
    }
}
