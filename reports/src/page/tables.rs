//! What tables of the pages have in common: numbers that sort as numbers, intervals and warnings beside them.

use cardiogram_results::survival::Estimated;
use maud::{Markup, html};

use crate::{
    number::short,
    statistics::bootstrap::Interval,
    summary::{Number, Warning},
};

/// Returns a cell whose `words` stand for `value`; `None` sorts last.
pub(super) fn cell(value: Option<f64>, words: &Markup) -> Markup {
    let value = value.filter(|value| value.is_finite()).map_or_else(String::new, |value| value.to_string());
    html! { td data-v=(value) { (words) } }
}

/// Returns a cell with a count.
pub(super) fn count(count: u64) -> Markup {
    cell(Some(count as f64), &html! { (count) })
}

/// Returns a cell with a number and its interval.
pub(super) fn with_interval(value: f64, words: &str, interval: Option<Interval>) -> Markup {
    cell(Some(value), &html! { (words) (brackets(interval)) })
}

/// Returns a cell with an estimate, or with what it is at least, its interval, and `more` to know of it.
pub(super) fn estimate(number: Option<Estimated>, interval: Option<Interval>, more: &Markup) -> Markup {
    cell(number.map(Estimated::value), &html! { (estimated(number)) (brackets(interval)) (more) })
}

pub(super) fn brackets(interval: Option<Interval>) -> Markup {
    html! { @if let Some(Interval { low, high }) = interval { small { "[" (short(low)) ", " (short(high)) "]" } } }
}

pub(super) fn estimated(number: Option<Estimated>) -> String {
    match number {
        None => "–".to_owned(),
        Some(Estimated::Known(value)) => short(value),
        Some(Estimated::AtLeast(value)) => format!("≥ {}", short(value)),
    }
}

/// Returns the warnings that concern `number`.
pub(super) fn warnings(all: &[Warning], number: Number) -> Markup {
    html! { @for warning in all.iter().filter(|warning| warning.concerns(number)) { small.warn { (warning.words()) } } }
}
