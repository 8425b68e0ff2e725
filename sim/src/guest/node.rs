//! The nodes of guests in the world: all devices, or one server. They hand packets and time to the kernels of their machines, put
//! what these have to send on the links, and start the programs.

use std::sync::{Arc, Mutex};

use cardiogram_policies::Time;

use super::{
    kernel::{Board, Kernel, Make, Out, Owner},
    program::{Program, Starter},
    runtime::lock,
};
use crate::{
    config::WorldConfig,
    nodes::node::{Io, Node},
    record::{
        counts::{Counts, DeviceCounts},
        series::Tally,
        trace::{DeviceEvent, Fact},
    },
    wire::{address, packet::Packet, tcp::TcpConfig},
};

/// The machines of a node.
pub(super) struct GuestNode {
    program: Program,
    starter: Starter,
    machines: Vec<Arc<Mutex<Kernel>>>,
    board: Arc<Mutex<Board>>,
    /// When whose program starts, the next one last.
    starts: Vec<(Time, u32)>,
    is_server: bool,
    counts: DeviceCounts,
}

impl GuestNode {
    /// The devices of a world, each with the program.
    pub(super) fn devices(config: &WorldConfig, seed: u64, program: Program, starter: &Starter) -> Self {
        let within = config.devices.start_within.get();
        let start = |device| (crate::fate::traffic::start(seed, device, within), device);
        let owners = (0..config.devices.count).map(Owner::Device);
        let starts = (0..config.devices.count).map(start).collect();
        Self::new(config, seed, program, starter, owners, starts, false)
    }

    /// A server of a world, with the program.
    pub(super) fn server(config: &WorldConfig, seed: u64, server: u32, program: Program, starter: &Starter) -> Self {
        let owners = std::iter::once(Owner::Server(server));
        Self::new(config, seed, program, starter, owners, vec![(Time::ZERO, 0)], true)
    }

    fn new(
        config: &WorldConfig,
        seed: u64,
        program: Program,
        starter: &Starter,
        owners: impl Iterator<Item = Owner>,
        mut starts: Vec<(Time, u32)>,
        is_server: bool,
    ) -> Self {
        let board = Arc::new(Mutex::new(Board::default()));
        let settings = if is_server { &config.server.tcp } else { &config.devices.tcp };
        // Programs set it, or do not.
        let tcp = Arc::new(TcpConfig { nodelay: false, ..TcpConfig::of(settings) });
        let machine = |(place, owner)| {
            let (board, gate, tcp) = (board.clone(), starter.gate().clone(), tcp.clone());
            let (servers, backlog) = (config.server.count, config.server.backlog as usize);
            Arc::new(Mutex::new(Kernel::new(Make { owner, place, board, gate, tcp, seed, servers, backlog })))
        };
        let machines = (0..).zip(owners).map(machine).collect();
        starts.sort_unstable_by(|a, b| b.cmp(a));
        let counts = DeviceCounts {
            series: Tally::new(config.duration),
            intervals: vec![None; config.devices.count as usize],
            ..DeviceCounts::default()
        };
        Self { program, starter: starter.clone(), machines, board, starts, is_server, counts }
    }

    /// Takes what the machines have to send and to tell.
    fn flush(&mut self, now: Time, io: &mut Io) {
        let mut dirty = std::mem::take(&mut lock(&self.board).dirty);
        dirty.sort_unstable();
        for place in dirty {
            let waiting = lock(&self.machines[place as usize]).take();
            for out in waiting {
                match out {
                    Out::Packet(packet, _) if self.is_server => {
                        io.send(address::network_of_nat(*packet.dst.ip()) as usize, 0, packet);
                    }
                    Out::Packet(packet, counts) => {
                        self.counts.totals.up += counts;
                        io.send(address::network_of_device(*packet.src.ip()) as usize, place, packet);
                    }
                    Out::Dropped(packet, reason) => io.dropped(&packet, reason),
                    Out::Fact(fact) => {
                        self.count(fact, now);
                        io.note(fact);
                    }
                }
            }
        }
    }

    fn count(&mut self, fact: Fact, now: Time) {
        let Fact::Device { event, .. } = fact else { return };
        match event {
            DeviceEvent::AttemptStarted { .. } | DeviceEvent::RaceStarted { .. } => {
                self.counts.totals.connect_attempts += 1;
                self.counts.series.attempt(now);
            }
            DeviceEvent::Connected { .. } => self.counts.totals.sessions += 1,
            _ => {}
        }
    }
}

impl Node for GuestNode {
    fn on_packet(&mut self, now: Time, packet: Packet, io: &mut Io) {
        let place = if self.is_server {
            0
        } else {
            address::device_at(*packet.dst.ip()).expect("the NAT sends only to devices")
        };
        {
            let mut kernel = lock(&self.machines[place as usize]);
            if !self.is_server {
                kernel.count_arrival(&packet, &mut self.counts.totals.down);
            }
            kernel.on_packet(&packet, now);
        }
        self.flush(now, io);
    }

    fn on_wake(&mut self, now: Time, io: &mut Io) {
        while let Some((_, place)) = self.starts.pop_if(|(at, _)| *at <= now) {
            self.starter.start(self.program.clone(), &self.machines[place as usize]);
        }
        loop {
            let due = lock(&self.board).timers.pop_due(now);
            let Some(place) = due else { break };
            lock(&self.machines[place as usize]).run_timers(now);
        }
        self.flush(now, io);
    }

    fn next_wake(&self) -> Option<Time> {
        let board = lock(&self.board);
        let sends = (!board.dirty.is_empty()).then_some(board.since);
        let starts = self.starts.last().map(|(at, _)| *at);
        [sends, starts, board.timers.next()].into_iter().flatten().min()
    }

    fn into_counts(self: Box<Self>) -> Counts {
        if self.is_server {
            return Counts::Server { busy: std::time::Duration::ZERO };
        }
        Counts::Devices(Box::new(self.counts))
    }
}
