//! The TCP of a host's kernel, as a scenario says it: an operating system's name, or a table with what was changed there.
//! What the kernel makes of it is in `wire::tcp`.

use std::{fmt, time::Duration};

use schemars::{JsonSchema, Schema, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{
        Error, MapAccess, Visitor,
        value::{MapAccessDeserializer, StrDeserializer},
    },
};

/// The operating system whose TCP timers a host has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TcpStack {
    /// Linux 6.5 and later: SYN retries start with four linear steps.
    #[default]
    LinuxNew,
    /// Linux before 6.5: SYN retries double from the start.
    LinuxOld,
    /// Darwin (macOS, iOS): a connect ends after 75 s; data is given up at the thirteenth timeout, each at most 64 s.
    Darwin,
    /// Windows: four SYN retries; data is given up at the sixth timeout; the timeout is at least 300 ms.
    Windows,
}

impl TcpStack {
    /// Returns whether the sysctls of Linux mean something there.
    pub fn is_linux(self) -> bool {
        matches!(self, Self::LinuxNew | Self::LinuxOld)
    }
}

/// When the timers of a kernel fire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TcpTimers {
    /// Exactly when they are due.
    #[default]
    Ideal,
    /// As late as the timer wheel of Linux makes them: up to a 63rd of the wait and a tick.
    LinuxWheel,
}

/// The TCP of a host: the name of its operating system, or a table of that and of what differs from its defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[schemars(transform = or_name)]
pub struct TcpSettings {
    /// The operating system. Default `linux-new`.
    pub stack: TcpStack,
    /// How long data is sent again, as a number of doublings of 200 ms (`tcp_retries2`): 15 means 924.6 s, 8 means 102.2 s.
    /// 1 to 15, Linux only. Default: the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries2: Option<u32>,
    /// SYN retries after the linear ones (`tcp_syn_retries`). 1 to 15, Linux only. Default: the system's, 6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syn_retries: Option<u32>,
    /// SYN retries that do not double the wait (`tcp_syn_linear_timeouts`). 0 to 15, Linux only. Default: the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syn_linear_timeouts: Option<u32>,
    /// When timers fire. Default `ideal`.
    pub timers: TcpTimers,
    /// Ticks a second of the wheel (`CONFIG_HZ`): 250, 300 or 1000. Default 250; only with `timers = "linux-wheel"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hz: Option<u32>,
    /// Whether processes set `TCP_NODELAY`. Default true; false is Nagle's algorithm: a small segment waits while another one
    /// is unacknowledged.
    pub nodelay: bool,
}

impl TcpSettings {
    /// Ticks a second of a wheel that does not say: 250, as distributions for servers build their kernels.
    pub const HZ_DEFAULT: u32 = 250;

    /// A system as it comes.
    pub const fn of(stack: TcpStack) -> Self {
        Self {
            stack,
            retries2: None,
            syn_retries: None,
            syn_linear_timeouts: None,
            timers: TcpTimers::Ideal,
            hz: None,
            nodelay: true,
        }
    }

    /// Returns how long the kernel waits at least for the acknowledgement of data before it gives the connection up: what
    /// `retries2` doublings of 200 ms come to (`tcp_retries2`). `None`: as long as the system's own, which is many times longer than any
    /// healthy round trip.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let doublings = self.retries2?;
        let timeout = |doublings| Duration::from_millis(200_u64 << doublings).min(Duration::from_mins(2));
        Some((0..=doublings.min(30)).map(timeout).sum())
    }
}

impl Default for TcpSettings {
    fn default() -> Self {
        Self::of(TcpStack::default())
    }
}

impl From<TcpStack> for TcpSettings {
    fn from(stack: TcpStack) -> Self {
        Self::of(stack)
    }
}

impl Serialize for TcpSettings {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        // As people write it, rather than as a table.
        if *self == Self::of(self.stack) { self.stack.serialize(output) } else { Self::serialize(self, output) }
    }
}

impl<'de> Deserialize<'de> for TcpSettings {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = TcpSettings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a system such as \"linux-new\", or a table such as { retries2 = 8 }")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<TcpSettings, E> {
                TcpStack::deserialize(StrDeserializer::new(name)).map(TcpSettings::of)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TcpSettings, A::Error> {
                TcpSettings::deserialize(MapAccessDeserializer::new(map))
            }
        }
        input.deserialize_any(Either)
    }
}

fn or_name(schema: &mut Schema) {
    let table = std::mem::take(schema);
    let name = json_schema!({ "$ref": "#/$defs/TcpStack" });
    *schema = json_schema!({ "anyOf": [name, table] });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Host {
        tcp: TcpSettings,
    }

    #[test]
    fn a_host_has_a_systems_name_or_a_table_and_is_written_as_it_was_read() {
        for (text, tcp) in [
            ("tcp = \"darwin\"\n", TcpSettings::of(TcpStack::Darwin)),
            (
                "[tcp]\nstack = \"linux-old\"\nretries2 = 8\ntimers = \"linux-wheel\"\nhz = 1000\nnodelay = false\n",
                TcpSettings {
                    retries2: Some(8),
                    timers: TcpTimers::LinuxWheel,
                    hz: Some(1_000),
                    nodelay: false,
                    ..TcpSettings::of(TcpStack::LinuxOld)
                },
            ),
        ] {
            let host = Host { tcp };
            assert_eq!(toml::from_str::<Host>(text).unwrap(), host);
            assert_eq!(toml::to_string(&host).unwrap(), text);
        }
        let unknown = toml::from_str::<Host>("tcp = \"solaris\"").unwrap_err().to_string();
        assert!(unknown.contains("`linux-new`"), "{unknown}");
    }

    /// 0.2 + 0.4 s; and 924.6 s, as ip-sysctl has it of 15.
    #[test]
    fn patience_is_the_sum_of_what_a_timeout_of_200_ms_doubles_to() {
        let patience = |retries2| TcpSettings { retries2, ..TcpSettings::default() }.patience();
        assert_eq!(patience(Some(1)), Some(Duration::from_millis(600)));
        assert_eq!(patience(Some(15)), Some(Duration::from_millis(924_600)));
        assert_eq!(patience(None), None);
    }
}
