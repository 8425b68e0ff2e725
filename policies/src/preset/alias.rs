//! Names that presets had, and what they name today.

/// A name that presets had and that still names what has taken their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The old name.
    pub name: &'static str,
    /// The preset that it names now.
    pub now: &'static str,
    /// Why it has another name, in a sentence.
    pub why: &'static str,
}

/// Returns what goes by that name today.
pub fn name_today(name: &str) -> &str {
    alias(name).map_or(name, |alias| alias.now)
}

/// Returns what has become of an old name; `None` where it is none.
pub fn alias(name: &str) -> Option<&'static Alias> {
    aliases().iter().find(|alias| alias.name == name)
}

/// Returns all old names.
pub const fn aliases() -> &'static [Alias] {
    ALIASES
}

#[cfg(not(feature = "presets"))]
const ALIASES: &[Alias] = &[];

#[cfg(feature = "presets")]
const ALIASES: &[Alias] = &[
    Alias {
        name: "oracle",
        now: "known-nat-timeout",
        why: "It knows the NATs' timeouts and the round trip and nothing else, and can be beaten. Files may still call the \
              heartbeat so.",
    },
    Alias {
        name: "actioncable-3-6",
        now: "actioncable-6",
        why: "Rails 7.0 has another algorithm, which is actioncable-7; this one is that of releases up to 6.1.",
    },
    Alias {
        name: "grpc-keepalive",
        now: "grpc-core-1.85",
        why: "Implementations and releases of gRPC differ: see grpc-core-1.62, grpc-js and grpc-tonic.",
    },
    Alias {
        name: "discord-gateway",
        now: "discord-js",
        why: "Discord's clients differ in their first heartbeat, in what they take for death and in how they come back: see \
              discord-py.",
    },
    Alias {
        name: "redis-py",
        now: "redis-py-8",
        why: "Release 8 retries ten times within seconds and keeps its connections alive; redis-py-6 is that of 6 and 7.",
    },
    Alias {
        name: "rabbitmq-amqp",
        now: "rabbitmq-java",
        why: "No client of RabbitMQ is dead after just one heartbeat's interval, as that preset had it, and they differ among \
              each other: see pika, amqplib and aio-pika.",
    },
];
