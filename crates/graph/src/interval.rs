//! Intervals of expressions, and how their arithmetic rounds.

use crate::{DType, Expr};

/// What the arithmetic of a bound promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rounding {
    /// Bounds as computed, exact but for rounding to nearest: for training and search.
    Nearest,
    /// Bounds widened by a proven bound on the rounding errors of computing them *and* of evaluating the network
    /// in the same precision, in any order of summation: for verdicts.
    #[default]
    Outward,
}

/// Elementwise lower and upper bounds of an expression.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Lower bound.
    pub lo: Expr,
    /// Upper bound.
    pub hi: Expr,
}

impl Interval {
    /// An interval that holds one value.
    pub fn point(value: &Expr) -> Interval {
        Interval { lo: value.clone(), hi: value.clone() }
    }

    /// Whether this is one value, by construction.
    pub fn is_point(&self) -> bool {
        self.lo.id() == self.hi.id()
    }

    /// Midpoint, half of each end added so that large ends do not overflow.
    pub fn center(&self) -> Expr {
        self.lo.scale(0.5).add(&self.hi.scale(0.5))
    }

    /// Half the width.
    pub fn radius(&self) -> Expr {
        self.hi.scale(0.5).sub(&self.lo.scale(0.5))
    }

    /// Largest magnitude.
    pub fn magnitude(&self) -> Expr {
        if self.is_point() { self.lo.abs() } else { self.lo.abs().maximum(&self.hi.abs()) }
    }

    /// The interval widened on both sides by `ulps` units of roundoff relative to its own ends, when asked.
    pub(crate) fn widen(self, ulps: f64, rounding: Rounding) -> Interval {
        if rounding == Rounding::Nearest {
            return self;
        }
        Interval { lo: self.lo.sub(&slack(&self.lo, ulps)), hi: self.hi.add(&slack(&self.hi, ulps)) }
    }

    /// The interval widened on both sides by `error`, and by the rounding of that addition.
    pub(crate) fn widen_by(self, error: &Expr) -> Interval {
        let lo = self.lo.sub(error);
        let hi = self.hi.add(error);
        Interval { lo: lo.sub(&slack(&lo, 2.0)), hi: hi.add(&slack(&hi, 2.0)) }
    }
}

/// Unit roundoff of a floating-point type.
pub fn unit_roundoff(dtype: DType) -> f64 {
    match dtype {
        DType::F32 => f64::from(f32::EPSILON) / 2.0,
        _ => f64::EPSILON / 2.0,
    }
}

/// Smallest positive normal number: a bound on absolute errors of operations that underflow.
pub fn underflow(dtype: DType) -> f64 {
    match dtype {
        DType::F32 => f64::from(f32::MIN_POSITIVE),
        _ => f64::MIN_POSITIVE,
    }
}

/// Higham's γ_n = n·u/(1 − n·u): relative error bound of a sum of `n` products in any order (Higham 2002, §3.1).
///
/// # Panics
/// If `n·u ≥ 1`, where the bound does not exist; tensors of that size cannot be built.
pub fn gamma(n: usize, dtype: DType) -> f64 {
    let nu = n as f64 * unit_roundoff(dtype);
    assert!(nu < 1.0, "no error bound for sums of {n} terms in {dtype}");
    nu / (1.0 - nu)
}

// |x|·(ulps + 2)·2u covers `ulps` roundings of x and those of computing the slack and of adding it.
fn slack(x: &Expr, ulps: f64) -> Expr {
    let u = unit_roundoff(x.dtype());
    x.abs().scale((ulps + 2.0) * 2.0 * u).add(&x.like(4.0 * underflow(x.dtype())))
}
