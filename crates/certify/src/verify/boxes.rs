//! Bounds of functionals over many boxes of inputs at once, each with the plane below it.

use super::network::Network;
use super::query::Row;
use crate::Result;
use crate::batched::Batched;
use perturb_graph::{
    Bounder, DType, Domain, Expr, Interval, LinearBoundsOptions, Op, Rounding, Tensor, grad, topological,
};

/// A box of inputs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Corners {
    pub lower: Vec<f32>,
    pub upper: Vec<f32>,
}

impl Corners {
    /// The middle of one side; not inside of the side if no other `f32` lies there.
    pub fn middle(&self, input: usize) -> f32 {
        0.5 * self.lower[input] + 0.5 * self.upper[input]
    }

    /// Both halves along one input; they share the cut.
    pub fn halves(&self, input: usize, at: f32) -> [Corners; 2] {
        let (mut below, mut above) = (self.clone(), self.clone());
        below.upper[input] = at;
        above.lower[input] = at;
        [below, above]
    }
}

/// An executable that bounds rows of functionals over boxes by CROWN, with all inner bounds computed for each box, in `f32`
/// rounded to nearest: for the search.
pub(crate) struct BoxBounds {
    batched: Batched,
    constants: Vec<f64>,
}

/// What the search knows of some rows' left sides on some boxes.
pub(crate) struct BoxesFound {
    /// Lower bounds, `[boxes · rows]`; NaN where nothing is known.
    pub lower: Vec<f64>,
    /// Slopes of the planes below, `[boxes · rows · inputs]`.
    pub slopes: Vec<f32>,
    /// How many operands of `relu`s have an open sign, `[boxes]`.
    pub open_signs: Vec<f32>,
}

impl BoxBounds {
    /// Compiles bounds of the left sides of `rows` for `items` boxes at a time.
    ///
    /// # Errors
    /// If a primitive has no rule, or one box needs more than `memory_limit` bytes.
    pub fn compile(network: &Network, rows: &[&Row], items: usize, memory_limit: u64) -> Result<BoxBounds> {
        let corners = corners(network)?;
        let (bounder, values) = inner_bounds(network, &corners)?;
        let count = rows.len();
        let mut matrix = vec![0.0; count * network.width()];
        for (row, target) in rows.iter().zip(matrix.chunks_mut(network.width())) {
            row.write(network.outputs, target);
        }
        let matrix = Tensor::new([count, network.width()], matrix)?;
        let lower = bounder.functionals(&values, &Expr::constant(matrix))?.lo;
        let mut planes = Vec::with_capacity(count);
        for row in 0..count {
            // A·(lo + hi)/2 − |A|·(hi − lo)/2: the derivatives by both ends sum to A.
            let of = grad(&lower.slice_axis(0, row, row + 1).reshape([]), &corners)?;
            planes.push(of[0].add(&of[1]).reshape([1, network.inputs()]));
        }
        let mut open = Expr::constant(Tensor::scalar(0.0f32));
        for operand in relu_operands(&values) {
            let bounds = bounder.bounds(&operand);
            let zero = bounds.lo.like(0.0);
            let straddles = zero.greater(&bounds.lo).mul(&bounds.hi.greater(&zero));
            open = open.add(&Expr::select(&straddles, &bounds.lo.like(1.0), &zero).sum());
        }
        let outputs = [lower, Expr::try_concat(&planes, 0)?, open.reshape([1])];
        let batched = Batched::compile(&outputs, &corners, &[], items, memory_limit, "a box of inputs")?;
        Ok(BoxBounds { batched, constants: rows.iter().map(|r| r.constant).collect() })
    }

    /// Bounds over some boxes.
    ///
    /// # Errors
    /// If the executable fails.
    pub fn run(&self, boxes: &[&Corners]) -> Result<BoxesFound> {
        let mut found = self.batched.run(boxes.len(), &[], |item, k, target| {
            target.copy_from_slice(if k == 0 { &boxes[item].lower } else { &boxes[item].upper });
        })?;
        let open_signs = found.pop().unwrap_or_default();
        let slopes = found.pop().unwrap_or_default();
        let lower = found.pop().unwrap_or_default();
        let constants = self.constants.iter().cycle();
        Ok(BoxesFound {
            lower: lower.iter().zip(constants).map(|(&l, c)| f64::from(l) + c).collect(),
            slopes,
            open_signs,
        })
    }
}

// Placeholders of a box.
fn corners(network: &Network) -> Result<[Expr; 2]> {
    let shape = network.input.shape();
    Ok([Expr::try_input("lower", shape, DType::F32)?, Expr::try_input("upper", shape, DType::F32)?])
}

// The network bounded over a box up to its last nonlinear node.
fn inner_bounds(network: &Network, corners: &[Expr; 2]) -> Result<(Bounder, Expr)> {
    let domain = Domain::Box { lo: corners[0].clone(), hi: corners[1].clone() };
    let options = LinearBoundsOptions { rounding: Rounding::Nearest, ..LinearBoundsOptions::default() };
    let (mut bounder, prepared) =
        Bounder::new(std::slice::from_ref(&network.values), &[(network.input.clone(), domain)], options)?;
    let improvable: Vec<u64> = bounder.to_tighten().iter().map(Expr::id).collect();
    for node in nonlinear_operands(&prepared[0]).into_iter().filter(|n| n.id() != network.input.id()) {
        let bounds = if improvable.contains(&node.id()) { bounder.elementwise(&node)? } else { bounder.bounds(&node) };
        // The plane's slopes are derivatives with the inner bounds held fixed.
        bounder.tighten(&node, Interval { lo: bounds.lo.stop_gradient(), hi: bounds.hi.stop_gradient() });
    }
    Ok((bounder, prepared[0].clone()))
}

// Operands of nodes that are not linear, in topological order.
fn nonlinear_operands(output: &Expr) -> Vec<Expr> {
    let order = topological(std::slice::from_ref(output));
    let mut wanted = std::collections::HashSet::new();
    for node in order.iter().filter(|n| matches!(n.op(), Op::Unary(_) | Op::MaxPool(_) | Op::ReduceMax(_))) {
        wanted.extend(node.inputs().iter().map(Expr::id));
    }
    order.into_iter().filter(|n| wanted.contains(&n.id()) && !n.op().is_leaf()).collect()
}

// Operands of the `relu`s.
fn relu_operands(output: &Expr) -> Vec<Expr> {
    let order = topological(std::slice::from_ref(output));
    order
        .iter()
        .filter(|n| matches!(n.op(), Op::Unary(perturb_graph::Unary::Relu)))
        .map(|n| n.inputs()[0].clone())
        .collect()
}
