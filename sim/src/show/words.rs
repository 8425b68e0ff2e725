//! What stands in a trace, in words for people: the lines of the log and the comments of a capture. The words of an event
//! stand beside it, in `record::trace`.

use cardiogram_policies::Time;

use crate::{
    config::{Direction, MAIN},
    record::{
        faults::{FaultPlace, FaultSpan},
        trace::{Entry, Fact, Trace, What},
    },
    wire::{
        address,
        packet::{Packet, Unreachable},
    },
};

impl Trace {
    /// Returns an entry without its time and its node, as one line of a log.
    pub fn words(&self, entry: &Entry) -> String {
        let width = self.name_width();
        match &entry.what {
            What::Sent { packet, to, fate } => {
                format!("> {:width$}  {}, {}", self.nodes[to.0 as usize], headers(packet), fate.words())
            }
            What::Received { packet, from } => {
                format!("< {:width$}  {}", self.nodes[from.0 as usize], headers(packet))
            }
            What::Dropped { packet, reason } => format!("drops {} ({})", headers(packet), reason.words()),
            What::Fact(Fact::Device { device, event }) => format!("device {device} {}", event.words(&self.networks)),
            What::Fact(Fact::Nat { device, port, event, .. }) => {
                format!("mapping of device {device} port {port} {}", event.words())
            }
            What::Fact(Fact::OuterNat { nat, address, port, server, event, .. }) => {
                let at = if *address == 0 { String::new() } else { format!(" at its address {address}") };
                format!("mapping of port {port} of NAT {}{at} to server {server} {}", nat - 1, event.words())
            }
            What::Fact(Fact::Proxy { device, outside, server, event, .. }) => {
                format!("connection of device {device} (port {outside}) to server {server} {}", event.words())
            }
            What::Fact(Fact::Server { server, event }) => format!("server {server} {}", event.words(&self.networks)),
        }
    }

    /// Returns the longest name of a node, in letters: what a column of names needs.
    pub fn name_width(&self) -> usize {
        self.nodes.iter().map(String::len).max().unwrap_or(0)
    }

    /// Returns the begins and ends of all faults in words, each with its time; sorted.
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

    /// Returns a fault in words, without its times: `cut of the access link`, `server-stall of server-0`.
    pub fn fault_words(&self, fault: &FaultSpan) -> String {
        let on = |network: u32| {
            let name = self.networks.get(network as usize).map_or("", String::as_str);
            if name == MAIN || self.networks.len() == 1 { String::new() } else { format!(" of {name}") }
        };
        let place = match fault.place {
            FaultPlace::Device => String::new(),
            FaultPlace::AccessLink { network } => format!(" of the access link{}", on(network)),
            FaultPlace::CoreLink => " of the core link".into(),
            FaultPlace::Proxy => " of the proxy".into(),
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

/// Returns a packet in tcpdump's manner.
fn headers(packet: &Packet) -> String {
    let Packet { src, dst, flags, seq, ack, .. } = packet;
    let rest = format!("[{flags:?}] seq {seq} ack {ack} length {}", packet.payload.len());
    match packet.unreachable {
        None => format!("{src} > {dst} {rest}"),
        // The ends are those of the segment that it is about, turned round.
        Some(Unreachable { why, .. }) => {
            let (router, why) = (address::ROUTER.ip(), why.words());
            format!("{router} > {} ICMP {why}, about {dst} > {src} {rest}", dst.ip())
        }
    }
}
