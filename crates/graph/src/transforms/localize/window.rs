//! The graph that computes a window of a value from windows of those before it.

use super::Read;
use super::cut::Cut;
use super::locality::{Local, locality};
use crate::{Convolution, Expr, MaxPool, Op, Result, Tensor, eval};
use std::collections::{BTreeSet, HashMap};

/// Writes the graph of one step.
pub(super) struct Writer<'a> {
    cut: &'a Cut,
    pub reads: Vec<Read>,
    pub inputs: Vec<Expr>,
    /// What is known of the result's own window.
    done: HashMap<u64, Expr>,
    /// Products that the step adds up.
    pub products: f64,
}

impl<'a> Writer<'a> {
    pub fn new(cut: &'a Cut) -> Writer<'a> {
        Writer { cut, reads: Vec::new(), inputs: Vec::new(), done: HashMap::new(), products: 0.0 }
    }

    /// The window of a node that is to be computed; `None` if a constant varies over the plane.
    pub fn window(&mut self, node: &Expr, size: [usize; 2]) -> Result<Option<Expr>> {
        let order: Vec<&Expr> = self.cut.local.iter().filter(|n| n.id() <= node.id()).collect();
        let needed = self.needed(node);
        for n in order.into_iter().filter(|n| needed.contains(&n.id())) {
            let mut operands = Vec::new();
            if let Some(Local::Windows(sight)) = locality(n) {
                let Some(source) = self.index(&n.inputs()[0]) else { return Ok(None) };
                let strides = [sight.strides[0], sight.strides[1]];
                let low = [sight.padding[0].0, sight.padding[1].0];
                let wide = [0, 1].map(|a| (size[a] - 1) * strides[a] + sight.span[a] + 1);
                operands.push(self.read(source, strides, low, sight.outside, wide)?);
                operands.extend_from_slice(&n.inputs()[1..]);
                if let Op::Conv(_) = n.op() {
                    let kernel = n.inputs()[1].shape();
                    self.products += (kernel.count() * size[0] * size[1]) as f64;
                }
            } else {
                for operand in n.inputs() {
                    let Some(window) = self.operand(operand, size)? else { return Ok(None) };
                    operands.push(window);
                }
            }
            let window = Expr::apply(without_padding(n.op()), &operands)?;
            self.done.insert(n.id(), window);
        }
        Ok(self.done.remove(&node.id()))
    }

    // The node and what it is computed from, place by place, down to kept values and windows.
    fn needed(&self, node: &Expr) -> BTreeSet<u64> {
        let mut needed = BTreeSet::new();
        let mut pending = vec![node.clone()];
        while let Some(n) = pending.pop() {
            if !needed.insert(n.id()) || matches!(locality(&n), Some(Local::Windows(_))) {
                continue;
            }
            let inner = |i: &&Expr| self.cut.local.iter().any(|l| l.id() == i.id()) && self.index(i).is_none();
            pending.extend(n.inputs().iter().filter(inner).cloned());
        }
        needed
    }

    fn index(&self, node: &Expr) -> Option<usize> {
        self.cut.kept.iter().position(|k| k.id() == node.id())
    }

    fn operand(&mut self, operand: &Expr, size: [usize; 2]) -> Result<Option<Expr>> {
        if let Some(done) = self.done.get(&operand.id()) {
            return Ok(Some(done.clone()));
        }
        if let Some(kept) = self.index(operand) {
            return self.read(kept, [1, 1], [0, 0], 0.0, size).map(Some);
        }
        Ok(constant_window(operand, size))
    }

    fn read(
        &mut self,
        kept: usize,
        stride: [usize; 2],
        low: [usize; 2],
        outside: f64,
        size: [usize; 2],
    ) -> Result<Expr> {
        let read = Read { kept, stride, low, outside };
        let source = &self.cut.kept[kept];
        let shape = [1, source.shape()[1], size[0], size[1]];
        let same = |(r, i): (&Read, &Expr)| *r == read && i.shape()[..] == shape;
        if let Some(known) = self.reads.iter().zip(&self.inputs).position(same) {
            return Ok(self.inputs[known].clone());
        }
        let input = Expr::try_input(format!("window_{}", self.reads.len()), shape, source.dtype())?;
        self.reads.push(read);
        self.inputs.push(input.clone());
        Ok(input)
    }
}

// The same function of a window that brings its padding with it.
fn without_padding(op: &Op) -> Op {
    match op {
        Op::Conv(conv) => Op::Conv(Convolution { padding: vec![(0, 0); 2], ..conv.clone() }),
        Op::MaxPool(pool) => Op::MaxPool(MaxPool { padding: vec![(0, 0); 2], ..pool.clone() }),
        other => other.clone(),
    }
}

// A window of a value that does not depend on the image, if all windows of it are equal.
fn constant_window(node: &Expr, size: [usize; 2]) -> Option<Expr> {
    let [1, channels, height, width] = node.shape()[..] else { return None };
    let value = eval(std::slice::from_ref(node), &[]).ok()?.remove(0);
    let values = value.to_f64_vec();
    let planes = values.chunks(height * width);
    if planes.clone().any(|plane| plane.iter().any(|v| v.to_bits() != plane[0].to_bits())) {
        return None;
    }
    let each = planes.map(|plane| plane[0]).collect();
    let by_channel = Tensor::from_f64([channels, 1, 1], value.dtype(), each).ok()?;
    Some(Expr::constant(by_channel).broadcast_to([1, channels, size[0], size[1]]))
}
