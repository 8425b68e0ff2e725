//! The event engine: always the host with the earliest event, one event at a time. No runtime, no ticks.

use cardiogram_policies::Time;

use crate::nodes::{inbox::Flight, node::Host};

/// Runs `hosts` until `end`, which is excluded.
pub(crate) fn run(hosts: &mut [Host], end: Time) {
    let mut flights: Vec<Flight> = Vec::new();
    // Kept beside the hosts: an event changes that of its host, and those of the hosts that it sends to.
    let mut next: Vec<Time> = hosts.iter().map(next_event).collect();
    // Hosts are few (devices share one), so looking at each is cheaper than keeping them in a heap.
    while let Some((now, host)) = (0..).zip(&next).map(|(host, at)| (*at, host)).min().filter(|(now, _)| *now < end) {
        hosts[host].run_next(now, &mut flights);
        next[host] = next_event(&hosts[host]);
        for flight in flights.drain(..) {
            let to = flight.to.0 as usize;
            next[to] = next[to].min(flight.arrival);
            hosts[to].deliver(flight);
        }
    }
}

/// Returns when a host has something to do next; [`Time::MAX`]: nothing.
fn next_event(host: &Host) -> Time {
    host.next_event().unwrap_or(Time::MAX)
}

/// Returns the earliest event: when, and at which host.
#[cfg(feature = "guests")]
pub(crate) fn earliest(hosts: &[Host]) -> Option<(Time, usize)> {
    hosts.iter().enumerate().filter_map(|(index, host)| Some((host.next_event()?, index))).min()
}
