//! Text of plots: the bundled font, its measure, and its drawing into bitmaps.
//!
//! A browser draws the text of an SVG in a sans-serif of its own. The bundled one is among the widest, so what fits
//! here fits there.

use std::{convert::Infallible, sync::LazyLock};

use ab_glyph::{Font as _, FontRef, Glyph, PxScale, ScaleFont as _, point};
use plotters_backend::{
    BackendColor, BackendCoord, BackendTextStyle, FontFamily, FontTransform,
    text_anchor::{HPos, Pos, VPos},
};

static FONT: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(include_bytes!("../../assets/DejaVuSans-subset.ttf")).expect("the bundled font is a font")
});

/// Height of a lower-case letter in the font, in ems: half of it is what a browser shifts a vertically centred text by.
pub(crate) const X_HEIGHT_EM: f64 = 0.547;

/// The side of its anchor on which a text lies; vertically it is always centred on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// To the right of the anchor.
    Start,
    /// Around the anchor.
    Middle,
    /// To the left of the anchor.
    End,
}

/// How a text is drawn.
#[derive(Clone, Copy)]
pub(crate) struct TextStyle {
    /// The size, in pixels per em.
    pub(crate) size: f64,
    pub(crate) color: BackendColor,
    pub(crate) align: Align,
    /// Whether it is read from bottom to top.
    pub(crate) turned: bool,
}

/// Returns the width of `text` in pixels at `size` pixels per em.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    let font = FONT.as_scaled(px_scale(size));
    text.chars().map(|char| f64::from(font.h_advance(font.glyph_id(char)))).sum()
}

/// Returns `text` broken at spaces into lines no wider than `width_max`; a single word may be wider.
pub(crate) fn wrap(text: &str, size: f64, width_max: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line, size) + width(" ", size) + width(word, size) <= width_max => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Returns `text` if it is no wider than `width_max`, else its beginning and three dots.
pub(crate) fn fit(text: &str, size: f64, width_max: f64) -> String {
    if width(text, size) <= width_max {
        return text.to_owned();
    }
    let mut kept = text.to_owned();
    while !kept.is_empty() && width(&kept, size) + width("...", size) > width_max {
        kept.pop();
    }
    kept + "..."
}

/// Returns the font library counts from ascender to descender where we count ems.
fn px_scale(size: f64) -> PxScale {
    let per_em = FONT.units_per_em().expect("the bundled font states its units");
    PxScale::from(size as f32 * FONT.height_unscaled() / per_em)
}

impl BackendTextStyle for TextStyle {
    type FontError = Infallible;

    fn color(&self) -> BackendColor {
        self.color
    }

    fn size(&self) -> f64 {
        self.size
    }

    fn transform(&self) -> FontTransform {
        if self.turned { FontTransform::Rotate270 } else { FontTransform::None }
    }

    fn anchor(&self) -> Pos {
        let horizontal = match self.align {
            Align::Start => HPos::Left,
            Align::Middle => HPos::Center,
            Align::End => HPos::Right,
        };
        Pos::new(horizontal, VPos::Center)
    }

    fn family(&self) -> FontFamily<'_> {
        FontFamily::SansSerif
    }

    /// Returns a box without height: [`Self::draw`] centres the text by itself.
    fn layout_box(&self, text: &str) -> Result<((i32, i32), (i32, i32)), Infallible> {
        Ok(((0, 0), (width(text, self.size).round() as i32, 0)))
    }

    fn draw<E, DrawFunc: FnMut(i32, i32, BackendColor) -> Result<(), E>>(
        &self,
        text: &str,
        (left, middle): BackendCoord,
        mut draw: DrawFunc,
    ) -> Result<Result<(), E>, Infallible> {
        let scale = px_scale(self.size);
        let font = FONT.as_scaled(scale);
        let baseline = middle as f32 + (self.size * X_HEIGHT_EM / 2.0) as f32;
        let mut x = left as f32;
        for char in text.chars() {
            let id = font.glyph_id(char);
            let glyph = Glyph { id, scale, position: point(x, baseline) };
            x += font.h_advance(id);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            let mut drawn = Ok(());
            outline.draw(|column, row, coverage| {
                if drawn.is_ok() && coverage > 0.0 {
                    let alpha = self.color.alpha * f64::from(coverage.min(1.0));
                    let pixel = (corner.x as i32 + column as i32, corner.y as i32 + row as i32);
                    drawn = draw(pixel.0, pixel.1, BackendColor { alpha, ..self.color });
                }
            });
            if drawn.is_err() {
                return Ok(drawn);
            }
        }
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_the_font() {
        // DejaVu Sans: a digit is 1303 of 2048 units wide, a space 651.
        assert!((width("0000", 20.48) - 52.12).abs() < 0.01, "{}", width("0000", 20.48));
        assert!((width(" ", 2048.0) - 651.0).abs() < 0.5);
    }

    #[test]
    fn lines_keep_within_their_width() {
        let lines = wrap("a few words that do not fit on one line", 10.0, 80.0);
        assert!(lines.len() > 1);
        assert!(lines.iter().all(|line| width(line, 10.0) <= 80.0), "{lines:?}");
        assert_eq!(lines.join(" "), "a few words that do not fit on one line");
    }

    #[test]
    fn what_does_not_fit_ends_in_dots() {
        assert_eq!(fit("short", 10.0, 80.0), "short");
        let cut = fit("a name that is far too long for its place", 10.0, 80.0);
        assert!(cut.starts_with("a name") && cut.ends_with("...") && width(&cut, 10.0) <= 80.0, "{cut}");
    }

    #[test]
    fn every_sign_the_plots_use_is_in_the_font() {
        for char in ('!'..='~').chain("–—≥≤×·−±→ρ".chars()) {
            assert_ne!(FONT.glyph_id(char).0, 0, "{char}");
        }
    }
}
