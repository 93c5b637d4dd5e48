//! No point of a ball ever leaves the bounds, on 200 random networks: sampled points, and points found by gradient ascent
//! on every output in both directions, evaluated in both precisions.

mod nets;

use perturb_certify::{Bounds, Certifier, Method, Region, Settings};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, Norm, Rounding, Tensor, grad};
use perturb_threat::Ball;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const POINTS: usize = 24;
const ASCENT_STEPS: usize = 20;

/// A network's outputs in both precisions, and the gradient of one output, for a batch of points.
struct Network {
    single: Executable,
    double: Executable,
    gradient: Executable,
    width: usize,
    outputs: usize,
}

impl Network {
    fn new(index: u64) -> Network {
        let (single, double) = (nets::random(index, DType::F32), nets::random(index, DType::F64));
        let compile = |g: &Graph| Executable::of(&g.vmap(POINTS).unwrap(), &Options::default()).unwrap();
        let outputs = single.outputs[0].1.shape().count();
        let batch = single.vmap(POINTS).unwrap();
        let weights = Expr::input("weights", batch.outputs[0].1.shape(), DType::F32);
        let gradient = grad(&batch.outputs[0].1.mul(&weights), &batch.inputs).unwrap();
        let inputs = [batch.inputs[0].clone(), weights];
        Network {
            single: compile(&single),
            double: compile(&double),
            gradient: Executable::compile(&gradient, &inputs, &Options::default()).unwrap(),
            width: single.inputs[0].shape().count(),
            outputs,
        }
    }

    fn tensor(&self, points: &[Vec<f32>]) -> Tensor {
        let shape = self.single.input_shapes().next().unwrap().clone();
        Tensor::new(shape, points.concat()).unwrap()
    }

    /// Outputs of every point, in single and in double precision.
    fn values(&self, points: &[Vec<f32>]) -> Vec<Vec<f64>> {
        let x = self.tensor(points);
        let single = self.single.run(&[&x]).unwrap()[0].to_f64_vec();
        let double = self.double.run(&[&x.to_dtype(DType::F64)]).unwrap()[0].to_f64_vec();
        single.chunks(self.outputs).chain(double.chunks(self.outputs)).map(<[f64]>::to_vec).collect()
    }

    /// Gradients of output `k` of every point, times `sign`.
    fn gradients(&self, points: &[Vec<f32>], k: usize, sign: f32) -> Vec<Vec<f32>> {
        let weights: Vec<f32> =
            (0..POINTS * self.outputs).map(|i| if i % self.outputs == k { sign } else { 0.0 }).collect();
        let weights = Tensor::new([POINTS, 1, self.outputs], weights).unwrap();
        let g = self.gradient.run(&[&self.tensor(points), &weights]).unwrap();
        g[0].as_slice::<f32>().chunks(self.width).map(<[f32]>::to_vec).collect()
    }

    /// All outputs that sampling and ascent reach.
    fn reached(&self, ball: &Ball, center: &[f32], rng: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
        let samples: Vec<Vec<f32>> = (0..POINTS).map(|_| ball.sample(center, rng)).collect();
        let mut all = self.values(&samples);
        for (k, sign) in (0..self.outputs).flat_map(|k| [(k, 1.0), (k, -1.0)]) {
            let mut points = samples.clone();
            for step in 0..ASCENT_STEPS {
                let gradients = self.gradients(&points, k, sign);
                for (i, (x, g)) in points.iter_mut().zip(&gradients).enumerate() {
                    // Half of the points jump to the extreme point of the linearised problem, half take sign steps.
                    if i % 2 == 0 {
                        let down: Vec<f32> = g.iter().map(|v| -v).collect();
                        *x = ball.linear_minimization(center, &down);
                    } else {
                        let rate = ball.epsilon() as f32 * 2.0 / (1 + step) as f32;
                        x.iter_mut().zip(g).for_each(|(x, g)| *x += rate * g.signum());
                        ball.project(center, x);
                    }
                    assert!(ball.contains(center, x));
                }
                all.extend(self.values(&points));
            }
        }
        all
    }
}

fn rows(bounds: &Bounds, row: usize) -> (Vec<f64>, Vec<f64>) {
    (bounds.lower.rows(row, row + 1).to_f64_vec(), bounds.upper.rows(row, row + 1).to_f64_vec())
}

fn check(index: u64) {
    let model = nets::random(index, DType::F32);
    let network = Network::new(index);
    let rng = &mut ChaCha8Rng::seed_from_u64(1_000_000 + index);
    let norm = [Norm::Linf, Norm::L2, Norm::L1][(index / 5) as usize % 3];
    let epsilon = [0.003, 0.03, 0.1, 0.4][(index / 15) as usize % 4] * if norm == Norm::Linf { 1.0 } else { 2.0 };
    let limits = if index.is_multiple_of(2) { (0.0, 1.0) } else { (f64::NEG_INFINITY, f64::INFINITY) };
    let ball = Ball::new(norm, epsilon, limits).unwrap();
    let settings = Settings { norm, batch: 2, rounding: Rounding::Outward, ..Settings::default() };
    let centers: Vec<f32> = (0..2 * network.width).map(|_| rng.random_range(0.0..1.0)).collect();
    let example = model.inputs[0].shape();
    let tensor = Tensor::new(example.prepend(2), centers.clone()).unwrap();
    let labels = [0, index as usize % 3];
    let name = format!("network {index} ({}), {norm:?} {epsilon}", nets::KINDS[index as usize % 5]);

    let reached: Vec<Vec<Vec<f64>>> = centers.chunks(network.width).map(|c| network.reached(&ball, c, rng)).collect();
    let mut found: Vec<Bounds> = Vec::new();
    for method in [Method::Ibp, Method::CrownIbp, Method::Crown, Method::AlphaCrown { steps: 4 }] {
        let certifier = Certifier::new(&model, method, settings).unwrap();
        let region = Region::from(&ball);
        let bounds = certifier.bounds(&tensor, &region).unwrap();
        let margins = certifier.margins(&tensor, &labels, &region).unwrap();
        for row in 0..2 {
            let (lower, upper) = rows(&bounds, row);
            for z in &reached[row] {
                for j in 0..3 {
                    assert!(
                        lower[j] <= z[j] && z[j] <= upper[j],
                        "{name}, {method:?}: {} {} {}",
                        lower[j],
                        z[j],
                        upper[j]
                    );
                }
                let others = (0..3).filter(|&j| j != labels[row]);
                let margin = others.map(|j| z[labels[row]] - z[j]).fold(f64::INFINITY, f64::min);
                assert!(margins[row] <= margin + 1e-12, "{name}, {method:?}: margin {} but {margin}", margins[row]);
            }
            // As functionals, differences are bounded at least as well as by differences of bounds.
            if method == Method::Ibp {
                let others = (0..3).filter(|&j| j != labels[row]);
                let naive = others.map(|j| lower[labels[row]] - upper[j]).fold(f64::INFINITY, f64::min);
                assert!(margins[row] >= naive - 1e-5 * (1.0 + naive.abs()), "{name}: {} {naive}", margins[row]);
            }
        }
        // Where the inner bounds are those of interval propagation, or tightened ones, the result is never looser.
        if let Some(ibp) = found.first() {
            for row in 0..2 {
                let ((lower, upper), (ibp_lower, ibp_upper)) = (rows(&bounds, row), rows(ibp, row));
                for j in 0..3 {
                    let slack =
                        2e-6 * (ibp_upper[j] - ibp_lower[j]) + 1e-6 * ibp_lower[j].abs().max(ibp_upper[j].abs());
                    let slack = if method == Method::CrownIbp { 0.0 } else { slack };
                    assert!(lower[j] >= ibp_lower[j] - slack && upper[j] <= ibp_upper[j] + slack, "{name}, {method:?}");
                }
            }
        }
        found.push(bounds);
    }
}

#[test]
fn networks_0_to_100() {
    (0..100).for_each(check);
}

#[test]
fn networks_100_to_200() {
    (100..200).for_each(check);
}

// A network of two inputs, searched on a grid: the certified margin is below the smallest margin found, and near it for a
// small ball.
#[test]
fn margins_meet_brute_force_on_tiny_networks() {
    for seed in 0..20 {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut weights = |shape: [usize; 2]| {
            let values = (0..shape[0] * shape[1]).map(|_| rng.random_range(-1.0f32..1.0)).collect();
            Expr::constant(Tensor::new(shape, values).unwrap())
        };
        let x = Expr::input("x", [1, 2], DType::F32);
        let logits = x.matmul(&weights([2, 6])).relu().matmul(&weights([6, 2]));
        let model = Graph::new(vec![x.clone()], vec![("z".into(), logits)]).unwrap();
        let side = 201;
        let run = Executable::of(&model.vmap(side * side).unwrap(), &Options::default()).unwrap();
        let certifier = Certifier::new(&model, Method::Crown, Settings { batch: 1, ..Settings::default() }).unwrap();
        let center = [0.3f32, -0.2];
        let tensor = Tensor::new([1, 2], center.to_vec()).unwrap();
        for epsilon in [0.001, 0.05, 0.3, 1.0] {
            let at = |i: usize, c: f32| c + epsilon as f32 * (2.0 * i as f32 / (side - 1) as f32 - 1.0) * 0.99999;
            let grid: Vec<f32> =
                (0..side * side).flat_map(|i| [at(i % side, center[0]), at(i / side, center[1])]).collect();
            let z = run.run(&[&Tensor::new([side * side, 1, 2], grid).unwrap()]).unwrap()[0].to_f64_vec();
            let smallest = z.chunks(2).map(|z| z[0] - z[1]).fold(f64::INFINITY, f64::min);
            let at_center = z[(side * side / 2) * 2] - z[(side * side / 2) * 2 + 1];
            let margin = certifier.margins(&tensor, &[0], &Region::from(epsilon)).unwrap()[0];
            assert!(margin <= smallest, "seed {seed}, {epsilon}: certified {margin}, found {smallest}");
            if epsilon == 0.001 {
                let lost = at_center - smallest;
                assert!(at_center - margin <= 2.0 * lost + 1e-5, "seed {seed}: {margin} is far below {smallest}");
            }
        }
    }
}
