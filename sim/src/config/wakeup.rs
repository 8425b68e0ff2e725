//! The wake-up channel, as data: a push service of the platform that the server can use beside the long connection. When it
//! does is in `server/wakeups`, what a device makes of it in `device`.

use cardiogram_policies::unit::{Delay, Fraction, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Distribution;

/// A push service that reaches every device outside its long connection, as those of Google and Apple do. The server calls
/// a device with it when it has a message for it and believes its session dead: there is none, or nothing was acknowledged
/// on it for `after`. A call reaches a device that holds no connection; while the device's access link is cut, it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WakeupConfig {
    /// From the server to the device, where its link is up; must have a positive minimum. It has no default: no service
    /// publishes a figure.
    pub delay: Distribution,
    /// Probability that a wake-up never arrives; it is not repeated. Default 0.
    #[serde(default)]
    pub loss: Fraction,
    /// The least time between two wake-ups for a device. Default 0: no limit.
    #[serde(default)]
    pub every: Delay,
    /// How long messages sent on a session may stay without any acknowledgement until the server believes it dead.
    /// Default 30 s (A).
    #[serde(default = "WakeupConfig::default_after")]
    pub after: Span,
    /// What a wake-up brings. Default `signal`.
    #[serde(default)]
    pub carries: Carries,
    /// Length of a signal in bytes, without IPv4 and TCP headers: what the radio has to carry. Default 64 (A); 4 to 16384.
    #[serde(default = "WakeupConfig::default_bytes")]
    pub bytes: u16,
}

impl WakeupConfig {
    /// A push service that takes `delay`, loses nothing, knows no limit and brings a signal.
    pub const fn of_delay(delay: Distribution) -> Self {
        Self {
            delay,
            loss: Fraction::ZERO,
            every: Delay::ZERO,
            after: Self::default_after(),
            carries: Carries::Signal,
            bytes: Self::default_bytes(),
        }
    }

    const fn default_after() -> Span {
        Span::secs(30)
    }

    const fn default_bytes() -> u16 {
        64
    }
}

/// What a wake-up brings to the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Carries {
    /// The news that there is something to fetch: one wake-up for all messages that wait then.
    #[default]
    Signal,
    /// A message itself: one wake-up for each message, the oldest first.
    Message,
}
