//! A results directory of cardiogram: its columns, its manifest, and the one way in and the one way out.
//!
//! - [`rows`]: the list of columns of `runs.csv`, `episodes.csv` and `series.csv`; [`Column`] says what an entry is.
//! - [`Manifest`](manifest::Manifest): what the results are of.
//! - [`Reader`]: reads a directory, with one set of limits; [`Streams`] reads it once, in little memory; [`Error`] says what is
//!   wrong with it.
//! - [`Claim`]: the right to write there, of one process at a time, where nothing of somebody else's lies. [`Claim::begin`]
//!   begins a plan or goes on with it, and [`Journal`] keeps what it has done so far; [`write()`], [`Tables`] and
//!   [`write_report`] write what came of it, whole or not at all.
//! - [`write_files`]: files that a person names, elsewhere.
//! - [`metric`]: which numbers of a run are costs, and what change of them does not matter.
//! - [`survival`]: the estimator that columns and reports share.
//!
//! What this crate is not: it knows nothing of the simulator, of policies or of scenarios, whose texts it only keeps. It runs
//! nothing, and it computes no statistics of several runs.

mod begin;
mod claim;
mod column;
mod decimal;
mod disk;
mod error;
mod journal;
mod latest;
pub mod manifest;
pub mod metric;
mod output;
mod read;
mod report;
pub mod rows;
mod stream;
pub mod survival;
mod table;
mod write;

pub use begin::{Begin, Begun};
pub use claim::{Claim, program_of};
pub use column::{Column, Kind, Row};
pub use decimal::Decimal;
pub use error::{Error, in_words};
pub use journal::{Journal, Unfinished, cells_in};
pub use latest::point_latest;
pub use output::{check_distinct, write_files};
pub use read::{Key, Reader};
pub use report::{write_beside, write_report};
pub use stream::{Stream, Streams};
pub use table::{Numbers, Record, Table};
pub use write::{Finished, Tables, write};
