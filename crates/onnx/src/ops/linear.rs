//! Matrix products.

use super::Group;
use crate::error::{NodeError, invalid, unsupported};
use crate::node::{Node, Outputs};
use perturb_graph::{DotDims, Expr};

pub(super) const OPS: Group = &[("Einsum", einsum), ("Gemm", gemm), ("MatMul", matmul)];

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

/// The forms that are sums, permutations, or one generalised matrix product.
fn einsum(node: &Node) -> Outputs {
    let equation: String = node.text("equation", "").chars().filter(|c| !c.is_whitespace()).collect();
    let Some((left, output)) = equation.split_once("->") else {
        return unsupported(format!("equation {equation:?} without an explicit result"));
    };
    let terms: Vec<Vec<char>> = left.split(',').map(|t| t.chars().collect()).collect();
    let output: Vec<char> = output.chars().collect();
    for labels in terms.iter().chain([&output]) {
        if labels.iter().enumerate().any(|(i, l)| !l.is_ascii_alphabetic() || labels[..i].contains(l)) {
            return unsupported(format!("equation {equation:?} with an ellipsis or a repeated label in one operand"));
        }
    }
    if terms.len() != node.inputs.len() || terms.is_empty() || terms.len() > 2 {
        return unsupported(format!("equation {equation:?} of {} operands", node.inputs.len()));
    }
    let mut operands = Vec::new();
    for (i, labels) in terms.iter().enumerate() {
        let x = node.expr(i)?;
        if x.rank() != labels.len() {
            return invalid(format!(
                "operand {i} has {} axes, but equation {equation:?} names {}",
                x.rank(),
                labels.len()
            ));
        }
        let other = if terms.len() == 2 { terms[1 - i].as_slice() } else { &[] };
        operands.push(summed(x, labels, |l| output.contains(&l) || other.contains(&l))?);
    }
    let (result, labels) = match operands.as_slice() {
        [(x, labels)] => (x.clone(), labels.clone()),
        [lhs, rhs] => product(lhs, rhs, &output)?,
        _ => return invalid("there are no operands"),
    };
    let perm: Option<Vec<usize>> = output.iter().map(|l| labels.iter().position(|m| m == l)).collect();
    match perm {
        Some(perm) if perm.len() == labels.len() => Ok(vec![result.try_transpose(&perm)?.into()]),
        _ => invalid(format!("the result of equation {equation:?} has a label that no operand has")),
    }
}

type Labelled = (Expr, Vec<char>);

/// Sums over the axes whose labels nothing else uses.
fn summed(x: Expr, labels: &[char], kept: impl Fn(char) -> bool) -> Result<Labelled, NodeError> {
    let axes: Vec<usize> = (0..labels.len()).filter(|&i| !kept(labels[i])).collect();
    let left = labels.iter().copied().filter(|&l| kept(l)).collect();
    Ok((x.try_reduce_sum(&axes, false)?, left))
}

/// Shared labels that the result keeps are batch axes, the other shared ones are contracted.
fn product(lhs: &Labelled, rhs: &Labelled, output: &[char]) -> Result<Labelled, NodeError> {
    let shared = |l: &&char| rhs.1.contains(*l);
    let batch: Vec<char> = lhs.1.iter().filter(shared).filter(|l| output.contains(l)).copied().collect();
    let contract: Vec<char> = lhs.1.iter().filter(shared).filter(|l| !output.contains(l)).copied().collect();
    let positions = |of: &[char], labels: &[char]| -> Vec<usize> {
        of.iter().filter_map(|l| labels.iter().position(|m| m == l)).collect()
    };
    let dims = DotDims {
        lhs_contract: positions(&contract, &lhs.1),
        rhs_contract: positions(&contract, &rhs.1),
        lhs_batch: positions(&batch, &lhs.1),
        rhs_batch: positions(&batch, &rhs.1),
    };
    let free = |labels: &[char]| {
        labels.iter().filter(|l| !batch.contains(l) && !contract.contains(l)).copied().collect::<Vec<_>>()
    };
    let labels = [batch.clone(), free(&lhs.1), free(&rhs.1)].concat();
    Ok((lhs.0.try_dot_general(&rhs.0, dims)?, labels))
}
