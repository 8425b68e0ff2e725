//! Runs whose record was rewritten, for tests of the judges: what the simulator's devices and servers never do can be told
//! in a trace all the same.

use cardiogram_policies::{GiveUp, LossReason, Time, preset};
use cardiogram_scenarios::{load, replay::Promised};
use cardiogram_sim::{
    Outcome, WorldConfig,
    outcome::{Cause, DetectedBy, Detection, Episode},
    trace::{DeviceEvent, Entry, Fact, NodeId, ServerEvent, What},
};

use super::{Evidence, Judgement, judge, run_traced};

/// What a judge is asked about.
pub(crate) struct Story {
    pub(crate) world: WorldConfig,
    pub(crate) outcome: Outcome,
}

impl Story {
    /// A run of a preset in a world of an hour, on a path that loses nothing; `lines` says the rest: `devices`, `nat`, faults.
    pub(crate) fn of(strategy: &str, lines: &str) -> Self {
        let text = format!(
            "name = \"story\"\nstrategies = [\"none\"]\nduration = \"1h\"\naccess = {{ delay = \"20ms\" }}\n\
             core = {{ delay = \"20ms\" }}\n{lines}"
        );
        let scenario =
            load::parse_scenario("story", &text).unwrap_or_else(|invalid| panic!("{}", invalid.render(false)));
        let world = scenario.world(&preset::find(strategy).expect("a preset").spec());
        assert_eq!(world.problems(), []);
        let outcome = run_traced(&world, 1);
        Self { world, outcome }
    }

    /// One device behind a NAT of five minutes, and nothing goes wrong.
    pub(crate) fn healthy(strategy: &str) -> Self {
        Self::of(strategy, "nat = { established = \"5m\" }\ndevices = { count = 1, start_within = \"0s\" }")
    }

    /// Returns a healthy run of a strategy whose link is cut from ten minutes on: until then if `lasts` says so, or for
    /// good.
    pub(crate) fn cut(strategy: &str, lasts: &str) -> Self {
        Self::of(
            strategy,
            &format!(
                "nat = {{ established = \"2h\" }}\ndevices = {{ count = 1, start_within = \"0s\" }}\n[[faults]]\n\
                 cut = {{ when = {{ at = [\"10m\"] }}{lasts} }}"
            ),
        )
    }

    /// The record holds this instead: times in seconds, device 0.
    pub(crate) fn told(self, events: &[(u64, DeviceEvent)]) -> Self {
        self.told_of(&events.iter().map(|(at, event)| (*at * 1_000, 0, *event)).collect::<Vec<_>>())
    }

    /// The record holds this instead: times in milliseconds, devices.
    pub(crate) fn told_of(mut self, events: &[(u64, u32, DeviceEvent)]) -> Self {
        let entry = |(at, device, event): &(u64, u32, DeviceEvent)| Entry {
            at: Time::from_millis(*at),
            node: NodeId(*device),
            what: What::Fact(Fact::Device { device: *device, event: *event }),
        };
        self.outcome.trace.as_mut().expect("it was kept").entries = events.iter().map(entry).collect();
        self
    }

    /// The record holds this instead: times in seconds, server 0.
    pub(crate) fn told_by_server(mut self, events: &[(u64, ServerEvent)]) -> Self {
        let entry = |(at, event): &(u64, ServerEvent)| Entry {
            at: Time::from_secs(*at),
            node: NodeId(9),
            what: What::Fact(Fact::Server { server: 0, event: *event }),
        };
        self.outcome.trace.as_mut().expect("it was kept").entries = events.iter().map(entry).collect();
        self
    }

    /// The only episode is this one, of a session that began with the run.
    pub(crate) fn broke(mut self, cause: Cause, begin: u64, noticed: Option<u64>, end: Option<u64>) -> Self {
        let detection =
            noticed.map(|at| Detection { at: Time::from_secs(at), by: DetectedBy::Heartbeat(GiveUp::NoReply) });
        let end = end.map(Time::from_secs);
        let begin = Time::from_secs(begin);
        self.outcome.episodes = vec![Episode { device: 0, cause, fault: None, begin, end, detection, suspected: None }];
        self
    }

    pub(crate) fn judge(&self, promise: &Promised) -> Judgement {
        judge(promise, &Evidence::new(&self.world, &self.outcome))
    }

    /// Asserts that the promise is broken, and when.
    #[track_caller]
    pub(crate) fn breaks(&self, promise: &Promised, at_s: u64) {
        match self.judge(promise) {
            Judgement::Broken(breach) => assert_eq!(breach.at, Time::from_secs(at_s), "{breach:?}"),
            other => panic!("{other:?}"),
        }
    }

    /// Asserts that it is kept.
    #[track_caller]
    pub(crate) fn keeps(&self, promise: &Promised) {
        assert_eq!(self.judge(promise), Judgement::Kept);
    }

    /// Asserts that it is not tested.
    #[track_caller]
    pub(crate) fn does_not_test(&self, promise: &Promised) {
        assert_eq!(self.judge(promise), Judgement::NotTested);
    }
}

/// Returns a welcome on this port.
pub(crate) const fn connected(port: u16) -> DeviceEvent {
    DeviceEvent::Connected { port, server: 0 }
}

/// The beginning of an attempt.
pub(crate) const ATTEMPT: DeviceEvent = DeviceEvent::AttemptStarted { port: 1, server: 0 };

/// Returns the end of the session of this port.
pub(crate) const fn lost(port: u16) -> DeviceEvent {
    DeviceEvent::Lost { port, reason: LossReason::Reset }
}

/// Returns the device's own end to the session of this port.
pub(crate) const fn given_up(port: u16) -> DeviceEvent {
    DeviceEvent::GivenUp { port, reason: GiveUp::NoReply }
}

/// A device sent a heartbeat.
pub(crate) const BEAT: DeviceEvent = DeviceEvent::HeartbeatSent { id: 0 };
