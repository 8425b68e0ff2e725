//! A results directory of cardiogram: its columns, its manifest, and the one way in and the one way out.
//!
//! - [`rows`]: the list of columns of `runs.csv`, `episodes.csv` and `series.csv`; [`Column`] says what an entry is.
//! - [`Manifest`](manifest::Manifest): what the results are of.
//! - [`Reader`]: reads a directory, with one set of limits; [`Error`] says what is wrong with it.
//! - [`write()`], [`publish_report`], [`write_files`]: write it, whole or not at all; [`Journal`](journal::Journal) keeps what
//!   an unfinished run has done so far.
//! - [`metric`]: which numbers of a run are costs, and what change of them does not matter.
//! - [`survival`]: the estimator that columns and reports share.
//!
//! What this crate is not: it knows nothing of the simulator, of policies or of scenarios, whose texts it only keeps. It runs
//! nothing, and it computes no statistics of several runs.

mod column;
mod decimal;
mod error;
pub mod journal;
pub mod manifest;
pub mod metric;
mod publish;
mod read;
pub mod rows;
pub mod survival;
mod table;
mod whole;
mod write;

pub use column::{Column, Kind, Row};
pub use decimal::Decimal;
pub use error::{Error, in_words};
pub use publish::publish_report;
pub use read::{Key, Reader};
pub use table::{Numbers, Record, Table};
pub use whole::write_files;
pub use write::{Finished, write};
