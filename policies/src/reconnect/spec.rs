//! Waits as data: what a strategy file says under `reconnect`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    ActioncablePoll, CourierRetry, ExponentialBackoff, FixedDelay, Linear, MarsLonglinkMonitor, Reconnect, Reset,
    Steps,
    actioncable::Poll,
    fixed_delay::{self, ConstantDelay},
    mars::Monitor,
    on_call::{self, OnCall},
    plan::Pace,
};
use crate::{Bounds, Custom, CustomReconnect, PolicyRng, Problem, Promises};

/// A reconnect policy's waits as data, in the same form as [`HeartbeatSpec`](crate::HeartbeatSpec).
///
/// All but custom ones go to the next server after a failed attempt, or where the service was found dead, and
/// stay with the same one after any other loss of a connection. Asked again before the attempt has begun, they keep to
/// the time they named first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ReconnectSpec {
    /// Try again at once, always: the thundering herd's worst case, and the right answer after a network change.
    Immediate,
    /// A constant wait before every attempt.
    FixedDelay(FixedDelay),
    /// Waits that grow by the same span each, up to a cap.
    Linear(Linear),
    /// Waits that grow by a factor up to a cap, with or without jitter.
    Exponential(ExponentialBackoff),
    /// Waits that are written down one by one.
    Steps(Steps),
    /// As `exponential`, but after a connection that was left on purpose no attempt is made until the application has
    /// something to send, or something else wakes the client, such as a push service.
    OnCall(ExponentialBackoff),
    /// Gojek's Courier: random waits first, then doubled ones.
    CourierRetry(CourierRetry),
    /// Rails' `ActionCable`: a monitor that looks in from time to time.
    ActioncablePoll(ActioncablePoll),
    /// Mars: waits by how active the application is, counted from the last attempt's start.
    MarsLonglinkMonitor(MarsLonglinkMonitor),
    /// A policy that the program around this crate brings along.
    Custom(Custom<dyn CustomReconnect>),
}

impl Default for ReconnectSpec {
    /// [`ExponentialBackoff`] with its defaults.
    fn default() -> Self {
        Self::Exponential(ExponentialBackoff::default())
    }
}

impl ReconnectSpec {
    /// Returns a policy ready to run, without rules.
    pub fn build(&self, rng: PolicyRng) -> Box<dyn Reconnect> {
        match self {
            Self::Immediate => Box::new(ConstantDelay::new(Duration::ZERO)),
            Self::FixedDelay(spec) => Box::new(ConstantDelay::new(spec.delay.get())),
            Self::Linear(spec) => Box::new(spec.build(rng)),
            Self::Exponential(spec) => Box::new(spec.build(rng)),
            Self::Steps(spec) => Box::new(spec.build(rng)),
            Self::OnCall(spec) => Box::new(OnCall::new(spec, rng)),
            Self::CourierRetry(spec) => Box::new(spec.build(rng)),
            Self::ActioncablePoll(spec) => Box::new(Poll::new(spec.clone(), rng)),
            Self::MarsLonglinkMonitor(spec) => Box::new(Monitor::new(spec.clone(), rng)),
            Self::Custom(custom) => custom.resolved().build(rng),
        }
    }

    /// Returns what the policy guarantees within `bounds`, given that an attempt is abandoned after `connect_timeout`.
    pub fn promises(&self, bounds: &Bounds, connect_timeout: Duration) -> Promises {
        match self {
            Self::Custom(custom) => {
                custom.policy().map_or_else(Promises::default, |policy| policy.promises(bounds, connect_timeout))
            }
            spec => spec.pace().map_or_else(Promises::default, |pace| pace.promises(bounds, connect_timeout)),
        }
    }

    /// `None` if it is not known what its promises are made of.
    pub(crate) fn pace(&self) -> Option<Pace> {
        let pace = match self {
            Self::Immediate => ConstantDelay::pace(Duration::ZERO),
            Self::FixedDelay(spec) => ConstantDelay::pace(spec.delay.get()),
            Self::Linear(spec) => spec.pace(),
            Self::Exponential(spec) => spec.pace(),
            Self::Steps(spec) => spec.pace(),
            Self::OnCall(spec) => OnCall::pace(spec),
            Self::CourierRetry(spec) => spec.pace(),
            Self::ActioncablePoll(spec) => spec.pace(),
            Self::MarsLonglinkMonitor(_) => MarsLonglinkMonitor::pace(),
            Self::Custom(_) => return None,
        };
        Some(pace)
    }

    /// Returns what proves a connection good, for the rules that count failures.
    pub(crate) const fn reset(&self) -> Reset {
        match self {
            Self::Linear(spec) => spec.reset,
            Self::Exponential(spec) | Self::OnCall(spec) => spec.reset,
            Self::Steps(spec) => spec.reset,
            Self::CourierRetry(spec) => spec.reset,
            Self::Immediate
            | Self::FixedDelay(_)
            | Self::ActioncablePoll(_)
            | Self::MarsLonglinkMonitor(_)
            | Self::Custom(_) => Reset::Connected,
        }
    }

    /// Returns the state machine in words, with the numbers of this spec: how long it waits after what, where it tries
    /// then, what brings the waits back, what it remembers. One paragraph of plain text; each policy keeps its own
    /// beside its code.
    pub fn describe(&self) -> String {
        match self {
            Self::Immediate => fixed_delay::describe(Duration::ZERO),
            Self::FixedDelay(spec) => fixed_delay::describe(spec.delay.get()),
            Self::Linear(spec) => spec.describe(),
            Self::Exponential(spec) => spec.describe(),
            Self::Steps(spec) => spec.describe(),
            Self::OnCall(spec) => on_call::describe(spec),
            Self::CourierRetry(spec) => spec.describe(),
            Self::ActioncablePoll(spec) => spec.describe(),
            Self::MarsLonglinkMonitor(spec) => spec.describe(),
            Self::Custom(custom) => custom.describe(CustomReconnect::describe),
        }
    }

    /// Returns the contradictions between parameters, each with the path to the key that should change.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Immediate | Self::FixedDelay(_) | Self::MarsLonglinkMonitor(_) => Vec::new(),
            Self::Linear(spec) => spec.problems(),
            Self::Exponential(spec) => spec.problems("exponential"),
            Self::Steps(spec) => spec.problems(),
            Self::OnCall(spec) => spec.problems("on-call"),
            Self::CourierRetry(spec) => spec.problems(),
            Self::ActioncablePoll(spec) => spec.problems(),
            Self::Custom(custom) => custom.problems("reconnect", CustomReconnect::problems),
        }
    }
}
