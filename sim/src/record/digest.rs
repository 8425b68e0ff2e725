//! The bytes of a record entry that go into the trace hash: every field, little endian, behind a tag. The form is part of
//! the determinism contract, since golden hashes are committed; a new kind of entry takes a new tag. What an event adds
//! stands beside the event, in `trace`.

use super::{
    bytes::Bytes,
    trace::{DropReason, Fact, Fate},
};
use crate::wire::{layout::NodeId, packet::Packet};

/// Whether what packets carry is part of the trace hash. What guests say may be as random as the mask of a WebSocket, and decides
/// nothing in the world; how much they say, and when, does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Data {
    Counts,
    DoesNot,
}

/// A packet was put on a link.
pub(crate) fn sent(out: &mut Vec<u8>, packet: &Packet, data: Data, to: NodeId, fate: Fate) {
    out.u8(1).u32(to.0);
    fate.digest(out);
    write_packet(out, packet, data);
}

/// A packet came off a link.
pub(crate) fn received(out: &mut Vec<u8>, packet: &Packet, data: Data, from: NodeId) {
    out.u8(2).u32(from.0);
    write_packet(out, packet, data);
}

/// A node threw a packet away.
pub(crate) fn dropped(out: &mut Vec<u8>, packet: &Packet, data: Data, reason: DropReason) {
    out.u8(3).u8(reason.tag());
    write_packet(out, packet, data);
}

/// Something happened that is a fact of the run.
pub(crate) fn fact(out: &mut Vec<u8>, fact: &Fact) {
    match *fact {
        Fact::Device { device, event } => {
            out.u8(4).u32(device);
            event.digest(out);
        }
        Fact::Nat { network, device, port, server: _, event } => {
            out.u8(5).network(network).u32(device).u16(port);
            event.digest(out);
        }
        Fact::Server { server, event } => {
            out.u8(6).u32(server);
            event.digest(out);
        }
        Fact::OuterNat { network, nat, address, port, server, event } => {
            out.u8(7).network(network).u32(nat).further(address).u16(port).u32(server);
            event.digest(out);
        }
        Fact::Proxy { device, network, outside, server, event } => {
            out.u8(8).u32(device).network(network).u16(outside).u32(server);
            event.digest(out);
        }
    }
}

fn write_packet(out: &mut Vec<u8>, packet: &Packet, data: Data) {
    for end in [packet.src, packet.dst] {
        out.extend(end.ip().octets());
        out.u16(end.port());
    }
    out.u32(packet.seq).u32(packet.ack).u8(packet.flags.0).u16(packet.window);
    if let Some((value, echo)) = packet.options.timestamps {
        out.u32(value).u32(echo);
    }
    out.u16(packet.options.len() as u16).u16(packet.payload.len() as u16);
    if data == Data::Counts {
        out.extend(&packet.payload);
    }
    if let Some(unreachable) = packet.unreachable {
        out.u8(unreachable.why.code()).u16(unreachable.length);
    }
}
