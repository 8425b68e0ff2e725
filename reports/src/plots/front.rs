//! The front of the best strategies as a line: what can be had for at most so much.

use crate::chart::{FRONT, Scale, Stroke, Values};

/// How the front is drawn.
pub(super) const FRONT_LINE: Stroke = Stroke { color: FRONT, width: 2.0, dash: None };
/// Who is not on it, in captions.
pub(super) const WHO_NOT: &str = "but for those without a session for a tenth of the time by their own fault or by rules under which no healthy connection lives";
/// What the legend calls it.
pub(super) const FRONT_NAME: &str = "Pareto front";

/// Returns the front as stairs. `points` by cost, least first; `end` is the cost from which on there is nothing to lose, below
/// all of the axis.
pub(super) fn steps(points: &[Values], end: Option<f64>, x: &Scale, y: &Scale) -> Vec<Values> {
    let ((_, right), (bottom, top)) = (x.ends(), y.ends());
    let mut line = Vec::new();
    let mut height = top;
    for &(cost, lower) in points {
        line.push((cost, height));
        line.push((cost, lower));
        height = lower;
    }
    match end {
        Some(cost) => line.extend([(cost, height), (cost, bottom)]),
        None => line.push((right, height)),
    }
    line
}
