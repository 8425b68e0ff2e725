//! What a strip chart shows of one device, found in the trace of its run.

use std::{collections::BTreeMap, time::Duration};

use cardiogram_policies::{AppState, GiveUp, Time};
use cardiogram_sim::{
    Outcome,
    config::Direction,
    faults::{FaultPlace, FaultSpan},
    reading::{self, PacketKind, Passage, Reading},
    trace::{self, DeviceMeaning, Fact, Trace, Turn, What},
};

/// From and until.
pub(super) type Period = (Time, Time);

/// Everything of one device in the whole run.
#[derive(Debug, Default)]
pub(super) struct Signals {
    pub(super) faults: Vec<Fault>,
    pub(super) usable: Vec<Period>,
    pub(super) broken: Vec<(Period, &'static str)>,
    pub(super) sessions: Vec<Period>,
    pub(super) suspicions: Vec<Period>,
    pub(super) attempts: Vec<Attempt>,
    /// Sessions that the device left, or lost, and why.
    pub(super) ends: Vec<(Time, String)>,
    pub(super) beats: Vec<Beat>,
    /// Answers to heartbeats and probes, and what the server sends by itself.
    pub(super) replies: Vec<Reply>,
    pub(super) messages_up: Vec<Time>,
    pub(super) messages_down: Vec<Time>,
    pub(super) again_up: Vec<Time>,
    pub(super) again_down: Vec<Time>,
    pub(super) lost_up: Vec<Time>,
    pub(super) lost_down: Vec<Time>,
    /// The application's states, where it has any but the first.
    pub(super) states: Vec<(Period, AppState)>,
    /// There is nothing but what the device did: no packets, and nobody knows the truth.
    pub(super) is_record: bool,
}

#[derive(Debug)]
pub(super) struct Fault {
    pub(super) place: FaultPlace,
    pub(super) name: String,
    pub(super) span: Period,
    pub(super) breaks: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) span: Period,
    pub(super) failed: bool,
}

/// Something of the device that asks for an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beat {
    pub(super) at: Time,
    /// Which heartbeat of its connection; `None`: a keepalive probe, or the answer to a ping.
    pub(super) id: Option<u32>,
    /// It was answered, or wants no answer.
    pub(super) answered: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Reply {
    pub(super) at: Time,
    /// From the heartbeat; `None`: it answers none that has a number.
    pub(super) rtt: Option<Duration>,
}

impl Signals {
    /// Those of a device in a run whose trace was kept.
    pub(super) fn of(outcome: &Outcome, device: u32) -> Self {
        let trace = outcome.trace.as_ref().expect("the trace was kept");
        let broken = outcome.episodes.iter().filter(|episode| episode.device == device);
        let usable = trace.usable.iter().filter(|usable| usable.device == device);
        Self {
            faults: faults(trace, device),
            usable: usable.map(|usable| (usable.begin, usable.end)).collect(),
            broken: broken
                .map(|episode| ((episode.begin, episode.end.unwrap_or(trace.end)), episode.cause.name()))
                .collect(),
            ..Self::of_entries(trace, device)
        }
    }

    /// Those of a device by a record that has nothing but what devices did.
    pub(super) fn of_record(record: &Trace, device: u32) -> Self {
        Self { is_record: true, ..Self::of_entries(record, device) }
    }

    fn of_entries(trace: &Trace, device: u32) -> Self {
        let (mut signals, mut open) = (Self::default(), Open::default());
        for (entry, reading) in trace.entries.iter().zip(reading::read(trace)) {
            if reading.device != Some(device) {
                continue;
            }
            match &entry.what {
                What::Fact(Fact::Device { event, .. }) => signals.follow(entry.at, event.meaning(), &mut open),
                What::Sent { .. } | What::Received { .. } | What::Dropped { .. } => {
                    signals.packet(entry.at, reading, &mut open);
                }
                What::Fact(Fact::Nat { .. } | Fact::OuterNat { .. } | Fact::Proxy { .. } | Fact::Server { .. }) => {}
            }
        }
        signals.close(trace.end, &mut open);
        signals
    }

    fn packet(&mut self, at: Time, reading: Reading, open: &mut Open) {
        let up = reading.up == Some(true);
        if reading.passage == Passage::Lost {
            if up { self.lost_up.push(at) } else { self.lost_down.push(at) }
        }
        match reading.kind {
            Some(PacketKind::Retransmission) if up => self.again_up.push(at),
            Some(PacketKind::Retransmission) => self.again_down.push(at),
            Some(PacketKind::Probe) if up => {
                open.probe = Some(self.beats.len());
                self.beats.push(Beat { at, id: None, answered: false });
            }
            _ => {}
        }
        if reading.passage == Passage::Arrived
            && !up
            && let Some(probe) = open.probe.take()
        {
            self.beats[probe].answered = true;
            self.replies.push(Reply { at, rtt: None });
        }
    }

    fn follow(&mut self, at: Time, meaning: DeviceMeaning, open: &mut Open) {
        match meaning {
            DeviceMeaning::Turn(turn) => self.turn(at, turn, open),
            DeviceMeaning::Beat(beat) => self.beat(at, beat, open),
            DeviceMeaning::MessageSent => self.messages_up.push(at),
            DeviceMeaning::MessageDelivered => self.messages_down.push(at),
            DeviceMeaning::AppState(state) => {
                self.states.extend(open.state.replace((at, state)).map(|(begin, state)| ((begin, at), state)));
            }
            DeviceMeaning::ProbeEnds | DeviceMeaning::RadioUp | DeviceMeaning::News | DeviceMeaning::Other => {}
        }
    }

    fn turn(&mut self, at: Time, turn: Turn, open: &mut Open) {
        match turn {
            Turn::AttemptBegins { .. } => open.attempt = Some(at),
            Turn::AttemptEnds { .. } => self.end_attempt(at, true, open),
            Turn::SessionBegins { .. } => {
                self.end_attempt(at, false, open);
                self.end_suspicion(at, open);
                open.beats.clear();
                // A race has replaced a session.
                self.sessions.extend(open.session.replace(at).map(|begin| (begin, at)));
            }
            Turn::GivenUp(GiveUp::Done) => self.end_session(at, open),
            Turn::GivenUp(reason) => {
                self.ends.push((at, format!("gives up: {}", reason.words())));
                self.end_session(at, open);
            }
            Turn::Lost(reason) => {
                let by = cardiogram_sim::outcome::DetectedBy::Transport(reason);
                self.ends.push((at, format!("session lost: {by}")));
                self.end_session(at, open);
            }
            Turn::Killed => {
                self.end_attempt(at, true, open);
                self.end_session(at, open);
            }
            Turn::Suspects => open.suspicion = Some(at),
            Turn::Trusts => self.end_suspicion(at, open),
            Turn::Attached { .. } | Turn::Detached { .. } | Turn::Started => {}
        }
    }

    fn beat(&mut self, at: Time, beat: trace::Beat, open: &mut Open) {
        match beat {
            trace::Beat::Sent { id, probe: false } => {
                open.beats.insert(id, self.beats.len());
                self.beats.push(Beat { at, id: Some(id), answered: false });
            }
            trace::Beat::Answered { id, rtt, probe: false } => {
                if let Some(beat) = open.beats.remove(&id) {
                    self.beats[beat].answered = true;
                }
                self.replies.push(Reply { at, rtt: Some(rtt) });
            }
            trace::Beat::Sent { probe: true, .. } | trace::Beat::Notice => {
                self.beats.push(Beat { at, id: None, answered: true });
            }
            trace::Beat::PingAnswered => {
                self.beats.push(Beat { at, id: None, answered: true });
                self.replies.push(Reply { at, rtt: None });
            }
            trace::Beat::Answered { probe: true, .. } | trace::Beat::Heard => {
                self.replies.push(Reply { at, rtt: None });
            }
        }
    }

    fn end_attempt(&mut self, at: Time, failed: bool, open: &mut Open) {
        self.attempts.extend(open.attempt.take().map(|begin| Attempt { span: (begin, at), failed }));
    }

    fn end_suspicion(&mut self, at: Time, open: &mut Open) {
        self.suspicions.extend(open.suspicion.take().map(|begin| (begin, at)));
    }

    fn end_session(&mut self, at: Time, open: &mut Open) {
        self.end_suspicion(at, open);
        open.probe = None;
        self.sessions.extend(open.session.take().map(|begin| (begin, at)));
    }

    fn close(&mut self, end: Time, open: &mut Open) {
        self.end_attempt(end, false, open);
        self.end_session(end, open);
        self.states.extend(open.state.take().map(|(begin, state)| ((begin, end), state)));
    }
}

/// What is under way, by its begin; heartbeats and probes by their place.
#[derive(Default)]
struct Open {
    attempt: Option<Time>,
    session: Option<Time>,
    suspicion: Option<Time>,
    beats: BTreeMap<u32, usize>,
    probe: Option<usize>,
    state: Option<(Time, AppState)>,
}

/// Returns the faults that concern a device. One that strikes several networks or servers at the same time stands once.
fn faults(trace: &Trace, device: u32) -> Vec<Fault> {
    let mut grouped: BTreeMap<_, Vec<&FaultSpan>> = BTreeMap::new();
    for fault in trace.faults.iter().filter(|fault| fault.device.is_none_or(|of| of == device)) {
        let row = match fault.place {
            FaultPlace::Device => 0,
            FaultPlace::AccessLink { .. } => 1,
            FaultPlace::Nat { .. } => 2,
            FaultPlace::Server { .. } => 3,
            FaultPlace::Proxy => 4,
            _ => 5,
        };
        grouped.entry((fault.begin, fault.end, row, fault.kind, fault.direction)).or_default().push(fault);
    }
    grouped.into_values().map(|of| Fault::of(&of, trace)).collect()
}

impl Fault {
    /// Of a fault at its places.
    fn of(spans: &[&FaultSpan], trace: &Trace) -> Self {
        let fault = spans[0];
        let direction = match fault.direction {
            Direction::Both => "",
            Direction::Up => " up",
            Direction::Down => " down",
        };
        let servers = trace.nodes.iter().filter(|name| name.starts_with("server-")).count();
        let (all, names): (usize, Vec<String>) = match fault.place {
            FaultPlace::AccessLink { .. } => {
                (trace.networks.len(), spans.iter().filter_map(|of| network(of, trace)).collect())
            }
            FaultPlace::Nat { .. } => {
                let nats = trace.nodes.iter().filter(|name| name.starts_with("nat")).count();
                (nats, spans.iter().map(|of| trace.nodes[of.node.0 as usize].clone()).collect())
            }
            FaultPlace::Server { .. } => {
                (servers, spans.iter().map(|of| trace.nodes[of.node.0 as usize].clone()).collect())
            }
            _ => (0, Vec::new()),
        };
        let which = if names.len() >= all { String::new() } else { format!(" ({})", names.join(", ")) };
        Self {
            place: fault.place,
            name: format!("{}{direction}{which}", fault.kind),
            span: (fault.begin, fault.end_within(trace.end)),
            breaks: fault.breaks,
        }
    }
}

fn network(fault: &FaultSpan, trace: &Trace) -> Option<String> {
    let FaultPlace::AccessLink { network } = fault.place else { return None };
    trace.networks.get(network as usize).cloned()
}
