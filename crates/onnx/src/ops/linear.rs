//! Matrix products.

use super::Group;
use crate::error::invalid;
use crate::node::{Node, Outputs};
use perturb_graph::{DotDims, Expr};

pub(super) const OPS: Group = &[("Gemm", gemm), ("MatMul", matmul)];

fn matmul(node: &Node) -> Outputs {
    Ok(vec![node.expr(0)?.try_matmul(&node.expr(1)?)?.into()])
}

/// `α·A′B′ + β·C`, where A′ and B′ may be transposed.
fn gemm(node: &Node) -> Outputs {
    let (a, b) = (node.expr(0)?, node.expr(1)?);
    if a.rank() != 2 || b.rank() != 2 {
        return invalid("both factors must have 2 axes");
    }
    let (trans_a, trans_b) = (node.int("transA", 0) != 0, node.int("transB", 0) != 0);
    let dims = DotDims {
        lhs_contract: vec![usize::from(!trans_a)],
        rhs_contract: vec![usize::from(trans_b)],
        lhs_batch: vec![],
        rhs_batch: vec![],
    };
    let mut y = scaled(a.try_dot_general(&b, dims)?, node.float("alpha", 1.0));
    let beta = node.float("beta", 1.0);
    if let Some(c) = node.optional_expr(2)?
        && beta != 0.0
    {
        y = y.try_add(&scaled(c.try_broadcast_to(y.shape())?, beta))?;
    }
    Ok(vec![y.into()])
}

fn scaled(x: Expr, factor: f64) -> Expr {
    if factor == 1.0 { x } else { x.mul(&x.like(factor)) }
}
