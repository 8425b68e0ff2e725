//! The built-in scenarios: files of `library/`, compiled in. They are read like anybody's files.

/// Every built-in scenario with its text, in the order in which they are run and listed.
static SCENARIOS: &[(&str, &str)] = &[
    ("healthy", include_str!("../library/healthy.toml")),
    ("silent-nat", include_str!("../library/silent-nat.toml")),
    ("long-nat", include_str!("../library/long-nat.toml")),
    ("reset-nat", include_str!("../library/reset-nat.toml")),
    ("shifting-nat", include_str!("../library/shifting-nat.toml")),
    ("crowded-nat", include_str!("../library/crowded-nat.toml")),
    ("carrier-mix", include_str!("../library/carrier-mix.toml")),
    ("nat-reboot", include_str!("../library/nat-reboot.toml")),
    ("rebinding-nat", include_str!("../library/rebinding-nat.toml")),
    ("elevator", include_str!("../library/elevator.toml")),
    ("flapping", include_str!("../library/flapping.toml")),
    ("lossy-subway", include_str!("../library/lossy-subway.toml")),
    ("high-speed-train", include_str!("../library/high-speed-train.toml")),
    ("cable-cut", include_str!("../library/cable-cut.toml")),
    ("one-way-cut", include_str!("../library/one-way-cut.toml")),
    ("deaf-server", include_str!("../library/deaf-server.toml")),
    ("server-crash", include_str!("../library/server-crash.toml")),
    ("vanished-server", include_str!("../library/vanished-server.toml")),
    ("quiet-night", include_str!("../library/quiet-night.toml")),
    ("busy-chat", include_str!("../library/busy-chat.toml")),
    ("push-heavy", include_str!("../library/push-heavy.toml")),
    ("overloaded-server", include_str!("../library/overloaded-server.toml")),
    ("gc-pauses", include_str!("../library/gc-pauses.toml")),
    ("rolling-restart", include_str!("../library/rolling-restart.toml")),
    ("balanced-servers", include_str!("../library/balanced-servers.toml")),
    ("polling-instead", include_str!("../library/polling-instead.toml")),
    ("push-service", include_str!("../library/push-service.toml")),
    ("reconnect-storm", include_str!("../library/reconnect-storm.toml")),
    ("wifi-to-cellular", include_str!("../library/wifi-to-cellular.toml")),
    ("lease-expiry", include_str!("../library/lease-expiry.toml")),
    ("foreground-background", include_str!("../library/foreground-background.toml")),
    ("doze", include_str!("../library/doze.toml")),
    ("hung-tab", include_str!("../library/hung-tab.toml")),
    ("laptop-sleep", include_str!("../library/laptop-sleep.toml")),
    ("commute", include_str!("../library/commute.toml")),
    ("learning", include_str!("../library/learning.toml")),
    ("brokers", include_str!("../library/brokers.toml")),
    ("browser-sockets", include_str!("../library/browser-sockets.toml")),
    ("remote-calls", include_str!("../library/remote-calls.toml")),
    ("queues-and-databases", include_str!("../library/queues-and-databases.toml")),
    ("messengers", include_str!("../library/messengers.toml")),
    ("detectors", include_str!("../library/detectors.toml")),
    ("idle-balancer", include_str!("../library/idle-balancer.toml")),
    ("ipvs-900", include_str!("../library/ipvs-900.toml")),
    ("proxy-60", include_str!("../library/proxy-60.toml")),
    ("max-age", include_str!("../library/max-age.toml")),
    ("pool-after-night", include_str!("../library/pool-after-night.toml")),
    ("redis-failover", include_str!("../library/redis-failover.toml")),
    ("half-dead-feed", include_str!("../library/half-dead-feed.toml")),
    ("exclusive-consumer", include_str!("../library/exclusive-consumer.toml")),
    ("deploy-herd", include_str!("../library/deploy-herd.toml")),
    ("herd-with-shedding", include_str!("../library/herd-with-shedding.toml")),
];

/// Returns the names of the built-in scenarios.
pub fn names() -> impl Iterator<Item = &'static str> {
    SCENARIOS.iter().map(|(name, _)| *name)
}

/// Returns the text of one of them.
pub fn text(name: &str) -> Option<&'static str> {
    SCENARIOS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::Registry;

    use super::*;
    use crate::load;

    #[test]
    fn every_scenario_is_valid_named_as_its_file_and_explained() {
        for name in names() {
            let scenario = load::scenario(name).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(scenario.value.name, name);
            load::strategies_of(&scenario, name, &Registry::new()).unwrap_or_else(|error| panic!("{error}"));
            for text in [&scenario.value.about, &scenario.value.source, &scenario.value.expect] {
                assert!(!text.is_empty(), "{name}");
            }
        }
    }
}
