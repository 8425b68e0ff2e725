//! The scenario file as a type: what happens in a world, and which strategies are compared there.
//!
//! The keys of the world are those of [`WorldConfig`], from the list in `sim/src/config/keys.rs`; what is added here is for
//! people (what it is, where it comes from, what to expect) and the list of strategies. Reading files is the business of
//! `load`.

use std::{collections::BTreeMap, time::Duration};

use cardiogram_policies::{HeartbeatSpec, NAME_RULE, Problem, ReconnectSpec, StrategySpec, is_name, unit::Span};
use cardiogram_sim::{
    WorldConfig,
    config::{Distribution, FaultConfig, LinkConfig, NatConfig, NetworkConfig, ProxyConfig, RadioConfig, ServerConfig},
    keys,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::network::{named, named_option, named_row, named_row_schema, named_schema};
use crate::replay::Replay;

/// Makes the type of a file of what it has besides and of the world's keys. Each key becomes a field; what serde and the
/// schema have to know of one follows from what the list says behind its type.
macro_rules! in_file {
    ([$($file:tt)*] [$($fields:tt)*]) => {
        $($file)* { $($fields)* }
    };
    ($file:tt $fields:tt $(#[$of:meta])+ $key:ident: $type:ty as span, required $given:ident; $($more:tt)*) => {
        in_file! { $file $fields
            $(#[$of])+ #[serde(deserialize_with = "span")] #[schemars(with = "Span")] $key: $type; $($more)* }
    };
    ($file:tt $fields:tt $(#[$of:meta])+ $key:ident: $type:ty as link, required $given:ident; $($more:tt)*) => {
        in_file! { $file $fields
            $(#[$of])+
            #[serde(deserialize_with = "named")] #[schemars(schema_with = "named_schema::<LinkConfig>")]
            $key: $type; $($more)* }
    };
    ($file:tt $fields:tt $(#[$of:meta])+ $key:ident: $type:ty as radio = $default:expr; $($more:tt)*) => {
        in_file! { $file $fields
            $(#[$of])+
            #[serde(default, deserialize_with = "named_option")] #[schemars(schema_with = "named_schema::<RadioConfig>")]
            $key: $type; $($more)* }
    };
    ($file:tt $fields:tt $(#[$of:meta])+ $key:ident: $type:ty as proxy = $default:expr; $($more:tt)*) => {
        in_file! { $file $fields
            $(#[$of])+
            #[serde(default, deserialize_with = "named_option")] #[schemars(schema_with = "named_schema::<ProxyConfig>")]
            $key: $type; $($more)* }
    };
    ($file:tt $fields:tt $(#[$of:meta])+ $key:ident: $type:ty as nats = $default:expr; $($more:tt)*) => {
        in_file! { $file $fields
            $(#[$of])+
            #[serde(default = "one_nat", deserialize_with = "named_row")]
            #[schemars(schema_with = "named_row_schema::<NatConfig>")]
            $key: $type; $($more)* }
    };
    ($file:tt $fields:tt $(#[$of:meta])+ $key:ident: $type:ty as server = $default:expr; $($more:tt)*) => {
        in_file! { $file $fields
            $(#[$of])+
            #[serde(default, deserialize_with = "named")] #[schemars(schema_with = "named_schema::<ServerConfig>")]
            $key: $type; $($more)* }
    };
    ($file:tt $fields:tt $(#[$of:meta])+ $key:ident: $type:ty as networks = $default:expr; $($more:tt)*) => {
        in_file! { $file $fields
            $(#[$of])+
            #[serde(default, deserialize_with = "networks")] #[schemars(with = "BTreeMap<String, ScenarioNetwork>")]
            $key: $type; $($more)* }
    };
    ($file:tt $fields:tt $(#[$of:meta])+ $key:ident: $type:ty = $default:expr; $($more:tt)*) => {
        in_file! { $file $fields $(#[$of])+ #[serde(default)] $key: $type; $($more)* }
    };
    ($file:tt [$($fields:tt)*] $(#[$of:meta])+ $key:ident: $type:ty; $($more:tt)*) => {
        in_file! { $file [$($fields)* $(#[$of])+ pub $key: $type,] $($more)* }
    };
}

/// What a file says of a world, in the type of the simulator.
macro_rules! taken_from {
    (
        $file:ident $config:ident { $($own:ident: $value:expr)? }
        $($(#[$of:meta])+ $key:ident: $type:ty $(as $how:ident)? $(= $default:expr)? $(, required $given:ident)?;)+
    ) => {
        $config { $($key: $file.$key.clone(),)+ $($own: $value)? }
    };
}

keys!(world => in_file! {
    [
        /// A scenario, as its file spells it out.
        #[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct Scenario
    ] [
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
        /// The name of the strategy that a report compares the others with: one of `strategies`, and not `none`. Default: the
        /// best of those that ran.
        #[serde(default)]
        pub reference: Option<String>,
        /// In a counterexample: the run that breaks a promise. `cardiogram run` ignores it. Default: this is none.
        #[serde(default)]
        pub replay: Option<Replay>,
    ]
});

keys!(network => in_file! {
    [
        /// A further network that devices can attach to.
        #[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        struct ScenarioNetwork
    ] []
});

/// Reads a span of time, for `#[serde(deserialize_with)]`.
fn span<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    Span::deserialize(input).map(Span::get)
}

/// Reads further networks by their names, for `#[serde(deserialize_with)]`.
fn networks<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeMap<String, NetworkConfig>, D::Error> {
    let networks = BTreeMap::<String, ScenarioNetwork>::deserialize(input)?;
    let config = |file: ScenarioNetwork| keys!(network => taken_from! { file NetworkConfig {} });
    Ok(networks.into_iter().map(|(name, network)| (name, config(network))).collect())
}

/// The most strategies that one scenario may name.
const STRATEGIES_MAX: usize = 1_000;

impl Scenario {
    /// Returns the world of this scenario, inhabited by `strategy`.
    pub fn world(&self, strategy: &StrategySpec) -> WorldConfig {
        keys!(world => taken_from! { self WorldConfig { strategy: strategy.clone() } })
    }

    /// Returns whether anything calls a device back that has left its connection on purpose: a push service, or a message of
    /// its own.
    pub fn calls_back(&self) -> bool {
        self.wakeup.is_some() || self.traffic.has_up()
    }

    /// Returns the idle time after which an established connection of any device is forgotten, at any time of the run. `None`
    /// where that differs: a distribution, or a fault that changes it.
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

    /// Returns every contradiction in the scenario; empty when it can run with any strategy that can run at all.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !is_name(&self.name) {
            problems.push(Problem::new(
                "name",
                format!("`{}` is not a scenario's name", self.name),
                format!("{NAME_RULE}, as in \"silent-nat\""),
            ));
        }
        if self.strategies.is_empty() || self.strategies.len() > STRATEGIES_MAX {
            problems.push(Problem::new(
                "strategies",
                format!("a scenario compares 1 to {STRATEGIES_MAX} strategies, not {}", self.strategies.len()),
                "name some, as in [\"none\", \"wechat-270\"]",
            ));
        }
        if self.reference.as_deref() == Some("none") {
            problems.push(Problem::new(
                "reference",
                "`none`, which notices nothing, is no reference",
                "name another strategy of the scenario",
            ));
        }
        problems.extend(self.world(&bystander()).problems());
        problems
    }
}

/// Returns the NAT of a scenario that names none.
fn one_nat() -> Vec<NatConfig> {
    vec![NatConfig::default()]
}

/// Returns a strategy without effect: a world is checked before it is known who will live in it.
fn bystander() -> StrategySpec {
    StrategySpec::new("none", HeartbeatSpec::None).with_reconnect(ReconnectSpec::Immediate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_leaves_out_is_as_in_a_world_that_says_no_more() {
        let link = LinkConfig::of_delay(Distribution::Constant(Span::millis(25)));
        let text = "name = \"s\"\nstrategies = [\"none\"]\nduration = \"1h\"\n\
                    access.delay.constant = \"25ms\"\ncore.delay.constant = \"25ms\"\n\
                    networks.wifi.access.delay.constant = \"25ms\"\n";
        let scenario: Scenario = toml::from_str(text).unwrap();
        let mut world = WorldConfig::new(Duration::from_hours(1), link.clone(), link.clone(), bystander());
        world.networks.insert("wifi".into(), NetworkConfig::new(link));
        assert_eq!(scenario.world(&bystander()), world);
    }
}
