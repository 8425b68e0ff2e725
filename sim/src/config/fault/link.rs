//! What can go wrong on a link, as data. When and where is the same for all of them: a link, a direction, a schedule. How
//! a link does it is in `fate::effect` and `nodes::link`.

use std::time::Duration;

use cardiogram_policies::unit::{Delay, Fraction, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fault, Lasts, Target, When, Whom};
use crate::config::{Distribution, LinkName, Rate};

/// What a fault does to the packets of a link while it lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LinkEffect<'a> {
    /// Nothing passes, and what is under way is lost. A router may say so.
    Cuts(Answer, Carrier),
    /// Nothing leaves before it is over.
    Holds,
    /// Packets are lost with this probability.
    Loses(Fraction),
    /// Packets are late by a draw of this.
    Delays(&'a Distribution),
    /// With this probability, a packet is held back by a draw of this.
    HoldsBack(Fraction, &'a Distribution),
    /// With this probability, a copy of a packet arrives later by a draw of this.
    Copies(Fraction, &'a Distribution),
    /// Packets leave at this rate at most.
    Limits(Rate),
}

impl LinkEffect<'_> {
    /// Returns whether nothing passes the link while the fault lasts.
    pub(crate) const fn cuts_off(&self) -> bool {
        match self {
            Self::Cuts(..) => true,
            Self::Holds
            | Self::Loses(_)
            | Self::Delays(_)
            | Self::HoldsBack(..)
            | Self::Copies(..)
            | Self::Limits(_) => false,
        }
    }

    /// For how long after the fault packets that it struck may still be on their way because of it.
    fn aftermath(&self) -> Duration {
        match self {
            // A question under way, as late as a kernel's wheel may make it.
            Self::Cuts(_, Carrier::Lost) => Duration::from_millis(1_100),
            Self::Cuts(..) | Self::Holds | Self::Loses(_) => Duration::ZERO,
            Self::Delays(delay) | Self::HoldsBack(_, delay) | Self::Copies(_, delay) => delay.practical_max(),
            Self::Limits(rate) => rate.queue.get(),
        }
    }
}

/// A direction of travel, seen from the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Up and down.
    #[default]
    Both,
    /// From device to server.
    Up,
    /// From server to device.
    Down,
}

/// What a router at a cut answers to a packet that it cannot forward: an ICMP error (RFC 792), to the packet's sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Nothing: the packet is lost without a word.
    #[default]
    Nothing,
    /// It has no route to the network (code 0): a link of a provider's is down, and its routers know.
    NetUnreachable,
    /// It cannot reach the host (code 1): a route leads nowhere.
    HostUnreachable,
    /// It may not forward it (code 13): a firewall, or a route that prohibits.
    Prohibited,
}

impl Answer {
    /// All answers, in this order.
    pub const ALL: &[Self] = &[Self::Nothing, Self::NetUnreachable, Self::HostUnreachable, Self::Prohibited];
}

/// What a device's own kernel sees of a cut of its access link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// Nothing: the link looks well, and what is sent is gone.
    #[default]
    Kept,
    /// The link is down: a cable is pulled, a radio has lost its access point. The address stays, and so do connections. What is
    /// sent waits within the kernel.
    Lost,
}

/// Faults of links that strike one way or both and last as long as `lasts` says: their own keys, and what they do to a
/// packet.
macro_rules! link_faults {
    ($(
        $(#[$doc:meta])+
        struct $kind:ident { $($(#[$key_doc:meta])+ $key:ident: $type:ty,)* }
        |$it:ident| $effect:expr;
    )+) => {
        $(
            $(#[$doc])+
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
            #[serde(deny_unknown_fields)]
            pub struct $kind {
                /// Which link. Default `access`, where every device has its own.
                #[serde(default)]
                pub link: LinkName,
                /// Which direction. Default `both`: the same moments, each packet with its own luck.
                #[serde(default)]
                pub direction: Direction,
                /// Which devices. Default: all.
                #[serde(default)]
                pub devices: Option<Whom>,
                /// When it begins.
                pub when: When,
                /// How long it lasts. Default: to the end of the run.
                #[serde(default)]
                pub lasts: Option<Distribution>,
                $($(#[$key_doc])+ pub $key: $type,)*
            }

            impl $kind {
                pub(super) fn facts(&self) -> Fault<'_> {
                    let $it = self;
                    on_link(&self.link, self.direction, self.devices.as_ref(), &self.when, Lasts::of(self.lasts.as_ref()), $effect)
                }
            }
        )+
    };
}

link_faults! {
    /// A cut of a link.
    struct Cut {
        /// What a router at the cut answers to what is sent meanwhile: `nothing`, `net-unreachable`, `host-unreachable` or
        /// `prohibited`. Default `nothing`.
        #[serde(default)]
        answers: Answer,
        /// Whether the device's kernel sees that the link is down: `kept` or `lost`, which a cut of an access link both ways
        /// can be. Default `kept`.
        #[serde(default)]
        carrier: Carrier,
    }
    |it| LinkEffect::Cuts(it.answers, it.carrier);

    /// Packets are lost by chance: interference, a fade. Not a break: what is sent again may come through.
    struct LossBurst {
        /// The probability that a packet sent meanwhile is lost, beside the link's own losses. Below 1.
        loss: Fraction,
    }
    |it| LinkEffect::Loses(it.loss);

    /// Packets take longer: a full buffer, a retransmitting radio. They keep their order, so that those sent just afterwards
    /// wait for those sent meanwhile.
    struct DelaySpike {
        /// How much later a packet arrives that is sent meanwhile, beside the link's own delay.
        delay: Distribution,
    }
    |it| LinkEffect::Delays(&it.delay);

    /// Some packets arrive twice.
    struct Duplication {
        /// The probability that a packet sent meanwhile, and not lost, arrives twice.
        probability: Fraction,
        /// How long after the packet its copy arrives. Other packets may come between them.
        delay: Distribution,
    }
    |it| LinkEffect::Copies(it.probability, &it.delay);

    /// Some packets are held back, and those behind them overtake.
    struct Reordering {
        /// The probability that a packet sent meanwhile is held back.
        probability: Fraction,
        /// How long a packet is held back. Nothing waits for it.
        delay: Distribution,
    }
    |it| LinkEffect::HoldsBack(it.probability, &it.delay);

    /// A lane carries a limited number of bits a second, each way with a queue of its own. Where several limits hold at
    /// once, the lowest counts.
    struct RateLimit {
        /// How many bits a second leave, IPv4 and TCP headers included. 1,000 to 10,000,000,000.
        bits_per_second: u64,
        /// As in the link's own `rate`.
        #[serde(default = "Rate::queue_default")]
        queue: Delay,
    }
    |it| LinkEffect::Limits(Rate { bits_per_second: it.bits_per_second, queue: it.queue });
}

/// The link goes down and up again and again. While it is down it is cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flapping {
    /// Which link. Default `access`, where every device has its own.
    #[serde(default)]
    pub link: LinkName,
    /// Which direction. Default `both`.
    #[serde(default)]
    pub direction: Direction,
    /// Which devices. Default: all.
    #[serde(default)]
    pub devices: Option<Whom>,
    /// When it begins, with the link going down.
    pub when: When,
    /// How long it goes on; the last time down may be cut short. Default: to the end of the run, or as often as `cycles`
    /// says.
    #[serde(default)]
    pub lasts: Option<Distribution>,
    /// How many times the link goes down: geometric with this mean, at least once; a mean of 6 is assumed to be usual (A).
    /// Default: as often as `lasts` allows.
    #[serde(default)]
    pub cycles: Option<u32>,
    /// Mean length of the time down (exponential). Default 8 s (A).
    #[serde(default = "Flapping::down_default")]
    pub down: Span,
    /// Mean length of the time up (exponential). Default 20 s (A).
    #[serde(default = "Flapping::up_default")]
    pub up: Span,
    /// As of a cut, while the link is down. Default `nothing`.
    #[serde(default)]
    pub answers: Answer,
    /// As of a cut, while the link is down. Default `kept`.
    #[serde(default)]
    pub carrier: Carrier,
}

impl Flapping {
    /// Returns the usual time down.
    const fn down_default() -> Span {
        Span::secs(8)
    }

    /// Returns the usual time up.
    const fn up_default() -> Span {
        Span::secs(20)
    }

    pub(super) fn facts(&self) -> Fault<'_> {
        let effect = LinkEffect::Cuts(self.answers, self.carrier);
        on_link(&self.link, self.direction, self.devices.as_ref(), &self.when, Lasts::Flaps(self), effect)
    }
}

/// The device changes its cell and keeps its address: for a moment nothing passes, in either direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Handover {
    /// Which link. Default `access`, where every device has its own.
    #[serde(default)]
    pub link: LinkName,
    /// Which devices. Default: all.
    #[serde(default)]
    pub devices: Option<Whom>,
    /// When it begins.
    pub when: When,
    /// How long the gap is. Default 50 ms (a good LTE handover, 3GPP TR 36.881 names 49.5 ms, M).
    #[serde(default = "Handover::lasts_default")]
    pub lasts: Distribution,
    /// What becomes of the packets. Default `buffered`.
    #[serde(default)]
    pub mode: HandoverMode,
}

impl Handover {
    /// Returns the usual gap.
    const fn lasts_default() -> Distribution {
        Distribution::Constant(Span::millis(50))
    }

    pub(super) fn facts(&self) -> Fault<'_> {
        let effect = match self.mode {
            HandoverMode::Buffered => LinkEffect::Holds,
            HandoverMode::Lossy => LinkEffect::Cuts(Answer::Nothing, Carrier::Kept),
        };
        on_link(&self.link, Direction::Both, self.devices.as_ref(), &self.when, Lasts::of(Some(&self.lasts)), effect)
    }
}

/// What becomes of packets in the gap of a handover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HandoverMode {
    /// They wait, and set out in their order when the gap is over. Nothing is lost, and for the truth nothing breaks.
    #[default]
    Buffered,
    /// They are lost, and so is what is under way when the gap begins: a short cut.
    Lossy,
}

fn on_link<'a>(
    link: &'a LinkName,
    direction: Direction,
    whom: Option<&'a Whom>,
    when: &'a When,
    lasts: Lasts<'a>,
    effect: LinkEffect<'a>,
) -> Fault<'a> {
    let aftermath = effect.aftermath();
    Fault { when, lasts, aftermath, whom, target: Target::Link { link, direction, effect } }
}
