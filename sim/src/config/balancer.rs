//! The balancer in front of the servers, as data. What it decides is in `fate::balancer`.

use cardiogram_policies::unit::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A balancer that checks the health of the servers and gives each new connection to one of those it believes healthy, by a
/// hash of device and time; to any of them where it believes none healthy. A client knows one service then: which server
/// its reconnect policy would try next has no effect.
///
/// A drain is announced to it: the server gets no new clients from the drain's begin to its end, and is not unhealthy for
/// it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BalancerConfig {
    /// How often each server is checked, from the start of the run on. Default 10 s (A), at least 1 s.
    pub check_every: Span,
    /// What a check asks of a server. Default `tcp`.
    pub check: HealthCheck,
    /// Checks in a row without an answer that make a server unhealthy, 1 to 100. Default 3 (`HAProxy`'s `fall`).
    pub unhealthy_after: u32,
    /// Checks in a row with an answer that make it healthy again, 1 to 100. Default 2 (`HAProxy`'s `rise`).
    pub healthy_after: u32,
    /// What becomes of the connections that a server has when it turns unhealthy. Default `reset` (AWS's network load
    /// balancer).
    pub on_unhealthy: OnUnhealthy,
}

impl Default for BalancerConfig {
    fn default() -> Self {
        Self {
            check_every: Span::secs(10),
            check: HealthCheck::default(),
            unhealthy_after: 3,
            healthy_after: 2,
            on_unhealthy: OnUnhealthy::default(),
        }
    }
}

/// What a health check asks of a server. It takes no time: the server answers at the moment of the check, or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HealthCheck {
    /// A TCP connection: the kernel answers, even where the process behind it stands still.
    #[default]
    Tcp,
    /// An answer of the application: a stalled or pausing process gives none.
    Application,
}

/// What a balancer does with the connections of a server that turns unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnUnhealthy {
    /// They stay as they are.
    Leave,
    /// It sends RST to both ends of each, and to a client that sends on one of them later.
    #[default]
    Reset,
}
