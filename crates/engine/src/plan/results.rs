//! Which buffers hold the results and the variables' next values.

use super::steps::Builder;
use crate::lower::Kind;
use crate::view::{Source, View};
use std::collections::HashSet;

impl Builder<'_> {
    // The buffer of result `k` if it is a variable's old value.
    pub(super) fn early_copy(&mut self, k: usize, node: usize) -> Option<(usize, usize)> {
        let Kind::Variable(v) = self.graph.nodes[node].kind else { return None };
        let (shape, dtype) = (&self.graph.nodes[node].shape, self.graph.nodes[node].dtype);
        let view = View::whole(Source::Buffer(v), shape);
        Some((k, buffer_of(&self.copy(&view, dtype))))
    }

    // A buffer that holds a node's value and nothing else, and is nobody else's in `owned`.
    pub(super) fn owned(&mut self, i: usize, owned: &mut HashSet<usize>) -> usize {
        let view = self.contiguous(i);
        if let Source::Buffer(b) = view.source {
            let whole = b >= self.graph.variables.len() && self.buffers[b].count == view.shape.count();
            if whole && owned.insert(b) {
                return b;
            }
        }
        let copy = buffer_of(&self.copy(&view, self.graph.nodes[i].dtype));
        owned.insert(copy);
        copy
    }

    // The buffers of the variables' next values. One that is just another variable changes hands without a copy.
    pub(super) fn next_values(&mut self, next: &[usize], owned: &mut HashSet<usize>) -> Vec<usize> {
        let graph = self.graph;
        let moved = |i: usize| match graph.nodes[next[i]].kind {
            Kind::Variable(v) => Some(v),
            _ => None,
        };
        owned.extend((0..next.len()).filter(|&i| moved(i) == Some(i)));
        let buffers = (0..next.len()).map(|i| match moved(i) {
            Some(v) if v == i || owned.insert(v) => v,
            _ => self.owned(next[i], owned),
        });
        buffers.collect()
    }
}

fn buffer_of(view: &View) -> usize {
    match view.source {
        Source::Buffer(b) => b,
        Source::Feed(_) | Source::Const(_) => unreachable!("a step writes a buffer"),
    }
}
