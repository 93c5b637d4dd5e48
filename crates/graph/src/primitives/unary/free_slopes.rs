//! Enclosures of elementwise functions by lines whose slopes are chosen, not derived from the interval.

use super::Unary;
use super::lines::{Line, Lines};
use crate::interval::underflow;
use crate::{Expr, Interval, Rounding, Shape, unit_roundoff};

/// Which slopes of a function's enclosure are free: every choice gives lines that hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FreeSlopes {
    /// Whether the slope of the line above is free too, or only that of the line below.
    pub both: bool,
    /// The largest slope that can be of use; the smallest is 0.
    pub steepest: f64,
}

impl FreeSlopes {
    /// Shape of the slopes for operands of a shape: that shape, or `[2, …shape]` if those of the lines below and above
    /// are free.
    pub fn shape(&self, operand: &Shape) -> Shape {
        if self.both { operand.prepend(2) } else { operand.clone() }
    }
}

impl Unary {
    /// Which slopes of the enclosure of `relu`, `sigmoid` and `tanh` are free; `None` for other functions.
    pub fn free_slopes(self) -> Option<FreeSlopes> {
        match self {
            Unary::Relu => Some(FreeSlopes { both: false, steepest: 1.0 }),
            Unary::Sigmoid => Some(FreeSlopes { both: true, steepest: 0.25 }),
            Unary::Tanh => Some(FreeSlopes { both: true, steepest: 1.0 }),
            _ => None,
        }
    }

    /// The slopes that are taken when none are chosen, in the form of [`FreeSlopes::shape`]. `None` where none are free.
    pub fn adaptive_slopes(self, bounds: &Interval) -> Option<Expr> {
        let lines = self.rules().lines(bounds, Rounding::Nearest).filter(|_| self.free_slopes().is_some())?;
        let row = |e: &Expr| e.reshape(e.shape().prepend(1));
        let both = || Expr::concat(&[row(&lines.lower_slope), row(&lines.upper_slope)], 0);
        Some(if self.free_slopes()?.both { both() } else { lines.lower_slope })
    }

    /// Lines of chosen slopes around a function whose slopes are free.
    pub(crate) fn lines_with(self, bounds: &Interval, slopes: &Expr, rounding: Rounding) -> Option<Lines> {
        let free = self.free_slopes()?;
        let usable = slopes.maximum(&slopes.like(0.0)).minimum(&slopes.like(free.steepest));
        if !free.both {
            return Some(super::relu::lines_with_slope(bounds, &usable, rounding));
        }
        let side = |k: usize| usable.slice_axis(0, k, k + 1).reshape(bounds.lo.shape());
        // f(x) = rise − f(−x).
        let rise = if self == Unary::Sigmoid { 1.0 } else { 0.0 };
        let mirror = Interval { lo: bounds.hi.neg(), hi: bounds.lo.neg() };
        let mirrored = self.below(&mirror, &side(1), rounding);
        let intercept = mirrored.intercept.neg().offset(rise);
        let slack = intercept.abs().add(&intercept.like(rise)).scale(4.0 * unit_roundoff(intercept.dtype()));
        let intercept = if rounding == Rounding::Outward { intercept.add(&slack) } else { intercept };
        Some(Lines::new(self.below(bounds, &side(0), rounding), Line { slope: mirrored.slope, intercept }))
    }

    // The highest line of a slope below a function that is convex below 0 and concave above: its intercept is the least of
    // f(x) − slope·x, where f is concave at an end, and where f is convex not below that of a tangent, best of the one
    // whose slope it is. By the envelope theorem the tangent's point may be held fixed when the intercept is derived by the
    // slope.
    fn below(self, x: &Interval, slope: &Expr, rounding: Rounding) -> Line {
        let zero = x.lo.like(0.0);
        let f = |v: &Expr| Expr::build(self, std::slice::from_ref(v));
        let end = x.hi.minimum(&zero).maximum(&x.lo);
        let point = self.tangent_point(slope).maximum(&x.lo).minimum(&end).stop_gradient();
        let places = [&x.lo, &x.hi, &point].map(|v| (f(v), slope.mul(v)));
        let [lo, hi, mut touching] = [0, 1, 2].map(|k| places[k].0.sub(&places[k].1));
        if rounding == Rounding::Outward {
            // By how much the line through the touching point leans over the convex part; nothing but for rounding.
            let value = &places[2].0;
            let derivative = self.rules().derivative(&point, value).unwrap_or_else(|| zero.clone());
            let tilt = derivative.sub(slope);
            let rises = tilt.relu().mul(&point.sub(&x.lo));
            let falls = tilt.neg().relu().mul(&end.sub(&point));
            touching = touching.sub(&rises.maximum(&falls));
        }
        let intercept = lo.minimum(&hi).minimum(&touching);
        if rounding == Rounding::Nearest {
            return Line { slope: slope.clone(), intercept };
        }
        // Values and products are off by at most 8 units of roundoff each, the derivative by 24 of 1, over at most twice the
        // magnitude.
        let terms = places.iter().flat_map(|(value, product)| [value.abs(), product.abs()]);
        let sum = terms.fold(x.magnitude().scale(4.0), |sum, term| sum.add(&term));
        let slack = sum.scale(16.0 * unit_roundoff(slope.dtype())).offset(64.0 * underflow(slope.dtype()));
        Line { slope: slope.clone(), intercept: intercept.sub(&slack) }
    }

    // The x ≤ 0 at which the derivative is `slope`, from 0 to the steepest one.
    fn tangent_point(self, slope: &Expr) -> Expr {
        if self == Unary::Sigmoid {
            // y·(1 − y) = slope.
            let root = slope.scale(-4.0).offset(1.0).relu().sqrt();
            let y = slope.scale(2.0).div(&root.offset(1.0));
            return y.div(&y.neg().offset(1.0)).log();
        }
        slope.neg().offset(1.0).relu().sqrt().atanh().neg()
    }
}
