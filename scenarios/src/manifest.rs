//! `manifest.json`: which plan results belong to. It holds everything that decides them, so that the plan can be made
//! again from it; nothing in it depends on when, where or how fast the plan was carried out.

use cardiogram_policies::Registry;
use cardiogram_sim::Engine;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    diagnostic::Invalid,
    load::{self, Loaded},
    plan::{Contest, EngineChoice, Plan},
};

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
    /// XXH3-128 of the text, in hexadecimal.
    pub hash: String,
    /// The whole file.
    pub text: String,
}

impl Manifest {
    /// The content of the file.
    pub(crate) fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a manifest is plain data");
        text.push('\n');
        text
    }

    /// A strategy that is as it was written and yet cannot be read: its policies are those of another program.
    pub(crate) fn unreadable_strategy(&self, registry: &Registry) -> Option<Invalid> {
        let mut intact = self.strategies.iter().filter(|strategy| hash(&strategy.text) == strategy.hash);
        intact.find_map(|it| load::parse_strategy(&it.name, &it.text, registry).err())
    }

    /// The plan that it describes; `None` where there can be no such plan: another version wrote it, or it was changed.
    pub(crate) fn plan(&self, registry: &Registry) -> Option<Plan> {
        let engines = [EngineChoice::Auto, EngineChoice::Only(Engine::Event), EngineChoice::Only(Engine::Turmoil)];
        let engine = engines.into_iter().find(|engine| engine.to_string() == self.engine)?;
        let contests =
            self.scenarios.iter().map(|scenario| self.contest(scenario, registry)).collect::<Option<Vec<_>>>()?;
        Plan::new(contests, self.first_seed, self.seeds, engine, self.shard.parse().ok()?).ok()
    }

    fn contest(&self, scenario: &ManifestScenario, registry: &Registry) -> Option<Contest> {
        let value = load::parse_scenario(&scenario.name, &scenario.text).ok()?;
        let strategies = scenario.strategies.iter().map(|name| {
            let entry = self.strategies.iter().find(|strategy| strategy.name == *name)?;
            let value = load::parse_strategy(name, &entry.text, registry).ok()?;
            Some(Loaded { value, text: entry.text.clone(), folder: None })
        });
        Some(Contest {
            origin: scenario.name.clone(),
            strategies: strategies.collect::<Option<_>>()?,
            scenario: Loaded { value, text: scenario.text.clone(), folder: None },
        })
    }
}

/// XXH3-128 of `text`, in hexadecimal: how results name the content of a file.
pub fn hash(text: &str) -> String {
    format!("{:032x}", xxh3_128(text.as_bytes()))
}
