//! What a policy may know of the network it is on: which one, and of what kind. Its timeouts it has to find out.

use serde::{Deserialize, Serialize};

/// A network that a device is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Network {
    /// Names the network, so that what was learnt on it is found again: products take the SSID or the operator's name, and
    /// number them.
    pub id: u32,
    /// What kind of network it is.
    pub kind: NetworkKind,
}

/// What kind of network it is, as mobile systems tell their applications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NetworkKind {
    /// A mobile operator's network.
    #[default]
    Cellular,
    /// A wireless local network.
    Wifi,
    /// A wired network.
    Wired,
}

impl Network {
    /// Returns a cellular network.
    pub const fn cellular(id: u32) -> Self {
        Self { id, kind: NetworkKind::Cellular }
    }

    /// Returns a Wi-Fi network.
    pub const fn wifi(id: u32) -> Self {
        Self { id, kind: NetworkKind::Wifi }
    }
}
