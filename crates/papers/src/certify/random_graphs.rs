//! Random graphs over all kinds of primitives, for checking that nothing leaves their bounds.

use crate::RunError;
use perturb_engine::{Executable, Options};
use perturb_graph::{
    DType, Domain, Expr, Graph, LinearBoundsOptions, Norm, Rounding, Shape, Tensor, grad, linear_bounds,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const WIDTH: usize = 6;
/// Nodes made one after the other.
const NODES: usize = 12;
/// Points on which a graph is evaluated at once.
const POINTS: usize = 250;
const ASCENT_STEPS: usize = 20;

/// A graph of an input `[6]` with an output `[6]` in f64, and a ball.
pub(super) struct RandomGraph {
    x: Expr,
    output: Expr,
    center: Vec<f64>,
    radius: f64,
    norm: Norm,
}

impl RandomGraph {
    /// Of affine nodes only, or of all kinds.
    pub fn draw(seed: u64, affine: bool) -> RandomGraph {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let x = Expr::input("x", [WIDTH], DType::F64);
        let mut nodes = vec![x.clone()];
        for _ in 0..NODES {
            let pick = |rng: &mut ChaCha8Rng| nodes[rng.random_range(0..nodes.len())].clone();
            let (a, b) = (pick(&mut rng), pick(&mut rng));
            let node = match if affine { rng.random_range(0..6) } else { rng.random_range(0..9) } {
                0..2 => mixed(&a, &mut rng),
                2 => a.add(&b),
                3 => a.sub(&b.scale(rng.random_range(-1.0..1.0))),
                4 => Expr::concat(&[a.slice_axis(0, 2, WIDTH), b.slice_axis(0, 0, 2)], 0),
                5 => a.reduce_sum(&[0], true).scale(0.3).broadcast_to([WIDTH]).add(&b.reverse(&[0])),
                6 => match rng.random_range(0..3) {
                    0 => a.mul(&b).tanh(),
                    1 => a.maximum(&b),
                    _ => a.minimum(&b),
                },
                _ => curved(&a, rng.random_range(0..14)),
            };
            // Values stay of the size of 1, or a chain of squares would overflow.
            nodes.push(if affine { node.scale(0.7) } else { node.scale(0.7).clip(-20.0, 20.0) });
        }
        let center = (0..WIDTH).map(|_| rng.random_range(-1.0..1.0)).collect();
        let radius = [0.01, 0.1, 0.5][rng.random_range(0..3)];
        let norm = [Norm::Linf, Norm::L2, Norm::L1][rng.random_range(0..3)];
        let output = nodes[NODES - 2].add(&nodes[NODES]);
        RandomGraph { x, output, center, radius, norm }
    }

    /// Bounds that hold for the arithmetic that is run.
    fn bounds(&self, rounding: Rounding) -> Result<[Vec<f64>; 2], RunError> {
        let center = Expr::constant(Tensor::new([WIDTH], self.center.clone())?);
        let radius = Expr::scalar(self.radius, DType::F64);
        let domain = Domain::Ball { center, radius, norm: self.norm, within: None };
        let options = LinearBoundsOptions { rounding, ..LinearBoundsOptions::default() };
        let inputs = [(self.x.clone(), domain)];
        let bounds = linear_bounds(std::slice::from_ref(&self.output), &inputs, options)?.remove(0);
        let ends = Executable::compile(&[bounds.lo, bounds.hi], &[], &Options::default())?.run(&[])?;
        Ok([ends[0].to_f64_vec(), ends[1].to_f64_vec()])
    }

    /// How many values of sampled points, and of points that ascend and descend along gradients, leave the bounds.
    pub fn escapes(&self, rounds: usize, seed: u64) -> Result<usize, RunError> {
        let [lower, upper] = self.bounds(Rounding::Outward)?;
        let weights = Expr::input("weights", [WIDTH], DType::F64);
        let gradient = grad(&self.output.inner(&weights), std::slice::from_ref(&self.x))?.remove(0);
        let inputs = vec![self.x.clone(), weights];
        let both = vec![("output".into(), self.output.clone()), ("gradient".into(), gradient)];
        let batched = Graph::new(inputs, both)?.vmap(POINTS)?;
        let executable = Executable::of(&batched, &Options::default())?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut escaped = 0;
        for round in 0..rounds {
            let mut points: Vec<Vec<f64>> = (0..POINTS).map(|_| self.sample(&mut rng)).collect();
            let weights: Vec<f64> = (0..POINTS * WIDTH).map(|_| rng.random_range(-1.0..1.0)).collect();
            let shape: Shape = [POINTS, WIDTH].into();
            let weights = Tensor::new(&shape, weights)?;
            // The first round climbs, the others only sample.
            for step in 0..if round == 0 { ASCENT_STEPS } else { 1 } {
                let found = executable.run(&[&Tensor::new(&shape, points.concat())?, &weights])?;
                let values = found[0].as_slice::<f64>().chunks_exact(WIDTH);
                let inside = |z: &[f64]| z.iter().zip(&lower).zip(&upper).all(|((z, lo), hi)| lo <= z && z <= hi);
                escaped += values.filter(|z| !inside(z)).count();
                let rate = self.radius / (1 + step) as f64;
                for (x, g) in points.iter_mut().zip(found[1].as_slice::<f64>().chunks_exact(WIDTH)) {
                    let length = g.iter().map(|g| g * g).sum::<f64>().sqrt().max(1e-12);
                    x.iter_mut().zip(g).for_each(|(x, g)| *x += rate * g / length);
                    self.pull_in(x);
                }
            }
        }
        Ok(escaped)
    }

    /// Largest distance of the bounds of an affine graph from its extremes `f(c) ± r·‖∇f‖` in the dual norm.
    pub fn affine_error(&self) -> Result<f64, RunError> {
        let [lower, upper] = self.bounds(Rounding::Nearest)?;
        let center = Tensor::new([WIDTH], self.center.clone())?;
        let mut largest: f64 = 0.0;
        for k in 0..WIDTH {
            let value = self.output.slice_axis(0, k, k + 1).sum();
            let gradient = grad(&value, std::slice::from_ref(&self.x))?.remove(0);
            let inputs = std::slice::from_ref(&self.x);
            let found = Executable::compile(&[value, gradient], inputs, &Options::default())?.run(&[&center])?;
            let (value, g) = (found[0].to_f64_vec()[0], found[1].to_f64_vec());
            let dual = match self.norm {
                Norm::Linf => g.iter().map(|g| g.abs()).sum(),
                Norm::L2 => g.iter().map(|g| g * g).sum::<f64>().sqrt(),
                Norm::L1 => g.iter().fold(0.0f64, |m, g| m.max(g.abs())),
            };
            let reach = self.radius * dual;
            largest = largest.max((lower[k] - (value - reach)).abs()).max((upper[k] - (value + reach)).abs());
        }
        Ok(largest)
    }

    fn sample(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let mut x: Vec<f64> = self.center.iter().map(|c| c + self.radius * rng.random_range(-1.0..=1.0)).collect();
        self.pull_in(&mut x);
        x
    }

    // Onto the ball, a hair within, so that rounding leaves no point outside.
    fn pull_in(&self, x: &mut [f64]) {
        let offsets: Vec<f64> = x.iter().zip(&self.center).map(|(x, c)| x - c).collect();
        let length = match self.norm {
            Norm::Linf => offsets.iter().fold(0.0f64, |m, d| m.max(d.abs())),
            Norm::L2 => offsets.iter().map(|d| d * d).sum::<f64>().sqrt(),
            Norm::L1 => offsets.iter().map(|d| d.abs()).sum(),
        };
        let factor = (self.radius * (1.0 - 1e-12) / length.max(1e-300)).min(1.0);
        x.iter_mut().zip(&self.center).zip(&offsets).for_each(|((x, c), d)| *x = c + factor * d);
    }
}

fn mixed(a: &Expr, rng: &mut ChaCha8Rng) -> Expr {
    let weights = (0..WIDTH * WIDTH).map(|_| rng.random_range(-0.6..0.6)).collect();
    let offset = Expr::constant(Tensor::full([WIDTH], rng.random_range(-0.5..0.5)));
    let weights = Expr::constant(Tensor::new([WIDTH, WIDTH], weights).expect("as many weights as the matrix has"));
    a.reshape([1, WIDTH]).matmul(&weights).reshape([WIDTH]).add(&offset)
}

fn curved(a: &Expr, kind: usize) -> Expr {
    let positive = || a.square().offset(0.5);
    match kind {
        0 => a.relu(),
        1 => a.abs(),
        2 => a.tanh(),
        3 => a.sigmoid(),
        4 => a.minimum(&a.like(3.0)).exp().scale(0.2),
        5 => positive().log(),
        6 => positive().sqrt(),
        7 => positive().reciprocal(),
        8 => a.square().scale(0.3),
        9 => a.sin(),
        10 => a.cos(),
        11 => a.erf(),
        12 => a.softplus(),
        _ => a.reshape([1, WIDTH]).softmax(1).reshape([WIDTH]),
    }
}
