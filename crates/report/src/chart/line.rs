//! Line charts with markers, error bars and shaded regions.

use super::frame::Frame;
use super::{Hue, Size};
use crate::escape::escape;
use std::fmt::Write;

/// Approximate size of a region's label, in pixels.
const LETTER_WIDTH: f64 = 7.5;
const LETTER_HEIGHT: f64 = 18.0;

/// One measured point.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Position along x.
    pub x: f64,
    /// Position along y.
    pub y: f64,
    /// Error bar, from low to high.
    pub interval: Option<[f64; 2]>,
    /// What a pointer over the marker shows.
    pub note: String,
}

/// A marker's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// ○
    Circle,
    /// □
    Square,
    /// △
    Triangle,
    /// ◇
    Diamond,
    /// ▽
    Wedge,
}

/// One curve.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its points, in increasing x.
    pub points: Vec<Sample>,
    /// Its colour.
    pub hue: Hue,
    /// Its marker.
    pub marker: Marker,
    /// Drawn with dashes.
    pub dashed: bool,
    /// Drawn thick, with filled markers.
    pub bold: bool,
}

/// The meaning of a shaded region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shade {
    /// Known to be bad.
    Bad,
    /// Not known.
    Unsure,
    /// Known to be good.
    Sure,
}

/// A shaded region between two curves, which are linear between the given points.
#[derive(Clone, Debug)]
pub struct Region {
    /// Written inside, where there is room.
    pub label: String,
    /// Its meaning.
    pub shade: Shade,
    /// `(x, low, high)` in increasing x.
    pub bounds: Vec<(f64, f64, f64)>,
}

/// A line chart.
#[derive(Clone, Debug)]
pub struct LineChart {
    /// What the chart shows, for readers who do not see it.
    pub description: String,
    /// Title of the x axis, with its unit.
    pub x_label: String,
    /// Title of the y axis, with its unit.
    pub y_label: String,
    /// Range of x; curves are cut off at its upper end.
    pub x_range: (f64, f64),
    /// Range of y.
    pub y_range: (f64, f64),
    /// Whether y is a share, shown as a percentage.
    pub percent: bool,
    /// The curves, drawn in this order.
    pub series: Vec<Series>,
    /// The regions behind the curves.
    pub regions: Vec<Region>,
}

impl LineChart {
    /// The chart as an `<svg>` element.
    pub fn svg(&self, size: Size) -> String {
        let frame = Frame::new(size, self.x_range, self.y_range);
        let mut svg = frame.open(&self.description);
        self.regions.iter().for_each(|region| svg += &area(&frame, region));
        svg += &frame.axes(&self.x_label, &self.y_label, self.percent);
        self.series.iter().for_each(|series| svg += &curve(&frame, series));
        self.regions.iter().for_each(|region| svg += &label(&frame, region));
        svg + "</svg>\n"
    }

    /// The names of the curves as an HTML list.
    pub fn legend(&self) -> String {
        let mut html = String::from("<ul class=\"legend\">\n");
        for series in &self.series {
            let _ = writeln!(
                html,
                "<li><svg class=\"chart\" viewBox=\"0 0 38 14\" aria-hidden=\"true\"><g class=\"{}\">\
                 <path class=\"{}\" d=\"M1 7H37\"/>{}</g></svg><span>{}</span></li>",
                series.hue.class(),
                line_class(series),
                symbol(series, 19.0, 7.0, ""),
                escape(&series.name)
            );
        }
        html + "</ul>\n"
    }
}

fn line_class(series: &Series) -> String {
    format!("line{}{}", if series.bold { " bold" } else { "" }, if series.dashed { " dashed" } else { "" })
}

/// The marker of a series around a pixel.
fn symbol(series: &Series, x: f64, y: f64, note: &str) -> String {
    let class = if series.bold { "marker filled" } else { "marker" };
    let path = match series.marker {
        Marker::Circle => format!("M{:.1} {y:.1}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z", x - 4.0),
        Marker::Square => format!("M{:.1} {:.1}h7v7h-7Z", x - 3.5, y - 3.5),
        Marker::Triangle => format!("M{x:.1} {:.1}l4.5 8h-9Z", y - 5.0),
        Marker::Diamond => format!("M{x:.1} {:.1}l5 5l-5 5l-5 -5Z", y - 5.0),
        Marker::Wedge => format!("M{x:.1} {:.1}l-4.5 -8h9Z", y + 5.0),
    };
    let title = if note.is_empty() { String::new() } else { format!("<title>{}</title>", escape(note)) };
    format!("<path class=\"{class}\" d=\"{path}\">{title}</path>")
}

fn curve(frame: &Frame, series: &Series) -> String {
    let end = frame.x_range().1;
    let mut svg = format!("<g class=\"{}\">", series.hue.class());
    let mut path = String::new();
    let mut previous: Option<&Sample> = None;
    for sample in &series.points {
        let cut = sample.x > end;
        let y = match previous {
            Some(p) if cut => p.y + (sample.y - p.y) * (end - p.x) / (sample.x - p.x),
            None if cut => break,
            _ => sample.y,
        };
        let command = if previous.is_some() { 'L' } else { 'M' };
        let _ = write!(path, "{command}{:.1} {:.1}", frame.px(sample.x.min(end)), frame.py(y));
        if cut {
            break;
        }
        previous = Some(sample);
    }
    let _ = write!(svg, "<path class=\"{}\" d=\"{path}\"/>", line_class(series));
    for sample in series.points.iter().filter(|s| s.x <= end) {
        let x = frame.px(sample.x);
        if let Some([low, high]) = sample.interval {
            let (low, high) = (frame.py(low), frame.py(high));
            let _ = write!(
                svg,
                "<path class=\"whisker\" d=\"M{x:.1} {low:.1}V{high:.1}m-3 0h6M{:.1} {low:.1}h6\"/>",
                x - 3.0
            );
        }
        svg += &symbol(series, x, frame.py(sample.y), &sample.note);
    }
    svg + "</g>\n"
}

fn area(frame: &Frame, region: &Region) -> String {
    let class = match region.shade {
        Shade::Bad => "bad",
        Shade::Unsure => "unsure",
        Shade::Sure => "sure",
    };
    let point = |x: f64, y: f64| format!("{:.1},{:.1}", frame.px(x), frame.py(y));
    let upper = region.bounds.iter().map(|&(x, _, high)| point(x, high));
    let lower = region.bounds.iter().rev().map(|&(x, low, _)| point(x, low));
    let outline: Vec<String> = upper.chain(lower).collect();
    format!("<polygon class=\"{class}\" points=\"{}\"/>\n", outline.join(" "))
}

/// The label where the region is highest over the label's width, or nothing where it does not fit.
fn label(frame: &Frame, region: &Region) -> String {
    let half = region.label.chars().count() as f64 * LETTER_WIDTH / 2.0;
    let (Some(first), Some(last)) = (region.bounds.first(), region.bounds.last()) else { return String::new() };
    let (start, end) = (frame.px(first.0), frame.px(last.0));
    let mut best: Option<(f64, f64, f64)> = None;
    let mut x = start + half + 4.0;
    while x <= end - half - 4.0 {
        let across = [-1.0, -0.5, 0.0, 0.5, 1.0].map(|part| rows_at(frame, region, x + part * half));
        let top = across.iter().map(|r| r.0).fold(f64::NEG_INFINITY, f64::max);
        let bottom = across.iter().map(|r| r.1).fold(f64::INFINITY, f64::min);
        if best.is_none_or(|b| bottom - top > b.1 + 0.5) {
            best = Some((x, bottom - top, (top + bottom) / 2.0));
        }
        x += 8.0;
    }
    match best {
        Some((x, room, y)) if room >= LETTER_HEIGHT => {
            format!("<text class=\"region\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>\n", y + 4.0, escape(&region.label))
        }
        _ => String::new(),
    }
}

/// Top and bottom pixel row of a region at a pixel column.
fn rows_at(frame: &Frame, region: &Region, column: f64) -> (f64, f64) {
    for pair in region.bounds.windows(2) {
        let (a, b) = (frame.px(pair[0].0), frame.px(pair[1].0));
        if column >= a && column <= b {
            let weight = if b > a { (column - a) / (b - a) } else { 0.0 };
            let mix = |u: f64, v: f64| u + weight * (v - u);
            return (frame.py(mix(pair[0].2, pair[1].2)), frame.py(mix(pair[0].1, pair[1].1)));
        }
    }
    // Rounding can put the column a hair outside: no room there.
    (0.0, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 500.0, height: 300.0 };

    fn chart(points: &[(f64, f64)], bounds: &[(f64, f64, f64)]) -> String {
        let sample = |&(x, y): &(f64, f64)| Sample { x, y, interval: None, note: "a < b".into() };
        LineChart {
            description: "\"quoted\"".into(),
            x_label: "ε".into(),
            y_label: "accuracy".into(),
            x_range: (0.0, 1.0),
            y_range: (0.0, 1.0),
            percent: true,
            series: vec![Series {
                name: "<s>".into(),
                points: points.iter().map(sample).collect(),
                hue: Hue::Blue,
                marker: Marker::Circle,
                dashed: false,
                bold: false,
            }],
            regions: vec![Region { label: "unknown".into(), shade: Shade::Unsure, bounds: bounds.to_vec() }],
        }
        .svg(SIZE)
    }

    /// Numbers of the curve's path.
    fn path(svg: &str) -> Vec<f64> {
        let start = svg.find("class=\"line\" d=\"M").expect("a curve") + "class=\"line\" d=\"M".len();
        let end = start + svg[start..].find('"').expect("a closing quote");
        svg[start..end].split(['L', ' ']).map(|n| n.parse().expect("a number")).collect()
    }

    #[test]
    fn corners_of_the_data_are_corners_of_the_plot() {
        assert_eq!(path(&chart(&[(0.0, 0.0), (1.0, 1.0)], &[])), [56.0, 254.0, 484.0, 12.0]);
    }

    #[test]
    fn curves_are_cut_at_the_end_of_the_axis() {
        // From (0, 1) to (2, 0): at x = 1 the curve is at 0.5.
        assert_eq!(path(&chart(&[(0.0, 1.0), (2.0, 0.0)], &[])), [56.0, 12.0, 484.0, 133.0]);
        let svg = chart(&[(0.0, 1.0), (2.0, 0.0)], &[]);
        assert_eq!(svg.matches("class=\"marker\"").count(), 1);
    }

    #[test]
    fn labels_only_where_they_fit() {
        assert!(chart(&[], &[(0.0, 0.0, 1.0), (1.0, 0.0, 1.0)]).contains("unknown"));
        assert!(!chart(&[], &[(0.0, 0.5, 0.52), (1.0, 0.5, 0.52)]).contains("unknown"));
        assert!(!chart(&[], &[(0.0, 0.0, 1.0), (0.05, 0.0, 1.0)]).contains("unknown"));
        // A wedge has its room on the right.
        let svg = chart(&[], &[(0.0, 0.5, 0.5), (1.0, 0.0, 1.0)]);
        let at = svg.find("class=\"region\" x=\"").expect("a label") + "class=\"region\" x=\"".len();
        let x: f64 = svg[at..at + svg[at..].find('"').unwrap()].parse().unwrap();
        assert!(x > 400.0, "{x}");
    }

    #[test]
    fn user_text_is_escaped() {
        let svg = chart(&[(0.0, 1.0)], &[]);
        assert!(svg.contains("aria-label=\"&quot;quoted&quot;\"") && svg.contains("<title>a &lt; b</title>"));
    }
}
