//! Measures of representations against numpy, scipy 1.17.1 and cases whose answer is known.

use perturb_metrics::distribution::Kernel;
use perturb_metrics::probe::{r_squared, ridge};
use perturb_metrics::representation::*;
use perturb_metrics::{Matrix, MetricError};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn points() -> Matrix<'static> {
    let value = |k: usize, c: usize| (((k * (7 + 3 * c) + c * c * 5 + k * k) % 23) as f64 - 11.0) / 5.0;
    Matrix::from_vec((0..40).flat_map(|k| (0..3).map(move |c| value(k, c))).collect(), 3).unwrap()
}

/// `[p0², p1 + p2, sin(p2), p0]` of each row.
fn features(x: &Matrix) -> Matrix<'static> {
    Matrix::from_vec(x.iter().flat_map(|p| [p[0] * p[0], p[1] + p[2], p[2].sin(), p[0]]).collect(), 4).unwrap()
}

fn close(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() < tolerance, "{value} instead of {expected}");
}

/// numpy: entropy of `svd(P)`; `(Σλ)²/Σλ²` of `eigvalsh(cov(P.T))`.
#[test]
fn ranks_of_numpy() {
    close(effective_rank(&points()).unwrap(), 2.9294347917536947, 1e-12);
    close(participation_ratio(&points()).unwrap(), 2.5771756220580277, 1e-12);
    let line: Vec<f64> = (0..20).flat_map(|i| [f64::from(i), -2.0 * f64::from(i)]).collect();
    let line = Matrix::new(&line, 2).unwrap();
    close(effective_rank(&line).unwrap(), 1.0, 1e-12);
    close(participation_ratio(&line).unwrap(), 1.0, 1e-12);
}

/// numpy, by the formulas of Kornblith et al. and of Song et al.
#[test]
fn alignment_of_kernels_of_numpy() {
    let (x, y) = (points(), features(&points()));
    let linear = [Kernel::Linear; 2];
    close(cka(&x, &y, linear, Estimator::Biased).unwrap(), 0.8255229299410148, 1e-12);
    close(cka(&x, &y, linear, Estimator::Unbiased).unwrap(), 0.8116187097650135, 1e-12);
    let rbf = [Kernel::Rbf { bandwidth: 1.5 }, Kernel::Rbf { bandwidth: 2.0 }];
    close(cka(&x, &y, rbf, Estimator::Biased).unwrap(), 0.8618730857542813, 1e-12);
    close(cka(&x, &y, rbf, Estimator::Unbiased).unwrap(), 0.8297273268533317, 1e-12);
    close(cka(&x, &x, [rbf[0]; 2], Estimator::Unbiased).unwrap(), 1.0, 1e-12);
}

/// `scipy.spatial.procrustes(P, Y[:, :3])`.
#[test]
fn procrustes_of_scipy() {
    let (x, y) = (points(), features(&points()));
    let three: Vec<f64> = y.iter().flat_map(|row| row[..3].to_vec()).collect();
    let found = procrustes(&x, &Matrix::new(&three, 3).unwrap()).unwrap();
    close(found.disparity, 0.5893436886889463, 1e-12);
}

/// A turned, scaled and moved copy is matched perfectly, and the turn is found.
#[test]
fn procrustes_recovers_a_rotation() {
    let x = points();
    let (s, c) = 0.7f64.sin_cos();
    let turned: Vec<f64> =
        x.iter().flat_map(|p| [2.0 * (c * p[0] - s * p[1]) + 1.0, 2.0 * (s * p[0] + c * p[1]), 2.0 * p[2]]).collect();
    let found = procrustes(&x, &Matrix::new(&turned, 3).unwrap()).unwrap();
    close(found.disparity, 0.0, 1e-12);
    close(found.scale, 2.0, 1e-12);
    let expected = [c, s, 0.0, -s, c, 0.0, 0.0, 0.0, 1.0];
    assert!(found.rotation.iter().zip(expected).all(|(r, e)| (r - e).abs() < 1e-12), "{:?}", found.rotation);
}

/// A flat torus has no boundary and no curvature: `d` circles in 2·d coordinates.
fn torus(seed: u64, rows: usize, d: usize) -> Matrix<'static> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let circle = |_| {
        let angle: f64 = rng.random_range(0.0..std::f64::consts::TAU);
        [angle.cos(), angle.sin()]
    };
    Matrix::from_vec((0..rows * d).flat_map(circle).collect(), 2 * d).unwrap()
}

/// Standard errors are about D/√n for TwoNN and less for more neighbours.
#[test]
fn dimensions_of_tori() {
    for d in [1, 2, 3] {
        let (x, truth) = (torus(d as u64, 2000, d), d as f64);
        let tolerance = 4.0 * truth / 2000f64.sqrt();
        close(two_nn(&x, 0.0).unwrap(), truth, tolerance);
        close(two_nn(&x, 0.1).unwrap(), truth, tolerance);
        close(levina_bickel(&x, 10).unwrap(), truth, 0.06 * truth);
        close(mackay_ghahramani(&x, 10).unwrap(), truth, 0.06 * truth);
    }
}

/// Three points at 120° have squared distances 3, so uniformity is −3t; antipodes have alignment 2^α.
#[test]
fn on_the_circle() {
    let triangle: Vec<f64> = (0..3)
        .flat_map(|i| [(f64::from(i) * 2.0943951023931953).cos(), (f64::from(i) * 2.0943951023931953).sin()])
        .collect();
    let triangle = Matrix::new(&triangle, 2).unwrap();
    close(uniformity(&triangle, 2.0).unwrap(), -6.0, 1e-12);
    let opposite: Vec<f64> = triangle.values().iter().map(|v| -v).collect();
    close(alignment(&triangle, &Matrix::new(&opposite, 2).unwrap(), 3.0).unwrap(), 8.0, 1e-12);
    close(alignment(&triangle, &triangle, 2.0).unwrap(), 0.0, 1e-15);
}

#[test]
fn matched_factors() {
    let x = points();
    // Features: −p2, a constant, 3·p0, p1³.
    let y = Matrix::from_vec(x.iter().flat_map(|p| [-p[2], 7.0, 3.0 * p[0], p[1].powi(3)]).collect(), 4).unwrap();
    let rank = mean_correlation(&x, &y, Correlation::Spearman).unwrap();
    assert_eq!(rank.features, [2, 3, 0]);
    close(rank.mean, 1.0, 1e-12);
    let linear = mean_correlation(&x, &y, Correlation::Pearson).unwrap();
    assert_eq!(linear.features, [2, 3, 0]);
    assert!(linear.mean < 0.99 && linear.correlations[1] == 0.0);
}

#[test]
fn explained_variance() {
    let (x, y) = (points(), features(&points()));
    let expected = r_squared(&ridge(&x, &y, 0.0).unwrap().apply(&x).unwrap(), &y).unwrap();
    let found = affine_r_squared(&x, &y).unwrap();
    assert!(found.iter().zip(&expected).all(|(f, e)| (f - e).abs() < 1e-12));
    // A copy of a column adds nothing, and p0 and p1 + p2 are affine functions.
    let doubled = Matrix::from_vec(x.iter().flat_map(|p| [p[0], p[1], p[2], p[0]]).collect(), 4).unwrap();
    let again = affine_r_squared(&doubled, &y).unwrap();
    assert!(again.iter().zip(&expected).all(|(f, e)| (f - e).abs() < 1e-12));
    close(found[1], 1.0, 1e-12);
    close(found[3], 1.0, 1e-12);
}

/// Two features for three factors: entropies by hand.
#[test]
fn importances_by_hand() {
    let found = dci(&Matrix::new(&[1.0, 0.0, 0.0, 0.0, 1.0, 1.0], 3).unwrap()).unwrap();
    // Rows: 1 and 1 − ln 2/ln 3, weights 1 and 2; columns all pure.
    close(found.disentanglement, (1.0 + 2.0 * (1.0 - 2f64.ln() / 3f64.ln())) / 3.0, 1e-12);
    close(found.completeness, 1.0, 1e-12);
    let even = dci(&Matrix::new(&[1.0; 6], 3).unwrap()).unwrap();
    close(even.disentanglement, 0.0, 1e-12);
    close(even.completeness, 0.0, 1e-12);
}

#[test]
fn refuses_what_has_no_answer() {
    let x = points();
    let constant = Matrix::new(&[1.0; 120], 3).unwrap();
    assert!(matches!(effective_rank(&Matrix::new(&[0.0; 4], 2).unwrap()), Err(MetricError::Constant { .. })));
    assert!(matches!(participation_ratio(&constant), Err(MetricError::Constant { .. })));
    assert!(matches!(uniformity(&x, 2.0), Err(MetricError::Domain { .. })));
    assert!(matches!(two_nn(&constant, 0.0), Err(MetricError::Domain { .. })));
    assert!(matches!(two_nn(&x, 1.0), Err(MetricError::Domain { what: "discard", .. })));
    assert!(matches!(levina_bickel(&x, 2), Err(MetricError::Domain { what: "k", .. })));
    let linear = [Kernel::Linear; 2];
    assert!(matches!(cka(&x, &constant, linear, Estimator::Biased), Err(MetricError::Constant { what: "y" })));
    assert!(matches!(cka(&constant, &x, linear, Estimator::Unbiased), Err(MetricError::Constant { what: "x" })));
    assert!(matches!(procrustes(&x, &constant), Err(MetricError::Constant { what: "y" })));
    assert!(matches!(procrustes(&x, &features(&x)), Err(MetricError::Length { .. })));
    assert!(matches!(mean_correlation(&constant, &x, Correlation::Pearson), Err(MetricError::Constant { .. })));
    assert!(matches!(affine_r_squared(&x, &constant), Err(MetricError::Constant { .. })));
    assert!(matches!(dci(&Matrix::new(&[0.0; 4], 2).unwrap()), Err(MetricError::Domain { .. })));
    assert!(matches!(dci(&Matrix::new(&[1.0, -1.0, 0.0, 0.0], 2).unwrap()), Err(MetricError::Domain { .. })));
}
