//! What changes whether a device's session is usable, and when: from the facts of the nodes, and what is in the way of sessions.

use cardiogram_policies::Time;

use crate::{
    config::Cause,
    record::trace::{DeviceMeaning, Fact, ProxyEvent, ServerMeaning, Turn},
    verdict::path::{Key, MappingEvent},
};

/// A change of anything that decides whether a device's session is usable.
#[derive(Clone, Copy)]
pub(super) enum Change {
    /// The device's session is another one, or it takes it to be.
    Turn(Turn),
    Nat {
        mapping: Key,
        happens: MappingEvent,
    },
    /// What the proxy makes of a connection.
    Proxy {
        server: u32,
        client: Outside,
        event: ProxyEvent,
    },
    SessionOpened {
        server: u32,
        outside: Outside,
    },
    SessionClosed {
        server: u32,
        outside: Outside,
    },
    /// It is about to be, for its age.
    SessionTooOld {
        server: u32,
        outside: Outside,
    },
    /// Nothing but heartbeats goes through it from now on, or everything does again.
    SessionHalfDead {
        server: u32,
        outside: Outside,
        begins: bool,
    },
    /// It is without a session on purpose, and nothing waits for it before this moment, which may be past.
    Away {
        until: Time,
    },
    /// Something that is in the way begins, or ends.
    Obstacle {
        obstacle: Obstacle,
        begins: bool,
    },
}

/// What is in the way of sessions, or of those who want one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Obstacle {
    /// The server is not usable.
    Fault { server: u32, cause: Cause },
    /// The proxy has no process.
    ProxyRestart,
    /// The server takes no newcomers; sessions live on until their turn has come.
    Drain { server: u32 },
    /// The balancer leads no newcomers to the server.
    Closed { server: u32 },
    /// The access link of a network, or the core link, carries nothing in this direction.
    Cut { network: Option<u32>, up: bool },
    /// The device's process stands still.
    Standstill { cause: Cause },
    /// The device's address on the network is dead.
    DeadLease { network: u32 },
}

/// A session as a server sees it, or a connection as the proxy does: the network it comes through and the port there. Behind a
/// proxy it is the first network, and the proxy's port.
pub(super) type Outside = (u32, u16);

impl Change {
    /// Returns the change in a fact, and the device it concerns; faults are [planned](super::planned), and what NATs do is found by
    /// [`path`](crate::verdict::path).
    pub(super) fn of(fact: Fact) -> Option<(u32, Self)> {
        match fact {
            Fact::Device { device, event } => match event.meaning() {
                DeviceMeaning::Turn(turn) => Some((device, Self::Turn(turn))),
                DeviceMeaning::Beat(_)
                | DeviceMeaning::ProbeEnds
                | DeviceMeaning::MessageSent
                | DeviceMeaning::MessageDelivered
                | DeviceMeaning::AppState(_)
                | DeviceMeaning::RadioUp
                | DeviceMeaning::News
                | DeviceMeaning::Other => None,
            },
            Fact::Nat { .. } | Fact::OuterNat { .. } => None,
            Fact::Proxy { device, network, outside, server, event } => {
                Some((device, Self::Proxy { server, client: (network, outside), event }))
            }
            Fact::Server { server, event } => match event.meaning() {
                ServerMeaning::SessionBegins { device, network, outside } => {
                    Some((device, Self::SessionOpened { server, outside: (network, outside) }))
                }
                ServerMeaning::SessionEnds { device, network, outside } => {
                    Some((device, Self::SessionClosed { server, outside: (network, outside) }))
                }
                ServerMeaning::SessionTooOld { device, network, outside } => {
                    Some((device, Self::SessionTooOld { server, outside: (network, outside) }))
                }
                ServerMeaning::SessionHalfDead { device, network, outside, begins } => {
                    Some((device, Self::SessionHalfDead { server, outside: (network, outside), begins }))
                }
                ServerMeaning::Fault | ServerMeaning::Ping { .. } | ServerMeaning::Pong | ServerMeaning::Other => None,
            },
        }
    }

    /// Returns how many more sessions servers hold by it.
    pub(super) const fn sessions(&self) -> i64 {
        match self {
            Self::SessionOpened { .. } => 1,
            Self::SessionClosed { .. } => -1,
            _ => 0,
        }
    }

    /// Returns whether it takes an address from the device.
    pub(super) const fn ends_address(&self) -> bool {
        matches!(self, Self::Turn(Turn::Detached { .. }))
    }
}
