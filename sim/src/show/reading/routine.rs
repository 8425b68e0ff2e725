//! Which entries are no more than heartbeats that went well. The rule is at [`Reading::routine`].

use std::collections::BTreeMap;

use cardiogram_policies::Time;

use super::{Passage, Reading};
use crate::record::trace::{Beat, DeviceMeaning, Fact, ServerMeaning, Trace, Turn, What};
use crate::wire::tap::PacketKind;

/// Marks what is routine in readings that are complete otherwise.
pub(super) fn mark(trace: &Trace, readings: &mut [Reading]) {
    let mut devices: BTreeMap<u32, Exchanges> = BTreeMap::new();
    for (entry, reading) in trace.entries.iter().zip(&*readings) {
        if let Some(device) = reading.device {
            devices.entry(device).or_default().follow(entry.at, &entry.what, *reading);
        }
    }
    let spans: BTreeMap<u32, Spans> = devices.into_iter().map(|(device, of)| (device, of.finish(trace.end))).collect();
    for (entry, reading) in trace.entries.iter().zip(readings) {
        let Some(spans) = reading.device.and_then(|device| spans.get(&device)) else { continue };
        let beats = if is_radio(&entry.what) {
            contains(&spans.good, entry.at)
        } else {
            reading.beats && !is_trouble(*reading) || is_beat(&entry.what)
        };
        reading.routine = beats && !contains(&spans.bad, entry.at);
    }
}

/// Returns a packet that shows that an exchange does not go well.
fn is_trouble(reading: Reading) -> bool {
    reading.passage == Passage::Lost || reading.kind == Some(PacketKind::Retransmission)
}

/// Returns whether an event tells of a heartbeat, and of nothing else.
const fn is_beat(what: &What) -> bool {
    match what {
        What::Fact(Fact::Device { event, .. }) => matches!(event.meaning(), DeviceMeaning::Beat(_)),
        What::Fact(Fact::Server { event, .. }) => {
            matches!(event.meaning(), ServerMeaning::Ping { .. } | ServerMeaning::Pong)
        }
        What::Fact(Fact::Nat { .. } | Fact::OuterNat { .. } | Fact::Proxy { .. })
        | What::Sent { .. }
        | What::Received { .. }
        | What::Dropped { .. } => false,
    }
}

/// Returns whether a radio has come up, for a heartbeat or for something else.
const fn is_radio(what: &What) -> bool {
    matches!(what, What::Fact(Fact::Device { event, .. }) if matches!(event.meaning(), DeviceMeaning::RadioUp))
}

/// From the heartbeat to its answer, both included.
type Span = (Time, Time);

/// The exchanges of one device while its trace is read.
#[derive(Default)]
struct Exchanges {
    good: Vec<Span>,
    bad: Vec<Span>,
    /// When packets of heartbeats were lost or sent again; in order.
    troubles: Vec<Time>,
    /// Heartbeats of the session, and of the probe connection, that wait for a reply, by number.
    beats: [BTreeMap<u32, Time>; 2],
    /// Pings that wait for an answer, by server.
    pings: BTreeMap<u32, Time>,
    /// Keepalive probes that wait for any packet, by direction.
    probes: [Option<Time>; 2],
}

struct Spans {
    /// Sorted and apart.
    good: Vec<Span>,
    bad: Vec<Span>,
}

impl Exchanges {
    fn follow(&mut self, at: Time, what: &What, reading: Reading) {
        if reading.beats && is_trouble(reading) {
            self.troubles.push(at);
        }
        match what {
            What::Sent { .. } => {
                if reading.kind == Some(PacketKind::Probe) {
                    let up = usize::from(reading.up == Some(true));
                    self.bad.extend(self.probes[up].replace(at).map(|sent| (sent, at)));
                }
            }
            What::Received { .. } => {
                // Whatever comes from the other end answers a probe of this one.
                if reading.passage == Passage::Arrived {
                    let up = usize::from(reading.up == Some(false));
                    self.good.extend(self.probes[up].take().map(|sent| (sent, at)));
                }
            }
            What::Fact(Fact::Device { event, .. }) => self.follow_device(at, event.meaning()),
            What::Fact(Fact::Server { server, event }) => match event.meaning() {
                ServerMeaning::Ping { wants_answer: true } => {
                    self.bad.extend(self.pings.insert(*server, at).map(|sent| (sent, at)));
                }
                ServerMeaning::Pong => self.good.extend(self.pings.remove(server).map(|sent| (sent, at))),
                ServerMeaning::SessionEnds { .. } => {
                    self.bad.extend(self.pings.remove(server).map(|sent| (sent, at)));
                }
                ServerMeaning::Ping { wants_answer: false }
                | ServerMeaning::SessionBegins { .. }
                | ServerMeaning::SessionTooOld { .. }
                | ServerMeaning::SessionHalfDead { .. }
                | ServerMeaning::Fault
                | ServerMeaning::Other => {}
            },
            What::Fact(Fact::Nat { .. } | Fact::OuterNat { .. } | Fact::Proxy { .. }) | What::Dropped { .. } => {}
        }
    }

    fn follow_device(&mut self, at: Time, meaning: DeviceMeaning) {
        match meaning {
            DeviceMeaning::Beat(Beat::Sent { id, probe }) => _ = self.beats[usize::from(probe)].insert(id, at),
            DeviceMeaning::Beat(Beat::Answered { id, probe, .. }) => self.answered(usize::from(probe), id, at),
            DeviceMeaning::Turn(Turn::GivenUp(_) | Turn::Lost(_) | Turn::Killed) => {
                self.unanswered(0, at);
                self.bad.extend(self.probes.iter_mut().filter_map(Option::take).map(|sent| (sent, at)));
            }
            DeviceMeaning::ProbeEnds => self.unanswered(1, at),
            DeviceMeaning::Beat(Beat::Notice | Beat::PingAnswered | Beat::Heard)
            | DeviceMeaning::Turn(
                Turn::AttemptBegins { .. }
                | Turn::AttemptEnds { .. }
                | Turn::SessionBegins { .. }
                | Turn::Suspects
                | Turn::Trusts
                | Turn::Attached { .. }
                | Turn::Detached { .. }
                | Turn::Started,
            )
            | DeviceMeaning::MessageSent
            | DeviceMeaning::MessageDelivered
            | DeviceMeaning::AppState(_)
            | DeviceMeaning::RadioUp
            | DeviceMeaning::News
            | DeviceMeaning::Other => {}
        }
    }

    /// The reply to a heartbeat has come. Replies come in order: what waits for an earlier one waits in vain.
    fn answered(&mut self, connection: usize, id: u32, at: Time) {
        let later = self.beats[connection].split_off(&id);
        self.unanswered(connection, at);
        self.beats[connection] = later;
        self.good.extend(self.beats[connection].remove(&id).map(|sent| (sent, at)));
    }

    fn unanswered(&mut self, connection: usize, at: Time) {
        let waiting = std::mem::take(&mut self.beats[connection]);
        self.bad.extend(waiting.into_values().map(|sent| (sent, at)));
    }

    fn finish(mut self, end: Time) -> Spans {
        self.unanswered(0, end);
        self.unanswered(1, end);
        let waiting = std::mem::take(&mut self.pings).into_values().chain(self.probes.into_iter().flatten());
        self.bad.extend(waiting.map(|sent| (sent, end)));
        let troubled = |(from, to): &Span| {
            let next = self.troubles.partition_point(|at| at < from);
            self.troubles.get(next).is_some_and(|at| at <= to)
        };
        let (bad, good): (Vec<Span>, Vec<Span>) = self.good.into_iter().partition(troubled);
        self.bad.extend(bad);
        Spans { good: joined(good), bad: joined(self.bad) }
    }
}

/// Sorts spans and joins those that touch.
fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
            _ => joined.push(span),
        }
    }
    joined
}

fn contains(spans: &[Span], at: Time) -> bool {
    let next = spans.partition_point(|(_, to)| *to < at);
    spans.get(next).is_some_and(|(from, _)| *from <= at)
}
