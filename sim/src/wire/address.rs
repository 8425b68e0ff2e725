//! The world's addresses. Devices live in 10.0.0.0/8, the NATs' outsides are addresses of TEST-NET-2, servers are in
//! TEST-NET-3 (RFC 5737), so that a capture explains itself.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::config::{NATS_MAX, NETWORKS_MAX};

/// The port that servers listen at.
pub(crate) const SERVER_PORT: u16 = 443;
/// How many addresses a device may have had on a network before it gets the first one again.
pub(crate) const LEASES: u32 = 32;
/// The push service, in TEST-NET-1, at the port of Google's.
pub(crate) const PUSH_SERVICE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 5228);
/// The proxy in front of the servers, as these see it; its ports are those of its connections.
pub(crate) const PROXY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 64), 0);
/// Any router between them that sends an ICMP error; it has no ports.
pub(crate) const ROUTER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 129), 0);
const DEVICE_0: u32 = u32::from_be_bytes([10, 0, 0, 1]);
const NAT_0: u32 = u32::from_be_bytes([198, 51, 100, 1]);
const SERVER_0: u32 = u32::from_be_bytes([203, 0, 113, 10]);
/// The second byte of a device's address tells network and lease, so the device itself has two.
const DEVICE_BITS: u32 = 16;
const _: () = assert!(NETWORKS_MAX as u32 * LEASES == 256 && crate::config::DEVICES_MAX < 1 << DEVICE_BITS);

/// Returns the address that a device has on a network the `lease`-th time, counted from 0.
pub(crate) const fn device(network: u32, lease: u32, index: u32) -> Ipv4Addr {
    let realm = network * LEASES + lease % LEASES;
    Ipv4Addr::from_bits(DEVICE_0 + (realm << DEVICE_BITS) + index)
}

/// Returns the device at an address, whether or not it exists.
pub(crate) const fn device_at(address: Ipv4Addr) -> Option<u32> {
    match address.to_bits().checked_sub(DEVICE_0) {
        Some(offset) if offset < 1 << 24 => Some(offset & ((1 << DEVICE_BITS) - 1)),
        _ => None,
    }
}

/// Returns the network of a device's address.
pub(crate) const fn network_of_device(address: Ipv4Addr) -> u32 {
    ((address.to_bits() - DEVICE_0) >> DEVICE_BITS) / LEASES
}

/// Returns the outside address of a NAT, by its network and its place there.
pub(crate) const fn nat(network: u32, place: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(NAT_0 + network * NATS_MAX as u32 + place)
}

/// Returns the network of the NAT at an outside address; that of the proxy, behind which servers know no networks, is the
/// first.
pub(crate) const fn network_of_nat(address: Ipv4Addr) -> u32 {
    if address.to_bits() == PROXY.ip().to_bits() { 0 } else { (address.to_bits() - NAT_0) / NATS_MAX as u32 }
}

/// Returns the socket of a server.
pub(crate) const fn server(index: u32) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from_bits(SERVER_0 + index), SERVER_PORT)
}

/// Returns the server at an address, whether or not it exists.
pub(crate) const fn server_at(address: Ipv4Addr) -> Option<u32> {
    address.to_bits().checked_sub(SERVER_0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_tells_whose_it_is() {
        for (network, lease, index) in [(0, 0, 0), (0, 31, 49_999), (7, 31, 49_999), (3, 5, 17)] {
            assert_eq!(device_at(device(network, lease, index)), Some(index));
            assert_eq!(network_of_device(device(network, lease, index)), network);
        }
        assert_eq!(device(0, 0, 0), Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!(device(0, LEASES, 0), device(0, 0, 0));
        assert_ne!(device(0, 1, 0), device(1, 0, 0));
        for (network, place) in [(0, 0), (0, 7), (7, 7)] {
            assert_eq!(network_of_nat(nat(network, place)), network);
        }
        assert_eq!(device_at(nat(0, 0)), None);
        assert_eq!((device_at(*PROXY.ip()), server_at(*PROXY.ip()), network_of_nat(*PROXY.ip())), (None, None, 0));
    }
}
