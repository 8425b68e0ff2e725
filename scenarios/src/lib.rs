//! Scenarios of cardiogram: the files that describe a world, the built-in ones, the runner and what it measures.
//!
//! What carries out plans of many runs, and keeps what comes of them, is the feature `runner`: [`load`] and a run in memory need
//! none of it.

mod breaking_faults;
mod contest;
#[cfg(feature = "runner")]
pub mod cost;
mod custom;
pub mod diagnostic;
mod document;
pub mod library;
pub mod load;
#[cfg(feature = "runner")]
pub mod measure;
#[cfg(feature = "runner")]
pub mod merge;
pub mod network;
#[cfg(feature = "runner")]
pub mod plan;
pub mod replay;
#[cfg(feature = "runner")]
pub mod runner;
mod scenario;
#[cfg(feature = "runner")]
pub mod schema;
#[cfg(feature = "runner")]
pub mod sweep;
mod trace_file;

pub use breaking_faults::BreakingFault;
pub use contest::Contest;
pub use scenario::Scenario;
