//! Singular and eigenvalue decompositions of matrices of every rank from 0 to full.

use perturb_graph::linear_algebra::{eigh, svd};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Row-major matrices.
struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    fn from_fn(rows: usize, columns: usize, mut value: impl FnMut(usize, usize) -> f64) -> Matrix {
        let values = (0..rows * columns).map(|at| value(at / columns, at % columns)).collect();
        Matrix { rows, columns, values }
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        self.values[i * self.columns + j]
    }

    fn product(&self, other: &Matrix) -> Matrix {
        let entry = |i: usize, j: usize| (0..self.columns).map(|k| self.at(i, k) * other.at(k, j)).sum();
        Matrix::from_fn(self.rows, other.columns, entry)
    }

    fn transposed(&self) -> Matrix {
        Matrix::from_fn(self.columns, self.rows, |i, j| self.at(j, i))
    }

    fn largest(&self) -> f64 {
        self.values.iter().fold(0.0, |m, v| m.max(v.abs()))
    }

    /// Largest difference from the identity of the products of columns.
    fn orthonormality_error(&self) -> f64 {
        let products = self.transposed().product(self);
        let n = products.rows;
        Matrix::from_fn(n, n, |i, j| products.at(i, j) - f64::from(u8::from(i == j))).largest()
    }
}

/// A product of random factors whose inner size is `rank`: of normal size, of whole numbers, or of very different lengths.
fn of_rank(rank: usize, (m, n): (usize, usize), kind: usize, rng: &mut ChaCha8Rng) -> Matrix {
    let mut factor = |rows: usize, columns: usize| {
        Matrix::from_fn(rows, columns, |_, j| match kind {
            0 => rng.random_range(-1.0..1.0),
            1 => f64::from(rng.random_range(-3..4)),
            _ => rng.random_range(-1.0..1.0) * 10f64.powi(-3 * j as i32),
        })
    };
    let (left, right) = (factor(m, rank), factor(n, rank).transposed());
    if rank == 0 { Matrix::from_fn(m, n, |_, _| 0.0) } else { left.product(&right) }
}

fn check_svd(a: &Matrix, rank: usize, what: &str) {
    let (m, n) = (a.rows, a.columns);
    let k = m.min(n);
    let mut packed = vec![0.0; (m + 1 + n) * k];
    svd(m, n, &a.values, &mut packed);
    let block = |first: usize, rows: usize| Matrix::from_fn(rows, k, |i, j| packed[(first + i) * k + j]);
    let (u, s, v) = (block(0, m), block(m, 1).values, block(m + 1, n));
    let unit = a.largest().max(1e-300);
    assert!(s.windows(2).all(|w| w[0] >= w[1]) && s.iter().all(|s| *s >= 0.0), "{what}: {s:?}");
    assert!(s[rank..].iter().all(|s| *s <= 1e-13 * unit * k as f64), "{what}: {s:?} beyond the rank");
    assert!(
        u.orthonormality_error() < 1e-12 && v.orthonormality_error() < 1e-12,
        "{what}: vectors are not orthonormal"
    );
    let scaled = Matrix::from_fn(m, k, |i, j| u.at(i, j) * s[j]);
    let error = scaled.product(&v.transposed());
    let error = Matrix::from_fn(m, n, |i, j| error.at(i, j) - a.at(i, j)).largest() / unit;
    assert!(error < 1e-13 * (k + 2) as f64, "{what}: u·s·vᵀ is {error} off");
    // Σ s² is the sum of squares of all elements.
    let squares = |values: &[f64]| values.iter().map(|v| (v / unit) * (v / unit)).sum::<f64>();
    let (by_values, by_elements) = (squares(&s), squares(&a.values));
    assert!((by_values - by_elements).abs() <= 1e-12 * (1.0 + by_elements), "{what}: {by_values} {by_elements}");
}

fn check_eigh(a: &Matrix, rank: usize, what: &str) {
    let n = a.rows;
    let mut packed = vec![0.0; (n + 1) * n];
    eigh(n, &a.values, &mut packed);
    let (w, v) = (&packed[..n], Matrix::from_fn(n, n, |i, j| packed[(i + 1) * n + j]));
    let unit = a.largest().max(1e-300);
    assert!(w.windows(2).all(|w| w[0] <= w[1]), "{what}: {w:?}");
    let zeros = w.iter().filter(|w| w.abs() <= 1e-13 * unit * n as f64).count();
    assert!(zeros >= n - rank, "{what}: {w:?}");
    assert!(v.orthonormality_error() < 1e-12, "{what}: vectors are not orthonormal");
    let scaled = Matrix::from_fn(n, n, |i, j| v.at(i, j) * w[j]).product(&v.transposed());
    let error = Matrix::from_fn(n, n, |i, j| scaled.at(i, j) - a.at(i, j)).largest() / unit;
    assert!(error < 1e-13 * (n + 2) as f64, "{what}: v·w·vᵀ is {error} off");
}

#[test]
fn matrices_of_every_rank() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for m in 1..=8 {
        for n in 1..=8 {
            for (rank, kind) in (0..=m.min(n)).flat_map(|rank| (0..3).map(move |kind| (rank, kind))) {
                for trial in 0..10 {
                    let what = format!("{m}×{n} of rank {rank}, kind {kind}, trial {trial}");
                    let a = of_rank(rank, (m, n), kind, &mut rng);
                    check_svd(&a, rank, &what);
                    let signs = Matrix::from_fn(m, n, |i, j| if i % 2 == 0 { a.at(i, j) } else { -a.at(i, j) });
                    check_svd(&signs, rank, &what);
                    if m == n {
                        let symmetric = a.product(&a.transposed());
                        check_eigh(&symmetric, rank, &what);
                    }
                }
            }
        }
    }
}

/// Of an outer product the only singular value is the product of the lengths.
#[test]
fn outer_products() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for trial in 0..2000 {
        let (m, n) = (rng.random_range(1..12), rng.random_range(1..12));
        let mut vector = |n: usize| -> Vec<f64> { (0..n).map(|_| rng.random_range(-1.0..1.0)).collect() };
        let (x, y) = (vector(m), vector(n));
        let a = Matrix::from_fn(m, n, |i, j| x[i] * y[j]);
        let what = format!("outer product {trial}, {m}×{n}");
        check_svd(&a, 1, &what);
        let mut packed = vec![0.0; (m + 1 + n) * m.min(n)];
        svd(m, n, &a.values, &mut packed);
        let length = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
        let (found, expected) = (packed[m * m.min(n)], length(&x) * length(&y));
        assert!((found / expected - 1.0).abs() < 1e-14 * 10.0, "{what}: {found} {expected}");
    }
}

#[test]
fn a_large_matrix_of_low_rank() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for rank in [1, 5, 40] {
        let a = of_rank(rank, (60, 40), 0, &mut rng);
        check_svd(&a, rank, &format!("60×40 of rank {rank}"));
        check_svd(&a.transposed(), rank, &format!("40×60 of rank {rank}"));
    }
}
