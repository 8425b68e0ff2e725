//! What happened, in order: the record of a run and its digest.
//!
//! Every node writes its own record. Within a node the order is that of its events, so it does not depend on the engine;
//! the run's record is the nodes' records merged by (time, node, position). The digest is built while the run goes on,
//! whether or not the record is kept.

use std::time::Duration;

use cardiogram_policies::{AttemptFailure, GiveUp, LossReason, Time};
use serde::Serialize;
use xxhash_rust::xxh3::Xxh3;

use crate::{
    outcome::{Cause, TraceHash},
    packet::Packet,
};

/// Names a node: its place in the world's list of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NodeId(pub u32);

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// Where.
    pub node: NodeId,
    /// What.
    pub what: What,
}

/// The kinds of things that happen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum What {
    /// A packet was put on a link.
    Sent {
        /// The packet.
        packet: Packet,
        /// The node at the other end.
        to: NodeId,
        /// When it arrives there, or why it does not.
        fate: Fate,
    },
    /// A packet came off a link.
    Received {
        /// The packet.
        packet: Packet,
        /// The node it was sent by.
        from: NodeId,
    },
    /// A node threw a packet away.
    Dropped {
        /// The packet.
        packet: Packet,
        /// Why.
        reason: DropReason,
    },
    /// Something happened to a device.
    Device {
        /// Which device.
        device: u32,
        /// What.
        event: DeviceEvent,
    },
    /// Something happened to the mapping of a connection.
    Nat {
        /// The device side's address: device and port.
        device: u32,
        /// The device's port.
        port: u16,
        /// What.
        event: NatEvent,
    },
    /// Something happened to a server.
    Server {
        /// Which server.
        server: u32,
        /// What.
        event: ServerEvent,
    },
}

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
}

/// What happens to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DeviceEvent {
    /// A connection attempt begins, from this port to this server.
    AttemptStarted { port: u16, server: u32 },
    /// The attempt failed.
    AttemptFailed(AttemptFailure),
    /// The next attempt will begin after this time.
    RetryAfter(Duration),
    /// The reconnect policy makes no further attempt.
    Stopped,
    /// The server welcomed the device.
    Connected { port: u16, server: u32 },
    /// A heartbeat was handed to TCP.
    HeartbeatSent { id: u32 },
    /// The reply to a heartbeat arrived.
    HeartbeatAnswered { id: u32, rtt: Duration },
    /// A message was handed to TCP.
    MessageSent { id: u32 },
    /// A message was delivered to the application, this long after its creation.
    MessageDelivered { id: u32, delay: Duration },
    /// The detector's output turned to suspect.
    Suspect,
    /// The detector's output turned to trust.
    Trust,
    /// The heartbeat policy gave the connection up.
    GivenUp { port: u16, reason: GiveUp },
    /// The transport reported the end of the connection.
    Lost { port: u16, reason: LossReason },
}

/// What happens to a NAT mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NatEvent {
    /// A mapping to this outside port was made.
    Created { outside: u16 },
    /// It was idle for too long.
    Expired,
    /// It was lost with the whole table.
    Flushed,
}

/// What happens to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ServerEvent {
    /// A client was welcomed; the client as the server sees it (the NAT's port).
    SessionOpened { device: u32, outside: u16 },
    /// A session ended on the server's side.
    SessionClosed { device: u32, outside: u16 },
    /// The server's policy closed a session.
    Reaped { device: u32, outside: u16 },
    /// A fault begins.
    FaultBegan(Cause),
    /// It ends.
    FaultEnded(Cause),
}

/// The record of a run, merged over nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Names of the nodes, by [`NodeId`].
    pub nodes: Vec<String>,
    /// What happened, by (time, node, position).
    pub entries: Vec<Entry>,
}

impl Trace {
    /// The record as JSON lines, one object an entry.
    pub fn json_lines(&self) -> String {
        crate::trace_json::lines(self)
    }
}

/// A node's own record.
pub struct Recorder {
    node: NodeId,
    hasher: Xxh3,
    buffer: Vec<u8>,
    entries: Option<Vec<Entry>>,
}

impl Recorder {
    /// An empty record of `node`; `keep` says whether entries are kept or only digested.
    pub fn new(node: NodeId, keep: bool) -> Self {
        Self { node, hasher: Xxh3::new(), buffer: Vec::with_capacity(128), entries: keep.then(Vec::new) }
    }

    /// Adds what happened at `at`.
    pub fn record(&mut self, at: Time, what: What) {
        self.buffer.clear();
        self.buffer.extend(at.as_micros().to_le_bytes());
        crate::digest::write(&what, &mut self.buffer);
        self.hasher.update(&self.buffer);
        if let Some(entries) = &mut self.entries {
            entries.push(Entry { at, node: self.node, what });
        }
    }

    /// The digest so far.
    pub fn digest(&self) -> u128 {
        self.hasher.digest128()
    }

    /// The kept entries.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries.unwrap_or_default()
    }
}

/// The digest of a run from the digests of its nodes, in their order.
pub fn combine(digests: impl Iterator<Item = u128>) -> TraceHash {
    let mut hasher = Xxh3::new();
    for digest in digests {
        hasher.update(&digest.to_le_bytes());
    }
    TraceHash(hasher.digest128())
}
