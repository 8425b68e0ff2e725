//! The lengths of time at which a strategy is likely to stumble: its own interval and patience, and the timers around it. The
//! generator draws times just below, at and just above them.

use std::time::Duration;

use cardiogram_policies::{Bounds, Promises, ReconnectSpec, StrategySpec};
use cardiogram_sim::known_nat;

/// Returns what a reader of the strategy's documentation would expect of the world: a path without loss, a silent application,
/// a steady host.
pub(super) const fn ideal() -> Bounds {
    Bounds::healthy(Duration::from_secs(1)).with_handshake_max(Duration::from_secs(5))
}

/// Returns what a strategy promises in an ideal world.
pub(crate) fn ideal_promises(strategy: &StrategySpec) -> Promises {
    let pings = strategy.server.pings.as_ref().map(|pings| pings.expected(ideal().rtt_max));
    known_nat::promises(strategy, &ideal().with_server_pings(pings))
}

/// Lengths of time that matter to a strategy.
#[derive(Clone, Debug)]
pub(crate) struct Corners {
    /// The longest gap between its heartbeats; where there are none, or no known ones, a minute.
    pub(crate) interval: Duration,
    /// How long it takes to notice a break, or what one would wait for where it says nothing.
    pub(crate) patience: Duration,
    /// How long it takes to be back, or what one would wait for where it says nothing.
    pub(crate) recovery: Duration,
    /// How long a server takes to close the session of a client that is silent, or what one would wait for where it says
    /// nothing.
    pub(crate) reaped: Duration,
    /// Whether it tries again at once, so that a crowd of it is too busy to be watched for long.
    pub(crate) is_hasty: bool,
    /// All of them, and the timers of the world around.
    pub(crate) marks: Vec<Duration>,
}

/// The longest patience that worlds are made for: linux-keepalive's two hours and eleven minutes, and some.
const PATIENCE_MAX: Duration = Duration::from_secs(3 * 3_600);

impl Corners {
    pub(crate) fn of(strategy: &StrategySpec) -> Self {
        let promises = ideal_promises(strategy);
        let announced = strategy.heartbeat.announced_interval();
        let interval = announced.unwrap_or(Duration::from_secs(60)).max(Duration::from_secs(1));
        let patience = promises.detects_within.unwrap_or(3 * interval + Duration::from_secs(60)).min(PATIENCE_MAX);
        let recovery = promises.reconnects_within.unwrap_or(patience + Duration::from_secs(1_800));
        let connect = strategy.connect_timeout.get();
        let reaped = strategy.server.reaps_within(announced, &ideal()).unwrap_or(Duration::from_secs(2_400));
        let reaper = strategy.server.idle_reaper.as_ref().map(|reaper| reaper.idle.get());
        // The kernel's first retransmission and its longest gap, a NAT of five minutes.
        let world = [Duration::from_millis(200), Duration::from_secs(120), Duration::from_secs(300)];
        let mut marks: Vec<Duration> = [interval, patience, patience.saturating_sub(interval), connect]
            .into_iter()
            .chain(reaper)
            .chain(world)
            .collect();
        marks.retain(|mark| *mark >= Duration::from_millis(100));
        marks.sort_unstable();
        marks.dedup();
        let is_hasty = strategy.reconnect == ReconnectSpec::Immediate;
        Self { interval, patience, recovery, reaped: reaped.min(PATIENCE_MAX), is_hasty, marks }
    }
}
