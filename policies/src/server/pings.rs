//! The server asks its clients whether they are alive, or just lets them hear that it is. Closing the silent without asking
//! is the business of `reaper`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CloseReason, ServerAction, ServerPolicy, SessionEvent, SessionId, watch::Watch};
use crate::{
    Problem, Time,
    problem::Problems,
    promise::ServerPings,
    unit::{LONGEST, Span},
};

/// A ping to every client each `interval`; with a `timeout`, a session that leaves `misses` of them in a row unanswered
/// is closed.
///
/// Sources: Engine.IO v4 at d2d753fe (25 s, `after = "pong"`, timeout 20 s), python-websockets'
/// keepalive.rst (20 s, 20 s), OpenSSH's `ClientAliveInterval` and `ClientAliveCountMax` (`after = "received"`, timeout as
/// long as the interval, 3 misses), gRPC's proposal A8 (2 h, `after = "received"`, timeout 20 s), Action Cable (3 s,
/// `answered = false`), `SignalR` (15 s, `after = "sent"`, `answered = false`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pings {
    /// From what `after` names to the next ping.
    pub interval: Span,
    /// What the interval is counted from. Default `grid`.
    #[serde(default)]
    pub after: PingAfter,
    /// How long the answer may take; one at exactly this age is in time. At most `interval`, so that one ping is out at a
    /// time; any length with `after = "pong"`, which waits for the answer anyway. Default: answers are not waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Pings in a row without a timely answer that mean death, 1 to 1000; above 1 only with a `timeout`. Default 1.
    #[serde(default = "one_miss")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub misses: u32,
    /// Whether pings ask for an answer. Default true. False: they tell the client that the server lives, and refresh the
    /// path.
    #[serde(default = "yes")]
    pub answered: bool,
    /// The first ping of a session takes twice the interval (`RabbitMQ`'s brokers before 3.7.11). Default false.
    #[serde(default)]
    pub doubles_first: bool,
    /// From the welcome to the first ping (the NATS server: 2 s). Default: as between the others, or twice as long with
    /// `doubles_first`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Span>,
    /// A session found dead is closed by a handshake, and ends when the client answers that, by anything that it sends, or so
    /// long has passed (websockets for Python: 10 s). It wants a `timeout`. Default: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_timeout: Option<Span>,
}

/// What the interval between pings is counted from; at first, from the welcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PingAfter {
    /// The last ping: a grid, whatever the session carries.
    #[default]
    Grid,
    /// The last answer, so that the period is interval and round trip.
    Pong,
    /// The last valid frame of the client: only silent clients are asked, and whatever they send is an answer.
    Received,
    /// The last frame to the client: only a client that hears nothing is pinged.
    Sent,
}

fn one_miss() -> u32 {
    1
}

fn yes() -> bool {
    true
}

impl Pings {
    /// Returns within what time of its last frame a session is closed; `None` if pings close nothing.
    pub(super) fn closes_within(&self) -> Option<Duration> {
        let timeout = self.timeout?.get();
        // The first ping that cannot be answered comes within an interval, the last of `misses` so much later, each when
        // the one before has been judged, and is judged itself.
        let apart = self.interval.get().max(timeout);
        let closing = self.close_timeout.map_or(Duration::ZERO, Span::get);
        Some(self.longest() + apart * self.misses.saturating_sub(1) + timeout + closing)
    }

    /// Returns what clients may expect of them on a path whose round trips take at most `rtt_max`.
    pub fn expected(&self, rtt_max: Duration) -> ServerPings {
        let interval = match self.after {
            PingAfter::Grid => self.longest(),
            PingAfter::Pong => self.longest().max(self.interval.get() + rtt_max),
            // Traffic makes them unnecessary, for as long as there is any.
            PingAfter::Received | PingAfter::Sent => return ServerPings { interval: LONGEST, timeout: None },
        };
        let judged = self.closes_within().map(|within| within.saturating_sub(self.longest()));
        ServerPings { interval, timeout: judged }
    }

    /// Returns what they do, in words.
    pub(super) fn describe(&self) -> String {
        let interval = self.interval;
        let when = match self.after {
            PingAfter::Grid => format!("every {interval}"),
            PingAfter::Pong => format!("{interval} after its last answer"),
            PingAfter::Received => format!("once it has been silent for {interval}"),
            PingAfter::Sent => format!("once nothing was sent to it for {interval}"),
        };
        let asks =
            if self.answered { "Asks each client whether it lives" } else { "Shows each client that the server lives" };
        let first = match self.first {
            Some(first) => format!(", the first time after {first}"),
            None if self.doubles_first => ", the first time after twice as long".to_owned(),
            None => String::new(),
        };
        let judges = match self.timeout {
            None => String::new(),
            Some(timeout) if self.misses == 1 => format!(" It closes who has not answered within {timeout}."),
            Some(timeout) => {
                format!(" It closes who leaves {} in a row without an answer within {timeout}.", self.misses)
            }
        };
        let closes = self.close_timeout.map_or(String::new(), |timeout| {
            format!(" It closes by a handshake, which ends when that is answered or {timeout} later.")
        });
        format!("{asks}, {when}{first}.{judges}{closes}")
    }

    /// Returns the longest time before a ping.
    fn longest(&self) -> Duration {
        self.first().max(self.interval.get())
    }

    /// From the welcome to the first ping.
    fn first(&self) -> Duration {
        if let Some(first) = self.first {
            return first.get();
        }
        self.interval.get() * if self.doubles_first { 2 } else { 1 }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::at("server.pings");
        if !(1..=1000).contains(&self.misses) {
            problems.add("misses", format!("{} misses are outside 1 to 1000", self.misses), "use 1 to 3");
        }
        if self.first.is_some() && self.doubles_first {
            problems.add("first", "a first ping at a time of its own is not doubled", "remove `doubles_first`, or it");
        }
        if !self.answered && self.after == PingAfter::Pong {
            let message = "pings that nobody answers cannot be counted from the answer";
            problems.add("after", message, "use \"grid\" or \"sent\", or remove `answered`");
        }
        if self.close_timeout.is_some() && self.timeout.is_none() {
            problems.add("close_timeout", "no session is found dead by pings", "give a `timeout`, or remove it");
        }
        match self.timeout {
            Some(_) if !self.answered => {
                problems.add("timeout", "a timeout for pings that nobody answers", "remove it, or `answered`");
            }
            Some(timeout) if timeout > self.interval && self.after != PingAfter::Pong => {
                let message = format!("a timeout of {timeout} is longer than the interval of {}", self.interval);
                problems.add("timeout", message, format!("use at most \"{}\", or a longer interval", self.interval));
            }
            None if self.misses > 1 => {
                problems.add("misses", "misses of answers that are not waited for", "give a `timeout`");
            }
            Some(_) | None => {}
        }
        problems.into_vec()
    }
}

/// [`Pings`] at work.
pub(super) struct Pinger {
    spec: Pings,
    sessions: Watch<Pinged>,
}

struct Pinged {
    /// When the next ping is due.
    next: Time,
    /// When the ping that is out becomes a miss.
    judged_at: Option<Time>,
    /// Consecutive pings without a timely answer.
    misses: u32,
    /// None has been sent yet.
    is_new: bool,
    /// It was found dead, and is closed then at the latest.
    closing: Option<Time>,
}

impl Pinged {
    /// Counts the interval from now on.
    fn wait(&mut self, now: Time, spec: &Pings) {
        self.next = now + if self.is_new { spec.first() } else { spec.interval.get() };
    }

    /// The client has shown that it lives.
    fn answered(&mut self) {
        (self.judged_at, self.misses) = (None, 0);
    }

    /// Returns when there is something to do: one ping is out at a time.
    fn due(&self) -> Time {
        self.closing.or(self.judged_at).unwrap_or(self.next)
    }
}

impl Pinger {
    pub(super) fn new(spec: Pings) -> Self {
        Self { spec, sessions: Watch::default() }
    }
}

impl ServerPolicy for Pinger {
    fn on_event(&mut self, now: Time, session: SessionId, event: &SessionEvent) {
        if let SessionEvent::Opened { .. } = event {
            let first = now + self.spec.first();
            let pinged = Pinged { next: first, judged_at: None, misses: 0, is_new: true, closing: None };
            return self.sessions.open(session, pinged, first);
        }
        let Some(pinged) = self.sessions.get(session) else { return };
        if pinged.closing.is_some() {
            match event {
                SessionEvent::Closed => self.sessions.close(session),
                // What comes stands for the client's answer to the close.
                SessionEvent::HeartbeatReceived | SessionEvent::FrameReceived | SessionEvent::PongReceived => {
                    pinged.closing = Some(now);
                    self.sessions.look(session, now);
                }
                _ => {}
            }
            return;
        }
        match (event, self.spec.after) {
            (SessionEvent::Closed, _) => return self.sessions.close(session),
            (SessionEvent::PongReceived, PingAfter::Pong)
            | (
                SessionEvent::PongReceived | SessionEvent::HeartbeatReceived | SessionEvent::FrameReceived,
                PingAfter::Received,
            ) => {
                pinged.answered();
                pinged.wait(now, &self.spec);
            }
            (SessionEvent::PongReceived, _) => pinged.answered(),
            (SessionEvent::FrameSent | SessionEvent::DataSent, PingAfter::Sent) => pinged.wait(now, &self.spec),
            _ => return,
        }
        let due = pinged.due();
        self.sessions.look(session, due);
    }

    fn poll(&mut self, now: Time) -> Option<ServerAction> {
        while let Some((session, pinged)) = self.sessions.pop(now) {
            if pinged.judged_at.is_some_and(|at| at <= now) {
                pinged.judged_at = None;
                pinged.misses += 1;
                if pinged.misses >= self.spec.misses {
                    let closing = self.spec.close_timeout.map_or(Duration::ZERO, Span::get);
                    pinged.closing = Some(now + closing);
                }
            }
            if let Some(until) = pinged.closing {
                if until <= now {
                    self.sessions.close(session);
                    return Some(ServerAction::Close { session, reason: CloseReason::NoPong });
                }
                self.sessions.look(session, until);
                continue;
            }
            let is_due = pinged.due() <= now;
            if is_due {
                pinged.is_new = false;
                pinged.judged_at = self.spec.timeout.map(|timeout| now + timeout.get());
                // A grid stands still for nothing: a host that was late leaves its points out.
                let from = if self.spec.after == PingAfter::Grid { pinged.next } else { now };
                let interval = self.spec.interval.get();
                pinged.next = from + interval;
                if pinged.next <= now {
                    let late = now.since(pinged.next).as_micros() / interval.as_micros() + 1;
                    pinged.next += interval * u32::try_from(late).expect("a grid is missed fewer times than that");
                }
            }
            let due = pinged.due();
            self.sessions.look(session, due);
            if is_due && self.spec.answered {
                return Some(ServerAction::Ping { session });
            } else if is_due {
                return Some(ServerAction::Notice { session });
            }
        }
        None
    }

    fn deadline(&self) -> Option<Time> {
        self.sessions.next()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::server::testing::{OPENED, Step, play};

    const PING: ServerAction = ServerAction::Ping { session: SessionId(0) };
    const NOTICE: ServerAction = ServerAction::Notice { session: SessionId(0) };
    const CLOSE: ServerAction = ServerAction::Close { session: SessionId(0), reason: CloseReason::NoPong };
    const PONG: SessionEvent = SessionEvent::PongReceived;
    const BEAT: SessionEvent = SessionEvent::HeartbeatReceived;
    const SENT: SessionEvent = SessionEvent::FrameSent;

    fn pings(text: &str) -> Pings {
        let pings: Pings = toml::from_str(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(pings.problems(), []);
        pings
    }

    fn test(text: &str, script: &[Step]) {
        play(&mut Pinger::new(pings(text)), script);
    }

    #[test]
    fn engine_io_counts_from_the_pong_and_waits_as_long_as_it_takes() {
        let text = "interval = \"25s\"\nafter = \"pong\"\ntimeout = \"20s\"";
        let script = [
            (0, Some(OPENED), &[][..]),
            (25_000, None, &[PING]),
            // Data is no pong, and neither is a heartbeat of the client's own.
            (26_000, Some(BEAT), &[]),
            (27_000, Some(PONG), &[]),
            (45_000, None, &[]),
            // Not at 50 s: the period is interval and round trip.
            (52_000, None, &[PING]),
            (72_000, None, &[CLOSE]),
        ];
        test(text, &script);
        // Engine.IO v3's servers of old: a timeout longer than the interval.
        let script = [(0, Some(OPENED), &[][..]), (25_000, None, &[PING]), (85_000, None, &[CLOSE])];
        test("interval = \"25s\"\nafter = \"pong\"\ntimeout = \"60s\"", &script);
    }

    #[test]
    fn python_websockets_pings_on_a_grid_and_closes_without_that_pong() {
        let script = [
            (0, Some(OPENED), &[][..]),
            (20_000, None, &[PING]),
            (39_000, Some(PONG), &[]),
            (40_000, None, &[PING]),
            (41_000, Some(BEAT), &[]),
            (60_000, None, &[CLOSE]),
        ];
        test("interval = \"20s\"\ntimeout = \"20s\"", &script);
        // A close takes its own timeout, or until anything comes.
        let closing = "interval = \"20s\"\ntimeout = \"20s\"\nclose_timeout = \"10s\"";
        test(
            closing,
            &[(0, Some(OPENED), &[][..]), (20_000, None, &[PING]), (40_000, None, &[]), (50_000, None, &[CLOSE])],
        );
        let late =
            [(0, Some(OPENED), &[][..]), (20_000, None, &[PING]), (40_000, None, &[]), (43_000, Some(PONG), &[CLOSE])];
        test(closing, &late);
        // Its timeout can be left out: the pings go on.
        let script = [(0, Some(OPENED), &[][..]), (20_000, None, &[PING]), (40_000, None, &[PING])];
        test("interval = \"20s\"", &script);
    }

    #[test]
    fn ssh_asks_the_silent_and_leaves_at_the_third_miss() {
        let text = "interval = \"15s\"\nafter = \"received\"\ntimeout = \"15s\"\nmisses = 3";
        let script = [
            (0, Some(OPENED), &[][..]),
            (10_000, Some(BEAT), &[]),
            (15_000, None, &[]),
            (25_000, None, &[PING]),
            (40_000, None, &[PING]),
            // Whatever the client sends is an answer, and counts from the beginning again.
            (41_000, Some(SessionEvent::FrameReceived), &[]),
            (55_000, None, &[]),
            (56_000, None, &[PING]),
            (71_000, None, &[PING]),
            (86_000, None, &[PING]),
            (101_000, None, &[CLOSE]),
        ];
        test(text, &script);
    }

    #[test]
    fn a_grpc_server_pings_after_two_hours_without_a_byte_and_waits_twenty_seconds() {
        let script = [
            (0, Some(OPENED), &[][..]),
            (7_200_000, None, &[PING]),
            (7_219_000, Some(BEAT), &[]),
            (7_220_000, None, &[]),
            (14_419_000, None, &[PING]),
            (14_439_000, None, &[CLOSE]),
        ];
        test("interval = \"2h\"\nafter = \"received\"\ntimeout = \"20s\"", &script);
    }

    #[test]
    fn notices_want_no_answer_and_are_spared_while_the_server_talks() {
        let script = [(0, Some(OPENED), &[][..]), (3_000, None, &[NOTICE]), (6_000, None, &[NOTICE])];
        test("interval = \"3s\"\nanswered = false", &script);
        let script = [
            (0, Some(OPENED), &[][..]),
            (10_000, Some(SENT), &[]),
            (15_000, None, &[]),
            (25_000, None, &[NOTICE]),
            (25_000, Some(SENT), &[]),
            (40_000, None, &[NOTICE]),
        ];
        test("interval = \"15s\"\nafter = \"sent\"\nanswered = false", &script);
    }

    #[test]
    fn rabbitmq_of_old_takes_twice_as_long_for_its_first_beat_alone() {
        let script = [
            (0, Some(OPENED), &[][..]),
            (0, Some(SENT), &[]),
            (60_000, None, &[NOTICE]),
            (90_000, None, &[NOTICE]),
            (120_000, None, &[NOTICE]),
        ];
        test("interval = \"30s\"\nanswered = false\ndoubles_first = true", &script);
    }

    #[test]
    fn a_stalled_host_leaves_out_the_points_of_the_grid_that_it_missed() {
        let mut pinger = Pinger::new(pings("interval = \"10s\""));
        pinger.on_event(Time::ZERO, SessionId(0), &OPENED);
        let late = Time::from_secs(47);
        assert_eq!((pinger.poll(late), pinger.poll(late)), (Some(PING), None));
        assert_eq!(pinger.deadline(), Some(Time::from_secs(50)));
    }

    #[test]
    fn contradictions_name_the_key() {
        let cases = [
            ("interval = \"10s\"\ntimeout = \"11s\"", "server.pings.timeout"),
            ("interval = \"10s\"\ntimeout = \"5s\"\nanswered = false", "server.pings.timeout"),
            ("interval = \"10s\"\nafter = \"pong\"\nanswered = false", "server.pings.after"),
            ("interval = \"10s\"\ntimeout = \"5s\"\nmisses = 0", "server.pings.misses"),
            ("interval = \"10s\"\nmisses = 2", "server.pings.misses"),
        ];
        for (text, path) in cases {
            let problems = toml::from_str::<Pings>(text).unwrap().problems();
            assert_eq!(problems.iter().map(|problem| &problem.path[..]).collect::<Vec<_>>(), [path], "{text}");
        }
    }

    proptest! {
        /// Clients that answer in time are never closed, and those that fall silent are closed within the promise.
        #[test]
        fn who_answers_lives_and_who_is_silent_is_closed_as_promised(
            interval in 1_u64..100, timeout in 1_u64..100, misses in 1_u32..4, share in 0.0..=1.0_f64,
            after in prop_oneof![
                Just(PingAfter::Grid), Just(PingAfter::Pong), Just(PingAfter::Received), Just(PingAfter::Sent),
            ],
            doubles_first: bool, silent_from in 0_u64..2_000, closing in prop::option::of(1_u64..60),
        ) {
            let timeout = if after == PingAfter::Pong { timeout } else { timeout.min(interval) };
            let spec = Pings {
                interval: Span::secs(interval), after, timeout: Some(Span::secs(timeout)), misses, answered: true, doubles_first,
                first: None,
                close_timeout: closing.map(Span::secs),
            };
            prop_assert_eq!(spec.problems(), []);
            let within = spec.closes_within().expect("it has a timeout");
            let (mut pinger, session) = (Pinger::new(spec), SessionId(0));
            pinger.on_event(Time::ZERO, session, &OPENED);
            let silent_from = Time::from_secs(silent_from);
            let delay = Duration::from_micros((timeout as f64 * 1e6 * share) as u64);
            let (mut last_frame, mut pong) = (Time::ZERO, None);
            loop {
                let due = pinger.deadline().expect("a session is always looked at again");
                // Packets come before timers.
                if let Some(at) = pong.take_if(|at| *at <= due) {
                    pinger.on_event(at, session, &PONG);
                    last_frame = at;
                    prop_assert_eq!(pinger.poll(at), None);
                    continue;
                }
                match pinger.poll(due) {
                    Some(ServerAction::Ping { .. }) => {
                        pinger.on_event(due, session, &SENT);
                        let answer = due + delay;
                        pong = (answer < silent_from).then_some(answer);
                    }
                    Some(ServerAction::Close { .. }) => {
                        prop_assert!(due >= silent_from, "closed at {} though it answers", due);
                        prop_assert!(due.since(last_frame) <= within, "closed at {}, silent since {}", due, last_frame);
                        break;
                    }
                    Some(other) => panic!("{other:?}"),
                    None => {}
                }
            }
        }
    }
}
