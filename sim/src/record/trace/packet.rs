//! What becomes of packets: on links, and at nodes that throw them away.

use cardiogram_policies::Time;
use serde::Serialize;

use crate::record::bytes::Bytes;

/// What becomes of a packet on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It arrives at this time.
    Arrives(Time),
    /// The link is cut now, or will be before it arrives.
    Cut,
    /// It is lost by chance.
    Lost,
    /// It arrives, and a copy of it later.
    ArrivesTwice {
        /// When the packet arrives.
        first: Time,
        /// When its copy does.
        copy: Time,
    },
    /// It is lost: the queue before the link is full.
    QueueFull,
}

impl Fate {
    /// Writes what goes into the trace hash: a tag, and every field.
    pub(crate) fn digest(self, out: &mut Vec<u8>) {
        match self {
            Self::Arrives(at) => out.u8(0).time(at),
            Self::Cut => out.u8(1),
            Self::Lost => out.u8(2),
            Self::ArrivesTwice { first, copy } => out.u8(3).time(first).time(copy),
            Self::QueueFull => out.u8(4),
        };
    }

    /// Returns its name in JSON lines.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Arrives(_) => "arrives",
            Self::Cut => "cut",
            Self::Lost => "lost",
            Self::ArrivesTwice { .. } => "arrives-twice",
            Self::QueueFull => "queue-full",
        }
    }

    /// Returns the fate in words.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Arrives(at) => format!("arrives {at}"),
            Self::Cut => "lost: the link is cut".into(),
            Self::Lost => "lost by chance".into(),
            Self::ArrivesTwice { first, copy } => format!("arrives {first}, and a copy of it {copy}"),
            Self::QueueFull => "lost: the queue is full".into(),
        }
    }

    /// Returns when the packet arrives, and when its copy does.
    pub(crate) const fn arrivals(self) -> (Option<Time>, Option<Time>) {
        match self {
            Self::Arrives(at) => (Some(at), None),
            Self::ArrivesTwice { first, copy } => (Some(first), Some(copy)),
            Self::Cut | Self::Lost | Self::QueueFull => (None, None),
        }
    }
}

/// Why a node threw a packet away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// The NAT has no mapping for it.
    NoMapping,
    /// The server's host is silent.
    HostDown,
    /// The accept queue is full.
    Backlog,
    /// Nobody has that address.
    NoRoute,
    /// The NAT has no port for it.
    NoPort,
    /// It waited for the radio, and the device has left the network meanwhile.
    NetworkLeft,
    /// The next hop did not answer: the device's link has no carrier, or the server's host is gone and the last router asks for it.
    NoNeighbour,
}

impl DropReason {
    /// Returns the byte that goes into the trace hash.
    pub(crate) const fn tag(self) -> u8 {
        match self {
            Self::NoMapping => 0,
            Self::HostDown => 1,
            Self::Backlog => 2,
            Self::NoRoute => 3,
            Self::NoPort => 4,
            Self::NetworkLeft => 5,
            Self::NoNeighbour => 6,
        }
    }

    /// Returns the reason in words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::NoMapping => "no mapping",
            Self::HostDown => "the host is silent",
            Self::Backlog => "the accept queue is full",
            Self::NoRoute => "nobody has that address",
            Self::NoPort => "no port is left",
            Self::NetworkLeft => "the device has left the network",
            Self::NoNeighbour => "the next hop does not answer",
        }
    }
}
