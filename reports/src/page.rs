//! The report as HTML pages that need nothing but themselves: readable from a file, without network, and without scripts
//! but for sorting, tooltips and zoom.
//!
//! `index.html` says who wins where, in words and numbers, with the headline plot of every scenario; a page a scenario has
//! the rest. A sweep has one page, with its maps.

mod index;
mod matrix;
mod outliers;
mod scenario;
mod sweep;
mod tables;

use std::collections::BTreeSet;

use maud::{DOCTYPE, Markup, PreEscaped, html};

pub(crate) use self::{
    index::index,
    outliers::outliers,
    scenario::scenario,
    sweep::{plots, sweep},
};
use crate::{chart::dark_rules, plots, summary::Summary};

/// A plot as the pages show it.
#[derive(Debug)]
pub(crate) struct Figure {
    /// Name of its files and of its place on the page.
    pub(crate) slug: String,
    /// Whether the scenario is summed up by it.
    is_headline: bool,
    /// The picture as a page embeds it.
    svg: String,
    caption: String,
    description: String,
    /// Contents of its files, by the ends of their names.
    files: [(&'static str, Vec<u8>); 3],
}

impl Figure {
    /// The plot of a scenario whose files are called `slug`.
    pub(crate) fn of(figure: plots::Figure, slug: &str) -> Self {
        let separator = if figure.suffix.is_empty() { "" } else { "." };
        let drawn = figure.chart.draw();
        Self {
            slug: format!("{slug}{separator}{}", figure.suffix),
            is_headline: plots::HEADLINES.contains(&figure.suffix),
            svg: drawn.inline_svg,
            files: [("svg", drawn.svg.into_bytes()), ("png", drawn.png), ("csv", figure.chart.to_csv().into_bytes())],
            caption: figure.caption,
            description: figure.description,
        }
    }

    /// Returns its files, by their places in the report.
    pub(crate) fn into_files(self) -> impl Iterator<Item = (String, Vec<u8>)> {
        let Self { slug, files, .. } = self;
        files.into_iter().map(move |(end, contents)| (format!("plots/{slug}.{end}"), contents))
    }
}

/// Returns a name for each scenario's files that is safe in every file system and URL, and no two alike.
pub(crate) fn slugs(summary: &Summary) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let slug = |scenario: &crate::summary::ScenarioStats| {
        let safe = |char: char| if char.is_ascii_lowercase() || char.is_ascii_digit() { char } else { '-' };
        let name: String = scenario.name.chars().take(64).map(safe).collect();
        let mut slug = name.clone();
        let mut again = 2;
        while !taken.insert(slug.clone()) {
            slug = format!("{name}-{again}");
            again += 1;
        }
        slug
    };
    summary.scenarios.iter().map(slug).collect()
}

/// Returns a page with its styles and its script. `root` leads from it to the report's folder: empty, or `../`.
fn page(title: &str, summary: &Summary, root: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style {
                    (PreEscaped(include_str!("page/style.css")))
                    "@media (prefers-color-scheme: dark) {" (PreEscaped(dark_rules(".plot "))) "}"
                }
            }
            body {
                (body)
                p.faint {
                    "Written by cardiogram " (summary.version) ", engine " (summary.engine) ". All data: "
                    @for (place, file) in ["runs.csv", "episodes.csv", "manifest.json"].into_iter().enumerate() {
                        @if place > 0 { ", " }
                        a href={ (root) "../" (file) } { (file) }
                    }
                    "."
                }
                script { (PreEscaped(include_str!("page/script.js"))) }
            }
        }
    }
    .into_string()
}

/// Returns the plots that sum a scenario up, beside each other where there is room.
fn headlines(figures: &[Figure], root: &str) -> Markup {
    html! {
        div.pair { @for it in figures.iter().filter(|it| it.is_headline) { (figure(it, root, "zoom")) } }
    }
}

/// Returns a plot with its caption and its files. `root` as for [`page`]; `class` says what the script may do with it.
fn figure(figure: &Figure, root: &str, class: &str) -> Markup {
    html! {
        figure id=(figure.slug) {
            div class={ "plot " (class) } role="img" aria-label=(figure.description) {
                div.pane { (PreEscaped(&figure.svg)) }
            }
            figcaption {
                (figure.caption)
                " Files: "
                @for (place, (end, words)) in [("svg", "SVG"), ("png", "PNG"), ("csv", "data")].into_iter().enumerate() {
                    @if place > 0 { ", " }
                    a href={ (root) "plots/" (figure.slug) "." (end) } { (words) }
                }
                "."
            }
        }
    }
}
