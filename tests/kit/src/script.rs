//! Policies that follow a script and write down what they are told: for tests of what a host does, whatever policies say.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use cardiogram_policies::{
    Action, Custom, CustomHeartbeat, CustomReconnect, Event, GiveUp, Heartbeat, HeartbeatSpec, PolicyRng, Reconnect,
    ReconnectAction, ReconnectEvent, ReconnectSpec, ServerChoice, StrategySpec, Time,
};
use proptest::prelude::*;
use serde::Serialize;

/// What the policies were told, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// Events of the heartbeat policy.
    pub heartbeat: Vec<(Time, Event)>,
    /// Events of the reconnect policy.
    pub reconnect: Vec<(Time, ReconnectEvent)>,
    /// Memories that were handed back to the heartbeat policy.
    pub recalled: Vec<String>,
}

/// What the policies of all devices do, and what they are told.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Script {
    /// Actions at these times, in milliseconds; those of times without a session are left out.
    #[serde(skip)]
    pub steps: Vec<(u64, Action)>,
    /// One after the other; then, and without any, an attempt at once.
    #[serde(skip)]
    pub verdicts: Vec<ReconnectAction>,
    /// Shared by all policies of a run.
    #[serde(skip)]
    pub told: Arc<Mutex<Told>>,
}

impl Script {
    /// Puts the script in the place of a strategy's policies.
    pub fn direct(self, strategy: &mut StrategySpec) {
        strategy.heartbeat = HeartbeatSpec::Custom(Custom::<dyn CustomHeartbeat>::new("script", self.clone()));
        strategy.reconnect = ReconnectSpec::Custom(Custom::<dyn CustomReconnect>::new("script", self));
    }
}

impl CustomHeartbeat for Script {
    fn build(&self, _: PolicyRng) -> Box<dyn Heartbeat> {
        Box::new(Scripted { script: self.clone(), next: 0 })
    }

    fn describe(&self) -> String {
        "Follows a script.".into()
    }
}

impl CustomReconnect for Script {
    fn build(&self, _: PolicyRng) -> Box<dyn Reconnect> {
        Box::new(Scripted { script: self.clone(), next: 0 })
    }

    fn describe(&self) -> String {
        "Follows a script.".into()
    }
}

struct Scripted {
    script: Script,
    /// The step, or the verdict, that is next.
    next: usize,
}

impl Scripted {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.script.told.lock().expect("one thread at a time")
    }
}

impl Heartbeat for Scripted {
    fn on_event(&mut self, now: Time, event: &Event) {
        self.told().heartbeat.push((now, *event));
        if matches!(event, Event::Connected { .. }) {
            self.next = self.script.steps.partition_point(|(at, _)| Time::from_millis(*at) < now);
        }
    }

    fn poll(&mut self, now: Time) -> Option<Action> {
        let (at, action) = self.script.steps.get(self.next)?;
        (Time::from_millis(*at) <= now).then(|| {
            self.next += 1;
            *action
        })
    }

    fn deadline(&self) -> Option<Time> {
        self.script.steps.get(self.next).map(|(at, _)| Time::from_millis(*at))
    }

    fn memory(&self) -> Option<String> {
        Some(format!("after step {}", self.next))
    }

    fn recall(&mut self, memory: &str) {
        self.told().recalled.push(memory.into());
    }
}

impl Reconnect for Scripted {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        self.told().reconnect.push((now, *event));
    }

    fn next(&mut self, _: Time) -> ReconnectAction {
        self.next += 1;
        let at_once = ReconnectAction::TryAfter { wait: Duration::ZERO, server: ServerChoice::Same, timeout: None };
        self.script.verdicts.get(self.next - 1).copied().unwrap_or(at_once)
    }
}

/// Anything at any time within this number of seconds.
pub fn script(seconds: u64) -> impl Strategy<Value = Script> {
    let steps = prop::collection::btree_map(0..seconds * 1_000, action(), 0..60);
    (steps, prop::collection::vec(verdict(), 0..20)).prop_map(|(steps, verdicts)| Script {
        steps: steps.into_iter().collect(),
        verdicts,
        ..Script::default()
    })
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => (0..20_u32).prop_map(|id| Action::SendHeartbeat { id }),
        1 => Just(Action::SendNotice),
        2 => Just(Action::OpenProbe),
        4 => (0..20_u32).prop_map(|id| Action::SendProbe { id }),
        1 => Just(Action::CloseProbe),
        3 => Just(Action::Race),
        1 => Just(Action::Remember),
        1 => Just(Action::AskTransport),
        1 => Just(Action::GiveUp(GiveUp::ServiceDead)),
    ]
}

fn verdict() -> impl Strategy<Value = ReconnectAction> {
    let wait = || (0..20_u64).prop_map(Duration::from_secs);
    prop_oneof![
        wait().prop_map(|wait| ReconnectAction::CheckAfter { wait }),
        wait().prop_map(|wait| ReconnectAction::TryAfter { wait, server: ServerChoice::Next, timeout: None }),
        wait().prop_map(|wait| ReconnectAction::TryAfter { wait, server: ServerChoice::Same, timeout: None }),
    ]
}
