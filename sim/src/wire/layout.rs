//! Where the nodes of a world stand, and what they are called. What the nodes are is in `nodes`; who has which address, in
//! `address`.

use serde::Serialize;

use crate::config::{MAIN, WorldConfig};

/// Names a node: its place in the world's list of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NodeId(pub u32);

/// The node of the devices, the first one.
pub(crate) const DEVICES: NodeId = NodeId(0);

/// The name of the proxy's node.
pub(crate) const PROXY_NAME: &str = "proxy";

/// Where the nodes of a world are: the devices, the NATs of each network from there to the servers, the proxy if there is one, the
/// servers in order.
pub(crate) struct Layout {
    /// The first NAT of each network.
    first_nats: Vec<u32>,
    proxy: Option<NodeId>,
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
        let proxy = config.proxy.is_some().then_some(NodeId(next));
        Self { first_nats, proxy, first_server: next + u32::from(proxy.is_some()) }
    }

    pub(crate) const fn proxy(&self) -> Option<NodeId> {
        self.proxy
    }

    /// Returns who answers at a server's address: the server, or the proxy in front of it.
    pub(crate) fn front(&self, server: u32) -> NodeId {
        self.proxy.unwrap_or_else(|| self.server(server))
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
    let proxy = config.proxy.iter().map(|_| PROXY_NAME.to_owned());
    std::iter::once("devices".to_owned()).chain(nats).chain(proxy).chain(servers).collect()
}
