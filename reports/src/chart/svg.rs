//! SVG, written small: a backend of plotters that joins what looks alike into one path of relative moves, and that can
//! group shapes under a tooltip. plotters' own SVG backend writes an element a shape with all its attributes, about
//! three times as much text.

use std::{convert::Infallible, fmt::Write as _};

use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontTransform,
    text_anchor::HPos,
};

use super::{
    color::{self, Color, INK},
    text::X_HEIGHT_EM,
};

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// The size of most texts, in pixels. These have no attribute for it.
const FONT_SIZE: f64 = 12.0;

/// What a group of shapes is about, for whoever points at it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tip {
    /// The name of what it belongs to, such as a strategy: `data-name`.
    pub(crate) name: String,
    /// What a tooltip says.
    pub(crate) title: String,
    /// The values it stands for, in those of the axes: `data-x`, `data-y`.
    pub(crate) at: Option<(f64, f64)>,
}

/// A surface that can group shapes; one that cannot just draws them.
pub(crate) trait Surface: DrawingBackend {
    /// Whether it is white before anything is drawn on it, and stays so whatever the theme.
    const IS_WHITE: bool = false;

    /// Begins a group: what is drawn from here on belongs to `tip`.
    fn open(&mut self, _tip: &Tip) {}

    /// Ends the group.
    fn close(&mut self) {}
}

/// An SVG that is being written.
#[derive(Debug)]
pub(crate) struct Svg {
    size: (u32, u32),
    body: String,
    path: Path,
}

/// The path that shapes are being added to.
#[derive(Debug, Default)]
struct Path {
    attributes: String,
    d: String,
    /// The place of the pen.
    at: BackendCoord,
}

impl Svg {
    pub(crate) const fn new(size: (u32, u32)) -> Self {
        let path = Path { attributes: String::new(), d: String::new(), at: (0, 0) };
        Self { size, body: String::new(), path }
    }

    /// Returns the whole text. With `style`, it follows the reader's theme by itself; without, it is for a page that has
    /// [`color::dark_rules`].
    pub(crate) fn finish(&self, style: bool) -> String {
        let (width, height) = self.size;
        let style = if style {
            format!("<style>@media (prefers-color-scheme:dark){{{}}}</style>", color::dark_rules(""))
        } else {
            String::new()
        };
        self.whole(&width.to_string(), &height.to_string(), &style)
    }

    /// Returns the whole text in the light theme, so wide on paper and as high as it takes; of `None`, as on a screen.
    pub(crate) fn on_paper(&self, width_cm: Option<f64>) -> String {
        let Some(width_cm) = width_cm else { return self.finish(false) };
        let height_cm = width_cm * f64::from(self.size.1) / f64::from(self.size.0);
        self.whole(&format!("{width_cm}cm"), &format!("{height_cm:.3}cm"), "")
    }

    fn whole(&self, shown_width: &str, shown_height: &str, style: &str) -> String {
        let ((width, height), ink) = (self.size, INK.hex());
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{shown_width}\" height=\"{shown_height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"{FONT_SIZE}\" fill=\"{ink}\">\
             {style}\n{}</svg>\n",
            self.body
        )
    }

    /// Makes `attributes` those of the path that follows.
    fn begin_path(&mut self, attributes: String) {
        if self.path.attributes != attributes {
            self.end_path();
            self.path.attributes = attributes;
        }
    }

    /// Writes the path that shapes are being added to; the last shape is followed by this.
    pub(crate) fn end_path(&mut self) {
        let path = std::mem::take(&mut self.path);
        if !path.d.is_empty() {
            self.push(format_args!("<path {} d=\"{}\"/>\n", path.attributes, path.d));
        }
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        self.body.write_fmt(text).expect("a String takes everything");
    }

    fn stroke<S: BackendStyle>(&mut self, points: impl IntoIterator<Item = BackendCoord>, style: &S) {
        let (color, opacity) = paint(style.color());
        let width = match style.stroke_width() {
            1 => String::new(),
            width => format!(" stroke-width=\"{width}\""),
        };
        self.begin_path(format!("fill=\"none\" stroke=\"{color}\"{width}{}", opacity.attribute("stroke")));
        self.path.lines(points);
    }

    /// Shapes that overlap may share a path only if they turn the same way round, or they would cut holes.
    fn fill(&mut self, points: impl IntoIterator<Item = BackendCoord>, color: BackendColor, shares: bool) {
        let (color, opacity) = paint(color);
        if !shares {
            self.end_path();
        }
        self.begin_path(format!("fill=\"{color}\"{}", opacity.attribute("fill")));
        let mut points = points.into_iter();
        let Some(first) = points.next() else { return };
        self.path.lines(std::iter::once(first).chain(points));
        self.path.d.push('z');
        self.path.at = first;
        if !shares {
            self.end_path();
        }
    }
}

/// An opacity, written only where it is less than 1.
struct Opacity(f64);

impl Opacity {
    fn attribute(&self, of: &str) -> String {
        if self.0 < 1.0 { format!(" {of}-opacity=\"{}\"", self.0) } else { String::new() }
    }
}

fn paint(BackendColor { alpha, rgb: (red, green, blue) }: BackendColor) -> (String, Opacity) {
    (Color(red, green, blue).hex(), Opacity(alpha))
}

impl Path {
    /// Adds a line through `points`, in as few steps as it takes.
    fn lines(&mut self, points: impl IntoIterator<Item = BackendCoord>) {
        let mut points = points.into_iter();
        let Some(first) = points.next() else { return };
        if self.d.is_empty() {
            self.d.push('M');
            self.numbers(&[first.0, first.1]);
        } else {
            self.d.push('m');
            self.numbers(&[first.0 - self.at.0, first.1 - self.at.1]);
        }
        self.at = first;
        let mut step = (0, 0);
        for next in points {
            let (x, y) = (next.0 - self.at.0 - step.0, next.1 - self.at.1 - step.1);
            let (turn, ahead) = (step.0 * y - step.1 * x, step.0 * x + step.1 * y);
            if step != (0, 0) && (turn != 0 || ahead < 0) {
                self.step(step);
                step = (0, 0);
            }
            step = (step.0 + x, step.1 + y);
        }
        self.step(step);
    }

    fn step(&mut self, (x, y): BackendCoord) {
        let (command, numbers): (char, &[i32]) = match (x, y) {
            (0, 0) => return,
            (x, 0) => ('h', &[x]),
            (0, y) => ('v', &[y]),
            (x, y) => ('l', &[x, y]),
        };
        self.d.push(command);
        self.numbers(numbers);
        self.at = (self.at.0 + x, self.at.1 + y);
    }

    fn numbers(&mut self, numbers: &[i32]) {
        for (index, number) in numbers.iter().enumerate() {
            let separator = if index > 0 && *number >= 0 { " " } else { "" };
            write!(self.d, "{separator}{number}").expect("a String takes everything");
        }
    }
}

impl Surface for Svg {
    fn open(&mut self, tip: &Tip) {
        self.end_path();
        self.body.push_str("<g");
        if !tip.name.is_empty() {
            self.push(format_args!(" data-name=\"{}\"", escape(&tip.name)));
        }
        if let Some((x, y)) = tip.at {
            self.push(format_args!(" data-x=\"{x}\" data-y=\"{y}\""));
        }
        self.push(format_args!("><title>{}</title>\n", escape(&tip.title)));
    }

    fn close(&mut self) {
        self.end_path();
        self.body.push_str("</g>\n");
    }
}

impl DrawingBackend for Svg {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.fill([(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)], color, true);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.stroke([from, to], style);
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Drawn {
        let corners = [from, (to.0, from.1), to, (from.0, to.1)];
        if fill {
            self.fill(corners, style.color(), style.color().alpha >= 1.0);
        } else {
            self.stroke(corners.into_iter().chain([from]), style);
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        self.stroke(path, style);
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn {
        self.end_path();
        let (color, opacity) = paint(style.color());
        let paint = if fill {
            format!("fill=\"{color}\"{}", opacity.attribute("fill"))
        } else {
            format!("fill=\"none\" stroke=\"{color}\"{}", opacity.attribute("stroke"))
        };
        self.push(format_args!("<circle cx=\"{}\" cy=\"{}\" r=\"{radius}\" {paint}/>\n", center.0, center.1));
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, points: I, style: &S) -> Drawn {
        self.fill(points, style.color(), false);
        Ok(())
    }

    fn draw_text<T: BackendTextStyle>(&mut self, text: &str, style: &T, (x, y): BackendCoord) -> Drawn {
        self.end_path();
        let mut attributes = String::new();
        match style.anchor().h_pos {
            HPos::Left => {}
            HPos::Center => attributes.push_str(" text-anchor=\"middle\""),
            HPos::Right => attributes.push_str(" text-anchor=\"end\""),
        }
        // Equal because it is the same number or another one, never the result of a computation.
        if style.size().to_bits() != FONT_SIZE.to_bits() {
            write!(attributes, " font-size=\"{}\"", style.size()).expect("a String takes everything");
        }
        let (color, opacity) = paint(style.color());
        if color != INK.hex() {
            let opacity = opacity.attribute("fill");
            write!(attributes, " fill=\"{color}\"{opacity}").expect("a String takes everything");
        }
        // SVG places the baseline.
        let down = (style.size() * X_HEIGHT_EM / 2.0).round() as i32;
        let place = match style.transform() {
            FontTransform::None => format!("x=\"{x}\" y=\"{}\"", y + down),
            FontTransform::Rotate90 => format!("transform=\"translate({} {y}) rotate(90)\"", x - down),
            FontTransform::Rotate180 => format!("transform=\"translate({x} {}) rotate(180)\"", y - down),
            FontTransform::Rotate270 => format!("transform=\"translate({} {y}) rotate(270)\"", x + down),
        };
        self.push(format_args!("<text {place}{attributes}>{}</text>\n", escape(text)));
        Ok(())
    }
}

/// Returns `text` as the content of an element or of an attribute in double quotes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(mut svg: Svg) -> Svg {
        svg.end_path();
        svg
    }

    fn black() -> BackendColor {
        BackendColor { alpha: 1.0, rgb: (0, 0, 0) }
    }

    #[test]
    fn lines_alike_share_a_path_and_go_straight_in_one_step() {
        let mut svg = Svg::new((100, 100));
        svg.draw_path([(1, 2), (3, 2), (9, 2), (9, 8), (4, 7)], &black()).unwrap();
        svg.draw_path([(5, 5), (3, 6)], &black()).unwrap();
        let text = ended(svg).finish(false);
        assert!(text.contains("<path fill=\"none\" stroke=\"#000\" d=\"M1 2h8v6l-5-1m1-2l-2 1\"/>"), "{text}");
        assert_eq!(text.matches("<path").count(), 1);
    }

    #[test]
    fn a_line_that_turns_back_keeps_its_turning_point() {
        let mut svg = Svg::new((100, 100));
        svg.draw_path([(0, 5), (9, 5), (4, 5)], &black()).unwrap();
        assert!(ended(svg).finish(false).contains("M0 5h9h-5"));
    }

    #[test]
    fn rectangles_share_a_path_and_polygons_do_not() {
        let mut svg = Svg::new((100, 100));
        svg.draw_rect((0, 0), (2, 3), &black(), true).unwrap();
        svg.draw_rect((5, 5), (6, 6), &black(), true).unwrap();
        svg.fill_polygon([(0, 0), (4, 0), (0, 4)], &black()).unwrap();
        let text = ended(svg).finish(false);
        assert!(text.contains("d=\"M0 0h2v3h-2zm5 5h1v1h-1z\"/>") && text.contains("d=\"M0 0h4l-4 4z\"/>"), "{text}");
    }

    #[test]
    fn a_tip_is_escaped_wherever_it_goes() {
        let mut svg = Svg::new((10, 10));
        svg.open(&Tip { name: "\"<&>\"".to_owned(), title: "<b>".to_owned(), at: Some((1.5, 2.0)) });
        svg.close();
        let text = ended(svg).finish(false);
        let expected =
            "<g data-name=\"&quot;&lt;&amp;&gt;&quot;\" data-x=\"1.5\" data-y=\"2\"><title>&lt;b&gt;</title>";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn only_a_file_of_its_own_carries_the_dark_theme() {
        assert!(Svg::new((10, 10)).finish(true).contains("prefers-color-scheme:dark"));
        assert!(!Svg::new((10, 10)).finish(false).contains("<style"));
    }
}
