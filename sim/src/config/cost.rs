//! What a run of a world costs, from its configuration alone, before anything is drawn: an estimate for whoever has to decide whether
//! to pay it, and which parts of a plan are dear. The figures are those of docs/benchmarks.md and of measurements beside
//! the constants; a run may take twice or half as long.

use std::time::Duration;

use cardiogram_policies::{Bounds, StrategySpec, unit::Span};

use crate::config::{Fault, Lasts, LinkName, NatConfig, Network, Target, TrafficConfig, When, WorldConfig, known_nat};

/// What a run costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorldCost {
    /// The time of all devices together.
    pub device_time: Duration,
    /// How often faults are expected to strike, each device and each server counted for itself.
    pub strikes: u64,
    /// How many mappings NATs hold for devices at a time.
    pub mappings: u64,
    /// How many times devices may lose their sessions, each counted for itself: for a strike, or because a NAT forgets sooner
    /// than they beat.
    pub breaks: u64,
    /// The most memory that it takes, in bytes.
    pub memory_bytes: u64,
    /// The time of one processor on the event engine.
    pub cpu: Duration,
}

/// Peak memory of a connected device with both ends' TCP, its session, mapping, timers and record, and of a mapping more.
/// `tests/world/memory.rs` holds all these figures to the allocations of runs.
const DEVICE_BYTES: u64 = 5_120;
const MAPPING_BYTES: u64 = 256;
/// The set of the ports that one address of a NAT has given out towards one server.
const PORT_SET_BYTES: u64 = 8_192;
/// A connection through a proxy, both its halves (as those of a device and a server).
const PROXY_BYTES: u64 = 2_048;
/// A strike that breaks no session, and a begin of a period of a device's life.
const HARMLESS_BYTES: u64 = 320;
const PERIOD_BYTES: u64 = 64;
/// A moment at which one device's session stops being usable, with what is kept of it until the run is over.
const BREAK_BYTES: u64 = 360;
/// A device cannot have a new session more often: a handshake and a login, there and back.
const SESSION_MIN: Duration = Duration::from_millis(100);
/// A message, whose moment is drawn before the run.
const MESSAGE_BYTES: u64 = 24;
/// What a run takes that does nothing.
const LEAST_BYTES: u64 = 1 << 20;

/// A heartbeat with its reply and acknowledgements on the event engine (docs/benchmarks.md: 1.8 us with one device, 4.4 us with
/// 10,000). So does a message. Of larger crowds most waits for memory: twice as long for ten times the devices.
const EXCHANGE: Duration = Duration::from_micros(4);
const EXCHANGE_DEVICES: f64 = 10_000.0;
/// A strike and the reconnect that it may cost: 12 packets, both ends' handshake and login.
const STRIKE: Duration = Duration::from_micros(25);
/// How often a device is taken to exchange something where its strategy does not say: a heartbeat a minute.
const INTERVAL_UNKNOWN: Duration = Duration::from_secs(60);

/// What strikes a world, whichever strategy lives in it.
#[derive(Clone, Copy, Debug)]
struct Struck {
    /// How often faults are expected to strike, each device and each server counted for itself.
    faults: u64,
    /// How many of these strikes break no session.
    harmless: u64,
    /// How often periods of devices' lives are expected to begin.
    periods: u64,
    /// How many sessions strikes may break.
    breaks: u64,
}

impl WorldConfig {
    /// Returns what a run costs.
    pub fn cost(&self) -> WorldCost {
        self.cost_with(&self.struck())
    }

    /// Returns what a run costs with each of these strategies in the place of its own. What is one for all is looked at once.
    pub fn costs(&self, strategies: &mut dyn Iterator<Item = &StrategySpec>) -> Vec<WorldCost> {
        let struck = self.struck();
        let mut world = self.clone();
        let cost = |strategy: &StrategySpec| {
            world.strategy.clone_from(strategy);
            world.cost_with(&struck)
        };
        strategies.map(cost).collect()
    }

    /// Returns what strikes whichever strategy.
    fn struck(&self) -> Struck {
        let moves = u64::from(self.devices.count) * self.life.attach.len() as u64;
        let mut struck = Struck { faults: moves, harmless: 0, periods: self.periods(), breaks: moves };
        for fault in &self.faults {
            let facts = fault.facts();
            let strikes = self.strikes_of(&facts);
            struck.faults = struck.faults.saturating_add(strikes);
            // Whose timeout is shortened may forget everybody.
            if fault.is_break() || matches!(facts.target, Target::Nat { .. }) {
                struck.breaks = struck.breaks.saturating_add(strikes.saturating_mul(self.reach(&facts)));
            } else {
                struck.harmless = struck.harmless.saturating_add(strikes);
            }
        }
        struck
    }

    /// Returns how many devices one strike of a fault reaches at most; of one that strikes every server, how many are at one.
    fn reach(&self, fault: &Fault<'_>) -> u64 {
        let devices = u64::from(self.devices.count);
        match fault.target {
            Target::Link { link: LinkName::Core, .. }
            | Target::Nat { .. }
            | Target::Server { server: Some(_), .. }
            | Target::Proxy(_) => devices,
            Target::Server { server: None, .. } => devices.div_ceil(u64::from(self.server.count).max(1)),
            Target::Link { .. } | Target::Device(_) => 1,
        }
    }

    fn cost_with(&self, struck: &Struck) -> WorldCost {
        let devices = u64::from(self.devices.count);
        let device_time = times(self.duration, devices);
        let mappings = devices * self.all_networks().map(|network| network.nat.len() as u64).sum::<u64>();
        let bounds = self.bounds();
        let interval = self.interval(&bounds);
        let forgets = bounds.nat_timeout.filter(|timeout| *timeout < interval);
        let forgotten = forgets.map_or(0, |_| whole(device_time, interval));
        let of_age = self.max_age().map_or(0, |age| whole(device_time, age));
        let late = self.traffic.leaves_after().map_or(0, |after| whole(device_time, after.get()));
        let breaks = forgotten.saturating_add(struck.breaks).saturating_add(of_age).saturating_add(late);
        let sessions = breaks.min(whole(device_time, SESSION_MIN));

        let TrafficConfig { up, down, trace, .. } = &self.traffic;
        let rows = trace.as_ref().map_or(0, |trace| devices.saturating_mul(trace.rows().len() as u64));
        let messages =
            [up, down].into_iter().flatten().map(|arrivals| whole(device_time, arrivals.mean())).sum::<u64>();
        let messages = messages.saturating_add(rows);
        let exchanges = whole(device_time, interval).saturating_add(messages);
        let proxied = u64::from(self.proxy.is_some());
        let bytes = [
            (1, LEAST_BYTES),
            (devices, DEVICE_BYTES),
            (devices * proxied, PROXY_BYTES),
            (mappings, MAPPING_BYTES),
            (self.port_sets(), PORT_SET_BYTES),
            (messages, MESSAGE_BYTES),
            (struck.harmless, HARMLESS_BYTES),
            (struck.periods, PERIOD_BYTES),
            (breaks, BREAK_BYTES),
        ];
        WorldCost {
            device_time,
            strikes: struck.faults.saturating_add(struck.periods),
            mappings,
            breaks,
            memory_bytes: bytes
                .map(|(count, each)| u64::saturating_mul(count, each))
                .into_iter()
                .fold(0, u64::saturating_add),
            cpu: times(exchange(devices), exchanges.saturating_mul(1 + proxied))
                .saturating_add(times(STRIKE, sessions.saturating_add(devices))),
        }
    }

    /// Returns how many addresses NATs use, counted once for each server.
    fn port_sets(&self) -> u64 {
        let of_network = |network: Network<'_>| {
            let in_use = |nat: &NatConfig| u64::from(nat.outside_addresses.min(self.devices.count));
            network.nat.iter().map(in_use).sum::<u64>()
        };
        self.all_networks().map(of_network).sum::<u64>() * u64::from(self.server.count)
    }

    /// Returns how old connections become, about, where something limits it.
    fn max_age(&self) -> Option<Duration> {
        let boxes = self.all_networks().flat_map(|network| network.nat).filter_map(|nat| nat.max_age.map(Span::get));
        let server = self.server.max_age.iter().map(|max| max.age.at(0.5));
        let proxy = self.proxy.iter().filter_map(|proxy| Some(proxy.max_age.as_ref()?.at(0.5)));
        boxes.chain(server).chain(proxy).min()
    }

    /// Returns how often the strategy beats, about.
    fn interval(&self, bounds: &Bounds) -> Duration {
        let promised = || {
            let count = known_nat::promises(&self.strategy, bounds).heartbeats_per_hour.filter(|count| *count > 0);
            count.map(|count| Duration::from_hours(1) / count)
        };
        let announced = self.strategy.heartbeat.announced_interval();
        announced.or_else(promised).unwrap_or(INTERVAL_UNKNOWN).max(Duration::from_micros(1))
    }

    /// Returns how often a fault is expected to strike, over all that it strikes.
    pub(crate) fn strikes_of(&self, fault: &Fault<'_>) -> u64 {
        let devices = self.devices.count;
        let devices = u64::from(fault.whom.map_or(devices, |whom| whom.count(devices)));
        let struck = match fault.target {
            Target::Link { link: LinkName::Core, .. }
            | Target::Nat { .. }
            | Target::Server { server: Some(_), .. }
            | Target::Proxy(_) => 1,
            Target::Link { .. } | Target::Device(_) => devices,
            Target::Server { server: None, .. } => u64::from(self.server.count),
        };
        let downs = match &fault.lasts {
            Lasts::Flaps(spec) => match (spec.cycles, &spec.lasts) {
                (Some(mean), _) => u64::from(mean),
                (None, Some(lasts)) => whole(lasts.at(0.5), spec.down.get() + spec.up.get()).max(1),
                (None, None) => whole(self.duration, spec.down.get() + spec.up.get()).max(1),
            },
            Lasts::Instant | Lasts::ForEver | Lasts::Drawn(_) => 1,
        };
        self.expected(fault.when).saturating_mul(struck).saturating_mul(downs)
    }

    /// Returns the begins of screens, foregrounds and dozes.
    fn periods(&self) -> u64 {
        let of = [&self.life.foreground, &self.life.screen].into_iter().flatten();
        let begun = of.map(|periods| self.expected(&periods.when)).fold(0, u64::saturating_add);
        begun.saturating_mul(u64::from(self.devices.count))
    }

    /// Returns how often something is expected to begin in a run.
    fn expected(&self, when: &When) -> u64 {
        match when {
            When::At(times) => times.len() as u64,
            When::Within { .. } => 1,
            When::Every(mean) => whole(self.duration, mean.get()),
            When::During { every, from, to } => whole(to.get().saturating_sub(from.get()), every.get()),
        }
    }
}

/// Returns what an exchange takes among so many devices.
fn exchange(devices: u64) -> Duration {
    let tens = libm::log10(devices as f64 / EXCHANGE_DEVICES).max(0.0);
    EXCHANGE.mul_f64(libm::exp2(tens))
}

fn times(span: Duration, count: u64) -> Duration {
    let micros = span.as_micros().saturating_mul(u128::from(count));
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// Returns how often `step` fits into `span`.
fn whole(span: Duration, step: Duration) -> u64 {
    u64::try_from(span.as_micros() / step.as_micros().max(1)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_takes_twice_as_long_among_ten_times_a_large_crowd() {
        let takes = [1, 10_000, 100_000, 1_000_000].map(exchange);
        let expected = [1, 1, 2, 4].map(|times| EXCHANGE * times);
        assert!(
            takes.iter().zip(expected).all(|(is, expected)| is.abs_diff(expected) < Duration::from_nanos(10)),
            "{takes:?}"
        );
    }
}
