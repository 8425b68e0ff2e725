//! What the faults that were drawn before the run change for a device, between two moments.

use cardiogram_policies::Time;

use super::change::{Change, Obstacle};
use crate::{
    config::Cause,
    fate::{Schedule, link_faults::Cuts, schedule::Interval, server_faults::ServerFaults, struck::Struck},
};

/// What is planned for more than one device. What is planned for a single one stays where it was drawn.
pub(super) struct Planned {
    /// For all alike, by time; but for the core link.
    common: Vec<(Time, Change)>,
    /// For those whom a fault of a server strikes, by time.
    partial: Vec<(Struck, Vec<(Time, Change)>)>,
}

impl Planned {
    pub(super) fn new(schedule: &Schedule) -> Self {
        let mut common: Vec<(Time, Change)> = edges(&schedule.proxy.restarts, Obstacle::ProxyRestart).collect();
        let mut partial = Vec::new();
        for (server, faults) in (0..).zip(&schedule.servers) {
            for fault in faults {
                if fault.struck.is_all() {
                    common.extend(server_changes(server, fault));
                } else {
                    partial.push((fault.struck.clone(), by_time(server_changes(server, fault))));
                }
            }
            let closed = schedule.balancer.iter().flat_map(|balancer| balancer.closed(server));
            common.extend(edges(closed, Obstacle::Closed { server }));
        }
        Self { common: by_time(common), partial }
    }

    /// Adds what changes for a device from one moment to another, which is excluded.
    pub(super) fn add(
        &self,
        schedule: &Schedule,
        device: u32,
        from: Time,
        until: Time,
        changes: &mut Vec<(Time, Change)>,
    ) {
        let window = Window { from, until };
        let index = device as usize;
        changes.extend(window.cuts(None, schedule.core.cuts_of(index)));
        changes.extend(window.of(&self.common));
        let partial = self.partial.iter().filter(|(struck, _)| struck.has(device));
        changes.extend(partial.flat_map(|(_, of_fault)| window.of(of_fault)));
        if let Some(life) = schedule.lives.get(index) {
            changes.extend(window.edges(&life.stalls, Obstacle::Standstill { cause: Cause::DeviceStall }));
            changes.extend(window.edges(&life.freezes, Obstacle::Standstill { cause: Cause::DeviceFreeze }));
        }
        for (network, of_network) in (0..).zip(&schedule.networks) {
            changes.extend(window.cuts(Some(network), &of_network.access[index]));
            if let Some(dead) = of_network.dead_leases.get(index) {
                changes.extend(window.edges(dead, Obstacle::DeadLease { network }));
            }
        }
    }
}

/// The time from one moment to another, which is excluded.
#[derive(Clone, Copy)]
struct Window {
    from: Time,
    until: Time,
}

impl Window {
    /// Returns those of changes in the order of time that lie in it.
    fn of(self, changes: &[(Time, Change)]) -> &[(Time, Change)] {
        let before = |moment| changes.partition_point(|(at, _)| *at < moment);
        &changes[before(self.from)..before(self.until)]
    }

    /// Returns those of a link's cuts.
    fn cuts(self, network: Option<u32>, cuts: &Cuts) -> impl Iterator<Item = (Time, Change)> + '_ {
        let up = self.edges(self.near(&cuts.up), Obstacle::Cut { network, up: true });
        up.chain(self.edges(self.near(&cuts.down), Obstacle::Cut { network, up: false }))
    }

    /// Returns those of sorted intervals without overlaps that may have an edge in it.
    fn near(self, intervals: &[Interval]) -> &[Interval] {
        let first = intervals.partition_point(|interval| interval.end < self.from);
        let near = &intervals[first..];
        &near[..near.partition_point(|interval| interval.begin < self.until)]
    }

    /// Returns those edges of intervals that lie in it. Those of several faults may overlap.
    fn edges(self, intervals: &[Interval], obstacle: Obstacle) -> impl Iterator<Item = (Time, Change)> + '_ {
        edges(intervals, obstacle).filter(move |(at, _)| self.from <= *at && *at < self.until)
    }
}

fn server_changes(server: u32, fault: &ServerFaults) -> Vec<(Time, Change)> {
    let (unusable, draining) = (fault.unusable(), fault.draining());
    let unusable = edges(&unusable, Obstacle::Fault { server, cause: fault.cause });
    unusable.chain(edges(&draining, Obstacle::Drain { server })).collect()
}

fn edges<'a>(
    intervals: impl IntoIterator<Item = &'a Interval> + 'a,
    obstacle: Obstacle,
) -> impl Iterator<Item = (Time, Change)> + 'a {
    let change = move |begins| Change::Obstacle { obstacle, begins };
    intervals.into_iter().flat_map(move |interval| [(interval.begin, change(true)), (interval.end, change(false))])
}

/// Stable: of one moment everything stays in its order.
fn by_time(mut changes: Vec<(Time, Change)>) -> Vec<(Time, Change)> {
    changes.sort_by_key(|(at, _)| *at);
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two faults may let a device stand still at once. Each edge lies in one window, wherever the windows end.
    #[test]
    fn every_edge_is_told_once_whether_or_not_intervals_overlap() {
        let secs = |begin, end| Interval { begin: Time::from_secs(begin), end: Time::from_secs(end) };
        let obstacle = Obstacle::Standstill { cause: Cause::DeviceStall };
        let overlapping = [secs(10, 40), secs(20, 30), secs(30, 50)];
        let told = |ends: &[u64]| {
            let mut told = Vec::new();
            for pair in ends.windows(2) {
                let window = Window { from: Time::from_secs(pair[0]), until: Time::from_secs(pair[1]) };
                told.extend(window.edges(&overlapping, obstacle).map(|(at, _)| at.as_secs_f64()));
            }
            told.sort_by(f64::total_cmp);
            told
        };
        let all = [10.0, 20.0, 30.0, 30.0, 40.0, 50.0];
        assert_eq!(told(&[0, 100]), all);
        assert_eq!(told(&[0, 15, 30, 31, 50, 51]), all);
        let disjoint = [secs(10, 20), secs(30, 40)];
        let near =
            |from, until| Window { from: Time::from_secs(from), until: Time::from_secs(until) }.near(&disjoint).len();
        assert_eq!([near(0, 10), near(0, 11), near(20, 30), near(21, 30), near(21, 31)], [0, 1, 1, 0, 1]);
    }
}
