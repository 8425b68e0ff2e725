//! Puts a world together: nodes, links, fault schedules, and the names and numbers that tie them. What the nodes do is
//! their own business.

use std::rc::Rc;

use cardiogram_policies::{Time, unit::Span};

use crate::{
    config::{Cut, Direction, Distribution, FaultConfig, LinkName, NatFlush, WorldConfig},
    device::DeviceGroup,
    link::{LaneConfig, Link},
    nat::Nat,
    node::Host,
    schedule::{self, Interval},
    server::{Clients, Server, ServerFaults},
    trace::NodeId,
};

/// The nodes of a world: the devices, the NAT, the servers in order.
pub(crate) const DEVICES: NodeId = NodeId(0);
pub(crate) const NAT: NodeId = NodeId(1);

/// The node of a server.
pub(crate) const fn server_node(server: u32) -> NodeId {
    NodeId(2 + server)
}

/// The names of the nodes, in order.
pub(crate) fn node_names(config: &WorldConfig) -> Vec<String> {
    let servers = (0..config.server.count).map(|server| format!("server-{server}"));
    ["devices".to_owned(), "nat".to_owned()].into_iter().chain(servers).collect()
}

/// The faults of a world, drawn.
pub(crate) struct Schedule {
    /// Cuts of each device's access link, up and down.
    pub(crate) access: Vec<Cuts>,
    /// Cuts of the core link.
    pub(crate) core: Cuts,
    pub(crate) flushes: Vec<Time>,
    /// Faults of each server.
    pub(crate) servers: Vec<Vec<ServerFaults>>,
}

/// Cuts of one link or lane by direction.
#[derive(Clone)]
pub(crate) struct Cuts {
    pub(crate) up: Rc<[Interval]>,
    pub(crate) down: Rc<[Interval]>,
}

impl Schedule {
    pub(crate) fn draw(config: &WorldConfig, seed: u64) -> Self {
        let horizon = Time::ZERO + config.duration;
        let cuts = |link: LinkName, index: u64| {
            let mut cuts = (Vec::new(), Vec::new());
            for (fault, config) in numbered(config) {
                if let FaultConfig::Cut(Cut { link: of, direction, when, lasts }) = config
                    && *of == link
                {
                    let drawn = schedule::intervals(when, lasts.as_ref(), horizon, seed, &fault, index);
                    if *direction != Direction::Down {
                        cuts.0.extend(&drawn);
                    }
                    if *direction != Direction::Up {
                        cuts.1.extend(&drawn);
                    }
                }
            }
            Cuts { up: schedule::merge(cuts.0).into(), down: schedule::merge(cuts.1).into() }
        };
        let mut flushes = Vec::new();
        for (fault, config) in numbered(config) {
            if let FaultConfig::NatFlush(NatFlush { when }) = config {
                // A flush takes no time of its own; the shortest length keeps two of them apart.
                let instant = Distribution::Constant(Span::millis(1));
                let drawn = schedule::intervals(when, Some(&instant), horizon, seed, &fault, 0);
                flushes.extend(drawn.iter().map(|interval| interval.begin));
            }
        }
        flushes.sort_unstable();
        Self {
            access: (0..config.devices.count).map(|device| cuts(LinkName::Access, u64::from(device))).collect(),
            core: cuts(LinkName::Core, 0),
            flushes,
            servers: (0..config.server.count).map(|server| ServerFaults::draw(config, server, seed)).collect(),
        }
    }
}

/// The faults, each with the name of its stream: its place in the file.
pub(crate) fn numbered(config: &WorldConfig) -> impl Iterator<Item = (String, &FaultConfig)> {
    config.faults.iter().enumerate().map(|(place, fault)| (format!("fault/{place}"), fault))
}

/// The hosts of a world in the order of their [`NodeId`]s.
pub(crate) fn hosts(config: &WorldConfig, seed: u64, schedule: &Schedule, keep_trace: bool) -> Vec<Host> {
    let servers = config.server.count;
    let access_lanes = |direction: &'static str, up: bool| {
        schedule.access.iter().enumerate().map(move |(device, cuts)| LaneConfig {
            component: "link/access",
            direction,
            index: device as u64,
            cuts: if up { cuts.up.clone() } else { cuts.down.clone() },
        })
    };
    let core = |direction: &'static str, server: u32| {
        let cuts = if direction == "link/core/up" { &schedule.core.up } else { &schedule.core.down };
        let lane = LaneConfig { component: "link/core", direction, index: u64::from(server), cuts: cuts.clone() };
        Link::new(&config.core, seed, std::iter::once(lane))
    };

    let devices = DeviceGroup::new(&config.devices, &config.traffic, &config.strategy, &config.bounds(), servers, seed);
    let access_up = Link::new(&config.access, seed, access_lanes("link/access/up", true));
    let access_down = Link::new(&config.access, seed, access_lanes("link/access/down", false));
    let nat = Nat::new(config.nat.clone(), config.devices.count, servers, schedule.flushes.clone(), seed);
    let nat_links = std::iter::once((DEVICES, access_down))
        .chain((0..servers).map(|server| (server_node(server), core("link/core/up", server))));

    let mut hosts = vec![
        Host::new(DEVICES, Box::new(devices), vec![(NAT, access_up)], keep_trace),
        Host::new(NAT, Box::new(nat), nat_links.collect(), keep_trace),
    ];
    for server in 0..servers {
        let clients = Clients {
            start_within: config.devices.start_within.get(),
            traffic: config.traffic.clone(),
            frames: config.devices.frames,
        };
        let faults = &schedule.servers[server as usize];
        let node = Server::new(server, &config.server, config.strategy.server.clone(), clients, faults, seed);
        let link = (NAT, core("link/core/down", server));
        hosts.push(Host::new(server_node(server), Box::new(node), vec![link], keep_trace));
    }
    hosts
}
