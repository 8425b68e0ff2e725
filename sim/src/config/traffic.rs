//! What the application has to say, and how long it waits for an answer.

use cardiogram_policies::unit::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the application has to say. The moments are a function of seed and device, the same for every strategy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrafficConfig {
    /// Mean time between messages of a device (Poisson). Default: it sends none.
    pub up: Option<Span>,
    /// Mean time between messages to a device, pushes (Poisson). Default: there are none.
    pub down: Option<Span>,
    /// How long a device waits for the answer to a message of its own, and what it does then. Default: it waits for ever.
    pub deadline: Option<Deadline>,
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
    /// Returns how soon a device leaves a session whose server does not answer a message, where it does.
    pub fn leaves_after(&self) -> Option<Span> {
        self.deadline.filter(|deadline| deadline.then == OnDeadline::Retry).map(|deadline| deadline.after)
    }
}
