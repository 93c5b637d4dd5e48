//! Graphs to export: every primitive, networks, and what the transforms make of them.

use crate::numbers::{seeded, uniform};
use crate::{nets, samples};
use perturb_graph::{
    DType, Domain, Expr, Graph, Intermediate, Interval, LinearBoundsOptions, Rounding, Tensor, grad, interval, jvp,
    linear_bounds, vjp,
};
use rand_chacha::ChaCha8Rng;

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
