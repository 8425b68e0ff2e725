//! What products were seen to do, as data: one file a product under `measured/` (feature `presets`).
//!
//! A measurement says what was done to a product and what it did, and which presets are to do the same. A test program
//! plays every one of them against its presets (`tests/measured.rs`), so that a preset that is said to be measured is
//! held to it. What this is not: advice, or an opinion on a product.

use serde::Deserialize;

use crate::{
    preset::Preset,
    unit::{Delay, Span},
};

/// A product that was run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Product {
    /// Its name, as its package registry or its authors have it.
    pub product: String,
    /// The version that was run.
    pub version: String,
    /// How it was run and observed.
    pub how: String,
    /// Not the product was run but a transliteration of its source: presets are held to that, and what is known of them is
    /// still *read*. Default false.
    #[serde(default)]
    pub transliterated: bool,
    /// When, as a year and a month.
    pub date: String,
    /// What was seen.
    #[serde(rename = "measurement")]
    pub measurements: Vec<Measurement>,
}

/// Something that was done to a product, and what it did.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Measurement {
    /// The presets that are to do the same.
    pub presets: Vec<String>,
    /// What was done and what was seen, in a sentence.
    pub what: String,
    /// Why the presets do not do the same. Left out, they do.
    #[serde(default)]
    pub differs: Option<String>,
    /// How far the preset's times may be from the measured ones: the measurement's own error. Default 100 ms.
    #[serde(default = "within")]
    pub within: Span,
    /// Parameters of the run, in place of the preset's.
    #[serde(default)]
    pub with: toml::Table,
    /// What the client's heartbeat did.
    #[serde(default)]
    pub heartbeat: Option<OfHeartbeat>,
    /// What the client did without a connection.
    #[serde(default)]
    pub reconnect: Option<OfReconnect>,
    /// How the client's search for an interval went.
    #[serde(default)]
    pub search: Option<OfSearch>,
    /// What the client's kernel did by itself, under options that `with` sets.
    #[serde(default)]
    pub kernel: Option<OfKernel>,
    /// What the server did.
    #[serde(default)]
    pub server: Option<OfServer>,
    /// After what time an attempt was abandoned.
    #[serde(default)]
    pub connect_timeout: Option<Seen>,
}

fn within() -> Span {
    Span::millis(100)
}

/// A time that was seen, or the range of many.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Seen {
    /// Each time the same.
    Exactly(Delay),
    /// Drawn.
    Between(Drawn),
}

/// The range of a time that a product draws.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Drawn {
    /// The shortest.
    pub least: Delay,
    /// The longest.
    pub most: Delay,
    /// The mean, where it was told.
    #[serde(default)]
    pub mean: Option<Delay>,
    /// The share of those that are the longest exactly, where it was told.
    #[serde(default)]
    pub at_most: Option<f64>,
}

/// What comes at regular times: at `every`, twice `every`, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Every {
    /// From one to the next, and before the first.
    pub every: Span,
    /// There are none after this. Default: without end.
    #[serde(default)]
    pub until: Option<Delay>,
}

/// A connection that is established at 0, and what a client's heartbeat does on it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct OfHeartbeat {
    /// The round trip of a beat and its reply. Default 0.
    pub rtt: Delay,
    /// Beats sent after this have no reply. Default: all have one.
    pub replies_until: Option<Delay>,
    /// When something else arrives.
    pub received: Vec<Delay>,
    /// The same, regularly.
    pub received_every: Option<Every>,
    /// When the peer's pings arrive.
    pub pings_every: Option<Every>,
    /// When the peer's application acknowledges something.
    pub acknowledged_every: Option<Every>,
    /// When the application sends.
    pub sent_every: Option<Every>,
    /// From here on the peer's kernel answers nothing either. Default: it acknowledges what it gets.
    pub path_dead_from: Option<Delay>,
    /// How long it was watched.
    pub until: Delay,
    /// When its beats were sent, all of them. Default: not told.
    pub beats: Option<Vec<Seen>>,
    /// When the connection was given up. Default: it was not, for as long as it was watched.
    pub dead: Option<Seen>,
}

/// A client without a connection.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct OfReconnect {
    /// How many servers it knows. Default 1.
    pub servers: Option<u32>,
    /// It has just lost a connection that was this old. Default: its very first attempt has failed.
    pub lost_after: Option<Delay>,
    /// It gave that connection up itself. Default: the server closed it.
    pub given_up: bool,
    /// How long an attempt takes to fail. Default 0.
    pub attempt: Delay,
    /// Every attempt makes a connection, which is closed at once. Default: it fails.
    pub accepted: bool,
    /// The wait before each attempt, from the end of the one before. Empty: not told.
    pub waits: Vec<Seen>,
    /// No attempt was answered, the very first one included: how long each that followed a wait took until it was abandoned.
    pub hangs: Vec<Seen>,
    /// There was no attempt after these.
    pub stops: bool,
}

/// A client behind a NAT that forgets, connected at 0 and again a second after each end of its connection.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OfSearch {
    /// How long the NAT keeps an idle mapping.
    pub nat: Span,
    /// How long it was watched.
    pub until: Span,
    /// The gaps before its beats on connections of their own, all of them. Empty: not told.
    #[serde(default)]
    pub probes: Vec<Seen>,
    /// The gap between its session's beats at the end. Default: not told.
    #[serde(default)]
    pub settles: Option<Seen>,
}

/// A connection whose peer falls silent, and the application does nothing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OfKernel {
    /// How long after the last packet the kernel ended it.
    pub dead: Seen,
}

/// A session that is opened at 0, and what a server does with it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct OfServer {
    /// The interval that the client announces. Default: none.
    pub announced: Option<Span>,
    /// When something of the client's arrives.
    pub received: Vec<Delay>,
    /// Whether the client answers pings at once. Default false.
    pub pongs: bool,
    /// How long it was watched.
    pub until: Delay,
    /// When the server pinged, all times. Default: not told.
    pub pings: Option<Vec<Seen>>,
    /// When it closed the session. Default: it did not, for as long as it was watched.
    pub closed: Option<Seen>,
}

impl Measurement {
    /// Returns which policies of a preset it is about, in words.
    pub fn parts(&self) -> Vec<&'static str> {
        let parts = [
            (self.heartbeat.is_some(), "heartbeat"),
            (self.search.is_some(), "search"),
            (self.kernel.is_some(), "kernel"),
            (self.reconnect.is_some(), "reconnect"),
            (self.server.is_some(), "server"),
            (self.connect_timeout.is_some(), "connect timeout"),
        ];
        parts.into_iter().filter(|(is_told, _)| *is_told).map(|(_, part)| part).collect()
    }
}

/// Returns every product, in the order of the names of their files.
pub fn all() -> Vec<Product> {
    FILES
        .iter()
        .map(|(name, text)| toml::from_str(text).unwrap_or_else(|error| panic!("measured/{name}.toml: {error}")))
        .collect()
}

/// Returns what was measured of a preset's product, in a few words for each product: its name, its version and the policies
/// that were seen. Empty where nothing was.
pub fn of(preset: &Preset) -> Vec<String> {
    let mut told = Vec::new();
    for product in all() {
        let mut parts: Vec<&str> = Vec::new();
        for measurement in product.measurements.iter().filter(|it| it.presets.iter().any(|name| name == preset.name)) {
            parts.extend(measurement.parts().into_iter().filter(|part| !parts.contains(part)).collect::<Vec<_>>());
        }
        if !parts.is_empty() {
            let how = if product.transliterated { ", transliterated" } else { "" };
            told.push(format!("{} {} ({}{how})", product.product, product.version, parts.join(", ")));
        }
    }
    told
}

/// Returns what a preset does not do as its product does: of each measurement the product with its version, what was seen, and
/// why the preset differs.
pub fn differences(preset: &Preset) -> Vec<(String, String, String)> {
    let mut told = Vec::new();
    for product in all() {
        for it in &product.measurements {
            if let Some(why) = it.differs.as_ref().filter(|_| it.presets.iter().any(|name| name == preset.name)) {
                told.push((format!("{} {}", product.product, product.version), it.what.clone(), why.clone()));
            }
        }
    }
    told
}

#[cfg(not(feature = "presets"))]
const FILES: &[(&str, &str)] = &[];

#[cfg(feature = "presets")]
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../measured/", $name, ".toml")))),*]
    };
}

#[cfg(feature = "presets")]
const FILES: &[(&str, &str)] = files![
    "actioncable-6.1.7",
    "actioncable-8.1.4",
    "aedes",
    "aiormq",
    "amqplib",
    "azure-web-pubsub",
    "backoff-crate",
    "backon",
    "centrifuge-js",
    "chromium-backoff",
    "courier-android",
    "discord-py",
    "discord-ws",
    "engineio",
    "eventsource",
    "graphql-ws",
    "grpc-js",
    "grpcio-1.62.2",
    "grpcio-1.85.3",
    "ioredis-5",
    "ioredis-6",
    "kafka-java",
    "kafkajs",
    "kazoo",
    "lightstreamer",
    "linux-6.18",
    "mars",
    "mosquitto",
    "mqttjs",
    "nats-go",
    "nats-js",
    "nats-py",
    "nats-server",
    "netty",
    "node-redis",
    "okhttp",
    "openssh",
    "paho-java",
    "paho-python",
    "partysocket",
    "phi-akka",
    "phoenix",
    "pika",
    "pusher-js",
    "python-socketio",
    "rabbitmq-java",
    "rabbitmq-server",
    "redis-py-8",
    "rumqttc",
    "rumqttc-next",
    "rws-pladaria",
    "signalr",
    "stompjs",
    "supabase-realtime",
    "tokio-retry",
    "tonic",
    "websockets-python",
    "zookeeper-java",
];

#[cfg(all(test, feature = "presets"))]
mod tests {
    use super::*;
    use crate::{preset, strategy::Evidence};

    #[test]
    fn every_file_of_measurements_is_listed_once() {
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/measured")).unwrap();
        let mut files: Vec<String> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap().strip_suffix(".toml").unwrap().to_owned())
            .collect();
        files.sort_unstable();
        let listed: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(listed, files);
    }

    #[test]
    fn every_measurement_is_of_one_policy_of_presets_that_there_are() {
        for product in all() {
            assert!(!product.how.is_empty() && !product.date.is_empty() && !product.measurements.is_empty());
            for it in &product.measurements {
                assert_eq!(it.parts().len(), 1, "{}: {}", product.product, it.what);
                assert!(!it.presets.is_empty(), "{}: {}", product.product, it.what);
                for name in &it.presets {
                    assert_eq!(preset::find(name).map(|preset| preset.name), Some(name.as_str()), "{}", it.what);
                }
            }
        }
    }

    #[test]
    fn a_preset_is_said_to_be_measured_where_it_is() {
        for preset in preset::all() {
            let is_measured = preset.spec().evidence == Some(Evidence::Measured);
            let was_run = all()
                .into_iter()
                .filter(|product| !product.transliterated)
                .any(|product| product.measurements.iter().any(|it| it.presets.iter().any(|name| name == preset.name)));
            assert_eq!(is_measured, was_run, "{}", preset.name);
        }
    }
}
