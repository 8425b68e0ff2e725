//! What stands between guests and the operating system, for whoever can put something there: clocks and chance of the thread on which
//! guests run. The crate `cardiogram-interpose` does.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::time::Instant;

use super::runtime::{Gate, Runtime};

/// What stands between guests and the operating system.
pub trait System: Send + Sync {
    /// A run begins on the thread that calls this. Whoever asks the system on this thread from now on is to find the time that `clock`
    /// shows, where it shows one, and random bytes that follow from `seed`.
    fn begin(&self, seed: u64, clock: RunClock);

    /// The run on the thread that calls this is over.
    fn end(&self);
}

/// The clock of a run with guests.
#[derive(Clone, Default)]
pub struct RunClock(Arc<OnceLock<(Arc<Gate>, Instant)>>);

impl RunClock {
    /// Returns the time since the begin of the run, to whoever is asked by a guest; `None`: no guest runs now.
    pub fn elapsed(&self) -> Option<Duration> {
        let (gate, origin) = self.0.get()?;
        gate.is_at_work().then(|| origin.elapsed())
    }

    pub(super) fn follow(&self, runtime: &Runtime) {
        self.0.get_or_init(|| (runtime.gate().clone(), runtime.origin()));
    }
}

impl fmt::Debug for RunClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunClock").field(&self.elapsed()).finish()
    }
}

/// A run on this thread, as a system knows it. Dropped, it ends.
pub(super) struct OnThread(Option<Arc<dyn System>>);

impl OnThread {
    pub(super) fn begin(system: Option<Arc<dyn System>>, seed: u64, clock: &RunClock) -> Self {
        if let Some(system) = &system {
            system.begin(seed, clock.clone());
        }
        Self(system)
    }
}

impl Drop for OnThread {
    fn drop(&mut self) {
        if let Some(system) = &self.0 {
            system.end();
        }
    }
}
