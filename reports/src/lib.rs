//! Statistics, tables, plots and the HTML report of cardiogram runs.
//!
//! Everything starts from the files of a results directory (`runs.csv`, `episodes.csv`, `manifest.json`), which are the
//! stable interface between running and reporting:
//!
//! - [`write()`] makes `report/`: a self-contained `index.html`, and every plot as SVG and PNG.
//! - [`summary_table`] makes the few lines that a terminal shows.
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
mod grid;
mod number;
mod page;
mod pareto;
mod plots;
mod publish;
mod stats;
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
    let summary = stats::summarize(&data::read(dir)?);
    let mut files = Vec::new();
    let mut figures = Vec::new();
    for (scenario, slug) in summary.scenarios.iter().zip(page::slugs(&summary)) {
        let figure = plots::headline(scenario);
        let svg = figure.chart.to_svg();
        files.push((format!("plots/{slug}.svg"), svg.clone().into_bytes()));
        files.push((format!("plots/{slug}.png"), figure.chart.to_png()));
        figures.push(page::Figure { slug, svg, caption: figure.caption, description: figure.description });
    }
    files.push(("index.html".to_owned(), page::index(&summary, &figures).into_bytes()));
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
