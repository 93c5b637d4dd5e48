//! Reductions over axes.

use super::Group;
use crate::error::{NodeError, unsupported};
use crate::node::{Node, Outputs, axes};
use crate::value::Value;
use perturb_graph::{Cast, DType, Expr};

pub(super) const OPS: Group = &[
    ("ReduceL1", |n| reduce(n, |x, axes| x.abs().try_reduce_sum(axes, true))),
    ("ReduceL2", |n| reduce(n, |x, axes| via_floats(n, x, |x| Ok(x.square().try_reduce_sum(axes, true)?.sqrt())))),
    ("ReduceLogSum", |n| reduce(n, |x, axes| via_floats(n, x, |x| Ok(x.try_reduce_sum(axes, true)?.log())))),
    ("ReduceLogSumExp", |n| reduce(n, |x, axes| via_floats(n, x, |x| log_sum_exp(x, axes)))),
    ("ReduceMax", |n| reduce(n, |x, axes| extreme(x, axes, f64::NEG_INFINITY, Expr::try_reduce_max))),
    ("ReduceMean", |n| reduce(n, mean)),
    ("ReduceMin", |n| reduce(n, |x, axes| extreme(x, axes, f64::INFINITY, Expr::try_reduce_min))),
    ("ReduceProd", product),
    ("ReduceSum", |n| reduce(n, |x, axes| x.try_reduce_sum(axes, true))),
    ("ReduceSumSquare", |n| reduce(n, |x, axes| x.square().try_reduce_sum(axes, true))),
];

/// The reduced axes, or `None` if the node is to do nothing. Axes are an attribute in older operator sets and an
/// operand in newer ones; without any, all axes are reduced.
fn reduced_axes(node: &Node, rank: usize) -> Result<Option<Vec<usize>>, NodeError> {
    match node.ints_or_input("axes", 1)? {
        Some(list) if !list.is_empty() => axes(&list, rank).map(Some),
        _ if node.int("noop_with_empty_axes", 0) != 0 => Ok(None),
        _ => Ok(Some((0..rank).collect())),
    }
}

/// Reduces by `expr`, which keeps the axes.
fn reduce(node: &Node, expr: impl Fn(&Expr, &[usize]) -> perturb_graph::Result<Expr>) -> Outputs {
    let value = node.value(0)?;
    let Some(axes) = reduced_axes(node, value.rank())? else { return Ok(vec![value.clone()]) };
    let y = Value::Expr(expr(&value.to_number(node.dtype)?, &axes)?);
    if node.int("keepdims", 1) != 0 {
        return Ok(vec![y]);
    }
    let left: Vec<usize> = (0..value.rank()).filter(|i| !axes.contains(i)).map(|i| value.shape()[i]).collect();
    Ok(vec![y.reshape(left)?])
}

/// A function of floating-point numbers, also of integers, whose result is an integer again.
fn via_floats(node: &Node, x: &Expr, f: impl Fn(&Expr) -> perturb_graph::Result<Expr>) -> perturb_graph::Result<Expr> {
    let cast = |x: Expr, to: DType| Expr::apply(Cast { to }, &[x]);
    if x.dtype().is_float() { f(x) } else { cast(f(&cast(x.clone(), node.dtype)?)?, x.dtype()) }
}

/// The mean; of integers rounded towards 0.
fn mean(x: &Expr, axes: &[usize]) -> perturb_graph::Result<Expr> {
    if x.dtype().is_float() {
        return x.try_reduce_mean(axes, true);
    }
    let sum = x.try_reduce_sum(axes, true)?;
    let count: usize = axes.iter().map(|&a| x.shape()[a]).product();
    sum.try_div(&sum.like(count as f64))
}

/// The largest or smallest element; of nothing, the value that every element would beat.
fn extreme(
    x: &Expr,
    axes: &[usize],
    of_nothing: f64,
    f: fn(&Expr, &[usize], bool) -> perturb_graph::Result<Expr>,
) -> perturb_graph::Result<Expr> {
    if axes.iter().any(|&a| x.shape()[a] == 0) {
        let shape: Vec<usize> = (0..x.rank()).map(|a| if axes.contains(&a) { 1 } else { x.shape()[a] }).collect();
        return Expr::scalar(of_nothing, x.dtype()).try_broadcast_to(shape);
    }
    f(x, axes, true)
}

/// `m + log Σ exp(x − m)` with `m` the maximum, so that nothing overflows.
fn log_sum_exp(x: &Expr, axes: &[usize]) -> perturb_graph::Result<Expr> {
    let max = extreme(x, axes, f64::NEG_INFINITY, Expr::try_reduce_max)?;
    x.try_sub(&max)?.exp().try_reduce_sum(axes, true)?.log().try_add(&max)
}

/// A product of slices, for axes short enough for that.
fn product(node: &Node) -> Outputs {
    const MAX_FACTORS: usize = 256;
    let value = node.value(0)?;
    if let Some(axes) = reduced_axes(node, value.rank())?
        && let Some(axis) = axes.iter().find(|&&a| value.shape()[a] > MAX_FACTORS)
    {
        return unsupported(format!("a product of the {} elements of axis {axis}", value.shape()[*axis]));
    }
    reduce(node, |x, axes| {
        let mut y = x.clone();
        for &axis in axes {
            let (mut low, mut high) = (vec![0; y.rank()], y.shape().to_vec());
            let mut product: Option<Expr> = None;
            for i in 0..y.shape()[axis] {
                (low[axis], high[axis]) = (i, i + 1);
                let factor = y.try_slice(&low, &high, &vec![1; y.rank()])?;
                product = Some(product.map_or(Ok(factor.clone()), |p| p.try_mul(&factor))?);
            }
            y = match product {
                Some(product) => product,
                None => {
                    let shape: Vec<usize> = (0..y.rank()).map(|a| if a == axis { 1 } else { y.shape()[a] }).collect();
                    Expr::scalar(1.0, y.dtype()).try_broadcast_to(shape)?
                }
            };
        }
        Ok(y)
    })
}
