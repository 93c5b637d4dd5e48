//! Convolutions that are 1-Lipschitz in ℓ2.

use super::{Activation, cayley};
use crate::{CertifyError, Result};
use perturb_graph::Expr;
use perturb_nn::{Init, Layers};
use std::f64::consts::SQRT_2;

/// The sandwich layer as a convolution with circular padding (Wang & Manchester 2023): the Fourier transform makes a
/// circular convolution one matrix for each frequency, and [`cayley`](super::cayley()) is applied to each of them.
///
/// On images `[N, in, H, W]` that wrap around at their edges; zeros at the edges, or pooling of overlapping windows, would need a
/// bound of their own. Parameters are `weight [in + out, out, window, window]`, normalised to the length `scale`,
/// and `psi` and `bias [out]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SandwichConv {
    /// Number of output channels.
    pub out: usize,
    /// Size of the square window of X and Y; the kernels that the layer convolves with reach over the whole image.
    pub window: usize,
    /// The activation.
    pub activation: Activation,
}

impl SandwichConv {
    /// The layer on `x [N, in, H, W]`, with its parameters at this place.
    ///
    /// # Errors
    /// If `x` holds no images, the window is larger than them, or a slope of the activation is outside of [0, 1].
    pub fn build(&self, layers: &Layers, x: &Expr) -> Result<Expr> {
        let (out, k) = (self.out, self.window);
        let &[_, input, height, width] = &x.shape()[..] else {
            return CertifyError::unfit("an input of a layer", format!("it is {}, no images [N, C, H, W]", x.shape()));
        };
        if k == 0 || k > height || k > width {
            return CertifyError::unfit("a window", format!("{k}×{k} does not lie in images of {height}×{width}"));
        }
        let free = super::layers::normalized(layers, &[input + out, out, k, k])?;
        let padded = free.try_pad(&[0; 4], &[0, 0, height - k, width - k])?;
        let matrices = real_matrices(&spectrum(&padded)?)?;
        // The rows of a real matrix are all real parts, then all imaginary ones.
        let rows = |from: usize, to: usize| {
            let half = |at: usize| matrices.slice_axis(2, at + from, at + to);
            Expr::try_concat(&[half(0), half(input + out)], 2)
        };
        let [a, b] = cayley(&rows(0, out)?, &rows(out, input + out)?)?;
        let per_channel = |name: &str| layers.parameter(name, [out], Init::Constant(0.0)).reshape([out, 1, 1]);
        let (psi, bias) = (per_channel("psi"), per_channel("bias"));
        let inner = image(&vectors(x)?.try_matmul(&b)?)?.try_mul(&psi.neg().exp())?.scale(SQRT_2).try_add(&bias)?;
        let active = self.activation.apply(&inner)?.try_mul(&psi.exp())?.scale(SQRT_2);
        image(&vectors(&active)?.try_matmul(&a.try_transpose(&[0, 1, 3, 2])?)?)
    }
}

// The Fourier transform `[H, W, P, Q, 2]` of real images `[P, Q, H, W]`.
fn spectrum(x: &Expr) -> Result<Expr> {
    Ok(x.try_with_imaginary(&x.like(0.0))?.try_fft2(false)?.try_transpose(&[2, 3, 0, 1, 4])?)
}

// Complex matrices `[H, W, P, Q, 2]` as real ones `[H, W, 2P, 2Q]`, whose products, adjoints and norms are the same.
fn real_matrices(complex: &Expr) -> Result<Expr> {
    let (re, im) = (complex.real(), complex.imaginary());
    let upper = Expr::try_concat(&[re.clone(), im.neg()], 3)?;
    Ok(Expr::try_concat(&[upper, Expr::try_concat(&[im, re], 3)?], 2)?)
}

// The transform of images `[N, C, H, W]` as real rows `[H, W, N, 2C]`.
fn vectors(x: &Expr) -> Result<Expr> {
    let complex = spectrum(x)?;
    Ok(Expr::try_concat(&[complex.real(), complex.imaginary()], 3)?)
}

// The images `[N, C, H, W]` with the transform `[H, W, N, 2C]`.
fn image(rows: &Expr) -> Result<Expr> {
    let channels = rows.shape()[3] / 2;
    let part = |k: usize| rows.slice_axis(3, k * channels, (k + 1) * channels);
    let complex = part(0).try_with_imaginary(&part(1))?.try_transpose(&[2, 3, 0, 1, 4])?;
    Ok(complex.try_fft2(true)?.real())
}
