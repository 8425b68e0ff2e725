//! Where everything of a strip chart goes, and its drawing.

use cardiogram_policies::{Time, unit::format_duration};
use plotters::backend::DrawingBackend;

use super::{
    axis::{Window, length, moment},
    lanes::{Band, Chart, Content, Lane, STRIKE, Shape, Swatch, Tick},
};
use crate::chart::{
    canvas::{Canvas, Spot, Stroke},
    color::{AXIS, Color, FAINT_INK, GRID, INK, WHITE},
    text::{Align, width, wrap},
};

const WIDTH: f64 = 1_000.0;
/// The lanes lie between these two.
const LEFT: f64 = 148.0;
const RIGHT: f64 = WIDTH - 24.0;
const TITLE: f64 = 17.0;
const TEXT: f64 = 13.0;
const SMALL: f64 = 11.0;
const LINE: f64 = 18.0;
/// Where the marks of ends begin.
const HEAD: f64 = 60.0;
/// Height of a row of names of ends, and how many there are.
const NAME_ROW: f64 = 15.0;
const NAME_ROWS: usize = 3;
/// Above and below what is in a lane.
const ROOM: f64 = 5.0;
const BAND: f64 = 16.0;
/// The narrowest band: what lasts a moment in a day is to be seen.
const BAND_LEAST: f64 = 2.5;
/// From the middle of a lane to the end of a tick.
const TICK: f64 = 24.0;
/// Above the ticks, for their names.
const TICK_NAME: f64 = 12.0;
/// Ticks that are nearer to each other than this, in pixels, are too near to be seen apart.
const NEAR: f64 = 2.0;
/// Least and greatest width in pixels of the bars that stand for ticks which are too near.
const BAR: (f64, f64) = (2.0, 10.0);
/// A bar stands for so many ticks where they come evenly: one more or less is then a small step.
const TICKS_A_BAR: f64 = 6.0;
/// How many bands of a lane may lie above each other.
const LEVELS: usize = 4;
/// Beside more bands than this in a lane there are no names: one among many would look important.
const NAMED_BANDS_MAX: usize = 12;
/// Among bars, no more than this many ticks keep their heads.
const HEADS_MAX: usize = 60;
/// More ends than this are not ruled through the lanes.
const RULES_MAX: usize = 12;
/// The names of a lane's ticks may take this share of its width.
const NAMES_SHARE: f64 = 0.75;
/// How many ticks the axis may have.
const TICKS_MAX: u64 = 10;

/// A strip chart, laid out.
pub(super) struct Picture {
    title: String,
    window: Window,
    chart: Chart,
    sentence: Vec<String>,
    /// Upper edge of each lane, and of what follows.
    tops: Vec<f64>,
    /// The names of marks: which, the row from below, where it begins.
    names: Vec<(usize, usize, f64)>,
    legend: Vec<Spot>,
    height: f64,
}

impl Picture {
    pub(super) fn new(title: String, window: Window, chart: Chart, sentence: &str) -> Self {
        let names = names(&chart, window);
        let rows = names.iter().map(|(_, row, _)| row + 1).max().unwrap_or(0);
        let head = if chart.marks.is_empty() { 0.0 } else { NAME_ROW * rows as f64 + 10.0 };
        let mut tops = vec![HEAD + head];
        for lane in &chart.lanes {
            let top = tops.last().expect("there is one");
            tops.push(top + lane.height());
        }
        let bottom = *tops.last().expect("there is one");
        // The axis, its labels, its name.
        let mut y = bottom + 58.0;
        let mut x = LEFT;
        let mut legend = Vec::new();
        for (_, words) in &chart.legend {
            let needs = 24.0 + width(words, SMALL) + 18.0;
            if x + needs > RIGHT && x > LEFT {
                (x, y) = (LEFT, y + LINE);
            }
            legend.push((x, y));
            x += needs;
        }
        let sentence = wrap(sentence, TEXT, RIGHT - 20.0);
        let height = y + 20.0 + LINE * sentence.len() as f64 + 6.0;
        Self { title, window, chart, sentence, tops, names, legend, height }
    }

    /// In pixels.
    pub(super) fn size(&self) -> (u32, u32) {
        (WIDTH as u32, self.height.ceil() as u32)
    }

    pub(super) fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        canvas.rectangle((0.0, 0.0), (WIDTH, self.height.ceil()), WHITE);
        canvas.text(&self.title, (20.0, 22.0), TITLE, Align::Start, INK);
        let Window { from, to } = self.window;
        let [from, to] = [from, to].map(moment);
        let shown = format!("{from} to {to} ({})", format_duration(self.window.span()));
        canvas.text(&shown, (20.0, 43.0), TEXT, Align::Start, FAINT_INK);

        let (top, bottom) = (self.tops[0], self.bottom());
        for ((begin, end), shade) in &self.chart.shades {
            let (left, right) = self.wide_enough((*begin, *end), 1.0);
            canvas.rectangle((left, top), (right, bottom), *shade);
        }
        self.draw_axis(canvas);
        let lanes = || self.chart.lanes.iter().zip(&self.tops);
        lanes().for_each(|(lane, top)| self.draw_lane(canvas, lane, *top));
        self.draw_marks(canvas);
        for (lane, top) in lanes() {
            if let Content::Bands(bands) | Content::Shared(bands) = &lane.content {
                self.name_bands(canvas, bands, top + lane.height() / 2.0);
            }
        }
        for ((swatch, words), at) in self.chart.legend.iter().zip(&self.legend) {
            draw_swatch(canvas, *swatch, *at);
            canvas.text(words, (at.0 + 24.0, at.1), SMALL, Align::Start, INK);
        }
        let first = self.height - 6.0 - LINE * self.sentence.len() as f64 + LINE / 2.0;
        for (line, y) in self.sentence.iter().zip((0..).map(|line| first + LINE * f64::from(line))) {
            canvas.text(line, (20.0, y), TEXT, Align::Start, INK);
        }
    }

    fn bottom(&self) -> f64 {
        *self.tops.last().expect("there is one")
    }

    fn x(&self, at: Time) -> f64 {
        x(self.window, at)
    }

    /// The edges of a span, which is at least `least` pixels wide.
    fn wide_enough(&self, (begin, end): super::signals::Span, least: f64) -> (f64, f64) {
        let (left, right) = (self.x(begin), self.x(end));
        let missing = (least - (right - left)).max(0.0) / 2.0;
        ((left - missing).max(LEFT), (right + missing).min(RIGHT))
    }

    fn draw_axis<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        let (top, bottom) = (self.tops[0], self.bottom());
        let (ticks, unit) = self.window.ticks(TICKS_MAX);
        for (at, label) in ticks {
            let x = self.x(at);
            canvas.line(&[(x, top), (x, bottom)], Stroke::solid(GRID, 1.0));
            canvas.line(&[(x, bottom), (x, bottom + 5.0)], Stroke::solid(AXIS, 1.0));
            // The last one may not reach over the edge.
            let middle = x.min(WIDTH - 6.0 - width(&label, TEXT) / 2.0);
            canvas.text(&label, (middle, bottom + 15.0), TEXT, Align::Middle, INK);
        }
        let middle = f64::midpoint(LEFT, RIGHT);
        canvas.text(&format!("time of the run ({unit})"), (middle, bottom + 34.0), TEXT, Align::Middle, INK);
        for y in &self.tops {
            canvas.line(&[(20.0, *y), (RIGHT, *y)], Stroke::solid(GRID, 1.0));
        }
        canvas.line(&[(LEFT, bottom), (RIGHT, bottom)], Stroke::solid(AXIS, 1.0));
        canvas.line(&[(LEFT, top), (LEFT, bottom)], Stroke::solid(AXIS, 1.0));
    }

    fn draw_lane<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, lane: &Lane, top: f64) {
        let middle = top + lane.height() / 2.0;
        match &lane.content {
            Content::Bands(bands) => self.draw_bands(canvas, bands, &vec![0; bands.len()], middle),
            Content::Shared(bands) => self.draw_bands(canvas, bands, &levels(bands), middle),
            Content::Ticks(rows) => {
                canvas.line(&[(LEFT, middle), (RIGHT, middle)], Stroke::solid(AXIS, 1.0));
                let bar = bar(&rows.each_ref().map(|row| row.iter().map(|tick| self.x(tick.at)).collect()));
                let mut most = 0;
                if let Some(bar) = bar {
                    most = rows
                        .iter()
                        .map(|row| *self.counts(row.iter(), bar).iter().max().expect("bars"))
                        .max()
                        .expect("two");
                }
                let bars = bar.map(|bar| Bars { width: bar, most });
                for (row, up) in rows.iter().zip([true, false]) {
                    self.draw_ticks(canvas, row, middle, up, bars);
                }
                if let Some(Bars { width, most }) = bars {
                    let span = self.window.span().mul_f64(width / (RIGHT - LEFT));
                    let height = format!("full height: {most} in {}", length(span));
                    canvas.text(&height, (LEFT - 10.0, middle + 25.0), SMALL - 1.0, Align::End, FAINT_INK);
                }
            }
        }
        if matches!(lane.content, Content::Ticks(_)) {
            canvas.text(lane.name, (LEFT - 10.0, middle - 8.0), TEXT, Align::End, INK);
            canvas.text(lane.note, (LEFT - 10.0, middle + 9.0), SMALL, Align::End, FAINT_INK);
        } else {
            let name = format!("{} {}", lane.name, lane.note);
            canvas.text(name.trim_end(), (LEFT - 10.0, middle), TEXT, Align::End, INK);
        }
    }

    /// Draws bands, each at its level from above; the levels share the height.
    fn draw_bands<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, bands: &[Band], levels: &[usize], middle: f64) {
        let height = BAND / (levels.iter().max().unwrap_or(&0) + 1) as f64;
        for (band, level) in bands.iter().zip(levels) {
            let (left, right) = self.wide_enough(band.span, BAND_LEAST);
            let top = middle - BAND / 2.0 + height * *level as f64;
            canvas.rectangle((left, top), (right, top + height), band.color);
        }
    }

    /// Names bands: within the band, or beside it where nothing follows; else not at all.
    fn name_bands<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, bands: &[Band], middle: f64) {
        let mut free_from = LEFT;
        let mut labelled: Vec<&Band> = bands.iter().filter(|band| band.label.is_some()).collect();
        labelled.sort_by_key(|band| band.span);
        for (place, band) in labelled.iter().enumerate() {
            let label = band.label.as_deref().expect("those without are left out");
            let (left, right) = self.wide_enough(band.span, BAND_LEAST);
            let needs = width(label, SMALL);
            let visible = (left.max(free_from), right);
            if visible.1 - visible.0 >= needs + 6.0 {
                let x = f64::midpoint(visible.0, visible.1);
                canvas.text(label, (x, middle), SMALL, Align::Middle, INK);
                free_from = x + needs / 2.0 + 4.0;
                continue;
            }
            if labelled.len() > NAMED_BANDS_MAX {
                continue;
            }
            let begin = right + 4.0;
            let is_free = |other: &Band| {
                let (left, end) = self.wide_enough(other.span, BAND_LEAST);
                end <= begin - 4.0 || left > begin + needs + 2.0
            };
            let next = labelled.get(place + 1);
            if begin >= free_from
                && begin + needs <= RIGHT
                && next.is_none_or(|next| is_free(next))
                && bands.iter().all(is_free)
            {
                canvas.text(label, (begin, middle), SMALL, Align::Start, INK);
                free_from = begin + needs + 4.0;
            }
        }
    }

    /// How many ticks there are in each bar.
    fn counts<'a>(&self, ticks: impl Iterator<Item = &'a Tick>, bar: f64) -> Vec<usize> {
        let bars = ((RIGHT - LEFT) / bar).ceil() as usize;
        let mut counts = vec![0; bars];
        for tick in ticks {
            counts[(((self.x(tick.at) - LEFT) / bar) as usize).min(bars - 1)] += 1;
        }
        counts
    }

    /// Draws ticks one by one, or as bars.
    fn draw_ticks<B: DrawingBackend>(
        &self,
        canvas: &mut Canvas<B>,
        ticks: &[Tick],
        middle: f64,
        up: bool,
        bars: Option<Bars>,
    ) {
        let y = |length: f64| if up { middle - length } else { middle + length };
        let Some(Bars { width: bar_width, most }) = bars else {
            // Names for all, as far as chance allows, or for none: one name among many ticks would look important.
            let names = ticks.iter().filter_map(|tick| tick.label.as_deref());
            let needs: f64 = names.map(|name| width(name, SMALL) + 10.0).sum();
            self.draw_single(canvas, &ticks.iter().collect::<Vec<_>>(), y, needs < NAMES_SHARE * (RIGHT - LEFT));
            return;
        };
        // What went well below what did not.
        let parts = [false, true].map(|tall| ticks.iter().filter(move |tick| (tick.shape == Shape::Tall) == tall));
        let [well, not] = parts.clone().map(|part| self.counts(part, bar_width));
        let full = TICK / most as f64;
        for (bar, (well, not)) in well.into_iter().zip(not).enumerate() {
            let x = LEFT + bar_width * bar as f64;
            let levels = [0, well, well + not].map(|count| y(full * count as f64));
            for (part, level) in parts.clone().into_iter().zip(levels.windows(2)) {
                let (above, below) = (level[0].min(level[1]), level[0].max(level[1]));
                if let Some(tick) = { part }.next().filter(|_| above < below) {
                    canvas.rectangle((x, above), ((x + bar_width).min(RIGHT), below), tick.color);
                }
            }
        }
        let [_, heads] = parts.map(Iterator::collect::<Vec<_>>);
        if heads.len() <= HEADS_MAX {
            self.draw_single(canvas, &heads, y, false);
        }
    }

    fn draw_single<B: DrawingBackend>(
        &self,
        canvas: &mut Canvas<B>,
        ticks: &[&Tick],
        y: impl Fn(f64) -> f64,
        named: bool,
    ) {
        let mut free_from = LEFT;
        for (place, tick) in ticks.iter().enumerate() {
            let x = self.x(tick.at);
            match tick.shape {
                Shape::Line => canvas.line(&[(x, y(0.0)), (x, y(TICK))], Stroke::solid(tick.color, 1.5)),
                Shape::Tall => {
                    canvas.line(&[(x, y(0.0)), (x, y(TICK))], Stroke::solid(tick.color, 1.5));
                    canvas.disc((x, y(TICK)), 2.5, tick.color);
                }
                Shape::Cross => cross(canvas, (x, y(TICK / 2.0)), tick.color),
            }
            let Some(label) = tick.label.as_ref().filter(|_| named) else { continue };
            let (begin, needs) = (x + 5.0, width(label, SMALL));
            let next = ticks.get(place + 1).map_or(f64::INFINITY, |next| self.x(next.at));
            if begin >= free_from && begin + needs + 4.0 <= next.min(RIGHT) {
                canvas.text(label, (begin, y(TICK - 5.0)), SMALL, Align::Start, INK);
                free_from = begin + needs + 4.0;
            }
        }
    }

    /// The ends of sessions: a mark above the lanes, with its name where there is room, and a line through them where there
    /// are few.
    fn draw_marks<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        let (top, bottom) = (self.tops[0], self.bottom());
        if self.chart.strikes.len() <= RULES_MAX {
            for at in &self.chart.strikes {
                let dotted = Stroke { color: STRIKE, width: 1.0, dash: Some((2.0, 3.0)) };
                canvas.line(&[(self.x(*at), top), (self.x(*at), bottom)], dotted);
            }
        }
        for (at, _) in &self.chart.marks {
            let x = self.x(*at);
            if self.chart.marks.len() <= RULES_MAX {
                let dashed = Stroke { color: INK, width: 1.0, dash: Some((4.0, 3.0)) };
                canvas.line(&[(x, top), (x, bottom)], dashed);
            }
            draw_mark(canvas, (x, top));
        }
        for (place, row, begin) in &self.names {
            let y = top - 15.0 - NAME_ROW * *row as f64;
            canvas.text(&self.chart.marks[*place].1, (*begin, y), SMALL, Align::Start, INK);
        }
    }
}

/// A level for each band, so that bands of one level do not overlap, unless there are more than [`LEVELS`].
fn levels(bands: &[Band]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..bands.len()).collect();
    order.sort_by_key(|place| bands[*place].span);
    let mut free_from = [Time::ZERO; LEVELS];
    let mut levels = vec![0; bands.len()];
    for place in order {
        let (begin, end) = bands[place].span;
        let level = (0..LEVELS).find(|level| free_from[*level] <= begin).unwrap_or(LEVELS - 1);
        free_from[level] = free_from[level].max(end);
        levels[place] = level;
    }
    levels
}

/// Bars of a lane in place of ticks.
#[derive(Clone, Copy)]
struct Bars {
    /// In pixels.
    width: f64,
    /// How many ticks one of full height stands for.
    most: usize,
}

/// The width of bars, if a lane's ticks at these places are too near to be seen one by one.
fn bar(rows: &[Vec<f64>; 2]) -> Option<f64> {
    let mut gaps: Vec<f64> =
        rows.iter().flat_map(|places| places.windows(2).map(|pair| (pair[1] - pair[0]).max(0.0))).collect();
    let near = gaps.iter().filter(|gap| **gap < NEAR).count();
    if near <= 20 || near * 3 <= gaps.len() {
        return None;
    }
    gaps.sort_by(f64::total_cmp);
    let typical = gaps[gaps.len() / 2];
    Some((TICKS_A_BAR * typical).ceil().clamp(BAR.0, BAR.1))
}

fn x(window: Window, at: Time) -> f64 {
    LEFT + window.place(at) * (RIGHT - LEFT)
}

/// Where the names of marks go; none have any where there is no room for all: it could not be said whose they are.
fn names(chart: &Chart, window: Window) -> Vec<(usize, usize, f64)> {
    let mut free_from = [20.0; NAME_ROWS];
    let mut names = Vec::new();
    for (place, (at, name)) in chart.marks.iter().enumerate() {
        let needs = width(name, SMALL);
        let begin = (x(window, *at) - needs / 2.0).clamp(20.0, WIDTH - 10.0 - needs);
        // The lower row first.
        let Some(row) = (0..NAME_ROWS).find(|row| free_from[*row] <= begin) else { return Vec::new() };
        names.push((place, row, begin));
        free_from[row] = begin + needs + 10.0;
    }
    names
}

impl Lane {
    fn height(&self) -> f64 {
        match self.content {
            Content::Bands(_) | Content::Shared(_) => BAND + 2.0 * ROOM,
            Content::Ticks(_) => 2.0 * (TICK + ROOM) + TICK_NAME / 2.0,
        }
    }
}

fn cross<B: DrawingBackend>(canvas: &mut Canvas<B>, (x, y): Spot, color: Color) {
    const ARM: f64 = 3.5;
    canvas.line(&[(x - ARM, y - ARM), (x + ARM, y + ARM)], Stroke::solid(color, 1.5));
    canvas.line(&[(x - ARM, y + ARM), (x + ARM, y - ARM)], Stroke::solid(color, 1.5));
}

/// A triangle whose tip is at a spot.
fn draw_mark<B: DrawingBackend>(canvas: &mut Canvas<B>, (x, y): Spot) {
    canvas.polygon(&[(x - 4.0, y - 7.0), (x + 4.0, y - 7.0), (x, y)], INK);
}

fn draw_swatch<B: DrawingBackend>(canvas: &mut Canvas<B>, swatch: Swatch, (x, y): Spot) {
    match swatch {
        Swatch::Band(color) => canvas.rectangle((x, y - 5.0), (x + 18.0, y + 5.0), color),
        Swatch::Tick(color) => canvas.line(&[(x + 9.0, y - 6.0), (x + 9.0, y + 6.0)], Stroke::solid(color, 2.0)),
        Swatch::Cross(color) => cross(canvas, (x + 9.0, y), color),
        Swatch::Strike => {
            let dotted = Stroke { color: STRIKE, width: 1.5, dash: Some((2.0, 2.0)) };
            canvas.line(&[(x + 9.0, y - 6.0), (x + 9.0, y + 6.0)], dotted);
        }
        Swatch::Mark => draw_mark(canvas, (x + 9.0, y + 4.0)),
    }
}

#[cfg(test)]
mod tests {
    use cardiogram_policies::Time;

    use super::*;

    fn even(gap: f64, count: u32) -> Vec<f64> {
        (0..count).map(|place| LEFT + gap * f64::from(place)).collect()
    }

    #[test]
    fn ticks_become_bars_where_they_would_run_into_each_other() {
        assert_eq!(bar(&[even(7.0, 100), Vec::new()]), None, "an hour of heartbeats every 30 s");
        assert_eq!(bar(&[even(0.29, 2_880), even(0.29, 2_880)]), Some(BAR.0), "a day of them");
        assert_eq!(bar(&[even(1.15, 720), Vec::new()]), Some(7.0), "six hours: six or seven in a bar");
        // A burst among many is no reason to lose the others.
        let burst = [even(7.0, 100), even(0.5, 15)].concat();
        assert_eq!(bar(&[burst, Vec::new()]), None);
    }

    #[test]
    fn faults_that_overlap_share_the_height_of_their_lane() {
        let band =
            |(begin, end)| Band { span: (Time::from_secs(begin), Time::from_secs(end)), color: STRIKE, label: None };
        let of = |spans: &[(u64, u64)]| levels(&spans.iter().copied().map(band).collect::<Vec<_>>());
        assert_eq!(of(&[(0, 10), (10, 20), (20, 20)]), [0, 0, 0], "one after the other");
        assert_eq!(of(&[(0, 10), (5, 20), (12, 30)]), [0, 1, 0]);
        assert_eq!(of(&[(0, 9); 6]), [0, 1, 2, 3, 3, 3], "no more levels than there is room for");
    }

    #[test]
    fn names_of_marks_stand_for_all_or_for_none_and_never_over_each_other() {
        let window = Window { from: Time::ZERO, to: Time::from_secs(1_000) };
        let chart = |secs: &[u64]| Chart {
            lanes: Vec::new(),
            shades: Vec::new(),
            strikes: Vec::new(),
            marks: secs.iter().map(|at| (Time::from_secs(*at), "gives up: no reply".to_owned())).collect(),
            legend: Vec::new(),
        };
        let rows = |secs: &[u64]| names(&chart(secs), window).iter().map(|(_, row, _)| *row).collect::<Vec<_>>();
        assert_eq!(rows(&[100, 500, 900]), [0, 0, 0]);
        assert_eq!(rows(&[100, 110, 900]), [0, 1, 0]);
        assert!(rows(&[100, 110, 120, 130]).is_empty());
    }
}
