//! Generalised matrix product.

use super::finish;
use super::layout::for_each_index;
use crate::interval::{sum_error, underflow};
use crate::op::{Primitive, Relaxation, arity, same_float, separately_linear, shape_error};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// Sums over the contracted axes for every combination of batch and free axes. The result's axes are the batch axes
/// (in the listed order), then the free axes of the left operand, then those of the right one, both ascending.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct DotDims {
    /// Summed axes of the left operand.
    pub lhs_contract: Vec<usize>,
    /// Summed axes of the right operand, paired with `lhs_contract`.
    pub rhs_contract: Vec<usize>,
    /// Batch axes of the left operand.
    pub lhs_batch: Vec<usize>,
    /// Batch axes of the right operand, paired with `lhs_batch`.
    pub rhs_batch: Vec<usize>,
}

impl DotDims {
    /// Axes of an operand of rank `rank` that are neither contracted nor batch.
    pub fn free(rank: usize, contract: &[usize], batch: &[usize]) -> Vec<usize> {
        (0..rank).filter(|a| !contract.contains(a) && !batch.contains(a)).collect()
    }

    fn lhs_free(&self, lhs: &Expr) -> Vec<usize> {
        DotDims::free(lhs.rank(), &self.lhs_contract, &self.lhs_batch)
    }

    fn rhs_free(&self, rhs: &Expr) -> Vec<usize> {
        DotDims::free(rhs.rank(), &self.rhs_contract, &self.rhs_batch)
    }

    fn terms(&self, lhs: &Expr) -> usize {
        self.lhs_contract.iter().map(|&a| lhs.shape()[a]).product()
    }

    fn apply(&self, lhs: &Expr, rhs: &Expr) -> Expr {
        Expr::build(self.clone(), &[lhs.clone(), rhs.clone()])
    }
}

fn valid_axes(rank: usize, contract: &[usize], batch: &[usize]) -> bool {
    let mut all: Vec<usize> = contract.iter().chain(batch).copied().collect();
    all.sort_unstable();
    all.windows(2).all(|w| w[0] < w[1]) && all.last().is_none_or(|&a| a < rank)
}

// The axes in `current` order permuted so that entry k lands at axis `target[k]`.
fn restore(x: Expr, target: &[usize]) -> Expr {
    let mut perm = vec![0; target.len()];
    for (position, &axis) in target.iter().enumerate() {
        perm[axis] = position;
    }
    x.transpose(&perm)
}

impl Primitive for DotDims {
    fn name(&self) -> &'static str {
        "dot"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity("dot", inputs, 2)?;
        let dtype = same_float("dot", inputs)?;
        let (l, r) = (inputs[0].shape(), inputs[1].shape());
        let valid = valid_axes(l.len(), &self.lhs_contract, &self.lhs_batch)
            && valid_axes(r.len(), &self.rhs_contract, &self.rhs_batch)
            && self.lhs_contract.len() == self.rhs_contract.len()
            && self.lhs_batch.len() == self.rhs_batch.len();
        if !valid {
            return shape_error("dot", format!("{self:?} does not name distinct, existing, paired axes"), inputs);
        }
        let pairs = self.lhs_contract.iter().zip(&self.rhs_contract).chain(self.lhs_batch.iter().zip(&self.rhs_batch));
        for (&a, &b) in pairs {
            if l[a] != r[b] {
                return shape_error(
                    "dot",
                    format!("axis {a} of the left and axis {b} of the right operand differ"),
                    inputs,
                );
            }
        }
        let shape = self.lhs_batch.iter().map(|&a| l[a]);
        let shape = shape.chain(self.lhs_free(&inputs[0]).into_iter().map(|a| l[a]));
        Ok((shape.chain(self.rhs_free(&inputs[1]).into_iter().map(|a| r[a])).collect(), dtype))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let (lhs, rhs) = (&node.inputs()[0], &node.inputs()[1]);
        let (a, b) = (inputs[0].to_f64_vec(), inputs[1].to_f64_vec());
        let (ls, rs) = (lhs.shape().strides(), rhs.shape().strides());
        let (lf, rf) = (self.lhs_free(lhs), self.rhs_free(rhs));
        let contracted: Shape = self.lhs_contract.iter().map(|&x| lhs.shape()[x]).collect();
        let batch = self.lhs_batch.len();
        let mut values = Vec::with_capacity(node.shape().count());
        for_each_index(node.shape(), |index| {
            let (bi, rest) = index.split_at(batch);
            let (li, ri) = rest.split_at(lf.len());
            let base =
                |axes: &[usize], i: &[usize], s: &[usize]| axes.iter().zip(i).map(|(&x, i)| i * s[x]).sum::<usize>();
            let lo = base(&self.lhs_batch, bi, &ls) + base(&lf, li, &ls);
            let ro = base(&self.rhs_batch, bi, &rs) + base(&rf, ri, &rs);
            let mut sum = 0.0;
            for_each_index(&contracted, |k| {
                sum += a[lo + base(&self.lhs_contract, k, &ls)] * b[ro + base(&self.rhs_contract, k, &rs)];
            });
            values.push(sum);
        });
        finish(node, values)
    }

    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        separately_linear(varying)
    }

    fn transpose(&self, node: &Expr, cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        let (lhs, rhs) = (&node.inputs()[0], &node.inputs()[1]);
        let (lf, rf) = (self.lhs_free(lhs), self.rhs_free(rhs));
        let (nb, nl, nr) = (self.lhs_batch.len(), lf.len(), rf.len());
        let for_lhs = linear[0].then(|| {
            let dims = DotDims {
                lhs_contract: (nb + nl..nb + nl + nr).collect(),
                rhs_contract: rf.clone(),
                lhs_batch: (0..nb).collect(),
                rhs_batch: self.rhs_batch.clone(),
            };
            // The right operand's remaining free axes are its contracted ones, ascending; name their partners.
            let mut order: Vec<usize> = (0..self.rhs_contract.len()).collect();
            order.sort_unstable_by_key(|&k| self.rhs_contract[k]);
            let target: Vec<usize> =
                self.lhs_batch.iter().chain(&lf).copied().chain(order.iter().map(|&k| self.lhs_contract[k])).collect();
            restore(dims.apply(cotangent, rhs), &target)
        });
        let for_rhs = linear[1].then(|| {
            let dims = DotDims {
                lhs_contract: lf.clone(),
                rhs_contract: (nb..nb + nl).collect(),
                lhs_batch: self.lhs_batch.clone(),
                rhs_batch: (0..nb).collect(),
            };
            let mut order: Vec<usize> = (0..self.lhs_contract.len()).collect();
            order.sort_unstable_by_key(|&k| self.lhs_contract[k]);
            let target: Vec<usize> = self
                .rhs_batch
                .iter()
                .copied()
                .chain(order.iter().map(|&k| self.rhs_contract[k]))
                .chain(rf.clone())
                .collect();
            restore(dims.apply(lhs, cotangent), &target)
        });
        vec![for_lhs, for_rhs]
    }

    fn batch(&self, node: &Expr, inputs: &[Expr], batched: &[bool], _size: usize) -> Expr {
        let shift = |axes: &[usize], by: bool| axes.iter().map(|a| a + usize::from(by)).collect::<Vec<_>>();
        let mut dims = DotDims {
            lhs_contract: shift(&self.lhs_contract, batched[0]),
            rhs_contract: shift(&self.rhs_contract, batched[1]),
            lhs_batch: shift(&self.lhs_batch, batched[0]),
            rhs_batch: shift(&self.rhs_batch, batched[1]),
        };
        if batched[0] && batched[1] {
            dims.lhs_batch.insert(0, 0);
            dims.rhs_batch.insert(0, 0);
            return dims.apply(&inputs[0], &inputs[1]);
        }
        // The new axis is the first free axis of the operand that has it; bring it to the front.
        let position = self.lhs_batch.len() + if batched[0] { 0 } else { self.lhs_free(&node.inputs()[0]).len() };
        dims.apply(&inputs[0], &inputs[1]).move_axis(position, 0)
    }

    // Centre and radius: |W·x − W·c| ≤ |W|·r, and for two uncertain operands
    // |a·b − ca·cb| ≤ |ca|·rb + ra·|cb| + ra·rb.
    fn interval(&self, node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval {
        let (a, b) = (&inputs[0], &inputs[1]);
        if a.is_point() && b.is_point() && rounding == Rounding::Nearest {
            return Interval::point(&self.apply(&a.lo, &b.lo));
        }
        let n = self.terms(&node.inputs()[0]);
        bilinear_interval(a, b, n, node, rounding, &|x, y| self.apply(x, y))
    }

    // As elementwise products and a sum, each with its own planes, see `linear_bounds`.
    fn relax(&self, _node: &Expr, _bounds: &[Interval], _rounding: Rounding) -> Option<Relaxation> {
        None
    }

    // The adjoint sums over the free axes of the operand that stays fixed, the product over the contracted ones.
    fn adjoint_error(&self, node: &Expr, inputs: &[Interval], linear: &[bool]) -> Option<Expr> {
        let (lhs, rhs) = (&node.inputs()[0], &node.inputs()[1]);
        let count = |x: &Expr, free: Vec<usize>| free.into_iter().map(|a| x.shape()[a]).product::<usize>();
        let terms = if linear[0] { count(rhs, self.rhs_free(rhs)) } else { count(lhs, self.lhs_free(lhs)) };
        let size = self.apply(&inputs[0].magnitude(), &inputs[1].magnitude());
        Some(size.scale(sum_error(1.0, terms + self.terms(lhs) + 2, node.dtype())))
    }
}

/// Interval of a bilinear map of `terms` products, by centre and radius.
///
/// Outward, each radius is widened before the map by γ of the operand's magnitude, which covers every rounding inside
/// the map (computing the bound, and the network's own evaluation); one more γ covers the radius's own computation.
pub(super) fn bilinear_interval(
    a: &Interval,
    b: &Interval,
    terms: usize,
    node: &Expr,
    rounding: Rounding,
    map: &dyn Fn(&Expr, &Expr) -> Expr,
) -> Interval {
    let outward = rounding == Rounding::Outward;
    let error = |times: f64| sum_error(times, terms + 8, node.dtype());
    let half = |i: &Interval| {
        let (center, radius) = if i.is_point() { (i.lo.clone(), None) } else { (i.center(), Some(i.radius())) };
        if !outward {
            return (center, radius);
        }
        // Once γ for computing the map of the centre, once for the network's own; four roundings that make centre and
        // radius are among the 8 extra terms.
        let slack = center.abs().scale(error(2.0));
        let slack = slack.add(&center.like(4.0 * underflow(node.dtype())));
        let radius = radius.map_or_else(|| slack.clone(), |r| r.scale(1.0 + error(4.0)).add(&slack));
        (center, Some(radius))
    };
    let ((ca, ra), (cb, rb)) = match (a.is_point(), b.is_point()) {
        // With one exact operand only the other one needs to carry the slack.
        (false, true) => (half(a), (b.lo.clone(), None)),
        (true, _) => ((a.lo.clone(), None), half(b)),
        (false, false) => (half(a), half(b)),
    };
    let center = map(&ca, &cb);
    let mut radius: Option<Expr> = None;
    let mut add = |term: Expr| radius = Some(radius.take().map_or_else(|| term.clone(), |r| r.add(&term)));
    match (&ra, &rb) {
        (Some(ra), None) => add(map(ra, &cb.abs())),
        (None, Some(rb)) => add(map(&ca.abs(), rb)),
        (Some(ra), Some(rb)) => {
            add(map(&ca.abs(), rb));
            add(map(ra, &cb.abs().add(rb)));
        }
        (None, None) => return Interval::point(&center),
    }
    let radius = radius.expect("one operand is uncertain");
    let bounds = Interval { lo: center.sub(&radius), hi: center.add(&radius) };
    if outward { bounds.widen(4.0, rounding) } else { bounds }
}
