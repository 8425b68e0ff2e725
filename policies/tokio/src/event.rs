//! What happens to a link: told to the application as news, and to whoever keeps a record.

use std::{fmt, time::Duration};

use cardiogram_policies::{AppState, AttemptFailure, GiveUp, LossReason, Mechanism};
use serde::{Serialize, Serializer};

use crate::Goodbye;

/// Something that happened to a link.
///
/// Its names, and its form in a record, are those of the laboratory's events of devices, so that both are drawn and read
/// alike; three more have no counterpart there. A `port` is the number of the connection: they are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LinkEvent {
    /// A connection attempt begins.
    AttemptStarted {
        /// The number of the connection.
        port: u16,
        /// Which server it tries.
        server: u32,
    },
    /// The attempt failed.
    AttemptFailed(AttemptFailure),
    /// The next attempt will begin after this time.
    RetryAfter(Duration),
    /// The reconnect policy makes no further attempt, until the network or the application's state changes or
    /// [`Link::try_now`](crate::Link::try_now) asks for one.
    Stopped,
    /// The connection is a session.
    Connected {
        /// The number of the connection.
        port: u16,
        /// Which server it is with.
        server: u32,
    },
    /// A heartbeat was handed to the transport.
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
    /// A heartbeat that wants no answer was handed to the transport.
    NoticeSent,
    /// A message was handed to the transport.
    MessageSent {
        /// Which message of this link, counted from 0.
        id: u32,
    },
    /// The protocol cannot say a message of the application's; it was dropped.
    MessageRefused,
    /// A message of the server's arrived.
    MessageDelivered {
        /// Which message for this link, counted from 0.
        id: u32,
        /// Since its creation, which a link does not know: zero.
        delay: Duration,
    },
    /// The heartbeat policy suspects the connection.
    Suspect,
    /// It trusts the connection again.
    Trust,
    /// The heartbeat policy gave the connection up.
    GivenUp {
        /// The number of the connection.
        port: u16,
        /// Why the policy gave it up.
        reason: GiveUp,
    },
    /// The transport ended the connection.
    Lost {
        /// The number of the connection.
        port: u16,
        /// How it ended.
        reason: LossReason,
    },
    /// The application went to another state.
    AppState(AppState),
    /// The server asked whether the client lives, and the protocol answered.
    PingAnswered,
    /// The server showed that it lives.
    NoticeReceived,
    /// The server directed the heartbeat interval.
    Directed {
        /// The interval to use.
        interval: Duration,
    },
    /// The server said why it is about to close the connection.
    GoodbyeReceived {
        /// Its reason.
        reason: Goodbye,
        /// How long it wants the client to stay away.
        retry_after: Option<Duration>,
    },
    /// A probe connection is being opened beside the session.
    ProbeStarted {
        /// The number of the connection.
        port: u16,
        /// Which server it is made to.
        server: u32,
    },
    /// The probe connection is up.
    ProbeConnected,
    /// A heartbeat was handed to the probe connection.
    ProbeSent {
        /// Which heartbeat of that connection.
        id: u32,
    },
    /// The reply to a heartbeat on the probe connection arrived.
    ProbeAnswered {
        /// Which heartbeat of that connection.
        id: u32,
        /// From its sending.
        rtt: Duration,
    },
    /// The probe connection is gone, or did not come up.
    ProbeLost,
    /// The probe connection was closed: by the policy, or with the session.
    ProbeClosed,
    /// Another attempt begins beside the session.
    RaceStarted {
        /// The number of the connection.
        port: u16,
        /// Which server it tries.
        server: u32,
    },
    /// The session stays, and the other attempt is dropped.
    RaceLost {
        /// The number of the connection that is dropped.
        port: u16,
    },
    /// The network will be checked after this time.
    CheckAfter(Duration),
    /// The network was checked: whether it carries anything.
    NetworkChecked(bool),
    /// The transport refused what a policy asked of it, which goes on without.
    Refused(#[serde(serialize_with = "in_words")] Mechanism),
    /// What the policy has learnt could not be stored.
    Forgotten,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it by reference")]
fn in_words<S: Serializer>(mechanism: &Mechanism, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(mechanism.words())
}

impl LinkEvent {
    /// Returns what a record calls it: an event of a device, or one that the laboratory's devices do not have.
    pub(crate) const fn what(&self) -> &'static str {
        match self {
            Self::MessageRefused | Self::Refused(_) | Self::Forgotten => "link",
            _ => "device",
        }
    }
}

impl fmt::Display for LinkEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AttemptStarted { server, .. } => write!(f, "connects to server {server}"),
            Self::AttemptFailed(why) => write!(f, "fails to connect ({})", why.words()),
            Self::RetryAfter(wait) => write!(f, "tries again after {wait:?}"),
            Self::Stopped => f.write_str("tries no more"),
            Self::Connected { server, .. } => write!(f, "is connected to server {server}"),
            Self::HeartbeatSent { id } => write!(f, "sends heartbeat {id}"),
            Self::HeartbeatAnswered { id, rtt } => write!(f, "gets the reply to heartbeat {id} after {rtt:?}"),
            Self::NoticeSent => f.write_str("sends a heartbeat that wants no answer"),
            Self::MessageSent { id } => write!(f, "sends message {id}"),
            Self::MessageRefused => f.write_str("drops a message that the protocol cannot say"),
            Self::MessageDelivered { id, .. } => write!(f, "gets message {id}"),
            Self::Suspect => f.write_str("suspects the connection"),
            Self::Trust => f.write_str("trusts the connection again"),
            Self::GivenUp { reason, .. } => write!(f, "gives up the connection ({})", reason.words()),
            Self::Lost { reason, .. } => write!(f, "loses the connection ({})", reason.words()),
            Self::AppState(AppState::Foreground) => f.write_str("is on the screen"),
            Self::AppState(AppState::Background) => f.write_str("is in the background"),
            Self::AppState(AppState::Doze) => f.write_str("dozes"),
            Self::PingAnswered => f.write_str("answers the server's ping"),
            Self::NoticeReceived => f.write_str("hears that the server is alive"),
            Self::Directed { interval } => write!(f, "is told to beat every {interval:?}"),
            Self::GoodbyeReceived { reason, retry_after } => {
                let reason = match reason {
                    Goodbye::TooManyPings => "too many pings",
                    Goodbye::Busy => "busy",
                };
                write!(f, "is told goodbye ({reason})")?;
                retry_after.map_or(Ok(()), |wait| write!(f, ", and not to come back for {wait:?}"))
            }
            Self::ProbeStarted { server, .. } => write!(f, "opens a probe connection to server {server}"),
            Self::ProbeConnected => f.write_str("has its probe connection up"),
            Self::ProbeSent { id } => write!(f, "sends heartbeat {id} of the probe connection"),
            Self::ProbeAnswered { id, rtt } => {
                write!(f, "gets the reply to heartbeat {id} of the probe connection after {rtt:?}")
            }
            Self::ProbeLost => f.write_str("loses the probe connection"),
            Self::ProbeClosed => f.write_str("closes the probe connection"),
            Self::RaceStarted { server, .. } => write!(f, "connects to server {server} beside its session"),
            Self::RaceLost { .. } => f.write_str("stays with its session and drops the other attempt"),
            Self::CheckAfter(wait) => write!(f, "looks whether the network carries anything after {wait:?}"),
            Self::NetworkChecked(true) => f.write_str("finds that the network carries something"),
            Self::NetworkChecked(false) => f.write_str("finds that the network carries nothing"),
            Self::Refused(mechanism) => write!(f, "goes on without {}, which the transport refuses", mechanism.words()),
            Self::Forgotten => f.write_str("cannot store what it has learnt"),
        }
    }
}

/// What an application hears of its link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News<M> {
    /// A message arrived.
    Message(M),
    /// Something happened to the link. Messages have no event here.
    Event(LinkEvent),
}
