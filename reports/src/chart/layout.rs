//! Where everything of a chart goes, in pixels.

use super::{
    Chart, Height, Key, Mark, Point, Values,
    canvas::Spot,
    labels::{self, Anchor, Placement, Rect},
    lanes::Lane,
    scale::Scale,
    text,
};
use crate::statistics::bootstrap::Interval;

/// Height of a row of a chart whose vertical axis has names.
pub(super) const ROW_HEIGHT: f64 = 26.0;
/// Height of a strip above or below the plotting area: two rows of names, or three above a row of markers.
const STRIP_HEIGHT: f64 = 62.0;
/// Left edge of lanes, the same for all runs, so that their strips can be laid below each other.
const LANES_LEFT: f64 = 148.0;
/// From the upper edge of lanes to the middle of a marker above them.
const ABOVE_LANES: f64 = 8.0;
/// The greatest width of names beside the vertical axis, and their greatest share of the picture; longer ones are cut.
const NAMES_WIDTH_MAX: f64 = 260.0;
const NAMES_SHARE_MAX: f64 = 0.3;
/// From the end of a bar, or the edge of the plotting area, to the text that belongs to it.
pub(super) const WORDS_GAP: f64 = 10.0;
/// Width of what explains colours, right of the plotting area.
const COLOR_SCALE_WIDTH: f64 = 110.0;
/// The free space left and right of everything.
pub(super) const MARGIN: f64 = 16.0;

pub(super) const TITLE_SIZE: f64 = 17.0;
pub(super) const TEXT_SIZE: f64 = 13.0;
pub(super) const SMALL_SIZE: f64 = 12.0;
pub(super) const LINE_HEIGHT: f64 = 18.0;
pub(super) const SMALL_LINE_HEIGHT: f64 = 14.0;

/// Shorter intervals are not to be seen beside their markers.
const WHISKER_MIN: f64 = 2.0;

/// Height of a title.
const TITLE_HEIGHT: f64 = 36.0;
/// Middle of the first row of the legend, and the distance of rows.
const LEGEND_TOP: f64 = 54.0;
const LEGEND_ROW: f64 = 20.0;
/// Width of what a legend shows beside its words, with the gap, and of the gap after the words.
pub(super) const KEY_WIDTH: f64 = 38.0;
const KEY_GAP: f64 = 24.0;

/// A chart with a place for everything.
pub(super) struct Layout<'a> {
    pub(super) chart: &'a Chart,
    /// The plotting area.
    pub(super) frame: Rect,
    /// The plotting area with the strips above and below it.
    pub(super) outer: Rect,
    /// The legend, with where each key begins: what the chart explains above it, and below it the points whose names found no
    /// room.
    pub(super) keys: Vec<(&'a str, Key, Spot)>,
    /// The place of each point's name; `None` where there was no room.
    pub(super) names: Vec<Option<Placement>>,
    /// The sentences below the picture, broken into lines.
    pub(super) notes: Vec<String>,
    /// The middle of the first line of notes.
    pub(super) notes_top: f64,
}

impl<'a> Layout<'a> {
    pub(super) fn of(chart: &'a Chart) -> Self {
        let (left, height) = match &chart.y.scale {
            Scale::Names(names) => {
                let widest = names.iter().map(|name| text::width(name, TEXT_SIZE)).fold(0.0, f64::max);
                let turned = text::width(&chart.y.label, TEXT_SIZE) + 8.0;
                (44.0 + widest.min(names_width_max(chart)), (ROW_HEIGHT * names.len() as f64).max(turned))
            }
            Scale::Lanes(lanes) => (LANES_LEFT, lanes.iter().map(Lane::height).sum()),
            Scale::Log { .. }
            | Scale::LogAndZero { .. }
            | Scale::Linear { .. }
            | Scale::Time { .. }
            | Scale::LogTime { .. } => (84.0, chart.size.plot_height),
        };
        let title_height = if chart.title.is_empty() { TITLE_HEIGHT } else { 0.0 };
        let (width, legend_top) = (chart.size.width, LEGEND_TOP - title_height);
        let keys = place_keys(chart.legend.iter().map(|(words, key)| (words.as_str(), *key)), legend_top, width);
        let top = keys.last().map_or(52.0 - title_height, |(.., last)| last.1 + 22.0);
        let strip_height = |strip: &Option<String>| if strip.is_some() { STRIP_HEIGHT } else { 0.0 };
        let frame_top = top + strip_height(&chart.above);
        let right = width - 24.0 - if chart.color_scale.is_some() { COLOR_SCALE_WIDTH } else { 0.0 } - beside(chart);
        let frame = Rect { left, top: frame_top, right, bottom: frame_top + height };
        let outer = Rect { top, bottom: frame.bottom + strip_height(&chart.below), ..frame };
        let notes = chart.notes.iter().flat_map(|note| text::wrap(note, SMALL_SIZE, width - 2.0 * MARGIN)).collect();
        let mut layout = Self { chart, frame, outer, keys, names: Vec::new(), notes, notes_top: outer.bottom + 58.0 };
        layout.names = layout.place_names();
        let below = place_keys(layout.unnamed().into_iter(), layout.notes_top, width);
        layout.notes_top = below.last().map_or(layout.notes_top, |(.., last)| last.1 + LEGEND_ROW);
        layout.keys.extend(below);
        layout
    }

    pub(super) fn size(&self) -> (u32, u32) {
        (self.chart.size.width as u32, (self.notes_top + LINE_HEIGHT * self.notes.len() as f64 + 10.0) as u32)
    }

    /// Returns the place of a value along the horizontal axis. What lies beyond the axis, such as the end of an interval at 0 on a logarithmic one, lies at its end.
    pub(super) fn x(&self, value: f64) -> f64 {
        self.frame.left + self.chart.x.scale.place(value).clamp(0.0, 1.0) * (self.frame.right - self.frame.left)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        let place = self.chart.y.scale.place(value).clamp(0.0, 1.0) * (self.frame.bottom - self.frame.top);
        if self.chart.y.scale.is_named() { self.frame.top + place } else { self.frame.bottom - place }
    }

    pub(super) fn spot(&self, (x, y): Values) -> Spot {
        (self.x(x), self.y(y))
    }

    pub(super) fn spots(&self, points: &[Values]) -> Vec<Spot> {
        points.iter().map(|&point| self.spot(point)).collect()
    }

    /// Returns the ends of a vertical line.
    pub(super) fn rule(&self, x: f64) -> (Spot, Spot) {
        ((self.x(x), self.outer.top), (self.x(x), self.outer.bottom))
    }

    pub(super) fn center(&self, point: &Point) -> Spot {
        let y = match point.y {
            Height::At { value, .. } | Height::AtLeast(value) => self.y(value),
            Height::Above if matches!(self.chart.y.scale, Scale::Lanes(_)) => self.frame.top - ABOVE_LANES,
            Height::Above => f64::midpoint(self.outer.top, self.frame.top),
            Height::Below => f64::midpoint(self.frame.bottom, self.outer.bottom),
        };
        (self.x(point.x), y)
    }

    /// Returns an interval along a row as a line; `None` where it is too short to be seen.
    pub(super) fn whisker(&self, row: f64, interval: Option<Interval>) -> Option<(Spot, Spot)> {
        let interval = interval?;
        let (from, to) = (self.spot((interval.low, row)), self.spot((interval.high, row)));
        (to.0 - from.0 > WHISKER_MIN).then_some((from, to))
    }

    /// Returns the intervals of a point as lines; those too short to be seen are left out.
    pub(super) fn whiskers(&self, point: &Point) -> impl Iterator<Item = (Spot, Spot)> {
        let (x, y) = self.center(point);
        let across = point.x_interval.map(|interval| ((self.x(interval.low), y), (self.x(interval.high), y)));
        let along = match point.y {
            Height::At { interval, .. } => {
                interval.map(|interval| ((x, self.y(interval.low)), (x, self.y(interval.high))))
            }
            Height::AtLeast(_) | Height::Above | Height::Below => None,
        };
        let reaches_out = |(from, to): &(Spot, Spot)| (from.0 - to.0).abs().max((from.1 - to.1).abs()) > WHISKER_MIN;
        [across, along].into_iter().flatten().filter(reaches_out)
    }

    pub(super) fn points(&self) -> impl Iterator<Item = &'a Point> {
        let point = |mark: &'a Mark| if let Mark::Point(point) = mark { Some(point) } else { None };
        self.chart.marks.iter().filter_map(point)
    }

    fn place_names(&self) -> Vec<Option<Placement>> {
        let anchor = |point: &Point| Anchor {
            at: self.center(point),
            width: text::width(&point.name, SMALL_SIZE),
            height: SMALL_SIZE + 3.0,
            leads: point.leads,
        };
        let mut lines: Vec<(Spot, Spot)> = self.points().flat_map(|point| self.whiskers(point)).collect();
        for mark in &self.chart.marks {
            match mark {
                Mark::Line(points, _) | Mark::Curve { points, .. } => {
                    lines.extend(points.windows(2).map(|pair| (self.spot(pair[0]), self.spot(pair[1]))));
                }
                Mark::Rule(x, _) => lines.push(self.rule(*x)),
                _ => {}
            }
        }
        let anchors: Vec<Anchor> = self.points().map(anchor).collect();
        if matches!(self.chart.y.scale, Scale::Lanes(_)) {
            let room =
                Rect { right: self.chart.size.width - 8.0, bottom: self.frame.top - 2.0 * ABOVE_LANES, ..self.outer };
            labels::rows(&anchors, &room)
        } else {
            labels::place(&anchors, &self.outer, &lines)
        }
    }

    /// Returns the keys of points whose names found no room, each name once.
    fn unnamed(&self) -> Vec<(&'a str, Key)> {
        let mut keys: Vec<(&str, Key)> = Vec::new();
        for (point, placement) in self.points().zip(&self.names) {
            let is_new = !point.name.is_empty() && keys.iter().all(|(name, _)| *name != point.name);
            if placement.is_none() && is_new {
                keys.push((&point.name, Key::Marker(point.identity)));
            }
        }
        keys
    }
}

/// Returns the width that texts right of rows and at the ends of bars take: a bar may be as long as the plotting area.
fn beside(chart: &Chart) -> f64 {
    let width = |mark: &Mark| match mark {
        Mark::Bars { text, .. } | Mark::Words { text, .. } => Some(text::width(text, SMALL_SIZE)),
        _ => None,
    };
    chart.marks.iter().filter_map(width).reduce(f64::max).map_or(0.0, |widest| widest + WORDS_GAP - 8.0)
}

/// Returns the width that names beside the vertical axis may take.
pub(super) fn names_width_max(chart: &Chart) -> f64 {
    NAMES_WIDTH_MAX.min(NAMES_SHARE_MAX * chart.size.width)
}

/// Places the keys of a legend row by row, the first row around `y`, in a picture of `room`.
fn place_keys<'a>(keys: impl Iterator<Item = (&'a str, Key)>, mut y: f64, room: f64) -> Vec<(&'a str, Key, Spot)> {
    let mut x = MARGIN;
    let mut placed = Vec::new();
    for (words, key) in keys {
        let width = KEY_WIDTH + text::width(words, SMALL_SIZE);
        if x > MARGIN && x + width > room - MARGIN {
            (x, y) = (MARGIN, y + LEGEND_ROW);
        }
        placed.push((words, key, (x, y)));
        x += width + KEY_GAP;
    }
    placed
}
