//! What a world guarantees on a healthy path: the base of every promise.

use std::time::Duration;

use cardiogram_policies::{Bounds, unit::Span};

use super::{
    BETWEEN_NATS, DeviceEffect, FromInside, NatConfig, NatEffect, Network, RadioConfig, Target, TcpSettings,
    WorldConfig,
    problems::{link, server},
};

impl WorldConfig {
    /// Returns what the world guarantees on a healthy path, on each of its networks: the base of every promise.
    pub fn bounds(&self) -> Bounds {
        let rtt = self.all_networks().map(|network| rtt(self, network)).max().expect("there is a first network");
        let links = self.all_networks().map(|network| network.access).chain([&self.core]);
        let lossless_links = links.into_iter().all(link::is_lossless);
        // Lost packets are sent again after about RTT + 200 ms, then twice that, and so on: four losses in a row.
        let retransmissions = if lossless_links { Duration::ZERO } else { 15 * (rtt + Duration::from_millis(200)) };
        // A push, or a ping, that finds the mapping forgotten is lost without a break where the mapping comes back on the same
        // port; what the server sends after it, replies included, waits for its retransmission.
        let remaps =
            nats(self).any(|nat| nat.after_expiry.classes().any(|class| class.from_inside() == FromInside::SamePort));
        let nat_loses_pushes = remaps && (self.traffic.has_down() || self.strategy.server.pings.is_some());
        let handshake = (2 + server::login_round_trips(self)) * (rtt + retransmissions) + server::login_work(self);
        // Behind a balancer it is not the client that goes on to the next server, and nothing is certain of where it gets to.
        let is_led = self.server.balancer.is_some() && self.server.count > 1;
        let stops = |effect: DeviceEffect<'_>| {
            matches!(effect, DeviceEffect::Kills | DeviceEffect::Stalls | DeviceEffect::Freezes)
        };
        let is_stopped =
            self.faults.iter().any(|fault| matches!(fault.facts().target, Target::Device(effect) if stops(effect)));
        // A server that tells clients another interval now and then is not silent either.
        let server = &self.strategy.server;
        let redirects = server.directed.as_ref().is_some_and(|directed| !directed.changes.is_empty());
        let patience = [&self.devices.tcp, &self.server.tcp].into_iter().filter_map(TcpSettings::patience).min();
        Bounds::healthy(rtt + retransmissions)
            .with_patient_kernels(patience.is_none_or(|patience| rtt + retransmissions < patience))
            .with_loss_free(lossless_links && !nat_loses_pushes)
            .with_nat_timeout(nat_timeout(self))
            .with_handshake_max(if is_led { Duration::MAX } else { handshake })
            .with_servers(self.server.count)
            .with_silent_app(!self.traffic.has_up() && !self.traffic.has_down() && !redirects)
            .with_steady_host(!self.life.delays_timers() && !is_stopped)
            .with_server_pings(server.pings.as_ref().map(|pings| pings.expected(rtt + retransmissions)))
    }
}

/// Returns the longest round trip through a network on which nothing is lost.
fn rtt(world: &WorldConfig, network: Network<'_>) -> Duration {
    let boxes_behind = network.nat.len() as u32 - 1 + u32::from(world.proxy.is_some());
    let between_nats = BETWEEN_NATS.get() * boxes_behind;
    let one_way = link::delay_max(network.access) + between_nats + link::delay_max(&world.core);
    let work = world.server.heartbeat_cost.practical_max().max(world.server.message_cost.practical_max());
    let rtt = 2 * one_way + work;
    rtt + network.radio.map_or(Duration::ZERO, |radio| radio_wait(radio, rtt))
}

/// Returns what a radio adds to an exchange: the promotion, and where it falls asleep before the answer is there, the page and
/// another promotion.
fn radio_wait(radio: &RadioConfig, rtt: Duration) -> Duration {
    let tail: Duration = radio.tail.iter().map(|stage| stage.lasts.get()).sum();
    let promotion = radio.promotion.get();
    if tail > rtt { promotion } else { promotion * 2 + radio.paging_cycle.get() }
}

/// Returns the shortest idle time after which any NAT may forget an established connection, or the proxy end it.
fn nat_timeout(world: &WorldConfig) -> Option<Duration> {
    let own = nats(world).map(|nat| nat.established.min());
    let shifted = world.faults.iter().filter_map(|fault| match fault.facts().target {
        Target::Nat { effect: NatEffect::TimesOut(timeout), .. } => Some(timeout),
        Target::Nat { effect: NatEffect::Forgets, .. }
        | Target::Link { .. }
        | Target::Device(_)
        | Target::Server { .. }
        | Target::Proxy(_) => None,
    });
    // A full table: every device has a connection, and each may have been used since.
    let pushed_out = nats(world).filter_map(|nat| {
        let places = nat.table?.checked_sub(world.devices.count).map_or(0, u64::from);
        Some(Duration::from_nanos(nat.background?.gap_ns().saturating_mul(places)))
    });
    // A proxy ends what is silent, too.
    let proxy = world.proxy.iter().filter_map(|proxy| proxy.shortest_idle().map(Span::get));
    own.chain(shifted).chain(pushed_out).chain(proxy).min()
}

/// Returns the NATs of all networks.
fn nats(world: &WorldConfig) -> impl Iterator<Item = &NatConfig> {
    world.all_networks().flat_map(|network| network.nat)
}
