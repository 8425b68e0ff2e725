//! A trace as a pcapng file: one interface a node, each packet where it was sent and where it was received.

use crate::trace::Trace;

/// The bytes of a pcapng file with every packet of `trace`, in order, link type raw IPv4, microsecond times.
pub fn write(trace: &Trace) -> Vec<u8> {
    let _ = trace;
    unimplemented!()
}
