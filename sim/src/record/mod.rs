//! What is noted while the run goes on: what happened, in order, with its hash, and what the devices count. What it means is
//! in `verdict`.

mod bytes;
pub(crate) mod counts;
mod digest;
pub mod faults;
pub(crate) mod recorder;
pub mod series;
pub mod trace;
