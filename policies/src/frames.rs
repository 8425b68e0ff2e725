//! How large a strategy's own frames are. What is in them is nobody's business here.

use serde::{Deserialize, Serialize};

use crate::Problem;

/// The sizes of a strategy's frames, in bytes of the application's protocol, without the transport's headers; what is left
/// out has the size that the scenario names. A file says `frames = { heartbeat = 8 }`.
///
/// Sources: `[zhang]`, section 6 (heartbeats that carry business data), `[netease]` (5 bytes), `[carson]` (at most 10);
/// AMQP's heartbeat has 8, STOMP's 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Frames {
    /// A heartbeat, and a ping of the server, answered or not; 1 to 16384. The simulator's own protocol cannot say it in
    /// fewer than 5 bytes: a smaller one has 5 there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 16_384)))]
    pub heartbeat: Option<u16>,
    /// The answer to one, either way; 1 to 16384. In the simulator at least 5, as a heartbeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 16_384)))]
    pub reply: Option<u16>,
}

/// The largest frame: above it, a frame is a file.
const LARGEST: u16 = 16_384;

impl Frames {
    /// Returns the contradictions between its parameters.
    pub(crate) fn problems(self) -> Vec<Problem> {
        [("heartbeat", self.heartbeat), ("reply", self.reply)]
            .into_iter()
            .filter_map(|(name, size)| Some((name, size.filter(|size| !(1..=LARGEST).contains(size))?)))
            .map(|(name, size)| {
                let message = format!("a frame `{name}` cannot have {size} bytes");
                Problem::new(format!("frames.{name}"), message, format!("use 1 to {LARGEST}"))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_least_and_a_largest() {
        let paths = |heartbeat, reply| {
            let problems = Frames { heartbeat, reply }.problems();
            problems.into_iter().map(|problem| problem.path).collect::<Vec<_>>()
        };
        assert_eq!(paths(None, None), [""; 0]);
        assert_eq!(paths(Some(1), Some(16_384)), [""; 0]);
        assert_eq!(paths(Some(0), Some(16_385)), ["frames.heartbeat", "frames.reply"]);
    }
}
