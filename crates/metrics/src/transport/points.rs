//! Exact Wasserstein distances of samples and of Gaussians.

use super::{Order, assignment, transport};
use crate::distance::{pairwise, squared_distance};
use crate::distribution::{Gaussian, frechet_distance};
use crate::error::Result;
use crate::matrix::{Matrix, check_columns};

/// The exact Wasserstein distance between the empirical distributions of rows, with Euclidean distances: by assignment
/// if both samples have one size, else as a weighted problem. Cubic in the number of rows; a few thousand are fine.
///
/// # Errors
/// [`MetricError::Length`](crate::MetricError::Length) for different numbers of columns.
pub fn wasserstein(x: &Matrix, y: &Matrix, order: Order) -> Result<f64> {
    check_columns("columns of x and y", x, y)?;
    let cost = pairwise(x, y, |a, b| match order {
        Order::One => squared_distance(a, b).sqrt(),
        Order::Two => squared_distance(a, b),
    });
    let cost = Matrix::from_vec(cost, y.rows())?;
    let mean = if x.rows() == y.rows() {
        assignment(&cost)?.cost / x.rows() as f64
    } else {
        transport(&cost, &vec![1.0; x.rows()], &vec![1.0; y.rows()])?.cost
    };
    Ok(order.distance(mean))
}

/// The 2-Wasserstein distance of Gaussians (Bures–Wasserstein), the root of [`frechet_distance`].
///
/// # Errors
/// As [`frechet_distance`].
pub fn wasserstein_gaussian(a: &Gaussian, b: &Gaussian) -> Result<f64> {
    Ok(frechet_distance(a, b)?.sqrt())
}
