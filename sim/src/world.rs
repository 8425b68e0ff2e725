//! Puts a world together: nodes, links, fault schedules, and the names and numbers that tie them. What the nodes do is
//! their own business.

use cardiogram_policies::{Time, unit::Span};

use crate::{
    config::{Direction, Distribution, FaultConfig, LinkName, NatFlush, WorldConfig},
    device::DeviceGroup,
    link::{LaneConfig, Link},
    link_faults::{self, Cuts},
    nat::Nat,
    node::Host,
    random::Coins,
    schedule,
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

impl Schedule {
    pub(crate) fn draw(config: &WorldConfig, seed: u64) -> Self {
        let horizon = Time::ZERO + config.duration;
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
            access: (0..config.devices.count)
                .map(|device| link_faults::cuts(config, LinkName::Access, u64::from(device), seed))
                .collect(),
            core: link_faults::cuts(config, LinkName::Core, 0, seed),
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
    let lane = |link: LinkName, up: bool, index: u64, cuts: &Cuts| {
        let (component, direction) = match (link, up) {
            (LinkName::Access, true) => ("link/access", "link/access/up"),
            (LinkName::Access, false) => ("link/access", "link/access/down"),
            (LinkName::Core, true) => ("link/core", "link/core/up"),
            (LinkName::Core, false) => ("link/core", "link/core/down"),
        };
        // Devices have faults of their own; servers share those of the core link, each with its own luck.
        let fault_index = if link == LinkName::Access { index } else { 0 };
        let coins = |fault: &str| Coins::new(seed, &format!("{direction}/{fault}"), index);
        let not_in = if up { Direction::Down } else { Direction::Up };
        LaneConfig {
            component,
            direction,
            index,
            cuts: if up { cuts.up.clone() } else { cuts.down.clone() },
            effects: link_faults::effects(config, link, not_in, fault_index, seed, coins),
        }
    };
    let access = |up: bool| {
        let lanes = schedule.access.iter().enumerate();
        Link::new(&config.access, seed, lanes.map(|(device, cuts)| lane(LinkName::Access, up, device as u64, cuts)))
    };
    let core = |up: bool, server: u32| {
        let lane = lane(LinkName::Core, up, u64::from(server), &schedule.core);
        Link::new(&config.core, seed, std::iter::once(lane))
    };

    let devices = DeviceGroup::new(config, seed);
    let nat = Nat::new(config.nat.clone(), config.devices.count, servers, schedule.flushes.clone(), seed);
    let nat_links = std::iter::once((DEVICES, access(false)))
        .chain((0..servers).map(|server| (server_node(server), core(true, server))));

    let mut hosts = vec![
        Host::new(DEVICES, Box::new(devices), vec![(NAT, access(true))], keep_trace),
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
        let link = (NAT, core(false, server));
        hosts.push(Host::new(server_node(server), Box::new(node), vec![link], keep_trace));
    }
    hosts
}
