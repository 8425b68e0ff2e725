//! One strike of a fault, as a record shows it. All of a run's are listed in `fate::spans`.

use std::time::Duration;

use cardiogram_policies::Time;

use crate::{config::Direction, wire::layout::NodeId};

/// A strike of a fault: one time at which it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultSpan {
    /// The name of its kind ([`FaultKind`](crate::config::FaultKind)), or `no-network` for a time without any, whoever
    /// brought it about.
    pub kind: &'static str,
    /// The part of the world that the fault strikes.
    pub place: FaultPlace,
    /// The node beside it: at whose capture it shows first.
    pub node: NodeId,
    /// The device it belongs to; `None` if it affects all.
    pub device: Option<u32>,
    /// The directions that it concerns, where it is one of a link.
    pub direction: Direction,
    /// The idle timeout of established connections meanwhile, where it is a `nat-timeout`.
    pub timeout: Option<Duration>,
    /// When it begins.
    pub begin: Time,
    /// When it is over; equal to `begin` for what takes no time, `None` for what outlasts the run.
    pub end: Option<Time>,
    /// No session over this place is usable while it lasts; otherwise it slows, spoils or forgets something.
    pub breaks: bool,
}

/// A part of the world that faults strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FaultPlace {
    /// The device itself: its process, its address, whether it has a network.
    Device,
    /// The link between the device and the first NAT of a network.
    AccessLink {
        /// The number of the network.
        network: u32,
    },
    /// A NAT of a network.
    Nat {
        /// The number of the network.
        network: u32,
        /// Which of its NATs, counted from the device.
        nat: u32,
    },
    /// The link between the last NATs and the servers, or the proxy in front of them.
    CoreLink,
    /// The proxy in front of the servers.
    Proxy,
    /// A server: its process or its host.
    Server {
        /// The number of the server.
        server: u32,
    },
}

impl FaultSpan {
    /// Returns when it is over, or the end of the run at `end` if that comes first.
    pub fn end_within(&self, end: Time) -> Time {
        self.end.map_or(end, |own| own.min(end))
    }
}
