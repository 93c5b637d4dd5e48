//! Lines below and above nonlinear functions on an interval.

use super::network::Curve;
use super::rounding::{add_down, add_up, mul_up};

/// `slope·x + intercept`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub slope: f64,
    pub intercept: f64,
}

impl Line {
    fn constant(intercept: f64) -> Line {
        Line { slope: 0.0, intercept }
    }
}

/// A line above max(0, x) for lo ≤ x ≤ hi with lo < 0 < hi.
pub(super) fn above_relu(lo: f64, hi: f64) -> Line {
    let slope = hi / (hi - lo);
    if !slope.is_finite() || !lo.is_finite() {
        // From an unbounded side nothing but a slope of 0 or 1 can be seen.
        return if hi.is_finite() { Line::constant(hi) } else { Line { slope: 1.0, intercept: -lo } };
    }
    // A convex function lies below a line that is above it at both ends, whatever the slope.
    let slope = slope.clamp(0.0, 1.0);
    let (at_lo, at_hi) = (mul_up(slope, -lo), add_up(hi, -(slope * hi).next_down()));
    Line { slope, intercept: at_lo.max(at_hi) }
}

/// Relative error that library functions are trusted to stay below: 8 units in the last place.
const LIBRARY: f64 = 16.0 * f64::EPSILON / 2.0;

/// Bound of the absolute error of the derivatives below, which are at most 1.
const DERIVATIVE: f64 = 256.0 * f64::EPSILON;

impl Curve {
    /// Numbers below and above the function's value.
    pub(super) fn value(self, x: f64) -> (f64, f64) {
        match self {
            Curve::Sigmoid => {
                let power = (-x).exp();
                let (least, most) = (power.min(f64::MAX) * (1.0 - LIBRARY), power * (1.0 + LIBRARY));
                let lo = (1.0 / (1.0 + most).next_up()).next_down();
                let hi = (1.0 / (1.0 + least.next_down().max(0.0)).next_down()).next_up();
                (lo.max(0.0), hi.min(1.0))
            }
            Curve::Tanh => {
                let value = x.tanh();
                let error = mul_up(value.abs(), LIBRARY);
                (add_down(value, -error).max(-1.0), add_up(value, error).min(1.0))
            }
        }
    }

    // Within `DERIVATIVE` of the derivative, for x ≤ 0.
    fn derivative(self, x: f64) -> f64 {
        match self {
            Curve::Sigmoid => {
                let power = x.exp();
                power / ((1.0 + power) * (1.0 + power))
            }
            Curve::Tanh => 1.0 / (x.cosh() * x.cosh()),
        }
    }

    // The function is symmetric about the point (0, half of this).
    fn rise(self) -> f64 {
        match self {
            Curve::Sigmoid => 1.0,
            Curve::Tanh => 0.0,
        }
    }

    // The largest slope.
    fn steepest(self) -> f64 {
        match self {
            Curve::Sigmoid => 0.25,
            Curve::Tanh => 1.0,
        }
    }

    // Near the x ≤ 0 at which the slope is this one; −∞ for 0.
    fn tangent_point(self, slope: f64) -> f64 {
        let slope = slope.clamp(0.0, self.steepest());
        match self {
            Curve::Sigmoid => {
                let value = 2.0 * slope / (1.0 + (1.0 - 4.0 * slope).sqrt());
                (value / (1.0 - value)).ln()
            }
            Curve::Tanh => -(1.0 - slope).sqrt().atanh(),
        }
    }

    /// Lines below and above the function for lo ≤ x ≤ hi, of given slopes from 0 to 1 or of adaptive ones.
    pub(super) fn lines(self, slopes: Option<[f64; 2]>, lo: f64, hi: f64) -> [Line; 2] {
        let below = |slope: Option<f64>, lo, hi| match slope {
            Some(slope) => self.below(slope, lo, hi),
            None => self.adaptive_below(lo, hi),
        };
        // f(x) = rise − f(−x).
        let mirrored = below(slopes.map(|s| s[1]), -hi, -lo);
        let above = Line { slope: mirrored.slope, intercept: add_up(self.rise(), -mirrored.intercept) };
        [below(slopes.map(|s| s[0]), lo, hi), above]
    }

    // The line of a given slope. What is to be found is the least of f(x) − slope·x: where f is concave it is at an end,
    // and where f is convex not below that of the tangent at any point, best where that has the slope.
    fn below(self, slope: f64, lo: f64, hi: f64) -> Line {
        if !(lo.is_finite() && hi.is_finite() && lo <= hi) {
            return Line::constant(self.value(lo).0);
        }
        let at = |x: f64| add_down(self.value(x).0, -(slope * x).next_up());
        let mut intercept = at(lo).min(at(hi));
        if lo < 0.0 {
            let end = hi.min(0.0);
            let point = self.tangent_point(slope).clamp(lo, end);
            let tilt = self.derivative(point) - slope;
            // The subtraction's rounding error is far below that of the derivative.
            let by = |tilt: f64, width: f64| mul_up(add_up(tilt.max(0.0), 2.0 * DERIVATIVE), width);
            let falls = by(-tilt, add_up(end, -point)).max(by(tilt, add_up(point, -lo)));
            intercept = intercept.min(add_down(at(point), -falls));
        }
        Line { slope, intercept }
    }

    fn adaptive_below(self, lo: f64, hi: f64) -> Line {
        let constant = Line::constant(self.value(lo).0);
        if !(lo.is_finite() && hi.is_finite() && lo < hi) {
            return constant;
        }
        if lo >= 0.0 {
            return self.chord(lo, hi);
        }
        if hi <= 0.0 {
            return self.tangent(0.5 * lo + 0.5 * hi, lo, hi);
        }
        // On lo..0 a tangent is below. If it is below at `hi` too, it is so on 0..hi, where the function is concave.
        let fits = |line: Line| add_up(mul_up(line.slope, hi), line.intercept) <= self.value(hi).0;
        let (mut left, mut right) = (lo, 0.0);
        if !fits(self.tangent(left, lo, hi)) {
            let chord = self.chord(lo, hi);
            // Below the tangent at `lo`, thus below the convex part.
            let flat = chord.slope <= self.derivative(lo) - DERIVATIVE;
            return if flat { chord } else { constant };
        }
        for _ in 0..30 {
            let middle = 0.5 * (left + right);
            if fits(self.tangent(middle, lo, hi)) { left = middle } else { right = middle }
        }
        // A tangent further left is below the curve as well; the one at the middle is closest to it.
        let middle = self.tangent(left.min(0.5 * lo + 0.5 * hi), lo, hi);
        if fits(middle) { middle } else { self.tangent(left, lo, hi) }
    }

    // Below the function wherever it is convex and lo ≤ x ≤ hi.
    fn tangent(self, at: f64, lo: f64, hi: f64) -> Line {
        let slope = self.derivative(at);
        // The slope's error, over the whole width; then value − slope·at.
        let error = mul_up(DERIVATIVE, add_up(hi, -lo));
        let through = add_down(self.value(at).0, -(slope * at).next_up());
        Line { slope, intercept: add_down(through, -error) }
    }

    // Below the function at both ends.
    fn chord(self, lo: f64, hi: f64) -> Line {
        let (at_lo, at_hi) = (self.value(lo).0, self.value(hi).0);
        let slope = ((at_hi - at_lo) / (hi - lo)).clamp(0.0, 1.0);
        let through = |x: f64, y: f64| add_down(y, -(slope * x).next_up());
        Line { slope, intercept: through(lo, at_lo).min(through(hi, at_hi)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn at(line: Line, x: f64) -> f64 {
        line.slope * x + line.intercept
    }

    // Points of an interval, its ends among them.
    fn points(lo: f64, hi: f64) -> impl Iterator<Item = f64> {
        (0..=200).map(move |i| (lo + (hi - lo) * f64::from(i) / 200.0).min(hi))
    }

    #[test]
    fn curves_lie_between_their_lines() {
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        for round in 0..2000 {
            let width = [1e-9, 0.1, 3.0, 40.0, 800.0][round % 5];
            let lo: f64 = rng.random_range(-width..width);
            let hi = rng.random_range(lo..=width);
            for curve in [Curve::Sigmoid, Curve::Tanh] {
                let value = |x: f64| if curve == Curve::Tanh { x.tanh() } else { 1.0 / (1.0 + (-x).exp()) };
                let [below, above] = curve.lines(None, lo, hi);
                for x in points(lo, hi) {
                    let (low, high) = curve.value(x);
                    assert!(low <= value(x) && value(x) <= high && high - low < 1e-13, "{curve:?} at {x}");
                    let (low, high) = (at(below, x), at(above, x));
                    let inside = low - 1e-14 <= value(x) && value(x) <= high + 1e-14;
                    assert!(inside, "{curve:?} on {lo}..{hi} at {x}: {low} {} {high}", value(x));
                }
                // In the middle a line is within the curve's range, so at its end it is not far; short pieces are nearly straight.
                let (rise, rounding) = (value(hi) - value(lo), 1e-13 * (1.0 + hi - lo));
                let widest = points(lo, hi).map(|x| at(above, x) - at(below, x)).fold(0.0, f64::max);
                assert!(widest <= 3.0 * rise + rounding, "{curve:?} on {lo}..{hi}: {widest} {rise}");
                assert!(hi - lo > 0.1 || widest <= 0.1 * (hi - lo) + rounding, "{curve:?} on {lo}..{hi}: {widest}");
            }
        }
    }

    #[test]
    fn lines_of_given_slopes_touch_curves() {
        let rng = &mut ChaCha8Rng::seed_from_u64(3);
        for round in 0..4000 {
            let width = [1e-9, 0.1, 3.0, 40.0, 800.0][round % 5];
            let lo: f64 = rng.random_range(-width..width);
            let hi = rng.random_range(lo..=width);
            for curve in [Curve::Sigmoid, Curve::Tanh] {
                let value = |x: f64| if curve == Curve::Tanh { x.tanh() } else { 1.0 / (1.0 + (-x).exp()) };
                let slope = |rng: &mut ChaCha8Rng| match round % 3 {
                    0 => f64::from(round as u32 % 2),
                    1 => rng.random_range(0.0..=1.0),
                    _ => curve.steepest() * 10f64.powf(rng.random_range(-12.0..0.0)),
                };
                let slopes = [slope(rng), slope(rng)];
                let [below, above] = curve.lines(Some(slopes), lo, hi);
                assert_eq!([below.slope, above.slope], slopes);
                let mut gaps = [f64::INFINITY; 2];
                // The point where the tangent has the slope, and its mirror image, among others.
                let touching = slopes.map(|s| curve.tangent_point(s)).map(|t| [t, -t]).concat();
                for x in points(lo, hi).chain(touching.into_iter().map(|x| x.clamp(lo, hi))) {
                    let (under, over) = (value(x) - at(below, x), at(above, x) - value(x));
                    let rounding = 1e-15 * (1.0 + x.abs());
                    assert!(
                        under >= -rounding && over >= -rounding,
                        "{curve:?} {slopes:?} on {lo}..{hi} at {x}: {under} {over}"
                    );
                    gaps = [gaps[0].min(under), gaps[1].min(over)];
                }
                let small = 1e-12 * (1.0 + width);
                assert!(gaps[0] < small && gaps[1] < small, "{curve:?} {slopes:?} on {lo}..{hi}: {gaps:?}");
            }
        }
    }

    #[test]
    fn ends_of_curves() {
        for x in [f64::INFINITY, f64::NEG_INFINITY, 1e308, -1e308, 750.0, -750.0, 0.0, f64::from_bits(1)] {
            let (lo, hi) = Curve::Sigmoid.value(x);
            assert!(0.0 <= lo && lo <= hi && hi <= 1.0 && hi - lo < 1e-14, "{x}: {lo} {hi}");
            let (lo, hi) = Curve::Tanh.value(x);
            assert!(-1.0 <= lo && lo <= hi && hi <= 1.0 && hi - lo < 1e-14, "{x}: {lo} {hi}");
        }
        let [below, above] = Curve::Sigmoid.lines(None, f64::NEG_INFINITY, f64::INFINITY);
        assert_eq!((below.slope, above.slope), (0.0, 0.0));
        assert!(below.intercept <= 0.0 && above.intercept >= 1.0);
    }

    #[test]
    fn relu_lies_below_its_line() {
        let rng = &mut ChaCha8Rng::seed_from_u64(2);
        for round in 0..2000 {
            let scale = [1e-320, 1e-9, 1.0, 1e9, 1e300][round % 5];
            let (lo, hi) = (-scale * rng.random_range(0.01..1.0), scale * rng.random_range(0.01..1.0));
            let line = above_relu(lo, hi);
            assert!((0.0..=1.0).contains(&line.slope));
            for x in points(lo, hi) {
                assert!(add_up(mul_up(line.slope, x), line.intercept) >= x.max(0.0), "{lo}..{hi} at {x}");
            }
            assert!(at(line, lo) <= 1e-9 * scale + 1e-320 && at(line, hi) <= hi * (1.0 + 1e-9) + 1e-320);
        }
        assert_eq!(above_relu(f64::NEG_INFINITY, 2.0), Line { slope: 0.0, intercept: 2.0 });
        assert_eq!(above_relu(-2.0, f64::INFINITY), Line { slope: 1.0, intercept: 2.0 });
        assert_eq!(above_relu(f64::NEG_INFINITY, f64::INFINITY).intercept, f64::INFINITY);
    }
}
