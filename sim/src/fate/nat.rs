//! What is drawn for a NAT before the run: how it treats its subscribers, and what goes wrong with it. What a NAT makes of
//! that is in `nodes::nat`.

use std::time::Duration;

use cardiogram_policies::Time;

use super::{
    random,
    schedule::{self, numbered},
};
use crate::config::{AfterExpiry, NatClass, NatConfig, NatEffect, Network, Target, WorldConfig, distribution::pick};

/// Returns how many subscribers the NAT at `index` has: the devices, or the outside addresses of the NAT in front of it.
pub(crate) const fn subscribers(nats: &[NatConfig], index: u32, devices: u32) -> u32 {
    if index == 0 { devices } else { nats[index as usize - 1].outside_addresses }
}

/// The outside addresses of a NAT. Each is that of a block of subscribers, one after the other, whatever they connect to (pooling
/// is "paired": RFC 4787 REQ-2; in blocks: RFC 7422).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pool {
    /// How many subscribers share an address.
    block: u32,
}

impl Pool {
    pub(crate) const fn new(subscribers: u32, addresses: u32) -> Self {
        Self { block: subscribers.div_ceil(addresses) }
    }

    /// Returns the number of a subscriber's address.
    pub(crate) const fn address_of(self, subscriber: u32) -> u16 {
        (subscriber / self.block) as u16
    }
}

/// Returns which subscriber a device is to each NAT in a row, by how many subscribers they have.
pub(crate) fn subscribers_for(device: u32, counts: impl Iterator<Item = u32>) -> impl Iterator<Item = u32> {
    counts.scan(None, move |in_front: &mut Option<(u32, u32)>, count| {
        let of_pool = |(subscribers, subscriber)| Pool::new(subscribers, count).address_of(subscriber).into();
        let subscriber = in_front.map_or(device, of_pool);
        *in_front = Some((count, subscriber));
        Some(subscriber)
    })
}

/// How the NAT treats a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MappingRules {
    /// The timeout of established connections.
    pub(crate) established: Duration,
    /// What follows the end of a mapping.
    pub(crate) class: NatClass,
}

/// Returns how the NAT whose random streams begin with `stream` treats each of its subscribers.
pub(crate) fn mapping_rules(config: &NatConfig, stream: &str, subscribers: u32, seed: u64) -> Vec<MappingRules> {
    let draw =
        |what, subscriber| random::draw(&mut random::stream(seed, &format!("{stream}/{what}"), u64::from(subscriber)));
    let of = |subscriber| MappingRules {
        established: config.established.at(draw("timeout", subscriber)),
        class: match &config.after_expiry {
            AfterExpiry::Always(class) => *class,
            AfterExpiry::Mix { mix } => pick(mix, |share| share.weight, draw("class", subscriber)).0.class,
        },
    };
    (0..subscribers).map(of).collect()
}

/// Returns what the names of the random streams of a network's NAT begin with.
pub(crate) fn stream(network: &Network<'_>, index: u32) -> String {
    let nats = network.component("nat");
    if index == 0 { nats } else { format!("{nats}/{index}") }
}

/// What goes wrong with a NAT, drawn.
#[derive(Clone, Default)]
pub(crate) struct NatFaults {
    /// Moments at which the table is lost, sorted.
    pub(crate) flushes: Vec<Time>,
    /// When the timeout of established connections becomes another one, or its own again; sorted.
    pub(crate) timeouts: Vec<(Time, Option<Duration>)>,
}

impl NatFaults {
    /// Draws the faults of a NAT, by its place in its network.
    pub(crate) fn draw(config: &WorldConfig, network: Network<'_>, nat: u32, seed: u64) -> Self {
        let horizon = Time::ZERO + config.duration;
        let mut flushes = Vec::new();
        let mut shifts = Vec::new();
        for (name, fault) in numbered(config) {
            let fault = fault.facts();
            let Target::Nat { network: of_network, nat: of, effect } = fault.target else { continue };
            if of.is_some_and(|of| of != nat) || of_network.is_some_and(|of| of != network.name) {
                continue;
            }
            // The networks have luck of their own.
            let strikes = schedule::strikes(&fault, horizon, seed, &network.component(&name), u64::from(nat));
            match effect {
                NatEffect::Forgets => flushes.extend(strikes.iter().map(|strike| strike.begin)),
                NatEffect::TimesOut(timeout) => shifts.extend(strikes.into_iter().map(|strike| (strike, timeout))),
            }
        }
        flushes.sort_unstable();
        Self { flushes, timeouts: schedule::lowest(&shifts) }
    }
}
