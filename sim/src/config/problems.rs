//! Contradictions between the parts of a world. What is wrong with a single value is found
//! when it is read; here are the rules that need two.

mod life;
pub(crate) mod link;
mod network;
mod proxy;
pub(crate) mod server;
mod tcp;
mod wakeup;

use std::time::Duration;

use cardiogram_policies::{
    Problem,
    unit::{Delay, Span, format_duration},
};

use crate::config::{
    Cause, DEVICES_MAX, DURATION_MAX, Distribution, FAULTS_MAX, FaultConfig, FrameSizes, Lasts, Target, When, Whom,
    WorldConfig,
};

/// The most frequent messages: more is load, not a long-lived connection.
const MESSAGE_GAP_MIN: Duration = Duration::from_millis(100);
/// The shortest deadline of a message: with less, a client does nothing but connect.
const DEADLINE_MIN: Duration = Duration::from_millis(100);
/// The most strikes of all faults of a run, those on each device counted for itself: they are drawn before it, some 125 bytes
/// each, and 400 where they break a session (docs/benchmarks.md).
const STRIKES_OF_ALL_MAX: u64 = 10_000_000;
/// The most faults that a random process may be expected to make in a run, for one device or server.
const STRIKES_MAX: u128 = 100_000;

impl WorldConfig {
    /// Returns every contradiction, with paths as in a scenario file; empty when the world can run. The strategy's own problems
    /// are not repeated here.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Found(Vec::new());
        found.duration(self);
        found.networks(self);
        found.link("core", &self.core);
        found.counts(self);
        found.servers(self);
        if let Some(proxy) = &self.proxy {
            found.proxy(proxy, self);
        }
        found.frames(self);
        found.life(self);
        found.traffic(self);
        found.wakeup(self);
        for (place, fault) in self.faults.iter().enumerate() {
            found.fault(place, fault, self);
        }
        found.all_strikes(self);
        found.0
    }
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

    fn counts(&mut self, world: &WorldConfig) {
        self.tcp("devices.tcp", &world.devices.tcp);
        let devices = world.devices.count;
        if devices == 0 || devices > DEVICES_MAX {
            self.add("devices.count", format!("{devices} devices"), format!("use 1 to {DEVICES_MAX}"));
        }
        if world.faults.len() > FAULTS_MAX {
            self.add("faults", format!("{} faults", world.faults.len()), format!("use at most {FAULTS_MAX}"));
        }
    }

    fn frames(&mut self, world: &WorldConfig) {
        let (sizes, least) = (world.devices.frames, FrameSizes::MIN);
        let all = [
            ("hello", sizes.hello, least.hello),
            ("welcome", sizes.welcome, least.welcome),
            ("heartbeat", sizes.heartbeat, least.heartbeat),
            ("reply", sizes.reply, least.reply),
            ("message", sizes.message, least.message),
            ("ack", sizes.ack, least.ack),
        ];
        for (name, size, least) in all {
            if !(least..=FrameSizes::MAX).contains(&size) {
                let message = format!("a frame `{name}` cannot have {size} bytes");
                self.add(format!("devices.frames.{name}"), message, format!("use {least} to {}", FrameSizes::MAX));
            }
        }
    }

    fn traffic(&mut self, world: &WorldConfig) {
        for (name, arrivals) in [("up", world.traffic.up), ("down", world.traffic.down)] {
            let Some(arrivals) = arrivals else { continue };
            if world.traffic.trace.is_some() {
                let help = "leave one of the two out";
                self.add(format!("traffic.{name}"), "`traffic.trace` says what is sent, and so does this", help);
            }
            let gap = arrivals.shortest();
            if gap.get() < MESSAGE_GAP_MIN {
                let least = format_duration(MESSAGE_GAP_MIN);
                let message = format!("a message every {gap} is a load test");
                self.add(format!("traffic.{name}"), message, format!("use at least \"{least}\""));
            }
            if let Some((key, message, help)) = arrivals.problem() {
                self.add(format!("traffic.{name}{key}"), message, help);
            }
        }
        if let Some(deadline) = world.traffic.deadline {
            if !world.traffic.has_up() {
                let help = "say how often they send in `traffic.up`, or leave `deadline` out";
                self.add("traffic.deadline", "devices send no messages that an answer could be late to", help);
            }
            if deadline.after.get() < DEADLINE_MIN {
                let message = format!("{} is less than an answer takes", deadline.after);
                let least = format_duration(DEADLINE_MIN);
                self.add("traffic.deadline.after", message, format!("use at least \"{least}\""));
            }
        }
    }

    fn fault(&mut self, place: usize, config: &FaultConfig, world: &WorldConfig) {
        let path = format!("faults[{place}].{}", config.kind().name());
        let fault = config.facts();
        self.when(&path, fault.when, world);
        self.whom(&path, fault.whom, world.devices.count);
        match &fault.lasts {
            Lasts::Instant | Lasts::ForEver => {}
            Lasts::Drawn(lasts) => self.distribution(&format!("{path}.lasts"), lasts),
            Lasts::Flaps(spec) => self.flapping(&path, spec, world),
        }
        match fault.target {
            Target::Link { link, direction, effect } => self.link_fault(&path, link, direction, effect, world),
            Target::Nat { network, nat, .. } => self.nat_fault(&path, network, nat, world),
            Target::Device(effect) => self.device_fault(&path, effect, world),
            Target::Proxy(_) => self.proxy_fault(&path, world),
            Target::Server { server, cause, effect } => {
                if cause == Cause::ServerPause && matches!(fault.lasts, Lasts::ForEver) {
                    let help = "write how long it lasts, as in lasts = \"5s\", or use `server-stall`";
                    self.add(&path, "a pause that never ends", help);
                }
                self.server_fault(&path, (server, fault.whom.is_some()), effect, world);
            }
        }
    }

    /// The devices that a fault at `path` strikes.
    fn whom(&mut self, path: &str, whom: Option<&Whom>, devices: u32) {
        let name = "or name them, as in devices.only = [0], or leave `devices` out for all";
        match whom {
            Some(whom @ Whom::Share(share)) if whom.count(devices) == 0 && devices > 0 => {
                let least = 0.5 / f64::from(devices);
                let share = share.get();
                let message = format!("a share of {share} of devices.count = {devices} is nobody");
                self.add(format!("{path}.devices.share"), message, format!("use at least {least:.3}, {name}"));
            }
            Some(Whom::Only(only)) if only.is_empty() => {
                let help = "name at least one, as in [0], or leave `devices` out for all";
                self.add(format!("{path}.devices.only"), "no device is named", help);
            }
            Some(Whom::Only(only)) => {
                for (place, device) in only.iter().enumerate() {
                    let path = format!("{path}.devices.only[{place}]");
                    if *device >= devices {
                        let message = format!("there is no device {device}: devices.count is {devices}");
                        self.add(path, message, format!("use 0 to {}", devices.saturating_sub(1)));
                    } else if only[..place].contains(device) {
                        self.add(path, format!("device {device} is named twice"), "leave one of them out");
                    }
                }
            }
            Some(Whom::Share(_)) | None => {}
        }
    }

    fn when(&mut self, path: &str, when: &When, world: &WorldConfig) {
        let end = format_duration(world.duration);
        let late = |at: Duration| at >= world.duration;
        match when {
            When::At(times) => {
                for (index, time) in times.iter().enumerate().filter(|(_, time)| late(time.get())) {
                    self.add(
                        format!("{path}.when.at[{index}]"),
                        format!("this would begin at {time}, after the end of the run at {end}"),
                        format!("let it begin before {end}, or make `duration` longer"),
                    );
                }
                if times.is_empty() {
                    self.add(format!("{path}.when.at"), "no time is given", "name at least one, as in [\"1h\"]");
                }
            }
            When::Within { from, to } => self.window(&format!("{path}.when.within"), *from, *to, world),
            When::Every(mean) => self.strikes(&format!("{path}.when.every"), *mean, world.duration),
            When::During { every, from, to } => {
                let window = to.get().saturating_sub(from.get());
                self.strikes(&format!("{path}.when.during.every"), *every, window);
                self.window(&format!("{path}.when.during"), *from, *to, world);
            }
        }
    }

    /// The part of the run in which something may begin.
    fn window(&mut self, path: &str, from: Delay, to: Span, world: &WorldConfig) {
        if from.get() >= to.get() {
            self.add(
                format!("{path}.to"),
                format!("the window ends at {to}, not after its begin at {from}"),
                "let `to` be later than `from`",
            );
        } else if to.get() > world.duration {
            let end = format_duration(world.duration);
            self.add(
                format!("{path}.to"),
                format!("this may begin as late as {to}, after the end of the run at {end}"),
                format!("use at most {end}, or make `duration` longer"),
            );
        }
    }

    /// All faults on all devices and servers together.
    fn all_strikes(&mut self, world: &WorldConfig) {
        let strikes: Vec<u64> = world.faults.iter().map(|fault| world.strikes_of(&fault.facts())).collect();
        let all = strikes.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        let most = strikes.iter().zip(0_usize..).max_by_key(|(count, _)| **count);
        if let Some((count, place)) = most.filter(|_| all > STRIKES_OF_ALL_MAX) {
            let devices = world.devices.count;
            let message = format!(
                "about {count} strikes are to be drawn for {devices} devices; all faults may have {STRIKES_OF_ALL_MAX}"
            );
            let help = "let it strike more rarely, or take fewer `devices.count`";
            self.add(format!("faults[{place}].{}.when", world.faults[place].kind().name()), message, help);
        }
    }

    /// A random process that strikes once in `mean`, for as long as `lasts`.
    fn strikes(&mut self, path: &str, mean: Span, lasts: Duration) {
        if lasts.as_micros() / mean.get().as_micros() > STRIKES_MAX {
            let message = format!("every {mean} is too often for {}", format_duration(lasts));
            self.add(path, message, format!("let at most {STRIKES_MAX} be expected in a run"));
        }
    }
}
