//! A heartbeat with two speeds: fast while somebody is likely to care, slow for the rest of the time.
//!
//! A break hurts when the user has just done something and waits for the answer; at night nobody minds minutes. So the
//! heartbeat is fast for a while after the connection is established, after the application comes to the foreground and
//! after each message, and slow otherwise, just often enough for the NAT.

use std::time::Duration;

use cardiogram_policies::{
    Action, AppState, Bounds, CustomHeartbeat, Event, GiveUp, Heartbeat, PolicyRng, Problem, Promises, Time, unit::Span,
};
use serde::{Deserialize, Serialize};

/// The parameters, as a strategy file gives them under `heartbeat.custom.two-speed`.
///
/// serde does the reading. `default` makes every key optional, `deny_unknown_fields` makes a slip of the pen an error with
/// line and caret, and `Span` refuses what is no span of time.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TwoSpeed {
    /// Between heartbeats while the connection is lively. Default 10 s.
    pub fast: Span,
    /// Between heartbeats otherwise. Default 4 min 30 s: below the 5 min of a common NAT.
    pub slow: Span,
    /// For how long a connection counts as lively after something has happened. Default 1 min.
    pub lively: Span,
    /// How long a reply may take before the connection is given up. At most `fast`. Default 10 s.
    pub timeout: Span,
}

impl Default for TwoSpeed {
    fn default() -> Self {
        Self { fast: Span::secs(10), slow: Span::secs(270), lively: Span::secs(60), timeout: Span::secs(10) }
    }
}

/// What cardiogram wants to know of a policy before it runs.
impl CustomHeartbeat for TwoSpeed {
    fn build(&self, _: PolicyRng) -> Box<dyn Heartbeat> {
        Box::new(Beating { spec: self.clone(), connection: None })
    }

    /// Every promise here is one that cardiogram tries to break; when in doubt, promise nothing.
    fn promises(&self, bounds: &Bounds) -> Promises {
        Promises::default()
            // The worst break comes right after a slow beat got through.
            .with_detects_within(self.slow.get() + self.timeout.get())
            // Two beats are never closer than `fast`; both ends of the hour may have one.
            .with_heartbeats_per_hour(u32::try_from(3_600_000_000 / self.fast.get().as_micros() + 1).ok())
            .with_no_false_alarm(bounds.loss_free && bounds.rtt_max <= self.timeout.get())
    }

    /// What a NAT has to outlast, and around which the checks of promises draw their worlds.
    fn longest_gap(&self) -> Option<Duration> {
        Some(self.slow.get())
    }

    /// What serde cannot see: contradictions between values that each are valid alone.
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.slow < self.fast {
            problems.push(Problem::new(
                "slow",
                format!("beating slowly, every {}, is faster than beating fast, every {}", self.slow, self.fast),
                format!("use at least \"{}\"", self.fast),
            ));
        }
        // One beat is out at a time, so that one field is enough to remember it by.
        if self.timeout > self.fast {
            problems.push(Problem::new(
                "timeout",
                format!("a timeout of {} is longer than the {} to the next heartbeat", self.timeout, self.fast),
                format!("use at most \"{}\"", self.fast),
            ));
        }
        problems
    }

    fn describe(&self) -> String {
        format!(
            "Sends a heartbeat every {} for {} after the connection is established, the application comes to the foreground, \
             or a message arrives or is acknowledged, and every {} otherwise. A heartbeat without a reply within {} ends the \
             connection. It remembers nothing from one connection to the next.",
            self.fast, self.lively, self.slow, self.timeout,
        )
    }
}

/// The state machine. It owns no clock, no socket and no thread: it is told what happened and when, and asked what to do.
struct Beating {
    spec: TwoSpeed,
    /// `None`: there is no connection, so there is nothing to do.
    connection: Option<Connection>,
}

struct Connection {
    lively_until: Time,
    next_beat: Time,
    next_id: u32,
    /// The heartbeat that waits for its reply, and until when.
    awaited: Option<(u32, Time)>,
}

impl Connection {
    /// Something has happened: from now on the heartbeat is fast, for a while.
    fn enliven(&mut self, now: Time, spec: &TwoSpeed) {
        self.lively_until = now + spec.lively.get();
        // A slow beat that is due far away comes sooner; a beat that is due sooner stays.
        self.next_beat = self.next_beat.min(now + spec.fast.get());
    }

    /// How long to wait after a beat at `now`.
    fn interval(&self, now: Time, spec: &TwoSpeed) -> Duration {
        if now < self.lively_until { spec.fast.get() } else { spec.slow.get() }
    }
}

impl Heartbeat for Beating {
    fn on_event(&mut self, now: Time, event: &Event) {
        if let Event::Connected { .. } = event {
            let (lively_until, next_beat) = (now + self.spec.lively.get(), now + self.spec.fast.get());
            self.connection = Some(Connection { lively_until, next_beat, next_id: 0, awaited: None });
        }
        let Some(connection) = &mut self.connection else { return };
        match event {
            Event::Lost(_) => self.connection = None,
            Event::HeartbeatReply { id, .. } => {
                connection.awaited.take_if(|(awaited, _)| awaited == id);
            }
            // `BytesWritten` is not among them: it is told of the heartbeat's own bytes too.
            Event::BytesReceived | Event::Acknowledged | Event::AppState(AppState::Foreground) => {
                connection.enliven(now, &self.spec);
            }
            _ => {}
        }
    }

    fn poll(&mut self, now: Time) -> Option<Action> {
        let connection = self.connection.as_mut()?;
        if connection.awaited.is_some_and(|(_, until)| until <= now) {
            self.connection = None;
            return Some(Action::GiveUp(GiveUp::NoReply));
        }
        if connection.next_beat <= now {
            let id = connection.next_id;
            connection.next_id += 1;
            connection.next_beat = now + connection.interval(now, &self.spec);
            connection.awaited = Some((id, now + self.spec.timeout.get()));
            return Some(Action::SendHeartbeat { id });
        }
        None
    }

    fn deadline(&self) -> Option<Time> {
        let connection = self.connection.as_ref()?;
        Some(connection.awaited.map_or(connection.next_beat, |(_, until)| until.min(connection.next_beat)))
    }
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::{LossReason, Network};

    use super::*;

    const CONNECTED: Event = Event::Connected { network: Network::cellular(0), server: 0 };
    const GIVE_UP: Action = Action::GiveUp(GiveUp::NoReply);

    fn beat(id: u32) -> Action {
        Action::SendHeartbeat { id }
    }

    fn reply(id: u32) -> Event {
        Event::HeartbeatReply { id, rtt: Duration::from_millis(100) }
    }

    /// One step: when, in seconds; what happens, `None` for the policy's own deadline; what it does about it.
    type Step<'a> = (u64, Option<Event>, &'a [Action]);

    fn play(script: &[Step]) {
        let mut policy = Beating { spec: TwoSpeed::default(), connection: None };
        for (step, &(at, event, expected)) in script.iter().enumerate() {
            let now = Time::from_secs(at);
            match event {
                Some(event) => {
                    assert!(policy.deadline().is_none_or(|due| due >= now), "step {step} skips a deadline");
                    policy.on_event(now, &event);
                }
                None => assert_eq!(policy.deadline(), Some(now), "step {step} waits for a deadline"),
            }
            let actions: Vec<Action> = std::iter::from_fn(|| policy.poll(now)).collect();
            assert_eq!(actions, expected, "step {step}");
        }
    }

    #[test]
    fn it_beats_fast_for_a_minute_and_slowly_after_it() {
        play(&[
            (0, Some(CONNECTED), &[]),
            (10, None, &[beat(0)]),
            (11, Some(reply(0)), &[]),
            (20, None, &[beat(1)]),
            (21, Some(reply(1)), &[]),
            (30, None, &[beat(2)]),
            (31, Some(reply(2)), &[]),
            (40, None, &[beat(3)]),
            (41, Some(reply(3)), &[]),
            (50, None, &[beat(4)]),
            (51, Some(reply(4)), &[]),
            // The minute is over: the next one is four and a half minutes away.
            (60, None, &[beat(5)]),
            (61, Some(reply(5)), &[]),
            (330, None, &[beat(6)]),
        ]);
    }

    #[test]
    fn whatever_happens_makes_it_fast_again() {
        for event in [Event::BytesReceived, Event::Acknowledged, Event::AppState(AppState::Foreground)] {
            play(&[
                (0, Some(CONNECTED), &[]),
                (10, None, &[beat(0)]),
                (10, Some(reply(0)), &[]),
                (20, Some(Event::AppState(AppState::Background)), &[beat(1)]),
                (20, Some(reply(1)), &[]),
                (30, None, &[beat(2)]),
                (30, Some(reply(2)), &[]),
                (40, None, &[beat(3)]),
                (40, Some(reply(3)), &[]),
                (50, None, &[beat(4)]),
                (50, Some(reply(4)), &[]),
                (60, None, &[beat(5)]),
                (60, Some(reply(5)), &[]),
                (100, Some(event), &[]),
                (110, None, &[beat(6)]),
                (110, Some(reply(6)), &[]),
                (120, None, &[beat(7)]),
            ]);
        }
    }

    #[test]
    fn its_own_bytes_do_not_count_as_life() {
        play(&[
            (0, Some(CONNECTED), &[]),
            (10, None, &[beat(0)]),
            (10, Some(Event::BytesWritten), &[]),
            (20, None, &[GIVE_UP]),
        ]);
    }

    #[test]
    fn a_beat_without_a_reply_in_time_ends_the_connection_and_nothing_follows() {
        play(&[
            (0, Some(CONNECTED), &[]),
            (10, None, &[beat(0)]),
            // A message shows that the peer can send, not that it hears us.
            (15, Some(Event::BytesReceived), &[]),
            (20, None, &[GIVE_UP]),
            (21, Some(reply(0)), &[]),
            (90, Some(CONNECTED), &[]),
            (95, Some(Event::Lost(LossReason::Reset)), &[]),
            (500, Some(Event::BytesReceived), &[]),
        ]);
    }

    #[test]
    fn parameters_that_contradict_each_other_are_told_of() {
        let paths = |spec: TwoSpeed| spec.problems().into_iter().map(|it| it.path).collect::<Vec<_>>();
        assert_eq!(paths(TwoSpeed::default()), [""; 0]);
        assert_eq!(paths(TwoSpeed { slow: Span::secs(9), ..TwoSpeed::default() }), ["slow"]);
        assert_eq!(paths(TwoSpeed { timeout: Span::secs(11), ..TwoSpeed::default() }), ["timeout"]);
    }
}
