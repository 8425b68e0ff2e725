//! One picture with two axes: what is on it, and how it becomes SVG and PNG. Where everything goes is in `layout`, how it
//! is drawn in `draw`.
//!
//! plotters draws bitmaps of lines, polygons and text; the layout is ours, because its charts place no names beside points
//! and label logarithmic axes by powers of ten only. This is not the place for what a plot means: see [`crate::plots`].

mod bitmap;
mod canvas;
mod clock;
mod color;
mod draw;
mod labels;
mod lanes;
mod layout;
mod scale;
mod svg;
mod table;
mod text;

use crate::statistics::bootstrap::Interval;

use self::layout::Layout;
pub(crate) use self::{
    canvas::{Stroke, Tip},
    clock::{in_unit, length, moment},
    color::{
        BOUND, BROKEN, CEILING, Color, DISTURBANCE, DISTURBANCE_SHADE, FAULT, FAULT_SHADE, FRONT, KEEP_ALIVE,
        OUT_OF_REACH, PALETTE, SCREEN, WHITE, dark_rules,
    },
    lanes::{Lane, Moment, Shape, Span},
    scale::Scale,
};

/// A picture with two axes.
#[derive(Debug)]
pub(crate) struct Chart {
    /// Empty where none is wanted, such as on paper, where a caption says it.
    pub(crate) title: String,
    pub(crate) size: Size,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// The name of the strip above the plotting area, for points beyond the vertical axis; `None` if there is no such strip.
    pub(crate) above: Option<String>,
    /// The name of the strip below the plotting area, for points that the vertical axis says nothing about; `None` if there is no
    /// such strip.
    pub(crate) below: Option<String>,
    /// What is drawn, in this order; names come last, above everything.
    pub(crate) marks: Vec<Mark>,
    /// What each kind of line, colour or marker means.
    pub(crate) legend: Vec<(String, Key)>,
    /// What the colours of cells mean.
    pub(crate) color_scale: Option<ColorScale>,
    /// Sentences below the picture.
    pub(crate) notes: Vec<String>,
}

/// A picture in several forms.
#[derive(Debug)]
pub(crate) struct Drawn {
    /// A file that follows the reader's theme by itself.
    pub(crate) svg: String,
    /// For a page that has [`dark_rules`].
    pub(crate) inline_svg: String,
    /// A file in the light theme.
    pub(crate) png: Vec<u8>,
}

/// How large a picture is, in its pixels; how high, follows from what is on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Size {
    pub(crate) width: f64,
    /// Of a plotting area whose vertical axis has numbers.
    plot_height: f64,
    /// The width on paper, in centimetres; `None` for a screen.
    pub(crate) paper_cm: Option<f64>,
}

impl Size {
    /// Of all plots of a report.
    pub(crate) const SCREEN: Self = Self { width: 920.0, plot_height: 430.0, paper_cm: None };
    /// Makes the small letters of a picture, of 12 pixels, 7 points high on paper.
    const PIXELS_PER_CM: f64 = 12.0 / 7.0 * 72.0 / 2.54;

    /// Returns the size of a picture that is so wide on paper.
    pub(crate) fn paper(width_cm: f64) -> Self {
        let width = (width_cm * Self::PIXELS_PER_CM).round();
        // High enough for the names of all axes, which are read from bottom to top.
        let plot_height = (0.56 * width).clamp(290.0, Self::SCREEN.plot_height).round();
        Self { width, plot_height, paper_cm: Some(width_cm) }
    }
}

/// An axis with its name and unit.
#[derive(Debug)]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) scale: Scale,
}

impl Axis {
    pub(crate) fn new(label: &str, scale: Scale) -> Self {
        Self { label: label.to_owned(), scale }
    }
}

/// What a legend shows beside its words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Key {
    Line(Stroke),
    Patch(Color),
    Marker(Identity),
    /// The upright line of a moment.
    Tick(Color),
    Cross(Color),
}

/// The values that the colours of viridis stand for, from dark to light.
#[derive(Debug)]
pub(crate) struct ColorScale {
    /// The name of the values, with their unit.
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
    /// A line that belongs to a strategy.
    Curve { points: Vec<Values>, identity: Identity, tip: Tip },
    /// A vertical line at a value, through the strips too.
    Rule(f64, Stroke),
    /// A filled polygon behind everything.
    Area(Vec<Values>, Color),
    /// A stripe from top to bottom, behind everything, that is at least a pixel wide.
    Shade { from: f64, to: f64, color: Color },
    /// The intervals of a strategy's line, behind everything. Other bands show through.
    Band { ends: Vec<(f64, Interval)>, name: String, identity: Identity },
    /// A marker with its name.
    Point(Point),
    /// A marker without a name in a row of names, with its interval; open and with an arrow where it lies at the value or higher.
    Dot { row: f64, value: f64, interval: Option<Interval>, at_least: bool, identity: Identity, tip: Tip },
    /// Horizontal bars from the left edge, one after the other, with the interval of their sum and a text at their end. Where
    /// they are longer than the axis, they are drawn in proportion up to its end, with a break.
    Bars { row: f64, parts: Vec<(f64, Color)>, interval: Option<Interval>, text: String, tip: Tip },
    /// A text right of a row.
    Words { row: f64, text: String },
    /// A cell of a heat map, filled by the colour scale, with a text where there is room. The places are indices of
    /// names; without a value it stays empty.
    Cell { column: f64, row: f64, value: Option<f64>, text: String },
    /// What lasts, in a lane, with names where there is room; what overlaps shares the lane's height where `shared`.
    Spans { lane: usize, spans: Vec<Span>, shared: bool },
    /// What happens, in a tall lane: the first row goes up from its middle, the second down.
    Moments { lane: usize, rows: [Vec<Moment>; 2] },
}

/// A marker with its intervals and its name.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) x_interval: Option<Interval>,
    pub(crate) y: Height,
    pub(crate) identity: Identity,
    /// The name beside it; empty if it has none.
    pub(crate) name: String,
    /// Whether its name is placed before those of others: the plot is about it.
    pub(crate) leads: bool,
    pub(crate) tip: Tip,
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

/// What tells a strategy, or a cause, from others: a colour, a shape of markers, and dashes of lines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Identity {
    pub(crate) color: Color,
    pub(crate) marker: Marker,
    /// Lengths of dash and gap in pixels; `None` for a solid line.
    pub(crate) dash: Option<(f64, f64)>,
}

/// The shape of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    Disc,
    Square,
    Up,
    Diamond,
    Down,
}

impl Identity {
    /// The end of a session on a strip chart.
    pub(crate) const END: Self = Self { color: color::INK, marker: Marker::Down, dash: None };

    /// Returns the identity of a number. 60 numbers look different as markers, and 36 as lines.
    pub(crate) const fn nth(index: usize) -> Self {
        const MARKERS: [Marker; 5] = [Marker::Disc, Marker::Square, Marker::Up, Marker::Diamond, Marker::Down];
        const DASHES: [Option<(f64, f64)>; 3] = [None, Some((9.0, 4.0)), Some((3.0, 3.0))];
        Self {
            color: PALETTE[index % PALETTE.len()],
            marker: MARKERS[index % MARKERS.len()],
            dash: DASHES[index / PALETTE.len() % DASHES.len()],
        }
    }

    pub(crate) const fn stroke(self) -> Stroke {
        Stroke { color: self.color, width: 2.0, dash: self.dash }
    }
}

impl Chart {
    /// Returns a picture with nothing on it.
    pub(crate) const fn new(title: String, x: Axis, y: Axis) -> Self {
        Self {
            title,
            size: Size::SCREEN,
            x,
            y,
            above: None,
            below: None,
            marks: Vec::new(),
            legend: Vec::new(),
            color_scale: None,
            notes: Vec::new(),
        }
    }

    /// Returns the picture in all forms that a report has. Where everything goes is worked out once.
    pub(crate) fn draw(&self) -> Drawn {
        let layout = Layout::of(self);
        let svg = canvas::drawn_svg(layout.size(), |canvas| layout.draw(canvas));
        Drawn {
            svg: svg.finish(true),
            inline_svg: svg.finish(false),
            png: canvas::png(layout.size(), |canvas| layout.draw(canvas)),
        }
    }

    /// Returns the picture as an SVG file, which follows the reader's theme by itself.
    pub(crate) fn to_svg(&self) -> String {
        let layout = Layout::of(self);
        canvas::drawn_svg(layout.size(), |canvas| layout.draw(canvas)).finish(true)
    }

    /// Returns the picture as an SVG file in the light theme, of its width on paper.
    pub(crate) fn to_paper_svg(&self) -> String {
        let layout = Layout::of(self);
        canvas::drawn_svg(layout.size(), |canvas| layout.draw(canvas)).on_paper(self.size.paper_cm)
    }

    /// Returns what the picture shows as CSV.
    pub(crate) fn to_csv(&self) -> String {
        table::csv(self)
    }

    /// Returns the picture as a PNG file in the light theme.
    pub(crate) fn to_png(&self) -> Vec<u8> {
        let layout = Layout::of(self);
        canvas::png(layout.size(), |canvas| layout.draw(canvas))
    }
}

#[cfg(test)]
impl Chart {
    /// Returns the picture as SVG for a page that has [`dark_rules`].
    pub(crate) fn to_inline_svg(&self) -> String {
        self.draw().inline_svg
    }

    /// Returns a place near the upper left corner of each cell that has a colour, beside its text, with the colour.
    pub(crate) fn cell_corners(&self) -> Vec<(canvas::Spot, Color)> {
        Layout::of(self).cell_corners()
    }

    /// Returns what is wrong where two texts overlap, or one leaves the picture.
    pub(crate) fn crowded(&self) -> Option<String> {
        let layout = Layout::of(self);
        let mut texts = Vec::new();
        let (width, height) = layout.size();
        let svg = canvas::drawn_svg(layout.size(), |canvas| layout.draw(canvas)).finish(false);
        for element in svg.split("<text ").skip(1) {
            texts.push(text_box(element));
        }
        for (index, (text, place)) in texts.iter().enumerate() {
            let inside = place.left >= -1.0
                && place.top >= -1.0
                && place.right <= f64::from(width) + 1.0
                && place.bottom <= f64::from(height) + 1.0;
            if !inside {
                return Some(format!("{text} leaves the picture: {place:?}"));
            }
            if let Some((other, _)) = texts[..index].iter().find(|(_, other)| other.overlaps(place)) {
                return Some(format!("{text} lies over {other}"));
            }
        }
        None
    }
}

/// Returns the text of an SVG's text element and the place it takes; a little less than its line's height, since neighbouring
/// lines may touch.
#[cfg(test)]
fn text_box(element: &str) -> (String, labels::Rect) {
    let attribute = |name: &str| {
        let from = element.find(&format!("{name}=\""))? + name.len() + 2;
        element[from..].split('"').next()
    };
    let words = element.split_once('>').expect("a tag ends").1.split('<').next().expect("a text has an end");
    let words = words.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    let size: f64 = attribute("font-size").map_or(12.0, |size| size.parse().expect("a size is a number"));
    let width = text::width(&words, size);
    let (up, down) = (0.7 * size, 0.2 * size);
    if let Some(transform) = attribute("transform") {
        let (place, _) = transform.trim_start_matches("translate(").split_once(')').expect("it ends");
        let (x, y) = place.split_once(' ').expect("two numbers");
        let (x, y): (f64, f64) = (x.parse().expect("a number"), y.parse().expect("a number"));
        let place = labels::Rect { left: x - up, right: x + down, top: y - width / 2.0, bottom: y + width / 2.0 };
        return (words, place);
    }
    let number = |name: &str| attribute(name).expect("a text has a place").parse::<f64>().expect("a number");
    let (x, y) = (number("x"), number("y"));
    let left = match attribute("text-anchor") {
        Some("middle") => x - width / 2.0,
        Some("end") => x - width,
        _ => x,
    };
    (words, labels::Rect { left, right: left + width, top: y - up, bottom: y + down })
}
