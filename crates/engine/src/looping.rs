//! Loops: the body is a plan of its own, run once for each step.

use crate::EngineError;
use crate::compile::compile;
use crate::lower::Extent;
use crate::run::{Runner, State};
use crate::storage::Storage;
use perturb_graph::{Expr, Scan};

/// A compiled [`Scan`].
#[derive(Debug)]
pub(crate) struct Looping {
    body: Runner,
    length: usize,
    reverse: bool,
    /// Carried states, rows of the stacks, captured values, and rows of the stacked outputs.
    carry: Vec<Extent>,
    slices: Vec<Extent>,
    captured: Vec<Extent>,
    outputs: Vec<Extent>,
}

/// Memory of a loop: that of its body, and two places for the carried states, which change sides with every step.
pub(crate) struct LoopState {
    body: State,
    carry: [Storage; 2],
}

impl Looping {
    pub fn new(scan: &Scan) -> Result<Looping, EngineError> {
        let body = &scan.body;
        let extents = |list: &[Expr]| list.iter().map(|e| Extent::of(e.shape(), e.dtype())).collect();
        Ok(Looping {
            body: compile(&body.results(), &body.placeholders(), &[])?,
            length: scan.length,
            reverse: scan.reverse,
            carry: extents(&body.carry),
            slices: extents(&body.slices),
            captured: extents(&body.captured),
            outputs: extents(&body.outputs),
        })
    }

    fn carry_bytes(&self) -> usize {
        self.carry.iter().map(|e| e.bytes()).sum()
    }

    pub fn state(&self) -> LoopState {
        let carry = || Storage::new(self.carry_bytes());
        LoopState { body: self.body.state(), carry: [carry(), carry()] }
    }

    /// Bytes of a [`LoopState`].
    pub fn working_bytes(&self) -> usize {
        self.body.working_bytes() + 2 * self.carry_bytes()
    }

    /// Bytes of the body's constants.
    pub fn constant_bytes(&self) -> u64 {
        self.body.plan.constant_bytes()
    }

    /// Whether a step of the body is worth several threads.
    pub fn is_split(&self) -> bool {
        self.body.plan.is_split()
    }

    pub fn flops(&self) -> u64 {
        self.length as u64 * self.body.plan.flops()
    }

    pub fn moved_bytes(&self) -> u64 {
        self.length as u64 * self.body.plan.moved_bytes()
    }

    /// Runs all steps. `operand(k)` is operand `k` of the node; `out` takes the final states and then the stacked
    /// outputs, to which every step writes its rows.
    pub fn run<'a>(
        &self,
        state: &mut LoopState,
        operand: impl Fn(usize) -> &'a [u8],
        out: &mut [u8],
    ) -> Result<(), EngineError> {
        let (finals, stacked) = out.split_at_mut(self.carry_bytes());
        if self.length == 0 {
            let mut rest = finals;
            for (k, extent) in self.carry.iter().enumerate() {
                take(&mut rest, extent.bytes()).copy_from_slice(operand(k));
            }
            return Ok(());
        }
        let LoopState { body, carry: [old, new] } = state;
        for step in 0..self.length {
            let row = if self.reverse { self.length - 1 - step } else { step };
            // The last step writes to the result itself.
            let next = if step + 1 == self.length { &mut *finals } else { new.bytes_mut() };
            let mut at = 0;
            let carried = self.carry.iter().enumerate().map(|(k, extent)| {
                let from = at;
                at += extent.bytes();
                if step == 0 { operand(k) } else { &old.bytes()[from..at] }
            });
            let first = self.carry.len();
            let rows = self.slices.iter().enumerate().map(|(k, extent)| {
                let bytes = extent.bytes();
                &operand(first + k)[row * bytes..(row + 1) * bytes]
            });
            let captured = (0..self.captured.len()).map(|k| operand(first + self.slices.len() + k));
            let (mut next, mut stacks) = (next, &mut *stacked);
            let states = self.carry.iter().map(|extent| take(&mut next, extent.bytes()));
            let outputs = self.outputs.iter().map(|extent| {
                let stack = take(&mut stacks, self.length * extent.bytes());
                &mut stack[row * extent.bytes()..(row + 1) * extent.bytes()]
            });
            self.body.run(body, carried.chain(rows).chain(captured), states.chain(outputs))?;
            std::mem::swap(old, new);
        }
        Ok(())
    }
}

// Cuts the first bytes off.
fn take<'a>(rest: &mut &'a mut [u8], bytes: usize) -> &'a mut [u8] {
    let (taken, left) = std::mem::take(rest).split_at_mut(bytes);
    *rest = left;
    taken
}
