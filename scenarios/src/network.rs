//! Links, NATs and servers by name. A scenario file names one (`access = "lte-near"`) or spells its parameters out.
//!
//! The presets are data, in `networks.toml` and `servers.toml`, each with its source.

use std::{collections::BTreeMap, fmt, marker::PhantomData, sync::LazyLock};

use cardiogram_sim::config::{LinkConfig, NatConfig, ServerConfig};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};

/// A link, a NAT or a server that goes by a name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network<T> {
    /// What it stands for.
    pub about: String,
    /// Where its numbers come from; the tags in brackets are those of `docs/model.md`.
    pub source: String,
    /// Its parameters.
    pub config: T,
}

/// Every link and NAT that has a name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Networks {
    /// Links, by name.
    pub link: BTreeMap<String, Network<LinkConfig>>,
    /// NATs and stateful firewalls, by name.
    pub nat: BTreeMap<String, Network<NatConfig>>,
}

/// The built-in presets.
pub fn networks() -> &'static Networks {
    static NETWORKS: LazyLock<Networks> =
        LazyLock::new(|| toml::from_str(include_str!("networks.toml")).expect("the built-in networks are valid"));
    &NETWORKS
}

/// The built-in servers, by name.
pub fn servers() -> &'static BTreeMap<String, Network<ServerConfig>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        server: BTreeMap<String, Network<ServerConfig>>,
    }
    static SERVERS: LazyLock<File> =
        LazyLock::new(|| toml::from_str(include_str!("servers.toml")).expect("the built-in servers are valid"));
    &SERVERS.server
}

/// The link, NAT or server of that name, spelt out as a table of a scenario file.
pub fn text(name: &str) -> Option<String> {
    fn spelt<T: Serialize>(key: &str, network: &Network<T>) -> String {
        let table = toml::to_string(&BTreeMap::from([(key, &network.config)])).expect("a preset is plain data");
        format!("# {}\n# Source: {}\n{table}", network.about, network.source)
    }
    let Networks { link, nat } = networks();
    link.get(name)
        .map(|network| spelt("access", network))
        .or_else(|| nat.get(name).map(|network| spelt("nat", network)))
        .or_else(|| servers().get(name).map(|network| spelt("server", network)))
}

/// What a scenario file can name instead of spelling it out.
pub(crate) trait Named: Clone + DeserializeOwned + JsonSchema + 'static {
    /// For messages: what it is.
    const KIND: &'static str;

    /// The presets of this kind.
    fn presets() -> &'static BTreeMap<String, Network<Self>>;
}

impl Named for LinkConfig {
    const KIND: &'static str = "a link";

    fn presets() -> &'static BTreeMap<String, Network<Self>> {
        &networks().link
    }
}

impl Named for NatConfig {
    const KIND: &'static str = "a NAT";

    fn presets() -> &'static BTreeMap<String, Network<Self>> {
        &networks().nat
    }
}

impl Named for ServerConfig {
    const KIND: &'static str = "a server";

    fn presets() -> &'static BTreeMap<String, Network<Self>> {
        servers()
    }
}

/// Reads a preset's name or a table: the function for `#[serde(deserialize_with)]`.
pub(crate) fn named<'de, T: Named, D: Deserializer<'de>>(input: D) -> Result<T, D::Error> {
    struct Either<T>(PhantomData<T>);
    impl<'de, T: Named> Visitor<'de> for Either<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "the name of {} (`cardiogram list networks` shows them) or a table", T::KIND)
        }

        fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<T, E> {
            T::presets().get(name).map(|network| network.config.clone()).ok_or_else(|| {
                // The words of serde's own error for a name out of a list, so that both read the same.
                let names: Vec<String> = T::presets().keys().map(|name| format!("`{name}`")).collect();
                E::custom(format!("unknown variant `{name}`, expected one of {}", names.join(", ")))
            })
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }
    input.deserialize_any(Either(PhantomData))
}

/// The schema of what [`named`] reads.
pub(crate) fn named_schema<T: Named>(generator: &mut SchemaGenerator) -> Schema {
    let names: Vec<&String> = T::presets().keys().collect();
    let table = generator.subschema_for::<T>();
    json_schema!({ "anyOf": [{ "enum": names }, table] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_says_what_it_is_and_where_it_comes_from() {
        for (name, network) in &networks().link {
            assert!(!network.about.is_empty() && !network.source.is_empty(), "{name}");
            assert_eq!(network.config.delay.problem(), None, "{name}");
        }
        for (name, network) in &networks().nat {
            assert!(!network.about.is_empty() && !network.source.is_empty(), "{name}");
        }
    }

    #[test]
    fn every_server_can_run_and_says_where_it_comes_from() {
        let healthy = crate::load::scenario("healthy").unwrap().value;
        for (name, server) in servers() {
            assert!(!server.about.is_empty() && !server.source.is_empty(), "{name}");
            let scenario = crate::Scenario { server: server.config.clone(), ..healthy.clone() };
            assert_eq!(scenario.problems(), Vec::new(), "{name}");
        }
    }

    #[test]
    fn a_preset_spelt_out_reads_back_as_itself() {
        #[derive(Deserialize)]
        struct Spelt {
            access: Option<LinkConfig>,
            nat: Option<NatConfig>,
            server: Option<ServerConfig>,
        }
        for (name, network) in &networks().link {
            let spelt: Spelt = toml::from_str(&text(name).unwrap()).unwrap();
            assert_eq!(spelt.access.as_ref(), Some(&network.config), "{name}");
        }
        for (name, network) in &networks().nat {
            let spelt: Spelt = toml::from_str(&text(name).unwrap()).unwrap();
            assert_eq!(spelt.nat.as_ref(), Some(&network.config), "{name}");
        }
        for (name, server) in servers() {
            let spelt: Spelt = toml::from_str(&text(name).unwrap()).unwrap();
            assert_eq!(spelt.server.as_ref(), Some(&server.config), "{name}");
        }
        assert_eq!(text("no-such-network"), None);
    }
}
