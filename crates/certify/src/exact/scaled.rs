//! Lists of rational numbers with one scale.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};
use std::borrow::Cow;

/// The numbers `integers·2^exponent/denominator`.
#[derive(Clone, Debug)]
pub(super) struct Scaled {
    pub integers: Vec<BigInt>,
    pub exponent: i64,
    /// Odd and positive.
    pub denominator: BigInt,
}

/// An odd integer (or 0) and the power of two that it is multiplied with.
pub(super) fn dyadic(value: f64) -> (i64, i64) {
    let bits = value.to_bits();
    let (field, fraction) = ((bits >> 52 & 0x7ff) as i64, (bits & ((1 << 52) - 1)) as i64);
    let (integer, exponent) = if field == 0 { (fraction, -1074) } else { (fraction | 1 << 52, field - 1075) };
    if integer == 0 {
        return (0, 0);
    }
    let zeros = i64::from(integer.trailing_zeros());
    let integer = integer >> zeros;
    (if value < 0.0 { -integer } else { integer }, exponent + zeros)
}

fn lcm(a: &BigInt, b: &BigInt) -> BigInt {
    let (mut x, mut y) = (a.clone(), b.clone());
    while !y.is_zero() {
        (x, y) = (y.clone(), x % y);
    }
    a / x * b
}

/// `value·2^by`, for a `by` that is not negative.
pub(super) fn shifted(value: BigInt, by: i64) -> BigInt {
    if by == 0 { value } else { value << by as u64 }
}

impl Scaled {
    /// The given numbers.
    pub fn new(values: &[BigRational]) -> Scaled {
        let odd = |v: &BigRational| v.denom() >> v.denom().trailing_zeros().unwrap_or(0);
        let twos = |v: &BigRational| v.denom().trailing_zeros().unwrap_or(0) as i64;
        let denominator = values.iter().fold(BigInt::one(), |d, v| lcm(&d, &odd(v)));
        let exponent = -values.iter().map(twos).max().unwrap_or(0);
        let integer = |v: &BigRational| shifted(v.numer() * (&denominator / odd(v)), -exponent - twos(v));
        Scaled { integers: values.iter().map(integer).collect(), exponent, denominator: denominator.clone() }
    }

    /// The numbers, as fractions.
    pub fn rationals(&self) -> Vec<BigRational> {
        let power = BigInt::one() << self.exponent.unsigned_abs();
        let (above, below) = if self.exponent < 0 { (BigInt::one(), power) } else { (power, BigInt::one()) };
        let below = below * &self.denominator;
        self.integers.iter().map(|i| BigRational::new(i * &above, below.clone())).collect()
    }

    /// Takes out powers of two that all numbers share.
    pub fn reduced(mut self) -> Scaled {
        let shared = self.integers.iter().filter_map(BigInt::trailing_zeros).min().unwrap_or(0);
        if shared > 0 {
            self.integers.iter_mut().for_each(|i| *i >>= shared);
            self.exponent += shared as i64;
        }
        self
    }

    /// Divides each number by a divisor of its own.
    pub fn divided(mut self, divisors: &[f64]) -> Scaled {
        let parts: Vec<(i64, i64)> = divisors.iter().map(|&d| dyadic(d)).collect();
        let odd = parts.iter().fold(BigInt::one(), |odd, part| lcm(&odd, &BigInt::from(part.0.abs())));
        let most = parts.iter().map(|p| p.1).max().unwrap_or(0);
        for (integer, (divisor, exponent)) in self.integers.iter_mut().zip(parts) {
            *integer = shifted(&*integer * (&odd / BigInt::from(divisor)), most - exponent);
        }
        self.exponent -= most;
        self.denominator *= odd;
        self
    }

    // The integers at a scale that is finer by whole factors.
    fn at(&self, exponent: i64, denominator: &BigInt) -> Vec<BigInt> {
        let factor = shifted(denominator / &self.denominator, self.exponent - exponent);
        self.integers.iter().map(|i| i * &factor).collect()
    }
}

/// Integers of several lists at one scale; lists that are not `used` are left out.
pub(super) struct Common<'a> {
    pub integers: Vec<Option<Cow<'a, [BigInt]>>>,
    pub exponent: i64,
    pub denominator: BigInt,
}

impl<'a> Common<'a> {
    pub fn of(lists: &'a [Scaled], used: &[bool]) -> Common<'a> {
        let chosen = || lists.iter().zip(used).filter(|(_, used)| **used).map(|(list, _)| list);
        let exponent = chosen().map(|l| l.exponent).min().unwrap_or(0);
        let denominator = chosen().fold(BigInt::one(), |d, l| lcm(&d, &l.denominator));
        let at = |(list, used): (&'a Scaled, &bool)| {
            let same = list.exponent == exponent && list.denominator == denominator;
            used.then(|| {
                if same { Cow::Borrowed(list.integers.as_slice()) } else { Cow::Owned(list.at(exponent, &denominator)) }
            })
        };
        let integers = lists.iter().zip(used).map(at).collect();
        Common { integers, exponent, denominator }
    }
}

/// Weights as integers times one power of two.
pub(super) struct Weights {
    pub integers: Vec<Weight>,
    pub exponent: i64,
}

/// An integer, small if it can be.
pub(super) enum Weight {
    Small(i64),
    Large(BigInt),
}

impl Weights {
    pub fn new(values: &[f64]) -> Weights {
        let parts: Vec<(i64, i64)> = values.iter().map(|&v| dyadic(v)).collect();
        let exponent = parts.iter().filter(|p| p.0 != 0).map(|p| p.1).min().unwrap_or(0);
        let integer = |&(integer, power): &(i64, i64)| match (integer, power - exponent) {
            (0, _) => Weight::Small(0),
            (integer, by) if by < i64::from(integer.unsigned_abs().leading_zeros()) - 1 => Weight::Small(integer << by),
            (integer, by) => Weight::Large(shifted(BigInt::from(integer), by)),
        };
        Weights { integers: parts.iter().map(integer).collect(), exponent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn exact(value: f64) -> BigRational {
        BigRational::from_float(value).unwrap()
    }

    #[test]
    fn numbers_are_taken_apart_exactly() {
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        let random = (0..1000).map(|_| f64::from_bits(rng.random())).filter(|v| v.is_finite());
        for value in random.chain([0.0, -0.0, f64::MAX, f64::MIN, f64::from_bits(1), f64::MIN_POSITIVE, 3.0]) {
            let (integer, exponent) = dyadic(value);
            assert!(integer % 2 != 0 || (integer, value) == (0, 0.0));
            let list = Scaled { integers: vec![integer.into()], exponent, denominator: BigInt::one() };
            assert_eq!(list.rationals(), [exact(value)]);
            let weights = Weights::new(&[value, f64::from_bits(1)]);
            let integer = match &weights.integers[0] {
                Weight::Small(integer) => BigInt::from(*integer),
                Weight::Large(integer) => integer.clone(),
            };
            let list = Scaled { integers: vec![integer], exponent: weights.exponent, denominator: BigInt::one() };
            assert_eq!(list.rationals(), [exact(value)]);
        }
    }

    #[test]
    fn scales_do_not_change_values() {
        let rng = &mut ChaCha8Rng::seed_from_u64(2);
        for _ in 0..200 {
            let mut fraction = || BigRational::new(rng.random_range(-99..99).into(), rng.random_range(1..99).into());
            let values: Vec<BigRational> = (0..4).map(|_| fraction()).collect();
            let others: Vec<BigRational> = (0..4).map(|_| fraction()).collect();
            let lists = [Scaled::new(&values), Scaled::new(&others).reduced()];
            assert_eq!((lists[0].rationals(), lists[1].rationals()), (values.clone(), others.clone()));
            let common = Common::of(&lists, &[true, true]);
            for (integers, expected) in common.integers.iter().zip([&values, &others]) {
                let (exponent, denominator) = (common.exponent, common.denominator.clone());
                let list = Scaled { integers: integers.as_ref().unwrap().to_vec(), exponent, denominator };
                assert_eq!(&list.rationals(), expected);
            }
            let divisors = [3.0, -0.375, 7.5e-3, f64::MAX];
            let quotients: Vec<BigRational> = values.iter().zip(divisors).map(|(v, d)| v / exact(d)).collect();
            assert_eq!(Scaled::new(&values).divided(&divisors).reduced().rationals(), quotients);
        }
    }
}
