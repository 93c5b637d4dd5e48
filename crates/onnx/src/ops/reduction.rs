//! Reductions over axes.

use super::Group;
use crate::error::{NodeError, unsupported};
use crate::host::{self, Fold};
use crate::node::{Node, Outputs, axes};
use crate::value::Value;
use perturb_graph::{DType, Expr};

pub(super) const OPS: Group = &[
    ("ReduceL1", |n| reduce(n, None, |x, axes| x.abs().try_reduce_sum(axes, true))),
    ("ReduceL2", |n| reduce(n, None, |x, axes| Ok(x.square().try_reduce_sum(axes, true)?.sqrt()))),
    ("ReduceLogSum", |n| reduce(n, None, |x, axes| Ok(x.try_reduce_sum(axes, true)?.log()))),
    ("ReduceLogSumExp", |n| reduce(n, None, log_sum_exp)),
    ("ReduceMax", |n| reduce(n, Some(MAX), |x, axes| x.try_reduce_max(axes, true))),
    ("ReduceMean", |n| reduce(n, None, |x, axes| x.try_reduce_mean(axes, true))),
    ("ReduceMin", |n| reduce(n, Some(MIN), |x, axes| x.try_reduce_min(axes, true))),
    ("ReduceProd", product),
    ("ReduceSum", |n| reduce(n, Some(SUM), |x, axes| x.try_reduce_sum(axes, true))),
    ("ReduceSumSquare", |n| reduce(n, None, |x, axes| x.square().try_reduce_sum(axes, true))),
];

const SUM: Fold = (0, i64::checked_add);
const PRODUCT: Fold = (1, i64::checked_mul);
const MAX: Fold = (i64::MIN, |a, b| Some(a.max(b)));
const MIN: Fold = (i64::MAX, |a, b| Some(a.min(b)));

/// The reduced axes, or `None` if the node is to do nothing. Axes are an attribute in older operator sets and an
/// operand in newer ones; without any, all axes are reduced.
fn reduced_axes(node: &Node, rank: usize) -> Result<Option<Vec<usize>>, NodeError> {
    match node.ints_or_input("axes", 1)? {
        Some(list) if !list.is_empty() => axes(&list, rank).map(Some),
        _ if node.int("noop_with_empty_axes", 0) != 0 => Ok(None),
        _ => Ok(Some((0..rank).collect())),
    }
}

/// Reduces by `expr`, which keeps the axes, or integers by `fold`.
fn reduce(node: &Node, fold: Option<Fold>, expr: impl Fn(&Expr, &[usize]) -> perturb_graph::Result<Expr>) -> Outputs {
    let value = node.value(0)?;
    let Some(axes) = reduced_axes(node, value.rank())? else { return Ok(vec![value.clone()]) };
    let keep = node.int("keepdims", 1) != 0;
    if let (Value::Host(t), Some(fold)) = (value, fold)
        && t.dtype() == DType::I64
    {
        return Ok(vec![host::reduce(t, &axes, keep, fold)?.into()]);
    }
    let y = Value::Expr(expr(&value.to_expr(node.dtype)?, &axes)?);
    if keep {
        return Ok(vec![y]);
    }
    let left: Vec<usize> = (0..value.rank()).filter(|i| !axes.contains(i)).map(|i| value.shape()[i]).collect();
    Ok(vec![y.reshape(left)?])
}

/// `m + log Σ exp(x − m)` with `m` the maximum, so that nothing overflows.
fn log_sum_exp(x: &Expr, axes: &[usize]) -> perturb_graph::Result<Expr> {
    let max = x.try_reduce_max(axes, true)?;
    x.try_sub(&max)?.exp().try_reduce_sum(axes, true)?.log().try_add(&max)
}

/// A product of slices, for axes short enough for that.
fn product(node: &Node) -> Outputs {
    const MAX_FACTORS: usize = 256;
    let value = node.value(0)?;
    if let (Value::Expr(x) | Value::Param(x), Some(axes)) = (value, reduced_axes(node, value.rank())?)
        && let Some(axis) = axes.iter().find(|&&a| !(1..=MAX_FACTORS).contains(&x.shape()[a]))
    {
        return unsupported(format!("a product of the {} elements of axis {axis}", x.shape()[*axis]));
    }
    reduce(node, Some(PRODUCT), |x, axes| {
        let mut y = x.clone();
        for &axis in axes {
            let (mut low, mut high) = (vec![0; y.rank()], y.shape().to_vec());
            let mut product: Option<Expr> = None;
            for i in 0..y.shape()[axis] {
                (low[axis], high[axis]) = (i, i + 1);
                let factor = y.try_slice(&low, &high, &vec![1; y.rank()])?;
                product = Some(product.map_or(Ok(factor.clone()), |p| p.try_mul(&factor))?);
            }
            y = product.unwrap_or(y);
        }
        Ok(y)
    })
}
