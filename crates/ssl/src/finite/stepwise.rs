//! The learning of a linear model by the Barlow Twins loss (Simon et al. 2023, "On the Stepwise Nature of Self-Supervised
//! Learning"), in double precision.
//!
//! Embeddings are `f = W·x`, `W [width, features]`, and the loss is `‖C − I‖²` with `C = W·Γ·Wᵀ` and
//! `Γ = ½·E[x x′ᵀ + x′xᵀ]` over pairs of views. Under the gradient flow `dW/dt = −4(C − I)·W·Γ` from a small start each
//! mode (eigenvector) of Γ with a positive eigenvalue γ grows alone, the strongest first:
//!
//! ```
//! use perturb_metrics::Matrix;
//! use perturb_ssl::finite::stepwise::{BarlowFlow, Simulation, analytic, step_time};
//!
//! let flow = BarlowFlow::new(&Matrix::new(&[2.0, 0.0, 0.0, 1.0], 2)?)?;
//! let start = flow.aligned(2, 1e-4)?;
//! let found = Simulation { step: 0.005, every: 100, steps: 400 }.run(&flow, &start)?;
//! let last = &found[4];
//! // The first mode has been learned, the second hardly: what is left of the loss is its (1 − γ·s²)².
//! assert!((step_time(2.0, 1e-4) - 1.11).abs() < 0.01 && (step_time(1.0, 1e-4) - 2.30).abs() < 0.01);
//! let amplitudes = flow.amplitudes(&last.weights)?;
//! assert!((amplitudes[0] - 0.5f64.sqrt()).abs() < 1e-4);
//! assert!((amplitudes[1] / analytic(1.0, 1e-4, last.time) - 1.0).abs() < 1e-6);
//! assert!((last.loss - (1.0 - amplitudes[1].powi(2)).powi(2)).abs() < 1e-6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::{Result, SslError};
use faer::{Mat, MatRef, Scale, Side};
use perturb_metrics::Matrix;

/// The amplitude s at time t of a mode of eigenvalue `gamma` from the amplitude `start` at 0:
/// `s² = e^{8γt} / (s(0)⁻² + (e^{8γt} − 1)·γ)`, which ends at 1/√γ. Modes that are not positive never grow.
pub fn analytic(gamma: f64, start: f64, time: f64) -> f64 {
    // Divided by the exponential, so that nothing overflows.
    1.0 / (gamma + (-8.0 * gamma * time).exp() * (start.powi(-2) - gamma)).sqrt()
}

/// When s² is half of its end 1/γ: `ln(1/(s(0)²·γ) − 1) / (8γ)`, the paper's `−ln(s(0)²·γ)/(8γ)` for small starts;
/// infinite for a mode that does not grow.
pub fn step_time(gamma: f64, start: f64) -> f64 {
    if gamma > 0.0 { (1.0 / (start * start * gamma) - 1.0).ln() / (8.0 * gamma) } else { f64::INFINITY }
}

/// The gradient flow for one Γ `[features, features]`.
#[derive(Clone, Debug)]
pub struct BarlowFlow {
    gamma: Mat<f64>,
    modes: Vec<f64>,
    /// Eigenvectors of Γ as columns, in the order of `modes`.
    axes: Mat<f64>,
}

impl BarlowFlow {
    /// The flow of a symmetric Γ.
    ///
    /// # Errors
    /// If Γ is not square or not symmetric.
    pub fn new(gamma: &Matrix) -> Result<BarlowFlow> {
        let n = gamma.rows();
        if gamma.columns() != n {
            return SslError::matrix("Γ", format!("must be square, not {n}×{}", gamma.columns()));
        }
        let scale = gamma.values().iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let at = |i: usize, j: usize| gamma.row(i)[j];
        let asymmetry = |i: usize| (0..i).find(|&j| (at(i, j) - at(j, i)).abs() > 1e-10 * scale).map(|j| (i, j));
        if let Some((i, j)) = (0..n).find_map(asymmetry) {
            return SslError::matrix("Γ", format!("must be symmetric, but differs at ({i}, {j}) and ({j}, {i})"));
        }
        let gamma = Mat::from_fn(n, n, |i, j| 0.5 * (at(i, j) + at(j, i)));
        let Ok(eigen) = gamma.self_adjoint_eigen(Side::Lower) else {
            return SslError::matrix("Γ", "its eigenvalues were not found");
        };
        // faer's are ascending.
        let modes = eigen.S().column_vector().iter().rev().copied().collect();
        let axes = Mat::from_fn(n, n, |i, j| eigen.U()[(i, n - 1 - j)]);
        Ok(BarlowFlow { gamma, modes, axes })
    }

    /// The flow for pairs of views, `[pairs, features]` each.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn of_pairs(first: &Matrix, second: &Matrix) -> Result<BarlowFlow> {
        let (n, m) = (first.rows(), first.columns());
        if (second.rows(), second.columns()) != (n, m) {
            return SslError::matrix("views", "must be of one shape, row by row");
        }
        let product = view(first).transpose() * view(second);
        let gamma = |i: usize| 0.5 / n as f64 * (product[(i / m, i % m)] + product[(i % m, i / m)]);
        BarlowFlow::new(&Matrix::from_vec((0..m * m).map(gamma).collect(), m)?)
    }

    /// Eigenvalues of Γ, descending.
    pub fn modes(&self) -> &[f64] {
        &self.modes
    }

    /// The unit eigenvector of mode `j`.
    ///
    /// # Panics
    /// If there is no such mode.
    pub fn axis(&self, j: usize) -> Vec<f64> {
        self.axes.col(j).iter().copied().collect()
    }

    /// Weights `[width, features]` whose row j is `scale` times the axis of mode j: every mode starts at that amplitude.
    ///
    /// # Errors
    /// If there are fewer modes than rows.
    pub fn aligned(&self, width: usize, scale: f64) -> Result<Matrix<'static>> {
        let n = self.modes.len();
        SslError::check((1..=n).contains(&width), "width", width, "between 1 and the number of features")?;
        let rows = (0..width).flat_map(|j| self.axis(j)).map(|v| scale * v).collect();
        Ok(Matrix::from_vec(rows, n)?)
    }

    /// How strongly the weights answer to each mode: `‖W·v_j‖`.
    ///
    /// # Errors
    /// If `weights` do not have a column for each feature.
    pub fn amplitudes(&self, weights: &Matrix) -> Result<Vec<f64>> {
        let seen = self.view(weights)? * &self.axes;
        Ok((0..self.modes.len()).map(|j| seen.col(j).norm_l2()).collect())
    }

    /// The amplitudes from which the modes of a small start that is not aligned grow as if it were: the diagonal
    /// of R in the QR decomposition of `W·(v₁, v₂, …)`, because a mode grows in the direction that stronger ones leave.
    /// One for each row of the weights, at most one for each mode.
    ///
    /// # Errors
    /// If `weights` do not have a column for each feature.
    pub fn effective_starts(&self, weights: &Matrix) -> Result<Vec<f64>> {
        let seen = self.view(weights)? * &self.axes;
        let r = seen.qr();
        let r = r.thin_R();
        Ok((0..r.nrows().min(r.ncols())).map(|j| r[(j, j)].abs()).collect())
    }

    /// Eigenvalues of the embeddings' cross moment `C = W·Γ·Wᵀ`, descending.
    ///
    /// # Errors
    /// If `weights` do not have a column for each feature.
    pub fn spectrum(&self, weights: &Matrix) -> Result<Vec<f64>> {
        let weights = self.view(weights)?;
        let c = weights * &self.gamma * weights.transpose();
        match c.self_adjoint_eigenvalues(Side::Lower) {
            Ok(values) => Ok(values.into_iter().rev().collect()),
            Err(_) => SslError::matrix("C", "its eigenvalues were not found"),
        }
    }

    /// The sine of the largest angle between the rows of `weights` and the space of as many of the strongest modes.
    ///
    /// # Errors
    /// If `weights` do not have a column for each feature, or more rows than that.
    pub fn angle_to_top(&self, weights: &Matrix) -> Result<f64> {
        let (rows, n) = (weights.rows(), self.modes.len());
        SslError::check(rows <= n, "rows of the weights", rows, "at most the number of features")?;
        let q = self.view(weights)?.transpose().qr().compute_thin_Q();
        let outside = self.axes.subcols(rows, n - rows).transpose() * q;
        if rows == n {
            return Ok(0.0);
        }
        match outside.singular_values() {
            Ok(values) => Ok(values.first().copied().unwrap_or(0.0)),
            Err(_) => SslError::matrix("weights", "their angle to the modes was not found"),
        }
    }

    /// `‖C − I‖²`.
    fn loss(&self, w: MatRef<f64>) -> f64 {
        let c = w * &self.gamma * w.transpose();
        (c - Mat::<f64>::identity(w.nrows(), w.nrows())).squared_norm_l2()
    }

    /// `dW/dt = −4(W·Γ·Wᵀ − I)·W·Γ`.
    fn velocity(&self, w: MatRef<f64>) -> Mat<f64> {
        let seen = w * &self.gamma;
        let c = &seen * w.transpose();
        (c - Mat::<f64>::identity(w.nrows(), w.nrows())) * seen * Scale(-4.0)
    }

    fn view<'a>(&self, weights: &'a Matrix) -> Result<MatRef<'a, f64>> {
        if weights.columns() == self.modes.len() {
            return Ok(view(weights));
        }
        let reason = format!("{} columns for {} features", weights.columns(), self.modes.len());
        SslError::matrix("weights", reason)
    }
}

/// The flow, integrated by the classical Runge–Kutta method of order 4.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Simulation {
    /// Length of a step in time; stable below about `0.3/γ₁`.
    pub step: f64,
    /// Number of steps.
    pub steps: usize,
    /// Steps from one kept moment to the next.
    pub every: usize,
}

/// A moment of a simulation.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Time.
    pub time: f64,
    /// `W [width, features]`.
    pub weights: Matrix<'static>,
    /// `‖C − I‖²`.
    pub loss: f64,
}

impl Simulation {
    /// The moments from the start on.
    ///
    /// # Errors
    /// If the step is not positive, nothing is kept, the weights do not have a column for each feature, or the step is
    /// so long that they grow without bounds.
    pub fn run(&self, flow: &BarlowFlow, start: &Matrix) -> Result<Vec<Moment>> {
        SslError::check(self.step > 0.0 && self.step.is_finite(), "step", self.step, "positive")?;
        SslError::check(self.every > 0, "every", self.every, "at least 1")?;
        let mut w = flow.view(start)?.to_owned();
        let mut found = vec![self.moment(flow, &w, 0)?];
        let along = |w: &Mat<f64>, k: &Mat<f64>, share: f64| w + k * Scale(share * self.step);
        for done in 1..=self.steps {
            let k1 = flow.velocity(w.as_ref());
            let k2 = flow.velocity(along(&w, &k1, 0.5).as_ref());
            let k3 = flow.velocity(along(&w, &k2, 0.5).as_ref());
            let k4 = flow.velocity(along(&w, &k3, 1.0).as_ref());
            w += (k1 + (k2 + k3) * Scale(2.0) + k4) * Scale(self.step / 6.0);
            if done.is_multiple_of(self.every) {
                found.push(self.moment(flow, &w, done)?);
            }
        }
        Ok(found)
    }

    fn moment(&self, flow: &BarlowFlow, w: &Mat<f64>, done: usize) -> Result<Moment> {
        let rows = (0..w.nrows()).flat_map(|i| (0..w.ncols()).map(move |j| w[(i, j)])).collect();
        let weights = Matrix::from_vec(rows, w.ncols())?;
        Ok(Moment { time: done as f64 * self.step, weights, loss: flow.loss(w.as_ref()) })
    }
}

fn view<'a>(matrix: &'a Matrix) -> MatRef<'a, f64> {
    MatRef::from_row_major_slice(matrix.values(), matrix.rows(), matrix.columns())
}
