//! Where the names beside the points of a plot go, so that none lies over another or over a marker.
//!
//! One name after the other takes the first free place: beside its point, in eight directions, then ever further away
//! with a leader line. Simple, deterministic, and good for the few dozen points that a plot can name at all.

use super::canvas::Spot;

/// A rectangle, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

/// A point that wants a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Anchor {
    pub(crate) at: Spot,
    /// Size of the name.
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// Where a name goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Placement {
    pub(crate) name: Rect,
    /// From the marker to the name, where the name is not beside it.
    pub(crate) leader: Option<(Spot, Spot)>,
}

/// Half the side of the square around a point that its marker fills.
pub(crate) const MARKER_REACH: f64 = 7.0;

/// Gap between a marker and the name beside it.
const GAP: f64 = 3.0;

/// Right and left first, where a name reads best, then above and below.
const DIRECTIONS: [Spot; 8] =
    [(1.0, 0.0), (-1.0, 0.0), (1.0, -1.0), (1.0, 1.0), (-1.0, -1.0), (-1.0, 1.0), (0.0, -1.0), (0.0, 1.0)];

/// How far out a name may go: steps of one line's height.
const RINGS: u32 = 30;

impl Rect {
    /// Whether the two share more than an edge.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    fn contains(&self, other: &Self) -> bool {
        self.left <= other.left && other.right <= self.right && self.top <= other.top && other.bottom <= self.bottom
    }

    /// Whether the line from `from` to `to` passes through the inside. Liang and Barsky's clipping.
    pub(crate) fn meets(&self, (from, to): (Spot, Spot)) -> bool {
        let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
        let sides = [
            (from.0 - to.0, from.0 - self.left),
            (to.0 - from.0, self.right - from.0),
            (from.1 - to.1, from.1 - self.top),
            (to.1 - from.1, self.bottom - from.1),
        ];
        for (slope, room) in sides {
            if slope < 0.0 {
                enter = enter.max(room / slope);
            } else if slope > 0.0 {
                leave = leave.min(room / slope);
            } else if room <= 0.0 {
                return false;
            }
        }
        enter < leave
    }

    /// The place on the edge or inside that is nearest to `to`.
    fn nearest(&self, to: Spot) -> Spot {
        (to.0.clamp(self.left, self.right), to.1.clamp(self.top, self.bottom))
    }

    const fn grown(&self, by: f64) -> Self {
        Self { left: self.left - by, top: self.top - by, right: self.right + by, bottom: self.bottom + by }
    }

    const fn around((x, y): Spot, reach: f64) -> Self {
        Self { left: x - reach, top: y - reach, right: x + reach, bottom: y + reach }
    }
}

/// Places a name for each anchor inside `frame`, off all markers, names and leaders; of the places beside the point it
/// takes the one that is near the fewest other markers and meets the fewest of `lines`. `None` for a name that finds no
/// room.
pub(crate) fn place(anchors: &[Anchor], frame: &Rect, lines: &[(Spot, Spot)]) -> Vec<Option<Placement>> {
    let markers: Vec<Rect> = anchors.iter().map(|anchor| Rect::around(anchor.at, MARKER_REACH)).collect();
    let mut placed: Vec<Option<Placement>> = Vec::new();
    for (index, anchor) in anchors.iter().enumerate() {
        let is_free = |placement: &Placement| {
            let others = markers.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, marker)| marker);
            frame.contains(&placement.name)
                && !markers.iter().any(|marker| marker.overlaps(&placement.name))
                && !placement.leader.is_some_and(|leader| others.clone().any(|marker| marker.meets(leader)))
                && !placed.iter().flatten().any(|earlier| collide(earlier, placement))
        };
        let beside = (0..RINGS).map(|ring| {
            let candidates = DIRECTIONS.iter().map(|direction| candidate(anchor, *direction, ring));
            let clutter = |placement: &Placement| {
                let near = markers.iter().filter(|marker| marker.grown(MARKER_REACH).overlaps(&placement.name)).count();
                near + lines.iter().filter(|line| placement.name.meets(**line)).count()
            };
            candidates.filter(|placement| is_free(placement)).min_by_key(clutter)
        });
        let found = beside.flatten().next();
        placed.push(found);
    }
    placed
}

fn collide(a: &Placement, b: &Placement) -> bool {
    a.name.overlaps(&b.name)
        || a.leader.is_some_and(|leader| b.name.meets(leader))
        || b.leader.is_some_and(|leader| a.name.meets(leader))
}

/// The name of `anchor` in `direction`, `ring` steps out.
fn candidate(anchor: &Anchor, direction: Spot, ring: u32) -> Placement {
    let distance = MARKER_REACH + GAP + f64::from(ring) * anchor.height;
    // The middle of the name, so that its nearest side is `distance` away.
    let middle = |at: f64, direction: f64, extent: f64| at + direction * (distance + extent / 2.0);
    let (x, y) = (middle(anchor.at.0, direction.0, anchor.width), middle(anchor.at.1, direction.1, anchor.height));
    // A name beside a corner of the marker may sit closer than one that stands off both ways.
    let y = if direction.0 != 0.0 && ring == 0 { anchor.at.1 + direction.1 * anchor.height * 0.75 } else { y };
    let name = Rect {
        left: x - anchor.width / 2.0,
        right: x + anchor.width / 2.0,
        top: y - anchor.height / 2.0,
        bottom: y + anchor.height / 2.0,
    };
    let leader = (ring > 0).then(|| {
        let end = name.nearest(anchor.at);
        (Rect::around(anchor.at, MARKER_REACH - 1.0).nearest(end), end)
    });
    Placement { name, leader }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: Rect = Rect { left: 0.0, top: 0.0, right: 800.0, bottom: 400.0 };

    #[test]
    fn a_lone_point_has_its_name_at_its_right() {
        let placed = place(&[Anchor { at: (100.0, 100.0), width: 60.0, height: 14.0 }], &FRAME, &[]);
        let placement = placed[0].unwrap();
        assert!((placement.name.left - 110.0).abs() < 1e-9 && placement.leader.is_none(), "{placement:?}");
    }

    #[test]
    fn a_name_evades_a_line_if_it_can() {
        let line = ((100.0, 100.0), (800.0, 100.0));
        let placed = place(&[Anchor { at: (100.0, 100.0), width: 60.0, height: 14.0 }], &FRAME, &[line]);
        assert!(!placed[0].unwrap().name.meets(line));
    }

    #[test]
    fn a_dozen_points_at_one_place_all_get_a_name() {
        let anchors = [Anchor { at: (400.0, 200.0), width: 90.0, height: 14.0 }; 12];
        assert!(place(&anchors, &FRAME, &[]).iter().all(Option::is_some));
    }

    proptest! {
        #[test]
        fn names_overlap_neither_each_other_nor_markers_nor_leaders(
            points in prop::collection::vec((10.0..790.0_f64, 10.0..390.0_f64, 20.0..140.0_f64), 1..40),
        ) {
            let anchors: Vec<Anchor> =
                points.iter().map(|&(x, y, width)| Anchor { at: (x, y), width, height: 14.0 }).collect();
            let placed = place(&anchors, &FRAME, &[]);
            for (index, one) in placed.iter().enumerate() {
                let Some(one) = one else { continue };
                prop_assert!(FRAME.contains(&one.name));
                for (other, anchor) in anchors.iter().enumerate() {
                    let marker = Rect::around(anchor.at, MARKER_REACH);
                    prop_assert!(!marker.overlaps(&one.name));
                    prop_assert!(other == index || one.leader.is_none_or(|leader| !marker.meets(leader)));
                }
                for other in placed[index + 1..].iter().flatten() {
                    prop_assert!(!collide(one, other), "{:?} {:?}", one, other);
                }
            }
        }
    }
}
