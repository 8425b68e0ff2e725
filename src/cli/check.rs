//! `cardiogram check`: says whether files can be used and what they cost, without running anything.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use cardiogram_policies::Registry;
use cardiogram_scenarios::{
    cost::{Limits, PlanCost},
    diagnostic::Invalid,
    load::{self, FileKind, LoadError},
    plan::{Contest, EngineChoice, Plan, PlanError, Shard},
    sweep,
};
use serde_json::{Value, json};

use super::{Failure, carry_out::SEEDS, in_own_name, json_of_cost, print_line, style, warnings_of};

/// Check scenario files, strategy files and plan files of sweeps; exit code 2 if one cannot be used
#[derive(clap::Args)]
pub(super) struct Args {
    /// Paths of such files; `-` is the standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// As JSON: of each file what it is, what it costs, and every problem with its line and column
    #[arg(long)]
    json: bool,
}

/// A file that can be used.
struct Good {
    kind: FileKind,
    name: String,
    /// How many points a sweep has.
    points: Option<usize>,
    /// What a run of it costs with the seeds that `run` takes by default; nothing of a strategy.
    cost: Option<PlanCost>,
    warnings: Vec<Invalid>,
}

pub(super) fn run(args: &Args, registry: &Registry, quiet: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let mut all_good = true;
    let mut items = Vec::new();
    for file in &args.files {
        let checked = check(file, registry);
        all_good &= checked.is_ok();
        if args.json {
            items.push(json_of(file, &checked));
            continue;
        }
        match checked {
            Ok(good) => {
                for warnings in good.warnings.iter().filter(|_| !quiet) {
                    print_line(&warnings.render_as_warnings(style()));
                }
                if !quiet {
                    writeln!(out, "{}: {good}", file.display())?;
                }
            }
            Err(failure) => failure.print(),
        }
    }
    if args.json {
        writeln!(out, "{:#}", Value::Array(items))?;
    }
    if all_good { Ok(()) } else { Err(Failure::Printed) }
}

/// Returns what the file is, if it can be used. It is read once: it may be a pipe.
fn check(file: &Path, registry: &Registry) -> Result<Good, Failure> {
    let text = load::read(file)?;
    match FileKind::of(&text) {
        Some(FileKind::Sweep) => {
            let sweep = sweep::file_in(file, &text, registry)?;
            let (name, points) = (sweep.manifest.name.clone(), Some(sweep.manifest.points.len()));
            let plan = plan(sweep.contests)?;
            Ok(Good { kind: FileKind::Sweep, name, points, cost: Some(cost(&plan)?), warnings: Vec::new() })
        }
        Some(FileKind::Strategy) => {
            let strategy = load::strategy_in(file, text, registry)?;
            let warnings = load::warnings_alone(&file.display().to_string(), &strategy).into_iter().collect();
            Ok(Good { kind: FileKind::Strategy, name: strategy.value.name, points: None, cost: None, warnings })
        }
        Some(FileKind::Scenario) | None => {
            let scenario = load::scenario_in(file, text)?;
            let name = scenario.value.name.clone();
            let origin = file.display().to_string();
            let strategies = load::strategies_of(&scenario, &origin, registry)?;
            let contest = Contest { origin, scenario, strategies };
            let warnings = warnings_of(&contest);
            let plan = plan(vec![contest])?;
            Ok(Good { kind: FileKind::Scenario, name, points: None, cost: Some(cost(&plan)?), warnings })
        }
    }
}

fn plan(contests: Vec<Contest>) -> Result<Plan, PlanError> {
    Plan::new(contests, 1, SEEDS, EngineChoice::Auto, Shard::WHOLE)
}

fn cost(plan: &Plan) -> Result<PlanCost, PlanError> {
    // One run at a time: the same on every machine.
    plan.check_cost(1, &Limits::default())
}

impl std::fmt::Display for Good {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.kind.word();
        write!(f, "{kind} {}", self.name)?;
        self.points.map_or(Ok(()), |points| write!(f, " of {points} points"))?;
        f.write_str(", good")?;
        self.cost.as_ref().map_or(Ok(()), |cost| write!(f, " ({cost})"))
    }
}

fn json_of(file: &Path, checked: &Result<Good, Failure>) -> Value {
    let mut item = json!({ "file": file.display().to_string(), "good": checked.is_ok() });
    match checked {
        Ok(good) => {
            item["kind"] = good.kind.word().into();
            item["name"] = good.name.clone().into();
            if let Some(points) = good.points {
                item["points"] = points.into();
            }
            if let Some(cost) = &good.cost {
                item["cost"] = json_of_cost(cost);
            }
            item["warnings"] = good.warnings.iter().flat_map(json_of_problems).collect();
        }
        Err(Failure::Load(LoadError::Invalid(invalid))) => {
            item["problems"] = json_of_problems(invalid).into();
            item["more"] = invalid.more().into();
        }
        Err(failure) => {
            let (message, help) = failure.words();
            let help = help.as_deref().map(in_own_name);
            item["problems"] = json!([{ "message": in_own_name(&message), "help": help }]);
        }
    }
    item
}

fn json_of_problems(invalid: &Invalid) -> Vec<Value> {
    let problem = |it| {
        let (line, column) = invalid.place(it).unzip();
        let help = it.help.as_deref().map(in_own_name);
        json!({ "message": in_own_name(&it.message), "line": line, "column": column, "help": help })
    };
    invalid.diagnostics().iter().map(problem).collect()
}
