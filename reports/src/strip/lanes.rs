//! What a strip chart is made of: lanes with bands and ticks, shades behind them, and what the colours mean.

use cardiogram_policies::{AppState, Time};
use cardiogram_sim::faults::FaultPlace;

use super::{
    axis::{Window, length},
    signals::{Signals, Span},
};
use crate::chart::color::{BROKEN, Color, DISTURBANCE, DISTURBANCE_SHADE, FAULT, FAULT_SHADE, SCREEN};

// The colours of the signals, which are the same in both themes: Okabe and Ito's for colour-blind readers. What letters stand on
// is one of the theme's tints.
const HEARTBEAT: Color = Color(0, 114, 178);
const REPLY: Color = Color(0, 158, 115);
const PROBE: Color = Color(86, 180, 233);
const MESSAGE: Color = Color(204, 121, 167);
const AGAIN: Color = Color(230, 159, 0);
const BAD: Color = Color(213, 94, 0);
const SUSPICION: Color = Color(230, 159, 0);
pub(super) const STRIKE: Color = Color(213, 94, 0);
const DOZE: Color = DISTURBANCE;

/// Everything between the title and the axis.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) lanes: Vec<Lane>,
    /// Faults, through all lanes; later ones over earlier ones.
    pub(super) shades: Vec<(Span, Color)>,
    /// Faults that take no time, through all lanes.
    pub(super) strikes: Vec<Time>,
    /// Moments at which sessions ended, with their names.
    pub(super) marks: Vec<(Time, String)>,
    /// What is to be seen.
    pub(super) legend: Vec<(Swatch, &'static str)>,
}

/// One lane.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) name: &'static str,
    /// A second line below the name.
    pub(super) note: &'static str,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Bands(Vec<Band>),
    /// Bands that share the lane's height where they overlap.
    Shared(Vec<Band>),
    /// What goes up from the lane's middle, and what goes down.
    Ticks([Vec<Tick>; 2]),
}

/// Something that lasts.
#[derive(Debug)]
pub(super) struct Band {
    pub(super) span: Span,
    pub(super) color: Color,
    pub(super) label: Option<String>,
}

/// Something that happens.
#[derive(Debug)]
pub(super) struct Tick {
    pub(super) at: Time,
    pub(super) color: Color,
    pub(super) shape: Shape,
    pub(super) label: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A line.
    Line,
    /// A line with a head: it is what one looks for.
    Tall,
    /// A cross.
    Cross,
}

/// A sample of the legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swatch {
    Band(Color),
    Tick(Color),
    Cross(Color),
    /// The line of a fault that takes no time.
    Strike,
    /// The mark of an end.
    Mark,
}

/// The lanes of a window. Which there are depends on the run, so that windows of one run can be laid beside each other.
pub(super) fn lanes(signals: &Signals, window: Window) -> Chart {
    let mut chart =
        Chart { lanes: Vec::new(), shades: Vec::new(), strikes: Vec::new(), marks: Vec::new(), legend: Vec::new() };
    chart.add_faults(signals, window);
    chart.add_states(signals, window);
    chart.add_truth(signals, window);
    chart.add_session(signals, window);
    chart.add_beats(signals, window);
    chart.add_messages(signals, window);
    chart.add_packets(signals, window);
    chart.marks = signals.ends.iter().filter(|(at, _)| window.has(*at)).cloned().collect();
    chart.explain(!chart.marks.is_empty(), Swatch::Mark, "session given up or lost");
    chart
}

/// The name of the lane for faults at a place.
const fn place(place: FaultPlace) -> &'static str {
    match place {
        FaultPlace::AccessLink { .. } => "access link",
        FaultPlace::Nat { .. } => "NAT",
        FaultPlace::CoreLink => "core link",
        FaultPlace::Server { .. } => "server",
        _ => "device",
    }
}

/// A band of what lies in the window.
fn band(window: Window, span: Span, color: Color, label: Option<String>) -> Option<Band> {
    window.clip(span).map(|span| Band { span, color, label })
}

fn bands(window: Window, spans: &[Span], color: Color) -> Vec<Band> {
    spans.iter().filter_map(|span| band(window, *span, color, None)).collect()
}

fn ticks(window: Window, moments: &[Time], color: Color, shape: Shape) -> Vec<Tick> {
    let within = moments.iter().filter(|at| window.has(**at));
    within.map(|at| Tick { at: *at, color, shape, label: None }).collect()
}

impl Chart {
    fn explain(&mut self, shown: bool, swatch: Swatch, words: &'static str) {
        if shown {
            self.legend.push((swatch, words));
        }
    }

    fn lane(&mut self, name: &'static str, note: &'static str, content: Content) {
        self.lanes.push(Lane { name, note, content });
    }

    fn add_faults(&mut self, signals: &Signals, window: Window) {
        let mut shown = [false; 2];
        let is_moment = |(begin, end): Span| begin == end;
        for name in ["device", "access link", "NAT", "core link", "server"] {
            let here = || signals.faults.iter().filter(|fault| place(fault.place) == name);
            if here().next().is_none() {
                continue;
            }
            // Those that break something over those that only disturb, and moments over all.
            let mut bands = Vec::new();
            for (breaks, color, shade) in [(false, DISTURBANCE, DISTURBANCE_SHADE), (true, FAULT, FAULT_SHADE)] {
                for fault in here().filter(|fault| fault.breaks == breaks && !is_moment(fault.span)) {
                    let Some(band) = band(window, fault.span, color, Some(fault.name.clone())) else { continue };
                    shown[usize::from(breaks)] = true;
                    self.shades.push((band.span, shade));
                    bands.push(band);
                }
            }
            for fault in here().filter(|fault| is_moment(fault.span)) {
                bands.extend(band(window, fault.span, STRIKE, Some(fault.name.clone())));
                self.strikes.extend(Some(fault.span.0).filter(|at| window.has(*at)));
            }
            self.lane(name, "faults", Content::Shared(bands));
        }
        self.shades.sort_by_key(|(_, shade)| *shade == FAULT_SHADE);
        self.explain(shown[1], Swatch::Band(FAULT), "fault: nothing passes");
        self.explain(shown[0], Swatch::Band(DISTURBANCE), "fault: something suffers");
        self.explain(!self.strikes.is_empty(), Swatch::Strike, "fault of a moment");
    }

    fn add_states(&mut self, signals: &Signals, window: Window) {
        if signals.states.is_empty() {
            return;
        }
        let of = |(span, state): &(Span, AppState)| match state {
            AppState::Foreground => band(window, *span, SCREEN, Some("on the screen".into())),
            AppState::Doze => band(window, *span, DOZE, Some("doze".into())),
            AppState::Background => None,
        };
        let bands = signals.states.iter().filter_map(of).collect();
        self.lane("application", "", Content::Bands(bands));
    }

    fn add_truth(&mut self, signals: &Signals, window: Window) {
        let mut found = bands(window, &signals.usable, REPLY);
        let usable = found.len();
        let broken = signals.broken.iter();
        found.extend(broken.filter_map(|(span, cause)| band(window, *span, BROKEN, Some((*cause).to_owned()))));
        self.explain(usable > 0, Swatch::Band(REPLY), "session truly usable");
        self.explain(found.len() > usable, Swatch::Band(BROKEN), "broken");
        self.lane("truth", "", Content::Bands(found));
    }

    fn add_session(&mut self, signals: &Signals, window: Window) {
        let mut found = bands(window, &signals.sessions, HEARTBEAT);
        let sessions = found.len();
        // Most policies give up in the moment in which they begin to suspect.
        let suspicions = signals.suspicions.iter().filter(|(begin, end)| begin < end).copied().collect::<Vec<_>>();
        found.extend(bands(window, &suspicions, SUSPICION));
        self.explain(sessions > 0, Swatch::Band(HEARTBEAT), "session, as the device believes");
        self.explain(found.len() > sessions, Swatch::Band(SUSPICION), "suspected");
        self.lane("session", "", Content::Bands(found));

        let mut attempts = Vec::new();
        for failed in [false, true] {
            let color = if failed { BAD } else { HEARTBEAT };
            let such = signals.attempts.iter().filter(|attempt| attempt.failed == failed);
            let found: Vec<Band> = such.filter_map(|attempt| band(window, attempt.span, color, None)).collect();
            self.explain(failed && !found.is_empty(), Swatch::Band(BAD), "attempt that failed");
            attempts.extend(found);
        }
        self.lane("attempts", "", Content::Bands(attempts));
    }

    fn add_beats(&mut self, signals: &Signals, window: Window) {
        let up: Vec<Tick> = signals
            .beats
            .iter()
            .filter(|beat| window.has(beat.at))
            .map(|beat| Tick {
                at: beat.at,
                color: match (beat.answered, beat.id) {
                    (false, _) => BAD,
                    (true, Some(_)) => HEARTBEAT,
                    (true, None) => PROBE,
                },
                shape: if beat.answered { Shape::Line } else { Shape::Tall },
                label: beat.id.map(|id| format!("no. {id}")),
            })
            .collect();
        let replies = signals.replies.iter().filter(|reply| window.has(reply.at));
        let down: Vec<Tick> = replies
            .map(|reply| Tick { at: reply.at, color: REPLY, shape: Shape::Line, label: reply.rtt.map(length) })
            .collect();
        let has = |color| up.iter().any(|tick| tick.color == color);
        let (beats, probes, unanswered) = (has(HEARTBEAT), has(PROBE), has(BAD));
        self.explain(beats, Swatch::Tick(HEARTBEAT), "heartbeat");
        self.explain(probes, Swatch::Tick(PROBE), "probe, or answer to a ping");
        self.explain(unanswered, Swatch::Tick(BAD), "heartbeat without reply");
        self.explain(!down.is_empty(), Swatch::Tick(REPLY), "reply");
        self.lane("heartbeats", "replies below", Content::Ticks([up, down]));
    }

    fn add_messages(&mut self, signals: &Signals, window: Window) {
        if signals.messages_up.is_empty() && signals.messages_down.is_empty() {
            return;
        }
        let rows = [&signals.messages_up, &signals.messages_down].map(|at| ticks(window, at, MESSAGE, Shape::Line));
        self.explain(rows.iter().any(|row| !row.is_empty()), Swatch::Tick(MESSAGE), "message");
        self.lane("messages", "pushes below", Content::Ticks(rows));
    }

    fn add_packets(&mut self, signals: &Signals, window: Window) {
        let rows = [&signals.again_up, &signals.again_down].map(|at| ticks(window, at, AGAIN, Shape::Line));
        self.explain(rows.iter().any(|row| !row.is_empty()), Swatch::Tick(AGAIN), "retransmission");
        self.lane("sent again", "by the server below", Content::Ticks(rows));
        let rows = [&signals.lost_up, &signals.lost_down].map(|at| ticks(window, at, BAD, Shape::Cross));
        self.explain(rows.iter().any(|row| !row.is_empty()), Swatch::Cross(BAD), "packet lost or thrown away");
        self.lane("packets lost", "downwards below", Content::Ticks(rows));
    }
}
