//! Sums of products by a formula of labels.

use super::Group;
use crate::error::{NodeError, invalid, unsupported};
use crate::node::{Node, Outputs};
use perturb_graph::{DotDims, Expr, Shape};

pub(super) const OPS: Group = &[("Einsum", einsum)];

/// An operand with the label of each of its axes.
type Labelled = (Expr, Vec<char>);

/// Operands are multiplied one after another; what no later one needs is summed on the way.
fn einsum(node: &Node) -> Outputs {
    let formula = Formula::parse(node)?;
    let mut rest = formula.operands.into_iter();
    let Some(mut product) = rest.next() else { return invalid("there are no operands") };
    let later: Vec<Labelled> = rest.collect();
    for (i, operand) in later.iter().enumerate() {
        let needed =
            |l: char| formula.output.contains(&l) || later[i + 1..].iter().any(|(_, labels)| labels.contains(&l));
        let product_only = summed(&product, |l| needed(l) || operand.1.contains(&l))?;
        let operand_only = summed(operand, |l| needed(l) || product.1.contains(&l))?;
        product = multiplied(&product_only, &operand_only, needed)?;
    }
    let (result, labels) = summed(&product, |l| formula.output.contains(&l))?;
    let perm: Option<Vec<usize>> = formula.output.iter().map(|l| labels.iter().position(|m| m == l)).collect();
    match perm {
        Some(perm) if perm.len() == labels.len() => Ok(vec![result.try_transpose(&perm)?.into()]),
        _ => invalid("the result has a label that no operand has"),
    }
}

struct Formula {
    operands: Vec<Labelled>,
    output: Vec<char>,
}

impl Formula {
    /// Reads the equation; an ellipsis stands for as many axes as are left, aligned at the end.
    fn parse(node: &Node) -> Result<Formula, NodeError> {
        let text: String = node.text("equation", "").chars().filter(|c| !c.is_whitespace()).collect();
        let (left, right) = text.split_once("->").map_or((text.as_str(), None), |(l, r)| (l, Some(r)));
        let terms: Vec<&str> = left.split(',').collect();
        if terms.len() != node.inputs.len() {
            return invalid(format!("equation {text:?} of {} operands", node.inputs.len()));
        }
        let mut operands = Vec::new();
        let mut hidden = 0;
        for (i, term) in terms.iter().enumerate() {
            let x = node.expr(i)?;
            let named = term.replace("...", "").chars().count();
            let Some(left) = x.rank().checked_sub(named).filter(|&n| n == 0 || term.contains("...")) else {
                return invalid(format!("operand {i} has {} axes, equation {text:?} names {named}", x.rank()));
            };
            hidden = hidden.max(left);
            operands.push(diagonal(x, expanded(term, left)?)?);
        }
        let output = match right {
            Some(right) => expanded(right, hidden)?,
            None => implicit(left, hidden),
        };
        if (1..output.len()).any(|i| output[..i].contains(&output[i])) {
            return unsupported(format!("equation {text:?} with a repeated label in the result"));
        }
        Ok(Formula { operands, output })
    }
}

/// A label for hidden axis `i`, counted from the last.
fn hidden_label(i: usize) -> char {
    char::from_u32(0xE000 + i as u32).unwrap_or('\u{E000}')
}

fn expanded(term: &str, hidden: usize) -> Result<Vec<char>, NodeError> {
    let (before, after) = term.split_once("...").unwrap_or((term, ""));
    if term.len() > 256 || before.chars().chain(after.chars()).any(|c| !c.is_ascii_alphabetic()) {
        return invalid(format!("labels {term:?} must be letters and one ellipsis"));
    }
    let hidden = if term.contains("...") { hidden } else { 0 };
    Ok(before.chars().chain((0..hidden).rev().map(hidden_label)).chain(after.chars()).collect())
}

/// Without a result of its own, the formula gives the hidden axes and then every label that occurs once, in order.
fn implicit(left: &str, hidden: usize) -> Vec<char> {
    let letters: Vec<char> = left.chars().filter(char::is_ascii_alphabetic).collect();
    let mut once: Vec<char> =
        letters.iter().copied().filter(|c| letters.iter().filter(|d| *d == c).count() == 1).collect();
    once.sort_unstable();
    (0..hidden).rev().map(hidden_label).chain(once).collect()
}

/// The diagonal of axes that carry one label.
fn diagonal(mut x: Expr, mut labels: Vec<char>) -> Result<Labelled, NodeError> {
    while let Some((i, j)) = repeated(&labels) {
        let size = x.shape()[i];
        if x.shape()[j] != size || size == 0 {
            return invalid(format!("axes {i} and {j} of one label have sizes {size} and {}", x.shape()[j]));
        }
        let mut perm: Vec<usize> = (0..x.rank()).filter(|a| *a != i && *a != j).collect();
        let others = perm.len();
        perm.extend([i, j]);
        let square = x.try_transpose(&perm)?;
        let lead: Vec<usize> = square.shape()[..others].to_vec();
        let flat = square.try_reshape([lead.as_slice(), &[size * size]].concat())?;
        let mut stride = vec![1; others];
        stride.push(size + 1);
        x = flat.try_slice(&vec![0; others + 1], flat.shape(), &stride)?;
        let label = labels[i];
        labels = perm[..others].iter().map(|&a| labels[a]).chain([label]).collect();
    }
    Ok((x, labels))
}

fn repeated(labels: &[char]) -> Option<(usize, usize)> {
    (0..labels.len()).find_map(|j| labels[..j].iter().position(|l| *l == labels[j]).map(|i| (i, j)))
}

/// Sums over the axes whose labels nothing needs.
fn summed((x, labels): &Labelled, needed: impl Fn(char) -> bool) -> Result<Labelled, NodeError> {
    let axes: Vec<usize> = (0..labels.len()).filter(|&i| !needed(labels[i])).collect();
    let left = labels.iter().copied().filter(|&l| needed(l)).collect();
    Ok((x.try_reduce_sum(&axes, false)?, left))
}

/// Shared labels that are needed are batch axes, the other shared ones are contracted.
fn multiplied(lhs: &Labelled, rhs: &Labelled, needed: impl Fn(char) -> bool) -> Result<Labelled, NodeError> {
    let (lhs, rhs) = (aligned(lhs, rhs)?, aligned(rhs, lhs)?);
    let shared: Vec<char> = lhs.1.iter().copied().filter(|l| rhs.1.contains(l)).collect();
    let (batch, contract): (Vec<char>, Vec<char>) = shared.into_iter().partition(|&l| needed(l));
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

/// The operand repeated along axes of size 1 to the size that the other one gives their label.
fn aligned((x, labels): &Labelled, (other, their): &Labelled) -> Result<Labelled, NodeError> {
    let size = |i: usize| match their.iter().position(|l| *l == labels[i]) {
        Some(j) if x.shape()[i] == 1 => other.shape()[j],
        _ => x.shape()[i],
    };
    let shape: Shape = (0..labels.len()).map(size).collect();
    Ok((x.try_broadcast_to(shape)?, labels.clone()))
}
