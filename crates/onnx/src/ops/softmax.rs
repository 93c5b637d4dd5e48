//! Softmax and its logarithm.

use super::Group;
use crate::error::invalid;
use crate::node::{Node, Outputs};
use perturb_graph::Expr;

pub(super) const OPS: Group =
    &[("LogSoftmax", |n| softmax(n, Expr::log_softmax)), ("Softmax", |n| softmax(n, Expr::softmax))];

/// From operator set 13 along one axis; before, over all axes from `axis` on, flattened.
fn softmax(node: &Node, f: fn(&Expr, usize) -> Expr) -> Outputs {
    let x = node.expr_of_rank(0, 1)?;
    if x.shape().contains(&0) {
        return invalid("there is no distribution over nothing");
    }
    if node.opset >= 13 {
        return Ok(vec![f(&x, node.axis("axis", -1, x.rank())?).into()]);
    }
    let axis = node.axis("axis", 1.min(x.rank() as i64 - 1), x.rank())?;
    let rows: usize = x.shape()[..axis].iter().product();
    let columns: usize = x.shape()[axis..].iter().product();
    Ok(vec![f(&x.try_reshape([rows, columns])?, 1).try_reshape(x.shape())?.into()])
}
