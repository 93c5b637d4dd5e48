//! Many loops at once.

use super::body::chosen;
use super::{Body, Scan};
use crate::{Expr, transforms};

/// See [`Primitive::batch`](crate::Primitive::batch). Within the loop the batch axis stands behind the axis of steps.
pub(super) fn batch(scan: &Scan, inputs: &[Expr], batched: &[bool], size: usize) -> Expr {
    let body = &scan.body;
    let varying = body.spread(batched);
    let placeholders = body.placeholders();
    let twins: Vec<Expr> = placeholders
        .iter()
        .zip(&varying)
        .map(|(p, &v)| if v { Expr::input("batched", p.shape().prepend(size), p.dtype()) } else { p.clone() })
        .collect();
    let pairs: Vec<(Expr, Expr)> = chosen(&placeholders, &varying).into_iter().zip(chosen(&twins, &varying)).collect();
    let results =
        transforms::vmap(&body.results(), &pairs, size).expect("`vmap` checked the sizes of the body's nodes");
    let (next, outputs) = results.split_at(body.next.len());
    let (carry, slices, captured) = body.split(&twins);
    // A state that does not vary stays one for all.
    let next = (0..next.len()).map(|i| if varying[i] { next[i].clone() } else { body.next[i].clone() }).collect();
    let step = Body {
        carry: carry.to_vec(),
        slices: slices.to_vec(),
        captured: captured.to_vec(),
        next,
        outputs: outputs.to_vec(),
    };
    let stacks = carry.len()..carry.len() + slices.len();
    let operands: Vec<Expr> = (0..inputs.len())
        .map(|i| match (batched[i], varying[i]) {
            (true, _) if stacks.contains(&i) => inputs[i].move_axis(1, 0),
            (false, true) => inputs[i].repeat(size),
            _ => inputs[i].clone(),
        })
        .collect();
    let (finals, stacked) = Scan::run(step, scan.length, scan.reverse, &operands);
    let finals = finals.iter().enumerate().map(|(i, f)| if varying[i] { f.clone() } else { f.repeat(size) });
    let rows: Vec<Expr> = finals
        .chain(stacked.iter().map(|s| s.move_axis(1, 0)))
        .map(|part| part.reshape([size, part.shape()[1..].iter().product()]))
        .collect();
    Expr::concat(&rows, 1)
}
