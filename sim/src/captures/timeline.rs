//! A capture of a real kernel (`sim/tests/data/linux/*.csv`), and how a replay is compared with it.

use std::collections::BTreeMap;

use super::{Flags, Obstacle, Packet};

/// How late the harness of the captures, and the hosts it ran on, may have been.
const SCHEDULING_S: f64 = 0.005;
/// The same for a recording of this machine, which may be busy with other things.
const SCHEDULING_HERE_S: f64 = 0.05;
/// The kernel rounds a retransmission timeout up to whole ticks of 4 ms and doubles the rounded one: 2 % of 200 ms. It is
/// late beyond its timer wheel by as much.
const TIMEOUT_ROUNDING: f64 = 0.02;

/// Returns the folder of captures of this machine's kernel, where there are any: `tests/kernel/run` makes them.
fn of_this_machine() -> Option<String> {
    std::env::var("CARDIOGRAM_CAPTURES").ok()
}

/// Returns whether the captures are of this machine's kernel, as it was a moment ago.
pub(crate) fn are_of_this_machine() -> bool {
    of_this_machine().is_some()
}

/// Where packets are captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Client,
    Server,
}

impl Place {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A packet in a capture, with sequence numbers relative to the first of its flow.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: f64,
    pub(crate) from: Place,
    pub(crate) flags: String,
    pub(crate) len: usize,
    pub(crate) seq: Option<u32>,
    pub(crate) ack: Option<u32>,
    pub(crate) retransmission: bool,
}

/// An ICMP error that a router sent to the client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// It is about the client's packet of this number, counted from 0.
    pub(crate) about: usize,
    /// How long after that packet it came, in seconds.
    pub(crate) after: f64,
    pub(crate) why: Obstacle,
}

/// Something the capture's harness did or saw.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) at: f64,
    pub(crate) what: String,
    pub(crate) note: String,
}

/// A capture up to its teardown. Times in seconds since the last exchange before the fault.
#[derive(Debug)]
pub(crate) struct Timeline {
    pub(crate) client: Vec<Seen>,
    pub(crate) server: Vec<Seen>,
    /// What routers told the client: the harness's doing, as a cut is.
    pub(crate) errors: Vec<Told>,
    pub(crate) events: Vec<Event>,
    pub(crate) end: f64,
}

impl Timeline {
    pub(crate) fn read(name: &str) -> Self {
        let kept = || format!("{}/tests/data/linux", env!("CARGO_MANIFEST_DIR"));
        let folder = of_this_machine().unwrap_or_else(kept);
        let path = format!("{folder}/{name}.csv");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let (client, server, errors, events) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut timeline = Self { client, server, errors, events, end: f64::MAX };
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.splitn(12, ',').collect();
            let [at, _, capture, actor, what, _, _, flags, len, seq, ack, note] = fields[..] else {
                panic!("{path}: {line}")
            };
            let at: f64 = at.parse().expect("a time");
            if at > timeline.end {
                break;
            }
            let seen = || Seen {
                at,
                from: if actor == "c>s" { Place::Client } else { Place::Server },
                flags: flags.to_owned(),
                len: len.parse().expect("a length"),
                seq: seq.parse().ok(),
                ack: ack.parse().ok(),
                retransmission: note == "retransmission",
            };
            match (capture, what) {
                ("client", "tcp") => timeline.client.push(seen()),
                ("server", "tcp") => timeline.server.push(seen()),
                ("client", "icmp") => {
                    let all = [Obstacle::NetUnreachable, Obstacle::HostUnreachable, Obstacle::Prohibited];
                    let why = all.into_iter().find(|why| format!("icmp3/{}", why.code()) == flags);
                    // What was sent to warm a cache up is no error.
                    let Some(why) = why else { continue };
                    // Within microseconds, or the round trip; meanwhile the client says nothing.
                    let own = timeline.client.iter().filter(|seen| seen.from == Place::Client);
                    let last = own.clone().next_back().expect("an error is about a packet");
                    let (about, after) = (own.count() - 1, at - last.at);
                    timeline.errors.push(Told { about, after, why });
                }
                ("event", _) => {
                    // What follows is the harness tidying up.
                    match what {
                        "teardown" => timeline.end = at,
                        "closed" => timeline.end = at + 4.9,
                        _ => {}
                    }
                    timeline.events.push(Event { at, what: what.to_owned(), note: note.replace("\"\"", "\"") });
                }
                _ => {}
            }
        }
        timeline
    }

    /// Returns when the capture's harness started, its first moment.
    pub(crate) fn begin(&self) -> f64 {
        self.events.iter().find(|event| event.what == "start").expect("a start").at
    }

    /// Returns when the harness made its fault.
    pub(crate) fn fault(&self) -> f64 {
        self.events.iter().find(|event| event.what == "FAULT").expect("a fault").at
    }

    /// Returns what the client's application was told by its kernel, and when: `errno` by name.
    pub(crate) fn errno(&self) -> Option<(f64, String)> {
        let told = |event: &&Event| event.what == "DETECT" && !event.note.contains("app_timeout");
        let event = self.events.iter().find(told)?;
        let name = event.note.split('"').find(|word| word.starts_with('E')).expect("the name of an error");
        Some((event.at, name.to_owned()))
    }
}

/// A capture point of a replay.
#[derive(Default)]
pub(crate) struct Capture {
    pub(crate) seen: Vec<Seen>,
    /// First sequence number of each direction of each flow, by the client's port.
    bases: BTreeMap<u16, [Option<u32>; 2]>,
}

impl Capture {
    pub(crate) fn record(&mut self, at: f64, from: Place, packet: &Packet) {
        let port = if from == Place::Client { packet.src.port() } else { packet.dst.port() };
        let bases = self.bases.entry(port).or_default();
        let [base, other] = match from {
            Place::Client => *bases,
            Place::Server => [bases[1], bases[0]],
        };
        let reset = packet.flags.has(Flags::RST);
        if base.is_none() && !reset {
            bases[from as usize] = Some(packet.seq);
        }
        let seq = (!reset).then(|| packet.seq.wrapping_sub(base.unwrap_or(packet.seq)));
        let ack = other.filter(|_| packet.flags.has(Flags::ACK)).map(|other| packet.ack.wrapping_sub(other));
        let (flags, len) = (format!("{:?}", packet.flags), packet.payload.len());
        self.seen.push(Seen { at, from, flags, len, seq, ack, retransmission: false });
    }
}

/// Returns how late a timer of the kernel may be: its timer wheel is the coarser the longer the wait (250 Hz).
fn timer_step(wait: f64) -> f64 {
    match wait {
        ..=0.25 => 0.004,
        ..=2.0 => 0.032,
        ..=16.0 => 0.256,
        ..=129.0 => 2.048,
        _ => 16.384,
    }
}

/// Returns whether a span of the replay is the kernel's within the kernel's own imprecision.
pub(crate) fn near(replayed: f64, kernel: f64, is_timeout: bool) -> bool {
    let rounding = if is_timeout { kernel * TIMEOUT_ROUNDING } else { 0.0 };
    let scheduling = if are_of_this_machine() { SCHEDULING_HERE_S } else { SCHEDULING_S };
    (replayed - kernel).abs() <= timer_step(kernel) + scheduling + rounding
}

/// Compares a capture point, given both: the same packets in the same order, each as long after its reference as the
/// kernel's. The reference of a packet that arrives is its sending, of a retransmission the transmission before, of any
/// other packet the packet before.
pub(crate) fn compare(name: &str, place: Place, replayed: [&[Seen]; 2], kernel: [&[Seen]; 2]) -> Result<(), String> {
    let here = place as usize;
    let sender = place.other() as usize;
    for (index, (ours, theirs)) in replayed[here].iter().zip(kernel[here]).enumerate() {
        let context = || format!("{name}, {place:?}, packet {index}\nreplayed {ours:?}\nkernel   {theirs:?}");
        let same_kind = (ours.from, &ours.flags, ours.len) == (theirs.from, &theirs.flags, theirs.len);
        let same_seq = theirs.seq.is_none_or(|seq| ours.seq == Some(seq));
        if !same_kind || !same_seq || theirs.ack.is_some_and(|ack| ours.ack != Some(ack)) {
            return Err(context());
        }

        let sending = |capture: &[Seen], arrived: &Seen| {
            let same = |seen: &&Seen| {
                (seen.from, &seen.flags, seen.len) == (arrived.from, &arrived.flags, arrived.len)
                    && seen.at <= arrived.at
            };
            capture.iter().rfind(same).map(|seen| seen.at)
        };
        let sent = if ours.from == place {
            (None, None)
        } else {
            (sending(replayed[sender], ours), sending(kernel[sender], theirs))
        };
        let before = if theirs.retransmission {
            let same = |seen: &Seen| (seen.from, seen.seq, seen.len) == (theirs.from, theirs.seq, theirs.len);
            kernel[here][..index].iter().rposition(same)
        } else {
            index.checked_sub(1)
        };
        let (reference, kernel_reference) = match (sent, before) {
            ((Some(ours), Some(theirs)), _) => (ours, theirs),
            (_, Some(before)) => (replayed[here][before].at, kernel[here][before].at),
            (_, None) => continue,
        };
        let (gap, kernel_gap) = (ours.at - reference, theirs.at - kernel_reference);
        if !near(gap, kernel_gap, theirs.retransmission) {
            return Err(format!("{gap} s, kernel {kernel_gap} s: {}", context()));
        }
    }
    let (ours, theirs) = (replayed[here], kernel[here].len());
    (ours.len() == theirs).then_some(()).ok_or_else(|| format!("{name}, {place:?}: kernel {theirs} packets, {ours:#?}"))
}
