//! The faults of links, drawn: when a lane is cut, and what else happens to its packets and when. A function of seed, fault
//! and lane; what a link makes of it is in `nodes::link`.

use std::rc::Rc;

use cardiogram_policies::Time;

use crate::{
    config::{Direction, Fault, FaultKind, LinkEffect, LinkName, Target, WorldConfig},
    fate::{
        effect::{Effect, EffectKind},
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
    /// The core link.
    Core,
}

impl LinkTarget<'_> {
    fn is(self, link: &LinkName) -> bool {
        match self {
            Self::Access { network, .. } => link.is_access_of(network),
            Self::Core => *link == LinkName::Core,
        }
    }

    /// Returns the index of its draws.
    const fn index(self) -> u64 {
        match self {
            Self::Access { device, .. } => device,
            Self::Core => 0,
        }
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

/// Returns the faults of `link`, in the order of the file.
fn of_link<'a>(config: &'a WorldConfig, link: LinkTarget<'a>) -> impl Iterator<Item = OnLink<'a>> {
    numbered(config).filter_map(move |(name, config)| {
        let fault = config.facts();
        let Target::Link { link: of, direction, effect } = fault.target else { return None };
        link.is(of).then(|| OnLink { kind: config.kind(), name, direction, effect, fault })
    })
}

/// Returns each fault of `link`: its kind, its direction, whether nothing passes while it lasts, and when it strikes, in the
/// order of the file.
pub(crate) fn all<'a>(
    config: &'a WorldConfig,
    link: LinkTarget<'a>,
    seed: u64,
) -> impl Iterator<Item = (FaultKind, Direction, bool, Vec<Interval>)> {
    of_link(config, link).map(move |fault| {
        let strikes = fault.strikes(config, link, seed);
        (fault.kind, fault.direction, fault.effect.cuts_off(), strikes)
    })
}

/// Returns when `link` is cut.
pub(crate) fn cuts(config: &WorldConfig, link: LinkTarget<'_>, seed: u64) -> Cuts {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for fault in of_link(config, link).filter(|fault| fault.effect.cuts_off()) {
        let strikes = fault.strikes(config, link, seed);
        if fault.direction != Direction::Down {
            up.extend(&strikes);
        }
        if fault.direction != Direction::Up {
            down.extend(&strikes);
        }
    }
    Cuts { up: schedule::merge(up).into(), down: schedule::merge(down).into() }
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
    for fault in of_link(config, link).filter(|fault| fault.direction != not_in) {
        let strikes = || fault.strikes(config, link, seed);
        let what = match fault.effect {
            LinkEffect::Cuts => continue,
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
