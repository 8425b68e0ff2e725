//! The faults of links, drawn: when a lane is cut, and what else happens to its packets and when. A function of seed, fault
//! and lane; what a link makes of it is in `nodes::link`.

use std::{collections::BTreeMap, rc::Rc};

use cardiogram_policies::Time;

use crate::{
    config::{Carrier, Direction, Fault, FaultConfig, FaultKind, LinkEffect, LinkName, Target, WorldConfig},
    fate::{
        effect::{Effect, EffectKind},
        random::Coins,
        schedule::{self, Interval, numbered},
        struck::Struck,
    },
    wire::packet::Obstacle,
};

/// Cuts of one link or lane by direction.
#[derive(Clone)]
pub(crate) struct Cuts {
    pub(crate) up: Rc<[Interval]>,
    pub(crate) down: Rc<[Interval]>,
}

impl Cuts {
    /// Returns the cuts of one direction.
    pub(crate) fn towards(&self, up: bool) -> Rc<[Interval]> {
        if up { self.up.clone() } else { self.down.clone() }
    }
}

/// A link that faults strike.
#[derive(Clone, Copy)]
pub(crate) enum LinkTarget<'a> {
    /// A device's access link to a network, where each device has its own faults. They strike it wherever it is attached
    /// at the same times.
    Access { network: &'a str, device: u64 },
    /// The core link, as one device meets it.
    Core { device: u64 },
}

impl LinkTarget<'_> {
    fn is(self, link: &LinkName) -> bool {
        match self {
            Self::Access { network, .. } => link.is_access_of(network),
            Self::Core { .. } => *link == LinkName::Core,
        }
    }

    /// Returns the index of its draws.
    const fn index(self) -> u64 {
        match self {
            Self::Access { device, .. } => device,
            Self::Core { .. } => 0,
        }
    }

    const fn device(self) -> u32 {
        let (Self::Access { device, .. } | Self::Core { device }) = self;
        device as u32
    }
}

/// A fault of a link.
struct OnLink<'a> {
    kind: FaultKind,
    /// The name of its draws.
    name: String,
    direction: Direction,
    effect: LinkEffect<'a>,
    fault: Fault<'a>,
}

impl OnLink<'_> {
    /// Returns when it strikes.
    fn strikes(&self, config: &WorldConfig, link: LinkTarget<'_>, seed: u64) -> Vec<Interval> {
        schedule::strikes(&self.fault, Time::ZERO + config.duration, seed, &self.name, link.index())
    }
}

/// Returns the faults of `link` that strike its device, in the order of the file.
fn of_link<'a>(config: &'a WorldConfig, link: LinkTarget<'a>, seed: u64) -> impl Iterator<Item = OnLink<'a>> {
    let devices = config.devices.count;
    numbered(config).filter_map(move |(name, config)| {
        let fault = config.facts();
        let Target::Link { link: of, direction, effect } = fault.target else { return None };
        let strikes = link.is(of) && Struck::is_one(fault.whom, devices, seed, &name, link.device());
        strikes.then(|| OnLink { kind: config.kind(), name, direction, effect, fault })
    })
}

/// A fault of a link as a list shows it.
pub(crate) struct Listed {
    pub(crate) kind: FaultKind,
    pub(crate) direction: Direction,
    /// Whether nothing passes while it lasts.
    pub(crate) cuts_off: bool,
    /// Whether it strikes all devices.
    pub(crate) strikes_all: bool,
    pub(crate) strikes: Vec<Interval>,
}

/// Returns each fault of `link`, in the order of the file.
pub(crate) fn all<'a>(config: &'a WorldConfig, link: LinkTarget<'a>, seed: u64) -> impl Iterator<Item = Listed> {
    of_link(config, link, seed).map(move |fault| {
        let strikes = fault.strikes(config, link, seed);
        let OnLink { kind, direction, effect, fault, .. } = fault;
        Listed { kind, direction, cuts_off: effect.cuts_off(), strikes_all: fault.whom.is_none(), strikes }
    })
}

/// Returns when `link` is cut.
pub(crate) fn cuts(config: &WorldConfig, link: LinkTarget<'_>, seed: u64) -> Cuts {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for fault in of_link(config, link, seed).filter(|fault| fault.effect.cuts_off()) {
        let strikes = fault.strikes(config, link, seed);
        if fault.direction != Direction::Down {
            up.extend(&strikes);
        }
        if fault.direction != Direction::Up {
            down.extend(&strikes);
        }
    }
    // Most cuts are cuts of both directions, and are kept once.
    if up == down {
        let both: Rc<[Interval]> = schedule::merge(up).into();
        return Cuts { up: both.clone(), down: both };
    }
    Cuts { up: schedule::merge(up).into(), down: schedule::merge(down).into() }
}

/// Returns what routers answer on `link` in one direction, and when.
pub(crate) fn answers(
    config: &WorldConfig,
    link: LinkTarget<'_>,
    not_in: Direction,
    seed: u64,
) -> Vec<(Interval, Obstacle)> {
    let answering = of_link(config, link, seed).filter(|fault| fault.direction != not_in).filter_map(|fault| {
        let LinkEffect::Cuts(answers, _) = fault.effect else { return None };
        Some((fault, Obstacle::of(answers)?))
    });
    answering
        .flat_map(|(fault, why)| fault.strikes(config, link, seed).into_iter().map(move |strike| (strike, why)))
        .collect()
}

/// Returns when the link of each device to a network has no carrier; nothing where all have it always.
pub(crate) fn no_carrier(config: &WorldConfig, network: &str, seed: u64) -> Vec<Vec<Interval>> {
    let without = |fault: &OnLink<'_>| matches!(fault.effect, LinkEffect::Cuts(_, Carrier::Lost));
    let of_device = |device| {
        let link = LinkTarget::Access { network, device };
        let faults = of_link(config, link, seed).filter(without);
        schedule::merge(faults.flat_map(|fault| fault.strikes(config, link, seed)).collect())
    };
    let found: Vec<_> = (0..u64::from(config.devices.count)).map(of_device).collect();
    if found.iter().all(Vec::is_empty) { Vec::new() } else { found }
}

/// Returns what else happens to the packets of one lane of `link` in one direction. `coins` gives the lane's coins for a
/// fault's name.
pub(crate) fn effects(
    config: &WorldConfig,
    link: LinkTarget<'_>,
    not_in: Direction,
    seed: u64,
    coins: impl Fn(&str) -> Coins,
) -> Vec<Effect> {
    let mut pauses = Vec::new();
    let mut effects = Vec::new();
    for fault in of_link(config, link, seed).filter(|fault| fault.direction != not_in) {
        let strikes = || fault.strikes(config, link, seed);
        let what = match fault.effect {
            LinkEffect::Cuts(..) => continue,
            LinkEffect::Holds => {
                pauses.extend(strikes());
                continue;
            }
            LinkEffect::Limits(rate) => EffectKind::Limit(rate),
            LinkEffect::Loses(loss) => EffectKind::Lose(loss),
            LinkEffect::Delays(delay) => EffectKind::Delay(delay.clone()),
            LinkEffect::HoldsBack(probability, delay) => EffectKind::HoldBack(probability, delay.clone()),
            LinkEffect::Copies(probability, delay) => EffectKind::Copy(probability, delay.clone()),
        };
        effects.push(Effect::new(what, coins(&fault.name), strikes()));
    }
    if !pauses.is_empty() {
        // One effect for all, since the end of one pause may lie within another.
        effects.push(Effect::new(EffectKind::Pause, coins("handover"), schedule::merge(pauses)));
    }
    effects
}

/// The core link as devices meet it. All have one path there, but where faults strike some of them alone: those then have a
/// path, or a share of the capacity, of their own, with a queue and an order of its own, since a fault strikes whole paths.
pub(crate) struct CorePaths {
    /// The path of each device; empty where all have one.
    pub(crate) of_device: Rc<[u32]>,
    pub(crate) paths: Vec<CorePath>,
}

/// A path over the core link.
pub(crate) struct CorePath {
    /// One of the devices that have it.
    pub(crate) device: u32,
    /// When it is cut.
    pub(crate) cuts: Cuts,
}

impl CorePaths {
    pub(crate) fn draw(config: &WorldConfig, seed: u64) -> Self {
        let devices = config.devices.count;
        let strikes_some = |(name, config): (String, &'_ FaultConfig)| {
            let fault = config.facts();
            let is_of_core = matches!(fault.target, Target::Link { link: LinkName::Core, .. });
            let struck = is_of_core.then(|| Struck::draw(fault.whom, devices, seed, &name));
            struck.filter(|struck| !struck.is_all())
        };
        let some: Vec<Struck> = numbered(config).filter_map(strikes_some).collect();
        let path = |device| CorePath { device, cuts: cuts(config, LinkTarget::Core { device: device.into() }, seed) };
        if some.is_empty() {
            return Self { of_device: [].into(), paths: vec![path(0)] };
        }
        let mut numbers: BTreeMap<Vec<bool>, u32> = BTreeMap::new();
        let mut paths = Vec::new();
        let number = |device| {
            *numbers.entry(some.iter().map(|struck| struck.has(device)).collect()).or_insert_with(|| {
                paths.push(path(device));
                paths.len() as u32 - 1
            })
        };
        Self { of_device: (0..devices).map(number).collect(), paths }
    }

    /// Returns whether all devices have one path.
    pub(crate) fn is_one(&self) -> bool {
        self.of_device.is_empty()
    }

    /// Returns when the path of a device is cut.
    pub(crate) fn cuts_of(&self, device: usize) -> &Cuts {
        &self.paths[self.of_device.get(device).map_or(0, |path| *path as usize)].cuts
    }
}
