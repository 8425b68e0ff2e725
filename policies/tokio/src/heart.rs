//! A heartbeat policy at its host's: with the time, and with the memory that outlives the process.

use cardiogram_policies::{Action, AppState, Event, Heartbeat, Need, PolicyRng, StrategySpec, Time};

use crate::{
    clock::Clock,
    fit::{Unfit, check_spec},
    memory::Store,
    seed,
};

/// The heartbeat policy of one client, for all its connections, one after the other: it learns over them. A
/// [`Session`](crate::Session) runs it on a connection.
pub struct Heart {
    policy: Box<dyn Heartbeat>,
    pub(crate) clock: Clock,
    pub(crate) needs: Vec<Need>,
    /// How long a second connection may take.
    pub(crate) connect_timeout: std::time::Duration,
    pub(crate) announces: Option<std::time::Duration>,
    store: Option<Box<dyn Store>>,
    /// The application's state was told last.
    app_state: Option<AppState>,
}

impl Heart {
    /// Returns the heartbeat of a strategy, which draws its chance from the system's.
    ///
    /// # Errors
    ///
    /// Where the strategy contradicts itself, or needs a laboratory.
    pub fn new(strategy: &StrategySpec) -> Result<Self, Unfit> {
        Self::with_generator(strategy, seed::of_the_system().heartbeat, Clock::new())
    }

    pub(crate) fn with_generator(strategy: &StrategySpec, generator: PolicyRng, clock: Clock) -> Result<Self, Unfit> {
        check_spec(strategy)?;
        Ok(Self {
            policy: strategy.heartbeat.build(generator),
            clock,
            needs: strategy.heartbeat.needs(),
            connect_timeout: strategy.connect_timeout.get(),
            announces: strategy.server.reads_announced().then(|| strategy.heartbeat.announced_interval()).flatten(),
            store: None,
            app_state: None,
        })
    }

    /// Sets where it stores what it learns, and hands it what it has learnt before.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn with_memory(mut self, mut store: impl Store) -> std::io::Result<Self> {
        if let Some(memory) = store.load()? {
            self.policy.recall(&memory);
        }
        self.store = Some(Box::new(store));
        Ok(self)
    }

    /// Tells it, between two sessions, that the application went to another state.
    pub fn app_state(&mut self, state: AppState) {
        if self.app_state.replace(state) != Some(state) {
            self.tell(&Event::AppState(state));
        }
    }

    pub(crate) fn tell(&mut self, event: &Event) {
        self.policy.on_event(self.clock.now(), event);
    }

    pub(crate) fn poll(&mut self, now: Time) -> Option<Action> {
        self.policy.poll(now)
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.policy.deadline()
    }

    /// Stores what it has learnt; returns whether that worked.
    pub(crate) fn remember(&mut self) -> bool {
        match (&mut self.store, self.policy.memory()) {
            (Some(store), Some(memory)) => store.save(&memory).is_ok(),
            _ => true,
        }
    }
}
