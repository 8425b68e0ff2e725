//! What can go wrong on a link, as data. When and where is the same for all of them: a link, a direction, a schedule. How
//! a link does it is in `nodes::link`.

use cardiogram_policies::unit::{Delay, Fraction, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Direction, Distribution, FaultConfig, LinkName, Rate, When};

/// Packets are lost by chance: interference, a fade. Not a break: what is sent again may come through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LossBurst {
    /// Which link. Default `access`, where every device has its own.
    #[serde(default)]
    pub link: LinkName,
    /// Which direction. Default `both`: the same moments, each packet with its own luck.
    #[serde(default)]
    pub direction: Direction,
    /// When it begins.
    pub when: When,
    /// How long it lasts. Default: to the end of the run.
    #[serde(default)]
    pub lasts: Option<Distribution>,
    /// The probability that a packet sent meanwhile is lost, beside the link's own losses. Below 1.
    pub loss: Fraction,
}

/// Packets take longer: a full buffer, a retransmitting radio. They keep their order, so that those sent just afterwards
/// wait for those sent meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DelaySpike {
    /// Which link. Default `access`, where every device has its own.
    #[serde(default)]
    pub link: LinkName,
    /// Which direction. Default `both`: the same moments, each packet with its own delay.
    #[serde(default)]
    pub direction: Direction,
    /// When it begins.
    pub when: When,
    /// How long it lasts. Default: to the end of the run.
    #[serde(default)]
    pub lasts: Option<Distribution>,
    /// By how much a packet sent meanwhile is late, beside the link's own delay.
    pub delay: Distribution,
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
}

impl Flapping {
    /// The usual time down.
    const fn down_default() -> Span {
        Span::secs(8)
    }

    /// The usual time up.
    const fn up_default() -> Span {
        Span::secs(20)
    }
}

/// The device changes its cell and keeps its address: for a moment nothing passes, in either direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Handover {
    /// Which link. Default `access`, where every device has its own.
    #[serde(default)]
    pub link: LinkName,
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
    /// The usual gap.
    const fn lasts_default() -> Distribution {
        Distribution::Constant(Span::millis(50))
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

/// Some packets arrive twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Duplication {
    /// Which link. Default `access`, where every device has its own.
    #[serde(default)]
    pub link: LinkName,
    /// Which direction. Default `both`.
    #[serde(default)]
    pub direction: Direction,
    /// When it begins.
    pub when: When,
    /// How long it lasts. Default: to the end of the run.
    #[serde(default)]
    pub lasts: Option<Distribution>,
    /// The probability that a packet sent meanwhile, and not lost, arrives twice.
    pub probability: Fraction,
    /// How long after the packet its copy arrives. Other packets may come between them.
    pub delay: Distribution,
}

/// Some packets are held back, and those behind them overtake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reordering {
    /// Which link. Default `access`, where every device has its own.
    #[serde(default)]
    pub link: LinkName,
    /// Which direction. Default `both`.
    #[serde(default)]
    pub direction: Direction,
    /// When it begins.
    pub when: When,
    /// How long it lasts. Default: to the end of the run.
    #[serde(default)]
    pub lasts: Option<Distribution>,
    /// The probability that a packet sent meanwhile is held back.
    pub probability: Fraction,
    /// For how long. Nothing waits for a packet that is held back.
    pub delay: Distribution,
}

/// A lane carries only so much. Where several limits hold at once, the lowest counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Which link. Default `access`, where every device has its own.
    #[serde(default)]
    pub link: LinkName,
    /// Which direction. Default `both`, each with a queue of its own.
    #[serde(default)]
    pub direction: Direction,
    /// When it begins.
    pub when: When,
    /// How long it lasts. Default: to the end of the run.
    #[serde(default)]
    pub lasts: Option<Distribution>,
    /// How many bits a second leave, IPv4 and TCP headers included. 1,000 to 10,000,000,000.
    pub bits_per_second: u64,
    /// As in the link's own `rate`.
    #[serde(default = "Rate::queue_default")]
    pub queue: Delay,
}

impl RateLimit {
    /// The limit, as a link has it.
    pub const fn rate(&self) -> Rate {
        Rate { bits_per_second: self.bits_per_second, queue: self.queue }
    }
}

/// Where and when a fault of a link strikes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnLink<'a> {
    pub(crate) link: &'a LinkName,
    pub(crate) direction: Direction,
    pub(crate) when: &'a When,
    pub(crate) lasts: Option<&'a Distribution>,
}

impl FaultConfig {
    /// Where and when, if it is a fault of a link.
    pub(crate) fn on_link(&self) -> Option<OnLink<'_>> {
        macro_rules! place {
            ($fault:expr) => {
                (&$fault.link, $fault.direction, &$fault.when, $fault.lasts.as_ref())
            };
        }
        let (link, direction, when, lasts) = match self {
            Self::Cut(fault) => place!(fault),
            Self::LossBurst(fault) => place!(fault),
            Self::DelaySpike(fault) => place!(fault),
            Self::Flapping(fault) => place!(fault),
            Self::Handover(fault) => (&fault.link, Direction::Both, &fault.when, Some(&fault.lasts)),
            Self::Duplication(fault) => place!(fault),
            Self::Reordering(fault) => place!(fault),
            Self::RateLimit(fault) => place!(fault),
            _ => return None,
        };
        Some(OnLink { link, direction, when, lasts })
    }
}
