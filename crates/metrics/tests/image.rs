//! Structural similarity against scikit-image 0.26 and cases whose answer is known.

use perturb_metrics::MetricError;
use perturb_metrics::image::{ms_ssim, ssim};

/// Two related pictures by an integer recipe.
fn pictures(height: usize, width: usize) -> (Vec<f32>, Vec<f32>) {
    let at = |i: usize, j: usize| ((i * 7 + j * 13 + i * j) % 29) as f32 / 28.0;
    let places = || (0..height).flat_map(move |i| (0..width).map(move |j| (i, j)));
    let changed = |(i, j): (usize, usize)| (at(i, j) * 0.8 + ((i * 5 + j * 3) % 7) as f32 / 35.0).clamp(0.0, 1.0);
    (places().map(|(i, j)| at(i, j)).collect(), places().map(changed).collect())
}

/// `structural_similarity(x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1)`.
#[test]
fn similarity_of_scikit_image() {
    let (x, y) = pictures(24, 20);
    let found = ssim(&x, &y, [1, 24, 20], 1.0).unwrap();
    assert!((found - 0.9547769021987094).abs() < 1e-6, "{found}");
    // The same in another unit, and with another channel that is equal.
    let scaled = |v: &[f32]| v.iter().map(|p| p * 255.0).collect::<Vec<_>>();
    let other = ssim(&scaled(&x), &scaled(&y), [1, 24, 20], 255.0).unwrap();
    assert!((other - found).abs() < 1e-6);
    let two = ssim(&[&x[..], &x].concat(), &[&y[..], &x].concat(), [2, 24, 20], 1.0).unwrap();
    assert!((two - 0.5 * (found + 1.0)).abs() < 1e-12);
}

/// Constant pictures: only the luminance term is left, and of the scales only the last has one.
#[test]
fn luminance_alone() {
    let (a, b) = (vec![0.25f32; 176 * 180], vec![0.75f32; 176 * 180]);
    let luminance = (2.0 * 0.25 * 0.75 + 1e-4) / (0.0625 + 0.5625 + 1e-4);
    assert!((ssim(&a, &b, [1, 176, 180], 1.0).unwrap() - luminance).abs() < 1e-12);
    assert!((ms_ssim(&a, &b, [1, 176, 180], 1.0).unwrap() - f64::powf(luminance, 0.1333)).abs() < 1e-12);
}

#[test]
fn equal_pictures_are_one_and_inverted_ones_are_not() {
    let (x, y) = pictures(176, 176);
    let shape = [1, 176, 176];
    assert!((ms_ssim(&x, &x, shape, 1.0).unwrap() - 1.0).abs() < 1e-12);
    let inverted: Vec<f32> = x.iter().map(|v| 1.0 - v).collect();
    assert!(ms_ssim(&x, &inverted, shape, 1.0).unwrap() < 0.05);
    let between = ms_ssim(&x, &y, shape, 1.0).unwrap();
    assert!(0.5 < between && between < 1.0, "{between}");
}

#[test]
fn refuses_what_has_no_answer() {
    let (x, y) = pictures(24, 20);
    assert!(matches!(ssim(&x, &y, [1, 20, 20], 1.0), Err(MetricError::Domain { what: "shape", .. })));
    assert!(matches!(ssim(&x, &y, [1, 48, 10], 1.0), Err(MetricError::Domain { what: "shape", .. })));
    assert!(matches!(ssim(&x, &y, [usize::MAX, 24, 20], 1.0), Err(MetricError::Domain { .. })));
    assert!(matches!(ms_ssim(&x, &y, [1, 24, 20], 1.0), Err(MetricError::Domain { what: "shape", .. })));
    assert!(matches!(ssim(&x, &y, [1, 24, 20], -1.0), Err(MetricError::Domain { what: "range", .. })));
}
