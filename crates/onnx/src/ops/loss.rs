//! Losses of logits against class numbers.

use super::Group;
use crate::error::{NodeError, invalid};
use crate::node::Node;
use perturb_graph::{DType, Expr};

pub(super) const OPS: Group = &[
    ("NegativeLogLikelihoodLoss", |n| Ok(vec![likelihood(n, &n.expr_of_rank(0, 2)?)?.into()])),
    ("SoftmaxCrossEntropyLoss", |n| {
        let x = n.expr_of_rank(0, 2)?;
        if x.shape()[1] == 0 {
            return invalid("there are no classes");
        }
        let log = x.log_softmax(1);
        Ok(vec![likelihood(n, &log)?.into(), log.into()])
    }),
];

/// `−w[t]·x[n, t, …]` with the class numbers `t [N, …]`; the mean is weighted. Elements of the class `ignore_index`
/// count for nothing.
fn likelihood(node: &Node, x: &Expr) -> Result<Expr, NodeError> {
    let target = node.number(1)?;
    if target.dtype() != DType::I64 {
        return invalid("class numbers must be integers");
    }
    let mut column = target.shape().to_vec();
    if column.is_empty() {
        return invalid("class numbers must have the axes of the logits without that of the classes");
    }
    column.insert(1, 1);
    let counted = match node.has("ignore_index") {
        true => {
            let ignored = target.try_equal(&target.like(node.int("ignore_index", 0) as f64))?;
            ignored.like(1.0).sub(&ignored)
        }
        false => target.like(1.0),
    };
    // A class number that counts for nothing need not exist.
    let class = Expr::try_select(&counted, &target, &target.like(0.0))?;
    let chosen = x.try_take_along_axis(1, &class.try_reshape(column)?)?.try_reshape(target.shape())?;
    let counted = crate::value::cast(&counted, x.dtype())?;
    let weight = match node.optional_expr(2)? {
        Some(weights) if weights.rank() == 1 => weights.try_gather(0, &class)?.try_mul(&counted)?,
        Some(_) => return invalid("weights must be one number for each class"),
        None => counted,
    };
    let losses = chosen.try_mul(&weight)?.neg();
    match node.text("reduction", "mean").as_str() {
        "none" => Ok(losses),
        "sum" => Ok(losses.sum()),
        "mean" => Ok(losses.sum().try_div(&weight.sum())?),
        other => invalid(format!("reduction {other:?}")),
    }
}
