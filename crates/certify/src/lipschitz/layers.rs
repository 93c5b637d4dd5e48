//! Dense layers that are 1-Lipschitz in ℓ2.

use super::{Activation, cayley, width};
use crate::Result;
use perturb_graph::Expr;
use perturb_nn::{Init, Layers};
use std::f64::consts::SQRT_2;

/// The sandwich layer (Wang & Manchester 2023): `√2·Aᵀ·Ψ·σ(√2·Ψ⁻¹·B·x + b)` with a positive diagonal Ψ, and
/// `A·Aᵀ + B·Bᵀ = I` by [`cayley`]. Without activation, the linear layer `B·x + b` that a network ends with.
///
/// Parameters are `weight [in + out, out]`, X above Y, which is normalised to the length `scale`, `psi [out]`, the logarithm of Ψ,
/// and `bias [out]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SandwichLinear {
    /// Width of the output.
    pub out: usize,
    /// The activation, if any.
    pub activation: Option<Activation>,
}

/// The layer `σ(W·x + b)` whose W has orthonormal rows, or columns where it is tall, by [`cayley`] (Trockman & Kolter 2021).
///
/// Parameters are `weight [max(in, out), min(in, out)]`, normalised to the length `scale`, and `bias [out]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrthogonalLinear {
    /// Width of the output.
    pub out: usize,
    /// The activation, if any.
    pub activation: Option<Activation>,
}

/// The layer `σ(W·x/‖W‖₂ + b)`, divided by its largest singular value (Miyato et al. 2018), exactly instead of by power
/// iteration, so that the bound holds.
///
/// Parameters are `weight [out, in]` and `bias [out]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpectralLinear {
    /// Width of the output.
    pub out: usize,
    /// The activation, if any.
    pub activation: Option<Activation>,
}

impl SandwichLinear {
    /// The layer on `x [N, in]`, with its parameters at this place.
    ///
    /// # Errors
    /// If `x` has no rows, or a slope of the activation is outside of [0, 1].
    pub fn build(&self, layers: &Layers, x: &Expr) -> Result<Expr> {
        let (input, out) = (width(x)?, self.out);
        let free = normalized(layers, &[input + out, out])?;
        let [a, b] = cayley(&free.slice_axis(0, 0, out), &free.slice_axis(0, out, input + out))?;
        let bias = layers.parameter("bias", [out], Init::Constant(0.0));
        let h = x.try_matmul(&b)?;
        let Some(activation) = self.activation else { return Ok(h.try_add(&bias)?) };
        let psi = layers.parameter("psi", [out], Init::Constant(0.0));
        let inner = h.try_mul(&psi.neg().exp())?.scale(SQRT_2).try_add(&bias)?;
        let active = activation.apply(&inner)?.try_mul(&psi.exp())?.scale(SQRT_2);
        Ok(active.try_matmul(&a.try_transpose(&[1, 0])?)?)
    }
}

impl OrthogonalLinear {
    /// The layer on `x [N, in]`, with its parameters at this place.
    ///
    /// # Errors
    /// As [`SandwichLinear::build`].
    pub fn build(&self, layers: &Layers, x: &Expr) -> Result<Expr> {
        let (input, out) = (width(x)?, self.out);
        let (tall, narrow) = (input.max(out), input.min(out));
        let free = normalized(layers, &[tall, narrow])?;
        let square = free.slice_axis(0, 0, narrow);
        // A square matrix has no Y, for which a row of zeros stands.
        let rest = if tall > narrow { free.slice_axis(0, narrow, tall) } else { free.slice_axis(0, 0, 1).like(0.0) };
        let [a, b] = cayley(&square, &rest)?;
        let columns = if tall > narrow { Expr::try_concat(&[a, b], 0)? } else { a };
        let product = x.try_matmul(&if input == tall { columns } else { columns.try_transpose(&[1, 0])? })?;
        finish(layers, &product, self.activation)
    }
}

impl SpectralLinear {
    /// The layer on `x [N, in]`, with its parameters at this place.
    ///
    /// # Errors
    /// As [`SandwichLinear::build`].
    pub fn build(&self, layers: &Layers, x: &Expr) -> Result<Expr> {
        let (input, out) = (width(x)?, self.out);
        let weight = layers.parameter("weight", [out, input], Init::XavierNormal);
        let transposed = weight.try_transpose(&[1, 0])?;
        let short = if out <= input { &transposed } else { &weight };
        let (_, vectors) = short.try_transpose(&[1, 0])?.try_matmul(short)?.stop_gradient().try_eigh()?;
        let n = out.min(input);
        // With the singular vector v held fixed, the length of W·v has the derivative of the singular value.
        let vector = vectors.slice_axis(1, n - 1, n).stop_gradient();
        let norm = short.try_matmul(&vector)?.square().sum().sqrt();
        let product = x.try_matmul(&transposed)?.try_div(&norm)?;
        finish(layers, &product, self.activation)
    }
}

fn finish(layers: &Layers, product: &Expr, activation: Option<Activation>) -> Result<Expr> {
    let shifted = product.try_add(&layers.parameter("bias", [product.shape()[1]], Init::Constant(0.0)))?;
    activation.map_or(Ok(shifted.clone()), |f| f.apply(&shifted))
}

// `weight` scaled to the length `scale`, which starts at its own.
pub(super) fn normalized(layers: &Layers, shape: &[usize]) -> Result<Expr> {
    let weight = layers.parameter("weight", shape, Init::XavierNormal);
    let values = weight.value().map(|v| v.to_f64_vec()).unwrap_or_default();
    let length = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    let scale = layers.parameter("scale", [], Init::Constant(length));
    Ok(weight.try_mul(&scale.try_div(&weight.square().sum().sqrt())?)?)
}
