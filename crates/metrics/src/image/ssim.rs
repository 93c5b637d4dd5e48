//! The structural similarity index.

use super::check_image;
use crate::error::{MetricError, Result, check_lengths};

const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;
/// Exponents of the five scales of Wang, Simoncelli & Bovik 2003.
const SCALE_WEIGHTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

/// Structural similarity (Wang et al. 2004), at most 1: Gaussian windows of 11×11 with σ = 1.5, K₁ = 0.01, K₂ = 0.03,
/// the mean over all windows that lie inside the image and over channels. `range` is the difference between the largest
/// and the smallest possible value.
///
/// # Errors
/// [`MetricError::Length`], [`MetricError::Nan`]; [`MetricError::Domain`] for infinite values, a shape that does not
/// fit, a side below 11 or a range that is not positive.
pub fn ssim(x: &[f32], y: &[f32], shape: [usize; 3], range: f64) -> Result<f64> {
    let pairs = planes(x, y, shape, range, WINDOW)?;
    Ok(pairs.iter().map(|(x, y)| similarity(x, y, range).0).sum::<f64>() / shape[0] as f64)
}

/// Multi-scale structural similarity (Wang, Simoncelli & Bovik 2003), in [0, 1]: the contrast–structure terms of five
/// scales, each half as wide as the one before by 2×2 averaging, and the luminance term of the last, each raised to
/// the paper's exponent. A negative term counts as zero.
///
/// # Errors
/// As [`ssim`], for a side below 176.
pub fn ms_ssim(x: &[f32], y: &[f32], shape: [usize; 3], range: f64) -> Result<f64> {
    let pairs = planes(x, y, shape, range, WINDOW << (SCALE_WEIGHTS.len() - 1))?;
    let of_channel = |(mut x, mut y): (Plane, Plane)| {
        let mut product = 1.0;
        for (scale, weight) in SCALE_WEIGHTS.iter().enumerate() {
            let (full, contrast) = similarity(&x, &y, range);
            let last = scale + 1 == SCALE_WEIGHTS.len();
            product *= if last { full } else { contrast }.max(0.0).powf(*weight);
            (x, y) = (x.halved(), y.halved());
        }
        product
    };
    Ok(pairs.into_iter().map(of_channel).sum::<f64>() / shape[0] as f64)
}

/// One channel.
struct Plane {
    values: Vec<f64>,
    height: usize,
    width: usize,
}

impl Plane {
    fn map(&self, other: &Plane, f: impl Fn(f64, f64) -> f64) -> Plane {
        let values = self.values.iter().zip(&other.values).map(|(&a, &b)| f(a, b)).collect();
        Plane { values, ..*self }
    }

    /// Weighted means of all windows inside the plane; the Gaussian separates into rows and columns.
    fn windows(&self) -> Plane {
        let centre = (WINDOW / 2) as f64;
        let weights: Vec<f64> =
            (0..WINDOW).map(|i| (-(i as f64 - centre).powi(2) / (2.0 * SIGMA * SIGMA)).exp()).collect();
        let total: f64 = weights.iter().sum();
        let weights: Vec<f64> = weights.iter().map(|w| w / total).collect();
        let (height, width) = (self.height + 1 - WINDOW, self.width + 1 - WINDOW);
        let along = |window: &[f64]| window.iter().zip(&weights).map(|(v, w)| v * w).sum::<f64>();
        let rows: Vec<f64> = self.values.chunks_exact(self.width).flat_map(|r| r.windows(WINDOW).map(along)).collect();
        let at = |y: usize, x: usize| (0..WINDOW).map(|i| weights[i] * rows[(y + i) * width + x]).sum::<f64>();
        let values = (0..height).flat_map(|y| (0..width).map(move |x| (y, x))).map(|(y, x)| at(y, x)).collect();
        Plane { values, height, width }
    }

    /// Means of blocks of 2×2; an odd last row or column is left out.
    fn halved(&self) -> Plane {
        let (height, width) = (self.height / 2, self.width / 2);
        let at = |y: usize, x: usize| self.values[y * self.width + x];
        let mean = |y, x| 0.25 * (at(y, x) + at(y, x + 1) + at(y + 1, x) + at(y + 1, x + 1));
        let values = (0..height).flat_map(|y| (0..width).map(move |x| mean(2 * y, 2 * x))).collect();
        Plane { values, height, width }
    }
}

/// Means over windows of the whole index and of its contrast–structure term.
fn similarity(x: &Plane, y: &Plane, range: f64) -> (f64, f64) {
    let (c1, c2) = ((0.01 * range).powi(2), (0.03 * range).powi(2));
    let (mean_x, mean_y) = (x.windows(), y.windows());
    let (xx, yy, xy) = (x.map(x, |a, b| a * b), y.map(y, |a, b| a * b), x.map(y, |a, b| a * b));
    let (xx, yy, xy) = (xx.windows(), yy.windows(), xy.windows());
    let (mut full, mut contrast) = (0.0, 0.0);
    for i in 0..mean_x.values.len() {
        let (mx, my) = (mean_x.values[i], mean_y.values[i]);
        let (vx, vy, covariance) = (xx.values[i] - mx * mx, yy.values[i] - my * my, xy.values[i] - mx * my);
        let structure = (2.0 * covariance + c2) / (vx + vy + c2);
        contrast += structure;
        full += structure * (2.0 * mx * my + c1) / (mx * mx + my * my + c1);
    }
    let windows = mean_x.values.len() as f64;
    (full / windows, contrast / windows)
}

fn planes(x: &[f32], y: &[f32], shape: [usize; 3], range: f64, side: usize) -> Result<Vec<(Plane, Plane)>> {
    check_lengths("x and y", x.len(), y.len())?;
    check_image("x", x, range)?;
    check_image("y", y, range)?;
    let [channels, height, width] = shape;
    if channels.checked_mul(height).and_then(|v| v.checked_mul(width)) != Some(x.len()) {
        let reason = format!("{channels}×{height}×{width} does not describe {} values", x.len());
        return Err(MetricError::Domain { what: "shape", reason });
    }
    if height < side || width < side {
        let reason = format!("needs sides of at least {side}, got {height}×{width}");
        return Err(MetricError::Domain { what: "shape", reason });
    }
    let plane = |values: &[f32]| Plane { values: values.iter().map(|&v| f64::from(v)).collect(), height, width };
    let pairs = x.chunks_exact(height * width).zip(y.chunks_exact(height * width));
    Ok(pairs.map(|(x, y)| (plane(x), plane(y))).collect())
}
