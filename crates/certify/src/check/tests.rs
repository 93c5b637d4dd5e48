//! Bounds on subdomains against points of them.

use super::bounds::{Bounds, Model, Walked};
use super::lower::lower;
use super::network::{Curve, Kind, Network, ZERO};
use super::walk::{Functional, Rule, Split, Walk};
use crate::proof::{ElementSlopes, LayerSlopes};
use perturb_graph::{Conv, DType, Expr, Graph, Pool, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn weights(shape: &[usize], rng: &mut ChaCha8Rng) -> Expr {
    let values = (0..shape.iter().product()).map(|_| rng.random_range(-1.0f32..1.0)).collect();
    Expr::constant(Tensor::new(shape, values).unwrap())
}

// A network with every kind of layer, in which layers see inputs and one another.
fn network(kind: u64, rng: &mut ChaCha8Rng) -> Graph {
    let (x, features) = if kind.is_multiple_of(2) {
        let x = Expr::input("x", [1, 3], DType::F32);
        let h = x.matmul(&weights(&[3, 5], rng)).add(&weights(&[5], rng)).relu();
        let inner = h.matmul(&weights(&[5, 5], rng)).add(&x.matmul(&weights(&[3, 5], rng))).relu();
        let inner = if kind.is_multiple_of(4) {
            inner.add(&h.offset(-0.5).tanh())
        } else {
            inner.sub(&h.offset(-0.5).sigmoid())
        };
        (x, Expr::concat(&[inner.relu(), inner.div(&weights(&[5], rng).abs().offset(0.5))], 1))
    } else {
        let x = Expr::input("x", [1, 1, 4, 4], DType::F32);
        let same = Conv { padding: vec![(1, 1); 2], ..Conv::unit(2) };
        let h = x.conv(&weights(&[2, 1, 3, 3], rng), same.clone()).relu();
        let h = h.add(&h.conv(&weights(&[2, 2, 3, 3], rng), same)).relu().max_pool(Pool::square(2, 2));
        (x, h.reshape([1, 8]).maximum(&weights(&[8], rng)))
    };
    let n = features.shape()[1];
    let y = features.matmul(&weights(&[n, 2], rng)).add(&weights(&[2], rng));
    Graph::new(vec![x], vec![("y".into(), y)]).unwrap()
}

// All scalars, in f64.
fn evaluate(network: &Network, inputs: &[f64]) -> Vec<f64> {
    let mut values = inputs.to_vec();
    for layer in &network.layers {
        let new: Vec<f64> = match &layer.kind {
            Kind::Affine(affine) => {
                let mut sums = affine.bias.clone();
                for block in &affine.blocks {
                    for row in 0..block.count {
                        let terms = affine.sources_of(block).iter().zip(affine.row(block, row));
                        let products = terms.map(|(&s, w)| if s == ZERO { 0.0 } else { values[s as usize] * w });
                        sums[block.first + row * block.step] += products.sum::<f64>();
                    }
                }
                let divisors = affine.divisors.iter().flatten();
                sums.iter_mut().zip(divisors).for_each(|(sum, divisor)| *sum /= divisor);
                sums
            }
            Kind::Relu(operands) => operands.iter().map(|&o| values[o as usize].max(0.0)).collect(),
            Kind::Max(groups) => (0..groups.len())
                .map(|i| groups.group(i).iter().map(|&o| values[o as usize]).fold(f64::NEG_INFINITY, f64::max))
                .collect(),
            Kind::Curve(Curve::Tanh, operands) => operands.iter().map(|&o| values[o as usize].tanh()).collect(),
            Kind::Curve(Curve::Sigmoid, operands) => {
                operands.iter().map(|&o| 1.0 / (1.0 + (-values[o as usize]).exp())).collect()
            }
        };
        values.extend(new);
    }
    values
}

#[test]
fn no_point_of_a_subdomain_is_below_its_bound() {
    let mut met = 0;
    for seed in 0..400 {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let model = Model::new(lower(&network(seed, rng)).unwrap());
        let network = &model.network;
        let radius = [0.05, 0.3, 1.0][seed as usize % 3];
        let inputs: Vec<(f64, f64)> =
            (0..network.inputs).map(|_| rng.random_range(-1.0..1.0)).map(|c| (c - radius, c + radius)).collect();
        let walked = if seed % 5 < 3 { Walked::Open } else { Walked::Positive };
        let bounds = Bounds::tightened(&model, &inputs, None, walked);
        let points: Vec<Vec<f64>> = (0..100)
            .map(|_| inputs.iter().map(|&(lo, hi)| rng.random_range(lo..=hi)).collect::<Vec<f64>>())
            .map(|point| evaluate(network, &point))
            .collect();
        for values in &points {
            for (scalar, value) in values.iter().enumerate() {
                let (lo, hi) = bounds.of(scalar as u32);
                assert!(lo - 1e-12 <= *value && *value <= hi + 1e-12, "network {seed}, scalar {scalar}");
            }
        }
        for round in 0..10 {
            let slopes: Vec<Vec<f32>> = (0..network.activations.len())
                .map(|k| (0..network.slopes_of(k)).map(|_| rng.random_range(0.0..=1.0)).collect())
                .collect();
            // Signs of a random point, so that the subdomain is not empty.
            let witness = &points[rng.random_range(0..points.len())];
            let splits: Vec<Split> = (0..rng.random_range(0..4))
                .map(|_| {
                    let activation = rng.random_range(0..network.activations.len());
                    let operands = network.operands_of(activation);
                    let element = rng.random_range(0..operands.len());
                    let above = witness[operands[element] as usize] >= 0.0;
                    Split { activation, element, above, multiplier: f64::from(rng.random_range(0.0f32..2.0)) }
                })
                .collect();
            let terms = [network.outputs[0], network.outputs[1], 0].map(|s| (s, rng.random_range(-2.0..2.0), 0.0));
            let start = Functional { terms: terms.to_vec(), constant: 0.25, constant_error: 0.0 };
            let rule = Rule { slopes: Some(&slopes), splits: &splits };
            let mut free = |below: usize| -> Vec<Vec<f32>> {
                let of = |k: usize| network.slopes_of(k);
                (0..below).map(|k| (0..of(k)).map(|_| rng.random_range(0.0..=1.0)).collect()).collect()
            };
            let given = |k: usize, free: &mut dyn FnMut(usize) -> Vec<Vec<f32>>| {
                let elements = (0..network.operands_of(k).len() as u32).step_by(2);
                let slopes =
                    elements.map(|element| ElementSlopes { element, lower: free(k), upper: free(k) }).collect();
                LayerSlopes::Given(slopes)
            };
            let layers: Vec<LayerSlopes> = (0..network.activations.len()).map(|k| given(k, &mut free)).collect();
            let narrowed = Bounds::narrowed(&model, &inputs, &layers, &bounds, &splits);
            assert!(!narrowed.empty, "network {seed}: {splits:?}");
            let known = if round % 2 == 0 { &narrowed } else { &bounds };
            let walk = Walk { model: &model, bounds: known, layers: network.layers.len() };
            let bound = walk.lower(&start, rule, &mut Vec::new());
            let inside = |values: &&Vec<f64>| {
                let sign =
                    |s: &Split| (values[network.operands_of(s.activation)[s.element] as usize] >= 0.0) == s.above;
                splits.iter().all(sign)
            };
            for values in points.iter().filter(inside) {
                let value = 0.25 + terms.iter().map(|(s, c, _)| c * values[*s as usize]).sum::<f64>();
                assert!(bound <= value + 1e-12, "network {seed}: {bound}, but {value} under {splits:?}");
                let within = |(scalar, value): (usize, &f64)| {
                    let (lo, hi) = narrowed.of(scalar as u32);
                    lo - 1e-12 <= *value && *value <= hi + 1e-12
                };
                assert!(values.iter().enumerate().all(within), "network {seed}: {splits:?}");
                met += usize::from(!splits.is_empty());
            }
        }
    }
    assert!(met > 10_000, "{met}");
}

// Of a sparse constant the weights other than 0 are kept, once each, and all results are what they were. Neighbouring rows may have
// their places in common or not.
#[test]
fn sparse_constants_lose_zeros_and_nothing_else() {
    for seed in 0..60 {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let (inputs, results) = (rng.random_range(8..20), rng.random_range(1..12));
        let (mut matrix, mut places) = (vec![0.0f32; inputs * results], Vec::new());
        for row in matrix.chunks_mut(inputs) {
            if rng.random_range(0..3) > 0 {
                places = (0..rng.random_range(0..=inputs / 4)).map(|_| rng.random_range(0..inputs)).collect();
            }
            places.iter().for_each(|&k| row[k] = rng.random_range(0.5f32..1.0));
        }
        let count = matrix.iter().filter(|w| **w != 0.0).count();
        let constant = Expr::constant(Tensor::new([results, inputs], matrix.clone()).unwrap());
        let (x, y) = if seed % 2 == 0 {
            let x = Expr::input("x", [inputs, 3], DType::F32);
            (x.clone(), constant.matmul(&x))
        } else {
            let x = Expr::input("x", [3, inputs], DType::F32);
            (x.clone(), x.matmul(&constant.transpose(&[1, 0])))
        };
        let graph = Graph::new(vec![x], vec![("y".into(), y)]).unwrap();
        let network = lower(&graph).unwrap();
        let kept: usize =
            network.layers.iter().map(|l| if let Kind::Affine(a) = &l.kind { a.weights.len() } else { 0 }).sum();
        assert_eq!(kept, count, "seed {seed}");
        let point: Vec<f64> = (0..3 * inputs).map(|_| f64::from(rng.random_range(-1.0f32..1.0))).collect();
        let values = evaluate(&network, &point);
        for (row, weights) in matrix.chunks(inputs).enumerate() {
            for column in 0..3 {
                let (at, output) = if seed % 2 == 0 {
                    ((column, 3), row * 3 + column)
                } else {
                    ((column * inputs, 1), column * results + row)
                };
                let terms = weights.iter().enumerate().map(|(k, &w)| f64::from(w) * point[at.0 + k * at.1]);
                let exact: f64 = terms.sum();
                let found = values[network.outputs[output] as usize];
                assert!((found - exact).abs() < 1e-12, "seed {seed}, {row}, {column}: {found} and {exact}");
            }
        }
    }
}
