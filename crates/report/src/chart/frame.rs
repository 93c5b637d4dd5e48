//! The plot area: axes, grid, and the map from data to pixels.

use super::{Size, Ticks, ticks};
use crate::escape::escape;
use std::fmt::Write;

/// Space for tick labels and axis titles, in pixels.
const LEFT: f64 = 56.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 46.0;
/// Pixels between ticks, roughly.
const X_SPACING: f64 = 75.0;
const Y_SPACING: f64 = 45.0;

/// The plot area of a drawing.
pub(super) struct Frame {
    size: Size,
    x: (f64, f64),
    y: (f64, f64),
    y_ticks: Ticks,
}

impl Frame {
    /// A frame for data in the given ranges; empty ranges are widened.
    pub(super) fn new(size: Size, x: (f64, f64), y: (f64, f64)) -> Frame {
        let widen = |r: (f64, f64)| if r.1 > r.0 { r } else { (r.0, r.0 + 1.0) };
        let (x, y) = (widen(x), widen(y));
        let rows = ((size.height - TOP - BOTTOM) / Y_SPACING).max(2.0) as usize;
        Frame { size, x, y, y_ticks: ticks(y.0, y.1, rows) }
    }

    /// Pixel column of `x`.
    pub(super) fn px(&self, x: f64) -> f64 {
        LEFT + (x - self.x.0) / (self.x.1 - self.x.0) * (self.size.width - LEFT - RIGHT)
    }

    /// Pixel row of `y`.
    pub(super) fn py(&self, y: f64) -> f64 {
        let (top, bottom) = (TOP, self.size.height - BOTTOM);
        bottom - (y - self.y.0) / (self.y.1 - self.y.0) * (bottom - top)
    }

    /// The range of data along x.
    pub(super) fn x_range(&self) -> (f64, f64) {
        self.x
    }

    /// The opening tag, with `description` as the text for readers who do not see it.
    pub(super) fn open(&self, description: &str) -> String {
        let Size { width, height } = self.size;
        format!(
            "<svg class=\"chart\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" role=\"img\" aria-label=\"{}\">\n",
            escape(description)
        )
    }

    /// Grid, axes, tick labels and titles. `percent` labels shares as percentages.
    pub(super) fn axes(&self, x_label: &str, y_label: &str, percent: bool) -> String {
        let mut svg = String::new();
        let (left, right) = (LEFT, self.size.width - RIGHT);
        let bottom = self.size.height - BOTTOM;
        let columns = ((right - left) / X_SPACING).max(2.0) as usize;
        let x_ticks = ticks(self.x.0, self.x.1, columns);
        for &y in &self.y_ticks.values {
            let label = if percent { format!("{:.0}%", 100.0 * y) } else { self.y_ticks.label(y) };
            let row = self.py(y);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{left}\" x2=\"{right}\" y1=\"{row:.1}\" y2=\"{row:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                left - 8.0,
                row + 4.0
            );
        }
        for &x in &x_ticks.values {
            let column = self.px(x);
            let _ = write!(
                svg,
                "<line class=\"axis\" x1=\"{column:.1}\" x2=\"{column:.1}\" y1=\"{bottom}\" y2=\"{:.1}\"/>\
                 <text x=\"{column:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 5.0,
                bottom + 19.0,
                x_ticks.label(x)
            );
        }
        let (middle_x, middle_y) = ((left + right) / 2.0, (TOP + bottom) / 2.0);
        let _ = writeln!(
            svg,
            "<line class=\"axis\" x1=\"{left}\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\"/>\
             <text x=\"{middle_x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <text transform=\"translate(13 {middle_y:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            self.size.height - 6.0,
            escape(x_label),
            escape(y_label)
        );
        svg
    }
}
