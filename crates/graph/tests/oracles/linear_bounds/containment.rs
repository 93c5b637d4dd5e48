//! No point, drawn at random or searched for by ascent, leaves the bounds; and they are never looser than intervals.

use super::nets::{self, Net};
use super::sets::{NORMS, Set};
use super::{both, bounds};
use crate::interval::{Region, escape, with_gradients};
use crate::numbers::{Complaints, in_f64, run, seeded, subsets};
use crate::samples::{Sample, all};
use perturb_graph::{DType, Domain, Expr, Rounding, grad, interval, linear_bounds, topological, unroll};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

// Members of the set: random ones, and the ends of 20 steps of ascent and descent of one output.
fn points(net: &Net, set: &Set, rng: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
    let mut found: Vec<Vec<f64>> = (0..12).map(|_| set.point(rng)).collect();
    let outputs = net.output.shape().count();
    let flat = net.output.reshape([outputs]);
    let gradients: Vec<Expr> = (0..outputs)
        .map(|i| grad(&flat.slice_axis(0, i, i + 1), std::slice::from_ref(&net.input)).unwrap().remove(0))
        .collect();
    for sign in [-1.0, 1.0] {
        let gradient = gradients[rng.random_range(0..outputs)].scale(sign);
        let mut x = set.point(rng);
        for step in 0..20 {
            let g = run(std::slice::from_ref(&gradient), &[(net.input.clone(), set.tensor(&x))]).remove(0);
            x = set.climb(&x, &g, 0.5 * 0.85f64.powi(step));
            found.push(x.clone());
        }
    }
    found
}

fn looser(name: &str, net: &Net, set: &Set, (lo, hi): &(Vec<f64>, Vec<f64>)) -> Option<String> {
    let of = set.domain().bounding_box(Rounding::Nearest);
    let image = interval(&[net.output.clone()], &[(net.input.clone(), of)], Rounding::Nearest).remove(0);
    let ends = run(&[image.lo, image.hi], &[]);
    escape(&ends[0], &ends[1], lo, 1e-9).or_else(|| escape(&ends[0], &ends[1], hi, 1e-9)).map(|e| format!("{name} {e}"))
}

#[test]
fn random_networks_and_sets() {
    let mut complaints = Complaints::default();
    let (mut unknown, mut ends_seen) = (0, 0);
    for i in 0..200 {
        let set_seed = |dtype| {
            let rng = &mut seeded(1000 + i as u64);
            let net = nets::random(rng, i, dtype);
            let set = Set::random(rng, net.input.shape(), NORMS[i / 2 % 4], i % 3 == 0, dtype);
            (net, set)
        };
        let (net, set) = set_seed(DType::F64);
        let what = format!("{} in {:?}, radius {}, net {i}", net.name, set.norm, set.radius);
        let points = points(&net, &set, &mut seeded(i as u64));
        let feeds = |x: &[f64]| [(net.input.clone(), set.tensor(x))];
        for rounding in [Rounding::Nearest, Rounding::Outward] {
            let slack = if rounding == Rounding::Nearest { 1e-9 } else { 0.0 };
            for options in both(rounding) {
                let ends = bounds(&net.output, &[(net.input.clone(), set.domain())], options);
                unknown += ends.0.iter().chain(&ends.1).filter(|e| e.is_infinite()).count();
                ends_seen += 2 * ends.0.len();
                for x in &points {
                    let values = run(&[net.output.clone()], &feeds(x)).concat();
                    complaints.add(format!("{what}, {options:?}"), escape(&ends.0, &ends.1, &values, slack));
                }
                if rounding == Rounding::Nearest {
                    complaints.add(&what, looser("looser than intervals:", &net, &set, &ends));
                }
            }
        }
        let (net, set) = set_seed(DType::F32);
        let (exact, wide) = in_f64(&[net.output.clone()], &[net.input.clone()], &[]);
        for options in both(Rounding::Outward) {
            let (lo, hi) = bounds(&net.output, &[(net.input.clone(), set.domain())], options);
            for x in &points {
                let rounded = run(&[net.output.clone()], &[(net.input.clone(), set.tensor(x))]).concat();
                let value = run(&exact, &[(wide[0].clone(), set.tensor(x).to_dtype(DType::F64))]).concat();
                complaints.add(format!("{what}, {options:?}, f32"), escape(&lo, &hi, &rounded, 0.0));
                complaints.add(format!("{what}, {options:?}, exact"), escape(&lo, &hi, &value, 0.0));
            }
        }
    }
    // Infinite bounds hold everything: only a few, of roots and quotients over large sets, may be.
    assert!(unknown * 20 < ends_seen, "{unknown} of {ends_seen} ends are unknown");
}

// Nodes of a graph whose gradients are not bounded.
const LONG: usize = 66;

// Every sample graph and its gradients over boxes of every subset of its inputs.
fn check_sample(sample: &Sample, dtype: DType, rounding: Rounding, rng: &mut ChaCha8Rng, complaints: &mut Complaints) {
    // Every node of a long graph is bounded by a walk of its own: there, only the value itself is.
    let both_orders = with_gradients(sample);
    let written_out = topological(&unroll(&both_orders, &sample.inputs).unwrap()).len();
    let outputs = if written_out > LONG { vec![sample.output.clone()] } else { both_orders };
    let slack = if dtype == DType::F64 && rounding == Rounding::Nearest { 1e-9 } else { 0.0 };
    for mask in subsets(sample.inputs.len()) {
        let of = Region::random(sample, &mask, [0.0, 1e-4, 0.1, 0.6][rng.random_range(0..4)], rng);
        let (mut inputs, mut fixed) = (Vec::new(), Vec::new());
        for (i, x) in sample.inputs.iter().enumerate() {
            if mask[i] {
                let [lo, hi] = [&of.lo[i], &of.hi[i]].map(|t| Expr::constant(t.clone()));
                inputs.push((x.clone(), Domain::Box { lo, hi }));
            } else {
                fixed.push((x.clone(), of.lo[i].clone()));
            }
        }
        for options in both(rounding) {
            let found = linear_bounds(&outputs, &inputs, options).unwrap();
            let lo = run(&found.iter().map(|b| b.lo.clone()).collect::<Vec<_>>(), &fixed).concat();
            let hi = run(&found.iter().map(|b| b.hi.clone()).collect::<Vec<_>>(), &fixed).concat();
            for _ in 0..4 {
                let values = run(&outputs, &sample.feeds(&of.point(rng))).concat();
                complaints.add(format!("{} {mask:?} {options:?}", sample.name), escape(&lo, &hi, &values, slack));
            }
        }
    }
}

#[test]
fn every_sample_and_its_gradients() {
    let mut complaints = Complaints::default();
    for (seed, sample) in all(DType::F64).iter().enumerate() {
        check_sample(sample, DType::F64, Rounding::Nearest, &mut seeded(800 + seed as u64), &mut complaints);
    }
}

#[test]
fn every_sample_and_its_gradients_in_f32_rounded_outward() {
    let mut complaints = Complaints::default();
    for (seed, sample) in all(DType::F32).iter().enumerate() {
        check_sample(sample, DType::F32, Rounding::Outward, &mut seeded(900 + seed as u64), &mut complaints);
    }
}
