//! Bounds of functionals over many boxes of inputs at once, each with the plane below it.

use super::network::Network;
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
    pub rows: usize,
    pub inputs: usize,
}

/// What the search knows of the functionals on some boxes.
pub(crate) struct BoxesFound {
    /// Lower bounds, `[boxes · rows]`; NaN where nothing is known.
    pub lower: Vec<f32>,
    /// Slopes of the planes below, `[boxes · rows · inputs]`.
    pub slopes: Vec<f32>,
}

impl BoxBounds {
    /// Compiles bounds of `rows [rows, values of the network]` for `items` boxes at a time.
    ///
    /// # Errors
    /// If a primitive has no rule, or one box needs more than `memory_limit` bytes.
    pub fn compile(network: &Network, rows: &Tensor, items: usize, memory_limit: u64) -> Result<BoxBounds> {
        let corners = corners(network)?;
        let Inner { bounder, values, .. } = inner_bounds(network, &corners, Rounding::Nearest)?;
        let count = rows.shape()[0];
        let lower = bounder.functionals(&values, &Expr::constant(rows.clone()))?.lo;
        let mut planes = Vec::with_capacity(count);
        for row in 0..count {
            // A·(lo + hi)/2 − |A|·(hi − lo)/2: the derivatives by both ends sum to A.
            let of = grad(&lower.slice_axis(0, row, row + 1).reshape([]), &corners)?;
            planes.push(of[0].add(&of[1]).reshape([1, network.inputs()]));
        }
        let outputs = [lower, Expr::try_concat(&planes, 0)?];
        let batched = Batched::compile(&outputs, &corners, &[], items, memory_limit, "a box of inputs")?;
        Ok(BoxBounds { batched, rows: count, inputs: network.inputs() })
    }

    /// Bounds over some boxes.
    ///
    /// # Errors
    /// If the executable fails.
    pub fn run(&self, boxes: &[&Corners]) -> Result<BoxesFound> {
        let mut found = self.batched.run(boxes.len(), &[], |item, k, target| {
            target.copy_from_slice(if k == 0 { &boxes[item].lower } else { &boxes[item].upper });
        })?;
        let slopes = found.pop().unwrap_or_default();
        Ok(BoxesFound { lower: found.pop().unwrap_or_default(), slopes })
    }
}

/// An executable that tells whether a combination of constraints is positive on boxes, in real arithmetic: inner bounds in
/// `f32`, the combination in `f64`, all rounded outward.
pub(crate) struct BoxProof {
    batched: Batched,
}

impl BoxProof {
    /// Compiles for combinations of `rows` (coefficients `[rows, values]`, exact in `f64`) with `constants`.
    ///
    /// # Errors
    /// If a primitive has no rule, or one box needs more than `memory_limit` bytes.
    pub fn compile(
        network: &Network,
        double: &Network,
        (rows, constants): (&Tensor, &[f64]),
        items: usize,
        memory_limit: u64,
    ) -> Result<BoxProof> {
        let corners = corners(network)?;
        let inner = inner_bounds(network, &corners, Rounding::Outward)?;
        let wide = |e: &Expr| e.cast(DType::F64);
        let domain = Domain::Box { lo: wide(&corners[0]), hi: wide(&corners[1]) };
        let options = LinearBoundsOptions { rounding: Rounding::Outward, ..LinearBoundsOptions::default() };
        let (mut bounder, prepared) =
            Bounder::new(std::slice::from_ref(&double.values), &[(double.input.clone(), domain)], options)?;
        for (node, bounds) in nonlinear_operands(&prepared[0]).iter().zip(&inner.bounds) {
            if node.id() != double.input.id() && node.shape() == bounds.lo.shape() {
                bounder.tighten(node, Interval { lo: wide(&bounds.lo), hi: wide(&bounds.hi) });
            }
        }
        let count = rows.shape()[0];
        let weights = Expr::try_input("weights", [count], DType::F32)?;
        let combined = wide(&weights).reshape([1, count]).try_matmul(&Expr::constant(rows.to_dtype(DType::F64)))?;
        let functional = combined.reshape(prepared[0].shape().prepend(1));
        let lower = bounder.functionals(&prepared[0], &functional)?.lo.reshape([]);
        let constants = Expr::constant(Tensor::new([count], constants.to_vec())?);
        let sum = lower.add(&wide(&weights).inner(&constants));
        // Rounding of the two sums.
        let magnitude = lower.abs().add(&wide(&weights).inner(&constants.abs()));
        let margin = sum.sub(&magnitude.scale((count + 4) as f64 * f64::EPSILON));
        // Rounding to f32 keeps the sign.
        let outputs = [margin.cast(DType::F32)];
        let [lo, hi] = corners;
        let batched = Batched::compile(&outputs, &[lo, hi, weights], &[], items, memory_limit, "a box of inputs")?;
        Ok(BoxProof { batched })
    }

    /// For each box, whether the combination of rows by its weights, multiples of 2⁻¹² of at most 1, is positive on it.
    ///
    /// # Errors
    /// If the executable fails.
    pub fn holds(&self, boxes: &[(&Corners, &[f32])]) -> Result<Vec<bool>> {
        let found = self.batched.run(boxes.len(), &[], |item, k, target| {
            let (corners, weights) = boxes[item];
            target.copy_from_slice([corners.lower.as_slice(), &corners.upper, weights][k]);
        })?;
        Ok(found[0].iter().map(|&margin| margin > 0.0).collect())
    }
}

// Placeholders of a box.
fn corners(network: &Network) -> Result<[Expr; 2]> {
    let shape = network.input.shape();
    Ok([Expr::try_input("lower", shape, DType::F32)?, Expr::try_input("upper", shape, DType::F32)?])
}

// The network bounded over a box up to its last nonlinear node.
struct Inner {
    bounder: Bounder,
    values: Expr,
    // Bounds of the operands of nodes that are not linear, in topological order.
    bounds: Vec<Interval>,
}

fn inner_bounds(network: &Network, corners: &[Expr; 2], rounding: Rounding) -> Result<Inner> {
    let domain = Domain::Box { lo: corners[0].clone(), hi: corners[1].clone() };
    let options = LinearBoundsOptions { rounding, ..LinearBoundsOptions::default() };
    let (mut bounder, prepared) =
        Bounder::new(std::slice::from_ref(&network.values), &[(network.input.clone(), domain)], options)?;
    let improvable: Vec<u64> = bounder.to_tighten().iter().map(Expr::id).collect();
    let mut found = Vec::new();
    for node in nonlinear_operands(&prepared[0]) {
        let bounds = if improvable.contains(&node.id()) { bounder.elementwise(&node)? } else { bounder.bounds(&node) };
        // The plane's slopes are derivatives with the inner bounds held fixed.
        let fixed = Interval { lo: bounds.lo.stop_gradient(), hi: bounds.hi.stop_gradient() };
        if node.id() != network.input.id() {
            bounder.tighten(&node, fixed.clone());
        }
        found.push(fixed);
    }
    Ok(Inner { bounder, values: prepared[0].clone(), bounds: found })
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
