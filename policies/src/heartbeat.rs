//! The heartbeat contract: events in, actions out, a deadline to be woken at. The policies themselves are one file each
//! below this module.

mod fixed;
mod idle;
mod leave;
mod oracle;
mod tcp_keepalive;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::{
    fixed::{FirstBeat, Fixed, LateReply},
    idle::{Anchor, Idle},
    leave::LeaveWhenQuiet,
    oracle::Oracle,
    tcp_keepalive::TcpKeepalive,
};
use crate::{Bounds, PolicyRng, Problem, Promises, Time};

/// A policy that keeps a connection alive and decides when it is dead.
///
/// One object serves one device for its whole life, over all its connections, so that it can learn.
///
/// The host's side of the contract: call [`on_event`](Self::on_event) for everything that happens, with times that never
/// run backwards; after every call, and whenever [`deadline`](Self::deadline) is reached, call [`poll`](Self::poll) until
/// it returns `None`, carrying out each action before the next call. A deadline that has been polled at or after its time
/// is either gone or lies in the future.
pub trait Heartbeat: Send {
    /// Takes note of what happened.
    fn on_event(&mut self, now: Time, event: &Event);

    /// What to do now, one action a call, `None` when there is nothing more to do.
    fn poll(&mut self, now: Time) -> Option<Action>;

    /// When the policy wants to be polled next, events apart.
    fn deadline(&self) -> Option<Time>;
}

/// What a host tells a heartbeat policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection is established: the server has welcomed this client.
    Connected {
        /// The network the connection runs over, as the host numbers its networks.
        network: u32,
        /// The server at the other end, as the host numbers its servers.
        server: u32,
    },
    /// Bytes of the application were handed to the transport; a heartbeat's own bytes count too.
    BytesWritten,
    /// Application bytes other than a heartbeat reply arrived.
    BytesReceived,
    /// The reply to a heartbeat arrived.
    HeartbeatReply {
        /// The heartbeat it answers.
        id: u32,
        /// From the moment the heartbeat was sent.
        rtt: Duration,
    },
    /// The peer asked whether we are alive (the host has answered).
    PeerPing,
    /// The server tells clients to use this interval from now on.
    DirectedInterval(Duration),
    /// The connection is gone, and not by this policy's doing.
    Lost(LossReason),
    /// The device moved to another network, or lost it (`None`).
    NetworkChanged(Option<u32>),
    /// The application went to another state.
    AppState(AppState),
}

/// How visible the application is to its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppState {
    /// On the screen.
    Foreground,
    /// Running, not visible.
    Background,
    /// The device sleeps and batches timers.
    Doze,
}

/// How the transport told that a connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LossReason {
    /// The peer, or a box on the path, sent RST.
    Reset,
    /// The peer closed in an orderly way (FIN).
    Closed,
    /// TCP keepalive probes went unanswered.
    KeepaliveTimeout,
    /// Data stayed unacknowledged until TCP's retransmissions ran out.
    RetransmissionTimeout,
    /// `TCP_USER_TIMEOUT` expired.
    UserTimeout,
    /// The device's own system ended it, because its network is gone (`ECONNABORTED`).
    Aborted,
}

/// What a heartbeat policy tells its host to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Send a heartbeat and report its reply with this id. Ids rise by one within a connection, from 0.
    SendHeartbeat {
        /// Names the heartbeat.
        id: u32,
    },
    /// Switch the connection's TCP keepalive on with these times, or off.
    SetKeepalive(Option<Keepalive>),
    /// Set `TCP_USER_TIMEOUT`, or unset it.
    SetUserTimeout(Option<Duration>),
    /// The connection looks dead; nothing is done about it yet (the failure detector's output turns to S).
    Suspect,
    /// It looks alive again (back to T).
    Trust,
    /// Close the connection and start anew.
    GiveUp(GiveUp),
}

/// The three numbers of TCP keepalive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Between probes that go unanswered.
    pub interval: Duration,
    /// Unanswered probes that mean death.
    pub count: u32,
}

/// Why a policy gave a connection up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum GiveUp {
    /// Heartbeats went unanswered.
    NoReply,
    /// Nothing at all arrived for too long.
    Silence,
    /// Nothing is wrong: there is nothing more to do on it for now. The connection is left on purpose; nobody is alarmed.
    Done,
}

/// A heartbeat policy as data. In a file it is a table named for the policy:
/// `heartbeat.fixed = { interval = "30s", timeout = "15s" }`, or the bare name where it has no parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HeartbeatSpec {
    /// No heartbeat: only TCP itself, and the application's traffic, can notice a break.
    None,
    /// A heartbeat on a fixed grid.
    Fixed(Fixed),
    /// A heartbeat after a stretch of idleness.
    Idle(Idle),
    /// The kernel's keepalive; the application sends nothing.
    TcpKeepalive(TcpKeepalive),
    /// The yardstick that knows the round trip and the NAT's timeout.
    Oracle(Oracle),
    /// No heartbeat, and no lasting connection either: it is left when it is quiet.
    LeaveWhenQuiet(LeaveWhenQuiet),
}

impl HeartbeatSpec {
    /// A policy ready to run. `bounds` is what only an oracle may look at.
    pub fn build(&self, bounds: &Bounds, rng: PolicyRng) -> Box<dyn Heartbeat> {
        match self {
            Self::None => Box::new(Silent),
            Self::Fixed(spec) => Box::new(fixed::FixedHeartbeat::new(spec.clone(), rng)),
            Self::Idle(spec) => Box::new(idle::IdleHeartbeat::new(spec.clone())),
            Self::TcpKeepalive(spec) => Box::new(tcp_keepalive::KernelKeepalive::new(spec.clone())),
            Self::Oracle(spec) => Box::new(fixed::FixedHeartbeat::new(spec.fixed(bounds), rng)),
            Self::LeaveWhenQuiet(spec) => Box::new(leave::Leaving::new(spec)),
        }
    }

    /// What the policy guarantees within `bounds`.
    pub fn promises(&self, bounds: &Bounds) -> Promises {
        match self {
            Self::None => Promises { heartbeats_per_hour: Some(0), no_false_alarm: true, ..Promises::default() },
            Self::Fixed(spec) => spec.promises(bounds),
            Self::Idle(spec) => spec.promises(bounds),
            Self::TcpKeepalive(spec) => spec.promises(bounds),
            Self::Oracle(spec) => spec.fixed(bounds).promises(bounds),
            Self::LeaveWhenQuiet(_) => LeaveWhenQuiet::promises(),
        }
    }

    /// Contradictions between parameters, each with the path to the key that should change.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::None | Self::LeaveWhenQuiet(_) => Vec::new(),
            Self::Fixed(spec) => spec.problems(),
            Self::Idle(spec) => spec.problems(),
            Self::TcpKeepalive(spec) => spec.problems(),
            Self::Oracle(spec) => check_misses("oracle", spec.misses).into_iter().collect(),
        }
    }
}

/// What is wrong with a number of misses, if anything. Every policy that counts them has the same limits.
fn check_misses(policy: &str, misses: u32) -> Option<Problem> {
    (!(1..=1000).contains(&misses)).then(|| {
        Problem::new(
            format!("heartbeat.{policy}.misses"),
            format!("{misses} misses are outside 1 to 1000"),
            "use 1 to give up at the first unanswered heartbeat, 2 or 3 to ride out single losses",
        )
    })
}

/// The most beats in any hour when two beats are at least `interval` apart.
fn per_hour(interval: Duration) -> u32 {
    let beats = Duration::from_hours(1).as_micros() / interval.as_micros() + 1;
    u32::try_from(beats).expect("3.6e9 microseconds of an hour fit in 32 bits")
}

/// No heartbeat at all.
struct Silent;

impl Heartbeat for Silent {
    fn on_event(&mut self, _: Time, _: &Event) {}

    fn poll(&mut self, _: Time) -> Option<Action> {
        None
    }

    fn deadline(&self) -> Option<Time> {
        None
    }
}
