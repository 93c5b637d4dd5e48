//! Planning of what picks, places and orders elements.

use super::steps::{Builder, Work};
use crate::kernels::lines::Along;
use crate::view::View;
use perturb_graph::{Gather, ScatterAdd};

impl Builder<'_> {
    pub(super) fn gather(&mut self, i: usize, gather: &Gather) -> View {
        let node = &self.graph.nodes[i];
        let (x, indices) = (self.contiguous(node.inputs[0]), self.contiguous(node.inputs[1]));
        let sizes = gather.sizes(&x.shape, &indices.shape);
        self.step(Work::Gather(sizes), vec![x.source, indices.source], &node.shape, node.dtype)
    }

    pub(super) fn scatter_add(&mut self, i: usize, scatter: &ScatterAdd) -> View {
        let node = &self.graph.nodes[i];
        let (updates, indices) = (self.contiguous(node.inputs[0]), self.contiguous(node.inputs[1]));
        let sizes = scatter.sizes(&node.shape, &indices.shape);
        self.step(Work::ScatterAdd(sizes), vec![updates.source, indices.source], &node.shape, node.dtype)
    }

    // A function along an axis: that axis goes last, so that the kernel sees lines of neighbours, and comes back as a
    // view.
    pub(super) fn along(&mut self, i: usize, axis: usize, function: Along) -> View {
        let node = &self.graph.nodes[i];
        let (x, dtype) = (node.inputs[0], self.graph.nodes[node.inputs[0]].dtype);
        let rank = self.graph.nodes[x].shape.len();
        let length = self.graph.nodes[x].shape[axis];
        let order: Vec<usize> = (0..rank).filter(|&a| a != axis).chain([axis]).collect();
        let source = if axis + 1 == rank {
            self.contiguous(x)
        } else {
            let turned = self.view(x).transpose(&order);
            if turned.is_contiguous() && turned.offset == 0 { turned } else { self.copy(&turned, dtype) }
        };
        let work = Work::Along(function, length, dtype);
        if function == Along::ArgMax {
            return self.step(work, vec![source.source], &node.shape, node.dtype);
        }
        let mut back = vec![0; rank];
        order.iter().enumerate().for_each(|(to, &from)| back[from] = to);
        self.step(work, vec![source.source], &source.shape, node.dtype).transpose(&back)
    }
}
