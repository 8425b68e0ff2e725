//! How a chart that has its layout is drawn.

use super::{
    ColorScale, Height, Identity, Key, Mark, Marker, Point,
    canvas::{Canvas, Spot, Stroke},
    color::{AXIS, Color, FAINT_INK, GRID, INK, WHITE},
    labels::{Placement, Rect, Row},
    lanes,
    layout::{
        KEY_WIDTH, LINE_HEIGHT, Layout, MARGIN, ROW_HEIGHT, SMALL_LINE_HEIGHT, SMALL_SIZE, TEXT_SIZE, TITLE_SIZE,
        WORDS_GAP, names_width_max,
    },
    scale::{Scale, Tick, ZERO_SHARE},
    svg::Surface,
    text::{self, Align},
};

/// Half the height of a bar.
const BAR_REACH: f64 = ROW_HEIGHT * 0.32;
/// What shows that a bar goes on beyond its axis.
const BREAK: Stroke = Stroke::solid(WHITE, 2.0);
/// The opacity of a band.
const BAND_ALPHA: f64 = 0.16;
/// The number of steps in which a colour scale is shown.
const COLOR_STEPS: u32 = 32;

impl Layout<'_> {
    pub(super) fn draw<B: Surface>(&self, canvas: &mut Canvas<B>) {
        canvas.ground(self.size());
        let title = text::fit(&self.chart.title, TITLE_SIZE, self.chart.size.width - 2.0 * MARGIN);
        canvas.text(&title, (MARGIN, 26.0), TITLE_SIZE, Align::Start, INK);
        self.draw_legend(canvas);
        for mark in &self.chart.marks {
            self.draw_behind(canvas, mark);
        }
        self.draw_axes(canvas);
        self.draw_strips(canvas);
        for mark in &self.chart.marks {
            self.draw_mark(canvas, mark);
        }
        if let Some(scale) = &self.chart.color_scale {
            self.draw_color_scale(canvas, scale);
        }
        self.draw_cell_texts(canvas);
        for mark in &self.chart.marks {
            if let Mark::Spans { lane, spans, .. } = mark {
                self.name_spans(canvas, *lane, spans);
            }
        }
        self.draw_names(canvas);
        for (line, note) in self.notes.iter().enumerate() {
            let y = self.notes_top + LINE_HEIGHT * line as f64;
            canvas.text(note, (MARGIN, y), SMALL_SIZE, Align::Start, FAINT_INK);
        }
    }

    fn draw_legend<B: Surface>(&self, canvas: &mut Canvas<B>) {
        for &(label, key, (x, y)) in &self.keys {
            match key {
                Key::Line(stroke) => canvas.line(&[(x, y), (x + 30.0, y)], stroke),
                Key::Patch(color) => canvas.rectangle((x + 12.0, y - 7.0), (x + 30.0, y + 7.0), color),
                Key::Marker(identity) => draw_marker(canvas, identity.marker, (x + 22.0, y), 6.0, identity.color),
                Key::Tick(color) => canvas.line(&[(x + 22.0, y - 6.0), (x + 22.0, y + 6.0)], Stroke::solid(color, 2.0)),
                Key::Cross(color) => lanes::draw_cross(canvas, (x + 22.0, y), color),
            }
            let room = self.chart.size.width - KEY_WIDTH - 2.0 * MARGIN;
            canvas.text(&text::fit(label, SMALL_SIZE, room), (x + KEY_WIDTH, y), SMALL_SIZE, Align::Start, INK);
        }
    }

    /// Draws what lies behind the axes.
    fn draw_behind<B: Surface>(&self, canvas: &mut Canvas<B>, mark: &Mark) {
        match mark {
            Mark::Area(points, color) => canvas.polygon(&self.spots(points), *color),
            Mark::Band { ends, identity, .. } => {
                let upper = ends.iter().map(|(x, interval)| self.spot((*x, interval.high)));
                let lower = ends.iter().rev().map(|(x, interval)| self.spot((*x, interval.low)));
                canvas.translucent_polygon(&upper.chain(lower).collect::<Vec<_>>(), identity.color, BAND_ALPHA);
            }
            Mark::Shade { from, to, color } => {
                let (left, right) = self.edges(*from, *to, 1.0);
                canvas.rectangle((left, self.frame.top), (right, self.frame.bottom), *color);
            }
            _ => {}
        }
    }

    fn draw_axes<B: Surface>(&self, canvas: &mut Canvas<B>) {
        let Rect { left, top, right, bottom } = self.outer;
        self.draw_grid(canvas);
        let is_named = matches!(self.chart.x.scale, Scale::Names(_));
        let room = if is_named { 2.0 * self.cell_reach().0 + 1.0 } else { f64::INFINITY };
        let mut row = Row::from(0.0);
        for Tick { value, label } in self.chart.x.scale.ticks() {
            let Some(label) = label else { continue };
            let label = text::fit(&label, SMALL_SIZE, room.max(40.0) - 4.0);
            let (x, half) = (self.x(value), text::width(&label, SMALL_SIZE) / 2.0);
            // A label that would lie over the one before, or leave the picture, is left out.
            if x + half <= self.chart.size.width && row.take(x - half, x + half) {
                canvas.text(&label, (x, bottom + 15.0), SMALL_SIZE, Align::Middle, INK);
            }
        }
        if let Scale::Lanes(lanes) = &self.chart.y.scale {
            self.draw_lane_names(canvas, lanes);
        }
        let is_named = self.chart.y.scale.is_named();
        let (size, room) = if is_named { (TEXT_SIZE, names_width_max(self.chart)) } else { (SMALL_SIZE, left - 34.0) };
        for Tick { value, label } in self.chart.y.scale.ticks() {
            if let Some(label) = label {
                canvas.text(&text::fit(&label, size, room), (left - 8.0, self.y(value)), size, Align::End, INK);
            }
        }
        let unit = self.chart.x.scale.unit().map_or_else(String::new, |unit| format!(" ({unit})"));
        let label = text::fit(&format!("{}{unit}", self.chart.x.label), TEXT_SIZE, self.chart.size.width - left);
        canvas.text(&label, (f64::midpoint(left, right), bottom + 36.0), TEXT_SIZE, Align::Middle, INK);
        let middle = f64::midpoint(self.frame.top, self.frame.bottom);
        let label = text::fit(&self.chart.y.label, TEXT_SIZE, self.outer.bottom - self.outer.top);
        canvas.turned_text(&label, (20.0, middle), TEXT_SIZE, INK);
        canvas.line(&[(left, top), (left, bottom), (right, bottom)], Stroke::solid(AXIS, 1.0));
    }

    /// Draws lines through the plotting area and ticks at its edge. All lines come first, since lines alike take less text together.
    fn draw_grid<B: Surface>(&self, canvas: &mut Canvas<B>) {
        let Rect { left, top, right, bottom } = self.outer;
        let ticks = |scale: &Scale| if scale.is_named() { Vec::new() } else { scale.ticks() };
        let (along, up) = (ticks(&self.chart.x.scale), ticks(&self.chart.y.scale));
        let (grid, axis) = (Stroke::solid(GRID, 1.0), Stroke::solid(AXIS, 1.0));
        for tick in along.iter().filter(|tick| tick.label.is_some()) {
            canvas.line(&[(self.x(tick.value), top), (self.x(tick.value), bottom)], grid);
        }
        for tick in up.iter().filter(|tick| tick.label.is_some()) {
            canvas.line(&[(left, self.y(tick.value)), (right, self.y(tick.value))], grid);
        }
        // Markers far from their names want a line to follow, and bars are one.
        if self.chart.marks.iter().any(|mark| matches!(mark, Mark::Dot { .. })) {
            for tick in self.chart.y.scale.ticks() {
                canvas.line(&[(left, self.y(tick.value)), (right, self.y(tick.value))], grid);
            }
        }
        let Rect { left: from, top: upper, right: to, bottom: lower } = self.frame;
        let between = Stroke { color: AXIS, width: 1.0, dash: Some((2.0, 3.0)) };
        if matches!(self.chart.x.scale, Scale::LogAndZero { .. }) {
            let x = from + ZERO_SHARE * (to - from);
            canvas.line(&[(x, top), (x, bottom)], between);
        }
        if matches!(self.chart.y.scale, Scale::LogAndZero { .. }) {
            let y = lower - ZERO_SHARE * (lower - upper);
            canvas.line(&[(left, y), (right, y)], between);
        }
        let length = |tick: &Tick| if tick.label.is_some() { 5.0 } else { 3.0 };
        for tick in &along {
            canvas.line(&[(self.x(tick.value), bottom), (self.x(tick.value), bottom + length(tick))], axis);
        }
        for tick in &up {
            canvas.line(&[(left - length(tick), self.y(tick.value)), (left, self.y(tick.value))], axis);
        }
    }

    /// Draws the names of the strips, and the lines between them and the plotting area.
    fn draw_strips<B: Surface>(&self, canvas: &mut Canvas<B>) {
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

    fn draw_mark<B: Surface>(&self, canvas: &mut Canvas<B>, mark: &Mark) {
        match mark {
            // Behind the axes.
            Mark::Area(..) | Mark::Band { .. } | Mark::Shade { .. } => {}
            Mark::Line(points, stroke) => canvas.line(&self.spots(points), *stroke),
            Mark::Curve { points, identity, tip } => {
                canvas.group(tip, |canvas| canvas.line(&self.spots(points), identity.stroke()));
            }
            Mark::Rule(x, stroke) => {
                let (from, to) = self.rule(*x);
                canvas.line(&[from, to], *stroke);
            }
            Mark::Point(point) => canvas.group(&point.tip, |canvas| self.draw_point(canvas, point)),
            Mark::Dot { row, value, interval, at_least, identity, tip } => {
                let center = self.spot((*value, *row));
                canvas.group(tip, |canvas| {
                    if let Some(whisker) = self.whisker(*row, *interval) {
                        draw_whisker(canvas, whisker, identity.color);
                    }
                    draw_dot(canvas, *identity, center, at_least.then_some((1.0, 0.0)));
                });
            }
            Mark::Bars { row, parts, interval, text, tip } => {
                canvas.group(tip, |canvas| {
                    self.draw_bars(canvas, *row, parts);
                    if let Some(whisker) = self.whisker(*row, *interval) {
                        stroke_whisker(canvas, whisker, Stroke::solid(WHITE, 4.0));
                        draw_whisker(canvas, whisker, INK);
                    }
                });
                // Beside the bar, and beside its interval.
                let sum: f64 = parts.iter().map(|(length, _)| length).sum();
                let end = interval.map_or(sum, |interval| interval.high.max(sum));
                self.draw_words(canvas, self.x(end), *row, text);
            }
            Mark::Words { row, text } => self.draw_words(canvas, self.frame.right, *row, text),
            Mark::Cell { column, row, value, .. } => {
                if let Some(color) = self.cell_color(*value) {
                    let (center, half) = (self.spot((*column, *row)), self.cell_reach());
                    let corner = |sign: f64| (center.0 + sign * half.0, center.1 + sign * half.1);
                    canvas.rectangle(corner(-1.0), corner(1.0), color);
                }
            }
            Mark::Spans { lane, spans, shared } => self.draw_spans(canvas, *lane, spans, *shared),
            Mark::Moments { lane, rows } => self.draw_moments(canvas, *lane, rows),
        }
    }

    fn draw_bars<B: Surface>(&self, canvas: &mut Canvas<B>, row: f64, parts: &[(f64, Color)]) {
        let (total, end) = (parts.iter().map(|(length, _)| length).sum::<f64>(), self.chart.x.scale.ends().1);
        // Parts of a whole may miss it by the last bit.
        let shrunk = if total > end * (1.0 + 1e-9) { end / total } else { 1.0 };
        let (mut sum, middle) = (0.0, self.y(row));
        for (length, color) in parts {
            let (from, to) = (self.x(sum * shrunk), self.x((sum + length) * shrunk));
            canvas.rectangle((from, middle - BAR_REACH), (to, middle + BAR_REACH), *color);
            sum += length;
        }
        if shrunk < 1.0 {
            for back in [12.0, 18.0] {
                let x = self.frame.right - back;
                canvas.line(&[(x - 3.0, middle + BAR_REACH + 1.0), (x + 3.0, middle - BAR_REACH - 1.0)], BREAK);
            }
        }
    }

    /// Draws a text that belongs to a row right of `end`.
    fn draw_words<B: Surface>(&self, canvas: &mut Canvas<B>, end: f64, row: f64, words: &str) {
        let (left, middle, width) = (end + WORDS_GAP, self.y(row), text::width(words, SMALL_SIZE));
        let half = SMALL_LINE_HEIGHT / 2.0;
        // Lines of the grid end before it.
        canvas.rectangle((left - 3.0, middle - half), (left + width + 3.0, middle + half), WHITE);
        canvas.text(words, (left, middle), SMALL_SIZE, Align::Start, INK);
    }

    /// Returns half the width and height of a cell, less the gap to its neighbours.
    fn cell_reach(&self) -> Spot {
        let columns = match &self.chart.x.scale {
            Scale::Names(names) => names.len() as f64,
            _ => 1.0,
        };
        ((self.frame.right - self.frame.left) / columns / 2.0 - 0.5, ROW_HEIGHT / 2.0 - 0.5)
    }

    fn cell_color(&self, value: Option<f64>) -> Option<Color> {
        Some(Color::viridis(self.chart.color_scale.as_ref()?.scale.place(value?)))
    }

    /// Draws the texts of cells, above the lines that cross them.
    fn draw_cell_texts<B: Surface>(&self, canvas: &mut Canvas<B>) {
        for mark in &self.chart.marks {
            let Mark::Cell { column, row, value, text } = mark else { continue };
            let (center, width) = (self.spot((*column, *row)), text::width(text, SMALL_SIZE));
            if width + 4.0 > 2.0 * self.cell_reach().0 {
                continue;
            }
            let color = self.cell_color(*value);
            let place = Rect {
                left: center.0 - width / 2.0 - 1.0,
                right: center.0 + width / 2.0 + 1.0,
                top: center.1 - SMALL_LINE_HEIGHT / 2.0,
                bottom: center.1 + SMALL_LINE_HEIGHT / 2.0,
            };
            if self.is_crossed(&place) {
                canvas.rectangle((place.left, place.top), (place.right, place.bottom), color.unwrap_or(WHITE));
            }
            canvas.text(text, center, SMALL_SIZE, Align::Middle, color.map_or(FAINT_INK, Color::text_on));
        }
    }

    fn is_crossed(&self, place: &Rect) -> bool {
        let crosses = |mark: &Mark| match mark {
            Mark::Line(points, _) => {
                points.windows(2).any(|pair| place.meets((self.spot(pair[0]), self.spot(pair[1]))))
            }
            _ => false,
        };
        self.chart.marks.iter().any(crosses)
    }

    fn draw_color_scale<B: Surface>(&self, canvas: &mut Canvas<B>, scale: &ColorScale) {
        let (left, right) = (self.frame.right + 44.0, self.frame.right + 60.0);
        let (top, bottom) = (self.frame.top, self.frame.bottom.min(self.frame.top + 300.0));
        let height = bottom - top;
        for step in 0..COLOR_STEPS {
            let share = f64::from(step) / f64::from(COLOR_STEPS);
            let upper = bottom - height * (f64::from(step + 1) / f64::from(COLOR_STEPS));
            let color = Color::viridis(share + 0.5 / f64::from(COLOR_STEPS));
            canvas.rectangle((left, upper), (right, bottom - height * share), color);
        }
        let mut free_below = f64::INFINITY;
        for Tick { value, label } in scale.scale.ticks() {
            let Some(label) = label else { continue };
            let y = bottom - height * scale.scale.place(value);
            if y + SMALL_LINE_HEIGHT / 2.0 <= free_below {
                canvas.line(&[(right, y), (right + 4.0, y)], Stroke::solid(AXIS, 1.0));
                canvas.text(&label, (right + 8.0, y), SMALL_SIZE, Align::Start, INK);
                free_below = y - SMALL_LINE_HEIGHT / 2.0;
            }
        }
        let label = text::fit(&scale.label, SMALL_SIZE, self.outer.bottom - self.outer.top + 40.0);
        canvas.turned_text(&label, (left - 14.0, f64::midpoint(top, self.frame.bottom)), SMALL_SIZE, INK);
    }

    fn draw_point<B: Surface>(&self, canvas: &mut Canvas<B>, point: &Point) {
        let center = self.center(point);
        for whisker in self.whiskers(point) {
            draw_whisker(canvas, whisker, point.identity.color);
        }
        draw_dot(canvas, point.identity, center, matches!(point.y, Height::AtLeast(_)).then_some((0.0, -1.0)));
    }

    fn draw_names<B: Surface>(&self, canvas: &mut Canvas<B>) {
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
}

#[cfg(test)]
impl Layout<'_> {
    pub(super) fn cell_corners(&self) -> Vec<(Spot, Color)> {
        let corner = |mark: &Mark| {
            let Mark::Cell { column, row, value, .. } = mark else { return None };
            let (center, half) = (self.spot((*column, *row)), self.cell_reach());
            Some(((center.0 - half.0 + 3.0, center.1 - half.1 + 3.0), self.cell_color(*value)?))
        };
        self.chart.marks.iter().filter_map(corner).collect()
    }
}

/// Draws an interval in a colour.
fn draw_whisker<B: Surface>(canvas: &mut Canvas<B>, whisker: (Spot, Spot), color: Color) {
    stroke_whisker(canvas, whisker, Stroke::solid(color, 1.0));
}

/// Draws an interval, or the ground that sets it off from what is behind it: a line with a bar across each end.
fn stroke_whisker<B: Surface>(canvas: &mut Canvas<B>, (from, to): (Spot, Spot), stroke: Stroke) {
    canvas.line(&[from, to], stroke);
    let across = if (from.0 - to.0).abs() < (from.1 - to.1).abs() { (4.0, 0.0) } else { (0.0, 4.0) };
    for end in [from, to] {
        canvas.line(&[(end.0 - across.0, end.1 - across.1), (end.0 + across.0, end.1 + across.1)], stroke);
    }
}

/// Draws a marker with an edge that sets it off. Where it stands for at least a value, it is open and an arrow points in the
/// direction `beyond`.
fn draw_dot<B: Surface>(canvas: &mut Canvas<B>, identity: Identity, center: Spot, beyond: Option<Spot>) {
    let Identity { color, marker, .. } = identity;
    if let Some((x, y)) = beyond {
        let tip = (center.0 + 20.0 * x, center.1 + 20.0 * y);
        let side = |turn: f64| (tip.0 - 5.0 * x + 4.0 * turn * y, tip.1 - 5.0 * y + 4.0 * turn * x);
        canvas.line(&[center, tip], Stroke::solid(color, 2.0));
        canvas.line(&[side(1.0), tip, side(-1.0)], Stroke::solid(color, 2.0));
    }
    draw_marker(canvas, marker, center, 7.5, WHITE);
    draw_marker(canvas, marker, center, 6.0, color);
    if beyond.is_some() {
        draw_marker(canvas, marker, center, 3.5, WHITE);
    }
}

fn draw_marker<B: Surface>(canvas: &mut Canvas<B>, marker: Marker, (x, y): Spot, size: f64, color: Color) {
    let around =
        |corners: &[Spot]| corners.iter().map(|corner| (x + corner.0 * size, y + corner.1 * size)).collect::<Vec<_>>();
    match marker {
        Marker::Disc => canvas.disc((x, y), size, color),
        Marker::Square => canvas.polygon(&around(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]), color),
        Marker::Up => canvas.polygon(&around(&[(0.0, -1.1), (1.1, 0.8), (-1.1, 0.8)]), color),
        Marker::Diamond => canvas.polygon(&around(&[(0.0, -1.2), (1.2, 0.0), (0.0, 1.2), (-1.2, 0.0)]), color),
        Marker::Down => canvas.polygon(&around(&[(0.0, 1.1), (1.1, -0.8), (-1.1, -0.8)]), color),
    }
}
