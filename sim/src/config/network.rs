//! The networks that devices can attach to, and the links of the world by name.

use cardiogram_policies::{NetworkKind, unit::Span};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{LinkConfig, NatConfig, RadioConfig, WorldConfig};

/// The name of the network that a scenario's own `access`, `radio` and `nat` describe.
pub const MAIN: &str = "main";
/// The word for no network at all.
pub const NO_NETWORK: &str = "none";
/// The most networks of a world, the first one included.
pub const NETWORKS_MAX: usize = 8;

/// How long a packet is under way between two NATs.
pub(crate) const BETWEEN_NATS: Span = Span::millis(1);

/// A network of a world: the first one, or a further one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: NetworkKind,
    pub(crate) access: &'a LinkConfig,
    pub(crate) radio: Option<&'a RadioConfig>,
    pub(crate) nat: &'a [NatConfig],
}

impl Network<'_> {
    /// Returns the name of a random stream of this network: bare for the first one, so that further ones change nothing for it.
    pub(crate) fn component(&self, name: &str) -> String {
        if self.name == MAIN { name.to_owned() } else { format!("network/{}/{name}", self.name) }
    }
}

impl WorldConfig {
    /// Returns all networks by number: the first one, then the further ones by name.
    pub(crate) fn all_networks(&self) -> impl ExactSizeIterator<Item = Network<'_>> {
        let first = Network {
            name: MAIN,
            kind: self.network_kind,
            access: &self.access,
            radio: self.radio.as_ref(),
            nat: &self.nat,
        };
        let further = self.networks.iter().map(|(name, network)| Network {
            name,
            kind: network.kind,
            access: &network.access,
            radio: network.radio.as_ref(),
            nat: &network.nat,
        });
        let all: Vec<Network<'_>> = std::iter::once(first).chain(further).collect();
        all.into_iter()
    }

    /// Returns the number of a network.
    pub(crate) fn network_number(&self, name: &str) -> Option<u32> {
        self.all_networks().position(|network| network.name == name).map(|number| number as u32)
    }
}

/// A link of the world by its name in a file: `access`, `core`, or a network's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum LinkName {
    /// Between a device and the first NAT, whatever network the device is attached to.
    #[default]
    Access,
    /// Between the last NAT of any network and a server.
    Core,
    /// The access link of one network.
    Network(String),
}

impl From<String> for LinkName {
    fn from(name: String) -> Self {
        match name.as_str() {
            "access" => Self::Access,
            "core" => Self::Core,
            _ => Self::Network(name),
        }
    }
}

impl From<LinkName> for String {
    fn from(name: LinkName) -> Self {
        match name {
            LinkName::Access => "access".into(),
            LinkName::Core => "core".into(),
            LinkName::Network(name) => name,
        }
    }
}

impl LinkName {
    /// Returns whether it means the access link of `network`.
    pub(crate) fn is_access_of(&self, network: &str) -> bool {
        match self {
            Self::Access => true,
            Self::Core => false,
            Self::Network(name) => name == network,
        }
    }
}

impl JsonSchema for LinkName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LinkName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "`access`: between a device and the first NAT, on whatever network; `core`: between the last NAT \
                            and a server; the name of a network: the access link of that one.",
        })
    }
}
