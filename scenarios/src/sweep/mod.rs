//! Sweeps: a plan file that says which parameters of a scenario or of strategies take which values, and what becomes of it:
//! a scenario and a strategy for every point, each with a name and a text of its own, as if somebody had written them.
//!
//! What is wrong with a point is shown at the place in the plan file that brings it about. Nothing runs here: the points are
//! contests of a [`Plan`](crate::plan::Plan) like all others, so that shards, interruptions and replays hold for them too.

mod axis;
mod blame;
mod file;
mod key;
mod name;

use std::path::Path;

use cardiogram_policies::{Problem, Registry, StrategySpec};
use cardiogram_results::manifest::{ManifestAxis, ManifestPoint, ManifestSweep, ManifestValue};

pub(crate) use self::file::SweepFile;
use self::{
    axis::Values,
    blame::{Blame, Change},
    key::{Key, Of},
    name::Names,
};
use crate::{
    cost::size,
    diagnostic::Invalid,
    document,
    load::{self, FileKind, LoadError, Loaded},
    plan::{Contest, TEXTS_BYTES_MAX},
    scenario::Scenario,
};

/// The most points of a sweep.
pub const POINTS_MAX: usize = 10_000;

/// A plan file carried out as far as to what is to be run.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The scenarios of the points in the order of the axes, each with the strategies of its points.
    pub contests: Vec<Contest>,
    /// What results say about it.
    pub manifest: ManifestSweep,
    /// The strategies that it starts from, as the file names them.
    pub bases: Vec<Loaded<StrategySpec>>,
}

/// Reads the plan file of a sweep.
pub fn file(path: &Path, registry: &Registry) -> Result<Sweep, LoadError> {
    file_in(path, &load::read(path)?, registry)
}

/// Returns the plan in a file whose text was read.
pub fn file_in(path: &Path, text: &str, registry: &Registry) -> Result<Sweep, LoadError> {
    parse(&path.display().to_string(), text, path.parent(), registry)
}

/// Reads the text of a plan file; `name` is what messages call it, and paths in it start from `folder`.
pub fn parse(name: &str, text: &str, folder: Option<&Path>, registry: &Registry) -> Result<Sweep, LoadError> {
    let file: SweepFile = document::read(text, SweepFile::problems)
        .map_err(|found| load::as_kind(FileKind::Sweep, name, text, Invalid::new(name, text, found)))?;
    let refuse = |problems: Vec<Problem>| {
        let found = problems.into_iter().map(|problem| document::place(text, problem)).collect();
        LoadError::from(Invalid::new(name, text, found))
    };

    let (axes, problems): (Vec<_>, Vec<_>) = (0..).zip(&file.axis).map(|(at, axis)| Axis::of(at, axis)).unzip();
    let problems = problems.concat();
    if !problems.is_empty() {
        return Err(refuse(problems));
    }
    let values = axes.iter().map(|axis| axis.values.list.len()).product::<usize>();
    if values.saturating_mul(file.strategies.len()) > POINTS_MAX {
        let points = values.saturating_mul(file.strategies.len());
        let message = format!("{points} points are more than the {POINTS_MAX} of one sweep");
        return Err(refuse(vec![Problem::new("axis", message, "take fewer values, or fewer strategies")]));
    }

    let count = |of: Of| axes.iter().filter(|axis| axis.of == of).map(|axis| axis.values.list.len()).product::<usize>();
    // A name that there is not is the plan file's fault, what a file says is that file's.
    let at_its_place = |path: String| {
        move |error: LoadError| match error {
            LoadError::UnknownName { .. } | LoadError::Read { .. } => {
                let help = error.help().unwrap_or_default();
                refuse(vec![Problem::new(path, error.to_string(), help)])
            }
            other => other,
        }
    };
    let base = scenario(&file.scenario, folder).map_err(at_its_place("scenario".into()))?;
    let bases = (0..)
        .zip(&file.strategies)
        .map(|(at, name): (usize, _)| {
            load::strategies(name, folder, registry).map_err(at_its_place(format!("strategies[{at}]")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let bases: Vec<_> = bases.into_iter().flatten().collect();
    for (at, base) in bases.iter().enumerate() {
        let name = &base.value.name;
        if bases[..at].iter().any(|other| other.value.name == *name) {
            let message = format!("two strategies are named `{name}`; results could not tell them apart");
            return Err(refuse(vec![Problem::new(format!("strategies[{at}]"), message, "rename one of them")]));
        }
    }
    let texts = (base.text.len() * count(Of::Scenario)) as u64;
    if texts > TEXTS_BYTES_MAX {
        let (is, most) = (size(texts), size(TEXTS_BYTES_MAX));
        let message = format!("{} copies of the scenario's file have {is} together", count(Of::Scenario));
        let help = format!("results hold {most} of texts: take fewer values, or a shorter file");
        return Err(refuse(vec![Problem::new("scenario", message, help)]));
    }
    let mut blame = Blame::new(file.strategies.len() > 1);
    let mut names = Names::default();
    let scenarios = variants(&file, &axes, Of::Scenario, |changes, index| {
        let title = names.of(&file.name, &index);
        scenario_at(&file, &base, &title, changes, &mut blame)
    });
    let mut strategies = Vec::new();
    for base in &bases {
        let of_base = variants(&file, &axes, Of::Strategy, |changes, index| {
            // Without a value of its own in the name, one that was changed must not go by the name of what it was.
            let own = format!("{}-{}", file.name, base.value.name);
            let title = if index.is_empty() { names.of(&own, &index) } else { names.of(&base.value.name, &index) };
            strategy_at(base, &title, changes, registry, &mut blame)
        });
        strategies.extend(of_base.into_iter().map(|variant| (base.value.name.clone(), variant)));
    }
    blame.verdict().map_err(refuse)?;

    let mut points = Vec::new();
    let mut contests = Vec::new();
    for scenario in scenarios {
        let value = scenario.value.expect("a scenario that cannot be read was refused");
        let mut contestants = Vec::new();
        for (base, strategy) in &strategies {
            let contestant = strategy.value.as_ref().expect("a strategy that cannot be read was refused");
            let index = |axis: usize| {
                let of = if axes[axis].of == Of::Scenario { &scenario.index } else { &strategy.index };
                of.iter().find(|(at, _)| *at == axis).map_or(0, |(_, place)| *place)
            };
            points.push(ManifestPoint {
                scenario: value.value.name.clone(),
                strategy: contestant.value.name.clone(),
                base_strategy: base.clone(),
                index: (0..axes.len()).map(index).collect(),
            });
            contestants.push(contestant.clone());
        }
        contests.push(Contest { origin: value.value.name.clone(), scenario: value, strategies: contestants });
    }
    let manifest = ManifestSweep {
        name: file.name,
        about: file.about,
        axes: axes.into_iter().map(Axis::into_manifest).collect(),
        points,
    };
    Ok(Sweep { contests, manifest, bases })
}

/// Returns the scenario that a plan file names: one of the library, or a path that starts from the file's folder.
fn scenario(name: &str, folder: Option<&Path>) -> Result<Loaded<Scenario>, LoadError> {
    match folder {
        Some(folder) if load::is_path(name) => load::scenario_file(&folder.join(name)),
        _ => load::scenario(name),
    }
}

/// An axis with all that its table comes to.
struct Axis {
    label: String,
    of: Of,
    key: Key,
    values: Values,
    /// Its place in the file: `axis[1]`.
    path: String,
}

impl Axis {
    /// Returns the `at`-th axis of the file, and what is wrong with it.
    fn of(at: usize, axis: &file::AxisTable) -> (Self, Vec<Problem>) {
        let path = format!("axis[{at}]");
        let mut problems = Vec::new();
        let (of, text) = axis.target();
        let key = Key::parse(text).and_then(|key| key.of(of)).unwrap_or_else(|(message, help)| {
            problems.push(Problem::new(format!("{path}.{of}"), message, help));
            Key::default()
        });
        let values = axis::expand(axis, &path).unwrap_or_else(|found| {
            problems.extend(found);
            Values::default()
        });
        let label = axis.label.clone().unwrap_or_else(|| key.last_name().into());
        (Self { label, of, key, values, path }, problems)
    }

    /// Returns what the axis changes at its `place`-th value.
    fn change(&self, place: usize) -> Change {
        let value = &self.values.list[place];
        Change {
            key: self.key.clone(),
            value: value.toml.clone(),
            text: value.text.clone(),
            key_place: format!("{}.{}", self.path, self.of),
            value_place: format!("{}.{}", self.path, value.place),
        }
    }

    fn into_manifest(self) -> ManifestAxis {
        let values = self.values.list.into_iter().map(|it| ManifestValue { text: it.text, number: it.number });
        ManifestAxis {
            label: self.label,
            target: self.of.to_string(),
            key: self.key.to_string(),
            unit: self.values.unit.map(Into::into),
            values: values.collect(),
        }
    }
}

/// The place of a variant: for each axis that is its own, which one, and at which of its values.
type Index = Vec<(usize, usize)>;

/// A scenario or strategy of some points.
struct Variant<T> {
    index: Index,
    /// `None` where it is refused.
    value: Option<Loaded<T>>,
}

/// What names are made of: labels and values.
type Labels = Vec<(String, String)>;

/// Returns every combination of the values of the axes of one target, the first axis slowest.
fn variants<T>(
    file: &SweepFile,
    axes: &[Axis],
    of: Of,
    mut make: impl FnMut(&[Change], Labels) -> Option<Loaded<T>>,
) -> Vec<Variant<T>> {
    let fixed = file.changes(of);
    let mut indices: Vec<Index> = vec![Vec::new()];
    for (at, axis) in axes.iter().enumerate().filter(|(_, axis)| axis.of == of) {
        let with = |index: &Index| {
            let index = index.clone();
            (0..axis.values.list.len()).map(move |place| [&index[..], &[(at, place)]].concat()).collect::<Vec<_>>()
        };
        indices = indices.iter().flat_map(with).collect();
    }
    let variant = |index: Index| {
        let varied = index.iter().map(|(axis, place)| axes[*axis].change(*place));
        let changes: Vec<Change> = fixed.iter().cloned().chain(varied).collect();
        let label =
            |(axis, place): &(usize, usize)| (axes[*axis].label.clone(), axes[*axis].values.list[*place].text.clone());
        let value = make(&changes, index.iter().map(label).collect());
        Variant { index, value }
    };
    indices.into_iter().map(variant).collect()
}

/// Returns the base scenario with changes; itself where there are none.
fn scenario_at(
    file: &SweepFile,
    base: &Loaded<Scenario>,
    title: &str,
    changes: &[Change],
    blame: &mut Blame,
) -> Option<Loaded<Scenario>> {
    if changes.is_empty() {
        return Some(base.clone());
    }
    let mut table: toml::Table = toml::from_str(&base.text).expect("it was read from there");
    blame.set(&mut table, changes, Of::Scenario, &base.value.name)?;
    let about = format!("{}: `{}` with {}.", file.name, base.value.name, spoken(changes));
    table.insert("name".into(), title.into());
    table.insert("about".into(), about.into());
    // What to expect was said of the base.
    table.remove("expect");
    let text = toml::to_string_pretty(&table).expect("what can be read from TOML can be written as TOML");
    let read = load::parse_scenario(title, &text);
    let value = blame.read(&base.value.name, Of::Scenario, read, &text, changes)?;
    Some(Loaded { value, text, built_in: false, folder: base.folder.clone() })
}

/// Returns a base strategy with changes; itself where there are none.
fn strategy_at(
    base: &Loaded<StrategySpec>,
    title: &str,
    changes: &[Change],
    registry: &Registry,
    blame: &mut Blame,
) -> Option<Loaded<StrategySpec>> {
    if changes.is_empty() {
        return Some(base.clone());
    }
    // Spelled out, so that a key which has its default can be set within its table.
    let spelt = load::strategy_text(&base.value);
    let mut table: toml::Table = toml::from_str(&spelt).expect("it was written as TOML");
    blame.set(&mut table, changes, Of::Strategy, &base.value.name)?;
    table.insert("name".into(), title.into());
    table.insert("about".into(), format!("`{}` with {}.", base.value.name, spoken(changes)).into());
    let text = toml::to_string_pretty(&table).expect("what can be read from TOML can be written as TOML");
    let read = load::parse_strategy(title, &text, registry);
    let value = blame.read(&base.value.name, Of::Strategy, read, &text, changes)?;
    Some(Loaded { value, text, built_in: false, folder: base.folder.clone() })
}

/// Changes as a list in a sentence.
fn spoken(changes: &[Change]) -> String {
    changes.iter().map(|change| format!("{} = {}", change.key, change.text)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
