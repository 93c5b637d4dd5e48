//! Similarity of images: PSNR, SSIM, multi-scale SSIM, distances of feature maps.
//!
//! Images are channel-first `[channels, height, width]` in single precision, as models take them; all arithmetic is in
//! double precision.

mod features;
mod ssim;

pub use features::{FeatureMap, feature_distance};
pub use ssim::{ms_ssim, ssim};

use crate::error::{MetricError, Result, check_lengths};

/// Peak signal-to-noise ratio `10·log₁₀(range² / mean squared error)` in decibels; infinite for equal images. `range`
/// is the difference between the largest and the smallest possible value (1 for images in [0, 1]).
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Length`], [`MetricError::Nan`]; [`MetricError::Domain`] for infinite values or
/// a range that is not positive.
pub fn psnr(x: &[f32], y: &[f32], range: f64) -> Result<f64> {
    check_lengths("x and y", x.len(), y.len())?;
    check_image("x", x, range)?;
    check_image("y", y, range)?;
    let squares: f64 = x.iter().zip(y).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
    Ok(10.0 * (range * range * x.len() as f64 / squares).log10())
}

fn check_image(what: &'static str, values: &[f32], range: f64) -> Result<()> {
    if values.is_empty() {
        return Err(MetricError::Empty { what });
    }
    if range.is_nan() || range <= 0.0 || range.is_infinite() {
        return Err(MetricError::Domain { what: "range", reason: format!("must be positive and finite, got {range}") });
    }
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) if values[index].is_nan() => Err(MetricError::Nan { what, index }),
        Some(index) => Err(MetricError::Domain { what, reason: format!("infinite at index {index}") }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decibels_by_hand() {
        // Mean squared error 0.01 against range 1: 20 dB; against range 10: 40 dB.
        let (x, y) = ([0.0f32; 4], [0.1f32, -0.1, 0.1, -0.1]);
        assert!((psnr(&x, &y, 1.0).unwrap() - 20.0).abs() < 1e-6);
        assert!((psnr(&x, &y, 10.0).unwrap() - 40.0).abs() < 1e-6);
        assert_eq!(psnr(&x, &x, 1.0).unwrap(), f64::INFINITY);
    }

    #[test]
    fn refuses_what_has_no_answer() {
        assert!(matches!(psnr(&[], &[], 1.0), Err(MetricError::Empty { .. })));
        assert!(matches!(psnr(&[0.0], &[0.0, 1.0], 1.0), Err(MetricError::Length { .. })));
        assert!(matches!(psnr(&[0.0], &[f32::NAN], 1.0), Err(MetricError::Nan { what: "y", .. })));
        assert!(matches!(psnr(&[0.0], &[0.0], 0.0), Err(MetricError::Domain { what: "range", .. })));
    }
}
