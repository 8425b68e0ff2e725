//! The command that shows a run. Results know the names and texts of scenarios and strategies, not where their files are:
//! what is built in goes by its name, and for the rest a file of that name stands where the reader puts the path.

use cardiogram_policies::Registry;
use cardiogram_scenarios::{library, manifest::Manifest};

/// What to know about commands that name files.
pub(crate) const NOTE: &str = "Where a name ends in .toml, write the path of the file that was run.";

/// The command that shows the run of a strategy in a scenario with a seed. Names in it that end in `.toml` are not built in:
/// they stand for the paths of the files that were run.
pub(crate) fn trace(manifest: &Manifest, scenario: &str, strategy: &str, seed: u64, registry: &Registry) -> String {
    let scenarios = manifest.scenarios.iter().find(|it| it.name == scenario);
    let strategies = manifest.strategies.iter().find(|it| it.name == strategy);
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

/// [`NOTE`], where one of `commands` names a file.
pub(crate) fn note(commands: &[String]) -> Option<&'static str> {
    commands.iter().any(|command| command.contains(".toml")).then_some(NOTE)
}
