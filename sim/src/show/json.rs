//! A trace as JSON lines: one object an entry, times in seconds, packets by their headers. Between them, at their begin, what
//! no node knows: each fault of the schedule (`fault`), and each time in which a device had a usable session (`usable`).

use std::fmt::Write;

use cardiogram_policies::Time;
use serde::Serialize;

use crate::{
    record::{
        faults::FaultSpan,
        trace::{DeviceEvent, DropReason, Entry, Fact, NatEvent, ProxyEvent, ServerEvent, Trace, Usable, What},
    },
    show::reading::{self, Reading},
    wire::packet::{Obstacle, Packet},
};

impl Trace {
    /// Returns the record as JSON lines, one object an entry, each ended by a line feed.
    pub fn json_lines(&self) -> String {
        self.json_lines_where(|_, _| true)
    }

    /// Returns the lines of [`Trace::json_lines`] that `shown` wants, which is told a line's time and what can be said of it:
    /// whose it is, and whether it is routine.
    pub fn json_lines_where(&self, shown: impl Fn(Time, &Reading) -> bool) -> String {
        let about = |device| Reading { device, ..Reading::default() };
        let faults = self.faults.iter().filter(|of| shown(of.begin, &about(of.device)));
        let mut known: Vec<(Time, Fields<'_>)> = faults.map(|of| (of.begin, fault(of, self))).collect();
        let usables = self.usable.iter().filter(|of| shown(of.begin, &about(Some(of.device))));
        known.extend(usables.map(|of| (of.begin, usable(of, self))));
        known.sort_by_key(|(at, _)| *at);
        let mut known = known.into_iter().peekable();
        let mut text = String::new();
        let mut line = |at: Time, node, what| {
            let json = serde_json::to_string(&Line { t_s: at.to_string(), node, what }).expect("plain data");
            writeln!(text, "{json}").expect("strings take everything");
        };
        for (entry, _) in self.entries.iter().zip(reading::read(self)).filter(|(entry, of)| shown(entry.at, of)) {
            while let Some((at, what)) = known.next_if(|(at, _)| *at <= entry.at) {
                line(at, None, what);
            }
            line(entry.at, Some(self.nodes[entry.node.0 as usize].as_str()), what(entry, self));
        }
        known.for_each(|(at, what)| line(at, None, what));
        text
    }
}

#[derive(Serialize)]
struct Line<'a> {
    /// A decimal string, so that no reader rounds it.
    t_s: String,
    /// Absent from what no node knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    #[serde(flatten)]
    what: Fields<'a>,
}

/// Returns whether it is the first network or address, which is not worth a word.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_first(number: &u32) -> bool {
    *number == 0
}

#[derive(Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
enum Fields<'a> {
    Sent {
        to: &'a str,
        fate: &'static str,
        arrives_s: Option<String>,
        /// Only where there is a copy.
        #[serde(skip_serializing_if = "Option::is_none")]
        copy_arrives_s: Option<String>,
        packet: PacketFields,
    },
    Received {
        from: &'a str,
        packet: PacketFields,
    },
    Dropped {
        reason: DropReason,
        packet: PacketFields,
    },
    Device {
        device: u32,
        event: DeviceEvent,
    },
    Nat {
        #[serde(skip_serializing_if = "is_first")]
        network: u32,
        device: u32,
        port: u16,
        event: NatEvent,
    },
    OuterNat {
        #[serde(skip_serializing_if = "is_first")]
        network: u32,
        nat: u32,
        #[serde(skip_serializing_if = "is_first")]
        address: u32,
        port: u16,
        server: u32,
        event: NatEvent,
    },
    Proxy {
        device: u32,
        #[serde(skip_serializing_if = "is_first")]
        network: u32,
        port: u16,
        server: u32,
        event: ProxyEvent,
    },
    Server {
        server: u32,
        event: ServerEvent,
    },
    Fault {
        fault: &'static str,
        /// The node beside it.
        at: &'a str,
        /// The fault in words.
        about: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        device: Option<u32>,
        breaks: bool,
        /// `null`: it outlasts the run.
        until_s: Option<String>,
    },
    Usable {
        device: u32,
        /// `null`: to the end of the run.
        until_s: Option<String>,
    },
}

#[derive(Serialize)]
struct PacketFields {
    src: String,
    dst: String,
    flags: String,
    seq: u32,
    ack: u32,
    window: u16,
    payload_bytes: usize,
    wire_bytes: usize,
    /// Only of an ICMP error: what it says of the segment, which went the other way.
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp: Option<Obstacle>,
}

impl From<&Packet> for PacketFields {
    fn from(packet: &Packet) -> Self {
        Self {
            src: packet.src.to_string(),
            dst: packet.dst.to_string(),
            flags: format!("{:?}", packet.flags),
            seq: packet.seq,
            ack: packet.ack,
            window: packet.window,
            payload_bytes: packet.payload.len(),
            wire_bytes: packet.wire_len(),
            icmp: packet.unreachable.map(|unreachable| unreachable.why),
        }
    }
}

fn fault<'a>(fault: &FaultSpan, trace: &'a Trace) -> Fields<'a> {
    Fields::Fault {
        fault: fault.kind,
        at: &trace.nodes[fault.node.0 as usize],
        about: trace.fault_words(fault),
        device: fault.device,
        breaks: fault.breaks,
        until_s: fault.end.map(|end| end.to_string()),
    }
}

fn usable<'a>(usable: &Usable, trace: &'a Trace) -> Fields<'a> {
    Fields::Usable { device: usable.device, until_s: (usable.end < trace.end).then(|| usable.end.to_string()) }
}

fn what<'a>(entry: &Entry, trace: &'a Trace) -> Fields<'a> {
    match &entry.what {
        What::Sent { packet, to, fate } => {
            let (arrives, copy) = fate.arrivals();
            let [arrives_s, copy_arrives_s] = [arrives, copy].map(|at| at.as_ref().map(Time::to_string));
            let fate = fate.name();
            Fields::Sent { to: &trace.nodes[to.0 as usize], fate, arrives_s, copy_arrives_s, packet: packet.into() }
        }
        What::Received { packet, from } => {
            Fields::Received { from: &trace.nodes[from.0 as usize], packet: packet.into() }
        }
        What::Dropped { packet, reason } => Fields::Dropped { reason: *reason, packet: packet.into() },
        What::Fact(fact) => match *fact {
            Fact::Device { device, event } => Fields::Device { device, event },
            Fact::Nat { network, device, port, server: _, event } => Fields::Nat { network, device, port, event },
            Fact::OuterNat { network, nat, address, port, server, event } => {
                Fields::OuterNat { network, nat, address, port, server, event }
            }
            Fact::Proxy { device, network, outside, server, event } => {
                Fields::Proxy { device, network, port: outside, server, event }
            }
            Fact::Server { server, event } => Fields::Server { server, event },
        },
    }
}
