//! Which outside ports a NAT gives out: to whom, how many, and when again.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use cardiogram_policies::Time;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use super::mapping::{Inside, Outside};

/// The ports that are not mapped: remembered, held down, counted.
pub(super) struct Ports {
    hold_down: Option<Duration>,
    /// The most ports of a subscriber.
    limit: Option<u32>,
    random: ChaCha8Rng,
    /// The port of forgotten connections, where the NAT gives it out again to the same connection.
    remembered: BTreeMap<Inside, u16>,
    /// Ports that nobody else gets yet: until when, and which connection had them.
    held: BTreeMap<Outside, (Time, Inside)>,
    /// The held ports in the order of their release.
    releases: VecDeque<(Time, Outside)>,
    /// How many ports each subscriber has, the held ones included; empty without a limit.
    counts: BTreeMap<u32, u32>,
}

impl Ports {
    pub(super) fn new(hold_down: Option<Duration>, limit: Option<u32>, random: ChaCha8Rng) -> Self {
        Self {
            hold_down,
            limit,
            random,
            remembered: BTreeMap::new(),
            held: BTreeMap::new(),
            releases: VecDeque::new(),
            counts: BTreeMap::new(),
        }
    }

    /// A free port: the one the connection had, or the inside port, or the next above it; a random one where `at_random`
    /// says so. `None`: there is none, or none for this subscriber.
    pub(super) fn take(
        &mut self,
        now: Time,
        inside: Inside,
        at_random: bool,
        is_mapped: impl Fn(Outside) -> bool,
    ) -> Option<u16> {
        const LOWEST: u16 = 1_024;
        self.release(now);
        let (subscriber, inside_port, server) = inside;
        let had = self.remembered.remove(&inside);
        let held_for = |outside| self.held.get(&outside).map(|(_, connection)| *connection);
        if let Some(port) = had.filter(|port| held_for((*port, server)) == Some(inside)) {
            // Its own, and still counted.
            self.held.remove(&(port, server));
            return Some(port);
        }
        if self.is_exhausted(subscriber) {
            return None;
        }
        let wanted = if at_random {
            LOWEST + (self.random.next_u32() % u32::from(u16::MAX - LOWEST)) as u16
        } else {
            had.unwrap_or(inside_port)
        };
        let mut above = (wanted..=u16::MAX).chain(LOWEST..wanted);
        let port = above.find(|port| !is_mapped((*port, server)) && held_for((*port, server)).is_none())?;
        if self.limit.is_some() {
            *self.counts.entry(subscriber).or_default() += 1;
        }
        Some(port)
    }

    /// The mapping of a port has ended; `remember` says whether the connection may have it again.
    pub(super) fn put_back(&mut self, now: Time, inside: Inside, port: u16, remember: bool) {
        let (subscriber, _, server) = inside;
        if remember {
            self.remembered.insert(inside, port);
        }
        match self.hold_down {
            None => self.uncount(subscriber),
            Some(hold_down) => {
                let until = now + hold_down;
                self.held.insert((port, server), (until, inside));
                self.releases.push_back((until, (port, server)));
            }
        }
    }

    /// No port is released any more but those that are due.
    #[cfg(test)]
    pub(super) fn freeze(&mut self, now: Time) {
        self.release(now);
        self.releases.clear();
    }

    /// Lets go of the ports that have been held long enough.
    fn release(&mut self, now: Time) {
        while let Some(&(until, outside)) = self.releases.front().filter(|(until, _)| *until <= now) {
            self.releases.pop_front();
            // A port that its connection has taken back meanwhile is not held, or held anew.
            if let Some((_, (subscriber, ..))) = self.held.get(&outside).copied().filter(|(of, _)| *of == until) {
                self.held.remove(&outside);
                self.uncount(subscriber);
            }
        }
    }

    fn is_exhausted(&self, subscriber: u32) -> bool {
        self.limit.is_some_and(|limit| self.counts.get(&subscriber).copied().unwrap_or_default() >= limit)
    }

    fn uncount(&mut self, subscriber: u32) {
        if self.limit.is_some() {
            *self.counts.get_mut(&subscriber).expect("who puts a port back has one") -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fate::random;

    fn ports(hold_down: Option<u64>, limit: Option<u32>) -> Ports {
        Ports::new(hold_down.map(Duration::from_secs), limit, random::stream(1, "nat/ports", 0))
    }

    fn at(secs: u64) -> Time {
        Time::from_secs(secs)
    }

    #[test]
    fn the_inside_port_is_kept_where_it_is_free() {
        let mut ports = ports(None, None);
        assert_eq!(ports.take(at(0), (0, 5_000, 0), false, |_| false), Some(5_000));
        assert_eq!(ports.take(at(0), (1, 5_000, 0), false, |(port, _)| port == 5_000), Some(5_001));
        assert_eq!(ports.take(at(0), (2, u16::MAX, 0), false, |(port, _)| port == u16::MAX), Some(1_024));
        assert_eq!(ports.take(at(0), (3, 5_000, 0), false, |_| true), None);
    }

    #[test]
    fn a_held_port_goes_to_nobody_but_the_connection_that_had_it() {
        let mut ports = ports(Some(120), None);
        let first = (0, 5_000, 0);
        assert_eq!(ports.take(at(0), first, false, |_| false), Some(5_000));
        ports.put_back(at(10), first, 5_000, true);
        assert_eq!(ports.take(at(20), (1, 5_000, 0), false, |_| false), Some(5_001));
        assert_eq!(
            ports.take(at(20), (1, 5_000, 1), false, |_| false),
            Some(5_000),
            "towards another server it is free"
        );
        assert_eq!(ports.take(at(30), first, false, |_| false), Some(5_000));
        // The hold-down starts again with the next end.
        ports.put_back(at(100), first, 5_000, false);
        assert_eq!(ports.take(at(219), (2, 5_000, 0), false, |_| false), Some(5_001));
        assert_eq!(ports.take(at(220), (3, 5_000, 0), false, |_| false), Some(5_000));
    }

    #[test]
    fn a_port_that_someone_else_had_meanwhile_is_not_given_back() {
        let mut ports = ports(Some(120), None);
        let (first, second) = ((0, 5_000, 0), (1, 5_000, 0));
        assert_eq!(ports.take(at(0), first, false, |_| false), Some(5_000));
        ports.put_back(at(10), first, 5_000, true);
        assert_eq!(ports.take(at(130), second, false, |_| false), Some(5_000));
        ports.put_back(at(200), second, 5_000, true);
        assert_eq!(ports.take(at(210), first, false, |_| false), Some(5_001));
        assert_eq!(ports.take(at(220), second, false, |_| false), Some(5_000));
    }

    #[test]
    fn a_subscriber_has_no_more_ports_than_the_limit_and_held_ones_count() {
        let mut ports = ports(Some(120), Some(2));
        for port in [5_000, 5_001] {
            assert_eq!(ports.take(at(0), (0, port, 0), false, |_| false), Some(port));
        }
        assert_eq!(ports.take(at(0), (0, 5_002, 0), false, |_| false), None);
        assert_eq!(ports.take(at(0), (1, 5_002, 0), false, |_| false), Some(5_002), "another subscriber's own");
        ports.put_back(at(10), (0, 5_000, 0), 5_000, false);
        assert_eq!(ports.take(at(129), (0, 5_003, 0), false, |_| false), None);
        assert_eq!(ports.take(at(130), (0, 5_003, 0), false, |_| false), Some(5_003));
    }
}
