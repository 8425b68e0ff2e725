//! How often a router of Linux sends ICMP errors to one address (`inet_peer_xrlim_allow`): out of a purse that fills with time.

use std::time::Duration;

use cardiogram_policies::Time;

/// What a message takes out of the purse (`icmp_ratelimit`), and what the route takes besides where there is none
/// (`ip_rt_error_cost`).
pub(crate) const COST: Duration = Duration::from_secs(1);
/// The most that the purse holds for messages (`XRLIM_BURST_FACTOR`).
pub(crate) const BURST: Duration = Duration::from_secs(6);

/// The purse of an address: a second of silence earns a second.
pub(crate) struct IcmpLimit {
    purse: Duration,
    counted: Time,
}

impl IcmpLimit {
    /// A purse that is full.
    pub(crate) const fn full() -> Self {
        Self { purse: BURST, counted: Time::ZERO }
    }

    /// Takes [`COST`] out of the purse, which holds `most`; `false`: it is not in it. Times must not run backwards.
    pub(crate) fn allows(&mut self, now: Time, most: Duration) -> bool {
        self.purse = (self.purse + now.since(self.counted)).min(most);
        self.counted = now;
        let left = self.purse.checked_sub(COST);
        self.purse = left.unwrap_or(self.purse);
        left.is_some()
    }
}
