//! Planning of what sums: reductions, matrix products and convolutions.

use super::steps::{Builder, Work};
use crate::kernels::conv::Convolving;
use crate::kernels::gemm::{Operand, Product};
use crate::kernels::matrices::Routine;
use crate::kernels::reduce::Reduction;
use crate::lower::{Kind, Lowered, Node};
use crate::view::{Source, View, collapse};
use perturb_graph::{ConvShapes, Convolution, DotDims, Op, Shape, Slot};

/// The order of axes that exchanges the last two.
fn exchanged(rank: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(rank - 2, rank - 1);
    order
}

/// Products of matrices, or of batches of them, that are only ever read with their last two axes exchanged, such as
/// gradients of weights that are used transposed.
pub(super) fn read_transposed(graph: &Lowered) -> Vec<bool> {
    // One free axis on each side: the last two axes are then the rows and the columns.
    let of_matrices = |node: &Node| match &node.kind {
        Kind::Op(Op::Dot(d)) => {
            let one_free =
                |x: usize, contract: &[usize]| graph.nodes[x].shape.len() == d.lhs_batch.len() + contract.len() + 1;
            one_free(node.inputs[0], &d.lhs_contract) && one_free(node.inputs[1], &d.rhs_contract)
        }
        _ => false,
    };
    let mut only: Vec<Option<bool>> = vec![None; graph.nodes.len()];
    for node in &graph.nodes {
        for &x in node.inputs.iter().filter(|&&x| of_matrices(&graph.nodes[x])) {
            let exchanges = match &node.kind {
                Kind::Op(Op::Transpose(t)) => t.perm[..] == exchanged(node.shape.len())[..],
                _ => false,
            };
            only[x] = Some(only[x].unwrap_or(true) && exchanges);
        }
    }
    graph.outputs.iter().for_each(|&o| only[o] = Some(false));
    only.into_iter().map(|only| only == Some(true)).collect()
}

impl Builder<'_> {
    pub(super) fn reduce(&mut self, i: usize, axes: &[usize], max: bool) -> View {
        let node = &self.graph.nodes[i];
        let view = self.view(node.inputs[0]);
        let pick = |keep: bool| -> (Vec<usize>, Vec<isize>) {
            let chosen = (0..view.shape.len()).filter(|a| axes.contains(a) != keep);
            chosen.map(|a| (view.shape[a], view.strides[a])).unzip()
        };
        let ((kept, kept_strides), (reduced, reduced_strides)) = (pick(true), pick(false));
        // Only the row-major output constrains how kept axes merge.
        let rows: Vec<isize> = Shape::from(&kept).strides().iter().map(|&s| s as isize).collect();
        let (kept, mut k) = collapse(&kept, &[rows, kept_strides]);
        // A sum does not mind the order of its axes: the evenest walk goes innermost.
        let mut order: Vec<usize> = (0..reduced.len()).collect();
        order.sort_by_key(|&a| std::cmp::Reverse(reduced_strides[a].unsigned_abs()));
        let reduced: Vec<usize> = order.iter().map(|&a| reduced[a]).collect();
        let reduced_strides: Vec<isize> = order.iter().map(|&a| reduced_strides[a]).collect();
        let (reduced, mut r) = collapse(&reduced, &[reduced_strides]);
        let reduction = Reduction {
            max,
            offset: view.offset,
            kept,
            kept_strides: k.swap_remove(1),
            reduced,
            reduced_strides: r.swap_remove(0),
        };
        self.step(Work::Reduce(reduction), vec![view.source], &node.shape, node.dtype)
    }

    pub(super) fn dot(&mut self, i: usize, dims: &DotDims) -> View {
        let node = &self.graph.nodes[i];
        let (mut product, [left, right]) = self.product(node.inputs[0], node.inputs[1], dims);
        if !self.read_transposed[i] {
            return self.step(Work::Product(product), vec![left, right], &node.shape, node.dtype);
        }
        // (A·B)ᵀ = Bᵀ·Aᵀ, which then lies as its users read it.
        product.transpose();
        let order = exchanged(node.shape.len());
        let shape: Shape = order.iter().map(|&a| node.shape[a]).collect();
        self.step(Work::Product(product), vec![right, left], &shape, node.dtype).transpose(&order)
    }

    /// The product of nodes `l` and `r`, and where both are read.
    pub(super) fn product(&mut self, l: usize, r: usize, dims: &DotDims) -> (Product, [Source; 2]) {
        let rank = |x: usize| self.graph.nodes[x].shape.len();
        let lf = DotDims::free(rank(l), &dims.lhs_contract, &dims.lhs_batch);
        let rf = DotDims::free(rank(r), &dims.rhs_contract, &dims.rhs_batch);
        // Contracted axes may be walked in any common order: that of the left operand's memory.
        let mut order: Vec<usize> = (0..dims.lhs_contract.len()).collect();
        let left_view = self.view(l);
        order.sort_by_key(|&k| std::cmp::Reverse(left_view.strides[dims.lhs_contract[k]].unsigned_abs()));
        let lc: Vec<usize> = order.iter().map(|&k| dims.lhs_contract[k]).collect();
        let rc: Vec<usize> = order.iter().map(|&k| dims.rhs_contract[k]).collect();
        let (left, lrow, lcol) = self.matrix(l, &dims.lhs_batch, &lf, &lc);
        let (right, rrow, rcol) = self.matrix(r, &dims.rhs_batch, &rc, &rf);
        let count = |x: &View, axes: &[usize]| axes.iter().map(|&a| x.shape[a]).product::<usize>();
        let batch_strides = |x: &View, axes: &[usize]| axes.iter().map(|&a| x.strides[a]).collect::<Vec<_>>();
        let product = Product {
            batch: dims.lhs_batch.iter().map(|&a| left.shape[a]).collect(),
            m: count(&left, &lf),
            n: count(&right, &rf),
            k: count(&left, &lc),
            lhs: Operand {
                offset: left.offset,
                batch_strides: batch_strides(&left, &dims.lhs_batch),
                row_stride: lrow,
                column_stride: lcol,
            },
            rhs: Operand {
                offset: right.offset,
                batch_strides: batch_strides(&right, &dims.rhs_batch),
                row_stride: rrow,
                column_stride: rcol,
            },
        };
        (product, [left.source, right.source])
    }

    // A reading of a node as matrices with one stride for `rows` and one for `columns`; copied if there is none.
    fn matrix(&mut self, i: usize, batch: &[usize], rows: &[usize], columns: &[usize]) -> (View, isize, isize) {
        let view = self.view(i);
        if let (Some(r), Some(c)) = (view.merged_stride(rows), view.merged_stride(columns)) {
            return (view, r, c);
        }
        // A copy in the order [batch, rows, columns], read back under the node's own axes.
        let order: Vec<usize> = batch.iter().chain(rows).chain(columns).copied().collect();
        let copy = self.copy(&view.transpose(&order), self.graph.nodes[i].dtype);
        let mut strides = vec![0; order.len()];
        order.iter().zip(&copy.strides).for_each(|(&axis, &s)| strides[axis] = s);
        let restored = View { strides, shape: view.shape.clone(), ..copy };
        let stride = |axes: &[usize]| restored.merged_stride(axes).unwrap_or(0);
        let (r, c) = (stride(rows), stride(columns));
        (restored, r, c)
    }

    pub(super) fn matrices(&mut self, i: usize, op: &Op) -> View {
        let size = |x: usize| {
            let shape = &self.graph.nodes[self.graph.nodes[i].inputs[x]].shape;
            (shape[shape.len() - 2], shape[shape.len() - 1])
        };
        let (m, n) = size(0);
        let routine = match op {
            Op::TriangularSolve(p) => {
                Routine::TriangularSolve { n, k: size(1).1, lower: p.lower, transpose: p.transpose }
            }
            Op::Solve(_) => Routine::Solve { n, k: size(1).1 },
            Op::Qr(_) => Routine::Qr { m, n },
            Op::Eigh(_) => Routine::Eigh { n },
            Op::Svd(_) => Routine::Svd { m, n },
            _ => Routine::Cholesky { n },
        };
        self.whole(i, Work::Matrices(routine))
    }

    pub(super) fn conv(&mut self, i: usize, conv: &Convolution) -> View {
        let node = &self.graph.nodes[i];
        let reads: Vec<View> = node.inputs.iter().map(|&x| self.contiguous(x)).collect();
        let (a, b, r) = (reads[0].shape.clone(), reads[1].shape.clone(), node.shape.clone());
        let (image, kernel, response) = match conv.result {
            Slot::Response => (a, b, r),
            Slot::Image => (r, b, a),
            Slot::Kernel => (a, r, b),
        };
        let shapes = ConvShapes { image, kernel, response };
        let work = Convolving::new(conv, &shapes).expect("checked by `unsupported`");
        self.step(Work::Convolve(Box::new(work)), reads.iter().map(|v| v.source).collect(), &node.shape, node.dtype)
    }
}
