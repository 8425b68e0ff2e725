//! What stands in a trace, in words for people: the lines of the log and the comments of a capture.

use std::fmt;

use cardiogram_policies::{AppState, AttemptFailure, GiveUp, LossReason, Time};

use crate::{
    config::{Direction, MAIN},
    record::{
        faults::{FaultPlace, FaultSpan},
        trace::{DeviceEvent, DropReason, Entry, Fate, NatEvent, ServerEvent, Trace, What},
    },
    wire::packet::Packet,
};

impl Trace {
    /// An entry without its time and its node, as one line of a log.
    pub fn words(&self, entry: &Entry) -> String {
        let width = self.name_width();
        match &entry.what {
            What::Sent { packet, to, fate } => {
                let fate = match fate {
                    Fate::Arrives(at) => format!("arrives {at}"),
                    other => fate_words(*other),
                };
                format!("> {:width$}  {}, {fate}", self.nodes[to.0 as usize], headers(packet))
            }
            What::Received { packet, from } => {
                format!("< {:width$}  {}", self.nodes[from.0 as usize], headers(packet))
            }
            What::Dropped { packet, reason } => format!("drops {} ({})", headers(packet), drop_words(*reason)),
            What::Device { device, event } => format!("device {device} {}", device_words(event, &self.networks)),
            What::Nat { device, port, event, .. } => {
                format!("mapping of device {device} port {port} {}", nat_words(*event))
            }
            What::OuterNat { nat, port, server, event, .. } => {
                format!("mapping of port {port} of NAT {} to server {server} {}", nat - 1, nat_words(*event))
            }
            What::Server { server, event } => format!("server {server} {}", server_words(*event, &self.networks)),
        }
    }

    /// The longest name of a node, in letters: what a column of names needs.
    pub fn name_width(&self) -> usize {
        self.nodes.iter().map(String::len).max().unwrap_or(0)
    }

    /// The begins and ends of all faults in words, each with its time; sorted.
    pub fn fault_lines(&self) -> Vec<(Time, &FaultSpan, String)> {
        let mut lines = Vec::new();
        for fault in &self.faults {
            let words = self.fault_words(fault);
            if fault.end == Some(fault.begin) {
                lines.push((fault.begin, fault, format!("fault: {words}")));
                continue;
            }
            lines.push((fault.begin, fault, format!("fault begins: {words}")));
            lines.extend(fault.end.map(|end| (end, fault, format!("fault ends: {words}"))));
        }
        lines.sort_by_key(|(at, ..)| *at);
        lines
    }

    /// A fault in words, without its times: `cut of the access link`, `server-stall of server-0`.
    pub fn fault_words(&self, fault: &FaultSpan) -> String {
        let on = |network: u32| {
            let name = self.networks.get(network as usize).map_or("", String::as_str);
            if name == MAIN || self.networks.len() == 1 { String::new() } else { format!(" of {name}") }
        };
        let place = match fault.place {
            FaultPlace::Device => String::new(),
            FaultPlace::AccessLink { network } => format!(" of the access link{}", on(network)),
            FaultPlace::CoreLink => " of the core link".into(),
            FaultPlace::Nat { .. } | FaultPlace::Server { .. } => format!(" of {}", self.nodes[fault.node.0 as usize]),
        };
        let direction = match fault.direction {
            Direction::Both => "",
            Direction::Up => ", upwards",
            Direction::Down => ", downwards",
        };
        let timeout = fault.timeout.map_or_else(String::new, |timeout| format!(" to {timeout:?}"));
        let device = fault.device.map_or_else(String::new, |device| format!(", device {device}"));
        format!("{}{timeout}{place}{direction}{device}", fault.kind)
    }
}

/// A packet in tcpdump's manner.
fn headers(packet: &Packet) -> String {
    let Packet { src, dst, flags, seq, ack, .. } = packet;
    format!("{src} > {dst} [{flags:?}] seq {seq} ack {ack} length {}", packet.payload.len())
}

/// What becomes of a packet that does not just arrive.
pub(crate) fn fate_words(fate: Fate) -> String {
    match fate {
        Fate::Arrives(_) => "arrives".into(),
        Fate::Cut => "lost: the link is cut".into(),
        Fate::Lost => "lost by chance".into(),
        Fate::ArrivesTwice { first, copy } => format!("arrives {first}, and a copy of it {copy}"),
        Fate::QueueFull => "lost: the queue is full".into(),
    }
}

/// Why a packet is thrown away.
pub(crate) const fn drop_words(reason: DropReason) -> &'static str {
    match reason {
        DropReason::NoMapping => "no mapping",
        DropReason::HostDown => "the host is silent",
        DropReason::Backlog => "the accept queue is full",
        DropReason::NoRoute => "nobody has that address",
        DropReason::NoPort => "no port is left",
        DropReason::NetworkLeft => "the device has left the network",
    }
}

/// Why a heartbeat policy gives up.
const fn give_up_words(reason: GiveUp) -> &'static str {
    match reason {
        GiveUp::NoReply => "no reply",
        GiveUp::Silence => "silence",
        GiveUp::ServiceDead => "the service is dead",
        GiveUp::NetworkDead => "the network is dead",
        GiveUp::Done => "nothing more to do",
        _ => "for another reason",
    }
}

/// How the transport told of an end.
const fn loss_words(reason: LossReason) -> &'static str {
    match reason {
        LossReason::Reset => "reset",
        LossReason::Closed => "closed by the peer",
        LossReason::KeepaliveTimeout => "keepalive timeout",
        LossReason::RetransmissionTimeout => "retransmission timeout",
        LossReason::UserTimeout => "user timeout",
        LossReason::Aborted => "aborted by the system",
        LossReason::TooManyPings => "too many pings",
        _ => "in another way",
    }
}

/// Why an attempt failed.
const fn failure_words(why: AttemptFailure) -> &'static str {
    match why {
        AttemptFailure::Refused => "refused",
        AttemptFailure::Timeout => "timeout",
        AttemptFailure::Dropped => "dropped",
        AttemptFailure::NoNetwork => "no network",
        _ => "for another reason",
    }
}

fn device_words(event: &DeviceEvent, networks: &[String]) -> String {
    match event {
        DeviceEvent::AttemptStarted { port, server } => format!("connects from port {port} to server {server}"),
        DeviceEvent::AttemptFailed(why) => format!("fails to connect ({})", failure_words(*why)),
        DeviceEvent::RetryAfter(wait) => format!("tries again after {wait:?}"),
        DeviceEvent::Stopped => "tries no more".into(),
        DeviceEvent::Connected { port, server } => format!("is welcomed by server {server} on port {port}"),
        DeviceEvent::HeartbeatSent { id } => format!("sends heartbeat {id}"),
        DeviceEvent::HeartbeatAnswered { id, rtt } => format!("gets the reply to heartbeat {id} after {rtt:?}"),
        DeviceEvent::MessageSent { id } => format!("sends message {id}"),
        DeviceEvent::MessageDelivered { id, delay } => format!("gets message {id}, {delay:?} old"),
        DeviceEvent::Suspect => "suspects the connection".into(),
        DeviceEvent::Trust => "trusts the connection again".into(),
        DeviceEvent::GivenUp { port, reason } => {
            format!("gives up the connection of port {port} ({})", give_up_words(*reason))
        }
        DeviceEvent::Woken => "is woken by the push service".into(),
        DeviceEvent::NoticeSent => "sends a heartbeat that wants no answer".into(),
        DeviceEvent::ProbeStarted { port, server } => {
            format!("opens a probe connection from port {port} to server {server}")
        }
        DeviceEvent::ProbeConnected => "is welcomed on the probe connection".into(),
        DeviceEvent::ProbeSent { id } => format!("sends heartbeat {id} of the probe connection"),
        DeviceEvent::ProbeAnswered { id, rtt } => {
            format!("gets the reply to heartbeat {id} of the probe connection after {rtt:?}")
        }
        DeviceEvent::ProbeLost => "loses the probe connection".into(),
        DeviceEvent::ProbeClosed => "closes the probe connection".into(),
        DeviceEvent::RaceStarted { port, server } => {
            format!("connects from port {port} to server {server} beside its session")
        }
        DeviceEvent::RaceLost { port } => format!("stays with its session and drops the attempt from port {port}"),
        DeviceEvent::CheckAfter(wait) => format!("looks whether the network carries anything after {wait:?}"),
        DeviceEvent::NetworkChecked(true) => "finds that the network carries something".into(),
        DeviceEvent::NetworkChecked(false) => "finds that the network carries nothing".into(),
        DeviceEvent::Lost { port, reason } => {
            format!("loses the connection of port {port} ({})", loss_words(*reason))
        }
        DeviceEvent::RadioUp { waited } => format!("has its radio up, {waited:?} after it was asked for"),
        DeviceEvent::Attached { network, lease } => {
            format!("is on the network {} (lease {lease})", networks[*network as usize])
        }
        DeviceEvent::Detached { network, lease, cause } => {
            format!("loses its address on {} (lease {lease}): {}", networks[*network as usize], cause.name())
        }
        DeviceEvent::Killed => "has its process killed".into(),
        DeviceEvent::Started => "has its process started again".into(),
        DeviceEvent::AppState(AppState::Foreground) => "has the application on its screen".into(),
        DeviceEvent::AppState(AppState::Background) => "has the application in the background".into(),
        DeviceEvent::AppState(AppState::Doze) => "dozes".into(),
        DeviceEvent::PingAnswered => "answers the server's ping".into(),
        DeviceEvent::NoticeReceived => "hears that the server is alive".into(),
        DeviceEvent::Directed { interval } => format!("is told to beat every {interval:?}"),
        DeviceEvent::GoodbyeReceived { reason, retry_after } => {
            let when = retry_after.map_or_else(String::new, |wait| format!(", and not to come back for {wait:?}"));
            format!("is told goodbye ({reason:?}){when}")
        }
        DeviceEvent::MalformedSent => "sends a frame that makes no sense".into(),
    }
}

fn nat_words(event: NatEvent) -> impl fmt::Display {
    match event {
        NatEvent::Created { outside } => format!("is made, outside port {outside}"),
        NatEvent::Expired => "expires".into(),
        NatEvent::Flushed => "is lost with the whole table".into(),
        NatEvent::Evicted => "is pushed out of the full table".into(),
    }
}

fn server_words(event: ServerEvent, networks: &[String]) -> String {
    let client = |network: u32, outside: u16| match network {
        0 => format!("(port {outside})"),
        _ => format!("(port {outside} of {})", networks[network as usize]),
    };
    match event {
        ServerEvent::SessionOpened { device, network, outside } => {
            format!("opens the session of device {device} {}", client(network, outside))
        }
        ServerEvent::SessionClosed { device, network, outside } => {
            format!("ends the session of device {device} {}", client(network, outside))
        }
        ServerEvent::Reaped { device, network, outside } => {
            format!("reaps the session of device {device} {}", client(network, outside))
        }
        ServerEvent::FaultBegan(cause) => format!("fault begins: {}", cause.name()),
        ServerEvent::FaultEnded(cause) => format!("fault ends: {}", cause.name()),
        ServerEvent::TurnedUnhealthy => "is unhealthy to the balancer".into(),
        ServerEvent::TurnedHealthy => "is healthy again to the balancer".into(),
        ServerEvent::WakeupSent { device } => format!("has device {device} woken"),
        ServerEvent::PingSent { device, wants_answer: true } => format!("pings device {device}"),
        ServerEvent::PingSent { device, wants_answer: false } => format!("lets device {device} hear that it is alive"),
        ServerEvent::PongReceived { device } => format!("gets the answer of device {device} to its ping"),
        ServerEvent::Directed { device, interval } => format!("tells device {device} to beat every {interval:?}"),
        ServerEvent::TurnedAway { device, retry_after } => {
            format!("is busy and turns device {device} away for {retry_after:?}")
        }
        ServerEvent::Expelled { device, network, outside, reason } => {
            format!("closes the session of device {device} {} ({reason:?})", client(network, outside))
        }
        ServerEvent::Resumed { device } => format!("lets device {device} go on with its last session"),
        ServerEvent::MalformedReceived { device } => format!("gets a frame of device {device} that makes no sense"),
    }
}
