//! What a run of a world costs, from its configuration alone, before anything is drawn: an estimate for whoever has to decide whether
//! to pay it, and which parts of a plan are dear. The figures are those of docs/benchmarks.md and of measurements beside
//! the constants; a run may take twice or half as long.

use std::time::Duration;

use cardiogram_policies::unit::Span;

use crate::config::{Fault, Lasts, LinkName, Target, TrafficConfig, When, WorldConfig};

/// What a run costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorldCost {
    /// The time of all devices together.
    pub device_time: Duration,
    /// How often faults are expected to strike, each device and each server counted for itself.
    pub strikes: u64,
    /// How many mappings NATs hold for devices at a time.
    pub mappings: u64,
    /// How many times devices may lose their sessions: for a strike, or because a NAT forgets sooner than they beat.
    pub breaks: u64,
    /// The most memory that it takes, in bytes.
    pub memory_bytes: u64,
    /// The time of one processor on the event engine.
    pub cpu: Duration,
}

/// Peak memory of a connected device with both ends' TCP, its session, mapping, timers and record (docs/benchmarks.md:
/// 4,086 bytes with one NAT), and of a mapping more.
const DEVICE_BYTES: u64 = 4_096;
const MAPPING_BYTES: u64 = 256;
/// A connection through a proxy, both its halves (as those of a device and a server).
const PROXY_BYTES: u64 = 2_048;
/// A strike that breaks a session, with all that is kept of it until the run is over: 1,000,000 cuts of access links of 10
/// devices took 420 MB, as many changes of network 125 MB.
const STRIKE_BYTES: u64 = 420;
/// What a run takes that does nothing.
const LEAST_BYTES: u64 = 1 << 20;

/// A heartbeat with its reply and acknowledgements on the event engine (docs/benchmarks.md: 1.8 us with one device, 4.4 us with
/// 10,000). So does a message.
const EXCHANGE: Duration = Duration::from_micros(4);
/// A strike and the reconnect that it may cost: 12 packets, both ends' handshake and login.
const STRIKE: Duration = Duration::from_micros(25);
/// How often a device is taken to exchange something where its strategy does not say: a heartbeat a minute.
const INTERVAL_UNKNOWN: Duration = Duration::from_secs(60);

impl WorldConfig {
    /// Returns what a run costs.
    pub fn cost(&self) -> WorldCost {
        let devices = u64::from(self.devices.count);
        let device_time = times(self.duration, devices);
        let strikes = self.faults.iter().map(|fault| self.strikes_of(&fault.facts())).fold(0, u64::saturating_add);
        let strikes = strikes.saturating_add(self.periods()).saturating_add(devices * self.life.attach.len() as u64);
        let mappings = devices * self.all_networks().map(|network| network.nat.len() as u64).sum::<u64>();
        let interval = self.interval();
        let forgets = self.bounds().nat_timeout.filter(|timeout| *timeout < interval);
        let of_age = self.max_age().map_or(0, |age| whole(device_time, age));
        let breaks = forgets.map_or(0, |_| whole(device_time, interval)).saturating_add(strikes).saturating_add(of_age);

        let TrafficConfig { up, down, .. } = &self.traffic;
        let messages = [up, down].into_iter().flatten().map(|gap| whole(device_time, gap.get())).sum::<u64>();
        let exchanges = whole(device_time, interval).saturating_add(messages);
        let proxied = u64::from(self.proxy.is_some());
        WorldCost {
            device_time,
            strikes,
            mappings,
            breaks,
            memory_bytes: LEAST_BYTES
                .saturating_add(devices * (DEVICE_BYTES + proxied * PROXY_BYTES) + mappings * MAPPING_BYTES)
                .saturating_add(breaks.saturating_mul(STRIKE_BYTES)),
            cpu: times(EXCHANGE, exchanges.saturating_mul(1 + proxied)).saturating_add(times(STRIKE, breaks)),
        }
    }

    /// Returns how old connections become, about, where something limits it.
    fn max_age(&self) -> Option<Duration> {
        let boxes = self.all_networks().flat_map(|network| network.nat).filter_map(|nat| nat.max_age.map(Span::get));
        let server = self.server.max_age.iter().map(|max| max.age.at(0.5));
        let proxy = self.proxy.iter().filter_map(|proxy| Some(proxy.max_age.as_ref()?.at(0.5)));
        boxes.chain(server).chain(proxy).min()
    }

    /// Returns how often the strategy beats, about.
    fn interval(&self) -> Duration {
        let promised = self.promises().heartbeats_per_hour.filter(|count| *count > 0);
        let promised = promised.map(|count| Duration::from_hours(1) / count);
        let announced = self.strategy.heartbeat.announced_interval();
        announced.or(promised).unwrap_or(INTERVAL_UNKNOWN).max(Duration::from_micros(1))
    }

    /// Returns how often a fault is expected to strike, over all that it strikes.
    pub(crate) fn strikes_of(&self, fault: &Fault<'_>) -> u64 {
        let devices = u64::from(self.devices.count);
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

fn times(span: Duration, count: u64) -> Duration {
    let micros = span.as_micros().saturating_mul(u128::from(count));
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// Returns how often `step` fits into `span`.
fn whole(span: Duration, step: Duration) -> u64 {
    u64::try_from(span.as_micros() / step.as_micros().max(1)).unwrap_or(u64::MAX)
}
