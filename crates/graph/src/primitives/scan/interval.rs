//! Bounds of a loop: a loop that carries bounds.

use super::{Body, Scan};
use crate::{Expr, Interval, Rounding, transforms};

/// See [`Primitive::interval`](crate::Primitive::interval). States that do not vary are carried as they are.
pub(super) fn interval(scan: &Scan, node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval {
    let body = &scan.body;
    let uncertain: Vec<bool> = inputs.iter().map(|i| !i.is_point()).collect();
    if !uncertain.contains(&true) {
        let operands: Vec<Expr> = inputs.iter().map(|i| i.lo.clone()).collect();
        let same = operands.iter().zip(node.inputs()).all(|(a, b)| a.id() == b.id());
        return Interval::point(&if same { node.clone() } else { Expr::build(scan.clone(), &operands) });
    }
    let varying = body.spread(&uncertain);
    let bounds: Vec<Interval> = body
        .placeholders()
        .iter()
        .zip(&varying)
        .map(|(p, &v)| {
            let end = |name: &str| Expr::input(name, p.shape(), p.dtype());
            if v { Interval { lo: end("lo"), hi: end("hi") } } else { Interval::point(p) }
        })
        .collect();
    let known: Vec<(Expr, Interval)> = body
        .placeholders()
        .into_iter()
        .zip(bounds.iter().cloned())
        .zip(&varying)
        .filter(|(_, v)| **v)
        .map(|(pair, _)| pair)
        .collect();
    let all = transforms::intervals(&body.results(), &known, rounding);
    let image = |e: &Expr| all.get(&e.id()).cloned().unwrap_or_else(|| Interval::point(e));
    let next: Vec<Interval> = body.next.iter().map(image).collect();
    let outputs: Vec<Interval> = body.outputs.iter().map(image).collect();

    let (carry, slices, captured) = body.split(&bounds);
    let (carried, sliced, _) = body.split(&varying);
    let (init, stacks, captured_operands) = body.split(inputs);
    // What varies has two ends even if it starts as one value.
    let ends = |list: &[Interval], two: &[bool]| -> Vec<Expr> {
        list.iter()
            .zip(two)
            .flat_map(|(i, &t)| if t { vec![i.lo.clone(), i.hi.clone()] } else { vec![i.lo.clone()] })
            .collect()
    };
    let two = |list: &[Interval]| -> Vec<bool> { list.iter().map(|i| !i.is_point()).collect() };
    let wide = two(&outputs);
    let step = Body {
        carry: ends(carry, carried),
        slices: ends(slices, sliced),
        captured: ends(captured, &two(captured)),
        next: ends(&next, carried),
        outputs: ends(&outputs, &wide),
    };
    let operands =
        [ends(init, carried), ends(stacks, sliced), ends(captured_operands, &two(captured_operands))].concat();
    let (finals, stacked) = Scan::run(step, scan.length, scan.reverse, &operands);
    let mut parts = finals.into_iter().chain(stacked);
    let (mut lo, mut hi) = (Vec::new(), Vec::new());
    for &two in carried.iter().chain(&wide) {
        let first = parts.next().into_iter();
        let ends: Vec<Expr> = if two { first.chain(parts.next()).collect() } else { first.collect() };
        lo.extend(ends.first().cloned());
        hi.extend(ends.last().cloned());
    }
    Interval { lo: Scan::pack(&lo), hi: Scan::pack(&hi) }
}
