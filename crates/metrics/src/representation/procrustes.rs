//! Procrustes analysis.

use crate::error::{MetricError, Result, check_lengths};
use crate::linear_algebra::{thin_svd, view};
use crate::matrix::{Matrix, check_columns};

/// The best match of one configuration of points to another by moving, turning, mirroring and scaling.
#[derive(Clone, Debug, PartialEq)]
pub struct Procrustes {
    /// The orthogonal matrix R, row-major `[d, d]`, that minimises `‖scale·(x − x̄)·R − (y − ȳ)‖`.
    pub rotation: Vec<f64>,
    /// The best scale for that R.
    pub scale: f64,
    /// `min ‖scale·(x − x̄)·R − (y − ȳ)‖² / ‖y − ȳ‖²`, in [0, 1]: SciPy's `disparity`, the same in both directions.
    pub disparity: f64,
}

/// Orthogonal Procrustes analysis of rows `x` to rows `y` (Schönemann 1966): with `(x − x̄)ᵀ(y − ȳ) = U·S·Vᵀ`, R = U·Vᵀ.
///
/// # Errors
/// [`MetricError::Length`] for different shapes; [`MetricError::Constant`] if the rows of either are all equal.
pub fn procrustes(x: &Matrix, y: &Matrix) -> Result<Procrustes> {
    check_columns("columns of x and y", x, y)?;
    check_lengths("rows of x and y", x.rows(), y.rows())?;
    let (x, y) = (x.centred(), y.centred());
    let squares = |z: &Matrix| z.values().iter().map(|v| v * v).sum::<f64>();
    let (square_x, square_y) = (squares(&x), squares(&y));
    for (what, square) in [("x", square_x), ("y", square_y)] {
        if square == 0.0 {
            return Err(MetricError::Constant { what });
        }
    }
    let (u, s, v) = thin_svd("xᵀy", (view(&x).transpose() * view(&y)).as_ref())?;
    let rotation = u * v.transpose();
    let d = x.columns();
    let overlap: f64 = s.iter().sum();
    Ok(Procrustes {
        rotation: (0..d * d).map(|at| rotation[(at / d, at % d)]).collect(),
        scale: overlap / square_x,
        disparity: (1.0 - overlap * overlap / (square_x * square_y)).max(0.0),
    })
}
