//! Arithmetic with error bounds that hold for any order of summation and for fused multiply-add.

use num_rational::BigRational;
use num_traits::{ToPrimitive, Zero};

/// Half the distance from 1 to the next number: the largest relative error of one operation that does not underflow.
pub(super) const UNIT: f64 = f64::EPSILON / 2.0;

/// The smallest positive number: at least twice the largest absolute error of one product that underflows.
pub(super) const TINY: f64 = f64::from_bits(1);

/// γ_n = nu/(1 − nu), rounded up (Higham 2002, lemma 3.1).
#[inline(always)]
pub(super) fn gamma(terms: usize) -> f64 {
    // Exact: u is a power of two, and there are less than 2⁵³ terms.
    let nu = terms as f64 * UNIT;
    (nu / (1.0 - nu).next_down()).next_up()
}

/// a + b, not below the exact sum.
#[inline(always)]
pub(super) fn add_up(a: f64, b: f64) -> f64 {
    (a + b).next_up()
}

/// a + b, not above the exact sum.
#[inline(always)]
pub(super) fn add_down(a: f64, b: f64) -> f64 {
    (a + b).next_down()
}

/// a·b, not below the exact product.
#[inline(always)]
pub(super) fn mul_up(a: f64, b: f64) -> f64 {
    (a * b).next_up()
}

/// Not below the exact value of a sum of `terms` products of numbers that are not negative, computed as `computed`.
#[inline(always)]
pub(super) fn sum_up(computed: f64, terms: usize) -> f64 {
    let relative = mul_up(computed, (1.0 + gamma(terms + 1)).next_up());
    add_up(relative, mul_up(terms as f64, TINY))
}

/// The largest number not above `value`, and the smallest not below it.
pub(super) fn enclose(value: &BigRational) -> (f64, f64) {
    // Whatever the conversion does, the loops below end at the right numbers: it decides only how soon.
    let near = value.to_f64().filter(|v| v.is_finite());
    let near = near.unwrap_or(if *value < BigRational::zero() { f64::MIN } else { f64::MAX });
    let exact = |v: f64| BigRational::from_float(v);
    let (mut lo, mut hi) = (near, near);
    while exact(lo).is_some_and(|v| v > *value) {
        lo = lo.next_down();
    }
    while exact(hi).is_some_and(|v| v < *value) {
        hi = hi.next_up();
    }
    (lo, hi)
}

/// A number next to `value`, and a bound of the distance between the two.
pub(super) fn nearest(value: &BigRational) -> (f64, f64) {
    let (lo, hi) = enclose(value);
    (lo, if lo == hi { 0.0 } else { add_up(hi, -lo) })
}

/// Lanes in which sums are kept, so that they compile to vector instructions.
const LANES: usize = 4;

/// Σ w·c, Σ |w|·r and Σ |w|·m.
#[inline(always)]
pub(super) fn weighted_sums(weights: &[f64], center: &[f64], radius: &[f64], magnitude: &[f64]) -> [f64; 3] {
    let mut sums = [[0.0; LANES]; 3];
    let whole = weights.len() / LANES * LANES;
    let lanes = |v: &[f64], at: usize| -> [f64; LANES] { std::array::from_fn(|k| v[at + k]) };
    for at in (0..whole).step_by(LANES) {
        let (w, c) = (lanes(weights, at), lanes(center, at));
        let (r, m) = (lanes(radius, at), lanes(magnitude, at));
        for k in 0..LANES {
            sums[0][k] += w[k] * c[k];
            sums[1][k] += w[k].abs() * r[k];
            sums[2][k] += w[k].abs() * m[k];
        }
    }
    for at in whole..weights.len() {
        sums[0][0] += weights[at] * center[at];
        sums[1][0] += weights[at].abs() * radius[at];
        sums[2][0] += weights[at].abs() * magnitude[at];
    }
    sums.map(|lanes| lanes.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn exact(value: f64) -> BigRational {
        BigRational::from_float(value).unwrap()
    }

    #[test]
    fn fractions_are_enclosed() {
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        let power = |n: u32| BigRational::from_integer(BigInt::from(10).pow(n));
        for _ in 0..2000 {
            let (a, b) = (rng.random_range(-1_000_000i64..1_000_000), rng.random_range(1i64..1_000_000));
            let value = BigRational::new(a.into(), b.into()) * power(rng.random_range(0..320)) / power(160);
            let (lo, hi) = enclose(&value);
            assert!(exact(lo) <= value && value <= exact(hi) && hi <= lo.next_up(), "{value}: {lo} {hi}");
            let (near, error) = nearest(&value);
            let distance = if value > exact(near) { &value - exact(near) } else { exact(near) - &value };
            assert!(distance <= exact(error));
        }
        assert_eq!(enclose(&power(400)), (f64::MAX, f64::INFINITY));
        assert_eq!(enclose(&-power(400)), (f64::NEG_INFINITY, f64::MIN));
        assert_eq!(enclose(&power(400).recip()), (0.0, TINY));
        assert_eq!(enclose(&exact(0.1)), (0.1, 0.1));
    }

    // The computed sum, the bound of its error, and the exact sum.
    #[test]
    fn sums_are_within_their_error() {
        let rng = &mut ChaCha8Rng::seed_from_u64(2);
        for round in 0..300 {
            let terms = rng.random_range(0..40);
            let scale = [1.0, 1e-160, 1e-310, 1e100][round % 4];
            let mut numbers = || -> Vec<f64> { (0..terms).map(|_| rng.random_range(-1.0..1.0) * scale).collect() };
            let (weights, center, radius) = (numbers(), numbers(), numbers());
            let radius: Vec<f64> = radius.iter().map(|r| r.abs()).collect();
            let size: Vec<f64> = center.iter().map(|c| c.abs()).collect();
            let [sum, spread, reach] = weighted_sums(&weights, &center, &radius, &size);
            let dot =
                |a: &[f64], b: &[f64]| -> BigRational { a.iter().zip(b).map(|(a, b)| exact(*a) * exact(*b)).sum() };
            let absolute: Vec<f64> = weights.iter().map(|w| w.abs()).collect();
            assert!(exact(sum_up(spread, terms)) >= dot(&absolute, &radius));
            let error = add_up(mul_up(gamma(terms), sum_up(reach, terms)), mul_up(terms as f64, TINY));
            let off = exact(sum) - dot(&weights, &center);
            assert!(off <= exact(error) && -off <= exact(error));
        }
    }
}
