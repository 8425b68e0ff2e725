//! What does not matter: how much a metric may change before anybody should care. As data, from a TOML file or by default.

use std::{collections::BTreeMap, path::Path};

use cardiogram_policies::Problem;
use cardiogram_results::metric::{Band, Metric};
use cardiogram_scenarios::load::{self, LoadError};
use serde::Deserialize;

/// The chance that chance alone makes the gate fail, over all that it compares, unless a file says otherwise.
const ALPHA: f64 = 0.001;

/// The bands of all metrics, and how sure the gate has to be.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bands {
    /// The most probable that a comparison, in which nothing but chance differs, shows a regression or an improvement
    /// anywhere.
    #[serde(default = "alpha")]
    alpha: f64,
    /// Metrics that are not compared.
    #[serde(default)]
    ignore: Vec<Metric>,
    /// Bands other than the default ones.
    #[serde(default)]
    band: BTreeMap<Metric, Band>,
}

const fn alpha() -> f64 {
    ALPHA
}

impl Default for Bands {
    fn default() -> Self {
        Self { alpha: ALPHA, ignore: Vec::new(), band: BTreeMap::new() }
    }
}

impl Bands {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// As for scenario files: with line and caret, and everything that is wrong at once.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        Ok(load::parse(&path.display().to_string(), &load::read(path)?, Self::problems)?)
    }

    /// Returns how probable a false alarm of the whole gate may be.
    pub(crate) const fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Returns the metrics to compare.
    pub(crate) fn metrics(&self) -> impl Iterator<Item = Metric> {
        Metric::ALL.into_iter().filter(|metric| !self.ignore.contains(metric))
    }

    /// Returns the band of a metric.
    pub(crate) fn of(&self, metric: Metric) -> Band {
        self.band.get(&metric).copied().unwrap_or_else(|| metric.default_band())
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(1e-9..=0.1).contains(&self.alpha) {
            let message = format!("a chance of {} for a false alarm", self.alpha);
            problems.push(Problem::new("alpha", message, "use 1e-9 to 0.1; the default is 0.001"));
        }
        for (metric, band) in &self.band {
            let keys = [("relative", band.relative, 0.001, 10.0), ("absolute", band.absolute, 0.0, 1e12)];
            for (key, value, least, most) in keys {
                if !(least..=most).contains(&value) {
                    let path = format!("band.{}.{key}", metric.name());
                    let message = format!("a band of {value}");
                    problems.push(Problem::new(path, message, format!("use {least} to {most}")));
                }
            }
        }
        problems
    }
}
