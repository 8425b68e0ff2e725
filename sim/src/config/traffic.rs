//! What the application has to say, when, and how long it waits for an answer.

use std::{fmt, time::Duration};

use cardiogram_policies::unit::{Delay, Span};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{IntoDeserializer, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{TrafficDirection, TrafficTrace};

/// What the application has to say. The moments are a function of seed and device, the same for every strategy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrafficConfig {
    /// When a device has a message: the mean time between two (Poisson), or a pattern. Default: it sends none.
    pub up: Option<Arrivals>,
    /// When there is a message for a device, a push: the mean time between two (Poisson), or a pattern. Default: never.
    pub down: Option<Arrivals>,
    /// A recorded trace that every device plays from its start on, in place of `up` and `down`: in a file the name of a CSV file.
    /// Default: none.
    pub trace: Option<TrafficTrace>,
    /// How long a device waits for the answer to a message of its own, and what it does then. Default: it waits for ever.
    pub deadline: Option<Deadline>,
}

/// When messages are created, for each device from its start on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// At random moments, this far apart on average: exponential gaps.
    Poisson(Span),
    /// At fixed times.
    Periodic(Periodic),
    /// Several together.
    Bursts(Bursts),
    /// At random moments, by day more than by night.
    Daily(Daily),
}

/// One in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Periodic {
    /// The period. The first message comes when the first one is over.
    pub every: Span,
    /// Each is late by a random part of this; less than `every`. Default 0.
    #[serde(default)]
    pub jitter: Delay,
}

/// Bursts at random moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bursts {
    /// Mean time from the last message of a burst to the first one of the next (exponential).
    pub every: Span,
    /// How many messages a burst has: 2 to 10,000.
    pub count: u32,
    /// From one message of a burst to the next. Default 100 ms, which is the least.
    #[serde(default = "Bursts::gap_default")]
    pub gap: Span,
}

impl Bursts {
    const fn gap_default() -> Span {
        Span::millis(100)
    }
}

/// Day and night. The run begins at midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Daily {
    /// Mean time between two messages by day (exponential).
    pub day: Span,
    /// The same by night. Default: there are none.
    #[serde(default)]
    pub night: Option<Span>,
    /// When the day begins. Default 8 h.
    #[serde(default = "Daily::from_default")]
    pub from: Delay,
    /// When it ends, later than that and at most 24 h. Default 22 h.
    #[serde(default = "Daily::to_default")]
    pub to: Delay,
}

impl Daily {
    /// The length of a day with its night.
    pub(crate) const LENGTH: Duration = Duration::from_hours(24);

    const fn from_default() -> Delay {
        Delay::millis(8 * 3_600_000)
    }

    const fn to_default() -> Delay {
        Delay::millis(22 * 3_600_000)
    }
}

impl Arrivals {
    /// Returns the shortest time between two messages that is written there: a mean, or what is fixed.
    pub(crate) fn shortest(&self) -> Span {
        match *self {
            Self::Poisson(mean) => mean,
            Self::Periodic(it) => it.every,
            Self::Bursts(it) => it.gap.min(it.every),
            Self::Daily(it) => it.night.map_or(it.day, |night| night.min(it.day)),
        }
    }

    /// Returns the time between two messages, on average over a time in which there are most.
    pub(crate) fn mean(&self) -> Duration {
        match *self {
            Self::Poisson(mean) => mean.get(),
            Self::Periodic(it) => it.every.get(),
            Self::Bursts(it) => (it.every.get() + it.gap.get() * it.count.saturating_sub(1)) / it.count.max(1),
            Self::Daily(it) => it.night.map_or(it.day, |night| night.min(it.day)).get(),
        }
    }

    /// Returns what contradicts itself: the key below this one, what is wrong, what to write.
    pub(crate) fn problem(&self) -> Option<(&'static str, String, &'static str)> {
        match *self {
            Self::Poisson(_) => None,
            Self::Periodic(it) => (it.jitter.get() >= it.every.get()).then(|| {
                let message = format!("a message late by {} would come after the next, {} later", it.jitter, it.every);
                (".periodic.jitter", message, "use less than `every`")
            }),
            Self::Bursts(it) => (!(2..=10_000).contains(&it.count)).then(|| {
                (
                    ".bursts.count",
                    format!("a burst of {} messages", it.count),
                    "use 2 to 10000, or a span for single messages",
                )
            }),
            Self::Daily(it) => (it.from >= it.to || it.to.get() > Daily::LENGTH).then(|| {
                let message = format!("a day from {} to {}", it.from, it.to);
                (".daily.to", message, "let `to` be later than `from`, and at most \"24h\"")
            }),
        }
    }
}

impl From<Span> for Arrivals {
    fn from(mean: Span) -> Self {
        Self::Poisson(mean)
    }
}

/// A pattern as a file has it.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Pattern {
    /// At fixed times.
    Periodic(Periodic),
    /// Several together.
    Bursts(Bursts),
    /// At random moments, by day more than by night.
    Daily(Daily),
}

impl Serialize for Arrivals {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Poisson(mean) => mean.serialize(output),
            Self::Periodic(it) => Pattern::Periodic(it).serialize(output),
            Self::Bursts(it) => Pattern::Bursts(it).serialize(output),
            Self::Daily(it) => Pattern::Daily(it).serialize(output),
        }
    }
}

impl<'de> Deserialize<'de> for Arrivals {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Arrivals;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a duration longer than zero such as \"10m\", or a table such as { periodic = { every = \"6m\" } }",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Arrivals, E> {
                Span::deserialize(text.into_deserializer()).map(Arrivals::Poisson)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Arrivals, A::Error> {
                Ok(match Pattern::deserialize(MapAccessDeserializer::new(map))? {
                    Pattern::Periodic(it) => Arrivals::Periodic(it),
                    Pattern::Bursts(it) => Arrivals::Bursts(it),
                    Pattern::Daily(it) => Arrivals::Daily(it),
                })
            }
        }
        input.deserialize_any(Either)
    }
}

impl JsonSchema for Arrivals {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Arrivals".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mean = generator.subschema_for::<Span>();
        let pattern = generator.subschema_for::<Pattern>();
        json_schema!({ "anyOf": [mean, pattern] })
    }
}

/// The deadline of a message: a request that is not answered in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// How long the answer may take. At least 100 ms.
    pub after: Span,
    /// What the client does when it has not come. Default `fail`.
    #[serde(default)]
    pub then: OnDeadline,
}

/// What a client does about a message whose deadline has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnDeadline {
    /// It tells its caller so, and forgets the message. The time counts from the message's creation; the connection stays
    /// as it is (Lettuce's and StackExchange.Redis' command timeouts).
    #[default]
    Fail,
    /// It closes the connection, and sends the message again on the next one. The time counts from the moment at which the
    /// message was sent on the connection (a socket's read timeout, as of Jedis and redis-py).
    Retry,
}

impl TrafficConfig {
    /// Returns whether devices send anything.
    pub fn has_up(&self) -> bool {
        self.up.is_some() || self.trace.as_ref().is_some_and(|trace| trace.has(TrafficDirection::Up))
    }

    /// Returns whether there is anything to send to devices.
    pub fn has_down(&self) -> bool {
        self.down.is_some() || self.trace.as_ref().is_some_and(|trace| trace.has(TrafficDirection::Down))
    }

    /// Returns how soon a device leaves a session whose server does not answer a message, where it does.
    pub fn leaves_after(&self) -> Option<Span> {
        self.deadline.filter(|deadline| deadline.then == OnDeadline::Retry).map(|deadline| deadline.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_are_a_span_or_a_pattern_and_read_back_as_they_were_written() {
        let read = |text: &str| toml::from_str::<TrafficConfig>(text);
        for (text, up) in [
            ("up = \"6m\"", Arrivals::Poisson(Span::secs(360))),
            (
                "up.periodic.every = \"6m\"",
                Arrivals::Periodic(Periodic { every: Span::secs(360), jitter: Delay::ZERO }),
            ),
            (
                "up.bursts = { every = \"1h\", count = 5 }",
                Arrivals::Bursts(Bursts { every: Span::secs(3_600), count: 5, gap: Span::millis(100) }),
            ),
            (
                "up.daily.day = \"5m\"",
                Arrivals::Daily(Daily {
                    day: Span::secs(300),
                    night: None,
                    from: Daily::from_default(),
                    to: Daily::to_default(),
                }),
            ),
        ] {
            let traffic = read(text).unwrap();
            assert_eq!(traffic.up, Some(up), "{text}");
            let written = toml::to_string(&traffic).unwrap();
            assert_eq!(read(&written).unwrap(), traffic, "{written}");
        }
        for wrong in ["up = 30", "up.yearly.every = \"6m\"", "up = \"0s\""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
