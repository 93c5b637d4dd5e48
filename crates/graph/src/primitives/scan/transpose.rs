//! The adjoint of a linear loop: a loop over the step's adjoint that runs the other way.

use super::body::chosen;
use super::trajectory::Primal;
use super::{Body, Scan};
use crate::{Expr, dependents, transforms};

/// See [`Primitive::transpose`](crate::Primitive::transpose). Cotangents of captured values add up in the carried state.
pub(super) fn transpose(scan: &Scan, node: &Expr, cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
    let body = &scan.body;
    let varying = body.spread(linear);
    let (moving, slices, captured) = body.split(&varying);
    let variables = chosen(&body.placeholders(), &varying);
    let (final_cotangents, output_cotangents) = scan.unpack(cotangent);
    let depends = dependents(&body.results(), &variables);
    let present: Vec<bool> = body.outputs.iter().map(|o| depends.contains(&o.id())).collect();

    let placeholder = |e: &Expr| Expr::input("cotangent", e.shape(), e.dtype());
    let (states, outputs) = (chosen(&body.next, moving), chosen(&body.outputs, &present));
    let state_seeds: Vec<Expr> = states.iter().map(placeholder).collect();
    let output_seeds: Vec<Expr> = outputs.iter().map(placeholder).collect();
    let roots = [states.clone(), outputs].concat();
    let seeds = [state_seeds.clone(), output_seeds.clone()].concat();
    let adjoint = transforms::transpose(&roots, &seeds, &variables);
    let mut parts = adjoint.expect("`linear_in` was asked first: the step is linear in the variables").into_iter();
    let mut take = |mask: &[bool]| -> Vec<Option<Expr>> {
        mask.iter().map(|&m| if m { parts.next().flatten() } else { None }).collect()
    };
    let (to_states, to_slices, to_captured) = (take(moving), take(slices), take(captured));

    let or_zero = |part: &Option<Expr>, like: &Expr| part.clone().unwrap_or_else(|| like.like(0.0));
    let sums: Vec<Expr> =
        body.captured.iter().zip(&to_captured).filter(|(_, p)| p.is_some()).map(|(c, _)| placeholder(c)).collect();
    let carried =
        chosen(&(0..moving.len()).map(|i| or_zero(&to_states[i], &body.carry[i])).collect::<Vec<_>>(), moving);
    let summed: Vec<Expr> = sums.iter().zip(to_captured.iter().flatten()).map(|(s, p)| s.add(p)).collect();
    let rows: Vec<Expr> = to_slices.iter().flatten().cloned().collect();
    let mut results: Vec<Option<Expr>> = vec![None; varying.len()];
    if !(carried.is_empty() && summed.is_empty() && rows.is_empty()) {
        let primal = Primal::of(scan, node.inputs(), &[carried.clone(), summed.clone(), rows.clone()].concat());
        let operands = [
            chosen(&final_cotangents, moving),
            sums.iter().map(|s| s.like(0.0)).collect(),
            chosen(&output_cotangents, &present),
            primal.stacks,
            primal.captured_operands,
        ];
        let step = Body {
            carry: [state_seeds, sums].concat(),
            slices: [output_seeds, primal.slices].concat(),
            captured: primal.captured,
            next: [carried, summed].concat(),
            outputs: rows,
        };
        let (finals, stacked) = Scan::run(step, scan.length, !scan.reverse, &operands.concat());
        let mut finals = finals.into_iter();
        let mut stacked = stacked.into_iter();
        let (carries, stacks) = (moving.len(), slices.len());
        (0..carries).filter(|&i| moving[i]).for_each(|i| results[i] = finals.next());
        (0..to_captured.len())
            .filter(|&k| to_captured[k].is_some())
            .for_each(|k| results[carries + stacks + k] = finals.next());
        (0..stacks).filter(|&j| to_slices[j].is_some()).for_each(|j| results[carries + j] = stacked.next());
    }
    results.iter_mut().zip(linear).filter(|(_, l)| !**l).for_each(|(r, _)| *r = None);
    results
}
