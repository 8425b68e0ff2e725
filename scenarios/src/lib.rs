//! Scenarios of cardiogram: the files that describe a world, the built-in ones, the runner and what it measures.

mod custom;
pub mod diagnostic;
mod document;
pub mod library;
pub mod load;
pub mod measure;
pub mod merge;
pub mod network;
pub mod plan;
pub mod replay;
pub mod runner;
mod scenario;
pub mod schema;
mod strikes;
pub mod sweep;

pub use scenario::Scenario;
pub use strikes::Strike;
