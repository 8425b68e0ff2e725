//! Engines: they move packets and time. The nodes decide everything else, so that both engines give the same run.

pub(crate) mod event;
#[cfg_attr(not(feature = "turmoil"), path = "no_turmoil.rs")]
mod turmoil;

use std::time::Duration;

use cardiogram_policies::{Problem, Time};

use crate::nodes::node::Host;

/// Which engine runs a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Every node is a turmoil host; packets are datagrams of its UDP. It needs the crate's feature `turmoil`.
    Turmoil,
    /// No runtime: always the earliest event next.
    Event,
}

/// How to run, as far as it does not change the result.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// The engine to run on.
    pub engine: Engine,
    /// Keep the whole record in [`Outcome::trace`](crate::Outcome::trace).
    pub keep_trace: bool,
    /// Turmoil only: the tick. Default, and upper limit: the world's [lookahead](crate::config::WorldConfig::lookahead).
    pub tick: Option<Duration>,
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
    /// The world contradicts itself: all its [problems](crate::WorldConfig::problems), at least one.
    #[error("the world contradicts itself: {}", list(.0))]
    World(Vec<Problem>),
    /// The crate was built without its feature `turmoil`.
    #[error("this build has no turmoil engine: `cardiogram-sim` lacks its feature `turmoil`")]
    NoTurmoil,
    /// A guest did what ends a run, or is asked to run where it cannot: in words.
    #[error("{0}")]
    Guest(String),
    /// Turmoil reported an error.
    #[error("turmoil: {0}")]
    Turmoil(String),
}

/// Problems in one line, each behind its key.
fn list(problems: &[Problem]) -> String {
    let each = problems.iter().map(|problem| format!("`{}`: {}", problem.path, problem.message));
    each.collect::<Vec<_>>().join("; ")
}

/// Runs `hosts` until `end`, which is excluded; no link is faster than `lookahead`.
pub(crate) fn drive(
    mut hosts: Vec<Host>,
    end: Time,
    lookahead: Duration,
    seed: u64,
    options: &RunOptions,
) -> Result<Vec<Host>, RunError> {
    match options.engine {
        Engine::Event => {
            event::run(&mut hosts, end);
            Ok(hosts)
        }
        Engine::Turmoil => {
            let tick = options.tick.map_or(lookahead, |tick| tick.clamp(Duration::from_micros(1), lookahead));
            turmoil::run(hosts, end, tick, options.skip_idle, seed)
        }
    }
}
