//! A server: a kernel that acknowledges and a process that answers, kept apart, so that one can fail without the other.
//!
//! This file knows the faults and the order of things within the node; `kernel` is the host's TCP, `app` the process.

mod app;
mod kernel;

use std::sync::Arc;

use cardiogram_policies::{ServerSpec, Time};

use self::{app::App, kernel::Kernel};
use crate::{
    config::{FrameSizes, ServerConfig, TrafficConfig},
    node::{Counts, Io, Node},
    outcome::Cause,
    packet::Packet,
    schedule::Interval,
    tcp::TcpConfig,
    trace::{DropReason, ServerEvent},
};

pub(crate) struct Server {
    index: u32,
    kernel: Kernel,
    app: App,
    /// Begins and ends of faults, the next one last.
    edges: Vec<Edge>,
    /// Faults under way that stop the process, that leave none running, that silence the host.
    stalls: u32,
    deaths: u32,
    silences: u32,
}

/// What a server is told about its devices when it is made.
pub(crate) struct Clients {
    pub(crate) start_within: std::time::Duration,
    pub(crate) traffic: TrafficConfig,
    pub(crate) frames: FrameSizes,
}

/// A fault of this server and when it acts.
pub(crate) struct ServerFaults {
    pub(crate) cause: Cause,
    pub(crate) intervals: Vec<Interval>,
}

struct Edge {
    at: Time,
    begins: bool,
    cause: Cause,
}

impl Server {
    pub(crate) fn new(
        index: u32,
        config: &ServerConfig,
        policy: ServerSpec,
        clients: Clients,
        faults: &[ServerFaults],
        seed: u64,
    ) -> Self {
        let tcp = Arc::new(TcpConfig::preset(config.tcp));
        Self {
            index,
            kernel: Kernel::new(index, tcp, config.backlog, seed),
            app: App::new(index, config.clone(), policy, clients, seed),
            edges: edges(faults),
            stalls: 0,
            deaths: 0,
            silences: 0,
        }
    }

    const fn process_runs(&self) -> bool {
        self.deaths == 0 && self.silences == 0
    }

    fn apply(&mut self, edge: &Edge, now: Time, io: &mut Io) {
        let ran = self.process_runs();
        let count = match edge.cause {
            Cause::ServerStall => &mut self.stalls,
            Cause::ServerCrash | Cause::ServerRestart => &mut self.deaths,
            _ => &mut self.silences,
        };
        if edge.begins {
            *count += 1;
            io.server(self.index, ServerEvent::FaultBegan(edge.cause));
        } else {
            *count -= 1;
            io.server(self.index, ServerEvent::FaultEnded(edge.cause));
        }
        let vanishes = edge.begins && edge.cause == Cause::ServerVanish;
        if vanishes {
            self.app.die(io);
            self.kernel.power_off();
        } else if ran && !self.process_runs() {
            self.app.die(io);
            self.kernel.process_died(now, io);
        }
        if !ran && self.process_runs() {
            self.kernel.listen();
            self.app.start();
        }
        self.app.set_stalled(self.stalls > 0, now, &mut self.kernel, io);
    }

    /// Lets the process work as far as it can at this moment.
    fn run_process(&mut self, now: Time, io: &mut Io) {
        if self.process_runs() {
            self.app.run(now, &mut self.kernel, io);
        }
    }
}

/// All begins and ends, in order of time; at equal times an end comes before a begin. The next one is last.
fn edges(faults: &[ServerFaults]) -> Vec<Edge> {
    let mut edges: Vec<Edge> = faults
        .iter()
        .flat_map(|fault| fault.intervals.iter().map(move |interval| (fault.cause, *interval)))
        .flat_map(|(cause, interval)| {
            [Edge { at: interval.begin, begins: true, cause }, Edge { at: interval.end, begins: false, cause }]
        })
        .filter(|edge| edge.at < Time::MAX)
        .collect();
    edges.sort_by_key(|edge| std::cmp::Reverse((edge.at, edge.begins, edge.cause)));
    edges
}

impl Node for Server {
    fn on_packet(&mut self, now: Time, packet: Packet, io: &mut Io) {
        // A fault that begins at this very moment comes first.
        self.on_wake(now, io);
        if self.silences > 0 {
            io.dropped(&packet, DropReason::HostDown);
            return;
        }
        self.kernel.on_packet(now, &packet, io);
        self.app.on_kernel(now, &mut self.kernel, io);
        self.run_process(now, io);
    }

    fn on_wake(&mut self, now: Time, io: &mut Io) {
        while let Some(edge) = self.edges.pop_if(|edge| edge.at <= now) {
            self.apply(&edge, now, io);
        }
        if self.silences == 0 {
            self.kernel.run_timers(now, io);
            self.app.on_kernel(now, &mut self.kernel, io);
        }
        self.run_process(now, io);
    }

    fn next_wake(&self) -> Option<Time> {
        let fault = self.edges.last().map(|edge| edge.at);
        let app = if self.process_runs() { self.app.next_wake() } else { None };
        [fault, self.kernel.next_timer(), app].into_iter().flatten().min()
    }

    fn into_counts(self: Box<Self>) -> Counts {
        Counts { server_busy: self.app.busy(), ..Counts::default() }
    }
}
