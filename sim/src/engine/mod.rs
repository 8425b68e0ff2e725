//! Engines: they move packets and time. The nodes decide everything else, so that both engines give the same run.

use crate::{WorldConfig, outcome::Outcome};

/// Which engine runs a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Every node is a turmoil host; packets are datagrams of its UDP.
    Turmoil,
    /// One binary heap, no runtime.
    Event,
}

/// How to run, as far as it does not change the result.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// Which engine.
    pub engine: Engine,
    /// Keep the whole record in [`Outcome::trace`].
    pub keep_trace: bool,
    /// Turmoil only: the tick; default and upper limit is the world's lookahead.
    pub tick: Option<std::time::Duration>,
    /// Turmoil only: skip windows in which nothing happens. Default true.
    pub skip_idle: bool,
}

impl RunOptions {
    /// The usual options for `engine`.
    pub const fn new(engine: Engine) -> Self {
        Self { engine, keep_trace: false, tick: None, skip_idle: true }
    }
}

/// Why a run could not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Turmoil reported an error.
    #[error("turmoil: {0}")]
    Turmoil(String),
}

/// Runs a world. The configuration must be free of [problems](WorldConfig::problems).
pub fn run(config: &WorldConfig, seed: u64, options: &RunOptions) -> Result<Outcome, RunError> {
    let _ = (config, seed, options);
    unimplemented!()
}
