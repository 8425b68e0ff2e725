//! What every node of the world is to an engine, and the host that runs one: its inbox, its outgoing links, its record.
//!
//! The ordering contract lives here and nowhere else: a node handles its events by time; at equal times packets come
//! before its own wake-up, packets by (sending node, number of sending). An engine that lets every host run to a time
//! before which nothing more can arrive gives the one possible run.

use std::any::Any;

use cardiogram_policies::Time;

use crate::{
    nodes::{
        inbox::{Flight, Inbox},
        link::Link,
    },
    record::{
        counts::Counts,
        recorder::{Recorder, Uses},
        trace::{AwayFact, DropReason, Entry, Fact, Fate, PortFact},
    },
    wire::{layout::NodeId, packet::Packet},
};

/// A part of the world, sans-IO.
pub(crate) trait Node: Any {
    /// A packet arrives.
    fn on_packet(&mut self, now: Time, packet: Packet, io: &mut Io);

    /// The time of [`next_wake`](Self::next_wake) has come.
    fn on_wake(&mut self, now: Time, io: &mut Io);

    /// Returns when the node wants to be woken next.
    fn next_wake(&self) -> Option<Time>;

    /// From now on nothing breaks or heals by itself, and nobody acts of their own accord: see `frozen`.
    fn freeze(&mut self, _now: Time) {}

    /// Returns what the node counted, at the end of the run.
    fn into_counts(self: Box<Self>) -> Counts {
        Counts::Nothing
    }
}

/// A node's way to the outside while it handles an event: it sends packets, and notes what happens in the record.
pub(crate) struct Io<'a> {
    now: Time,
    links: &'a mut [(NodeId, Link)],
    inbox: &'a mut Inbox,
    sent: &'a mut Vec<Flight>,
    next_number: &'a mut u64,
    from: NodeId,
    recorder: &'a mut Recorder,
}

impl Io<'_> {
    /// Puts a packet on lane `lane` of the node's link number `link`.
    pub(crate) fn send(&mut self, link: usize, lane: u32, packet: Packet) {
        let (to, wire) = &mut self.links[link];
        let fate = wire.transmit(self.now, wire.lane_of(lane, packet.device), packet.wire_len());
        self.recorder.sent(self.now, &packet, *to, fate);
        let (arrival, copy) = match fate {
            Fate::Arrives(at) => (at, None),
            Fate::ArrivesTwice { first, copy } => (first, Some(copy)),
            Fate::Cut => {
                self.answer(link, lane, &packet);
                return;
            }
            Fate::Lost | Fate::QueueFull => return,
        };
        // The copy goes first: of two that arrive at once, it counts as the one sent earlier.
        let mut fly = |arrival, packet| {
            self.sent.push(Flight { arrival, from: self.from, number: *self.next_number, to: *to, packet });
            *self.next_number += 1;
        };
        if let Some(copy) = copy {
            fly(copy, packet.clone());
        }
        fly(arrival, packet);
    }

    /// Lets the router at a cut answer a packet that it cannot forward: the answer comes back to the node, and leaves no host.
    fn answer(&mut self, link: usize, lane: u32, packet: &Packet) {
        let (_, wire) = &mut self.links[link];
        let answer = wire.answer(self.now, wire.lane_of(lane, packet.device));
        let Some((arrival, packet)) = answer.and_then(|(at, why)| Some((at, packet.undelivered(why)?))) else { return };
        let (from, number) = (self.from, *self.next_number);
        *self.next_number += 1;
        self.inbox.push(Flight { arrival, from, number, to: from, packet });
    }

    /// Notes that the node throws a packet away.
    pub(crate) fn dropped(&mut self, packet: &Packet, reason: DropReason) {
        self.recorder.dropped(self.now, packet, reason);
    }

    /// Notes what happened to a part of the world.
    pub(crate) fn note(&mut self, fact: Fact) {
        self.recorder.fact(self.now, fact);
    }

    /// Notes whether a NAT would give a forgotten connection its port back.
    pub(crate) fn port(&mut self, fact: PortFact) {
        self.recorder.port(self.now, fact);
    }

    /// Notes that a device is away.
    pub(crate) fn away(&mut self, fact: AwayFact) {
        self.recorder.away(self.now, fact);
    }
}

/// A node with everything an engine needs to run it.
pub(crate) struct Host {
    id: NodeId,
    node: Box<dyn Node>,
    links: Vec<(NodeId, Link)>,
    inbox: Inbox,
    next_number: u64,
    recorder: Recorder,
    /// Everything before this time has been handled.
    ran_until: Time,
}

impl Host {
    /// A host for `node`, whose links are numbered in the order given, each with the node at its far end.
    pub(crate) fn new(id: NodeId, node: Box<dyn Node>, links: Vec<(NodeId, Link)>, uses: &Uses) -> Self {
        Self {
            id,
            node,
            links,
            inbox: Inbox::default(),
            next_number: 0,
            recorder: Recorder::new(id, uses),
            ran_until: Time::ZERO,
        }
    }

    /// What packets carry is no part of the trace hash.
    pub(crate) fn disregard_data(&mut self) {
        self.recorder.disregard_data();
    }

    /// Takes a packet that will arrive later.
    pub(crate) fn deliver(&mut self, flight: Flight) {
        assert!(flight.arrival >= self.ran_until, "an engine delivered a packet into the past: {flight:?}");
        self.inbox.push(flight);
    }

    /// Returns when the host has something to do next.
    pub(crate) fn next_event(&self) -> Option<Time> {
        let packet = self.inbox.next();
        // What a node has put off to a time that is past is due at once.
        let wake = self.node.next_wake().map(|wake| wake.max(self.ran_until));
        packet.into_iter().chain(wake).min()
    }

    /// Handles every event before `until`, in order; packets sent on the way are added to `sent`.
    #[cfg(any(test, feature = "turmoil"))]
    pub(crate) fn run_before(&mut self, until: Time, sent: &mut Vec<Flight>) {
        while let Some(now) = self.next_event().filter(|now| *now < until) {
            self.run_next(now, sent);
        }
        self.ran_until = until;
    }

    /// Handles the first event, which is due at `now`.
    pub(crate) fn run_next(&mut self, now: Time, sent: &mut Vec<Flight>) {
        self.ran_until = now;
        let mut io = Io {
            now,
            links: &mut self.links,
            inbox: &mut self.inbox,
            sent,
            next_number: &mut self.next_number,
            from: self.id,
            recorder: &mut self.recorder,
        };
        if let Some((from, packet)) = io.inbox.pop_due(now) {
            io.recorder.received(now, &packet, from);
            self.node.on_packet(now, packet, &mut io);
        } else {
            self.node.on_wake(now, &mut io);
        }
    }

    /// Freezes the node and its links: see `frozen`.
    pub(crate) fn freeze(&mut self, now: Time) {
        self.node.freeze(now);
        for (_, link) in &mut self.links {
            link.freeze(now);
        }
    }

    /// Returns the node, where it is a `N`.
    pub(crate) fn node<N: Node>(&mut self) -> Option<&mut N> {
        (&mut *self.node as &mut dyn Any).downcast_mut()
    }

    /// Returns what the host leaves behind.
    pub(crate) fn finish(self) -> Finished {
        let digest = self.recorder.digest();
        Finished { digest, entries: self.recorder.into_entries(), counts: self.node.into_counts() }
    }
}

/// What a host leaves behind at the end of a run.
pub(crate) struct Finished {
    pub(crate) digest: u128,
    pub(crate) entries: Vec<Entry>,
    pub(crate) counts: Counts,
}
