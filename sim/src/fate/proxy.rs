//! What goes wrong with the proxy, and when: drawn before the run, the same for every policy. What the proxy does then is in
//! `nodes::proxy`.

use cardiogram_policies::Time;

use crate::{
    config::{ProxyEffect, Target, WorldConfig},
    fate::schedule::{self, Interval, numbered},
};

/// The proxy's faults, drawn.
#[derive(Clone, Default)]
pub(crate) struct ProxyFaults {
    /// When there is no process; sorted, without overlaps.
    pub(crate) restarts: Vec<Interval>,
    /// The times over which the connections of their begins end; sorted by begin.
    pub(crate) drains: Vec<Interval>,
}

impl ProxyFaults {
    pub(crate) fn draw(config: &WorldConfig, seed: u64) -> Self {
        let horizon = Time::ZERO + config.duration;
        let (mut restarts, mut drains) = (Vec::new(), Vec::new());
        for (name, fault) in numbered(config) {
            let fault = fault.facts();
            let Target::Proxy(effect) = fault.target else { continue };
            let strikes = schedule::strikes(&fault, horizon, seed, &name, 0);
            match effect {
                ProxyEffect::Dies => restarts.extend(strikes),
                ProxyEffect::Drains { .. } => drains.extend(strikes),
            }
        }
        drains.sort_unstable_by_key(|drain| (drain.begin, drain.end));
        Self { restarts: schedule::merge(restarts), drains }
    }
}
