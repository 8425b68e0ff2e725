//! What happens to a device. A new event is a variant with its bytes, its words and its meaning, all in this file; who
//! draws or judges a run reads the meaning.

use std::time::Duration;

use cardiogram_policies::{AppState, AttemptFailure, GiveUp, LossReason};
use serde::{Deserialize, Serialize};

use super::GoodbyeReason;
use crate::{config::Cause, record::bytes::Bytes};

/// What happens to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        /// Why the policy gave it up.
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
        /// The number of the network.
        network: u32,
        /// How many addresses it has had there before.
        lease: u32,
    },
    /// An address of the device is no longer its own.
    Detached {
        /// The number of the network.
        network: u32,
        /// Which of its addresses there, counted from 0.
        lease: u32,
        /// What took the address away.
        cause: Cause,
    },
    /// The application's process was killed.
    Killed,
    /// The application's process was started again.
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
        /// The interval to use from now on.
        interval: Duration,
    },
    /// The server announced that it closes the connection.
    GoodbyeReceived {
        /// Why the server closes it.
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
    /// The application's process stands still from now on.
    StandsStill,
    /// It goes on.
    GoesOn,
    /// The deadline of a message passed, and it was given up.
    MessageFailed {
        /// Which message of this device.
        id: u32,
    },
}

/// What an event of a device means to whoever draws a run or judges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceMeaning {
    /// The device is in another state now, or takes it to be so.
    Turn(Turn),
    /// Part of a heartbeat exchange.
    Beat(Beat),
    /// The probe connection is gone, with whatever waits for an answer on it.
    ProbeEnds,
    /// A message was handed to TCP.
    MessageSent,
    /// A message was delivered.
    MessageDelivered,
    /// The application is in another state.
    AppState(AppState),
    /// The radio is up.
    RadioUp,
    /// It tells how sessions end or begin, and nothing more is told apart; its words say it.
    News,
    /// Nothing is told apart; its words say it.
    Other,
}

/// What changes the state of a device's sessions, as it knows them. The truth is found from these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// An attempt begins.
    AttemptBegins {
        /// The device's port.
        port: u16,
        /// Which server it tries.
        server: u32,
        /// It is made beside a session.
        beside: bool,
    },
    /// An attempt ends without a session.
    AttemptEnds {
        /// It was made beside a session.
        beside: bool,
    },
    /// A session begins, over the attempt under way.
    SessionBegins {
        /// The device's port.
        port: u16,
    },
    /// The heartbeat policy ends the session.
    GivenUp(GiveUp),
    /// The transport reports the session's end.
    Lost(LossReason),
    /// The detector's output is suspect.
    Suspects,
    /// The detector's output is trust.
    Trusts,
    /// The device has this address of a network now, which it has had `lease` others of before.
    Attached {
        /// The number of the network.
        network: u32,
        /// Which of its addresses there, counted from 0.
        lease: u32,
    },
    /// The device has this address no longer.
    Detached {
        /// The number of the network.
        network: u32,
        /// Which of its addresses there, counted from 0.
        lease: u32,
        /// What took the address away.
        cause: Cause,
    },
    /// There is no process any more.
    Killed,
    /// There is one again.
    Started,
}

/// What heartbeat exchanges are made of: the application's own, and what stands for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// A heartbeat was handed to TCP.
    Sent {
        /// Which heartbeat of its connection.
        id: u32,
        /// It is on the probe connection.
        probe: bool,
    },
    /// Its reply arrived.
    Answered {
        /// Which heartbeat of its connection.
        id: u32,
        /// From its sending.
        rtt: Duration,
        /// It is on the probe connection.
        probe: bool,
    },
    /// A heartbeat that wants no answer was handed to TCP.
    Notice,
    /// A ping of the server was answered.
    PingAnswered,
    /// The server showed that it is alive.
    Heard,
}

impl DeviceEvent {
    /// Writes what goes into the trace hash: a tag, and every field.
    pub(crate) fn digest(&self, out: &mut Vec<u8>) {
        match *self {
            Self::AttemptStarted { port, server } => out.u8(0).u16(port).u32(server),
            Self::AttemptFailed(failure) => out.u8(1).u8(failure.code()),
            Self::RetryAfter(wait) => out.u8(2).span(wait),
            Self::Stopped => out.u8(3),
            Self::Connected { port, server } => out.u8(4).u16(port).u32(server),
            Self::HeartbeatSent { id } => out.u8(5).u32(id),
            Self::HeartbeatAnswered { id, rtt } => out.u8(6).u32(id).span(rtt),
            Self::MessageSent { id } => out.u8(7).u32(id),
            Self::MessageDelivered { id, delay } => out.u8(8).u32(id).span(delay),
            Self::Suspect => out.u8(9),
            Self::Trust => out.u8(10),
            Self::GivenUp { port, reason } => out.u8(11).u16(port).u8(reason.code()),
            Self::Lost { port, reason } => out.u8(12).u16(port).u8(reason.code()),
            Self::RadioUp { waited } => out.u8(13).span(waited),
            Self::Attached { network, lease } => out.u8(14).u32(network).u32(lease),
            Self::Detached { network, lease, cause } => out.u8(15).u32(network).u32(lease).u8(cause.tag()),
            Self::Killed => out.u8(16),
            Self::Started => out.u8(17),
            Self::AppState(AppState::Foreground) => out.u8(18).u8(0),
            Self::AppState(AppState::Background) => out.u8(18).u8(1),
            Self::AppState(AppState::Doze) => out.u8(18).u8(2),
            Self::Woken => out.u8(19),
            Self::PingAnswered => out.u8(20),
            Self::NoticeReceived => out.u8(21),
            Self::Directed { interval } => out.u8(22).span(interval),
            Self::GoodbyeReceived { reason, retry_after } => {
                out.u8(23).u8(reason.code()).span(retry_after.unwrap_or_default())
            }
            Self::MalformedSent => out.u8(24),
            Self::NoticeSent => out.u8(25),
            Self::ProbeStarted { port, server } => out.u8(26).u16(port).u32(server),
            Self::ProbeConnected => out.u8(27),
            Self::ProbeSent { id } => out.u8(28).u32(id),
            Self::ProbeAnswered { id, rtt } => out.u8(29).u32(id).span(rtt),
            Self::ProbeLost => out.u8(30).u8(0),
            Self::ProbeClosed => out.u8(30).u8(1),
            Self::RaceStarted { port, server } => out.u8(31).u16(port).u32(server),
            Self::RaceLost { port } => out.u8(32).u16(port),
            Self::CheckAfter(wait) => out.u8(33).span(wait),
            Self::NetworkChecked(carries) => out.u8(34).u8(u8::from(carries)),
            Self::StandsStill => out.u8(40),
            Self::GoesOn => out.u8(41),
            Self::MessageFailed { id } => out.u8(42).u32(id),
        };
    }

    /// Returns the event in words, without the device; `networks` are the names of the networks.
    pub(crate) fn words(&self, networks: &[String]) -> String {
        match self {
            Self::AttemptStarted { port, server } => format!("connects from port {port} to server {server}"),
            Self::AttemptFailed(why) => format!("fails to connect ({})", why.words()),
            Self::RetryAfter(wait) => format!("tries again after {wait:?}"),
            Self::Stopped => "tries no more".into(),
            Self::Connected { port, server } => format!("is welcomed by server {server} on port {port}"),
            Self::HeartbeatSent { id } => format!("sends heartbeat {id}"),
            Self::HeartbeatAnswered { id, rtt } => format!("gets the reply to heartbeat {id} after {rtt:?}"),
            Self::MessageSent { id } => format!("sends message {id}"),
            Self::MessageDelivered { id, delay } => format!("gets message {id}, {delay:?} old"),
            Self::Suspect => "suspects the connection".into(),
            Self::Trust => "trusts the connection again".into(),
            Self::GivenUp { port, reason } => format!("gives up the connection of port {port} ({})", reason.words()),
            Self::Lost { port, reason } => format!("loses the connection of port {port} ({})", reason.words()),
            Self::RadioUp { waited } => format!("has its radio up, {waited:?} after it was asked for"),
            Self::Attached { network, lease } => {
                format!("is on the network {} (lease {lease})", networks[*network as usize])
            }
            Self::Detached { network, lease, cause } => {
                format!("loses its address on {} (lease {lease}): {}", networks[*network as usize], cause.name())
            }
            Self::Killed => "has its process killed".into(),
            Self::Started => "has its process started again".into(),
            Self::AppState(AppState::Foreground) => "has the application on its screen".into(),
            Self::AppState(AppState::Background) => "has the application in the background".into(),
            Self::AppState(AppState::Doze) => "dozes".into(),
            Self::Woken => "is woken by the push service".into(),
            Self::PingAnswered => "answers the server's ping".into(),
            Self::NoticeReceived => "hears that the server is alive".into(),
            Self::Directed { interval } => format!("is told to beat every {interval:?}"),
            Self::GoodbyeReceived { reason, retry_after } => {
                let when = retry_after.map_or_else(String::new, |wait| format!(", and not to come back for {wait:?}"));
                format!("is told goodbye ({}){when}", reason.words())
            }
            Self::MalformedSent => "sends a frame that makes no sense".into(),
            Self::NoticeSent => "sends a heartbeat that wants no answer".into(),
            Self::ProbeStarted { port, server } => {
                format!("opens a probe connection from port {port} to server {server}")
            }
            Self::ProbeConnected => "is welcomed on the probe connection".into(),
            Self::ProbeSent { id } => format!("sends heartbeat {id} of the probe connection"),
            Self::ProbeAnswered { id, rtt } => {
                format!("gets the reply to heartbeat {id} of the probe connection after {rtt:?}")
            }
            Self::ProbeLost => "loses the probe connection".into(),
            Self::ProbeClosed => "closes the probe connection".into(),
            Self::RaceStarted { port, server } => {
                format!("connects from port {port} to server {server} beside its session")
            }
            Self::RaceLost { port } => format!("stays with its session and drops the attempt from port {port}"),
            Self::CheckAfter(wait) => format!("looks whether the network carries anything after {wait:?}"),
            Self::NetworkChecked(true) => "finds that the network carries something".into(),
            Self::NetworkChecked(false) => "finds that the network carries nothing".into(),
            Self::StandsStill => "stands still".into(),
            Self::GoesOn => "goes on".into(),
            Self::MessageFailed { id } => format!("gives up message {id}, which was not answered in time"),
        }
    }

    /// Returns what it means to whoever draws a run or judges it.
    pub const fn meaning(self) -> DeviceMeaning {
        match self {
            Self::AttemptStarted { port, server } => {
                DeviceMeaning::Turn(Turn::AttemptBegins { port, server, beside: false })
            }
            Self::AttemptFailed(_) => DeviceMeaning::Turn(Turn::AttemptEnds { beside: false }),
            Self::RaceStarted { port, server } => {
                DeviceMeaning::Turn(Turn::AttemptBegins { port, server, beside: true })
            }
            Self::RaceLost { .. } => DeviceMeaning::Turn(Turn::AttemptEnds { beside: true }),
            Self::Connected { port, .. } => DeviceMeaning::Turn(Turn::SessionBegins { port }),
            Self::GivenUp { reason, .. } => DeviceMeaning::Turn(Turn::GivenUp(reason)),
            Self::Lost { reason, .. } => DeviceMeaning::Turn(Turn::Lost(reason)),
            Self::Suspect => DeviceMeaning::Turn(Turn::Suspects),
            Self::Trust => DeviceMeaning::Turn(Turn::Trusts),
            Self::Attached { network, lease } => DeviceMeaning::Turn(Turn::Attached { network, lease }),
            Self::Detached { network, lease, cause } => DeviceMeaning::Turn(Turn::Detached { network, lease, cause }),
            Self::Killed => DeviceMeaning::Turn(Turn::Killed),
            Self::Started => DeviceMeaning::Turn(Turn::Started),
            Self::HeartbeatSent { id } => DeviceMeaning::Beat(Beat::Sent { id, probe: false }),
            Self::HeartbeatAnswered { id, rtt } => DeviceMeaning::Beat(Beat::Answered { id, rtt, probe: false }),
            Self::ProbeSent { id } => DeviceMeaning::Beat(Beat::Sent { id, probe: true }),
            Self::ProbeAnswered { id, rtt } => DeviceMeaning::Beat(Beat::Answered { id, rtt, probe: true }),
            Self::NoticeSent => DeviceMeaning::Beat(Beat::Notice),
            Self::PingAnswered => DeviceMeaning::Beat(Beat::PingAnswered),
            Self::NoticeReceived => DeviceMeaning::Beat(Beat::Heard),
            Self::ProbeLost | Self::ProbeClosed => DeviceMeaning::ProbeEnds,
            Self::MessageSent { .. } => DeviceMeaning::MessageSent,
            Self::MessageDelivered { .. } => DeviceMeaning::MessageDelivered,
            Self::AppState(state) => DeviceMeaning::AppState(state),
            Self::RadioUp { .. } => DeviceMeaning::RadioUp,
            Self::Stopped | Self::GoodbyeReceived { .. } => DeviceMeaning::News,
            Self::RetryAfter(_)
            | Self::Woken
            | Self::Directed { .. }
            | Self::MalformedSent
            | Self::ProbeStarted { .. }
            | Self::ProbeConnected
            | Self::CheckAfter(_)
            | Self::NetworkChecked(_)
            | Self::StandsStill
            | Self::GoesOn
            | Self::MessageFailed { .. } => DeviceMeaning::Other,
        }
    }
}
