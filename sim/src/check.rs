//! Contradictions between the parts of a world, and what the world guarantees.

use std::time::Duration;

use cardiogram_policies::{Bounds, Problem};

use crate::config::WorldConfig;
pub(crate) fn problems(_: &WorldConfig) -> Vec<Problem> { Vec::new() }
pub(crate) fn bounds(_: &WorldConfig) -> Bounds { let _ = Duration::ZERO; unimplemented!() }
