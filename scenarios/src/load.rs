//! Scenarios and strategies by name or by path: from what a person wrote on the command line to values that can run.
//!
//! Input is limited: a file that is too long is not read to its end, and text that is not UTF-8 is refused with the
//! place of its first bad byte.

use std::{
    fmt,
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
    trace_file,
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
    /// It is a file or a name of another kind than belongs here.
    #[error("{name} is {is}, and {wanted} belongs here")]
    WrongKind {
        /// What was named.
        name: String,
        /// What it is.
        is: FileKind,
        /// What is wanted.
        wanted: FileKind,
    },
    /// The file says something that cannot be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl LoadError {
    /// Returns what to write instead, where that is not in the message.
    pub fn help(&self) -> Option<String> {
        if let Self::WrongKind { name, is, wanted } = self {
            return Some(match (is, wanted) {
                (FileKind::Strategy, _) => {
                    format!(
                        "`cardiogram run SCENARIO --strategy {name}` compares it, `cardiogram show {name}` shows it"
                    )
                }
                (FileKind::Scenario, _) => format!("`cardiogram run {name}` runs it"),
                (FileKind::Sweep, _) => format!("`cardiogram sweep {name}` carries it out"),
            });
        }
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

/// Returns the scenario that `name` names: one of the library, or a path.
pub fn scenario(name: &str) -> Result<Loaded<Scenario>, LoadError> {
    match library::text(name) {
        Some(text) => {
            Ok(Loaded { value: parse_scenario(name, text)?, text: text.into(), built_in: true, folder: None })
        }
        None if is_path(name) => scenario_file(Path::new(name)),
        None if preset::find(name).is_some() => Err(wrong_kind(name, FileKind::Strategy, FileKind::Scenario)),
        None => Err(unknown("scenario", name, library::names())),
    }
}

/// Returns the strategy that `name` names: a preset, one of the registry, or a path that starts from `folder`.
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
        None if library::text(name).is_some() => Err(wrong_kind(name, FileKind::Scenario, FileKind::Strategy)),
        None => Err(unknown("strategy", name, registry.presets().map(|preset| preset.name))),
    }
}

/// Returns the strategies that `name` names: the members of a family, as in `mqtt/*`, or the one that [`strategy`] finds.
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

/// Returns the strategies that a scenario compares unless it is told otherwise, in its own order. A built-in scenario, which
/// cannot name them, compares those of the registry too; a file names what it wants. The scenario's reference is to be among
/// them.
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
    scenario_in(path, read(path)?)
}

/// Returns the scenario in a file whose text was read.
pub fn scenario_in(path: &Path, text: String) -> Result<Loaded<Scenario>, LoadError> {
    let name = path.display().to_string();
    let text = trace_file::inlined(&name, path.parent(), text)?;
    let value = parse_scenario(&name, &text).map_err(|invalid| as_kind(FileKind::Scenario, &name, &text, invalid))?;
    Ok(Loaded { value, text, built_in: false, folder: path.parent().map(Path::to_path_buf) })
}

/// Reads a strategy file.
pub fn strategy_file(path: &Path, registry: &Registry) -> Result<Loaded<StrategySpec>, LoadError> {
    strategy_in(path, read(path)?, registry)
}

/// Returns the strategy in a file whose text was read.
pub fn strategy_in(path: &Path, text: String, registry: &Registry) -> Result<Loaded<StrategySpec>, LoadError> {
    let name = path.display().to_string();
    let value =
        parse_strategy(&name, &text, registry).map_err(|invalid| as_kind(FileKind::Strategy, &name, &text, invalid))?;
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

/// Returns what is unwise about a strategy that can be used, at its places in the file; `name` is what messages call it.
/// `None`: nothing is.
pub fn warnings(name: &str, strategy: &Loaded<StrategySpec>) -> Option<Invalid> {
    warnings_among(strategy.value.warnings().into_iter(), name, strategy)
}

fn warnings_among(
    found: impl Iterator<Item = Problem>,
    name: &str,
    strategy: &Loaded<StrategySpec>,
) -> Option<Invalid> {
    let found: Vec<Diagnostic> = found.map(|warning| document::place(&strategy.text, warning)).collect();
    (!found.is_empty()).then(|| Invalid::new(name, &strategy.text, found))
}

/// Returns what is unwise about a strategy before any scenario is named; `name` is what messages call it. `None`: nothing is.
pub fn warnings_alone(name: &str, strategy: &Loaded<StrategySpec>) -> Option<Invalid> {
    let found = strategy.value.warnings().into_iter().chain(strategy.value.needs_a_call());
    warnings_among(found, name, strategy)
}

/// Returns what is wrong with a strategy in a scenario that both can be used, at its place in the strategy's file: that nobody
/// calls back a client that waits for it. `name` is what messages call the file. `None`: nothing is.
pub fn warning_in(scenario: &Scenario, name: &str, strategy: &Loaded<StrategySpec>) -> Option<Invalid> {
    let problem = strategy.value.called_by_nobody().filter(|_| !scenario.calls_back())?;
    Some(Invalid::new(name, &strategy.text, vec![document::place(&strategy.text, problem)]))
}

/// Returns the text of a strategy's file, with every value spelled out, defaults too.
pub fn strategy_text(spec: &StrategySpec) -> String {
    toml::to_string_pretty(spec).expect("what can be read from TOML can be written as TOML")
}

/// What a file that people write is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A scenario.
    Scenario,
    /// A strategy.
    Strategy,
    /// The plan of a sweep.
    Sweep,
}

impl FileKind {
    /// Returns what `text` looks like, by the keys that only one kind has; `None` where it looks like nothing.
    pub fn of(text: &str) -> Option<Self> {
        let kinds = [
            ("axis", Self::Sweep),
            ("heartbeat", Self::Strategy),
            ("access", Self::Scenario),
            ("core", Self::Scenario),
        ];
        kinds.into_iter().find_map(|(key, kind)| document::has_key(text, key).then_some(kind))
    }
}

impl FileKind {
    /// Returns its name alone.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Scenario => "scenario",
            Self::Strategy => "strategy",
            Self::Sweep => "sweep",
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scenario => "a scenario",
            Self::Strategy => "a strategy",
            Self::Sweep => "the plan of a sweep",
        })
    }
}

/// Returns what is wrong with a file of which a kind was wanted: that it is of another, where it looks like that.
pub(crate) fn as_kind(wanted: FileKind, name: &str, text: &str, invalid: Invalid) -> LoadError {
    match FileKind::of(text) {
        Some(is) if is != wanted => wrong_kind(name, is, wanted),
        _ => invalid.into(),
    }
}

fn wrong_kind(name: &str, is: FileKind, wanted: FileKind) -> LoadError {
    LoadError::WrongKind { name: name.into(), is, wanted }
}

/// Returns the content of the file at `path`, if it is not too long and is UTF-8. `-` is the standard input.
pub fn read(path: &Path) -> Result<String, LoadError> {
    let fail = |source| LoadError::Read { path: path.into(), source };
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too long from one that just fits.
    let read = if path == Path::new("-") {
        io::stdin().take(FILE_MAX + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes))
    };
    read.map_err(fail)?;
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

/// Returns whether a scenario or strategy of this name is looked for in a file.
pub fn is_path(name: &str) -> bool {
    name == "-" || name.contains(['/', '\\', '.'])
}

fn unknown(kind: &'static str, name: &str, known: impl Iterator<Item = &'static str>) -> LoadError {
    LoadError::UnknownName { kind, name: name.into(), nearest: nearest(name, known).map(Into::into) }
}
