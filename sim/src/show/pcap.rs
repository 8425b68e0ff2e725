//! A trace as a pcapng file, for any packet analyser: one interface a node, and each packet where and when it was sent and
//! where and when it was received. Blocks as in the pcapng draft (draft-ietf-opsawg-pcapng).
//!
//! What happened beside the packets are comments (`frame.comment` in Wireshark), since the format has no other place for
//! words at a time: what became of a packet stands at the packet itself; an event, such as a fault or giving up, at the first
//! packet of that node and device from then on, and where there is none, at the last before. Each tells its time.

use std::collections::BTreeMap;

use cardiogram_policies::Time;

use crate::{
    record::trace::{DeviceMeaning, Entry, Fact, Fate, NatEvent, ProxyEvent, Trace, Turn, What},
    show::reading::{self, Reading},
    wire::{layout::NodeId, packet::Packet},
};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
/// Packets begin with the IPv4 header. libpcap, and so tcpdump, reads no file of several interfaces that say `LINKTYPE_RAW`.
const LINKTYPE_IPV4: u16 = 228;
const OPTION_COMMENT: u16 = 1;
const OPTION_NAME: u16 = 2;
const OPTION_FLAGS: u16 = 2;
const OPTION_USER_APPLICATION: u16 = 4;
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// Returns the bytes of the file. Times have microseconds, the format's default resolution. `about` becomes the comment of the
/// whole file.
pub fn write(trace: &Trace, about: &str) -> Vec<u8> {
    let mut file = Vec::new();
    let mut section = Vec::new();
    section.extend(0x1a2b_3c4d_u32.to_le_bytes());
    section.extend(1_u16.to_le_bytes());
    section.extend(0_u16.to_le_bytes());
    section.extend(u64::MAX.to_le_bytes());
    option(&mut section, OPTION_COMMENT, about.as_bytes());
    option(&mut section, OPTION_USER_APPLICATION, b"cardiogram");
    end_of_options(&mut section);
    block(&mut file, SECTION_HEADER, &section);
    for node in &trace.nodes {
        let mut interface = Vec::new();
        interface.extend(LINKTYPE_IPV4.to_le_bytes());
        interface.extend(0_u16.to_le_bytes());
        interface.extend(0_u32.to_le_bytes());
        option(&mut interface, OPTION_NAME, node.as_bytes());
        end_of_options(&mut interface);
        block(&mut file, INTERFACE_DESCRIPTION, &interface);
    }
    let comments = comments(trace);
    let mut wire = Vec::new();
    for (place, entry) in trace.entries.iter().enumerate() {
        let Some((packet, direction)) = on_wire(entry) else { continue };
        wire.clear();
        packet.encode(&mut wire);
        let micros = entry.at.as_micros();
        let mut body = Vec::with_capacity(wire.len() + 48);
        body.extend(entry.node.0.to_le_bytes());
        body.extend(((micros >> 32) as u32).to_le_bytes());
        body.extend((micros as u32).to_le_bytes());
        body.extend((wire.len() as u32).to_le_bytes());
        body.extend((wire.len() as u32).to_le_bytes());
        body.extend(&wire);
        pad(&mut body);
        option(&mut body, OPTION_FLAGS, &direction.to_le_bytes());
        for comment in comments.get(&place).into_iter().flatten() {
            option(&mut body, OPTION_COMMENT, comment.as_bytes());
        }
        end_of_options(&mut body);
        block(&mut file, ENHANCED_PACKET, &body);
    }
    file
}

/// Returns the packet of an entry and its direction, where a capture at the node would show it.
const fn on_wire(entry: &Entry) -> Option<(&Packet, u32)> {
    match &entry.what {
        What::Sent { packet, .. } => Some((packet, OUTBOUND)),
        What::Received { packet, .. } => Some((packet, INBOUND)),
        What::Dropped { .. } | What::Fact(_) => None,
    }
}

/// Returns the comments of packets, by their places in the trace.
fn comments(trace: &Trace) -> BTreeMap<usize, Vec<String>> {
    let readings = reading::read(trace);
    let mut comments = Comments::new(trace, &readings);
    for (place, entry) in trace.entries.iter().enumerate() {
        match &entry.what {
            What::Sent { fate: Fate::Arrives(_), .. } | What::Received { .. } => {}
            What::Sent { fate, .. } => comments.at(place, fate.words()),
            What::Dropped { packet, reason } => {
                let text = format!("dropped: {}", reason.words());
                // Where it was received, if it was: a packet that never left its radio is on no wire.
                let received = trace.entries[..place]
                    .iter()
                    .rposition(|other| other.node == entry.node && on_wire(other).is_some());
                match received.filter(|at| on_wire(&trace.entries[*at]).is_some_and(|(of, _)| of == packet)) {
                    Some(at) => comments.at(at, text),
                    None => comments.beside(entry.at, entry.node, readings[place].device, &text),
                }
            }
            What::Fact(fact) => {
                if is_news(fact) {
                    comments.beside(entry.at, entry.node, readings[place].device, &trace.words(entry));
                }
            }
        }
    }
    for (at, fault, words) in trace.fault_lines() {
        comments.beside(at, fault.node, fault.device, &words);
    }
    comments.found
}

/// Returns whether an event is worth a comment: what ends sessions and what makes new ones, and no heartbeat.
const fn is_news(fact: &Fact) -> bool {
    match fact {
        Fact::Device { event, .. } => match event.meaning() {
            DeviceMeaning::News => true,
            DeviceMeaning::Turn(turn) => match turn {
                Turn::AttemptEnds { beside } => !beside,
                Turn::SessionBegins { .. } | Turn::GivenUp(_) | Turn::Lost(_) | Turn::Suspects | Turn::Trusts => true,
                Turn::AttemptBegins { .. }
                | Turn::Attached { .. }
                | Turn::Detached { .. }
                | Turn::Killed
                | Turn::Started => false,
            },
            DeviceMeaning::Beat(_)
            | DeviceMeaning::ProbeEnds
            | DeviceMeaning::MessageSent
            | DeviceMeaning::MessageDelivered
            | DeviceMeaning::AppState(_)
            | DeviceMeaning::RadioUp
            | DeviceMeaning::Other => false,
        },
        Fact::Nat { event, .. } | Fact::OuterNat { event, .. } => !matches!(event, NatEvent::Created { .. }),
        Fact::Proxy { event, .. } => !matches!(event, ProxyEvent::Joined { .. }),
        Fact::Server { .. } => false,
    }
}

struct Comments<'a> {
    trace: &'a Trace,
    /// Places of the packets of each node, and of each device at each node.
    packets: BTreeMap<(NodeId, Option<u32>), Vec<usize>>,
    found: BTreeMap<usize, Vec<String>>,
}

impl<'a> Comments<'a> {
    fn new(trace: &'a Trace, readings: &[Reading]) -> Self {
        let mut packets: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (place, (entry, reading)) in trace.entries.iter().zip(readings).enumerate() {
            if on_wire(entry).is_some() {
                packets.entry((entry.node, None)).or_default().push(place);
                if reading.device.is_some() {
                    packets.entry((entry.node, reading.device)).or_default().push(place);
                }
            }
        }
        Self { trace, packets, found: BTreeMap::new() }
    }

    fn at(&mut self, place: usize, text: String) {
        self.found.entry(place).or_default().push(text);
    }

    /// Comments on something that happened at a node at a time.
    fn beside(&mut self, at: Time, node: NodeId, device: Option<u32>, text: &str) {
        let Some(places) = self.packets.get(&(node, device)) else { return };
        let next = places.partition_point(|place| self.trace.entries[*place].at < at);
        let place = *places.get(next).unwrap_or_else(|| places.last().expect("a list has a packet"));
        self.at(place, format!("{at} {text}"));
    }
}

fn block(file: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let len = (body.len() + 12) as u32;
    file.extend(kind.to_le_bytes());
    file.extend(len.to_le_bytes());
    file.extend(body);
    file.extend(len.to_le_bytes());
}

/// An option of at most 65,535 bytes; what is longer is cut, at a letter's end as far as ASCII goes.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

/// Every part of a block ends on a multiple of four bytes.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}
