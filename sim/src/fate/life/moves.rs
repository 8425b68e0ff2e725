//! Which network a device is on: what the scenario's plan says, what random switches make of it, and addresses that die.
//!
//! Of switches at the same time the one that began last counts; when it is over, the device goes where it would be
//! without it.

use std::{collections::BTreeMap, time::Duration};

use cardiogram_policies::Time;

use crate::{
    config::{Cause, DeviceEffect, Distribution, OldSockets, Target, WorldConfig},
    fate::{
        random::{Coins, DrawPurpose},
        schedule::{self, Interval, numbered},
        struck::Struck,
    },
};

/// An address of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Address {
    pub(crate) network: u32,
    /// How many addresses the device has had there before.
    pub(crate) lease: u32,
}

impl Address {
    /// The one that a device begins with.
    pub(crate) const FIRST: Self = Self { network: 0, lease: 0 };
}

/// A change of network or address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) at: Time,
    /// `None`: no network.
    pub(crate) to: Option<Address>,
    pub(crate) old_sockets: OldSockets,
    /// Why the old address is left.
    pub(crate) cause: Cause,
}

/// A change before addresses are counted.
#[derive(Clone, Copy)]
struct Step {
    at: Time,
    to: Option<u32>,
    gap: Duration,
    old_sockets: OldSockets,
    cause: Cause,
}

/// Returns the moves of device `index`, and the times at which its address is dead, by network.
pub(super) fn draw(config: &WorldConfig, index: u64, seed: u64) -> (Vec<Move>, Vec<(u32, Interval)>) {
    let mut steps = steps(config, index, seed);
    let dead = dead_leases(config, index, seed, &mut steps);
    (moves(&steps), dead)
}

/// Something that may make a device go elsewhere.
struct Edge<'a> {
    at: Time,
    what: What,
    gap: Option<&'a Distribution>,
    old_sockets: OldSockets,
    /// Names the draw of the gap.
    name: String,
}

/// What changes in a device's attachment, in the order in which the changes of one moment are taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// The plan changes. (A name that is no network's, `none`, stands for no network.)
    Plan(Option<u32>),
    /// The switch of this place in the file is over.
    Ends(usize),
    /// The switch of this place in the file begins, to this network; `None`: to none.
    Begins(usize, Option<u32>),
    /// Another address on the same network.
    Renews,
}

fn steps(config: &WorldConfig, index: u64, seed: u64) -> Vec<Step> {
    let mut plan = Some(Address::FIRST.network);
    // The switches under way, the one that began last at the end.
    let mut under_way: Vec<(usize, Option<u32>)> = Vec::new();
    let mut on = plan;
    let mut steps = Vec::new();
    for edge in edges(config, index, seed) {
        match edge.what {
            What::Plan(network) => plan = network,
            What::Ends(place) => under_way.retain(|(of, _)| *of != place),
            What::Begins(place, network) => under_way.push((place, network)),
            What::Renews => {}
        }
        let goes = under_way.last().map_or(plan, |(_, network)| *network);
        let renews = edge.what == What::Renews && on.is_some();
        if goes != on || renews {
            let coin = || Coins::new(seed, &edge.name, index).unit(DrawPurpose::Delay, edge.at);
            steps.push(Step {
                at: edge.at,
                to: goes,
                gap: edge.gap.map_or(Duration::ZERO, |gap| gap.at(coin())),
                old_sockets: edge.old_sockets,
                cause: if goes.is_some() { Cause::NetworkSwitch } else { Cause::NoNetwork },
            });
            on = goes;
        }
    }
    steps
}

fn edges(config: &WorldConfig, index: u64, seed: u64) -> Vec<Edge<'_>> {
    let horizon = Time::ZERO + config.duration;
    let mut edges: Vec<Edge<'_>> = config
        .life
        .attach
        .iter()
        .map(|attach| Edge {
            at: Time::ZERO + attach.at.get(),
            what: What::Plan(config.network_number(&attach.to)),
            gap: attach.gap.as_ref(),
            old_sockets: attach.old_sockets,
            name: "life/attach".into(),
        })
        .collect();
    for (place, (name, fault)) in numbered(config).enumerate() {
        let fault = fault.facts();
        let Target::Device(DeviceEffect::Moves(switch)) = fault.target else { continue };
        if !Struck::is_one(fault.whom, config.devices.count, seed, &name, index as u32) {
            continue;
        }
        let edge =
            |at, what| Edge { at, what, gap: switch.gap.as_ref(), old_sockets: switch.old_sockets, name: name.clone() };
        for span in schedule::strikes(&fault, horizon, seed, &name, index) {
            let Some(to) = &switch.to else {
                edges.push(edge(span.begin, What::Renews));
                continue;
            };
            edges.push(edge(span.begin, What::Begins(place, config.network_number(to))));
            edges.push(edge(span.end, What::Ends(place)));
        }
    }
    edges.retain(|edge| edge.at < horizon);
    edges.sort_by_key(|edge| (edge.at, edge.what));
    edges
}

/// Draws when addresses are dead, and adds the steps at which the system gets another one.
fn dead_leases(config: &WorldConfig, index: u64, seed: u64, steps: &mut Vec<Step>) -> Vec<(u32, Interval)> {
    let horizon = Time::ZERO + config.duration;
    let mut dead: Vec<(u32, Interval)> = Vec::new();
    for (name, fault) in numbered(config) {
        let fault = fault.facts();
        let Target::Device(DeviceEffect::LosesAddress(only)) = fault.target else { continue };
        if !Struck::is_one(fault.whom, config.devices.count, seed, &name, index as u32) {
            continue;
        }
        let only = only.and_then(|name| config.network_number(name));
        for span in schedule::strikes(&fault, horizon, seed, &name, index) {
            let next = steps.partition_point(|step| step.at <= span.begin);
            let last = next.checked_sub(1).map(|last| steps[last]);
            let on =
                last.map_or(Some(Address::FIRST.network), |last| last.to.filter(|_| last.at + last.gap <= span.begin));
            let Some(network) = on.filter(|on| only.is_none_or(|only| only == *on)) else { continue };
            // A device that leaves the network leaves the dead address, too.
            let leaves = steps.get(next).map_or(Time::MAX, |step| step.at);
            dead.push((network, Interval { end: span.end.min(leaves), ..span }));
            if span.end < leaves && span.end < horizon {
                let step = Step {
                    at: span.end,
                    to: Some(network),
                    gap: Duration::ZERO,
                    old_sockets: OldSockets::Abort,
                    cause: Cause::LeaseExpiry,
                };
                steps.insert(next, step);
            }
        }
    }
    dead.sort_by_key(|(network, span)| (*network, span.begin));
    dead
}

/// Counts addresses, and puts the time without a network between two of them.
fn moves(steps: &[Step]) -> Vec<Move> {
    let mut leases = BTreeMap::from([(Address::FIRST.network, 1)]);
    let mut moves = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        let Step { at, to, gap, old_sockets, cause } = *step;
        let until = steps.get(place + 1).map_or(Time::MAX, |next| next.at);
        let make = |at, to| Move { at, to, old_sockets, cause };
        if to.is_none() || !gap.is_zero() {
            moves.push(make(at, None));
        }
        if let Some(network) = to.filter(|_| at + gap < until) {
            let lease = leases.entry(network).or_default();
            moves.push(make(at + gap, Some(Address { network, lease: *lease })));
            *lease += 1;
        }
    }
    moves
}
