//! What happens to a server. A new event is a variant with its bytes, its words and its meaning, all in this file.

use std::time::Duration;

use cardiogram_policies::CloseReason;
use serde::Serialize;

use crate::{config::Cause, record::bytes::Bytes};

/// What happens to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ServerEvent {
    /// A client was welcomed; the client as the server sees it (the NAT's port).
    SessionOpened {
        /// The device whose session it is.
        device: u32,
        /// The network it comes through.
        network: u32,
        /// The client's port as the server sees it: the NAT's.
        outside: u16,
    },
    /// A session ended on the server's side.
    SessionClosed {
        /// The device whose session it is.
        device: u32,
        /// The network it comes through.
        network: u32,
        /// The client's port as the server sees it: the NAT's.
        outside: u16,
    },
    /// The server's policy closed a session.
    Reaped {
        /// The device whose session it is.
        device: u32,
        /// The network it comes through.
        network: u32,
        /// The client's port as the server sees it: the NAT's.
        outside: u16,
    },
    /// A fault begins.
    FaultBegan(Cause),
    /// The fault ends.
    FaultEnded(Cause),
    /// The balancer believes the server unhealthy from now on.
    TurnedUnhealthy,
    /// The balancer believes it healthy again.
    TurnedHealthy,
    /// The server asks the push service to wake a device.
    WakeupSent {
        /// The device that it concerns.
        device: u32,
    },
    /// The server's policy had a client pinged.
    PingSent {
        /// The device that it concerns.
        device: u32,
        /// Whether it is to answer.
        wants_answer: bool,
    },
    /// A client answered a ping.
    PongReceived {
        /// The device that it concerns.
        device: u32,
    },
    /// The server told a client to use this heartbeat interval, later than with its welcome.
    Directed {
        /// The device that it concerns.
        device: u32,
        /// The interval to use from now on.
        interval: Duration,
    },
    /// A client was turned away before its login.
    TurnedAway {
        /// The device that it concerns.
        device: u32,
        /// It is not to come back before this time has passed.
        retry_after: Duration,
    },
    /// The server's policy closed a session for another reason than silence.
    Expelled {
        /// The device whose session it is.
        device: u32,
        /// The network it comes through.
        network: u32,
        /// The client's port as the server sees it: the NAT's.
        outside: u16,
        /// Why the policy closed it.
        reason: CloseReason,
    },
    /// A client goes on with its last session; told before that is opened again.
    Resumed {
        /// The device that it concerns.
        device: u32,
    },
    /// A frame arrived that makes no sense.
    MalformedReceived {
        /// The device that it concerns.
        device: u32,
    },
    /// A session has reached its greatest age, and its client is told so.
    TurnedOld {
        /// The device that it concerns.
        device: u32,
    },
    /// A session is half dead from now on, or is so no longer: its heartbeats are answered, and nothing else.
    HalfDead {
        /// The device whose session it is.
        device: u32,
        /// The network it comes through.
        network: u32,
        /// The client's port as the server sees it: the NAT's.
        outside: u16,
        /// Whether it is so from now on.
        begins: bool,
    },
    /// A client was refused, since its device has a session here.
    Refused {
        /// The device that it concerns.
        device: u32,
    },
    /// A session is closed for its age.
    TooOld {
        /// The device whose session it is.
        device: u32,
        /// The network it comes through.
        network: u32,
        /// The client's port as the server sees it: the NAT's.
        outside: u16,
    },
}

/// What an event of a server means to whoever draws a run or judges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerMeaning {
    /// The server has a session of the device from now on.
    SessionBegins {
        /// The device whose session it is.
        device: u32,
        /// The network it comes through.
        network: u32,
        /// The client's port as the server sees it: the NAT's.
        outside: u16,
    },
    /// The server has it no longer.
    SessionEnds {
        /// The device whose session it is.
        device: u32,
        /// The network it comes through.
        network: u32,
        /// The client's port as the server sees it: the NAT's.
        outside: u16,
    },
    /// The server is about to end it, since it is too old.
    SessionTooOld {
        /// The device whose session it is.
        device: u32,
        /// The network it comes through.
        network: u32,
        /// The client's port as the server sees it: the NAT's.
        outside: u16,
    },
    /// Nothing but heartbeats goes through it from now on, or everything does again.
    SessionHalfDead {
        /// The device whose session it is.
        device: u32,
        /// The network it comes through.
        network: u32,
        /// The client's port as the server sees it: the NAT's.
        outside: u16,
        /// Whether it is so from now on.
        begins: bool,
    },
    /// A fault begins or ends.
    Fault,
    /// A client is pinged.
    Ping {
        /// Whether it is to answer.
        wants_answer: bool,
    },
    /// A client has answered.
    Pong,
    /// Nothing that would be told apart; its words say it.
    Other,
}

impl ServerEvent {
    /// Writes what goes into the trace hash: a tag, and every field.
    pub(crate) fn digest(&self, out: &mut Vec<u8>) {
        match *self {
            Self::SessionOpened { device, network, outside } => out.u8(0).session(device, network, outside),
            Self::SessionClosed { device, network, outside } => out.u8(1).session(device, network, outside),
            Self::Reaped { device, network, outside } => out.u8(2).session(device, network, outside),
            Self::FaultBegan(cause) => out.u8(3).u8(cause.tag()),
            Self::FaultEnded(cause) => out.u8(4).u8(cause.tag()),
            Self::TurnedUnhealthy => out.u8(5),
            Self::TurnedHealthy => out.u8(6),
            Self::WakeupSent { device } => out.u8(7).u32(device),
            Self::PingSent { device, wants_answer } => out.u8(8).u8(u8::from(wants_answer)).u32(device),
            Self::PongReceived { device } => out.u8(9).u32(device),
            Self::Directed { device, interval } => out.u8(10).u32(device).span(interval),
            Self::TurnedAway { device, retry_after } => out.u8(11).u32(device).span(retry_after),
            Self::Expelled { device, network, outside, reason } => {
                out.u8(12).session(device, network, outside).u8(reason.code())
            }
            Self::Resumed { device } => out.u8(13).u32(device),
            Self::MalformedReceived { device } => out.u8(14).u32(device),
            Self::TurnedOld { device } => out.u8(15).u32(device),
            Self::TooOld { device, network, outside } => out.u8(16).session(device, network, outside),
            Self::HalfDead { device, network, outside, begins } => {
                out.u8(17).session(device, network, outside).u8(u8::from(begins))
            }
            Self::Refused { device } => out.u8(18).u32(device),
        };
    }

    /// Returns the event in words, without the server; `networks` are the names of the networks.
    pub(crate) fn words(&self, networks: &[String]) -> String {
        let client = |network: u32, outside: u16| match network {
            0 => format!("(port {outside})"),
            _ => format!("(port {outside} of {})", networks[network as usize]),
        };
        match *self {
            Self::SessionOpened { device, network, outside } => {
                format!("opens the session of device {device} {}", client(network, outside))
            }
            Self::SessionClosed { device, network, outside } => {
                format!("ends the session of device {device} {}", client(network, outside))
            }
            Self::Reaped { device, network, outside } => {
                format!("reaps the session of device {device} {}", client(network, outside))
            }
            Self::FaultBegan(cause) => format!("fault begins: {}", cause.name()),
            Self::FaultEnded(cause) => format!("fault ends: {}", cause.name()),
            Self::TurnedUnhealthy => "is unhealthy to the balancer".into(),
            Self::TurnedHealthy => "is healthy again to the balancer".into(),
            Self::WakeupSent { device } => format!("has device {device} woken"),
            Self::PingSent { device, wants_answer: true } => format!("pings device {device}"),
            Self::PingSent { device, wants_answer: false } => format!("lets device {device} hear that it is alive"),
            Self::PongReceived { device } => format!("gets the answer of device {device} to its ping"),
            Self::Directed { device, interval } => format!("tells device {device} to beat every {interval:?}"),
            Self::TurnedAway { device, retry_after } => {
                format!("is busy and turns device {device} away for {retry_after:?}")
            }
            Self::Expelled { device, network, outside, reason } => {
                format!("closes the session of device {device} {} ({})", client(network, outside), reason.words())
            }
            Self::Resumed { device } => format!("lets device {device} go on with its last session"),
            Self::MalformedReceived { device } => format!("gets a frame of device {device} that makes no sense"),
            Self::TurnedOld { device } => format!("tells device {device} that its session is too old"),
            Self::TooOld { device, network, outside } => {
                format!("closes the session of device {device} {} (too old)", client(network, outside))
            }
            Self::HalfDead { device, network, outside, begins } => {
                let is = if begins { "is half dead" } else { "is well again" };
                format!("the session of device {device} {} {is}", client(network, outside))
            }
            Self::Refused { device } => format!("refuses device {device}, which has a session"),
        }
    }

    /// Returns what it means to whoever draws a run or judges it.
    pub const fn meaning(self) -> ServerMeaning {
        match self {
            Self::SessionOpened { device, network, outside } => {
                ServerMeaning::SessionBegins { device, network, outside }
            }
            Self::SessionClosed { device, network, outside } => ServerMeaning::SessionEnds { device, network, outside },
            Self::TooOld { device, network, outside } => ServerMeaning::SessionTooOld { device, network, outside },
            Self::HalfDead { device, network, outside, begins } => {
                ServerMeaning::SessionHalfDead { device, network, outside, begins }
            }
            Self::FaultBegan(_) | Self::FaultEnded(_) => ServerMeaning::Fault,
            Self::PingSent { wants_answer, .. } => ServerMeaning::Ping { wants_answer },
            Self::PongReceived { .. } => ServerMeaning::Pong,
            Self::Reaped { .. }
            | Self::TurnedUnhealthy
            | Self::TurnedHealthy
            | Self::WakeupSent { .. }
            | Self::Directed { .. }
            | Self::TurnedAway { .. }
            | Self::Expelled { .. }
            | Self::Resumed { .. }
            | Self::TurnedOld { .. }
            | Self::Refused { .. }
            | Self::MalformedReceived { .. } => ServerMeaning::Other,
        }
    }

    /// Returns the device that it is about; `None` if it is about no single one.
    pub const fn device(self) -> Option<u32> {
        match self {
            Self::SessionOpened { device, .. }
            | Self::SessionClosed { device, .. }
            | Self::Reaped { device, .. }
            | Self::WakeupSent { device }
            | Self::PingSent { device, .. }
            | Self::PongReceived { device }
            | Self::Directed { device, .. }
            | Self::TurnedAway { device, .. }
            | Self::Expelled { device, .. }
            | Self::Resumed { device }
            | Self::TurnedOld { device }
            | Self::TooOld { device, .. }
            | Self::HalfDead { device, .. }
            | Self::Refused { device }
            | Self::MalformedReceived { device } => Some(device),
            Self::FaultBegan(_) | Self::FaultEnded(_) | Self::TurnedUnhealthy | Self::TurnedHealthy => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::trace::{DeviceEvent, GoodbyeReason};

    #[test]
    fn both_ends_say_in_words_why_a_session_is_closed() {
        let expelled = ServerEvent::Expelled { device: 1, network: 0, outside: 2, reason: CloseReason::TooManyPings };
        assert_eq!(expelled.words(&[]), "closes the session of device 1 (port 2) (too many pings)");
        let told = DeviceEvent::GoodbyeReceived { reason: GoodbyeReason::TooManyPings, retry_after: None };
        assert_eq!(told.words(&[]), "is told goodbye (too many pings)");
    }
}
