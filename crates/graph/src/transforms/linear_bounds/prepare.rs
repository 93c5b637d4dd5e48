//! Rewrites that give every nonlinear node of a graph a relaxation: what has none of its own is expressed through
//! nodes that have one.

use crate::transforms::unroll;
use crate::{Binary, Convolution, DotDims, Expr, Op, ReduceSum, Result, Shape, Slot, dependents, topological};
use std::collections::HashMap;

/// Outputs rewritten, and what rewritten nodes were before.
pub(crate) struct Prepared {
    /// The outputs, so that every nonlinear node has a relaxation where one is known.
    pub outputs: Vec<Expr>,
    /// By id of a node that stands for another primitive: that primitive on the rewritten operands.
    pub originals: HashMap<u64, Expr>,
}

/// Rewrites what depends on `variables`: quotients with a varying divisor become products with a reciprocal, powers with a
/// varying exponent exponentials, maxima and minima become a sum with a `relu`, x·x becomes a square, and a matrix product of two varying operands becomes
/// elementwise products and a sum, as does a convolution of a varying image with a varying kernel. Loops are written out.
pub(crate) fn prepare(outputs: &[Expr], variables: &[Expr]) -> Result<Prepared> {
    let outputs = &unroll(outputs, variables)?;
    let varying = dependents(outputs, variables);
    let mut map: HashMap<u64, Expr> = HashMap::new();
    let mut originals = HashMap::new();
    for node in topological(outputs) {
        if !varying.contains(&node.id()) || node.op().is_leaf() || variables.iter().any(|v| v.id() == node.id()) {
            continue;
        }
        let operands: Vec<Expr> = node.inputs().iter().map(|i| map.get(&i.id()).unwrap_or(i).clone()).collect();
        let varies: Vec<bool> = node.inputs().iter().map(|i| varying.contains(&i.id())).collect();
        let changed = operands.iter().zip(node.inputs()).any(|(a, b)| a.id() != b.id());
        let same = if changed { Expr::apply(node.op().clone(), &operands)? } else { node.clone() };
        let rewritten = rewrite(&same, &varies)?;
        if let Some(rewritten) = &rewritten {
            originals.insert(rewritten.id(), same.clone());
        }
        if changed || rewritten.is_some() {
            map.insert(node.id(), rewritten.unwrap_or(same));
        }
    }
    let outputs = outputs.iter().map(|o| map.get(&o.id()).unwrap_or(o).clone()).collect();
    Ok(Prepared { outputs, originals })
}

// What stands for a node that has no relaxation of its own. Of a maximum and a minimum, the operand that stays fixed (if
// any) is the one that the other is compared with: then only one term varies, and its interval is exact.
fn rewrite(node: &Expr, varies: &[bool]) -> Result<Option<Expr>> {
    // Integers have intervals only.
    if !node.dtype().is_float() {
        return Ok(None);
    }
    let operands = node.inputs();
    let by_base = || if varies[1] && !varies[0] { (&operands[0], &operands[1]) } else { (&operands[1], &operands[0]) };
    Ok(match node.op() {
        Op::Binary(Binary::Div) if varies[1] => Some(operands[0].mul(&operands[1].reciprocal())),
        Op::Binary(Binary::Max) => {
            let (base, other) = by_base();
            Some(base.add(&other.sub(base).relu()))
        }
        Op::Binary(Binary::Min) => {
            let (base, other) = by_base();
            Some(base.sub(&base.sub(other).relu()))
        }
        // Unknown where the base may be negative, as the interval is.
        Op::Binary(Binary::Pow) if varies[1] => Some(operands[1].mul(&operands[0].log()).exp()),
        Op::Binary(Binary::Mul) if operands[0].id() == operands[1].id() => Some(operands[0].square()),
        Op::Dot(dims) if varies.iter().all(|&v| v) => Some(products_and_sum(dims, operands, node.shape())?),
        Op::Conv(conv) if varies.iter().all(|&v| v) && conv.result == Slot::Response => {
            Some(patches_and_products(conv, operands, node.shape())?)
        }
        _ => None,
    })
}

// [batch, left free, right free, contracted] as one elementwise product, summed over the contracted axes.
fn products_and_sum(dims: &DotDims, operands: &[Expr], shape: &Shape) -> Result<Expr> {
    let (lhs, rhs) = (&operands[0], &operands[1]);
    let (lf, rf) = (
        DotDims::free(lhs.rank(), &dims.lhs_contract, &dims.lhs_batch),
        DotDims::free(rhs.rank(), &dims.rhs_contract, &dims.rhs_batch),
    );
    let sizes = |axes: &[usize]| axes.iter().map(|&a| lhs.shape()[a]).collect::<Vec<_>>();
    let (nb, nl, nr, nk) = (dims.lhs_batch.len(), lf.len(), rf.len(), dims.lhs_contract.len());
    let full: Vec<usize> = shape.iter().copied().chain(sizes(&dims.lhs_contract)).collect();
    let spread = |x: &Expr, order: Vec<usize>, axes: Vec<usize>| {
        let moved = x.try_transpose(&order)?;
        Expr::apply(crate::Broadcast { shape: full.clone().into(), axes }, &[moved])
    };
    let contracted = nb + nl + nr..nb + nl + nr + nk;
    let left = spread(
        lhs,
        dims.lhs_batch.iter().chain(&lf).chain(&dims.lhs_contract).copied().collect(),
        (0..nb + nl).chain(contracted.clone()).collect(),
    )?;
    let right = spread(
        rhs,
        dims.rhs_batch.iter().chain(&rf).chain(&dims.rhs_contract).copied().collect(),
        (0..nb).chain(nb + nl..nb + nl + nr + nk).collect(),
    )?;
    Expr::apply(ReduceSum { axes: contracted.collect() }, &[left.try_mul(&right)?])
}

// A convolution as the product of patches [N, groups, C/groups, window, positions…] with kernels
// [groups, O/groups, C/groups, window].
fn patches_and_products(conv: &Convolution, operands: &[Expr], shape: &Shape) -> Result<Expr> {
    let (image, kernel) = (&operands[0], &operands[1]);
    let (groups, outputs) = (conv.groups, kernel.shape()[0]);
    let (examples, inputs, positions) = (image.shape()[0], kernel.shape()[1], &shape[2..]);
    let window: Shape = kernel.shape()[2..].into();
    let both = |f: &dyn Fn(usize) -> usize| [0, 0].into_iter().chain((0..window.len()).map(f)).collect::<Vec<_>>();
    let padded = image.try_pad(&both(&|a| conv.padding[a].0), &both(&|a| conv.padding[a].1))?;
    let mut patches = Vec::with_capacity(window.count());
    for flat in 0..window.count() {
        let offset = |a: usize| flat / window.strides()[a] % window[a] * conv.dilation[a];
        let start = both(&offset);
        let mut end = both(&|a| offset(a) + (positions[a] - 1) * conv.strides[a] + 1);
        end[..2].copy_from_slice(&padded.shape()[..2]);
        let mut steps = both(&|a| conv.strides[a]);
        steps[..2].fill(1);
        let lead = [examples, groups, inputs, 1];
        patches.push(padded.try_slice(&start, &end, &steps)?.try_reshape(join(&lead, positions))?);
    }
    let patches = Expr::try_concat(&patches, 3)?;
    let kernels = kernel.try_reshape([groups, outputs / groups, inputs, window.count()])?;
    let dims = DotDims { lhs_contract: vec![2, 3], rhs_contract: vec![2, 3], lhs_batch: vec![1], rhs_batch: vec![0] };
    // [groups, N, positions…, O/groups] back to [N, O, positions…].
    let product: Shape = join(&[groups, examples], positions).iter().copied().chain([outputs / groups]).collect();
    let last = product.len() - 1;
    let order: Vec<usize> = [1, 0, last].into_iter().chain(2..last).collect();
    products_and_sum(&dims, &[patches, kernels], &product)?.try_transpose(&order)?.try_reshape(shape.clone())
}

fn join(lead: &[usize], rest: &[usize]) -> Shape {
    lead.iter().chain(rest).copied().collect()
}
