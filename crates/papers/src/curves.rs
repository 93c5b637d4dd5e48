//! Curves over seeds.

use crate::SeedResult;
use perturb_report::chart::{Hue, Marker, Sample, Series};

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
