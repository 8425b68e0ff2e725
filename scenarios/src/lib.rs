//! Scenarios of cardiogram: the files that describe a world, the built-in ones, the runner and what it measures.

mod decimal;
pub mod diagnostic;
mod document;
pub mod library;
pub mod load;
pub mod measure;
pub mod network;
pub mod plan;
pub mod rows;
mod scenario;
pub mod survival;

pub use decimal::Decimal;
pub use scenario::Scenario;
