//! What [`Rounding::Outward`] promises, checked with exact rational arithmetic and with sums in `f32` in any order.

use super::{NEAREST, OUTWARD, bounds};
use crate::numbers::{run, seeded};
use num_rational::BigRational;
use num_traits::{Signed, Zero};
use perturb_graph::{
    Bounder, DType, Domain, Expr, Interval, LinearBoundsOptions, MaxPool, Norm, PoolRole, Rounding, Tensor, interval,
};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

const INPUTS: usize = 3;
const HIDDEN: usize = 4;

/// A network `⟨v, relu(W x + b)⟩ + c` of `f32` numbers.
struct Tiny {
    w: Vec<[f32; INPUTS]>,
    b: Vec<f32>,
    v: Vec<f32>,
    c: f32,
}

fn rational(v: f64) -> BigRational {
    BigRational::from_float(v).unwrap()
}

impl Tiny {
    /// Weights of all sizes; with `cancelling`, hidden units come in pairs whose contributions of 1e8 cancel.
    fn random(rng: &mut ChaCha8Rng, cancelling: bool) -> Tiny {
        let mut number = |scale: f32| scale * rng.random_range(-1.0f32..1.0);
        let mut w: Vec<[f32; INPUTS]> = (0..HIDDEN).map(|_| [number(1.0), number(10.0), number(0.1)]).collect();
        let mut b: Vec<f32> = (0..HIDDEN).map(|_| number(1.0)).collect();
        let mut v: Vec<f32> = (0..HIDDEN).map(|_| number(1.0)).collect();
        if cancelling {
            for pair in 0..HIDDEN / 2 {
                let large = 1e8 * (1.0 + number(0.5).abs());
                (w[2 * pair][0], w[2 * pair + 1][0]) = (large, large);
                (b[2 * pair], b[2 * pair + 1]) = (large, large);
                (v[2 * pair], v[2 * pair + 1]) = (1.0, -1.0);
            }
        }
        Tiny { w, b, v, c: number(1.0) }
    }

    fn graph(&self, x: &Expr) -> Expr {
        let matrix = |rows: usize, columns: usize, values: Vec<f32>| {
            Expr::constant(Tensor::new([rows, columns], values).unwrap())
        };
        let hidden = matrix(HIDDEN, INPUTS, self.w.concat()).matmul(&x.reshape([INPUTS, 1]));
        let hidden = hidden.add(&matrix(HIDDEN, 1, self.b.clone())).relu();
        matrix(1, HIDDEN, self.v.clone()).matmul(&hidden).add(&matrix(1, 1, vec![self.c])).reshape([1])
    }

    fn exact(&self, x: &[f32]) -> BigRational {
        let number = |v: f32| rational(f64::from(v));
        let unit = |i: usize| {
            let sum = (0..INPUTS).fold(number(self.b[i]), |s, j| s + number(self.w[i][j]) * number(x[j]));
            number(self.v[i]) * if sum.is_negative() { BigRational::zero() } else { sum }
        };
        (0..HIDDEN).fold(number(self.c), |s, i| s + unit(i))
    }

    // In f32, products rounded, sums in a random order, biases somewhere among the terms.
    fn in_f32(&self, x: &[f32], rng: &mut ChaCha8Rng) -> f32 {
        let mut sum = |mut terms: Vec<f32>| {
            terms.shuffle(rng);
            terms.iter().fold(0.0f32, |s, t| s + t)
        };
        let hidden: Vec<f32> = (0..HIDDEN)
            .map(|i| sum((0..INPUTS).map(|j| self.w[i][j] * x[j]).chain([self.b[i]]).collect()).max(0.0))
            .collect();
        sum((0..HIDDEN).map(|i| self.v[i] * hidden[i]).chain([self.c]).collect())
    }
}

fn outside(value: &BigRational, lo: f64, hi: f64) -> bool {
    (lo.is_finite() && *value < rational(lo)) || (hi.is_finite() && *value > rational(hi)) || lo.is_nan() || hi.is_nan()
}

// Values outside of the bounds of 60 networks: (exact ones, rounded ones).
fn violations(cancelling: bool, options: LinearBoundsOptions, by_intervals: bool) -> (usize, usize) {
    let (mut exact, mut rounded) = (0, 0);
    for seed in 0..60 {
        let rng = &mut seeded(seed);
        let net = Tiny::random(rng, cancelling);
        let radius = [0.0, 1e-7, 1e-3, 0.5][seed as usize % 4];
        let center: Vec<f32> = (0..INPUTS).map(|_| rng.random_range(0.5..1.0)).collect();
        let corner = |side: f32| center.iter().map(|c| c + side * radius).collect::<Vec<f32>>();
        let (low, high) = (corner(-1.0), corner(1.0));
        let x = Expr::input("x", [INPUTS], DType::F32);
        let [lo, hi] = [&low, &high].map(|v| Expr::constant(Tensor::new([INPUTS], v.clone()).unwrap()));
        let y = net.graph(&x);
        let (lo, hi) = if by_intervals {
            let b = interval(&[y], &[(x, Interval { lo, hi })], options.rounding).remove(0);
            let ends = run(&[b.lo, b.hi], &[]);
            (ends[0][0], ends[1][0])
        } else {
            let (lo, hi) = bounds(&y, &[(x, Domain::Box { lo, hi })], options);
            (lo[0], hi[0])
        };
        for _ in 0..20 {
            let mut pick = |(&a, &b): (&f32, &f32)| match rng.random_range(0..3) {
                0 => a,
                1 => b,
                _ => rng.random_range(a..=b),
            };
            let point: Vec<f32> = low.iter().zip(&high).map(&mut pick).collect();
            exact += usize::from(outside(&net.exact(&point), lo, hi));
            rounded += usize::from(outside(&rational(f64::from(net.in_f32(&point, rng))), lo, hi));
        }
    }
    (exact, rounded)
}

#[test]
fn outward_bounds_hold_in_exact_arithmetic_and_for_every_order_of_summation() {
    for cancelling in [false, true] {
        assert_eq!(violations(cancelling, OUTWARD, false), (0, 0), "linear bounds, cancelling: {cancelling}");
        assert_eq!(violations(cancelling, OUTWARD, true), (0, 0), "intervals, cancelling: {cancelling}");
    }
}

// The same networks show that the promise is worth something: rounding to nearest does not keep it.
#[test]
fn nearest_bounds_do_not() {
    for by_intervals in [false, true] {
        let (exact, rounded) = violations(true, NEAREST, by_intervals);
        assert!(exact > 0 && rounded > 0, "{exact} exact and {rounded} rounded values are outside");
    }
}

fn inside(what: &str, y: &Expr, inputs: &[(Expr, Domain)], value: f64) {
    let (lo, hi) = bounds(y, inputs, OUTWARD);
    assert!(lo[0] <= value && value <= hi[0], "{what}: {value} is not in [{}, {}]", lo[0], hi[0]);
}

fn range(x: &Expr, lo: f64, hi: f64) -> (Expr, Domain) {
    (x.clone(), Domain::Box { lo: x.like(lo), hi: x.like(hi) })
}

// Covectors that cancel (1 − 1 on y) must not take the rounding of the sums that they belong to with them.
#[test]
fn rounding_of_terms_that_cancel_is_counted() {
    let (x, y) = (Expr::input("x", [1], DType::F32), Expr::input("y", [1], DType::F32));
    let inputs = [range(&x, 0.0, 1.0), range(&y, 1e8, 1.0001e8)];
    let at = |v: f32, w: f32| {
        [(x.clone(), Tensor::new([1], vec![v]).unwrap()), (y.clone(), Tensor::new([1], vec![w]).unwrap())]
    };
    // 1e8 + 1 is 1e8 in f32, and 1e8 + 5 would be 1e8 + 8.
    let sum = x.add(&y).sub(&y);
    let got = run(&[sum.clone()], &at(1.0, 1e8))[0][0];
    assert_eq!(got, 0.0);
    inside("(x + y) − y", &sum.add(&x.scale(-1.0)), &inputs, run(&[sum.sub(&x)], &at(1.0, 1e8))[0][0]);
    let shifted = x.offset(1e8).offset(-1e8).sub(&x);
    inside("(x + 1e8) − 1e8 − x", &shifted, &inputs, run(&[shifted.clone()], &at(1.0, 1e8))[0][0]);
    // 1e8 + 1 + … + 1 term by term stays 1e8.
    let many = 1000;
    let reduced = Expr::concat(&[y.clone(), x.broadcast_to([many])], 0).sum().reshape([1]);
    let rest = reduced.sub(&y).sub(&x.scale(many as f64));
    let in_turn = (0..many).fold(1e8f32, |sum, _| sum + 1.0) - 1e8 - 1000.0;
    assert_eq!(in_turn, -1000.0);
    inside("sum(y, x, …, x) − y − 1000 x", &rest, &inputs, f64::from(in_turn));
    let product = y.scale(1.1).sub(&y.scale(0.3)).sub(&y.scale(0.8));
    inside("1.1 y − 0.3 y − 0.8 y", &product, &inputs, run(&[product.clone()], &at(0.0, 1.00005e8))[0][0]);
    let quotient = y.div(&y.like(3.0)).sub(&y.scale(1.0 / 3.0));
    inside("y/3 − ⅓ y", &quotient, &inputs, run(&[quotient.clone()], &at(0.0, 1.00005e8))[0][0]);
}

// Covectors 1 + 2⁻²⁴·1.5 − 1 that meet on one element, added in f32, are off by a third: no product is there whose
// error would cover it.
#[test]
fn covectors_that_meet_on_one_element() {
    let rows = Expr::constant(Tensor::new([1, 3], vec![1.0f32, 1.5 * f32::EPSILON / 2.0, -1.0]).unwrap());
    let exact = 1.5 * f64::from(f32::EPSILON) / 2.0 * 1e8;
    let in_f32 = f64::from((1.0 + 1.5 * f32::EPSILON / 2.0) - 1.0) * 1e8;
    let x = Expr::input("x", [1], DType::F32);
    let thrice = Expr::concat(&[x.clone(), x.clone(), x.clone()], 0);
    // The middle of five elements is the largest of all three windows.
    let order = Expr::constant(Tensor::new([1, 1, 5], vec![0.0f32, 0.0, 1.0, 0.0, 0.0]).unwrap());
    let pool =
        MaxPool { window: vec![3], strides: vec![1], padding: vec![(0, 0)], dilation: vec![1], role: PoolRole::Choose };
    let chosen = Expr::apply(pool, &[order, x.broadcast_to([1, 1, 5])]).unwrap();
    for (name, node, rows) in [("concat", thrice, rows.clone()), ("max_pool", chosen, rows.reshape([1, 1, 1, 3]))] {
        let (bounder, prepared) = Bounder::new(&[node], &[range(&x, 1e8, 1e8)], OUTWARD).unwrap();
        let of = bounder.functionals(&prepared[0], &rows).unwrap();
        let ends = run(&[of.lo, of.hi], &[]);
        assert!(ends[0][0] <= exact && exact <= ends[1][0], "{name}: {exact} is not in {ends:?}");
        // Here sums are as exact as f64 makes them; the width must allow for those of an engine in f32.
        assert!(ends[1][0] - ends[0][0] >= 2.0 * (in_f32 - exact).abs(), "{name}: {ends:?} is too narrow");
    }
}

// A wide sum that loses its small terms: 1e8 + 1 + … + 1 − 1e8, term by term in f32, is 0.
#[test]
fn wide_sums() {
    let n = 1002;
    let weights: Vec<f32> = (0..n)
        .map(|i| {
            if i == 0 {
                1e8
            } else if i == n - 1 {
                -1e8
            } else {
                1.0
            }
        })
        .collect();
    assert_eq!(weights.iter().fold(0.0f32, |s, w| s + w), 0.0);
    let w = Expr::constant(Tensor::new([n], weights).unwrap());
    let x = Expr::input("x", [1], DType::F32);
    let h = x.broadcast_to([n]);
    for (name, y) in [("dot", h.inner(&w)), ("sum", h.mul(&w).sum()), ("relu", h.relu().inner(&w))] {
        inside(name, &y.reshape([1]), &[range(&x, 1.0, 1.0)], 0.0);
        let ball = Domain::Ball { center: x.like(1.0), radius: x.like(0.0), norm: Norm::L2, within: None };
        inside(name, &y.reshape([1]), &[(x.clone(), ball)], 0.0);
    }
}

// A centre far outside of the limits: the inputs are much smaller than what the ball's own bound is computed from.
#[test]
fn balls_around_far_centres() {
    let x = Expr::input("x", [1], DType::F32);
    let (center, radius) = (16_777_216.0, 16_777_215.0);
    let within = Some((x.like(0.0), x.like(1.0)));
    for norm in [Norm::L1, Norm::L2] {
        for weight in [0.1, 0.3, 0.7, 1.1] {
            let ball = Domain::Ball { center: x.like(center), radius: x.like(radius), norm, within: within.clone() };
            let weight = f64::from(weight as f32);
            inside("ball", &x.scale(weight), &[(x.clone(), ball)], weight);
        }
    }
}

// Squares of weights of 1e-30 vanish in f32, their length must not.
#[test]
fn tiny_weights_have_a_length() {
    let x = Expr::input("x", [2], DType::F32);
    let y = x.scale(1e-30).sum().reshape([1]);
    let ball =
        Domain::Ball { center: x.like(0.0), radius: Expr::scalar(1.0, DType::F32), norm: Norm::L2, within: None };
    inside("tiny", &y, &[(x.clone(), ball)], 1.4e-30);
}

#[test]
fn outward_is_wider_than_nearest_but_not_by_much() {
    let x = Expr::input("x", [3], DType::F32);
    let net = Tiny::random(&mut seeded(3), false);
    let inputs = [range(&x, 0.4, 0.6)];
    let ((a, b), (c, d)) = (bounds(&net.graph(&x), &inputs, NEAREST), bounds(&net.graph(&x), &inputs, OUTWARD));
    assert_eq!(OUTWARD.rounding, Rounding::Outward);
    assert!(c[0] < a[0] && b[0] < d[0]);
    assert!(a[0] - c[0] < 1e-4 && d[0] - b[0] < 1e-4, "[{}, {}] became [{}, {}]", a[0], b[0], c[0], d[0]);
}
