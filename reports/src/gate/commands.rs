//! The command that shows a run. Results know the names and texts of scenarios and strategies, not where their files are:
//! what is built in goes by its name, and for the rest a file of that name stands where the reader puts the path.

use cardiogram_policies::Registry;
use cardiogram_scenarios::library;

use super::{baseline::CellName, results::Results};

impl Results {
    /// The command that shows the run of a cell with a seed. Names in it that end in `.toml` are not built in: they stand
    /// for the paths of the files that were run.
    pub fn command(&self, cell: &CellName, seed: u64, registry: &Registry) -> String {
        let CellName { scenario, strategy } = cell;
        let scenarios = self.manifest.scenarios.iter().find(|it| it.name == *scenario);
        let strategies = self.manifest.strategies.iter().find(|it| it.name == *strategy);
        let file = |name: &str, built_in: Option<&str>, text: Option<&str>| {
            if built_in.is_some() && built_in == text { name.to_owned() } else { format!("{name}.toml") }
        };
        let preset = registry.preset(strategy).map(|preset| preset.toml);
        format!(
            "cardiogram trace {} --strategy {} --seed {seed}",
            file(scenario, library::text(scenario), scenarios.map(|it| it.text.as_str())),
            file(strategy, preset, strategies.map(|it| it.text.as_str())),
        )
    }
}

/// What to know about commands that name files.
pub(crate) fn note(commands: &[String]) -> Option<&'static str> {
    let names_file = commands.iter().any(|command| command.contains(".toml"));
    names_file.then_some("Where a name ends in .toml, write the path of the file that was run.")
}
