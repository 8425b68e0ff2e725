//! Chance: everything about a world that is drawn from the seed before the run, and never reacts to a policy. What nodes and
//! links make of it is in `nodes`.

pub(crate) mod balancer;
pub(crate) mod effect;
pub(crate) mod life;
pub(crate) mod link_faults;
pub(crate) mod nat;
pub(crate) mod proxy;
pub(crate) mod random;
pub(crate) mod schedule;
pub(crate) mod server_faults;
pub(crate) mod spans;
pub(crate) mod struck;
pub(crate) mod traffic;

use std::{rc::Rc, sync::Arc, time::Duration};

use cardiogram_policies::Time;

use self::{
    balancer::Balancer,
    life::{Address, Life},
    link_faults::{CorePaths, Cuts, LinkTarget},
    nat::{MappingRules, NatFaults},
    proxy::ProxyFaults,
    schedule::Interval,
    server_faults::ServerFaults,
};
use crate::config::{Network, WorldConfig};

/// The faults of a world, drawn.
pub(crate) struct Schedule {
    /// The lives of the devices; none where nothing happens in them.
    pub(crate) lives: Vec<Life>,
    /// What is drawn for each network.
    pub(crate) networks: Vec<NetworkSchedule>,
    /// The core link, and its cuts.
    pub(crate) core: CorePaths,
    /// Faults of each server.
    pub(crate) servers: Vec<Vec<ServerFaults>>,
    /// Faults of the proxy.
    pub(crate) proxy: ProxyFaults,
    /// What stands in front of the servers, if anything.
    pub(crate) balancer: Option<Arc<Balancer>>,
}

/// The faults of a network, drawn.
pub(crate) struct NetworkSchedule {
    /// Cuts of each device's access link, up and down.
    pub(crate) access: Vec<Cuts>,
    /// When each device's link has no carrier; none where all have it always.
    pub(crate) no_carrier: Vec<Vec<Interval>>,
    /// When each device's address is dead; none where nothing happens to devices.
    pub(crate) dead_leases: Vec<Vec<Interval>>,
    /// Faults of each NAT.
    pub(crate) nats: Vec<NatFaults>,
    /// How each NAT treats its subscribers.
    pub(crate) mapping_rules: Vec<Rc<[MappingRules]>>,
}

impl NetworkSchedule {
    /// Returns how many subscribers each NAT has, from the devices to the servers.
    pub(crate) fn subscribers(&self) -> impl Iterator<Item = u32> + '_ {
        self.mapping_rules.iter().map(|rules| rules.len() as u32)
    }

    /// Returns how each NAT treats what belongs to a device.
    pub(crate) fn rules_for(&self, device: u32) -> impl Iterator<Item = MappingRules> + '_ {
        let subscribers = nat::subscribers_for(device, self.subscribers());
        self.mapping_rules.iter().zip(subscribers).map(|(rules, subscriber)| rules[subscriber as usize])
    }
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
                .map(|device| link_faults::cuts(config, LinkTarget::Access { network: network.name, device }, seed))
                .collect(),
            no_carrier: link_faults::no_carrier(config, network.name, seed),
            nats: (0..network.nat.len() as u32).map(|nat| NatFaults::draw(config, network, nat, seed)).collect(),
            mapping_rules: (0..)
                .zip(network.nat)
                .map(|(index, of_nat)| {
                    let subscribers = nat::subscribers(network.nat, index, config.devices.count);
                    nat::mapping_rules(of_nat, &nat::stream(&network, index), subscribers, seed).into()
                })
                .collect(),
        };
        let servers: Vec<_> = (0..config.server.count).map(|server| ServerFaults::draw(config, server, seed)).collect();
        Self {
            proxy: ProxyFaults::draw(config, seed),
            balancer: Balancer::draw(config, &servers, seed).map(Arc::new),
            networks: (0..).zip(config.all_networks()).map(of_network).collect(),
            lives,
            core: CorePaths::draw(config, seed),
            servers,
        }
    }

    /// Returns when nothing can reach a device: where it is cut off downwards, while it has no network, and while it stands
    /// still.
    pub(crate) fn unreachable(&self, device: usize) -> Vec<Interval> {
        let moves = self.lives.get(device).map_or(&[][..], |life| &life.moves);
        let ends = moves.iter().map(|next| next.at).chain([Time::MAX]);
        let places = std::iter::once((Time::ZERO, Some(Address::FIRST.network)));
        let places = places.chain(moves.iter().map(|next| (next.at, next.to.map(|address| address.network))));
        let mut found: Vec<Interval> = self.lives.get(device).map_or_else(Vec::new, Life::standstills);
        // It goes on after what arrives at that moment.
        for still in &mut found {
            still.end += Duration::from_micros(1);
        }
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
