//! Graphs to export: every primitive, networks, and what the transforms make of them.

use crate::numbers::{seeded, uniform};
use crate::{nets, samples};
use perturb_graph::{
    ArgMax, ArgSort, CumSum, DType, Domain, Expr, Fft, Gather, Graph, Intermediate, Interval, LinearBoundsOptions,
    Rounding, ScatterAdd, Sort, Tensor, grad, interval, jvp, linear_bounds, vjp,
};
use rand_chacha::ChaCha8Rng;

/// Primitives that the standard has no operators for.
pub const NOT_WRITTEN: [&str; 7] = ["cholesky", "eigh", "qr", "random_bits", "solve", "svd", "triangular_solve"];

/// A graph and a point to evaluate it at.
pub struct Case {
    pub name: String,
    pub graph: Graph,
    pub point: Vec<Tensor>,
}

impl Case {
    fn new(name: String, inputs: &[Expr], outputs: Vec<Expr>, point: Vec<Tensor>) -> Case {
        // Samples may call several inputs by one name; a file's inputs need their own.
        let named: Vec<Expr> =
            inputs.iter().enumerate().map(|(i, x)| Expr::input(format!("in{i}"), x.shape(), x.dtype())).collect();
        let pairs: Vec<_> = inputs.iter().cloned().zip(named.iter().cloned()).collect();
        let outputs = perturb_graph::substitute(&outputs, &pairs).unwrap();
        let outputs = outputs.into_iter().enumerate().map(|(i, y)| (format!("out{i}"), y)).collect();
        Case { name, graph: Graph::new(named, outputs).unwrap(), point }
    }

    /// The graph's inputs with their values.
    pub fn feeds(&self) -> Vec<(Expr, Tensor)> {
        self.graph.inputs.iter().cloned().zip(self.point.iter().cloned()).collect()
    }
}

/// Outputs of inputs, and where to evaluate them.
struct Function {
    name: &'static str,
    inputs: Vec<Expr>,
    outputs: Vec<Expr>,
    point: Vec<Tensor>,
}

/// Functions that the samples lack: of integers, of indices, of order; loops.
fn more(dtype: DType) -> Vec<Function> {
    let x = Expr::input("x", [2, 3, 4], dtype);
    let i = Expr::input("i", [2, 5], DType::I64);
    let values = (0..24).map(|v| f64::from(v * 7 % 24) / 8.0 - 1.4).collect();
    let at = Tensor::from_f64([2, 3, 4], dtype, values).unwrap();
    let index = Tensor::new([2, 5], vec![0i64, 2, 2, 1, 0, 1, 1, 0, 2, 2]).unwrap();
    let apply = |op: perturb_graph::Op, inputs: &[&Expr]| {
        Expr::apply(op, &inputs.iter().map(|e| (*e).clone()).collect::<Vec<_>>()).unwrap()
    };
    let order = |descending| apply(ArgSort { axis: 1, descending }.into(), &[&x]);
    let gathered = |axis, batch| apply(Gather { axis, batch }.into(), &[&x, &i]);
    let scattered = |axis: usize, batch: usize| {
        let source =
            if batch == 0 { x.slice_axis(2, 0, 2).transpose(&[2, 0, 1]).reshape([2, 2, 3]) } else { x.clone() };
        let updates = apply(Gather { axis, batch }.into(), &[&source, &i]).square();
        apply(ScatterAdd { axis, batch, size: 3 }.into(), &[&updates, &i])
    };
    let sums = |exclusive, reverse| apply(CumSum { axis: 1, exclusive, reverse }.into(), &[&x.square()]);
    let looped = |reverse| {
        let init = [x.slice_axis(0, 0, 1).reshape([3, 4]), Expr::full([2], 0.5, dtype)];
        let (last, all) = Expr::scan(&init, &[x.clone(), x.square()], 2, reverse, |state, rows| {
            let next = state[0].mul(&rows[0]).add(&x.reduce_sum(&[0], false)).tanh();
            let other = state[1].add(&rows[1].reduce_sum(&[1], false).slice_axis(0, 0, 2));
            Ok((vec![next.clone(), other], vec![next.relu(), rows[1].reduce_max(&[0], false)]))
        })
        .unwrap();
        [last, all].concat()
    };
    let n = i.offset(-1.0);
    let signal = x.reshape([3, 4, 2]);
    let small = x.scale(1e-6);
    let functions: Vec<(&'static str, Vec<Expr>)> = vec![
        ("gather", vec![gathered(1, 0), gathered(0, 0).square()]),
        ("gather, paired", vec![gathered(1, 1), apply(Gather { axis: 2, batch: 1 }.into(), &[&x, &i])]),
        ("scatter_add", vec![scattered(1, 0), scattered(1, 1), scattered(2, 1)]),
        ("sort", vec![apply(Sort { axis: 1, descending: false }.into(), &[&x.round()])]),
        ("order", vec![order(false), order(true), apply(ArgMax { axis: 2 }.into(), &[&x.round()])]),
        ("running sums", vec![sums(false, false), sums(true, false), sums(false, true), sums(true, true)]),
        ("casts", vec![x.cast(DType::I64), i.cast(dtype), x.round().cast(DType::Bool), n.cast(DType::Bool)]),
        ("integers", vec![n.add(&i).mul(&i), n.neg().abs(), n.sign(), n.square(), i.div(&n), n.rem(&i), n.pow(&i)]),
        ("integer comparisons", vec![n.greater(&i.rem(&i.like(2.0))), Expr::select(&n, &i, &n), n.maximum(&i)]),
        ("integer reductions", vec![i.reduce_sum(&[1], false), n.reduce_max(&[0], false)]),
        ("near 0", vec![small.log1p(), small.expm1(), x.scale(40.0).expm1(), x.offset(0.4).log1p()]),
        ("atan2 and remainder", vec![x.atan2(&x.reverse(&[2])), x.rem(&x.reverse(&[1])), x.abs().pow(&x)]),
        (
            "Fourier transform",
            vec![
                apply(Fft { inverse: false }.into(), &[&signal]),
                apply(Fft { inverse: true }.into(), &[&signal.square()]),
            ],
        ),
        ("loop", looped(false)),
        ("loop backwards", looped(true)),
    ];
    let function = |(name, outputs)| Function {
        name,
        inputs: vec![x.clone(), i.clone()],
        outputs,
        point: vec![at.clone(), index.clone()],
    };
    functions.into_iter().map(function).collect()
}

/// Every sample, and its gradient.
pub fn primitives(dtype: DType) -> Vec<Case> {
    let mut rng = seeded(11);
    let mut cases = Vec::new();
    for sample in samples::all(dtype) {
        let point = sample.point(&mut rng);
        let outputs = vec![sample.output.clone()];
        let is_float = |x: &Expr| x.dtype().is_float();
        if is_float(&sample.output) && sample.inputs.iter().all(is_float) {
            let weights = uniform(&mut rng, sample.output.shape(), dtype, (0.5, 1.5));
            let gradient = vjp(&outputs, &sample.inputs, &[Expr::constant(weights)]).unwrap();
            let name = format!("gradient of {}", sample.name);
            cases.push(Case::new(name, &sample.inputs, gradient, point.clone()));
        }
        cases.push(Case::new(sample.name, &sample.inputs, outputs, point));
    }
    for Function { name, inputs, outputs, point } in more(dtype) {
        let floats: Vec<Expr> = outputs.iter().filter(|y| y.dtype() == dtype).cloned().collect();
        if !floats.is_empty() {
            let weights: Vec<Expr> =
                floats.iter().map(|y| Expr::constant(uniform(&mut rng, y.shape(), dtype, (0.5, 1.5)))).collect();
            let gradient = vjp(&floats, &inputs[..1], &weights).unwrap();
            cases.push(Case::new(format!("gradient of {name}"), &inputs, gradient, point.clone()));
        }
        cases.push(Case::new(name.to_string(), &inputs, outputs, point));
    }
    cases
}

/// Twenty kinds of networks: values, a gradient, a Hessian times a vector, bounds, several examples at once.
pub fn networks(dtype: DType) -> Vec<Case> {
    let mut rng = seeded(12);
    (0..20).flat_map(|i| network(&mut rng, i, dtype)).collect()
}

fn network(rng: &mut ChaCha8Rng, i: usize, dtype: DType) -> Vec<Case> {
    let net = nets::random(rng, i, dtype);
    let (x, y) = (net.input, net.output);
    let at = uniform(rng, x.shape(), dtype, (-1.0, 1.0));
    let case = |what: &str, outputs: Vec<Expr>| {
        Case::new(format!("net {i}, {}, {what}", net.name), std::slice::from_ref(&x), outputs, vec![at.clone()])
    };
    let direction = Expr::constant(uniform(rng, x.shape(), dtype, (-1.0, 1.0)));
    let gradient = grad(&y.square().sum(), std::slice::from_ref(&x)).unwrap();
    let curvature = jvp(&gradient, std::slice::from_ref(&x), &[Some(direction)]).remove(0);
    let mut cases = vec![case("value", vec![y.clone()]), case("gradient", gradient)];
    cases.extend(curvature.map(|c| case("Hessian-vector product", vec![c])));
    let around = |e: f64| (x.offset(-e), x.offset(e));
    for rounding in [Rounding::Nearest, Rounding::Outward] {
        let (lo, hi) = around(0.1);
        let varying = Expr::input("varying", x.shape(), dtype);
        let moved = perturb_graph::substitute(std::slice::from_ref(&y), &[(x.clone(), varying.clone())]).unwrap();
        let bounds = interval(&moved, &[(varying, Interval { lo: lo.clone(), hi: hi.clone() })], rounding).remove(0);
        cases.push(case(&format!("interval, {rounding:?}"), vec![bounds.lo, bounds.hi]));
        let options = LinearBoundsOptions { rounding, intermediate: Intermediate::Backward };
        let bounds =
            linear_bounds(std::slice::from_ref(&y), &[(x.clone(), Domain::Box { lo, hi })], options).unwrap().remove(0);
        cases.push(case(&format!("CROWN, {rounding:?}"), vec![bounds.lo, bounds.hi]));
    }
    let graph = Graph::new(vec![x.clone()], vec![("y".into(), y)]).unwrap().vmap(3).unwrap();
    let batch = uniform(rng, graph.inputs[0].shape(), dtype, (-1.0, 1.0));
    let name = format!("net {i}, {}, three examples", net.name);
    cases.push(Case::new(name, &graph.inputs, graph.output_exprs(), vec![batch]));
    cases
}
