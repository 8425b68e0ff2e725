//! The plan file of a sweep as a type, and what is wrong with it before anything is looked up.

use cardiogram_policies::{NAME_RULE, Problem, is_name};
use schemars::JsonSchema;
use serde::Deserialize;
use toml::{Table, Value};

use super::{
    blame::Change,
    key::{Key, Of},
};

/// The most axes: what a heat map can show.
const AXES_MAX: usize = 2;

/// A sweep: what happens in one scenario while one or two parameters take many values.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SweepFile {
    /// The name it goes by, and that its scenarios begin with: 1 to 64 lower-case letters, digits, `-`.
    pub(super) name: String,
    /// What it shows, in a sentence or two.
    #[serde(default)]
    pub(super) about: String,
    /// The scenario that everything starts from: one that is built in, or the path of a scenario file (relative to this
    /// file).
    pub(super) scenario: String,
    /// The strategies that everything starts from: presets, or paths of strategy files (relative to this file).
    pub(super) strategies: Vec<String>,
    /// What every point has in common, where that is not so in the scenario or the strategies.
    #[serde(default)]
    pub(super) set: Set,
    /// One or two parameters and their values.
    pub(super) axis: Vec<AxisTable>,
}

/// Values that hold for every point.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Set {
    /// Keys of the scenario, as its file would have them; each replaces the one that is there.
    #[serde(default)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    scenario: Table,
    /// Keys of all strategies, likewise.
    #[serde(default)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    strategy: Table,
}

/// A parameter and its values: a list, equal steps, or steps of equal ratio.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AxisTable {
    /// What the axis is called in tables and plots, and in names of points. Default: the last part of its key.
    pub(super) label: Option<String>,
    /// The key of the scenario that takes the values, as a dotted path: `nat.established`, `faults[0].cut.lasts`.
    scenario: Option<String>,
    /// The key of the strategies that takes the values: `heartbeat.fixed.interval`.
    strategy: Option<String>,
    /// The values, one by one: durations, numbers, or anything that the key takes.
    #[schemars(with = "Option<Vec<serde_json::Value>>")]
    pub(super) values: Option<Vec<Value>>,
    /// The first of equal or of logarithmic steps: a duration or a number.
    #[schemars(with = "Option<serde_json::Value>")]
    pub(super) from: Option<Value>,
    /// The last; of equal steps, none is beyond it.
    #[schemars(with = "Option<serde_json::Value>")]
    pub(super) to: Option<Value>,
    /// From each value to the next: equal steps.
    #[schemars(with = "Option<serde_json::Value>")]
    pub(super) step: Option<Value>,
    /// How many values there are from `from` to `to`, both included, each as many times the one before: logarithmic steps.
    /// Values between are rounded to three significant digits; durations from 10 s up to whole seconds too, and where `from`
    /// and `to` are whole numbers, all are.
    pub(super) log_steps: Option<u32>,
}

impl AxisTable {
    /// Returns what it changes, and the key as it is written. Panics where it names both or none, which [`SweepFile::problems`]
    /// tells.
    pub(super) fn target(&self) -> (Of, &str) {
        match (&self.scenario, &self.strategy) {
            (Some(key), None) => (Of::Scenario, key),
            (None, Some(key)) => (Of::Strategy, key),
            _ => panic!("an axis without one target was refused"),
        }
    }

    fn problem(&self, path: &str) -> Option<Problem> {
        match (&self.scenario, &self.strategy) {
            (Some(_), Some(_)) => Some(Problem::new(
                format!("{path}.strategy"),
                "an axis changes one key",
                "give the scenario's and the strategy's each an axis",
            )),
            (None, None) => Some(Problem::new(
                path,
                "this axis does not say what it changes",
                "name a key, as in scenario = \"nat.established\" or strategy = \"heartbeat.fixed.interval\"",
            )),
            _ => None,
        }
    }
}

impl SweepFile {
    /// Returns what is wrong with it by itself.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !is_name(&self.name) {
            let message = format!("`{}` is not a sweep's name", self.name);
            let help = format!("{NAME_RULE}, as in \"interval-against-nat\"");
            problems.push(Problem::new("name", message, help));
        }
        if self.strategies.is_empty() {
            problems.push(Problem::new(
                "strategies",
                "no strategy is named",
                "name at least one, as in [\"wechat-270\"]",
            ));
        }
        for (at, name) in self.strategies.iter().enumerate() {
            if self.strategies[..at].contains(name) {
                let message = format!("`{name}` is there twice");
                problems.push(Problem::new(format!("strategies[{at}]"), message, "remove one of the two"));
            }
        }
        if self.axis.is_empty() || self.axis.len() > AXES_MAX {
            let message = format!("a sweep has 1 or {AXES_MAX} axes, not {}", self.axis.len());
            problems.push(Problem::new("axis", message, "describe each in a table [[axis]]"));
        }
        problems
            .extend((0..).zip(&self.axis).filter_map(|(at, axis): (usize, _)| axis.problem(&format!("axis[{at}]"))));
        let targets: Vec<_> = self.axis.iter().map(|axis| (&axis.scenario, &axis.strategy)).collect();
        if let [first, second] = targets[..]
            && first == second
            && problems.is_empty()
        {
            let (of, key) = self.axis[1].target();
            let message = format!("both axes change `{key}`");
            problems.push(Problem::new(format!("axis[1].{of}"), message, "let each change a key of its own"));
        }
        for of in [Of::Scenario, Of::Strategy] {
            problems.extend(self.changes(of).into_iter().filter_map(|change| {
                let (message, help) = change.key.of(of).err()?;
                Some(Problem::new(change.key_place, message, help))
            }));
        }
        problems
    }

    /// Returns what `set` changes in the scenario, or in every strategy.
    pub(super) fn changes(&self, of: Of) -> Vec<Change> {
        let table = if of == Of::Scenario { &self.set.scenario } else { &self.set.strategy };
        let mut changes = Vec::new();
        leaves(table, &mut Vec::new(), &mut |path, value| {
            let key = Key::of_names(path);
            let place = format!("set.{of}.{key}");
            let text = value.as_str().map_or_else(|| value.to_string(), Into::into);
            changes.push(Change { key, value: value.clone(), text, key_place: place.clone(), value_place: place });
        });
        changes
    }
}

/// Every value below `table` that is not a table, or an empty one.
fn leaves<'a>(table: &'a Table, path: &mut Vec<&'a str>, found: &mut impl FnMut(&[&str], &Value)) {
    for (name, value) in table {
        path.push(name);
        match value.as_table().filter(|below| !below.is_empty()) {
            Some(below) => leaves(below, path, found),
            None => found(path, value),
        }
        path.pop();
    }
}
