//! Bounds composed with the other transforms.

use super::nets::{self, weights};
use super::{NEAREST, OUTWARD, bounds};
use crate::interval::escape;
use crate::numbers::{Complaints, assert_close, difference, inner, run, seeded, uniform};
use perturb_graph::{
    Conv, DType, Domain, Expr, Interval, Norm, Rounding, Tensor, eval, grad, interval, jvp, linear_bounds, vjp, vmap,
};
use rand::RngExt;

fn ball(center: &Expr, radius: &Expr, norm: Norm) -> Domain {
    Domain::Ball { center: center.clone(), radius: radius.clone(), norm, within: None }
}

/// A network with weights as parameters: `tanh` and `relu` so that slopes depend on the bounds smoothly.
fn trainable(x: &Expr) -> (Expr, Vec<Expr>) {
    let rng = &mut seeded(5);
    let mut param = |name: &str, shape: &[usize]| {
        Expr::param(name, eval(&[weights(rng, shape, DType::F64)], &[]).unwrap().remove(0))
    };
    let params = [param("w1", &[4, 5]), param("b1", &[5]), param("w2", &[5, 4]), param("w3", &[4, 2])];
    let h = x.matmul(&params[0]).add(&params[1]).relu().matmul(&params[2]).tanh().matmul(&params[3]);
    (h, params.to_vec())
}

// Certified training: the gradient of a margin's bound with respect to the weights and to the radius.
#[test]
fn gradients_of_bounds_meet_finite_differences() {
    let (x, center) = (Expr::input("x", [4], DType::F64), Expr::input("center", [4], DType::F64));
    let radius = Expr::input("radius", [], DType::F64);
    let (y, params) = trainable(&x);
    let rng = &mut seeded(6);
    let at = uniform(rng, [4], DType::F64, (-1.0, 1.0));
    for norm in [Norm::Linf, Norm::L2, Norm::L1] {
        let domain = ball(&center, &radius, norm);
        let by_walk = linear_bounds(&[y.clone()], &[(x.clone(), domain.clone())], NEAREST).unwrap().remove(0);
        let of = domain.bounding_box(Rounding::Nearest);
        let by_interval = interval(&[y.clone()], &[(x.clone(), of)], Rounding::Nearest).remove(0);
        for (what, found) in [("linear", by_walk), ("interval", by_interval)] {
            let loss = found.hi.slice_axis(0, 0, 1).sub(&found.lo.slice_axis(0, 1, 2)).sum();
            let variables: Vec<Expr> = params.iter().cloned().chain([radius.clone(), center.clone()]).collect();
            let values: Vec<Tensor> =
                params.iter().map(|p| p.value().unwrap().clone()).chain([Tensor::scalar(0.2), at.clone()]).collect();
            let directions: Vec<Tensor> =
                variables.iter().map(|v| uniform(rng, v.shape(), DType::F64, (-1.0, 1.0))).collect();
            let loss_at = |by: f64| {
                let moved = values.iter().zip(&directions).map(|(v, d)| {
                    let sum = v.to_f64_vec().iter().zip(d.to_f64_vec()).map(|(v, d)| v + by * d).collect();
                    Tensor::new(v.shape(), sum).unwrap()
                });
                run(&[loss.clone()], &variables.iter().cloned().zip(moved).collect::<Vec<_>>())[0][0]
            };
            let numeric = (loss_at(1e-6) - loss_at(-1e-6)) / 2e-6;
            let feeds: Vec<_> = variables.iter().cloned().zip(values.clone()).collect();
            let gradient = run(&grad(&loss, &variables).unwrap(), &feeds);
            let slope: f64 = gradient.iter().zip(&directions).map(|(g, d)| inner(g, &d.to_f64_vec())).sum();
            assert_close(&format!("{what} bounds, {norm:?}"), &[slope], &[numeric], 1e-6);
            let seeds: Vec<Option<Expr>> = directions.iter().map(|d| Some(Expr::constant(d.clone()))).collect();
            let forward = jvp(&[loss.clone()], &variables, &seeds).remove(0).unwrap();
            assert_close(&format!("{what} bounds forward, {norm:?}"), &run(&[forward], &feeds)[0], &[numeric], 1e-6);
        }
    }
}

// Bounds of an input gradient over a whole ball, for networks with kinks and smooth ones.
#[test]
fn bounds_of_gradients_hold_every_gradient() {
    let mut complaints = Complaints::default();
    for i in 0..40 {
        let rng = &mut seeded(2000 + i as u64);
        let net = nets::random(rng, i, DType::F64);
        let gradient = grad(&net.output, std::slice::from_ref(&net.input)).unwrap().remove(0);
        let radius = [1e-2, 0.1, 0.5][i % 3];
        let center = uniform(rng, net.input.shape(), DType::F64, (-1.0, 1.0));
        let middle = Expr::constant(center.clone());
        let domain = ball(&middle, &Expr::scalar(radius, DType::F64), Norm::Linf);
        for options in [NEAREST, OUTWARD] {
            let (lo, hi) = bounds(&gradient, &[(net.input.clone(), domain.clone())], options);
            for _ in 0..10 {
                let values: Vec<f64> =
                    center.to_f64_vec().iter().map(|c| c + radius * rng.random_range(-1.0..1.0)).collect();
                let at = Tensor::new(net.input.shape(), values).unwrap();
                let value = run(&[gradient.clone()], &[(net.input.clone(), at)]).remove(0);
                complaints.add(format!("gradient of {} {options:?}", net.name), escape(&lo, &hi, &value, 1e-9));
            }
        }
    }
}

#[test]
fn batches_of_centers_meet_a_loop() {
    const SIZE: usize = 3;
    let mut complaints = Complaints::default();
    for i in (0..20).chain([38]) {
        let rng = &mut seeded(3000 + i as u64);
        let net = nets::random(rng, i, DType::F64);
        let (shape, radius) = (net.input.shape(), Expr::input("radius", [], DType::F64));
        let center = Expr::input("center", shape, DType::F64);
        let centers = Expr::input("centers", shape.prepend(SIZE), DType::F64);
        let radii = Expr::input("radii", [SIZE], DType::F64);
        let norm = [Norm::Linf, Norm::L2, Norm::L1][i % 3];
        let domain = ball(&center, &radius, norm);
        let one = linear_bounds(&[net.output.clone()], &[(net.input.clone(), domain)], NEAREST).unwrap().remove(0);
        let one = [one.lo, one.hi];
        let all = vmap(&one, &[(center.clone(), centers.clone()), (radius.clone(), radii.clone())], SIZE).unwrap();
        let at = uniform(rng, shape.prepend(SIZE), DType::F64, (-1.0, 1.0));
        let sizes = [0.01, 0.1, 0.3];
        let together = run(&all, &[(centers, at.clone()), (radii, Tensor::new([SIZE], sizes.to_vec()).unwrap())]);
        let mut looped = vec![Vec::new(); 2];
        for (k, size) in sizes.into_iter().enumerate() {
            let feeds =
                [(center.clone(), at.rows(k, k + 1).reshape(shape).unwrap()), (radius.clone(), Tensor::scalar(size))];
            for (all, one) in looped.iter_mut().zip(run(&one, &feeds)) {
                all.extend(one);
            }
        }
        for (t, l) in together.iter().zip(&looped) {
            complaints.add(net.name, difference(t, l, 1e-10));
        }
    }
}

// A ball around x, for a function of that very x: what varies and what it is centred at are told apart.
#[test]
fn domains_may_be_described_through_the_input_itself() {
    let x = Expr::input("x", [2], DType::F64);
    let y = x.tanh().mul(&x).add(&x.relu());
    let radius = Expr::scalar(0.25, DType::F64);
    let at = Tensor::new([2], vec![-0.1, 0.4]).unwrap();
    let apart = Expr::constant(at.clone());
    let want = bounds(&y, &[(x.clone(), ball(&apart, &radius, Norm::Linf))], NEAREST);
    let found = linear_bounds(&[y.clone()], &[(x.clone(), ball(&x, &radius, Norm::Linf))], NEAREST).unwrap().remove(0);
    let got = run(&[found.lo, found.hi], &[(x.clone(), at.clone())]);
    assert_eq!((got[0].clone(), got[1].clone()), want);
    let of = Interval { lo: x.offset(-0.25), hi: x.offset(0.25) };
    let found = interval(&[y], &[(x.clone(), of)], Rounding::Nearest).remove(0);
    let got = run(&[found.lo, found.hi], &[(x, at)]);
    assert!(got[0].iter().zip(&want.0).all(|(i, l)| i <= l) && got[1].iter().zip(&want.1).all(|(i, u)| i >= u));
}

// Weights and inputs vary at once: bounds of a network in a ball of models.
#[test]
fn several_sets_at_once() {
    let mut complaints = Complaints::default();
    let (x, w) = (Expr::input("x", [3], DType::F64), Expr::input("w", [3, 2], DType::F64));
    let y = x.matmul(&w).relu().add(&x.slice_axis(0, 0, 2));
    for seed in 0..20 {
        let rng = &mut seeded(seed);
        let (a, b) = (uniform(rng, [3], DType::F64, (-1.0, 1.0)), uniform(rng, [3, 2], DType::F64, (-1.0, 1.0)));
        let (p, q) = (Expr::constant(a.clone()), Expr::constant(b.clone()));
        let radius = [0.01, 0.1, 0.5][seed as usize % 3];
        let domains = [
            (x.clone(), ball(&p, &Expr::scalar(radius, DType::F64), Norm::L2)),
            (w.clone(), ball(&q, &Expr::scalar(radius, DType::F64), Norm::Linf)),
        ];
        let (lo, hi) = bounds(&y, &domains, OUTWARD);
        for _ in 0..50 {
            let mut direction = uniform(rng, [3], DType::F64, (-1.0, 1.0)).to_f64_vec();
            let length = inner(&direction, &direction).sqrt() * (1.0 + 1e-12);
            direction.iter_mut().zip(a.to_f64_vec()).for_each(|(d, c)| *d = c + radius * *d / length);
            let moved = b.to_f64_vec().iter().map(|v| v + radius * [-1.0, 1.0][rng.random_range(0..2)]).collect();
            let feeds =
                [(x.clone(), Tensor::new([3], direction).unwrap()), (w.clone(), Tensor::new([3, 2], moved).unwrap())];
            complaints.add(seed, escape(&lo, &hi, &run(&[y.clone()], &feeds)[0], 1e-12));
        }
    }
}

// Kernels and images vary at once, with strides, padding, dilation and groups.
#[test]
fn perturbed_kernels() {
    let mut complaints = Complaints::default();
    for seed in 0..12 {
        let rng = &mut seeded(4000 + seed);
        let groups = 1 + seed as usize % 2;
        let (x, w) = (Expr::input("x", [1, 2, 5, 4], DType::F64), Expr::input("w", [4, 2 / groups, 2, 3], DType::F64));
        let conv = Conv {
            strides: vec![1 + seed as usize % 2, 1],
            padding: vec![(1, 0), (1, 2)],
            dilation: vec![1, 1 + seed as usize % 2],
            groups,
            ..Conv::unit(2)
        };
        let head = Expr::constant(uniform(rng, [4, 1, 1], DType::F64, (-1.0, 1.0)));
        let y = x.conv(&w, conv).relu().mul(&head).reduce_sum(&[1], false);
        let (a, b) =
            (uniform(rng, x.shape(), DType::F64, (-1.0, 1.0)), uniform(rng, w.shape(), DType::F64, (-1.0, 1.0)));
        let radius = [0.01, 0.1, 0.4][seed as usize % 3];
        let around = |t: &Tensor| ball(&Expr::constant(t.clone()), &Expr::scalar(radius, DType::F64), Norm::Linf);
        let domains = [(x.clone(), around(&a)), (w.clone(), around(&b))];
        let (lo, hi) = bounds(&y, &domains, OUTWARD);
        let by_interval: Vec<(Expr, Interval)> =
            domains.iter().map(|(v, d)| (v.clone(), d.bounding_box(Rounding::Nearest))).collect();
        let loose = interval(&[y.clone()], &by_interval, Rounding::Nearest).remove(0);
        let loose = run(&[loose.hi.sub(&loose.lo).sum()], &[])[0][0];
        let width: f64 = lo.iter().zip(&hi).map(|(l, h)| h - l).sum();
        assert!(width < loose * (1.0 + 1e-9), "seed {seed}: {width} for {loose} by intervals");
        for _ in 0..50 {
            let mut moved = |t: &Tensor| {
                let step = |v: &f64| v + radius * [-1.0, 1.0][rng.random_range(0..2)];
                Tensor::new(t.shape(), t.to_f64_vec().iter().map(step).collect()).unwrap()
            };
            let feeds = [(x.clone(), moved(&a)), (w.clone(), moved(&b))];
            complaints.add(seed, escape(&lo, &hi, &run(&[y.clone()], &feeds)[0], 1e-12));
        }
    }
}

// A network without a living neuron: the length of a zero covector has derivative 0, not NaN.
#[test]
fn dead_neurons_do_not_poison_gradients() {
    let (x, w) = (Expr::input("x", [2], DType::F64), Expr::input("w", [2, 3], DType::F64));
    let y = x.matmul(&w).offset(-10.0).relu().sum();
    let domain = ball(&x.like(0.5), &Expr::scalar(0.1, DType::F64), Norm::L2);
    let found = linear_bounds(&[y], &[(x, domain)], NEAREST).unwrap().remove(0);
    let gradient = grad(&found.hi, &[w.clone()]).unwrap();
    assert_eq!(run(&gradient, &[(w, Tensor::full([2, 3], 1.0))])[0], [0.0; 6]);
}

// vjp of a point-wide bound is the network's gradient.
#[test]
fn at_radius_zero_bounds_and_their_gradients_are_the_network() {
    let x = Expr::input("x", [4], DType::F64);
    let (y, params) = trainable(&x);
    let center = Expr::input("center", [4], DType::F64);
    let domain = ball(&center, &Expr::scalar(0.0, DType::F64), Norm::L2);
    let found = linear_bounds(&[y.clone()], &[(x.clone(), domain)], NEAREST).unwrap().remove(0);
    let at = uniform(&mut seeded(8), [4], DType::F64, (-1.0, 1.0));
    let value = run(&[y.clone()], &[(x.clone(), at.clone())]);
    let got = run(&[found.lo, found.hi.clone()], &[(center.clone(), at.clone())]);
    assert_close("lower", &got[0], &value[0], 1e-10);
    assert_close("upper", &got[1], &value[0], 1e-10);
    let last = params.last().unwrap();
    let want = run(&vjp(&[y.clone()], &[last.clone()], &[y.like(1.0)]).unwrap(), &[(x, at.clone())]);
    let got = run(&vjp(&[found.hi.clone()], &[last.clone()], &[y.like(1.0)]).unwrap(), &[(center, at)]);
    assert_close("gradient", &got[0], &want[0], 1e-8);
}
