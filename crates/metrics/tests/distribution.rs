//! Distances between samples against scipy 1.17.1 and scikit-learn 1.9.1 on data made by an integer recipe, and against
//! closed forms.

use perturb_metrics::distribution::{
    Gaussian, Kernel, energy_distance, energy_test, fidelity, frechet_distance, kid, median_bandwidth, squared_mmd,
};
use perturb_metrics::{Matrix, MetricError};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

fn sample(rows: usize, seed: usize, shift: [f64; 3]) -> Matrix<'static> {
    let value =
        |k: usize, c: usize| (((k * (7 + 3 * c) + c * c * 5 + seed * k * k) % 23) as f64 - 11.0) / 5.0 + shift[c];
    Matrix::from_vec((0..rows).flat_map(|k| (0..3).map(move |c| value(k, c))).collect(), 3).unwrap()
}

fn pair() -> (Matrix<'static>, Matrix<'static>) {
    (sample(40, 1, [0.0; 3]), sample(30, 2, [0.5, 0.0, -0.25]))
}

fn normal(seed: u64, rows: usize, columns: usize, shift: f64) -> Matrix<'static> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let draw = |_| shift + <StandardNormal as Distribution<f64>>::sample(&StandardNormal, &mut rng);
    Matrix::from_vec((0..rows * columns).map(draw).collect(), columns).unwrap()
}

fn close(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() < tolerance, "{value} instead of {expected}");
}

/// `‖μ₁ − μ₂‖² + trace(S1 + S2 - 2 * scipy.linalg.sqrtm(S1 @ S2))`.
#[test]
fn frechet_of_scipy() {
    let (x, y) = pair();
    let (a, b) = (Gaussian::fit(&x).unwrap(), Gaussian::fit(&y).unwrap());
    close(frechet_distance(&a, &b).unwrap(), 1.335740081072027, 1e-12);
    close(frechet_distance(&b, &a).unwrap(), 1.335740081072027, 1e-12);
    close(frechet_distance(&a, &a).unwrap(), 0.0, 1e-12);
}

/// Covariances that commute: Σ (√a − √b)² over eigenvalues, also for singular ones.
#[test]
fn frechet_of_axes() {
    let diagonal = |v: [f64; 3]| {
        let values: Vec<f64> = (0..9).map(|i| if i % 4 == 0 { v[i / 4] } else { 0.0 }).collect();
        Gaussian::new(&[1.0, 2.0, 3.0], &Matrix::from_vec(values, 3).unwrap()).unwrap()
    };
    let (a, b) = (diagonal([4.0, 1.0, 0.0]), diagonal([1.0, 9.0, 0.25]));
    close(frechet_distance(&a, &b).unwrap(), 1.0 + 4.0 + 0.25, 1e-12);
}

/// `polynomial_kernel(degree=3, gamma=1/d, coef0=1)` and `rbf_kernel(gamma=1/(2*bw**2))` in the U-statistic;
/// `numpy.median(pdist(x))`.
#[test]
fn kernels_of_scikit_learn() {
    let (x, y) = pair();
    close(kid(&x, &y).unwrap(), 2.4832941828723936, 1e-12);
    let bandwidth = median_bandwidth(&x).unwrap();
    close(bandwidth, 2.9120439557122073, 1e-14);
    close(squared_mmd(&x, &y, Kernel::Rbf { bandwidth }).unwrap(), 0.039822442986137796, 1e-14);
}

/// The mean over many pairs of samples from one distribution is zero within its standard error: no bias.
#[test]
fn discrepancy_is_unbiased() {
    let kernel = Kernel::Rbf { bandwidth: 1.5 };
    let values: Vec<f64> = (0..400)
        .map(|i| squared_mmd(&normal(2 * i, 8, 2, 0.0), &normal(2 * i + 1, 6, 2, 0.0), kernel).unwrap())
        .collect();
    let mean = values.iter().sum::<f64>() / 400.0;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 400.0).sqrt();
    assert!(mean.abs() < 3.0 * deviation / 20.0, "{mean} ± {}", deviation / 20.0);
    assert!(values.iter().any(|v| *v < 0.0));
}

/// `2*cdist(x, y).mean() - cdist(x, x).mean() - cdist(y, y).mean()`, and the square of `scipy.stats.energy_distance`.
#[test]
fn energy_of_scipy() {
    let (x, y) = pair();
    close(energy_distance(&x, &y).unwrap(), 0.40815350401359396, 1e-13);
    let first = |m: &Matrix| Matrix::from_vec(m.column(0), 1).unwrap();
    close(energy_distance(&first(&x), &first(&y)).unwrap(), 0.43577777777777793, 1e-13);
    close(energy_test(&x, &y, 9, 1).unwrap().distance, 0.40815350401359396, 1e-12);
}

#[test]
fn permutation_p_values() {
    let shifted = energy_test(&normal(1, 40, 3, 0.0), &normal(2, 30, 3, 1.0), 199, 5).unwrap();
    assert_eq!(shifted.p_value, 1.0 / 200.0);
    // Under the null small p-values are as rare as they claim.
    let small = (0..100).filter(|&i| {
        let test = energy_test(&normal(100 + 2 * i, 12, 2, 0.0), &normal(101 + 2 * i, 9, 2, 0.0), 99, i).unwrap();
        test.p_value <= 0.1
    });
    let small = small.count();
    assert!((2..=20).contains(&small), "{small} of 100 at or below 0.1");
}

/// Real points 0, 1, 2, 3, 10 with k = 1 have radii 1, 1, 1, 1, 7; generated 0.5, 0.6, 20 have 0.1, 0.1, 19.4.
#[test]
fn fidelity_by_hand() {
    let real = Matrix::new(&[0.0, 1.0, 2.0, 3.0, 10.0], 1).unwrap();
    let generated = Matrix::new(&[0.5, 0.6, 20.0], 1).unwrap();
    let found = fidelity(&real, &generated, 1).unwrap();
    // 0.5 and 0.6 lie in the balls of 0 and 1, 20 in none.
    close(found.precision, 2.0 / 3.0, 1e-15);
    close(found.density, 4.0 / 3.0, 1e-15);
    // The ball of 20 reaches down to 0.6.
    close(found.recall, 4.0 / 5.0, 1e-15);
    close(found.coverage, 2.0 / 5.0, 1e-15);
}

#[test]
fn fidelity_of_equal_and_of_distant_samples() {
    let x = normal(7, 60, 3, 0.0);
    let same = fidelity(&x, &x, 3).unwrap();
    assert_eq!((same.precision, same.recall, same.coverage), (1.0, 1.0, 1.0));
    let apart = fidelity(&x, &normal(8, 60, 3, 100.0), 3).unwrap();
    assert_eq!((apart.precision, apart.recall, apart.density, apart.coverage), (0.0, 0.0, 0.0, 0.0));
}

#[test]
fn refuses_what_has_no_answer() {
    let (x, one) = (normal(1, 5, 3, 0.0), normal(1, 1, 3, 0.0));
    let narrow = normal(1, 5, 2, 0.0);
    assert!(matches!(Gaussian::fit(&one), Err(MetricError::Domain { .. })));
    assert!(matches!(Gaussian::new(&[0.0], &x), Err(MetricError::Length { .. })));
    let fit = |m| Gaussian::fit(m).unwrap();
    assert!(matches!(frechet_distance(&fit(&x), &fit(&narrow)), Err(MetricError::Length { .. })));
    assert!(matches!(kid(&x, &one), Err(MetricError::Domain { what: "y", .. })));
    assert!(matches!(squared_mmd(&x, &x, Kernel::Rbf { bandwidth: 0.0 }), Err(MetricError::Domain { .. })));
    assert!(matches!(median_bandwidth(&Matrix::new(&[1.0; 9], 3).unwrap()), Err(MetricError::Domain { .. })));
    assert!(matches!(energy_distance(&x, &narrow), Err(MetricError::Length { .. })));
    assert!(matches!(energy_test(&x, &x, 0, 0), Err(MetricError::Empty { .. })));
    assert!(matches!(fidelity(&x, &x, 5), Err(MetricError::Domain { what: "k", .. })));
}
