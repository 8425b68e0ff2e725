//! Closes sessions that have been silent too long. What counts as a sound, how long is too long and how exactly time is
//! looked at are parameters; whether the client answers when asked is the business of `pings`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CloseReason, ServerAction, ServerPolicy, SessionEvent, SessionId, watch::Watch};
use crate::{
    Problem, Time,
    unit::{Delay, Span},
};

/// Closes sessions that have been silent for `idle` or longer at the next scan.
///
/// Source: `[zhang]`, whose server notes the time of every packet it sends or validly receives and scans all
/// sessions periodically; so a session may outlive its limit by up to one scan interval. The other parameters make it the
/// reaper of MQTT (`times_announced`, `refreshed_by`), `RabbitMQ` (`doubles_first`) and `ZooKeeper` (`bucketed`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IdleReaper {
    /// How long a session may be silent. Longer than the clients' heartbeat interval, or healthy sessions die
    /// (`[yuan]`). With `times_announced`: the limit of those clients that announce no interval.
    pub idle: Span,
    /// The limit of a client that announces its heartbeat interval is this many times the interval, above 1 and at most 100;
    /// an interval that the server directs takes the place of the announced one (MQTT: 1.5, MQTT-3.1.2-24;
    /// `ZooKeeper`: 3). A limit that becomes shorter counts from the client's next frame on. Default: `idle` holds for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times_announced: Option<f64>,
    /// Which frames end silence. Default `any`.
    #[serde(default)]
    pub refreshed_by: RefreshedBy,
    /// The limit is twice as long until the client's first frame: for peers whose first heartbeat comes late, as that of
    /// `RabbitMQ` before 3.7.11. Default false.
    #[serde(default)]
    pub doubles_first: bool,
    /// Between scans, which fall on its multiples since time zero. `"0s"`: there are no scans, and each session is closed
    /// when its limit has passed. Default 10 s.
    #[serde(default = "default_scan")]
    pub scan: Delay,
    /// As `ZooKeeper` does with its tick (`ZooKeeperServer`, `ExpiryQueue` at 53a78e36): limits are at least 2 and at
    /// most 20 scans long, and a limit that ends on a scan counts at the next one. Default false.
    #[serde(default)]
    pub bucketed: bool,
    /// Silence is not timed: each session is looked at whenever its limit has passed, counted from its opening, and is closed
    /// at so many looks in a row at which nothing had come since the look before (`RabbitMQ`'s `rabbit_heartbeat`: 2, so
    /// that a session lives two to three limits longer than its client). 0 (the default): silence is timed. At most 1000.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub silent_looks: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it by reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The frames that end a session's silence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RefreshedBy {
    /// Any valid frame, sent or received (`[zhang]`).
    #[default]
    Any,
    /// Any valid frame of the client (MQTT, `ZooKeeper`, AMQP).
    Received,
    /// The client's heartbeats and its answers to the server's pings alone (Kafka's group coordinator, an assumption).
    Heartbeats,
}

fn default_scan() -> Delay {
    Delay::millis(10_000)
}

impl IdleReaper {
    /// Returns the reaper of `[zhang]`: any frame counts, sessions silent for `idle` are found by a scan.
    pub const fn new(idle: Span, scan: Delay) -> Self {
        Self {
            idle,
            times_announced: None,
            refreshed_by: RefreshedBy::Any,
            doubles_first: false,
            scan,
            bucketed: false,
            silent_looks: 0,
        }
    }

    /// Returns how long a client may be silent that has announced `interval`, or was told to use it.
    pub fn limit(&self, interval: Option<Duration>) -> Duration {
        let limit = match (self.times_announced, interval) {
            (Some(times), Some(interval)) => {
                Duration::from_micros((interval.as_micros() as f64 * times).clamp(1.0, 1e15) as u64)
            }
            _ => self.idle.get(),
        };
        let scan = self.scan.get();
        if self.bucketed { limit.clamp(2 * scan, 20 * scan) } else { limit }
    }

    /// Returns within what time of its last sound a session is closed whose client has announced `interval`.
    pub(super) fn closes_within(&self, interval: Option<Duration>) -> Duration {
        let first = if self.doubles_first { 2 } else { 1 };
        let looks = self.silent_looks.saturating_add(1);
        looks * first * self.limit(interval) + self.scan.get()
    }

    /// Returns the shortest silence after which a session may be closed, for a client that has announced `interval`.
    pub(crate) fn patience(&self, interval: Option<Duration>) -> Duration {
        self.limit(interval) * self.silent_looks.max(1)
    }

    /// Returns what it does, in words.
    pub(super) fn describe(&self) -> String {
        let notes = match self.refreshed_by {
            RefreshedBy::Any => "carried a frame, of any kind and either way",
            RefreshedBy::Received => "brought a frame of its client's",
            RefreshedBy::Heartbeats => "brought a heartbeat or the answer to a ping",
        };
        let limit = match self.times_announced {
            None => format!("for {} or longer", self.idle),
            Some(times) => {
                format!(
                    "for {times} times the interval that the client announced, {} where it announced none",
                    self.idle
                )
            }
        };
        let when = match self.scan {
            _ if self.silent_looks > 0 => format!(
                "It looks at each whenever that has gone by and closes it after {} looks in a row without anything new; \
                 that is for sessions idle {limit}.",
                self.silent_looks
            ),
            Delay::ZERO => format!("It closes each that has been idle {limit}, at once."),
            scan => format!("Every {scan} it looks through all sessions and closes those idle {limit}."),
        };
        let buckets = if self.bucketed {
            format!(
                " No limit is below 2 or above 20 times {}, and one that ends on a look counts at the next.",
                self.scan
            )
        } else {
            String::new()
        };
        let first = if self.doubles_first { " Until a client has sent anything, its limit is doubled." } else { "" };
        format!(
            "Notes when each session last {notes}; a frame that makes no sense does not count. {when}{buckets}{first}"
        )
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(times) = self.times_announced.filter(|times| !(*times > 1.0 && *times <= 100.0)) {
            problems.push(Problem::new(
                "server.idle-reaper.times_announced",
                format!("{times} times the client's interval is outside 1 to 100"),
                "use 1.5 as MQTT does, or 2 to 3; with 1 or less every client would be closed before it beats",
            ));
        }
        if self.silent_looks > 1_000 {
            problems.push(Problem::new(
                "server.idle-reaper.silent_looks",
                format!("{} looks are more than 1000", self.silent_looks),
                "use 2 as RabbitMQ does",
            ));
        }
        if self.silent_looks > 0 && (!self.scan.get().is_zero() || self.doubles_first) {
            problems.push(Problem::new(
                "server.idle-reaper.silent_looks",
                "looks at each session on its own leave no room for scans or a doubled limit",
                "use scan = \"0s\" and remove `doubles_first`, or remove `silent_looks`",
            ));
        }
        if self.bucketed && self.scan.get().is_zero() {
            problems.push(Problem::new(
                "server.idle-reaper.scan",
                "buckets without scans",
                "use ZooKeeper's tick, \"3s\", or remove `bucketed`",
            ));
        }
        problems
    }
}

/// [`IdleReaper`] at work.
pub(super) struct Reaper {
    spec: IdleReaper,
    sessions: Watch<Silence>,
}

struct Silence {
    since: Time,
    limit: Duration,
    /// The limit from the client's next frame on.
    next_limit: Duration,
    /// The client has sent something.
    is_heard: bool,
    /// With looks: the next one, how many in a row found nothing new, and whether this one will find something.
    look: Time,
    silent: u32,
    is_fresh: bool,
}

impl Reaper {
    pub(super) fn new(spec: IdleReaper) -> Self {
        Self { spec, sessions: Watch::default() }
    }
}

impl Silence {
    /// Returns when the session is to be closed if silence lasts.
    fn due(&self, spec: &IdleReaper) -> Time {
        if spec.silent_looks > 0 {
            return self.look;
        }
        let first = if spec.doubles_first && !self.is_heard { 2 } else { 1 };
        let over = self.since + first * self.limit;
        let scan = u64::try_from(spec.scan.get().as_micros()).expect("a delay is at most ten years");
        let scans = match scan {
            0 => return over,
            _ if spec.bucketed => over.as_micros() / scan + 1,
            _ => over.as_micros().div_ceil(scan),
        };
        Time::from_micros(scans.saturating_mul(scan))
    }
}

impl Silence {
    /// Looks whether anything came since the look before; returns whether the session is to be closed.
    fn look(&mut self, spec: &IdleReaper, now: Time) -> bool {
        self.silent = if std::mem::take(&mut self.is_fresh) { 0 } else { self.silent + 1 };
        while self.look <= now {
            self.look += self.limit;
        }
        self.silent >= spec.silent_looks
    }
}

impl ServerPolicy for Reaper {
    fn on_event(&mut self, now: Time, session: SessionId, event: &SessionEvent) {
        if let SessionEvent::Opened { interval } = event {
            let limit = self.spec.limit(*interval);
            let silence = Silence {
                since: now,
                limit,
                next_limit: limit,
                is_heard: false,
                look: now + limit,
                silent: 0,
                // Its opening is something that came.
                is_fresh: true,
            };
            let due = silence.due(&self.spec);
            return self.sessions.open(session, silence, due);
        }
        let Some(silence) = self.sessions.get(session) else { return };
        let refreshes = match event {
            SessionEvent::Closed => return self.sessions.close(session),
            SessionEvent::Directed { interval } => {
                silence.next_limit = self.spec.limit(Some(*interval));
                silence.limit = silence.limit.max(silence.next_limit);
                false
            }
            SessionEvent::HeartbeatReceived | SessionEvent::PongReceived => true,
            SessionEvent::FrameReceived => self.spec.refreshed_by != RefreshedBy::Heartbeats,
            SessionEvent::FrameSent | SessionEvent::DataSent => self.spec.refreshed_by == RefreshedBy::Any,
            // Only a valid packet counts.
            SessionEvent::MalformedReceived | SessionEvent::Opened { .. } => false,
        };
        let is_of_client =
            matches!(event, SessionEvent::HeartbeatReceived | SessionEvent::PongReceived | SessionEvent::FrameReceived);
        if is_of_client {
            (silence.limit, silence.is_heard) = (silence.next_limit, true);
        }
        if refreshes {
            (silence.since, silence.is_fresh) = (now, true);
        }
        let due = silence.due(&self.spec);
        self.sessions.look(session, due);
    }

    fn poll(&mut self, now: Time) -> Option<ServerAction> {
        while let Some((session, silence)) = self.sessions.pop(now) {
            let due = silence.due(&self.spec);
            let is_over = due <= now && (self.spec.silent_looks == 0 || silence.look(&self.spec, now));
            let due = silence.due(&self.spec);
            if is_over {
                self.sessions.close(session);
                return Some(ServerAction::Close { session, reason: CloseReason::Silence });
            }
            self.sessions.look(session, due);
        }
        None
    }

    fn deadline(&self) -> Option<Time> {
        self.sessions.next()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::server::testing::{OPENED, play};

    /// Idle for 60 s, scans every 10 s.
    fn reaper() -> Reaper {
        Reaper::new(IdleReaper::new(Span::secs(60), Delay::millis(10_000)))
    }

    fn at(secs: u64) -> Time {
        Time::from_secs(secs)
    }

    fn closed(reaper: &mut Reaper, now: Time) -> Vec<u32> {
        let sessions = std::iter::from_fn(|| reaper.poll(now))
            .map(|action| match action {
                ServerAction::Close { session, reason: CloseReason::Silence } => session.0,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(reaper.deadline().is_none_or(|due| due > now), "a deadline of the past is left over");
        sessions
    }

    #[test]
    fn an_idle_session_is_closed_at_the_first_scan_after_its_limit() {
        let mut reaper = reaper();
        reaper.on_event(at(3), SessionId(1), &SessionEvent::Opened { interval: None });
        assert_eq!(reaper.deadline(), Some(at(70)));
        assert!(closed(&mut reaper, at(69)).is_empty());
        assert_eq!(closed(&mut reaper, at(70)), [1]);
        assert_eq!(reaper.deadline(), None);
    }

    #[test]
    fn a_limit_that_ends_on_a_scan_counts_there() {
        let mut reaper = reaper();
        reaper.on_event(at(10), SessionId(1), &SessionEvent::Opened { interval: None });
        assert_eq!(reaper.deadline(), Some(at(70)));
        assert_eq!(closed(&mut reaper, at(70)), [1]);
    }

    #[test]
    fn frames_in_either_direction_keep_a_session_open() {
        for frame in [SessionEvent::HeartbeatReceived, SessionEvent::FrameReceived, SessionEvent::FrameSent] {
            let mut reaper = reaper();
            reaper.on_event(at(0), SessionId(1), &SessionEvent::Opened { interval: None });
            reaper.on_event(at(45), SessionId(1), &frame);
            assert!(closed(&mut reaper, at(60)).is_empty());
            assert_eq!(reaper.deadline(), Some(at(110)));
            assert_eq!(closed(&mut reaper, at(110)), [1]);
        }
    }

    #[test]
    fn a_closed_session_is_forgotten() {
        let mut reaper = reaper();
        reaper.on_event(at(0), SessionId(1), &SessionEvent::Opened { interval: None });
        reaper.on_event(at(5), SessionId(1), &SessionEvent::Closed);
        reaper.on_event(at(6), SessionId(1), &SessionEvent::FrameSent);
        assert!(closed(&mut reaper, at(60)).is_empty());
        assert_eq!(reaper.deadline(), None);
    }

    #[test]
    fn one_scan_closes_all_that_are_due_and_no_others() {
        let mut reaper = reaper();
        for session in [2, 1, 3] {
            reaper.on_event(at(0), SessionId(session), &SessionEvent::Opened { interval: None });
        }
        reaper.on_event(at(1), SessionId(3), &SessionEvent::FrameReceived);
        assert_eq!(closed(&mut reaper, at(60)), [1, 2]);
        assert_eq!(closed(&mut reaper, at(70)), [3]);
    }

    fn spec(text: &str) -> IdleReaper {
        let spec: IdleReaper = toml::from_str(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(spec.problems(), []);
        spec
    }

    const CLOSE: ServerAction = ServerAction::Close { session: SessionId(0), reason: CloseReason::Silence };
    const BEAT: Option<SessionEvent> = Some(SessionEvent::HeartbeatReceived);

    #[test]
    fn mqtt_closes_one_and_a_half_intervals_after_what_was_received_last() {
        let spec = spec("idle = \"5m\"\ntimes_announced = 1.5\nrefreshed_by = \"received\"\nscan = \"0s\"");
        let opened = |secs| Some(SessionEvent::Opened { interval: Some(Duration::from_secs(secs)) });
        let script = [
            (0, opened(60), &[][..]),
            (50_000, BEAT, &[]),
            (80_000, Some(SessionEvent::DataSent), &[]),
            (90_000, None, &[]),
            (100_000, Some(SessionEvent::FrameReceived), &[]),
            (140_000, None, &[]),
            (190_000, None, &[CLOSE]),
        ];
        play(&mut Reaper::new(spec.clone()), &script);
        // Who announces no interval gets the limit that is for them.
        play(&mut Reaper::new(spec), &[(0, Some(OPENED), &[]), (300_000, None, &[CLOSE])]);
    }

    #[test]
    fn a_directed_interval_takes_the_place_of_the_announced_one() {
        let spec = spec("idle = \"5m\"\ntimes_announced = 1.5\nrefreshed_by = \"received\"\nscan = \"0s\"");
        let directed = |secs| Some(SessionEvent::Directed { interval: Duration::from_secs(secs) });
        let opened = Some(SessionEvent::Opened { interval: Some(Duration::from_secs(60)) });
        let script = [
            (0, opened, &[][..]),
            // Longer: at once.
            (0, directed(100), &[]),
            (90_000, None, &[]),
            (100_000, BEAT, &[]),
            // Shorter: once the client is heard again, which may be as late as before.
            (120_000, directed(10), &[]),
            (150_000, None, &[]),
            (200_000, BEAT, &[]),
            (215_000, None, &[CLOSE]),
        ];
        play(&mut Reaper::new(spec), &script);
    }

    #[test]
    fn zookeeper_rounds_up_to_the_next_tick_and_keeps_limits_within_2_to_20() {
        let spec =
            spec("idle = \"10s\"\ntimes_announced = 3.0\nrefreshed_by = \"received\"\nscan = \"3s\"\nbucketed = true");
        let limit = |secs| spec.limit(Some(Duration::from_secs(secs))).as_secs();
        assert_eq!([1, 2, 10, 20, 21].map(limit), [6, 6, 30, 60, 60]);
        let closed_at = |opened: u64| {
            let mut reaper = Reaper::new(spec.clone());
            reaper.on_event(Time::from_millis(opened), SessionId(0), &OPENED);
            reaper.deadline().expect("it is open").as_micros() / 1_000
        };
        // (t / tick + 1) * tick with t the end of 10 s: 12 s for 10 s and 11.999 s, but 15 s for 12 s.
        assert_eq!([0, 1_999, 2_000, 2_001].map(closed_at), [12_000, 12_000, 15_000, 15_000]);
    }

    #[test]
    fn the_first_limit_is_doubled_until_the_client_is_heard() {
        let spec = spec("idle = \"60s\"\ndoubles_first = true\nscan = \"0s\"");
        let script = [(0, Some(OPENED), &[][..]), (0, Some(SessionEvent::FrameSent), &[]), (120_000, None, &[CLOSE])];
        play(&mut Reaper::new(spec.clone()), &script);
        let script =
            [(0, Some(OPENED), &[][..]), (110_000, BEAT, &[]), (120_000, None, &[]), (170_000, None, &[CLOSE])];
        play(&mut Reaper::new(spec), &script);
    }

    #[test]
    fn silence_ends_with_what_it_is_said_to_end_with() {
        let pong = SessionEvent::PongReceived;
        let cases = [
            ("any", SessionEvent::FrameSent, true),
            ("any", SessionEvent::DataSent, true),
            ("received", SessionEvent::DataSent, false),
            ("received", SessionEvent::FrameReceived, true),
            ("received", pong, true),
            ("heartbeats", SessionEvent::FrameReceived, false),
            ("heartbeats", SessionEvent::HeartbeatReceived, true),
            ("heartbeats", pong, true),
            ("any", SessionEvent::MalformedReceived, false),
        ];
        for (refreshed_by, event, refreshes) in cases {
            let mut reaper = Reaper::new(spec(&format!("idle = \"60s\"\nrefreshed_by = \"{refreshed_by}\"")));
            reaper.on_event(at(0), SessionId(1), &OPENED);
            reaper.on_event(at(30), SessionId(1), &event);
            assert_eq!(closed(&mut reaper, at(60)).is_empty(), refreshes, "{refreshed_by} {event:?}");
        }
    }

    proptest! {
        /// The reaper against the source's own way: look at every session at every scan.
        #[test]
        fn it_closes_what_a_scan_of_all_sessions_would(
            frames in prop::collection::vec((0_u32..4, 0_u64..300), 0..60),
            idle in 1_u64..90,
            scan in 1_u64..30,
        ) {
            let mut frames = frames;
            frames.sort_by_key(|&(_, secs)| secs);
            let mut reaper = Reaper::new(IdleReaper::new(Span::secs(idle), Delay::millis(scan * 1_000)));
            let mut last: BTreeMap<u32, u64> = (0..4).map(|session| (session, 0)).collect();
            for session in 0..4 {
                reaper.on_event(at(0), SessionId(session), &SessionEvent::Opened { interval: None });
            }
            let mut frames = frames.into_iter().peekable();
            for now in 0..600 {
                // Packets come before timers.
                while let Some((session, _)) = frames.next_if(|&(_, secs)| secs == now) {
                    reaper.on_event(at(now), SessionId(session), &SessionEvent::FrameReceived);
                    last.entry(session).and_modify(|last| *last = now);
                }
                let due = |&(_, &mut last): &(&u32, &mut u64)| now % scan == 0 && now - last >= idle;
                let expected: Vec<u32> = last.iter_mut().filter(due).map(|(&session, _)| session).collect();
                last.retain(|session, _| !expected.contains(session));
                let mut actual = if reaper.deadline() == Some(at(now)) { closed(&mut reaper, at(now)) } else { vec![] };
                actual.sort_unstable();
                prop_assert_eq!(actual, expected, "at {} s", now);
            }
            prop_assert_eq!(reaper.deadline(), None);
        }
    }
}
