//! `manifest.json`: which plan results belong to. It holds everything that decides them, so that the plan can be made
//! again from it; nothing in it depends on when, where or how fast the plan was carried out.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

/// The file's name in a results directory.
pub const FILE_NAME: &str = "manifest.json";

/// Version of this cardiogram.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What results say about where they come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of cardiogram.
    pub version: String,
    /// The engine that was asked for.
    pub engine: String,
    /// The first seed.
    pub first_seed: u64,
    /// How many seeds each strategy met in each scenario.
    pub seeds: u64,
    /// Which part of the plan this is.
    pub shard: String,
    /// The scenarios in the order they were named.
    pub scenarios: Vec<ManifestScenario>,
    /// The strategies in the order in which the scenarios named them.
    pub strategies: Vec<ManifestStrategy>,
    /// The sweep that they are the points of; absent where they are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<ManifestSweep>,
    /// The tables that it was written with; absent in results of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<ManifestFile>,
}

/// A table of a [`Manifest`]'s results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// The file's name.
    pub name: String,
    /// XXH3-128 of its content, in hexadecimal.
    pub hash: String,
}

/// A sweep of a [`Manifest`]: which scenario and strategy stand for which values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestSweep {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// The parameters that vary: one or two.
    pub axes: Vec<ManifestAxis>,
    /// Every point; the first axis of the scenario changes slowest, then strategies, then their axes.
    pub points: Vec<ManifestPoint>,
}

/// A parameter that varies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestAxis {
    /// What it is called.
    pub label: String,
    /// The file that the key belongs to: `scenario` or `strategy`.
    pub target: String,
    /// The key, as a dotted path.
    pub key: String,
    /// What the numbers count in: `s` where the values are durations; absent elsewhere.
    pub unit: Option<String>,
    /// The values in their order.
    pub values: Vec<ManifestValue>,
}

/// A value of a [`ManifestAxis`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestValue {
    /// As the point's file has it.
    pub text: String,
    /// As a number in the axis' unit, to twelve significant digits; absent for words.
    pub number: Option<f64>,
}

/// A point of a [`ManifestSweep`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestPoint {
    /// The name of its scenario.
    pub scenario: String,
    /// The name of its strategy.
    pub strategy: String,
    /// The name of the strategy that this one was made from.
    pub base_strategy: String,
    /// The value it has on each axis, counted from 0.
    pub index: Vec<usize>,
}

/// A scenario of a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestScenario {
    /// Its name.
    pub name: String,
    /// Length of a run in seconds.
    pub duration_s: f64,
    /// The names of the strategies that met it.
    pub strategies: Vec<String>,
    /// The one of these that the scenario's file names to compare the others with; absent where it names none that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Whether a command line of the program that ran knows it by its name; otherwise it came from a file. Absent where it
    /// is false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub built_in: bool,
    /// XXH3-128 of the text, in hexadecimal.
    pub hash: String,
    /// The whole file.
    pub text: String,
}

/// A strategy of a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestStrategy {
    /// Its name.
    pub name: String,
    /// Whether a command line of the program that ran knows it by its name; otherwise it came from a file. Absent where it
    /// is false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub built_in: bool,
    /// The family of those that it is compared with, such as `mqtt`. Absent where its file names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Why a connection of its cannot live although nothing is wrong with it, or why nobody calls it back: its numbers then say
    /// more of that than of anything else. Absent where there is nothing to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// XXH3-128 of the text, in hexadecimal.
    pub hash: String,
    /// The whole file.
    pub text: String,
}

impl Manifest {
    /// Returns the content of the file.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a manifest is plain data");
        text.push('\n');
        text
    }

    /// Returns this manifest without what its plan came to.
    #[must_use]
    pub fn of_plan(&self) -> Self {
        Self { files: Vec::new(), ..self.clone() }
    }

    /// Names the plan: equal plans of equal versions have equal results.
    pub fn fingerprint(&self) -> String {
        hash(&self.of_plan().to_json())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Returns whether `text` can be a hash of a file or of a trace: 32 hexadecimal digits.
pub fn is_hash(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|it| it.is_ascii_hexdigit())
}

/// XXH3-128 of `text`, in hexadecimal: how results name the content of a file.
pub fn hash(text: &str) -> String {
    format!("{:032x}", xxh3_128(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_does_not_say_what_is_built_in_reads_and_is_written_as_it_was() {
        let strategy = |name: &str, built_in| ManifestStrategy {
            name: name.into(),
            built_in,
            family: None,
            warnings: Vec::new(),
            hash: hash(""),
            text: String::new(),
        };
        let manifest = Manifest {
            version: VERSION.into(),
            engine: "auto".into(),
            first_seed: 1,
            seeds: 2,
            shard: "1/1".into(),
            scenarios: Vec::new(),
            strategies: vec![strategy("none", true), strategy("mine", false)],
            sweep: None,
            files: Vec::new(),
        };
        let text = manifest.to_json();
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
        let earlier = text.replace("      \"built_in\": true,\n", "");
        assert!(!earlier.contains("built_in"));
        let read: Manifest = serde_json::from_str(&earlier).unwrap();
        assert!(read.strategies.iter().all(|strategy| !strategy.built_in));
        assert_eq!(read.to_json(), earlier);
    }
}
