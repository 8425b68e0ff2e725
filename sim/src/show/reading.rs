//! Reading a trace: which device an entry is about, what kind of packet it is, and whether it is no more than a heartbeat
//! that went well. Everything is found from the record alone; the run knows nothing of it.

mod routine;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddrV4,
};

pub use crate::wire::tap::PacketKind;
use crate::{
    record::trace::{Fact, ProxyEvent, Trace, What},
    wire::{
        address,
        frame::Frame,
        layout::{DEVICES, NodeId, PROXY_NAME},
        packet::{Flags, Packet},
        tap::Tap,
    },
};

/// How far a packet has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Passage {
    /// It is under way; or there is no packet.
    #[default]
    UnderWay,
    /// It has come to the other end of its connection.
    Arrived,
    /// It does not get any further: lost on the link, or thrown away.
    Lost,
}

/// What can be said of an entry of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The device it is about; `None`: none, or it cannot be known.
    pub device: Option<u32>,
    /// A packet's direction: whether it goes from the device to the server. `None`: no packet.
    pub up: Option<bool>,
    /// The kind of a packet, where its own end of the connection sends it (and not where a NAT passes it on).
    pub kind: Option<PacketKind>,
    /// How far a packet has come by this entry.
    pub passage: Passage,
    /// The packet carries heartbeats and nothing else: the application's, the server's, answers to them, keepalive
    /// probes, or acknowledgements of these.
    pub beats: bool,
    /// It is part of a heartbeat exchange that went well, or of one that wants no answer and was not lost.
    ///
    /// An exchange is a heartbeat and its reply, a server's ping and its answer, or a keepalive probe and the next packet
    /// from the other end. It went well if the answer came, and none of its packets was lost, thrown away or sent again.
    /// To it belong the events that say so, its packets at every node they pass, their acknowledgements, and the radio's
    /// coming up for them.
    pub routine: bool,
}

/// Reads a trace: one reading for each of its entries.
pub fn read(trace: &Trace) -> Vec<Reading> {
    let is_far = |name: &String| name.starts_with("server-") || name == PROXY_NAME;
    let first_server = trace.nodes.iter().position(is_far).unwrap_or(trace.nodes.len());
    let mut reader = Reader {
        first_server: NodeId(first_server as u32),
        clients: BTreeMap::new(),
        received: BTreeMap::new(),
        streams: BTreeMap::new(),
    };
    let mut readings: Vec<Reading> = trace.entries.iter().map(|entry| reader.read(entry.node, &entry.what)).collect();
    routine::mark(trace, &mut readings);
    readings
}

/// One direction of a connection: the device's end, the server's, and whether it leads to the server.
type Stream = (SocketAddrV4, SocketAddrV4, bool);

struct Reader {
    /// The nodes from here on are servers, and the proxy in front of them.
    first_server: NodeId,
    /// The device's end of a connection, by its client's address as seen outside a NAT, and the server.
    clients: BTreeMap<(SocketAddrV4, SocketAddrV4), SocketAddrV4>,
    /// The packet that a node has received last: a NAT passes it on at once, under another address.
    received: BTreeMap<NodeId, (SocketAddrV4, u32, u32)>,
    streams: BTreeMap<Stream, Passed>,
}

/// What has passed in one direction of a connection.
#[derive(Default)]
struct Passed {
    tap: Tap,
    /// Ends of segments that carry nothing but heartbeats: what acknowledges one of them acknowledges a heartbeat.
    beats: BTreeSet<u32>,
    /// Sequence numbers of keepalive probes.
    probes: BTreeSet<u32>,
}

impl Reader {
    fn read(&mut self, node: NodeId, what: &What) -> Reading {
        let about = |device| Reading { device: Some(device), ..Reading::default() };
        match what {
            What::Sent { packet, fate, .. } => {
                let lost = fate.arrivals().0.is_none();
                self.learn(node, packet);
                let own = self.is_end(node, packet, false);
                let passage = if lost { Passage::Lost } else { Passage::UnderWay };
                Reading { passage, ..self.packet(packet, own) }
            }
            What::Received { packet, .. } => {
                self.received.insert(node, (packet.src, packet.seq, packet.ack));
                let passage = if self.is_end(node, packet, true) { Passage::Arrived } else { Passage::UnderWay };
                Reading { passage, ..self.packet(packet, false) }
            }
            What::Dropped { packet, .. } => Reading { passage: Passage::Lost, ..self.packet(packet, false) },
            What::Fact(Fact::Device { device, .. } | Fact::Nat { device, .. }) => about(*device),
            What::Fact(Fact::OuterNat { network, nat, address: number, port, server, .. }) => {
                let inside = SocketAddrV4::new(address::nat(*network, nat - 1, *number), *port);
                let client = self.clients.get(&(inside, address::server(*server)));
                Reading { device: client.and_then(|client| address::device_at(*client.ip())), ..Reading::default() }
            }
            What::Fact(Fact::Proxy { device, network, server, event, .. }) => {
                if let ProxyEvent::Joined { upstream } = event {
                    // From now on the proxy's own packets are the device's.
                    let outside = SocketAddrV4::new(*address::PROXY.ip(), *upstream);
                    let client = SocketAddrV4::new(address::device(*network, 0, *device), *upstream);
                    self.clients.insert((outside, address::server(*server)), client);
                }
                about(*device)
            }
            What::Fact(Fact::Server { event, .. }) => Reading { device: event.device(), ..Reading::default() },
        }
    }

    /// Learns from a packet that a NAT sends outwards whose address it has put there.
    fn learn(&mut self, node: NodeId, packet: &Packet) {
        if packet.unreachable.is_some() || !is_up(packet) || address::device_at(*packet.src.ip()).is_some() {
            return;
        }
        let Some((inside, seq, ack)) = self.received.get(&node) else { return };
        if (*seq, *ack) == (packet.seq, packet.ack) && *inside != packet.src {
            let server = packet.dst;
            let client = self.clients.get(&(*inside, server)).copied().unwrap_or(*inside);
            self.clients.insert((packet.src, server), client);
        }
    }

    /// Returns whether a node is the end of its connection that a packet goes to, or comes from.
    fn is_end(&self, node: NodeId, packet: &Packet, goes_to: bool) -> bool {
        if is_up(packet) == goes_to { node >= self.first_server } else { node == DEVICES }
    }

    /// Reads a packet; `own`: at the end that it comes from.
    fn packet(&mut self, packet: &Packet, own: bool) -> Reading {
        let up = is_up(packet);
        let (client, server) = if up { (packet.src, packet.dst) } else { (packet.dst, packet.src) };
        let client = self.clients.get(&(client, server)).copied().unwrap_or(client);
        let device = address::device_at(*client.ip());
        if packet.unreachable.is_some() {
            return Reading { device, up: Some(up), ..Reading::default() };
        }
        let stream = self.streams.entry((client, server, up)).or_default();
        let mut kind = None;
        if own {
            if packet.flags.has(Flags::SYN) {
                *stream = Passed::default();
            }
            let found = stream.tap.kind(packet);
            if found == PacketKind::Probe {
                stream.probes.insert(packet.seq);
                stream.beats.insert(packet.seq.wrapping_add(1));
            }
            kind = Some(found);
        }
        let bare = packet.payload.is_empty() && packet.flags == Flags::ACK;
        let beats = if bare {
            let is_probe = stream.probes.contains(&packet.seq);
            is_probe || self.streams.get(&(client, server, !up)).is_some_and(|other| other.beats.contains(&packet.ack))
        } else {
            let beats = Frame::are_beats(&packet.payload);
            if beats {
                stream.beats.insert(packet.seq.wrapping_add(packet.seq_len()));
            }
            beats
        };
        Reading { device, up: Some(up), kind, beats, ..Reading::default() }
    }
}

/// Returns whether a packet goes to a server.
fn is_up(packet: &Packet) -> bool {
    address::server_at(*packet.dst.ip()).is_some()
}
