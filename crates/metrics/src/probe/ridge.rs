//! Ridge regression and explained variance.

use super::linear::{LinearMap, check_penalty};
use crate::error::{MetricError, Result, check_lengths};
use crate::linear_algebra::{solve_positive_definite, view};
use crate::matrix::{Matrix, check_columns};
use faer::Mat;

/// The affine map that minimises `Σ_i ‖W·x_i + b − y_i‖² + l2·‖W‖²` (bias not penalised), in closed form: with
/// `[n, d]` features and `[n, k]` targets, through whichever of the d×d and n×n systems is smaller.
///
/// # Errors
/// [`MetricError::Length`]; [`MetricError::Domain`] for a negative penalty, or `l2 = 0` with dependent columns.
pub fn ridge(x: &Matrix, y: &Matrix, l2: f64) -> Result<LinearMap> {
    check_lengths("rows of x and y", x.rows(), y.rows())?;
    check_penalty("l2", l2)?;
    let (x_means, y_means) = (x.column_means(), y.column_means());
    let (x_centred, y_centred) = (x.centred(), y.centred());
    let (a, b) = (view(&x_centred), view(&y_centred));
    let damped = |mut gram: Mat<f64>| {
        (0..gram.nrows()).for_each(|i| gram[(i, i)] += l2);
        gram
    };
    // Without penalty the n×n system is singular even where the fit is unique.
    let coefficients = if x.columns() <= x.rows() || l2 == 0.0 {
        solve_positive_definite("x", &damped(a.transpose() * a), &(a.transpose() * b))?
    } else {
        a.transpose() * solve_positive_definite("x", &damped(a * a.transpose()), &b.to_owned())?
    };
    let column = |k: usize| (0..x.columns()).map(move |j| (j, k));
    let weights: Vec<f64> = (0..y.columns()).flat_map(column).map(|index| coefficients[index]).collect();
    let bias = weights.chunks_exact(x.columns()).zip(&y_means);
    let bias = bias.map(|(w, mean)| mean - w.iter().zip(&x_means).map(|(w, m)| w * m).sum::<f64>()).collect();
    Ok(LinearMap { weights, bias })
}

/// The coefficient of determination `1 − Σ(y − ŷ)² / Σ(y − ȳ)²` of each column. At most 1; negative for predictions
/// worse than the mean.
///
/// # Errors
/// [`MetricError::Length`]; [`MetricError::Constant`] if a column of `y` does not vary.
pub fn r_squared(predicted: &Matrix, y: &Matrix) -> Result<Vec<f64>> {
    check_columns("columns of predicted and y", predicted, y)?;
    check_lengths("rows of predicted and y", predicted.rows(), y.rows())?;
    let means = y.column_means();
    let of_column = |j: usize| {
        let (truth, guess) = (y.column(j), predicted.column(j));
        if truth.iter().all(|&v| v == truth[0]) {
            return Err(MetricError::Constant { what: "y" });
        }
        let residual: f64 = truth.iter().zip(&guess).map(|(t, g)| (t - g) * (t - g)).sum();
        let total: f64 = truth.iter().map(|t| (t - means[j]) * (t - means[j])).sum();
        Ok(1.0 - residual / total)
    };
    (0..y.columns()).map(of_column).collect()
}
