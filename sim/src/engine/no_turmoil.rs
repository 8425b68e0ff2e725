//! In place of the turmoil engine, where the crate is built without it.

use std::time::Duration;

use cardiogram_policies::Time;

use super::RunError;
use crate::nodes::node::Host;

/// Returns the error that tells which feature is missing.
pub(super) fn run(_: Vec<Host>, _: Time, _: Duration, _: bool, _: u64) -> Result<Vec<Host>, RunError> {
    Err(RunError::NoTurmoil)
}
