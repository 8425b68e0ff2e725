//! Which outside addresses and ports a NAT gives out: to whom, how many, and when again; and which forgotten connections would get theirs
//! back. What a port leads to is the table's to know.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use cardiogram_policies::Time;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use super::{
    mapping::{Inside, Outside},
    port_set::PortSet,
};
use crate::fate::nat::Pool;

/// The ports of a NAT: free, mapped, held down, remembered, counted.
pub(super) struct Ports {
    hold_down: Option<Duration>,
    /// The most ports of a subscriber.
    limit: Option<u32>,
    random: ChaCha8Rng,
    pool: Pool,
    /// The ports that are not free, of each address towards each server: mapped, or held.
    taken: BTreeMap<(u16, u32), PortSet>,
    /// The port of forgotten connections, where the NAT gives it out again to the same connection, and whether it would now.
    remembered: BTreeMap<Inside, (u16, bool)>,
    /// The connections in `remembered`, by their ports.
    claims: BTreeSet<(Outside, Inside)>,
    /// The connections in `remembered` that would get their port back from now on, or would not any more; not told yet.
    turns: Vec<(Inside, bool)>,
    /// Ports that nobody else gets yet: until when, and which connection had them.
    held: BTreeMap<Outside, (Time, Inside)>,
    /// The held ports in the order of their release.
    releases: VecDeque<(Time, Outside)>,
    /// How many ports each subscriber has, the held ones included; empty without a limit.
    counts: BTreeMap<u32, u32>,
}

impl Ports {
    pub(super) fn new(pool: Pool, hold_down: Option<Duration>, limit: Option<u32>, random: ChaCha8Rng) -> Self {
        Self {
            pool,
            hold_down,
            limit,
            random,
            taken: BTreeMap::new(),
            remembered: BTreeMap::new(),
            claims: BTreeSet::new(),
            turns: Vec::new(),
            held: BTreeMap::new(),
            releases: VecDeque::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Returns the subscriber's address with a free port: the one the connection had, or the inside port, or the next above it;
    /// a random one where `at_random` says so. `None`: there is none, or none for this subscriber.
    pub(super) fn take(&mut self, now: Time, inside: Inside, at_random: bool) -> Option<Outside> {
        self.release(now);
        let (subscriber, ..) = inside;
        let port = self.choose(inside, at_random)?;
        let outside = self.outside(inside, port);
        self.taken.entry((outside.address, outside.server)).or_default().insert(outside.port);
        if let Some((had, _)) = self.remembered.remove(&inside) {
            self.claims.remove(&(self.outside(inside, had), inside));
        }
        // A held port is its connection's own, and still counted.
        if self.held.remove(&outside).is_none() {
            self.count(subscriber, true);
        }
        self.look_at_port(outside);
        Some(outside)
    }

    fn choose(&mut self, inside: Inside, at_random: bool) -> Option<u16> {
        const LOWEST: u16 = 1_024;
        let (subscriber, inside_port, _) = inside;
        let had = self.remembered.get(&inside).map(|(port, _)| *port);
        if had.is_some_and(|port| self.gives_back(inside, port)) {
            return had;
        }
        if self.is_exhausted(subscriber) {
            return None;
        }
        let wanted = if at_random {
            LOWEST + (self.random.next_u32() % u32::from(u16::MAX - LOWEST)) as u16
        } else {
            had.unwrap_or(inside_port)
        };
        let Outside { address, server, .. } = self.outside(inside, wanted);
        let Some(taken) = self.taken.get(&(address, server)) else { return Some(wanted) };
        let from_below = || taken.first_free(LOWEST).filter(|port| *port < wanted);
        taken.first_free(wanted).or_else(from_below)
    }

    /// The mapping of a port has ended; `remember` says whether the connection may have it again.
    pub(super) fn put_back(&mut self, now: Time, inside: Inside, outside: Outside, remember: bool) {
        self.release(now);
        let (subscriber, ..) = inside;
        if remember {
            self.remembered.insert(inside, (outside.port, false));
            self.claims.insert((outside, inside));
        }
        match self.hold_down {
            None => {
                self.free(outside);
                self.count(subscriber, false);
            }
            Some(hold_down) => {
                let until = now + hold_down;
                self.held.insert(outside, (until, inside));
                self.releases.push_back((until, outside));
            }
        }
        self.look_at_port(outside);
    }

    /// Lets go of the ports that have been held long enough.
    pub(super) fn release(&mut self, now: Time) {
        while let Some(&(until, outside)) = self.releases.front().filter(|(until, _)| *until <= now) {
            self.releases.pop_front();
            // A port that its connection has taken back meanwhile is not held, or held anew.
            if let Some((_, (subscriber, ..))) = self.held.get(&outside).copied().filter(|(of, _)| *of == until) {
                self.held.remove(&outside);
                self.free(outside);
                self.count(subscriber, false);
                self.look_at_port(outside);
            }
        }
    }

    /// Returns when [`release`](Self::release) has to be called at the latest for [`turns`](Self::turns) to be told in time.
    pub(super) fn next_release(&self) -> Option<Time> {
        self.releases.front().filter(|_| !self.claims.is_empty()).map(|(until, _)| *until)
    }

    /// Returns the forgotten connections that would get their port back since the last call, or would not any more, in order.
    /// Right after its end no connection would.
    pub(super) fn turns(&mut self) -> Vec<(Inside, bool)> {
        std::mem::take(&mut self.turns)
    }

    /// No port is released any more but those that are due.
    pub(super) fn freeze(&mut self, now: Time) {
        self.release(now);
        self.releases.clear();
    }

    /// Returns whether a connection would get back the port that it had.
    fn gives_back(&self, inside: Inside, port: u16) -> bool {
        let outside = self.outside(inside, port);
        match self.held.get(&outside) {
            Some((_, connection)) => *connection == inside,
            None => !self.is_exhausted(inside.0) && !self.is_taken(outside),
        }
    }

    /// Returns what a connection is outside, on this port.
    fn outside(&self, (subscriber, _, server): Inside, port: u16) -> Outside {
        Outside { address: self.pool.address_of(subscriber), port, server }
    }

    fn is_taken(&self, Outside { address, port, server }: Outside) -> bool {
        self.taken.get(&(address, server)).is_some_and(|taken| taken.contains(port))
    }

    fn free(&mut self, Outside { address, port, server }: Outside) {
        self.taken.get_mut(&(address, server)).expect("the port was taken").remove(port);
    }

    /// Something has happened to a port.
    fn look_at_port(&mut self, outside: Outside) {
        let claims = self.claims.range((outside, (0, 0, 0))..=(outside, (u32::MAX, u16::MAX, u32::MAX)));
        let concerned: Vec<Inside> = claims.map(|(_, inside)| *inside).collect();
        self.look_at(&concerned);
    }

    fn look_at(&mut self, concerned: &[Inside]) {
        for inside in concerned {
            let (port, before) = self.remembered[inside];
            let gives_back = self.gives_back(*inside, port);
            if gives_back != before {
                self.remembered.insert(*inside, (port, gives_back));
                self.turns.push((*inside, gives_back));
            }
        }
    }

    fn is_exhausted(&self, subscriber: u32) -> bool {
        self.limit.is_some_and(|limit| self.counts.get(&subscriber).copied().unwrap_or_default() >= limit)
    }

    /// A subscriber has one port more, or one less.
    fn count(&mut self, subscriber: u32, more: bool) {
        if self.limit.is_none() {
            return;
        }
        let was_exhausted = self.is_exhausted(subscriber);
        let count = self.counts.entry(subscriber).or_default();
        *count = if more { *count + 1 } else { *count - 1 };
        if self.is_exhausted(subscriber) != was_exhausted {
            let of_subscriber = (subscriber, 0, 0)..=(subscriber, u16::MAX, u32::MAX);
            let concerned: Vec<Inside> = self.remembered.range(of_subscriber).map(|(inside, _)| *inside).collect();
            self.look_at(&concerned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fate::random;

    fn ports(hold_down: Option<u64>, limit: Option<u32>) -> Ports {
        let random = random::stream(1, "nat/ports", 0);
        Ports::new(Pool::new(100_000, 1), hold_down.map(Duration::from_secs), limit, random)
    }

    /// A port of the only address.
    fn port(port: u16) -> Outside {
        Outside { address: 0, port, server: 0 }
    }

    /// Asks for a port of a NAT with a single address.
    fn take(ports: &mut Ports, secs: u64, inside: Inside) -> Option<u16> {
        ports.take(at(secs), inside, false).map(|outside| outside.port)
    }

    fn at(secs: u64) -> Time {
        Time::from_secs(secs)
    }

    #[test]
    fn the_inside_port_is_kept_where_it_is_free() {
        let mut ports = ports(None, None);
        assert_eq!(take(&mut ports, 0, (0, 5_000, 0)), Some(5_000));
        assert_eq!(take(&mut ports, 0, (1, 5_000, 0)), Some(5_001));
        assert_eq!(take(&mut ports, 0, (2, u16::MAX, 0)), Some(u16::MAX));
        assert_eq!(take(&mut ports, 0, (3, u16::MAX, 0)), Some(1_024));
        for taken in 4..64_512 {
            assert!(take(&mut ports, 0, (taken, 5_000, 0)).is_some(), "{taken}");
        }
        assert_eq!(take(&mut ports, 0, (64_512, 5_000, 0)), None);
        ports.put_back(at(1), (0, 5_000, 0), port(5_000), false);
        assert_eq!(take(&mut ports, 2, (64_512, 7_000, 0)), Some(5_000));
    }

    #[test]
    fn each_address_has_its_ports_and_a_subscriber_keeps_his_address() {
        let mut ports = Ports::new(Pool::new(5, 2), None, None, random::stream(1, "nat/ports", 0));
        let outside = |address, port, server| Some(Outside { address, port, server });
        for (inside, expected) in [
            ((0, 5_000, 0), outside(0, 5_000, 0)),
            ((2, 5_000, 0), outside(0, 5_001, 0)),
            ((3, 5_000, 0), outside(1, 5_000, 0)),
            ((4, 5_000, 0), outside(1, 5_001, 0)),
            ((0, 6_000, 1), outside(0, 6_000, 1)),
            ((4, 6_000, 1), outside(1, 6_000, 1)),
        ] {
            assert_eq!(ports.take(at(0), inside, false), expected);
        }
        ports.put_back(at(1), (0, 5_000, 0), port(5_000), true);
        assert_eq!(ports.take(at(1), (3, 5_000, 0), false), outside(1, 5_002, 0), "his own address has none like it");
        assert_eq!(ports.take(at(2), (1, 5_000, 0), false), outside(0, 5_000, 0));
    }

    #[test]
    fn a_held_port_goes_to_nobody_but_the_connection_that_had_it() {
        let mut ports = ports(Some(120), None);
        let first = (0, 5_000, 0);
        assert_eq!(take(&mut ports, 0, first), Some(5_000));
        ports.put_back(at(10), first, port(5_000), true);
        assert_eq!(take(&mut ports, 20, (1, 5_000, 0)), Some(5_001));
        assert_eq!(take(&mut ports, 20, (1, 5_000, 1)), Some(5_000), "towards another server it is free");
        assert_eq!(take(&mut ports, 30, first), Some(5_000));
        // The hold-down starts again with the next end.
        ports.put_back(at(100), first, port(5_000), false);
        assert_eq!(take(&mut ports, 219, (2, 5_000, 0)), Some(5_002));
        assert_eq!(take(&mut ports, 220, (3, 5_000, 0)), Some(5_000));
    }

    #[test]
    fn a_port_that_someone_else_had_meanwhile_is_not_given_back() {
        let mut ports = ports(Some(120), None);
        let (first, second) = ((0, 5_000, 0), (1, 5_000, 0));
        assert_eq!(take(&mut ports, 0, first), Some(5_000));
        ports.put_back(at(10), first, port(5_000), true);
        assert_eq!(take(&mut ports, 130, second), Some(5_000));
        ports.put_back(at(200), second, port(5_000), true);
        assert_eq!(take(&mut ports, 210, first), Some(5_001));
        assert_eq!(take(&mut ports, 220, second), Some(5_000));
    }

    #[test]
    fn a_subscriber_has_no_more_ports_than_the_limit_and_held_ones_count() {
        let mut ports = ports(Some(120), Some(2));
        for port in [5_000, 5_001] {
            assert_eq!(take(&mut ports, 0, (0, port, 0)), Some(port));
        }
        assert_eq!(take(&mut ports, 0, (0, 5_002, 0)), None);
        assert_eq!(take(&mut ports, 0, (1, 5_002, 0)), Some(5_002), "another subscriber's own");
        ports.put_back(at(10), (0, 5_000, 0), port(5_000), false);
        assert_eq!(take(&mut ports, 129, (0, 5_003, 0)), None);
        assert_eq!(take(&mut ports, 130, (0, 5_003, 0)), Some(5_003));
    }

    /// A NAT's ports with the mappings that its table would have.
    struct Router {
        ports: Ports,
        mapped: BTreeMap<Inside, u16>,
        /// The moment, the subscriber and the inside port of every turn.
        turns: Vec<(u64, u32, u16, bool)>,
    }

    impl Router {
        fn new(hold_down: Option<u64>, limit: Option<u32>) -> Self {
            Self { ports: ports(hold_down, limit), mapped: BTreeMap::new(), turns: Vec::new() }
        }

        /// A connection of a subscriber from a port asks for a mapping; it gets this outside port.
        fn made(&mut self, secs: u64, subscriber: u32, port: u16, outside: Option<u16>) {
            self.pass(secs);
            let inside = (subscriber, port, 0);
            assert_eq!(take(&mut self.ports, secs, inside), outside);
            self.mapped.extend(outside.map(|outside| (inside, outside)));
            self.note(secs);
        }

        /// Its mapping ends, and is remembered.
        fn lost(&mut self, secs: u64, subscriber: u32, port: u16) {
            self.pass(secs);
            let inside = (subscriber, port, 0);
            let outside = self.mapped.remove(&inside).expect("it was made");
            self.ports.put_back(at(secs), inside, Outside { address: 0, port: outside, server: 0 }, true);
            self.note(secs);
        }

        /// Time passes up to this second.
        fn pass(&mut self, secs: u64) {
            while let Some(due) = self.ports.next_release().filter(|due| *due <= at(secs)) {
                self.ports.release(due);
                self.note(due.as_micros() / 1_000_000);
            }
        }

        fn note(&mut self, secs: u64) {
            let turns = self.ports.turns().into_iter();
            self.turns.extend(turns.map(|((subscriber, port, _), there)| (secs, subscriber, port, there)));
        }
    }

    #[test]
    fn a_port_that_someone_else_has_is_lost_until_they_are_done() {
        let mut it = Router::new(None, None);
        it.made(1, 0, 100, Some(100));
        it.made(2, 1, 100, Some(101));
        it.lost(3, 0, 100);
        it.made(5, 2, 100, Some(100));
        it.lost(8, 2, 100);
        it.made(9, 0, 100, Some(100));
        let expected =
            [(3, 0, 100, true), (5, 0, 100, false), (8, 0, 100, true), (8, 2, 100, true), (9, 2, 100, false)];
        assert_eq!(it.turns, expected);
    }

    #[test]
    fn a_subscriber_without_a_free_port_gets_none_back() {
        let mut it = Router::new(None, Some(2));
        it.made(1, 0, 100, Some(100));
        it.made(2, 0, 101, Some(101));
        it.lost(3, 0, 100);
        it.made(4, 0, 102, Some(102));
        it.made(5, 1, 103, Some(103));
        // It is dropped for want of a port, and the port that it had is not forgotten for that.
        it.made(5, 0, 100, None);
        it.lost(6, 0, 101);
        it.made(7, 0, 104, Some(104));
        let expected = [
            (3, 0, 100, true),
            (4, 0, 100, false),
            (6, 0, 100, true),
            (6, 0, 101, true),
            (7, 0, 100, false),
            (7, 0, 101, false),
        ];
        assert_eq!(it.turns, expected);
    }

    #[test]
    fn a_held_port_is_its_connections_own_until_it_is_released() {
        let mut it = Router::new(Some(10), Some(2));
        it.made(1, 0, 100, Some(100));
        it.made(2, 0, 101, Some(101));
        it.lost(3, 0, 100);
        // Its own again, and held anew later.
        it.made(5, 0, 100, Some(100));
        it.lost(6, 0, 100);
        it.made(20, 0, 102, Some(102));
        it.lost(30, 0, 102);
        it.pass(60);
        // Held until 16 s, then free like any other, of which there is one; the next one's goes at 40 s.
        let expected =
            [(3, 0, 100, true), (6, 0, 100, true), (20, 0, 100, false), (30, 0, 102, true), (40, 0, 100, true)];
        assert_eq!(it.turns, expected);
    }
}
