//! Loops.

use super::Table;
use perturb_graph::{Body, Expr, Scan};
use std::sync::Arc;

const UNIT: (f64, f64) = (-1.0, 1.0);

/// A recurrent layer: states `h ← tanh(w·h + x_t)`, outputs `h²·w₀`, over the rows of `x [length, n]`.
pub fn recurrent(h: &Expr, x: &Expr, w: &Expr, reverse: bool) -> (Expr, Expr) {
    let length = x.shape()[0];
    let (finals, stacks) = Expr::scan(&[h.clone()], &[x.clone()], length, reverse, |state, row| {
        let next = w.matmul(&state[0]).add(&row[0]).tanh();
        let weight = w.slice_axis(0, 0, 1).reshape(state[0].shape());
        Ok((vec![next.clone()], vec![next.square().mul(&weight)]))
    })
    .unwrap();
    (finals[0].clone(), stacks[0].clone())
}

fn joined(finals: &Expr, stack: &Expr) -> Expr {
    Expr::concat(&[finals.reshape([finals.shape().count()]), stack.reshape([stack.shape().count()])], 0)
}

pub fn add(table: &mut Table) {
    for (length, reverse) in [(0, false), (1, false), (2, false), (2, true)] {
        let (h, x, w) = (table.input("h", [2]), table.input("x", [length, 2]), table.input("w", [2, 2]));
        let (last, all) = recurrent(&h, &x, &w, reverse);
        let name = format!("recurrent, {length} steps, reverse {reverse}");
        table.add(name, &[(&h, UNIT), (&x, UNIT), (&w, UNIT)], joined(&last, &all));
    }
    structured(table);
    for reverse in [false, true] {
        let (h, x) = (table.input("h", [1]), table.input("x", [5, 1]));
        let (last, all) = Expr::scan_checkpointed(&[h.clone()], &[x.clone()], 5, reverse, 2, |state, row| {
            let next = state[0].mul(&row[0]).sin().add(&x.slice_axis(0, 0, 1).reshape([1]));
            Ok((vec![next.clone()], vec![next.mul(&state[0])]))
        })
        .unwrap();
        table.add(format!("checkpointed, reverse {reverse}"), &[(&h, UNIT), (&x, UNIT)], joined(&last[0], &all[0]));
    }
}

fn structured(table: &mut Table) {
    // Linear in state and rows together, as it stands.
    let (state, row) = (table.input("state", [2]), table.input("row", [2]));
    let next = state.scale(0.5).add(&row.reverse(&[0]));
    let body = Body::new(vec![state.clone()], vec![row], vec![], vec![next], vec![state.scale(3.0)]).unwrap();
    let scan = Scan { body: Arc::new(body), length: 3, reverse: false };
    let (c, x) = (table.input("c", [2]), table.input("x", [3, 2]));
    let result = Expr::apply(scan, &[c.clone(), x.clone()]).unwrap();
    table.add("linear loop", &[(&c, UNIT), (&x, UNIT)], result);

    // No state at all.
    table.one("loop without state", UNIT, |x| {
        Expr::scan(&[], &[x.clone()], 2, true, |_, row| Ok((vec![], vec![row[0].exp().mul(&row[0])]))).unwrap().1[0]
            .clone()
    });

    // A state that counts steps does not vary; another one does, but never moves.
    table.one("loop with a counter", UNIT, |x| {
        let start = [Expr::scalar(1.0, x.dtype()), x.slice_axis(0, 0, 1).reshape([3]), x.clone()];
        let (finals, _) = Expr::scan(&start, &[], 3, false, |s, _| {
            let next = s[1].mul(&s[0].reciprocal()).add(&s[2].slice_axis(0, 1, 2).reshape([3]).mul(&s[0]));
            Ok((vec![s[0].offset(1.0), next, s[2].clone()], vec![]))
        })
        .unwrap();
        finals[1].clone()
    });

    // A loop within a loop: a power series of each row, with a weight from outside both.
    let (x, w) = (table.input("x", [2, 3]), table.input("w", [3]));
    let (finals, stacks) = Expr::scan(&[w.like(0.0)], &[x.clone()], 2, false, |total, row| {
        let (inner, _) = Expr::scan(&[row[0].like(1.0)], &[], 3, false, |s, _| {
            Ok((vec![s[0].mul(&row[0]).mul(&w).offset(1.0)], vec![]))
        })?;
        let next = total[0].add(&inner[0].sin());
        Ok((vec![next.clone()], vec![next.mul(&w)]))
    })
    .unwrap();
    table.add("nested loops", &[(&x, UNIT), (&w, UNIT)], joined(&finals[0], &stacks[0]));

    // The derivative of a step, taken within the loop: two steps of gradient descent.
    let (x, w) = (table.input("x", [2]), table.input("w", [1, 2]));
    let (finals, _) = Expr::scan(&[x.clone()], &[], 2, false, |s, _| {
        let loss = w.matmul(&s[0]).tanh().square().sum();
        let gradient = perturb_graph::grad(&loss, &[s[0].clone()])?;
        Ok((vec![s[0].sub(&gradient[0].scale(0.25))], vec![]))
    })
    .unwrap();
    table.add("gradient descent", &[(&x, UNIT), (&w, UNIT)], finals[0].clone());
}
