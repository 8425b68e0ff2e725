//! What a strip chart shows: lanes with spans and moments, shades behind them, the ends of sessions above, and what the
//! colours mean.

use cardiogram_policies::{AppState, Time};
use cardiogram_sim::faults::FaultPlace;

use super::{
    Window,
    signals::{Period, Signals},
};
use crate::chart::{
    Axis, BROKEN, Chart, Color, DISTURBANCE, DISTURBANCE_SHADE, FAULT, FAULT_SHADE, Height, Identity, Key, Lane, Mark,
    Moment, Point, SCREEN, Scale, Shape, Span, Stroke, Tip, length,
};

// The colours of the signals, which are the same in both themes: Okabe and Ito's for colour-blind readers. What letters stand on
// is one of the theme's tints.
const HEARTBEAT: Color = Color(0, 114, 178);
const REPLY: Color = Color(0, 158, 115);
const PROBE: Color = Color(86, 180, 233);
const MESSAGE: Color = Color(204, 121, 167);
const AGAIN: Color = Color(230, 159, 0);
const BAD: Color = Color(213, 94, 0);
const SUSPICION: Color = Color(230, 159, 0);
const STRIKE: Color = Color(213, 94, 0);
const DOZE: Color = DISTURBANCE;

/// Faults that take no time, and ends of sessions.
const STRIKE_LINE: Stroke = Stroke { color: STRIKE, width: 1.0, dash: Some((2.0, 3.0)) };
const END_LINE: Stroke = Stroke { color: Identity::END.color, width: 1.0, dash: Some((4.0, 3.0)) };

/// More ends than this are not ruled through the lanes, and have no names.
const RULES_MAX: usize = 12;

/// A strip chart in the making.
struct Strip {
    window: Window,
    lanes: Vec<Lane>,
    marks: Vec<Mark>,
    legend: Vec<(String, Key)>,
}

/// Returns the chart of a window. Which lanes there are depends on the run, so that windows of one run can be laid beside each
/// other.
pub(super) fn chart(title: String, signals: &Signals, window: Window) -> Chart {
    let mut strip = Strip { window, lanes: Vec::new(), marks: Vec::new(), legend: Vec::new() };
    strip.add_faults(signals);
    strip.add_states(signals);
    if !signals.is_record {
        strip.add_truth(signals);
    }
    strip.add_session(signals);
    strip.add_beats(signals);
    strip.add_messages(signals);
    if !signals.is_record {
        strip.add_packets(signals);
    }
    let has_ends = strip.add_ends(signals);
    let time = Scale::Time { from: window.from.as_secs_f64(), to: window.to.as_secs_f64() };
    Chart {
        above: has_ends.then(|| "session given up or lost".to_owned()),
        marks: strip.marks,
        legend: strip.legend,
        ..Chart::new(title, Axis::new("time of the run", time), Axis::new("", Scale::Lanes(strip.lanes)))
    }
}

/// Returns the name of the lane for faults at a place.
const fn place(place: FaultPlace) -> &'static str {
    match place {
        FaultPlace::AccessLink { .. } => "access link",
        FaultPlace::Nat { .. } => "NAT",
        FaultPlace::CoreLink => "core link",
        FaultPlace::Server { .. } => "server",
        FaultPlace::Proxy => "proxy",
        _ => "device",
    }
}

const fn is_moment((begin, end): Period) -> bool {
    begin.as_micros() == end.as_micros()
}

impl Strip {
    fn explain(&mut self, shown: bool, key: Key, words: &str) {
        if shown {
            self.legend.push((words.to_owned(), key));
        }
    }

    /// Returns what of a period lies in the window.
    fn span(&self, period: Period, color: Color, label: Option<String>) -> Option<Span> {
        let (from, to) = self.window.clip(period)?;
        Some(Span { from: from.as_secs_f64(), to: to.as_secs_f64(), color, label })
    }

    fn spans(&self, periods: &[Period], color: Color) -> Vec<Span> {
        periods.iter().filter_map(|period| self.span(*period, color, None)).collect()
    }

    fn moments(&self, times: &[Time], color: Color, shape: Shape) -> Vec<Moment> {
        let within = times.iter().filter(|at| self.window.has(**at));
        within.map(|at| Moment { at: at.as_secs_f64(), color, shape, label: None }).collect()
    }

    /// A lane of what lasts; what overlaps shares its height where `shared`.
    fn lane(&mut self, name: &'static str, note: &'static str, spans: Vec<Span>, shared: bool) {
        self.marks.push(Mark::Spans { lane: self.lanes.len(), spans, shared });
        self.lanes.push(Lane { name, note, is_tall: false });
    }

    /// A lane of what happens: upwards and downwards.
    fn tall_lane(&mut self, name: &'static str, note: &'static str, rows: [Vec<Moment>; 2]) {
        self.marks.push(Mark::Moments { lane: self.lanes.len(), rows });
        self.lanes.push(Lane { name, note, is_tall: true });
    }

    fn add_faults(&mut self, signals: &Signals) {
        // Those that break something lie over those that only disturb, and moments over all.
        let kinds = [(false, DISTURBANCE, DISTURBANCE_SHADE), (true, FAULT, FAULT_SHADE)];
        let mut shown = [false; 2];
        for (breaks, _, shade) in kinds {
            for fault in signals.faults.iter().filter(|fault| fault.breaks == breaks && !is_moment(fault.span)) {
                let Some(Span { from, to, .. }) = self.span(fault.span, shade, None) else { continue };
                self.marks.push(Mark::Shade { from, to, color: shade });
                shown[usize::from(breaks)] = true;
            }
        }
        let mut strikes = Vec::new();
        for name in ["device", "access link", "NAT", "core link", "server"] {
            let here = || signals.faults.iter().filter(|fault| place(fault.place) == name);
            if here().next().is_none() {
                continue;
            }
            let mut spans = Vec::new();
            for (breaks, color, _) in kinds {
                let such = here().filter(|fault| fault.breaks == breaks && !is_moment(fault.span));
                spans.extend(such.filter_map(|fault| self.span(fault.span, color, Some(fault.name.clone()))));
            }
            let moments = here().filter(|fault| is_moment(fault.span));
            let struck = moments.filter_map(|fault| self.span(fault.span, STRIKE, Some(fault.name.clone())));
            let before = spans.len();
            spans.extend(struck);
            strikes.extend(spans[before..].iter().map(|span| span.from));
            self.lane(name, "faults", spans, true);
        }
        self.explain(shown[1], Key::Patch(FAULT), "fault: nothing passes");
        self.explain(shown[0], Key::Patch(DISTURBANCE), "fault: something suffers");
        self.explain(!strikes.is_empty(), Key::Line(STRIKE_LINE), "fault of a moment");
        if strikes.len() <= RULES_MAX {
            self.marks.extend(strikes.into_iter().map(|at| Mark::Rule(at, STRIKE_LINE)));
        }
    }

    fn add_states(&mut self, signals: &Signals) {
        if signals.states.is_empty() {
            return;
        }
        let of = |(period, state): &(Period, AppState)| match state {
            AppState::Foreground => self.span(*period, SCREEN, Some("on the screen".into())),
            AppState::Doze => self.span(*period, DOZE, Some("doze".into())),
            AppState::Background => None,
        };
        let spans = signals.states.iter().filter_map(of).collect();
        self.lane("application", "", spans, false);
    }

    fn add_truth(&mut self, signals: &Signals) {
        let mut found = self.spans(&signals.usable, REPLY);
        let usable = found.len();
        let broken = signals.broken.iter();
        found.extend(broken.filter_map(|(period, cause)| self.span(*period, BROKEN, Some((*cause).to_owned()))));
        self.explain(usable > 0, Key::Patch(REPLY), "session truly usable");
        self.explain(found.len() > usable, Key::Patch(BROKEN), "broken");
        self.lane("truth", "", found, false);
    }

    fn add_session(&mut self, signals: &Signals) {
        let mut found = self.spans(&signals.sessions, HEARTBEAT);
        let sessions = found.len();
        // Most policies give up in the moment in which they begin to suspect.
        let suspicions = signals.suspicions.iter().filter(|period| !is_moment(**period)).copied().collect::<Vec<_>>();
        found.extend(self.spans(&suspicions, SUSPICION));
        self.explain(sessions > 0, Key::Patch(HEARTBEAT), "session, as the device believes");
        self.explain(found.len() > sessions, Key::Patch(SUSPICION), "suspected");
        self.lane("session", "", found, false);

        let attempts = |failed: bool| {
            let such = signals.attempts.iter().filter(|attempt| attempt.failed == failed);
            such.map(|attempt| attempt.span).collect::<Vec<_>>()
        };
        let mut found = self.spans(&attempts(false), HEARTBEAT);
        let good = found.len();
        found.extend(self.spans(&attempts(true), BAD));
        self.explain(found.len() > good, Key::Patch(BAD), "attempt that failed");
        self.lane("attempts", "", found, false);
    }

    fn add_beats(&mut self, signals: &Signals) {
        let beats = signals.beats.iter().filter(|beat| self.window.has(beat.at));
        let up: Vec<Moment> = beats
            .map(|beat| Moment {
                at: beat.at.as_secs_f64(),
                color: match (beat.answered, beat.id) {
                    (false, _) => BAD,
                    (true, Some(_)) => HEARTBEAT,
                    (true, None) => PROBE,
                },
                shape: if beat.answered { Shape::Line } else { Shape::Tall },
                label: beat.id.map(|id| format!("no. {id}")),
            })
            .collect();
        let replies = signals.replies.iter().filter(|reply| self.window.has(reply.at));
        let down: Vec<Moment> = replies
            .map(|reply| Moment {
                at: reply.at.as_secs_f64(),
                color: REPLY,
                shape: Shape::Line,
                label: reply.rtt.map(|rtt| length(rtt.as_secs_f64())),
            })
            .collect();
        let has = |color| up.iter().any(|moment| moment.color == color);
        let (beats, probes, unanswered) = (has(HEARTBEAT), has(PROBE), has(BAD));
        self.explain(beats, Key::Tick(HEARTBEAT), "heartbeat");
        self.explain(probes, Key::Tick(PROBE), "probe, or answer to a ping");
        self.explain(unanswered, Key::Tick(BAD), "heartbeat without reply");
        self.explain(!down.is_empty(), Key::Tick(REPLY), "reply");
        self.tall_lane("heartbeats", "replies below", [up, down]);
    }

    fn add_messages(&mut self, signals: &Signals) {
        if signals.messages_up.is_empty() && signals.messages_down.is_empty() {
            return;
        }
        let times = [&signals.messages_up, &signals.messages_down];
        self.add_rows("messages", "pushes below", times, Key::Tick(MESSAGE), "message");
    }

    fn add_packets(&mut self, signals: &Signals) {
        let (again, lost) = ([&signals.again_up, &signals.again_down], [&signals.lost_up, &signals.lost_down]);
        self.add_rows("sent again", "by the server below", again, Key::Tick(AGAIN), "retransmission");
        self.add_rows("packets lost", "downwards below", lost, Key::Cross(BAD), "packet lost or thrown away");
    }

    /// A lane of moments that are all alike.
    fn add_rows(&mut self, name: &'static str, note: &'static str, times: [&Vec<Time>; 2], key: Key, words: &str) {
        let (color, shape) = match key {
            Key::Tick(color) => (color, Shape::Line),
            Key::Cross(color) => (color, Shape::Cross),
            Key::Line(_) | Key::Patch(_) | Key::Marker(_) => panic!("a moment is a line or a cross"),
        };
        let rows = times.map(|times| self.moments(times, color, shape));
        self.explain(rows.iter().any(|row| !row.is_empty()), key, words);
        self.tall_lane(name, note, rows);
    }

    /// Returns the ends of sessions: a marker above the lanes, with its name and a line through them where there are few.
    /// Whether there are any.
    fn add_ends(&mut self, signals: &Signals) -> bool {
        let ends: Vec<&(Time, String)> = signals.ends.iter().filter(|(at, _)| self.window.has(*at)).collect();
        let are_few = ends.len() <= RULES_MAX;
        if are_few {
            self.marks.extend(ends.iter().map(|(at, _)| Mark::Rule(at.as_secs_f64(), END_LINE)));
        }
        self.marks.extend(ends.iter().map(|(at, name)| {
            Mark::Point(Point {
                x: at.as_secs_f64(),
                x_interval: None,
                y: Height::Above,
                identity: Identity::END,
                name: if are_few { name.clone() } else { String::new() },
                leads: false,
                tip: Tip { title: name.clone(), ..Tip::default() },
            })
        }));
        !ends.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_have_their_names_where_they_are_few_and_none_lies_over_another() {
        let window = Window { from: Time::ZERO, to: Time::from_secs(1_000) };
        let chart = |secs: &[u64]| {
            let ends = secs.iter().map(|at| (Time::from_secs(*at), "gives up: no reply".to_owned())).collect();
            chart("of a device".to_owned(), &Signals { ends, ..Signals::default() }, window)
        };
        let named = |secs: &[u64]| chart(secs).to_svg().matches(">gives up: no reply</text>").count();
        for secs in [vec![100, 500, 900], vec![100, 110, 900], vec![300, 310, 320]] {
            assert_eq!(named(&secs), secs.len(), "{secs:?}");
            assert_eq!(chart(&secs).crowded(), None, "{secs:?}");
        }
        let crowd = chart(&(1..=12).collect::<Vec<_>>());
        assert_eq!(crowd.crowded(), None, "a name without room is below the chart");
        assert_eq!(named(&(100..113).collect::<Vec<_>>()), 0, "it could not be said whose they are");
    }
}
