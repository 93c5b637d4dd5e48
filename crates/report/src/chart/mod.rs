//! Small charts as inline SVG, written by hand: no script, no font, no network.
//!
//! The SVG carries classes only; [`STYLE`] gives them colours for light and dark, and must be on the page. The
//! palette is that of Okabe & Ito, which colour-blind readers can tell apart; every series has its own marker as well.

mod frame;
mod histogram;
mod line;
mod ticks;

pub use histogram::HistogramChart;
pub use line::{LineChart, Marker, Region, Sample, Series, Shade};
pub use ticks::{Ticks, ticks};

/// The style sheet of the charts.
pub const STYLE: &str = include_str!("chart.css");

/// A chart's `<svg>` element as a file of its own, with its style sheet in it.
pub fn standalone(svg: &str) -> String {
    let svg = svg.replacen("<svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"", 1);
    svg.replacen('>', &format!("><style>{STYLE}</style>"), 1)
}

/// The size of a drawing in CSS pixels; text does not scale with it, so draw a chart once per screen width.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// A hue of the palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hue {
    /// Red-orange.
    Vermillion,
    /// Yellow-orange.
    Amber,
    /// Reddish purple.
    Purple,
    /// Brown.
    Brown,
    /// Neutral grey.
    Grey,
    /// Blue.
    Blue,
    /// Light blue.
    Sky,
    /// Bluish green.
    Green,
}

impl Hue {
    /// The class that carries the colour.
    fn class(self) -> &'static str {
        match self {
            Hue::Vermillion => "hue-vermillion",
            Hue::Amber => "hue-amber",
            Hue::Purple => "hue-purple",
            Hue::Brown => "hue-brown",
            Hue::Grey => "hue-grey",
            Hue::Blue => "hue-blue",
            Hue::Sky => "hue-sky",
            Hue::Green => "hue-green",
        }
    }
}
