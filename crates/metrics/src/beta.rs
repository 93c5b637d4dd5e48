//! The regularised incomplete beta function.

use libm::lgamma;

/// The regularised incomplete beta function `I_x(a, b)`, for `a, b > 0` and `x` in [0, 1].
///
/// Continued fraction of DLMF 8.17.22, evaluated by the modified Lentz algorithm on the side of the mean where
/// it converges fast (about √max(a, b) terms), with the symmetry `I_x(a, b) = 1 − I_{1−x}(b, a)` on the other.
pub fn regularized_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - lower_part(b, a, 1.0 - x, x.ln());
    }
    lower_part(a, b, x, (-x).ln_1p())
}

/// `I_x(a, b)` for `x` below the mean, with `ln(1 − x)` given so that the caller can choose its exact form.
fn lower_part(a: f64, b: f64, x: f64, ln_complement: f64) -> f64 {
    let ln_beta = lgamma(a) + lgamma(b) - lgamma(a + b);
    let prefactor = (a * x.ln() + b * ln_complement - ln_beta).exp() / a;
    prefactor * continued_fraction(a, b, x)
}

/// `1/(1 + d₁/(1 + d₂/(1 + …)))` with the coefficients of DLMF 8.17.23.
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let max_terms = 200 + (20.0 * a.max(b).sqrt()) as usize;
    let (mut c, mut d) = (1.0, 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0)));
    let mut value = d;
    for m in 1..=max_terms {
        let m = m as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for coefficient in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + coefficient * d);
            c = away_from_zero(1.0 + coefficient / c);
            value *= c * d;
            change = c * d;
        }
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For integers, I_x(a, b) is the probability of at least a successes in a+b−1 trials.
    #[test]
    fn equals_binomial_tail() {
        for (a, b, x) in [(1u32, 1u32, 0.3), (3, 5, 0.4), (7, 2, 0.9), (10, 10, 0.5), (2, 18, 0.05), (15, 6, 0.99)] {
            let n = a + b - 1;
            let choose = |k: u32| (0..k).fold(1.0, |c, i| c * f64::from(n - i) / f64::from(i + 1));
            let tail: f64 =
                (a..=n).map(|k| choose(k) * f64::powi(x, k as i32) * f64::powi(1.0 - x, (n - k) as i32)).sum();
            let value = regularized_beta(f64::from(a), f64::from(b), x);
            assert!((value - tail).abs() < 1e-14, "I_{x}({a}, {b}) = {value}, tail {tail}");
        }
    }

    #[test]
    fn ends_and_symmetry() {
        assert_eq!(regularized_beta(2.0, 3.0, 0.0), 0.0);
        assert_eq!(regularized_beta(2.0, 3.0, 1.0), 1.0);
        for x in [0.001, 0.2, 0.5, 0.77, 0.999] {
            let sum = regularized_beta(2.5, 40.25, x) + regularized_beta(40.25, 2.5, 1.0 - x);
            assert!((sum - 1.0).abs() < 1e-13);
        }
    }
}
