//! A deterministic laboratory for heartbeat and reconnect policies of long-lived connections.
//!
//! This crate is the house's front door: it gathers the parts under one name and holds the command line.
//!
//! - [`policies`]: the policies themselves, sans-IO, ready to be shipped in a product.
//! - [`sim`]: the simulated world they are measured in.
//! - [`net`]: real programs in it, in place of devices and servers.
//! - [`results`]: a results directory: its columns, its reader and its writer.
//! - [`scenarios`]: scenario files, the built-in ones, the runner and its measures.
//! - [`reports`]: tables, plots and pages from the results.
//! - [`check`]: random worlds against a strategy's promises, and the simplest world that breaks one.
//! - [`cli`]: the command `cardiogram`.

pub use cardiogram_check as check;
pub use cardiogram_macros::test;
pub use cardiogram_policies as policies;
pub use cardiogram_reports as reports;
pub use cardiogram_results as results;
pub use cardiogram_scenarios as scenarios;
pub use cardiogram_sim as sim;

pub mod cli;
pub mod net;

/// What most programs around the lab need: what tests of a strategy do.
pub use cardiogram_check::{keeps_promises, prelude};
