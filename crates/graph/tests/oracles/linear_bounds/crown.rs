//! An independent CROWN in plain loops (Zhang et al. 2018, eqs. 3–8), as the oracle on networks of dense layers.

use super::{NEAREST, bounds};
use crate::numbers::{assert_close, seeded};
use perturb_graph::{DType, Domain, Expr, Norm, Tensor};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A dense layer, `weights[output][input]`.
struct Layer {
    weights: Vec<Vec<f64>>,
    bias: Vec<f64>,
}

type Ends = Vec<(f64, f64)>;

fn random_layers(rng: &mut ChaCha8Rng, sizes: &[usize]) -> Vec<Layer> {
    let mut layer = |inputs: usize, outputs: usize| {
        let spread = (3.0 / inputs as f64).sqrt();
        let weights =
            (0..outputs).map(|_| (0..inputs).map(|_| spread * rng.random_range(-1.0..1.0)).collect()).collect();
        Layer { weights, bias: (0..outputs).map(|_| rng.random_range(-0.5..0.5)).collect() }
    };
    sizes.windows(2).map(|s| layer(s[0], s[1])).collect()
}

// Bounds of the pre-activations of the last of `layers` by one backward pass from each, given those of the layers
// before it.
fn backward(layers: &[Layer], inner: &[Ends], center: &[f64], radius: f64, norm: Norm) -> Ends {
    let (last, before) = layers.split_last().unwrap();
    let end = |unit: usize, sign: f64| {
        // The lower bound of sign·z.
        let mut row: Vec<f64> = last.weights[unit].iter().map(|w| sign * w).collect();
        let mut constant = sign * last.bias[unit];
        for (layer, ends) in before.iter().zip(inner).rev() {
            for (a, &(l, u)) in row.iter_mut().zip(ends) {
                if l >= 0.0 {
                    continue;
                }
                if u <= 0.0 {
                    *a = 0.0;
                } else if *a >= 0.0 {
                    *a *= f64::from(u8::from(u > -l));
                } else {
                    constant += *a * (-u * l / (u - l));
                    *a *= u / (u - l);
                }
            }
            constant += row.iter().zip(&layer.bias).map(|(a, b)| a * b).sum::<f64>();
            let inputs = layer.weights[0].len();
            row = (0..inputs).map(|j| row.iter().zip(&layer.weights).map(|(a, w)| a * w[j]).sum()).collect();
        }
        let middle: f64 = row.iter().zip(center).map(|(a, c)| a * c).sum();
        let dual = match norm {
            Norm::Linf => row.iter().map(|a| a.abs()).sum::<f64>(),
            Norm::L2 => row.iter().map(|a| a * a).sum::<f64>().sqrt(),
            Norm::L1 => row.iter().fold(0.0, |m, a| f64::max(m, a.abs())),
        };
        constant + middle - radius * dual
    };
    (0..last.bias.len()).map(|unit| (end(unit, 1.0), -end(unit, -1.0))).collect()
}

// Interval bounds of the pre-activations of a layer, from those before it.
fn by_intervals(layer: &Layer, inputs: &Ends) -> Ends {
    let unit = |(row, bias): (&Vec<f64>, &f64)| {
        row.iter()
            .zip(inputs)
            .fold((*bias, *bias), |(lo, hi), (w, &(a, b))| (lo + (w * a).min(w * b), hi + (w * a).max(w * b)))
    };
    layer.weights.iter().zip(&layer.bias).map(unit).collect()
}

// CROWN for the outputs; inner bounds are CROWN's as well, on request intersected with intervals.
fn crown(layers: &[Layer], center: &[f64], radius: f64, norm: Norm, intersected: bool) -> Ends {
    let mut inner: Vec<Ends> = Vec::new();
    let mut values: Ends = center.iter().map(|c| (c - radius, c + radius)).collect();
    for depth in 1..=layers.len() {
        let mut ends = backward(&layers[..depth], &inner, center, radius, norm);
        if intersected {
            let other = by_intervals(&layers[depth - 1], &values);
            ends = ends.iter().zip(other).map(|(a, b)| (a.0.max(b.0), a.1.min(b.1))).collect();
        }
        values = ends.iter().map(|(l, u)| (l.max(0.0), u.max(0.0))).collect();
        inner.push(ends);
    }
    inner.pop().unwrap()
}

fn graph(layers: &[Layer], x: &Expr) -> Expr {
    let mut h = x.clone();
    for (depth, layer) in layers.iter().enumerate() {
        let (rows, columns) = (layer.bias.len(), layer.weights[0].len());
        let w = Expr::constant(Tensor::new([rows, columns], layer.weights.concat()).unwrap());
        let b = Expr::constant(Tensor::new([rows], layer.bias.clone()).unwrap());
        h = w.matmul(if depth == 0 { x } else { &h }).add(&b);
        if depth + 1 < layers.len() {
            h = h.relu();
        }
    }
    h
}

#[test]
fn dense_networks_meet_an_independent_implementation() {
    let (mut tighter, mut unstable) = (0, 0);
    for seed in 0..40 {
        let rng = &mut seeded(seed);
        let sizes: &[usize] = if seed % 2 == 0 { &[4, 7, 3] } else { &[4, 7, 6, 3] };
        let layers = random_layers(rng, sizes);
        let center: Vec<f64> = (0..4).map(|_| rng.random_range(-1.0..1.0)).collect();
        let radius = [0.01, 0.1, 0.5, 1.0][seed as usize % 4];
        let norm = [Norm::Linf, Norm::L2, Norm::L1][seed as usize % 3];

        let x = Expr::input("x", [4], DType::F64);
        let middle = Expr::constant(Tensor::new([4], center.clone()).unwrap());
        let ball = Domain::Ball { center: middle, radius: Expr::scalar(radius, DType::F64), norm, within: None };
        let (lo, hi) = bounds(&graph(&layers, &x), &[(x.clone(), ball)], NEAREST);

        let (want_lo, want_hi): (Vec<f64>, Vec<f64>) = crown(&layers, &center, radius, norm, true).into_iter().unzip();
        assert_close(&format!("lower, {norm:?} {radius}, seed {seed}"), &lo, &want_lo, 1e-10);
        assert_close(&format!("upper, {norm:?} {radius}, seed {seed}"), &hi, &want_hi, 1e-10);
        for (i, (l, u)) in crown(&layers, &center, radius, norm, false).into_iter().enumerate() {
            assert!(lo[i] >= l - 1e-10 && hi[i] <= u + 1e-10, "looser than published CROWN");
            tighter += usize::from(hi[i] - lo[i] < 0.999 * (u - l));
        }
        let first = backward(&layers[..1], &[], &center, radius, norm);
        unstable += first.iter().filter(|(l, u)| *l < 0.0 && *u > 0.0).count();
    }
    // Relaxations were really used, and the intersection really helps somewhere.
    assert!(unstable > 50 && tighter > 0, "{unstable} unstable neurons, {tighter} tighter bounds");
}
