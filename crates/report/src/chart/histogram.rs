//! Histograms.

use super::frame::Frame;
use super::{Hue, Size};
use crate::escape::escape;
use std::fmt::Write;

/// A histogram of counts.
#[derive(Clone, Debug)]
pub struct HistogramChart {
    /// What the chart shows, for readers who do not see it.
    pub description: String,
    /// Title of the x axis, with its unit.
    pub x_label: String,
    /// Title of the y axis.
    pub y_label: String,
    /// Bin edges, increasing, one more than there are bins.
    pub edges: Vec<f64>,
    /// Height of each bin.
    pub counts: Vec<usize>,
    /// A labelled vertical line.
    pub mark: Option<(f64, String)>,
    /// The colour of the bars.
    pub hue: Hue,
}

impl HistogramChart {
    /// The chart as an `<svg>` element.
    pub fn svg(&self, size: Size) -> String {
        let range = (self.edges.first().copied().unwrap_or(0.0), self.edges.last().copied().unwrap_or(1.0));
        let top = self.counts.iter().copied().max().unwrap_or(0).max(1) as f64;
        // The headroom keeps the mark's label clear of the bars.
        let headroom = if self.mark.is_some() { 1.12 } else { 1.0 };
        let frame = Frame::new(size, range, (0.0, top * headroom));
        let mut svg = frame.open(&self.description) + &frame.axes(&self.x_label, &self.y_label, false);
        let _ = write!(svg, "<g class=\"{}\">", self.hue.class());
        for (edge, &count) in self.edges.windows(2).zip(&self.counts).filter(|(_, count)| **count > 0) {
            let (left, right, y) = (frame.px(edge[0]), frame.px(edge[1]), frame.py(count as f64));
            let _ = write!(
                svg,
                "<rect class=\"bar\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\">\
                 <title>{count} between {} and {}</title></rect>",
                left + 0.5,
                (right - left - 1.0).max(0.5),
                frame.py(0.0) - y,
                crate::format::number(edge[0], 3),
                crate::format::number(edge[1], 3)
            );
        }
        svg += "</g>\n";
        if let Some((x, text)) = &self.mark {
            let column = frame.px(*x);
            let right_half = column > size.width / 2.0;
            let (anchor, shift) = if right_half { ("end", -6.0) } else { ("start", 6.0) };
            let _ = writeln!(
                svg,
                "<line class=\"mark\" x1=\"{column:.1}\" x2=\"{column:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
                 <text class=\"halo\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                frame.py(0.0),
                frame.py(top * headroom),
                column + shift,
                frame.py(top * headroom) + 11.0,
                escape(text)
            );
        }
        svg + "</svg>\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_counts() {
        let chart = HistogramChart {
            description: String::new(),
            x_label: String::new(),
            y_label: String::new(),
            edges: vec![0.0, 1.0, 2.0, 3.0],
            counts: vec![10, 0, 5],
            mark: None,
            hue: Hue::Blue,
        };
        let svg = chart.svg(Size { width: 472.0, height: 258.0 });
        let heights: Vec<&str> = svg
            .split("<rect")
            .skip(1)
            .map(|r| r.split("height=\"").nth(1).unwrap().split('"').next().unwrap())
            .collect();
        // The plot is 200 pixels high.
        assert_eq!(heights, ["200.0", "100.0"]);
    }
}
