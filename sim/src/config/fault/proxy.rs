//! What can go wrong with the proxy in front of the servers, as data. What it does then is in `nodes::proxy`.

use std::time::Duration;

use cardiogram_policies::unit::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fault, Lasts, Target, When};
use crate::config::Distribution;

/// What a fault does to the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyEffect {
    /// There is no process.
    Dies,
    /// The connections there are end over this time; newcomers have another process.
    Drains { over: Duration },
}

/// A restart of the proxy's process: its kernel closes every connection, and refuses new ones meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyRestart {
    /// When it begins.
    pub when: When,
    /// How long it takes. Default 2 s (A), as a server's.
    #[serde(default)]
    pub lasts: Option<Distribution>,
}

impl ProxyRestart {
    /// How long a restart takes where the scenario does not say.
    const LASTS: Span = Span::secs(2);

    pub(super) fn facts(&self) -> Fault<'_> {
        let lasts = self.lasts.as_ref().map_or(Lasts::constant(Self::LASTS), |lasts| Lasts::of(Some(lasts)));
        on_proxy(&self.when, lasts, ProxyEffect::Dies)
    }
}

/// A new configuration of the proxy: another process takes the newcomers at once, and the old one ends the connections that it
/// has, evenly over a time, the oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyDrain {
    /// When it begins.
    pub when: When,
    /// The time over which it ends them. Default 10 min (Envoy's `--drain-time-s`).
    #[serde(default = "ProxyDrain::default_over")]
    pub over: Span,
}

impl ProxyDrain {
    const fn default_over() -> Span {
        Span::secs(600)
    }

    pub(super) fn facts(&self) -> Fault<'_> {
        on_proxy(&self.when, Lasts::constant(self.over), ProxyEffect::Drains { over: self.over.get() })
    }
}

fn on_proxy<'a>(when: &'a When, lasts: Lasts<'a>, effect: ProxyEffect) -> Fault<'a> {
    Fault { when, lasts, aftermath: Duration::ZERO, whom: None, target: Target::Proxy(effect) }
}
