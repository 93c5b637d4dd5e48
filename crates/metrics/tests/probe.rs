//! Probes against scikit-learn 1.9.1 on data made by an integer recipe.

use perturb_metrics::probe::{LogisticProbe, lasso, r_squared, ridge};
use perturb_metrics::{Matrix, MetricError};

const ROWS: usize = 34;

fn features() -> Matrix<'static> {
    let value = |i: usize, j: usize| (((i * (7 + 3 * j) + j * j * 5) % 17) as f64 - 8.0) / 3.0;
    Matrix::from_vec((0..ROWS).flat_map(|i| (0..4).map(move |j| value(i, j))).collect(), 4).unwrap()
}

fn labels(x: &Matrix) -> Vec<usize> {
    let label = |(i, row): (usize, &[f64])| {
        let score = 2.0 * row[0] - row[1] + (((i * 5) % 7) as f64 - 3.0) * 0.8;
        usize::from(score > 0.0) + usize::from(row[2] > 0.5)
    };
    x.iter().enumerate().map(label).collect()
}

fn targets(x: &Matrix) -> Matrix<'static> {
    let target = |(i, r): (usize, &[f64])| {
        let noise = ((i * 11) % 5) as f64 - 2.0;
        [r[0] + 0.5 * r[1] - 2.0 * r[3] + 0.3 * noise + 1.5, r[1] * r[1]]
    };
    Matrix::from_vec(x.iter().enumerate().flat_map(target).collect(), 2).unwrap()
}

fn close(values: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(values.len(), expected.len());
    for (i, (v, e)) in values.iter().zip(expected).enumerate() {
        assert!((v - e).abs() < tolerance, "entry {i}: {v} instead of {e}");
    }
}

/// `LogisticRegression(C=2, tol=1e-12, max_iter=10000).fit(X, labels)`.
#[test]
fn logistic_regression() {
    let x = features();
    let probe = LogisticProbe { l2: 0.5, tolerance: 1e-11, ..LogisticProbe::default() };
    let fitted = probe.fit(&x, &labels(&x), 3).unwrap();
    assert!(fitted.converged);
    #[rustfmt::skip]
    let weights = [
        -0.895030350522578, 0.373077851239098, -1.114471621220473, 0.366860260271775,
        0.334034945662372, 0.109347138709416, 0.032491614502726, -0.448030610276904,
        0.560995404860206, -0.482424989948513, 1.081980006717749, 0.081170350005129,
    ];
    close(&fitted.map.weights, &weights, 1e-7);
    close(&fitted.map.bias, &[-0.149005184965687, 1.086884290019237, -0.937879105053552], 1e-7);
    assert_eq!(fitted.map.accuracy(&x, &labels(&x)).unwrap(), 0.8529411764705882);
}

/// `Ridge(alpha=2.5).fit(X, Y)` and `r2_score(Y, predict(X), multioutput="raw_values")`.
#[test]
fn ridge_regression() {
    let (x, y) = (features(), targets(&features()));
    let map = ridge(&x, &y, 2.5).unwrap();
    #[rustfmt::skip]
    let weights = [
        1.092050296748934, 0.491898684163646, 0.006449008774542, -1.946884670307791,
        -0.882807116940812, 0.297195016961193, 0.147582440278961, 0.057721050524255,
    ];
    close(&map.weights, &weights, 1e-13);
    close(&map.bias, &[1.482352941176471, 2.666666666666667], 1e-13);
    let r2 = r_squared(&map.apply(&x).unwrap(), &y).unwrap();
    close(&r2, &[0.989689605364192, 0.333630655675719], 1e-13);
}

/// `Ridge(alpha=0.7)` of six rows with nine columns `sin(i·(j + 1))` and targets `i²/10`: the n×n system.
#[test]
fn ridge_with_more_columns_than_rows() {
    let x: Vec<f64> = (0..6).flat_map(|i| (1..=9).map(move |j| f64::sin(f64::from(i * j)))).collect();
    let y: Vec<f64> = (0..6).map(|i| f64::from(i * i) / 10.0).collect();
    let map = ridge(&Matrix::new(&x, 9).unwrap(), &Matrix::new(&y, 1).unwrap(), 0.7).unwrap();
    #[rustfmt::skip]
    let weights = [
        -0.489898015418955, -0.057687707209111, 0.137213632373661, 0.280566618206097, 0.218152208046745,
        -0.64162817728933, 0.00246223064831, 0.273004382949152, 0.129869837369871,
    ];
    close(&map.weights, &weights, 1e-13);
    close(&map.bias, &[0.481812200534601], 1e-13);
}

/// `Lasso(alpha=0.3, tol=1e-14).fit(X, Y)`.
#[test]
fn lasso_regression() {
    let (x, y) = (features(), targets(&features()));
    let map = lasso(&x, &y, 0.3).unwrap();
    #[rustfmt::skip]
    let weights = [
        1.03326265389877, 0.406203830369357, 0.0, -1.870006839945281,
        -0.71294363256785, 0.151217814892136, 0.029088378566458, 0.0,
    ];
    close(&map.weights, &weights, 1e-4);
    assert_eq!((map.weights[2], map.weights[7]), (0.0, 0.0));
}

#[test]
fn refuses_what_has_no_answer() {
    let x = features();
    let probe = LogisticProbe::default();
    assert!(matches!(probe.fit(&x, &[0, 1], 2), Err(MetricError::Length { .. })));
    assert!(matches!(probe.fit(&x, &[0; ROWS], 1), Err(MetricError::Domain { what: "classes", .. })));
    assert!(matches!(probe.fit(&x, &[3; ROWS], 3), Err(MetricError::Domain { what: "labels", .. })));
    let negative = LogisticProbe { l2: -1.0, ..probe };
    assert!(matches!(negative.fit(&x, &[0; ROWS], 2), Err(MetricError::Domain { what: "l2", .. })));
    let twice: Vec<f64> = (0..10).flat_map(|i| [f64::from(i), 2.0 * f64::from(i)]).collect();
    let (twice, y) = (Matrix::new(&twice, 2).unwrap(), Matrix::new(&twice[..10], 1).unwrap());
    assert!(matches!(ridge(&twice, &y, 0.0), Err(MetricError::Domain { .. })));
    assert!(ridge(&twice, &y, 1e-3).is_ok());
    assert!(matches!(lasso(&twice, &y, 0.0), Err(MetricError::Domain { what: "alpha", .. })));
    let constant = Matrix::new(&[1.0; 10], 1).unwrap();
    assert!(matches!(r_squared(&y, &constant), Err(MetricError::Constant { .. })));
}
