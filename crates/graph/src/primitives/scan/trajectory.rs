//! The primal values that a derived loop reads: states of every step, rows, and captured values.

use super::body::chosen;
use super::{Body, Scan};
use crate::Expr;

/// Placeholders of a loop's body that a derived body uses, and the operands for them in the derived loop, where the
/// states of the first loop are slices.
pub(super) struct Primal {
    pub slices: Vec<Expr>,
    pub stacks: Vec<Expr>,
    pub captured: Vec<Expr>,
    pub captured_operands: Vec<Expr>,
}

impl Primal {
    /// What `roots`, expressions over the placeholders of `scan`'s body, need when `scan` runs on `operands`.
    pub(super) fn of(scan: &Scan, operands: &[Expr], roots: &[Expr]) -> Primal {
        let body = &scan.body;
        let used = body.used(roots);
        let (carry, slices, captured) = body.split(&used);
        let (_, stacks, captured_operands) = body.split(operands);
        let states = trajectories(scan, operands, carry);
        Primal {
            slices: [chosen(&body.carry, carry), chosen(&body.slices, slices)].concat(),
            stacks: [states, chosen(stacks, slices)].concat(),
            captured: chosen(&body.captured, captured),
            captured_operands: chosen(captured_operands, captured),
        }
    }
}

// The wanted states as they are before every step, stacked. Only what they depend on is computed.
fn trajectories(scan: &Scan, operands: &[Expr], wanted: &[bool]) -> Vec<Expr> {
    if !wanted.contains(&true) {
        return Vec::new();
    }
    let body = &scan.body;
    let mut needed = wanted.to_vec();
    loop {
        let used = body.used(&chosen(&body.next, &needed));
        let grown: Vec<bool> = needed.iter().zip(&used).map(|(n, u)| *n || *u).collect();
        if grown == needed {
            break;
        }
        needed = grown;
    }
    let next = chosen(&body.next, &needed);
    let used = body.used(&next);
    let (_, slices, captured) = body.split(&used);
    let (init, stacks, captured_operands) = body.split(operands);
    let step = Body {
        carry: chosen(&body.carry, &needed),
        slices: chosen(&body.slices, slices),
        captured: chosen(&body.captured, captured),
        next,
        outputs: chosen(&body.carry, wanted),
    };
    let operands = [chosen(init, &needed), chosen(stacks, slices), chosen(captured_operands, captured)].concat();
    Scan::run(step, scan.length, scan.reverse, &operands).1
}
