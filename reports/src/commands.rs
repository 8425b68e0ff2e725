//! The command that shows a run. Results know the names and texts of scenarios and strategies, not where their files are:
//! what is built in goes by its name, and for the rest a file of that name stands where the reader puts the path.

use cardiogram_results::manifest::Manifest;

/// What the program is called unless somebody says otherwise.
pub(crate) const PROGRAM: &str = "cardiogram";

/// What to know about commands that name files.
pub(crate) const NOTE: &str = "Where a name ends in .toml, write the path of the file that was run.";

/// Returns the command that shows the run of a strategy in a scenario with a seed, for the program of that name. Names in it that end in `.toml` are not
/// built in: they stand for the paths of the files that were run.
pub(crate) fn trace(program: &str, manifest: &Manifest, scenario: &str, strategy: &str, seed: u64) -> String {
    let scenario_is_known = manifest.scenarios.iter().any(|it| it.name == scenario && it.built_in);
    let strategy_is_known = manifest.strategies.iter().any(|it| it.name == strategy && it.built_in);
    let file = |name: &str, is_known| if is_known { name.to_owned() } else { format!("{name}.toml") };
    let (scenario, strategy) = (file(scenario, scenario_is_known), file(strategy, strategy_is_known));
    format!("{program} trace {scenario} --strategy {strategy} --seed {seed}")
}

/// [`NOTE`], where one of `commands` names a file.
pub(crate) fn note(commands: &[String]) -> Option<&'static str> {
    commands.iter().any(|command| command.contains(".toml")).then_some(NOTE)
}
