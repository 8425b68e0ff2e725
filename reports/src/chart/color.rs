//! The colours of plots in both themes: every colour is named in its light form, and one table has its dark form.
//!
//! Text stands out from its ground by 4.5:1 at least and marks by 3:1 (WCAG 2.2, criteria 1.4.3 and 1.4.11); tests
//! hold the table to that, and the colours of strategies to being told apart by colour-blind readers.

use std::fmt::Write as _;

use plotters::style::{RGBColor, colors::colormaps::ViridisRGB};

/// An opaque colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Color(pub(crate) u8, pub(crate) u8, pub(crate) u8);

/// The ground of every picture.
pub(crate) const WHITE: Color = Color(255, 255, 255);
/// The colour of text.
pub(crate) const INK: Color = Color(34, 34, 34);
/// The colour of text that matters less.
pub(crate) const FAINT_INK: Color = Color(90, 90, 90);
pub(crate) const AXIS: Color = Color(110, 110, 110);
/// The lines behind everything. A plot can be read without them.
pub(crate) const GRID: Color = Color(226, 226, 226);
pub(crate) const FRONT: Color = Color(70, 70, 70);
pub(crate) const BOUND: Color = Color(150, 40, 40);
pub(crate) const CEILING: Color = Color(120, 60, 130);
pub(crate) const KEEP_ALIVE: Color = Color(40, 80, 140);
/// The ground where the bound lets no strategy be.
pub(crate) const OUT_OF_REACH: Color = Color(246, 240, 240);

/// Twelve colours that tell things apart: seven hues of Okabe and Ito's palette for colour-blind readers ("Color Universal
/// Design", 2008), its light ones made dark enough for white paper and then moved apart; then, one by one, those that are
/// furthest from all before.
pub(crate) const PALETTE: [Color; 12] = [
    Color(11, 79, 158),
    Color(221, 85, 0),
    Color(11, 138, 90),
    Color(176, 112, 176),
    Color(111, 59, 0),
    Color(33, 150, 230),
    Color(0, 0, 0),
    Color(136, 0, 255),
    Color(85, 68, 85),
    Color(0, 0, 119),
    Color(51, 0, 68),
    Color(136, 102, 255),
];

/// Text on the coloured cells of a heat map: cells and text are the same in both themes.
const TEXT_ON_COLOR: [Color; 2] = [Color(1, 1, 1), Color(254, 254, 254)];

/// Tints of strip charts that letters stand on: what is broken, faults and what only disturbs with their shades, an application on
/// the screen.
pub(crate) const BROKEN: Color = Color(240, 158, 108);
pub(crate) const FAULT: Color = Color(248, 208, 180);
pub(crate) const FAULT_SHADE: Color = Color(253, 240, 231);
pub(crate) const DISTURBANCE: Color = Color(218, 218, 218);
pub(crate) const DISTURBANCE_SHADE: Color = Color(244, 244, 244);
pub(crate) const SCREEN: Color = Color(199, 222, 238);

/// Every colour that differs in the dark theme: its light form, then its dark one.
const THEMES: [(Color, Color); 28] = [
    (WHITE, Color(21, 24, 28)),
    (INK, Color(231, 233, 236)),
    (FAINT_INK, Color(168, 174, 182)),
    (AXIS, Color(139, 145, 153)),
    (GRID, Color(47, 53, 60)),
    (FRONT, Color(200, 204, 208)),
    (BOUND, Color(255, 138, 128)),
    (CEILING, Color(222, 160, 232)),
    (KEEP_ALIVE, Color(138, 180, 248)),
    (OUT_OF_REACH, Color(42, 29, 31)),
    (PALETTE[0], Color(79, 127, 224)),
    (PALETTE[1], Color(228, 87, 46)),
    (PALETTE[2], Color(74, 224, 160)),
    (PALETTE[3], Color(181, 126, 191)),
    (PALETTE[4], Color(255, 200, 50)),
    (PALETTE[5], Color(156, 203, 247)),
    (PALETTE[6], Color(255, 255, 255)),
    (PALETTE[7], Color(136, 17, 255)),
    (PALETTE[8], Color(170, 68, 102)),
    (PALETTE[9], Color(153, 170, 170)),
    (PALETTE[10], Color(204, 204, 102)),
    (PALETTE[11], Color(204, 136, 102)),
    (BROKEN, Color(138, 66, 18)),
    (FAULT, Color(98, 52, 24)),
    (FAULT_SHADE, Color(46, 32, 23)),
    (DISTURBANCE, Color(70, 75, 82)),
    (DISTURBANCE_SHADE, Color(33, 37, 42)),
    (SCREEN, Color(34, 68, 94)),
];

impl Color {
    /// Returns the colour as SVG and CSS write it, in its shortest form.
    pub(crate) fn hex(self) -> String {
        let Self(red, green, blue) = self;
        if [red, green, blue].iter().all(|part| part % 17 == 0) {
            format!("#{:x}{:x}{:x}", red / 17, green / 17, blue / 17)
        } else {
            format!("#{red:02x}{green:02x}{blue:02x}")
        }
    }

    /// Returns the colour of viridis at `share` of its way from dark (0) to light (1). Its lightness rises evenly, also for
    /// colour-blind readers and in grey (Smith and van der Walt, matplotlib, 2015).
    pub(crate) fn viridis(share: f64) -> Self {
        let RGBColor(red, green, blue) = ViridisRGB::get_color(share);
        Self(red, green, blue)
    }

    /// Returns black or white, whichever reads better on this colour.
    pub(crate) fn text_on(self) -> Self {
        let [dark, light] = TEXT_ON_COLOR;
        if contrast(self, dark) >= contrast(self, light) { dark } else { light }
    }

    /// Returns red, green and blue in linear light (sRGB, IEC 61966-2-1).
    fn linear(self) -> [f64; 3] {
        [self.0, self.1, self.2].map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { libm::pow((part + 0.055) / 1.055, 2.4) }
        })
    }
}

/// Returns how much two colours differ in lightness: 1 to 21 (WCAG 2.2, "contrast ratio").
pub(crate) fn contrast(a: Color, b: Color) -> f64 {
    let luminance = |color: Color| {
        let [red, green, blue] = color.linear();
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Returns CSS rules that give the SVGs below `scope` (a selector with a space after it, or nothing) the colours of the dark
/// theme: rules win over the attributes that carry the light ones.
pub(crate) fn dark_rules(scope: &str) -> String {
    let mut rules = String::new();
    for (light, dark) in THEMES {
        let (light, dark) = (light.hex(), dark.hex());
        for property in ["fill", "stroke"] {
            write!(rules, "{scope}[{property}=\"{light}\"]{{{property}:{dark}}}").expect("a String takes everything");
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On which ground a picture is seen.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Theme {
        Light,
        Dark,
    }

    impl Theme {
        /// Returns what a colour, named in its light form, is in this theme.
        fn apply(self, color: Color) -> Color {
            let dark = |color| THEMES.iter().find(|(light, _)| *light == color).map(|(_, dark)| *dark);
            match self {
                Self::Light => color,
                Self::Dark => dark(color).unwrap_or(color),
            }
        }
    }

    #[test]
    fn letters_stand_out_from_the_tints_of_strip_charts() {
        for theme in [Theme::Light, Theme::Dark] {
            for tint in [BROKEN, FAULT, FAULT_SHADE, DISTURBANCE, DISTURBANCE_SHADE, SCREEN] {
                let contrast = contrast(theme.apply(INK), theme.apply(tint));
                assert!(contrast >= 4.5, "{theme:?} {tint:?}: {contrast}");
            }
        }
    }

    #[test]
    fn text_and_marks_stand_out_from_their_ground_in_both_themes() {
        for theme in [Theme::Light, Theme::Dark] {
            for (ground, least) in [(WHITE, 1.0), (OUT_OF_REACH, 0.85)] {
                let contrast = |color| contrast(theme.apply(color), theme.apply(ground));
                for text in [INK, FAINT_INK] {
                    assert!(contrast(text) >= 4.5, "{theme:?} {text:?} on {ground:?}: {}", contrast(text));
                }
                for mark in [AXIS, FRONT, BOUND, CEILING, KEEP_ALIVE].into_iter().chain(PALETTE) {
                    assert!(contrast(mark) >= 3.0 * least, "{theme:?} {mark:?} on {ground:?}: {}", contrast(mark));
                }
            }
        }
    }

    #[test]
    fn text_on_a_heat_map_stands_out() {
        for step in 0..=100 {
            let color = Color::viridis(f64::from(step) / 100.0);
            assert!(contrast(color, color.text_on()) >= 4.5, "{color:?}");
            // Neither changes with the theme.
            assert_eq!(Theme::Dark.apply(color.text_on()), color.text_on());
            assert_eq!(Theme::Dark.apply(color), color);
        }
    }

    #[test]
    fn no_light_colour_has_two_dark_ones() {
        for (index, (light, _)) in THEMES.iter().enumerate() {
            assert!(THEMES[..index].iter().all(|(earlier, _)| earlier != light), "{light:?}");
        }
    }

    /// What full protanopes, deuteranopes and tritanopes see, in linear light. Machado, Oliveira and Fernandes, "A
    /// Physiologically-based Model for Simulation of Color Vision Deficiency", IEEE TVCG 15 (2009), severity 1.0; first
    /// what everybody else sees.
    const VISIONS: [[[f64; 3]; 3]; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]],
        [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]],
        [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]],
    ];

    /// Returns a colour as `vision` sees it in CIELAB (D65), where distances are differences as seen.
    fn lab(color: Color, vision: &[[f64; 3]; 3]) -> [f64; 3] {
        let linear = color.linear();
        let seen = |row: &[f64; 3]| (0..3).map(|part| row[part] * linear[part]).sum::<f64>().clamp(0.0, 1.0);
        let [red, green, blue] = [seen(&vision[0]), seen(&vision[1]), seen(&vision[2])];
        let x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.950_47;
        let y = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        let z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.088_83;
        let [x, y, z] =
            [x, y, z].map(|part| if part > 0.008_856 { libm::cbrt(part) } else { 7.787 * part + 16.0 / 116.0 });
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    #[test]
    fn colour_blind_readers_tell_the_palette_apart_in_both_themes() {
        for theme in [Theme::Light, Theme::Dark] {
            for vision in &VISIONS {
                for (index, a) in PALETTE.iter().enumerate() {
                    for b in &PALETTE[..index] {
                        let (p, q) = (lab(theme.apply(*a), vision), lab(theme.apply(*b), vision));
                        let distance = (0..3).map(|axis| (p[axis] - q[axis]) * (p[axis] - q[axis])).sum::<f64>().sqrt();
                        // A just noticeable difference is about 2.3.
                        assert!(distance > 15.0, "{theme:?} {a:?} {b:?}: {distance}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_rule_matches_what_an_svg_says() {
        assert_eq!((WHITE.hex(), Color(0, 114, 178).hex()), ("#fff".to_owned(), "#0072b2".to_owned()));
        assert!(dark_rules(".plot ").starts_with(".plot [fill=\"#fff\"]{fill:#15181c}"));
    }
}
