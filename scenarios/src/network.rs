//! Links and NATs by name. A scenario file names one (`access = "lte-near"`) or spells its parameters out.
//!
//! The presets are data, in `networks.toml`, each with its source.

use std::{collections::BTreeMap, fmt, marker::PhantomData, sync::LazyLock};

use cardiogram_sim::config::{LinkConfig, NatConfig};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        DeserializeOwned, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, StrDeserializer},
    },
};

/// A link or a NAT that goes by a name.
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

/// The link or NAT of that name, spelt out as a table of a scenario file.
pub fn text(name: &str) -> Option<String> {
    fn spelt<T: Serialize>(key: &str, network: &Network<T>) -> String {
        let table = toml::to_string(&BTreeMap::from([(key, &network.config)])).expect("a preset is plain data");
        format!("# {}\n# Source: {}\n{table}", network.about, network.source)
    }
    let Networks { link, nat } = networks();
    link.get(name)
        .map(|network| spelt("access", network))
        .or_else(|| nat.get(name).map(|network| spelt("nat", network)))
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

/// Reads what [`named`] does, or an array of it.
pub(crate) fn named_row<'de, T: Named, D: Deserializer<'de>>(input: D) -> Result<Vec<T>, D::Error> {
    /// An element.
    struct One<T>(T);
    impl<'de, T: Named> Deserialize<'de> for One<T> {
        fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
            named(input).map(One)
        }
    }
    struct Either<T>(PhantomData<T>);
    impl<'de, T: Named> Visitor<'de> for Either<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let kind = T::KIND;
            write!(f, "the name of {kind} (`cardiogram list networks` shows them), a table, or an array of these")
        }

        fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Vec<T>, E> {
            named(StrDeserializer::new(name)).map(|one| vec![one])
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map)).map(|one| vec![one])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut row: A) -> Result<Vec<T>, A::Error> {
            let mut found = Vec::new();
            while let Some(One(one)) = row.next_element()? {
                found.push(one);
            }
            Ok(found)
        }
    }
    input.deserialize_any(Either(PhantomData))
}

/// The schema of what [`named_row`] reads.
pub(crate) fn named_row_schema<T: Named>(generator: &mut SchemaGenerator) -> Schema {
    let one = named_schema::<T>(generator);
    json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
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
            assert_eq!(network.config.established.problem(), None, "{name}");
        }
    }

    #[test]
    fn a_preset_spelt_out_reads_back_as_itself() {
        #[derive(Deserialize)]
        struct Spelt {
            access: Option<LinkConfig>,
            nat: Option<NatConfig>,
        }
        for (name, network) in &networks().link {
            let spelt: Spelt = toml::from_str(&text(name).unwrap()).unwrap();
            assert_eq!(spelt.access.as_ref(), Some(&network.config), "{name}");
        }
        for (name, network) in &networks().nat {
            let spelt: Spelt = toml::from_str(&text(name).unwrap()).unwrap();
            assert_eq!(spelt.nat.as_ref(), Some(&network.config), "{name}");
        }
        assert_eq!(text("no-such-network"), None);
    }
}
