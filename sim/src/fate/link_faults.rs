//! The faults of links, drawn: when a lane is cut, and what else happens to its packets and when. A function of seed, fault
//! and lane; what a link makes of it is in `nodes::link`.

use std::rc::Rc;

use cardiogram_policies::Time;

use crate::{
    config::{Direction, FaultConfig, Handover, HandoverMode, LinkName, OnLink, WorldConfig},
    fate::{
        effect::{Effect, What},
        random::Coins,
        schedule::{self, Interval, numbered},
    },
};

/// Cuts of one link or lane by direction.
#[derive(Clone)]
pub(crate) struct Cuts {
    pub(crate) up: Rc<[Interval]>,
    pub(crate) down: Rc<[Interval]>,
}

impl Cuts {
    /// Those of one direction.
    pub(crate) fn towards(&self, up: bool) -> Rc<[Interval]> {
        if up { self.up.clone() } else { self.down.clone() }
    }
}

/// A link that faults strike.
#[derive(Clone, Copy)]
pub(crate) enum Struck<'a> {
    /// A device's access link to a network, where each device has its own faults. They strike it wherever it is attached
    /// at the same times.
    Access { network: &'a str, device: u64 },
    /// The core link.
    Core,
}

impl Struck<'_> {
    fn is(self, link: &LinkName) -> bool {
        match self {
            Self::Access { network, .. } => link.is_access_of(network),
            Self::Core => *link == LinkName::Core,
        }
    }

    /// The index of its draws.
    const fn index(self) -> u64 {
        match self {
            Self::Access { device, .. } => device,
            Self::Core => 0,
        }
    }
}

/// The faults of `link`, with their names.
fn of_link<'a>(
    config: &'a WorldConfig,
    link: Struck<'a>,
) -> impl Iterator<Item = (String, &'a FaultConfig, OnLink<'a>)> {
    let on_link = move |(name, fault): (String, &'a FaultConfig)| fault.on_link().map(|on| (name, fault, on));
    numbered(config).filter_map(on_link).filter(move |(.., on)| link.is(on.link))
}

fn horizon(config: &WorldConfig) -> Time {
    Time::ZERO + config.duration
}

/// When a fault strikes its link, by its name and the link's index.
fn strikes(
    config: &WorldConfig,
    fault: &FaultConfig,
    on: OnLink<'_>,
    seed: u64,
    name: &str,
    index: u64,
) -> Vec<Interval> {
    match fault {
        FaultConfig::Flapping(spec) => schedule::flapping(spec, horizon(config), seed, name, index),
        _ => schedule::intervals(on.when, on.lasts, horizon(config), seed, name, index),
    }
}

/// Each fault of `link` with its direction and when it strikes, in the order of the file.
pub(crate) fn all<'a>(
    config: &'a WorldConfig,
    link: Struck<'a>,
    seed: u64,
) -> impl Iterator<Item = (&'a FaultConfig, Direction, Vec<Interval>)> {
    of_link(config, link)
        .map(move |(name, fault, on)| (fault, on.direction, strikes(config, fault, on, seed, &name, link.index())))
}

/// Whether nothing passes the link while the fault lasts.
pub(crate) const fn cuts_off(fault: &FaultConfig) -> bool {
    matches!(
        fault,
        FaultConfig::Cut(_)
            | FaultConfig::Flapping(_)
            | FaultConfig::Handover(Handover { mode: HandoverMode::Lossy, .. })
    )
}

/// When `link` is cut.
pub(crate) fn cuts(config: &WorldConfig, link: Struck<'_>, seed: u64) -> Cuts {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for (name, fault, on) in of_link(config, link) {
        if !cuts_off(fault) {
            continue;
        }
        let drawn = strikes(config, fault, on, seed, &name, link.index());
        if on.direction != Direction::Down {
            up.extend(&drawn);
        }
        if on.direction != Direction::Up {
            down.extend(&drawn);
        }
    }
    Cuts { up: schedule::merge(up).into(), down: schedule::merge(down).into() }
}

/// What else happens to the packets of one lane of `link` in one direction. `coins` gives the lane's coins for a fault's
/// name.
pub(crate) fn effects(
    config: &WorldConfig,
    link: Struck<'_>,
    not_in: Direction,
    seed: u64,
    coins: impl Fn(&str) -> Coins,
) -> Vec<Effect> {
    let mut pauses = Vec::new();
    let mut effects = Vec::new();
    for (name, fault, on) in of_link(config, link).filter(|(.., on)| on.direction != not_in) {
        let draw = || strikes(config, fault, on, seed, &name, link.index());
        let what = match fault {
            FaultConfig::Handover(Handover { mode: HandoverMode::Buffered, .. }) => {
                pauses.extend(draw());
                continue;
            }
            FaultConfig::RateLimit(spec) => What::Limit(spec.rate()),
            FaultConfig::LossBurst(spec) => What::Lose(spec.loss),
            FaultConfig::DelaySpike(spec) => What::Delay(spec.delay.clone()),
            FaultConfig::Reordering(spec) => What::HoldBack(spec.probability, spec.delay.clone()),
            FaultConfig::Duplication(spec) => What::Copy(spec.probability, spec.delay.clone()),
            _ => continue,
        };
        effects.push(Effect::new(what, coins(&name), draw()));
    }
    if !pauses.is_empty() {
        // One effect for all, since the end of one pause may lie within another.
        effects.push(Effect::new(What::Pause, coins("handover"), schedule::merge(pauses)));
    }
    effects
}
