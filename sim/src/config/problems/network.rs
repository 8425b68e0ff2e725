//! What can be wrong with networks: their links, radios and NATs, and faults of NATs.

use cardiogram_policies::is_name;

use super::Found;
use crate::config::{
    AfterExpiry, Distribution, MAIN, NATS_MAX, NETWORKS_MAX, NO_NETWORK, NatConfig, NatRefresh, Network,
    OUTSIDE_ADDRESSES_MAX, PORTS_MAX, WorldConfig, distribution::weights_problem,
};

/// Names of links, which no network can have.
const LINKS: [&str; 2] = ["access", "core"];

impl Found {
    pub(super) fn networks(&mut self, world: &WorldConfig) {
        let count = world.networks.len() + 1;
        if count > NETWORKS_MAX {
            let message = format!("{count} networks, with `{MAIN}`");
            self.add("networks", message, format!("use at most {NETWORKS_MAX}"));
        }
        for name in world.networks.keys() {
            if !is_network_name(name) {
                self.add(
                    format!("networks.{name}"),
                    format!("`{name}` cannot be the name of a network"),
                    format!(
                        "use 1 to 64 lower-case letters, digits and `-`, but not {MAIN}, {NO_NETWORK}, access or core"
                    ),
                );
            }
        }
        for network in world.all_networks() {
            let prefix = if network.name == MAIN { String::new() } else { format!("networks.{}.", network.name) };
            self.network(&prefix, network, world);
        }
    }

    fn network(&mut self, prefix: &str, network: Network<'_>, world: &WorldConfig) {
        self.link(&format!("{prefix}access"), network.access);
        for problem in network.radio.into_iter().flat_map(crate::config::RadioConfig::problems) {
            self.add(format!("{prefix}{}", problem.path), problem.message, problem.help);
        }
        if network.nat.is_empty() || network.nat.len() > NATS_MAX {
            let message = format!("{} NATs between the devices and the servers", network.nat.len());
            self.add(format!("{prefix}nat"), message, format!("name 1 to {NATS_MAX}, from the device to the server"));
        }
        let mut subscribers = world.devices.count;
        let mut devices_of_each = 1;
        for (place, nat) in network.nat.iter().enumerate() {
            let place = if network.nat.len() == 1 { String::new() } else { format!("[{place}]") };
            let path = format!("{prefix}nat{place}");
            self.nat(&path, nat);
            let addresses = nat.outside_addresses.max(1);
            devices_of_each *= u64::from(subscribers.div_ceil(addresses));
            subscribers = addresses;
            self.ports_for(&path, devices_of_each, world);
        }
    }

    /// Of a NAT, `devices` share an outside address: each needs a port of it.
    fn ports_for(&mut self, path: &str, devices: u64, world: &WorldConfig) {
        let ports = u64::from(PORTS_MAX) * u64::from(world.server.count);
        if devices > ports {
            let least = world.devices.count.div_ceil(PORTS_MAX * world.server.count.max(1));
            self.add(
                format!("{path}.outside_addresses"),
                format!("{devices} devices share an outside address, which has {ports} ports towards the servers"),
                format!("use at least outside_addresses = {least}, or fewer devices"),
            );
        }
    }

    fn nat(&mut self, path: &str, nat: &NatConfig) {
        /// The largest table of Linux by default is 262,144 entries; a carrier's has millions.
        const TABLE_MAX: u32 = 100_000_000;
        const FLOWS_MAX: f64 = 1e6;
        self.distribution(&format!("{path}.established"), &nat.established);
        if let AfterExpiry::Mix { mix } = &nat.after_expiry
            && let Some((key, message, help)) = weights_problem(mix.iter().map(|share| share.weight))
        {
            self.add(format!("{path}.after_expiry.mix{key}"), message, help);
        }
        if let Some(age) = nat.max_age {
            self.max_age(&format!("{path}.max_age"), &Distribution::Constant(age));
        }
        if nat.conntrack && nat.refresh != NatRefresh::Both {
            self.add(
                format!("{path}.conntrack"),
                "Linux's conntrack is refreshed by any packet",
                "leave out `refresh`, or `conntrack`",
            );
        }
        if let Some(table) = nat.table.filter(|table| *table == 0 || *table > TABLE_MAX) {
            self.add(format!("{path}.table"), format!("a table of {table} mappings"), format!("use 1 to {TABLE_MAX}"));
        }
        if let Some(background) = nat.background {
            let flows = background.flows_per_s;
            if !(flows > 0.0 && flows <= FLOWS_MAX) {
                self.add(
                    format!("{path}.background.flows_per_s"),
                    format!("{flows} connections a second"),
                    format!("use a number above 0 and at most {FLOWS_MAX}"),
                );
            }
            if nat.table.is_none() {
                self.add(
                    format!("{path}.background"),
                    "other people's connections change nothing where the table has no limit",
                    "say how many mappings fit, as in table = 8192, or remove `background`",
                );
            }
        }
        let addresses = nat.outside_addresses;
        if addresses == 0 || addresses > OUTSIDE_ADDRESSES_MAX {
            let message = format!("a NAT with {addresses} outside addresses");
            self.add(format!("{path}.outside_addresses"), message, format!("use 1 to {OUTSIDE_ADDRESSES_MAX}"));
        }
        if let Some(ports) = nat.ports.filter(|ports| *ports == 0 || *ports > PORTS_MAX) {
            self.add(format!("{path}.ports"), format!("{ports} ports a subscriber"), format!("use 1 to {PORTS_MAX}"));
        }
    }

    /// A fault at `path` of a NAT of a network; `None`: of all.
    pub(super) fn nat_fault(&mut self, path: &str, network: Option<&str>, nat: Option<u32>, world: &WorldConfig) {
        if let Some(name) = network {
            self.network_name(&format!("{path}.network"), name, world);
        }
        let of_fault = world.all_networks().filter(|of| network.is_none_or(|name| name == of.name));
        let count = of_fault.map(|network| network.nat.len()).max().unwrap_or(0);
        if let Some(nat) = nat.filter(|nat| count > 0 && *nat as usize >= count) {
            let places = if count == 1 { "0".to_owned() } else { format!("0 to {}", count - 1) };
            self.add(
                format!("{path}.nat"),
                format!("there is no NAT {nat}: `nat` names {count}"),
                format!("use {places}, or leave `nat` out for all"),
            );
        }
    }

    /// The name of a network of this world.
    pub(super) fn network_name(&mut self, path: &str, name: &str, world: &WorldConfig) {
        if world.network_number(name).is_none() {
            let known: Vec<String> = world.all_networks().map(|network| format!("`{}`", network.name)).collect();
            let known = format!("the networks of this scenario are {}", known.join(", "));
            let help = if is_network_name(name) {
                format!("{known}; [networks.{name}] would describe another")
            } else {
                known
            };
            self.add(path, format!("there is no network `{name}`"), help);
        }
    }
}

/// Returns whether a further network can have this name.
fn is_network_name(name: &str) -> bool {
    is_name(name) && ![MAIN, NO_NETWORK].iter().chain(&LINKS).any(|word| *word == name)
}
