//! One picture with two axes: what is on it, where everything goes, and how it becomes SVG and PNG.
//!
//! plotters draws lines, polygons and text; the layout is ours, because its charts place no names beside points and
//! label logarithmic axes by powers of ten only. This is not the place for what a plot means: see [`crate::plots`].

pub(crate) mod canvas;
mod labels;
mod scale;
pub(crate) mod text;

use plotters::backend::DrawingBackend;

use crate::bootstrap::Interval;

use self::{
    canvas::{Canvas, Spot},
    labels::{Anchor, Placement, Rect},
    text::Align,
};
pub(crate) use self::{
    canvas::{Color, Stroke},
    scale::Scale,
};

/// Width of every chart in pixels.
const WIDTH: f64 = 920.0;
/// Height of a row of a chart whose vertical axis has names.
const ROW_HEIGHT: f64 = 26.0;
/// Height of the plotting area of a chart whose vertical axis has numbers.
const FRAME_HEIGHT: f64 = 430.0;
/// Height of a strip above or below the plotting area: two rows of names.
const STRIP_HEIGHT: f64 = 56.0;
/// Longest name beside the vertical axis; longer ones reach over the edge.
const NAMES_WIDTH_MAX: f64 = 260.0;

const TITLE_SIZE: f64 = 17.0;
const TEXT_SIZE: f64 = 13.0;
const SMALL_SIZE: f64 = 12.0;
const LINE_HEIGHT: f64 = 18.0;
const SMALL_LINE_HEIGHT: f64 = 14.0;

const WHITE: Color = Color(255, 255, 255);
const INK: Color = Color(34, 34, 34);
const FAINT_INK: Color = Color(90, 90, 90);
const AXIS: Color = Color(110, 110, 110);
const GRID: Color = Color(226, 226, 226);

/// Okabe and Ito's palette for colour-blind readers ("Color Universal Design", 2008), without its yellow, which is too
/// faint on white.
const PALETTE: [Color; 7] = [
    Color(0, 114, 178),
    Color(213, 94, 0),
    Color(0, 158, 115),
    Color(204, 121, 167),
    Color(230, 159, 0),
    Color(86, 180, 233),
    Color(0, 0, 0),
];

/// A picture with two axes.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// Name of the strip above the plotting area, for points beyond the vertical axis; `None`: no strip.
    pub(crate) above: Option<String>,
    /// Name of the strip below it, for points that the vertical axis says nothing about.
    pub(crate) below: Option<String>,
    /// In the order of drawing; names come last, above all.
    pub(crate) marks: Vec<Mark>,
    /// What each kind of line means.
    pub(crate) legend: Vec<(String, Stroke)>,
    /// Sentences below the picture.
    pub(crate) notes: Vec<String>,
}

/// An axis with its name and unit.
#[derive(Debug)]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) scale: Scale,
}

/// A place in values of the two axes.
pub(crate) type Values = (f64, f64);

/// Something drawn at values of the axes.
#[derive(Debug)]
pub(crate) enum Mark {
    /// A line through points.
    Line(Vec<Values>, Stroke),
    /// A vertical line at a value, through the strips too.
    Rule(f64, Stroke),
    /// A filled polygon.
    Area(Vec<Values>, Color),
    /// A marker with its name.
    Point(Point),
    /// A horizontal bar from the left edge, with a text at its end.
    Bar { row: f64, value: f64, identity: Identity, text: String },
}

/// A marker with its intervals and its name.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) x_interval: Option<Interval>,
    pub(crate) y: Height,
    pub(crate) identity: Identity,
    pub(crate) name: String,
}

/// Where a point lies along the vertical axis.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Height {
    /// At a value.
    At { value: f64, interval: Option<Interval> },
    /// At this value or higher: an open marker with an arrow up.
    AtLeast(f64),
    /// In the strip above.
    Above,
    /// In the strip below.
    Below,
}

/// Which colour and shape something has: the same number looks the same in every chart, and 35 numbers look different.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity(pub(crate) usize);

impl Identity {
    const fn color(self) -> Color {
        PALETTE[self.0 % PALETTE.len()]
    }
}

impl Chart {
    /// The picture as SVG text.
    pub(crate) fn to_svg(&self) -> String {
        let layout = Layout::of(self);
        canvas::svg(layout.size(), |canvas| layout.draw(canvas))
    }

    /// The picture as a PNG file.
    pub(crate) fn to_png(&self) -> Vec<u8> {
        let layout = Layout::of(self);
        canvas::png(layout.size(), |canvas| layout.draw(canvas))
    }
}

/// Where everything of a chart goes.
struct Layout<'a> {
    chart: &'a Chart,
    /// The plotting area.
    frame: Rect,
    /// The plotting area with the strips above and below it.
    outer: Rect,
    /// For each point of the chart; `None` where there was no room.
    names: Vec<Option<Placement>>,
    /// Wrapped lines.
    notes: Vec<String>,
}

impl<'a> Layout<'a> {
    fn of(chart: &'a Chart) -> Self {
        let (left, height) = match &chart.y.scale {
            Scale::Names(names) => {
                let widest = names.iter().map(|name| text::width(name, TEXT_SIZE)).fold(0.0, f64::max);
                (24.0 + widest.min(NAMES_WIDTH_MAX), ROW_HEIGHT * names.len() as f64)
            }
            Scale::Log { .. } | Scale::Linear { .. } => (84.0, FRAME_HEIGHT),
        };
        let top = if chart.legend.is_empty() { 52.0 } else { 76.0 };
        let strip_height = |strip: &Option<String>| if strip.is_some() { STRIP_HEIGHT } else { 0.0 };
        let frame_top = top + strip_height(&chart.above);
        let frame = Rect { left, top: frame_top, right: WIDTH - 24.0, bottom: frame_top + height };
        let outer = Rect { top, bottom: frame.bottom + strip_height(&chart.below), ..frame };
        let mut layout = Self { chart, frame, outer, names: Vec::new(), notes: Vec::new() };
        layout.names = layout.place_names();
        let mut notes = chart.notes.clone();
        notes.extend(layout.unnamed());
        layout.notes = notes.iter().flat_map(|note| text::wrap(note, SMALL_SIZE, WIDTH - 32.0)).collect();
        layout
    }

    fn size(&self) -> (u32, u32) {
        (WIDTH as u32, (self.notes_top() + LINE_HEIGHT * self.notes.len() as f64 + 10.0) as u32)
    }

    fn notes_top(&self) -> f64 {
        self.outer.bottom + 58.0
    }

    /// What lies beyond the axis, such as the end of an interval at 0 on a logarithmic one, lies at its end.
    fn x(&self, value: f64) -> f64 {
        self.frame.left + self.chart.x.scale.place(value).clamp(0.0, 1.0) * (self.frame.right - self.frame.left)
    }

    fn y(&self, value: f64) -> f64 {
        let place = self.chart.y.scale.place(value).clamp(0.0, 1.0) * (self.frame.bottom - self.frame.top);
        // Numbers go up, names go down.
        if matches!(self.chart.y.scale, Scale::Names(_)) { self.frame.top + place } else { self.frame.bottom - place }
    }

    fn spot(&self, (x, y): Values) -> Spot {
        (self.x(x), self.y(y))
    }

    /// The ends of a vertical line.
    fn rule(&self, x: f64) -> (Spot, Spot) {
        ((self.x(x), self.outer.top), (self.x(x), self.outer.bottom))
    }

    fn center(&self, point: &Point) -> Spot {
        let y = match point.y {
            Height::At { value, .. } | Height::AtLeast(value) => self.y(value),
            Height::Above => f64::midpoint(self.outer.top, self.frame.top),
            Height::Below => f64::midpoint(self.frame.bottom, self.outer.bottom),
        };
        (self.x(point.x), y)
    }

    fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        let size = self.size();
        canvas.rectangle((0.0, 0.0), (size.0.into(), size.1.into()), WHITE);
        canvas.text(&self.chart.title, (16.0, 26.0), TITLE_SIZE, Align::Start, INK);
        self.draw_legend(canvas);
        for mark in &self.chart.marks {
            if let Mark::Area(points, color) = mark {
                canvas.polygon(&points.iter().map(|&point| self.spot(point)).collect::<Vec<_>>(), *color);
            }
        }
        self.draw_axes(canvas);
        self.draw_strips(canvas);
        for mark in &self.chart.marks {
            self.draw_mark(canvas, mark);
        }
        self.draw_names(canvas);
        for (line, note) in self.notes.iter().enumerate() {
            let y = self.notes_top() + LINE_HEIGHT * line as f64;
            canvas.text(note, (16.0, y), SMALL_SIZE, Align::Start, FAINT_INK);
        }
    }

    fn draw_legend<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        let (mut x, y) = (self.frame.left, 56.0);
        for (label, stroke) in &self.chart.legend {
            canvas.line(&[(x, y), (x + 30.0, y)], *stroke);
            canvas.text(label, (x + 38.0, y), SMALL_SIZE, Align::Start, INK);
            x += 38.0 + text::width(label, SMALL_SIZE) + 28.0;
        }
    }

    fn draw_axes<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        let Rect { left, top, right, bottom } = self.outer;
        for tick in self.chart.x.scale.ticks() {
            let x = self.x(tick.value);
            if let Some(label) = tick.label {
                canvas.line(&[(x, top), (x, bottom)], Stroke::solid(GRID, 1.0));
                canvas.line(&[(x, bottom), (x, bottom + 5.0)], Stroke::solid(AXIS, 1.0));
                canvas.text(&label, (x, bottom + 15.0), SMALL_SIZE, Align::Middle, INK);
            } else {
                canvas.line(&[(x, bottom), (x, bottom + 3.0)], Stroke::solid(AXIS, 1.0));
            }
        }
        let is_named = matches!(self.chart.y.scale, Scale::Names(_));
        for tick in self.chart.y.scale.ticks() {
            let y = self.y(tick.value);
            if let Some(label) = tick.label {
                if !is_named {
                    canvas.line(&[(left, y), (right, y)], Stroke::solid(GRID, 1.0));
                    canvas.line(&[(left - 5.0, y), (left, y)], Stroke::solid(AXIS, 1.0));
                }
                let size = if is_named { TEXT_SIZE } else { SMALL_SIZE };
                canvas.text(&label, (left - 8.0, y), size, Align::End, INK);
            } else {
                canvas.line(&[(left - 3.0, y), (left, y)], Stroke::solid(AXIS, 1.0));
            }
        }
        canvas.line(&[(left, top), (left, bottom), (right, bottom)], Stroke::solid(AXIS, 1.0));
        canvas.text(&self.chart.x.label, (f64::midpoint(left, right), bottom + 36.0), TEXT_SIZE, Align::Middle, INK);
        let middle = f64::midpoint(self.frame.top, self.frame.bottom);
        canvas.turned_text(&self.chart.y.label, (20.0, middle), TEXT_SIZE, INK);
    }

    /// The names of the strips, and the lines between them and the plotting area.
    fn draw_strips<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        let Rect { left, right, top, bottom } = self.frame;
        let strips = [(&self.chart.above, self.outer.top, top), (&self.chart.below, bottom, self.outer.bottom)];
        for (strip, from, to) in strips {
            let Some(name) = strip else { continue };
            let edge = if to <= top { top } else { bottom };
            canvas.line(&[(left, edge), (right, edge)], Stroke { color: AXIS, width: 1.0, dash: Some((2.0, 3.0)) });
            let lines = text::wrap(name, SMALL_SIZE, left - 12.0);
            let first = f64::midpoint(from, to) - (lines.len() - 1) as f64 * SMALL_LINE_HEIGHT / 2.0;
            for (index, line) in lines.iter().enumerate() {
                let y = first + index as f64 * SMALL_LINE_HEIGHT;
                canvas.text(line, (left - 8.0, y), SMALL_SIZE, Align::End, FAINT_INK);
            }
        }
    }

    fn draw_mark<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, mark: &Mark) {
        match mark {
            // Behind the axes.
            Mark::Area(..) => {}
            Mark::Line(points, stroke) => {
                canvas.line(&points.iter().map(|&point| self.spot(point)).collect::<Vec<_>>(), *stroke);
            }
            Mark::Rule(x, stroke) => {
                let (from, to) = self.rule(*x);
                canvas.line(&[from, to], *stroke);
            }
            Mark::Point(point) => self.draw_point(canvas, point),
            Mark::Bar { row, value, identity, text } => {
                let (end, middle) = self.spot((*value, *row));
                let reach = ROW_HEIGHT * 0.32;
                canvas.rectangle((self.frame.left, middle - reach), (end, middle + reach), identity.color());
                // Beside the bar where there is room, else over its end on white.
                let width = text::width(text, SMALL_SIZE);
                let left = (end + 8.0).min(self.frame.right - width - 4.0);
                if left < end + 8.0 {
                    canvas.rectangle((left - 4.0, middle - reach), (left + width + 4.0, middle + reach), WHITE);
                }
                canvas.text(text, (left, middle), SMALL_SIZE, Align::Start, INK);
            }
        }
    }

    fn draw_point<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, point: &Point) {
        let (center, color) = (self.center(point), point.identity.color());
        let whisker = Stroke::solid(color, 1.0);
        for (from, to) in self.whiskers(point) {
            canvas.line(&[from, to], whisker);
            // A bar across each end.
            let across = if (from.0 - to.0).abs() < (from.1 - to.1).abs() { (4.0, 0.0) } else { (0.0, 4.0) };
            for end in [from, to] {
                let ends = [(end.0 - across.0, end.1 - across.1), (end.0 + across.0, end.1 + across.1)];
                canvas.line(&ends, whisker);
            }
        }
        let is_open = matches!(point.y, Height::AtLeast(_));
        if is_open {
            let tip = (center.0, center.1 - 20.0);
            canvas.line(&[center, tip], Stroke::solid(color, 2.0));
            canvas.line(&[(tip.0 - 4.0, tip.1 + 5.0), tip, (tip.0 + 4.0, tip.1 + 5.0)], Stroke::solid(color, 2.0));
        }
        draw_marker(canvas, point.identity, center, 7.5, WHITE);
        draw_marker(canvas, point.identity, center, 6.0, color);
        if is_open {
            draw_marker(canvas, point.identity, center, 3.5, WHITE);
        }
    }

    /// The intervals of a point as lines; those too short to be seen are left out.
    fn whiskers(&self, point: &Point) -> impl Iterator<Item = (Spot, Spot)> {
        let (x, y) = self.center(point);
        let across = point.x_interval.map(|interval| ((self.x(interval.low), y), (self.x(interval.high), y)));
        let along = match point.y {
            Height::At { interval, .. } => {
                interval.map(|interval| ((x, self.y(interval.low)), (x, self.y(interval.high))))
            }
            Height::AtLeast(_) | Height::Above | Height::Below => None,
        };
        let reaches_out = |(from, to): &(Spot, Spot)| (from.0 - to.0).abs().max((from.1 - to.1).abs()) > 2.0;
        [across, along].into_iter().flatten().filter(reaches_out)
    }

    fn draw_names<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        for (point, placement) in self.points().zip(&self.names) {
            let Some(Placement { name, leader }) = placement else { continue };
            if let Some((from, to)) = leader {
                canvas.line(&[*from, *to], Stroke::solid(AXIS, 1.0));
            }
            canvas.rectangle((name.left - 1.0, name.top), (name.right + 1.0, name.bottom), WHITE);
            // On the side of the marker, so that a browser's narrower font leaves no gap there.
            let (x, align) =
                if name.right < self.x(point.x) { (name.right, Align::End) } else { (name.left, Align::Start) };
            canvas.text(&point.name, (x, f64::midpoint(name.top, name.bottom)), SMALL_SIZE, align, INK);
        }
    }

    fn points(&self) -> impl Iterator<Item = &'a Point> {
        let point = |mark: &'a Mark| if let Mark::Point(point) = mark { Some(point) } else { None };
        self.chart.marks.iter().filter_map(point)
    }

    fn place_names(&self) -> Vec<Option<Placement>> {
        let anchor = |point: &Point| Anchor {
            at: self.center(point),
            width: text::width(&point.name, SMALL_SIZE),
            height: SMALL_SIZE + 3.0,
        };
        let mut lines: Vec<(Spot, Spot)> = self.points().flat_map(|point| self.whiskers(point)).collect();
        for mark in &self.chart.marks {
            match mark {
                Mark::Line(points, _) => {
                    lines.extend(points.windows(2).map(|pair| (self.spot(pair[0]), self.spot(pair[1]))));
                }
                Mark::Rule(x, _) => lines.push(self.rule(*x)),
                Mark::Area(..) | Mark::Point(_) | Mark::Bar { .. } => {}
            }
        }
        labels::place(&self.points().map(anchor).collect::<Vec<_>>(), &self.outer, &lines)
    }

    /// A note on the points that found no room for their names.
    fn unnamed(&self) -> Option<String> {
        let unplaced = self.points().zip(&self.names).filter(|(_, placement)| placement.is_none());
        let names: Vec<&str> = unplaced.map(|(point, _)| point.name.as_str()).collect();
        (!names.is_empty()).then(|| format!("No room for the names of: {}.", names.join(", ")))
    }
}

/// A marker whose shape and colour tell who it is.
fn draw_marker<B: DrawingBackend>(canvas: &mut Canvas<B>, identity: Identity, (x, y): Spot, size: f64, color: Color) {
    let around =
        |corners: &[Spot]| corners.iter().map(|corner| (x + corner.0 * size, y + corner.1 * size)).collect::<Vec<_>>();
    match identity.0 % 5 {
        0 => canvas.disc((x, y), size, color),
        1 => canvas.polygon(&around(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]), color),
        2 => canvas.polygon(&around(&[(0.0, -1.1), (1.1, 0.8), (-1.1, 0.8)]), color),
        3 => canvas.polygon(&around(&[(0.0, -1.2), (1.2, 0.0), (0.0, 1.2), (-1.2, 0.0)]), color),
        _ => canvas.polygon(&around(&[(0.0, 1.1), (1.1, -0.8), (-1.1, -0.8)]), color),
    }
}
