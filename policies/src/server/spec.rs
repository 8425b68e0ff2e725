//! The server's policy as data: what a strategy file says under `server`. Its parts are independent of each other; each
//! that has a clock is a policy in a file of its own.

use std::{collections::VecDeque, fmt, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    CloseReason, Directed, IdleReaper, Pings, RefreshedBy, ServerAction, ServerPolicy, SessionEvent, SessionId,
    Strikes,
    directed::Director,
    pings::{PingAfter, Pinger},
    reaper::Reaper,
    strikes::StrikeCounter,
};
use crate::{Bounds, Custom, CustomServer, Problem, Time, unit::Span};

/// A server policy as data: a table of the parts it has, or `"none"` where it has none and sessions are kept until TCP
/// ends them. The parts go together in any way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = or_none))]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub struct ServerSpec {
    /// Closes idle sessions. Default: off.
    #[serde(rename = "idle-reaper", skip_serializing_if = "Option::is_none")]
    pub idle_reaper: Option<IdleReaper>,
    /// Asks the clients whether they live, or tells them that the server does. Default: it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pings: Option<Pings>,
    /// Tells the clients their heartbeat interval. Default: it is theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directed: Option<Directed>,
    /// Closes sessions that beat too often. Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strikes: Option<Strikes>,
    /// What becomes of a session with a frame that makes no sense. Default `ignore`.
    #[serde(skip_serializing_if = "OnMalformed::is_ignore")]
    pub malformed: OnMalformed,
    /// Turns clients away while too many wait. Default: off, every client waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy: Option<Busy>,
    /// Lets clients back in without a login. Default: off, every client logs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<Resume>,
    /// A policy that the program around this crate brings along. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<Custom<dyn CustomServer>>,
}

/// What becomes of a session with a frame that makes no sense.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OnMalformed {
    /// Nothing: the frame is as if it had not come, and is no sign of life either.
    #[default]
    Ignore,
    /// It is closed at once, without an answer (`[zhang]`).
    Close,
}

impl OnMalformed {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it by reference")]
    fn is_ignore(&self) -> bool {
        *self == Self::Ignore
    }
}

/// While more than `waiting` clients wait for their login, whoever comes is turned away.
///
/// Source: HTTP's 503 with Retry-After (RFC 9110).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Busy {
    /// How many clients may wait.
    pub waiting: u32,
    /// After what time the others may come again, as they are told. Whole milliseconds go over the wire.
    pub retry_after: Span,
}

impl Busy {
    /// Returns after what time a client may come again that comes while `waiting` others wait; `None` if it may wait, too.
    pub fn turns_away(&self, waiting: u32) -> Option<Duration> {
        (waiting > self.waiting).then_some(self.retry_after.get())
    }
}

/// A client that comes back within `window` of its session's end goes on where it was: it is spared the login and the wait
/// for it, but not the cost of being accepted.
///
/// Source: XEP-0198 (the `max` of `<enabled/>`), Discord's gateway. A server keeps what it needs for that in memory: the
/// end of its process ends all windows, and other servers know of none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// From the end of the session on the server's side to the client's next hello.
    pub window: Span,
}

impl ServerSpec {
    /// Returns a policy ready to run. `busy` and `resume` have no clock: the host asks them when a client comes.
    pub fn build(&self) -> Box<dyn ServerPolicy> {
        let mut parts: Vec<Box<dyn ServerPolicy>> = Vec::new();
        if self.malformed == OnMalformed::Close {
            parts.push(Box::new(Strict::default()));
        }
        if let Some(spec) = &self.strikes {
            parts.push(Box::new(StrikeCounter::new(spec.clone())));
        }
        if let Some(spec) = &self.idle_reaper {
            parts.push(Box::new(Reaper::new(spec.clone())));
        }
        if let Some(spec) = &self.pings {
            parts.push(Box::new(Pinger::new(spec.clone())));
        }
        if let Some(spec) = &self.directed {
            parts.push(Box::new(Director::new(spec.clone())));
        }
        if let Some(custom) = &self.custom {
            parts.push(custom.resolved().build());
        }
        Box::new(Parts(parts))
    }

    /// Returns the interval that a welcome tells the client; `None` if it tells none.
    pub fn welcome_interval(&self) -> Option<Duration> {
        self.directed.as_ref().map(|directed| directed.interval.get())
    }

    /// Returns whether it closes sessions for what their clients do or leave undone.
    pub fn closes_sessions(&self) -> bool {
        let pings = self.pings.as_ref().is_some_and(|pings| pings.closes_within().is_some());
        pings
            || self.malformed == OnMalformed::Close
            || self.idle_reaper.is_some()
            || self.strikes.is_some()
            || self.custom.is_some()
    }

    /// Returns whether anything depends on the interval that clients announce.
    pub fn reads_announced(&self) -> bool {
        self.idle_reaper.as_ref().is_some_and(|reaper| reaper.times_announced.is_some())
    }

    /// Returns within what time of its client's last frame a session is closed whose client has announced `interval`,
    /// while the server is well; `None` if no promise.
    pub fn reaps_within(&self, interval: Option<Duration>, bounds: &Bounds) -> Option<Duration> {
        // What the server sends on the path that is dead is a sign of life to those who take it for one.
        let says_nothing = bounds.silent_app && self.pings.is_none() && self.directed.is_none();
        let reaper = self.idle_reaper.as_ref().filter(|reaper| reaper.refreshed_by != RefreshedBy::Any || says_nothing);
        let reaps = reaper.map(|reaper| {
            let told = self.directed.iter().flat_map(|directed| {
                std::iter::once(directed.interval).chain(directed.changes.iter().map(|change| change.interval))
            });
            let intervals = told.map(|span| Some(span.get())).chain([interval]);
            intervals.map(|interval| reaper.closes_within(interval)).max().expect("there is one interval at least")
        });
        let pings = self.pings.as_ref().filter(|pings| pings.after != PingAfter::Sent || bounds.silent_app);
        let closes = pings.and_then(Pings::closes_within);
        // The last that the server writes to a client that lives is its answer to the client's last frame.
        let own = reaps.into_iter().chain(closes).min().map(|within| within + bounds.rtt_max);
        let custom = self.custom.as_ref().and_then(|custom| custom.policy()?.reaps_within(bounds));
        own.into_iter().chain(custom).min()
    }

    /// Returns the state machine in words, with the numbers of this spec: what it watches, which sessions it closes and
    /// when, what it tells clients. One paragraph of plain text; each part keeps its own beside its code.
    pub fn describe(&self) -> String {
        let mut told = Vec::new();
        told.extend(self.idle_reaper.as_ref().map(IdleReaper::describe));
        told.extend(self.pings.as_ref().map(Pings::describe));
        told.extend(self.directed.as_ref().map(Directed::describe));
        told.extend(self.strikes.as_ref().map(Strikes::describe));
        if self.malformed == OnMalformed::Close {
            told.push("Closes a session at once at a frame that makes no sense, without an answer.".into());
        }
        told.extend(self.busy.as_ref().map(|busy| {
            let Busy { waiting, retry_after } = busy;
            format!("Turns clients away for {retry_after} while more than {waiting} wait for their login.")
        }));
        told.extend(self.resume.as_ref().map(|resume| {
            format!("Lets a client that is back within {} go on with its session, without a login.", resume.window)
        }));
        told.extend(self.custom.as_ref().map(|custom| custom.describe(CustomServer::describe)));
        if told.is_empty() {
            return "Closes no session: each is kept until TCP ends it.".into();
        }
        let says_nothing = self.pings.is_none() && self.directed.is_none() && self.custom.is_none();
        if says_nothing && self.strikes.is_none() && self.busy.is_none() {
            told.push("It tells clients nothing.".into());
        }
        told.join(" ")
    }

    /// Returns the contradictions between parameters, each with the path to the key that should change.
    pub fn problems(&self) -> Vec<Problem> {
        let reaper = self.idle_reaper.iter().flat_map(IdleReaper::problems);
        let pings = self.pings.iter().flat_map(Pings::problems);
        let directed = self.directed.iter().flat_map(Directed::problems);
        let custom = self.custom.iter().flat_map(|custom| custom.problems("server", CustomServer::problems));
        reaper.chain(pings).chain(directed).chain(custom).chain(self.endless()).collect()
    }

    /// Returns a reaper that the server's own pings keep from ever closing anybody.
    fn endless(&self) -> Option<Problem> {
        let (reaper, pings) = self.idle_reaper.as_ref().zip(self.pings.as_ref())?;
        (reaper.refreshed_by == RefreshedBy::Any && pings.interval <= reaper.idle).then(|| {
            Problem::new(
                "server.idle-reaper.refreshed_by",
                format!(
                    "any frame counts, and the server itself pings every {}: nobody is ever silent",
                    pings.interval
                ),
                "use \"received\"",
            )
        })
    }
}

impl From<IdleReaper> for ServerSpec {
    /// Returns a server that reaps and does nothing else.
    fn from(reaper: IdleReaper) -> Self {
        Self { idle_reaper: Some(reaper), ..Self::default() }
    }
}

/// What `"none"` stands for.
const NONE: &str = "none";

impl Serialize for ServerSpec {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        if *self == Self::default() { output.serialize_str(NONE) } else { Self::serialize(self, output) }
    }
}

impl<'de> Deserialize<'de> for ServerSpec {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = ServerSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"none\" or a table such as { idle-reaper = { idle = \"10m\" } }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ServerSpec, E> {
                let unknown = || E::unknown_variant(text, &[NONE]);
                (text == NONE).then(ServerSpec::default).ok_or_else(unknown)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ServerSpec, A::Error> {
                ServerSpec::deserialize(MapAccessDeserializer::new(map))
            }
        }
        input.deserialize_any(Either)
    }
}

#[cfg(feature = "schema")]
fn or_none(schema: &mut schemars::Schema) {
    let table = std::mem::take(schema);
    *schema = schemars::json_schema!({ "anyOf": [{ "type": "string", "const": NONE }, table] });
}

/// Several policies for the same sessions. Each hears everything, what the others have done included.
struct Parts(Vec<Box<dyn ServerPolicy>>);

impl ServerPolicy for Parts {
    fn on_event(&mut self, now: Time, session: SessionId, event: &SessionEvent) {
        for part in &mut self.0 {
            part.on_event(now, session, event);
        }
    }

    fn poll(&mut self, now: Time) -> Option<ServerAction> {
        self.0.iter_mut().find_map(|part| part.poll(now))
    }

    fn deadline(&self) -> Option<Time> {
        self.0.iter().filter_map(|part| part.deadline()).min()
    }
}

/// Closes whoever sends what makes no sense.
#[derive(Default)]
struct Strict(VecDeque<SessionId>);

impl ServerPolicy for Strict {
    fn on_event(&mut self, _: Time, session: SessionId, event: &SessionEvent) {
        match event {
            SessionEvent::MalformedReceived => self.0.push_back(session),
            SessionEvent::Closed => self.0.retain(|out| *out != session),
            _ => {}
        }
    }

    fn poll(&mut self, _: Time) -> Option<ServerAction> {
        let session = self.0.pop_front()?;
        Some(ServerAction::Close { session, reason: CloseReason::Malformed })
    }

    fn deadline(&self) -> Option<Time> {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        server::{
            Redirected,
            testing::{OPENED, play},
        },
        testing::bounds,
    };

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct File {
        server: ServerSpec,
    }

    fn server(text: &str) -> ServerSpec {
        toml::from_str::<File>(text).unwrap_or_else(|error| panic!("{error}")).server
    }

    fn close(reason: CloseReason) -> ServerAction {
        ServerAction::Close { session: SessionId(0), reason }
    }

    #[test]
    fn every_part_reads_back_as_it_was_written_alone_and_together() {
        let parts = [
            "idle-reaper = { idle = \"10m\", times_announced = 1.5, refreshed_by = \"received\", doubles_first = true, \
             scan = \"0s\", bucketed = false }",
            "pings = { interval = \"25s\", after = \"pong\", timeout = \"20s\", misses = 2, answered = true, \
             doubles_first = true }",
            "directed = { interval = \"1m\", changes = [{ after = \"1h\", interval = \"5m\" }] }",
            "strikes = { with_data = \"5m\", without_data = \"1h\", allowed = 3 }",
            "malformed = \"close\"",
            "busy = { waiting = 100, retry_after = \"30s\" }",
            "resume = { window = \"5m\" }",
        ];
        let together = format!("[server]\n{}", parts.join("\n"));
        let alone = parts.map(|part| format!("[server]\n{part}"));
        for text in alone.into_iter().chain([together, "server = \"none\"".into()]) {
            let file = File { server: server(&text) };
            assert_eq!(file.server.problems(), [], "{text}");
            let written = toml::to_string(&file).unwrap();
            assert_eq!(toml::from_str::<File>(&written).unwrap(), file, "{written}");
        }
        assert_eq!(server("server = \"none\""), server("server = {}"));
    }

    #[test]
    fn what_is_no_server_policy_is_refused() {
        for text in ["server = \"some\"", "server = 3", "server.reaper = {}", "server.pings = {}"] {
            assert!(toml::from_str::<File>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_parts_of_a_policy_work_side_by_side_and_a_session_ends_once() {
        let spec = server(
            "[server]\nidle-reaper = { idle = \"30s\", refreshed_by = \"received\", scan = \"0s\" }\n\
             pings = { interval = \"20s\", timeout = \"10s\" }\n\
             directed = { interval = \"1m\", changes = [{ after = \"25s\", interval = \"5m\" }] }",
        );
        assert_eq!(spec.welcome_interval(), Some(Duration::from_secs(60)));
        let session = SessionId(0);
        let interval = Duration::from_secs(300);
        let mut policy = spec.build();
        // At 30 s both would close it; the one that comes first has, and the host says so to the other.
        let (ping, direct) = ([ServerAction::Ping { session }], [ServerAction::Direct { session, interval }]);
        let script = [(0, Some(OPENED), &[][..]), (20_000, None, &ping), (25_000, None, &direct)];
        play(&mut *policy, &script);
        let now = Time::from_secs(30);
        assert_eq!((policy.deadline(), policy.poll(now)), (Some(now), Some(close(CloseReason::Silence))));
        policy.on_event(now, session, &SessionEvent::Closed);
        assert_eq!((policy.poll(now), policy.deadline()), (None, None));
    }

    #[test]
    fn a_malformed_frame_closes_or_is_ignored_and_is_no_sign_of_life() {
        let malformed = Some(SessionEvent::MalformedReceived);
        let end = [close(CloseReason::Malformed)];
        play(&mut *server("server.malformed = \"close\"").build(), &[(0, Some(OPENED), &[]), (1, malformed, &end)]);
        let spec = server("[server]\nmalformed = \"ignore\"\nidle-reaper = { idle = \"30s\", scan = \"0s\" }");
        let end = [close(CloseReason::Silence)];
        play(&mut *spec.build(), &[(0, Some(OPENED), &[]), (9_000, malformed, &[]), (30_000, None, &end)]);
    }

    #[test]
    fn the_parts_in_words_have_every_number_that_the_file_gave() {
        let cases = [
            ("idle-reaper = { idle = \"9m\", scan = \"7s\" }", vec!["9m", "7s", "either way", "tells clients nothing"]),
            (
                "idle-reaper = { idle = \"9m\", times_announced = 1.5, refreshed_by = \"received\", scan = \"0s\" }",
                vec!["9m", "1.5 times", "of its client's", "at once"],
            ),
            (
                "idle-reaper = { idle = \"9m\", scan = \"3s\", bucketed = true, doubles_first = true }",
                vec!["20 times 3s", "doubled"],
            ),
            ("pings = { interval = \"25s\", after = \"pong\", timeout = \"20s\" }", vec!["25s", "20s", "last answer"]),
            (
                "pings = { interval = \"15s\", after = \"received\", timeout = \"14s\", misses = 3 }",
                vec!["15s", "14s", "3 in a row", "silent for"],
            ),
            (
                "pings = { interval = \"3s\", answered = false, doubles_first = true }",
                vec!["3s", "Shows", "twice as long"],
            ),
            (
                "directed = { interval = \"41s\", changes = [{ after = \"1h\", interval = \"5m\" }] }",
                vec!["every 41s", "after 1h every 5m"],
            ),
            ("strikes = { with_data = \"4m\", without_data = \"3h\", allowed = 6 }", vec!["4m", "3h", "number 7"]),
            ("malformed = \"close\"", vec!["makes no sense"]),
            ("busy = { waiting = 101, retry_after = \"31s\" }", vec!["101", "31s"]),
            ("resume = { window = \"5m\" }", vec!["5m"]),
        ];
        for (text, words) in cases {
            let told = server(&format!("[server]\n{text}")).describe();
            for word in words {
                assert!(told.contains(word), "{word}: {told}");
            }
        }
    }

    #[test]
    fn who_comes_while_as_many_wait_as_may_waits_too() {
        let busy = server("server.busy = { waiting = 2, retry_after = \"30s\" }").busy.expect("it was given");
        assert_eq!([0, 2, 3].map(|waiting| busy.turns_away(waiting)), [None, None, Some(Duration::from_secs(30))]);
    }

    #[test]
    fn the_promise_is_that_of_the_part_that_closes_first() {
        let within = |text: &str, bounds: &Bounds| server(text).reaps_within(Some(Duration::from_secs(60)), bounds);
        let (quiet, busy) = (bounds(), Bounds { silent_app: false, ..bounds() });
        let secs = |secs| Some(Duration::from_secs(secs));
        let cases = [
            ("server = \"none\"", None, None),
            ("server.idle-reaper = { idle = \"5m\" }", secs(311), None),
            ("server.idle-reaper = { idle = \"5m\", refreshed_by = \"received\" }", secs(311), secs(311)),
            ("server.idle-reaper = { idle = \"5m\", times_announced = 1.5, scan = \"0s\" }", secs(91), None),
            ("server.pings = { interval = \"20s\", timeout = \"10s\", misses = 3 }", secs(71), secs(71)),
            ("server.pings = { interval = \"20s\" }", None, None),
            ("server.pings = { interval = \"20s\", after = \"sent\", timeout = \"10s\" }", secs(31), None),
        ];
        for (text, of_quiet, of_busy) in cases {
            assert_eq!((within(text, &quiet), within(text, &busy)), (of_quiet, of_busy), "{text}");
        }
        // Its own pings keep alive what any frame refreshes.
        let both = "[server]\nidle-reaper = { idle = \"10s\" }\npings = { interval = \"20s\", timeout = \"10s\" }";
        assert_eq!(within(both, &quiet), secs(31));
    }

    #[test]
    fn a_reaper_that_its_own_pings_disarm_is_named() {
        let paths = |text: &str| {
            let problems = server(text).problems();
            problems.into_iter().map(|problem| problem.path).collect::<Vec<_>>()
        };
        let text = "[server]\nidle-reaper = { idle = \"30s\" }\npings = { interval = \"30s\" }";
        assert_eq!(paths(text), ["server.idle-reaper.refreshed_by"]);
        assert_eq!(paths(&text.replace("\"30s\" }\np", "\"29s\" }\np")), [""; 0]);
    }

    fn any_server() -> impl Strategy<Value = ServerSpec> {
        let secs = || (1_u64..60).prop_map(Span::secs);
        let reaper =
            (secs(), 0_u64..20, any::<[bool; 3]>()).prop_map(|(idle, scan, [bucketed, doubles_first, times])| {
                let scan = crate::unit::Delay::millis(scan * 1_000);
                let bucketed = bucketed && !scan.get().is_zero();
                let times_announced = times.then_some(1.5);
                IdleReaper { times_announced, doubles_first, bucketed, ..IdleReaper::new(idle, scan) }
            });
        let after = prop_oneof![
            Just(PingAfter::Grid),
            Just(PingAfter::Pong),
            Just(PingAfter::Received),
            Just(PingAfter::Sent),
        ];
        let closing = prop::option::of(secs());
        let pings = (secs(), after, prop::option::of(secs()), 1_u32..4, any::<bool>(), closing).prop_map(
            |(interval, after, timeout, misses, doubles_first, closing)| {
                let timeout =
                    timeout.map(|timeout| if after == PingAfter::Pong { timeout } else { timeout.min(interval) });
                let misses = if timeout.is_some() { misses } else { 1 };
                let close_timeout = timeout.and(closing);
                Pings { interval, after, timeout, misses, answered: true, doubles_first, first: None, close_timeout }
            },
        );
        let directed = prop::collection::btree_set(1_u64..300, 0..3).prop_map(|changes| {
            let change = |after| Redirected { after: Span::secs(after), interval: Span::secs(after) };
            Directed { interval: Span::secs(30), changes: changes.into_iter().map(change).collect() }
        });
        let strikes = (secs(), secs(), 0_u32..3).prop_map(|(with_data, without_data, allowed)| Strikes {
            with_data,
            without_data,
            allowed,
        });
        let malformed = prop_oneof![Just(OnMalformed::Ignore), Just(OnMalformed::Close)];
        (
            prop::option::of(reaper),
            prop::option::of(pings),
            prop::option::of(directed),
            prop::option::of(strikes),
            malformed,
        )
            .prop_map(|(idle_reaper, pings, directed, strikes, malformed)| ServerSpec {
                idle_reaper,
                pings,
                directed,
                strikes,
                malformed,
                ..ServerSpec::default()
            })
    }

    proptest! {
        /// Whatever the parts and whatever happens: every action is about a session that is open, and no deadline of
        /// the past is left over.
        #[test]
        fn every_composition_keeps_its_side_of_the_contract(
            spec in any_server(), events in prop::collection::vec((0_u64..20_000, 0_u32..4, 0_u8..9), 0..200),
        ) {
            let mut policy = spec.build();
            let mut open = std::collections::BTreeSet::new();
            let (mut now, mut next) = (Time::ZERO, 0);
            let mut ids = [0; 4];
            for (wait, client, what) in events {
                let arrives = now + Duration::from_millis(wait);
                loop {
                    now = policy.deadline().map_or(arrives, |due| due.min(arrives));
                    if now == arrives {
                        let session = SessionId(ids[client as usize]);
                        let interval = Duration::from_secs(20);
                        let event = match what {
                            0 | 1 => SessionEvent::HeartbeatReceived,
                            2 => SessionEvent::FrameReceived,
                            3 => SessionEvent::PongReceived,
                            4 => SessionEvent::MalformedReceived,
                            5 => SessionEvent::DataSent,
                            6 => SessionEvent::Directed { interval },
                            7 => SessionEvent::Closed,
                            _ => SessionEvent::Opened { interval: Some(interval) },
                        };
                        if let SessionEvent::Opened { .. } = event {
                            next += 1;
                            ids[client as usize] = next;
                            open.insert(SessionId(next));
                            policy.on_event(now, SessionId(next), &event);
                        } else if open.contains(&session) {
                            policy.on_event(now, session, &event);
                            if event == SessionEvent::Closed {
                                open.remove(&session);
                            }
                        }
                    }
                    for _ in 0..100 {
                        let Some(action) = policy.poll(now) else { break };
                        let (ServerAction::Close { session, .. }
                        | ServerAction::Ping { session }
                        | ServerAction::Notice { session }
                        | ServerAction::Direct { session, .. }) = action;
                        prop_assert!(open.contains(&session), "{:?} at {}", action, now);
                        let done = match action {
                            ServerAction::Close { .. } => SessionEvent::Closed,
                            ServerAction::Direct { interval, .. } => SessionEvent::Directed { interval },
                            _ => SessionEvent::FrameSent,
                        };
                        policy.on_event(now, session, &done);
                        if done == SessionEvent::Closed {
                            open.remove(&session);
                        }
                    }
                    prop_assert_eq!(policy.poll(now), None, "no end of actions");
                    prop_assert!(policy.deadline().is_none_or(|due| due > now), "a deadline of the past at {}", now);
                    if now == arrives {
                        break;
                    }
                }
            }
        }

        /// Invariants 1 and 15: a server without a problem closes no client that beats in time, give or take less than what
        /// its limit has beyond the client's interval.
        #[test]
        fn a_patient_reaper_closes_nobody_who_beats(
            interval in 1_u64..1_000, times in 1.01..4.0_f64, announces: bool, heartbeats: bool, scan in 0_u64..60,
            late in prop::collection::vec(0.0..0.999_f64, 1..100),
        ) {
            let interval = Duration::from_secs(interval);
            let mut reaper = IdleReaper::new(Span::at_least(interval.mul_f64(times)), crate::unit::Delay::millis(scan * 1_000));
            if announces {
                (reaper.idle, reaper.times_announced) = (Span::secs(1), Some(times));
            }
            reaper.refreshed_by = if heartbeats { RefreshedBy::Heartbeats } else { RefreshedBy::Received };
            let slack = reaper.limit(Some(interval)).saturating_sub(interval);
            let spec = ServerSpec::from(reaper);
            let (mut policy, session) = (spec.build(), SessionId(0));
            policy.on_event(Time::ZERO, session, &SessionEvent::Opened { interval: Some(interval) });
            for (beat, late) in (1_u32..).zip(late) {
                let arrives = Time::ZERO + interval * beat + slack.mul_f64(late);
                while let Some(due) = policy.deadline().filter(|due| *due < arrives) {
                    prop_assert_eq!(policy.poll(due), None);
                }
                policy.on_event(arrives, session, &SessionEvent::HeartbeatReceived);
                prop_assert_eq!(policy.poll(arrives), None);
            }
        }
    }
}
