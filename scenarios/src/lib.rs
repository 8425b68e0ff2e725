//! Scenarios of cardiogram: the files that describe a world, the built-in ones, the runner and what it measures.

mod custom;
mod decimal;
pub mod diagnostic;
mod document;
mod journal;
pub mod library;
pub mod load;
pub mod manifest;
pub mod measure;
pub mod merge;
pub mod network;
pub mod plan;
mod results;
pub mod rows;
pub mod runner;
mod scenario;
pub mod schema;
mod strikes;
pub mod survival;

pub use decimal::Decimal;
pub use scenario::Scenario;
pub use strikes::Strike;
