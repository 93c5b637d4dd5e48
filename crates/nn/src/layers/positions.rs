//! Positions and coordinates as features.

use super::{Layers, constant};
use crate::Init;
use perturb_graph::{DType, Expr};
use std::f64::consts::PI;

/// Sines and cosines of positions `0..t` (Vaswani et al. 2017, §3.5): `[t, width]`, with
/// `sin(p/10000^(2i/width))` in column 2i and the cosine in column 2i + 1.
pub fn sinusoidal_positions(t: usize, width: usize, dtype: DType) -> Expr {
    let value = |p: usize, column: usize| {
        let angle = p as f64 / 10000f64.powf((column - column % 2) as f64 / width as f64);
        if column.is_multiple_of(2) { angle.sin() } else { angle.cos() }
    };
    let values = (0..t).flat_map(|p| (0..width).map(move |c| value(p, c))).collect();
    constant(values, [t, width], dtype)
}

/// Features of times `t [N]` for diffusion models (Ho et al. 2020, in the order of its code): `[N, width]`, first
/// `sin(t·10000^(−i/(width/2 − 1)))` for all i, then the cosines.
///
/// # Panics
/// If `t` is no vector, or the width is odd or less than 4.
#[track_caller]
pub fn sinusoidal_features(t: &Expr, width: usize) -> Expr {
    assert!(width >= 4 && width.is_multiple_of(2), "features come in pairs, at least two, not {width}");
    let half = width / 2;
    let frequencies = (0..half).map(|i| 10000f64.powf(-(i as f64) / (half - 1) as f64)).collect();
    let angles = t.reshape([t.shape()[0], 1]).mul(&constant(frequencies, [1, half], t.dtype()));
    Expr::concat(&[angles.sin(), angles.cos()], 1)
}

/// Fourier features of points `x […, d]` (Tancik et al. 2020): `[cos(2π·B·x), sin(2π·B·x)]`, `[…, 2m]`, for frequencies
/// `B [m, d]`.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn fourier_features(x: &Expr, frequencies: &Expr) -> Expr {
    let angles = x.matmul(&frequencies.transpose(&[1, 0])).scale(2.0 * PI);
    Expr::concat(&[angles.cos(), angles.sin()], x.rank() - 1)
}

/// Rotary positions (Su et al. 2021): pairs of features `(x_i, x_{i + d/2})` of `x […, t, d]` are turned by the angle
/// `p/10000^(2i/d)` at position p, so that products of a query and a key depend on their distance only. The pairing is
/// that of GPT-NeoX and LLaMA.
///
/// # Panics
/// If `x` is no matrix, or `d` is odd.
#[track_caller]
pub fn rotary(x: &Expr) -> Expr {
    let (axis, d) = (x.rank() - 1, x.shape()[x.rank() - 1]);
    let (t, half) = (x.shape()[axis - 1], d / 2);
    assert!(d.is_multiple_of(2), "rotary positions turn pairs of features, and {d} is odd");
    let angle = |p: usize, i: usize| p as f64 / 10000f64.powf(2.0 * i as f64 / d as f64);
    let table = |f: fn(f64) -> f64| {
        let values = (0..t).flat_map(|p| (0..half).map(move |i| f(angle(p, i)))).collect();
        constant(values, [t, half], x.dtype())
    };
    let (cos, sin) = (table(f64::cos), table(f64::sin));
    let (a, b) = (x.slice_axis(axis, 0, half), x.slice_axis(axis, half, d));
    Expr::concat(&[a.mul(&cos).sub(&b.mul(&sin)), b.mul(&cos).add(&a.mul(&sin))], axis)
}

impl Layers {
    /// Adds a learned vector to every position of `x [N, T, width]`: `weight [T, width]`, normal with deviation 0.02 to
    /// start with.
    ///
    /// # Panics
    /// If `x` is no matrix.
    #[track_caller]
    pub fn learned_positions(&self, x: &Expr) -> Expr {
        let shape = &x.shape()[x.rank() - 2..];
        x.add(&self.parameter("weight", shape, Init::Normal(0.02)))
    }

    /// [`fourier_features`] with `m` fixed frequencies that are normal with the given deviation, in `frequencies [m, d]`.
    ///
    /// # Panics
    /// If `x` is a scalar.
    #[track_caller]
    pub fn random_fourier_features(&self, x: &Expr, m: usize, deviation: f64) -> Expr {
        let d = x.shape()[x.rank() - 1];
        fourier_features(x, &self.parameter("frequencies", [m, d], Init::Normal(deviation)).stop_gradient())
    }
}
