//! Functions composed of primitives.

use crate::Expr;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

impl Expr {
    /// log(1 + eˣ), without overflow.
    pub fn softplus(&self) -> Expr {
        self.relu().add(&self.abs().neg().exp().offset(1.0).log())
    }

    /// x where positive, else `slope`·x.
    pub fn leaky_relu(&self, slope: f64) -> Expr {
        // slope·x + (1 − slope)·relu(x): one kink, so that bound propagation relaxes one function.
        self.scale(slope).add(&self.relu().scale(1.0 - slope))
    }

    /// x where positive, else `alpha`·(eˣ − 1).
    pub fn elu(&self, alpha: f64) -> Expr {
        let negative = self.neg().relu().neg();
        self.relu().add(&negative.exp().offset(-1.0).scale(alpha))
    }

    /// x·Φ(x), Φ the standard normal distribution function (Hendrycks and Gimpel 2016).
    pub fn gelu(&self) -> Expr {
        self.mul(&self.scale(FRAC_1_SQRT_2).erf().offset(1.0)).scale(0.5)
    }

    /// The tanh approximation of [`Expr::gelu`].
    pub fn gelu_tanh(&self) -> Expr {
        let cubic = self.add(&self.square().mul(self).scale(0.044715));
        self.mul(&cubic.scale((2.0 / PI).sqrt()).tanh().offset(1.0)).scale(0.5)
    }

    /// x·sigmoid(x).
    pub fn silu(&self) -> Expr {
        self.mul(&self.sigmoid())
    }

    /// Limits values to `[lo, hi]`.
    pub fn clip(&self, lo: f64, hi: f64) -> Expr {
        let above = if lo == f64::NEG_INFINITY { self.clone() } else { self.maximum(&self.like(lo)) };
        if hi == f64::INFINITY { above } else { above.minimum(&self.like(hi)) }
    }

    // Subtracting any constant leaves a softmax unchanged: the maximum is taken without derivative.
    fn shifted(&self, axis: usize) -> Expr {
        self.sub(&self.reduce_max(&[axis], true).stop_gradient())
    }

    /// eˣ normalised to sum 1 along `axis`.
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn softmax(&self, axis: usize) -> Expr {
        let e = self.shifted(axis).exp();
        e.div(&e.reduce_sum(&[axis], true))
    }

    /// Logarithm of [`Expr::softmax`].
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn log_softmax(&self, axis: usize) -> Expr {
        let shifted = self.shifted(axis);
        shifted.sub(&shifted.exp().reduce_sum(&[axis], true).log())
    }

    /// Cross-entropy of logits `[…, classes]` with target distributions of the same shape (one-hot rows, or soft
    /// labels): one value for each row.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn cross_entropy(&self, targets: &Expr) -> Expr {
        let axis = self.rank() - 1;
        self.log_softmax(axis).mul(targets).reduce_sum(&[axis], false).neg()
    }
}
