//! Links, radios, NATs, proxies and servers by name. A scenario file names one (`access = "lte-near"`) or spells its parameters out.
//!
//! The presets are data, in `networks.toml` and `servers.toml`, each with its source.

use std::{collections::BTreeMap, fmt, marker::PhantomData, sync::LazyLock};

use cardiogram_sim::config::{LinkConfig, NatConfig, ProxyConfig, RadioConfig, ServerConfig};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        DeserializeOwned, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, StrDeserializer},
    },
};

/// A link, a radio, a NAT, a proxy or a server that goes by a name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkPreset<T> {
    /// What it stands for.
    pub about: String,
    /// Where its numbers come from; the tags in brackets are those of `docs/model.md`.
    pub source: String,
    /// The parameters that it stands for.
    pub config: T,
}

/// Every link, radio, NAT and proxy that has a name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Networks {
    /// Links, by name.
    pub link: BTreeMap<String, NetworkPreset<LinkConfig>>,
    /// Radios, by name.
    pub radio: BTreeMap<String, NetworkPreset<RadioConfig>>,
    /// NATs and stateful firewalls, by name.
    pub nat: BTreeMap<String, NetworkPreset<NatConfig>>,
    /// Layer-7 proxies, by name.
    pub proxy: BTreeMap<String, NetworkPreset<ProxyConfig>>,
}

/// Returns the built-in presets.
pub fn networks() -> &'static Networks {
    static NETWORKS: LazyLock<Networks> =
        LazyLock::new(|| toml::from_str(include_str!("networks.toml")).expect("the built-in networks are valid"));
    &NETWORKS
}

/// Returns the built-in servers, by name.
pub fn servers() -> &'static BTreeMap<String, NetworkPreset<ServerConfig>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        server: BTreeMap<String, NetworkPreset<ServerConfig>>,
    }
    static SERVERS: LazyLock<File> =
        LazyLock::new(|| toml::from_str(include_str!("servers.toml")).expect("the built-in servers are valid"));
    &SERVERS.server
}

/// Returns what goes by that name, a link and its radio for example, spelt out as tables of a scenario file.
pub fn text(name: &str) -> Option<String> {
    fn spelt<T: Serialize>(key: &str, network: &NetworkPreset<T>) -> String {
        let table = toml::to_string(&BTreeMap::from([(key, &network.config)])).expect("a preset is plain data");
        format!("# {}\n# Source: {}\n{table}", network.about, network.source)
    }
    let Networks { link, radio, nat, proxy } = networks();
    let of_each = [
        link.get(name).map(|network| spelt("access", network)),
        radio.get(name).map(|network| spelt("radio", network)),
        nat.get(name).map(|network| spelt("nat", network)),
        proxy.get(name).map(|network| spelt("proxy", network)),
        servers().get(name).map(|network| spelt("server", network)),
    ];
    of_each.into_iter().flatten().reduce(|text, more| text + "\n" + &more)
}

/// Returns the table that a name stands for under a key of a scenario, `access` or `nat` for example; `None`: there is no such
/// name.
#[cfg(feature = "runner")]
pub(crate) fn table(key: &str, name: &str) -> Option<toml::Value> {
    fn of<T: Named + Serialize>(name: &str) -> Option<toml::Value> {
        let preset = T::presets().get(name)?;
        Some(toml::Value::try_from(&preset.config).expect("a preset is plain data"))
    }
    match key {
        "access" | "core" => of::<LinkConfig>(name),
        "radio" => of::<RadioConfig>(name),
        "nat" => of::<NatConfig>(name),
        "proxy" => of::<ProxyConfig>(name),
        "server" => of::<ServerConfig>(name),
        _ => None,
    }
}

/// What a scenario file can name instead of spelling it out.
pub(crate) trait Named: Clone + DeserializeOwned + JsonSchema + 'static {
    /// What messages call it.
    const KIND: &'static str;

    /// Returns the presets of this kind.
    fn presets() -> &'static BTreeMap<String, NetworkPreset<Self>>;
}

impl Named for LinkConfig {
    const KIND: &'static str = "a link";

    fn presets() -> &'static BTreeMap<String, NetworkPreset<Self>> {
        &networks().link
    }
}

impl Named for RadioConfig {
    const KIND: &'static str = "a radio";

    fn presets() -> &'static BTreeMap<String, NetworkPreset<Self>> {
        &networks().radio
    }
}

impl Named for NatConfig {
    const KIND: &'static str = "a NAT";

    fn presets() -> &'static BTreeMap<String, NetworkPreset<Self>> {
        &networks().nat
    }
}

impl Named for ProxyConfig {
    const KIND: &'static str = "a proxy";

    fn presets() -> &'static BTreeMap<String, NetworkPreset<Self>> {
        &networks().proxy
    }
}

impl Named for ServerConfig {
    const KIND: &'static str = "a server";

    fn presets() -> &'static BTreeMap<String, NetworkPreset<Self>> {
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

/// Reads what [`named`] does, for a key that may be left out.
pub(crate) fn named_option<'de, T: Named, D: Deserializer<'de>>(input: D) -> Result<Option<T>, D::Error> {
    named(input).map(Some)
}

/// Reads what [`named`] does, or an array of it.
pub(crate) fn named_row<'de, T: Named, D: Deserializer<'de>>(input: D) -> Result<Vec<T>, D::Error> {
    /// An element of the array.
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

/// Returns the schema of what [`named_row`] reads.
pub(crate) fn named_row_schema<T: Named>(generator: &mut SchemaGenerator) -> Schema {
    let one = named_schema::<T>(generator);
    json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
}

/// Returns the schema of what [`named`] reads.
pub(crate) fn named_schema<T: Named>(generator: &mut SchemaGenerator) -> Schema {
    let names: Vec<&String> = T::presets().keys().collect();
    let table = generator.subschema_for::<T>();
    json_schema!({ "anyOf": [{ "enum": names }, table] })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_preset_says_what_it_is_and_where_it_comes_from() {
        for (name, network) in &networks().link {
            assert!(!network.about.is_empty() && !network.source.is_empty(), "{name}");
            assert_eq!(network.config.delay.problem(), None, "{name}");
        }
        for (name, network) in &networks().radio {
            assert!(!network.about.is_empty() && !network.source.is_empty(), "{name}");
            assert_eq!(network.config.problems(), [], "{name}");
        }
        for (name, network) in &networks().nat {
            assert!(!network.about.is_empty() && !network.source.is_empty(), "{name}");
            assert_eq!(network.config.established.problem(), None, "{name}");
        }
    }

    /// Round trips through the link and `backbone`, over devices and packets: the median and the 95th percentile.
    fn round_trip_ms(link: &LinkConfig) -> (f64, f64) {
        // Evenly spread points in four dimensions (M. Roberts's sequence) instead of random ones: base, up, down, drift.
        let steps = [0.856_674_883_9, 0.733_891_856_6, 0.628_706_721_0, 0.538_597_257_2];
        let base = link.base_delay.as_ref().expect("these links have one");
        let mut trips: Vec<f64> = (1..=20_000)
            .map(|k| {
                let [own, up, down, now] = steps.map(|step| (f64::from(k) * step).fract().max(1e-9));
                // Both ways see nearly the same moment.
                let drift = link.drift.as_ref().map_or(Duration::ZERO, |drift| drift.delay.at(now));
                (2 * (base.at(own) + drift) + link.delay.at(up) + link.delay.at(down)).as_secs_f64()
            })
            .collect();
        trips.sort_by(f64::total_cmp);
        let backbone_ms = 10.0;
        (trips[10_000] * 1e3 + backbone_ms, trips[19_000] * 1e3 + backbone_ms)
    }

    #[test]
    fn links_to_devices_have_the_published_round_trips() {
        let published = [
            ("lte-near", 70.0, 127.0),
            ("lte-far", 70.0, 467.0),
            ("lte-walk", 70.0, 127.0),
            ("lte-drive", 70.0, 127.0),
            ("lte-train", 70.0, 127.0),
            ("cell-congested", 250.0, 932.0),
            ("nr-nsa", 35.0, 73.0),
            ("nr-sa", 28.0, 54.0),
            ("nr-mmwave", 35.0, 73.0),
            ("umts", 180.0, 753.0),
            ("edge", 650.0, 1_744.0),
            ("wifi", 18.0, 67.0),
            ("wifi-2011", 60.0, 338.0),
            ("wifi-edge", 18.0, 67.0),
            ("wifi-congested", 18.0, 67.0),
        ];
        for (name, p50, p95) in published {
            let (median, high) = round_trip_ms(&networks().link[name].config);
            assert!((median / p50 - 1.0).abs() < 0.03, "{name}: median {median} ms");
            assert!((high / p95 - 1.0).abs() < 0.04, "{name}: 95th percentile {high} ms");
        }
        assert_eq!(networks().link.len(), published.len() + 1, "all but `backbone`");
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
    fn every_proxy_can_run_and_says_where_it_comes_from() {
        let healthy = crate::load::scenario("healthy").unwrap().value;
        for (name, proxy) in &networks().proxy {
            assert!(!proxy.about.is_empty() && !proxy.source.is_empty(), "{name}");
            let scenario = crate::Scenario { proxy: Some(proxy.config.clone()), ..healthy.clone() };
            assert_eq!(scenario.problems(), Vec::new(), "{name}");
        }
    }

    #[test]
    fn a_preset_spelt_out_reads_back_as_itself() {
        #[derive(Deserialize)]
        struct Spelt {
            access: Option<LinkConfig>,
            radio: Option<RadioConfig>,
            nat: Option<NatConfig>,
            proxy: Option<ProxyConfig>,
            server: Option<ServerConfig>,
        }
        for (name, network) in &networks().link {
            let spelt: Spelt = toml::from_str(&text(name).unwrap()).unwrap();
            assert_eq!(spelt.access.as_ref(), Some(&network.config), "{name}");
        }
        for (name, network) in &networks().radio {
            let spelt: Spelt = toml::from_str(&text(name).unwrap()).unwrap();
            assert_eq!(spelt.radio.as_ref(), Some(&network.config), "{name}");
        }
        for (name, network) in &networks().nat {
            let spelt: Spelt = toml::from_str(&text(name).unwrap()).unwrap();
            assert_eq!(spelt.nat.as_ref(), Some(&network.config), "{name}");
        }
        for (name, network) in &networks().proxy {
            let spelt: Spelt = toml::from_str(&text(name).unwrap()).unwrap();
            assert_eq!(spelt.proxy.as_ref(), Some(&network.config), "{name}");
        }
        for (name, server) in servers() {
            let spelt: Spelt = toml::from_str(&text(name).unwrap()).unwrap();
            assert_eq!(spelt.server.as_ref(), Some(&server.config), "{name}");
        }
        assert_eq!(text("no-such-network"), None);
    }
}
