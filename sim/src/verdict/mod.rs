//! What a run meant: when each device really had a usable session, and what its policy made of that. Computed after the run
//! from what was recorded and from what was drawn; no policy sees it.

mod accuracy;
pub(crate) mod downtime;
pub(crate) mod learning;
pub mod outcome;
mod path;
pub(crate) mod peak;
mod strikes;
pub(crate) mod truth;
