//! Free slopes of activations (α-CROWN): valid for every choice, and better for the best one.

use super::NEAREST;
use crate::numbers::{assert_close, inner, run, seeded, uniform};
use perturb_graph::{
    Bounder, DType, Domain, Expr, Interval, LinearBoundsOptions, Norm, Rounding, Slopes, Tensor, Unary, grad,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A network with all inner nodes bounded, ready for walks from its output.
struct Problem {
    input: Expr,
    output: Expr,
    bounder: Bounder,
    center: Vec<f64>,
    radius: f64,
}

impl Problem {
    fn random(rng: &mut ChaCha8Rng, activation: Unary) -> Problem {
        let apply = |h: Expr| Expr::apply(activation, &[h]).unwrap();
        let x = Expr::input("x", [4], DType::F64);
        let mut dense = |h: &Expr, n: usize| {
            let w = Expr::constant(uniform(rng, [h.shape()[0], n], DType::F64, (-1.0, 1.0)));
            h.matmul(&w).add(&Expr::constant(uniform(rng, [n], DType::F64, (-0.3, 0.3))))
        };
        let h = apply(dense(&x, 6));
        let h = apply(dense(&h, 6));
        let y = dense(&h, 2);
        let (center, radius) = (uniform(rng, [4], DType::F64, (-1.0, 1.0)), 0.5);
        let ball = Domain::Ball {
            center: Expr::constant(center.clone()),
            radius: Expr::scalar(radius, DType::F64),
            norm: Norm::Linf,
            within: None,
        };
        let (mut bounder, outputs) = Bounder::new(&[y], &[(x.clone(), ball)], NEAREST).unwrap();
        for node in bounder.to_tighten() {
            let bounds = bounder.elementwise(&node).unwrap();
            bounder.tighten(&node, bounds);
        }
        Problem { input: x, output: outputs[0].clone(), bounder, center: center.to_f64_vec(), radius }
    }

    /// Bounds of the outputs with placeholders for the slopes, which are returned in the order lower, upper.
    fn bounds(&self) -> (Interval, Vec<Expr>) {
        let rows = Expr::constant(Tensor::new([2, 2], vec![1.0, 0.0, 0.0, 1.0]).unwrap());
        let side = || -> Vec<(Expr, Expr)> {
            let shape = |a: &Expr| a.op().free_slopes().unwrap().shape(a.shape()).prepend(2);
            let activations = self.bounder.activations(&self.output).into_iter();
            activations.map(|a| (a.clone(), Expr::input("slopes", shape(&a), DType::F64))).collect()
        };
        let slopes = Slopes { lower: side(), upper: side() };
        let placeholders = slopes.lower.iter().chain(&slopes.upper).map(|(_, s)| s.clone()).collect();
        (self.bounder.functionals_with(&self.output, &rows, &slopes).unwrap(), placeholders)
    }

    fn sample(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let corner = rng.random::<bool>();
        let mut step = || if corner { [-1.0, 1.0][rng.random_range(0..2)] } else { rng.random_range(-1.0..1.0) };
        let at = self.center.iter().map(|c| c + self.radius * step()).collect();
        run(&[self.output.clone()], &[(self.input.clone(), Tensor::new([4], at).unwrap())]).remove(0)
    }
}

fn feeds(placeholders: &[Expr], values: &[Vec<f64>]) -> Vec<(Expr, Tensor)> {
    placeholders.iter().zip(values).map(|(p, v)| (p.clone(), Tensor::new(p.shape(), v.clone()).unwrap())).collect()
}

const ACTIVATIONS: [Unary; 3] = [Unary::Relu, Unary::Sigmoid, Unary::Tanh];

// Also slopes outside [0, 1], which are clipped.
#[test]
fn every_choice_of_slopes_bounds() {
    for seed in 0..30 {
        let rng = &mut seeded(seed);
        let problem = Problem::random(rng, ACTIVATIONS[seed as usize % 3]);
        let (bounds, placeholders) = problem.bounds();
        for _ in 0..10 {
            let values: Vec<Vec<f64>> =
                placeholders.iter().map(|p| uniform(rng, p.shape(), DType::F64, (-0.5, 1.5)).to_f64_vec()).collect();
            let ends = run(&[bounds.lo.clone(), bounds.hi.clone()], &feeds(&placeholders, &values));
            for _ in 0..20 {
                for (i, y) in problem.sample(rng).into_iter().enumerate() {
                    assert!(ends[0][i] - 1e-12 <= y && y <= ends[1][i] + 1e-12, "seed {seed}: {y} outside {ends:?}");
                }
            }
        }
    }
}

// Ascent on the width of the bounds, by their gradient with respect to the slopes.
#[test]
fn ascent_on_slopes_tightens_bounds() {
    for activation in ACTIVATIONS {
        let [before, after] = widths(activation);
        assert!(after < 0.97 * before, "{activation:?}: {after} is hardly less than {before}");
    }
}

// The summed widths of bounds with adaptive slopes, and after the ascent.
fn widths(activation: Unary) -> [f64; 2] {
    let (mut before, mut after) = (0.0, 0.0);
    let steepest = activation.free_slopes().unwrap().steepest;
    for seed in 0..10 {
        let rng = &mut seeded(100 + seed);
        let problem = Problem::random(rng, activation);
        let rows = Expr::constant(Tensor::new([2, 2], vec![1.0, 0.0, 0.0, 1.0]).unwrap());
        let adaptive = problem.bounder.functionals(&problem.output, &rows).unwrap();
        let adaptive = run(&[adaptive.hi.sub(&adaptive.lo).sum()], &[])[0][0];
        let (bounds, placeholders) = problem.bounds();
        let width = bounds.hi.sub(&bounds.lo).sum();
        let gradient = grad(&width, &placeholders).unwrap();
        let mut values: Vec<Vec<f64>> = placeholders.iter().map(|p| vec![0.5 * steepest; p.shape().count()]).collect();

        // The gradient itself, along a random direction.
        let directions: Vec<Vec<f64>> =
            placeholders.iter().map(|p| uniform(rng, p.shape(), DType::F64, (-1.0, 1.0)).to_f64_vec()).collect();
        let at = |by: f64| {
            let moved: Vec<Vec<f64>> = values
                .iter()
                .zip(&directions)
                .map(|(v, d)| v.iter().zip(d).map(|(v, d)| v + by * d).collect())
                .collect();
            run(&[width.clone()], &feeds(&placeholders, &moved))[0][0]
        };
        let slope: f64 =
            run(&gradient, &feeds(&placeholders, &values)).iter().zip(&directions).map(|(g, d)| inner(g, d)).sum();
        assert_close("gradient", &[slope], &[(at(1e-6) - at(-1e-6)) / 2e-6], 1e-6);

        let mut best = f64::INFINITY;
        for step in 0..60 {
            let found = run(&[width.clone()], &feeds(&placeholders, &values))[0][0];
            best = best.min(found);
            let rate = 0.3 * 0.95f64.powi(step);
            let found = run(&gradient, &feeds(&placeholders, &values));
            for (v, g) in values.iter_mut().zip(found) {
                let largest = g.iter().fold(1e-12f64, |m, g| m.max(g.abs()));
                v.iter_mut().zip(g).for_each(|(v, g)| *v = (*v - steepest * rate * g / largest).clamp(0.0, steepest));
            }
        }
        before += adaptive;
        after += best;
    }
    [before, after]
}

// The lines that are taken without a choice are those of the adaptive slopes, and none of the same slope is nearer.
#[test]
fn adaptive_slopes_give_the_adaptive_bounds() {
    for (seed, activation) in (200..215).zip(ACTIVATIONS.into_iter().cycle()) {
        let problem = Problem::random(&mut seeded(seed), activation);
        let rows = Expr::constant(Tensor::new([2, 2], vec![1.0, 0.0, 0.0, 1.0]).unwrap());
        let adaptive = problem.bounder.functionals(&problem.output, &rows).unwrap();
        let (bounds, placeholders) = problem.bounds();
        let activations = problem.bounder.activations(&problem.output);
        let own: Vec<Expr> = activations
            .iter()
            .map(|a| activation.adaptive_slopes(&problem.bounder.bounds(&a.inputs()[0])).unwrap())
            .collect();
        let own: Vec<Vec<f64>> = run(&own, &[]).into_iter().map(|s| [s.clone(), s].concat()).collect();
        let values = [own.clone(), own].concat();
        let found = run(&[bounds.lo, bounds.hi], &feeds(&placeholders, &values));
        let expected = run(&[adaptive.lo, adaptive.hi], &[]);
        for (i, sign) in [(0, 1.0), (1, -1.0)] {
            for (found, expected) in found[i].iter().zip(&expected[i]) {
                let better = sign * (found - expected);
                assert!(better > -1e-9 && better < 2e-3, "{activation:?}, seed {seed}: {found} and {expected}");
            }
        }
    }
}

// Rounded outward in single precision, lines of chosen slopes hold of the function in double precision, without tolerance.
#[test]
fn chosen_lines_hold_when_rounded_outward() {
    let rng = &mut seeded(300);
    for round in 0..600 {
        let activation = ACTIVATIONS[round % 3];
        let scale = [1e-3f32, 0.5, 4.0, 30.0, 200.0][round % 5];
        let (a, b): (f32, f32) = (rng.random_range(-scale..scale), rng.random_range(-scale..scale));
        let (lo, hi) = (a.min(b), a.max(b));
        let k: f32 = [0.0, rng.random_range(-1.0..1.0), 0.25][round % 3];
        let constant = |v: f32| Expr::constant(Tensor::new([1], vec![v]).unwrap());
        let x = Expr::input("x", [1], DType::F32);
        let y = Expr::apply(activation, std::slice::from_ref(&x)).unwrap().sub(&x.mul(&constant(k)));
        let domain = Domain::Box { lo: constant(lo), hi: constant(hi) };
        let options = LinearBoundsOptions { rounding: Rounding::Outward, ..LinearBoundsOptions::default() };
        let (bounder, outputs) = Bounder::new(&[y], &[(x, domain)], options).unwrap();
        let free = activation.free_slopes().unwrap();
        let mut slope = || free.steepest as f32 * rng.random_range(0.0f32..1.0).powi([1, 8][round % 2]);
        let mut given = || {
            let activations = bounder.activations(&outputs[0]).into_iter();
            let one = |a: Expr| {
                let shape = free.shape(a.shape()).prepend(1);
                let values = (0..shape.count()).map(|_| slope()).collect();
                (a, Expr::constant(Tensor::new(shape, values).unwrap()))
            };
            activations.map(one).collect()
        };
        let slopes = Slopes { lower: given(), upper: given() };
        let row = Expr::constant(Tensor::new([1, 1], vec![1.0f32]).unwrap());
        let bounds = bounder.functionals_with(&outputs[0], &row, &slopes).unwrap();
        let ends = run(&[bounds.lo, bounds.hi], &[]);
        for i in 0..=200 {
            let x = (f64::from(lo) + (f64::from(hi) - f64::from(lo)) * f64::from(i) / 200.0).min(f64::from(hi));
            let y = activation.value(x) - f64::from(k) * x;
            let inside = ends[0][0] <= y && y <= ends[1][0];
            assert!(inside, "{activation:?} − {k}·x on {lo}..{hi} at {x}: {y} outside {ends:?}");
        }
    }
}
