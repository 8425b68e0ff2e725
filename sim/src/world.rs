//! Puts a world together: nodes, links, fault schedules, and the names and numbers that tie them. What the nodes do is
//! their own business.

use std::{rc::Rc, time::Duration};

use cardiogram_policies::{Time, unit::Span};

use crate::{
    balancer::Balancer,
    config::{Direction, Distribution, FaultConfig, LinkConfig, MAIN, NatFlush, Network, WakeupConfig, WorldConfig},
    device::DeviceGroup,
    life::{self, Address, Life},
    link::{Effect, LaneConfig, Link, What},
    link_faults::{self, Cuts, Struck},
    nat::{self, Nat, NatFaults, Place, Treatment},
    node::Host,
    random::Coins,
    schedule::{self, Interval},
    server::{Clients, Server, ServerFaults},
    trace::NodeId,
};

/// The node of the devices, the first one.
pub(crate) const DEVICES: NodeId = NodeId(0);

/// Where the nodes of a world are: the devices, the NATs of each network from there to the servers, the servers in order.
pub(crate) struct Layout {
    /// The first NAT of each network.
    first_nats: Vec<u32>,
    first_server: u32,
}

impl Layout {
    pub(crate) fn of(config: &WorldConfig) -> Self {
        let mut next = DEVICES.0 + 1;
        let mut first_nats = Vec::new();
        for network in config.all_networks() {
            first_nats.push(next);
            next += network.nat.len() as u32;
        }
        Self { first_nats, first_server: next }
    }

    pub(crate) fn nat(&self, network: u32, nat: u32) -> NodeId {
        NodeId(self.first_nats[network as usize] + nat)
    }

    pub(crate) const fn server(&self, server: u32) -> NodeId {
        NodeId(self.first_server + server)
    }
}

/// How long a packet is under way between two NATs.
pub(crate) const BETWEEN_NATS: Span = Span::millis(1);

/// The names of the nodes, in order.
pub(crate) fn node_names(config: &WorldConfig) -> Vec<String> {
    let nats = config.all_networks().flat_map(|network| {
        let count = network.nat.len();
        let of_network = if network.name == MAIN { "nat".to_owned() } else { format!("nat-{}", network.name) };
        (0..count).map(move |nat| if count == 1 { of_network.clone() } else { format!("{of_network}-{nat}") })
    });
    let servers = (0..config.server.count).map(|server| format!("server-{server}"));
    std::iter::once("devices".to_owned()).chain(nats).chain(servers).collect()
}

/// The faults of a world, drawn.
pub(crate) struct Schedule {
    /// The lives of the devices; none where nothing happens in them.
    pub(crate) lives: Vec<Life>,
    /// Those of each network.
    pub(crate) networks: Vec<NetworkSchedule>,
    /// Cuts of the core link.
    pub(crate) core: Cuts,
    /// Faults of each server.
    pub(crate) servers: Vec<Vec<ServerFaults>>,
    /// What stands in front of the servers, if anything.
    pub(crate) balancer: Option<Rc<Balancer>>,
}

/// The faults of a network, drawn.
pub(crate) struct NetworkSchedule {
    /// Cuts of each device's access link, up and down.
    pub(crate) access: Vec<Cuts>,
    /// When each device's address is dead; none where nothing happens to devices.
    pub(crate) dead_leases: Vec<Vec<Interval>>,
    /// Faults of each NAT.
    pub(crate) nats: Vec<NatFaults>,
    /// How each NAT treats its subscribers.
    pub(crate) treatments: Vec<Rc<[Treatment]>>,
}

impl Schedule {
    pub(crate) fn draw(config: &WorldConfig, seed: u64) -> Self {
        let devices = if life::is_eventful(config) { config.devices.count } else { 0 };
        let lives: Vec<Life> = (0..devices).map(|device| Life::draw(config, device, seed)).collect();
        let dead_on = |number: u32, life: &Life| {
            life.dead_leases.iter().filter(|(on, _)| *on == number).map(|(_, dead)| *dead).collect()
        };
        let of_network = |(number, network): (u32, Network<'_>)| NetworkSchedule {
            dead_leases: lives.iter().map(|life| dead_on(number, life)).collect(),
            access: (0..u64::from(config.devices.count))
                .map(|device| link_faults::cuts(config, Struck::Access { network: network.name, device }, seed))
                .collect(),
            nats: (0..network.nat.len() as u32).map(|nat| nat_faults(config, network, nat, seed)).collect(),
            treatments: (0..)
                .zip(network.nat)
                .map(|(index, of_nat)| {
                    let subscribers = nat::subscribers(index, config.devices.count);
                    nat::treatments(of_nat, &nat::stream(&network, index), subscribers, seed).into()
                })
                .collect(),
        };
        let servers: Vec<_> = (0..config.server.count).map(|server| ServerFaults::draw(config, server, seed)).collect();
        Self {
            balancer: Balancer::draw(config, &servers, seed).map(Rc::new),
            networks: (0..).zip(config.all_networks()).map(of_network).collect(),
            lives,
            core: link_faults::cuts(config, Struck::Core, seed),
            servers,
        }
    }

    /// When nothing can reach a device: where it is cut off downwards, and while it has no network.
    fn unreachable(&self, device: usize) -> Vec<Interval> {
        let moves = self.lives.get(device).map_or(&[][..], |life| &life.moves);
        let ends = moves.iter().map(|next| next.at).chain([Time::MAX]);
        let places = std::iter::once((Time::ZERO, Some(Address::FIRST.network)));
        let places = places.chain(moves.iter().map(|next| (next.at, next.to.map(|address| address.network))));
        let mut found = Vec::new();
        for ((begin, network), end) in places.zip(ends) {
            let Some(network) = network else {
                // It is on its next network as soon as it has moved, which comes after what arrives at that moment.
                found.push(Interval { begin, end: end + Duration::from_micros(1) });
                continue;
            };
            let of_network = &self.networks[network as usize];
            let dead = of_network.dead_leases.get(device).into_iter().flatten();
            let cut_off = of_network.access[device].down.iter().chain(dead);
            let there = |cut: &Interval| Interval { begin: cut.begin.max(begin), end: cut.end.min(end) };
            found.extend(cut_off.map(there).filter(|cut| cut.begin < cut.end));
        }
        schedule::merge(found)
    }
}

fn nat_faults(config: &WorldConfig, network: Network<'_>, nat: u32, seed: u64) -> NatFaults {
    let horizon = Time::ZERO + config.duration;
    let mut flushes = Vec::new();
    let mut shifts = Vec::new();
    for (name, fault) in numbered(config) {
        let hits = |of_network: &Option<String>, of: Option<u32>| {
            of.is_none_or(|of| of == nat) && of_network.as_ref().is_none_or(|of| of == network.name)
        };
        // The networks have luck of their own.
        let name = network.component(&name);
        match fault {
            FaultConfig::NatFlush(NatFlush { network: of_network, nat: of, when }) if hits(of_network, *of) => {
                flushes.extend(schedule::moments(when, horizon, seed, &name, u64::from(nat)));
            }
            FaultConfig::NatTimeout(fault) if hits(&fault.network, fault.nat) => {
                let drawn =
                    schedule::intervals(&fault.when, fault.lasts.as_ref(), horizon, seed, &name, u64::from(nat));
                shifts.extend(drawn.into_iter().map(|interval| (interval, fault.established.get())));
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
    let layout = Layout::of(config);
    let networks: Vec<Network<'_>> = config.all_networks().collect();
    let wiring = Wiring { config, seed, schedule };
    let servers = config.server.count;

    let to_networks = (0..).zip(&networks).map(|(number, network)| {
        (layout.nat(number, 0), wiring.access(network, &schedule.networks[number as usize], true))
    });
    let devices = DeviceGroup::new(config, schedule, seed);
    let mut hosts = vec![Host::new(DEVICES, Box::new(devices), to_networks.collect(), keep_trace)];
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
                let core = |server| (layout.server(server), wiring.core(network, true, server));
                links.extend((0..servers).map(core));
            } else {
                links.push((layout.nat(number, index + 1), wiring.between_nats(network, true)));
            }
            let place = Place { network: number, index, is_last, devices: config.devices.count, servers };
            let faults = &of_network.nats[index as usize];
            let treatments = of_network.treatments[index as usize].clone();
            let node = Nat::new(nat.clone(), place, treatments, &nat::stream(network, index), faults, seed);
            hosts.push(Host::new(layout.nat(number, index), Box::new(node), links, keep_trace));
        }
    }
    for server in 0..servers {
        let clients = Clients {
            start_within: config.devices.start_within.get(),
            traffic: config.traffic.clone(),
            frames: config.frames(),
            wakeup: config.wakeup.clone(),
            push_service: networks.len(),
        };
        let faults = &schedule.servers[server as usize];
        let unhealthy = schedule.balancer.as_ref().map_or(&[][..], |balancer| balancer.unhealthy(server));
        let policy = config.strategy.server.clone();
        let node = Server::new(server, &config.server, policy, clients, faults, unhealthy, seed);
        let to_networks = (0..).zip(&networks).map(|(number, network)| {
            (layout.nat(number, network.nat.len() as u32 - 1), wiring.core(network, false, server))
        });
        let push_service = config.wakeup.iter().map(|wakeup| (DEVICES, wiring.push_service(wakeup)));
        let links = to_networks.chain(push_service).collect();
        hosts.push(Host::new(layout.server(server), Box::new(node), links, keep_trace));
    }
    hosts
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
        LaneConfig { component: &self.component, direction: &self.direction, index, cuts, effects }
    }
}

impl Wiring<'_> {
    /// One direction of the access link of a network: a lane a device.
    fn access(&self, network: &Network<'_>, schedule: &NetworkSchedule, up: bool) -> Link {
        let names = Names::new(network, "link/access", up);
        let lanes = (0..).zip(&schedule.access).map(|(device, cuts)| {
            let effects = self.effects(Struck::Access { network: network.name, device }, &names, up, device);
            // Nothing passes a dead address either way.
            let cuts = match schedule.dead_leases.get(device as usize).filter(|dead| !dead.is_empty()) {
                Some(dead) => schedule::merge([&cuts.towards(up)[..], dead].concat()).into(),
                None => cuts.towards(up),
            };
            names.lane(device, cuts, effects)
        });
        Link::new(network.access, self.seed, lanes)
    }

    /// One direction of the core link between a network and a server: servers share its faults, each with its own luck.
    fn core(&self, network: &Network<'_>, up: bool, server: u32) -> Link {
        let names = Names::new(network, "link/core", up);
        let effects = self.effects(Struck::Core, &names, up, u64::from(server));
        let lane = names.lane(u64::from(server), self.schedule.core.towards(up), effects);
        Link::new(&self.config.core, self.seed, std::iter::once(lane))
    }

    /// The way from a server to the devices through the push service, which keeps what a device cannot receive.
    fn push_service(&self, config: &WakeupConfig) -> Link {
        let link = LinkConfig { packet_loss: config.loss, ..LinkConfig::of_delay(config.delay.clone()) };
        let lanes = (0..self.config.devices.count).map(|device| {
            let index = u64::from(device);
            let coins = Coins::new(self.seed, "wakeup/store", index);
            let stored = Effect::new(What::Store, coins, self.schedule.unreachable(device as usize));
            LaneConfig { component: "wakeup", direction: "wakeup", index, cuts: [].into(), effects: vec![stored] }
        });
        Link::new(&link, self.seed, lanes)
    }

    /// One direction of the link between two NATs: constant, and nothing is lost on it.
    fn between_nats(&self, network: &Network<'_>, up: bool) -> Link {
        let names = Names::new(network, "link/nat", up);
        let lane = names.lane(0, [].into(), Vec::new());
        Link::new(&LinkConfig::of_delay(Distribution::Constant(BETWEEN_NATS)), self.seed, std::iter::once(lane))
    }

    fn effects(&self, link: Struck<'_>, names: &Names, up: bool, lane: u64) -> Vec<Effect> {
        let not_in = if up { Direction::Down } else { Direction::Up };
        let coins = |fault: &str| Coins::new(self.seed, &format!("{}/{fault}", names.direction), lane);
        link_faults::effects(self.config, link, not_in, self.seed, coins)
    }
}
