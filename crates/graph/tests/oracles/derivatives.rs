//! Forward and reverse mode against central differences, against each other, and against themselves at second order.

use crate::numbers::{Complaints, assert_close, difference, inner_all, run, seeded, uniform};
use crate::samples::{Sample, all};
use perturb_graph::{DType, Expr, Tensor, grad, jvp, vjp};
use rand_chacha::ChaCha8Rng;

const STEP: f64 = 1e-5;
const TOLERANCE: f64 = 2e-7;

/// A direction for every input of a sample, as inputs of a graph and as values.
struct Directions {
    inputs: Vec<Expr>,
    values: Vec<Tensor>,
}

impl Directions {
    fn new(name: &str, of: &[Expr], rng: &mut ChaCha8Rng) -> Directions {
        let inputs = of.iter().map(|x| Expr::input(name, x.shape(), x.dtype())).collect();
        Directions { inputs, values: of.iter().map(|x| uniform(rng, x.shape(), x.dtype(), (-1.0, 1.0))).collect() }
    }

    fn feeds(&self) -> Vec<(Expr, Tensor)> {
        self.inputs.iter().cloned().zip(self.values.iter().cloned()).collect()
    }

    fn numbers(&self) -> Vec<Vec<f64>> {
        self.values.iter().map(Tensor::to_f64_vec).collect()
    }
}

fn moved(point: &[Tensor], direction: &[Tensor], by: f64) -> Vec<Tensor> {
    let step = |(p, d): (&Tensor, &Tensor)| {
        let values = p.to_f64_vec().iter().zip(d.to_f64_vec()).map(|(p, d)| p + by * d).collect();
        Tensor::from_f64(p.shape(), p.dtype(), values).unwrap()
    };
    point.iter().zip(direction).map(step).collect()
}

/// Central difference of `outputs` along a direction of the sample's inputs.
fn central(outputs: &[Expr], sample: &Sample, point: &[Tensor], dir: &[Tensor], rest: &[(Expr, Tensor)]) -> Vec<f64> {
    let at = |by: f64| run(outputs, &[sample.feeds(&moved(point, dir, by)), rest.to_vec()].concat()).concat();
    at(STEP).iter().zip(at(-STEP)).map(|(p, m)| (p - m) / (2.0 * STEP)).collect()
}

// A tangent or covector as a graph gives it; one that is missing is zero.
fn or_zero(tangents: Vec<Option<Expr>>, outputs: &[Expr]) -> Vec<Expr> {
    tangents.into_iter().zip(outputs).map(|(t, o)| t.unwrap_or_else(|| o.like(0.0))).collect()
}

fn tangents(outputs: &[Expr], inputs: &[Expr], directions: &[Expr]) -> Vec<Expr> {
    let seeds: Vec<Option<Expr>> = directions.iter().cloned().map(Some).collect();
    or_zero(jvp(outputs, inputs, &seeds), outputs)
}

#[test]
fn first_order() {
    let mut complaints = Complaints::default();
    for (seed, sample) in all(DType::F64).iter().enumerate() {
        let rng = &mut seeded(seed as u64);
        let point = sample.point(rng);
        let out = std::slice::from_ref(&sample.output);
        let (v, ct) = (Directions::new("v", &sample.inputs, rng), Directions::new("ct", out, rng));
        let feeds = [sample.feeds(&point), v.feeds(), ct.feeds()].concat();
        let forward = run(&tangents(out, &sample.inputs, &v.inputs), &feeds);
        let numeric = central(out, sample, &point, &v.values, &[]);
        complaints.add(format!("jvp of {}", sample.name), difference(&forward.concat(), &numeric, TOLERANCE));

        let reverse = vjp(out, &sample.inputs, &ct.inputs).unwrap();
        for (r, x) in reverse.iter().zip(&sample.inputs) {
            assert_eq!((r.shape(), r.dtype()), (x.shape(), x.dtype()), "vjp of {}", sample.name);
        }
        let left = inner_all(&ct.numbers(), &forward);
        let right = inner_all(&run(&reverse, &feeds), &v.numbers());
        complaints.add(format!("vjp of {}", sample.name), difference(&[right], &[left], 1e-12));
    }
}

// Reverse mode for one input at a time: the mask of varying operands differs from that of all together.
#[test]
fn single_inputs() {
    let mut complaints = Complaints::default();
    for (seed, sample) in all(DType::F64).iter().enumerate() {
        let rng = &mut seeded(100 + seed as u64);
        let feeds = sample.feeds(&sample.point(rng));
        let whole = run(&grad(&sample.output, &sample.inputs).unwrap(), &feeds);
        for (input, want) in sample.inputs.iter().zip(&whole) {
            let alone = grad(&sample.output, std::slice::from_ref(input)).unwrap();
            complaints.add(&sample.name, difference(&run(&alone, &feeds)[0], want, 1e-12));
        }
    }
}

#[test]
fn second_order() {
    let mut complaints = Complaints::default();
    for (seed, sample) in all(DType::F64).iter().enumerate() {
        let rng = &mut seeded(200 + seed as u64);
        let point = sample.point(rng);
        let out = std::slice::from_ref(&sample.output);
        let ct = Directions::new("ct", out, rng);
        let (u, v) = (Directions::new("u", &sample.inputs, rng), Directions::new("v", &sample.inputs, rng));
        let rest = [ct.feeds(), u.feeds(), v.feeds()].concat();
        let feeds = [sample.feeds(&point), rest.clone()].concat();

        let gradient = vjp(out, &sample.inputs, &ct.inputs).unwrap();
        let forward = run(&tangents(&gradient, &sample.inputs, &v.inputs), &feeds);
        let numeric = central(&gradient, sample, &point, &v.values, &rest);
        complaints.add(format!("jvp of vjp of {}", sample.name), difference(&forward.concat(), &numeric, TOLERANCE));

        // ⟨u, H v⟩ both ways, and forward over forward: d²/dv² ⟨ct, f⟩ = ⟨v, H v⟩.
        let reverse = run(&vjp(&gradient, &sample.inputs, &u.inputs).unwrap(), &feeds);
        let (left, right) = (inner_all(&u.numbers(), &forward), inner_all(&reverse, &v.numbers()));
        complaints.add(format!("vjp of vjp of {}", sample.name), difference(&[right], &[left], 1e-11));
        let twice = tangents(&tangents(out, &sample.inputs, &v.inputs), &sample.inputs, &v.inputs);
        let curvature = inner_all(&ct.numbers(), &run(&twice, &feeds));
        let want = inner_all(&v.numbers(), &forward);
        complaints.add(format!("jvp of jvp of {}", sample.name), difference(&[curvature], &[want], 1e-11));
    }
}

// What a primitive claims to be linear in must be: ⟨f(x), y⟩ = ⟨x, fᵀ(y)⟩, without any derivative.
#[test]
fn linear_primitives_are_adjoint_to_their_transposes() {
    let (mut complaints, mut checked) = (Complaints::default(), 0);
    for (seed, sample) in all(DType::F64).iter().enumerate() {
        let direct = sample.output.inputs().iter().map(Expr::id).eq(sample.inputs.iter().map(Expr::id));
        let floats = sample.inputs.iter().all(|x| x.dtype().is_float());
        let Some(rules) = sample.output.op().primitive().filter(|_| direct && floats) else { continue };
        let rng = &mut seeded(300 + seed as u64);
        let feeds = sample.feeds(&sample.point(rng));
        for mask in crate::numbers::subsets(sample.inputs.len()) {
            // Only whole groups: the map is linear in the group while the rest stays fixed.
            if rules.linear_in(&mask) != Some(mask.clone()) {
                continue;
            }
            let ct = Directions::new("y", std::slice::from_ref(&sample.output), rng);
            let group: Vec<Expr> = (0..mask.len()).filter(|&i| mask[i]).map(|i| sample.inputs[i].clone()).collect();
            let transposed = rules.transpose(&sample.output, &ct.inputs[0], &mask);
            let adjoint: Vec<Expr> =
                (0..mask.len()).filter(|&i| mask[i]).map(|i| transposed[i].clone().unwrap()).collect();
            let all_feeds = [feeds.clone(), ct.feeds()].concat();
            let left = inner_all(&run(std::slice::from_ref(&sample.output), &feeds), &ct.numbers());
            let right = inner_all(&run(&group, &feeds), &run(&adjoint, &all_feeds));
            complaints.add(format!("{} in {mask:?}", sample.name), difference(&[right], &[left], 1e-12));
            checked += 1;
        }
    }
    assert!(checked > 150, "only {checked} linear maps were found");
}

#[test]
fn stop_gradient_passes_values_and_stops_derivatives() {
    let x = Expr::input("x", [2], DType::F64);
    let at = Tensor::new([2], vec![2.0, -3.0]).unwrap();
    let y = x.mul(&x.square().stop_gradient()).sum();
    let gradient = grad(&y, &[x.clone()]).unwrap();
    assert_eq!(run(&[y], &[(x.clone(), at.clone())])[0], [8.0 - 27.0]);
    assert_eq!(run(&gradient, &[(x.clone(), at)])[0], [4.0, 9.0]);
    assert!(jvp(&[x.stop_gradient()], &[x.clone()], &[Some(x.clone())])[0].is_none());
}

// At kinks and ties, by convention: relu' (0) = 0, the maximum's derivative is shared, a pool takes the first.
#[test]
fn conventions_at_kinks() {
    let x = Expr::input("x", [1, 1, 3], DType::F64);
    let at = |y: &Expr, v: [f64; 3]| {
        let feed = (x.clone(), Tensor::new([1, 1, 3], v.to_vec()).unwrap());
        run(&grad(y, &[x.clone()]).unwrap(), &[feed])[0].clone()
    };
    assert_eq!(at(&x.relu(), [0.0, -1.0, 1.0]), [0.0, 0.0, 1.0]);
    assert_eq!(at(&x.abs(), [0.0, -1.0, 1.0]), [0.0, -1.0, 1.0]);
    assert_eq!(at(&x.reduce_max(&[2], false), [4.0, 4.0, 1.0]), [0.5, 0.5, 0.0]);
    assert_eq!(at(&x.max_pool(perturb_graph::Pool::square(3, 1)), [4.0, 4.0, 1.0]), [1.0, 0.0, 0.0]);
}

// The derivatives of x·eˣ of every order are (x + n)·eˣ.
#[test]
fn fifth_order() {
    let x = Expr::input("x", [3], DType::F64);
    let mut y = x.mul(&x.exp());
    for _ in 0..5 {
        y = grad(&y, &[x.clone()]).unwrap().remove(0);
    }
    let at = [-1.5f64, 0.25, 1.0];
    let want: Vec<f64> = at.iter().map(|x| (x + 5.0) * x.exp()).collect();
    assert_close("x·exp(x)", &run(&[y], &[(x, Tensor::new([3], at.to_vec()).unwrap())])[0], &want, 1e-12);
}

// f(x) = sin(x²)·tanh(y): ∂³f/∂x²∂y = (2 cos x² − 4x² sin x²)·(1 − tanh² y), by forward over forward over reverse mode
// and by three forward passes.
#[test]
fn third_order_in_two_variables() {
    let (x, y) = (Expr::input("x", [2], DType::F64), Expr::input("y", [2], DType::F64));
    let f = x.square().sin().mul(&y.tanh());
    let along = |f: &Expr, v: &Expr| jvp(&[f.clone()], &[v.clone()], &[Some(v.like(1.0))]).remove(0).unwrap();
    let reverse = grad(&f, &[y.clone()]).unwrap().remove(0);
    let mixed = along(&along(&reverse, &x), &x);
    let forward = along(&along(&along(&f, &x), &y), &x);
    let (at, with) = ([0.7f64, -1.3], [0.4f64, -0.9]);
    let want: Vec<f64> = at
        .iter()
        .zip(with)
        .map(|(x, y)| (2.0 * (x * x).cos() - 4.0 * x * x * (x * x).sin()) * (1.0 - y.tanh().powi(2)))
        .collect();
    let tensor = |v: [f64; 2]| Tensor::new([2], v.to_vec()).unwrap();
    let values = run(&[mixed, forward], &[(x, tensor(at)), (y, tensor(with))]);
    assert_close("jvp of jvp of vjp", &values[0], &want, 1e-12);
    assert_close("jvp of jvp of jvp", &values[1], &want, 1e-12);
}

// The third derivatives of the elementwise functions, by reverse, forward and reverse mode in turn.
#[test]
fn third_order_of_elementwise_functions() {
    let x = Expr::input("x", [2], DType::F64);
    let at = [0.3f64, -0.4];
    type Case = (&'static str, fn(&Expr) -> Expr, fn(f64) -> f64);
    let cases: [Case; 9] = [
        ("log1p", Expr::log1p, |x| 2.0 / (1.0 + x).powi(3)),
        ("expm1", Expr::expm1, f64::exp),
        ("tan", Expr::tan, |x| (1.0 + x.tan().powi(2)) * (2.0 + 6.0 * x.tan().powi(2))),
        ("asin", Expr::asin, |x| (1.0 + 2.0 * x * x) / (1.0 - x * x).powf(2.5)),
        ("acos", Expr::acos, |x| -(1.0 + 2.0 * x * x) / (1.0 - x * x).powf(2.5)),
        ("atan", Expr::atan, |x| (6.0 * x * x - 2.0) / (1.0 + x * x).powi(3)),
        ("sinh", Expr::sinh, f64::cosh),
        ("asinh", Expr::asinh, |x| (2.0 * x * x - 1.0) / (1.0 + x * x).powf(2.5)),
        ("atanh", Expr::atanh, |x| (2.0 + 6.0 * x * x) / (1.0 - x * x).powi(3)),
    ];
    for (name, f, third) in cases {
        let first = grad(&f(&x), &[x.clone()]).unwrap().remove(0);
        let second = jvp(&[first], &[x.clone()], &[Some(x.like(1.0))]).remove(0).unwrap();
        let of = grad(&second, &[x.clone()]).unwrap();
        let got = run(&of, &[(x.clone(), Tensor::new([2], at.to_vec()).unwrap())]);
        assert_close(name, &got[0], &at.map(third), 1e-11);
    }
}

// Of equal elements, each place of a sorted vector has the derivative of the element that a stable sort puts there.
#[test]
fn sorting_equal_elements() {
    let x = Expr::input("x", [3], DType::F64);
    let weights = Expr::constant(Tensor::new([3], vec![1.0, 10.0, 100.0]).unwrap());
    let feed = [(x.clone(), Tensor::new([3], vec![2.0, 1.0, 2.0]).unwrap())];
    for (descending, want) in [(false, [10.0, 1.0, 100.0]), (true, [1.0, 100.0, 10.0])] {
        let y = x.sort(0, descending).mul(&weights).sum();
        assert_eq!(run(&grad(&y, &[x.clone()]).unwrap(), &feed)[0], want);
    }
}
