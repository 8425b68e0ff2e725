//! The servers. What a server does with all this is in `nodes::server`.

use std::{fmt, time::Duration};

use cardiogram_policies::{
    heartbeat::TcpKeepalive,
    unit::{Delay, Span, parse_duration},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{BalancerConfig, Distribution, OnWaking, TcpSettings};

/// The servers, all equal. A process works on one piece of work a core at a time, first come, first served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// How many. Default 1, at most 16.
    pub count: u32,
    /// Pieces of work that a process does at the same time; frames of one connection are worked on one after the other.
    /// Default 1, at most 256.
    pub cores: u32,
    /// The TCP of their kernel: a system's name or a table. Default `linux-new`.
    pub tcp: TcpSettings,
    /// What the process asks the kernel to probe its connections with. Default: off, as `SO_KEEPALIVE` is.
    pub keepalive: Option<TcpKeepalive>,
    /// The listen backlog: one more connection than this waits to be accepted; later SYNs are dropped. Default 4096.
    pub backlog: u32,
    /// Whether a client whose handshake ends at a full backlog is told so with RST (`tcp_abort_on_overflow`). Default false:
    /// it is left to try again.
    pub abort_on_overflow: bool,
    /// How many handshakes may be open (`tcp_max_syn_backlog`). Default 4096.
    pub syn_backlog: u32,
    /// Whether handshakes beyond that go on without being remembered (`tcp_syncookies`): their SYN-ACK is sent once. Default
    /// true; false drops the SYN.
    pub syncookies: bool,
    /// TLS, between the client's hello and the welcome. Default: none.
    pub login: Option<Login>,
    /// The most clients that can be welcomed in a second: the service that checks their credentials has a queue of its own,
    /// which takes no core and knows no overload. At most 100,000. Default: no limit.
    pub logins_per_s: Option<u32>,
    /// The application's work for a new connection, up to the welcome (after the login, where there is one). Default 0.
    pub accept_cost: Cost,
    /// Its work for a heartbeat. Default 0.
    pub heartbeat_cost: Cost,
    /// Its work for any other frame. Default 0.
    pub message_cost: Cost,
    /// Whether the process looks if the client has closed the connection before it begins a piece of work, and spares
    /// itself the work then. Default false: the work is done in vain, so that goodput can collapse.
    pub drop_dead_work: bool,
    /// What becomes of a client whose device has a session here. Default `replaces`.
    pub second_session: SecondSession,
    /// What becomes of pushes that a device has not acknowledged when its session ends. Default `retry`.
    pub undelivered: Undelivered,
    /// What the process does first when it goes on after a `server-stall` or a pause. Default `input-first`.
    pub on_waking: OnWaking,
    /// Pauses that are part of the server: its garbage collector. Default: none.
    pub pauses: Option<Pauses>,
    /// A process that stands still for this time is killed and restarted, which takes 2 s (A); that ends the stall or pause.
    /// Default: it is left alone.
    pub watchdog: Option<Span>,
    /// How old a session may become. Default: as old as it likes.
    pub max_age: Option<MaxAge>,
    /// What stands in front of the servers. Default: nothing, so that clients know each server by its address.
    pub balancer: Option<BalancerConfig>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            count: 1,
            cores: 1,
            tcp: TcpSettings::default(),
            keepalive: None,
            backlog: 4_096,
            abort_on_overflow: false,
            syn_backlog: 4_096,
            syncookies: true,
            login: None,
            logins_per_s: None,
            accept_cost: Cost::ZERO,
            heartbeat_cost: Cost::ZERO,
            message_cost: Cost::ZERO,
            drop_dead_work: false,
            second_session: SecondSession::default(),
            undelivered: Undelivered::default(),
            on_waking: OnWaking::default(),
            pauses: None,
            watchdog: None,
            max_age: None,
            balancer: None,
        }
    }
}

/// What connecting costs beyond TCP and the hello: round trips, bytes and the server's time. The defaults are a full TLS 1.3
/// handshake and the login behind it (A), on the certificate of an elliptic curve (2,000 handshakes a second and core:
/// nginx, "Testing the Performance of NGINX and NGINX Plus Web Servers", update of 2016).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Login {
    /// Exchanges after the hello, each a frame of the server's and the client's answer. Default 2, at most 8.
    pub round_trips: u8,
    /// Bytes from the client, over all of them. Default 600; at least 4 and at most 16384 for each.
    pub bytes_up: u32,
    /// Bytes from the server, over all of them. Default 3500; at least 6 and at most 16384 for each.
    pub bytes_down: u32,
    /// The server's work on the hello; `accept_cost` comes at the end of the login. Default 500 us.
    pub cpu: Cost,
}

impl Default for Login {
    fn default() -> Self {
        let cpu = Cost::constant(Duration::from_micros(500));
        Self { round_trips: 2, bytes_up: 600, bytes_down: 3_500, cpu }
    }
}

impl Login {
    /// Returns the part of `bytes` that belongs to round trip `step`: an equal share, what does not divide first.
    pub(crate) fn share(&self, bytes: u32, step: u8) -> u16 {
        let (each, over) = (bytes / u32::from(self.round_trips), bytes % u32::from(self.round_trips));
        let share = each + u32::from(u32::from(step) < over);
        u16::try_from(share).expect("checked before the run: a frame of a login is at most 16 KiB")
    }
}

/// What becomes of pushes that were not acknowledged in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Undelivered {
    /// They are kept, and sent on the device's next session.
    #[default]
    Retry,
    /// They are forgotten, and so is what is created while the device has no session.
    Lost,
}

/// What becomes of a client whose device has a session already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SecondSession {
    /// It is welcomed, and the older session is closed: the newest wins.
    #[default]
    Replaces,
    /// It is refused until the older session has ended (exclusive queues of `RabbitMQ`, agents of Jenkins).
    Refused,
}

/// Stops of the whole process that come again and again. Its kernel goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pauses {
    /// Mean time from the end of one to the begin of the next (Poisson).
    pub every: Span,
    /// How long one lasts.
    pub lasts: Distribution,
}

/// The greatest age of sessions: gRPC's `MAX_CONNECTION_AGE` with its grace, the end of a watch of Kubernetes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaxAge {
    /// From the welcome on, drawn for each session; at least 1 s. What is drawn from a range keeps those who came together
    /// from going together (gRPC: 10 % more or less).
    pub age: Distribution,
    /// From then on until the server closes the session. It says goodbye at its begin, and the client opens the next
    /// connection beside this one. Default 0: the server closes it without a word.
    #[serde(default)]
    pub grace: Delay,
}

/// Work for the process, as time on one core: a [`Distribution`], or nothing at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost(Option<Distribution>);

impl Cost {
    /// The cost of work that takes no time.
    pub const ZERO: Self = Self(None);

    /// Always the same. Panics where `work` is longer than ten years or finer than a microsecond.
    pub fn constant(work: Duration) -> Self {
        let span = |work| Span::new(work).expect("a cost is a number of microseconds");
        Self((!work.is_zero()).then(|| Distribution::Constant(span(work))))
    }

    /// Returns the work at `u`, a number in (0, 1).
    pub fn at(&self, u: f64) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, |drawn| drawn.at(u))
    }

    /// Returns the most work that is to be expected.
    pub fn practical_max(&self) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, Distribution::practical_max)
    }

    /// Returns what contradicts itself: the key below this one, what is wrong, what to write.
    pub fn problem(&self) -> Option<(String, String, String)> {
        self.0.as_ref().and_then(Distribution::problem)
    }
}

impl From<Distribution> for Cost {
    fn from(drawn: Distribution) -> Self {
        Self(Some(drawn))
    }
}

impl From<Delay> for Cost {
    fn from(work: Delay) -> Self {
        Self::constant(work.get())
    }
}

impl Serialize for Cost {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            None => Delay::ZERO.serialize(output),
            // As people write it, rather than as a table.
            Some(Distribution::Constant(span)) => span.serialize(output),
            Some(drawn) => drawn.serialize(output),
        }
    }
}

impl<'de> Deserialize<'de> for Cost {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Cost;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"500us\", or a table such as { exponential = { mean = \"2ms\" } }")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Cost, E> {
                parse_duration(text).map(Cost::constant).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Cost, A::Error> {
                Distribution::deserialize(MapAccessDeserializer::new(map)).map(Cost::from)
            }
        }
        input.deserialize_any(Either)
    }
}

impl JsonSchema for Cost {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cost".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let delay = generator.subschema_for::<Delay>();
        let drawn = generator.subschema_for::<Distribution>();
        json_schema!({ "anyOf": [delay, drawn] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_a_duration_that_may_be_zero_or_a_distribution() {
        let read = |text: &str| toml::from_str::<ServerConfig>(text).map(|config| config.heartbeat_cost);
        assert_eq!(read("heartbeat_cost = \"0s\"").unwrap(), Cost::ZERO);
        assert_eq!(read("heartbeat_cost = \"2ms\"").unwrap().at(0.3), Duration::from_millis(2));
        let drawn = read("heartbeat_cost.exponential.mean = \"2ms\"").unwrap();
        assert!(drawn.at(0.1) < drawn.at(0.9));
        assert!(read("heartbeat_cost = 3").unwrap_err().message().contains("a duration"));
    }

    #[test]
    fn a_server_reads_back_as_it_was_written() {
        let server = ServerConfig {
            login: Some(Login::default()),
            logins_per_s: Some(500),
            message_cost: Distribution::Uniform(super::super::Uniform { min: Span::millis(1), max: Span::millis(2) })
                .into(),
            pauses: Some(Pauses { every: Span::secs(600), lasts: Distribution::Constant(Span::secs(5)) }),
            ..ServerConfig::default()
        };
        let text = toml::to_string(&server).unwrap();
        assert_eq!(toml::from_str::<ServerConfig>(&text).unwrap(), server, "{text}");
    }
}
