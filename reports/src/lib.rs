//! Statistics, tables, plots and the HTML report of cardiogram runs.
//!
//! Everything starts from the files of a results directory (`runs.csv`, `episodes.csv`, `manifest.json`), which are the
//! stable interface between running and reporting:
//!
//! - [`write()`] makes `report/`: a self-contained `index.html`, and every plot as SVG and PNG.
//! - [`summary_table`] makes the few lines that a terminal shows.
//! - [`gate`] compares results with a baseline: what CI trusts.
//!
//! One thing starts from a run itself, since the files do not hold what it shows: [`strip`], the cardiogram of one device.
//!
//! What this crate is not: it runs nothing, and it decides nothing about a run. The same files give the same report,
//! byte for byte.

mod bootstrap;
mod bound;
mod causes;
mod chart;
mod data;
mod error;
#[cfg(test)]
mod fixture;
pub mod gate;
mod grid;
mod number;
mod page;
mod pareto;
mod plots;
mod publish;
mod statistics;
mod stats;
pub mod strip;
mod student;
mod table;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use error::Error;

/// Reads the results in `dir` and writes `dir/report/`, whole or not at all: an earlier report stays as it was until
/// the new one is complete. Returns the path of its `index.html`.
///
/// # Errors
///
/// Where an input file is missing, unreadable, damaged or in disagreement with another, and where the report cannot be
/// written. The message names the file, and the line where there is one.
pub fn write(dir: &Path) -> Result<PathBuf, Error> {
    let results = data::read(dir)?;
    let summary = stats::summarize(&results);
    let mut files = Vec::new();
    let mut pages = Vec::new();
    let scenarios = summary.scenarios.iter().zip(&results.scenarios).zip(page::slugs(&summary));
    for ((scenario, scenario_results), scenario_slug) in scenarios {
        let mut figures = Vec::new();
        for figure in plots::all(scenario, scenario_results) {
            let separator = if figure.suffix.is_empty() { "" } else { "." };
            let slug = format!("{scenario_slug}{separator}{}", figure.suffix);
            files.push((format!("plots/{slug}.svg"), figure.chart.to_svg().into_bytes()));
            files.push((format!("plots/{slug}.png"), figure.chart.to_png()));
            let svg = figure.chart.to_inline_svg();
            figures.push(page::Figure { slug, svg, caption: figure.caption, description: figure.description });
        }
        pages.push(figures);
    }
    files.push(("index.html".to_owned(), page::index(&summary, &pages).into_bytes()));
    publish::publish(dir, &files)
}

/// A compact table of the results in `dir` for a terminal: plain text, at most 100 columns wide, one block a scenario; of a
/// sweep, one block a strategy and number, with a cell a point.
///
/// # Errors
///
/// As [`write()`], for reading.
pub fn summary_table(dir: &Path) -> Result<String, Error> {
    let results = data::read(dir)?;
    let summary = stats::summarize(&results);
    Ok(match &results.manifest.sweep {
        Some(sweep) => grid::render(sweep, &summary),
        None => table::render(&summary),
    })
}
