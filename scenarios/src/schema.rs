//! The JSON Schema of the files that people write, for editors and for other programs.

use cardiogram_policies::StrategySpec;
use schemars::{Schema, schema_for};

use crate::{scenario::Scenario, sweep::SweepFile};

/// Returns the schema of a scenario file.
pub fn scenario() -> Schema {
    schema_for!(Scenario)
}

/// Returns the schema of a strategy file.
pub fn strategy() -> Schema {
    schema_for!(StrategySpec)
}

/// Returns the schema of the plan file of a sweep.
pub fn sweep() -> Schema {
    schema_for!(SweepFile)
}
