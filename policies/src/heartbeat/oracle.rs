//! The yardstick: a fixed heartbeat whose numbers come from knowing the environment. No product can have it; it shows
//! what the others leave on the table.

use serde::{Deserialize, Serialize};

use super::{
    FirstBeat, Fixed, LateReply,
    judge::one_miss,
    spec::{REMEMBERS_NOTHING, describe_misses},
};
use crate::{Bounds, unit::Span};

/// The longest interval that still keeps the NAT's mapping, and the shortest timeout that no healthy reply exceeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Oracle {
    /// How much earlier than necessary a beat refreshes the mapping. Default 1 s.
    pub margin: Span,
    /// The interval where no NAT forgets, and the longest in any case. Default 30 min.
    pub max_interval: Span,
    /// Beats in a row without a timely reply that mean death, 1 to 1000. Default 1.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub misses: u32,
}

impl Default for Oracle {
    fn default() -> Self {
        Self { margin: Span::secs(1), max_interval: Span::secs(30 * 60), misses: one_miss() }
    }
}

impl Oracle {
    pub(super) fn describe(&self) -> String {
        format!(
            "Knows what no product knows, the NAT's timeout and the longest round trip of the path. It sends a heartbeat on a \
             fixed grid, whatever else is sent: a round trip and {} before the NAT would forget the connection, at least every \
             {}. A heartbeat whose reply has not arrived within the longest round trip is a miss. {} {REMEMBERS_NOTHING}",
            self.margin,
            self.max_interval,
            describe_misses(self.misses, "any reply, a late one too,"),
        )
    }

    /// The fixed heartbeat that the oracle is in this environment.
    ///
    /// The gap between two packets at the NAT exceeds the interval by at most the difference of two one-way delays, which
    /// is less than a round trip; hence `nat_timeout - rtt_max - margin`. The interval is never shorter than the timeout.
    pub fn fixed(&self, bounds: &Bounds) -> Fixed {
        let timeout = Span::at_least(bounds.rtt_max);
        let kept = bounds.nat_timeout.map(|nat| nat.saturating_sub(bounds.rtt_max + self.margin.get()));
        let interval = kept.map_or(self.max_interval, |kept| Span::at_least(kept).min(self.max_interval)).max(timeout);
        Fixed { interval, timeout, misses: self.misses, first_beat: FirstBeat::Interval, late_reply: LateReply::Counts }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{HeartbeatSpec, testing::bounds};

    fn fixed(rtt_max: Duration, nat_timeout: Option<Duration>) -> (Duration, Duration) {
        let bounds = Bounds { rtt_max, nat_timeout, ..bounds() };
        let fixed = Oracle::default().fixed(&bounds);
        assert_eq!(HeartbeatSpec::Fixed(fixed.clone()).problems(), Vec::new());
        assert!(fixed.parts().promises(&bounds).no_false_alarm);
        (fixed.interval.get(), fixed.timeout.get())
    }

    #[test]
    fn it_beats_just_often_enough_for_the_nat_and_waits_one_round_trip() {
        let (millis, secs) = (Duration::from_millis, Duration::from_secs);
        assert_eq!(fixed(millis(200), Some(secs(300))), (millis(298_800), millis(200)));
        // No NAT, or one that forgets late: the longest interval.
        assert_eq!(fixed(millis(200), None), (secs(1800), millis(200)));
        assert_eq!(fixed(millis(200), Some(secs(7200))), (secs(1800), millis(200)));
        // A NAT so short that no interval saves the mapping: still one beat at a time.
        assert_eq!(fixed(secs(2), Some(secs(3))), (secs(2), secs(2)));
        // Finer than a microsecond, or nothing at all: rounded up.
        assert_eq!(fixed(Duration::ZERO, None).1, Duration::from_micros(1));
        assert_eq!(fixed(Duration::from_nanos(1_001), None).1, Duration::from_micros(2));
    }
}
