//! NATs and stateful firewalls as data: timers, what refreshes them, what follows the end of a mapping, and how much they
//! can hold. What they do with packets is in `nodes::nat`.

use std::fmt;

use cardiogram_policies::unit::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IntoDeserializer, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::config::distribution::Distribution;

/// A NAT or stateful firewall.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NatConfig {
    /// Idle time after which the mapping of an established connection is forgotten; drawn for each subscriber, as if
    /// each had a box of its own. Default 7440 s (RFC 5382 REQ-5).
    pub established: Distribution,
    /// Idle time after which the mapping of a connection that is opening or closing is forgotten. Default 240 s (RFC 5382
    /// REQ-5).
    pub transitory: Span,
    /// Idle time after which the mapping of a connection is forgotten that both ends have closed or someone has reset.
    /// Default: `transitory`.
    pub closing: Option<Span>,
    /// The most idle time of an established connection on which one packet was repeated three times without an answer
    /// (Linux: `nf_conntrack_tcp_timeout_max_retrans`, 300 s). Default: no such limit.
    pub unacknowledged: Option<Span>,
    /// Whether connections are followed as by Linux's conntrack: `unacknowledged` holds from the first byte on that is not
    /// acknowledged, either way, and a SYN on the ports of an established connection passes without a trace. Default false.
    pub conntrack: bool,
    /// How long a mapping lives, whatever passes; then it ends as an idle one does. At least 1 s. Default: for as long as
    /// something passes.
    pub max_age: Option<Span>,
    /// Which packets restart the idle time. Default `both`.
    pub refresh: NatRefresh,
    /// What happens to packets of a forgotten connection. Default `drop-silent`.
    pub after_expiry: AfterExpiry,
    /// How many mappings fit; one more pushes out the least recently used. Default: no limit.
    pub table: Option<u32>,
    /// The connections of other people through the same table. Default none.
    pub background: Option<Background>,
    /// How long an outside port is not given to another connection after its mapping has ended (RFC 6888 REQ-8: 120 s).
    /// Default: it is free at once.
    pub hold_down: Option<Span>,
    /// How many addresses it has on the outside. Each is that of a block of subscribers, whatever they connect to, and has
    /// 64,512 ports towards each server. 1 to 1,024. Default 1.
    pub outside_addresses: u32,
    /// How many outside ports a subscriber may have, those held down included; a SYN that would need another one is
    /// dropped. Carriers give 512 to 2048. Default: no limit.
    pub ports: Option<u32>,
}

impl Default for NatConfig {
    fn default() -> Self {
        Self {
            established: Distribution::Constant(Span::secs(7_440)),
            transitory: Span::secs(240),
            closing: None,
            unacknowledged: None,
            conntrack: false,
            max_age: None,
            refresh: NatRefresh::default(),
            after_expiry: AfterExpiry::default(),
            table: None,
            background: None,
            hold_down: None,
            outside_addresses: 1,
            ports: None,
        }
    }
}

/// Which packets keep a mapping alive: by their direction, and by whether they carry something. A packet that opens or ends
/// a connection carries as much as data does; keepalive probes and mere acknowledgements carry nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NatRefresh {
    /// Any packet of either direction (Linux conntrack, cloud load balancers).
    #[default]
    Both,
    /// Any packet from the inside (the minimum of RFC 4787 REQ-6).
    Outbound,
    /// Any packet from outside.
    Inbound,
    /// What carries something, in either direction (boxes that look for payload).
    DataOnly,
    /// What carries something from the inside.
    OutboundData,
    /// What carries something from outside.
    InboundData,
}

impl NatRefresh {
    /// All of them, in the order of the documentation.
    pub const ALL: &'static [Self] =
        &[Self::Both, Self::Outbound, Self::Inbound, Self::DataOnly, Self::OutboundData, Self::InboundData];

    /// Returns whether packets of this direction keep a mapping alive, or some of them.
    pub const fn counts(self, outbound: bool) -> bool {
        match self {
            Self::Both | Self::DataOnly => true,
            Self::Outbound | Self::OutboundData => outbound,
            Self::Inbound | Self::InboundData => !outbound,
        }
    }

    /// Returns whether only those do that carry something.
    pub const fn wants_data(self) -> bool {
        match self {
            Self::Both | Self::Outbound | Self::Inbound => false,
            Self::DataOnly | Self::OutboundData | Self::InboundData => true,
        }
    }
}

/// What a NAT does when the idle time of a mapping is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtExpiry {
    /// Forgets the mapping and tells nobody.
    Nothing,
    /// Sends RST to both ends.
    ResetBoth,
    /// Sends FIN to the inside.
    FinInside,
}

/// What a NAT does with a packet from the inside of a connection that it has forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromInside {
    /// The NAT drops it.
    Drop,
    /// The NAT drops it, and answers with RST.
    Reset,
    /// Makes a new mapping, on the port that the connection had if it is there.
    SamePort,
    /// Makes a new mapping on a random port.
    NewPort,
}

/// What a NAT does with a packet from outside of a connection that it has forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromOutside {
    /// The NAT drops it.
    Drop,
    /// The NAT drops it, and answers with RST.
    Reset,
}

/// Defines [`NatClass`] from a row a class: its words for the schema, its name, and its three choices.
macro_rules! nat_classes {
    ($($(#[$attribute:meta])* $class:ident: $at_expiry:ident, $from_inside:ident, $from_outside:ident;)*) => {
        /// What a NAT does with packets of a connection it has forgotten. A packet that opens a connection always makes a mapping.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum NatClass {
            $($(#[$attribute])* $class,)*
        }

        impl NatClass {
            /// Every class, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$class),*];

            /// Returns what happens when the idle time of a mapping is over.
            pub const fn at_expiry(self) -> AtExpiry {
                match self {
                    $(Self::$class => AtExpiry::$at_expiry,)*
                }
            }

            /// Returns what happens to a packet from the inside.
            pub const fn from_inside(self) -> FromInside {
                match self {
                    $(Self::$class => FromInside::$from_inside,)*
                }
            }

            /// Returns what happens to a packet from outside.
            pub const fn from_outside(self) -> FromOutside {
                match self {
                    $(Self::$class => FromOutside::$from_outside,)*
                }
            }
        }
    };
}

nat_classes! {
    /// Drops them without a word.
    #[default]
    DropSilent: Nothing, Drop, Drop;
    /// Answers the inside with RST, drops what comes from outside.
    RstInsideOnSend: Nothing, Reset, Drop;
    /// Sends RST to both ends when the idle time is over; drops what comes later.
    RstBothOnExpiry: ResetBoth, Drop, Drop;
    /// Answers whoever sends with RST.
    RstEitherOnSend: Nothing, Reset, Reset;
    /// A packet from the inside makes a new mapping on the same port; what comes from outside before is dropped.
    RemapSamePort: Nothing, SamePort, Drop;
    /// A packet from the inside makes a new mapping on the same port; what comes from outside before is answered with RST.
    RemapSamePortRstOutside: Nothing, SamePort, Reset;
    /// A packet from the inside makes a new mapping on another port; what comes from outside is dropped.
    RemapNewPort: Nothing, NewPort, Drop;
    /// Sends FIN to the inside when the idle time is over; drops what comes later.
    FinInside: FinInside, Drop, Drop;
    /// Drops what comes from the inside without a word, answers the outside with RST.
    RstOutsideOnSend: Nothing, Drop, Reset;
}

/// What follows the end of a mapping: one class for all subscribers, or a mix of classes of which each subscriber meets
/// one. In a file, a class is its name, and a mix a table: `{ mix = [{ weight = 0.75, class = "drop-silent" }, ...] }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AfterExpiry {
    /// One class for all subscribers.
    Always(NatClass),
    /// Drawn for each subscriber.
    Mix {
        /// The classes with their weights.
        mix: Vec<ClassShare>,
    },
}

/// A class of a mix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassShare {
    /// How often it is drawn, relative to the others; above 0.
    pub weight: f64,
    /// What the NAT does for the subscribers of this class.
    pub class: NatClass,
}

impl AfterExpiry {
    /// Returns the classes that a subscriber may meet.
    pub fn classes(&self) -> impl Iterator<Item = NatClass> + '_ {
        let (always, mix) = match self {
            Self::Always(class) => (Some(*class), &[][..]),
            Self::Mix { mix } => (None, &mix[..]),
        };
        always.into_iter().chain(mix.iter().map(|share| share.class))
    }
}

impl Default for AfterExpiry {
    fn default() -> Self {
        Self::Always(NatClass::default())
    }
}

impl From<NatClass> for AfterExpiry {
    fn from(class: NatClass) -> Self {
        Self::Always(class)
    }
}

/// The table form, for serde and for the schema.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Mix {
    /// The classes with their weights.
    mix: Vec<ClassShare>,
}

impl<'de> Deserialize<'de> for AfterExpiry {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = AfterExpiry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a class such as \"drop-silent\", or { mix = [{ weight = 0.5, class = \"drop-silent\" }, ...] }",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<AfterExpiry, E> {
                NatClass::deserialize(text.into_deserializer()).map(AfterExpiry::Always)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AfterExpiry, A::Error> {
                Mix::deserialize(MapAccessDeserializer::new(map)).map(|Mix { mix }| AfterExpiry::Mix { mix })
            }
        }
        input.deserialize_any(Either)
    }
}

impl JsonSchema for AfterExpiry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AfterExpiry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let class = generator.subschema_for::<NatClass>();
        let mix = generator.subschema_for::<Mix>();
        json_schema!({ "anyOf": [class, mix] })
    }
}

/// Other people's connections. They are not simulated packet by packet: each takes one place of the table when it begins,
/// and keeps it until it is pushed out. So a mapping that nothing refreshes lives for `table / flows_per_s` at most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Background {
    /// How many begin in a second, evenly spaced; above 0, at most 1,000,000.
    pub flows_per_s: f64,
}

impl Background {
    /// Returns the nanoseconds between two of them.
    pub(crate) fn gap_ns(self) -> u64 {
        ((1e9 / self.flows_per_s) as u64).max(1)
    }
}
