//! The captures of a Linux router that forgot a mapping (E4), replayed through the real [`Nat`]: what its classes do to a
//! connection is what the router did. `docs/kernel-replay.md` says what is compared.

use std::{net::SocketAddrV4, time::Duration};

use cardiogram_policies::{Time, unit::Span};

use super::{Nat, Place as NatPlace};
use crate::{
    captures::{
        replay::{Path, Setup, replay},
        timeline::Place,
    },
    config::{Distribution, LinkConfig, NatClass, NatConfig, TcpSettings},
    fate::nat::{NatFaults, mapping_rules},
    nodes::{
        inbox::Flight,
        link::{LaneConfig, Link},
        node::Host,
    },
    record::recorder::Uses,
    wire::{address, layout::NodeId, packet::Packet},
};

const DEVICES: NodeId = NodeId(0);
const NAT: NodeId = NodeId(1);
const SERVER: NodeId = NodeId(2);

/// A NAT node between the two hosts. Its links take no time worth mentioning: the replay has its own delay.
struct Router {
    host: Host,
    number: u64,
}

impl Router {
    fn new(config: NatConfig, flushes: Vec<Time>) -> Self {
        let place = NatPlace { network: 0, index: 0, is_last: true, servers: 1 };
        let mapping_rules = mapping_rules(&config, "nat", 1, 7).into();
        let nat = Nat::new(config, place, mapping_rules, "nat", &NatFaults { flushes, ..NatFaults::default() }, 7);
        let delay = Distribution::Constant(Span::at_least(Duration::from_micros(1)));
        let link = LinkConfig::of_delay(delay);
        let wire = |direction| {
            let (cuts, answers, effects) = ([].into(), Vec::new(), Vec::new());
            let lane = LaneConfig { component: "wire", direction, index: 0, cuts, answers, effects };
            Link::new(&link, 7, [lane].into_iter())
        };
        // In the order of `TO_DEVICES` and `TO_SERVERS`.
        let links = vec![(DEVICES, wire("down")), (SERVER, wire("up"))];
        Self { host: Host::new(NAT, Box::new(nat), links, &Uses::default()), number: 0 }
    }
}

impl Path for Router {
    fn pass(&mut self, now: Time, from: Place, packet: Packet) -> Vec<(Place, Packet)> {
        let from = if from == Place::Client { DEVICES } else { SERVER };
        self.number += 1;
        self.host.deliver(Flight { arrival: now, from, number: self.number, to: NAT, packet });
        let mut sent = Vec::new();
        self.host.run_before(now + Duration::from_micros(1), &mut sent);
        let place = |to| if to == DEVICES { Place::Client } else { Place::Server };
        sent.into_iter().map(|flight| (place(flight.to), flight.packet)).collect()
    }
}

/// The mapping of an established connection in these captures, `nf_conntrack_tcp_timeout_established`.
const ESTABLISHED: Span = Span::secs(20);

fn setup(name: &'static str) -> Setup {
    let client = SocketAddrV4::new(address::device(0, 0, 0), 40_001);
    Setup { client, server: address::server(0), ..Setup::new(name) }
}

/// Replays through a NAT of this class that forgets after [`ESTABLISHED`].
fn expired(setup: &Setup, after_expiry: NatClass) {
    let config = NatConfig {
        established: Distribution::Constant(ESTABLISHED),
        after_expiry: after_expiry.into(),
        ..NatConfig::default()
    };
    replay(setup, |_| Box::new(Router::new(config, Vec::new())));
}

#[test]
fn e4_a_mapping_comes_back_on_the_same_port() {
    expired(&setup("E4a_loose1_sameport"), NatClass::RemapSamePort);
}

#[test]
fn e4_invalid_packets_are_dropped() {
    expired(
        &Setup { tcp: TcpSettings { retries2: Some(5), ..TcpSettings::default() }, ..setup("E4b3_loose0_invaliddrop") },
        NatClass::DropSilent,
    );
}

#[test]
fn e4_a_push_waits_for_the_servers_timeout_after_the_client_reopened_the_mapping() {
    expired(&setup("E4c2_push_wandrop_hb10"), NatClass::RemapSamePort);
}

#[test]
fn e4_a_new_port_draws_the_servers_reset() {
    let config = NatConfig { after_expiry: NatClass::RemapNewPort.into(), ..NatConfig::default() };
    replay(&setup("E4d1_flush_random"), |fault| Box::new(Router::new(config, vec![fault])));
}

#[test]
fn e4_the_router_resets_the_client() {
    expired(&setup("E4e1_reject_invalid_rst"), NatClass::RstInsideOnSend);
}
