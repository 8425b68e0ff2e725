//! The baseline: what is worth keeping of results, so that later results can be compared with them.
//!
//! The file is JSON, and made to be read as a diff: sorted by name, one line for each metric of a cell, a cell's line with
//! its digest above them, nothing in it that depends on anything but the results. Values are rounded before they are kept
//! ([`Metric::round`]), so that a baseline that was written and read is the same as one that was not.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use cardiogram_results::{
    Column as _, in_words,
    manifest::{VERSION, is_hash},
    metric::Metric,
    rows::RunColumn,
};
use serde::Deserialize;

use super::error::Error;
use crate::statistics::student;

/// The version of the file's form.
const FORMAT: u64 = 1;
/// The longest file that is read, in bytes: that of some 50,000 cells with ten seeds.
const BYTES_MAX: u64 = 64 << 20;
/// The most seeds of one cell.
pub(crate) const SEEDS_MAX: u64 = 1_000_000;
/// What to do about a file that cannot be used.
const AGAIN: &str = "restore it from version control, or write it anew with `cardiogram baseline DIR --out FILE`";

/// What is worth keeping of results.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Version of cardiogram that ran.
    pub(crate) version: String,
    /// The engine that was asked for.
    pub(crate) engine: String,
    /// The first seed.
    pub(crate) first_seed: u64,
    /// How many seeds each cell has.
    pub(crate) seeds: u64,
    /// Names of scenarios, with the hashes of their files.
    pub(crate) scenarios: BTreeMap<String, String>,
    /// Names of strategies, with the hashes of their files.
    pub(crate) strategies: BTreeMap<String, String>,
    /// What was measured.
    pub(crate) cells: BTreeMap<CellName, Cell>,
}

/// A strategy in a scenario.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CellName {
    /// The scenario's name.
    pub scenario: String,
    /// The strategy's name.
    pub strategy: String,
}

/// What was measured in a cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cell {
    /// Hash of the trace hashes of all its runs.
    pub(crate) digest: String,
    /// The values by seed, for each metric that any of the runs says something about.
    pub(crate) metrics: BTreeMap<Metric, Vec<Option<f64>>>,
}

/// A mean, and half the length of its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    mean: f64,
    /// `None` with fewer than two values.
    ci95: Option<f64>,
}

impl Estimate {
    /// Of the values of `metric` that are there, which must be at least one; `t` is Student's quantile for so many of them.
    fn of(metric: Metric, values: &[Option<f64>], t: &mut impl FnMut(usize) -> f64) -> Self {
        let there: Vec<f64> = values.iter().flatten().copied().collect();
        let (mean, sd) = mean_and_sd(&there);
        let ci95 = sd.map(|sd| two_digits(t(there.len()) * sd / (there.len() as f64).sqrt()));
        Self { mean: metric.round(mean), ci95 }
    }
}

/// Mean and standard deviation; the latter needs two values.
pub(crate) fn mean_and_sd(values: &[f64]) -> (f64, Option<f64>) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, (values.len() >= 2).then(|| (squares / (count - 1.0)).sqrt()))
}

/// Returns the quantile that makes two-sided intervals of 1 - `alpha` from means of so many values, each computed once.
pub(crate) fn quantiles(alpha: f64) -> impl FnMut(usize) -> f64 {
    let mut known = BTreeMap::new();
    move |count| *known.entry(count).or_insert_with(|| student::upper_quantile(0.5 * alpha, count as f64 - 1.0))
}

/// Returns an interval's half, as it is written.
fn two_digits(value: f64) -> f64 {
    format!("{value:.1e}").parse().expect("a number that was written can be read")
}

impl Baseline {
    /// Returns how many cells there are.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }

    /// Returns how many scenarios.
    pub fn scenarios(&self) -> usize {
        self.scenarios.len()
    }

    /// Returns how many seeds each cell has.
    pub const fn seeds(&self) -> u64 {
        self.seeds
    }

    /// Returns the content of the file.
    pub fn to_json(&self) -> String {
        let mut out = format!(
            "{{\n\"format\": {FORMAT},\n\"cardiogram\": {},\n\"engine\": {},\n\"first_seed\": {},\n\"seeds\": {},\n",
            text(&self.version),
            text(&self.engine),
            self.first_seed,
            self.seeds
        );
        for (key, names) in [("scenarios", &self.scenarios), ("strategies", &self.strategies)] {
            let lines: Vec<String> =
                names.iter().map(|(name, hash)| format!("{}: {}", text(name), text(hash))).collect();
            let _ = writeln!(out, "\"{key}\": {{\n{}\n}},", lines.join(",\n"));
        }
        let mut t = quantiles(0.05);
        let cells: Vec<String> = self.cells.iter().map(|(name, cell)| cell_text(name, cell, &mut t)).collect();
        let _ = writeln!(out, "\"cells\": [\n{}\n]\n}}", cells.join(",\n"));
        out
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// Where it is missing, unreadable, too long, of another form or version, or not as it was written.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let fail = |source: io::Error| {
            let help = "`cardiogram baseline DIR --out FILE` writes a baseline from the results in DIR";
            Error::refused(format!("cannot read {}: {source}", path.display()), help)
        };
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(fail)?;
        if bytes.len() as u64 > BYTES_MAX {
            let problem = format!("{} is longer than 64 MiB, the most that is read here", path.display());
            return Err(Error::refused(problem, AGAIN));
        }
        let damaged = |problem| Error::refused(format!("{}: {problem}", path.display()), AGAIN);
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
            damaged(format!("line {line}: this is not UTF-8 text"))
        })?;
        Self::parse(&text).map_err(|problem| match problem {
            Unusable::Damaged(problem) => damaged(problem),
            Unusable::Form(problem) => Error::refused(format!("{}: {problem}", path.display()), AGAIN_HERE),
        })
    }

    fn parse(text: &str) -> Result<Self, Unusable> {
        if let Some(line) = text.lines().position(|line| line.starts_with("<<<<<<< ")) {
            return Err(Unusable::Damaged(format!("line {}: a merge conflict is not resolved", line + 1)));
        }
        let json = |error: serde_json::Error| Unusable::Damaged(in_words(&error));
        let head: Head = serde_json::from_str(text).map_err(json)?;
        if head.format != FORMAT {
            return Err(Unusable::Form(format!("its format is {}, and this cardiogram reads {FORMAT}", head.format)));
        }
        if head.cardiogram != VERSION {
            let version = head.cardiogram;
            return Err(Unusable::Form(format!("it is of cardiogram {version}, and this is {VERSION}")));
        }
        let file: Document = serde_json::from_str(text).map_err(json)?;
        file.check(text).map_err(Unusable::Damaged)
    }
}

/// What to do about a baseline of another version.
const AGAIN_HERE: &str = "another version may simulate and measure otherwise: run the same scenarios and seeds with this \
    version at the commit that the baseline is of, and write the baseline anew with `cardiogram baseline DIR --out FILE`";

/// Why a text is no baseline here.
enum Unusable {
    /// Not as it was written.
    Damaged(String),
    /// Of another form or version.
    Form(String),
}

fn cell_text(name: &CellName, cell: &Cell, t: &mut impl FnMut(usize) -> f64) -> String {
    let metrics = cell.metrics.iter().map(|(metric, values)| {
        let name = metric.name();
        if let Some(each) = each(values) {
            return format!("\"{name}\":{{\"each\":{each}}}");
        }
        let Estimate { mean, ci95 } = Estimate::of(*metric, values, t);
        let values: Vec<String> = values.iter().map(|value| number(*value)).collect();
        let (ci95, values) = (number(ci95), values.join(","));
        format!("\"{name}\":{{\"mean\":{mean},\"ci95\":{ci95},\"seeds\":[{values}]}}")
    });
    let metrics = metrics.collect::<Vec<_>>().join(",\n");
    let CellName { scenario, strategy } = name;
    format!(
        "{{\"scenario\":{},\"strategy\":{},\"digest\":{},\"metrics\":{{\n{metrics}\n}}}}",
        text(scenario),
        text(strategy),
        text(&cell.digest)
    )
}

/// Returns the value that every seed has, where it is one.
fn each(values: &[Option<f64>]) -> Option<f64> {
    let first = values[0]?;
    values.iter().all(|value| *value == Some(first)).then_some(first)
}

fn text(text: &str) -> String {
    serde_json::to_string(text).expect("text is plain data")
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}

/// What every form of the file has.
#[derive(Deserialize)]
struct Head {
    format: u64,
    cardiogram: String,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "format")]
    _format: u64,
    cardiogram: String,
    engine: String,
    first_seed: u64,
    seeds: u64,
    scenarios: BTreeMap<String, String>,
    strategies: BTreeMap<String, String>,
    cells: Vec<DocumentCell>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentCell {
    scenario: String,
    strategy: String,
    digest: String,
    metrics: BTreeMap<Metric, DocumentMetric>,
}

/// Either the value of each seed, where they are all the same, or an estimate and all values.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentMetric {
    each: Option<f64>,
    mean: Option<f64>,
    ci95: Option<f64>,
    seeds: Option<Vec<Option<f64>>>,
}

impl DocumentMetric {
    /// Returns the values of so many seeds. What was read may be a bit off what was written, and is rounded again.
    fn values(self, metric: Metric, seeds: u64, t: &mut impl FnMut(usize) -> f64) -> Result<Vec<Option<f64>>, String> {
        let round = |value: Option<f64>| value.map(|value| metric.round(value));
        let values = match (self.each, self.seeds) {
            (Some(each), None) if self.mean.is_none() && self.ci95.is_none() => {
                vec![Some(metric.round(each)); seeds as usize]
            }
            (None, Some(values)) => values.into_iter().map(round).collect::<Vec<_>>(),
            _ => return Err("has neither `each` alone nor `mean`, `ci95` and `seeds`".to_owned()),
        };
        if values.len() as u64 != seeds {
            return Err(format!("has {} values for {seeds} seeds", values.len()));
        }
        if values.iter().all(Option::is_none) {
            return Err("has no value".to_owned());
        }
        if let Some(value) = values.iter().flatten().find(|value| !(0.0..=metric.most()).contains(*value)) {
            return Err(format!("is {value}; it is 0 at least and {} at most", metric.most()));
        }
        if self.each.is_some() {
            return Ok(values);
        }
        // A reviewer believes the estimate and the gate the values: they must not differ.
        let Estimate { mean, ci95 } = Estimate::of(metric, &values, t);
        if (round(self.mean), self.ci95.map(two_digits)) != (Some(mean), ci95) {
            let ci95 = number(ci95);
            return Err(format!("has values with the mean {mean} and a `ci95` of {ci95}, and says otherwise"));
        }
        Ok(values)
    }
}

impl Document {
    /// Returns the baseline, if what is written in `file` agrees with itself and can have been measured.
    fn check(self, file: &str) -> Result<Baseline, String> {
        let Self { cardiogram: version, engine, first_seed, seeds, scenarios, strategies, cells: listed, .. } = self;
        if !(1..=SEEDS_MAX).contains(&seeds) || first_seed.checked_add(seeds).is_none() {
            return Err(format!("`seeds` is {seeds} from {first_seed}; there are 1 to {SEEDS_MAX}"));
        }
        // Values that are the same for every seed are written once, so that a small file could stand for any number of them.
        if (listed.len() as u64).saturating_mul(seeds) > RunColumn::ROWS_MAX {
            let cells = listed.len();
            return Err(format!(
                "{cells} cells with {seeds} seeds each are more than the {} runs of one plan",
                RunColumn::ROWS_MAX
            ));
        }
        let mut t = quantiles(0.05);
        let mut cells = BTreeMap::new();
        for cell in listed {
            let name = CellName { scenario: cell.scenario, strategy: cell.strategy };
            if !(scenarios.contains_key(&name.scenario) && strategies.contains_key(&name.strategy)) {
                return Err(format!("{name}: `scenarios` or `strategies` do not list it"));
            }
            let at = |problem: String| format!("{}{name}: {problem}", line_of(file, &name));
            if !is_hash(&cell.digest) {
                return Err(at(format!("its digest is `{}`; one has 32 hexadecimal digits", cell.digest)));
            }
            if cell.metrics.is_empty() {
                return Err(at("it has no metrics".to_owned()));
            }
            let mut metrics = BTreeMap::new();
            for (metric, it) in cell.metrics {
                let values = it.values(metric, seeds, &mut t);
                let values = values.map_err(|problem| at(format!("{} {problem}", metric.name())))?;
                metrics.insert(metric, values);
            }
            if cells.insert(name.clone(), Cell { digest: cell.digest, metrics }).is_some() {
                return Err(format!("{name}: it is there twice"));
            }
        }
        if cells.is_empty() {
            return Err("there are no cells".to_owned());
        }
        Ok(Baseline { version, engine, first_seed, seeds, scenarios, strategies, cells })
    }
}

/// Returns where a cell is written, with a colon, if that is on a line of its own as this program writes it.
fn line_of(file: &str, name: &CellName) -> String {
    let begin = format!("{{\"scenario\":{},\"strategy\":{},", text(&name.scenario), text(&name.strategy));
    file.lines()
        .position(|line| line.starts_with(&begin))
        .map_or_else(String::new, |line| format!("line {}: ", line + 1))
}

impl std::fmt::Display for CellName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "scenario `{}`, strategy `{}`", self.scenario, self.strategy)
    }
}
