//! Intervals of expressions, and how their arithmetic rounds.

use crate::{DType, Expr};

/// What the arithmetic of a bound promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rounding {
    /// Bounds as computed, exact but for rounding to nearest: for training and search.
    Nearest,
    /// Bounds widened by a proven bound on the rounding errors of computing them *and* of evaluating the network
    /// in the same precision, in any order of summation: for verdicts.
    ///
    /// The argument. One operation errs by at most a factor 1 ± u; a sum of n products, in any order and with or
    /// without fused multiply-add, by γ_n times the sum of the products' magnitudes (Higham 2002, §3.1; [`gamma`]);
    /// library functions by the units that each function's rule states.
    /// *Intervals*: the image of each primitive is widened by what its own evaluation and the network's may err, from
    /// the magnitudes in the operands' intervals. By induction both the exact value and the value in this precision
    /// stay inside.
    /// *Linear bounds*: a covector, once computed, is an exact number λ. Pulling it through y = A·x gives μ instead of
    /// Aᵀλ; the difference changes the bound by at most γ·⟨|λ|, |A|·|x|⟩, and |x| is known from the intervals, so the
    /// loss is one inner product, which is added up beside the bound ([`Primitive::adjoint_error`]) with the error of
    /// the network's own evaluation of y. Lines are valid for *any* slope, however it was rounded; only intercepts are
    /// moved outward. At the end the inner products' own errors, and those of the estimate, are taken off.
    /// What does not vary (weights, constants computed from them) is taken as it is stored.
    ///
    /// [`Primitive::adjoint_error`]: crate::Primitive::adjoint_error
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

    /// What both intervals hold. An end that only one of them knows (NaN is unknown) is that one's.
    pub(crate) fn intersect(&self, other: &Interval) -> Interval {
        let known = |x: &Expr| x.greater_equal(&x.like(f64::NEG_INFINITY));
        let lo =
            Expr::select(&self.lo.greater(&other.lo), &self.lo, &Expr::select(&known(&other.lo), &other.lo, &self.lo));
        let hi =
            Expr::select(&self.hi.less(&other.hi), &self.hi, &Expr::select(&known(&other.hi), &other.hi, &self.hi));
        Interval { lo, hi }
    }

    /// The interval with infinite ends for unknown ones (NaN).
    pub(crate) fn or_infinite(&self) -> Interval {
        // Every integer is known.
        if self.is_point() || !self.lo.dtype().is_float() {
            return self.clone();
        }
        let infinite = self.lo.like(f64::INFINITY);
        let known = |x: &Expr| x.greater_equal(&infinite.neg());
        Interval {
            lo: Expr::select(&known(&self.lo), &self.lo, &infinite.neg()),
            hi: Expr::select(&known(&self.hi), &self.hi, &infinite),
        }
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

/// A bound on absolute errors of operations that underflow. It is far above the smallest normal number, so that its products
/// with weights and bounds are normal too: with subnormal ones a multiplication takes some processors a hundred cycles.
pub fn underflow(dtype: DType) -> f64 {
    match dtype {
        DType::F32 => f64::from(2f32.powi(-100)),
        _ => 2f64.powi(-900),
    }
}

/// Higham's γ_n = n·u/(1 − n·u): relative error bound of a sum of `n` products in any order (Higham 2002, §3.1).
/// Infinite if `n·u ≥ 1`, where no bound exists.
pub fn gamma(n: usize, dtype: DType) -> f64 {
    let nu = n as f64 * unit_roundoff(dtype);
    if nu < 1.0 { nu / (1.0 - nu) } else { f64::INFINITY }
}

/// Factor on a *computed* sum of magnitudes that bounds `times` roundings of a sum of `n` products: `times`·γ_n, divided
/// by 1 − γ_n because the magnitudes' own sum may come out too small by that, and a little for this product.
pub(crate) fn sum_error(times: f64, n: usize, dtype: DType) -> f64 {
    let gamma = gamma(n, dtype);
    if gamma < 1.0 { times * gamma / (1.0 - gamma) * (1.0 + 1e-6) } else { f64::INFINITY }
}

// |x|·(ulps + 2)·2u covers `ulps` roundings of x and those of computing the slack and of adding it.
fn slack(x: &Expr, ulps: f64) -> Expr {
    let u = unit_roundoff(x.dtype());
    x.abs().scale((ulps + 2.0) * 2.0 * u).add(&x.like(4.0 * underflow(x.dtype())))
}
