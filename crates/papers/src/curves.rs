//! Curves over seeds.

use crate::{Figure, SeedResult};
use perturb_report::chart::{Hue, LineChart, Marker, Sample, Series};

/// The curve of an arm: its name, the arm's, and how it is drawn.
pub(crate) type ArmCurve = (&'static str, &'static str, Hue, Marker);

/// What the axes of a chart mean.
pub(crate) struct Axes {
    pub description: &'static str,
    pub x: &'static str,
    pub y: &'static str,
    /// Where the first axis ends; it begins at 0.
    pub last: f64,
}

/// A figure of shares, from 0 to 1: the mean of each arm's curve over seeds. The line of the `method` is bold.
pub(crate) fn share_figure(
    name: &'static str,
    seeds: &[SeedResult],
    method: &str,
    arms: &[ArmCurve],
    axes: &Axes,
) -> Figure {
    let line = |&(curve, arm, hue, marker): &ArmCurve| Series {
        bold: arm == method,
        ..mean_series(seeds, curve, arm, hue, marker)
    };
    let chart = LineChart {
        description: axes.description.into(),
        x_label: axes.x.into(),
        y_label: axes.y.into(),
        x_range: (0.0, axes.last),
        y_range: (0.0, 1.0),
        percent: true,
        series: arms.iter().map(line).collect(),
        regions: Vec::new(),
    };
    Figure { name, caption: "Mean over seeds; bars from the lowest to the highest seed.".into(), chart }
}

/// The mean of a curve over seeds as a line of a chart, thin and solid.
pub(crate) fn mean_series(seeds: &[SeedResult], curve: &str, name: &str, hue: Hue, marker: Marker) -> Series {
    Series { name: name.into(), points: mean_curve(seeds, curve), hue, marker, dashed: false, bold: false }
}

/// The mean of a curve over seeds, with bars over all of them.
pub(crate) fn mean_curve(seeds: &[SeedResult], name: &str) -> Vec<Sample> {
    let curves: Vec<&[(f64, f64)]> = seeds.iter().filter_map(|s| s.measurements.points(name)).collect();
    let points = curves.first().map_or(0, |c| c.len());
    let at = |i: usize| {
        let ys: Vec<f64> = curves.iter().filter_map(|c| c.get(i)).map(|p| p.1).collect();
        let (low, high) = ys.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), y| (l.min(*y), h.max(*y)));
        let y = ys.iter().sum::<f64>() / ys.len() as f64;
        Sample { x: curves[0][i].0, y, interval: Some([low, high]), note: format!("{:.1}%", 100.0 * y) }
    };
    (0..points).map(at).collect()
}
