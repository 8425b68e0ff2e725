//! A trace as a pcapng file, for any packet analyser: one interface a node, and each packet where and when it was sent and
//! where and when it was received. Blocks as in the pcapng draft (draft-ietf-opsawg-pcapng).

use crate::trace::{Trace, What};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
/// Packets begin with the IP header.
const LINKTYPE_RAW: u16 = 101;
const OPTION_NAME: u16 = 2;
const OPTION_FLAGS: u16 = 2;
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// The bytes of the file. Times have microseconds, the format's default resolution.
pub fn write(trace: &Trace) -> Vec<u8> {
    let mut file = Vec::new();
    let mut section = Vec::new();
    section.extend(0x1a2b_3c4d_u32.to_le_bytes());
    section.extend(1_u16.to_le_bytes());
    section.extend(0_u16.to_le_bytes());
    section.extend(u64::MAX.to_le_bytes());
    block(&mut file, SECTION_HEADER, &section);
    for node in &trace.nodes {
        let mut interface = Vec::new();
        interface.extend(LINKTYPE_RAW.to_le_bytes());
        interface.extend(0_u16.to_le_bytes());
        interface.extend(0_u32.to_le_bytes());
        option(&mut interface, OPTION_NAME, node.as_bytes());
        end_of_options(&mut interface);
        block(&mut file, INTERFACE_DESCRIPTION, &interface);
    }
    let mut wire = Vec::new();
    for entry in &trace.entries {
        let (packet, direction) = match &entry.what {
            What::Sent { packet, .. } => (packet, OUTBOUND),
            What::Received { packet, .. } => (packet, INBOUND),
            _ => continue,
        };
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
        end_of_options(&mut body);
        block(&mut file, ENHANCED_PACKET, &body);
    }
    file
}

fn block(file: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let len = (body.len() + 12) as u32;
    file.extend(kind.to_le_bytes());
    file.extend(len.to_le_bytes());
    file.extend(body);
    file.extend(len.to_le_bytes());
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
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
