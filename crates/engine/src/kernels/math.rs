//! Elementary functions without branches, so that loops over them become vector code.
//!
//! In `f32` they are polynomials on a reduced argument, fitted to the relative error; each stays within the units of
//! roundoff that outward bounds allow for it (the tests below say how many). `FMA` says whether the processor the
//! caller is compiled for multiplies and adds at once: without it `mul_add` would be a library call. In `f64` the standard
//! library's functions are used.

/// Elementary functions of an element type.
pub(crate) trait Math: Copy {
    fn exp<const FMA: bool>(self) -> Self;
    fn ln<const FMA: bool>(self) -> Self;
    fn tanh<const FMA: bool>(self) -> Self;
    fn sigmoid<const FMA: bool>(self) -> Self;
    fn erf<const FMA: bool>(self) -> Self;
    /// Exact only up to [`Math::far`]; larger arguments go through `far_sin`.
    fn sin<const FMA: bool>(self) -> Self;
    /// As `sin`.
    fn cos<const FMA: bool>(self) -> Self;
    /// Whether an argument is too large for `sin` and `cos`.
    fn far(self) -> bool;
    /// Sine of any argument.
    fn far_sin(self) -> Self;
    /// Cosine of any argument.
    fn far_cos(self) -> Self;
}

/// Largest argument of `sin` and `cos` whose multiple of π/2 is removed exactly enough: 2²⁰ quarter turns would be too.
const FAR: f32 = 1.0e6;

impl Math for f32 {
    #[inline(always)]
    fn exp<const FMA: bool>(self) -> f32 {
        exp::<FMA>(self)
    }
    #[inline(always)]
    fn ln<const FMA: bool>(self) -> f32 {
        ln::<FMA>(self)
    }
    #[inline(always)]
    fn tanh<const FMA: bool>(self) -> f32 {
        tanh::<FMA>(self)
    }
    #[inline(always)]
    fn sigmoid<const FMA: bool>(self) -> f32 {
        // One formula for each sign, so that the exponential never overflows.
        let e = exp::<FMA>(-self.abs());
        let y = 1.0 / (1.0 + e);
        if self < 0.0 { e * y } else { y }
    }
    #[inline(always)]
    fn erf<const FMA: bool>(self) -> f32 {
        erf::<FMA>(self)
    }
    #[inline(always)]
    fn sin<const FMA: bool>(self) -> f32 {
        let y = quarter_turns::<FMA>(self, 0);
        // −0 stays.
        if self == 0.0 { self } else { y }
    }
    #[inline(always)]
    fn cos<const FMA: bool>(self) -> f32 {
        quarter_turns::<FMA>(self, 1)
    }
    #[inline(always)]
    fn far(self) -> bool {
        self.abs() > FAR
    }
    fn far_sin(self) -> f32 {
        self.sin()
    }
    fn far_cos(self) -> f32 {
        self.cos()
    }
}

impl Math for f64 {
    #[inline(always)]
    fn exp<const FMA: bool>(self) -> f64 {
        self.exp()
    }
    #[inline(always)]
    fn ln<const FMA: bool>(self) -> f64 {
        self.ln()
    }
    #[inline(always)]
    fn tanh<const FMA: bool>(self) -> f64 {
        self.tanh()
    }
    #[inline(always)]
    fn sigmoid<const FMA: bool>(self) -> f64 {
        let e = (-self.abs()).exp();
        let y = 1.0 / (1.0 + e);
        if self < 0.0 { e * y } else { y }
    }
    #[inline(always)]
    fn erf<const FMA: bool>(self) -> f64 {
        libm::erf(self)
    }
    #[inline(always)]
    fn sin<const FMA: bool>(self) -> f64 {
        self.sin()
    }
    #[inline(always)]
    fn cos<const FMA: bool>(self) -> f64 {
        self.cos()
    }
    #[inline(always)]
    fn far(self) -> bool {
        false
    }
    fn far_sin(self) -> f64 {
        self.sin()
    }
    fn far_cos(self) -> f64 {
        self.cos()
    }
}

#[inline(always)]
fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Horner's rule; coefficients from the highest power down.
#[inline(always)]
fn polynomial<const FMA: bool, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut value = coefficients[0];
    let mut i = 1;
    while i < N {
        value = fma::<FMA>(value, x, coefficients[i]);
        i += 1;
    }
    value
}

/// 1.5·2²³: added to a number below 2²² it leaves the nearest integer in the low bits of the sum.
const ROUNDER: f32 = 12_582_912.0;

/// 2ⁿ for −126 ≤ n ≤ 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

// eˣ = 2ⁿ·eʳ with |r| ≤ ln 2/2.
#[inline(always)]
fn exp<const FMA: bool>(x: f32) -> f32 {
    // ln 2 in two parts, the first with 9 trailing zeros so that its multiples are exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Beyond these the result is 0 or infinite; NaN passes.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let shifted = fma::<FMA>(x, std::f32::consts::LOG2_E, ROUNDER);
    let n = shifted - ROUNDER;
    let r = fma::<FMA>(-n, LN2_LOW, fma::<FMA>(-n, LN2_HIGH, x));
    let p = polynomial::<FMA, 5>(r, [1.381_459_6e-3, 8.368_718e-3, 4.166_839e-2, 0.166_665_21, 0.499_999_94]);
    let e = 1.0 + fma::<FMA>(r * r, p, r);
    // Two factors, because 2ⁿ alone leaves the normal range where the result may still be a number.
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUNDER.to_bits() as i32);
    let half = n >> 1;
    e * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

// x = 2ⁿ·(1 + f) with 1 + f in [√½, √2].
#[inline(always)]
fn ln<const FMA: bool>(x: f32) -> f32 {
    const SCALE: f32 = 8_388_608.0; // 2²³ makes subnormal numbers normal
    let small = x < f32::MIN_POSITIVE;
    let scaled = if small { x * SCALE } else { x };
    let shift = if small { 23.0 } else { 0.0 };
    let bits = scaled.to_bits() as i32;
    let n = bits.wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits() as i32) >> 23;
    let f = f32::from_bits(bits.wrapping_sub(n << 23) as u32) - 1.0;
    let n = n as f32 - shift;
    let p = polynomial::<FMA, 9>(
        f,
        [
            6.746_601e-2,
            -0.116_756_41,
            0.118_881_75,
            -0.124_055_915,
            0.142_195_51,
            -0.166_679_96,
            0.200_021_19,
            -0.250_000_1,
            0.333_333_13,
        ],
    );
    let square = f * f;
    let tail = fma::<FMA>(n, -2.121_944_4e-4, square * f * p);
    let value = fma::<FMA>(n, 0.693_359_4, f + fma::<FMA>(-0.5, square, tail));
    let value = if x == f32::INFINITY { x } else { value };
    let value = if x == 0.0 { f32::NEG_INFINITY } else { value };
    if (x < 0.0) | x.is_nan() { f32::NAN } else { value }
}

#[inline(always)]
fn tanh<const FMA: bool>(x: f32) -> f32 {
    let z = x * x;
    let p = polynomial::<FMA, 5>(z, [-5.717_037e-3, 2.065_057_9e-2, -5.374_349_7e-2, 0.133_314_91, -0.333_332_84]);
    let near_zero = fma::<FMA>(x * z, p, x);
    let magnitude = x.abs();
    let away = 1.0 - 2.0 / (exp::<FMA>(2.0 * magnitude) + 1.0);
    // NaN takes the first branch; the sign makes −0 of −0.
    (if magnitude >= 0.625 { away } else { near_zero }).copysign(x)
}

// Near zero x + x·Q(x²), farther out 1 − exp(log erfc |x|).
#[inline(always)]
fn erf<const FMA: bool>(x: f32) -> f32 {
    let z = x * x;
    let q = polynomial::<FMA, 7>(
        z,
        [8.316_773e-5, -8.130_012e-4, 5.199_906_4e-3, -2.685_894e-2, 0.112_836_875, -0.376_126_32, 0.128_379_17],
    );
    let near_zero = fma::<FMA>(x, q, x);
    let t = x.abs();
    // From here on the result rounds to ±1.
    let t = if t > 3.92 { 3.92 } else { t };
    let r = polynomial::<FMA, 7>(
        t,
        [1.152_247_1e-5, -3.256_544_3e-4, 3.653_770_8e-3, -2.378_536e-2, 0.106_263_16, 0.635_135_9, 0.128_652_17],
    );
    let away = 1.0 - exp::<FMA>(-fma::<FMA>(t, r, t));
    (if x.abs() >= 0.927 { away } else { near_zero }).copysign(x)
}

// sin(x + turns·π/2). The multiple of π/2 is removed in f64, which leaves enough digits for every f32 below `FAR`.
#[inline(always)]
fn quarter_turns<const FMA: bool>(x: f32, turns: i32) -> f32 {
    const ROUNDER: f64 = 6_755_399_441_055_744.0; // 1.5·2⁵²
    // π/2 with 33 bits, so that its multiples below 2²⁰ are exact, and the rest.
    const HIGH: f64 = 1.570_796_326_734_125_6;
    const LOW: f64 = 6.077_100_506_506_192e-11;
    let wide = f64::from(x);
    let shifted = wide * std::f64::consts::FRAC_2_PI + ROUNDER;
    let n = shifted - ROUNDER;
    let r = ((wide - n * HIGH) - n * LOW) as f32;
    let quadrant = (shifted.to_bits() as i32).wrapping_add(turns);
    let z = r * r;
    let s = polynomial::<FMA, 4>(z, [2.718_237_3e-6, -1.983_932_7e-4, 8.333_329e-3, -0.166_666_67]);
    let sine = fma::<FMA>(r * z, s, r);
    let c = polynomial::<FMA, 3>(z, [2.443_241_1e-5, -1.388_731e-3, 4.166_664_6e-2]);
    let cosine = 1.0 - fma::<FMA>(-z * z, c, 0.5 * z);
    let value = if quadrant & 1 == 0 { sine } else { cosine };
    f32::from_bits(value.to_bits() ^ (((quadrant as u32) & 2) << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case = (&'static str, fn(f32) -> f32, fn(f32) -> f32, fn(f64) -> f64, f64);

    fn either(f: fn(f32) -> f32, far: fn(f32) -> f32, x: f32) -> f32 {
        if x.far() { far(x) } else { f(x) }
    }

    fn sigmoid(x: f64) -> f64 {
        if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
    }

    /// Name, the function with and without fused multiplication, its definition, and the units of roundoff that
    /// `Unary`'s rules allow it.
    fn cases() -> Vec<Case> {
        vec![
            ("exp", exp::<true>, exp::<false>, f64::exp, 4.0),
            ("log", ln::<true>, ln::<false>, f64::ln, 4.0),
            ("tanh", tanh::<true>, tanh::<false>, f64::tanh, 4.0),
            ("sigmoid", <f32 as Math>::sigmoid::<true>, <f32 as Math>::sigmoid::<false>, sigmoid, 8.0),
            ("erf", erf::<true>, erf::<false>, libm::erf, 4.0),
            (
                "sin",
                |x| either(<f32 as Math>::sin::<true>, f32::far_sin, x),
                |x| either(<f32 as Math>::sin::<false>, f32::far_sin, x),
                f64::sin,
                4.0,
            ),
            (
                "cos",
                |x| either(<f32 as Math>::cos::<true>, f32::far_cos, x),
                |x| either(<f32 as Math>::cos::<false>, f32::far_cos, x),
                f64::cos,
                4.0,
            ),
        ]
    }

    /// Largest relative error over bit patterns, in units of roundoff; results below the normal range may be off by
    /// the smallest normal number, which outward bounds add in any case.
    fn worst(f: fn(f32) -> f32, definition: fn(f64) -> f64, patterns: impl Iterator<Item = u32>) -> (f64, f32) {
        let mut worst = (0.0, 0.0);
        for bits in patterns {
            let x = f32::from_bits(bits);
            let (got, expected) = (f(x), definition(f64::from(x)));
            if expected.is_nan() {
                assert!(got.is_nan(), "{x:e} gives {got} instead of NaN");
                continue;
            }
            let rounded = expected as f32;
            if rounded.is_infinite() || got.is_infinite() {
                // At the edge of the range either side of it is as near.
                assert!(got == rounded || expected.abs() > 0.999_999 * f64::from(f32::MAX), "{x:e} gives {got:e}");
                continue;
            }
            let error = (f64::from(got) - expected).abs();
            if expected.abs() < f64::from(f32::MIN_POSITIVE) {
                assert!(error <= f64::from(f32::MIN_POSITIVE), "{x:e} gives {got:e} instead of {expected:e}");
                continue;
            }
            let units = error / expected.abs() / (f64::from(f32::EPSILON) / 2.0);
            if units > worst.0 || units.is_nan() {
                worst = (units, x);
            }
        }
        worst
    }

    fn check(step: usize) {
        for (name, fused, plain, definition, limit) in cases() {
            for f in [fused, plain] {
                let (units, x) = worst(f, definition, (0..=u32::MAX).step_by(step));
                eprintln!("{name}: {units:.2} units at {x:e}");
                assert!(units <= limit, "{name} is off by {units} units of roundoff at {x:e}");
            }
        }
    }

    #[test]
    fn errors_stay_within_the_units_that_outward_bounds_allow() {
        check(4093); // a prime: every exponent, sign and kind of number, and all low bits
    }

    #[test]
    #[ignore = "all 2³² arguments: some minutes"]
    fn errors_stay_within_the_units_for_every_argument() {
        check(1);
    }

    #[test]
    fn special_arguments() {
        let inf = f32::INFINITY;
        assert_eq!([exp::<true>(inf), exp::<true>(-inf), exp::<true>(0.0)], [inf, 0.0, 1.0]);
        assert_eq!([ln::<true>(inf), ln::<true>(0.0), ln::<true>(-0.0), ln::<true>(1.0)], [inf, -inf, -inf, 0.0]);
        assert!(ln::<true>(-1e-45).is_nan() && ln::<true>(-inf).is_nan());
        for f in [tanh::<true>, erf::<true>] {
            assert_eq!([f(inf), f(-inf), f(0.0), f(40.0)], [1.0, -1.0, 0.0, 1.0]);
            assert!(f(-0.0).is_sign_negative());
        }
        assert_eq!([<f32 as Math>::sigmoid::<true>(inf), <f32 as Math>::sigmoid::<true>(-inf)], [1.0, 0.0]);
        assert!(<f32 as Math>::sin::<true>(-0.0).is_sign_negative());
    }
}
