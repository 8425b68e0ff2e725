//! Puts a world together: nodes, links, fault schedules, and the names and numbers that tie them. What the nodes do is
//! their own business.

use std::rc::Rc;

use cardiogram_policies::{Time, unit::Span};

use crate::{
    balancer::Balancer,
    config::{
        Direction, Distribution, FaultConfig, LinkConfig, LinkName, NatFlush, NatTimeout, WakeupConfig, WorldConfig,
    },
    device::DeviceGroup,
    link::{Effect, LaneConfig, Link, What},
    link_faults::{self, Cuts},
    nat::{Nat, NatFaults, Place},
    node::Host,
    random::Coins,
    schedule,
    server::{Clients, Server, ServerFaults},
    trace::NodeId,
};

/// The nodes of a world: the devices, the NATs from there to the servers, the servers in order.
pub(crate) const DEVICES: NodeId = NodeId(0);

/// The node of a NAT.
const fn nat_node(nat: u32) -> NodeId {
    NodeId(1 + nat)
}

/// The node of a server behind so many NATs.
const fn server_node(nats: u32, server: u32) -> NodeId {
    NodeId(1 + nats + server)
}

/// How long a packet is under way between two NATs.
pub(crate) const BETWEEN_NATS: Span = Span::millis(1);

/// The names of the nodes, in order.
pub(crate) fn node_names(config: &WorldConfig) -> Vec<String> {
    let nats = config.nat.len();
    let nat = |index| if nats == 1 { "nat".to_owned() } else { format!("nat-{index}") };
    let servers = (0..config.server.count).map(|server| format!("server-{server}"));
    std::iter::once("devices".to_owned()).chain((0..nats).map(nat)).chain(servers).collect()
}

/// The faults of a world, drawn.
pub(crate) struct Schedule {
    /// Cuts of each device's access link, up and down.
    pub(crate) access: Vec<Cuts>,
    /// Cuts of the core link.
    pub(crate) core: Cuts,
    /// Faults of each NAT.
    pub(crate) nats: Vec<NatFaults>,
    /// Faults of each server.
    pub(crate) servers: Vec<Vec<ServerFaults>>,
    /// What stands in front of the servers, if anything.
    pub(crate) balancer: Option<Rc<Balancer>>,
}

impl Schedule {
    pub(crate) fn draw(config: &WorldConfig, seed: u64) -> Self {
        let horizon = Time::ZERO + config.duration;
        let servers: Vec<_> = (0..config.server.count).map(|server| ServerFaults::draw(config, server, seed)).collect();
        Self {
            balancer: Balancer::draw(config, &servers, seed).map(Rc::new),
            access: (0..config.devices.count)
                .map(|device| link_faults::cuts(config, LinkName::Access, u64::from(device), seed))
                .collect(),
            core: link_faults::cuts(config, LinkName::Core, 0, seed),
            nats: (0..config.nat.len() as u32).map(|nat| nat_faults(config, nat, horizon, seed)).collect(),
            servers,
        }
    }
}

fn nat_faults(config: &WorldConfig, nat: u32, horizon: Time, seed: u64) -> NatFaults {
    let mut flushes = Vec::new();
    let mut shifts = Vec::new();
    for (name, fault) in numbered(config) {
        let hits = |of: Option<u32>| of.is_none_or(|of| of == nat);
        match fault {
            FaultConfig::NatFlush(NatFlush { nat: of, when }) if hits(*of) => {
                // A flush takes no time of its own; the shortest length keeps two of them apart.
                let instant = Distribution::Constant(Span::millis(1));
                let drawn = schedule::intervals(when, Some(&instant), horizon, seed, &name, u64::from(nat));
                flushes.extend(drawn.iter().map(|interval| interval.begin));
            }
            FaultConfig::NatTimeout(NatTimeout { nat: of, when, lasts, established }) if hits(*of) => {
                let drawn = schedule::intervals(when, lasts.as_ref(), horizon, seed, &name, u64::from(nat));
                shifts.extend(drawn.into_iter().map(|interval| (interval, established.get())));
            }
            _ => {}
        }
    }
    flushes.sort_unstable();
    NatFaults { flushes, timeouts: schedule::lowest(&shifts) }
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

    let devices = DeviceGroup::new(config, schedule.balancer.clone(), seed);
    let nats = config.nat.len() as u32;
    let first = vec![(nat_node(0), access(true))];
    let mut hosts = vec![Host::new(DEVICES, Box::new(devices), first, keep_trace)];
    for nat in 0..nats {
        let is_last = nat + 1 == nats;
        let inside =
            if nat == 0 { (DEVICES, access(false)) } else { (nat_node(nat - 1), between_nats(seed, "link/nat/down")) };
        let mut links = vec![inside];
        if is_last {
            links.extend((0..servers).map(|server| (server_node(nats, server), core(true, server))));
        } else {
            links.push((nat_node(nat + 1), between_nats(seed, "link/nat/up")));
        }
        let place = Place { index: nat, is_last, devices: config.devices.count, servers };
        let node = Nat::new(config.nat[nat as usize].clone(), place, &schedule.nats[nat as usize], seed);
        hosts.push(Host::new(nat_node(nat), Box::new(node), links, keep_trace));
    }
    for server in 0..servers {
        let clients = Clients {
            start_within: config.devices.start_within.get(),
            traffic: config.traffic.clone(),
            frames: config.devices.frames,
            wakeup: config.wakeup.clone(),
        };
        let faults = &schedule.servers[server as usize];
        let unhealthy = schedule.balancer.as_ref().map_or(&[][..], |balancer| balancer.unhealthy(server));
        let policy = config.strategy.server.clone();
        let node = Server::new(server, &config.server, policy, clients, faults, unhealthy, seed);
        let mut links = vec![(nat_node(nats - 1), core(false, server))];
        links.extend(config.wakeup.as_ref().map(|wakeup| (DEVICES, push_service(wakeup, schedule, seed))));
        hosts.push(Host::new(server_node(nats, server), Box::new(node), links, keep_trace));
    }
    hosts
}

/// The way from a server to the devices through the push service, which keeps what a device cannot receive.
fn push_service(config: &WakeupConfig, schedule: &Schedule, seed: u64) -> Link {
    let link = LinkConfig { packet_loss: config.loss, ..LinkConfig::of_delay(config.delay.clone()) };
    let lanes = schedule.access.iter().zip(0..).map(|(cuts, index)| {
        let coins = Coins::new(seed, "wakeup/store", index);
        let stored = Effect::new(What::Store, coins, cuts.down.to_vec());
        LaneConfig { component: "wakeup", direction: "wakeup", index, cuts: [].into(), effects: vec![stored] }
    });
    Link::new(&link, seed, lanes)
}

/// One direction of the link between two NATs: constant, and nothing is lost on it.
fn between_nats(seed: u64, direction: &'static str) -> Link {
    let config = LinkConfig::of_delay(Distribution::Constant(BETWEEN_NATS));
    let lane = LaneConfig { component: "link/nat", direction, index: 0, cuts: [].into(), effects: Vec::new() };
    Link::new(&config, seed, std::iter::once(lane))
}
