//! The tangent of a loop: a loop over the step's tangent, linear in all tangents.

use super::body::chosen;
use super::trajectory::Primal;
use super::{Body, Scan};
use crate::{Expr, transforms};

/// See [`Primitive::jvp`](crate::Primitive::jvp).
pub(super) fn jvp(scan: &Scan, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
    let body = &scan.body;
    let given: Vec<bool> = tangents.iter().map(Option::is_some).collect();
    let Tangent { varying, seeds, results } = Tangent::new(body, &given);
    if varying.iter().all(|v| !v) {
        return None;
    }
    let (moving, moving_slices, moving_captured) = body.split(&varying);
    let (carry_seeds, slice_seeds, captured_seeds) = body.split(&seeds);
    let (next, outputs) = results.split_at(body.next.len());
    let next: Vec<Expr> = (0..next.len())
        .filter(|&i| moving[i])
        .map(|i| next[i].clone().unwrap_or_else(|| body.next[i].like(0.0)))
        .collect();
    let present: Vec<bool> = outputs.iter().map(Option::is_some).collect();
    let outputs: Vec<Expr> = outputs.iter().flatten().cloned().collect();
    let primal = Primal::of(scan, node.inputs(), &[next.clone(), outputs.clone()].concat());

    // Tangents of the operands; a state that only comes to move starts at rest.
    let operands: Vec<Expr> =
        node.inputs().iter().zip(tangents).map(|(x, t)| t.clone().unwrap_or_else(|| x.like(0.0))).collect();
    let (init, stacks, captured) = body.split(&operands);
    let operands = [
        chosen(init, moving),
        chosen(stacks, moving_slices),
        primal.stacks,
        chosen(captured, moving_captured),
        primal.captured_operands,
    ];
    let step = Body {
        carry: chosen(carry_seeds, moving),
        slices: [chosen(slice_seeds, moving_slices), primal.slices].concat(),
        captured: [chosen(captured_seeds, moving_captured), primal.captured].concat(),
        next,
        outputs,
    };
    if step.next.is_empty() && step.outputs.is_empty() {
        return None;
    }
    let (finals, stacked) = Scan::run(step, scan.length, scan.reverse, &operands.concat());
    let present: Vec<bool> = moving.iter().copied().chain(present).collect();
    let mut moved = finals.into_iter().chain(stacked);
    let part = |(shape, there): (crate::Shape, bool)| {
        let zero = || Expr::full(shape.clone(), 0.0, node.dtype());
        if there { moved.next().unwrap_or_else(zero) } else { zero() }
    };
    let parts: Vec<Expr> = scan.result_shapes().into_iter().zip(present).map(part).collect();
    Some(Scan::pack(&parts))
}

// The step's tangent for the placeholders that vary, a state varying if it does so in any step.
struct Tangent {
    varying: Vec<bool>,
    seeds: Vec<Expr>,
    results: Vec<Option<Expr>>,
}

impl Tangent {
    fn new(body: &Body, given: &[bool]) -> Tangent {
        let placeholders = body.placeholders();
        let seeds: Vec<Expr> = placeholders.iter().map(|p| Expr::input("tangent", p.shape(), p.dtype())).collect();
        let mut varying = given.to_vec();
        loop {
            let tangents: Vec<Option<Expr>> = seeds.iter().zip(&varying).map(|(s, v)| v.then(|| s.clone())).collect();
            let results = transforms::jvp(&body.results(), &placeholders, &tangents);
            let still = (0..body.next.len()).find(|&i| !varying[i] && results[i].is_some());
            match still {
                Some(i) => varying[i] = true,
                None => return Tangent { varying, seeds, results },
            }
        }
    }
}
