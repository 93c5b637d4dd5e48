//! Interval bounds of margins.

use perturb_graph::{
    Expr, GraphError, Interval, Result, Rounding, Shape, Tensor, dependents, substitute, topological, try_interval,
    vjp, vmap,
};
use std::collections::HashSet;

/// Upper bounds `[N, classes]` of the margins `z_j − z_y` of `logits [N, classes]` over the boxes `region` around the inputs
/// `x [N, …]`, with y by one-hot `targets [N, classes]`: 0 for y itself. An example is certified if all others are negative.
///
/// Intervals are propagated up to the last nonlinear nodes, and what follows, which is affine, is merged with the margin
/// ("elision", Gowal et al. 2018, §3): of an affine map with coefficients a, the interval with centre c and radius r has
/// the upper bound `a·c + |a|·r`. Rounding is to nearest: for training, not for verdicts.
///
/// # Errors
/// If `logits` is no matrix, a node mixes examples, or shapes do not fit.
pub fn interval_margins(logits: &Expr, targets: &Expr, x: &Expr, region: &Interval) -> Result<Expr> {
    let &[n, classes] = &logits.shape()[..] else { return refuse("needs logits [N, classes]", logits) };
    let frontier = frontier(logits, x);
    let known = try_interval(&frontier, &[(x.clone(), region.clone())], Rounding::Nearest)?;
    let inputs = |e: &Expr| Expr::try_input("frontier", e.shape(), e.dtype());
    let free = frontier.iter().map(inputs).collect::<Result<Vec<Expr>>>()?;
    let pairs: Vec<(Expr, Expr)> = frontier.iter().cloned().zip(free.iter().cloned()).collect();
    let tail = substitute(std::slice::from_ref(logits), &pairs)?.remove(0);
    let margins = tail.try_sub(&tail.try_mul(targets)?.try_reduce_sum(&[1], true)?)?;

    // The margin over class j has the same place in every example, so one covector gives the coefficients of all examples.
    let covector = Expr::try_input("covector", [n, classes], logits.dtype())?;
    let pulled = vjp(std::slice::from_ref(&margins), &free, std::slice::from_ref(&covector))?;
    let column = |i: usize| if i / (n * classes) == i % classes { 1.0 } else { 0.0 };
    let columns = (0..classes * n * classes).map(column).collect();
    let columns = Expr::constant(Tensor::from_f64([classes, n, classes], logits.dtype(), columns)?);
    let coefficients = vmap(&pulled, &[(covector, columns)], classes)?;

    let centers: Vec<(Expr, Expr)> = free.iter().cloned().zip(known.iter().map(Interval::center)).collect();
    let mut upper = substitute(&[margins], &centers)?.remove(0);
    for (coefficients, known) in coefficients.iter().zip(&known) {
        if known.lo.shape().first() != Some(&n) {
            return refuse("a node before the last affine layers has no axis of examples", &known.lo);
        }
        let elements: usize = known.lo.shape()[1..].iter().product();
        let flat = |e: &Expr, lead: &[usize]| e.try_reshape([lead, &[n, elements]].concat());
        let radius = flat(&known.radius(), &[])?;
        let spread = flat(&coefficients.abs(), &[classes])?.try_mul(&radius)?.try_reduce_sum(&[2], false)?;
        upper = upper.try_add(&spread.try_transpose(&[1, 0])?)?;
    }
    Ok(upper)
}

// The last nonlinear nodes that depend on `x` on the way to `output`, and `x` itself where it is reached without one.
fn frontier(output: &Expr, x: &Expr) -> Vec<Expr> {
    let varying = dependents(std::slice::from_ref(output), std::slice::from_ref(x));
    let (mut reached, mut frontier) = (HashSet::from([output.id()]), Vec::new());
    for node in topological(std::slice::from_ref(output)).into_iter().rev() {
        if !reached.contains(&node.id()) || !varying.contains(&node.id()) {
            continue;
        }
        let mask: Vec<bool> = node.inputs().iter().map(|i| varying.contains(&i.id())).collect();
        let linear = node.id() != x.id() && node.op().primitive().is_some_and(|p| p.linear_in(&mask).is_some());
        if linear {
            reached.extend(node.inputs().iter().map(Expr::id));
        } else {
            frontier.push(node);
        }
    }
    frontier
}

fn refuse<T>(reason: &str, at: &Expr) -> Result<T> {
    let shapes: Vec<Shape> = vec![at.shape().clone()];
    Err(GraphError::Shape { op: "interval_margins".into(), reason: reason.into(), shapes })
}
