//! Where the names beside the points of a plot go, so that none lies over another or over a marker.
//!
//! One name after the other takes the best place that is still free: beside its point in one of eight directions, else
//! further away with a leader line. Simple, deterministic, and good for the few dozen points that a plot can name at
//! all.

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
    /// The size of the name; a width of 0 means that there is no name.
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// Whether its name is placed before those of others.
    pub(crate) leads: bool,
}

/// The place of a name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Placement {
    pub(crate) name: Rect,
    /// The line from the marker to the name, where the name is not beside it.
    pub(crate) leader: Option<(Spot, Spot)>,
}

/// Texts beside each other, from left to right: none lies over another.
#[derive(Debug)]
pub(crate) struct Row {
    free_from: f64,
}

impl Row {
    /// The free space between a text and the next.
    const GAP: f64 = 5.0;

    /// Returns a row with room from `left` on.
    pub(crate) const fn from(left: f64) -> Self {
        Self { free_from: left }
    }

    /// Returns where a text may begin that would best begin at `left`.
    pub(crate) const fn free_from(&self, left: f64) -> f64 {
        self.free_from.max(left)
    }

    /// Takes the room from `left` to `right` and returns true if it is free.
    pub(crate) fn take(&mut self, left: f64, right: f64) -> bool {
        let is_free = left >= self.free_from;
        if is_free {
            self.free_from = right + Self::GAP;
        }
        is_free
    }
}

/// Half the side of the square around a point that its marker fills.
pub(crate) const MARKER_REACH: f64 = 7.0;

/// Gap between a marker and the name beside it.
const GAP: f64 = 3.0;

/// What a line through a name, or a marker near it, costs in pixels of leader.
const CLUTTER_COST: f64 = 30.0;

/// What it costs to have a leader at all.
const LEADER_COST: f64 = 25.0;

/// How far out a name may go: steps of one line's height.
const RINGS: u32 = 30;

impl Rect {
    /// Returns whether the two share more than an edge.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    fn contains(&self, other: &Self) -> bool {
        self.left <= other.left && other.right <= self.right && self.top <= other.top && other.bottom <= self.bottom
    }

    /// Returns whether the line from `from` to `to` passes through the inside. Liang and Barsky's clipping.
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

    /// Returns the place on the edge or inside that is nearest to `to`.
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

/// Places a name for each anchor inside `frame`, off all markers, names and leaders; of the free places it takes the
/// one with the least clutter and the shortest leader, clutter being `lines` through the name and markers near it.
/// `None` for a name that finds no room.
pub(crate) fn place(anchors: &[Anchor], frame: &Rect, lines: &[(Spot, Spot)]) -> Vec<Option<Placement>> {
    let markers: Vec<Rect> = anchors.iter().map(|anchor| Rect::around(anchor.at, MARKER_REACH)).collect();
    let mut placed: Vec<Option<Placement>> = vec![None; anchors.len()];
    let mut order: Vec<usize> = (0..anchors.len()).filter(|place| anchors[*place].width > 0.0).collect();
    order.sort_by_key(|place| !anchors[*place].leads);
    for place in order {
        let (anchor, own) = (&anchors[place], &markers[place]);
        // Markers that lie over this one's cannot be evaded by a line that starts here.
        let crosses_marker = |leader| markers.iter().any(|marker| !marker.overlaps(own) && marker.meets(leader));
        let is_free = |placement: &Placement| {
            frame.contains(&placement.name)
                && !markers.iter().any(|marker| marker.overlaps(&placement.name))
                && !placement.leader.is_some_and(crosses_marker)
                && !placed.iter().flatten().any(|earlier| collide(earlier, placement))
        };
        let leader_cost = |placement: &Placement| {
            placement.leader.map_or(0.0, |(from, to)| LEADER_COST + libm::hypot(to.0 - from.0, to.1 - from.1))
        };
        let clutter_cost = |placement: &Placement| {
            let near = markers.iter().filter(|marker| marker.grown(MARKER_REACH).overlaps(&placement.name)).count();
            let crossed = lines.iter().filter(|line| placement.name.meets(**line)).count();
            CLUTTER_COST * (near + crossed) as f64
        };
        let shares_its_place = markers.iter().filter(|marker| marker.overlaps(own)).count() > 1;
        let everywhere = (0..RINGS).flat_map(|ring| candidates(anchor, frame, ring, shares_its_place));
        // The first of the cheapest: candidates come with the best first. Lines are many, so a place whose leader alone
        // costs more is not looked at further.
        let mut found: Option<(Placement, f64)> = None;
        for placement in everywhere {
            let (cost, best) = (leader_cost(&placement), found.map_or(f64::INFINITY, |(_, cost)| cost));
            if cost >= best || !is_free(&placement) {
                continue;
            }
            let cost = cost + clutter_cost(&placement);
            if cost < best {
                found = Some((placement, cost));
            }
        }
        placed[place] = found.map(|(placement, _)| placement);
    }
    placed
}

/// Places names above markers that lie along the lower edge of `room`, in as few rows as it takes. `None` for all where one
/// finds no room: it could not be said whose the others are.
pub(crate) fn rows(anchors: &[Anchor], room: &Rect) -> Vec<Option<Placement>> {
    let mut rows: Vec<Row> = Vec::new();
    let place = |anchor: &Anchor| {
        let left = (anchor.at.0 - anchor.width / 2.0).min(room.right - anchor.width).max(room.left);
        let right = left + anchor.width;
        let row = rows.iter_mut().position(|row| row.take(left, right)).unwrap_or_else(|| {
            rows.push(Row::from(right + Row::GAP));
            rows.len() - 1
        });
        let bottom = room.bottom - anchor.height * row as f64;
        let name = Rect { left, right, top: bottom - anchor.height, bottom };
        (anchor.width > 0.0 && room.contains(&name)).then_some(Placement { name, leader: None })
    };
    let placed: Option<Vec<Placement>> = anchors.iter().map(place).collect();
    placed.map_or_else(|| vec![None; anchors.len()], |placed| placed.into_iter().map(Some).collect())
}

fn collide(a: &Placement, b: &Placement) -> bool {
    a.name.overlaps(&b.name)
        || a.leader.is_some_and(|leader| b.name.meets(leader))
        || b.leader.is_some_and(|leader| a.name.meets(leader))
        || a.leader.zip(b.leader).is_some_and(|(a, b)| cross(a, b))
}

/// Returns whether two lines cross, each with its ends on different sides of the other.
fn cross(a: (Spot, Spot), b: (Spot, Spot)) -> bool {
    let side =
        |(from, to): (Spot, Spot), at: Spot| (to.0 - from.0) * (at.1 - from.1) - (to.1 - from.1) * (at.0 - from.0);
    side(a, b.0) * side(a, b.1) < 0.0 && side(b, a.0) * side(b, a.1) < 0.0
}

/// Returns where the name of `anchor` may go, `ring` steps out, the best place first. Above and below a place that several
/// points share, it would be in the way of the others' leaders. What would reach over the side of `frame` is moved inside.
fn candidates(anchor: &Anchor, frame: &Rect, ring: u32, shares_its_place: bool) -> Vec<Placement> {
    let reach = MARKER_REACH + GAP + f64::from(ring) * anchor.height;
    let (beside, above) = (reach + anchor.width / 2.0, reach + anchor.height / 2.0);
    // Right and left, where a name reads best, level with the marker, then in rows above and below it.
    let (row_height, last_row) = if ring == 0 { (0.75 * anchor.height, 1) } else { (anchor.height, ring + 8) };
    let rows = (0..=last_row).flat_map(|row| {
        let y = f64::from(row) * row_height;
        [(beside, -y), (-beside, -y), (beside, y), (-beside, y)]
    });
    let columns = [(0.0, -above), (0.0, above)].into_iter().filter(|_| !shares_its_place);
    rows.chain(columns).map(|offset| placement(anchor, frame, offset, ring > 0)).collect()
}

/// Returns the name of `anchor` with its middle at `offset` from the point, or beside that, inside `frame`.
fn placement(anchor: &Anchor, frame: &Rect, offset: Spot, with_leader: bool) -> Placement {
    let half = anchor.width / 2.0;
    let x = (anchor.at.0 + offset.0).min(frame.right - half).max(frame.left + half);
    let y = anchor.at.1 + offset.1;
    let name = Rect {
        left: x - anchor.width / 2.0,
        right: x + anchor.width / 2.0,
        top: y - anchor.height / 2.0,
        bottom: y + anchor.height / 2.0,
    };
    let leader = with_leader.then(|| {
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
        let placed = place(&[Anchor { at: (100.0, 100.0), width: 60.0, height: 14.0, leads: false }], &FRAME, &[]);
        let placement = placed[0].unwrap();
        assert!((placement.name.left - 110.0).abs() < 1e-9 && placement.leader.is_none(), "{placement:?}");
    }

    #[test]
    fn a_name_between_others_at_the_edge_goes_along_the_edge() {
        // Nothing is free at the left of the last point, and at its right there is no room for its name.
        let anchor = |x: f64, y: f64| Anchor { at: (x, y), width: 90.0, height: 14.0, leads: x < 750.0 };
        let column = (0..40).map(|row| anchor(650.0, 10.0 * f64::from(row)));
        let anchors: Vec<Anchor> = column.chain([anchor(760.0, 200.0)]).collect();
        let placed = place(&anchors, &FRAME, &[]);
        let name = placed[40].unwrap().name;
        assert!(name.right <= FRAME.right && (name.top > 200.0 || name.bottom < 200.0), "{name:?}");
    }

    #[test]
    fn a_name_evades_a_line_if_it_can() {
        let line = ((100.0, 100.0), (800.0, 100.0));
        let placed = place(&[Anchor { at: (100.0, 100.0), width: 60.0, height: 14.0, leads: false }], &FRAME, &[line]);
        assert!(!placed[0].unwrap().name.meets(line));
    }

    #[test]
    fn twenty_points_at_one_place_all_get_a_name() {
        let anchors = [Anchor { at: (400.0, 200.0), width: 90.0, height: 14.0, leads: false }; 20];
        assert!(place(&anchors, &FRAME, &[]).iter().all(Option::is_some));
    }

    #[test]
    fn the_name_of_one_that_leads_is_never_the_one_left_out() {
        let crowd = Anchor { at: (40.0, 20.0), width: 60.0, height: 14.0, leads: false };
        let mut anchors = [crowd; 9];
        anchors[8].leads = true;
        let frame = Rect { left: 0.0, top: 0.0, right: 120.0, bottom: 40.0 };
        let placed = place(&anchors, &frame, &[]);
        assert!(placed[8].is_some() && placed.iter().any(Option::is_none), "{placed:?}");
    }

    #[test]
    fn names_in_rows_stand_for_all_or_for_none_and_never_over_each_other() {
        let room = Rect { left: 0.0, top: 0.0, right: 800.0, bottom: 45.0 };
        let rows = |places: &[f64]| {
            let anchor = |x: &f64| Anchor { at: (*x, 50.0), width: 100.0, height: 15.0, leads: false };
            let placed = rows(&places.iter().map(anchor).collect::<Vec<_>>(), &room);
            placed.into_iter().flatten().map(|it| (room.bottom - it.name.bottom) as usize / 15).collect::<Vec<_>>()
        };
        assert_eq!(rows(&[100.0, 400.0, 700.0]), [0, 0, 0]);
        assert_eq!(rows(&[100.0, 110.0, 700.0]), [0, 1, 0]);
        assert!(rows(&[100.0, 110.0, 120.0, 130.0]).is_empty());
    }

    proptest! {
        #[test]
        fn names_overlap_neither_each_other_nor_markers_nor_leaders(
            points in prop::collection::vec((10.0..790.0_f64, 10.0..390.0_f64, 20.0..140.0_f64), 1..40),
        ) {
            let anchors: Vec<Anchor> =
                points.iter().map(|&(x, y, width)| Anchor { at: (x, y), width, height: 14.0, leads: false }).collect();
            let placed = place(&anchors, &FRAME, &[]);
            for (index, one) in placed.iter().enumerate() {
                let Some(one) = one else { continue };
                prop_assert!(FRAME.contains(&one.name));
                let own = Rect::around(anchors[index].at, MARKER_REACH);
                for anchor in &anchors {
                    let marker = Rect::around(anchor.at, MARKER_REACH);
                    prop_assert!(!marker.overlaps(&one.name));
                    prop_assert!(marker.overlaps(&own) || one.leader.is_none_or(|leader| !marker.meets(leader)));
                }
                for other in placed[index + 1..].iter().flatten() {
                    prop_assert!(!collide(one, other), "{:?} {:?}", one, other);
                }
            }
        }
    }
}
