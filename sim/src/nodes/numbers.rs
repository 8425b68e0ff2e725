//! The numbers that a kernel picks for its connections: ports of those that it opens, and first sequence numbers. They are
//! functions of what is the same under every strategy.

use cardiogram_policies::Time;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The range that Linux takes the ports of outgoing connections from.
const EPHEMERAL: std::ops::Range<u16> = 32_768..61_000;

/// Returns the port of the first connection that a device opens.
pub(crate) fn first_port(device: u32, seed: u64) -> u16 {
    let offset = xxh3_64_with_seed(&device.to_le_bytes(), seed) % u64::from(EPHEMERAL.end - EPHEMERAL.start);
    EPHEMERAL.start + offset as u16
}

/// Returns the port that is tried after another.
pub(crate) const fn port_after(port: u16) -> u16 {
    if port + 1 < EPHEMERAL.end { port + 1 } else { EPHEMERAL.start }
}

/// Returns the first sequence number of a connection that a device opens.
pub(crate) fn client_iss(device: u32, port: u16, now: Time) -> u32 {
    let end = [device.to_le_bytes(), u32::from(port).to_le_bytes()].concat();
    xxh3_64_with_seed(&end, now.as_micros()) as u32
}

/// Returns the first sequence number of a server's end of a connection from `port`.
pub(crate) fn server_iss(port: u16, now: Time, seed: u64) -> u32 {
    xxh3_64_with_seed(&now.as_micros().to_le_bytes(), seed ^ u64::from(port)) as u32
}
