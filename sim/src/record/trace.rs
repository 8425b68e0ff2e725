//! What happened, in order: the record of a run, and its digest.
//!
//! Every node writes its own record. Within a node the order is that of its events, so it does not depend on the engine;
//! the run's record is the nodes' records merged by (time, node, position). The digest is built while the run goes on,
//! whether or not the record is kept.

use std::{fmt, time::Duration};

use cardiogram_policies::{AppState, AttemptFailure, CloseReason, GiveUp, LossReason, Time};
use serde::{Deserialize, Serialize};

use super::faults::FaultSpan;
use crate::wire::packet::Packet;
pub use crate::wire::{frame::GoodbyeReason, layout::NodeId};

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
        /// The network whose first NAT it is.
        network: u32,
        /// The device side's address: device and port.
        device: u32,
        /// The device's port.
        port: u16,
        /// What.
        event: NatEvent,
    },
    /// Something happened to the mapping of a connection at a NAT behind the first.
    OuterNat {
        /// The network that the NAT belongs to.
        network: u32,
        /// Which NAT, counted from the device: 1 is the second.
        nat: u32,
        /// The port of the NAT in front of it.
        port: u16,
        /// The server that the connection leads to.
        server: u32,
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
}

/// What happens to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DeviceEvent {
    /// A connection attempt begins, from this port to this server.
    AttemptStarted {
        /// The device's port.
        port: u16,
        /// Which server it tries.
        server: u32,
    },
    /// The attempt failed.
    AttemptFailed(AttemptFailure),
    /// The next attempt will begin after this time.
    RetryAfter(Duration),
    /// The reconnect policy makes no further attempt.
    Stopped,
    /// The server welcomed the device.
    Connected {
        /// The device's port.
        port: u16,
        /// Which server welcomed it.
        server: u32,
    },
    /// A heartbeat was handed to TCP.
    HeartbeatSent {
        /// Which heartbeat of this connection.
        id: u32,
    },
    /// The reply to a heartbeat arrived.
    HeartbeatAnswered {
        /// Which heartbeat of this connection.
        id: u32,
        /// From its sending.
        rtt: Duration,
    },
    /// A message was handed to TCP.
    MessageSent {
        /// Which message of this device.
        id: u32,
    },
    /// A message was delivered to the application, this long after its creation.
    MessageDelivered {
        /// Which message for this device.
        id: u32,
        /// Since its creation.
        delay: Duration,
    },
    /// The detector's output turned to suspect.
    Suspect,
    /// The detector's output turned to trust.
    Trust,
    /// The heartbeat policy gave the connection up.
    GivenUp {
        /// The device's port.
        port: u16,
        /// Why.
        reason: GiveUp,
    },
    /// The transport reported the end of the connection.
    Lost {
        /// The device's port.
        port: u16,
        /// How the transport told.
        reason: LossReason,
    },
    /// The radio is up, this long after a packet first asked for it. When it falls asleep nothing happens that would be
    /// recorded.
    RadioUp {
        /// Paging and promotion.
        waited: Duration,
    },
    /// The device is on a network now.
    Attached {
        /// Which, by its number.
        network: u32,
        /// How many addresses it has had there before.
        lease: u32,
    },
    /// An address of the device is no longer its own.
    Detached {
        /// On which network.
        network: u32,
        /// Which address there.
        lease: u32,
        /// Why.
        cause: Cause,
    },
    /// The application's process was killed.
    Killed,
    /// It was started again.
    Started,
    /// The application went to another state.
    AppState(AppState),
    /// A wake-up arrived.
    Woken,
    /// The server asked whether the device is alive, and was answered.
    PingAnswered,
    /// The server showed that it is alive.
    NoticeReceived,
    /// The server told the device to use this heartbeat interval.
    Directed {
        /// The interval.
        interval: Duration,
    },
    /// The server announced that it closes the connection.
    GoodbyeReceived {
        /// Why.
        reason: GoodbyeReason,
        /// The device is not to come back before this time has passed.
        retry_after: Option<Duration>,
    },
    /// A frame that makes no sense was handed to TCP.
    MalformedSent,
    /// A heartbeat that wants no answer was handed to TCP.
    NoticeSent,
    /// A probe connection is being opened, from this port to this server. It is no session.
    ProbeStarted {
        /// The device's port.
        port: u16,
        /// Which server it tries.
        server: u32,
    },
    /// The server welcomed the probe connection.
    ProbeConnected,
    /// A heartbeat on the probe connection was handed to TCP.
    ProbeSent {
        /// Which heartbeat of the probe connection.
        id: u32,
    },
    /// The reply to it arrived.
    ProbeAnswered {
        /// Which heartbeat of the probe connection.
        id: u32,
        /// From its sending.
        rtt: Duration,
    },
    /// The probe connection did not come up, or is gone.
    ProbeLost,
    /// The device closed the probe connection.
    ProbeClosed,
    /// Another attempt begins beside the session, which it will replace if the server welcomes it first.
    RaceStarted {
        /// The device's port.
        port: u16,
        /// Which server it tries.
        server: u32,
    },
    /// That attempt is over: the session answered first, or ended, or the attempt failed.
    RaceLost {
        /// The device's port.
        port: u16,
    },
    /// Whether the network carries anything will be found out after this time.
    CheckAfter(Duration),
    /// Whether it does.
    NetworkChecked(bool),
}

/// What happens to a NAT mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NatEvent {
    /// A mapping to this outside port was made.
    Created {
        /// The port on the outside.
        outside: u16,
    },
    /// It was idle for too long.
    Expired,
    /// It was lost with the whole table.
    Flushed,
    /// It was pushed out of a full table.
    Evicted,
}

/// What happens to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ServerEvent {
    /// A client was welcomed; the client as the server sees it (the NAT's port).
    SessionOpened {
        /// Whose session.
        device: u32,
        /// The network it comes through.
        network: u32,
        /// The client's port as the server sees it: the NAT's.
        outside: u16,
    },
    /// A session ended on the server's side.
    SessionClosed {
        /// Whose session.
        device: u32,
        /// The network it comes through.
        network: u32,
        /// The client's port as the server sees it: the NAT's.
        outside: u16,
    },
    /// The server's policy closed a session.
    Reaped {
        /// Whose session.
        device: u32,
        /// The network it comes through.
        network: u32,
        /// The client's port as the server sees it: the NAT's.
        outside: u16,
    },
    /// A fault begins.
    FaultBegan(Cause),
    /// It ends.
    FaultEnded(Cause),
    /// The balancer believes the server unhealthy from now on.
    TurnedUnhealthy,
    /// The balancer believes it healthy again.
    TurnedHealthy,
    /// The server asks the push service to wake a device.
    WakeupSent {
        /// Which device.
        device: u32,
    },
    /// The server's policy had a client pinged.
    PingSent {
        /// Which device.
        device: u32,
        /// Whether it is to answer.
        wants_answer: bool,
    },
    /// A client answered a ping.
    PongReceived {
        /// Which device.
        device: u32,
    },
    /// The server told a client to use this heartbeat interval, later than with its welcome.
    Directed {
        /// Which device.
        device: u32,
        /// The interval.
        interval: Duration,
    },
    /// A client was turned away before its login.
    TurnedAway {
        /// Which device.
        device: u32,
        /// It is not to come back before this time has passed.
        retry_after: Duration,
    },
    /// The server's policy closed a session for another reason than silence.
    Expelled {
        /// Whose session.
        device: u32,
        /// The network it comes through.
        network: u32,
        /// The client's port as the server sees it: the NAT's.
        outside: u16,
        /// Why.
        reason: CloseReason,
    },
    /// A client goes on with its last session; told before that is opened again.
    Resumed {
        /// Which device.
        device: u32,
    },
    /// A frame arrived that makes no sense.
    MalformedReceived {
        /// Which device.
        device: u32,
    },
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
    /// Whose.
    pub device: u32,
    /// From when.
    pub begin: Time,
    /// Until when; the end of the run at the latest.
    pub end: Time,
}

/// Something that happened to a part of the world, as opposed to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    Device {
        device: u32,
        event: DeviceEvent,
    },
    /// The device's port says which connection; the server is for whoever follows it through further NATs.
    Nat {
        network: u32,
        device: u32,
        port: u16,
        server: u32,
        event: NatEvent,
    },
    OuterNat {
        network: u32,
        nat: u32,
        port: u16,
        server: u32,
        event: NatEvent,
    },
    Server {
        server: u32,
        event: ServerEvent,
    },
}

impl Fact {
    /// Whether the truth is made of it. Such facts are rare, so that they are always kept.
    pub(crate) const fn decides_truth(self) -> bool {
        match self {
            Self::Device { event, .. } => matches!(
                event,
                DeviceEvent::AttemptStarted { .. }
                    | DeviceEvent::AttemptFailed(_)
                    | DeviceEvent::Connected { .. }
                    | DeviceEvent::Suspect
                    | DeviceEvent::Trust
                    | DeviceEvent::GivenUp { .. }
                    | DeviceEvent::Lost { .. }
                    | DeviceEvent::RaceStarted { .. }
                    | DeviceEvent::RaceLost { .. }
                    | DeviceEvent::Attached { .. }
                    | DeviceEvent::Detached { .. }
                    | DeviceEvent::Killed
                    | DeviceEvent::Started
            ),
            Self::Server { event, .. } => {
                !matches!(event, ServerEvent::PingSent { .. } | ServerEvent::PongReceived { .. })
            }
            Self::Nat { .. } | Self::OuterNat { .. } => true,
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
    /// The connection on the NAT's inside: at the first NAT the device, else 0; its port; the server.
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
    /// For the truth alone: in no trace, and in no hash.
    Port(PortFact),
}

impl From<Fact> for What {
    fn from(fact: Fact) -> Self {
        match fact {
            Fact::Device { device, event } => Self::Device { device, event },
            Fact::Nat { network, device, port, event, .. } => Self::Nat { network, device, port, event },
            Fact::OuterNat { network, nat, port, server, event } => {
                Self::OuterNat { network, nat, port, server, event }
            }
            Fact::Server { server, event } => Self::Server { server, event },
        }
    }
}

/// What broke a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Cause {
    /// The server's host went silent.
    ServerVanish,
    /// The server's process died.
    ServerCrash,
    /// The server's process was restarted.
    ServerRestart,
    /// The server was drained for a restart.
    ServerDrain,
    /// The server's application stopped.
    ServerStall,
    /// The server's application paused.
    ServerPause,
    /// The server had less capacity. No session breaks of that, so no episode has this cause; it names the fault in the
    /// trace.
    ServerOverload,
    /// The link carries nothing.
    Cut,
    /// The link carries nothing from the device to the server.
    CutUp,
    /// The link carries nothing from the server to the device.
    CutDown,
    /// The NAT's idle timeout passed.
    NatExpiry,
    /// The NAT lost its table.
    NatFlush,
    /// The NAT's table was full, and other connections pushed this one out.
    NatEvicted,
    /// The server closed the session, or its kernel gave it up.
    ServerClosed,
    /// The device moved to another network, or got another address.
    NetworkSwitch,
    /// The device has no network.
    NoNetwork,
    /// The device's address is no longer its own.
    LeaseExpiry,
    /// The device's process was killed.
    ProcessKilled,
}

impl Cause {
    /// The name in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServerVanish => "server-vanish",
            Self::ServerCrash => "server-crash",
            Self::ServerRestart => "server-restart",
            Self::ServerDrain => "server-drain",
            Self::ServerStall => "server-stall",
            Self::ServerPause => "server-pause",
            Self::ServerOverload => "server-overload",
            Self::Cut => "cut",
            Self::CutUp => "cut-up",
            Self::CutDown => "cut-down",
            Self::NatExpiry => "nat-expiry",
            Self::NatFlush => "nat-flush",
            Self::NatEvicted => "nat-evicted",
            Self::ServerClosed => "server-closed",
            Self::NetworkSwitch => "network-switch",
            Self::NoNetwork => "no-network",
            Self::LeaseExpiry => "lease-expiry",
            Self::ProcessKilled => "process-killed",
        }
    }
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
