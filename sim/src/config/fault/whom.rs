//! Which devices a fault strikes, as data. Who they are in a run is drawn in `fate::struck`.

use cardiogram_policies::unit::Fraction;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which devices a fault strikes: at every strike the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Whom {
    /// This share of them, rounded to whole devices; which ones is drawn for each fault.
    Share(Fraction),
    /// These, counted from 0.
    Only(Vec<u32>),
}

impl Whom {
    /// Returns how many of `devices` it strikes.
    pub(crate) fn count(&self, devices: u32) -> u32 {
        match self {
            // At most as many as there are, as a fraction is at most 1.
            Self::Share(share) => (share.get() * f64::from(devices)).round() as u32,
            Self::Only(only) => only.len() as u32,
        }
    }
}
