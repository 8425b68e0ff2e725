//! Statistics on plain numbers, one idea a file. Nothing here knows of runs, strategies or files: what the numbers mean
//! is the business of [`crate::summary`].
//!
//! Written here and not taken from a library, since each is a page with its source, and its values must not change with a
//! library's version; the tests compare them with an independent library, with published tables, or with the coverage
//! that they promise.

pub(crate) mod bca;
pub(crate) mod bootstrap;
pub(crate) mod holm;
pub(crate) mod hypervolume;
pub(crate) mod incidence;
pub(crate) mod normal;
pub(crate) mod order;
pub(crate) mod pareto;
pub(crate) mod quantile;
pub(crate) mod sign_flip;
pub(crate) mod student;
pub(crate) mod weighted;

#[cfg(test)]
mod coverage;
