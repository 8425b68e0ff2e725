//! The nodes of guests in the world: all devices, or one server. They hand packets and time to the kernels of their machines, put
//! what these have to send on the links, and start the programs.

use std::sync::{Arc, Mutex};

use cardiogram_policies::Time;

use tokio::task::AbortHandle;

use super::{
    kernel::{Board, Kernel, Make, Out, Owner},
    program::{Program, Starter},
    runtime::lock,
};
use crate::{
    config::{ServerEffect, WorldConfig},
    fate::{
        Schedule,
        life::Life,
        server_faults::{Edge, Turn, edges},
    },
    nodes::node::{Io, Node},
    record::{
        counts::{Counts, DeviceCounts},
        series::Tally,
        trace::{DeviceEvent, Fact, ServerEvent},
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
    /// The programs that run, by machine.
    running: Vec<Option<AbortHandle>>,
    /// What happens to the processes, the next one last.
    turns: Vec<Turning>,
    /// Faults under way that stop the process of the server, that leave none running, that leave no host.
    stalls: u32,
    deaths: u32,
    silences: u32,
    is_server: bool,
    counts: DeviceCounts,
}

/// What happens to a process.
struct Turning {
    at: Time,
    what: Happens,
}

enum Happens {
    /// A device's process is killed.
    Dies(u32),
    /// It is started again.
    Starts(u32),
    /// A fault of the server begins or ends.
    Fault(Edge),
}

impl GuestNode {
    /// The devices of a world, each with the program.
    pub(super) fn devices(
        config: &WorldConfig,
        schedule: &Schedule,
        seed: u64,
        program: Program,
        starter: &Starter,
    ) -> Self {
        let within = config.devices.start_within.get();
        let start = |device| (crate::fate::traffic::start(seed, device, within), device);
        let owners = (0..config.devices.count).map(Owner::Device);
        let starts = (0..config.devices.count).map(start).collect();
        let kills = |(device, life): (u32, &Life)| {
            let turn = |at, what| Turning { at, what };
            let both = life.kills.iter();
            both.flat_map(|kill| [turn(kill.begin, Happens::Dies(device)), turn(kill.end, Happens::Starts(device))])
                .collect::<Vec<_>>()
        };
        let mut turns: Vec<Turning> = (0..).zip(&schedule.lives).flat_map(kills).collect();
        // Stable: of one device they stay in their order.
        turns.sort_by_key(|turn| turn.at);
        turns.reverse();
        Self { turns, ..Self::new(config, seed, program, starter, owners, starts, false) }
    }

    /// A server of a world, with the program.
    pub(super) fn server(
        config: &WorldConfig,
        schedule: &Schedule,
        seed: u64,
        server: u32,
        program: Program,
        starter: &Starter,
    ) -> Self {
        let owners = std::iter::once(Owner::Server(server));
        let turns = edges(&schedule.servers[server as usize]);
        let turns = turns.into_iter().map(|edge| Turning { at: edge.at, what: Happens::Fault(edge) }).collect();
        Self { turns, ..Self::new(config, seed, program, starter, owners, vec![(Time::ZERO, 0)], true) }
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
        let machines: Vec<_> = (0..).zip(owners).map(machine).collect();
        starts.sort_unstable_by(|a, b| b.cmp(a));
        let counts = DeviceCounts {
            series: Tally::new(config.duration),
            intervals: vec![None; config.devices.count as usize],
            ..DeviceCounts::default()
        };
        let running = machines.iter().map(|_| None).collect();
        let (turns, starter) = (Vec::new(), starter.clone());
        let (stalls, deaths, silences) = (0, 0, 0);
        Self { program, starter, machines, board, starts, running, turns, stalls, deaths, silences, is_server, counts }
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

    fn start(&mut self, place: u32) {
        let started = self.starter.start(self.program.clone(), &self.machines[place as usize]);
        self.running[place as usize] = Some(started);
    }

    /// Lets happen to the processes what happens up to this moment.
    fn keep_to_schedule(&mut self, now: Time) {
        while let Some(Turning { what, .. }) = self.turns.pop_if(|turn| turn.at <= now) {
            match what {
                // What does not run cannot be killed, and what runs is not started.
                Happens::Dies(place) => {
                    if let Some(task) = self.running[place as usize].take() {
                        lock(&self.machines[place as usize]).kill(now);
                        self.starter.kill(&task);
                    }
                }
                Happens::Starts(place) => {
                    let has_begun = self.starts.iter().all(|(_, waiting)| *waiting != place);
                    if self.running[place as usize].is_none() && has_begun {
                        lock(&self.machines[place as usize]).start_again(now);
                        self.start(place);
                    }
                }
                Happens::Fault(edge) => self.apply(&edge, now),
            }
        }
    }

    /// Lets a fault of the server begin or end.
    fn apply(&mut self, edge: &Edge, now: Time) {
        let begins = edge.turn == Turn::Begins;
        let ran = self.deaths == 0 && self.silences == 0;
        let under_way = match edge.effect {
            ServerEffect::Stops => &mut self.stalls,
            ServerEffect::Dies => &mut self.deaths,
            ServerEffect::Silences => &mut self.silences,
            ServerEffect::Slows { .. } | ServerEffect::Drains { .. } | ServerEffect::HalfDies(_) => {
                unreachable!("guests are not run in worlds where this happens")
            }
        };
        *under_way = if begins { *under_way + 1 } else { *under_way - 1 };
        let runs = self.deaths == 0 && self.silences == 0;
        let mut kernel = lock(&self.machines[0]);
        let event = if begins { ServerEvent::FaultBegan(edge.cause) } else { ServerEvent::FaultEnded(edge.cause) };
        kernel.tell_server(event, now);
        if begins && edge.effect == ServerEffect::Silences {
            kernel.power_off(now);
        } else if ran && !runs {
            kernel.kill(now);
        }
        if self.silences == 0 {
            kernel.power_on();
        }
        kernel.set_still(self.stalls > 0);
        drop(kernel);
        if let Some(task) = self.running[0].take_if(|_| !runs) {
            self.starter.kill(&task);
        }
        if !ran && runs {
            self.start(0);
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
        // A fault that begins at this very moment comes first.
        self.keep_to_schedule(now);
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
            self.start(place);
        }
        self.keep_to_schedule(now);
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
        let turns = self.turns.last().map(|turn| turn.at);
        [sends, starts, turns, board.timers.next()].into_iter().flatten().min()
    }

    fn into_counts(self: Box<Self>) -> Counts {
        if self.is_server {
            return Counts::Server { busy: std::time::Duration::ZERO };
        }
        Counts::Devices(Box::new(self.counts))
    }
}
