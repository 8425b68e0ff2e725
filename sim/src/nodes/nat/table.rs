//! The mappings of a NAT, found from both sides, with the moments at which they end by themselves.

use std::collections::BTreeMap;

use cardiogram_policies::Time;

use super::{
    lru::Lru,
    mapping::{Inside, Mapping, Outside},
};
use crate::{config::Background, nodes::timers::Timers};

/// All mappings, by slot; slots are used again. They are found by whole numbers, which a map compares at once.
pub(super) struct Table {
    mappings: Vec<Option<Mapping>>,
    free: Vec<u32>,
    by_inside: BTreeMap<u64, u32>,
    by_outside: BTreeMap<u64, u32>,
    /// The last users of outside ports, of the mappings that asked to be remembered.
    last_subscribers: BTreeMap<Outside, u32>,
    expiry: Timers,
    /// The order of use; `None` where the size is not limited.
    lru: Option<Lru>,
}

impl Table {
    pub(super) fn new(size: Option<u32>, background: Option<Background>) -> Self {
        Self {
            mappings: Vec::new(),
            free: Vec::new(),
            by_inside: BTreeMap::new(),
            by_outside: BTreeMap::new(),
            last_subscribers: BTreeMap::new(),
            expiry: Timers::default(),
            lru: size.map(|size| Lru::new(size, background.map(Background::gap_ns))),
        }
    }

    pub(super) fn at_inside(&self, inside: Inside) -> Option<u32> {
        self.by_inside.get(&inside_key(inside)).copied()
    }

    pub(super) fn at_outside(&self, outside: Outside) -> Option<u32> {
        self.by_outside.get(&outside_key(outside)).copied()
    }

    pub(super) fn get(&self, slot: u32) -> &Mapping {
        self.mappings[slot as usize].as_ref().expect("a slot in use")
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut Mapping {
        self.mappings[slot as usize].as_mut().expect("a slot in use")
    }

    /// Returns the slots in use, by inside.
    pub(super) fn slots(&self) -> Vec<u32> {
        self.by_inside.values().copied().collect()
    }

    /// Returns the connection that had this port last, where [`remove`](Self::remove) was told to keep that.
    pub(super) fn last_subscriber(&self, outside: Outside) -> Option<u32> {
        self.last_subscribers.get(&outside).copied()
    }

    /// Adds a mapping, which lives until `expires` if it is not used again.
    pub(super) fn insert(&mut self, now: Time, mapping: Mapping, expires: Time) -> u32 {
        let slot = self.free.pop().unwrap_or(self.mappings.len() as u32);
        self.by_inside.insert(inside_key(mapping.inside), slot);
        self.by_outside.insert(outside_key(mapping.outside), slot);
        if slot as usize == self.mappings.len() {
            self.mappings.push(Some(mapping));
        } else {
            self.mappings[slot as usize] = Some(mapping);
        }
        self.used(slot, now, expires);
        slot
    }

    /// A mapping was used, and lives until `expires` if it is not used again.
    pub(super) fn used(&mut self, slot: u32, now: Time, expires: Time) {
        self.expiry.set(slot, Some(expires));
        if let Some(lru) = &mut self.lru {
            lru.touch(slot, now);
        }
    }

    /// Takes a mapping out.
    pub(super) fn remove(&mut self, slot: u32, keep_subscriber: bool) -> Mapping {
        let mapping = self.mappings[slot as usize].take().expect("a slot in use");
        self.by_inside.remove(&inside_key(mapping.inside));
        self.by_outside.remove(&outside_key(mapping.outside));
        if keep_subscriber {
            self.last_subscribers.insert(mapping.outside, mapping.inside.0);
        } else {
            self.last_subscribers.remove(&mapping.outside);
        }
        self.expiry.set(slot, None);
        if let Some(lru) = &mut self.lru {
            lru.remove(slot);
        }
        self.free.push(slot);
        mapping
    }

    /// Returns the next mapping whose idle time is over at `now`; its timer is unset.
    pub(super) fn pop_expired(&mut self, now: Time) -> Option<u32> {
        self.expiry.pop_due(now)
    }

    /// Returns the mapping that does not fit any more at `now`.
    pub(super) fn overflow(&self, now: Time) -> Option<u32> {
        self.lru.as_ref()?.next().filter(|(due, _)| *due <= now).map(|(_, slot)| slot)
    }

    /// No mapping ends by itself any more.
    pub(super) fn freeze(&mut self) {
        (self.expiry, self.lru) = (Timers::default(), None);
    }

    /// Returns when the next mapping ends if nothing is used until then.
    pub(super) fn next_end(&self) -> Option<Time> {
        let pushed_out = self.lru.as_ref().and_then(Lru::next).map(|(due, _)| due);
        [self.expiry.next(), pushed_out].into_iter().flatten().min()
    }
}

/// In the order of what it stands for.
fn inside_key((subscriber, port, server): Inside) -> u64 {
    u64::from(subscriber) << 32 | u64::from(port) << 16 | u64::from(server)
}

fn outside_key(outside: Outside) -> u64 {
    u64::from(outside.address) << 32 | u64::from(outside.port) << 16 | u64::from(outside.server)
}
