//! The parameters of a heartbeat that knows the round trip and the NAT's timeout. What it does with them is the business of
//! the laboratory, which makes the environment; no product can have it.

use super::{
    judge::one_miss,
    spec::{REMEMBERS_NOTHING, describe_misses},
};
use crate::unit::Span;

parameters! {
    /// The longest interval that still keeps the NAT's mapping, and the shortest timeout that no healthy reply exceeds.
    pub struct KnownNatTimeout {
        /// How much earlier than necessary a beat refreshes the mapping. Default 1 s.
        pub margin: Span = Span::secs(1),
        /// The interval where no NAT forgets, and the longest in any case. Default 30 min.
        pub max_interval: Span = Span::secs(30 * 60),
        /// Beats in a row without a timely reply that mean death, 1 to 1000. Default 1.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
        pub misses: u32 = one_miss(),
    }
}

impl KnownNatTimeout {
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
}
