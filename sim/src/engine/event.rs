//! The event engine: always the host with the earliest event, one event at a time. No runtime, no ticks.

use cardiogram_policies::Time;

use crate::nodes::node::{Flight, Host};

/// Runs `hosts` until `end`, which is excluded.
pub(crate) fn run(hosts: &mut [Host], end: Time) {
    let mut flights: Vec<Flight> = Vec::new();
    // Hosts are few (devices share one), so looking at each is cheaper than keeping them in a heap.
    while let Some((now, host)) = earliest(hosts).filter(|(now, _)| *now < end) {
        hosts[host].run_next(now, &mut flights);
        for flight in flights.drain(..) {
            hosts[flight.to.0 as usize].deliver(flight);
        }
    }
}

/// Returns the earliest event: when, and at which host.
pub(crate) fn earliest(hosts: &[Host]) -> Option<(Time, usize)> {
    hosts.iter().enumerate().filter_map(|(index, host)| Some((host.next_event()?, index))).min()
}
