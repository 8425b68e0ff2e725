//! Lanes of a chart: what lasts and what happens, each kind in a row of its own above one axis of time. Which lanes there
//! are, and what they mean, is not decided here.

use super::{
    canvas::{Canvas, Spot, Stroke},
    clock,
    color::{AXIS, Color, FAINT_INK, GRID, INK},
    labels::Row,
    layout::{Layout, MARGIN, ROW_HEIGHT, SMALL_SIZE, TEXT_SIZE},
    scale::Scale,
    svg::Surface,
    text::{Align, width},
};

/// Height of the spans in a lane.
const SPAN_HEIGHT: f64 = 16.0;
/// The narrowest span, in pixels: what lasts a moment in a day is to be seen.
const SPAN_LEAST: f64 = 2.5;
/// From the middle of a lane to the end of a moment's line.
const REACH: f64 = 24.0;
/// Moments that are nearer to each other than this, in pixels, are too near to be seen apart.
const NEAR: f64 = 2.0;
/// Least and greatest width in pixels of the bars that stand for moments which are too near.
const BAR: (f64, f64) = (2.0, 10.0);
/// How many moments a bar stands for where they come evenly: one more or less is then a small step.
const MOMENTS_A_BAR: f64 = 6.0;
/// How many spans of a lane may lie above each other.
const LEVELS: usize = 4;
/// Beside more spans than this in a lane there are no names: one among many would look important.
const NAMED_SPANS_MAX: usize = 12;
/// Among bars, no more than this many moments keep their heads.
const HEADS_MAX: usize = 60;
/// The share of a lane's width that the names of its moments may take.
const NAMES_SHARE: f64 = 0.75;

/// A lane's name and size.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub(crate) name: &'static str,
    /// A second word or two: behind the name, in a tall lane below it.
    pub(crate) note: &'static str,
    /// Whether it is a lane of moments, which go up and down from its middle.
    pub(crate) is_tall: bool,
}

/// Something that lasts.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) color: Color,
    pub(crate) label: Option<String>,
}

/// Something that happens.
#[derive(Debug)]
pub(crate) struct Moment {
    pub(crate) at: f64,
    pub(crate) color: Color,
    pub(crate) shape: Shape,
    pub(crate) label: Option<String>,
}

/// How a moment is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// An upright line.
    Line,
    /// An upright line with a head: it is what one looks for.
    Tall,
    /// A cross beside the middle.
    Cross,
}

/// Bars of a lane in place of its moments.
#[derive(Clone, Copy)]
struct Bars {
    /// The width, in pixels.
    width: f64,
    /// How many moments a bar of full height stands for.
    most: usize,
}

impl Lane {
    pub(super) const fn height(&self) -> f64 {
        if self.is_tall { 2.0 * REACH + 16.0 } else { ROW_HEIGHT }
    }
}

impl Layout<'_> {
    /// Draws the names of lanes and the lines between them.
    pub(super) fn draw_lane_names<B: Surface>(&self, canvas: &mut Canvas<B>, lanes: &[Lane]) {
        let mut top = self.frame.top;
        let name_right = self.frame.left - 10.0;
        for lane in lanes {
            canvas.line(&[(MARGIN, top), (self.frame.right, top)], Stroke::solid(GRID, 1.0));
            let middle = top + lane.height() / 2.0;
            if lane.is_tall {
                canvas.text(lane.name, (name_right, middle - 8.0), TEXT_SIZE, Align::End, INK);
                canvas.text(lane.note, (name_right, middle + 9.0), SMALL_SIZE, Align::End, FAINT_INK);
            } else {
                let name = format!("{} {}", lane.name, lane.note);
                canvas.text(name.trim_end(), (name_right, middle), TEXT_SIZE, Align::End, INK);
            }
            top += lane.height();
        }
    }

    /// Returns the edges of a span, which is at least `least` pixels wide.
    pub(super) fn edges(&self, from: f64, to: f64, least: f64) -> (f64, f64) {
        let (left, right) = (self.x(from), self.x(to));
        let missing = (least - (right - left)).max(0.0) / 2.0;
        ((left - missing).max(self.frame.left), (right + missing).min(self.frame.right))
    }

    /// Draws spans; those that overlap share the height of a lane where `shared`.
    pub(super) fn draw_spans<B: Surface>(&self, canvas: &mut Canvas<B>, lane: usize, spans: &[Span], shared: bool) {
        let levels = if shared { levels(spans) } else { vec![0; spans.len()] };
        let height = SPAN_HEIGHT / (levels.iter().max().unwrap_or(&0) + 1) as f64;
        for (span, level) in spans.iter().zip(levels) {
            let (left, right) = self.edges(span.from, span.to, SPAN_LEAST);
            let top = self.y(lane as f64) - SPAN_HEIGHT / 2.0 + height * level as f64;
            canvas.rectangle((left, top), (right, top + height), span.color);
        }
    }

    /// Draws the names of spans: within the span, or beside it where nothing follows; else not at all.
    pub(super) fn name_spans<B: Surface>(&self, canvas: &mut Canvas<B>, lane: usize, spans: &[Span]) {
        let middle = self.y(lane as f64);
        let mut row = Row::from(self.frame.left);
        let mut named: Vec<(&Span, &str)> =
            spans.iter().filter_map(|span| Some((span, span.label.as_deref()?))).collect();
        named.sort_by(|(a, _), (b, _)| a.from.total_cmp(&b.from).then(a.to.total_cmp(&b.to)));
        let beside = named.len() <= NAMED_SPANS_MAX;
        for (span, label) in named {
            let (left, right) = self.edges(span.from, span.to, SPAN_LEAST);
            let needs = width(label, SMALL_SIZE);
            let center = f64::midpoint(row.free_from(left), right);
            if center - needs / 2.0 >= row.free_from(left) + 3.0 {
                row.take(center - needs / 2.0, center + needs / 2.0);
                canvas.text(label, (center, middle), SMALL_SIZE, Align::Middle, INK);
                continue;
            }
            let begin = right + 4.0;
            let is_free = |other: &Span| {
                let (left, right) = self.edges(other.from, other.to, SPAN_LEAST);
                right < begin || left > begin + needs + 2.0
            };
            let has_room = begin + needs <= self.frame.right && spans.iter().all(is_free);
            if beside && has_room && row.take(begin, begin + needs) {
                canvas.text(label, (begin, middle), SMALL_SIZE, Align::Start, INK);
            }
        }
    }

    /// Draws moments, those of the first row upwards and those of the second downwards: one by one, or as bars where they
    /// would run into each other.
    pub(super) fn draw_moments<B: Surface>(&self, canvas: &mut Canvas<B>, lane: usize, rows: &[Vec<Moment>; 2]) {
        let middle = self.y(lane as f64);
        canvas.line(&[(self.frame.left, middle), (self.frame.right, middle)], Stroke::solid(AXIS, 1.0));
        let bars = bar_width(&rows.each_ref().map(|row| row.iter().map(|moment| self.x(moment.at)).collect()));
        let bars = bars.map(|width| {
            let highest = |row: &Vec<Moment>| self.counts(row.iter(), width).into_iter().max();
            Bars { width, most: rows.iter().filter_map(highest).max().unwrap_or(1) }
        });
        if let Some(Bars { width, most }) = bars {
            let Scale::Time { from, to } = self.chart.x.scale else { panic!("lanes lie along time") };
            let seconds = (to - from) * width / (self.frame.right - self.frame.left);
            let height = format!("full height: {most} in {}", clock::length(seconds));
            canvas.text(&height, (self.frame.left - 10.0, middle + 25.0), SMALL_SIZE - 2.0, Align::End, FAINT_INK);
        }
        for (row, sign) in rows.iter().zip([-1.0, 1.0]) {
            let y = |length: f64| middle + sign * length;
            if let Some(bars) = bars {
                self.draw_bars_of(canvas, row, y, bars);
                continue;
            }
            // Names for all, as far as chance allows, or for none: one name among many would look important.
            let names = row.iter().filter_map(|moment| moment.label.as_deref());
            let needs: f64 = names.map(|name| width(name, SMALL_SIZE) + 10.0).sum();
            let is_named = needs < NAMES_SHARE * (self.frame.right - self.frame.left);
            self.draw_single(canvas, &row.iter().collect::<Vec<_>>(), y, is_named);
        }
    }

    /// Returns how many moments there are in each bar.
    fn counts<'a>(&self, moments: impl Iterator<Item = &'a Moment>, bar: f64) -> Vec<usize> {
        let bars = ((self.frame.right - self.frame.left) / bar).ceil() as usize;
        let mut counts = vec![0; bars];
        for moment in moments {
            counts[(((self.x(moment.at) - self.frame.left) / bar) as usize).min(bars - 1)] += 1;
        }
        counts
    }

    fn draw_bars_of<B: Surface>(
        &self,
        canvas: &mut Canvas<B>,
        moments: &[Moment],
        y: impl Fn(f64) -> f64,
        Bars { width, most }: Bars,
    ) {
        // What went well below what did not.
        let parts = [false, true]
            .map(|is_tall| moments.iter().filter(move |it| (it.shape == Shape::Tall) == is_tall).collect::<Vec<_>>());
        let [well, not] = parts.each_ref().map(|part| self.counts(part.iter().copied(), width));
        for (bar, (well, not)) in well.into_iter().zip(not).enumerate() {
            let x = self.frame.left + width * bar as f64;
            let levels = [0, well, well + not].map(|count| y(REACH / most as f64 * count as f64));
            for (part, level) in parts.iter().zip(levels.windows(2)) {
                let (above, below) = (level[0].min(level[1]), level[0].max(level[1]));
                if let Some(moment) = part.first().filter(|_| above < below) {
                    canvas.rectangle((x, above), ((x + width).min(self.frame.right), below), moment.color);
                }
            }
        }
        if parts[1].len() <= HEADS_MAX {
            self.draw_single(canvas, &parts[1], y, false);
        }
    }

    fn draw_single<B: Surface>(
        &self,
        canvas: &mut Canvas<B>,
        moments: &[&Moment],
        y: impl Fn(f64) -> f64,
        is_named: bool,
    ) {
        let mut row = Row::from(self.frame.left);
        for (place, moment) in moments.iter().enumerate() {
            let x = self.x(moment.at);
            match moment.shape {
                Shape::Line | Shape::Tall => {
                    canvas.line(&[(x, y(0.0)), (x, y(REACH))], Stroke::solid(moment.color, 1.5));
                    if moment.shape == Shape::Tall {
                        canvas.disc((x, y(REACH)), 2.5, moment.color);
                    }
                }
                Shape::Cross => draw_cross(canvas, (x, y(REACH / 2.0)), moment.color),
            }
            let Some(label) = moment.label.as_ref().filter(|_| is_named) else { continue };
            let (begin, end) = (x + 5.0, x + 5.0 + width(label, SMALL_SIZE));
            let next = moments.get(place + 1).map_or(f64::INFINITY, |next| self.x(next.at));
            if end + 4.0 <= next.min(self.frame.right) && row.take(begin, end) {
                canvas.text(label, (begin, y(REACH - 5.0)), SMALL_SIZE, Align::Start, INK);
            }
        }
    }
}

pub(super) fn draw_cross<B: Surface>(canvas: &mut Canvas<B>, (x, y): Spot, color: Color) {
    const ARM: f64 = 3.5;
    for turn in [-1.0, 1.0] {
        canvas.line(&[(x - ARM, y - turn * ARM), (x + ARM, y + turn * ARM)], Stroke::solid(color, 1.5));
    }
}

/// Returns a level for each span, so that spans of one level do not overlap, unless there are more than [`LEVELS`].
fn levels(spans: &[Span]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&spans[*a], &spans[*b]);
        a.from.total_cmp(&b.from).then(a.to.total_cmp(&b.to))
    });
    let mut free_from = [0.0_f64; LEVELS];
    let mut levels = vec![0; spans.len()];
    for place in order {
        let level = (0..LEVELS).find(|level| free_from[*level] <= spans[place].from).unwrap_or(LEVELS - 1);
        free_from[level] = free_from[level].max(spans[place].to);
        levels[place] = level;
    }
    levels
}

/// Returns the width of bars, if a lane's moments at these places are too near to be seen one by one.
fn bar_width(rows: &[Vec<f64>; 2]) -> Option<f64> {
    let mut gaps: Vec<f64> =
        rows.iter().flat_map(|places| places.windows(2).map(|pair| (pair[1] - pair[0]).max(0.0))).collect();
    let near = gaps.iter().filter(|gap| **gap < NEAR).count();
    if near <= 20 || near * 3 <= gaps.len() {
        return None;
    }
    gaps.sort_by(f64::total_cmp);
    let typical = gaps[gaps.len() / 2];
    Some((MOMENTS_A_BAR * typical).ceil().clamp(BAR.0, BAR.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(gap: f64, count: u32) -> Vec<f64> {
        (0..count).map(|place| 148.0 + gap * f64::from(place)).collect()
    }

    #[test]
    fn moments_become_bars_where_they_would_run_into_each_other() {
        assert_eq!(bar_width(&[even(7.0, 100), Vec::new()]), None, "an hour of heartbeats every 30 s");
        assert_eq!(bar_width(&[even(0.29, 2_880), even(0.29, 2_880)]), Some(BAR.0), "a day of them");
        assert_eq!(bar_width(&[even(1.15, 720), Vec::new()]), Some(7.0), "six hours: six or seven in a bar");
        // A burst among many is no reason to lose the others.
        let burst = [even(7.0, 100), even(0.5, 15)].concat();
        assert_eq!(bar_width(&[burst, Vec::new()]), None);
    }

    #[test]
    fn spans_that_overlap_share_the_height_of_their_lane() {
        let span = |(from, to)| Span { from, to, color: INK, label: None };
        let of = |spans: &[(f64, f64)]| levels(&spans.iter().copied().map(span).collect::<Vec<_>>());
        assert_eq!(of(&[(0.0, 10.0), (10.0, 20.0), (20.0, 20.0)]), [0, 0, 0], "one after the other");
        assert_eq!(of(&[(0.0, 10.0), (5.0, 20.0), (12.0, 30.0)]), [0, 1, 0]);
        assert_eq!(of(&[(0.0, 9.0); 6]), [0, 1, 2, 3, 3, 3], "no more levels than there is room for");
    }
}
