//! The scenario file as a type: what happens in a world, and which strategies are compared there.
//!
//! The keys of the world are those of [`WorldConfig`]; what is added here is for people (what it is, where it comes
//! from, what to expect) and the list of strategies. Reading files is the business of `load`.

use std::{collections::BTreeMap, time::Duration};

use cardiogram_policies::{HeartbeatSpec, NetworkKind, Problem, ReconnectSpec, StrategySpec, unit::Span};
use cardiogram_sim::{
    WorldConfig,
    config::{
        DevicesConfig, Distribution, FaultConfig, LifeConfig, LinkConfig, NatConfig, NetworkConfig, RadioConfig,
        ServerConfig, TrafficConfig, WakeupConfig, is_name,
    },
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::network::{named, named_option, named_row, named_row_schema, named_schema};
use crate::replay::Replay;

/// A scenario, as its file spells it out.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The name it goes by in tables and on the command line: 1 to 64 lower-case letters, digits, `-`.
    pub name: String,
    /// What happens in it, in a sentence or two.
    #[serde(default)]
    pub about: String,
    /// The source of its numbers.
    #[serde(default)]
    pub source: String,
    /// What a good strategy shows here, and what a bad one.
    #[serde(default)]
    pub expect: String,
    /// Numbers that no source gives and that were chosen here.
    #[serde(default)]
    pub assumptions: Vec<String>,
    /// The strategies that are compared unless the command line names others: presets, or paths of strategy files
    /// (relative to the scenario's file).
    pub strategies: Vec<String>,
    /// How long a run lasts, at most 366 days.
    pub duration: Span,
    /// The devices.
    #[serde(default)]
    pub devices: DevicesConfig,
    /// The kind of the devices' network, `cellular`, `wifi` or `wired`: what their systems tell the policies; it changes
    /// nothing else. Default `cellular`.
    #[serde(default)]
    pub network_kind: NetworkKind,
    /// The link between each device and the NAT: a preset's name or a table.
    #[serde(deserialize_with = "named")]
    #[schemars(schema_with = "named_schema::<LinkConfig>")]
    pub access: LinkConfig,
    /// The radio of every device: a preset's name or a table. Default: none, so that sending costs neither time nor
    /// energy.
    #[serde(default, deserialize_with = "named_option")]
    #[schemars(schema_with = "named_schema::<RadioConfig>")]
    pub radio: Option<RadioConfig>,
    /// The NAT that all devices sit behind: a preset's name or a table; or an array of those, from the device to the
    /// server (home router, carrier, load balancer), joined by 1 ms each way. Default: one with the table's defaults.
    #[serde(default = "one_nat", deserialize_with = "named_row")]
    #[schemars(schema_with = "named_row_schema::<NatConfig>")]
    pub nat: Vec<NatConfig>,
    /// Further networks that devices can attach to, each with a name and its own `kind`, `access`, `radio` and `nat`. The
    /// scenario's own are the network `main`.
    #[serde(default)]
    pub networks: BTreeMap<String, ScenarioNetwork>,
    /// The link between the last NAT and the servers: a preset's name or a table.
    #[serde(deserialize_with = "named")]
    #[schemars(schema_with = "named_schema::<LinkConfig>")]
    pub core: LinkConfig,
    /// The servers: a preset's name or a table. Default: the table's defaults.
    #[serde(default, deserialize_with = "named")]
    #[schemars(schema_with = "named_schema::<ServerConfig>")]
    pub server: ServerConfig,
    /// How the devices are used: networks, foreground and background, doze.
    #[serde(default)]
    pub life: LifeConfig,
    /// What the application has to say.
    #[serde(default)]
    pub traffic: TrafficConfig,
    /// The push service beside the long connections, which wakes devices. Default: there is none.
    #[serde(default)]
    pub wakeup: Option<WakeupConfig>,
    /// What goes wrong.
    #[serde(default)]
    pub faults: Vec<FaultConfig>,
    /// In a counterexample: the run that breaks a promise. `cardiogram run` ignores it. Default: this is none.
    #[serde(default)]
    pub replay: Option<Replay>,
}

/// A further network that devices can attach to.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioNetwork {
    /// The kind of this network, as `network_kind` is of the scenario's own. Default `cellular`.
    #[serde(default)]
    pub kind: NetworkKind,
    /// The link between each device and the first NAT: a preset's name or a table.
    #[serde(deserialize_with = "named")]
    #[schemars(schema_with = "named_schema::<LinkConfig>")]
    pub access: LinkConfig,
    /// The radio that every device has for it: a preset's name or a table. Default: none.
    #[serde(default, deserialize_with = "named_option")]
    #[schemars(schema_with = "named_schema::<RadioConfig>")]
    pub radio: Option<RadioConfig>,
    /// Its NATs: a preset's name, a table, or an array of those. Default: one with the table's defaults.
    #[serde(default = "one_nat", deserialize_with = "named_row")]
    #[schemars(schema_with = "named_row_schema::<NatConfig>")]
    pub nat: Vec<NatConfig>,
}

impl ScenarioNetwork {
    fn config(&self) -> NetworkConfig {
        NetworkConfig { kind: self.kind, access: self.access.clone(), radio: self.radio.clone(), nat: self.nat.clone() }
    }
}

/// The most strategies that one scenario may name.
const STRATEGIES_MAX: usize = 1_000;

impl Scenario {
    /// The world of this scenario, inhabited by `strategy`.
    pub fn world(&self, strategy: &StrategySpec) -> WorldConfig {
        WorldConfig {
            duration: self.duration.get(),
            devices: self.devices.clone(),
            network_kind: self.network_kind,
            access: self.access.clone(),
            radio: self.radio.clone(),
            nat: self.nat.clone(),
            networks: self.networks.iter().map(|(name, network)| (name.clone(), network.config())).collect(),
            core: self.core.clone(),
            server: self.server.clone(),
            life: self.life.clone(),
            traffic: self.traffic.clone(),
            wakeup: self.wakeup.clone(),
            faults: self.faults.clone(),
            strategy: strategy.clone(),
        }
    }

    /// The idle time after which an established connection of any device is forgotten, at any time of the run. `None` where
    /// that differs: a distribution, or a fault that changes it.
    pub fn nat_timeout(&self) -> Option<Duration> {
        let shifts = self.faults.iter().any(|fault| matches!(fault, FaultConfig::NatTimeout(_)));
        let constant = |nat: &NatConfig| match nat.established {
            Distribution::Constant(timeout) => Some(timeout.get()),
            _ => None,
        };
        let timeouts: Option<Vec<Duration>> = self.nat.iter().map(constant).collect();
        // On another network it is another one.
        if shifts || !self.networks.is_empty() { None } else { timeouts?.into_iter().min() }
    }

    /// Every contradiction in the scenario; empty when it can run with any strategy that can run at all.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !is_name(&self.name) {
            problems.push(Problem::new(
                "name",
                format!("`{}` is not a scenario's name", self.name),
                "use 1 to 64 lower-case letters, digits and `-`, as in \"silent-nat\"",
            ));
        }
        if self.strategies.is_empty() || self.strategies.len() > STRATEGIES_MAX {
            problems.push(Problem::new(
                "strategies",
                format!("a scenario compares 1 to {STRATEGIES_MAX} strategies, not {}", self.strategies.len()),
                "name some, as in [\"none\", \"wechat-270\"]",
            ));
        }
        problems.extend(self.world(&bystander()).problems());
        problems
    }
}

/// The NAT of a scenario that names none.
fn one_nat() -> Vec<NatConfig> {
    vec![NatConfig::default()]
}

/// A strategy without effect: a world is checked before it is known who will live in it.
fn bystander() -> StrategySpec {
    StrategySpec::new("none", HeartbeatSpec::None).with_reconnect(ReconnectSpec::Immediate)
}
