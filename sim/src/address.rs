//! The world's addresses. Devices live in 10.0.0.0/8, the NATs' outsides are addresses of TEST-NET-2, servers are in
//! TEST-NET-3 (RFC 5737), so that a capture explains itself.

use std::net::{Ipv4Addr, SocketAddrV4};

/// Where servers listen.
pub(crate) const SERVER_PORT: u16 = 443;
/// The push service, in TEST-NET-1, at the port of Google's.
pub(crate) const PUSH_SERVICE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 5228);
const DEVICE_0: u32 = u32::from_be_bytes([10, 0, 0, 1]);
const NAT_0: u32 = u32::from_be_bytes([198, 51, 100, 1]);
const SERVER_0: u32 = u32::from_be_bytes([203, 0, 113, 10]);

/// The address of a device.
pub(crate) const fn device(index: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(DEVICE_0 + index)
}

/// The device at an address, whether or not it exists.
pub(crate) const fn device_at(address: Ipv4Addr) -> Option<u32> {
    address.to_bits().checked_sub(DEVICE_0)
}

/// The outside address of a NAT.
pub(crate) const fn nat(index: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(NAT_0 + index)
}

/// The socket of a server.
pub(crate) const fn server(index: u32) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from_bits(SERVER_0 + index), SERVER_PORT)
}

/// The server at an address, whether or not it exists.
pub(crate) const fn server_at(address: Ipv4Addr) -> Option<u32> {
    address.to_bits().checked_sub(SERVER_0)
}
