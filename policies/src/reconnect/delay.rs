//! The same wait before every attempt, zero included: `immediate` and `fixed-delay`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Plan, Reconnect, ReconnectEvent, Verdict, reconnects_within};
use crate::{AttemptLimit, Bounds, Promises, Time, unit::Span};

/// The same wait before every attempt, counted from the failure or the loss. MQTT.js uses 1 s, Smack 15 s.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FixedDelay {
    /// The wait.
    pub delay: Span,
}

pub(super) fn promises(delay: Duration, bounds: &Bounds, connect_timeout: Duration) -> Promises {
    Promises {
        attempts: (!delay.is_zero()).then_some(AttemptLimit { count: 1, window: delay }),
        reconnects_within: reconnects_within(delay, bounds, connect_timeout),
        ..Promises::default()
    }
}

/// [`FixedDelay`], or no delay, at work.
pub(super) struct ConstantDelay {
    delay: Duration,
    plan: Plan,
}

impl ConstantDelay {
    pub(super) fn new(delay: Duration) -> Self {
        Self { delay, plan: Plan::default() }
    }
}

impl Reconnect for ConstantDelay {
    fn on_event(&mut self, _: Time, event: &ReconnectEvent) {
        self.plan.on_event(event);
    }

    fn next(&mut self, now: Time) -> Verdict {
        self.plan.verdict(now, || self.delay)
    }
}
