//! What happened, in order: the record of a run, and its digest.
//!
//! Every node writes its own record. Within a node the order is that of its events, so it does not depend on the engine;
//! the run's record is the nodes' records merged by (time, node, position). The digest is built while the run goes on,
//! whether or not the record is kept.

mod device;
mod nat;
mod packet;
mod proxy;
mod server;

use std::fmt;

use cardiogram_policies::Time;
use serde::Serialize;

pub use self::{
    device::{Beat, DeviceEvent, DeviceMeaning, Turn},
    nat::NatEvent,
    packet::{DropReason, Fate},
    proxy::{Parting, ProxyEvent},
    server::{ServerEvent, ServerMeaning},
};
use super::faults::FaultSpan;
use crate::wire::packet::Packet;
pub use crate::wire::{frame::GoodbyeReason, layout::NodeId};

/// An entry of the record: one thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The moment at which it happened.
    pub at: Time,
    /// The node at which it happened.
    pub node: NodeId,
    /// What happened there.
    pub what: What,
}

/// The kinds of things that happen. What grows is the events in a [`Fact`].
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A packet was put on a link.
    Sent {
        /// The packet as it was sent.
        packet: Packet,
        /// The node at the other end.
        to: NodeId,
        /// When it arrives there, or why it does not.
        fate: Fate,
    },
    /// A packet came off a link.
    Received {
        /// The packet as it arrived.
        packet: Packet,
        /// The node it was sent by.
        from: NodeId,
    },
    /// A node threw a packet away.
    Dropped {
        /// The packet that is gone.
        packet: Packet,
        /// Why the node did so.
        reason: DropReason,
    },
    /// Something happened to a part of the world.
    Fact(Fact),
}

/// The record of a run, merged over nodes, and what only the lab knows about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Names of the nodes, by [`NodeId`].
    pub nodes: Vec<String>,
    /// Names of the networks, by their numbers.
    pub networks: Vec<String>,
    /// The end of the run.
    pub end: Time,
    /// What happened, by (time, node, position).
    pub entries: Vec<Entry>,
    /// What went wrong by the schedule, by begin; a function of scenario and seed, whatever the strategy.
    pub faults: Vec<FaultSpan>,
    /// The truth: when each device had a usable session, by device, then by begin.
    pub usable: Vec<Usable>,
}

/// A time in which a device had a usable session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Usable {
    /// The device that had it.
    pub device: u32,
    /// The begin of that time.
    pub begin: Time,
    /// The end of that time; the end of the run at the latest.
    pub end: Time,
}

/// Something that happened to a part of the world, as opposed to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Something happened to a device.
    Device {
        /// The number of the device.
        device: u32,
        /// What happened to it.
        event: DeviceEvent,
    },
    /// Something happened to the mapping of a connection.
    Nat {
        /// The network whose first NAT it is.
        network: u32,
        /// The device side's address: device and port.
        device: u32,
        /// The device's port.
        port: u16,
        /// The server that the connection leads to.
        server: u32,
        /// What happened to the mapping.
        event: NatEvent,
    },
    /// Something happened to the mapping of a connection at a NAT behind the first.
    OuterNat {
        /// The network that the NAT belongs to.
        network: u32,
        /// Which NAT, counted from the device: 1 is the second.
        nat: u32,
        /// Which outside address of the NAT in front of it, counted from 0.
        address: u32,
        /// The port of the NAT in front of it.
        port: u16,
        /// The server that the connection leads to.
        server: u32,
        /// What happened to the mapping.
        event: NatEvent,
    },
    /// Something happened to a connection at the proxy.
    Proxy {
        /// The device whose connection it is.
        device: u32,
        /// The network it comes through.
        network: u32,
        /// The client's port as the proxy sees it: the NAT's.
        outside: u16,
        /// The server that the connection leads to.
        server: u32,
        /// What happened to the connection.
        event: ProxyEvent,
    },
    /// Something happened to a server.
    Server {
        /// The number of the server.
        server: u32,
        /// What happened to it.
        event: ServerEvent,
    },
}

impl Fact {
    /// Returns whether the truth is made of it. Such facts are rare, so that they are always kept.
    pub(crate) const fn decides_truth(self) -> bool {
        match self {
            Self::Device { event, .. } => matches!(event.meaning(), DeviceMeaning::Turn(_)),
            Self::Server { event, .. } => {
                matches!(
                    event.meaning(),
                    ServerMeaning::SessionBegins { .. }
                        | ServerMeaning::SessionEnds { .. }
                        | ServerMeaning::SessionTooOld { .. }
                        | ServerMeaning::SessionHalfDead { .. }
                )
            }
            Self::Nat { .. } | Self::OuterNat { .. } | Self::Proxy { .. } => true,
        }
    }
}

/// Whether a NAT would give a connection that it has forgotten its port back, from now on. It would not when it has just
/// forgotten it, unless it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PortFact {
    pub(crate) network: u32,
    /// Which NAT, counted from the device.
    pub(crate) nat: u32,
    /// The connection on the NAT's inside: at the first NAT the device, else the address of the NAT in front of it, by its
    /// number; its port; the server.
    pub(crate) subscriber: u32,
    pub(crate) port: u16,
    pub(crate) server: u32,
    pub(crate) returns: bool,
}

/// What the truth is found from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clue {
    /// A part of the record.
    Fact(Fact),
    /// For the truth alone, as what follows: in no trace, and in no hash.
    Port(PortFact),
    Away(AwayFact),
}

/// A device that left its session on purpose, and has had none since, wants none: no message of its own is without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AwayFact {
    pub(crate) device: u32,
    /// It has got all messages for it before the one with this number.
    pub(crate) next_push: u32,
}

/// Digest of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TraceHash(pub u128);

impl fmt::Display for TraceHash {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
