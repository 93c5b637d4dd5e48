//! Affine enclosures of functions of one variable over an interval.

use crate::interval::{underflow, unit_roundoff};
use crate::op::Relaxation;
use crate::{Expr, Interval, Rounding};

/// `lower_slope·x + lower_intercept ≤ f(x) ≤ upper_slope·x + upper_intercept` on an interval.
pub(crate) struct Lines {
    /// Slope of the lower line.
    pub lower_slope: Expr,
    /// Intercept of the lower line.
    pub lower_intercept: Expr,
    /// Slope of the upper line.
    pub upper_slope: Expr,
    /// Intercept of the upper line.
    pub upper_intercept: Expr,
}

/// A slope and an intercept.
pub(crate) struct Line {
    pub slope: Expr,
    pub intercept: Expr,
}

impl Lines {
    pub fn new(lower: Line, upper: Line) -> Lines {
        Lines {
            lower_slope: lower.slope,
            lower_intercept: lower.intercept,
            upper_slope: upper.slope,
            upper_intercept: upper.intercept,
        }
    }

    /// Horizontal lines through the ends of an interval of the function.
    pub fn constant(image: &Interval) -> Lines {
        let line = |end: &Expr| Line { slope: end.like(0.0), intercept: end.clone() };
        Lines::new(line(&image.lo), line(&image.hi))
    }

    /// Lines of the negative of the function.
    pub fn negate(&self) -> Lines {
        Lines {
            lower_slope: self.upper_slope.neg(),
            lower_intercept: self.upper_intercept.neg(),
            upper_slope: self.lower_slope.neg(),
            upper_intercept: self.lower_intercept.neg(),
        }
    }

    /// These lines where a mask is not 0, others elsewhere.
    pub fn or(&self, mask: &Expr, otherwise: &Lines) -> Lines {
        let pick = |a: &Expr, b: &Expr| Expr::select(mask, a, b);
        Lines {
            lower_slope: pick(&self.lower_slope, &otherwise.lower_slope),
            lower_intercept: pick(&self.lower_intercept, &otherwise.lower_intercept),
            upper_slope: pick(&self.upper_slope, &otherwise.upper_slope),
            upper_intercept: pick(&self.upper_intercept, &otherwise.upper_intercept),
        }
    }

    /// The lines as expressions in their variable.
    pub fn of(&self, x: &Expr) -> Relaxation {
        Relaxation {
            lower: x.mul(&self.lower_slope).add(&self.lower_intercept),
            upper: x.mul(&self.upper_slope).add(&self.upper_intercept),
        }
    }
}

/// Slope of the chord of `f` over `[lo, hi]`; flatter where rounding blurs its ends.
///
/// Any slope gives a valid chord line, see `above_chord`, but a quotient of two rounding errors could be huge, and of
/// the wrong sign where `lo` exceeds `hi` by one. So a rise that may be noise counts as none, and a run as at least
/// what noise it may hold.
pub(crate) fn chord_slope(x: &Interval, f_lo: &Expr, f_hi: &Expr) -> Expr {
    let noise = |a: &Expr, b: &Expr| a.abs().add(&b.abs()).scale(16.0 * unit_roundoff(a.dtype()));
    let floor = noise(&x.lo, &x.hi).add(&x.lo.like(1e3 * underflow(x.lo.dtype())));
    let (rise, run) = (f_hi.sub(f_lo), x.hi.sub(&x.lo).maximum(&floor));
    Expr::select(&rise.abs().greater(&noise(f_lo, f_hi)), &rise.div(&run), &rise.like(0.0))
}

/// The lowest line of a given slope above a function that is convex on the interval (or below its chord there).
///
/// `f(x) − k·x` is convex for every `k`, so its maximum is at an end: the line is valid for *any* slope, however
/// that was rounded, and only the intercept needs slack.
pub(crate) fn above_chord(x: &Interval, slope: &Expr, f_lo: &Expr, f_hi: &Expr, rounding: Rounding) -> Line {
    let (k_lo, k_hi) = (slope.mul(&x.lo), slope.mul(&x.hi));
    let intercept = f_lo.sub(&k_lo).maximum(&f_hi.sub(&k_hi));
    let intercept = intercept.add_slack(&[f_lo, f_hi, &k_lo, &k_hi], rounding);
    Line { slope: slope.clone(), intercept }
}

/// The highest line of a given slope below a function that is concave on the interval.
pub(crate) fn below_chord(x: &Interval, slope: &Expr, f_lo: &Expr, f_hi: &Expr, rounding: Rounding) -> Line {
    let (k_lo, k_hi) = (slope.mul(&x.lo), slope.mul(&x.hi));
    let intercept = f_lo.sub(&k_lo).minimum(&f_hi.sub(&k_hi));
    let intercept = intercept.sub_slack(&[f_lo, f_hi, &k_lo, &k_hi], rounding);
    Line { slope: slope.clone(), intercept }
}

/// The tangent at `point`, raised by what rounding of slope and value can cost over the interval.
pub(crate) fn tangent_above(x: &Interval, point: &Expr, f: &Expr, slope: &Expr, rounding: Rounding) -> Line {
    let k_point = slope.mul(point);
    let intercept = f.sub(&k_point).add_slack(&[f, &k_point, &slope.mul(&x.magnitude())], rounding);
    Line { slope: slope.clone(), intercept }
}

/// The tangent at `point`, lowered by what rounding of slope and value can cost over the interval.
pub(crate) fn tangent_below(x: &Interval, point: &Expr, f: &Expr, slope: &Expr, rounding: Rounding) -> Line {
    let k_point = slope.mul(point);
    let intercept = f.sub(&k_point).sub_slack(&[f, &k_point, &slope.mul(&x.magnitude())], rounding);
    Line { slope: slope.clone(), intercept }
}

/// Enclosure of a function that is convex on the interval: chord above, tangent at `point` below.
pub(crate) fn convex(
    x: &Interval,
    point: &Expr,
    f: &dyn Fn(&Expr) -> Expr,
    slope: &dyn Fn(&Expr) -> Expr,
    rounding: Rounding,
) -> Lines {
    let (f_lo, f_hi) = (f(&x.lo), f(&x.hi));
    let chord = chord_slope(x, &f_lo, &f_hi);
    Lines::new(
        tangent_below(x, point, &f(point), &slope(point), rounding),
        above_chord(x, &chord, &f_lo, &f_hi, rounding),
    )
}

/// Enclosure of a function that is concave on the interval: tangent at `point` above, chord below.
pub(crate) fn concave(
    x: &Interval,
    point: &Expr,
    f: &dyn Fn(&Expr) -> Expr,
    slope: &dyn Fn(&Expr) -> Expr,
    rounding: Rounding,
) -> Lines {
    let (f_lo, f_hi) = (f(&x.lo), f(&x.hi));
    let chord = chord_slope(x, &f_lo, &f_hi);
    Lines::new(
        below_chord(x, &chord, &f_lo, &f_hi, rounding),
        tangent_above(x, point, &f(point), &slope(point), rounding),
    )
}

/// Enclosure of a function that is convex below 0 and concave above (tanh, sigmoid, erf).
pub(crate) fn s_shaped(
    x: &Interval,
    f: &dyn Fn(&Expr) -> Expr,
    slope: &dyn Fn(&Expr) -> Expr,
    rounding: Rounding,
) -> Lines {
    s_shaped_about(&x.lo.like(0.0), x, f, slope, rounding)
}

/// Enclosure of a function that is concave below 0 and convex above (sinh, tan): its negative is s-shaped.
pub(crate) fn reverse_s_shaped(
    x: &Interval,
    f: &dyn Fn(&Expr) -> Expr,
    slope: &dyn Fn(&Expr) -> Expr,
    rounding: Rounding,
) -> Lines {
    s_shaped(x, &|v| f(v).neg(), &|v| slope(v).neg(), rounding).negate()
}

/// Enclosure of a function that is convex below its `inflection` point and concave above, as far as the interval
/// reaches.
///
/// The upper line is the chord where the function is convex up to `hi` or the chord is flatter than the curve at
/// `hi`; elsewhere the tangent at the middle, if that is above the curve, or the line through `(lo, f(lo))` that touches the
/// curve right of the inflection, its touching point bracketed by bisection from the valid side, so that stopping early is
/// sound. The lower line is the mirror image.
pub(crate) fn s_shaped_about(
    inflection: &Expr,
    x: &Interval,
    f: &dyn Fn(&Expr) -> Expr,
    slope: &dyn Fn(&Expr) -> Expr,
    rounding: Rounding,
) -> Lines {
    let (f_lo, f_hi) = (f(&x.lo), f(&x.hi));
    let chord = chord_slope(x, &f_lo, &f_hi);
    let chord_above = above_chord(x, &chord, &f_lo, &f_hi, rounding);
    let chord_below = below_chord(x, &chord, &f_lo, &f_hi, rounding);

    // Touching points: valid at the far end (tangent there passes beyond the other end of the curve).
    let touch_hi = touching_point(&x.hi, &x.lo, &f_lo, &inflection.maximum(&x.lo), f, slope, 1.0);
    let touch_lo = touching_point(&x.lo, &x.hi, &f_hi, &inflection.minimum(&x.hi), f, slope, -1.0);
    let middle = x.center();
    let concave_side = x.lo.greater_equal(inflection);
    let convex_side = x.hi.less_equal(inflection);
    // Tangents beyond the touching point are valid too; as for a convex function, the one at the middle is closest.
    let upper_point = Expr::select(&concave_side, &middle, &touch_hi.maximum(&middle));
    let lower_point = Expr::select(&convex_side, &middle, &touch_lo.minimum(&middle));
    let mut upper_tangent = tangent_above(x, &upper_point, &f(&upper_point), &slope(&upper_point), rounding);
    let mut lower_tangent = tangent_below(x, &lower_point, &f(&lower_point), &slope(&lower_point), rounding);
    // Slopes may come from a difference (1 − y²): the error of those up to about 1 is absolute, not relative.
    upper_tangent.intercept = upper_tangent.intercept.add_slack(&[&x.magnitude()], rounding);
    lower_tangent.intercept = lower_tangent.intercept.sub_slack(&[&x.magnitude()], rounding);

    let use_chord_above = convex_side.maximum(&slope(&x.hi).greater(&chord).mul(&x.lo.less(inflection)));
    let use_chord_below = concave_side.maximum(&slope(&x.lo).greater(&chord).mul(&x.hi.greater(inflection)));
    Lines::new(
        choose(&use_chord_below, chord_below, lower_tangent),
        choose(&use_chord_above, chord_above, upper_tangent),
    )
}

const BISECTIONS: usize = 12;

// A point whose tangent passes `side`-wise beyond `(other, f_other)`: starts at `end`, moves towards `inner`.
fn touching_point(
    end: &Expr,
    other: &Expr,
    f_other: &Expr,
    inner: &Expr,
    f: &dyn Fn(&Expr) -> Expr,
    slope: &dyn Fn(&Expr) -> Expr,
    side: f64,
) -> Expr {
    let (mut valid, mut invalid) = (end.clone(), inner.clone());
    for _ in 0..BISECTIONS {
        let middle = valid.scale(0.5).add(&invalid.scale(0.5));
        let at_other = f(&middle).add(&slope(&middle).mul(&other.sub(&middle)));
        let beyond = at_other.sub(f_other).scale(side).greater_equal(&end.like(0.0));
        invalid = Expr::select(&beyond, &invalid, &middle);
        valid = Expr::select(&beyond, &middle, &valid);
    }
    valid
}

fn choose(mask: &Expr, on_true: Line, on_false: Line) -> Line {
    Line {
        slope: Expr::select(mask, &on_true.slope, &on_false.slope),
        intercept: Expr::select(mask, &on_true.intercept, &on_false.intercept),
    }
}

impl Expr {
    // 16 units of roundoff of everything that entered an intercept: at most 8 for each function value and slope,
    // one for each product and sum, and those of computing the slack itself.
    fn slack_of(&self, terms: &[&Expr]) -> Expr {
        let mut sum = terms[0].abs();
        for term in &terms[1..] {
            sum = sum.add(&term.abs());
        }
        sum.scale(16.0 * unit_roundoff(self.dtype())).add(&self.like(64.0 * underflow(self.dtype())))
    }

    fn add_slack(&self, terms: &[&Expr], rounding: Rounding) -> Expr {
        if rounding == Rounding::Nearest { self.clone() } else { self.add(&self.slack_of(terms)) }
    }

    fn sub_slack(&self, terms: &[&Expr], rounding: Rounding) -> Expr {
        if rounding == Rounding::Nearest { self.clone() } else { self.sub(&self.slack_of(terms)) }
    }
}
