//! Puts a world together: a host for each node, with its links. What the nodes do is their own business; what is drawn for
//! them is in `fate`.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use super::{
    device::DeviceGroup,
    last_router::LastRouter,
    link::{LaneConfig, Link},
    nat::{Nat, Place},
    node::{Host, Node},
    proxy::{self, Proxy},
    server::{Clients, Server},
};
use crate::{
    config::{BETWEEN_NATS, Direction, Distribution, LinkConfig, Network, WakeupConfig, WorldConfig},
    fate::{
        NetworkSchedule, Schedule,
        effect::{Effect, EffectKind},
        link_faults::{self, LinkTarget},
        nat,
        random::Coins,
        schedule::{self, Interval},
        server_faults::ServerFaults,
    },
    record::recorder::Uses,
    wire::{
        layout::{DEVICES, Layout},
        packet::Obstacle,
        tcp::TcpConfig,
    },
};

/// Nodes that stand in a world in place of the lab's own.
#[derive(Default)]
pub(crate) struct Others {
    pub(crate) devices: Option<Box<dyn Node>>,
    /// By the number of the server.
    pub(crate) servers: BTreeMap<u32, Box<dyn Node>>,
}

/// Returns the hosts of a world in the order of their [`NodeId`]s.
pub(crate) fn hosts(config: &WorldConfig, seed: u64, schedule: &Schedule, uses: &Uses) -> Vec<Host> {
    hosts_with(config, seed, schedule, uses, Others::default())
}

/// The same with other nodes in the place of the lab's own.
pub(crate) fn hosts_with(
    config: &WorldConfig,
    seed: u64,
    schedule: &Schedule,
    uses: &Uses,
    mut others: Others,
) -> Vec<Host> {
    let data_counts = others.devices.is_none() && others.servers.is_empty();
    let layout = Layout::of(config);
    let networks: Vec<Network<'_>> = config.all_networks().collect();
    let wiring = Wiring { config, seed, schedule };
    let servers = config.server.count;

    let to_networks = (0..).zip(&networks).map(|(number, network)| {
        (layout.nat(number, 0), wiring.access(network, &schedule.networks[number as usize], true))
    });
    let own = || Box::new(DeviceGroup::new(config, schedule, seed)) as Box<dyn Node>;
    let devices = others.devices.unwrap_or_else(own);
    let mut hosts = vec![Host::new(DEVICES, devices, to_networks.collect(), uses)];
    for (number, network) in (0..).zip(&networks) {
        let of_network = &schedule.networks[number as usize];
        let nats = network.nat.len() as u32;
        for (index, nat) in (0..).zip(network.nat) {
            let is_last = index + 1 == nats;
            let inside = if index == 0 {
                (DEVICES, wiring.access(network, of_network, false))
            } else {
                (layout.nat(number, index - 1), wiring.between_nats(network, false))
            };
            let mut links = vec![inside];
            if is_last {
                let core = |server| (layout.front(server), wiring.core(network, true, server));
                links.extend((0..servers).map(core));
            } else {
                links.push((layout.nat(number, index + 1), wiring.between_nats(network, true)));
            }
            let place = Place { network: number, index, is_last, servers };
            let faults = &of_network.nats[index as usize];
            let mapping_rules = of_network.mapping_rules[index as usize].clone();
            let node = Nat::new(nat.clone(), place, mapping_rules, &nat::stream(network, index), faults, seed);
            hosts.push(Host::new(layout.nat(number, index), Box::new(node), links, uses));
        }
    }
    let last_nat = |number: u32, network: &Network<'_>| layout.nat(number, network.nat.len() as u32 - 1);
    if let (Some(id), Some(proxy)) = (layout.proxy(), &config.proxy) {
        let frames = data_counts.then(|| config.frames());
        let place = proxy::Place { networks: networks.len() as u32, servers, frames };
        let node = Proxy::new(proxy.clone(), place, &schedule.proxy, seed);
        let to_networks = (0..).zip(&networks).flat_map(|(number, network)| {
            let wiring = &wiring;
            (0..servers).map(move |server| (last_nat(number, network), wiring.core(network, false, server)))
        });
        let to_servers = (0..servers).map(|server| (layout.server(server), wiring.behind_proxy(true)));
        hosts.push(Host::new(id, Box::new(node), to_networks.chain(to_servers).collect(), uses));
    }
    for server in 0..servers {
        let clients = Clients {
            start_within: config.devices.start_within.get(),
            traffic: config.traffic.clone(),
            frames: config.frames(),
            wakeup: config.wakeup.clone(),
            push_service: if layout.proxy().is_some() { 1 } else { networks.len() },
        };
        let faults = &schedule.servers[server as usize];
        let unhealthy = schedule.balancer.as_ref().map_or(&[][..], |balancer| balancer.unhealthy(server));
        let policy = config.strategy.server.clone();
        let own =
            || Box::new(Server::new(server, &config.server, policy, clients, faults, unhealthy, seed)) as Box<dyn Node>;
        let node = others.servers.remove(&server).unwrap_or_else(own);
        let node = behind_router(node, config, server, faults);
        let mut links: Vec<_> = if let Some(proxy) = layout.proxy() {
            vec![(proxy, wiring.behind_proxy(false))]
        } else {
            let to_network = |(number, network)| (last_nat(number, network), wiring.core(network, false, server));
            (0..).zip(&networks).map(to_network).collect()
        };
        links.extend(config.wakeup.iter().map(|wakeup| (DEVICES, wiring.push_service(wakeup))));
        hosts.push(Host::new(layout.server(server), node, links, uses));
    }
    if !data_counts {
        hosts.iter_mut().for_each(Host::disregard_data);
    }
    hosts
}

/// Puts the host of a server behind a router that tells of it when it is gone, if there is one.
fn behind_router(host: Box<dyn Node>, config: &WorldConfig, server: u32, faults: &[ServerFaults]) -> Box<dyn Node> {
    let gone: Vec<(&[Interval], bool)> = faults.iter().filter_map(ServerFaults::gone).collect();
    if !gone.iter().any(|(_, is_told)| *is_told) {
        return host;
    }
    let gone = schedule::merge(gone.iter().flat_map(|(intervals, _)| *intervals).copied().collect());
    Box::new(LastRouter::before(host, server, Arc::new(TcpConfig::of(&config.server.tcp)), gone))
}

/// Makes links, each direction of each by its name.
struct Wiring<'a> {
    config: &'a WorldConfig,
    seed: u64,
    schedule: &'a Schedule,
}

/// The names of a link and of one of its directions.
struct Names {
    component: String,
    direction: String,
}

impl Names {
    fn new(network: &Network<'_>, link: &str, up: bool) -> Self {
        let component = network.component(link);
        let direction = format!("{component}/{}", if up { "up" } else { "down" });
        Self { component, direction }
    }

    fn lane(&self, index: u64, cuts: Rc<[Interval]>, effects: Vec<Effect>) -> LaneConfig<'_> {
        let (component, direction) = (&self.component, &self.direction);
        LaneConfig { component, direction, index, cuts, answers: Vec::new(), effects }
    }
}

impl Wiring<'_> {
    /// Returns one direction of the access link of a network, with a lane for each device.
    fn access(&self, network: &Network<'_>, schedule: &NetworkSchedule, up: bool) -> Link {
        let names = Names::new(network, "link/access", up);
        let lanes = (0..).zip(&schedule.access).map(|(device, cuts)| {
            let link = LinkTarget::Access { network: network.name, device };
            let effects = self.effects(link, &names, up, device);
            // Nothing passes a dead address either way.
            let cuts = match schedule.dead_leases.get(device as usize).filter(|dead| !dead.is_empty()) {
                Some(dead) => schedule::merge([&cuts.towards(up)[..], dead].concat()).into(),
                None => cuts.towards(up),
            };
            LaneConfig { answers: self.answers(link, up), ..names.lane(device, cuts, effects) }
        });
        Link::new(network.access, self.seed, lanes)
    }

    /// Returns one direction of the core link between a network and a server, with a lane for each path. Servers share its
    /// faults, each with its own luck.
    fn core(&self, network: &Network<'_>, up: bool, server: u32) -> Link {
        let names = Names::new(network, "link/core", up);
        let lanes = self.schedule.core.paths.iter().map(|path| {
            let link = LinkTarget::Core { device: path.device.into() };
            let effects = self.effects(link, &names, up, u64::from(server));
            let lane = names.lane(u64::from(server), path.cuts.towards(up), effects);
            LaneConfig { answers: self.answers(link, up), ..lane }
        });
        Link::new(&self.config.core, self.seed, lanes).with_lanes_of_devices(self.schedule.core.of_device.clone())
    }

    /// Returns the way from a server to the devices through the push service, which keeps what a device cannot receive.
    fn push_service(&self, config: &WakeupConfig) -> Link {
        let link = LinkConfig { packet_loss: config.loss, ..LinkConfig::of_delay(config.delay.clone()) };
        let lanes = (0..self.config.devices.count).map(|device| {
            let index = u64::from(device);
            let coins = Coins::new(self.seed, "wakeup/store", index);
            let stored = Effect::new(EffectKind::Store, coins, self.schedule.unreachable(device as usize));
            let (component, direction) = ("wakeup", "wakeup");
            LaneConfig { component, direction, index, cuts: [].into(), answers: Vec::new(), effects: vec![stored] }
        });
        Link::new(&link, self.seed, lanes)
    }

    /// Returns one direction of the link between two NATs. Its delay is constant, and nothing is lost on it.
    fn between_nats(&self, network: &Network<'_>, up: bool) -> Link {
        let names = Names::new(network, "link/nat", up);
        let lane = names.lane(0, [].into(), Vec::new());
        Link::new(&LinkConfig::of_delay(Distribution::Constant(BETWEEN_NATS)), self.seed, std::iter::once(lane))
    }

    /// Returns one direction of the link between the proxy and a server, which is like one between two NATs.
    fn behind_proxy(&self, up: bool) -> Link {
        let direction = if up { "link/proxy/up" } else { "link/proxy/down" };
        let (component, cuts) = ("link/proxy", [].into());
        let lane = LaneConfig { component, direction, index: 0, cuts, answers: Vec::new(), effects: Vec::new() };
        Link::new(&LinkConfig::of_delay(Distribution::Constant(BETWEEN_NATS)), self.seed, std::iter::once(lane))
    }

    fn answers(&self, link: LinkTarget<'_>, up: bool) -> Vec<(Interval, Obstacle)> {
        link_faults::answers(self.config, link, not_in(up), self.seed)
    }

    fn effects(&self, link: LinkTarget<'_>, names: &Names, up: bool, lane: u64) -> Vec<Effect> {
        let coins = |fault: &str| Coins::new(self.seed, &format!("{}/{fault}", names.direction), lane);
        link_faults::effects(self.config, link, not_in(up), self.seed, coins)
    }
}

/// Returns the direction of faults that one direction of a link is not struck by.
const fn not_in(up: bool) -> Direction {
    if up { Direction::Down } else { Direction::Up }
}
