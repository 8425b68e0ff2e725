//! Where the nodes of a world stand, and what they are called. What the nodes are is in `nodes`; who has which address, in
//! `address`.

use serde::Serialize;

use crate::config::{MAIN, WorldConfig};

/// Names a node: its place in the world's list of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NodeId(pub u32);

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

/// Returns the names of the nodes, in order.
pub(crate) fn node_names(config: &WorldConfig) -> Vec<String> {
    let nats = config.all_networks().flat_map(|network| {
        let count = network.nat.len();
        let of_network = if network.name == MAIN { "nat".to_owned() } else { format!("nat-{}", network.name) };
        (0..count).map(move |nat| if count == 1 { of_network.clone() } else { format!("{of_network}-{nat}") })
    });
    let servers = (0..config.server.count).map(|server| format!("server-{server}"));
    std::iter::once("devices".to_owned()).chain(nats).chain(servers).collect()
}
