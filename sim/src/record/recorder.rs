//! Writes the record of one node while the run goes on, and digests it. What is recorded is in `trace`.

use std::{cell::RefCell, rc::Rc};

use cardiogram_policies::Time;
use xxhash_rust::xxh3::Xxh3;

use super::{
    digest::{self, Data},
    trace::{AwayFact, Clue, DropReason, Entry, Fact, Fate, PortFact, TraceHash, What},
};
use crate::wire::{layout::NodeId, packet::Packet};

/// Someone who hears what decides the truth, as it is recorded.
pub(crate) trait Hears {
    /// A node records this. What one node records comes in the order of time; over nodes the order is free within the lookahead
    /// of the world.
    fn hear(&mut self, at: Time, node: NodeId, clue: Clue);
}

/// What is done with a record besides digesting it.
#[derive(Clone, Default)]
pub(crate) struct Uses {
    /// Its entries are kept.
    pub(crate) kept: bool,
    /// Who hears what decides the truth.
    pub(crate) hears: Option<Rc<RefCell<dyn Hears>>>,
}

/// A node's own record.
pub(crate) struct Recorder {
    node: NodeId,
    hasher: Xxh3,
    data: Data,
    buffer: Vec<u8>,
    hears: Option<Rc<RefCell<dyn Hears>>>,
    entries: Option<Vec<Entry>>,
}

impl Recorder {
    /// An empty record of `node`.
    pub(crate) fn new(node: NodeId, uses: &Uses) -> Self {
        let (buffer, entries) = (Vec::with_capacity(256), uses.kept.then(Vec::new));
        Self { node, hasher: Xxh3::new(), data: Data::Counts, buffer, hears: uses.hears.clone(), entries }
    }

    /// What packets carry is no part of the digest from now on.
    pub(crate) fn disregard_data(&mut self) {
        self.data = Data::DoesNot;
    }

    /// A packet was put on a link.
    pub(crate) fn sent(&mut self, at: Time, packet: &Packet, to: NodeId, fate: Fate) {
        let data = self.data;
        self.add(
            at,
            |out| digest::sent(out, packet, data, to, fate),
            || What::Sent { packet: packet.clone(), to, fate },
        );
    }

    /// A packet came off a link.
    pub(crate) fn received(&mut self, at: Time, packet: &Packet, from: NodeId) {
        let data = self.data;
        self.add(
            at,
            |out| digest::received(out, packet, data, from),
            || What::Received { packet: packet.clone(), from },
        );
    }

    /// The node threw a packet away.
    pub(crate) fn dropped(&mut self, at: Time, packet: &Packet, reason: DropReason) {
        let data = self.data;
        self.add(
            at,
            |out| digest::dropped(out, packet, data, reason),
            || What::Dropped { packet: packet.clone(), reason },
        );
    }

    /// Something happened to a part of the world.
    pub(crate) fn fact(&mut self, at: Time, fact: Fact) {
        if fact.decides_truth() {
            self.tell(at, Clue::Fact(fact));
        }
        self.add(at, |out| digest::fact(out, &fact), || What::Fact(fact));
    }

    /// A NAT would give a connection its port back, or would not any more.
    pub(crate) fn port(&mut self, at: Time, fact: PortFact) {
        self.tell(at, Clue::Port(fact));
    }

    /// A device is away.
    pub(crate) fn away(&mut self, at: Time, fact: AwayFact) {
        self.tell(at, Clue::Away(fact));
    }

    fn tell(&self, at: Time, clue: Clue) {
        if let Some(hears) = &self.hears {
            hears.borrow_mut().hear(at, self.node, clue);
        }
    }

    /// Digests an entry; makes it whole only where it is kept.
    fn add(&mut self, at: Time, write: impl FnOnce(&mut Vec<u8>), what: impl FnOnce() -> What) {
        self.buffer.clear();
        self.buffer.extend(at.as_micros().to_le_bytes());
        write(&mut self.buffer);
        self.hasher.update(&self.buffer);
        if let Some(entries) = &mut self.entries {
            entries.push(Entry { at, node: self.node, what: what() });
        }
    }

    /// Returns the digest so far.
    pub(crate) fn digest(&self) -> u128 {
        self.hasher.digest128()
    }

    /// Returns the kept entries.
    pub(crate) fn into_entries(self) -> Vec<Entry> {
        self.entries.unwrap_or_default()
    }
}

/// Returns the digest of a run from the digests of its nodes, in their order.
pub(crate) fn combine(digests: impl Iterator<Item = u128>) -> TraceHash {
    let mut hasher = Xxh3::new();
    for digest in digests {
        hasher.update(&digest.to_le_bytes());
    }
    TraceHash(hasher.digest128())
}
