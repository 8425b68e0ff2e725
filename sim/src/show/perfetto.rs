//! A run as a timeline for `ui.perfetto.dev` and `chrome://tracing`, in the Trace Event Format ("Trace Event Format",
//! Google, the JSON object form): a process for the devices, the links, each NAT and each server, with threads of their
//! own for what lasts (`"ph": "X"`), what happens (`"i"`) and what is counted (`"C"`).
//!
//! Spans of one thread must lie within each other or apart, or the viewers draw them wrongly: what overlaps goes to a
//! further thread of the same name.

use std::collections::BTreeMap;

use cardiogram_policies::Time;
use serde::Serialize;

use crate::{
    record::{
        faults::FaultPlace,
        trace::{Beat, DeviceMeaning, Entry, Fact, ServerMeaning, Trace, Turn, What},
    },
    show::reading::{self, Passage, Reading},
    verdict::outcome::Outcome,
    wire::tap::PacketKind,
};

/// Returns the JSON of a run whose [trace](Outcome::trace) was kept; `about` stands in its `otherData`.
///
/// # Panics
///
/// If the trace was not kept.
pub fn write(outcome: &Outcome, about: &str) -> String {
    let trace = outcome.trace.as_ref().expect("the trace was kept");
    let mut timeline = Timeline::new(trace);
    timeline.add_faults();
    timeline.add_truth(outcome);
    timeline.add_entries();
    let file = File {
        trace_events: timeline.finish(),
        display_time_unit: "ms",
        other_data: OtherData { run: about.to_owned() },
    };
    let mut text = serde_json::to_string(&file).expect("plain data");
    text.push('\n');
    text
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File {
    trace_events: Vec<Event>,
    display_time_unit: &'static str,
    other_data: OtherData,
}

#[derive(Serialize)]
struct OtherData {
    run: String,
}

/// One event. Times are microseconds, which is the format's unit and ours.
#[derive(Serialize)]
struct Event {
    name: String,
    ph: &'static str,
    ts: u64,
    pid: u32,
    tid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    cat: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<u64>,
    /// The scope of an instant: its thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Args>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Args {
    Name { name: String },
    SortIndex { sort_index: u32 },
    Sessions { sessions: u64 },
    Text { about: String },
}

/// A row of the timeline: its process and its name there.
type Row = (u32, String);

/// The process of the links; those of nodes follow, by their numbers.
const LINKS: u32 = 1;

const fn process(node: u32) -> u32 {
    node + LINKS + 1
}

struct Timeline<'a> {
    trace: &'a Trace,
    spans: Vec<(Row, Event)>,
    others: Vec<(Row, Event)>,
}

impl<'a> Timeline<'a> {
    const fn new(trace: &'a Trace) -> Self {
        Self { trace, spans: Vec::new(), others: Vec::new() }
    }

    fn span(&mut self, row: Row, cat: &'static str, name: String, begin: Time, end: Time) {
        let dur = Some(end.since(begin).as_micros() as u64);
        let event = Event {
            name,
            ph: "X",
            ts: begin.as_micros(),
            pid: row.0,
            tid: 0,
            cat: Some(cat),
            dur,
            s: None,
            args: None,
        };
        self.spans.push((row, event));
    }

    fn instant(&mut self, row: Row, cat: &'static str, name: String, at: Time, about: Option<String>) {
        let args = about.map(|about| Args::Text { about });
        let (ts, pid) = (at.as_micros(), row.0);
        let event = Event { name, ph: "i", ts, pid, tid: 0, cat: Some(cat), dur: None, s: Some("t"), args };
        self.others.push((row, event));
    }

    fn add_faults(&mut self) {
        let end = self.trace.end;
        for fault in &self.trace.faults {
            let words = self.trace.fault_words(fault);
            let of_device = fault.device.map_or_else(String::new, |device| format!("device {device}: "));
            let row = match fault.place {
                FaultPlace::AccessLink { .. } | FaultPlace::CoreLink => (LINKS, format!("{of_device}faults")),
                FaultPlace::Device | FaultPlace::Nat { .. } | FaultPlace::Proxy | FaultPlace::Server { .. } => {
                    (process(fault.node.0), format!("{of_device}faults"))
                }
            };
            if fault.end == Some(fault.begin) {
                self.instant(row, "fault", words, fault.begin, None);
            } else {
                self.span(row, "fault", words, fault.begin, fault.end_within(end));
            }
        }
    }

    fn add_truth(&mut self, outcome: &Outcome) {
        for usable in &self.trace.usable {
            self.span(truth(usable.device), "truth", "usable session".into(), usable.begin, usable.end);
        }
        for episode in &outcome.episodes {
            let name = format!("broken: {}", episode.cause.name());
            self.span(truth(episode.device), "truth", name, episode.begin, episode.end.unwrap_or(self.trace.end));
        }
    }

    fn add_entries(&mut self) {
        let mut devices: BTreeMap<u32, Belief> = BTreeMap::new();
        let mut sessions: BTreeMap<u32, u64> = BTreeMap::new();
        let trace = self.trace;
        let readings = reading::read(trace);
        for (entry, reading) in trace.entries.iter().zip(&readings) {
            match &entry.what {
                What::Fact(Fact::Device { device, event }) => {
                    let belief = devices.entry(*device).or_default();
                    let meaning = event.meaning();
                    if let DeviceMeaning::Turn(turn) = meaning {
                        for (what, begin) in belief.follow(entry.at, turn) {
                            self.span(of(*device, what.row()), what.row(), what.name(), begin, entry.at);
                        }
                    }
                    if let Some((cat, name)) = instant(meaning) {
                        let name = name.map_or_else(|| event.words(&trace.networks), str::to_owned);
                        self.instant(of(*device, "events"), cat, name, entry.at, Some(trace.words(entry)));
                    }
                }
                What::Fact(Fact::Server { event, .. }) => {
                    let (row, at) = ((process(entry.node.0), "events".to_owned()), entry.at);
                    let count = sessions.entry(entry.node.0).or_default();
                    match event.meaning() {
                        ServerMeaning::SessionBegins { .. } => *count += 1,
                        ServerMeaning::SessionEnds { .. } => *count = count.saturating_sub(1),
                        // Faults stand there already.
                        ServerMeaning::Fault => continue,
                        ServerMeaning::SessionTooOld { .. }
                        | ServerMeaning::SessionHalfDead { .. }
                        | ServerMeaning::Ping { .. }
                        | ServerMeaning::Pong
                        | ServerMeaning::Other => {
                            self.instant(row, "server", trace.words(entry), at, None);
                            continue;
                        }
                    }
                    let args = Some(Args::Sessions { sessions: *count });
                    let (ts, pid) = (at.as_micros(), row.0);
                    let name = "sessions".to_owned();
                    self.others
                        .push((row, Event { name, ph: "C", ts, pid, tid: 0, cat: None, dur: None, s: None, args }));
                }
                What::Fact(Fact::Nat { .. } | Fact::OuterNat { .. }) => {
                    let row = (process(entry.node.0), "mappings".to_owned());
                    self.instant(row, "nat", trace.words(entry), entry.at, None);
                }
                What::Fact(Fact::Proxy { .. }) => {
                    let row = (process(entry.node.0), "connections".to_owned());
                    self.instant(row, "proxy", trace.words(entry), entry.at, None);
                }
                What::Sent { .. } | What::Received { .. } | What::Dropped { .. } => self.add_packet(entry, *reading),
            }
        }
        for (device, mut belief) in devices {
            for (what, begin) in belief.finish() {
                self.span(of(device, what.row()), what.row(), what.name(), begin, trace.end);
            }
        }
    }

    /// Packets stand once, where they set out or arrive at the device; and where they are lost.
    fn add_packet(&mut self, entry: &Entry, reading: Reading) {
        let Some(device) = reading.device else { return };
        let at_device = entry.node == crate::wire::layout::DEVICES;
        let again = reading.kind == Some(PacketKind::Retransmission);
        if !(at_device || reading.passage == Passage::Lost || again) {
            return;
        }
        let way = if reading.up == Some(true) { "up" } else { "down" };
        let name = match (reading.passage == Passage::Lost, again) {
            (true, _) => format!("{way}, lost"),
            (false, true) => format!("{way}, retransmission"),
            (false, false) if reading.beats => format!("{way}, heartbeat"),
            (false, false) => way.to_owned(),
        };
        self.instant(of(device, "packets"), "packet", name, entry.at, Some(self.trace.words(entry)));
    }

    /// Gives rows their threads, and puts everything in order: names first, then by time, the longer span first.
    fn finish(mut self) -> Vec<Event> {
        self.spans.sort_by(|(a_row, a), (b_row, b)| (a_row, a.ts, b.dur).cmp(&(b_row, b.ts, a.dur)));
        // The threads of a row, each with the ends of the spans that are open on it, the innermost last.
        let mut rows: BTreeMap<Row, Vec<Vec<u64>>> = BTreeMap::new();
        let mut placed: Vec<(Row, usize, Event)> = Vec::new();
        for (row, event) in self.spans {
            let end = event.ts + event.dur.expect("a span has a length");
            let threads = rows.entry(row.clone()).or_default();
            let fits = |open: &mut Vec<u64>| {
                while open.pop_if(|until| *until <= event.ts).is_some() {}
                open.last().is_none_or(|until| end <= *until)
            };
            let thread = threads.iter_mut().position(fits).unwrap_or_else(|| {
                threads.push(Vec::new());
                threads.len() - 1
            });
            threads[thread].push(end);
            placed.push((row, thread, event));
        }
        for (row, event) in self.others {
            let threads = rows.entry(row.clone()).or_default();
            if threads.is_empty() {
                threads.push(Vec::new());
            }
            placed.push((row, 0, event));
        }
        let mut events = Vec::new();
        let mut name = |what: &str, pid, tid, args| {
            let name = what.to_owned();
            events.push(Event { name, ph: "M", ts: 0, pid, tid, cat: None, dur: None, s: None, args: Some(args) });
        };
        let nodes = (0..).zip(&self.trace.nodes).map(|(node, name)| (process(node), name.as_str()));
        for (pid, of) in std::iter::once((LINKS, "links")).chain(nodes) {
            name("process_name", pid, 0, Args::Name { name: of.to_owned() });
            name("process_sort_index", pid, 0, Args::SortIndex { sort_index: pid });
        }
        let mut threads: BTreeMap<(Row, usize), u32> = BTreeMap::new();
        let mut tid = 0;
        for (row, of_row) in &rows {
            for thread in 0..of_row.len() {
                tid += 1;
                let of = if thread == 0 { row.1.clone() } else { format!("{} ({})", row.1, thread + 1) };
                name("thread_name", row.0, tid, Args::Name { name: of });
                name("thread_sort_index", row.0, tid, Args::SortIndex { sort_index: tid });
                threads.insert((row.clone(), thread), tid);
            }
        }
        placed.sort_by(|(.., a), (.., b)| (a.ts, b.dur).cmp(&(b.ts, a.dur)));
        events.extend(placed.into_iter().map(|(row, thread, event)| Event { tid: threads[&(row, thread)], ..event }));
        events
    }
}

/// Returns a row of a device.
fn of(device: u32, what: &str) -> Row {
    // Not a node's number but the first process: the devices are the first node.
    (process(0), format!("device {device}: {what}"))
}

fn truth(device: u32) -> Row {
    of(device, "truth")
}

/// What a device does or believes for a while.
#[derive(Clone, Copy)]
enum State {
    Attempt { port: u16 },
    Race { port: u16 },
    Session { port: u16 },
    Suspicion,
    NoProcess,
}

impl State {
    const fn row(self) -> &'static str {
        match self {
            Self::Attempt { .. } | Self::Session { .. } | Self::NoProcess => "session",
            Self::Race { .. } => "race",
            Self::Suspicion => "suspicion",
        }
    }

    fn name(self) -> String {
        match self {
            Self::Attempt { port } => format!("attempt, port {port}"),
            Self::Race { port } => format!("race, port {port}"),
            Self::Session { port } => format!("session, port {port}"),
            Self::Suspicion => "suspect".into(),
            Self::NoProcess => "no process".into(),
        }
    }
}

/// What a device takes to be the case: what it is in, each with its begin.
#[derive(Default)]
struct Belief {
    connection: Option<(State, Time)>,
    race: Option<(State, Time)>,
    suspicion: Option<(State, Time)>,
}

impl Belief {
    /// Follows a turn; returns what is over by it.
    fn follow(&mut self, at: Time, turn: Turn) -> Vec<(State, Time)> {
        let mut over = Vec::new();
        match turn {
            Turn::AttemptBegins { port, beside: false, .. } => {
                over.extend(self.connection.replace((State::Attempt { port }, at)));
            }
            Turn::AttemptBegins { port, beside: true, .. } => {
                over.extend(self.race.replace((State::Race { port }, at)));
            }
            Turn::AttemptEnds { beside: true } => over.extend(self.race.take()),
            Turn::SessionBegins { port } => {
                over.extend(self.race.take());
                over.extend(self.suspicion.take());
                over.extend(self.connection.replace((State::Session { port }, at)));
            }
            Turn::AttemptEnds { beside: false } | Turn::Started => over.extend(self.connection.take()),
            Turn::GivenUp(_) | Turn::Lost(_) => {
                over.extend(self.suspicion.take());
                over.extend(self.connection.take());
            }
            Turn::Killed => {
                over.extend(self.finish());
                self.connection = Some((State::NoProcess, at));
            }
            Turn::Suspects => over.extend(self.suspicion.replace((State::Suspicion, at))),
            Turn::Trusts => over.extend(self.suspicion.take()),
            Turn::Attached { .. } | Turn::Detached { .. } => {}
        }
        over
    }

    /// Returns what is under way, which is over.
    fn finish(&mut self) -> Vec<(State, Time)> {
        [self.connection.take(), self.race.take(), self.suspicion.take()].into_iter().flatten().collect()
    }
}

/// Returns the category of an event that stands as an instant, and its name, where it is another than its words.
const fn instant(meaning: DeviceMeaning) -> Option<(&'static str, Option<&'static str>)> {
    match meaning {
        DeviceMeaning::Beat(beat) => {
            let name = match beat {
                Beat::Sent { .. } | Beat::Notice => "heartbeat",
                Beat::Answered { .. } => "reply",
                Beat::PingAnswered => "ping",
                Beat::Heard => "notice",
            };
            Some(("heartbeat", Some(name)))
        }
        DeviceMeaning::MessageSent => Some(("data", Some("message sent"))),
        DeviceMeaning::MessageDelivered => Some(("data", Some("message"))),
        DeviceMeaning::Turn(turn) => match turn {
            Turn::GivenUp(_) => Some(("giving-up", Some("gives up"))),
            // These are spans, or follow from them.
            Turn::AttemptBegins { .. }
            | Turn::AttemptEnds { beside: true }
            | Turn::Killed
            | Turn::Started
            | Turn::Suspects
            | Turn::Trusts => None,
            Turn::AttemptEnds { beside: false }
            | Turn::SessionBegins { .. }
            | Turn::Lost(_)
            | Turn::Attached { .. }
            | Turn::Detached { .. } => Some(("device", None)),
        },
        DeviceMeaning::ProbeEnds
        | DeviceMeaning::AppState(_)
        | DeviceMeaning::RadioUp
        | DeviceMeaning::News
        | DeviceMeaning::Other => Some(("device", None)),
    }
}
