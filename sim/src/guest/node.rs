//! The nodes of guests in the world: all devices, or one server. They hand packets and time to the kernels of their machines, put
//! what these have to send on the links, and start the programs.

use std::sync::{Arc, Mutex};

use cardiogram_policies::{NetworkKind, Time};

use tokio::task::AbortHandle;

use super::{
    kernel::{Board, Kernel, Make, Out},
    life::Switch,
    owner::Owner,
    program::{Program, Starter},
    runtime::lock,
};
use crate::{
    config::{Network, OnUnhealthy, ServerEffect, WorldConfig},
    fate::{
        Schedule,
        life::Life,
        server_faults::{Edge, Turn, edges},
    },
    nodes::{
        device::{
            life_progress::{LifeEvent, LifeProgress},
            modem::Modem,
            next_hops::{Carriers, Counted, Waited},
        },
        node::{Io, Node},
        timers::Timers,
    },
    record::{
        counts::{Counts, DeviceCounts, RadioUse},
        series::Tally,
        trace::{DeviceEvent, DropReason, Fact, ServerEvent},
    },
    wire::{
        address,
        packet::{Obstacle, Packet},
        tcp::TcpConfig,
    },
};

/// The machines of a node.
pub(super) struct GuestNode {
    program: Program,
    starter: Starter,
    machines: Vec<Arc<Mutex<Kernel>>>,
    board: Arc<Mutex<Board>>,
    /// The modems by network: one for each device, or none.
    modems: Vec<Vec<Modem>>,
    /// When a radio of a device is up that is waited for.
    radios: Timers,
    /// When something happens to a device.
    lives: Timers,
    /// When the run ends.
    end: Time,
    /// When whose program starts, the next one last.
    starts: Vec<(Time, u32)>,
    /// The programs that run, by machine.
    running: Vec<Option<AbortHandle>>,
    /// Begins and ends of the server's faults, the next one last.
    edges: Vec<Edge>,
    /// Faults under way that stop the process of the server, that leave none running, that leave no host.
    stalls: u32,
    deaths: u32,
    silences: u32,
    /// When the balancer changes its mind about the server, to healthy or not; the next one last.
    beliefs: Vec<(Time, bool)>,
    /// Whether it resets the connections of an unhealthy server.
    resets: bool,
    /// The RSTs that it will send for a host that cannot.
    flows: Vec<Packet>,
    is_server: bool,
    carriers: Carriers,
    counts: DeviceCounts,
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
        let mut lives = schedule.lives.iter().cloned();
        let owners = (0..config.devices.count).map(|device| (Owner::Device(device), lives.next())).collect();
        let starts: Vec<(Time, u32)> = (0..config.devices.count).map(start).collect();
        let mut node = Self::new(config, schedule, seed, program, starter, owners, starts.clone());
        let modems = |network: Network<'_>| Modem::of_devices(&network, seed, starts.iter().map(|(at, _)| *at));
        node.modems = config.all_networks().map(modems).collect();
        (0..config.devices.count).for_each(|place| node.watch_life(place));
        node
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
        let owners = vec![(Owner::Server(server), None)];
        let edges = edges(&schedule.servers[server as usize]);
        let unhealthy = schedule.balancer.as_ref().map_or(&[][..], |balancer| balancer.unhealthy(server));
        let beliefs = unhealthy.iter().rev().flat_map(|sick| [(sick.end, true), (sick.begin, false)]).collect();
        let starts = vec![(Time::ZERO, 0)];
        Self { edges, beliefs, ..Self::new(config, schedule, seed, program, starter, owners, starts) }
    }

    fn new(
        config: &WorldConfig,
        schedule: &Schedule,
        seed: u64,
        program: Program,
        starter: &Starter,
        owners: Vec<(Owner, Option<Life>)>,
        mut starts: Vec<(Time, u32)>,
    ) -> Self {
        let is_server = matches!(owners.first(), Some((Owner::Server(_), _)));
        let board = Arc::new(Mutex::new(Board::default()));
        let settings = if is_server { &config.server.tcp } else { &config.devices.tcp };
        // Programs set it, or do not.
        let tcp = Arc::new(TcpConfig { nodelay: false, ..TcpConfig::of(settings) });
        let kinds: Arc<[NetworkKind]> = config.all_networks().map(|network| network.kind).collect();
        let has_states = config.life.has_states();
        let machine = |(place, (owner, life)): (u32, (Owner, Option<Life>))| {
            let (board, gate, tcp, kinds) = (board.clone(), starter.gate().clone(), tcp.clone(), kinds.clone());
            let (servers, backlog) = (config.server.count, config.server.backlog as usize);
            let life = life.map(LifeProgress::new);
            let balancer = schedule.balancer.clone();
            Arc::new(Mutex::new(Kernel::new(Make {
                owner,
                place,
                board,
                gate,
                tcp,
                seed,
                servers,
                backlog,
                balancer,
                life,
                kinds,
                has_states,
            })))
        };
        let machines: Vec<_> = (0..).zip(owners).map(machine).collect();
        starts.sort_unstable_by(|a, b| b.cmp(a));
        let counts = DeviceCounts {
            series: Tally::new(config.duration),
            intervals: vec![None; config.devices.count as usize],
            ..DeviceCounts::default()
        };
        let running = machines.iter().map(|_| None).collect();
        Self {
            program,
            starter: starter.clone(),
            machines,
            board,
            modems: Vec::new(),
            radios: Timers::default(),
            lives: Timers::default(),
            end: Time::ZERO + config.duration,
            starts,
            running,
            edges: Vec::new(),
            stalls: 0,
            deaths: 0,
            silences: 0,
            beliefs: Vec::new(),
            resets: config.server.balancer.as_ref().is_some_and(|it| it.on_unhealthy == OnUnhealthy::Reset),
            flows: Vec::new(),
            is_server,
            carriers: Carriers::new(&schedule.networks),
            counts,
        }
    }

    /// Sets when something happens to a device next.
    fn watch_life(&mut self, place: u32) {
        let next = lock(&self.machines[place as usize]).next_of_life();
        self.lives.set(place, next);
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
                        io.send(address::network_of_client(*packet.dst.ip()) as usize, 0, packet);
                    }
                    Out::Packet(packet, counts) => {
                        let network = address::network_of_device(*packet.src.ip());
                        let ready = match self.modems[network as usize].get_mut(place as usize) {
                            Some(modem) => {
                                let ready = modem.send(now, packet, counts);
                                self.radios.set(place, radio_wake(&self.modems, place));
                                ready
                            }
                            None => Some((packet, counts)),
                        };
                        if let Some(counted) = ready {
                            self.transmit(place, counted, now, io);
                        }
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

    /// Puts a packet of a device on the link of its network, as soon as the next hop there is known.
    fn transmit(&mut self, place: u32, counted: Counted, now: Time, io: &mut Io) {
        let network = address::network_of_device(*counted.0.src.ip());
        let has_carrier = self.carriers.has(place, network, now);
        let ready = lock(&self.machines[place as usize]).send_to_next_hop(counted, has_carrier, now);
        if let Some((packet, counts)) = ready {
            self.counts.totals.up += counts;
            io.send(network as usize, place, packet);
        }
    }

    /// Sends what has waited for a next hop that answers now; tells TCP of what has waited in vain.
    fn run_next_hops(&mut self, place: u32, now: Time, io: &mut Io) {
        let machine = self.machines[place as usize].clone();
        let mut kernel = lock(&machine);
        while let Some(waited) = kernel.run_next_hops(|network| self.carriers.has(place, network, now), now) {
            match waited {
                Waited::Leave(waiting) => {
                    for (packet, counts) in waiting {
                        if kernel.has_address(*packet.src.ip()) {
                            self.counts.totals.up += counts;
                            io.send(address::network_of_device(*packet.src.ip()) as usize, place, packet);
                        } else {
                            io.dropped(&packet, DropReason::NetworkLeft);
                        }
                    }
                }
                Waited::GivenUp(waiting) => {
                    for (packet, _) in waiting {
                        io.dropped(&packet, DropReason::NoNeighbour);
                        if let Some(error) = packet.undelivered(Obstacle::HostUnreachable) {
                            kernel.on_packet(&error, now);
                        }
                    }
                }
            }
        }
    }

    fn start(&mut self, place: u32, now: Time) {
        lock(&self.machines[place as usize]).ring(now);
        let started = self.starter.start(self.program.clone(), &self.machines[place as usize]);
        self.running[place as usize] = Some(started);
    }

    /// Lets happen to the hosts what happens up to this moment.
    fn keep_to_schedule(&mut self, now: Time, io: &mut Io) {
        while let Some(edge) = self.edges.pop_if(|edge| edge.at <= now) {
            self.apply(&edge, now);
        }
        while let Some((_, healthy)) = self.beliefs.pop_if(|(at, _)| *at <= now) {
            self.believe(healthy, now);
        }
        while let Some(place) = self.lives.pop_due(now) {
            self.live(place, now, io);
            self.watch_life(place);
        }
    }

    /// Lets happen to a device what happens at this moment.
    fn live(&mut self, place: u32, now: Time, io: &mut Io) {
        let machine = self.machines[place as usize].clone();
        let mut radios: Vec<Switch> = Vec::new();
        lock(&machine).end_linger(now, &mut radios);
        loop {
            for (network, on) in radios.drain(..) {
                self.switch_radio(place, network, on, now, io);
            }
            let Some(what) = lock(&machine).pop_life(now) else { break };
            lock(&machine).wake_processor(now);
            match what {
                LifeEvent::Moves(to) => lock(&machine).relocate(&to, now, &mut radios),
                // What does not run cannot be killed, and what runs is not started.
                LifeEvent::Dies => {
                    if let Some(task) = self.running[place as usize].take() {
                        lock(&machine).kill(now);
                        self.starter.kill(&task);
                    }
                }
                LifeEvent::Starts => {
                    let has_begun = self.starts.iter().all(|(_, waiting)| *waiting != place);
                    if self.running[place as usize].is_none() && has_begun {
                        lock(&machine).start_again(now);
                        self.start(place, now);
                    }
                }
                LifeEvent::Turns(state) => lock(&machine).turn(state, now),
                LifeEvent::StandsStill(is_still) => lock(&machine).stand_still(is_still, now),
                LifeEvent::Freezes(is_frozen) => lock(&machine).freeze_up(is_frozen, &mut radios),
                LifeEvent::SendsMalformed => unreachable!("guests are not run in worlds where this happens"),
            }
        }
        lock(&machine).go_on_if_roused(now);
    }

    /// Switches a device's radio for a network on or off. What still waited for it is lost.
    fn switch_radio(&mut self, place: u32, network: u32, on: bool, now: Time, io: &mut Io) {
        if let Some(modem) = self.modems[network as usize].get_mut(place as usize) {
            modem.switch(now, on).for_each(|packet| io.dropped(&packet, DropReason::NetworkLeft));
            self.radios.set(place, radio_wake(&self.modems, place));
        }
    }

    /// A radio that was waited for is up: what has waited goes on, what is sent first.
    fn rise(&mut self, place: u32, now: Time, io: &mut Io) {
        let machine = self.machines[place as usize].clone();
        for network in 0..self.modems.len() {
            let modem = self.modems[network].get_mut(place as usize);
            let Some(risen) = modem.and_then(|modem| modem.rise(now)) else { continue };
            io.note(Fact::Device { device: place, event: DeviceEvent::RadioUp { waited: risen.waited } });
            for (packet, counts) in risen.up {
                let has_address = lock(&machine).has_address(*packet.src.ip());
                if has_address {
                    self.transmit(place, (packet, counts), now, io);
                } else {
                    io.dropped(&packet, DropReason::NetworkLeft);
                }
            }
            for packet in risen.down {
                let mut kernel = lock(&machine);
                if kernel.has_address(*packet.dst.ip()) {
                    kernel.on_packet(&packet, now);
                } else {
                    io.dropped(&packet, DropReason::NetworkLeft);
                }
            }
        }
        self.radios.set(place, radio_wake(&self.modems, place));
    }

    /// Returns a packet that comes off the link, once the radio lets it through.
    fn receive(&mut self, place: u32, packet: Packet, now: Time, io: &mut Io) -> Option<Packet> {
        let mut kernel = lock(&self.machines[place as usize]);
        if kernel.is_frozen() {
            io.dropped(&packet, DropReason::HostDown);
            return None;
        }
        let ip = *packet.dst.ip();
        if !kernel.has_address(ip) {
            io.dropped(&packet, DropReason::NoRoute);
            return None;
        }
        kernel.count_arrival(&packet, &mut self.counts.totals.down);
        drop(kernel);
        let modems = &mut self.modems[address::network_of_device(ip) as usize];
        let Some(modem) = modems.get_mut(place as usize) else { return Some(packet) };
        let ready = modem.receive(now, packet);
        self.radios.set(place, radio_wake(&self.modems, place));
        ready
    }

    /// Lets a fault of the server begin or end.
    fn apply(&mut self, edge: &Edge, now: Time) {
        let begins = edge.turn == Turn::Begins;
        let ran = self.deaths == 0 && self.silences == 0;
        let under_way = match edge.effect {
            ServerEffect::Stops => &mut self.stalls,
            ServerEffect::Dies => &mut self.deaths,
            ServerEffect::Silences(_) => &mut self.silences,
            ServerEffect::Slows { .. }
            | ServerEffect::RepliesLate { .. }
            | ServerEffect::Drains { .. }
            | ServerEffect::HalfDies(_) => {
                unreachable!("guests are not run in worlds where this happens")
            }
        };
        *under_way = if begins { *under_way + 1 } else { *under_way - 1 };
        let runs = self.deaths == 0 && self.silences == 0;
        let mut kernel = lock(&self.machines[0]);
        let event = if begins { ServerEvent::FaultBegan(edge.cause) } else { ServerEvent::FaultEnded(edge.cause) };
        kernel.tell_server(event, now);
        if begins && matches!(edge.effect, ServerEffect::Silences(_)) {
            self.flows = kernel.power_off(now);
        } else if ran && !runs {
            kernel.kill(now);
        }
        if self.silences == 0 {
            kernel.power_on();
        }
        kernel.set_still(self.stalls > 0, now);
        drop(kernel);
        if let Some(task) = self.running[0].take_if(|_| !runs) {
            self.starter.kill(&task);
        }
        if !ran && runs {
            self.start(0, now);
        }
    }

    /// The balancer changes its mind about the server.
    fn believe(&mut self, healthy: bool, now: Time) {
        let mut kernel = lock(&self.machines[0]);
        kernel.tell_server(if healthy { ServerEvent::TurnedHealthy } else { ServerEvent::TurnedUnhealthy }, now);
        let is_cut_off = self.resets && !healthy;
        kernel.cut_off(is_cut_off);
        if is_cut_off && self.silences > 0 {
            kernel.send_resets(std::mem::take(&mut self.flows), now);
        } else if is_cut_off {
            kernel.reset_all(now);
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
        // What happens at this very moment to a server comes first.
        if self.is_server {
            self.keep_to_schedule(now, io);
            lock(&self.machines[0]).on_packet(&packet, now);
        } else if let Some(packet) = self.receive(place, packet, now, io) {
            lock(&self.machines[place as usize]).on_packet(&packet, now);
        }
        self.flush(now, io);
    }

    fn on_wake(&mut self, now: Time, io: &mut Io) {
        while let Some(place) = self.radios.pop_due(now) {
            self.rise(place, now, io);
        }
        self.keep_to_schedule(now, io);
        while let Some((_, place)) = self.starts.pop_if(|(at, _)| *at <= now) {
            self.start(place, now);
        }
        loop {
            let due = lock(&self.board).timers.pop_due(now);
            let Some(place) = due else { break };
            lock(&self.machines[place as usize]).run_timers(now);
            self.run_next_hops(place, now, io);
        }
        self.flush(now, io);
    }

    fn next_wake(&self) -> Option<Time> {
        let board = lock(&self.board);
        let sends = (!board.dirty.is_empty()).then_some(board.since);
        let starts = self.starts.last().map(|(at, _)| *at);
        let edges = self.edges.last().map(|edge| edge.at);
        let timers = [board.timers.next(), self.radios.next(), self.lives.next()];
        let beliefs = self.beliefs.last().map(|(at, _)| *at);
        [sends, starts, edges, beliefs].into_iter().chain(timers).flatten().min()
    }

    fn into_counts(self: Box<Self>) -> Counts {
        if self.is_server {
            return Counts::Server { busy: std::time::Duration::ZERO };
        }
        let end = self.end;
        let radio =
            self.modems.into_iter().flatten().map(|modem| modem.into_use(end)).reduce(|mut sum: RadioUse, of_one| {
                sum += of_one;
                sum
            });
        Counts::Devices(Box::new(DeviceCounts { radio, ..self.counts }))
    }
}

/// Returns when a radio of a device is up that is waited for.
fn radio_wake(modems: &[Vec<Modem>], place: u32) -> Option<Time> {
    modems.iter().filter_map(|of_network| of_network.get(place as usize)).filter_map(Modem::next_wake).min()
}
