//! What a reader of a strategy's documentation would expect of it: what it promises in an ideal world, held against worlds
//! that are none, and where it promises nothing, what anybody may expect of a client that keeps a long-lived connection.
//!
//! The yardsticks, and why they are what they are:
//!
//! | claim | yardstick |
//! |---|---|
//! | `detects-within` | 20 minutes: the longest that Linux retransmits in vain is 15 min 24 s, and some |
//! | `attempts-within` | 60 attempts in 10 minutes: one every ten seconds |
//! | `nat-safe` | NATs that keep idle mappings for 5 minutes, which RFC 4787 recommends at least and mobile networks keep |
//! | `resets-after-health` | 12 attempts a minute where sessions end within 5 s: one for each of them, about, and no more |
//! | `no-lock-step` | from a minute after a disconnect of everyone on, half of the devices in one second |
//! | `jittered-waits` | half of the devices wait equally long |
//! | `ends` | an hour: longer than any wait of a product |
//!
//! `no-false-kill` is asked of strategies whose servers close sessions, and needs no number.
//!
//! `heartbeats-per-hour`, `reconnects-within` and `zombies-within` are held only to what the strategy says itself, and
//! `learns-interval` only to what the steps of its search allow.

use std::time::Duration;

use cardiogram_policies::{
    HeartbeatSpec, ReconnectSpec, StrategySpec,
    unit::{Fraction, Span},
};
use cardiogram_scenarios::replay::{Attempts, Health, Learns, Promised};

use super::corners::{ideal, ideal_promises};

/// Returns what a strategy is held to whatever it promises given the circumstances: what it promises in an ideal world, and
/// yardsticks where it promises nothing. In the order of tables.
pub fn claims(strategy: &StrategySpec) -> Vec<Promised> {
    let ideal_world = ideal_promises(strategy);
    let within = ideal_world.detects_within.or_else(|| probes_for(&strategy.heartbeat));
    let within = within.map_or(Span::secs(1_200), Span::at_least);
    // Who leaves on purpose and waits to be called is not stuck.
    let is_on_call = matches!(strategy.reconnect, ReconnectSpec::OnCall(_));
    let half = Fraction::new(0.5).expect("within 0 to 1");
    let attempts = ideal_world.attempts.map_or(Attempts { count: 60, window: Span::secs(600) }, |limit| Attempts {
        count: limit.count,
        window: Span::at_least(limit.window),
    });
    let health = Health { uptime: Span::secs(5), count: 12, window: Span::secs(60) };
    let reaps = strategy.server.reaps_within(strategy.heartbeat.announced_interval(), &ideal());
    [
        Some(Promised::DetectsWithin(within)),
        ideal_world.heartbeats_per_hour.map(Promised::HeartbeatsPerHour),
        Some(Promised::AttemptsWithin(attempts)),
        ideal_world.reconnects_within.map(|within| Promised::ReconnectsWithin(Span::at_least(within))),
        Some(Promised::NoFalseAlarm),
        strategy.server.closes_sessions().then_some(Promised::NoFalseKill),
        Some(Promised::NatSafe(Span::secs(300))),
        learns(&strategy.heartbeat).map(Promised::LearnsInterval),
        reaps.map(|within| Promised::ZombiesWithin(Span::at_least(within))),
        Some(Promised::OneSession),
        Some(Promised::SilentWhenGivenUp),
        Some(Promised::ResetsAfterHealth(health)),
        Some(Promised::NoLockStep(half)),
        Some(Promised::JitteredWaits(half)),
        (!is_on_call).then_some(Promised::Ends(Span::secs(3_600))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns what the kernel's documentation says of its keepalive: after an idle time it sends probes at an interval, and gives
/// up after a number of them.
fn probes_for(heartbeat: &HeartbeatSpec) -> Option<Duration> {
    let HeartbeatSpec::TcpKeepalive(keepalive) = heartbeat else { return None };
    let probes = keepalive.interval.get() * keepalive.count;
    let longest = keepalive.user_timeout.map_or(probes, |timeout| timeout.get().max(probes));
    Some(keepalive.idle.get() + longest + ideal().rtt_max)
}

/// Returns how well a heartbeat that searches for its interval is to find it; `None` if it does not search. How long the
/// searches of presets take at most is measured in docs/search-costs.md.
fn learns(heartbeat: &HeartbeatSpec) -> Option<Learns> {
    let learning = heartbeat.learning()?;
    // The longest that a NAT is drawn to keep a mapping: a search without a limit need not have come further.
    let longest = learning.longest.unwrap_or(Duration::from_secs(4_000));
    let span = Span::at_least;
    Some(Learns { step: span(learning.step), longest: span(longest), after: span(learning.within) })
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::preset;

    use super::*;
    use crate::kind;

    fn kinds(name: &str) -> Vec<&'static str> {
        claims(&preset::find(name).expect("a preset").spec()).iter().map(kind).collect()
    }

    #[test]
    fn only_who_searches_is_asked_what_was_learnt_and_only_who_reaps_about_zombies() {
        for name in ["mars-smart-heartbeat", "courier-adaptive", "rahman-binary", "thread783-halfrost"] {
            assert!(kinds(name).contains(&"learns-interval"), "{name}");
        }
        for name in ["netease-30-15", "androidpn-in-use", "chromium-gcm"] {
            assert!(!kinds(name).contains(&"learns-interval"), "{name}");
        }
        assert!(kinds("mqtt-keepalive").contains(&"zombies-within"));
        assert!(!kinds("netease-30-15").contains(&"zombies-within"));
    }

    #[test]
    fn a_claim_is_made_once_of_every_preset() {
        for preset in preset::all() {
            let kinds = kinds(preset.name);
            let mut once = kinds.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), kinds.len(), "{}", preset.name);
        }
    }
}
