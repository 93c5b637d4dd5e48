//! Loops with carried state.

mod batch;
mod body;
mod derivative;
mod interval;
mod linear;
mod trajectory;
mod transpose;
mod unroll;

pub use body::Body;

use crate::op::{Primitive, shape_error};
use crate::{DType, Expr, GraphError, Interval, MAX_TENSOR_BYTES, Result, Rounding, Shape, Tensor, eval};
use std::sync::Arc;

/// A loop with carried state.
///
/// Operands: the initial states; the stacks that are read, `[length, …slice shape]` each; the captured values. Step
/// `t = 0, 1, … length − 1` (backwards with `reverse`) sets the slices to row `t` of the stacks, computes the next
/// state and the outputs, and writes the outputs to row `t` of their stacks. Result: one vector, the final states
/// followed by the stacked outputs `[length, …]`, all flattened; [`Scan::unpack`] takes it apart.
///
/// Derivatives: the tangent of a loop is a loop of the same direction over the step's tangent, which reads the states
/// that a first loop stacks up; its adjoint runs the other way. Two loops are equal if they share one body.
#[derive(Clone)]
pub struct Scan {
    /// What one step computes.
    pub body: Arc<Body>,
    /// Number of steps.
    pub length: usize,
    /// Whether steps run from the last row to the first.
    pub reverse: bool,
}

impl PartialEq for Scan {
    fn eq(&self, other: &Scan) -> bool {
        Arc::ptr_eq(&self.body, &other.body) && self.length == other.length && self.reverse == other.reverse
    }
}

impl Eq for Scan {}

impl std::hash::Hash for Scan {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (Arc::as_ptr(&self.body) as usize, self.length, self.reverse).hash(state);
    }
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Body { carry, slices, captured, outputs, .. } = &*self.body;
        let counts = [carry, slices, captured, outputs].map(|list| list.len());
        let direction = if self.reverse { "backwards " } else { "" };
        let [carry, slices, captured, outputs] = counts;
        write!(f, "Scan {{ {} steps {direction}of {carry} state(s), {slices} slice(s), ", self.length)?;
        write!(f, "{captured} captured, {outputs} output(s) }}")
    }
}

impl Scan {
    /// Shapes of the final states and of the stacked outputs, in the order of the result.
    pub fn result_shapes(&self) -> Vec<Shape> {
        let finals = self.body.next.iter().map(|n| n.shape().clone());
        finals.chain(self.body.outputs.iter().map(|o| o.shape().prepend(self.length))).collect()
    }

    /// The result taken apart: final states, and stacked outputs.
    #[track_caller]
    pub fn unpack(&self, result: &Expr) -> (Vec<Expr>, Vec<Expr>) {
        let mut at = 0;
        let mut take = |shape: Shape| {
            let from = at;
            at += shape.count();
            result.slice_axis(0, from, at).reshape(shape)
        };
        let mut finals: Vec<Expr> = self.result_shapes().into_iter().map(&mut take).collect();
        let stacked = finals.split_off(self.body.next.len());
        (finals, stacked)
    }

    // The inverse of `unpack`.
    fn pack(parts: &[Expr]) -> Expr {
        let flat: Vec<Expr> = parts.iter().map(|p| p.reshape([p.shape().count()])).collect();
        Expr::concat(&flat, 0)
    }

    // The loop on operands that the caller knows to fit, taken apart.
    fn run(body: Body, length: usize, reverse: bool, operands: &[Expr]) -> (Vec<Expr>, Vec<Expr>) {
        let scan = Scan { body: Arc::new(body), length, reverse };
        scan.unpack(&Expr::build(scan.clone(), operands))
    }

    fn check_operands(&self, inputs: &[Expr]) -> Result<()> {
        let placeholders = self.body.placeholders();
        if inputs.len() != placeholders.len() {
            return shape_error("scan", format!("takes {} operand(s)", placeholders.len()), inputs);
        }
        let stacks = self.body.carry.len()..self.body.carry.len() + self.body.slices.len();
        for (position, (x, p)) in inputs.iter().zip(&placeholders).enumerate() {
            let want = if stacks.contains(&position) { p.shape().prepend(self.length) } else { p.shape().clone() };
            if *x.shape() != want || x.dtype() != p.dtype() {
                let reason = format!("operand {position} must be {}{want}", p.dtype());
                return shape_error("scan", reason, std::slice::from_ref(x));
            }
        }
        Ok(())
    }

    // Step numbers in the order in which they run.
    fn steps(&self) -> Box<dyn Iterator<Item = usize>> {
        if self.reverse { Box::new((0..self.length).rev()) } else { Box::new(0..self.length) }
    }
}

impl Primitive for Scan {
    fn name(&self) -> &'static str {
        "scan"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        self.check_operands(inputs)?;
        let dtype = self.body.dtype();
        let limit = MAX_TENSOR_BYTES;
        let too_large =
            |shape: &Shape, bytes| GraphError::TooLarge { op: "scan".into(), shape: shape.clone(), bytes, limit };
        let mut total = 0u128;
        for shape in self.result_shapes() {
            crate::expr::check_size("scan", &shape, dtype)?;
            total += shape.count() as u128 * dtype.size() as u128;
            if total > limit {
                return Err(too_large(&shape, total));
            }
        }
        Ok(([(total / dtype.size() as u128) as usize].into(), dtype))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let body = &self.body;
        let (init, stacks, captured) = body.split(inputs);
        let fixed: Vec<(Expr, Tensor)> =
            body.captured.iter().cloned().zip(captured.iter().map(|&t| t.clone())).collect();
        let mut state: Vec<Tensor> = init.iter().map(|&t| t.clone()).collect();
        let mut rows: Vec<Vec<Vec<f64>>> = vec![vec![Vec::new(); self.length]; body.outputs.len()];
        let results = body.results();
        for t in self.steps() {
            let slices = stacks.iter().zip(&body.slices);
            let slices = slices.map(|(s, p)| (p.clone(), s.rows(t, t + 1).reshape(p.shape()).expect("one row")));
            let carried = body.carry.iter().cloned().zip(std::mem::take(&mut state));
            let feeds: Vec<(Expr, Tensor)> = carried.chain(slices).chain(fixed.iter().cloned()).collect();
            state = eval(&results, &feeds).expect("a body reaches nothing but its placeholders");
            for (stack, output) in rows.iter_mut().zip(state.drain(body.next.len()..)) {
                stack[t] = output.to_f64_vec();
            }
        }
        let finals = state.iter().flat_map(Tensor::to_f64_vec);
        super::finish(node, finals.chain(rows.into_iter().flatten().flatten()).collect())
    }

    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        linear::group(&self.body, varying)
    }

    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        derivative::jvp(self, node, tangents)
    }

    fn transpose(&self, node: &Expr, cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        transpose::transpose(self, node, cotangent, linear)
    }

    fn batch(&self, _node: &Expr, inputs: &[Expr], batched: &[bool], size: usize) -> Expr {
        batch::batch(self, inputs, batched, size)
    }

    fn interval(&self, node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval {
        interval::interval(self, node, inputs, rounding)
    }
}
