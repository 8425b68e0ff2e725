//! What can go wrong with NATs, as data. What a NAT makes of it is in `nodes::nat`.

use std::time::Duration;

use cardiogram_policies::unit::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fault, Lasts, Target, When};
use crate::config::Distribution;

/// What a fault does to a NAT.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NatEffect {
    /// It forgets all mappings.
    Forgets,
    /// Its idle timeout of established connections is this one while the fault lasts.
    TimesOut(Duration),
}

/// A flush of the NAT's table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NatFlush {
    /// The network whose NATs it strikes. Default: every network.
    #[serde(default)]
    pub network: Option<String>,
    /// Which NAT, counted from 0 at the device. Default: all, each with its own draws.
    #[serde(default)]
    pub nat: Option<u32>,
    /// When it happens.
    pub when: When,
}

impl NatFlush {
    pub(super) fn facts(&self) -> Fault<'_> {
        let target = Target::Nat { network: self.network.as_deref(), nat: self.nat, effect: NatEffect::Forgets };
        Fault { when: &self.when, lasts: Lasts::Instant, aftermath: Duration::ZERO, whom: None, target }
    }
}

/// Another timeout of established connections. It counts for packets that arrive while it lasts: the timer of a mapping
/// is set at its last packet, as in Linux. Where several overlap, the shortest counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NatTimeout {
    /// The network whose NATs it strikes. Default: every network.
    #[serde(default)]
    pub network: Option<String>,
    /// Which NAT, counted from 0 at the device. Default: all, each with its own draws.
    #[serde(default)]
    pub nat: Option<u32>,
    /// When it begins.
    pub when: When,
    /// How long it lasts. Default: to the end of the run.
    #[serde(default)]
    pub lasts: Option<Distribution>,
    /// The idle time after which the mapping of an established connection is forgotten meanwhile.
    pub established: Span,
}

impl NatTimeout {
    pub(super) fn facts(&self) -> Fault<'_> {
        let timeout = self.established.get();
        Fault {
            when: &self.when,
            lasts: Lasts::of(self.lasts.as_ref()),
            // What it shortened may run out later.
            aftermath: timeout,
            whom: None,
            target: Target::Nat {
                network: self.network.as_deref(),
                nat: self.nat,
                effect: NatEffect::TimesOut(timeout),
            },
        }
    }
}
