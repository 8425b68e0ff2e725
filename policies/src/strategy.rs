//! A strategy: one heartbeat, one reconnect and one server policy under a name, as data.

use serde::{Deserialize, Serialize};

use crate::{Bounds, HeartbeatSpec, Promises, ReconnectSpec, ServerSpec, unit::Span};

/// What a client and its server do to keep a long-lived connection alive.
///
/// In a file, a TOML table; what is left out takes its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StrategySpec {
    /// The name it goes by in tables and on the command line: lower case, digits, `-`.
    pub name: String,
    /// What it is, in a sentence or two.
    #[serde(default)]
    pub about: String,
    /// Where the algorithm and its numbers come from.
    #[serde(default)]
    pub source: String,
    /// Parameters that the source does not give and that were chosen here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<String>,
    /// How long an attempt may take, from SYN to the server's welcome. Default 10 s: what mobile applications commonly
    /// use.
    #[serde(default = "connect_timeout")]
    pub connect_timeout: Span,
    /// The heartbeat policy.
    pub heartbeat: HeartbeatSpec,
    /// The reconnect policy. Default: `exponential` with its defaults.
    #[serde(default)]
    pub reconnect: ReconnectSpec,
    /// The server's policy. Default: `none`.
    #[serde(default)]
    pub server: ServerSpec,
}

fn connect_timeout() -> Span {
    Span::secs(10)
}

/// A contradiction between parameters of a strategy or scenario that each are valid alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key that should change, as a dotted path from the top of the file: `heartbeat.fixed.timeout`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Problem {
    /// A problem at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), help: help.into() }
    }
}

impl StrategySpec {
    /// Every contradiction in the strategy; empty when it can run.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let named = !self.name.is_empty()
            && self.name.len() <= 64
            && self.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !named {
            problems.push(Problem::new(
                "name",
                format!("`{}` is not a strategy's name", self.name),
                "use 1 to 64 lower-case letters, digits and `-`, as in \"netease-30-15\"",
            ));
        }
        problems.extend(self.heartbeat.problems());
        problems.extend(self.reconnect.problems());
        problems.extend(self.server.problems());
        problems
    }

    /// What the strategy as a whole guarantees within `bounds`.
    pub fn promises(&self, bounds: &Bounds) -> Promises {
        let heartbeat = self.heartbeat.promises(bounds);
        let reconnect = self.reconnect.promises(bounds, self.connect_timeout.get());
        Promises { attempts: reconnect.attempts, reconnects_within: reconnect.reconnects_within, ..heartbeat }
    }
}
