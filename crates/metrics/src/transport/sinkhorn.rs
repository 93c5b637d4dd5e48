//! Entropic optimal transport.

use super::{dual_value, normalised};
use crate::distance::{pairwise, squared_distance};
use crate::error::{MetricError, Result};
use crate::matrix::{Matrix, check_columns};
use rayon::prelude::*;

/// Entropy-regularised transport (Cuturi 2013) in the log domain, so that any `epsilon` is stable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sinkhorn {
    /// Weight of the entropy, in units of the cost.
    pub epsilon: f64,
    /// Largest total error of the row marginals, in mass.
    pub tolerance: f64,
    /// Most iterations.
    pub max_iterations: usize,
}

/// What [`Sinkhorn::solve`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkhornPlan {
    /// The plan, row-major, with exactly the given marginals (rounded as by Altschuler et al. 2017).
    pub plan: Vec<f64>,
    /// `Σ plan·cost`: an upper bound of the exact transport cost.
    pub upper_bound: f64,
    /// A lower bound of the exact transport cost, from feasible potentials.
    pub lower_bound: f64,
    /// Whether the row marginals reached the tolerance before they were rounded. The bounds hold either way.
    pub converged: bool,
}

impl Sinkhorn {
    /// A plan between weights of rows and of columns, each scaled to sum to one, with bounds on the exact cost; their
    /// difference is the duality gap, at most about `epsilon·ln(n)` after convergence and valid without it. The number
    /// of iterations grows as 1/ε.
    ///
    /// # Errors
    /// [`MetricError::Length`]; [`MetricError::Domain`] for bad weights or an epsilon or tolerance that is not positive.
    pub fn solve(&self, cost: &Matrix, row_weights: &[f64], column_weights: &[f64]) -> Result<SinkhornPlan> {
        let a = normalised("row weights", row_weights, cost.rows())?;
        let b = normalised("column weights", column_weights, cost.columns())?;
        let transposed = transpose(cost);
        let (f, g, converged) = self.potentials(cost, &transposed, &a, &b)?;
        let mass = |i: usize, j: usize| a[i] * b[j] * ((f[i] + g[j] - cost.row(i)[j]) / self.epsilon).exp();
        let columns = cost.columns();
        let plan = (0..cost.rows() * columns).map(|at| mass(at / columns, at % columns)).collect();
        let plan = round_to_marginals(plan, &a, &b);
        let upper_bound = plan.iter().zip(cost.values()).map(|(p, c)| p * c).sum();
        Ok(SinkhornPlan { plan, upper_bound, lower_bound: dual_value(cost, &f, &a, &b), converged })
    }

    /// Alternating log-sum-exp updates, with the regularisation lowered to `epsilon` by halves (Schmitzer 2019).
    fn potentials(
        &self,
        cost: &Matrix,
        transposed: &Matrix,
        a: &[f64],
        b: &[f64],
    ) -> Result<(Vec<f64>, Vec<f64>, bool)> {
        self.check()?;
        let spread = cost.values().iter().fold(0.0f64, |m, c| m.max(c.abs()));
        let mut epsilon = spread.max(self.epsilon);
        let mut f = vec![0.0; a.len()];
        let mut converged = false;
        for _ in 0..self.max_iterations {
            let g = soft_minimum(transposed, &f, a, epsilon);
            let next = soft_minimum(cost, &g, b, epsilon);
            // After the update of g the columns are exact; the ratio of row masses to weights is exp((f − next)/ε).
            let ratios = f.iter().zip(&next).map(|(f, n)| ((f - n) / epsilon).exp_m1().abs());
            let error: f64 = a.iter().zip(ratios).map(|(a, r)| a * r).sum();
            f = next;
            if epsilon > self.epsilon {
                epsilon = (0.5 * epsilon).max(self.epsilon);
            } else if error <= self.tolerance {
                converged = true;
                break;
            }
        }
        // With exact columns no entry of the plan exceeds its weight, however far from converged f is.
        let g = soft_minimum(transposed, &f, a, self.epsilon);
        Ok((f, g, converged))
    }

    /// `⟨a, f⟩` of the symmetric problem, twice, its optimal value: averaged updates converge in a few steps
    /// (Feydy et al. 2019, §3.2).
    fn self_cost(&self, cost: &Matrix) -> Result<f64> {
        let n = cost.rows() as f64;
        let a = vec![1.0 / n; cost.rows()];
        let mut f = vec![0.0; cost.rows()];
        for _ in 0..self.max_iterations {
            let next = soft_minimum(cost, &f, &a, self.epsilon);
            let error: f64 = f.iter().zip(&next).map(|(f, t)| ((f - t) / self.epsilon).exp_m1().abs() / n).sum();
            f.iter_mut().zip(&next).for_each(|(f, t)| *f = 0.5 * (*f + t));
            if error <= self.tolerance {
                return Ok(2.0 * f.iter().sum::<f64>() / n);
            }
        }
        Err(self.no_convergence())
    }

    fn check(&self) -> Result<()> {
        if self.epsilon > 0.0 && self.epsilon.is_finite() && self.tolerance > 0.0 {
            return Ok(());
        }
        let reason = format!("epsilon and tolerance must be positive, got {} and {}", self.epsilon, self.tolerance);
        Err(MetricError::Domain { what: "sinkhorn", reason })
    }

    fn no_convergence(&self) -> MetricError {
        let reason = format!(
            "marginals not met to {} in {} iterations; raise epsilon ({}) or max_iterations",
            self.tolerance, self.max_iterations, self.epsilon
        );
        MetricError::Domain { what: "sinkhorn", reason }
    }
}

/// The debiased Sinkhorn divergence `OT_ε(x, y) − ½OT_ε(x, x) − ½OT_ε(y, y)` of the rows, with squared Euclidean costs
/// (Genevay et al. 2018; Feydy et al. 2019): not negative, zero only for equal samples; W₂² for ε → 0, half of the
/// energy-like kernel distance for ε → ∞. `settings.epsilon` is in squared units of the data.
///
/// # Errors
/// [`MetricError::Length`] for different numbers of columns; [`MetricError::Domain`] if the tolerance is not reached.
pub fn sinkhorn_divergence(x: &Matrix, y: &Matrix, settings: &Sinkhorn) -> Result<f64> {
    check_columns("columns of x and y", x, y)?;
    let costs = |p: &Matrix, q: &Matrix| Matrix::from_vec(pairwise(p, q, squared_distance), q.rows());
    let cost = costs(x, y)?;
    let (a, b) = (vec![1.0 / x.rows() as f64; x.rows()], vec![1.0 / y.rows() as f64; y.rows()]);
    let (f, g, converged) = settings.potentials(&cost, &transpose(&cost), &a, &b)?;
    if !converged {
        return Err(settings.no_convergence());
    }
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let own = 0.5 * (settings.self_cost(&costs(x, x)?)? + settings.self_cost(&costs(y, y)?)?);
    Ok((mean(&f) + mean(&g) - own).max(0.0))
}

/// For each row, `−ε·ln Σ_j weights[j]·exp((potential[j] − cost[j])/ε)`.
fn soft_minimum(cost: &Matrix, potential: &[f64], weights: &[f64], epsilon: f64) -> Vec<f64> {
    let of_row = |row: &[f64]| {
        let exponent = |j: usize| (potential[j] - row[j]) / epsilon;
        let used = || (0..row.len()).filter(|&j| weights[j] > 0.0);
        let largest = used().map(exponent).fold(f64::NEG_INFINITY, f64::max);
        -epsilon * (largest + used().map(|j| weights[j] * (exponent(j) - largest).exp()).sum::<f64>().ln())
    };
    cost.values().par_chunks(cost.columns()).map(of_row).collect()
}

fn transpose(matrix: &Matrix) -> Matrix<'static> {
    let values = (0..matrix.columns()).flat_map(|j| matrix.column(j)).collect();
    Matrix::from_vec(values, matrix.rows()).expect("a transposed matrix is as valid as the matrix")
}

/// Scales rows and columns that are too heavy down, then spreads what is missing as a product (Altschuler et al. 2017,
/// algorithm 2).
fn round_to_marginals(mut plan: Vec<f64>, a: &[f64], b: &[f64]) -> Vec<f64> {
    let shrink = |mass: f64, weight: f64| if mass > weight { weight / mass } else { 1.0 };
    for (row, &weight) in plan.chunks_exact_mut(b.len()).zip(a) {
        let factor = shrink(row.iter().sum(), weight);
        row.iter_mut().for_each(|p| *p *= factor);
    }
    let column_masses = |plan: &[f64]| {
        let mut masses = vec![0.0; b.len()];
        plan.chunks_exact(b.len()).for_each(|row| masses.iter_mut().zip(row).for_each(|(m, p)| *m += p));
        masses
    };
    let factors: Vec<f64> = column_masses(&plan).iter().zip(b).map(|(&mass, &weight)| shrink(mass, weight)).collect();
    plan.chunks_exact_mut(b.len()).for_each(|row| row.iter_mut().zip(&factors).for_each(|(p, f)| *p *= f));
    let missing_columns: Vec<f64> = column_masses(&plan).iter().zip(b).map(|(mass, weight)| weight - mass).collect();
    let missing_rows: Vec<f64> =
        plan.chunks_exact(b.len()).zip(a).map(|(row, weight)| weight - row.iter().sum::<f64>()).collect();
    let missing: f64 = missing_rows.iter().sum();
    if missing > 0.0 {
        for (row, gap) in plan.chunks_exact_mut(b.len()).zip(&missing_rows) {
            row.iter_mut().zip(&missing_columns).for_each(|(p, c)| *p += gap * c / missing);
        }
    }
    plan
}
