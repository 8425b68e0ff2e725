//! The heartbeat contract: events in, actions out, a deadline to be woken at. The policies themselves are one file each
//! below this module.

mod activity;
mod androidpn;
mod beats;
mod carson;
mod chromium;
mod composed;
mod fixed;
mod halfrost;
mod idle;
mod judge;
mod known_nat_timeout;
mod ladder;
mod leave;
mod machine;
mod mars;
mod microg;
mod notebook;
mod pace;
mod schedule;
mod search;
mod spec;
mod tcp_keepalive;
mod wechat_2013;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::{
    activity::UntilTold,
    androidpn::Androidpn,
    carson::CarsonAdaptive5,
    chromium::ChromiumGcm,
    composed::{Composed, Occasion, WhenDead},
    fixed::Fixed,
    halfrost::HalfrostSearch,
    idle::Idle,
    judge::{
        AnsweredBy, Bertier, Cassandra, Chen, DetectorSpec, Feed, Freshness, Judges, LateReply, Look, Looks, Patience,
        Phi, Reply, Rto, Silence, Stream, Tail, TwoWindow, Unanswered, Weibull,
    },
    known_nat_timeout::KnownNatTimeout,
    leave::{Leave, LeaveWhenQuiet},
    mars::MarsSmartHeartbeat,
    microg::MicrogMcsAimd,
    pace::Pace,
    schedule::{Anchor, Checks, FirstBeat, Grid, ScheduleSpec, Threshold},
    search::{Adopt, Search, SearchRule, SearchWhen, TestOn},
    spec::{HeartbeatSpec, Learning},
    tcp_keepalive::TcpKeepalive,
    wechat_2013::{WechatSmart2013, Weekday},
};
use crate::{Network, Time};

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

    /// Returns what to do now, one action a call, `None` when there is nothing more to do.
    fn poll(&mut self, now: Time) -> Option<Action>;

    /// Returns when the policy wants to be polled next, events apart.
    fn deadline(&self) -> Option<Time>;

    /// Returns what it has learnt and wants to know again after a restart of its host, as text for the host to store;
    /// `None` if it learns nothing. Asked for when [`Action::Remember`] says so.
    fn memory(&self) -> Option<String> {
        None
    }

    /// What [`memory`](Self::memory) said before the host was restarted; told before anything else. A text that it does not
    /// understand counts as none: a policy has to live with an older version's memory.
    fn recall(&mut self, _memory: &str) {}
}

/// What a host tells a heartbeat policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection is established: the server has welcomed this client.
    Connected {
        /// The network the connection runs over.
        network: Network,
        /// The server at the other end, as the host numbers its servers.
        server: u32,
    },
    /// Bytes of the application were handed to the transport; a heartbeat's own bytes count too.
    BytesWritten,
    /// Application bytes arrived that nothing else here describes.
    BytesReceived,
    /// The peer's application acknowledged something of ours other than a heartbeat.
    Acknowledged,
    /// The reply to a heartbeat arrived.
    HeartbeatReply {
        /// The id of the heartbeat that it answers.
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
    NetworkChanged(Option<Network>),
    /// The application went to another state.
    AppState(AppState),
    /// The answer to [`Action::AskTransport`]: how long ago the transport last heard anything from the peer, an
    /// acknowledgement or a keepalive's answer included (`tcpi_last_ack_recv` and `tcpi_last_data_recv` of `TCP_INFO`).
    TransportHeard {
        /// How long before now.
        ago: Duration,
    },
    /// The probe connection is up.
    ProbeConnected,
    /// The reply to a heartbeat on the probe connection arrived.
    ProbeReply {
        /// The id of the heartbeat that it answers.
        id: u32,
        /// From the moment the heartbeat was sent.
        rtt: Duration,
    },
    /// The probe connection is gone, or did not come up, and not by this policy's doing.
    ProbeLost,
}

impl Event {
    /// Returns whether something that the peer's application sent has arrived.
    pub const fn is_reception(&self) -> bool {
        matches!(
            self,
            Self::BytesReceived
                | Self::Acknowledged
                | Self::HeartbeatReply { .. }
                | Self::PeerPing
                | Self::DirectedInterval(_)
        )
    }
}

/// How visible the application is to its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppState {
    /// It is on the screen.
    Foreground,
    /// It runs and is not visible.
    Background,
    /// The device sleeps and batches timers.
    Doze,
}

/// How the transport told that a connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// The peer closed it with the word that heartbeats came too often (gRPC's `too_many_pings`).
    TooManyPings,
    /// The application closed it: the answer to one of its requests had not come in time.
    DeadlinePassed,
    /// TCP gave up, after a router had said that the peer, or its network, cannot be reached (`EHOSTUNREACH`, `ENETUNREACH`).
    Unreachable,
}

impl LossReason {
    /// Returns the number that stands for it in records of runs. It does not change in later versions.
    pub const fn code(self) -> u8 {
        match self {
            Self::Reset => 0,
            Self::Closed => 1,
            Self::KeepaliveTimeout => 2,
            Self::RetransmissionTimeout => 3,
            Self::UserTimeout => 4,
            Self::Aborted => 5,
            Self::TooManyPings => 6,
            Self::DeadlinePassed => 7,
            Self::Unreachable => 8,
        }
    }

    /// Returns it in words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Closed => "closed by the peer",
            Self::KeepaliveTimeout => "keepalive timeout",
            Self::RetransmissionTimeout => "retransmission timeout",
            Self::UserTimeout => "user timeout",
            Self::Aborted => "aborted by the system",
            Self::TooManyPings => "too many pings",
            Self::DeadlinePassed => "deadline passed",
            Self::Unreachable => "unreachable",
        }
    }
}

/// What a heartbeat policy tells its host to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a heartbeat and report its reply with this id. Ids rise by one within a connection, from 0.
    SendHeartbeat {
        /// The id of the heartbeat.
        id: u32,
    },
    /// Send a heartbeat that nobody answers: it refreshes the path and shows the peer that we live.
    SendNotice,
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
    /// Say how long ago the transport last heard from the peer; answered at once by [`Event::TransportHeard`].
    AskTransport,
    /// Open a second connection to the same server, over the same network, for probing; it is no session and carries
    /// nothing but heartbeats. Answered by [`Event::ProbeConnected`] or [`Event::ProbeLost`]. It is gone with the
    /// session, without an event of its own. There is one at a time: while there is, nothing is opened.
    OpenProbe,
    /// Send a heartbeat on the probe connection, if it is up. Ids rise by one within a probe connection, from 0.
    SendProbe {
        /// The id of the heartbeat.
        id: u32,
    },
    /// Close the probe connection.
    CloseProbe,
    /// Open another connection beside this one and keep whichever answers first: the new one by its welcome, the old
    /// one by any reply (gRPC's proposal A8). If the old one wins the race is over without an event; if the new one
    /// does, a [`Event::Connected`] follows. If neither does within the time of an attempt, the old one stays. While a
    /// race is on, no other is begun.
    Race,
    /// What [`Heartbeat::memory`] returns has changed: store it.
    Remember,
}

/// The three numbers of TCP keepalive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// How long nothing is received before the first probe.
    pub idle: Duration,
    /// The time between probes that go unanswered.
    pub interval: Duration,
    /// After how many unanswered probes the connection is dead.
    pub count: u32,
}

/// Why a policy gave a connection up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GiveUp {
    /// Heartbeats went unanswered.
    NoReply,
    /// Nothing at all arrived for too long.
    Silence,
    /// Heartbeats went unanswered while the peer's transport went on answering: the service is dead, not the network, and
    /// another server is the better choice.
    ServiceDead,
    /// Heartbeats went unanswered, and the transport heard nothing either.
    NetworkDead,
    /// Nothing is wrong: there is nothing more to do on the connection for now, and it is left on purpose. This is no alarm.
    Done,
}

impl GiveUp {
    /// Returns the number that stands for it in records of runs. It does not change in later versions.
    pub const fn code(self) -> u8 {
        match self {
            Self::NoReply => 0,
            Self::Silence => 1,
            Self::Done => 2,
            Self::ServiceDead => 3,
            Self::NetworkDead => 4,
        }
    }

    /// Returns it in words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoReply => "no reply",
            Self::Silence => "silence",
            Self::Done => "nothing more to do",
            Self::ServiceDead => "the service is dead",
            Self::NetworkDead => "the network is dead",
        }
    }
}
