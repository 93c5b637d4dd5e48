//! Interval propagation against points, and against the exact image where it is known.

use crate::numbers::{Complaints, in_f64, in_wide, run, seeded, subsets};
use crate::samples::{Sample, all};
use perturb_graph::{DType, Expr, Interval, Rounding, Tensor, grad, interval};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A random box within a sample's ranges for the inputs in a mask, and a single point for the others.
pub struct Region {
    pub lo: Vec<Tensor>,
    pub hi: Vec<Tensor>,
}

impl Region {
    pub fn random(sample: &Sample, mask: &[bool], width: f64, rng: &mut ChaCha8Rng) -> Region {
        let (mut lo, mut hi) = (Vec::new(), Vec::new());
        for ((x, &(a, b)), &varies) in sample.inputs.iter().zip(&sample.ranges).zip(mask) {
            let half = if varies { 0.5 * width * (b - a) } else { 0.0 };
            let center: Vec<f64> = (0..x.shape().count()).map(|_| rng.random_range(a..=b)).collect();
            let corner = |side: f64| center.iter().map(|c| (c + side * half).clamp(a, b)).collect();
            lo.push(Tensor::from_f64(x.shape(), x.dtype(), corner(-1.0)).unwrap());
            hi.push(Tensor::from_f64(x.shape(), x.dtype(), corner(1.0)).unwrap());
        }
        Region { lo, hi }
    }

    // Corners, faces and inner points; whatever the type rounds to stays within.
    pub fn point(&self, rng: &mut ChaCha8Rng) -> Vec<Tensor> {
        let corners = rng.random_range(0.0..=1.5);
        let mut pick = |a: f64, b: f64| {
            let t = if rng.random::<f64>() < corners { f64::from(rng.random::<bool>()) } else { rng.random() };
            if t == 1.0 { b } else { (a + t * (b - a)).clamp(a, b) }
        };
        let draw = |(lo, hi): (&Tensor, &Tensor)| {
            let values = lo.to_f64_vec().iter().zip(hi.to_f64_vec()).map(|(&a, b)| pick(a, b)).collect();
            Tensor::from_f64(lo.shape(), lo.dtype(), values).unwrap()
        };
        self.lo.iter().zip(&self.hi).map(draw).collect()
    }
}

/// The ends of the interval of every output over a box, as numbers.
fn ends(outputs: &[Expr], sample: &Sample, mask: &[bool], of: &Region, rounding: Rounding) -> (Vec<f64>, Vec<f64>) {
    let (mut inputs, mut feeds) = (Vec::new(), Vec::new());
    for (i, x) in sample.inputs.iter().enumerate() {
        if !mask[i] {
            feeds.push((x.clone(), of.lo[i].clone()));
            continue;
        }
        let (lo, hi) = (Expr::input("lo", x.shape(), x.dtype()), Expr::input("hi", x.shape(), x.dtype()));
        feeds.extend([(lo.clone(), of.lo[i].clone()), (hi.clone(), of.hi[i].clone())]);
        inputs.push((x.clone(), Interval { lo, hi }));
    }
    let bounds = interval(outputs, &inputs, rounding);
    let (lo, hi): (Vec<Expr>, Vec<Expr>) = bounds.iter().map(|b| (b.lo.clone(), b.hi.clone())).unzip();
    (run(&lo, &feeds).concat(), run(&hi, &feeds).concat())
}

/// The first value that an interval does not hold, with slack relative to `1 + |value|`. NaN holds nothing, and is held by nothing.
pub fn escape(lo: &[f64], hi: &[f64], values: &[f64], slack: f64) -> Option<String> {
    assert!(lo.len() == values.len() && hi.len() == values.len());
    let inside = |i: usize| {
        let s = slack * (1.0 + values[i].abs());
        values[i] >= lo[i] - s && values[i] <= hi[i] + s
    };
    let at = (0..values.len()).find(|&i| !inside(i))?;
    Some(format!("element {at}: {:e} is not in [{:e}, {:e}]", values[at], lo[at], hi[at]))
}

// What is bounded: the sample and its gradients, in which step, sign, comparisons and pool choices occur.
pub fn with_gradients(sample: &Sample) -> Vec<Expr> {
    let gradients = grad(&sample.output, &sample.inputs).unwrap();
    std::iter::once(sample.output.clone()).chain(gradients).collect()
}

#[test]
fn holds_every_point() {
    let mut complaints = Complaints::default();
    for (seed, sample) in all(DType::F64).iter().enumerate() {
        let rng = &mut seeded(600 + seed as u64);
        let outputs = with_gradients(sample);
        for mask in subsets(sample.inputs.len()) {
            for width in [1e-3, 0.2, 1.0] {
                let of = Region::random(sample, &mask, width, rng);
                let (lo, hi) = ends(&outputs, sample, &mask, &of, Rounding::Nearest);
                for _ in 0..10 {
                    let values = run(&outputs, &sample.feeds(&of.point(rng))).concat();
                    complaints.add(format!("{}, {mask:?}", sample.name), escape(&lo, &hi, &values, 1e-9));
                }
            }
        }
    }
}

// Outward, without any slack: the value in real arithmetic (as good as f64 has it) and the value in f32.
#[test]
fn outward_holds_exact_and_rounded_values() {
    let mut complaints = Complaints::default();
    for (seed, sample) in all(DType::F32).iter().enumerate() {
        let rng = &mut seeded(700 + seed as u64);
        let outputs = with_gradients(sample);
        for mask in subsets(sample.inputs.len()) {
            for width in [0.0, 1e-6, 0.2] {
                let of = Region::random(sample, &mask, width, rng);
                let (lo, hi) = ends(&outputs, sample, &mask, &of, Rounding::Outward);
                let varying: Vec<usize> = (0..mask.len()).filter(|&i| mask[i]).collect();
                let inputs: Vec<Expr> = varying.iter().map(|&i| sample.inputs[i].clone()).collect();
                let (exact, wide) = in_f64(&outputs, &inputs, &sample.feeds(&of.lo));
                for _ in 0..8 {
                    let point = of.point(rng);
                    let rounded = run(&outputs, &sample.feeds(&point)).concat();
                    complaints.add(format!("{}, {mask:?}, f32", sample.name), escape(&lo, &hi, &rounded, 0.0));
                    let values = varying.iter().map(|&i| in_wide(&point[i]));
                    let feeds: Vec<_> = wide.iter().cloned().zip(values).collect();
                    let value = run(&exact, &feeds).concat();
                    complaints.add(format!("{}, {mask:?}, exact", sample.name), escape(&lo, &hi, &value, 0.0));
                }
            }
        }
    }
}

fn image(f: impl Fn(&Expr) -> Expr, lo: f64, hi: f64) -> (f64, f64) {
    let x = Expr::input("x", [1], DType::F64);
    let of = Interval { lo: x.like(lo), hi: x.like(hi) };
    let bounds = interval(&[f(&x)], &[(x.clone(), of)], Rounding::Nearest).remove(0);
    let ends = run(&[bounds.lo, bounds.hi], &[]);
    (ends[0][0], ends[1][0])
}

// Where the image of an interval is known, it is met exactly.
#[test]
fn exact_images() {
    let (inf, pi) = (f64::INFINITY, std::f64::consts::PI);
    assert_eq!(image(Expr::square, -2.0, 1.0), (0.0, 4.0));
    assert_eq!(image(Expr::square, -3.0, -1.0), (1.0, 9.0));
    assert_eq!(image(Expr::abs, -2.0, 1.0), (0.0, 2.0));
    assert_eq!(image(Expr::abs, -2.0, -1.0), (1.0, 2.0));
    assert_eq!(image(Expr::sign, -2.0, 0.0), (-1.0, 0.0));
    assert_eq!(image(Expr::step, -2.0, 1.0), (0.0, 1.0));
    assert_eq!(image(Expr::neg, -2.0, 1.0), (-1.0, 2.0));
    assert_eq!(image(Expr::reciprocal, 2.0, 4.0), (0.25, 0.5));
    assert_eq!(image(Expr::reciprocal, -4.0, -2.0), (-0.5, -0.25));
    assert_eq!(image(Expr::reciprocal, -1.0, 1.0), (-inf, inf));
    assert_eq!(image(|x| x.greater(&x.like(0.5)), 0.0, 1.0), (0.0, 1.0));
    assert_eq!(image(|x| x.greater(&x.like(0.5)), 0.6, 1.0), (1.0, 1.0));
    assert_eq!(image(|x| x.equal(&x.like(0.5)), 0.6, 1.0), (0.0, 0.0));
    assert_eq!(image(|x| x.clip(-1.0, 1.0), -3.0, 0.5), (-1.0, 0.5));
    assert_eq!(image(Expr::sin, 0.0, pi), (0.0f64.min(pi.sin()), 1.0));
    assert_eq!(image(Expr::sin, 3.0, 5.0), (-1.0, 3f64.sin()));
    assert_eq!(image(Expr::cos, -1.0, 0.5), (1f64.cos(), 1.0));
    assert_eq!(image(Expr::cos, 0.5, 1.0), (1f64.cos(), 0.5f64.cos()));
    assert_eq!(image(Expr::sin, -100.0, 100.0), (-1.0, 1.0));
    assert_eq!(image(Expr::tan, -1.0, 1.5), ((-1f64).tan(), 1.5f64.tan()));
    assert_eq!(image(Expr::tan, 1.5, 1.6), (-inf, inf));
    assert_eq!(image(Expr::acos, -0.5, 0.25), (0.25f64.acos(), (-0.5f64).acos()));
    assert_eq!(image(Expr::acos, -0.5, 1.5), (-inf, (-0.5f64).acos()));
    assert_eq!(image(Expr::cosh, -2.0, 1.0), (1.0, 2f64.cosh()));
    assert_eq!(image(|x| x.pow(&x.like(1.5)), 1.0, 4.0), (1.0, 8.0));
    assert_eq!(image(|x| x.like(2.0).pow(x), -1.0, 3.0), (0.5, 8.0));
    assert_eq!(image(|x| x.pow(&x.like(1.5)), -1.0, 4.0), (-inf, inf));
    assert_eq!(image(|x| x.rem(&x.like(2.0)), 2.25, 3.5), (0.25, 1.5));
    assert_eq!(image(|x| x.rem(&x.like(-2.0)), -3.0, 1.0), (-2.0, 1.0));
    assert_eq!(image(|x| x.like(5.0).rem(x), 0.5, 3.0), (0.0, 3.0));
    assert_eq!(image(|x| x.atan2(&x.like(1.0)), -1.0, 1.0), (-pi / 4.0, pi / 4.0));
    assert_eq!(image(|x| x.atan2(&x.like(-1.0)), -1.0, 1.0), (-pi, pi));
    assert_eq!(image(|x| x.like(-1.0).atan2(x), -1.0, 1.0), (-0.75 * pi, -0.25 * pi));
}

// What is chosen or counted while the order of elements is not known.
#[test]
fn images_of_choices() {
    let x = Expr::input("x", [3], DType::F64);
    let numbers = |v: [f64; 3]| Expr::constant(Tensor::new([3], v.to_vec()).unwrap());
    let of = |y: &Expr, lo: [f64; 3], hi: [f64; 3]| {
        let of = Interval { lo: numbers(lo), hi: numbers(hi) };
        let bounds = interval(&[y.clone()], &[(x.clone(), of)], Rounding::Nearest).remove(0);
        let mut ends = run(&[bounds.lo, bounds.hi], &[]);
        let hi = ends.remove(1);
        (ends.remove(0), hi)
    };
    assert_eq!(of(&x.argmax(0), [0.0, 1.0, 5.0], [2.0, 6.0, 7.0]), (vec![1.0], vec![2.0]));
    assert_eq!(of(&x.argmax(0), [0.0, 3.0, 0.0], [2.0, 6.0, 1.0]), (vec![1.0], vec![1.0]));
    let sorted = of(&x.sort(0, false), [0.0, 1.0, -5.0], [2.0, 6.0, 7.0]);
    assert_eq!(sorted, (vec![-5.0, 0.0, 1.0], vec![2.0, 6.0, 7.0]));
    assert_eq!(of(&x.argsort(0, true), [0.0; 3], [1.0; 3]), (vec![0.0; 3], vec![2.0; 3]));
    // An index that is decided, and one that may be 0 or 1.
    let table = numbers([4.0, -1.0, 2.0]);
    let chosen = table.gather(0, &x.cast(DType::I64));
    assert_eq!(of(&chosen, [0.0, 0.0, 2.0], [0.5, 1.5, 2.0]), (vec![4.0, -1.0, 2.0], vec![4.0, 4.0, 2.0]));
    let scattered = numbers([4.0, -1.0, 2.0]).scatter_add(0, &x.cast(DType::I64), 2);
    assert_eq!(of(&scattered, [0.0; 3], [1.0; 3]), (vec![-1.0; 2], vec![6.0; 2]));
}

// A quotient by an interval around 0 is unbounded. Whatever follows may say "unbounded" or "unknown" (NaN), but it
// must never claim to know: 1/x for x near 0 is huge, of either sign.
#[test]
fn nothing_is_claimed_about_unbounded_values() {
    let claims = |f: &dyn Fn(&Expr) -> Expr, value: f64| {
        let (lo, hi) = image(f, -1.0, 1.0);
        assert!(!(lo > value || hi < value), "{value} is possible, but [{lo}, {hi}] was claimed");
    };
    // Products by 0 ≤ t ≤ 1 and matrix products make 0·∞ and ∞ − ∞ on the way.
    let unknown = |x: &Expr| x.reciprocal().mul(&x.abs());
    let summed = |x: &Expr| x.reciprocal().matmul(&x.like(3.0));
    for f in [&unknown as &dyn Fn(&Expr) -> Expr, &summed] {
        let step = |x: &Expr| f(x).step();
        let greater = |x: &Expr| f(x).greater(&f(x).like(0.5));
        let less = |x: &Expr| f(x).less(&f(x).like(0.5));
        let equal = |x: &Expr| f(x).equal(&f(x).like(1.0));
        for g in [&step as &dyn Fn(&Expr) -> Expr, &greater, &less, &equal] {
            claims(g, 0.0);
            claims(g, 1.0);
        }
        let pooled = |x: &Expr| {
            let parts = [x.like(0.0).reshape([1, 1, 1]), f(x).reshape([1, 1, 1])];
            Expr::concat(&parts, 2).max_pool(perturb_graph::Pool::square(2, 1))
        };
        claims(&pooled, 1.0);
        claims(&|x: &Expr| f(x).maximum(&f(x).like(0.0)), 1.0);
        claims(&|x: &Expr| f(x).relu(), 1.0);
        claims(&|x: &Expr| f(x).reshape([1]).sort(0, false), 1.0);
        claims(&|x: &Expr| f(x).cast(DType::Bool).cast(DType::F64), 1.0);
        claims(&|x: &Expr| f(x).cast(DType::I64).cast(DType::F64), 7.0);
        claims(&|x: &Expr| f(x).atan2(x), 3.0);
        claims(&|x: &Expr| f(x).rem(&x.like(2.0)), 1.5);
    }
    // One end known: −log x for x in [−1, 1] is not below 0, and where defined reaches any height.
    let half = |x: &Expr| x.log().neg();
    claims(&|x: &Expr| half(x).tan(), 2.3f64.tan());
    claims(&|x: &Expr| half(x).sin(), 4.7f64.sin());
    claims(&|x: &Expr| half(x).cosh(), 50.0);
    claims(&|x: &Expr| Expr::concat(&[half(x), x.like(3.0)], 0).argmax(0).reshape([1]).cast(DType::F64), 0.0);
}
