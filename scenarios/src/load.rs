//! Scenarios and strategies by name or by path: from what a person wrote on the command line to values that can run.
//!
//! Input is limited: a file that is too long is not read to its end, and text that is not UTF-8 is refused with the
//! place of its first bad byte.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use cardiogram_policies::{Problem, Registry, StrategySpec, preset};
use serde::de::DeserializeOwned;

pub use crate::document::nearest;
use crate::{
    custom,
    diagnostic::{Diagnostic, Invalid},
    document, library,
    scenario::Scenario,
};

/// The longest file that is read, in bytes.
pub const FILE_MAX: u64 = 1 << 20;

/// A scenario or a strategy together with the text it was read from, which results keep.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded<T> {
    /// What the text says.
    pub value: T,
    /// The whole file.
    pub text: String,
    /// Whether its name alone names it on a command line: it comes with the program, and from no file of the user's.
    pub built_in: bool,
    /// The folder that paths in the file start from; `None` where it was read from no file.
    pub folder: Option<PathBuf>,
}

/// Why there is no scenario or strategy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The name is neither built in nor a path.
    #[error("there is no {kind} named `{name}`")]
    UnknownName {
        /// `scenario`, `strategy` or `family`.
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// The most similar name there is.
        nearest: Option<String>,
    },
    /// The file cannot be read: it does not exist, is a directory, or may not be opened.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is longer than [`FILE_MAX`].
    #[error("{} is longer than 1 MiB, the longest file that is read here", .path.display())]
    TooLong {
        /// The path of the file.
        path: PathBuf,
    },
    /// The file is not UTF-8.
    #[error("{}:{line}: byte {offset} of the file is not valid UTF-8; save the file as UTF-8", .path.display())]
    NotUtf8 {
        /// The path of the file.
        path: PathBuf,
        /// The line of the first bad byte, counted from 1.
        line: usize,
        /// The place of the first bad byte in the file, counted from 0.
        offset: usize,
    },
    /// The file says something that cannot be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl LoadError {
    /// What to write instead, where that is not in the message.
    pub fn help(&self) -> Option<String> {
        let Self::UnknownName { kind, nearest, .. } = self else { return None };
        let list = match *kind {
            "family" => "`cardiogram list strategies` shows the families with their members".to_owned(),
            kind => {
                let plural = if kind == "strategy" { "strategies" } else { "scenarios" };
                format!("`cardiogram list {plural}` shows those built in, a file's path ends in `.toml`")
            }
        };
        Some(nearest.as_ref().map_or_else(|| list.clone(), |name| format!("did you mean `{name}`? {list}")))
    }
}

/// The scenario that `name` names: one of the library, or a path.
pub fn scenario(name: &str) -> Result<Loaded<Scenario>, LoadError> {
    match library::text(name) {
        Some(text) => {
            Ok(Loaded { value: parse_scenario(name, text)?, text: text.into(), built_in: true, folder: None })
        }
        None if is_path(name) => scenario_file(Path::new(name)),
        None => Err(unknown("scenario", name, library::names())),
    }
}

/// The strategy that `name` names: a preset, one of the registry, or a path that starts from `folder`.
pub fn strategy(name: &str, folder: Option<&Path>, registry: &Registry) -> Result<Loaded<StrategySpec>, LoadError> {
    match registry.preset(name) {
        Some(preset) => {
            let (name, value) = (preset.name, parse_strategy(preset.name, preset.toml, registry)?);
            if value.name != name {
                let message = format!("this strategy is registered as `{name}`");
                let problem = Problem::new("name", message, "give it the same name in both places");
                return Err(Invalid::new(name, preset.toml, vec![document::place(preset.toml, problem)]).into());
            }
            Ok(Loaded { value, text: preset.toml.into(), built_in: true, folder: None })
        }
        None if is_path(name) => match folder {
            Some(folder) => strategy_file(&folder.join(name), registry),
            None => strategy_file(Path::new(name), registry),
        },
        None => Err(unknown("strategy", name, registry.presets().map(|preset| preset.name))),
    }
}

/// The strategies that `name` names: the members of a family, as in `mqtt/*`, or the one that [`strategy`] finds.
pub fn strategies(
    name: &str,
    folder: Option<&Path>,
    registry: &Registry,
) -> Result<Vec<Loaded<StrategySpec>>, LoadError> {
    let Some(family) = name.strip_suffix(OF_FAMILY) else { return Ok(vec![strategy(name, folder, registry)?]) };
    let members: Result<Vec<_>, _> =
        registry.family(family).map(|preset| strategy(preset.name, None, registry)).collect();
    match members? {
        none if none.is_empty() => Err(unknown("family", family, preset::FAMILIES.iter().map(|family| family.name))),
        members => Ok(members),
    }
}

/// What follows a family's name where it stands for its members.
const OF_FAMILY: &str = "/*";

/// The strategies that a scenario compares unless it is told otherwise, in its own order. A built-in scenario, which cannot
/// name them, compares those of the registry too; a file names what it wants. The scenario's reference is to be among them.
pub fn strategies_of(
    scenario: &Loaded<Scenario>,
    origin: &str,
    registry: &Registry,
) -> Result<Vec<Loaded<StrategySpec>>, LoadError> {
    let added = if scenario.built_in { registry.strategies() } else { &[] };
    let added = added.iter().map(|preset| strategies(preset.name, None, registry));
    let names = &scenario.value.strategies;
    let named = names.iter().enumerate().map(|(index, name)| {
        strategies(name, scenario.folder.as_deref(), registry).map_err(|error| match error {
            // The scenario's file is to blame: show the place in it.
            LoadError::UnknownName { .. } | LoadError::Read { .. } => {
                let help = error.help().unwrap_or_default();
                let problem = Problem::new(format!("strategies[{index}]"), error.to_string(), help);
                Invalid::new(origin, &scenario.text, vec![document::place(&scenario.text, problem)]).into()
            }
            other => other,
        })
    });
    let found: Vec<Loaded<StrategySpec>> =
        named.chain(added).collect::<Result<Vec<_>, LoadError>>()?.into_iter().flatten().collect();
    let is_there = |name: &String| found.iter().any(|it| it.value.name == preset::name_today(name));
    if let Some(name) = scenario.value.reference.as_ref().filter(|name| !is_there(name)) {
        let known: Vec<&str> = found.iter().map(|it| it.value.name.as_str()).filter(|name| *name != "none").collect();
        let help = document::choose(name, &known, "the strategies here are");
        let problem = Problem::new("reference", format!("`{name}` is none of this scenario's strategies"), help);
        return Err(Invalid::new(origin, &scenario.text, vec![document::place(&scenario.text, problem)]).into());
    }
    Ok(found)
}

/// Reads a scenario file.
pub fn scenario_file(path: &Path) -> Result<Loaded<Scenario>, LoadError> {
    let text = read(path)?;
    let value = parse_scenario(&path.display().to_string(), &text)?;
    Ok(Loaded { value, text, built_in: false, folder: path.parent().map(Path::to_path_buf) })
}

/// Reads a strategy file.
pub fn strategy_file(path: &Path, registry: &Registry) -> Result<Loaded<StrategySpec>, LoadError> {
    let text = read(path)?;
    let value = parse_strategy(&path.display().to_string(), &text, registry)?;
    Ok(Loaded { value, text, built_in: false, folder: path.parent().map(Path::to_path_buf) })
}

/// Reads the text of a scenario; `name` is what messages call it.
pub fn parse_scenario(name: &str, text: &str) -> Result<Scenario, Invalid> {
    let hint = "`cardiogram show healthy` prints a scenario to start from";
    document::read(text, Scenario::problems).map_err(|found| Invalid::new(name, text, or_hint(found, hint)))
}

/// Reads the text of a strategy and resolves its policies that are not built in; `name` is what messages call it.
pub fn parse_strategy(name: &str, text: &str, registry: &Registry) -> Result<StrategySpec, Invalid> {
    let hint = "`cardiogram show wechat-270` prints a strategy to start from";
    document::read_and_complete(text, |spec, tree| custom::resolve(spec, tree, registry), StrategySpec::problems)
        .map_err(|found| Invalid::new(name, text, or_hint(found, hint)))
}

/// Reads TOML of any other kind with the same diagnostics; `check` finds what contradicts itself in a value that could be
/// read, and `name` is what messages call the file.
pub fn parse<T: DeserializeOwned>(
    name: &str,
    text: &str,
    check: impl FnOnce(&T) -> Vec<Problem>,
) -> Result<T, Invalid> {
    document::read(text, check).map_err(|found| Invalid::new(name, text, found))
}

/// What is unwise about a strategy that can be used, at its places in the file; `name` is what messages call it. `None`:
/// nothing is.
pub fn warnings(name: &str, strategy: &Loaded<StrategySpec>) -> Option<Invalid> {
    let place = |warning| document::place(&strategy.text, warning);
    let found: Vec<Diagnostic> = strategy.value.warnings().into_iter().map(place).collect();
    (!found.is_empty()).then(|| Invalid::new(name, &strategy.text, found))
}

/// What is wrong with a strategy in a scenario that both can be used, at its place in the strategy's file: that nobody calls back
/// a client that waits for it. `name` is what messages call the file. `None`: nothing is.
pub fn warning_in(scenario: &Scenario, name: &str, strategy: &Loaded<StrategySpec>) -> Option<Invalid> {
    let problem = strategy.value.called_by_nobody().filter(|_| scenario.wakeup.is_none())?;
    Some(Invalid::new(name, &strategy.text, vec![document::place(&strategy.text, problem)]))
}

/// The text of a strategy's file, with every value spelled out, defaults too.
pub fn strategy_text(spec: &StrategySpec) -> String {
    toml::to_string_pretty(spec).expect("what can be read from TOML can be written as TOML")
}

/// Whether `text` looks like a strategy rather than a scenario.
pub fn is_strategy(text: &str) -> bool {
    document::has_key(text, "heartbeat")
}

/// The content of the file at `path`, if it is not too long and is UTF-8.
pub fn read(path: &Path) -> Result<String, LoadError> {
    let fail = |source| LoadError::Read { path: path.into(), source };
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too long from one that just fits.
    File::open(path).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes)).map_err(fail)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(LoadError::TooLong { path: path.into() });
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..offset].split(|byte| *byte == b'\n').count();
        LoadError::NotUtf8 { path: path.into(), line, offset }
    })
}

/// A file without any key is shown what to start from.
fn or_hint(mut found: Vec<Diagnostic>, hint: &str) -> Vec<Diagnostic> {
    if let [Diagnostic { span: None, help: help @ None, .. }] = found.as_mut_slice() {
        *help = Some(hint.into());
    }
    found
}

/// Whether a scenario or strategy of this name is looked for in a file.
pub fn is_path(name: &str) -> bool {
    name.contains(['/', '\\', '.'])
}

fn unknown(kind: &'static str, name: &str, known: impl Iterator<Item = &'static str>) -> LoadError {
    LoadError::UnknownName { kind, name: name.into(), nearest: nearest(name, known).map(Into::into) }
}
