//! Which strategies a plot shows where there is no room for all: those that must be, then those that differ most from
//! the ones already chosen, so that nothing drawn is without what it stands for.

use super::Looks;
use crate::{chart::Color, summary::CellStats};

/// The most lines that a plot of lines shows.
pub(super) const LINES_MAX: usize = 8;

/// Returns the colours of strategies in their order.
pub(super) fn colors<'a>(strategies: impl Iterator<Item = &'a CellStats>, looks: &Looks) -> Vec<Color> {
    strategies.map(|stats| looks.get(&stats.strategy).color).collect()
}

/// Returns the places, ascending, of at most `most` of `shapes`, all equally long and no two of one colour: those `first`,
/// in their order, then again and again the one whose least distance to the chosen ones is largest. (Gonzalez, "Clustering to
/// minimize the maximum intercluster distance", 1985.) The distance of two shapes is their largest difference anywhere; one that
/// is closer than `least` to a chosen one is left out, since it would only lie over it.
pub(super) fn pick(
    shapes: &[Vec<f64>],
    colors: &[Color],
    first: impl Iterator<Item = usize>,
    most: usize,
    least: f64,
) -> Vec<usize> {
    let distance =
        |a: usize, b: usize| shapes[a].iter().zip(&shapes[b]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    // What has a chosen one's colour is as good as on it.
    let apart = |a: usize, b: usize| if colors[a] == colors[b] { 0.0 } else { distance(a, b) };
    let nearest =
        |chosen: &[usize], place: usize| chosen.iter().map(|&other| apart(place, other)).fold(f64::INFINITY, f64::min);
    let mut chosen = Vec::new();
    for place in first {
        if chosen.len() < most && nearest(&chosen, place) >= least {
            chosen.push(place);
        }
    }
    while chosen.len() < most {
        // The last of equals: the order of the strategies decides and nothing else.
        let farthest = (0..shapes.len())
            .map(|place| (place, nearest(&chosen, place)))
            .filter(|(place, distance)| !chosen.contains(place) && *distance >= least)
            .max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((next, _)) = farthest else { break };
        chosen.push(next);
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shades(count: u8) -> Vec<Color> {
        (0..count).map(|shade| Color(shade, 0, 0)).collect()
    }

    #[test]
    fn those_that_must_be_come_first_and_then_the_most_different() {
        let shapes = [[0.0, 0.0], [0.1, 0.0], [0.0, 1.0], [0.5, 0.5], [0.9, 0.9]].map(Vec::from);
        assert_eq!(pick(&shapes, &shades(5), [1].into_iter(), 3, 0.01), [1, 2, 4]);
        assert_eq!(pick(&shapes, &shades(5), [4, 0].into_iter(), 2, 0.01), [0, 4]);
        assert_eq!(pick(&shapes, &shades(5), std::iter::empty(), 9, 0.01), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn of_those_alike_one_is_chosen() {
        let shapes = [[0.0, 0.0], [0.01, 0.0], [0.0, 1.0]].map(Vec::from);
        assert_eq!(pick(&shapes, &shades(3), [0, 1].into_iter(), 9, 0.02), [0, 2]);
    }

    #[test]
    fn of_those_of_one_colour_one_is_chosen() {
        let shapes = [[0.0, 0.0], [5.0, 0.0], [0.0, 1.0]].map(Vec::from);
        let colors = [Color(1, 1, 1), Color(1, 1, 1), Color(2, 2, 2)];
        assert_eq!(pick(&shapes, &colors, std::iter::once(0), 9, 0.02), [0, 2]);
    }
}
