//! A surface to draw on: SVG or PNG, through plotters' interface to drawing, in pixels of the chart.

use plotters::{
    backend::{BitMapBackend, DrawingBackend},
    style::{RGBAColor, ShapeStyle},
};
use plotters_backend::{BackendColor, BackendCoord};

use super::{
    bitmap,
    color::WHITE,
    svg::{Surface, Svg},
    text::{Align, TextStyle},
};
pub(crate) use super::{color::Color, svg::Tip};

/// A place on the chart in pixels, from its upper left corner.
pub(crate) type Spot = (f64, f64);

/// PNG pixels per chart pixel: sharp on dense screens and in print.
const PNG_SCALE: u32 = 2;

/// The bitmap is drawn this many times larger than the PNG and averaged, for smooth edges of polygons: plotters does not smooth
/// them.
const SMOOTHING: u32 = 2;

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stroke {
    pub(crate) color: Color,
    /// The width, in pixels.
    pub(crate) width: f64,
    /// Lengths of dash and gap in pixels; `None`: solid.
    pub(crate) dash: Option<(f64, f64)>,
}

impl Stroke {
    pub(crate) const fn solid(color: Color, width: f64) -> Self {
        Self { color, width, dash: None }
    }
}

impl From<Color> for BackendColor {
    fn from(Color(red, green, blue): Color) -> Self {
        Self { alpha: 1.0, rgb: (red, green, blue) }
    }
}

/// A surface that takes chart pixels. Drawing goes to memory and cannot fail.
pub(crate) struct Canvas<B> {
    backend: B,
    scale: f64,
}

impl Surface for BitMapBackend<'_> {
    const IS_WHITE: bool = true;
}

/// Draws a picture of `size` as an SVG.
pub(crate) fn drawn_svg(size: (u32, u32), draw: impl FnOnce(&mut Canvas<Svg>)) -> Svg {
    // The rules for the dark theme know the light colours.
    let mut canvas = Canvas { backend: Svg::new(size), scale: 1.0 };
    draw(&mut canvas);
    canvas.backend.end_path();
    canvas.backend
}

/// Draws a picture of `size` as PNG in the light theme, of [`PNG_SCALE`] times as many pixels each way.
pub(crate) fn png(size: (u32, u32), draw: impl FnOnce(&mut Canvas<BitMapBackend<'_>>)) -> Vec<u8> {
    let (width, height) = (size.0 * PNG_SCALE, size.1 * PNG_SCALE);
    let large = (width * SMOOTHING, height * SMOOTHING);
    let mut pixels = vec![u8::MAX; large.0 as usize * large.1 as usize * 3];
    let backend = BitMapBackend::with_buffer(&mut pixels, large);
    draw(&mut Canvas { backend, scale: f64::from(PNG_SCALE * SMOOTHING) });

    bitmap::file(&bitmap::averaged::<{ SMOOTHING as usize }>(&pixels, large.0), width, height)
}

fn drawn<E: std::fmt::Debug>(result: Result<(), E>) {
    result.expect("drawing to memory does not fail");
}

impl<B: Surface> Canvas<B> {
    /// Draws the ground of a picture of `size`.
    pub(crate) fn ground(&mut self, size: (u32, u32)) {
        if !B::IS_WHITE {
            self.rectangle((0.0, 0.0), (size.0.into(), size.1.into()), WHITE);
        }
    }

    /// Draws what belongs to `tip`.
    pub(crate) fn group(&mut self, tip: &Tip, draw: impl FnOnce(&mut Self)) {
        self.backend.open(tip);
        draw(self);
        self.backend.close();
    }
}

impl<B: DrawingBackend> Canvas<B> {
    fn at(&self, (x, y): Spot) -> BackendCoord {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    fn pen(&self, Stroke { color: Color(red, green, blue), width, .. }: Stroke) -> ShapeStyle {
        let stroke_width = (width * self.scale).round().max(1.0) as u32;
        ShapeStyle { color: RGBAColor(red, green, blue, 1.0), filled: false, stroke_width }
    }

    /// Draws a line through `points`.
    pub(crate) fn line(&mut self, points: &[Spot], stroke: Stroke) {
        match stroke.dash {
            None => self.solid_line(points, stroke),
            Some((dash, gap)) => {
                for piece in dashes(points, dash, gap) {
                    self.solid_line(&piece, stroke);
                }
            }
        }
    }

    fn solid_line(&mut self, points: &[Spot], stroke: Stroke) {
        let mut path: Vec<_> = points.iter().map(|&point| self.at(point)).collect();
        path.dedup();
        // plotters has no line of one point.
        if path.len() > 1 {
            let pen = self.pen(stroke);
            drawn(self.backend.draw_path(path, &pen));
        }
    }

    /// Draws a filled polygon.
    pub(crate) fn polygon(&mut self, points: &[Spot], color: Color) {
        self.translucent_polygon(points, color, 1.0);
    }

    /// Draws a filled polygon through which what is behind it shows: `alpha` is its opacity, from 0 to 1.
    pub(crate) fn translucent_polygon(&mut self, points: &[Spot], color: Color, alpha: f64) {
        let path: Vec<_> = points.iter().map(|&point| self.at(point)).collect();
        drawn(self.backend.fill_polygon(path, &BackendColor { alpha, ..color.into() }));
    }

    /// Draws a filled rectangle between two opposite corners, the upper left one first.
    pub(crate) fn rectangle(&mut self, from: Spot, to: Spot, color: Color) {
        let (from, to) = (self.at(from), self.at(to));
        drawn(self.backend.draw_rect(from, to, &BackendColor::from(color), true));
    }

    /// Draws a filled circle.
    pub(crate) fn disc(&mut self, center: Spot, radius: f64, color: Color) {
        let (center, radius) = (self.at(center), (radius * self.scale).round() as u32);
        drawn(self.backend.draw_circle(center, radius, &BackendColor::from(color), true));
    }

    /// Draws `text` beside or around `at`, which is at half its height.
    pub(crate) fn text(&mut self, text: &str, at: Spot, size: f64, align: Align, color: Color) {
        self.styled_text(text, at, TextStyle { size, color: color.into(), align, turned: false });
    }

    /// Draws `text` around `at`, read from bottom to top.
    pub(crate) fn turned_text(&mut self, text: &str, at: Spot, size: f64, color: Color) {
        self.styled_text(text, at, TextStyle { size, color: color.into(), align: Align::Middle, turned: true });
    }

    fn styled_text(&mut self, text: &str, at: Spot, style: TextStyle) {
        if text.is_empty() {
            return;
        }
        let (at, style) = (self.at(at), TextStyle { size: style.size * self.scale, ..style });
        drawn(self.backend.draw_text(text, &style, at));
    }
}

/// Returns the dashes of a line through `points`. plotters' dashed lines measure with the platform's `hypot`, which may differ from one
/// machine to the next.
fn dashes(points: &[Spot], dash: f64, gap: f64) -> Vec<Vec<Spot>> {
    let mut pieces = Vec::new();
    let (mut drawing, mut left) = (true, dash);
    let mut piece: Vec<Spot> = points.first().copied().into_iter().collect();
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        let mut length = libm::hypot(to.0 - from.0, to.1 - from.1);
        while length > left {
            let share = left / length;
            from = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            length -= left;
            if drawing {
                piece.push(from);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece = vec![from];
            }
            drawing = !drawing;
            left = if drawing { dash } else { gap };
        }
        left -= length;
        if drawing {
            piece.push(to);
        }
    }
    if drawing {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_go_round_corners_and_keep_their_length() {
        let pieces = dashes(&[(0.0, 0.0), (6.0, 0.0), (6.0, 6.0)], 4.0, 1.0);
        let expected: Vec<Vec<Spot>> =
            vec![vec![(0.0, 0.0), (4.0, 0.0)], vec![(5.0, 0.0), (6.0, 0.0), (6.0, 3.0)], vec![(6.0, 4.0), (6.0, 6.0)]];
        assert_eq!(pieces, expected);
    }

    #[test]
    fn a_png_has_the_colour_that_was_drawn() {
        let file = png((4, 3), |canvas| canvas.rectangle((0.0, 0.0), (4.0, 3.0), Color(10, 20, 30)));
        let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((frame.width, frame.height), (4 * PNG_SCALE, 3 * PNG_SCALE));
        assert_eq!(pixels[..3], [10, 20, 30]);
    }

    #[test]
    fn text_in_an_svg_is_escaped() {
        let drawn = drawn_svg((10, 10), |canvas| canvas.text("<&>", (0.0, 0.0), 10.0, Align::Start, Color(0, 0, 0)));
        let text = drawn.finish(true);
        assert!(text.contains("&lt;&amp;&gt;"), "{text}");
    }
}
