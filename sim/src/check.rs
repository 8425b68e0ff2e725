//! Contradictions between the parts of a world, and what the world guarantees. What is wrong with a single value is found
//! when it is read; here are the rules that need two.

mod link;
mod server;
mod wakeup;

use std::time::Duration;

use cardiogram_policies::{
    Bounds, Problem,
    unit::{Span, format_duration},
};

use crate::{
    config::{
        AfterExpiry, DEVICES_MAX, DURATION_MAX, Distribution, Drain, FAULTS_MAX, FaultConfig, NATS_MAX, NatClass,
        NatConfig, NatFlush, NatTimeout, Overload, RadioConfig, When, WorldConfig,
    },
    distribution::weights_problem,
    frame::Frame,
};

/// The most frequent messages: more is load, not a long-lived connection.
const MESSAGE_GAP_MIN: Duration = Duration::from_millis(100);
/// The most faults that a random process may be expected to make in a run, for one device or server.
const STRIKES_MAX: u128 = 100_000;

pub(crate) fn problems(world: &WorldConfig) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    found.duration(world);
    found.link("access", &world.access);
    found.link("core", &world.core);
    found.nats(world);
    found.counts(world);
    found.servers(world);
    found.frames(world);
    found.0.extend(world.radio.iter().flat_map(RadioConfig::problems));
    found.traffic(world);
    found.wakeup(world);
    for (place, fault) in world.faults.iter().enumerate() {
        found.fault(place, fault, world);
    }
    found.0
}

/// What the world guarantees on a healthy path.
pub(crate) fn bounds(world: &WorldConfig) -> Bounds {
    let one_way = link::delay_max(&world.access) + link::delay_max(&world.core);
    let work = world.server.heartbeat_cost.practical_max().max(world.server.message_cost.practical_max());
    let rtt = 2 * one_way + work;
    let rtt = rtt + world.radio.as_ref().map_or(Duration::ZERO, |radio| radio_wait(radio, rtt));
    let lossless_links = link::is_lossless(&world.access) && link::is_lossless(&world.core);
    // Lost packets are sent again after about RTT + 200 ms, then twice that, and so on: four losses in a row.
    let retransmissions = if lossless_links { Duration::ZERO } else { 15 * (rtt + Duration::from_millis(200)) };
    // A push that finds the mapping forgotten is lost without a break where the mapping comes back on the same port; what
    // the server sends after it, replies included, waits for its retransmission.
    let remaps = world.nat.iter().any(|nat| nat.after_expiry.classes().any(NatClass::is_same_port));
    let nat_loses_pushes = remaps && world.traffic.down.is_some();
    let handshake = (2 + server::login_round_trips(world)) * (rtt + retransmissions) + server::login_work(world);
    // Behind a balancer it is not the client that goes on to the next server, and nothing is certain of where it gets to.
    let is_led = world.server.balancer.is_some() && world.server.count > 1;
    Bounds {
        rtt_max: rtt + retransmissions,
        loss_free: lossless_links && !nat_loses_pushes,
        nat_timeout: nat_timeout(world),
        handshake_max: if is_led { Duration::MAX } else { handshake },
        servers: world.server.count,
        silent_app: world.traffic.up.is_none() && world.traffic.down.is_none(),
    }
}

/// What a radio adds to an exchange: the promotion, and where it falls asleep before the answer is there, the page and
/// another promotion.
fn radio_wait(radio: &RadioConfig, rtt: Duration) -> Duration {
    let tail: Duration = radio.tail.iter().map(|stage| stage.lasts.get()).sum();
    let promotion = radio.promotion.get();
    if tail > rtt { promotion } else { promotion * 2 + radio.paging_cycle.get() }
}

/// The shortest idle time after which any NAT may forget an established connection.
fn nat_timeout(world: &WorldConfig) -> Option<Duration> {
    let own = world.nat.iter().map(|nat| nat.established.min());
    let shifted = world.faults.iter().filter_map(|fault| match fault {
        FaultConfig::NatTimeout(fault) => Some(fault.established.get()),
        _ => None,
    });
    // A full table: every device has a connection, and each may have been used since.
    let pushed_out = world.nat.iter().filter_map(|nat| {
        let places = nat.table?.checked_sub(world.devices.count).map_or(0, u64::from);
        Some(Duration::from_nanos(nat.background?.gap_ns().saturating_mul(places)))
    });
    own.chain(shifted).chain(pushed_out).min()
}

struct Found(Vec<Problem>);

impl Found {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>, help: impl Into<String>) {
        self.0.push(Problem::new(path, message, help));
    }

    fn duration(&mut self, world: &WorldConfig) {
        if world.duration.is_zero() {
            self.add("duration", "the run lasts no time", "write how long it lasts, as in \"24h\"");
        } else if world.duration > DURATION_MAX {
            let (is, most) = (format_duration(world.duration), format_duration(DURATION_MAX));
            self.add("duration", format!("{is} is longer than a run may last"), format!("use at most \"{most}\""));
        }
        if world.devices.start_within.get() >= world.duration {
            self.add(
                "devices.start_within",
                format!("devices may start as late as {}, when the run is over", world.devices.start_within),
                format!("use less than the duration, {}", format_duration(world.duration)),
            );
        }
    }

    fn distribution(&mut self, path: &str, distribution: &Distribution) {
        if let Some((key, message, help)) = distribution.problem() {
            self.add(format!("{path}.{key}"), message, help);
        }
    }

    fn nats(&mut self, world: &WorldConfig) {
        if world.nat.is_empty() || world.nat.len() > NATS_MAX {
            let message = format!("{} NATs between the devices and the servers", world.nat.len());
            self.add("nat", message, format!("name 1 to {NATS_MAX}, from the device to the server"));
        }
        for (place, nat) in world.nat.iter().enumerate() {
            let path = if world.nat.len() == 1 { "nat".to_owned() } else { format!("nat[{place}]") };
            self.nat(&path, nat);
        }
    }

    fn nat(&mut self, path: &str, nat: &NatConfig) {
        /// The largest table of Linux by default is 262,144 entries; a carrier's has millions.
        const TABLE_MAX: u32 = 100_000_000;
        /// All ports but the reserved ones.
        const PORTS_MAX: u32 = 64_512;
        const FLOWS_MAX: f64 = 1e6;
        self.distribution(&format!("{path}.established"), &nat.established);
        if let AfterExpiry::Mix { mix } = &nat.after_expiry
            && let Some((key, message, help)) = weights_problem(mix.iter().map(|share| share.weight))
        {
            self.add(format!("{path}.after_expiry.mix{key}"), message, help);
        }
        if let Some(table) = nat.table.filter(|table| *table == 0 || *table > TABLE_MAX) {
            self.add(format!("{path}.table"), format!("a table of {table} mappings"), format!("use 1 to {TABLE_MAX}"));
        }
        if let Some(background) = nat.background {
            let flows = background.flows_per_s;
            if !(flows > 0.0 && flows <= FLOWS_MAX) {
                self.add(
                    format!("{path}.background.flows_per_s"),
                    format!("{flows} connections a second"),
                    format!("use a number above 0 and at most {FLOWS_MAX}"),
                );
            }
            if nat.table.is_none() {
                self.add(
                    format!("{path}.background"),
                    "other people's connections change nothing where the table has no limit",
                    "say how many mappings fit, as in table = 8192, or remove `background`",
                );
            }
        }
        if let Some(ports) = nat.ports.filter(|ports| *ports == 0 || *ports > PORTS_MAX) {
            self.add(format!("{path}.ports"), format!("{ports} ports a subscriber"), format!("use 1 to {PORTS_MAX}"));
        }
    }

    fn counts(&mut self, world: &WorldConfig) {
        let devices = world.devices.count;
        if devices == 0 || devices > DEVICES_MAX {
            self.add("devices.count", format!("{devices} devices"), format!("use 1 to {DEVICES_MAX}"));
        }
        if world.faults.len() > FAULTS_MAX {
            self.add("faults", format!("{} faults", world.faults.len()), format!("use at most {FAULTS_MAX}"));
        }
    }

    fn frames(&mut self, world: &WorldConfig) {
        let (sizes, least) = (world.devices.frames, Frame::MIN);
        let all = [
            ("hello", sizes.hello, least.hello),
            ("welcome", sizes.welcome, least.welcome),
            ("heartbeat", sizes.heartbeat, least.heartbeat),
            ("reply", sizes.reply, least.reply),
            ("message", sizes.message, least.message),
            ("ack", sizes.ack, least.ack),
        ];
        for (name, size, least) in all {
            if !(least..=Frame::MAX).contains(&size) {
                let message = format!("a frame `{name}` cannot have {size} bytes");
                self.add(format!("devices.frames.{name}"), message, format!("use {least} to {}", Frame::MAX));
            }
        }
    }

    fn traffic(&mut self, world: &WorldConfig) {
        for (name, gap) in [("up", world.traffic.up), ("down", world.traffic.down)] {
            if let Some(gap) = gap.filter(|gap| gap.get() < MESSAGE_GAP_MIN) {
                let least = format_duration(MESSAGE_GAP_MIN);
                let message = format!("a message every {gap} is a load test");
                self.add(format!("traffic.{name}"), message, format!("use at least \"{least}\""));
            }
        }
    }

    fn fault(&mut self, place: usize, fault: &FaultConfig, world: &WorldConfig) {
        let (kind, when, lasts) = match fault {
            FaultConfig::Cut(fault) => ("cut", &fault.when, fault.lasts.as_ref()),
            FaultConfig::LossBurst(fault) => ("loss-burst", &fault.when, fault.lasts.as_ref()),
            FaultConfig::DelaySpike(fault) => ("delay-spike", &fault.when, fault.lasts.as_ref()),
            FaultConfig::Flapping(fault) => ("flapping", &fault.when, fault.lasts.as_ref()),
            FaultConfig::Handover(fault) => ("handover", &fault.when, Some(&fault.lasts)),
            FaultConfig::Duplication(fault) => ("duplication", &fault.when, fault.lasts.as_ref()),
            FaultConfig::Reordering(fault) => ("reordering", &fault.when, fault.lasts.as_ref()),
            FaultConfig::RateLimit(fault) => ("rate-limit", &fault.when, fault.lasts.as_ref()),
            FaultConfig::NatFlush(NatFlush { when, .. }) => ("nat-flush", when, None),
            FaultConfig::NatTimeout(NatTimeout { when, lasts, .. }) => ("nat-timeout", when, lasts.as_ref()),
            FaultConfig::Stall(fault) => ("stall", &fault.when, fault.lasts.as_ref()),
            FaultConfig::Crash(fault) => ("crash", &fault.when, fault.lasts.as_ref()),
            FaultConfig::Vanish(fault) => ("vanish", &fault.when, fault.lasts.as_ref()),
            FaultConfig::Restart(fault) => ("restart", &fault.when, fault.lasts.as_ref()),
            FaultConfig::Pause(fault) => ("pause", &fault.when, fault.lasts.as_ref()),
            FaultConfig::Overload(Overload { when, lasts, .. }) => ("overload", when, lasts.as_ref()),
            FaultConfig::Drain(Drain { when, .. }) => ("drain", when, None),
        };
        let path = format!("faults[{place}].{kind}");
        self.when(&path, when, world);
        if let Some(lasts) = lasts {
            self.distribution(&format!("{path}.lasts"), lasts);
        }
        if let FaultConfig::NatFlush(NatFlush { nat, .. }) | FaultConfig::NatTimeout(NatTimeout { nat, .. }) = fault
            && let Some(nat) = nat.filter(|nat| *nat as usize >= world.nat.len())
        {
            let count = world.nat.len();
            self.add(
                format!("{path}.nat"),
                format!("there is no NAT {nat}: `nat` names {count}"),
                format!("use 0 to {}, or leave `nat` out for all", count.saturating_sub(1)),
            );
        }
        self.server_fault(&path, fault, world);
        self.link_fault(&path, fault, world);
    }

    fn when(&mut self, path: &str, when: &When, world: &WorldConfig) {
        let end = format_duration(world.duration);
        let late = |at: Duration| at >= world.duration;
        match when {
            When::At(times) => {
                for (index, time) in times.iter().enumerate().filter(|(_, time)| late(time.get())) {
                    self.add(
                        format!("{path}.when.at[{index}]"),
                        format!("this fault would begin at {time}, after the end of the run at {end}"),
                        format!("let it begin before {end}, or make `duration` longer"),
                    );
                }
                if times.is_empty() {
                    self.add(format!("{path}.when.at"), "no time is given", "name at least one, as in [\"1h\"]");
                }
            }
            When::Within { from, to } => {
                if from.get() >= to.get() {
                    self.add(
                        format!("{path}.when.within.to"),
                        format!("the window ends at {to}, not after its begin at {from}"),
                        "let `to` be later than `from`",
                    );
                } else if to.get() > world.duration {
                    self.add(
                        format!("{path}.when.within.to"),
                        format!("this fault may begin as late as {to}, after the end of the run at {end}"),
                        format!("use at most {end}, or make `duration` longer"),
                    );
                }
            }
            When::Every(mean) => self.strikes(&format!("{path}.when.every"), *mean, world),
        }
    }

    /// A random process that strikes once in `mean`.
    fn strikes(&mut self, path: &str, mean: Span, world: &WorldConfig) {
        if world.duration.as_micros() / mean.get().as_micros() > STRIKES_MAX {
            let end = format_duration(world.duration);
            let message = format!("a fault every {mean} strikes too often in {end}");
            self.add(path, message, format!("at most {STRIKES_MAX} are expected of one"));
        }
    }
}
