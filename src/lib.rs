//! A deterministic laboratory for heartbeat and reconnect policies of long-lived connections.
//!
//! This crate is the house's front door: it gathers the parts under one name and holds the command line.
//!
//! - [`policies`]: the policies themselves, sans-IO, ready to be shipped in a product.
//! - [`sim`]: the simulated world they are measured in.
//! - [`scenarios`]: scenario files, the built-in ones, the runner and its measures.
//! - [`reports`]: tables, plots and pages from the results.
//! - [`check`](mod@check): random worlds against a strategy's promises, and the simplest world that breaks one.
//! - [`cli`]: the command `cardiogram`.

pub use cardiogram_policies as policies;
pub use cardiogram_reports as reports;
pub use cardiogram_scenarios as scenarios;
pub use cardiogram_sim as sim;

pub mod check;
pub mod cli;

pub use check::check;

/// What most programs around the lab need.
pub mod prelude {
    // Module, function and macro of that name.
    #[doc(no_inline)]
    pub use crate::check;
    pub use crate::check::{Aim, Evidence, Failure, Judgement, Promised};
    pub use cardiogram_policies::{
        Action, Bounds, CustomHeartbeat, CustomReconnect, CustomServer, Event, Heartbeat, HeartbeatSpec, PolicyRng,
        Problem, Promises, Reconnect, ReconnectSpec, Registry, ServerPolicy, ServerSpec, StrategySpec, Time, preset,
    };
    pub use cardiogram_scenarios::{Scenario, load};
    pub use cardiogram_sim::{Engine, Outcome, RunOptions, WorldConfig, run};
}
