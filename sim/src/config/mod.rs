//! What a world is made of, as data: the part of a scenario that decides what happens. Reading files, presets by name
//! and the comparison of strategies belong to the scenarios crate.

mod balancer;
mod bounds;
mod cost;
pub(crate) mod distribution;
mod fault;
mod frames;
mod keys;
pub mod known_nat;
mod life;
mod nat;
mod network;
mod problems;
mod proxy;
mod radio;
mod server;
mod tcp;
mod traffic;
mod traffic_trace;
mod wakeup;

use std::time::Duration;

use cardiogram_policies::unit::{Delay, Fraction, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::balancer::{BalancerConfig, HealthCheck, OnUnhealthy};
pub use self::cost::WorldCost;
pub use self::distribution::{Distribution, Exponential, LogNormal, Normal, Part, Uniform};
pub use self::fault::*;
pub use self::frames::FrameSizes;
pub use self::keys::{NetworkConfig, WorldConfig};
pub use self::life::{Attach, DozeConfig, IdleAlarms, LifeConfig, OldSockets, Periods};
pub use self::nat::{
    AfterExpiry, AtExpiry, Background, ClassShare, FromInside, FromOutside, NatClass, NatConfig, NatRefresh,
};
pub(crate) use self::network::{BETWEEN_NATS, Network};
pub use self::network::{LinkName, MAIN, NETWORKS_MAX, NO_NETWORK};
pub use self::proxy::{EndsWith, ProxyConfig};
pub use self::radio::{RadioConfig, TailStage};
pub use self::server::{Cost, Login, MaxAge, Pauses, SecondSession, ServerConfig, Undelivered};
pub use self::tcp::{TcpSettings, TcpStack, TcpTimers};
pub use self::traffic::{Arrivals, Bursts, Daily, Deadline, OnDeadline, Periodic, TrafficConfig};
pub use self::traffic_trace::{TraceRow, TrafficDirection, TrafficTrace};
pub use self::wakeup::{Carries, WakeupConfig};

/// A group of equal devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DevicesConfig {
    /// How many. Default 1, at most 1,000,000; every NAT on their way needs a port for each (`nat.outside_addresses`).
    pub count: u32,
    /// Each device starts at a random moment within this time. Default 1 min.
    pub start_within: Delay,
    /// The TCP of their kernel: a system's name or a table. Default `linux-new`.
    pub tcp: TcpSettings,
    /// What their processes do first when they go on after a `device-stall` or a `device-freeze`. Default `input-first`.
    pub on_waking: OnWaking,
    /// Sizes of the application's frames.
    pub frames: FrameSizes,
}

impl Default for DevicesConfig {
    fn default() -> Self {
        Self {
            count: 1,
            start_within: Delay::millis(60_000),
            tcp: TcpSettings::default(),
            on_waking: OnWaking::default(),
            frames: FrameSizes::default(),
        }
    }
}

/// What a process does first when it goes on after it has stood still: runtimes differ in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnWaking {
    /// It reads what has arrived, and then looks which of its timers are due: a timeout whose answer has arrived meanwhile
    /// does not fire (tokio's `timeout` asks for the answer first).
    #[default]
    InputFirst,
    /// It lets the timers fire that are due, and then reads: a timeout fires although its answer lies there (libuv's loop,
    /// and so Node.js, runs timers before it polls for input).
    TimersFirst,
}

/// A link, the same in both directions. Packets of one lane and direction arrive in the order they were sent, unless a
/// fault says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkConfig {
    /// The part of the one-way delay that a lane keeps for the whole run, drawn once and the same in both directions: how
    /// far away the other end is. A lane belongs to a device on the access link, to a server on the core link. Default none.
    #[serde(default)]
    pub base_delay: Option<Distribution>,
    /// One-way delay of a packet, drawn for each and added to `base_delay`; must have a positive minimum.
    pub delay: Distribution,
    /// The part of the delay that changes over seconds, as in a crowded cell; the same in both directions. Default none.
    #[serde(default)]
    pub drift: Option<DelayDrift>,
    /// How much a lane carries, each way. Default: without limit.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// Loss that comes in bursts. Default none.
    #[serde(default)]
    pub burst_loss: Option<BurstLoss>,
    /// Loss of single packets, independent of each other. Default 0.
    #[serde(default)]
    pub packet_loss: Fraction,
}

impl LinkConfig {
    /// A link of that delay that loses nothing and has no limit.
    pub const fn of_delay(delay: Distribution) -> Self {
        Self { base_delay: None, delay, drift: None, rate: None, burst_loss: None, packet_loss: Fraction::ZERO }
    }

    /// Returns the shortest delay that a packet can have.
    pub fn delay_min(&self) -> Duration {
        let drift = self.drift.as_ref().map_or(Duration::ZERO, |drift| drift.delay.min());
        self.base_delay.as_ref().map_or(Duration::ZERO, Distribution::min) + self.delay.min() + drift
    }
}

/// A part of a delay that drifts: each lane's goes its own way, as the first-order autoregressive process of time does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DelayDrift {
    /// What it adds to the one-way delay of a packet, looked at over a long time.
    pub delay: Distribution,
    /// Its time constant: after this time the correlation has fallen to 1/e, about 0.37. At least 10 ms.
    pub tau: Span,
}

/// How much a lane carries: packets leave one after the other, each after the time that its bits take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many bits a second leave, IPv4 and TCP headers included. 1,000 to 10,000,000,000.
    pub bits_per_second: u64,
    /// The queue, as time: a packet that would wait longer before its first bit leaves is lost. Default 1 s (A).
    #[serde(default = "Rate::queue_default")]
    pub queue: Delay,
}

impl Rate {
    /// Returns the usual queue.
    const fn queue_default() -> Delay {
        Delay::millis(1_000)
    }

    /// Returns how long `bytes` take to leave, rounded up to a microsecond.
    pub(crate) fn time_for(self, bytes: usize) -> Duration {
        Duration::from_micros((bytes as u64 * 8 * 1_000_000).div_ceil(self.bits_per_second))
    }
}

/// Gilbert-Elliott loss driven by time: the state changes by itself, whether or not packets flow, and both directions
/// share it. (A chain driven by packets makes no bursts for a client that sends once in minutes.)
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BurstLoss {
    /// Mean length of a good period (exponential).
    pub good: Span,
    /// Mean length of a bad period (exponential).
    pub bad: Span,
    /// Probability that a packet is lost in a good period.
    pub loss_good: Fraction,
    /// Probability that a packet is lost in a bad period.
    pub loss_bad: Fraction,
}

/// The most devices of a world.
pub const DEVICES_MAX: u32 = 1_000_000;
/// The most NATs in a row.
pub const NATS_MAX: usize = 8;
/// The most outside addresses of a NAT.
pub const OUTSIDE_ADDRESSES_MAX: u32 = 1_024;
/// The ports that an address has towards one server: all but the reserved ones.
pub const PORTS_MAX: u32 = 64_512;
/// The most servers of a world.
pub const SERVERS_MAX: u32 = 16;
/// The most faults a file may name.
pub const FAULTS_MAX: usize = 1_000;
/// The longest run.
pub const DURATION_MAX: Duration = Duration::from_secs(366 * 86_400);

impl WorldConfig {
    /// Returns the smallest delay of any link: the lookahead of the conservative engine.
    pub fn lookahead(&self) -> Duration {
        let access = self.all_networks().map(|network| network.access.delay_min());
        let push_service = self.wakeup.iter().map(|wakeup| wakeup.delay.min());
        let links = access.chain(push_service).chain([self.core.delay_min()]).min().expect("there is a core link");
        let nats_in_a_row = self.all_networks().any(|network| network.nat.len() > 1);
        if nats_in_a_row || self.proxy.is_some() { links.min(BETWEEN_NATS.get()) } else { links }
    }
}
