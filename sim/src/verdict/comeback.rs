//! Which forgotten mappings could come back on their port, where a NAT gives it back: not while the port is someone else's,
//! nor while the subscriber has no port left. Worked out after the run from what the NATs recorded, by the rules of
//! `nat::ports`; the truth needs it, and no node does.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cardiogram_policies::{Time, unit::Span};

use crate::{
    config::{FromInside, NatClass, NatConfig},
    record::trace::{Fact, NatEvent},
    verdict::path::{Key, Step},
};

/// A forgotten mapping can come back on its port from now on, or can not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Comeback {
    pub(crate) device: u32,
    pub(crate) at: Time,
    /// Which mapping.
    pub(crate) mapping: Key,
    /// A mapping that has just been forgotten can, unless this says otherwise.
    pub(crate) possible: bool,
}

/// The connection on the inside of a NAT: subscriber (at the first NAT the device, else 0), port, server.
type Inside = (u32, u16, u32);
/// On its outside: port, server.
type Outside = (u16, u32);

/// All that happens at the NATs of a network in the records of all NATs, which are those of `steps`. `classes` are those of
/// each NAT's subscribers.
pub(crate) fn comebacks(
    network: u32,
    nats: &[NatConfig],
    classes: &[Vec<NatClass>],
    records: &[(Time, Fact)],
    steps: &[Step],
) -> Vec<Comeback> {
    let mut changes: Vec<(Time, u32, Inside, bool)> = Vec::new();
    for ((nat, config), classes) in (0..).zip(nats).zip(classes) {
        if !classes.iter().any(|class| class.from_inside() == FromInside::SamePort) {
            continue;
        }
        let mut book = Book::new(config, classes);
        let of_nat = records.iter().filter_map(|(at, fact)| of_nat(network, nat, fact).map(|it| (*at, it.0, it.1)));
        for (at, inside, event) in of_nat {
            book.release_until(at);
            book.record(at, inside, event);
        }
        book.release_until(Time::MAX);
        changes.extend(book.changes.into_iter().map(|(at, inside, possible)| (at, nat, inside, possible)));
    }
    changes.sort_by_key(|(at, ..)| *at);

    // Behind the first NAT nobody knows the device; but its mapping has one.
    let mut owners: BTreeMap<Key, u32> = BTreeMap::new();
    let mut steps = steps.iter().peekable();
    let attributed = changes.into_iter().filter_map(|(at, nat, (subscriber, port, server), possible)| {
        while let Some(step) = steps.next_if(|step| step.at <= at) {
            owners.insert(step.mapping, step.device);
        }
        let mapping = Key { network, nat, port, server };
        let device = if nat == 0 { subscriber } else { *owners.get(&mapping)? };
        Some(Comeback { device, at, mapping, possible })
    });
    attributed.collect()
}

/// What a record says of a connection at this NAT.
fn of_nat(network: u32, nat: u32, fact: &Fact) -> Option<(Inside, NatEvent)> {
    match *fact {
        Fact::Nat { network: of, device, port, server, event } if (of, 0) == (network, nat) => {
            Some(((device, port, server), event))
        }
        Fact::OuterNat { network: of, nat: place, port, server, event } if (of, place) == (network, nat) => {
            Some(((0, port, server), event))
        }
        _ => None,
    }
}

/// The ports of one NAT.
struct Book<'a> {
    hold_down: Option<Duration>,
    /// The most ports of a subscriber.
    limit: Option<u32>,
    classes: &'a [NatClass],
    mapped: BTreeMap<Inside, Outside>,
    /// The outsides of those.
    taken: BTreeSet<Outside>,
    /// Ports that nobody else gets yet: until when, and which connection had them.
    held: BTreeMap<Outside, (Time, Inside)>,
    releases: BTreeSet<(Time, Outside)>,
    /// How many ports each subscriber has, the held ones included.
    counts: BTreeMap<u32, u32>,
    /// The ports of forgotten connections, and whether they can have them back.
    forgotten: BTreeMap<Inside, (u16, bool)>,
    /// The same, by port.
    hopeful: BTreeSet<(Outside, Inside)>,
    changes: Vec<(Time, Inside, bool)>,
}

impl<'a> Book<'a> {
    fn new(config: &NatConfig, classes: &'a [NatClass]) -> Self {
        Self {
            hold_down: config.hold_down.map(Span::get),
            limit: config.ports,
            classes,
            mapped: BTreeMap::new(),
            taken: BTreeSet::new(),
            held: BTreeMap::new(),
            releases: BTreeSet::new(),
            counts: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            hopeful: BTreeSet::new(),
            changes: Vec::new(),
        }
    }

    fn record(&mut self, at: Time, inside: Inside, event: NatEvent) {
        let (subscriber, _, server) = inside;
        let outside = if let NatEvent::Created { outside } = event {
            if let Some((port, _)) = self.forgotten.remove(&inside) {
                self.hopeful.remove(&((port, server), inside));
            }
            let outside = (outside, server);
            self.mapped.insert(inside, outside);
            self.taken.insert(outside);
            match self.held.remove(&outside) {
                Some((until, _)) => {
                    self.releases.remove(&(until, outside));
                }
                None => self.count(at, subscriber, true),
            }
            outside
        } else {
            let outside = self.mapped.remove(&inside).expect("a mapping ends after it was made");
            self.taken.remove(&outside);
            if self.classes[subscriber as usize].from_inside() == FromInside::SamePort {
                self.forgotten.insert(inside, (outside.0, true));
                self.hopeful.insert((outside, inside));
            }
            match self.hold_down {
                Some(hold_down) => {
                    self.held.insert(outside, (at + hold_down, inside));
                    self.releases.insert((at + hold_down, outside));
                }
                None => self.count(at, subscriber, false),
            }
            outside
        };
        self.look_at_port(at, outside);
    }
    /// Lets go of the ports that have been held long enough by `now`.
    fn release_until(&mut self, now: Time) {
        while let Some(&(at, outside)) = self.releases.first().filter(|(at, _)| *at <= now) {
            self.releases.pop_first();
            let (_, (subscriber, ..)) = self.held.remove(&outside).expect("what is released was held");
            self.count(at, subscriber, false);
            self.look_at_port(at, outside);
        }
    }

    /// A subscriber has one port more, or less.
    fn count(&mut self, at: Time, subscriber: u32, more: bool) {
        let was_exhausted = self.is_exhausted(subscriber);
        let count = self.counts.entry(subscriber).or_default();
        *count = if more { *count + 1 } else { *count - 1 };
        if self.is_exhausted(subscriber) != was_exhausted {
            let of_subscriber = (subscriber, 0, 0)..=(subscriber, u16::MAX, u32::MAX);
            let concerned: Vec<Inside> = self.forgotten.range(of_subscriber).map(|(inside, _)| *inside).collect();
            self.look_at(at, &concerned);
        }
    }

    /// Something has happened to a port.
    fn look_at_port(&mut self, at: Time, outside: Outside) {
        let hopeful = self.hopeful.range((outside, (0, 0, 0))..=(outside, (u32::MAX, u16::MAX, u32::MAX)));
        let concerned: Vec<Inside> = hopeful.map(|(_, inside)| *inside).collect();
        self.look_at(at, &concerned);
    }

    fn look_at(&mut self, at: Time, concerned: &[Inside]) {
        for inside in concerned {
            let (port, before) = self.forgotten[inside];
            let possible = self.gives_back(*inside, (port, inside.2));
            if possible != before {
                self.forgotten.insert(*inside, (port, possible));
                self.changes.push((at, *inside, possible));
            }
        }
    }

    /// Whether a connection would get this port, which it had.
    fn gives_back(&self, inside: Inside, outside: Outside) -> bool {
        match self.held.get(&outside) {
            Some((_, holder)) => *holder == inside,
            None => !self.is_exhausted(inside.0) && !self.taken.contains(&outside),
        }
    }

    fn is_exhausted(&self, subscriber: u32) -> bool {
        self.limit.is_some_and(|limit| self.counts.get(&subscriber).copied().unwrap_or_default() >= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::path;

    const SAME: NatClass = NatClass::RemapSamePort;

    fn made(device: u32, port: u16, outside: u16) -> Fact {
        Fact::Nat { network: 0, device, port, server: 0, event: NatEvent::Created { outside } }
    }

    fn lost(device: u32, port: u16) -> Fact {
        Fact::Nat { network: 0, device, port, server: 0, event: NatEvent::Expired }
    }

    /// What happens to the mappings of one NAT: second, device, its port, whether it can come back.
    fn of(config: &NatConfig, classes: &[NatClass], records: &[(u64, Fact)]) -> Vec<(u64, u32, u16, bool)> {
        let records: Vec<_> = records.iter().map(|(secs, fact)| (Time::from_secs(*secs), *fact)).collect();
        let steps = path::steps(records.clone());
        let found = comebacks(0, std::slice::from_ref(config), &[classes.to_vec()], &records, &steps);
        found.iter().map(|it| (it.at.as_micros() / 1_000_000, it.device, it.mapping.port, it.possible)).collect()
    }

    #[test]
    fn a_port_that_someone_else_has_is_lost_until_they_are_done() {
        let records = [
            (1, made(0, 100, 100)),
            (2, made(1, 100, 101)),
            (3, lost(0, 100)),
            (5, made(2, 100, 100)),
            (8, lost(2, 100)),
            (9, made(0, 100, 100)),
        ];
        let expected = [(5, 0, 100, false), (8, 0, 100, true), (9, 2, 100, false)];
        assert_eq!(of(&NatConfig::default(), &[SAME; 3], &records), expected);
        assert_eq!(of(&NatConfig::default(), &[NatClass::DropSilent; 3], &records), []);
    }

    #[test]
    fn a_subscriber_without_a_free_port_gets_none_back() {
        let config = NatConfig { ports: Some(2), ..NatConfig::default() };
        let records = [
            (1, made(0, 100, 100)),
            (2, made(0, 101, 101)),
            (3, lost(0, 100)),
            (4, made(0, 102, 102)),
            (5, made(1, 103, 103)),
            (6, lost(0, 101)),
            (7, made(0, 104, 104)),
        ];
        let expected = [(4, 0, 100, false), (6, 0, 100, true), (7, 0, 100, false), (7, 0, 101, false)];
        assert_eq!(of(&config, &[SAME; 2], &records), expected);
    }

    #[test]
    fn a_held_port_is_its_connections_own_until_it_is_released() {
        let hold_down = Some(Span::secs(10));
        let config = NatConfig { ports: Some(2), hold_down, ..NatConfig::default() };
        let records = [
            (1, made(0, 100, 100)),
            (2, made(0, 101, 101)),
            (3, lost(0, 100)),
            // Its own again, and held anew later.
            (5, made(0, 100, 100)),
            (6, lost(0, 100)),
            (20, made(0, 102, 102)),
            (30, lost(0, 102)),
        ];
        // Held until 16 s, then free like any other, of which there is one; the next one's goes at 40 s.
        let expected = [(20, 0, 100, false), (40, 0, 100, true)];
        assert_eq!(of(&config, &[SAME], &records), expected);
    }

    #[test]
    fn behind_the_first_nat_the_mapping_tells_whose_it_is() {
        let outer = |port, event| Fact::OuterNat { network: 0, nat: 1, port, server: 0, event };
        let created = |outside| NatEvent::Created { outside };
        let records = [
            (1, made(7, 100, 200)),
            (2, outer(200, created(200))),
            (3, made(8, 100, 201)),
            (4, outer(201, created(201))),
            (5, outer(200, NatEvent::Expired)),
            (6, outer(202, created(202))),
        ];
        let records = records.map(|(secs, fact)| (Time::from_secs(secs), fact));
        let nats = [NatConfig::default(), NatConfig { ports: Some(2), ..NatConfig::default() }];
        let found = comebacks(0, &nats, &[vec![SAME; 9], vec![SAME]], &records, &path::steps(records.to_vec()));
        let expected = Comeback {
            device: 7,
            at: Time::from_secs(6),
            mapping: Key { network: 0, nat: 1, port: 200, server: 0 },
            possible: false,
        };
        assert_eq!(found, [expected]);
    }
}
