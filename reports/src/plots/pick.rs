//! Which strategies a plot shows where there is no room for all: those that must be, then those that differ most from
//! the ones already chosen, so that nothing drawn is without what it stands for.

/// The most lines that a plot of lines shows.
pub(super) const LINES_MAX: usize = 8;

/// The places, ascending, of at most `most` of `shapes`, all equally long: those `first`, in their order, as far as
/// there is room, then again and again the one whose least distance to the chosen ones is largest.
/// (Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985.) The distance of two shapes is
/// their largest difference anywhere.
pub(super) fn pick(shapes: &[Vec<f64>], first: impl Iterator<Item = usize>, most: usize) -> Vec<usize> {
    let distance =
        |a: usize, b: usize| shapes[a].iter().zip(&shapes[b]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let mut chosen: Vec<usize> = first.take(most).collect();
    if chosen.is_empty() && !shapes.is_empty() {
        chosen.push(0);
    }
    while chosen.len() < most {
        let nearest = |place: usize| chosen.iter().map(|&other| distance(place, other)).fold(f64::INFINITY, f64::min);
        let candidates = (0..shapes.len()).filter(|place| !chosen.contains(place));
        // The last of equals, so that the order of the strategies decides and nothing else.
        let Some(next) = candidates.max_by(|&a, &b| nearest(a).total_cmp(&nearest(b))) else { break };
        chosen.push(next);
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_must_be_come_first_and_then_the_most_different() {
        let shapes = [[0.0, 0.0], [0.1, 0.0], [0.0, 1.0], [0.5, 0.5], [0.9, 0.9]].map(Vec::from);
        assert_eq!(pick(&shapes, [1].into_iter(), 3), [1, 2, 4]);
        assert_eq!(pick(&shapes, [4, 0].into_iter(), 2), [0, 4]);
        assert_eq!(pick(&shapes, std::iter::empty(), 9), [0, 1, 2, 3, 4]);
    }
}
