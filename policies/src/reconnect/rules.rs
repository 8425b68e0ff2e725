//! Rules that wrap any waits: what else an attempt depends on, beside the time since the last one. Each is one file
//! below this module, a [`Reconnect`] around another one that hastens its attempts, puts them off, sends them elsewhere
//! or stops them.

mod circuit_breaker;
mod directive;
mod give_up;
mod network_change;
mod network_check;
mod retry_limit;
mod rotation;
mod server_ban;
mod when_hidden;

use serde::{Deserialize, Serialize};

pub use self::{
    circuit_breaker::{CircuitBreaker, Trip, WindowTrip},
    give_up::GiveUpAfter,
    network_change::NetworkChange,
    network_check::NetworkCheck,
    retry_limit::{Denied, LimitBy, RetryBudget, RetryLimit, RetryQuota, RetryThrottle},
    rotation::{FullPass, Rotation},
    server_ban::ServerBan,
    when_hidden::WhenHidden,
};
use super::{Reconnect, Reset, plan::Pace};
use crate::{PolicyRng, Problem};

/// The rules of a reconnect policy as data: what a strategy file says under `reconnect_rules`. With their defaults they
/// leave every attempt as the waits have it.
///
/// One rule has no parameters and always holds: a server's word not to come back before a time is a lower bound for
/// every attempt, the waits begin anew after it, and what they say is added to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ReconnectRules {
    /// What another network means. Default `keep-plan`.
    pub network_change: NetworkChange,
    /// Which server comes next. Default `next`.
    pub rotation: Rotation,
    /// When to give up. Default never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub give_up: Option<GiveUpAfter>,
    /// What to do while the application is not in the foreground. Default `keep-trying`.
    pub when_hidden: WhenHidden,
    /// How many retries there may be for each success or request. Default any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_limit: Option<RetryLimit>,
    /// A pause after too many failures. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<CircuitBreaker>,
    /// Servers that failed too often are left out. Default none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_ban: Option<ServerBan>,
    /// The network has to carry something before there is an attempt. Default no matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_check: Option<NetworkCheck>,
}

impl ReconnectRules {
    /// Puts these rules around a policy, of this crate or another one, for a client that knows `servers` servers.
    /// `reset` says what proves a connection good to the rules that count failures.
    pub fn wrap(&self, policy: Box<dyn Reconnect>, reset: Reset, servers: u32, rng: PolicyRng) -> Box<dyn Reconnect> {
        // From the inside out. A rule hears of everything that those around it let through, and has its say before
        // them: a canary is no attempt to the waits but one to the circuit breaker, and a server's word binds a canary
        // too.
        let mut policy = self.rotation.wrap(policy, servers, rng);
        if let Some(rule) = self.give_up {
            policy = Box::new(give_up::AttemptCounter::new(policy, rule, reset, servers));
        }
        if self.network_change != NetworkChange::KeepPlan {
            policy = Box::new(network_change::Hastened::new(policy, self.network_change));
        }
        if self.when_hidden == WhenHidden::Pause {
            policy = Box::new(when_hidden::PausedWhenHidden::new(policy));
        }
        if let Some(rule) = &self.retry_limit {
            policy = Box::new(retry_limit::RetryLimiter::new(policy, rule));
        }
        if let Some(rule) = self.circuit_breaker {
            policy = Box::new(circuit_breaker::Breaker::new(policy, rule));
        }
        policy = Box::new(directive::Directed::new(policy));
        if let Some(rule) = self.server_ban {
            policy = Box::new(server_ban::ServerBans::new(policy, rule, servers));
        }
        if let Some(rule) = self.network_check {
            policy = Box::new(network_check::NetworkChecker::new(policy, rule));
        }
        policy
    }

    /// Returns what becomes of a policy's pace under these rules.
    pub(crate) fn pace(&self, Pace { mut gap, mut longest, timeouts }: Pace, servers: u32) -> Pace {
        match self.rotation {
            // It may be the only one that is down.
            Rotation::Stay => longest = longest.filter(|_| servers <= 1),
            Rotation::FullPass(FullPass { between }) if servers > 1 => {
                gap = std::time::Duration::ZERO;
                longest = longest.map(|longest| longest.max(between.get()));
            }
            Rotation::Next | Rotation::FromFirst | Rotation::FullPass(_) => {}
        }
        if self.network_change != NetworkChange::KeepPlan {
            gap = std::time::Duration::ZERO;
        }
        if let Some(rule) = &self.retry_limit {
            longest = longest.zip(rule.longest()).map(|(longest, denied)| longest.max(denied));
        }
        if let Some(rule) = self.circuit_breaker {
            longest = longest.map(|longest| longest.max(rule.open.get()));
        }
        // A canary is an attempt more than the rotation needs; the others may keep it from trying at all, or for a time
        // that depends on what happened before, or on how long it takes to find out that a network carries nothing.
        let is_uncertain = self.network_change == NetworkChange::Canary
            || self.give_up.is_some()
            || self.when_hidden == WhenHidden::Pause
            || self.server_ban.is_some()
            || self.network_check.is_some();
        Pace { gap, longest: longest.filter(|_| !is_uncertain), timeouts }
    }

    /// Returns the rules in words, with their numbers; empty where there are none.
    pub fn describe(&self) -> String {
        let mut told: Vec<String> = Vec::new();
        told.extend(self.network_change.describe().map(Into::into));
        told.extend(self.rotation.describe());
        told.extend(self.give_up.map(GiveUpAfter::describe));
        told.extend(self.when_hidden.describe().map(Into::into));
        told.extend(self.retry_limit.as_ref().map(RetryLimit::describe));
        told.extend(self.circuit_breaker.map(CircuitBreaker::describe));
        told.extend(self.server_ban.map(ServerBan::describe));
        told.extend(self.network_check.map(NetworkCheck::describe));
        told.join(" ")
    }

    /// Returns the contradictions between parameters, each with the path to the key that should change.
    pub fn problems(&self) -> Vec<Problem> {
        let give_up = self.give_up.and_then(GiveUpAfter::problem);
        let limit = self.retry_limit.as_ref().and_then(RetryLimit::problem);
        let breaker = self.circuit_breaker.and_then(CircuitBreaker::problem);
        let ban = self.server_ban.and_then(ServerBan::problem);
        let check = self.network_check.and_then(NetworkCheck::problem);
        [give_up, limit, breaker, ban, check].into_iter().flatten().collect()
    }
}

/// Returns a problem of the rule at `key`.
fn problem(key: &str, message: impl Into<String>, help: impl Into<String>) -> Problem {
    Problem::new(format!("reconnect_rules.{key}"), message, help)
}
