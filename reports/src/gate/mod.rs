//! The gate: results compared with a baseline that was written down before, for CI to trust.
//!
//! - [`read`] makes [`Results`] of a results directory; [`Baseline::to_json`] writes what is worth keeping of them.
//! - [`Baseline::read`] reads that again, and [`check`] says why it cannot be compared with results, if so.
//! - [`compare`] compares what can be compared, and [`Comparison`] says it as a table, as Markdown and as JUnit XML.
//!
//! A run here is deterministic, so a strategy that nobody touched gives the same trace hashes, and that is equality, not
//! statistics. Where hashes differ, each measure is compared over the seeds that both sides ran, by an equivalence band
//! ([`Bands`]) and a [`Verdict`]: `docs/ci.md` has the formulas and the reasons. What the gate is not: it judges no strategy by itself,
//! only against what was there before.

mod bands;
mod baseline;
#[cfg(test)]
mod calibration;
mod compare;
mod error;
mod json;
mod junit;
mod markdown;
mod matching;
mod results;
mod table;
#[cfg(test)]
mod tests;
mod verdict;
mod words;

pub use bands::Bands;
pub use baseline::{Baseline, CellName};
pub use cardiogram_results::{
    metric::{Band, Metric},
    write_files,
};
pub use compare::{CellComparison, Comparison, MetricComparison, SeedPair, compare};
pub use error::Error;
pub use matching::check;
pub use results::{Results, read};
pub use verdict::{Strictness, Verdict};
