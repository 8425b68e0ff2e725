//! A server: a kernel that acknowledges and a process that answers, kept apart, so that one can fail without the other.
//!
//! This file knows the faults and the order of things within the node; `kernel` is the host's TCP, `app` the process.

mod app;
mod kernel;
mod login_limit;
mod wakeups;
mod work;

use cardiogram_policies::{ServerSpec, Time};

pub(crate) use self::kernel::send;
use self::{app::App, kernel::Kernel};
use crate::{
    config::{FrameSizes, OnUnhealthy, ServerConfig, ServerEffect, TrafficConfig, WakeupConfig},
    fate::{
        schedule::Interval,
        server_faults::{Edge, ServerFaults, Turn, edges},
        struck::Struck,
    },
    nodes::node::{Io, Node},
    record::{
        counts::Counts,
        trace::{DropReason, Fact, ServerEvent},
    },
    wire::packet::Packet,
};

pub(crate) struct Server {
    index: u32,
    kernel: Kernel,
    app: App,
    /// Begins and ends of faults, the next one last.
    edges: Vec<Edge>,
    /// Faults under way that stop the process, that drain it, that leave none running, that silence the host.
    stalls: u32,
    drains: u32,
    deaths: u32,
    silences: u32,
    /// Faults under way that strike some devices alone.
    some: Vec<ForSome>,
    /// When the balancer changes its mind, to healthy or not; the next one last.
    beliefs: Vec<(Time, bool)>,
    /// Whether the balancer resets the connections of an unhealthy server.
    resets: bool,
    /// It has: what is sent on one of them, it answers itself.
    is_cut_off: bool,
    /// The RSTs that it will send for a host that cannot.
    flows: Vec<Packet>,
}

/// A fault under way for some devices.
#[derive(PartialEq)]
struct ForSome {
    struck: Struck,
    /// A drain that has closed its last session is over: what is left of it is that there is no process.
    effect: ServerEffect,
}

/// What the process has at hand at a moment: the time, its host's kernel, and the record.
struct Context<'a, 'io> {
    server: u32,
    now: Time,
    kernel: &'a mut Kernel,
    io: &'a mut Io<'io>,
}

impl Context<'_, '_> {
    /// Notes what happens to the server.
    fn note(&mut self, event: ServerEvent) {
        self.io.note(Fact::Server { server: self.server, event });
    }

    /// Reads what has arrived on a connection.
    fn read(&mut self, slot: u32, into: &mut Vec<u8>) {
        self.kernel.read(slot, self.now, into, self.io);
    }

    fn write(&mut self, slot: u32, bytes: &[u8]) {
        self.kernel.write(slot, self.now, bytes, self.io);
    }

    fn close(&mut self, slot: u32) {
        self.kernel.close(slot, self.now, self.io);
    }
}

/// What a server is told about its devices when it is made.
pub(crate) struct Clients {
    pub(crate) start_within: std::time::Duration,
    pub(crate) traffic: TrafficConfig,
    pub(crate) frames: FrameSizes,
    pub(crate) wakeup: Option<WakeupConfig>,
    /// The link to the devices through the push service, where there is one: behind those to the networks.
    pub(crate) push_service: usize,
}

impl Server {
    pub(crate) fn new(
        index: u32,
        config: &ServerConfig,
        policy: ServerSpec,
        clients: Clients,
        faults: &[ServerFaults],
        unhealthy: &[Interval],
        seed: u64,
    ) -> Self {
        let beliefs = unhealthy.iter().rev().flat_map(|sick| [(sick.end, true), (sick.begin, false)]).collect();
        Self {
            index,
            kernel: Kernel::new(index, config, seed),
            app: App::new(config.clone(), policy, clients, faults, seed),
            edges: edges(faults),
            stalls: 0,
            drains: 0,
            deaths: 0,
            silences: 0,
            some: Vec::new(),
            beliefs,
            resets: config.balancer.as_ref().is_some_and(|balancer| balancer.on_unhealthy == OnUnhealthy::Reset),
            is_cut_off: false,
            flows: Vec::new(),
        }
    }

    const fn process_runs(&self) -> bool {
        self.deaths == 0 && self.silences == 0
    }

    /// Hands the process something to do.
    fn with_app(&mut self, now: Time, io: &mut Io, work: impl FnOnce(&mut App, &mut Context)) {
        work(&mut self.app, &mut Context { server: self.index, now, kernel: &mut self.kernel, io });
    }

    fn note(&self, event: ServerEvent, io: &mut Io) {
        io.note(Fact::Server { server: self.index, event });
    }

    fn apply(&mut self, edge: &Edge, now: Time, io: &mut Io) {
        let ran = self.process_runs();
        match edge.turn {
            Turn::Begins => self.note(ServerEvent::FaultBegan(edge.cause), io),
            Turn::Ends => self.note(ServerEvent::FaultEnded(edge.cause), io),
            Turn::Drained => {}
        }
        if let ServerEffect::HalfDies(of) = edge.effect {
            let begins = edge.turn == Turn::Begins;
            self.with_app(now, io, |app, context| app.half_die(&edge.struck, of, begins, context));
            return;
        }
        if !edge.struck.is_all() {
            self.apply_for_some(edge, now, io);
            return;
        }
        let begins = edge.turn == Turn::Begins;
        match edge.effect {
            ServerEffect::Stops => count(&mut self.stalls, begins),
            ServerEffect::Dies => count(&mut self.deaths, begins),
            ServerEffect::Silences(_) => count(&mut self.silences, begins),
            ServerEffect::Slows { .. } | ServerEffect::RepliesLate { .. } | ServerEffect::HalfDies(_) => {}
            ServerEffect::Drains { over } => match edge.turn {
                Turn::Begins => {
                    self.drains += 1;
                    self.kernel.stop_listening(&Struck::All, now, io);
                    self.app.drain(now, over);
                }
                Turn::Drained => (self.drains, self.deaths) = (self.drains - 1, self.deaths + 1),
                Turn::Ends => self.deaths -= 1,
            },
        }
        if begins && matches!(edge.effect, ServerEffect::Silences(_)) {
            self.with_app(now, io, App::die);
            self.flows = self.kernel.power_off(now);
        } else if ran && !self.process_runs() {
            self.with_app(now, io, App::die);
            self.kernel.process_died(&Struck::All, now, io);
        }
        if !ran && self.process_runs() {
            if self.drains == 0 {
                self.kernel.listen();
            }
            self.app.start(now);
        }
        let stalled = self.stalls > 0;
        self.with_app(now, io, |app, context| app.set_stalled(stalled, context));
    }

    /// A change for some devices alone: it is to them as it would be to all, and to the others as if nothing were wrong.
    fn apply_for_some(&mut self, edge: &Edge, now: Time, io: &mut Io) {
        let struck = &edge.struck;
        let mut fault = ForSome { struck: struck.clone(), effect: edge.effect };
        if edge.turn != Turn::Begins {
            if edge.turn == Turn::Ends && matches!(edge.effect, ServerEffect::Drains { .. }) {
                fault.effect = ServerEffect::Dies;
            }
            let place = self.some.iter().position(|other| *other == fault).expect("what ends has begun");
            self.some.remove(place);
        }
        let now_dies = match (edge.turn, edge.effect) {
            (Turn::Begins, effect) => effect == ServerEffect::Dies,
            (Turn::Drained, _) => {
                fault.effect = ServerEffect::Dies;
                true
            }
            (Turn::Ends, _) => false,
        };
        let is_away = matches!(fault.effect, ServerEffect::Stops | ServerEffect::Dies | ServerEffect::Silences(_));
        if edge.turn == Turn::Ends {
            if is_away {
                self.with_app(now, io, |app, context| app.is_back_for(struck, context));
            }
            return;
        }
        if is_away {
            self.app.is_away_for(struck.clone());
        }
        if now_dies || matches!(fault.effect, ServerEffect::Silences(_)) {
            self.with_app(now, io, |app, context| app.die_for(struck, context));
        }
        match fault.effect {
            ServerEffect::Dies => self.kernel.process_died(struck, now, io),
            ServerEffect::Silences(_) => self.kernel.lose(struck),
            ServerEffect::Drains { over } => {
                self.kernel.stop_listening(struck, now, io);
                self.with_app(now, io, |app, context| app.drain_some(struck, over, context));
            }
            ServerEffect::Stops
            | ServerEffect::Slows { .. }
            | ServerEffect::RepliesLate { .. }
            | ServerEffect::HalfDies(_) => {}
        }
        self.some.push(fault);
    }

    /// Returns whether a fault that strikes some devices alone, and is such a one, strikes `device` now.
    fn strikes(&self, device: Option<u32>, is_such: impl Fn(ServerEffect) -> bool) -> bool {
        let Some(device) = device.filter(|_| !self.some.is_empty()) else { return false };
        self.some.iter().any(|fault| is_such(fault.effect) && fault.struck.has(device))
    }

    /// The balancer changes its mind about this server.
    fn believe(&mut self, healthy: bool, now: Time, io: &mut Io) {
        self.note(if healthy { ServerEvent::TurnedHealthy } else { ServerEvent::TurnedUnhealthy }, io);
        self.is_cut_off = self.resets && !healthy;
        if self.is_cut_off && self.silences > 0 {
            Kernel::send_resets(self.flows.drain(..), io);
        } else if self.is_cut_off {
            self.kernel.reset_all(now, io);
        }
    }

    /// Applies what is on the schedule up to this moment.
    fn keep_to_schedule(&mut self, now: Time, io: &mut Io) {
        while let Some(edge) = self.edges.pop_if(|edge| edge.at <= now) {
            self.apply(&edge, now, io);
        }
        while let Some((_, healthy)) = self.beliefs.pop_if(|(at, _)| *at <= now) {
            self.believe(healthy, now, io);
        }
    }
}

/// Counts a fault that begins or ends.
const fn count(under_way: &mut u32, begins: bool) {
    *under_way = if begins { *under_way + 1 } else { *under_way - 1 };
}

impl Node for Server {
    fn on_packet(&mut self, now: Time, packet: Packet, io: &mut Io) {
        // A fault that begins at this very moment comes first.
        self.keep_to_schedule(now, io);
        if self.silences > 0 {
            let opens = packet.opens();
            if self.is_cut_off && !opens {
                Kernel::refuse(&packet, io);
            } else {
                io.dropped(&packet, DropReason::HostDown);
            }
            return;
        }
        if self.strikes(packet.device, |effect| matches!(effect, ServerEffect::Silences(_))) {
            io.dropped(&packet, DropReason::HostDown);
            return;
        }
        let due = self.app.policy_deadline();
        let refuses = |effect| matches!(effect, ServerEffect::Dies | ServerEffect::Drains { .. });
        self.kernel.on_packet(now, &packet, !self.strikes(packet.device, refuses), io);
        self.with_app(now, io, App::on_kernel);
        if self.process_runs() {
            self.with_app(now, io, |app, context| app.hear(due, context));
        }
    }

    fn on_wake(&mut self, now: Time, io: &mut Io) {
        self.keep_to_schedule(now, io);
        if self.silences == 0 {
            self.kernel.run_timers(now, io);
            self.with_app(now, io, App::on_kernel);
        }
        if self.process_runs() {
            self.with_app(now, io, App::run);
        }
    }

    fn freeze(&mut self, now: Time) {
        self.edges.clear();
        self.beliefs.clear();
        self.kernel.freeze(now);
        self.app.freeze();
    }

    fn next_wake(&self) -> Option<Time> {
        let fault = self.edges.last().map(|edge| edge.at);
        let app = if self.process_runs() { self.app.next_wake() } else { None };
        let belief = self.beliefs.last().map(|(at, _)| *at);
        [fault, belief, self.kernel.next_timer(), app].into_iter().flatten().min()
    }

    fn into_counts(self: Box<Self>) -> Counts {
        Counts::Server { busy: self.app.busy() }
    }
}
