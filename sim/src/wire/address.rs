//! The world's addresses, each of which tells whose it is, so that a capture explains itself. Devices live in 10.0.0.0/8, and
//! those of a crowd that is too large for it in 240.0.0.0/4, which nobody has on the Internet (RFC 1112, section 4). The
//! first outside address of each NAT is in TEST-NET-2, servers are in TEST-NET-3 (RFC 5737); the further outside addresses of
//! NATs are in 198.18.0.0/15, which is there for measuring networks (RFC 2544, appendix C.2.2).

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::config::{DEVICES_MAX, NATS_MAX, NETWORKS_MAX, OUTSIDE_ADDRESSES_MAX};

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
const NEAR_0: u32 = u32::from_be_bytes([10, 0, 0, 1]);
/// The second byte of a near device's address tells network and lease, so the device itself has two.
const NEAR_BITS: u32 = 16;
/// How many devices are near; the last one's last address is 10.255.255.254.
const NEAR: u32 = (1 << NEAR_BITS) - 2;
const FAR_0: u32 = u32::from_be_bytes([240, 0, 0, 0]);
/// The first byte and a half of a far device's address tell network and lease: two more bits and a half for the device.
const FAR_BITS: u32 = 20;
/// How many networks with their leases there are.
const REALMS: u32 = NETWORKS_MAX as u32 * LEASES;
const NAT_0: u32 = u32::from_be_bytes([198, 51, 100, 1]);
const POOL_0: u32 = u32::from_be_bytes([198, 18, 0, 0]);
/// How many NATs there may be.
const BOXES: u32 = (NETWORKS_MAX * NATS_MAX) as u32;
const SERVER_0: u32 = u32::from_be_bytes([203, 0, 113, 10]);
const _: () = assert!(REALMS << NEAR_BITS == 1 << 24 && REALMS << FAR_BITS == 1 << 28 && DEVICES_MAX < 1 << FAR_BITS);
const _: () = assert!(BOXES < 100 && BOXES * OUTSIDE_ADDRESSES_MAX <= 1 << 17);

/// Returns the address that a device has on a network the `lease`-th time, counted from 0.
pub(crate) const fn device(network: u32, lease: u32, index: u32) -> Ipv4Addr {
    let realm = network * LEASES + lease % LEASES;
    Ipv4Addr::from_bits(if index < NEAR {
        NEAR_0 + (realm << NEAR_BITS) + index
    } else {
        FAR_0 + (realm << FAR_BITS) + index
    })
}

/// Returns the realm and the device of an address, whether or not the device exists.
const fn realm_and_device(address: Ipv4Addr) -> Option<(u32, u32)> {
    let bits = address.to_bits();
    let (offset, width) = match (bits.checked_sub(NEAR_0), bits.checked_sub(FAR_0)) {
        (_, Some(far)) => (far, FAR_BITS),
        (Some(near), None) if near < REALMS << NEAR_BITS => (near, NEAR_BITS),
        _ => return None,
    };
    Some((offset >> width, offset & ((1 << width) - 1)))
}

/// Returns the device at an address, whether or not it exists.
pub(crate) fn device_at(address: Ipv4Addr) -> Option<u32> {
    realm_and_device(address).map(|(_, device)| device)
}

/// Returns the network of a device's address.
pub(crate) fn network_of_device(address: Ipv4Addr) -> u32 {
    let (realm, _) = realm_and_device(address).expect("an address of a device");
    realm / LEASES
}

/// Returns an outside address of a NAT: the NAT by its network and its place there, the address by its number.
pub(crate) const fn nat(network: u32, place: u32, number: u32) -> Ipv4Addr {
    let of_all = network * NATS_MAX as u32 + place;
    Ipv4Addr::from_bits(if number == 0 { NAT_0 + of_all } else { POOL_0 + of_all * OUTSIDE_ADDRESSES_MAX + number })
}

/// Returns the network of a NAT at an outside address, its place there, and the number of the address.
pub(crate) fn nat_at(address: Ipv4Addr) -> Option<(u32, u32, u32)> {
    let below = |first: u32, count: u32| address.to_bits().checked_sub(first).filter(|offset| *offset < count);
    let first = below(NAT_0, BOXES).map(|of_all| (of_all, 0));
    let further = || {
        let offset = below(POOL_0, BOXES * OUTSIDE_ADDRESSES_MAX)?;
        Some((offset / OUTSIDE_ADDRESSES_MAX, offset % OUTSIDE_ADDRESSES_MAX))
    };
    let (of_all, number) = first.or_else(further)?;
    Some((of_all / NATS_MAX as u32, of_all % NATS_MAX as u32, number))
}

/// Returns the network of a client as servers see it: of the NAT at an outside address. Behind a proxy they know no networks: it
/// is the first.
pub(crate) fn network_of_client(address: Ipv4Addr) -> u32 {
    nat_at(address).map_or(0, |(network, ..)| network)
}

/// Returns the socket of a server.
pub(crate) const fn server(index: u32) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from_bits(SERVER_0 + index), SERVER_PORT)
}

/// Returns the server at an address, whether or not it exists.
pub(crate) fn server_at(address: Ipv4Addr) -> Option<u32> {
    let last = u32::from_be_bytes([203, 0, 113, 255]);
    (SERVER_0..=last).contains(&address.to_bits()).then(|| address.to_bits() - SERVER_0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_tells_whose_it_is() {
        let last = DEVICES_MAX - 1;
        for (network, lease, index) in
            [(0, 0, 0), (0, 31, 49_999), (7, 31, 49_999), (3, 5, 17), (7, 31, NEAR - 1), (0, 0, NEAR), (7, 31, last)]
        {
            assert_eq!(device_at(device(network, lease, index)), Some(index));
            assert_eq!(network_of_device(device(network, lease, index)), network);
        }
        assert_eq!(device(0, 0, 0), Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!(device(7, 31, NEAR - 1), Ipv4Addr::new(10, 255, 255, 254));
        assert_eq!(device(0, LEASES, 0), device(0, 0, 0));
        assert_ne!(device(0, 1, 0), device(1, 0, 0));
        for (network, place, number) in [(0, 0, 0), (0, 7, 1), (7, 7, 0), (7, 7, OUTSIDE_ADDRESSES_MAX - 1)] {
            assert_eq!(nat_at(nat(network, place, number)), Some((network, place, number)));
            assert_eq!(network_of_client(nat(network, place, number)), network);
            assert_eq!(device_at(nat(network, place, number)), None);
        }
        assert_eq!((nat(0, 0, 0), nat(0, 0, 1)), (Ipv4Addr::new(198, 51, 100, 1), Ipv4Addr::new(198, 18, 0, 1)));
        for lab in [*PROXY.ip(), *ROUTER.ip(), *PUSH_SERVICE.ip(), *server(15).ip()] {
            assert_eq!((device_at(lab), nat_at(lab), network_of_client(lab)), (None, None, 0));
        }
        assert_eq!([*PROXY.ip(), device(0, 0, 0), device(0, 0, last), nat(0, 0, 1)].map(server_at), [None; 4]);
        assert_eq!(server_at(*server(15).ip()), Some(15));
    }
}
