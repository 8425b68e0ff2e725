//! How values stand in the bytes of the trace hash: little endian.

use std::time::Duration;

use cardiogram_policies::Time;

/// Bytes that values are added to, one after the other.
pub(crate) trait Bytes {
    fn u8(&mut self, value: u8) -> &mut Self;
    fn u16(&mut self, value: u16) -> &mut Self;
    fn u32(&mut self, value: u32) -> &mut Self;
    fn u64(&mut self, value: u64) -> &mut Self;

    /// Returns a time, or the time between two, in microseconds.
    fn time(&mut self, at: Time) -> &mut Self {
        self.u64(at.as_micros())
    }

    fn span(&mut self, span: Duration) -> &mut Self {
        self.u64(span.as_micros() as u64)
    }

    /// Returns a network's number. The first one leaves no trace: worlds that have no other are as they were.
    fn network(&mut self, network: u32) -> &mut Self {
        if network > 0 { self.u8(0xff).u32(network) } else { self }
    }

    /// Returns the number of an outside address of a NAT. The first one leaves no trace.
    fn further(&mut self, address: u32) -> &mut Self {
        if address > 0 { self.u8(0xfe).u32(address) } else { self }
    }

    /// Returns a session as its server sees it.
    fn session(&mut self, device: u32, network: u32, outside: u16) -> &mut Self {
        self.network(network).u32(device).u16(outside)
    }
}

impl Bytes for Vec<u8> {
    fn u8(&mut self, value: u8) -> &mut Self {
        self.push(value);
        self
    }

    fn u16(&mut self, value: u16) -> &mut Self {
        self.extend(value.to_le_bytes());
        self
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.extend(value.to_le_bytes());
        self
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.extend(value.to_le_bytes());
        self
    }
}
