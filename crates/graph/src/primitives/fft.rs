//! Complex Fourier transform.

use super::finish;
use crate::interval::{underflow, unit_roundoff};
use crate::op::{Primitive, arity, jointly_linear, same_float, shape_error};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// Discrete Fourier transform over axis −2 of an operand `[…, n, 2]`, whose last axis is (real, imaginary):
/// `y_k = Σ_j x_j·exp(−2πi·jk/n)`; the inverse has the opposite sign and divides by n.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fft {
    /// Whether this is the inverse transform.
    pub inverse: bool,
}

impl Fft {
    fn apply(self, x: &Expr) -> Expr {
        Expr::build(self, std::slice::from_ref(x))
    }

    // Bound on every element's error. In relative 2-norm a transform of length n by factors errs by at most
    // η·log₂ n with η ≈ 7u (Higham 2002, theorem 24.2), and ‖y‖₂ = √n·‖x‖₂ (divided by n in the inverse). The factor
    // 64·(log₂ n + 4) leaves room for lengths with large prime factors, which kernels reduce to three transforms of at
    // most four times the length (Bluestein 1970).
    fn error(self, size: &Expr) -> Expr {
        let n = size.shape()[size.rank() - 2];
        let axes = [size.rank() - 2, size.rank() - 1];
        let length = size.square().reduce_sum(&axes, true).sqrt();
        let gain = if self.inverse { 1.0 / (n as f64).sqrt() } else { (n as f64).sqrt() };
        let factor = 64.0 * ((n as f64).log2() + 4.0) * gain * unit_roundoff(size.dtype());
        // Squares of tiny elements vanish: their root may be missing from the length.
        let lost = (2.0 * n as f64 * underflow(size.dtype())).sqrt();
        length.offset(lost).scale(factor).offset(underflow(size.dtype())).broadcast_to(size.shape())
    }
}

impl Primitive for Fft {
    fn name(&self) -> &'static str {
        "fft"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity("fft", inputs, 1)?;
        let dtype = same_float("fft", inputs)?;
        let x = inputs[0].shape();
        if x.len() < 2 || x[x.len() - 1] != 2 || x[x.len() - 2] == 0 {
            return shape_error(
                "fft",
                "needs at least one complex number: […, n, 2] with real and imaginary parts",
                inputs,
            );
        }
        Ok((x.clone(), dtype))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let n = node.shape()[node.rank() - 2];
        let sign = if self.inverse { 1.0 } else { -1.0 };
        let turn = |k: usize| (sign * 2.0 * std::f64::consts::PI * k as f64 / n as f64).sin_cos();
        let roots: Vec<(f64, f64)> = (0..n).map(turn).collect();
        let scale = if self.inverse { 1.0 / n as f64 } else { 1.0 };
        let x = inputs[0].to_f64_vec();
        let mut values = Vec::with_capacity(x.len());
        for row in x.chunks_exact(2 * n) {
            for k in 0..n {
                let (mut re, mut im) = (0.0, 0.0);
                for (j, z) in row.chunks_exact(2).enumerate() {
                    let (sin, cos) = roots[(j as u128 * k as u128 % n as u128) as usize];
                    re += z[0] * cos - z[1] * sin;
                    im += z[0] * sin + z[1] * cos;
                }
                values.extend([re * scale, im * scale]);
            }
        }
        finish(node, values)
    }

    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        jointly_linear(varying)
    }

    // The matrix F is symmetric, and its adjoint as a real map the complex conjugate: n·F⁻¹ for F, and F/n for F⁻¹.
    fn transpose(&self, node: &Expr, cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        let n = node.shape()[node.rank() - 2] as f64;
        let adjoint = Fft { inverse: !self.inverse }.apply(cotangent);
        vec![Some(adjoint.scale(if self.inverse { 1.0 / n } else { n }))]
    }

    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], _size: usize) -> Expr {
        self.apply(&inputs[0])
    }

    // Real and imaginary part of a complex number of which both parts are uncertain, turned by any angle, vary by at
    // most the length of the two radii.
    fn interval(&self, node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval {
        let x = &inputs[0];
        let outward = rounding == Rounding::Outward;
        if x.is_point() && !outward {
            return Interval::point(&self.apply(&x.lo));
        }
        let n = node.shape()[node.rank() - 2];
        let part = node.rank() - 1;
        let center = self.apply(&x.center());
        let moduli = x.radius().square().reduce_sum(&[part], true).sqrt();
        let reach = moduli.reduce_sum(&[part - 1], true).scale(if self.inverse { 1.0 / n as f64 } else { 1.0 });
        let reach = reach.broadcast_to(node.shape());
        if !outward {
            return Interval { lo: center.sub(&reach), hi: center.add(&reach) };
        }
        // The network's own error, and that of the centre's transform; the radii's sums and roots lose little.
        let slack = 1.0 + 4.0 * (n as f64 + 8.0) * unit_roundoff(node.dtype());
        let lost = (n as f64 * 4.0) * underflow(node.dtype()).sqrt();
        let error = self.error(&x.magnitude()).scale(2.0).add(&reach.offset(lost).scale(slack));
        Interval { lo: center.clone(), hi: center }.widen_by(&error)
    }

    // Once for the network's own transform and once for the adjoint, whose error has the same bound in the 2-norm.
    fn adjoint_error(&self, _node: &Expr, inputs: &[Interval], _linear: &[bool]) -> Option<Expr> {
        Some(self.error(&inputs[0].magnitude()).scale(2.0))
    }
}
