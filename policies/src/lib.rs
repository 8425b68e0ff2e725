//! Heartbeat, reconnect and server liveness policies for long-lived connections, sans-IO.
//!
//! A policy here owns no socket, no clock and no thread. Its host (a product, or the cardiogram simulator) tells it what
//! happened and when, and asks what to do and when to be woken:
//!
//! - [`Heartbeat`]: keeps one connection alive and notices when it is dead.
//! - [`Reconnect`]: says how long to wait before the next connection attempt, and to which server.
//! - [`ServerPolicy`]: watches over the sessions of a server: closes, pings and directs their clients.
//! - [`StrategySpec`]: one of each, as data, with a name and a source.
//! - [`Promises`]: what a policy guarantees, given [`Bounds`] on its environment.
//!
//! What this crate is not: it knows nothing of simulation, and it performs no input or output.

#[macro_use]
mod parameters;

#[cfg(all(doctest, feature = "presets"))]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod custom;
mod frames;
mod guest;
pub mod heartbeat;
#[cfg(feature = "registry")]
pub mod measured;
mod mechanism;
pub mod network;
#[cfg(feature = "registry")]
pub mod preset;
pub mod problem;
pub mod promise;
pub mod random;
pub mod reconnect;
#[cfg(feature = "registry")]
pub mod registry;
pub mod server;
pub mod strategy;
#[cfg(test)]
mod testing;
mod time;
pub mod unit;
mod vitality;
mod warning;

pub use custom::{Custom, CustomHeartbeat, CustomReconnect, CustomServer};
pub use frames::Frames;
pub use guest::Guest;
pub use heartbeat::{Action, AppState, Event, GiveUp, Heartbeat, HeartbeatSpec, LossReason};
pub use mechanism::{Mechanism, Need};
pub use network::{Network, NetworkKind};
pub use problem::Problem;
pub use promise::{AttemptLimit, Bounds, Promises, ServerPings};
pub use reconnect::{
    AttemptFailure, Reconnect, ReconnectAction, ReconnectEvent, ReconnectRules, ReconnectSpec, ServerChoice,
};
#[cfg(feature = "registry")]
pub use registry::Registry;
pub use server::{CloseReason, ServerAction, ServerPolicy, ServerSpec, SessionEvent, SessionId};
pub use strategy::{NAME_RULE, StrategySpec, is_name};
pub use time::Time;

/// The generator a policy draws from: handed to it when it is built, seeded by its host, its only source of chance.
pub type PolicyRng = Box<dyn rand_core::Rng + Send>;

/// The generators of one client's policies, each with its own, so that none disturbs another's draws.
pub struct Generators {
    /// What the heartbeat policy draws from.
    pub heartbeat: PolicyRng,
    /// What the waits of the reconnect policy draw from.
    pub waits: PolicyRng,
    /// What the rules around it draw from.
    pub rules: PolicyRng,
}
