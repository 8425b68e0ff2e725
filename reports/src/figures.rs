//! Plots for papers, as a plan file asks for them: of which scenario and strategies, with which numbers along the axes, how wide on
//! paper. Each is one of the report's plots, or two of the report's numbers against each other.

use std::{collections::BTreeSet, path::Path};

use cardiogram_policies::{NAME_RULE, Problem, is_name};
use cardiogram_scenarios::load::{self, LoadError, nearest};
use serde::Deserialize;

use crate::{
    chart::Size,
    data::Results,
    export,
    number::list,
    plots::{self, AxisScale, Figure, Looks},
    summary::{ScenarioStats, Summary, mark_fronts},
};

/// What the first headline plot is called here; the others go by the ends of their files' names.
const LATENCY: &str = "latency";
/// The least and the greatest width, in centimetres: less is no room for an axis and its numbers, and A2 is 42 cm wide.
const WIDTH_CM: (f64, f64) = (6.0, 42.0);
/// The most plots of a plan.
const PLOTS_MAX: usize = 200;

/// What a plan file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    /// The plots.
    plot: Vec<Plot>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plot {
    /// What its files are called.
    name: String,
    scenario: String,
    /// One of the report's plots of that scenario.
    show: Option<String>,
    /// Numbers of `summary.csv` along the axes, in place of `show`.
    x: Option<String>,
    y: Option<String>,
    /// Default: logarithmic where the numbers span a decade.
    x_scale: Option<AxisScale>,
    y_scale: Option<AxisScale>,
    /// Default: all of the scenario.
    #[serde(default)]
    strategies: Vec<String>,
    /// Default: a column of a paper with two.
    #[serde(default = "column_cm")]
    width_cm: f64,
    /// Whether the title is in the picture. Default: it is not, for the caption says it.
    #[serde(default)]
    title: bool,
}

const fn column_cm() -> f64 {
    8.5
}

/// Returns the files of the plots that the plan at `path` asks for.
pub(crate) fn files(
    path: &Path,
    results: &Results,
    summary: &Summary,
    looks: &Looks,
) -> Result<Vec<(String, Vec<u8>)>, LoadError> {
    let known = Known { results, summary, looks };
    let plan = load::parse(&path.display().to_string(), &load::read(path)?, |plan: &Plan| known.problems(plan))?;
    let file = |plot: &Plot| {
        let mut chart = known.figure(plot).expect("what cannot be drawn was refused").chart;
        chart.size = Size::paper(plot.width_cm);
        if !plot.title {
            chart.title.clear();
        }
        let name = |end: &str| format!("figures/{}.{end}", plot.name);
        [(name("svg"), chart.to_paper_svg().into_bytes()), (name("csv"), chart.to_csv().into_bytes())]
    };
    Ok(plan.plot.iter().flat_map(file).collect())
}

/// What a plan can ask for.
struct Known<'a> {
    results: &'a Results,
    summary: &'a Summary,
    looks: &'a Looks,
}

impl Known<'_> {
    fn problems(&self, plan: &Plan) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(1..=PLOTS_MAX).contains(&plan.plot.len()) {
            let message = format!("a plan of {} plots", plan.plot.len());
            problems.push(Problem::new("plot", message, format!("use 1 to {PLOTS_MAX} tables [[plot]]")));
        }
        let mut names = BTreeSet::new();
        for (place, plot) in plan.plot.iter().enumerate() {
            let before = problems.len();
            let mut wrong = |key: &str, message: String, help: String| {
                problems.push(Problem::new(format!("plot[{place}]{key}"), message, help));
            };
            if !is_name(&plot.name) {
                let help = format!("{NAME_RULE}, as in \"fig-3\"");
                wrong(".name", format!("`{}` is not a name of files", plot.name), help);
            } else if !names.insert(&plot.name) {
                wrong(
                    ".name",
                    format!("two plots are called `{}`", plot.name),
                    "give each a name of its own".to_owned(),
                );
            }
            if !(WIDTH_CM.0..=WIDTH_CM.1).contains(&plot.width_cm) {
                let help = format!("use {} to {}", WIDTH_CM.0, WIDTH_CM.1);
                wrong(".width_cm", format!("a plot {} cm wide", plot.width_cm), help);
            }
            let Some(scenario) = self.scenario(&plot.scenario) else {
                let all = self.summary.scenarios.iter().map(|it| it.name.as_str());
                wrong(
                    ".scenario",
                    format!("no scenario of these results is called `{}`", plot.scenario),
                    one_of(&plot.scenario, all),
                );
                continue;
            };
            for (index, strategy) in plot.strategies.iter().enumerate() {
                if scenario.cells.iter().all(|cell| cell.strategy != *strategy) {
                    let all = scenario.cells.iter().map(|cell| cell.strategy.as_str());
                    let message = format!("`{strategy}` did not run in {}", scenario.name);
                    wrong(&format!(".strategies[{index}]"), message, one_of(strategy, all));
                }
            }
            match (&plot.show, &plot.x, &plot.y) {
                (Some(_), None, None) => {
                    let scale = [("x_scale", plot.x_scale), ("y_scale", plot.y_scale)];
                    for (key, _) in scale.into_iter().filter(|(_, scale)| scale.is_some()) {
                        let help = "leave it out, or name `x` and `y` in place of `show`";
                        wrong(
                            &format!(".{key}"),
                            "the report's own plots have axes of their own".to_owned(),
                            help.to_owned(),
                        );
                    }
                }
                (None, Some(x), Some(y)) => {
                    for (key, number) in [("x", x), ("y", y)] {
                        if !export::names().any(|name| name == number) {
                            let message = format!("`{number}` is no number of summary.csv");
                            wrong(&format!(".{key}"), message, one_of(number, export::names()));
                        }
                    }
                }
                _ => {
                    let help = "give it `show`, one of the report's plots, or both `x` and `y`, numbers of summary.csv";
                    wrong("", "this plot does not say what it shows".to_owned(), help.to_owned());
                }
            }
            // Only a plot that makes sense by itself can be without anything to show.
            if problems.len() == before && self.figure(plot).is_none() {
                problems.push(self.nothing(place, plot, scenario));
            }
        }
        problems
    }

    /// Why a plot has nothing to show.
    fn nothing(&self, place: usize, plot: &Plot, scenario: &ScenarioStats) -> Problem {
        let Some(show) = &plot.show else {
            let message = "no strategy has both numbers here".to_owned();
            return Problem::new(format!("plot[{place}].y"), message, "choose others, or other strategies");
        };
        let there = self.plots(&chosen(plot, scenario));
        let there: Vec<&str> = there.iter().map(name).collect();
        let message = format!("{} has no plot `{show}` of these strategies", scenario.name);
        Problem::new(format!("plot[{place}].show"), message, format!("use {}", list(&there)))
    }

    fn scenario(&self, name: &str) -> Option<&ScenarioStats> {
        self.summary.scenarios.iter().find(|it| it.name == name)
    }

    /// Returns what a plot shows; `None` if that is nothing.
    fn figure(&self, plot: &Plot) -> Option<Figure> {
        let chosen = chosen(plot, self.scenario(&plot.scenario)?);
        match (&plot.show, &plot.x, &plot.y) {
            (Some(show), ..) => self.plots(&chosen).into_iter().find(|figure| name(figure) == show),
            (None, Some(x), Some(y)) => plots::points(&chosen, self.looks, (x, plot.x_scale), (y, plot.y_scale)),
            _ => None,
        }
    }

    fn plots(&self, scenario: &ScenarioStats) -> Vec<Figure> {
        let place = self.summary.scenarios.iter().position(|it| it.name == scenario.name);
        let results = &self.results.scenarios[place.expect("it is one of them")];
        plots::all(scenario, results, self.looks)
    }
}

/// Returns the scenario as if only the chosen strategies had run.
fn chosen(plot: &Plot, scenario: &ScenarioStats) -> ScenarioStats {
    let mut chosen = scenario.clone();
    if !plot.strategies.is_empty() {
        chosen.cells.retain(|cell| plot.strategies.contains(&cell.strategy));
    }
    mark_fronts(&mut chosen.cells, chosen.cost);
    chosen
}

/// Returns what a plan calls one of the report's plots.
fn name(figure: &Figure) -> &str {
    if figure.suffix.is_empty() { LATENCY } else { figure.suffix }
}

/// Returns what to write in place of a name that is not known.
fn one_of<'a>(unknown: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(unknown, known.clone()) {
        Some(near) => format!("do you mean `{near}`? There are {}", list(&known.collect::<Vec<_>>())),
        None => format!("use one of {}", known.collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{data, fixture, summary};

    /// Returns the files that a plan makes of the fixture's results, or what is wrong with it.
    fn made(plan: &str) -> Result<Vec<(String, String)>, String> {
        let dir = tempfile::tempdir().unwrap();
        fixture::write(dir.path(), 3);
        let path = dir.path().join("plots.toml");
        fs::write(&path, plan).unwrap();
        let results = data::read(dir.path()).unwrap();
        let summary = summary::summarize(&results, None);
        match files(&path, &results, &summary, &Looks::of(&summary)) {
            Ok(files) => Ok(files.into_iter().map(|(name, bytes)| (name, String::from_utf8(bytes).unwrap())).collect()),
            Err(LoadError::Invalid(invalid)) => Err(invalid.render(false)),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_plot_has_the_strategies_the_axes_and_the_width_that_were_asked_for() {
        let plan = r#"
            [[plot]]
            name = "energy"
            scenario = "elevator"
            x = "energy_j_per_h"
            y = "avoidable_s_per_day"
            y_scale = "linear"
            strategies = ["qq-fixed-45", "weibo-120"]

            [[plot]]
            name = "wide"
            scenario = "cable-cut"
            show = "survival"
            strategies = ["weibo-120", "none"]
            width_cm = 17
            title = true
        "#;
        let files = made(plan).unwrap();
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["figures/energy.svg", "figures/energy.csv", "figures/wide.svg", "figures/wide.csv"]);
        let (svg, csv) = (&files[0].1, &files[1].1);
        assert!(svg.contains("width=\"8.5cm\"") && !svg.contains("prefers-color-scheme"), "{svg}");
        // The names of both axes find room, also on a narrow picture.
        assert!(svg.contains("energy of the radio (J per device-hour)"), "{svg}");
        assert!(svg.contains("avoidable downtime (s per device-day)"), "{svg}");
        let points: Vec<&str> = csv.lines().filter(|line| line.starts_with("point,")).collect();
        assert!(points.len() == 2 && points.iter().any(|line| line.contains("weibo-120")), "{csv}");
        let (svg, csv) = (&files[2].1, &files[3].1);
        assert!(svg.contains("width=\"17cm\"") && svg.contains("cable-cut: how long breaks go unnoticed"), "{svg}");
        assert!(csv.contains("curve,weibo-120,") && !csv.contains("qq-fixed-45"), "{csv}");
    }

    #[test]
    fn what_a_plan_cannot_ask_for_is_told_with_what_it_can() {
        let plot = |lines: &str| format!("[[plot]]\nname = \"a\"\n{lines}");
        let cases = [
            (plot("scenario = \"cable-cat\"\nshow = \"parts\""), "do you mean `cable-cut`"),
            (plot("scenario = \"cable-cut\"\nshow = \"storm\""), "use latency, downtime, parts, survival, recovery"),
            (
                plot("scenario = \"cable-cut\"\nshow = \"parts\"\nstrategies = [\"weibo\"]"),
                "`weibo` did not run in cable-cut",
            ),
            (
                plot("scenario = \"cable-cut\"\nx = \"packets\"\ny = \"availability\""),
                "`packets` is no number of summary.csv",
            ),
            (plot("scenario = \"cable-cut\"\nx = \"availability\""), "this plot does not say what it shows"),
            (plot("scenario = \"cable-cut\"\nshow = \"parts\"\nx_scale = \"log\""), "leave it out"),
            (plot("scenario = \"cable-cut\"\nx = \"seeds\"\ny = \"seeds\"\nx_scale = \"logarithmic\""), "log"),
            (plot("scenario = \"cable-cut\"\nshow = \"parts\"\nwidth_cm = 2"), "use 6 to 42"),
            (
                plot("scenario = \"cable-cut\"\nx = \"energy_j_per_h\"\ny = \"availability\""),
                "no strategy has both numbers",
            ),
            (format!("{0}{0}", plot("scenario = \"cable-cut\"\nshow = \"parts\"\n")), "two plots are called `a`"),
            ("plot = []".to_owned(), "a plan of 0 plots"),
        ];
        for (plan, expected) in cases {
            let error = made(&plan).unwrap_err();
            assert!(error.contains(expected) && error.contains("plots.toml"), "{plan}: {error}");
        }
    }
}
