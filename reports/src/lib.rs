//! Statistics, tables, plots and the HTML report of cardiogram runs.
//!
//! Everything starts from the files of a results directory (`runs.csv`, `episodes.csv`, `manifest.json`), which are the
//! stable interface between running and reporting:
//!
//! - [`write()`] makes `report/`: a self-contained `index.html`, a page a scenario, and every plot as SVG, PNG and data.
//!   It also makes the few lines that a terminal shows.
//! - [`gate`] compares results with a baseline: what CI trusts.
//!
//! One thing starts from a run itself, since the files do not hold what it shows: [`strip`], the cardiogram of one device.
//!
//! What this crate is not: it runs nothing, and it decides nothing about a run. The same files give the same report,
//! byte for byte.

mod chart;
mod commands;
mod data;
mod export;
mod figures;
#[cfg(test)]
mod fixture;
pub mod gate;
mod grid;
mod latex;
mod number;
mod page;
#[cfg(feature = "parquet")]
pub mod parquet;
mod plots;
mod statistics;
pub mod strip;
mod summary;
mod table;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, path::PathBuf};

use cardiogram_results::{Claim, Reader, manifest::ManifestSweep};
use cardiogram_scenarios::load::LoadError;
use rayon::prelude::*;

use self::{data::Results, summary::Summary};
pub use cardiogram_results::Error;

/// A report that was written.
#[derive(Debug)]
pub struct Report {
    /// The path of its `index.html`.
    pub index: PathBuf,
    /// The results as a compact table for a terminal: plain text, at most 80 columns wide, one block a scenario; of a sweep, one
    /// block a strategy and number, with a cell a point.
    pub table: String,
}

/// What a report has beyond what every one has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// What the program is called in the commands that the report tells. Default: `cardiogram`.
    pub program: String,
    /// The strategy that the others are compared with, wherever it ran. Default: the best of each scenario.
    pub reference: Option<String>,
    /// A table a scenario for LaTeX: `tables/SCENARIO.tex`.
    pub latex: bool,
    /// The path of a plan of plots for papers: `figures/NAME.svg` with its numbers, `figures/NAME.csv`.
    pub plots: Option<PathBuf>,
}

impl Default for Options {
    /// A report with nothing beyond.
    fn default() -> Self {
        Self { program: commands::PROGRAM.into(), reference: None, latex: false, plots: None }
    }
}

/// Why there is no report as it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// The results cannot be read, or the report cannot be written.
    #[error(transparent)]
    Results(#[from] Error),
    /// Strategies are to be compared with one that did not run.
    #[error("no strategy of these results is called `{name}`: there is nothing to compare the others with")]
    UnknownReference {
        /// What was asked for.
        name: String,
        /// The strategies that ran.
        known: Vec<String>,
    },
    /// The plan of plots cannot be read, or asks for what there is not.
    #[error(transparent)]
    Plots(#[from] LoadError),
}

/// Reads the results in the directory that was claimed and writes `report/` there, whole or not at all: an earlier report
/// stays as it was until the new one is complete.
///
/// # Errors
///
/// Where an input file is missing, unreadable, damaged or in disagreement with another, and where the report cannot be
/// written. The message names the file, and the line where there is one.
pub fn write(claim: &Claim) -> Result<Report, Error> {
    write_with(claim, &Options::default()).map_err(|error| match error {
        OptionError::Results(error) => error,
        other => panic!("nothing was asked for that could be wrong: {other}"),
    })
}

/// Writes a report as [`write()`] does, with what `options` ask for beyond it.
///
/// # Errors
///
/// As for [`write()`], and where the options ask for what the results do not have.
pub fn write_with(claim: &Claim, options: &Options) -> Result<Report, OptionError> {
    let results = data::read_all(Reader::open_in(claim)?)?;
    if let Some(name) = &options.reference {
        let ran: BTreeSet<usize> =
            results.scenarios.iter().flat_map(|it| it.cells.iter().map(|cell| cell.strategy)).collect();
        let known: Vec<String> = ran.into_iter().map(|it| results.manifest.strategies[it].name.clone()).collect();
        if !known.contains(name) {
            return Err(OptionError::UnknownReference { name: name.clone(), known });
        }
    }
    let summary = summary::summarize(&results, options.reference.as_deref());
    let (mut files, table) = match &results.manifest.sweep {
        Some(sweep) => (of_sweep(sweep, &summary), grid::render(sweep, &summary)),
        None => (of_scenarios(&results, &summary, &options.program), table::render(&summary)),
    };
    files.push(("summary.csv".to_owned(), export::csv(&summary)));
    files.push(("summary.json".to_owned(), export::json(&summary)));
    if options.latex {
        let slugs = page::slugs(&summary);
        files.extend(
            summary
                .scenarios
                .iter()
                .zip(slugs)
                .map(|(scenario, slug)| (format!("tables/{slug}.tex"), latex::table(scenario).into_bytes())),
        );
    }
    if let Some(plan) = &options.plots {
        files.extend(figures::files(plan, &results, &summary, &plots::Looks::of(&summary))?);
    }
    Ok(Report { index: cardiogram_results::write_report(claim, &files)?, table })
}

/// Returns a page for all scenarios, and one for each.
fn of_scenarios(results: &Results, summary: &Summary, program: &str) -> Vec<(String, Vec<u8>)> {
    let slugs = page::slugs(summary);
    let looks = plots::Looks::of(summary);
    // Pictures take the most time, and none depends on another.
    let drawn: Vec<(String, Vec<page::Figure>)> = summary
        .scenarios
        .par_iter()
        .zip(&results.scenarios)
        .zip(&slugs)
        .map(|((scenario, of_scenario), slug)| {
            let figures: Vec<page::Figure> = plots::all(scenario, of_scenario, &looks)
                .into_par_iter()
                .map(|figure| page::Figure::of(figure, slug))
                .collect();
            let outliers = page::outliers(program, &results.manifest, of_scenario);
            (page::scenario(program, summary, scenario, &figures, &outliers), figures)
        })
        .collect();
    let figures: Vec<&[page::Figure]> = drawn.iter().map(|(_, figures)| figures.as_slice()).collect();
    let mut files = vec![("index.html".to_owned(), page::index(summary, &slugs, &figures).into_bytes())];
    for ((page, figures), slug) in drawn.into_iter().zip(&slugs) {
        files.push((format!("scenarios/{slug}.html"), page.into_bytes()));
        files.extend(figures.into_iter().flat_map(page::Figure::into_files));
    }
    files
}

/// One page with plots.
fn of_sweep(sweep: &ManifestSweep, summary: &Summary) -> Vec<(String, Vec<u8>)> {
    let figures = page::plots(sweep, summary);
    let mut files = vec![("index.html".to_owned(), page::sweep(sweep, summary, &figures).into_bytes())];
    files.extend(figures.into_iter().flat_map(page::Figure::into_files));
    files
}
